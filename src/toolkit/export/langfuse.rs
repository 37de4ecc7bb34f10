//! Langfuse: dataset items for `POST /api/public/dataset-items`, and the recorded traces as a batch for
//! `POST /api/public/ingestion`. Ids are made of incident and trace, so that importing twice changes nothing, and that a
//! project that has the original trace keeps it as it is.

use serde_json::{Value as Json, json};

use super::{Case, Options};
use crate::core::canonical::sha256_hex;

#[expect(clippy::unnecessary_wraps, reason = "the shape of every format")]
pub(super) fn render(cases: &[Case], _: &Options<'_>) -> Result<Json, String> {
    let dataset = format!("incident-{}", cases.first().map_or("", Case::incident));
    Ok(json!({
        "dataset": { "name": dataset, "description": "Regression cases of an incident" },
        "items": cases.iter().map(|it| item(it, &dataset)).collect::<Vec<_>>(),
        "batch": cases.iter().flat_map(events).collect::<Vec<_>>(),
    }))
}

fn item(case: &Case, dataset: &str) -> Json {
    json!({
        "datasetName": dataset,
        "id": case.name(),
        "input": case.inputs(),
        "expectedOutput": case.reference(),
        "metadata": case.metadata(),
        "sourceTraceId": trace_id(case),
        "status": "ACTIVE",
    })
}

/// The id of the copy, in the form of a trace id (W3C). The original is `trace_id` of the metadata.
fn trace_id(case: &Case) -> String {
    sha256_hex(format!("freezeframe {} {}", case.incident(), case.request.trace_id).as_bytes())[..32].to_owned()
}

fn events(case: &Case) -> Vec<Json> {
    let trace = trace_id(case);
    let (from, to) = case.times();
    let at = from.to_string();
    let event = |kind: &str, name: &str, body: Json| json!({ "id": format!("{trace}-{name}"), "type": kind, "timestamp": at, "body": body });
    let mut events = vec![event("trace-create", "trace", trace_body(case, &trace, &at))];
    if case.record["documents"].is_array() {
        let body = json!({
            "id": format!("{trace}-retrieval"), "traceId": trace, "name": "retrieval", "startTime": at,
            "input": case.record["user_query"], "output": case.record["documents"],
            "metadata": { "index": case.record["index"], "index_version": case.record["index_version"] },
        });
        events.push(event("span-create", "retrieval", body));
    }
    for (at_tool, tool) in case.request.tools.iter().enumerate() {
        let id = format!("{trace}-tool-{at_tool}");
        let level = if tool.error.is_some() { "ERROR" } else { "DEFAULT" };
        let body = json!({
            "id": id, "traceId": trace, "name": tool.name, "level": level, "startTime": at,
            "endTime": tool.duration.map(|it| from.plus(it).to_string()),
        });
        events.push(event("span-create", &format!("tool-{at_tool}"), body));
    }
    if case.record["llm_calls"] != 0 {
        events.push(event("generation-create", "generation", generation(case, &trace, &at, &to.to_string())));
    }
    for (n, it) in case.request.evaluations.iter().enumerate().filter(|(_, it)| it.score.is_some()) {
        let id = format!("{trace}-score-{n}");
        let body = json!({
            "id": id, "traceId": trace, "name": it.metric, "value": it.score, "dataType": "NUMERIC",
            "comment": it.label,
        });
        events.push(event("score-create", &format!("score-{n}"), body));
    }
    events
}

fn trace_body(case: &Case, trace: &str, at: &str) -> Json {
    let record = &case.record;
    json!({
        "id": trace,
        "timestamp": at,
        "name": record["feature"],
        "userId": record["user_id"],
        "sessionId": record["session_id"],
        "input": record["user_query"],
        "output": record["response"],
        "metadata": case.metadata(),
        "tags": [case.incident()],
    })
}

fn generation(case: &Case, trace: &str, at: &str, to: &str) -> Json {
    let record = &case.record;
    let parameters = ["temperature", "top_p", "max_tokens"];
    let parameters = parameters.iter().filter(|it| !record[**it].is_null());
    let mut body = json!({
        "id": format!("{trace}-generation"),
        "traceId": trace,
        "name": record["operation"].as_str().unwrap_or("generation"),
        "startTime": at,
        "endTime": to,
        "model": record["model"].as_str().or(record["model_requested"].as_str()),
        "modelParameters": parameters.map(|it| ((*it).to_owned(), record[*it].clone())).collect::<serde_json::Map<_, _>>(),
        "input": case.messages(),
        "output": record["response"],
        "level": if record["error"].is_null() { "DEFAULT" } else { "ERROR" },
        "statusMessage": record["error"]["message"],
        "metadata": { "finish_reason": record["finish_reason"], "prompt_version": record["prompt_version"] },
    });
    let usage: serde_json::Map<String, Json> = [("input", "input_tokens"), ("output", "output_tokens")]
        .into_iter()
        .filter(|(_, field)| !record[*field].is_null())
        .map(|(name, field)| (name.to_owned(), record[field].clone()))
        .collect();
    body["usageDetails"] = usage.into();
    if let Some(cost) = record["cost_usd"].as_f64() {
        body["costDetails"] = json!({ "total": cost });
    }
    body
}

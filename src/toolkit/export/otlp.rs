//! OTLP: the samples as one `ExportTraceServiceRequest` in JSON, in the names of the GenAI semantic conventions. A record
//! holds sums and no ids of spans, so a request is laid out as a root, its search, its tools and one model call.

use serde_json::{Value as Json, json};

use super::{Case, Options};
use crate::core::canonical::sha256_hex;
use crate::core::time::UnixNanos;

/// A span id is half a trace id's hex digits.
const SPAN_ID_DIGITS: usize = 16;

#[expect(clippy::unnecessary_wraps, reason = "the shape of every format")]
pub(super) fn render(cases: &[Case], _: &Options<'_>) -> Result<Json, String> {
    let spans: Vec<Json> = cases.iter().flat_map(spans).collect();
    Ok(json!({ "resourceSpans": [{
        "resource": { "attributes": [] },
        "scopeSpans": [{ "scope": { "name": "freezeframe.export" }, "spans": spans }],
    }] }))
}

fn spans(case: &Case) -> Vec<Json> {
    let (from, to) = case.times();
    let mut spans = vec![span(case, "request", (from, to), root(case))];
    if !case.request.retrievals.is_empty() {
        spans.push(span(case, "retrieval", (from, from), retrieval(case)));
    }
    for (n, tool) in case.request.tools.iter().enumerate().filter(|(_, tool)| tool.ran) {
        let to = from.plus(tool.duration.unwrap_or_default());
        let attributes = vec![
            text("gen_ai.operation.name", &"execute_tool".into()),
            text("gen_ai.tool.name", &(*tool.name).into()),
            text("error.type", &tool.error.as_ref().map(|it| it.kind.to_string()).into()),
        ];
        let mut span = span(case, &format!("execute_tool {n}"), (from, to), attributes);
        if tool.error.is_some() {
            span["status"] = json!({ "code": 2 });
        }
        spans.push(span);
    }
    if !case.request.calls.is_empty() {
        let mut span = span(case, "chat", (from, to), call(case));
        if let Some(error) = &case.request.error {
            span["status"] = json!({ "code": 2, "message": error.message });
        }
        spans.push(span);
    }
    spans
}

fn span(case: &Case, name: &str, (from, to): (UnixNanos, UnixNanos), attributes: Vec<Option<Json>>) -> Json {
    let trace = case.request.trace_id.to_string();
    let id =
        |name: &str| sha256_hex(format!("{trace}/{name}").as_bytes()).chars().take(SPAN_ID_DIGITS).collect::<String>();
    let parent = (name != "request").then(|| id("request"));
    json!({
        "traceId": trace,
        "spanId": id(name),
        "parentSpanId": parent.unwrap_or_default(),
        "name": name,
        "kind": if name == "chat" { 3 } else { 1 },
        "startTimeUnixNano": from.0.to_string(),
        "endTimeUnixNano": to.0.to_string(),
        "attributes": attributes.into_iter().flatten().collect::<Vec<_>>(),
        "events": if name == "request" { evaluations(case, to) } else { Vec::new() },
    })
}

fn root(case: &Case) -> Vec<Option<Json>> {
    let record = &case.record;
    vec![
        text("gen_ai.operation.name", &"invoke_agent".into()),
        text("freezeframe.feature", &record["feature"]),
        text("user.id", &record["user_id"]),
        text("gen_ai.conversation.id", &record["session_id"]),
        text("app.request.id", &record["request_id"]),
    ]
}

fn retrieval(case: &Case) -> Vec<Option<Json>> {
    let record = &case.record;
    vec![
        text("gen_ai.operation.name", &"retrieval".into()),
        text("gen_ai.data_source.id", &record["index"]),
        text("gen_ai.data_source.version", &record["index_version"]),
        number("gen_ai.retrieval.freshness.lag", &record["freshness_lag_s"]),
        record["documents"]
            .is_array()
            .then(|| record["documents"].to_string())
            .and_then(|documents| text("gen_ai.retrieval.documents", &documents.into())),
    ]
}

fn call(case: &Case) -> Vec<Option<Json>> {
    let record = &case.record;
    let seconds = record["time_to_first_token_ms"].as_f64().map(|it| it / 1e3);
    let message = |role: &str, field: &str| {
        let content = record[field].as_str()?;
        Some(json!([{ "role": role, "parts": [{ "type": "text", "content": content }] }]).to_string())
    };
    let system = record["system_prompt"].as_str().map(|it| json!([{ "type": "text", "content": it }]).to_string());
    let components =
        record["prompt_components"].as_object().filter(|it| !it.is_empty()).map(|it| json!(it).to_string());
    vec![
        text("gen_ai.operation.name", &record["operation"].as_str().unwrap_or("chat").into()),
        text("gen_ai.provider.name", &record["provider"]),
        text("gen_ai.request.model", &record["model_requested"]),
        text("gen_ai.response.model", &record["model"]),
        text("gen_ai.routing.slice", &record["route"]),
        number("gen_ai.request.temperature", &record["temperature"]),
        number("gen_ai.request.top_p", &record["top_p"]),
        number("gen_ai.request.max_tokens", &record["max_tokens"]),
        number("gen_ai.usage.input_tokens", &record["input_tokens"]),
        number("gen_ai.usage.output_tokens", &record["output_tokens"]),
        // An estimate by the price table is not told as the application's own figure.
        number("gen_ai.usage.cost.amount", &record["cost_usd"]).filter(|_| record["cost_source"] != "table"),
        number("gen_ai.response.time_to_first_chunk", &seconds.into()),
        record["finish_reason"].as_str().map(|it| {
            json!({ "key": "gen_ai.response.finish_reasons", "value": { "arrayValue": { "values": [{ "stringValue": it }] } } })
        }),
        text("gen_ai.prompt.version", &record["prompt_version"]),
        text("gen_ai.prompt.components", &components.into()),
        text("gen_ai.system_instructions", &system.into()),
        text("gen_ai.input.messages", &message("user", "user_query").into()),
        text("gen_ai.output.messages", &message("assistant", "response").into()),
        text("error.type", &record["error"]["type"]),
    ]
}

fn evaluations(case: &Case, at: UnixNanos) -> Vec<Json> {
    let event = |it: &Json| {
        let attributes = [
            text("gen_ai.evaluation.name", &it["metric"]),
            number("gen_ai.evaluation.score.value", &it["score"]),
            text("gen_ai.evaluation.score.label", &it["label"]),
            it["passed"].as_bool().map(|it| json!({ "key": "gen_ai.evaluation.passed", "value": { "boolValue": it } })),
            text("gen_ai.evaluation.evaluator.model", &it["judge_model"]),
            text("gen_ai.evaluation.evaluator.version", &it["judge_version"]),
        ];
        let attributes: Vec<Json> = attributes.into_iter().flatten().collect();
        json!({ "name": "gen_ai.evaluation.result", "timeUnixNano": at.0.to_string(), "attributes": attributes })
    };
    case.record["evaluations"].as_array().into_iter().flatten().map(event).collect()
}

fn text(key: &str, value: &Json) -> Option<Json> {
    Some(json!({ "key": key, "value": { "stringValue": value.as_str()? } }))
}

fn number(key: &str, value: &Json) -> Option<Json> {
    let value = match value.as_i64() {
        Some(whole) => json!({ "intValue": whole.to_string() }),
        None => json!({ "doubleValue": value.as_f64()? }),
    };
    Some(json!({ "key": key, "value": value }))
}

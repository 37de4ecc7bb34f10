//! The simple trace record: one JSON object a request, as `inspect` prints, frames sample and `replay` loads.
//! Absent values are `null`, never a made-up default.

mod parse;

use std::time::Duration;

use serde_json::{Value as Json, json};

pub use parse::parse;

use super::completeness;
use super::diagnosis::{self, Diagnosis, Terms};
use super::message::cut;
use super::price::CostSource;
use super::request::{Evaluation, ModelCall, Outcome, Request, Retrieval, Sampled, ToolCall};
use super::variable::hex;

/// Bytes of a tool's arguments or result at most.
const TOOL_BYTES_MAX: usize = 8 << 10;

/// The record of one request, diagnosed by itself alone and in brief. Texts are as the request holds them: redact first.
#[must_use]
pub fn of(request: &Request) -> Json {
    held_against(request, &Terms::default())
}

/// The same, diagnosed under `terms`.
#[must_use]
pub fn held_against(request: &Request, terms: &Terms<'_>) -> Json {
    record(request, diagnosis::of(request, terms).brief())
}

/// The record of one request with all of its diagnosis.
#[must_use]
pub fn diagnosed(request: &Request, diagnosis: &Diagnosis) -> Json {
    record(request, diagnosis.to_json())
}

fn record(request: &Request, diagnosis: Json) -> Json {
    let mut record = identity(request);
    for part in [model(request), context(request), measures(request), outcome(request)] {
        if let (Json::Object(record), Json::Object(part)) = (&mut record, part) {
            record.extend(part);
        }
    }
    record["diagnosis"] = diagnosis;
    record
}

fn identity(request: &Request) -> Json {
    json!({
        "trace_id": request.trace_id.to_string(),
        "feature": request.feature,
        "session_id": request.session_id,
        "user_id": request.user_id,
        "request_id": request.request_id,
        "started_at": request.started_at.to_string(),
        "operation": request.operation,
        "user_query": request.user_query,
        "response": request.response,
        "finish_reason": request.finish_reason.map(|reason| reason.as_str()),
        "refused": request.outcome == Outcome::Refused,
        "blocked": request.outcome == Outcome::Blocked,
    })
}

fn model(request: &Request) -> Json {
    let last = request.calls.last();
    let text = |pick: fn(&ModelCall) -> &Option<Box<str>>| last.and_then(|call| pick(call).as_deref());
    let prompt = &request.prompt;
    let components: serde_json::Map<String, Json> =
        prompt.components.iter().map(|(name, version)| (name.to_string(), json!(version))).collect();
    json!({
        "model_requested": text(|call| &call.model_requested),
        "model": text(|call| &call.model_served),
        "provider": text(|call| &call.provider),
        "route": text(|call| &call.route),
        "temperature": last.and_then(|call| call.temperature),
        "top_p": last.and_then(|call| call.top_p),
        "max_tokens": last.and_then(|call| call.max_tokens),
        "prompt_version": prompt.version,
        "prompt_version_expected": prompt.expected,
        "prompt_sha256": prompt.sha256.map(|digest| hex(&digest)),
        "prompt_components": components,
        "system_prompt": prompt.system,
    })
}

fn context(request: &Request) -> Json {
    let first = request.retrievals.first();
    let text = |pick: fn(&Retrieval) -> &Option<Box<str>>| first.and_then(|retrieval| pick(retrieval).as_deref());
    let documents: Option<Vec<Json>> = first.and_then(|retrieval| retrieval.documents.as_ref()).map(|documents| {
        documents.iter().map(|it| json!({ "id": it.id, "score": it.score, "content": it.content })).collect()
    });
    let tools: Vec<Json> = request
        .tools
        .iter()
        .map(|tool| {
            let offered = request.tools_offered.iter().find(|schema| schema.name == tool.name);
            json!({
                "name": tool.name,
                "schema_sha256": offered.map(|schema| hex(&schema.sha256)),
                "outcome": tool_outcome(tool),
                "duration_ms": tool.duration.map(millis),
                "arguments": tool.arguments.as_deref().map(|text| cut(text, TOOL_BYTES_MAX)),
                "result": tool.result.as_deref().map(|text| cut(text, TOOL_BYTES_MAX)),
            })
        })
        .collect();
    json!({
        "index": text(|retrieval| &retrieval.index),
        "index_version": text(|retrieval| &retrieval.index_version),
        "freshness_lag_s": first.and_then(|retrieval| retrieval.freshness_lag).map(|lag| lag.as_secs_f64()),
        "documents": documents,
        "tools": tools,
        "tool_path": request.tool_path,
        "tools_version": request.tools_version,
    })
}

fn measures(request: &Request) -> Json {
    let calls = &request.calls;
    let total = |pick: fn(&ModelCall) -> Option<u64>| {
        calls.iter().filter_map(pick).fold(None, |sum, part| Some(sum.unwrap_or(0u64).saturating_add(part)))
    };
    let cost = total(|call| call.cost_nano_usd);
    json!({
        "latency_ms": millis(request.latency),
        "time_to_first_token_ms": calls.first().and_then(|call| call.time_to_first_token).map(millis),
        "retries": total(|call| call.retries.map(u64::from)),
        "llm_calls": calls.len(),
        "tool_calls": request.tools.iter().filter(|it| it.ran).count(),
        "input_tokens": total(|call| call.input_tokens),
        "output_tokens": total(|call| call.output_tokens),
        "cost_usd": cost.map(usd),
        // Of several calls the least certain.
        "cost_source": calls.iter().filter_map(|call| call.cost_source).max().map(CostSource::as_str),
    })
}

fn outcome(request: &Request) -> Json {
    let evaluations: Vec<Json> = request.evaluations.iter().map(evaluation).collect();
    let feedback = request
        .feedback
        .as_ref()
        .map(|it| json!({ "positive": it.positive, "score": it.score, "comment": it.comment }));
    let error = request.error.as_ref().map(|error| json!({ "type": error.kind, "message": error.message }));
    json!({
        "evaluations": evaluations,
        "feedback": feedback,
        "error": error,
        "dialects": request.dialects,
        "spans": request.spans,
        "missing": completeness::missing(request),
    })
}

/// `requested` is what the model asked for and nothing shows to have run.
fn tool_outcome(tool: &ToolCall) -> &'static str {
    match &tool.error {
        Some(error) if error.timeout => "timeout",
        Some(_) => "error",
        None if tool.ran => "ok",
        None => "requested",
    }
}

fn evaluation(evaluation: &Evaluation) -> Json {
    json!({
        "metric": evaluation.metric,
        "score": evaluation.score,
        "label": evaluation.label,
        "passed": evaluation.passed,
        "judge_model": evaluation.judge.model,
        "judge_version": evaluation.judge.version,
        "sampled_by": evaluation.sampled_by.map(Sampled::as_str),
    })
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[expect(clippy::cast_precision_loss, reason = "a cost below nine million dollars is exact")]
fn usd(nano: u64) -> f64 {
    nano as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::request::tests::request;
    use crate::core::request::{Document, Evaluation, Failure, Judge, Prompt, ToolCall};

    /// Proves that a record read back gives the same record: nothing it says is lost or made up.
    #[test]
    fn a_record_reads_back_as_itself() {
        let mut request = request();
        request.ended_at = request.started_at.plus(request.latency);
        request.prompt = Prompt {
            version: Some("v41".into()),
            components: vec![("tone".into(), "3".into())],
            system: Some("Be kind.".into()),
            sha256: Some([7; 32]),
            ..Prompt::default()
        };
        request.calls = vec![ModelCall {
            model_served: Some("gpt-4o-mini".into()),
            input_tokens: Some(40),
            cost_nano_usd: Some(1_500),
            cost_source: Some(CostSource::Table),
            started_at: request.started_at,
            duration: request.latency,
            ..ModelCall::default()
        }];
        let document = Document { id: Some("doc-1".into()), score: Some(0.5), ..Document::default() };
        request.retrievals =
            vec![Retrieval { index: Some("kb".into()), documents: Some(vec![document]), ..Retrieval::default() }];
        request.tools = vec![ToolCall {
            name: "get_order".into(),
            duration: Some(Duration::from_millis(250)),
            ran: true,
            arguments: Some("{\"id\":\"A-17\"}".into()),
            result: Some("late".into()),
            error: Some(Failure { kind: "timeout".into(), message: "".into(), timeout: true, status_code: None }),
            ..ToolCall::default()
        }];
        request.evaluations = vec![Evaluation {
            metric: "relevance".into(),
            score: Some(0.25),
            label: None,
            passed: Some(false),
            judge: Judge { model: Some("gpt-4o".into()), ..Judge::default() },
            error: None,
            sampled_by: None,
        }];
        let record = of(&request);
        assert_eq!(of(&parse(&record.to_string()).unwrap()), record);
        assert_eq!(record["diagnosis"]["mode"], "tool_timeout");
        assert_eq!(record["temperature"], Json::Null);
    }

    /// Proves that what is no record is refused with a reason.
    #[test]
    fn what_is_no_record_is_refused() {
        for text in ["", "{", "{}", r#"{"trace_id":"ab"}"#, r#"{"trace_id":"ab","started_at":"yesterday"}"#] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}

//! A simple trace record read back as a request. What a record does not say stays unknown.

use std::time::Duration;

use serde_json::Value as Json;

use crate::core::price::CostSource;
use crate::core::request::{
    Document, Evaluation, Failure, Feedback, FinishReason, Judge, ModelCall, Outcome, Prompt, Request, Retrieval,
    Sampled, ToolCall, TraceId, Traffic,
};
use crate::core::time::UnixNanos;

/// Reads one record.
///
/// # Errors
/// A sentence: not JSON, or `trace_id` or `started_at` is missing or not what it should be.
pub fn parse(text: &str) -> Result<Request, String> {
    let record: Json = serde_json::from_str(text).map_err(|error| format!("a simple trace record: {error}"))?;
    let trace_id = trace_id(&record["trace_id"]).ok_or("trace_id: 32 hex digits are wanted")?;
    let started_at = time(&record["started_at"]).ok_or("started_at: an RFC 3339 time is wanted")?;
    let latency = millis(&record["latency_ms"]).unwrap_or_default();
    let error = failure(&record["error"]);
    let outcome = match (&record["blocked"], &record["refused"], &error) {
        (Json::Bool(true), _, _) => Outcome::Blocked,
        (_, Json::Bool(true), _) => Outcome::Refused,
        (_, _, Some(_)) => Outcome::Error,
        (_, _, None) => Outcome::Ok,
    };
    Ok(Request {
        trace_id,
        feature: text_of(&record["feature"]).unwrap_or_else(|| "unknown".into()),
        session_id: text_of(&record["session_id"]),
        user_id: text_of(&record["user_id"]),
        request_id: text_of(&record["request_id"]),
        started_at,
        ended_at: started_at.plus(latency),
        latency,
        operation: text_of(&record["operation"]),
        outcome,
        finish_reason: finish_reason(&record["finish_reason"]),
        error: error.clone(),
        prompt: prompt(&record),
        user_query: text_of(&record["user_query"]),
        response: text_of(&record["response"]),
        calls: calls(&record, started_at, latency, error),
        retrievals: retrievals(&record, started_at),
        tools: items(&record["tools"]).filter_map(|tool| self::tool(tool, started_at)).collect(),
        tools_offered: Vec::new(),
        tool_path: text_of(&record["tool_path"]),
        tools_version: text_of(&record["tools_version"]),
        evaluations: items(&record["evaluations"]).filter_map(evaluation).collect(),
        feedback: feedback(&record["feedback"]),
        traffic: Traffic::default(),
        drill: None,
        dialects: Vec::new(),
        spans: record["spans"].as_u64().and_then(|spans| u32::try_from(spans).ok()).unwrap_or_default(),
    })
}

fn prompt(record: &Json) -> Prompt {
    let components = record["prompt_components"].as_object().into_iter().flatten();
    Prompt {
        name: None,
        version: text_of(&record["prompt_version"]),
        expected: text_of(&record["prompt_version_expected"]),
        components: components.filter_map(|(name, version)| Some((name.as_str().into(), text_of(version)?))).collect(),
        system: text_of(&record["system_prompt"]),
        sha256: digest(&record["prompt_sha256"]),
    }
}

/// The record's sums as one call: what a single call and the sum of several have in common.
fn calls(record: &Json, started_at: UnixNanos, duration: Duration, error: Option<Failure>) -> Vec<ModelCall> {
    if record["llm_calls"].as_u64() == Some(0) {
        return Vec::new();
    }
    vec![ModelCall {
        provider: text_of(&record["provider"]),
        model_requested: text_of(&record["model_requested"]),
        model_served: text_of(&record["model"]),
        route: text_of(&record["route"]),
        temperature: record["temperature"].as_f64(),
        top_p: record["top_p"].as_f64(),
        max_tokens: record["max_tokens"].as_u64(),
        started_at,
        duration,
        time_to_first_token: millis(&record["time_to_first_token_ms"]),
        input_tokens: record["input_tokens"].as_u64(),
        output_tokens: record["output_tokens"].as_u64(),
        cost_nano_usd: record["cost_usd"].as_f64().map(nano_usd),
        cost_source: CostSource::ALL.into_iter().find(|it| record["cost_source"] == it.as_str()),
        finish_reason: finish_reason(&record["finish_reason"]),
        retries: record["retries"].as_u64().and_then(|retries| u32::try_from(retries).ok()),
        error,
        ..ModelCall::default()
    }]
}

fn retrievals(record: &Json, started_at: UnixNanos) -> Vec<Retrieval> {
    let documents = record["documents"].as_array().map(|documents| documents.iter().map(document).collect());
    if documents.is_none() && record["index"].is_null() {
        return Vec::new();
    }
    vec![Retrieval {
        index: text_of(&record["index"]),
        index_version: text_of(&record["index_version"]),
        freshness_lag: record["freshness_lag_s"].as_f64().and_then(|lag| Duration::try_from_secs_f64(lag).ok()),
        documents,
        started_at,
        ..Retrieval::default()
    }]
}

fn document(document: &Json) -> Document {
    Document {
        id: text_of(&document["id"]),
        score: document["score"].as_f64(),
        content: text_of(&document["content"]),
        updated_at: None,
    }
}

fn tool(tool: &Json, started_at: UnixNanos) -> Option<ToolCall> {
    let outcome = tool["outcome"].as_str().unwrap_or("ok");
    let failed = |timeout| Failure { kind: outcome.into(), message: "".into(), timeout, status_code: None };
    Some(ToolCall {
        name: text_of(&tool["name"])?,
        version: None,
        started_at,
        duration: millis(&tool["duration_ms"]),
        ran: outcome != "requested",
        arguments: text_of(&tool["arguments"]),
        result: text_of(&tool["result"]),
        error: (!matches!(outcome, "ok" | "requested")).then(|| failed(outcome == "timeout")),
    })
}

fn evaluation(evaluation: &Json) -> Option<Evaluation> {
    Some(Evaluation {
        metric: text_of(&evaluation["metric"])?,
        score: evaluation["score"].as_f64(),
        label: text_of(&evaluation["label"]),
        passed: evaluation["passed"].as_bool(),
        judge: Judge {
            model: text_of(&evaluation["judge_model"]),
            version: text_of(&evaluation["judge_version"]),
            ..Judge::default()
        },
        error: None,
        sampled_by: text_of(&evaluation["sampled_by"]).map(|it| Sampled::parse(&it)),
    })
}

fn feedback(feedback: &Json) -> Option<Feedback> {
    feedback.as_object()?;
    Some(Feedback {
        positive: feedback["positive"].as_bool(),
        score: feedback["score"].as_f64(),
        comment: text_of(&feedback["comment"]),
    })
}

fn failure(error: &Json) -> Option<Failure> {
    error.as_object()?;
    let kind = text_of(&error["type"]).unwrap_or_else(|| "error".into());
    let timeout = kind.to_ascii_lowercase().contains("timeout");
    Some(Failure { kind, message: text_of(&error["message"]).unwrap_or_default(), timeout, status_code: None })
}

fn finish_reason(reason: &Json) -> Option<FinishReason> {
    const ALL: [FinishReason; 7] = [
        FinishReason::Stop,
        FinishReason::Length,
        FinishReason::ToolCalls,
        FinishReason::ContentFilter,
        FinishReason::Refusal,
        FinishReason::Error,
        FinishReason::Other,
    ];
    let reason = reason.as_str()?;
    Some(ALL.into_iter().find(|it| it.as_str() == reason).unwrap_or(FinishReason::Other))
}

fn items(list: &Json) -> impl Iterator<Item = &Json> {
    list.as_array().into_iter().flatten()
}

fn text_of(value: &Json) -> Option<Box<str>> {
    value.as_str().map(Into::into)
}

fn millis(value: &Json) -> Option<Duration> {
    Duration::try_from_secs_f64(value.as_f64()? / 1e3).ok()
}

fn time(value: &Json) -> Option<UnixNanos> {
    UnixNanos::parse(value.as_str()?)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and costs are not negative"
)]
fn nano_usd(usd: f64) -> u64 {
    (usd * 1e9).round().max(0.0) as u64
}

/// Ids of 32 hex digits; any other non-empty text is hashed, so that hand-written records may use names.
fn trace_id(value: &Json) -> Option<TraceId> {
    let text = value.as_str().filter(|text| !text.is_empty())?;
    let id = u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32);
    Some(TraceId(id.map_or_else(|| hashed(text), u128::to_be_bytes)))
}

fn hashed(text: &str) -> [u8; 16] {
    use sha2::{Digest, Sha256};
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    std::array::from_fn(|at| digest[at])
}

fn digest(value: &Json) -> Option<[u8; 32]> {
    let text = value.as_str().filter(|text| text.len() == 64 && text.is_ascii())?;
    let byte = |at: usize| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok();
    let bytes: Vec<u8> = (0..32).map(byte).collect::<Option<_>>()?;
    bytes.try_into().ok()
}

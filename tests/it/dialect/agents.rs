//! Agents that write nothing but log records: Claude Code, Codex, Gemini CLI.

use super::*;
use freezeframe::core::request::{ModelCall, Outcome};
use serde_json::{Value, json};

/// An export request of log records: seconds since the start, event name, attributes.
fn exported(service: &str, records: &[(u64, &str, Value)]) -> Vec<(bool, Bytes)> {
    let attribute = |(key, value): (&String, &Value)| {
        let value = match value {
            Value::String(text) => json!({ "stringValue": text }),
            Value::Bool(flag) => json!({ "boolValue": flag }),
            Value::Number(number) if number.is_f64() => json!({ "doubleValue": number }),
            other => json!({ "intValue": other.to_string() }),
        };
        json!({ "key": key, "value": value })
    };
    let records: Vec<Value> = records
        .iter()
        .map(|(seconds, name, attributes)| {
            let mut attributes: Vec<Value> = attributes.as_object().unwrap().iter().map(attribute).collect();
            attributes.push(json!({ "key": "event.name", "value": { "stringValue": name } }));
            let at = (1_790_000_000 + seconds) * 1_000_000_000;
            json!({ "timeUnixNano": at.to_string(), "attributes": attributes })
        })
        .collect();
    let resource = json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": service } }] });
    let body = json!({ "resourceLogs": [{ "resource": resource, "scopeLogs": [{ "logRecords": records }] }] });
    vec![(false, otlp::json::logs(body.to_string().as_bytes()).unwrap())]
}

/// The one request the records come to, whatever order they come in, sent twice or not.
fn one(payloads: &[(bool, Bytes)]) -> Request {
    let order = items(payloads);
    let reversed: Vec<_> = order.iter().rev().copied().collect();
    let first = closed(payloads, &order);
    assert_eq!(closed(payloads, &reversed), first);
    let [Closed::Request(request)] = first.as_slice() else { panic!("{first:?}") };
    let again = [order.clone(), order].concat();
    assert_eq!(closed(payloads, &again), first);
    (**request).clone()
}

/// Proves that Claude Code's records of one prompt are one request: a retried call, a tool, an answer.
#[test]
fn claude_code_is_heard() {
    let of = |mut more: Value| {
        more["session.id"] = "s-1".into();
        more["prompt.id"] = "p-1".into();
        more
    };
    let request = one(&exported(
        "claude-code",
        &[
            (0, "claude_code.user_prompt", of(json!({ "prompt": "Fix the test", "prompt_length": 12 }))),
            (
                2,
                "claude_code.api_error",
                of(
                    json!({ "model": "claude-opus-5", "error": "Overloaded", "status_code": 529, "attempt": 1, "duration_ms": 400 }),
                ),
            ),
            (
                6,
                "claude_code.api_request",
                of(json!({ "model": "claude-opus-5", "cost_usd": 0.0125, "duration_ms": 3000, "input_tokens": 20,
                    "output_tokens": 110, "cache_read_tokens": 5000, "cache_creation_tokens": 70 })),
            ),
            (8, "claude_code.tool_result", of(json!({ "tool_name": "Bash", "success": false, "duration_ms": 900 }))),
            (
                12,
                "claude_code.api_request",
                of(
                    json!({ "model": "claude-opus-5", "cost_usd": 0.002, "duration_ms": 2000, "input_tokens": 5, "output_tokens": 40 }),
                ),
            ),
        ],
    ));
    let calls: Vec<_> =
        request.calls.iter().map(|it| (it.input_tokens, it.output_tokens, it.cost_nano_usd, it.retries)).collect();
    assert_eq!(calls, [(Some(20), Some(110), Some(12_500_000), Some(1)), (Some(5), Some(40), Some(2_000_000), None)]);
    assert_eq!(request.calls[0].cached_input_tokens, Some(5000));
    assert_eq!((&*request.feature, request.outcome), ("claude-code", Outcome::Ok));
    assert_eq!(request.user_query.as_deref(), Some("Fix the test"));
    assert_eq!((request.session_id.as_deref(), &*request.dialects), (Some("s-1"), &["claude_code"][..]));
    assert_eq!(request.tool_path.as_deref(), Some("Bash"));
    assert!(request.tools[0].error.is_some());
}

/// Proves that Codex's stream events count once, at their end, from counts sent as text, and that a prompt it hides
/// is missing, not a text.
#[test]
fn codex_is_heard() {
    let of = |mut more: Value| {
        more["conversation.id"] = "c-1".into();
        more["model"] = "gpt-5.1".into();
        more
    };
    let request = one(&exported(
        "codex_cli_rs",
        &[
            (0, "codex.user_prompt", of(json!({ "prompt": "[REDACTED]", "prompt_length": "12" }))),
            (
                1,
                "codex.api_request",
                of(
                    json!({ "attempt": "0", "http.response.status_code": "429", "duration_ms": "80", "error.message": "rate limited" }),
                ),
            ),
            (
                3,
                "codex.api_request",
                of(json!({ "attempt": "1", "http.response.status_code": "200", "duration_ms": "300" })),
            ),
            (4, "codex.sse_event", of(json!({ "event.kind": "response.output_item.done", "duration_ms": "4" }))),
            (
                5,
                "codex.sse_event",
                of(json!({ "event.kind": "response.completed", "input_token_count": "100", "output_token_count": "10",
                    "cached_token_count": "40", "reasoning_token_count": "5" })),
            ),
            (
                6,
                "codex.tool_result",
                of(json!({ "tool_name": "shell", "call_id": "1", "success": "true", "duration_ms": "150" })),
            ),
        ],
    ));
    let calls: Vec<_> = request.calls.iter().map(|it| (it.input_tokens, it.output_tokens, it.retries)).collect();
    assert_eq!(calls, [(Some(100), Some(10), Some(1))]);
    assert_eq!((request.calls[0].cached_input_tokens, request.user_query.as_deref()), (Some(40), None));
    assert_eq!((request.tool_path.as_deref(), request.outcome), (Some("shell"), Outcome::Ok));
}

/// Proves that Gemini CLI's responses and errors are calls.
#[test]
fn gemini_cli_is_heard() {
    let of = |mut more: Value| {
        more["session.id"] = "s-2".into();
        more["prompt_id"] = "p-9".into();
        more["model"] = "gemini-3-pro".into();
        more
    };
    let request = one(&exported(
        "gemini-cli",
        &[
            (0, "gemini_cli.user_prompt", of(json!({ "prompt": "hello", "prompt_length": 5 }))),
            (1, "gemini_cli.api_request", of(json!({ "request_text": "..." }))),
            (
                3,
                "gemini_cli.api_response",
                of(json!({ "status_code": 200, "duration_ms": 1500, "input_token_count": 50, "output_token_count": 7,
                    "cached_content_token_count": 10, "thoughts_token_count": 3, "finish_reasons": "STOP" })),
            ),
            (
                4,
                "gemini_cli.tool_call",
                of(json!({ "function_name": "read_file", "success": true, "duration_ms": 20 })),
            ),
            (6, "gemini_cli.api_error", of(json!({ "status_code": 500, "error": "internal", "duration_ms": 100 }))),
        ],
    ));
    let failed = |it: &ModelCall| it.error.as_ref().and_then(|error| error.status_code);
    let calls: Vec<_> = request.calls.iter().map(|it| (it.input_tokens, it.output_tokens, failed(it))).collect();
    assert_eq!(calls, [(Some(50), Some(7), None), (None, None, Some(500))]);
    assert_eq!((request.outcome, request.tool_path.as_deref()), (Outcome::Error, Some("read_file")));
}

//! What went wrong with a span, from status, exception event and attributes, and why a model stopped.
//!
//! SDKs disagree: LangSmith sets status OK and adds an exception, others set an error type and no status.

use crate::core::dialect::{Field, Scalar};
use crate::core::message::cut;
use crate::core::request::{Failure, FinishReason};
use crate::core::span::{Kind, LlmSpan};
use crate::otlp;

/// Bytes kept of an error's class.
const KIND_BYTES_MAX: usize = 256;
/// Bytes kept of a message.
const MESSAGE_BYTES_MAX: usize = 1024;

/// The failure of a span, if it failed.
pub(super) fn of(span: &LlmSpan<'_>, otlp: &otlp::Span<'_>, exception: Option<otlp::Event<'_>>) -> Option<Failure> {
    let at_work = matches!(span.kind, Kind::Llm | Kind::Embedding | Kind::Retrieval | Kind::Reranker | Kind::Tool);
    // A call that came to an end handled its exceptions.
    let thrown = exception.is_some() && at_work && !span.fields.has(Field::FinishReason);
    let typed = at_work && span.fields.has(Field::ErrorType);
    let leveled = at_work && span.text(Field::Level) == Some("ERROR");
    if otlp.status != otlp::SpanStatus::Error && !thrown && !typed && !leveled {
        return None;
    }
    let exception = exception.map(|event| event.attributes());
    let thrown = |key: &str| exception.and_then(|it| Scalar::of(it.get(key)?)).map(Scalar::text);
    let status = std::str::from_utf8(otlp.status_message).unwrap_or_default();
    let message = Some(status.into())
        .filter(|text: &std::borrow::Cow<'_, str>| !text.is_empty())
        .or_else(|| span.get(Field::ErrorMessage).map(Scalar::text))
        .or_else(|| thrown("exception.message"))
        .unwrap_or_default();
    let message = message.split("\n\nTraceback (").next().unwrap_or_default();
    let kind = span
        .get(Field::ErrorType)
        .map(Scalar::text)
        .or_else(|| thrown("exception.type").filter(|kind| kind != "Exception"))
        .or_else(|| class_of(message).map(Into::into))
        .or_else(|| thrown("exception.type"))
        .unwrap_or_default();
    Some(failure(&kind, message, span.get(Field::StatusCode).and_then(Scalar::u64)))
}

/// A failure, its timeout flag and status code read from the text where no attribute tells. Without a kind of its own
/// it is named by its status code (semconv `error.type`).
pub(super) fn failure(kind: &str, message: &str, status_code: Option<u64>) -> Failure {
    let said = |code: &u16| (400..=599).contains(code);
    let status_code = status_code
        .and_then(|code| u16::try_from(code).ok())
        .or_else(|| kind.parse().ok())
        .filter(said)
        .or_else(|| code_in(message).filter(said));
    let text = format!("{kind} {message}").to_ascii_lowercase();
    let timeout = text.contains("timeout") || text.contains("timed out") || matches!(status_code, Some(408 | 504));
    let kind = match (kind, status_code, timeout) {
        ("", Some(code), _) => code.to_string(),
        ("", None, true) => "timeout".to_owned(),
        ("", None, false) => "error".to_owned(),
        (kind, ..) => cut(kind, KIND_BYTES_MAX).to_owned(),
    };
    Failure { kind: kind.into(), message: cut(message, MESSAGE_BYTES_MAX).into(), timeout, status_code }
}

/// Whether a policy refused the request itself (HTTP 400 of Azure and OpenAI, Bedrock guardrails).
pub(super) fn is_policy_block(failure: &Failure) -> bool {
    let text = format!("{} {}", failure.kind, failure.message).to_ascii_lowercase();
    ["content_filter", "content filter", "content management policy", "contentfilter", "content_policy", "guardrail"]
        .iter()
        .any(|sign| text.contains(sign))
}

/// Whether trying again can help: no answer, or one that says so.
pub(super) fn is_transient(failure: &Failure) -> bool {
    match failure.status_code {
        Some(code) => matches!(code, 408 | 409 | 429 | 500..=599),
        None => !is_policy_block(failure),
    }
}

/// `RateLimitError: Error code: 429 - ...` and `RateLimitError('...')` begin with a class.
fn class_of(message: &str) -> Option<&str> {
    let class = message.split([':', '(']).next()?;
    let known = class.ends_with("Error") || class.ends_with("Exception") || class.ends_with("Timeout");
    let whole = message.len() > class.len();
    (known && whole && class.chars().all(|it| it.is_ascii_alphanumeric() || it == '.' || it == '_')).then_some(class)
}

/// The number after `Error code: `, `status code `, `status: ` or `HTTP `.
fn code_in(message: &str) -> Option<u16> {
    let lower = message.to_ascii_lowercase();
    ["error code: ", "error code ", "status code: ", "status code ", "status: ", "http "].iter().find_map(|lead| {
        let rest = &lower[lower.find(lead)? + lead.len()..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        rest[..digits].parse().ok()
    })
}

/// A finish reason in any form: a word of any provider, in JSON quotes or a JSON list.
pub(super) fn finish_reason(text: &str) -> Option<FinishReason> {
    let word = text.trim_matches(|it: char| it.is_whitespace() || matches!(it, '[' | ']' | '"' | '\''));
    let word = word.split(['"', '\'', ',']).next().unwrap_or_default();
    let word = word.rsplit('.').next().unwrap_or_default().to_ascii_lowercase().replace('-', "_");
    Some(match word.as_str() {
        "" | "null" | "none" | "unknown" => return None,
        "stop" | "end_turn" | "stop_sequence" | "eos" | "eos_token" | "complete" | "completed" | "finished" => {
            FinishReason::Stop
        }
        "length" | "max_tokens" | "max_output_tokens" | "model_length" | "max_completion_tokens" => {
            FinishReason::Length
        }
        "tool_calls" | "tool_call" | "tool_use" | "function_call" => FinishReason::ToolCalls,
        "content_filter"
        | "content_filtered"
        | "safety"
        | "recitation"
        | "blocklist"
        | "prohibited_content"
        | "spii"
        | "guardrail_intervened" => FinishReason::ContentFilter,
        "refusal" => FinishReason::Refusal,
        "error" | "cancelled" | "canceled" | "aborted" | "incomplete" => FinishReason::Error,
        _ => FinishReason::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that every provider's word, in every dress, is one of ours.
    #[test]
    fn finish_reasons_in_any_dress() {
        for (text, reason) in [
            ("stop", Some(FinishReason::Stop)),
            ("[\"stop\"]", Some(FinishReason::Stop)),
            ("\"end_turn\"", Some(FinishReason::Stop)),
            ("STOP", Some(FinishReason::Stop)),
            ("FinishReason.STOP", Some(FinishReason::Stop)),
            ("tool-calls", Some(FinishReason::ToolCalls)),
            ("tool_call", Some(FinishReason::ToolCalls)),
            ("['tool_use', 'stop']", Some(FinishReason::ToolCalls)),
            ("content-filter", Some(FinishReason::ContentFilter)),
            ("SAFETY", Some(FinishReason::ContentFilter)),
            ("max_tokens", Some(FinishReason::Length)),
            ("refusal", Some(FinishReason::Refusal)),
            ("error", Some(FinishReason::Error)),
            ("something_new", Some(FinishReason::Other)),
            ("", None),
            ("[]", None),
            ("null", None),
        ] {
            assert_eq!(finish_reason(text), reason, "{text}");
        }
    }

    /// Proves that code, timeout and policy block are told from the text when no attribute tells.
    #[test]
    fn failures_are_told_from_their_text() {
        for (kind, message, code, timeout, blocked) in [
            ("RateLimitError", "Error code: 429 - {'error': ..}", Some(429), false, false),
            ("APITimeoutError", "Request timed out.", None, true, false),
            ("504", "", Some(504), true, false),
            ("BadRequestError", "Error code: 400 - the content management policy", Some(400), false, true),
            ("x", "no code 12 here", None, false, false),
        ] {
            let failure = failure(kind, message, None);
            assert_eq!((failure.status_code, failure.timeout), (code, timeout), "{message}");
            assert_eq!(is_policy_block(&failure), blocked, "{message}");
        }
        assert_eq!(failure("x", "Error code: 429", Some(500)).status_code, Some(500), "the attribute goes first");
    }
}

//! What whole requests, responses and counts say that SDKs send as one JSON object, in the words of any provider.
//!
//! Deliberately no errors: what is cut off or no JSON says nothing, and never costs the span.

use super::Field::{self, *};
use crate::core::message::Json;
use crate::core::span::LlmSpan;
use crate::otlp::Value;

/// Above every dialect's attributes, below the user's own names.
pub(super) const KNOWN: u16 = 1024;
/// Below every attribute.
const LAST: u16 = u16::MAX - 1;

/// A request: the model asked for, over what any attribute says, and its parameters.
pub(super) fn request<'a>(span: &mut LlmSpan<'a>, json: &'a str) {
    for (key, value) in Json::new(json).entries() {
        let (field, rank) = match &*key {
            "model" | "model_name" => (ModelRequested, KNOWN),
            "temperature" => (Temperature, LAST),
            "top_p" => (TopP, LAST),
            "max_tokens" | "max_completion_tokens" | "max_output_tokens" => (MaxTokens, LAST),
            "stream" => (Streaming, LAST),
            // Gemini's.
            "config" if value.is_object() => {
                request(span, value.raw());
                continue;
            }
            _ => continue,
        };
        set(span, field, rank, value);
    }
}

/// A response: OpenAI's, Anthropic's, Gemini's, or what LangChain makes of any of them.
pub(super) fn response<'a>(span: &mut LlmSpan<'a>, json: &'a str) {
    for (key, value) in Json::new(json).entries() {
        match &*key {
            "id" | "response_id" => set(span, ResponseId, LAST, value),
            "model" | "model_name" | "model_version" => set(span, ModelServed, LAST, value),
            "system_fingerprint" => set(span, Fingerprint, LAST, value),
            "finish_reason" | "stop_reason" => set(span, FinishReason, LAST, value),
            "usage" | "usage_metadata" | "token_usage" => usage(span, value.raw()),
            "llm_output" | "message" | "kwargs" | "response_metadata" | "generation_info" if value.is_object() => {
                response(span, value.raw());
            }
            "generations" => {
                let first = value.items().first().and_then(|batch| batch.items().first().copied());
                if let Some(first) = first {
                    response(span, first.raw());
                }
            }
            _ => {}
        }
    }
}

/// Token counts: of any provider, of Langfuse, or a Python literal of them. Where parts were taken out of a sum
/// (`input` beside `input_cache_read`), they are added again.
pub(super) fn usage<'a>(span: &mut LlmSpan<'a>, text: &'a str) {
    let json = Json::new(text);
    if !json.is_object() || json.entries().is_empty() {
        return literal(span, text);
    }
    let (mut sums, mut parted) = ([0u64; 2], false);
    for (key, value) in json.entries() {
        let side = usize::from(key.starts_with("output"));
        let count = || value.scalar().and_then(super::Scalar::u64).unwrap_or(0);
        match &*key {
            "input" | "output" => sums[side] += count(),
            key if is_part(key) && !value.is_object() => (sums[side], parted) = (sums[side] + count(), true),
            _ => {}
        }
        if let Some(field) = counted(&key) {
            set(span, field, LAST, value);
        } else if key.ends_with("_details") {
            value.entries().into_iter().for_each(|(key, value)| {
                if let Some(field) = detail(&key) {
                    set(span, field, LAST, value);
                }
            });
        }
    }
    if parted {
        for (field, sum) in [(InputTokens, sums[0]), (OutputTokens, sums[1])] {
            if let Ok(sum @ 1..) = i64::try_from(sum) {
                span.fields.set(field, LAST - 1, Value::Int(sum));
            }
        }
    }
}

/// `input_cache_read`, `output_reasoning`: what Langfuse takes out of `input` and `output`.
fn is_part(key: &str) -> bool {
    (key.starts_with("input_") || key.starts_with("output_")) && !key.ends_with("_tokens")
}

/// Costs by part, in US dollars.
pub(super) fn cost<'a>(span: &mut LlmSpan<'a>, json: &'a str) {
    let total = ["total", "total_cost", "cost"].iter().find_map(|key| Json::new(json).get(key));
    if let Some(total) = total {
        set(span, Cost, LAST, total);
    }
}

/// What a gateway knows: which deployment answered, and what it cost.
pub(super) fn gateway<'a>(span: &mut LlmSpan<'a>, json: &'a str) {
    for (key, value) in Json::new(json).entries() {
        match &*key {
            // More telling than the group the deployment is of.
            "model_id" => set(span, Route, KNOWN, value),
            "response_cost" => set(span, Cost, LAST, value),
            _ => {}
        }
    }
}

fn counted(key: &str) -> Option<Field> {
    Some(match key {
        "prompt_tokens" | "input_tokens" | "input" | "prompt_token_count" => InputTokens,
        "completion_tokens" | "output_tokens" | "output" | "candidates_token_count" => OutputTokens,
        "cache_read_input_tokens" | "cached_input_tokens" | "input_cache_read" | "cached_content_token_count" => {
            CachedInputTokens
        }
        "cache_creation_input_tokens" | "cache_write_input_tokens" | "input_cache_creation" => CacheWriteTokens,
        "reasoning_tokens" | "output_reasoning" | "thoughts_token_count" => ReasoningTokens,
        _ => return None,
    })
}

fn detail(key: &str) -> Option<Field> {
    Some(match key {
        "cached_tokens" | "cache_read" => CachedInputTokens,
        "cache_creation" | "cache_write_tokens" => CacheWriteTokens,
        "reasoning_tokens" | "reasoning" => ReasoningTokens,
        _ => return None,
    })
}

/// `{'audio': 0, 'cache_read': 18}`: what has one place in such a literal.
fn literal<'a>(span: &mut LlmSpan<'a>, text: &'a str) {
    for (key, field) in [
        ("'cache_read': ", CachedInputTokens),
        ("'cached_tokens': ", CachedInputTokens),
        ("'reasoning': ", ReasoningTokens),
    ] {
        let Some(at) = text.find(key) else { continue };
        let rest = &text[at + key.len()..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            span.fields.set(field, LAST, Value::Str(&rest.as_bytes()[..digits]));
        }
    }
}

fn set<'a>(span: &mut LlmSpan<'a>, field: Field, rank: u16, value: Json<'a>) {
    if let Some(scalar) = value.scalar() {
        span.fields.set(field, rank, Value::from(scalar));
    }
}

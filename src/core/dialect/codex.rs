//! Codex: log records only. The end of a streamed response carries the counts, as texts; an attempt that failed has a
//! record of its own (github.com/openai/codex, `codex-rs/otel`).

use super::{BLANK, Dialect, Event, Field, Field::*};
use crate::core::span::{Kind, LlmSpan};

pub(super) static DIALECT: Dialect = Dialect { name: "codex", logged: LOGGED, events: EVENTS, kind, complete, ..BLANK };

const EVENTS: &[(&str, Event)] = &[
    ("codex.user_prompt", Event::Prompt),
    ("codex.api_request", Event::Attempt),
    ("codex.sse_event", Event::Streamed),
    ("codex.websocket_event", Event::Streamed),
    ("codex.tool_result", Event::Tool),
];

const LOGGED: &[(&str, Field)] = &[
    ("conversation.id", SessionId),
    ("turn.id", TurnId),
    ("prompt", Input),
    ("slug", ModelRequested),
    ("model", ModelServed),
    ("event.kind", EventKind),
    ("duration_ms", LoggedMillis),
    ("input_token_count", InputTokens),
    ("output_token_count", OutputTokens),
    ("cached_token_count", CachedInputTokens),
    ("cache_write_token_count", CacheWriteTokens),
    ("reasoning_token_count", ReasoningTokens),
    ("ttft_ms", FirstTokenMillis),
    ("response.id", ResponseId),
    ("attempt", Attempt),
    ("http.response.status_code", StatusCode),
    ("error.message", ErrorMessage),
    ("tool_name", ToolName),
    ("call_id", ToolCallId),
    ("arguments", ToolArguments),
    ("output", ToolResult),
    ("success", ToolSucceeded),
];

fn kind(_: &LlmSpan<'_>) -> Option<Kind> {
    None
}

fn complete(said: &mut LlmSpan<'_>) {
    said.fields.set(Provider, u16::MAX, crate::otlp::Value::Str(b"openai"));
}

//! Claude Code: log records only, one a call of the API, one a tool. `prompt.id` holds what answers one prompt
//! together (code.claude.com/docs, monitoring).

use super::{BLANK, Dialect, Event, Field, Field::*};
use crate::core::price::CachedTokens;
use crate::core::span::{Kind, LlmSpan};

pub(super) static DIALECT: Dialect = Dialect {
    name: "claude_code",
    logged: LOGGED,
    events: EVENTS,
    kind,
    complete,
    cached: Some(CachedTokens::Apart),
    ..BLANK
};

const EVENTS: &[(&str, Event)] = &[
    ("claude_code.user_prompt", Event::Prompt),
    ("claude_code.api_request", Event::Call),
    ("claude_code.api_error", Event::Call),
    ("claude_code.tool_result", Event::Tool),
];

const LOGGED: &[(&str, Field)] = &[
    ("prompt.id", TurnId),
    ("prompt", Input),
    ("model", ModelServed),
    ("cost_usd", Cost),
    ("duration_ms", LoggedMillis),
    ("input_tokens", InputTokens),
    ("output_tokens", OutputTokens),
    ("cache_read_tokens", CachedInputTokens),
    ("cache_creation_tokens", CacheWriteTokens),
    ("request_id", ResponseId),
    ("attempt", Attempt),
    ("status_code", StatusCode),
    ("error", ErrorMessage),
    ("tool_name", ToolName),
    ("tool_use_id", ToolCallId),
    ("tool_parameters", ToolArguments),
    ("success", ToolSucceeded),
];

fn kind(_: &LlmSpan<'_>) -> Option<Kind> {
    None
}

fn complete(said: &mut LlmSpan<'_>) {
    // `prompt.id` is a turn here, a template elsewhere.
    said.fields.clear(PromptName);
    said.fields.set(Provider, u16::MAX, crate::otlp::Value::Str(b"anthropic"));
}

//! Gemini CLI: log records only, one a response or an error of the API, one a tool. `prompt_id` holds what answers one
//! prompt together (github.com/google-gemini/gemini-cli, `docs/cli/telemetry.md`).

use super::{BLANK, Dialect, Event, Field, Field::*};
use crate::core::span::{Kind, LlmSpan};

pub(super) static DIALECT: Dialect =
    Dialect { name: "gemini_cli", logged: LOGGED, events: EVENTS, kind, complete, ..BLANK };

const EVENTS: &[(&str, Event)] = &[
    ("gemini_cli.user_prompt", Event::Prompt),
    ("gemini_cli.api_response", Event::Call),
    ("gemini_cli.api_error", Event::Call),
    ("gemini_cli.tool_call", Event::Tool),
];

const LOGGED: &[(&str, Field)] = &[
    ("prompt_id", TurnId),
    ("prompt", Input),
    ("model", ModelServed),
    ("model_name", ModelServed),
    ("duration_ms", LoggedMillis),
    ("input_token_count", InputTokens),
    ("output_token_count", OutputTokens),
    ("cached_content_token_count", CachedInputTokens),
    ("thoughts_token_count", ReasoningTokens),
    ("finish_reasons", FinishReason),
    ("status_code", StatusCode),
    ("error_type", ErrorType),
    ("error", ErrorMessage),
    ("error.message", ErrorMessage),
    ("function_name", ToolName),
    ("function_args", ToolArguments),
    ("success", ToolSucceeded),
];

fn kind(_: &LlmSpan<'_>) -> Option<Kind> {
    None
}

fn complete(said: &mut LlmSpan<'_>) {
    said.fields.set(Provider, u16::MAX, crate::otlp::Value::Str(b"gcp.gemini"));
}

//! Vercel AI SDK 5, and 7 with its legacy telemetry: `ai.*`. An operation (`ai.generateText`) is a step of the
//! application, each attempt below it (`.doGenerate`, `.doStream`) a model call. Version 7 proper writes the GenAI
//! conventions.

use super::{BLANK, Dialect, Event, Field, Field::*};
use crate::core::span::{Kind, LlmSpan};

pub(super) static DIALECT: Dialect = Dialect {
    name: "vercel_ai",
    marks: &["ai.operationId", "gen_ai.client.operation.duration", "gen_ai.execute_tool.duration"],
    fields: FIELDS,
    events: &[("ai.stream.firstChunk", Event::FirstToken)],
    metadata: &["ai.telemetry.metadata.", "ai.settings.context."],
    kind,
    complete,
    ..BLANK
};

const FIELDS: &[(&str, Field)] = &[
    ("ai.operationId", VercelOperation),
    ("ai.model.provider", Provider),
    ("ai.model.id", ModelRequested),
    ("ai.response.model", ModelServed),
    ("ai.response.id", ResponseId),
    ("ai.response.finishReason", FinishReason),
    ("ai.response.msToFirstChunk", FirstTokenMillis),
    ("ai.settings.temperature", Temperature),
    ("ai.settings.topP", TopP),
    ("ai.settings.maxOutputTokens", MaxTokens),
    ("ai.settings.maxTokens", MaxTokens),
    ("ai.usage.inputTokens", InputTokens),
    ("ai.usage.promptTokens", InputTokens),
    ("ai.usage.outputTokens", OutputTokens),
    ("ai.usage.completionTokens", OutputTokens),
    ("ai.usage.cachedInputTokens", CachedInputTokens),
    ("ai.usage.inputTokenDetails.cacheReadTokens", CachedInputTokens),
    ("ai.usage.inputTokenDetails.cacheWriteTokens", CacheWriteTokens),
    ("ai.usage.reasoningTokens", ReasoningTokens),
    ("ai.usage.outputTokenDetails.reasoningTokens", ReasoningTokens),
    ("ai.prompt.messages", InputMessages),
    ("ai.prompt", Input),
    ("ai.prompt.tools", ToolDefinitions),
    ("ai.response.text", OutputText),
    ("ai.response.object", OutputText),
    ("ai.response.toolCalls", OutputToolCalls),
    ("ai.toolCall.name", ToolName),
    ("ai.toolCall.id", ToolCallId),
    ("ai.toolCall.args", ToolArguments),
    ("ai.toolCall.input", ToolArguments),
    ("ai.toolCall.result", ToolResult),
    ("ai.toolCall.output", ToolResult),
    ("ai.telemetry.metadata.sessionId", SessionId),
    ("ai.settings.context.sessionId", SessionId),
    ("ai.telemetry.metadata.userId", UserId),
    ("ai.settings.context.userId", UserId),
];

fn kind(span: &LlmSpan<'_>) -> Option<Kind> {
    Some(match span.text(VercelOperation)? {
        "ai.toolCall" => Kind::Tool,
        operation if operation.ends_with(".doGenerate") || operation.ends_with(".doStream") => Kind::Llm,
        operation if operation.ends_with(".doEmbed") => Kind::Embedding,
        operation if operation.ends_with(".doRerank") => Kind::Reranker,
        _ => Kind::Chain,
    })
}

fn complete(span: &mut LlmSpan<'_>) {
    if span.text(VercelOperation).is_some_and(|operation| operation.ends_with(".doStream")) {
        span.fields.set(Streaming, u16::MAX, crate::otlp::Value::Bool(true));
    }
}

//! LangSmith's OpenTelemetry mode: the names of the GenAI conventions with other meanings. `gen_ai.operation.name` is
//! `chat` on prompt templates and `embeddings` on retrievers, so that `langsmith.span.kind` goes first; token details
//! are Python literals; `langsmith.trace.session_id` is a project, not a session.

use super::{BLANK, Dialect, Field, Field::*, payload};
use crate::core::span::{Kind, LlmSpan};

pub(super) static DIALECT: Dialect = Dialect {
    name: "langsmith",
    marks: &["langsmith.span.kind", "langsmith.trace.name"],
    fields: FIELDS,
    metadata: &["langsmith.metadata."],
    kind,
    complete,
    ..BLANK
};

const FIELDS: &[(&str, Field)] = &[
    ("langsmith.span.kind", LangsmithKind),
    ("langsmith.metadata.ls_provider", Provider),
    ("langsmith.metadata.ls_model_name", ModelRequested),
    ("langsmith.metadata.ls_temperature", Temperature),
    ("langsmith.metadata.ls_max_tokens", MaxTokens),
    ("langsmith.metadata.ls_invocation_params", InvocationParameters),
    ("langsmith.metadata.usage_metadata", Usage),
    ("gen_ai.usage.input_token_details", Usage),
    ("langsmith.request.streaming", Streaming),
    ("langsmith.metadata.stream", Streaming),
    ("langsmith.metadata.lc_hub_repo", PromptName),
    ("langsmith.metadata.lc_hub_commit_hash", PromptVersion),
    ("langsmith.metadata.ls_vector_store_provider", Index),
    ("langsmith.metadata.session_id", SessionId),
    ("langsmith.metadata.thread_id", SessionId),
    ("langsmith.metadata.conversation_id", SessionId),
    ("langsmith.metadata.user_id", UserId),
];

fn kind(span: &LlmSpan<'_>) -> Option<Kind> {
    Some(match span.text(LangsmithKind)? {
        "llm" => Kind::Llm,
        "embedding" => Kind::Embedding,
        "retriever" => Kind::Retrieval,
        "tool" => Kind::Tool,
        "chain" | "prompt" | "parser" => Kind::Chain,
        _ => Kind::Other,
    })
}

fn complete(span: &mut LlmSpan<'_>) {
    if let Some(json) = span.text(InvocationParameters) {
        payload::request(span, json);
    }
    if let Some(text) = span.text(Usage) {
        payload::usage(span, text);
    }
    if span.kind == Kind::Llm {
        if let Some(json) = span.text(InputMessages) {
            payload::request(span, json);
        }
        if let Some(json) = span.text(OutputMessages) {
            payload::response(span, json);
        }
    }
}

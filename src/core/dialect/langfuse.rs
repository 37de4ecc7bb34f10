//! Langfuse SDK v3 to v5: nothing but `langfuse.*`, metadata values as JSON texts, counts and costs as JSON objects.

use super::{BLANK, Dialect, Field, Field::*, payload};
use crate::core::span::{Kind, LlmSpan};

pub(super) static DIALECT: Dialect = Dialect {
    name: "langfuse",
    marks: &["langfuse.observation.type", "langfuse.trace.name", "langfuse.internal.is_app_root"],
    fields: FIELDS,
    metadata: &["langfuse.observation.metadata.", "langfuse.trace.metadata."],
    cached: None,
    kind,
    complete,
    ..BLANK
};

const FIELDS: &[(&str, Field)] = &[
    ("langfuse.observation.type", LangfuseKind),
    ("langfuse.observation.level", Level),
    ("langfuse.observation.status_message", ErrorMessage),
    ("langfuse.observation.metadata.ls_provider", Provider),
    ("langfuse.observation.metadata.ls_model_name", ModelRequested),
    ("langfuse.observation.model.name", ModelServed),
    ("langfuse.observation.model.parameters", InvocationParameters),
    ("langfuse.observation.usage_details", Usage),
    ("langfuse.observation.cost_details", CostDetails),
    ("langfuse.observation.completion_start_time", FirstTokenAt),
    ("langfuse.observation.metadata.finish_reason", FinishReason),
    ("langfuse.observation.prompt.name", PromptName),
    ("langfuse.observation.prompt.version", PromptVersion),
    ("langfuse.observation.input", Input),
    ("langfuse.observation.output", Output),
    ("langfuse.trace.input", Input),
    ("langfuse.trace.output", Output),
    ("langfuse.observation.metadata.tool_call_id", ToolCallId),
    ("langfuse.observation.metadata.ls_vector_store_provider", Index),
    ("langfuse.session.id", SessionId),
    ("langfuse.user.id", UserId),
];

fn kind(span: &LlmSpan<'_>) -> Option<Kind> {
    Some(match span.text(LangfuseKind)? {
        "generation" => Kind::Llm,
        "embedding" => Kind::Embedding,
        "retriever" => Kind::Retrieval,
        "tool" => Kind::Tool,
        "agent" => Kind::Agent,
        "chain" | "span" => Kind::Chain,
        "evaluator" => Kind::Evaluator,
        "guardrail" => Kind::Guardrail,
        _ => Kind::Other,
    })
}

fn complete(span: &mut LlmSpan<'_>) {
    if let Some(json) = span.text(InvocationParameters) {
        payload::request(span, json);
    }
    if let Some(json) = span.text(Usage) {
        payload::usage(span, json);
    }
    if let Some(json) = span.text(CostDetails) {
        payload::cost(span, json);
    }
}

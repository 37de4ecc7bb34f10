//! OpenInference (Arize): flattened, indexed keys, and the whole request and response as JSON beside them.

use super::{BLANK, Dialect, Event, Field, Field::*, payload};
use crate::core::span::{Kind, List, LlmSpan};

pub(super) static DIALECT: Dialect =
    Dialect { name: "openinference", fields: FIELDS, lists: LISTS, events: EVENTS, kind, complete, ..BLANK };

const FIELDS: &[(&str, Field)] = &[
    ("openinference.span.kind", OpenInferenceKind),
    ("llm.provider", Provider),
    ("llm.system", Provider),
    ("llm.request.model_name", ModelRequested),
    ("llm.response.model_name", ModelServed),
    ("llm.model_name", ModelServed),
    ("embedding.model_name", ModelServed),
    ("reranker.model_name", ModelServed),
    ("llm.invocation_parameters", InvocationParameters),
    ("embedding.invocation_parameters", InvocationParameters),
    ("llm.token_count.prompt", InputTokens),
    ("llm.token_count.completion", OutputTokens),
    ("llm.token_count.prompt_details.cache_read", CachedInputTokens),
    ("llm.token_count.prompt_details.cache_write", CacheWriteTokens),
    ("llm.token_count.completion_details.reasoning", ReasoningTokens),
    ("llm.cost.total", Cost),
    ("llm.finish_reason", FinishReason),
    ("llm.prompt_template.name", PromptName),
    ("prompt.id", PromptName),
    ("llm.prompt_template.version", PromptVersion),
    ("input.value", Input),
    ("output.value", Output),
    ("metadata", Metadata),
    ("tool.name", ToolName),
    ("tool.id", ToolCallId),
    ("tool.parameters", ToolArguments),
    ("session.id", SessionId),
    ("user.id", UserId),
];

const LISTS: &[(&str, List)] = &[
    ("llm.input_messages", List::Input),
    ("llm.prompts", List::Input),
    ("llm.output_messages", List::Output),
    ("llm.choices", List::Output),
    ("llm.tools", List::Tools),
    ("retrieval.documents", List::Documents),
    ("reranker.output_documents", List::Documents),
    ("evaluations", List::Evaluations),
    ("annotations", List::Evaluations),
    ("trace.evaluations", List::Evaluations),
    ("trace.annotations", List::Evaluations),
    ("session.evaluations", List::Evaluations),
    ("session.annotations", List::Evaluations),
];

const EVENTS: &[(&str, Event)] = &[("First Token Stream Event", Event::FirstToken)];

fn kind(span: &LlmSpan<'_>) -> Option<Kind> {
    Some(match span.text(OpenInferenceKind)? {
        "LLM" => Kind::Llm,
        "EMBEDDING" => Kind::Embedding,
        "RETRIEVER" => Kind::Retrieval,
        "RERANKER" => Kind::Reranker,
        "TOOL" => Kind::Tool,
        "AGENT" => Kind::Agent,
        "CHAIN" | "PROMPT" => Kind::Chain,
        "EVALUATOR" => Kind::Evaluator,
        "GUARDRAIL" => Kind::Guardrail,
        _ => Kind::Other,
    })
}

/// The request's model and parameters are only in the invocation parameters, the response's id and fingerprint
/// only in the response. A `gen_ai.request.model` beside them is the model that answered.
fn complete(span: &mut LlmSpan<'_>) {
    if !span.fields.has(OpenInferenceKind) || !matches!(span.kind, Kind::Llm | Kind::Embedding) {
        return;
    }
    if let Some(json) = span.text(InvocationParameters) {
        payload::request(span, json);
    }
    if span.kind == Kind::Llm
        && let Some(json) = span.text(Output)
    {
        payload::response(span, json);
    }
}

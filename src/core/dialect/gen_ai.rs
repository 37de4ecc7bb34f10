//! OpenTelemetry GenAI semantic conventions, all eras at once: current names (semantic-conventions-genai), core
//! 1.27 to 1.41, and the names proposed there or asked for where nothing is standardised. `schema_url` is no
//! signal of the era, since SDKs leave it out or send a stale one.
//!
//! Many SDKs speak this dialect and add a few names of their own, which have their own files.

use super::{BLANK, Dialect, Event, Field, Field::*};
use crate::core::message::Role;
use crate::core::span::{Kind, List, LlmSpan};

pub(super) static DIALECT: Dialect = Dialect {
    name: "gen_ai",
    marks: &["gen_ai.operation.name"],
    fields: FIELDS,
    lists: LISTS,
    events: EVENTS,
    kind,
    complete,
    ..BLANK
};

const FIELDS: &[(&str, Field)] = &[
    ("gen_ai.operation.name", Operation),
    ("gen_ai.provider.name", Provider),
    ("gen_ai.system", Provider),
    ("gen_ai.request.model", ModelRequested),
    ("gen_ai.response.model", ModelServed),
    ("openai.response.system_fingerprint", Fingerprint),
    ("gen_ai.openai.response.system_fingerprint", Fingerprint),
    ("gen_ai.openai.system_fingerprint", Fingerprint),
    ("gen_ai.response.system_fingerprint", Fingerprint),
    ("gen_ai.response.model.version", Fingerprint),
    ("gen_ai.routing.slice", Route),
    ("gen_ai.request.deployment.id", Route),
    ("gen_ai.gateway.route", Route),
    ("feature_flag.result.variant", Route),
    ("gen_ai.routing.reason", RouteReason),
    ("gen_ai.routing.policy.version", RouteReason),
    ("gen_ai.request.temperature", Temperature),
    ("gen_ai.request.top_p", TopP),
    ("gen_ai.request.max_tokens", MaxTokens),
    ("gen_ai.request.stream", Streaming),
    ("gen_ai.is_streaming", Streaming),
    ("gen_ai.response.id", ResponseId),
    ("gen_ai.usage.input_tokens", InputTokens),
    ("gen_ai.usage.prompt_tokens", InputTokens),
    ("gen_ai.usage.output_tokens", OutputTokens),
    ("gen_ai.usage.completion_tokens", OutputTokens),
    ("gen_ai.usage.cache_read.input_tokens", CachedInputTokens),
    ("gen_ai.usage.cache_read_input_tokens", CachedInputTokens),
    ("gen_ai.usage.cache_write.input_tokens", CacheWriteTokens),
    ("gen_ai.usage.cache_creation.input_tokens", CacheWriteTokens),
    ("gen_ai.usage.cache_creation_input_tokens", CacheWriteTokens),
    ("gen_ai.usage.reasoning.output_tokens", ReasoningTokens),
    ("gen_ai.usage.reasoning_tokens", ReasoningTokens),
    ("gen_ai.usage.cost.amount", Cost),
    ("gen_ai.usage.cost.currency", CostCurrency),
    ("gen_ai.response.finish_reasons", FinishReason),
    ("gen_ai.response.finish_reason", FinishReason),
    ("gen_ai.response.time_to_first_chunk", FirstToken),
    ("gen_ai.client.operation.time_to_first_chunk", FirstToken),
    ("http.request.resend_count", ResendCount),
    ("gen_ai.request.attempt", Attempt),
    ("gen_ai.response.refusal", Refusal),
    ("gen_ai.response.block.category", BlockCategory),
    ("gen_ai.response.block.source", BlockSource),
    ("error.type", ErrorType),
    ("error.message", ErrorMessage),
    ("http.response.status_code", StatusCode),
    ("http.status_code", StatusCode),
    ("http.request.method", HttpMethod),
    ("http.method", HttpMethod),
    ("gen_ai.prompt.name", PromptName),
    ("gen_ai.prompt.version", PromptVersion),
    ("gen_ai.prompt.components", PromptComponents),
    ("gen_ai.system_instructions", SystemInstructions),
    ("gen_ai.input.messages", InputMessages),
    ("gen_ai.prompt", InputMessages),
    ("gen_ai.output.messages", OutputMessages),
    ("gen_ai.completion", OutputMessages),
    ("gen_ai.tool.definitions", ToolDefinitions),
    ("gen_ai.tool.name", ToolName),
    ("gen_ai.tool.version", ToolVersion),
    ("gen_ai.tool.call.id", ToolCallId),
    ("gen_ai.tool.call.arguments", ToolArguments),
    ("gen_ai.tool.call.result", ToolResult),
    ("gen_ai.data_source.id", Index),
    ("gen_ai.data_source.name", Index),
    ("gen_ai.data_source.version", IndexVersion),
    ("gen_ai.data_source.updated_at", IndexUpdatedAt),
    ("gen_ai.retrieval.freshness.lag", FreshnessLag),
    ("gen_ai.data_source.reindexing", Reindexing),
    ("gen_ai.data_source.pending_changes", PendingChanges),
    ("gen_ai.retrieval.embedding.model", EmbeddingModel),
    ("gen_ai.retrieval.documents", Documents),
    ("gen_ai.retrieval.top_k", TopK),
    ("gen_ai.evaluation.name", EvaluationName),
    ("gen_ai.evaluation.score.value", EvaluationScore),
    ("gen_ai.evaluation.score.label", EvaluationLabel),
    ("gen_ai.evaluation.explanation", EvaluationExplanation),
    ("gen_ai.evaluation.passed", EvaluationPassed),
    ("gen_ai.evaluation.evaluator.name", EvaluatorName),
    ("gen_ai.evaluation.evaluator.id", EvaluatorName),
    ("gen_ai.evaluation.evaluator.type", EvaluatorType),
    ("gen_ai.evaluation.evaluator.model", EvaluatorModel),
    ("gen_ai.evaluation.evaluator.version", EvaluatorVersion),
    ("gen_ai.evaluation.evaluator.prompt.version", EvaluatorPrompt),
    ("gen_ai.evaluation.evaluator.config.hash", EvaluatorPrompt),
    ("gen_ai.evaluation.evaluator.rubric.version", RubricVersion),
    ("gen_ai.evaluation.rubric.version", RubricVersion),
    ("gen_ai.evaluation.reference_set.version", DatasetVersion),
    ("gen_ai.evaluation.reference_set.id", DatasetVersion),
    ("gen_ai.evaluation.dataset.version", DatasetVersion),
    ("gen_ai.evaluation.threshold", Threshold),
    ("gen_ai.evaluation.evaluator.calibrated_at", CalibratedAt),
    ("gen_ai.evaluation.calibrated_at", CalibratedAt),
    ("gen_ai.evaluation.evaluator.source", EvaluatorSource),
    ("gen_ai.request.class", RequestClass),
    ("gen_ai.conversation.id", SessionId),
];

const LISTS: &[(&str, List)] = &[("gen_ai.prompt", List::Input), ("gen_ai.completion", List::Output)];

const EVENTS: &[(&str, Event)] = &[
    ("exception", Event::Exception),
    ("gen_ai.client.operation.exception", Event::Exception),
    ("gen_ai.system.message", Event::Input(Role::System)),
    ("gen_ai.user.message", Event::Input(Role::User)),
    ("gen_ai.assistant.message", Event::Input(Role::Assistant)),
    ("gen_ai.tool.message", Event::Input(Role::Tool)),
    ("gen_ai.content.prompt", Event::Input(Role::User)),
    ("gen_ai.choice", Event::Output),
    ("gen_ai.content.completion", Event::Output),
    ("gen_ai.client.inference.operation.details", Event::Details),
    ("gen_ai.evaluation.result", Event::Evaluation),
];

fn kind(span: &LlmSpan<'_>) -> Option<Kind> {
    Some(match span.text(Operation)? {
        "chat" | "generate_content" | "text_completion" | "completion" | "llm_request" | "responses" => Kind::Llm,
        // LiteLLM names its own function.
        "acompletion" | "atext_completion" | "aresponses" | "anthropic_messages" => Kind::Llm,
        "embeddings" | "embedding" | "aembedding" => Kind::Embedding,
        "vectordb" if is_write(span.name) => Kind::Other,
        "retrieval" | "vector_db_retrieve" | "vectordb" => Kind::Retrieval,
        "rerank" => Kind::Reranker,
        "execute_tool" => Kind::Tool,
        "create_agent" | "invoke_agent" => Kind::Agent,
        "invoke_workflow" | "execute_task" | "agent_step" | "chain" | "experiment" => Kind::Chain,
        "evaluate" | "evaluation" => Kind::Evaluator,
        "guardrail" | "apply_guardrail" => Kind::Guardrail,
        "plan" | "fetch_response" => Kind::Other,
        other if other.ends_with("_memory") => Kind::Other,
        // One of next year's: what it carries tells.
        _ => return None,
    })
}

/// Whether a vector store's span is of a write.
fn is_write(name: &str) -> bool {
    ["add", "insert", "upsert", "update", "delete", "create"].iter().any(|verb| name.contains(verb))
}

/// Costs are kept in US dollars.
fn complete(span: &mut LlmSpan<'_>) {
    if span.text(CostCurrency).is_some_and(|currency| !currency.eq_ignore_ascii_case("usd")) {
        span.fields.clear(Cost);
    }
}

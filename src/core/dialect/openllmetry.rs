//! OpenLLMetry (Traceloop): the old 0.40 names, and what the current one adds to the GenAI conventions. Decorated
//! functions carry only `traceloop.*`; vector stores have their own client spans.

use super::{BLANK, Dialect, Event, Field, Field::*};
use crate::core::span::{Kind, List, LlmSpan};

pub(super) static DIALECT: Dialect = Dialect {
    name: "openllmetry",
    marks: &["traceloop.workflow.name", "traceloop.entity.path", "gen_ai.openai.api_base"],
    fields: FIELDS,
    lists: LISTS,
    events: EVENTS,
    metadata: &["traceloop.association.properties."],
    kind,
    complete,
    ..BLANK
};

const FIELDS: &[(&str, Field)] = &[
    ("traceloop.span.kind", TraceloopKind),
    ("llm.request.type", RequestType),
    ("db.system", DbSystem),
    ("llm.is_streaming", Streaming),
    ("llm.response.id", ResponseId),
    ("llm.request.model", ModelRequested),
    ("llm.response.model", ModelServed),
    ("llm.response.finish_reason", FinishReason),
    ("llm.response.stop_reason", FinishReason),
    ("llm.temperature", Temperature),
    ("llm.top_p", TopP),
    ("llm.usage.prompt_tokens", InputTokens),
    ("llm.usage.completion_tokens", OutputTokens),
    ("traceloop.prompt.key", PromptName),
    ("traceloop.prompt.version", PromptVersion),
    ("traceloop.prompt.version_hash", PromptVersion),
    ("traceloop.entity.name", EntityName),
    ("traceloop.entity.input", Input),
    ("traceloop.entity.output", Output),
    ("qdrant.search.collection_name", Index),
    ("qdrant.query.collection_name", Index),
    ("db.milvus.search.collection_name", Index),
    ("db.chroma.query.collection_name", Index),
    ("db.collection.name", Index),
    ("pinecone.query.namespace", Index),
    ("db.vector.query.top_k", TopK),
    ("traceloop.association.properties.session_id", SessionId),
    ("traceloop.association.properties.user_id", UserId),
    ("gen_ai.user", UserId),
    ("llm.user", UserId),
];

const LISTS: &[(&str, List)] = &[("llm.request.functions", List::Tools)];

const EVENTS: &[(&str, Event)] = &[
    ("gen_ai.content.completion.chunk", Event::FirstToken),
    ("llm.content.completion.chunk", Event::FirstToken),
    ("db.query.result", Event::Document),
    ("db.search.result", Event::Document),
];

fn kind(span: &LlmSpan<'_>) -> Option<Kind> {
    if let Some(kind) = span.text(TraceloopKind) {
        return Some(match kind {
            "workflow" | "task" => Kind::Chain,
            "agent" => Kind::Agent,
            "tool" => Kind::Tool,
            _ => Kind::Other,
        });
    }
    if let Some(kind) = span.text(RequestType) {
        return Some(match kind {
            "chat" | "completion" | "acompletion" | "atext_completion" | "aresponses" | "responses" => Kind::Llm,
            "embedding" | "aembedding" => Kind::Embedding,
            "rerank" => Kind::Reranker,
            _ => Kind::Other,
        });
    }
    (span.fields.has(DbSystem) && is_vector_search(span)).then_some(Kind::Retrieval)
}

/// A client span of a vector store that reads: its system is one, and the operation in its name looks.
fn is_vector_search(span: &LlmSpan<'_>) -> bool {
    const STORES: [&str; 9] =
        ["qdrant", "chroma", "pinecone", "milvus", "weaviate", "lancedb", "marqo", "redis_vector", "pgvector"];
    const LOOKS: [&str; 5] = ["query", "search", "retrieve", "get_nearest", "recommend"];
    let store = span.text(DbSystem).is_some_and(|it| STORES.iter().any(|store| it.eq_ignore_ascii_case(store)));
    let operation = span.name.rsplit('.').next().unwrap_or_default();
    store && (span.fields.has(TopK) || LOOKS.iter().any(|verb| operation.contains(verb)))
}

fn complete(_: &mut LlmSpan<'_>) {}

//! MLflow tracing: every value as JSON text, whole requests and responses. Its other export mode writes the GenAI
//! conventions, with the model that answered as the model asked for and the request's parameters as bare names.

use super::{BLANK, Dialect, Event, Field, Field::*, payload};
use crate::core::span::{Kind, LlmSpan};
use crate::otlp::Value;

pub(super) static DIALECT: Dialect = Dialect {
    name: "mlflow",
    marks: &["mlflow.spanType", "mlflow.traceRequestId"],
    // Its GenAI export has nothing else of its own.
    scope: Some("mlflow.tracing.provider"),
    fields: FIELDS,
    events: &[("mlflow.chunk.item.0", Event::FirstToken)],
    metadata: &["mlflow.traceTag.", "mlflow.traceMetadata."],
    kind,
    complete,
    ..BLANK
};

const FIELDS: &[(&str, Field)] = &[
    ("mlflow.spanType", MlflowKind),
    ("mlflow.llm.provider", Provider),
    ("mlflow.llm.model", ModelServed),
    ("mlflow.chat.tokenUsage", Usage),
    ("mlflow.llm.cost", CostDetails),
    ("mlflow.chat.tools", ToolDefinitions),
    ("mlflow.spanInputs", Input),
    ("mlflow.spanOutputs", Output),
    ("mlflow.linkedPrompts", PromptComponents),
    ("mlflow.trace.session", SessionId),
    ("mlflow.traceMetadata.mlflow.trace.session", SessionId),
    ("mlflow.trace.user", UserId),
    ("mlflow.traceMetadata.mlflow.trace.user", UserId),
];

fn kind(span: &LlmSpan<'_>) -> Option<Kind> {
    Some(match span.text(MlflowKind)? {
        "CHAT_MODEL" | "LLM" => Kind::Llm,
        "EMBEDDING" => Kind::Embedding,
        "RETRIEVER" => Kind::Retrieval,
        "RERANKER" => Kind::Reranker,
        "TOOL" => Kind::Tool,
        "AGENT" => Kind::Agent,
        "CHAIN" | "PARSER" | "WORKFLOW" | "TASK" => Kind::Chain,
        "EVALUATOR" => Kind::Evaluator,
        "GUARDRAIL" => Kind::Guardrail,
        _ => Kind::Other,
    })
}

fn complete(span: &mut LlmSpan<'_>) {
    if let Some(json) = span.text(Usage) {
        payload::usage(span, json);
    }
    if let Some(json) = span.text(CostDetails) {
        payload::cost(span, json);
    }
    if matches!(span.kind, Kind::Llm | Kind::Embedding) {
        if let Some(json) = span.text(Input) {
            payload::request(span, json);
        }
        if let Some(json) = span.text(Output) {
            payload::response(span, json);
        }
    }
    // The GenAI export leaves the request's own parameters beside the conventions' names, as JSON texts.
    if let Some(attributes) = span.otlp.map(|it| it.attributes())
        && let Some(Value::Str(model)) = attributes.get("model")
        && model.starts_with(b"\"")
    {
        span.fields.set(ModelRequested, payload::KNOWN, Value::Str(model));
    }
}

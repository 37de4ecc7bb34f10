//! pydantic-ai, and pydantic-evals beside it: the GenAI conventions with a few names of its own. An agent's totals are
//! in `gen_ai.aggregated_usage.*`, which nothing here reads, so that no call is counted twice.

use super::{BLANK, Dialect, Field, Field::*};
use crate::core::span::{Kind, LlmSpan};

pub(super) static DIALECT: Dialect = Dialect {
    name: "pydantic_ai",
    marks: &["model_request_parameters", "pydantic_ai.all_messages", "gen_ai.agent.call.id", "evaluator_name"],
    fields: FIELDS,
    kind,
    complete,
    ..BLANK
};

const FIELDS: &[(&str, Field)] = &[
    ("operation.cost", Cost),
    ("gen_ai.usage.details.cache_read_tokens", CachedInputTokens),
    ("gen_ai.usage.details.cache_write_tokens", CacheWriteTokens),
    ("gen_ai.usage.details.reasoning_tokens", ReasoningTokens),
    ("scores", Scores),
    ("assertions", Assertions),
    ("labels", Labels),
    ("evaluator_name", EvaluatorName),
];

/// The span of one evaluator of pydantic-evals carries its name and nothing else.
fn kind(span: &LlmSpan<'_>) -> Option<Kind> {
    let judges = span.fields.has(EvaluatorName)
        && span.fields.has(SpanType)
        && !span.fields.has(Operation)
        && !span.fields.has(EvaluationName);
    judges.then_some(Kind::Evaluator)
}

fn complete(_: &mut LlmSpan<'_>) {}

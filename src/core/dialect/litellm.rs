//! LiteLLM: the GenAI conventions, the old OpenLLMetry's `llm.*`, and what only a gateway knows: which deployment of
//! a model group answered. Its child `raw_gen_ai_request` repeats the call under `llm.openai.*` and is no call.

use super::{BLANK, Dialect, Field, Field::*, payload};
use crate::core::span::{Kind, LlmSpan};

pub(super) static DIALECT: Dialect = Dialect {
    name: "litellm",
    marks: &["litellm.call_id", "litellm.provider.model"],
    fields: FIELDS,
    metadata: &["metadata."],
    kind,
    complete,
    ..BLANK
};

const FIELDS: &[(&str, Field)] = &[
    ("litellm.model_group", Route),
    ("metadata.routing_decision", RouteReason),
    ("hidden_params", GatewayDetails),
    ("gen_ai.cost.total_cost", Cost),
    ("metadata.usage_object", Usage),
    ("metadata.user_api_key_end_user_id", UserId),
    ("metadata.user_api_key_user_id", UserId),
    ("error.code", StatusCode),
];

fn kind(_: &LlmSpan<'_>) -> Option<Kind> {
    None
}

/// On errors its own call id stands where the response's should be.
fn complete(span: &mut LlmSpan<'_>) {
    if let Some(json) = span.text(GatewayDetails) {
        payload::gateway(span, json);
    }
    if let Some(text) = span.text(Usage) {
        payload::usage(span, text);
    }
    if span.fields.has(ErrorType) {
        span.fields.clear(ResponseId);
    }
}

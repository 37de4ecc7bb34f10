//! The Anthropic SDK's own spans: the GenAI conventions. Its input tokens leave out what the cache gave, as its API
//! does; its retries are told by `http.request.resend_count`.

use super::{BLANK, Dialect, Field, Field::*};
use crate::core::span::{Kind, LlmSpan};

pub(super) static DIALECT: Dialect = Dialect {
    name: "anthropic",
    marks: &["anthropic.request.id", "anthropic.response.service_tier", "anthropic.message.stop_reason"],
    fields: FIELDS,
    kind,
    complete,
    ..BLANK
};

const FIELDS: &[(&str, Field)] =
    &[("anthropic.message.stop_reason", FinishReason), ("anthropic.request.id", RequestId)];

fn kind(_: &LlmSpan<'_>) -> Option<Kind> {
    None
}

fn complete(_: &mut LlmSpan<'_>) {}

//! logfire: the GenAI conventions on spans and on moments. A streamed call is a short span that ends before the
//! answer, and a moment (`logfire.span_type=log`) that carries tokens, answer and how long it took.

use super::{BLANK, Dialect, Field, Field::*, payload};
use crate::core::span::{Kind, LlmSpan};

pub(super) static DIALECT: Dialect =
    Dialect { name: "logfire", marks: &["logfire.span_type"], fields: FIELDS, kind, complete, ..BLANK };

const FIELDS: &[(&str, Field)] = &[
    ("logfire.span_type", SpanType),
    ("duration", LoggedDuration),
    ("logfire.level_num", Level),
    ("gen_ai.usage.raw", Usage),
    ("request_data", InvocationParameters),
];

fn kind(_: &LlmSpan<'_>) -> Option<Kind> {
    None
}

fn complete(span: &mut LlmSpan<'_>) {
    if let Some(json) = span.text(InvocationParameters) {
        payload::request(span, json);
    }
    if let Some(json) = span.text(Usage) {
        payload::usage(span, json);
    }
}

//! What applications and SDKs say about a request in names of the core conventions, in any dialect and on any span:
//! who asks, from where, in which slice. It recognises nothing by itself.

use super::{BLANK, Dialect, Field, Field::*};
use crate::core::span::{Kind, LlmSpan};

pub(super) static DIALECT: Dialect = Dialect { name: "app", fields: FIELDS, kind, complete, ..BLANK };

const FIELDS: &[(&str, Field)] = &[
    ("freezeframe.evaluation.sampled_by", SampledBy),
    ("freezeframe.evaluation.agreement", Agreement),
    ("session.id", SessionId),
    ("user.id", UserId),
    ("enduser.id", UserId),
    ("app.request.id", RequestId),
    ("request.id", RequestId),
    ("http.request.header.x-request-id", RequestId),
    ("app.request.class", RequestClass),
    ("cloud.region", Region),
    ("app.region", Region),
    ("app.tier", Tier),
    ("user.tier", Tier),
    ("customer.tier", Tier),
    ("app.language", Language),
    ("user.language", Language),
    ("service.name", Service),
    ("freezeframe.drill", Drill),
    ("event.name", EventName),
    ("event_name", EventName),
];

fn kind(_: &LlmSpan<'_>) -> Option<Kind> {
    None
}

fn complete(_: &mut LlmSpan<'_>) {}

//! OpenLIT: the GenAI conventions with defaults filled in that nobody sent. Its time to first token is the latency
//! where nothing streams, its cost 0 where it does not know the price.

use super::{BLANK, Dialect, Field, Field::*};
use crate::core::span::{Kind, LlmSpan};

pub(super) static DIALECT: Dialect = Dialect {
    name: "openlit",
    marks: &["openlit.agent.version_hash", "gen_ai.sdk.version", "gen_ai.client.token.usage"],
    fields: FIELDS,
    kind,
    complete,
    ..BLANK
};

const FIELDS: &[(&str, Field)] = &[
    ("gen_ai.usage.cost", Cost),
    ("gen_ai.server.time_to_first_token", FirstTokenAlways),
    ("gen_ai.request.user", UserId),
];

fn kind(_: &LlmSpan<'_>) -> Option<Kind> {
    None
}

fn complete(_: &mut LlmSpan<'_>) {}

//! The six variables that decide an LLM incident, one file each, all the same shape:
//!
//! * `value(request)`: the value the request ran under, short enough to stand in a table;
//! * `detail(request)`: what only this variable has, kept once for each distinct value;
//! * `instrument()`: what to instrument when nothing reports the variable and no gap in the telemetry says why.

mod judge;
mod model_route;
mod prompt_revision;
mod retrieval_index;
mod tool_schemas;
mod traffic_mix;

pub(super) use judge::{configuration as judge, judges};
pub(super) use model_route::upstream;
use serde_json::Value as Json;

use super::request::Request;

/// One of the six variables, in the order of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Variable {
    /// The prompt that was rendered.
    PromptRevision,
    /// The model that answered and the slice that routed to it.
    ModelRoute,
    /// The configuration of the judge.
    Judge,
    /// The index that was searched.
    RetrievalIndex,
    /// The tools that were offered.
    ToolSchemas,
    /// The class of traffic.
    TrafficMix,
}

impl Variable {
    /// All six.
    pub const ALL: [Self; 6] = [
        Self::PromptRevision,
        Self::ModelRoute,
        Self::Judge,
        Self::RetrievalIndex,
        Self::ToolSchemas,
        Self::TrafficMix,
    ];

    /// The name in frames.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PromptRevision => "prompt_revision",
            Self::ModelRoute => "model_route",
            Self::Judge => "judge",
            Self::RetrievalIndex => "retrieval_index",
            Self::ToolSchemas => "tool_schemas",
            Self::TrafficMix => "traffic_mix",
        }
    }

    /// The value `request` ran under; `None` when its telemetry does not say.
    #[must_use]
    pub fn value(self, request: &Request) -> Option<String> {
        match self {
            Self::PromptRevision => prompt_revision::value(request),
            Self::ModelRoute => model_route::value(request),
            Self::Judge => judge::value(request),
            Self::RetrievalIndex => retrieval_index::value(request),
            Self::ToolSchemas => tool_schemas::value(request),
            Self::TrafficMix => traffic_mix::value(request),
        }
    }

    /// What only this variable has, as one object.
    #[must_use]
    pub fn detail(self, request: &Request) -> Json {
        match self {
            Self::PromptRevision => prompt_revision::detail(request),
            Self::ModelRoute => model_route::detail(request),
            Self::Judge => judge::detail(request),
            Self::RetrievalIndex => retrieval_index::detail(request),
            Self::ToolSchemas => tool_schemas::detail(request),
            Self::TrafficMix => traffic_mix::detail(request),
        }
    }

    /// The fields of the minimum telemetry it is read from; the traffic's mix is not among that.
    #[must_use]
    pub fn fields(self) -> &'static [&'static str] {
        match self {
            Self::PromptRevision => &["prompt_sha256", "prompt_version"],
            Self::ModelRoute => &["model", "model_requested"],
            Self::Judge => &["evaluations"],
            Self::RetrievalIndex => &["index"],
            Self::ToolSchemas => &["tool_schemas"],
            Self::TrafficMix => &[],
        }
    }

    /// What to instrument to have this variable in the next frame.
    #[must_use]
    pub fn instrument(self) -> &'static str {
        match self {
            Self::PromptRevision => prompt_revision::instrument(),
            Self::ModelRoute => model_route::instrument(),
            Self::Judge => judge::instrument(),
            Self::RetrievalIndex => retrieval_index::instrument(),
            Self::ToolSchemas => tool_schemas::instrument(),
            Self::TrafficMix => traffic_mix::instrument(),
        }
    }
}

/// Distinct texts in order, joined by `+`; `None` when there is none.
fn distinct(texts: impl Iterator<Item = String>) -> Option<String> {
    let mut texts: Vec<String> = texts.collect();
    texts.sort_unstable();
    texts.dedup();
    match texts.len() {
        0 | 1 => texts.pop(),
        _ => Some(texts.join("+")),
    }
}

/// The first `digits` hex digits of a digest.
pub(in crate::core) fn short_hex(digest: &[u8; 32], digits: usize) -> String {
    hex(digest).chars().take(digits).collect()
}

/// Lowercase hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        write!(out, "{byte:02x}").expect("writing to a String cannot fail");
        out
    })
}

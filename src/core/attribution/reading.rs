//! Where a request's telemetry says what it ran under.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

use super::dimension::Dimension::{self, *};
use crate::core::measurement;
use crate::core::request::{Evaluation, ModelCall, Request, Retrieval, ToolCall};
use crate::core::signal::Count;
use crate::core::variable::{Variable, short_hex};

/// Freshness lags from here on, seconds, stand together until the next.
const AGE_STEPS: [(u64, &str); 7] = [
    (0, "under 1 min"),
    (60, "1 to 15 min"),
    (900, "15 min to 1 h"),
    (3_600, "1 to 6 h"),
    (21_600, "6 to 24 h"),
    (86_400, "1 to 7 d"),
    (604_800, "over 7 d"),
];

/// Bytes of a value.
const VALUE_BYTES_MAX: usize = 256;

/// What a request ran under, by [`Dimension::index`].
pub type Reading = [Option<Box<str>>; Dimension::COUNT];

/// Reads every dimension of a request. `judges` are those at work where nobody judged it.
#[must_use]
pub fn reading(request: &Request, judges: &[Evaluation]) -> Reading {
    Dimension::ALL.map(|dimension| dimension.value(request, judges).map(|value| bounded(value).into()))
}

/// A value as it came; one that is too long by its digest.
fn bounded(value: Cow<'_, str>) -> String {
    if value.len() <= VALUE_BYTES_MAX {
        return value.into_owned();
    }
    format!("sha256:{}", short_hex(&Sha256::digest(value.as_bytes()).into(), 12))
}

impl Dimension {
    /// The value `request` ran under; `None` where its telemetry does not say. `judges` are those at work where nobody
    /// judged the request.
    #[must_use]
    pub fn value<'r>(self, request: &'r Request, judges: &'r [Evaluation]) -> Option<Cow<'r, str>> {
        let traffic = &request.traffic;
        match self {
            Feature => Some(Cow::Borrowed(&request.feature)),
            RequestClass => traffic.class.as_deref().map(Cow::Borrowed),
            Region => traffic.region.as_deref().map(Cow::Borrowed),
            Tier => traffic.tier.as_deref().map(Cow::Borrowed),
            Language => traffic.language.as_deref().map(Cow::Borrowed),
            PromptVersion => prompt(request),
            Model => of_calls(request, |call| call.model_requested.as_deref()),
            ModelVersion => of_calls(request, |call| call.model_served.as_deref()),
            Fingerprint => of_calls(request, |call| call.fingerprint.as_deref()),
            Route => of_calls(request, |call| call.route.as_deref()),
            Parameters => parameters(request),
            JudgeConfig => self::judges(if request.evaluations.is_empty() { judges } else { &request.evaluations }),
            IndexVersion => joined(request.retrievals.iter().filter_map(index)),
            IndexAge => age(&request.retrievals).map(Cow::Borrowed),
            RetrievalHits => hits(&request.retrievals).map(Cow::Borrowed),
            ToolSchema => offered(request),
            ToolPath => request.tool_path.as_deref().map(Cow::Borrowed),
            ToolUsed => joined(request.tools.iter().filter_map(|tool| used(request, tool))),
        }
    }
}

/// Distinct values in order, joined by `+`; `None` when there is none.
fn joined<'r>(values: impl Iterator<Item = Cow<'r, str>>) -> Option<Cow<'r, str>> {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable();
    values.dedup();
    match values.len() {
        0 | 1 => values.pop(),
        _ => Some(Cow::Owned(values.join("+"))),
    }
}

fn of_calls<'r>(request: &'r Request, part: fn(&'r ModelCall) -> Option<&'r str>) -> Option<Cow<'r, str>> {
    joined(request.calls.iter().filter_map(part).map(Cow::Borrowed))
}

/// `v41`, or the digest of the system part, with component versions behind it.
fn prompt(request: &Request) -> Option<Cow<'_, str>> {
    let prompt = &request.prompt;
    let version = match (&prompt.version, &prompt.sha256) {
        (Some(version), _) => Cow::Borrowed(&**version),
        (None, Some(digest)) => Cow::Owned(format!("sha256:{}", short_hex(digest, 12))),
        (None, None) if prompt.components.is_empty() => return prompt.name.as_deref().map(Cow::Borrowed),
        (None, None) => Cow::Borrowed(""),
    };
    if prompt.components.is_empty() {
        return Some(version);
    }
    let parts: Vec<String> = prompt.components.iter().map(|(name, version)| format!("{name}:{version}")).collect();
    Some(Cow::Owned(format!("{version} {}", parts.join(" ")).trim_start().to_owned()))
}

fn parameters(request: &Request) -> Option<Cow<'_, str>> {
    joined(request.calls.iter().filter_map(|call| {
        let number = |name, value: Option<f64>| value.map(|value| format!("{name}={value}"));
        let parts = [
            number("temperature", call.temperature),
            number("top_p", call.top_p),
            call.max_tokens.map(|value| format!("max_tokens={value}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| Cow::Owned(parts.join(" ")))
    }))
}

/// What identifies the judges: `relevance-judge@3 gpt-4o`; where only a digest is known, that alone.
#[must_use]
pub fn judges(evaluations: &[Evaluation]) -> Option<Cow<'_, str>> {
    joined(evaluations.iter().filter_map(|evaluation| {
        let judge = &evaluation.judge;
        let parts = [&judge.name, &judge.version, &judge.model, &judge.prompt, &judge.rubric_version];
        let mut parts: Vec<&str> = parts.into_iter().flatten().map(|part| &**part).collect();
        let threshold = judge.threshold.map(|threshold| format!(">={threshold}"));
        parts.extend(threshold.as_deref());
        match parts.as_slice() {
            [] => None,
            [only] => Some(Cow::Owned((*only).to_owned())),
            parts => Some(Cow::Owned(parts.join(" "))),
        }
    }))
}

fn index(retrieval: &Retrieval) -> Option<Cow<'_, str>> {
    match (&retrieval.index, &retrieval.index_version) {
        (_, Some(version)) => Some(Cow::Borrowed(version)),
        (Some(index), None) => Some(Cow::Borrowed(index)),
        (None, None) => None,
    }
}

fn age(retrievals: &[Retrieval]) -> Option<&'static str> {
    let lag = retrievals.iter().filter_map(|it| it.freshness_lag).max()?.as_secs();
    AGE_STEPS.iter().rev().find(|(from, _)| lag >= *from).map(|(_, name)| *name)
}

/// The worst of the retrievals that told.
fn hits(retrievals: &[Retrieval]) -> Option<&'static str> {
    let step = |retrieval: &Retrieval| {
        let found = retrieval.documents.as_ref().map_or(0, Vec::len);
        match measurement::retrieval(retrieval)? {
            Count::RetrievalError => Some((0, "error")),
            Count::RetrievalEmpty => Some((1, "none")),
            _ if found <= 2 => Some((2, "1 to 2")),
            _ if found <= 5 => Some((3, "3 to 5")),
            _ => Some((4, "over 5")),
        }
    };
    retrievals.iter().filter_map(step).min().map(|(_, name)| name)
}

/// The digest of the contracts offered; without contracts, their version, or those of the tools that ran.
fn offered(request: &Request) -> Option<Cow<'_, str>> {
    if request.tools_offered.is_empty() {
        if let Some(version) = &request.tools_version {
            return Some(Cow::Borrowed(version));
        }
        return joined(request.tools.iter().filter_map(versioned));
    }
    Variable::ToolSchemas.value(request).map(Cow::Owned)
}

fn versioned(tool: &ToolCall) -> Option<Cow<'_, str>> {
    tool.version.as_deref().map(Cow::Borrowed)
}

/// The contract of a tool that ran: its version, else its name and the digest of its schema.
fn used<'r>(request: &'r Request, tool: &'r ToolCall) -> Option<Cow<'r, str>> {
    if let Some(version) = &tool.version {
        return Some(Cow::Owned(format!("{}@{version}", tool.name)));
    }
    let schema = request.tools_offered.iter().find(|it| it.name == tool.name);
    Some(match schema {
        Some(schema) => Cow::Owned(format!("{}@sha256:{}", tool.name, short_hex(&schema.sha256, 12))),
        None => Cow::Borrowed(&tool.name),
    })
}

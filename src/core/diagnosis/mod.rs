//! What went wrong in a request: from the request alone, and against what is usual for its feature where that is known.
//!
//! Every rule is conservative: what it rests on is in the evidence, and where the telemetry does not say, nothing is
//! found. Rules on words and phrases say that they are no judge. `docs/diagnosis.md` lists rules and thresholds.

mod attack;
mod limits;
mod mode;
mod prompt;
mod reference;
mod retrieval;
#[cfg(test)]
mod tests;
mod told;
mod usage;
mod words;

use serde_json::{Value as Json, json};

pub use limits::Limits;
pub use mode::{Meaning, Mode};
pub use reference::{Gathering, REQUESTS_MIN, Reference};

use super::request::{Outcome, Request};

/// What a request is held against, beside itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms<'a> {
    /// Absolute limits; without, nothing is slow or dear by itself.
    pub limits: Limits,
    /// What is usual for the feature.
    pub reference: Option<&'a Reference>,
    /// The prompt version that should be in service.
    pub prompt: Option<&'a str>,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// The most telling mode; `healthy` when none was found.
    pub mode: Mode,
    /// One line for a person.
    pub line: String,
    /// What it rests on, `name=value`.
    pub evidence: Vec<String>,
    /// What else was found, most telling first.
    pub also: Vec<Finding>,
    /// Whether the request itself failed, whatever the reason.
    pub is_error: bool,
    /// Requests of the feature that it was compared with; `None` when none were offered.
    pub requests: Option<u64>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which.
    pub mode: Mode,
    /// One line for a person.
    pub line: String,
    /// What it rests on, `name=value`.
    pub evidence: Vec<String>,
}

/// Everything that is wrong with `request`, causes before what follows from them: a leak, the failure of the request, an
/// attack, a refusal, failed tools, an empty search, another prompt, documents that do not fit, an answer that does not
/// follow them, verdicts, a cut answer, time, cost, and no telemetry at all.
#[must_use]
pub fn of(request: &Request, terms: &Terms<'_>) -> Diagnosis {
    let reference = terms.reference.filter(|it| it.is_enough());
    let found = [
        told::leak(request),
        told::failure(request),
        attack::attack(request),
        told::refusal(request),
        told::tool(request, true),
        told::tool(request, false),
        retrieval::empty(request),
        prompt::wrong(request, terms.prompt, reference),
        retrieval::mismatch(request, &terms.limits, reference),
        told::ungrounded(request),
        words::ungrounded(request),
        told::unknown(request),
        told::truncated(request),
        usage::slow(request, &terms.limits, reference),
        usage::dear(request, &terms.limits, reference),
        told::silent(request),
    ];
    let mut found = found.into_iter().flatten();
    let healthy = || Finding::new(Mode::Healthy, "Healthy", vec![]);
    let Finding { mode, line, evidence } = found.next().unwrap_or_else(healthy);
    let requests = terms.reference.map(|it| it.requests);
    Diagnosis { mode, line, evidence, also: found.collect(), is_error: request.outcome == Outcome::Error, requests }
}

impl Finding {
    fn new(mode: Mode, line: impl Into<String>, evidence: Vec<String>) -> Self {
        Self { mode, line: line.into(), evidence }
    }
}

impl Diagnosis {
    /// What it was compared with, as a sentence.
    #[must_use]
    pub fn compared_with(&self) -> String {
        match self.requests {
            Some(n) if n >= REQUESTS_MIN => format!("compared with n = {} requests of this feature", usage::grouped(n)),
            Some(n) => {
                format!(
                    "no baseline: judged by itself alone (it takes {REQUESTS_MIN} requests of this feature, here are {n})"
                )
            }
            None => "no baseline: judged by itself alone".to_owned(),
        }
    }

    /// What went wrong technically, with what it rests on here; `None` for a healthy request.
    #[must_use]
    pub fn cause(&self) -> Option<String> {
        let cause = self.mode.meaning()?.cause.trim_end_matches('.');
        Some(format!("{cause} ({}).", self.evidence.join("; ")))
    }

    /// Whether monitoring of HTTP status and duration would have caught it, and why; `None` for a healthy request. A
    /// request that failed is seen as such, whatever it failed of.
    #[must_use]
    pub fn http(&self) -> Option<(bool, &'static str)> {
        let mode = if self.is_error { Mode::ProviderError } else { self.mode };
        self.mode.meaning().and(mode.meaning()).map(|it| (it.http_catches, it.http_why))
    }

    /// The contract's part: `mode`, `line`, `evidence`.
    #[must_use]
    pub fn brief(&self) -> Json {
        json!({ "mode": self.mode.as_str(), "line": self.line, "evidence": self.evidence })
    }

    /// All of it. What a healthy request has none of is `null`.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let meaning = self.mode.meaning();
        let also =
            self.also.iter().map(|it| json!({ "mode": it.mode.as_str(), "line": it.line, "evidence": it.evidence }));
        let also: Vec<Json> = also.collect();
        json!({
            "mode": self.mode.as_str(),
            "line": self.line,
            "evidence": self.evidence,
            "symptom": meaning.map(|it| it.symptom),
            "root_cause": self.cause(),
            "signal": meaning.map(|it| it.signal),
            "http_monitoring": self.http().map(|(catches, why)| json!({ "would_catch": catches, "why": why })),
            "severity": meaning.map(|it| json!({ "rank": self.mode.rank(), "reason": it.severity })),
            "next_step": meaning.map(|it| it.next),
            "compared_with": { "requests": self.requests, "line": self.compared_with() },
            "also": also,
        })
    }
}

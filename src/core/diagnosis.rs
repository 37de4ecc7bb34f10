//! One line on what went wrong in a request, from the request alone: what it says of itself, without a baseline.

use super::request::{FinishReason, Outcome, Request};

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// One of the modes of the contract; `healthy` when nothing did.
    pub mode: &'static str,
    /// One line for a person.
    pub line: String,
    /// The fields it rests on, `name=value`.
    pub evidence: Vec<String>,
}

/// The first of these that holds, most telling first: provider error, refusal, block, tool timeout, tool failure,
/// empty retrieval, failed evaluation, cut answer, nothing at all.
#[must_use]
pub fn of(request: &Request) -> Diagnosis {
    outcome(request)
        .or_else(|| tools(request))
        .or_else(|| retrieval(request))
        .or_else(|| evaluation(request))
        .or_else(|| finish(request))
        .or_else(|| nothing(request))
        .unwrap_or_else(|| diagnosis("healthy", "Healthy".into(), vec![]))
}

/// The modes that [`of`] gives, most telling first.
const MODES: [&str; 9] = [
    "provider_error",
    "refusal",
    "tool_timeout",
    "tool_failure",
    "retrieval_empty",
    "hallucination",
    "unknown",
    "truncated",
    "healthy",
];

/// How telling a mode is, zero the most.
#[must_use]
pub fn rank(mode: &str) -> usize {
    MODES.iter().position(|it| *it == mode).unwrap_or(MODES.len())
}

fn outcome(request: &Request) -> Option<Diagnosis> {
    match request.outcome {
        Outcome::Ok => None,
        Outcome::Error => {
            let kind = request.error.as_ref().map_or("an unnamed error", |error| &*error.kind);
            Some(diagnosis("provider_error", format!("The request failed: {kind}"), vec![format!("error.type={kind}")]))
        }
        Outcome::Refused => Some(diagnosis("refusal", "The model refused to answer".into(), finish_evidence(request))),
        Outcome::Blocked => {
            Some(diagnosis("refusal", "A policy blocked the request or the answer".into(), finish_evidence(request)))
        }
    }
}

fn tools(request: &Request) -> Option<Diagnosis> {
    let failed = |timeout: bool| {
        request.tools.iter().find(move |tool| tool.error.as_ref().is_some_and(|error| error.timeout == timeout))
    };
    if let Some(tool) = failed(true) {
        let evidence = vec![format!("tool={}", tool.name), "outcome=timeout".into()];
        return Some(diagnosis("tool_timeout", format!("Tool {} timed out", tool.name), evidence));
    }
    let tool = failed(false)?;
    let evidence = vec![format!("tool={}", tool.name), "outcome=error".into()];
    Some(diagnosis("tool_failure", format!("Tool {} failed", tool.name), evidence))
}

fn retrieval(request: &Request) -> Option<Diagnosis> {
    let empty =
        request.retrievals.iter().find(|it| it.error.is_some() || it.documents.as_ref().is_some_and(Vec::is_empty))?;
    let index = empty.index.as_deref().unwrap_or("the index");
    let evidence = vec![format!("index={index}"), "documents=0".into()];
    Some(diagnosis("retrieval_empty", format!("Retrieval from {index} found nothing"), evidence))
}

fn evaluation(request: &Request) -> Option<Diagnosis> {
    let failed = request.evaluations.iter().find(|it| it.passed == Some(false))?;
    let score = failed.score.map_or_else(|| "no score".to_owned(), |score| format!("score {score}"));
    let evidence = vec![format!("{}={score}", failed.metric)];
    let grounded = ["groundedness", "faithfulness", "hallucination"];
    if grounded.iter().any(|name| failed.metric.to_ascii_lowercase().contains(name)) {
        let line = format!("The answer is not grounded in what was retrieved ({score})");
        return Some(diagnosis("hallucination", line, evidence));
    }
    Some(diagnosis("unknown", format!("The judge failed the answer on {} ({score})", failed.metric), evidence))
}

fn finish(request: &Request) -> Option<Diagnosis> {
    (request.finish_reason == Some(FinishReason::Length))
        .then(|| diagnosis("truncated", "The answer was cut at the token limit".into(), finish_evidence(request)))
}

/// Neither a call nor a search: nothing tells how it went.
fn nothing(request: &Request) -> Option<Diagnosis> {
    let silent = request.calls.is_empty() && request.retrievals.is_empty() && request.tools.is_empty();
    silent.then(|| diagnosis("unknown", "No model call was seen".into(), vec![format!("spans={}", request.spans)]))
}

fn finish_evidence(request: &Request) -> Vec<String> {
    request.finish_reason.map(|reason| format!("finish_reason={}", reason.as_str())).into_iter().collect()
}

fn diagnosis(mode: &'static str, line: String, evidence: Vec<String>) -> Diagnosis {
    Diagnosis { mode, line, evidence }
}

//! What the telemetry says itself: outcomes, failures, verdicts, finish reasons.

use super::{Finding, Mode};
use crate::core::redact;
use crate::core::request::{Evaluation, Failure, FinishReason, Outcome, Request};

/// Words in the names of metrics that judge whether an answer follows its documents.
const GROUNDED: [&str; 3] = ["groundedness", "faithfulness", "hallucination"];
/// The same of what must not be shown.
const LEAK: [&str; 4] = ["pii", "leak", "sensitive_data", "sensitive data"];

/// The answer holds a secret or personal data that the question does not, or a judge says so.
pub(super) fn leak(request: &Request) -> Option<Finding> {
    if let Some(it) = failed(request).find(|it| is_about(it, &LEAK)) {
        return Some(Finding::new(
            Mode::PiiLeak,
            format!("{} found a leak in the answer", it.metric),
            vec![verdict(it)],
        ));
    }
    let entity = redact::leaked(request.response.as_deref()?, request.user_query.as_deref())?;
    let line = format!("The answer gave away what the user had not typed: {entity}");
    Some(Finding::new(Mode::PiiLeak, line, vec![format!("redacted={entity}")]))
}

/// The request failed, and not because of a tool.
pub(super) fn failure(request: &Request) -> Option<Finding> {
    if request.outcome != Outcome::Error || fell_with_a_tool(request) {
        return None;
    }
    let kind = request.error.as_ref().map_or("an unnamed error", |error| &*error.kind);
    let code = request.error.as_ref().and_then(|error| error.status_code);
    let evidence = std::iter::once(format!("error.type={kind}")).chain(code.map(|code| format!("status_code={code}")));
    Some(Finding::new(Mode::ProviderError, format!("The request failed: {kind}"), evidence.collect()))
}

pub(super) fn refusal(request: &Request) -> Option<Finding> {
    let line = match request.outcome {
        Outcome::Ok | Outcome::Error => return None,
        Outcome::Refused => "The model refused to answer",
        Outcome::Blocked => "A policy blocked the request or the answer",
    };
    Some(Finding::new(Mode::Refusal, line, finish_evidence(request)))
}

/// A tool that ran out of time, or one that failed otherwise.
pub(super) fn tool(request: &Request, timeout: bool) -> Option<Finding> {
    let failed = |it: &&Failure| it.timeout == timeout;
    let tool = request.tools.iter().find(|tool| tool.error.as_ref().filter(failed).is_some())?;
    let (mode, what, outcome) = match timeout {
        true => (Mode::ToolTimeout, "timed out", "timeout"),
        false => (Mode::ToolFailure, "failed", "error"),
    };
    let duration = tool.duration.map(|it| format!("duration_ms={}", it.as_millis()));
    let evidence = [format!("tool={}", tool.name), format!("outcome={outcome}")].into_iter().chain(duration);
    Some(Finding::new(mode, format!("Tool {} {what}", tool.name), evidence.collect()))
}

/// A judge says that the answer does not follow the documents.
pub(super) fn ungrounded(request: &Request) -> Option<Finding> {
    let failed = failed(request).find(|it| is_about(it, &GROUNDED))?;
    let line = format!("The answer is not grounded in what was retrieved ({})", score(failed));
    Some(Finding::new(Mode::Hallucination, line, vec![verdict(failed)]))
}

/// Whether a judge said that the answer follows the documents.
pub(super) fn is_grounded(request: &Request) -> bool {
    request.evaluations.iter().any(|it| it.passed == Some(true) && is_about(it, &GROUNDED))
}

/// A judge or the user is not content, for a reason that no other mode stands for.
pub(super) fn unknown(request: &Request) -> Option<Finding> {
    let other = |it: &&Evaluation| {
        ![&GROUNDED[..], &LEAK, &super::attack::METRICS, &super::retrieval::METRICS]
            .into_iter()
            .any(|names| is_about(it, names))
    };
    if let Some(it) = failed(request).find(other) {
        let line = format!("The judge failed the answer on {} ({})", it.metric, score(it));
        return Some(Finding::new(Mode::Unknown, line, vec![verdict(it)]));
    }
    let is_bad = request.feedback.as_ref().is_some_and(|it| it.positive == Some(false));
    is_bad.then(|| Finding::new(Mode::Unknown, "The user said the answer is bad", vec!["feedback=negative".into()]))
}

pub(super) fn truncated(request: &Request) -> Option<Finding> {
    let is_cut = request.finish_reason == Some(FinishReason::Length);
    is_cut.then(|| Finding::new(Mode::Truncated, "The answer was cut at the token limit", finish_evidence(request)))
}

/// Neither a call nor a search nor a tool: nothing tells how it went.
pub(super) fn silent(request: &Request) -> Option<Finding> {
    let is_silent = request.calls.is_empty() && request.retrievals.is_empty() && request.tools.is_empty();
    is_silent.then(|| Finding::new(Mode::Unknown, "No model call was seen", vec![format!("spans={}", request.spans)]))
}

/// Verdicts against the answer by evaluators that worked.
pub(super) fn failed(request: &Request) -> impl Iterator<Item = &Evaluation> {
    request.evaluations.iter().filter(|it| it.passed == Some(false) && it.error.is_none())
}

/// Whether the metric's name has one of these words.
pub(super) fn is_about(evaluation: &Evaluation, names: &[&str]) -> bool {
    let metric = evaluation.metric.to_ascii_lowercase();
    names.iter().any(|name| metric.contains(name))
}

/// `groundedness=score 0.2`
pub(super) fn verdict(evaluation: &Evaluation) -> String {
    format!("{}={}", evaluation.metric, score(evaluation))
}

fn score(evaluation: &Evaluation) -> String {
    let rounded = |score: f64| (score * 1e3).round() / 1e3;
    evaluation.score.map_or_else(|| "no score".to_owned(), |score| format!("score {}", rounded(score)))
}

/// Whether the error of the request is that of one of its tools.
fn fell_with_a_tool(request: &Request) -> bool {
    let Some(error) = &request.error else { return false };
    let is_same = |it: &Failure| it.kind == error.kind || it.timeout && error.timeout;
    let call_failed = request.calls.iter().any(|call| call.error.as_ref().is_some_and(|it| it != error));
    !call_failed && request.tools.iter().filter_map(|tool| tool.error.as_ref()).any(is_same)
}

fn finish_evidence(request: &Request) -> Vec<String> {
    request.finish_reason.map(|reason| format!("finish_reason={}", reason.as_str())).into_iter().collect()
}

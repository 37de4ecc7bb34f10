//! What one request counts for: the only place where a [`Request`] is translated to [`Count`]s and [`Measure`]s.
//!
//! Missing is not zero: a value that the telemetry left out is not recorded, so a mean or a quantile is always of
//! the requests that told.

use std::time::Duration;

use super::request::{Evaluation, Feedback, FinishReason, ModelCall, Outcome, Request, Retrieval};
use super::signal::{Count, Measure};

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measurement {
    /// One more of a count.
    Count(Count),
    /// One value of a measure, in its unit.
    Value(Measure, u64),
}

use Measurement::{Count as Counted, Value};

/// Passes everything a request counts for to `sink`; `leak` says whether its answer gave something
/// away.
pub fn of_request(request: &Request, leak: bool, mut sink: impl FnMut(Measurement)) {
    sink(Counted(outcome(request.outcome)));
    match quality(request) {
        Some(true) => sink(Counted(Count::Good)),
        Some(false) => sink(Counted(Count::Bad)),
        None => {}
    }
    if leak {
        sink(Counted(Count::Leak));
    }
    of_calls(request, &mut sink);
    for retrieval in &request.retrievals {
        of_retrieval(retrieval, &mut sink);
    }
    for tool in request.tools.iter().filter(|it| it.ran) {
        sink(Counted(if tool.error.is_none() { Count::ToolOk } else { Count::ToolError }));
    }
    of_judgement(&request.evaluations, request.feedback.as_ref(), &mut sink);
}

/// Passes what arrived for a request after it was counted: evaluations, feedback, and the change of the quality
/// verdict they make. `request` is the request as it was counted, with what came late before; `None` when it is
/// not known any more, and then its verdict stands.
pub fn of_late(
    request: Option<&Request>,
    evaluations: &[Evaluation],
    feedback: Option<&Feedback>,
    mut sink: impl FnMut(Measurement),
) {
    of_judgement(evaluations, feedback, &mut sink);
    let Some(request) = request else { return };
    let before = quality(request);
    let after = judged(request.evaluations.iter().chain(evaluations), [request.feedback.as_ref(), feedback]);
    match (before, after) {
        (Some(true), Some(false)) => sink(Counted(Count::TurnedBad)),
        (Some(false), Some(true)) => sink(Counted(Count::TurnedGood)),
        (None | Some(_), None) | (None, Some(_)) | (Some(true), Some(true)) | (Some(false), Some(false)) => {}
    }
}

/// Whether the answer of a request is good. Evaluations and feedback decide, and one bad word outweighs good ones.
/// Without either, an answer is bad when it was refused, blocked, cut off by the token limit or by a content
/// filter, or made on an empty or failed retrieval. A failed request gave no answer: `None`, its
/// failure is counted by [`super::signal::Signal::ErrorRatio`].
#[must_use]
pub fn quality(request: &Request) -> Option<bool> {
    if request.outcome == Outcome::Error {
        return None;
    }
    judged(request.evaluations.iter(), [request.feedback.as_ref(), None]).or_else(|| {
        let refused = matches!(request.outcome, Outcome::Refused | Outcome::Blocked);
        let cut = match request.finish_reason {
            Some(FinishReason::Length | FinishReason::ContentFilter | FinishReason::Refusal | FinishReason::Error) => {
                true
            }
            Some(FinishReason::Stop | FinishReason::ToolCalls | FinishReason::Other) | None => false,
        };
        Some(!(refused || cut || on_nothing(&request.retrievals)))
    })
}

/// Time to first token of a request: that of the last model call that told, which is the one the user reads.
#[must_use]
pub fn time_to_first_token(request: &Request) -> Option<Duration> {
    request.calls.iter().rev().find_map(|call| call.time_to_first_token)
}

/// What a retrieval came to: [`Count::RetrievalHit`], [`Count::RetrievalEmpty`] or [`Count::RetrievalError`];
/// `None` when the telemetry does not say. Documents that all score exactly zero are as good as none.
#[must_use]
pub fn retrieval(retrieval: &Retrieval) -> Option<Count> {
    if retrieval.error.is_some() {
        return Some(Count::RetrievalError);
    }
    let documents = retrieval.documents.as_ref()?;
    let hit = documents.iter().any(|document| document.score != Some(0.0));
    Some(if hit { Count::RetrievalHit } else { Count::RetrievalEmpty })
}

fn outcome(outcome: Outcome) -> Count {
    match outcome {
        Outcome::Ok => Count::Ok,
        Outcome::Error => Count::Error,
        Outcome::Refused => Count::Refused,
        Outcome::Blocked => Count::Blocked,
    }
}

fn judged<'a>(evaluations: impl Iterator<Item = &'a Evaluation>, feedback: [Option<&Feedback>; 2]) -> Option<bool> {
    let evaluations = evaluations.filter(|it| it.is_representative()).filter_map(|one| one.passed);
    let feedback = feedback.into_iter().flatten().filter_map(|one| one.positive);
    evaluations.chain(feedback).reduce(|all, one| all && one)
}

/// Whether there were retrievals that told their result, and none found anything.
fn on_nothing(retrievals: &[Retrieval]) -> bool {
    let mut told = retrievals.iter().filter_map(retrieval).peekable();
    told.peek().is_some() && told.all(|result| result != Count::RetrievalHit)
}

fn of_calls(request: &Request, sink: &mut impl FnMut(Measurement)) {
    let total = |part: fn(&ModelCall) -> Option<u64>| sum(request.calls.iter().filter_map(part));
    let values = [
        (Measure::Latency, Some(micros(request.latency))),
        (Measure::TimeToFirstToken, time_to_first_token(request).map(micros)),
        (Measure::InputTokens, total(|call| call.input_tokens)),
        (Measure::OutputTokens, total(|call| call.output_tokens)),
        (Measure::Cost, total(|call| call.cost_nano_usd).map(|nanos| nanos.saturating_add(500) / 1000)),
        (Measure::Retries, total(|call| call.retries.map(u64::from))),
        (Measure::ModelTime, sum(request.calls.iter().filter_map(|one| told(one.duration)))),
        (Measure::RetrievalTime, sum(request.retrievals.iter().filter_map(|one| told(one.duration)))),
        (Measure::ToolTime, sum(request.tools.iter().filter_map(|one| one.duration.map(micros)))),
    ];
    for (measure, value) in values.into_iter().filter_map(|(measure, value)| Some((measure, value?))) {
        sink(Value(measure, value));
    }
}

fn of_retrieval(one: &Retrieval, sink: &mut impl FnMut(Measurement)) {
    if let Some(count) = retrieval(one) {
        sink(Counted(count));
    }
    let scores = one.documents.iter().flatten().filter_map(|document| document.score);
    if let Some(best) = scores.filter(|score| !score.is_nan()).reduce(f64::max) {
        sink(Value(Measure::RetrievalScore, thousandths(best)));
    }
}

fn of_judgement(evaluations: &[Evaluation], feedback: Option<&Feedback>, sink: &mut impl FnMut(Measurement)) {
    for evaluation in evaluations.iter().filter(|it| it.is_representative()) {
        match evaluation.passed {
            Some(true) => sink(Counted(Count::EvaluationPass)),
            Some(false) => sink(Counted(Count::EvaluationFail)),
            None => {}
        }
        if let Some(score) = evaluation.score.filter(|score| !score.is_nan()) {
            sink(Value(Measure::EvaluationScore, thousandths(score)));
        }
    }
    match feedback.and_then(|feedback| feedback.positive) {
        Some(true) => sink(Counted(Count::FeedbackGood)),
        Some(false) => sink(Counted(Count::FeedbackBad)),
        None => {}
    }
}

/// The sum of what there is, stopping at the end of the range; `None` of nothing.
fn sum(values: impl Iterator<Item = u64>) -> Option<u64> {
    values.reduce(u64::saturating_add)
}

/// Microseconds; a duration of zero was not told.
fn told(duration: Duration) -> Option<u64> {
    (!duration.is_zero()).then(|| micros(duration))
}

/// Microseconds, stopping at the end of the range.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A score in thousandths; a negative one counts as zero.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast stops at the ends of the range")]
fn thousandths(score: f64) -> u64 {
    (score * 1e3).round() as u64
}

#[cfg(test)]
mod tests;

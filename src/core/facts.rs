//! What one request counted for, compact: enough to say later whether it fails a signal at a limit.

use super::detect::Direction;
use super::measurement::{self, Measurement};
use super::request::{Evaluation, Feedback, Request};
use super::signal::{Count, Measure, Shape, Signal};
use super::time::UnixNanos;
use super::window::Window;

/// The counts and measures of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// A bit a count: whether there was any.
    counts: u32,
    /// In the measure's unit; of several values the worst stands, and [`NONE`] without any.
    values: [u32; Measure::N],
}

const _: () = assert!(Count::N <= 32);
/// A measure that the request has no value of; larger values are cut to one less.
const NONE: u32 = u32::MAX;

impl Facts {
    /// Reads a request; `leak` says whether its answer gave something away.
    #[must_use]
    pub fn of(request: &Request, leak: bool) -> Self {
        let mut facts = Self::none();
        measurement::of_request(request, leak, |measurement| facts.add(measurement));
        facts
    }

    /// Reads what was said of a request that was counted before and is gone.
    #[must_use]
    pub fn of_late(evaluations: &[Evaluation], feedback: Option<&Feedback>) -> Self {
        let mut facts = Self::none();
        measurement::of_late(None, evaluations, feedback, |measurement| facts.add(measurement));
        facts
    }

    fn none() -> Self {
        Self { counts: 0, values: [NONE; Measure::N] }
    }

    fn add(&mut self, measurement: Measurement) {
        match measurement {
            Measurement::Count(count) => {
                self.counts |= 1 << count.index();
            }
            Measurement::Value(measure, value) => {
                let value = u32::try_from(value).unwrap_or(NONE).min(NONE - 1);
                let known = &mut self.values[measure.index()];
                *known = match (*known, measure) {
                    (NONE, _) => value,
                    (known, Measure::RetrievalScore | Measure::EvaluationScore) => known.min(value),
                    (known, _) => known.max(value),
                };
            }
        }
    }

    /// What the request measured of a signal, in the signal's unit; `None` for a ratio, and where it does not say.
    #[must_use]
    pub fn measured(&self, signal: Signal) -> Option<f64> {
        let measures: &[Measure] = match signal.shape() {
            Shape::Ratio => &[],
            Shape::Quantile(measure, _) => return self.value(measure),
            Shape::Mean(measures) => measures,
        };
        measures.iter().filter_map(|measure| self.value(*measure)).reduce(|sum, value| sum + value)
    }

    /// Whether the request is on the wrong side of `limit`; `None` when it has nothing to say of the signal.
    #[must_use]
    pub fn fails(&self, signal: Signal, limit: f64) -> Option<bool> {
        let beyond = |value: f64| match signal.worse() {
            Direction::Above => value > limit,
            Direction::Below => value < limit,
        };
        match signal.shape() {
            Shape::Ratio => {
                let counts = std::array::from_fn(|index| u64::from(self.counts >> index & 1));
                let (hits, samples) =
                    Window::new(UnixNanos(0), UnixNanos(0), counts, Default::default()).ratio(signal)?;
                (samples > 0).then(|| bad(signal, hits, samples) > 0)
            }
            Shape::Quantile(..) | Shape::Mean(_) => Some(beyond(self.measured(signal)?)),
        }
    }

    /// Whether anything at all went wrong.
    #[must_use]
    pub fn is_troubled(&self) -> bool {
        const TROUBLE: [Count; 10] = [
            Count::Error,
            Count::Refused,
            Count::Blocked,
            Count::Bad,
            Count::RetrievalEmpty,
            Count::RetrievalError,
            Count::ToolError,
            Count::EvaluationFail,
            Count::FeedbackBad,
            Count::Leak,
        ];
        TROUBLE.into_iter().any(|count| self.has(count))
    }

    /// Adds what was said of the request later; a bad word outweighs good ones.
    pub fn amend(&mut self, said: &Self) {
        self.counts |= said.counts;
        for (known, said) in self.values.iter_mut().zip(said.values) {
            // Scores are all that is said later, and the lowest stands; `NONE` is above them all.
            *known = said.min(*known);
        }
        let is_bad = said.has(Count::EvaluationFail) || said.has(Count::FeedbackBad);
        if is_bad && self.has(Count::Good) {
            self.counts ^= 1 << Count::Good.index() | 1 << Count::Bad.index();
        }
    }

    fn has(&self, count: Count) -> bool {
        self.counts >> count.index() & 1 == 1
    }

    /// What the request has of a measure, in its unit.
    #[must_use]
    pub fn value(&self, measure: Measure) -> Option<f64> {
        let value = self.values[measure.index()];
        (value != NONE).then(|| f64::from(value) / measure.per_unit())
    }
}

/// `(judged, failing)` of a signal in a whole window, by the same rule as [`Facts::fails`]. `None` for a mean over
/// several measures: a window does not know their sum a request.
#[must_use]
pub fn failing(window: &Window, signal: Signal, limit: f64) -> Option<(u32, u32)> {
    let (judged, failing) = match signal.shape() {
        Shape::Ratio => {
            let (hits, samples) = window.ratio(signal)?;
            (samples, bad(signal, hits, samples))
        }
        Shape::Quantile(measure, _) | Shape::Mean(&[measure]) => {
            let (above, values) = window.exceedance(measure, units(limit, measure));
            (values, bad(signal, above, values))
        }
        Shape::Mean(_) => return None,
    };
    Some((u32::try_from(judged).unwrap_or(u32::MAX), u32::try_from(failing).unwrap_or(u32::MAX)))
}

/// How many of `samples` are on the wrong side, when `hits` are high.
fn bad(signal: Signal, hits: u64, samples: u64) -> u64 {
    match signal.worse() {
        Direction::Above => hits,
        Direction::Below => samples.saturating_sub(hits),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "limits are checked to be positive and finite; `as` saturates"
)]
fn units(limit: f64, measure: Measure) -> u64 {
    (limit * measure.per_unit()).max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::core::request::tests::request;
    use crate::core::request::{Outcome, Retrieval};

    /// Proves that a request is judged by what it tells and by nothing else.
    #[test]
    fn a_request_fails_only_what_it_tells() {
        let mut slow = request();
        slow.latency = Duration::from_secs(12);
        let facts = Facts::of(&slow, false);
        assert_eq!(facts.fails(Signal::LatencyP95, 5.0), Some(true));
        assert_eq!(facts.fails(Signal::LatencyP95, 15.0), Some(false));
        assert_eq!(facts.fails(Signal::ErrorRatio, 0.1), Some(false));
        assert_eq!(facts.fails(Signal::ToolSuccessRatio, 0.9), None);
        assert_eq!(facts.fails(Signal::TokensPerRequest, 1.0), None);
        assert!(!facts.is_troubled());

        let mut failed = request();
        failed.outcome = Outcome::Error;
        failed.retrievals = vec![Retrieval { documents: Some(Vec::new()), ..Retrieval::default() }];
        let facts = Facts::of(&failed, true);
        assert_eq!(facts.fails(Signal::ErrorRatio, 0.1), Some(true));
        assert_eq!(facts.fails(Signal::EmptyRetrievalRatio, 0.1), Some(true));
        assert_eq!(facts.fails(Signal::LeakRatio, 0.0), Some(true));
        assert_eq!(facts.fails(Signal::Quality, 0.8), None, "a failed request gave no answer");
        assert!(facts.is_troubled());
    }
}

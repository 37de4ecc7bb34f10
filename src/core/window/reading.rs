//! One window: what was counted in it, and what that says of a signal.

use crate::core::detect::Estimate;
use crate::core::histogram::{Distribution, rank};
use crate::core::signal::{Count, Measure, Shape, Signal};
use crate::core::statistics::{Z, wilson};
use crate::core::time::UnixNanos;

/// Counts and distributions over a stretch of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Start of its first slot.
    pub from: UnixNanos,
    /// End of its last slot.
    pub to: UnixNanos,
    counts: [u64; Count::N],
    values: [Distribution; Measure::N],
}

impl Window {
    /// A window of these counts and values, in order of [`Count::ALL`] and [`Measure::ALL`].
    #[must_use]
    pub fn new(from: UnixNanos, to: UnixNanos, counts: [u64; Count::N], values: [Distribution; Measure::N]) -> Self {
        Self { from, to, counts, values }
    }

    /// Requests, whatever became of them.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.sum(&Count::OUTCOMES)
    }

    /// How many of one count.
    #[must_use]
    pub fn count(&self, count: Count) -> u64 {
        self.counts[count.index()]
    }

    /// The distribution of a measure.
    #[must_use]
    pub fn values(&self, measure: Measure) -> &Distribution {
        &self.values[measure.index()]
    }

    /// A quantile of a measure in the measure's unit; `None` without values.
    #[must_use]
    pub fn quantile(&self, measure: Measure, q: f64) -> Option<u64> {
        self.values(measure).quantile(q)
    }

    /// `(values above, values)` of a measure; `value` is in its unit.
    #[must_use]
    pub fn exceedance(&self, measure: Measure, value: u64) -> (u64, u64) {
        let values = self.values(measure);
        (values.count_above(value), values.count())
    }

    /// `(hits, samples)` of a signal that is a share; `None` for one that is not.
    #[must_use]
    pub fn ratio(&self, signal: Signal) -> Option<(u64, u64)> {
        let of = |hit: Count, all: &[Count]| Some((self.count(hit), self.sum(all)));
        match signal {
            Signal::Quality => Some(self.quality()),
            Signal::ErrorRatio => of(Count::Error, &Count::OUTCOMES),
            Signal::RefusalRatio => of(Count::Refused, &Count::OUTCOMES),
            Signal::BlockRatio => of(Count::Blocked, &Count::OUTCOMES),
            Signal::LeakRatio => of(Count::Leak, &Count::OUTCOMES),
            Signal::EmptyRetrievalRatio => {
                let fruitless = [Count::RetrievalEmpty, Count::RetrievalError];
                Some((self.sum(&fruitless), self.sum(&fruitless) + self.count(Count::RetrievalHit)))
            }
            Signal::ToolSuccessRatio => of(Count::ToolOk, &[Count::ToolOk, Count::ToolError]),
            Signal::EvaluationPassRatio => of(Count::EvaluationPass, &[Count::EvaluationPass, Count::EvaluationFail]),
            Signal::BadFeedbackRatio => of(Count::FeedbackBad, &[Count::FeedbackGood, Count::FeedbackBad]),
            Signal::LatencyP95
            | Signal::TimeToFirstTokenP95
            | Signal::TokensPerRequest
            | Signal::CostPerRequest
            | Signal::RetriesPerRequest
            | Signal::RetrievalScoreP50
            | Signal::EvaluationScore
            | Signal::ModelTime
            | Signal::RetrievalTime
            | Signal::ToolTime => None,
        }
    }

    /// How many samples a signal has.
    #[must_use]
    pub fn samples(&self, signal: Signal) -> u64 {
        match signal.shape() {
            Shape::Ratio => self.ratio(signal).map_or(0, |(_, samples)| samples),
            Shape::Quantile(measure, _) => self.values(measure).count(),
            Shape::Mean(measures) => measures.iter().map(|measure| self.values(*measure).count()).max().unwrap_or(0),
        }
    }

    /// What the window says of a signal, with a 95 % interval: Wilson's for shares, order statistics for quantiles,
    /// the normal one for means. `None` without samples.
    #[must_use]
    pub fn estimate(&self, signal: Signal) -> Option<Estimate> {
        let samples = Some(self.samples(signal)).filter(|samples| *samples > 0)?;
        let (value, ci_low, ci_high) = match signal.shape() {
            Shape::Ratio => {
                let (hits, samples) = self.ratio(signal)?;
                let (low, high) = wilson(small(hits), small(samples));
                (share(hits, samples), low, high)
            }
            Shape::Quantile(measure, q) => self.quantile_interval(measure, q)?,
            Shape::Mean(measures) => {
                let (mean, error) = self.mean(measures)?;
                (mean, (mean - Z * error).max(0.0), mean + Z * error)
            }
        };
        Some(Estimate { value, samples, ci_low, ci_high })
    }

    /// Mean of the sum of `measures` in the signals' unit, and its standard error. The parts' deviations are added
    /// as if they moved together, which never makes the error too small.
    pub(crate) fn mean(&self, measures: &[Measure]) -> Option<(f64, f64)> {
        let samples = measures.iter().map(|measure| self.values(*measure).count()).max().filter(|n| *n > 0)?;
        let mut total = 0.0;
        let mut deviation = 0.0;
        for measure in measures {
            let values = self.values(*measure);
            total += number(values.sum()) / measure.per_unit();
            deviation += values.variance().unwrap_or(0.0).sqrt() / measure.per_unit();
        }
        Some((total / number(samples), deviation / number(samples).sqrt()))
    }

    /// The ranks between which the quantile lies with 95 % certainty (binomial, normal approximation).
    fn quantile_interval(&self, measure: Measure, q: f64) -> Option<(f64, f64, f64)> {
        let values = self.values(measure);
        let count = values.count();
        let half = Z * (number(count) * q * (1.0 - q)).sqrt() / number(count.max(1));
        let at = |q: f64, next: u64| {
            let rank = (rank(count, q) + next).min(count);
            values.value_at_rank(rank).map(|value| number(value) / measure.per_unit())
        };
        Some((at(q, 0)?, at(q - half, 0)?, at(q + half, 1)?))
    }

    /// Good answers of all judged, late verdicts included; those turn a request that may be in an earlier slot, so
    /// the sum is kept in bounds.
    fn quality(&self) -> (u64, u64) {
        let all = self.sum(&[Count::Good, Count::Bad]);
        let good =
            (self.count(Count::Good) + self.count(Count::TurnedGood)).saturating_sub(self.count(Count::TurnedBad));
        (good.min(all), all)
    }

    fn sum(&self, counts: &[Count]) -> u64 {
        counts.iter().map(|count| self.count(*count)).sum()
    }
}

/// `part` of `whole`, which is not zero.
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    number(part) / number(whole)
}

#[expect(clippy::cast_precision_loss, reason = "counts and sums for statistics, far below 2^52 where it matters")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

/// A count as the statistics take it; a window does not reach 2^32.
pub(crate) fn small(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

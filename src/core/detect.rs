//! Rules and what they find: a signal of one window against a limit, with the statistics that say whether the
//! difference could be chance.
//!
//! A window breaches a limit when both hold:
//! 1. the whole 95 % interval is beyond the limit. For a quantile the share of values beyond the limit is tested:
//!    p95 is above L when more than 5 % of the values are, by the same interval;
//! 2. where there is a baseline on the good side of the limit, the window differs from it by [`FIXED_DEVIATION`], or
//!    for a limit learned from it by [`LEARNED_DEVIATION`]. The first test alone would be wrong once in 40 looks, and
//!    a rule looks 60 000 times a week.

use std::time::Duration;

use super::incident::{Class, Severity};
use super::signal::{Measure, Shape, Signal};
use super::statistics::{Z, wilson};
use super::window::{Window, number, share, small};

/// One alert rule, as compiled from the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// `alertname`, CamelCase.
    pub name: Box<str>,
    /// Incident class of an alert of this rule.
    pub class: Class,
    /// Severity of an alert of this rule.
    pub severity: Severity,
    /// What is watched.
    pub signal: Signal,
    /// Which side of the limit is bad.
    pub direction: Direction,
    /// The limit.
    pub limit: Limit,
    /// Length of the sliding window that is judged.
    pub window: Duration,
    /// How long the condition must hold before the alert fires (Prometheus `for`).
    pub hold: Duration,
    /// How long the alert keeps firing after the condition last held (Prometheus `keep_firing_for`).
    pub keep_firing: Duration,
    /// Fewer samples than this in the window are `insufficient_data`.
    pub samples_min: u64,
    /// Features it applies to, as globs; empty for all.
    pub features: Vec<Box<str>>,
    /// One sentence for the alert's `summary`.
    pub summary: Box<str>,
}

/// Which side of a limit is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Values above the limit breach.
    Above,
    /// Values below the limit breach.
    Below,
}

/// When a value is out of bounds. With both parts set, whichever is breached first counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limit {
    /// A fixed value in the signal's unit.
    pub fixed: Option<f64>,
    /// A bound relative to the last-good baseline.
    pub baseline: Option<Relative>,
}

/// A bound relative to the last-good baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Relative {
    /// Baseline times this factor.
    Factor(f64),
    /// Baseline plus this (negative for a drop).
    Delta(f64),
}

/// An estimate of a signal over one window, with its 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// In the signal's unit.
    pub value: f64,
    /// What it was computed from.
    pub samples: u64,
    /// Lower end of the interval.
    pub ci_low: f64,
    /// Upper end of the interval.
    pub ci_high: f64,
}

/// What a rule finds in a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// Too few samples to say anything.
    InsufficientData {
        /// How many there were.
        samples: u64,
    },
    /// Within the limit, or beyond it by no more than chance.
    Healthy {
        /// The estimate.
        estimate: Estimate,
    },
    /// Beyond the limit by more than chance.
    Breached {
        /// The estimate.
        estimate: Estimate,
        /// The limit that was breached.
        limit: f64,
        /// Whether the limit came from the baseline.
        learned: bool,
    },
}

/// How far beyond chance a window must be from a good baseline to breach a fixed limit, in standard deviations. Five
/// bad of ten are not against 8 %, six are.
pub const FIXED_DEVIATION: f64 = 3.5;

/// As [`FIXED_DEVIATION`] for a limit that was learned: such limits are near the baseline, so this is the test that
/// keeps it quiet.
pub const LEARNED_DEVIATION: f64 = 4.5;

/// A baseline with fewer samples does not excuse a window that breaches a fixed limit.
pub const EXCUSE_SAMPLES_MIN: u64 = 100;

/// The smaller windows of [`judge_nested`] need this many times the rule's samples: they are looked at as often, and
/// few samples are wrong more often.
const NESTED_SAMPLES_FACTOR: u64 = 2;

/// Judges one window. With a fixed and a learned limit, the fixed one is tried first.
#[must_use]
pub fn judge(rule: &Rule, window: &Window, baseline: Option<&Window>) -> Verdict {
    let samples = window.samples(rule.signal);
    let Some(estimate) = window.estimate(rule.signal).filter(|_| samples >= rule.samples_min) else {
        return Verdict::InsufficientData { samples };
    };
    let baseline = baseline.filter(|baseline| baseline.samples(rule.signal) > 0);
    let excuse = baseline.filter(|baseline| baseline.samples(rule.signal) >= EXCUSE_SAMPLES_MIN);
    let fixed = rule.limit.fixed.map(|limit| (limit, false, excuse, FIXED_DEVIATION));
    let learned = baseline.and_then(|baseline| learned_limit(rule, baseline));
    let learned = learned.map(|limit| (limit, true, baseline, LEARNED_DEVIATION));
    let breach = [fixed, learned].into_iter().flatten().find(|(limit, _, baseline, deviation)| {
        breaches(rule, window, *limit) && differs(rule, window, *baseline, *limit, *deviation)
    });
    match breach {
        Some((limit, learned, _, _)) => Verdict::Breached { estimate, limit, learned },
        None => Verdict::Healthy { estimate },
    }
}

/// Judges windows of different lengths that end together, shortest first, as
/// [`super::window::Windows::nested`] gives them: the first breach counts, else what the longest says. With enough
/// traffic the last minute tells what the last five would take minutes to tell.
#[must_use]
pub fn judge_nested(rule: &Rule, windows: &[Window], baseline: Option<&Window>) -> Verdict {
    let Some((longest, shorter)) = windows.split_last() else {
        return Verdict::InsufficientData { samples: 0 };
    };
    let enough = rule.samples_min.saturating_mul(NESTED_SAMPLES_FACTOR);
    let mut shorter = shorter.iter().filter(|window| window.samples(rule.signal) >= enough);
    let breach = shorter.find_map(|window| match judge(rule, window, baseline) {
        breach @ Verdict::Breached { .. } => Some(breach),
        Verdict::Healthy { .. } | Verdict::InsufficientData { .. } => None,
    });
    breach.unwrap_or_else(|| judge(rule, longest, baseline))
}

/// The limit that a baseline sets. It is reckoned from the lenient end of the baseline's interval, so that a thin
/// baseline asks for more.
#[must_use]
pub fn learned_limit(rule: &Rule, baseline: &Window) -> Option<f64> {
    let relative = rule.limit.baseline?;
    let estimate = baseline.estimate(rule.signal)?;
    let from = match rule.direction {
        Direction::Above => estimate.ci_high,
        Direction::Below => estimate.ci_low,
    };
    Some(match relative {
        Relative::Factor(factor) => from * factor,
        Relative::Delta(delta) => from + delta,
    })
}

/// Samples on the bad side, all samples, and the share of bad ones that the limit allows.
struct Bad {
    samples: u64,
    of: u64,
    allowed: f64,
}

/// A window against a limit as a share of bad samples; `None` for a mean.
fn bad(rule: &Rule, window: &Window, limit: f64) -> Option<Bad> {
    match (rule.signal.shape(), rule.direction) {
        (Shape::Ratio, Direction::Above) => {
            window.ratio(rule.signal).map(|(hits, of)| Bad { samples: hits, of, allowed: limit })
        }
        (Shape::Ratio, Direction::Below) => {
            window.ratio(rule.signal).map(|(hits, of)| Bad { samples: of - hits, of, allowed: 1.0 - limit })
        }
        (Shape::Quantile(measure, q), Direction::Above) => {
            let (samples, of) = window.exceedance(measure, in_measure(measure, limit));
            Some(Bad { samples, of, allowed: 1.0 - q })
        }
        (Shape::Quantile(measure, q), Direction::Below) => {
            let values = window.values(measure);
            Some(Bad { samples: values.count_below(in_measure(measure, limit)), of: values.count(), allowed: q })
        }
        (Shape::Mean(_), Direction::Above | Direction::Below) => None,
    }
}

/// Whether the whole 95 % interval is beyond the limit.
fn breaches(rule: &Rule, window: &Window, limit: f64) -> bool {
    if let Some(bad) = bad(rule, window, limit) {
        // No bad sample breaches nothing, not even a limit of zero.
        return bad.samples > 0 && wilson(small(bad.samples), small(bad.of)).0 > bad.allowed;
    }
    deviation_of_mean(rule, window, limit) > Z
}

/// Whether the window is further from the baseline than chance takes it. A baseline that is itself beyond the limit
/// excuses nothing.
fn differs(rule: &Rule, window: &Window, baseline: Option<&Window>, limit: f64, deviation: f64) -> bool {
    let Some(baseline) = baseline else { return true };
    if let (Some(now), Some(before)) = (bad(rule, window, limit), bad(rule, baseline, limit)) {
        // Half a sample more than there were: nothing is impossible because it has not happened yet.
        let expected = (number(before.samples) + 0.5) / (number(before.of) + 1.0);
        return expected >= now.allowed || deviation_of_share(now.samples, now.of, expected) >= deviation;
    }
    let Some(expected) = baseline.estimate(rule.signal).map(|estimate| estimate.value) else { return true };
    let good = match rule.direction {
        Direction::Above => expected < limit,
        Direction::Below => expected > limit,
    };
    !good || deviation_of_mean(rule, window, expected) >= deviation
}

/// How many standard deviations `bad` of `of` lies above an expected share: the signed root of the binomial
/// log-likelihood ratio (Wilks 1938), which stays honest for small counts where the normal score does not.
fn deviation_of_share(bad: u64, of: u64, expected: f64) -> f64 {
    let found = share(bad, of.max(1));
    if found <= expected {
        return 0.0;
    }
    let term = |found: f64, expected: f64| if found > 0.0 { found * (found / expected).ln() } else { 0.0 };
    (2.0 * number(of) * (term(found, expected) + term(1.0 - found, 1.0 - expected))).sqrt()
}

/// How many standard errors the window's mean lies beyond `expected` on the bad side.
fn deviation_of_mean(rule: &Rule, window: &Window, expected: f64) -> f64 {
    let Shape::Mean(measures) = rule.signal.shape() else { return 0.0 };
    let Some((mean, error)) = window.mean(measures) else { return 0.0 };
    let beyond = match rule.direction {
        Direction::Above => mean - expected,
        Direction::Below => expected - mean,
    };
    // Equal values have no error; the difference is then as certain as it gets.
    if beyond > 0.0 { beyond / error } else { 0.0 }
}

/// A limit in the unit of its measure.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast stops at the ends of the range")]
fn in_measure(measure: Measure, limit: f64) -> u64 {
    (limit * measure.per_unit()).round() as u64
}

#[cfg(test)]
mod tests;

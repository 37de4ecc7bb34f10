//! Rules and what they find: a signal of one window against a limit, with the statistics that say whether the
//! difference could be chance.
//!
//! A window breaches a limit when both hold:
//! 1. the whole 95 % interval is beyond the limit. For a quantile the share of values beyond the limit is tested:
//!    p95 is above L when more than 5 % of the values are, by the same interval;
//! 2. where there is a baseline on the good side of the limit, the window is not what chance makes of the baseline
//!    in a week: see [`EVIDENCE_MIN`]. The first test alone would be wrong once in 40 looks, and a rule looks 60 000
//!    times a week.

use std::time::Duration;

use super::incident::{Class, Severity};
use super::signal::{Measure, Shape, Signal};
use super::statistics::{Z, wilson};
use super::window::{Nested, Window, number, share, small};

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

impl Rule {
    /// Whether the rule watches `feature`; the whole service counts as a feature called `_all`.
    #[must_use]
    pub fn applies_to(&self, feature: &str) -> bool {
        self.features.is_empty() || self.features.iter().any(|glob| matches(glob.as_bytes(), feature.as_bytes()))
    }

    /// SHA-256 of everything that makes the rule, lowercase hex: two frames with the same digest were raised by the
    /// same rule.
    #[must_use]
    pub fn sha256(&self) -> String {
        super::canonical::sha256_hex(format!("{self:?}").as_bytes())
    }
}

/// Whether `text` matches a glob of `*`, `?` and plain characters.
fn matches(glob: &[u8], text: &[u8]) -> bool {
    match (glob, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => matches(rest, text) || (!text.is_empty() && matches(glob, &text[1..])),
        ([b'?', glob @ ..], [_, text @ ..]) => matches(glob, text),
        ([one, glob @ ..], [other, text @ ..]) if one == other => matches(glob, text),
        _ => false,
    }
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

impl Direction {
    /// Whether `value` is on the bad side of `limit`.
    #[must_use]
    pub fn beyond(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Above => value > limit,
            Self::Below => value < limit,
        }
    }
}

impl Verdict {
    /// What was estimated; `None` with too few samples.
    #[must_use]
    pub fn estimate(&self) -> Option<Estimate> {
        match self {
            Self::InsufficientData { .. } => None,
            Self::Healthy { estimate } | Self::Breached { estimate, .. } => Some(*estimate),
        }
    }

    /// The limit that is breached; `None` when none is.
    #[must_use]
    pub fn limit(&self) -> Option<f64> {
        match self {
            Self::InsufficientData { .. } | Self::Healthy { .. } => None,
            Self::Breached { limit, .. } => Some(*limit),
        }
    }
}

/// Evidence against a good baseline that a breach needs beyond `ln(samples)`, nats of log-likelihood ratio. The
/// logarithm pays for the looks: the more samples a window has, the more different windows a week has. By it six bad
/// of ten are no chance where 8 % are usual, and eleven of thirty are.
pub const EVIDENCE_MIN: f64 = 6.4;

/// A baseline with fewer samples does not excuse a window that breaches a fixed limit.
pub const EXCUSE_SAMPLES_MIN: u64 = 100;

/// The recent windows of [`judge_nested`] need this many times the rule's samples: a short window with few samples is
/// wrong more often.
const RECENT_SAMPLES_FACTOR: u64 = 2;

/// Judges one window. With a fixed and a learned limit, the fixed one is tried first.
#[must_use]
pub fn judge(rule: &Rule, window: &Window, baseline: Option<&Window>) -> Verdict {
    let samples = window.samples(rule.signal);
    let Some(estimate) = window.estimate(rule.signal).filter(|_| samples >= rule.samples_min) else {
        return Verdict::InsufficientData { samples };
    };
    let baseline = baseline.filter(|baseline| baseline.samples(rule.signal) > 0);
    let excuse = baseline.filter(|baseline| baseline.samples(rule.signal) >= EXCUSE_SAMPLES_MIN);
    // Where any hit counts, none is excused by those there were before.
    let fixed = rule.limit.fixed.map(|limit| (limit, false, excuse.filter(|_| limit != 0.0)));
    let learned = baseline.and_then(|baseline| learned_limit(rule, baseline));
    let learned = learned.map(|limit| (limit, true, baseline));
    let breach = [fixed, learned].into_iter().flatten().find(|(limit, _, baseline)| {
        breaches(rule, window, *limit) && baseline.is_none_or(|baseline| differs(rule, window, baseline, *limit))
    });
    match breach {
        Some((limit, learned, _)) => Verdict::Breached { estimate, limit, learned },
        None => Verdict::Healthy { estimate },
    }
}

/// Judges a window together with those nested around it. With enough traffic, its last minute tells what the whole
/// would take minutes to tell; with little, one of twice the length gathers what the window alone does not, and counts
/// while the window itself still is on the wrong side of the limit. The first breach is the verdict, else what the window says.
#[must_use]
pub fn judge_nested(rule: &Rule, nested: &Nested, baseline: Option<&Window>) -> Verdict {
    let enough = rule.samples_min.saturating_mul(RECENT_SAMPLES_FACTOR);
    let recent = nested.recent.iter().filter(|window| window.samples(rule.signal) >= enough);
    let breach = |window: &Window| match judge(rule, window, baseline) {
        breach @ Verdict::Breached { .. } => Some(breach),
        Verdict::Healthy { .. } | Verdict::InsufficientData { .. } => None,
    };
    let now = judge(rule, &nested.window, baseline);
    let going_on = |breach: &Verdict| match (now.estimate(), breach.limit()) {
        (Some(estimate), Some(limit)) => rule.direction.beyond(estimate.value, limit),
        (None, _) | (_, None) => false,
    };
    let early = recent.filter_map(breach);
    let patient = breach(&nested.extended).filter(going_on);
    match now {
        Verdict::Breached { .. } => now,
        Verdict::Healthy { .. } | Verdict::InsufficientData { .. } => early.chain(patient).next().unwrap_or(now),
    }
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
    standard_errors(rule, window, limit) > Z
}

/// Whether the window is further from the baseline than a week of chance takes it. A baseline that is itself beyond
/// the limit explains nothing.
fn differs(rule: &Rule, window: &Window, baseline: &Window, limit: f64) -> bool {
    let needed = EVIDENCE_MIN + number(window.samples(rule.signal).max(1)).ln();
    if let (Some(now), Some(before)) = (bad(rule, window, limit), bad(rule, baseline, limit)) {
        // Half a sample more than there were: nothing is impossible because it has not happened yet.
        let expected = (number(before.samples) + 0.5) / (number(before.of) + 1.0);
        return expected >= now.allowed || evidence(now.samples, now.of, expected) >= needed;
    }
    let Some(expected) = baseline.estimate(rule.signal).map(|estimate| estimate.value) else { return true };
    rule.direction.beyond(expected, limit) || standard_errors(rule, window, expected).powi(2) / 2.0 >= needed
}

/// Log-likelihood ratio of `bad` of `of` against an expected share, nats: honest for small counts, where the normal
/// approximation is not (Wilks 1938).
fn evidence(bad: u64, of: u64, expected: f64) -> f64 {
    let found = share(bad, of.max(1));
    if found <= expected {
        return 0.0;
    }
    let term = |found: f64, expected: f64| if found > 0.0 { found * (found / expected).ln() } else { 0.0 };
    number(of) * (term(found, expected) + term(1.0 - found, 1.0 - expected))
}

/// How many standard errors the window's mean lies beyond `value` on the bad side.
fn standard_errors(rule: &Rule, window: &Window, value: f64) -> f64 {
    let Shape::Mean(measures) = rule.signal.shape() else { return 0.0 };
    let Some((mean, error)) = window.mean(measures) else { return 0.0 };
    let beyond = match rule.direction {
        Direction::Above => mean - value,
        Direction::Below => value - mean,
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

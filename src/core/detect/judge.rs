//! Judging by windows: is the whole interval beyond the limit, and is that more than a week of chance makes of the
//! baseline?

use super::{Direction, Limit, Relative, Rule, Source, Verdict};
use crate::core::signal::{Measure, Shape, Signal};
use crate::core::statistics::{Z, wilson};
use crate::core::window::{Nested, Window, number, share, small};

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
    judge_by(rule, &rule.limit, window, baseline)
}

pub(super) fn judge_by(rule: &Rule, limit: &Limit, window: &Window, baseline: Option<&Window>) -> Verdict {
    let samples = window.samples(rule.signal);
    let Some(estimate) = window.estimate(rule.signal).filter(|_| samples >= rule.samples_min) else {
        return Verdict::InsufficientData { samples };
    };
    let baseline = baseline.filter(|baseline| baseline.samples(rule.signal) > 0);
    let excuse = baseline.filter(|baseline| baseline.samples(rule.signal) >= EXCUSE_SAMPLES_MIN);
    // Where any hit counts, none is excused by those there were before.
    let fixed = limit.fixed.map(|limit| (limit, Source::Fixed, excuse.filter(|_| limit != 0.0)));
    let learned = baseline.and_then(|baseline| {
        let limit = relative_limit(rule, limit.baseline?, baseline)?;
        Some((limit, Source::Learned { time: baseline.to.since(baseline.from) }, Some(baseline)))
    });
    let breach = [fixed, learned].into_iter().flatten().find(|(limit, _, baseline)| {
        breaches(rule, window, *limit) && baseline.is_none_or(|baseline| differs(rule, window, baseline, *limit))
    });
    match breach {
        Some((limit, source, _)) => Verdict::Breached { estimate, limit, source },
        None => Verdict::Healthy { estimate },
    }
}

/// Judges a window together with those nested around it. With enough traffic, its last minute tells what the whole
/// would take minutes to tell; with little, one of twice the length gathers what the window alone does not, and counts
/// while the window itself still is on the wrong side of the limit. The first breach is the verdict, else what the window says.
#[must_use]
pub fn judge_nested(rule: &Rule, nested: &Nested, baseline: Option<&Window>) -> Verdict {
    judge_nested_by(rule, &rule.limit, nested, baseline)
}

/// The same by other limits than the rule's own.
pub(super) fn judge_nested_by(rule: &Rule, limit: &Limit, nested: &Nested, baseline: Option<&Window>) -> Verdict {
    let enough = rule.samples_min.saturating_mul(RECENT_SAMPLES_FACTOR);
    let recent = nested.recent.iter().filter(|window| window.samples(rule.signal) >= enough);
    let breach = |window: &Window| match judge_by(rule, limit, window, baseline) {
        breach @ Verdict::Breached { .. } => Some(breach),
        Verdict::Healthy { .. } | Verdict::InsufficientData { .. } => None,
    };
    let now = judge_by(rule, limit, &nested.window, baseline);
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
    relative_limit(rule, rule.limit.baseline?, baseline)
}

fn relative_limit(rule: &Rule, relative: Relative, baseline: &Window) -> Option<f64> {
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
pub(in crate::core) struct Bad {
    pub(in crate::core) samples: u64,
    pub(in crate::core) of: u64,
    pub(in crate::core) allowed: f64,
}

/// A window against a limit as a share of bad samples; `None` for a mean.
pub(in crate::core) fn bad(signal: Signal, direction: Direction, window: &Window, limit: f64) -> Option<Bad> {
    match (signal.shape(), direction) {
        (Shape::Ratio, Direction::Above) => {
            window.ratio(signal).map(|(hits, of)| Bad { samples: hits, of, allowed: limit })
        }
        (Shape::Ratio, Direction::Below) => {
            window.ratio(signal).map(|(hits, of)| Bad { samples: of - hits, of, allowed: 1.0 - limit })
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

/// A window on the bad side of a rule.
pub(super) fn of_rule(rule: &Rule, window: &Window, limit: f64) -> Option<Bad> {
    bad(rule.signal, rule.direction, window, limit)
}

/// Whether the whole 95 % interval is beyond the limit.
pub(super) fn breaches(rule: &Rule, window: &Window, limit: f64) -> bool {
    if let Some(bad) = of_rule(rule, window, limit) {
        // No bad sample breaches nothing, not even a limit of zero.
        return bad.samples > 0 && wilson(small(bad.samples), small(bad.of)).0 > bad.allowed;
    }
    standard_errors(rule, window, limit) > Z
}

/// Whether the window is further from the baseline than a week of chance takes it. A baseline that is itself beyond
/// the limit explains nothing.
fn differs(rule: &Rule, window: &Window, baseline: &Window, limit: f64) -> bool {
    let needed = EVIDENCE_MIN + number(window.samples(rule.signal).max(1)).ln();
    if let (Some(now), Some(before)) = (of_rule(rule, window, limit), of_rule(rule, baseline, limit)) {
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

//! Rules and what they find: a signal against limits, with the statistics that say whether the difference could be chance.
//!
//! [`Watch`] judges one rule on one feature at the end of every slot. A limit that is a slack beyond the learned baseline is
//! judged by a [`Sequential`] test, which needs no window; a burn rate by two windows, as the SRE workbook has it; a fixed
//! limit, and one relative to the last good hour, by windows. A window breaches a limit when both hold:
//! 1. the whole 95 % interval is beyond the limit. For a quantile the share of values beyond the limit is tested:
//!    p95 is above L when more than 5 % of the values are, by the same interval;
//! 2. where there is a baseline on the good side of the limit, the window is not what chance makes of the baseline
//!    in a week: see [`EVIDENCE_MIN`]. The first test alone would be wrong once in 40 looks, and a rule looks 60 000
//!    times a week.

mod judge;
mod sequential;
mod watch;

pub(super) use judge::{Bad, bad};
pub use judge::{EVIDENCE_MIN, EXCUSE_SAMPLES_MIN, judge, judge_nested, learned_limit};
pub use sequential::{Excursion, SHARES, Sequential, Step, THRESHOLD, threshold};
pub use watch::{EXCURSION_SAMPLES_MIN, Seen, Watch};

use std::fmt;
use std::time::Duration;

use super::incident::{Class, Severity};
use super::signal::Signal;

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
    /// Where that window has fewer samples, the newest so many are judged, as far as the long window reaches; 0 for none.
    pub window_samples: u64,
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
        is_among(&self.features, feature)
    }

    /// SHA-256 of everything that makes the rule, lowercase hex: two frames with the same digest were raised by the
    /// same rule.
    #[must_use]
    pub fn sha256(&self) -> String {
        super::canonical::sha256_hex(format!("{self:?}").as_bytes())
    }
}

/// Whether `feature` is one of those that the globs name; none name all.
pub(crate) fn is_among(globs: &[impl AsRef<str>], feature: &str) -> bool {
    globs.is_empty() || globs.iter().any(|glob| matches(glob.as_ref().as_bytes(), feature.as_bytes()))
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

/// When a value is out of bounds. With several parts set, whichever is breached first counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limit {
    /// A fixed value in the signal's unit.
    pub fixed: Option<f64>,
    /// A bound relative to the last-good baseline. With a slack it stands in until the slack's baseline is learned.
    pub baseline: Option<Relative>,
    /// Failures beyond the seasonal baseline by this share at least, or by what the signal wanders by itself, found by a
    /// sequential test. For a share it is the signal's, for a quantile the share of values beyond the last good quantile.
    pub slack: Option<f64>,
    /// A burn rate of an error budget.
    pub burn_rate: Option<BurnRate>,
}

/// How fast an error budget burns (The Site Reliability Workbook, chapter 5): breached while the failures of the rule's
/// window, and of the twelfth of it that ends with it, exceed `factor x (1 - objective)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BurnRate {
    /// Share of good samples that is promised.
    pub objective: f64,
    /// How many times faster than the promise allows the budget burns.
    pub factor: f64,
}

impl BurnRate {
    /// The share of failures at which it burns that fast; beyond 1 it never does.
    #[must_use]
    pub fn failures(self) -> f64 {
        self.factor * (1.0 - self.objective)
    }
}

/// A limit in force and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// In the signal's unit; `None` while it is not known.
    pub value: Option<f64>,
    /// Where it comes from.
    pub source: Source,
}

/// Where a limit comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source {
    /// The configuration.
    Fixed,
    /// An error budget and a burn rate of this factor.
    BurnRate {
        /// The factor.
        factor: f64,
    },
    /// What the feature is used to.
    Learned {
        /// How much good time it was learned from.
        time: Duration,
    },
    /// It will be learned.
    InsufficientData,
}

/// `fixed`, `burn rate 14.4`, `learned from 3 d`, `insufficient_data`.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed => f.write_str("fixed"),
            Self::BurnRate { factor } => write!(f, "burn rate {factor}"),
            Self::InsufficientData => f.write_str("insufficient_data"),
            Self::Learned { time } => {
                let minutes = time.as_secs() / 60;
                match minutes {
                    0..120 => write!(f, "learned from {minutes} min"),
                    120..2_880 => write!(f, "learned from {} h", minutes / 60),
                    _ => write!(f, "learned from {} d", minutes / 1_440),
                }
            }
        }
    }
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
        /// Where the limit comes from.
        source: Source,
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

    /// Where the breached limit comes from; `None` when none is breached.
    #[must_use]
    pub fn source(&self) -> Option<Source> {
        match self {
            Self::InsufficientData { .. } | Self::Healthy { .. } => None,
            Self::Breached { source, .. } => Some(*source),
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

#[cfg(test)]
mod tests;

//! Rules and what they find: a signal of one window against a limit, with the statistics that say whether the
//! difference could be chance.

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

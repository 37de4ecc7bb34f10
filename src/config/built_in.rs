//! The built-in rules and breakers, as `core` defines them, and what the file may call their parts.

use super::Breaker;
use super::named::Named;
use crate::core::breaker::{Mode, Policy};
use crate::core::detect::{Direction, Limit, Relative, Rule};
use crate::core::incident::{Class, Severity};
use crate::core::signal::Signal;
use std::time::Duration;

/// The rules that apply unless the file says otherwise.
pub(super) fn rules() -> Vec<Rule> {
    vec![Rule {
        name: "LLMQualityLow".into(),
        class: Class::QualityDegradation,
        severity: Severity::Sev2,
        signal: Signal::Quality,
        direction: Direction::Below,
        limit: Limit { fixed: Some(0.8), baseline: Some(Relative::Delta(-0.1)) },
        window: Duration::from_secs(300),
        hold: Duration::from_secs(60),
        keep_firing: Duration::from_secs(120),
        samples_min: 30,
        features: Vec::new(),
        summary: "Answers got worse.".into(),
    }]
}

/// One breaker a class.
pub(super) fn breakers() -> Vec<Breaker> {
    let policy = Policy { mode: Mode::Shadow, open_for: Duration::from_secs(60), probe_share: 0.1, probes: 10 };
    Class::ALL.into_iter().map(|class| Breaker { class, policy, route: None }).collect()
}

/// Whether the signal is a share from 0 to 1.
pub(super) fn is_ratio(signal: Signal) -> bool {
    matches!(signal, Signal::Quality | Signal::ErrorRatio)
}

impl Named for Signal {
    fn all() -> &'static [Self] {
        &[Self::Quality, Self::ErrorRatio, Self::LatencyP95]
    }

    fn name(self) -> &'static str {
        match self {
            Self::Quality => "quality",
            Self::ErrorRatio => "error_ratio",
            _ => "latency_p95",
        }
    }
}

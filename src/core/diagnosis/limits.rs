//! The absolute limits of one request, from the alert rules that apply to its feature.

use crate::core::detect::{Direction, Rule};
use crate::core::rules;
use crate::core::signal::Signal;

/// Limits that a single request can be held against, in the signals' units.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// Seconds of latency.
    pub latency: Option<f64>,
    /// US dollars.
    pub cost: Option<f64>,
    /// Input and output tokens.
    pub tokens: Option<f64>,
    /// Best score of a retrieval, at least.
    pub retrieval_score: Option<f64>,
}

impl Limits {
    /// The strictest fixed limits among the rules that apply to `feature`.
    #[must_use]
    pub fn of<'a>(rules: impl IntoIterator<Item = &'a Rule>, feature: &str) -> Self {
        let mut limits = Self::default();
        for rule in rules.into_iter().filter(|it| it.applies_to(feature)) {
            let Some(place) = limits.place(rule.signal) else { continue };
            let stricter = match rule.direction {
                Direction::Above => f64::min,
                Direction::Below => f64::max,
            };
            let Some(fixed) = rule.limit.fixed else { continue };
            *place = Some(place.map_or(fixed, |before| stricter(before, fixed)));
        }
        limits
    }

    /// The limit that an alert's signal breached; none of a signal that a single request has not.
    #[must_use]
    pub fn breached(signal: Signal, limit: f64) -> Self {
        let mut limits = Self::default();
        if let Some(place) = limits.place(signal) {
            *place = Some(limit);
        }
        limits
    }

    fn place(&mut self, signal: Signal) -> Option<&mut Option<f64>> {
        match signal {
            Signal::LatencyP95 => Some(&mut self.latency),
            Signal::CostPerRequest => Some(&mut self.cost),
            Signal::TokensPerRequest => Some(&mut self.tokens),
            Signal::RetrievalScoreP50 => Some(&mut self.retrieval_score),
            _ => None,
        }
    }

    /// Those of the built-in rules.
    #[must_use]
    pub fn built_in() -> Self {
        Self::of(&rules::built_in(), "")
    }
}

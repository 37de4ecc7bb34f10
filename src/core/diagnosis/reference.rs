//! What is usual for a feature: the other side of a comparison. Built from requests in order of time, in bounded memory.

use crate::core::histogram::{Distribution, Histogram, Previous};
use crate::core::measurement::{self, Measurement};
use crate::core::request::{Outcome, Request};
use crate::core::signal::Measure;
use crate::core::time::UnixNanos;

/// Requests without which nothing is usual; as for a baseline of the windows.
pub const REQUESTS_MIN: u64 = crate::core::window::BASELINE_REQUESTS_MIN;
/// Requests in a row that make a prompt version the one in service.
const SETTLED_RUN: u32 = 20;
/// Changes of the version in service that are remembered; the oldest are forgotten first.
const SETTLEMENTS_MAX: usize = 64;

/// Requests of one feature in the making.
#[derive(Debug, Default)]
pub struct Gathering {
    requests: u64,
    latency: Histogram,
    cost: Histogram,
    tokens: Histogram,
    score: Histogram,
    /// The version of the requests just read, and how many in a row had it.
    run: Option<(Box<str>, u32)>,
    settlements: Vec<(UnixNanos, Box<str>)>,
}

/// What is usual for one feature. Failed requests count for nothing but their number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reference {
    /// Requests it is made of.
    pub requests: u64,
    /// Microseconds.
    pub latency: Distribution,
    /// Millionths of a US dollar.
    pub cost: Distribution,
    /// Input and output tokens.
    pub tokens: Distribution,
    /// Best score of each retrieval, thousandths.
    pub score: Distribution,
    /// When which prompt version came into service, in order of time.
    settlements: Vec<(UnixNanos, Box<str>)>,
}

impl Gathering {
    /// Takes in the next request of the feature.
    pub fn add(&mut self, request: &Request) {
        self.requests += 1;
        if request.outcome == Outcome::Error {
            return;
        }
        let mut tokens = None;
        measurement::of_request(request, false, |measurement| {
            let Measurement::Value(measure, value) = measurement else { return };
            match measure {
                Measure::Latency => self.latency.record(value),
                Measure::Cost => self.cost.record(value),
                Measure::RetrievalScore => self.score.record(value),
                Measure::InputTokens | Measure::OutputTokens => {
                    tokens = Some(tokens.unwrap_or(0u64).saturating_add(value))
                }
                _ => {}
            }
        });
        tokens.into_iter().for_each(|tokens| self.tokens.record(tokens));
        self.version(request);
    }

    /// What is usual, as far as it was read.
    #[must_use]
    pub fn reference(&self) -> Reference {
        let all = |histogram: &Histogram| histogram.since(&mut Previous::default());
        Reference {
            requests: self.requests,
            latency: all(&self.latency),
            cost: all(&self.cost),
            tokens: all(&self.tokens),
            score: all(&self.score),
            settlements: self.settlements.clone(),
        }
    }

    /// A version is in service once it was used so many times in a row.
    fn version(&mut self, request: &Request) {
        let Some(version) = &request.prompt.version else { return };
        let in_row = match &self.run {
            Some((before, in_row)) if before == version => in_row + 1,
            _ => 1,
        };
        self.run = Some((version.clone(), in_row));
        if in_row == SETTLED_RUN && self.settlements.last().is_none_or(|(_, last)| last != version) {
            if self.settlements.len() == SETTLEMENTS_MAX {
                self.settlements.remove(0);
            }
            self.settlements.push((request.started_at, version.clone()));
        }
    }
}

impl Reference {
    /// Whether it is made of enough requests to compare with.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        self.requests >= REQUESTS_MIN
    }

    /// The version in service at `at`, when `version` is one that it had replaced by then. A version that never was in
    /// service is a new one on trial, and one that is about to come back is no straggler.
    #[must_use]
    pub fn replaced_by(&self, version: &str, at: UnixNanos) -> Option<&str> {
        let by_then = self.settlements.partition_point(|(since, _)| *since <= at);
        let (before, after) = self.settlements.split_at(by_then);
        let ((_, current), former) = before.split_last()?;
        let was_former = former.iter().any(|(_, it)| **it == *version);
        let comes_back = after.first().is_some_and(|(_, it)| **it == *version);
        (was_former && !comes_back && **current != *version).then_some(&**current)
    }
}

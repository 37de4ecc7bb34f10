//! The failures among requests, most severe first, with the reason and how far each kind reaches.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::core::diagnosis::{Diagnosis, Mode};
use crate::core::request::{Request, TraceId};
use crate::core::time::UnixNanos;

/// Failures told one by one, those of the most severe modes; the others are counted.
pub const FAILURES_MAX: usize = 1_000;
/// Features told apart when counting.
const FEATURES_MAX: usize = 256;

/// The failures among requests.
#[derive(Debug, Default)]
pub struct Ranking {
    failures: BTreeMap<(usize, UnixNanos, TraceId, u64), Failure>,
    /// Requests of each feature, and of each of its modes.
    features: BTreeMap<Box<str>, (u64, BTreeMap<Mode, u64>)>,
    requests: u64,
    failed: u64,
}

/// One failure.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Which request.
    pub trace_id: TraceId,
    /// Its feature.
    pub feature: Box<str>,
    /// When it began.
    pub started_at: UnixNanos,
    /// What is wrong.
    pub diagnosis: Diagnosis,
}

impl Ranking {
    /// Counts a request, and keeps it if it failed.
    pub fn add(&mut self, request: &Request, diagnosis: Diagnosis) {
        self.requests += 1;
        let mode = diagnosis.mode;
        if self.features.len() < FEATURES_MAX || self.features.contains_key(&request.feature) {
            let (requests, modes) = self.features.entry(request.feature.clone()).or_default();
            *requests += 1;
            *modes.entry(mode).or_default() += 1;
        }
        if mode == Mode::Healthy {
            return;
        }
        self.failed += 1;
        let (trace_id, started_at) = (request.trace_id, request.started_at);
        let failure = Failure { trace_id, feature: request.feature.clone(), started_at, diagnosis };
        self.failures.insert((mode.rank(), started_at, trace_id, self.failed), failure);
        if self.failures.len() > FAILURES_MAX {
            self.failures.pop_last();
        }
    }

    /// Requests seen.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Failures that are only counted.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.failed - self.failures.len() as u64
    }

    /// The failures: the more severe mode first, of one mode that which hits the larger share of its feature, then in
    /// order of time.
    #[must_use]
    pub fn failures(&self) -> Vec<&Failure> {
        let mut failures: Vec<&Failure> = self.failures.values().collect();
        let share = |it: &Failure| self.reach(it).map_or(0, |(hit, of)| hit.saturating_mul(1_000_000) / of.max(1));
        failures.sort_by_key(|it| (it.diagnosis.mode.rank(), std::cmp::Reverse(share(it))));
        failures
    }

    /// How many requests of the failure's feature have its mode, and how many there are; `None` of a feature beyond
    /// those told apart.
    #[must_use]
    pub fn reach(&self, failure: &Failure) -> Option<(u64, u64)> {
        let (requests, modes) = self.features.get(&failure.feature)?;
        Some((modes.get(&failure.diagnosis.mode).copied().unwrap_or_default(), *requests))
    }

    /// The ranking as a document.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let failure = |(place, it): (usize, &Failure)| {
            let reach = self.reach(it).map(|(hit, of)| json!({ "requests": hit, "of": of }));
            json!({
                "place": place + 1,
                "trace_id": it.trace_id.to_string(),
                "feature": it.feature,
                "started_at": it.started_at.to_string(),
                "reach": reach,
                "diagnosis": it.diagnosis.to_json(),
            })
        };
        let failures: Vec<Json> = self.failures().into_iter().enumerate().map(failure).collect();
        json!({ "requests": self.requests, "failed": self.failed, "left_out": self.left_out(), "failures": failures })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::diagnosis::{self, Terms};
    use crate::core::request::tests::request;
    use crate::core::request::{ModelCall, Outcome};

    /// A request of the second `n` of a feature.
    fn asked(feature: &str, n: u32, outcome: Outcome) -> Request {
        let mut trace_id = [0; 16];
        trace_id[12..].copy_from_slice(&n.to_be_bytes());
        Request {
            trace_id: TraceId(trace_id),
            feature: feature.into(),
            started_at: UnixNanos(u64::from(n) * 1_000_000_000),
            outcome,
            calls: vec![ModelCall::default()],
            ..request()
        }
    }

    fn ranked(requests: impl IntoIterator<Item = Request>) -> Ranking {
        let mut ranking = Ranking::default();
        for request in requests {
            let diagnosis = diagnosis::of(&request, &Terms::default());
            ranking.add(&request, diagnosis);
        }
        ranking
    }

    /// Proves the order: the mode, then the share of the feature, then time; healthy requests only count.
    #[test]
    fn severe_before_widespread_before_early() {
        let ranking = ranked([
            asked("wide", 1, Outcome::Ok),
            asked("wide", 2, Outcome::Ok),
            asked("wide", 3, Outcome::Refused),
            asked("wide", 4, Outcome::Error),
            asked("narrow", 5, Outcome::Error),
            asked("narrow", 6, Outcome::Error),
        ]);
        let failures = ranking.failures();
        let order: Vec<u64> = failures.iter().map(|it| it.started_at.0 / 1_000_000_000).collect();
        assert_eq!((order, ranking.requests(), ranking.left_out()), (vec![5, 6, 4, 3], 6, 0));
        assert_eq!(
            failures.iter().map(|it| ranking.reach(it).unwrap()).collect::<Vec<_>>(),
            [(2, 2), (2, 2), (1, 4), (1, 4)]
        );
    }

    /// Proves that beyond the limit the less severe are left out, whenever they came, and counted.
    #[test]
    fn the_most_severe_are_kept() {
        let most = u32::try_from(FAILURES_MAX).unwrap();
        let refused = (0..most).map(|n| asked("chat", n, Outcome::Refused));
        let failed = (most..most + 10).map(|n| asked("chat", n, Outcome::Error));
        let ranking = ranked(refused.chain(failed));
        let failures = ranking.failures();
        assert_eq!((failures.len(), ranking.left_out()), (FAILURES_MAX, 10));
        assert!(failures[..10].iter().all(|it| it.diagnosis.mode == Mode::ProviderError));
        assert_eq!(ranking.to_json()["failed"], most + 10);
    }
}

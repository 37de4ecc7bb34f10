//! Completeness of the recent past, so that a gap that was closed is seen to be closed.

use std::time::Duration;

use super::{Completeness, Observation};
use crate::core::request::{Evaluation, Feedback};
use crate::core::time::UnixNanos;

/// Counts over one to two lengths of time: the current one and the one before. Without traffic the last counts stay.
#[derive(Clone, Debug)]
pub struct Recent {
    length: Duration,
    since: UnixNanos,
    current: Completeness,
    previous: Completeness,
}

impl Recent {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(length: Duration) -> Self {
        let [current, previous] = Default::default();
        Self { length, since: UnixNanos(0), current, previous }
    }

    /// Counts one request that ended at about `now`.
    pub fn add(&mut self, seen: Observation, now: UnixNanos) {
        if now.since(self.since) >= self.length {
            self.since = now;
            self.previous = std::mem::take(&mut self.current);
        }
        self.current.add(seen);
    }

    /// See [`Completeness::hear`].
    pub fn hear(&mut self, evaluations: &[Evaluation], feedback: Option<&Feedback>) {
        let one = if self.current.requests() > 0 { &mut self.current } else { &mut self.previous };
        one.hear(evaluations, feedback);
    }

    /// Both lengths as one.
    #[must_use]
    pub fn completeness(&self) -> Completeness {
        let mut both = self.previous.clone();
        both.merge(&self.current);
        both
    }

    /// Memory at most, bytes.
    #[must_use]
    pub const fn bytes_max() -> usize {
        size_of::<Self>() + 2 * Completeness::bytes_max()
    }
}

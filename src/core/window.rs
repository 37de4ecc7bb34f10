//! Sliding windows and the last-good baseline, made of slots that are differences of lifetime counters.

use std::time::Duration;

/// Lengths of windows and slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Length of a slot, and the interval of evaluation.
    pub slot: Duration,
    /// The short window.
    pub short: Duration,
    /// The long window.
    pub long: Duration,
    /// Length of the last-good baseline.
    pub baseline: Duration,
}

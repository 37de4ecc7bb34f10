//! What a feature is used to: the share of failures of every signal by hour of the day, learned while all is well.
//!
//! The engine learns a slot only when it is older than the short window and no alert of the feature was pending or firing
//! in it, so that an incident that is noticed is not learned as normal. A week of hours is kept a signal: [`BYTES_MAX`] a feature.
//! What is learned survives restarts as [`Baselines::snapshot`].
//!
//! Absent: distributions. A quantile is learned as the share of values beyond the last-good quantile of their time.

mod seasonal;
mod snapshot;

pub use seasonal::{HOURS_MAX, Reference};
pub use snapshot::{FORMAT, RestoreError};

use std::collections::BTreeMap;

use super::detect::{Bad, Direction, bad};
use super::signal::{Shape, Signal};
use super::time::UnixNanos;
use super::window::Window;
use seasonal::Seasonal;

/// The learned rates of one feature's signals.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Baselines {
    series: BTreeMap<Signal, Seasonal>,
}

/// Memory of one feature's baselines at most, bytes.
pub const BYTES_MAX: usize = Signal::N * Seasonal::BYTES_MAX;

impl Baselines {
    /// Learns what was counted in a slot. `last_good` sets the quantiles that values are held against.
    pub fn learn(&mut self, slot: &Window, last_good: Option<&Window>) {
        for signal in Signal::ALL {
            if let Some((bad, of)) = share(signal, slot, last_good).filter(|(_, of)| *of > 0) {
                self.series.entry(signal).or_default().learn(slot.from, slot.to.since(slot.from), bad, of);
            }
        }
    }

    /// What is normal for a signal at `at`, and at least `slack_min` beyond it; `None` while too little is learned.
    /// `direction` is the bad side; all failures are counted on the signal's worse one.
    #[must_use]
    pub fn reference(&self, signal: Signal, direction: Direction, at: UnixNanos, slack_min: f64) -> Option<Reference> {
        let reference = self.series.get(&signal)?.reference(at, slack_min)?;
        Some(if direction == signal.worse() { reference } else { reference.opposite() })
    }

    /// Forgets a signal: after a change that somebody has acknowledged as the new normal.
    pub fn forget(&mut self, signal: Signal) {
        self.series.remove(&signal);
    }
}

/// `(failures, samples)` of a signal on its worse side; `None` for a mean, and for a quantile before there is a good one.
fn share(signal: Signal, window: &Window, last_good: Option<&Window>) -> Option<(u64, u64)> {
    let limit = match signal.shape() {
        Shape::Ratio => 0.0,
        Shape::Quantile(..) => last_good?.estimate(signal)?.value,
        Shape::Mean(_) => return None,
    };
    bad(signal, signal.worse(), window, limit).map(|Bad { samples, of, .. }| (samples, of))
}

#[cfg(test)]
mod tests;

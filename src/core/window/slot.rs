//! One slot, and the sum of many.

use std::time::Duration;

use super::reading::Window;
use crate::core::histogram::{Distribution, Merging};
use crate::core::signal::{Count, Measure};
use crate::core::time::UnixNanos;

/// What was counted in one stretch of time, or in several that were merged.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) from: UnixNanos,
    pub(super) to: UnixNanos,
    /// Time covered: less than `to - from` where stretches in between were left out.
    pub(super) length: Duration,
    /// Whether it may become part of the baseline.
    pub(super) learn: bool,
    pub(super) counts: [u32; Count::N],
    pub(super) values: [Distribution; Measure::N],
}

impl Slot {
    /// Memory of a slot at most.
    pub(super) const BYTES_MAX: usize =
        size_of::<Self>() + Measure::N * (Distribution::KEPT_BYTES_MAX - size_of::<Distribution>());

    /// The point that decides which window it belongs to: ticks are never quite on time, edges would flicker.
    pub(super) fn middle(&self) -> UnixNanos {
        self.from.plus(self.to.since(self.from) / 2)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| *count == 0) && self.values.iter().all(Distribution::is_empty)
    }

    /// The slot as a window of its own.
    pub(super) fn window(&self) -> Window {
        Window::new(self.from, self.to, self.counts.map(u64::from), self.values.clone())
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.from = self.from.min(other.from);
        self.to = self.to.max(other.to);
        self.length += other.length;
        self.learn &= other.learn;
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count = count.saturating_add(more);
        }
        for (values, more) in self.values.iter_mut().zip(&other.values) {
            *values = Distribution::merged([&*values, more]).coarsened();
        }
    }
}

/// A window in the making.
#[derive(Debug, Default)]
pub(super) struct Summing {
    from: Option<UnixNanos>,
    counts: [u64; Count::N],
    values: [Option<Merging>; Measure::N],
}

impl Summing {
    pub(super) fn add(&mut self, slot: &Slot) {
        self.from = Some(self.from.map_or(slot.from, |from| from.min(slot.from)));
        for (count, more) in self.counts.iter_mut().zip(slot.counts) {
            *count += u64::from(more);
        }
        for (values, more) in self.values.iter_mut().zip(&slot.values) {
            if !more.is_empty() {
                values.get_or_insert_with(Merging::new).add(more);
            }
        }
    }

    pub(super) fn window(&self, to: UnixNanos) -> Window {
        let values =
            self.values.each_ref().map(|values| values.as_ref().map(Merging::distribution).unwrap_or_default());
        Window::new(self.from.unwrap_or(to), to, self.counts, values)
    }
}

//! Sliding windows and the last-good baseline, made of slots that are differences of lifetime counters.
//!
//! ```text
//!   baseline pieces          coarse slots                 slots
//!   (learned only)           (a minute each)              (10 s each)
//!   ....|....|....| <------ |....|....|....|....| <------ |.|.|.|.|.|.| <--- now
//!                            `------------- long -------------------'
//!                                                         `- short -'
//! ```
//!
//! A slot that is older than the short window leaves its ring: it is merged into the coarse slots, and into the
//! baseline when it may be learned. So an incident that is only just starting is never learned, and one call with
//! `learn == false` takes the whole short window out of what is learned. The baseline ages by what is learned, not
//! by the clock: while an alert holds, the last good hours stay.

mod reading;
mod slot;

pub use reading::Window;
pub(crate) use reading::{number, share, small};

use std::collections::VecDeque;
use std::time::Duration;

use super::histogram::Previous;
use super::meters::Meters;
use super::signal::{Count, Measure, Signal};
use super::time::UnixNanos;
use slot::{Slot, Summing};

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

/// A window with shorter ones and a longer one that end together.
#[derive(Clone, Debug, PartialEq)]
pub struct Nested {
    /// Its last fifth and its last half.
    pub recent: [Window; 2],
    /// The window itself.
    pub window: Window,
    /// Twice its length, at most the long window.
    pub extended: Window,
}

/// Requests without which a baseline says nothing. Few, so that a feature has one within its first minutes: the
/// comparisons themselves account for how thin it is.
pub const BASELINE_REQUESTS_MIN: u64 = 20;

/// Slots older than the short window are merged to this length.
const COARSE: Duration = Duration::from_secs(60);

/// Pieces the baseline is kept in.
const BASELINE_PIECES: usize = 24;

/// The windows of one feature. Owned by one thread.
#[derive(Debug)]
pub struct Windows {
    policy: Policy,
    counts: [u64; Count::N],
    values: [Previous; Measure::N],
    slots: VecDeque<Slot>,
    coarse: VecDeque<Slot>,
    learned: VecDeque<Slot>,
}

impl Windows {
    /// Empty windows. What the meters hold by the first [`Windows::close_slot`] is the first slot.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            counts: [0; Count::N],
            values: Default::default(),
            slots: VecDeque::new(),
            coarse: VecDeque::new(),
            learned: VecDeque::new(),
        }
    }

    /// Ends a slot at `at`: what `meters` counted since the last call is its content. `learn` is false while an
    /// alert of the feature is pending or firing.
    ///
    /// When the clock has stepped back, everything kept is moved back with it, so that lengths stay true; after a
    /// step forward or a long pause, what is too old then is dropped.
    ///
    /// Returns the slots that are old enough to be learned from now, oldest first.
    pub fn close_slot(&mut self, at: UnixNanos, meters: &Meters, learn: bool) -> Vec<Window> {
        self.follow_clock(at);
        let from = self.slots.back().map_or(at.minus(self.policy.slot), |last| last.to);
        let slot = self.read(from, at, meters, learn);
        self.slots.push_back(slot);
        if !learn {
            self.slots.iter_mut().for_each(|slot| slot.learn = false);
        }
        let mut learned = Vec::new();
        while self.slots.front().is_some_and(|slot| slot.middle() < at.minus(self.policy.short)) {
            let Some(old) = self.slots.pop_front() else { break };
            learned.extend((old.learn && !old.is_empty()).then(|| old.window()));
            self.retire(old);
        }
        while self.coarse.front().is_some_and(|slot| slot.middle() < at.minus(self.policy.long)) {
            self.coarse.pop_front();
        }
        learned
    }

    /// The newest slot.
    #[must_use]
    pub fn newest(&self) -> Window {
        self.slots.back().map_or_else(|| Summing::default().window(self.to()), Slot::window)
    }

    /// The window of length `length`, or the longer one that reaches back until it has `samples` of a signal, at most the
    /// long window.
    #[must_use]
    pub fn reaching(&self, signal: Signal, samples: u64, length: Duration) -> Window {
        let to = self.to();
        let mut summing = Summing::default();
        let mut found = 0;
        for slot in self.slots.iter().rev().chain(self.coarse.iter().rev()) {
            if slot.middle() < to.minus(length) && found >= samples {
                break;
            }
            summing.add(slot);
            found += slot.window().samples(signal);
        }
        summing.window(to)
    }

    /// The short window.
    #[must_use]
    pub fn short(&self) -> Window {
        self.last(self.policy.short)
    }

    /// The long window.
    #[must_use]
    pub fn long(&self) -> Window {
        self.last(self.policy.long)
    }

    /// The window of length `length` that ends with the last slot, at most as long as the long window. Beyond the
    /// short window it starts on a coarse slot.
    #[must_use]
    pub fn last(&self, length: Duration) -> Window {
        let to = self.to();
        self.sum(to.minus(length), to)
    }

    /// Windows around [`Windows::last`] that end together: see [`super::detect::judge_nested`].
    #[must_use]
    pub fn nested(&self, length: Duration) -> Nested {
        let to = self.to();
        let mut summing = Summing::default();
        let mut newest_first = self.slots.iter().rev().chain(self.coarse.iter().rev()).peekable();
        let [fifth, half, window, extended] = [length / 5, length / 2, length, length * 2].map(|length| {
            let from = to.minus(length);
            while let Some(slot) = newest_first.next_if(|slot| slot.middle() >= from) {
                summing.add(slot);
            }
            summing.window(to)
        });
        Nested { recent: [fifth, half], window, extended }
    }

    /// What was counted from `from` until `to`, to the nearest slot, as far back as the long window reaches.
    #[must_use]
    pub fn between(&self, from: UnixNanos, to: UnixNanos) -> Window {
        self.sum(from, to)
    }

    /// The last-good baseline; `None` before [`BASELINE_REQUESTS_MIN`] requests are in it.
    #[must_use]
    pub fn baseline(&self) -> Option<Window> {
        let mut summing = Summing::default();
        self.learned.iter().for_each(|piece| summing.add(piece));
        let window = summing.window(self.learned.back()?.to);
        (window.requests() >= BASELINE_REQUESTS_MIN).then_some(window)
    }

    /// Forgets the baseline: after a change that somebody has acknowledged as the new normal.
    pub fn forget_baseline(&mut self) {
        self.learned.clear();
        self.slots.iter_mut().for_each(|slot| slot.learn = false);
    }

    fn to(&self) -> UnixNanos {
        self.slots.back().map_or(UnixNanos(0), |last| last.to)
    }

    fn sum(&self, from: UnixNanos, to: UnixNanos) -> Window {
        let mut summing = Summing::default();
        let inside = |slot: &&Slot| from <= slot.middle() && slot.middle() < to;
        self.coarse.iter().chain(&self.slots).filter(inside).for_each(|slot| summing.add(slot));
        summing.window(to)
    }

    fn read(&mut self, from: UnixNanos, to: UnixNanos, meters: &Meters, learn: bool) -> Slot {
        let counts = std::array::from_fn(|index| {
            let now = meters.count(Count::ALL[index]);
            let before = std::mem::replace(&mut self.counts[index], now);
            u32::try_from(now.saturating_sub(before)).unwrap_or(u32::MAX)
        });
        let values =
            std::array::from_fn(|index| meters.values(Measure::ALL[index]).since(&mut self.values[index]).coarsened());
        Slot { from, to, length: to.since(from), learn, counts, values }
    }

    /// Moves a slot that left the short window on to the long one and to the baseline.
    fn retire(&mut self, old: Slot) {
        if old.learn && !old.is_empty() {
            let piece = self.policy.baseline / BASELINE_PIECES as u32;
            merge_into(&mut self.learned, old.clone(), piece.max(self.policy.slot));
            while self.learned.len() > BASELINE_PIECES {
                self.learned.pop_front();
            }
        }
        merge_into(&mut self.coarse, old, COARSE.max(self.policy.slot));
    }

    fn follow_clock(&mut self, at: UnixNanos) {
        let Some(last) = self.slots.back() else { return };
        if last.to < at {
            return;
        }
        let step = last.to.since(at) + self.policy.slot;
        let kept = self.slots.iter_mut().chain(&mut self.coarse).chain(&mut self.learned);
        kept.for_each(|slot| (slot.from, slot.to) = (slot.from.minus(step), slot.to.minus(step)));
    }
}

/// Memory of the windows of one feature at most, bytes: every slot full of values all over the range.
#[must_use]
pub fn bytes_max(policy: &Policy) -> usize {
    let slots = |window: Duration, slot: Duration| window.as_nanos().div_ceil(slot.as_nanos().max(1)) as usize + 2;
    let kept = slots(policy.short, policy.slot) + slots(policy.long, COARSE.max(policy.slot)) + BASELINE_PIECES + 1;
    size_of::<Windows>() + kept * Slot::BYTES_MAX
}

/// Appends `slot` to the last of `ring` while that one is shorter than `length`, else as a new one.
fn merge_into(ring: &mut VecDeque<Slot>, slot: Slot, length: Duration) {
    match ring.back_mut().filter(|last| last.length + slot.length <= length) {
        Some(last) => last.merge(&slot),
        None => ring.push_back(slot),
    }
}

#[cfg(test)]
mod tests;

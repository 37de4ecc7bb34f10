//! A sequential test of failures against a null rate: a bank of Bernoulli CUSUMs, one an alternative.
//!
//! Null: a sample fails with a probability of at most `null`, whatever happened before. Alternative: it fails with
//! `null + (1 - null) x share` for one of [`SHARES`]. Each path moves by the log-likelihood ratio of every slot and
//! starts anew at zero (Page, "Continuous inspection schemes", Biometrika 41, 1954); several alternatives side by side
//! find small changes patiently and large ones at once (Lorden, "Procedures for reacting to a change in distribution",
//! Ann. Math. Stat. 42, 1971).
//!
//! Guarantee: while the null holds, at least `exp(threshold)` slots pass between false alarms on average, without
//! samples being independent or equally likely to fail. Each path lies below the logarithm of its Shiryaev-Roberts
//! statistic, whose excess over the number of slots is a supermartingale under the null (Pollak, Ann. Stat. 13, 1985);
//! the bank pays for its size with `ln(paths)`. It is a lower bound: a rate below the null by its slack does far better.
//!
//! Absent: what the null is (see [`super::super::baseline`]), and any clock.

use crate::core::time::UnixNanos;
use crate::core::window::number;

/// Alternatives, as the share of what would have been good that fails.
pub const SHARES: [f64; 5] = [0.02, 0.05, 0.10, 0.20, 0.40];

/// Nats of evidence for an alarm about one series: `exp(10)` slots of ten seconds are two and a half days at the null
/// itself, and a series is hardly ever there.
pub const THRESHOLD: f64 = 10.0;

/// A path rises no further above the alarm than this, nats, so that the end of trouble shows soon, however long it lasted.
const HEADROOM: f64 = 5.0;

/// Nulls outside of these leave no room for an alternative, or none for a failure.
const NULL: std::ops::RangeInclusive<f64> = 1e-6..=0.99;

/// The state of the test.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sequential {
    paths: [Path; SHARES.len()],
}

/// One alternative's path since it was last at zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Path {
    height: f64,
    since: UnixNanos,
    bad: u64,
    of: u64,
}

/// What one slot brought, and what is normal in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Start of the slot.
    pub from: UnixNanos,
    /// Failures in it.
    pub bad: u64,
    /// Samples in it.
    pub of: u64,
    /// The highest rate of failures that is normal.
    pub null: f64,
    /// Evidence for an alarm, nats: [`threshold`].
    pub threshold: f64,
}

/// A path that is high enough for an alarm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Excursion {
    /// Start of the slot in which it left zero: the estimate of the onset (Page 1954).
    pub since: UnixNanos,
    /// Failures since then.
    pub bad: u64,
    /// Samples since then.
    pub of: u64,
}

/// Evidence for an alarm about one of `series` watched together, nats: so many cost no more false alarms than one.
#[must_use]
pub fn threshold(series: usize) -> f64 {
    THRESHOLD + number(series.max(1) as u64).ln()
}

impl Sequential {
    /// Takes in one slot. One without samples, or with a null that is no rate, changes nothing.
    pub fn step(&mut self, step: &Step) {
        if step.of == 0 || !NULL.contains(&step.null) {
            return;
        }
        let bad = step.bad.min(step.of);
        let top = alarm(step.threshold) + HEADROOM;
        for (path, share) in self.paths.iter_mut().zip(SHARES) {
            let rate = step.null + (1.0 - step.null) * share;
            let gain = number(bad) * (rate / step.null).ln() + number(step.of - bad) * (1.0 - share).ln();
            if path.height <= 0.0 {
                *path = Path { since: step.from, ..Path::default() };
            }
            path.height = (path.height + gain).clamp(0.0, top.max(0.0));
            path.bad = path.bad.saturating_add(bad);
            path.of = path.of.saturating_add(step.of);
        }
    }

    /// The highest path beyond the alarm, of those with `samples_min` samples.
    #[must_use]
    pub fn excursion(&self, threshold: f64, samples_min: u64) -> Option<Excursion> {
        let high = self.paths.iter().filter(|path| path.of >= samples_min && path.height >= alarm(threshold));
        // The steeper alternative where several stand at the top: it left zero last and knows the onset best.
        let highest = high.max_by(|a, b| a.height.total_cmp(&b.height))?;
        Some(Excursion { since: highest.since, bad: highest.bad, of: highest.of })
    }

    /// Starts anew: the reference changed, or the trouble is known to be over.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

/// The height of a path that makes an alarm: the bank pays for its size.
fn alarm(threshold: f64) -> f64 {
    threshold.max(0.0) + number(SHARES.len() as u64).ln()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SAMPLES_MIN: u64 = 30;

    fn step(n: u64, bad: u64, of: u64, null: f64) -> Step {
        Step { from: UnixNanos(n), bad, of, null, threshold: THRESHOLD }
    }

    /// The slot of the first alarm, counted from 1, when `bad` of `of` fail in every slot.
    fn slots_to_alarm(bad: u64, of: u64, null: f64) -> Option<u64> {
        let mut test = Sequential::default();
        (1..=100_000).find(|n| {
            test.step(&step(*n, bad, of, null));
            test.excursion(THRESHOLD, SAMPLES_MIN).is_some()
        })
    }

    /// Proves the delays of steady failures: a collapse in one slot, what is half as bad in a few, what is barely beyond
    /// the null patiently, and the null itself never.
    #[test]
    fn the_worse_the_sooner() {
        let table = [
            ((32, 100, 0.10), Some(1)),
            ((10, 10, 0.10), Some(3)),
            ((30, 100, 0.20), Some(5)),
            ((14, 100, 0.10), Some(15)),
            ((12, 100, 0.10), Some(56)),
            ((10, 100, 0.10), None),
            ((0, 100, 0.10), None),
        ];
        for ((bad, of, null), expected) in table {
            assert_eq!(slots_to_alarm(bad, of, null), expected, "{bad} of {of} against {null}");
        }
    }

    /// Proves that an excursion starts where the trouble did, counts what failed since, and ends with it.
    #[test]
    fn an_excursion_begins_with_the_trouble_and_ends_with_it() {
        let mut test = Sequential::default();
        (0..100).for_each(|n| test.step(&step(n, 8, 100, 0.10)));
        (100..2_000).for_each(|n| test.step(&step(n, 32, 100, 0.10)));
        let found = test.excursion(THRESHOLD, SAMPLES_MIN).expect("a third fails");
        assert_eq!((found.since, found.bad, found.of), (UnixNanos(100), 32 * 1_900, 100 * 1_900));
        (2_000..2_012).for_each(|n| test.step(&step(n, 8, 100, 0.10)));
        assert_eq!(test.excursion(THRESHOLD, SAMPLES_MIN), None);
        test.reset();
        assert_eq!(test, Sequential::default());
    }

    /// Proves that few samples are no alarm however bad they are, and that more series ask for more evidence.
    #[test]
    fn few_samples_and_many_series_ask_for_more() {
        let mut test = Sequential::default();
        test.step(&step(0, 29, 29, 0.10));
        assert_eq!(test.excursion(THRESHOLD, SAMPLES_MIN), None);
        assert!(test.excursion(THRESHOLD, 29).is_some());
        assert!((threshold(1) - THRESHOLD).abs() < 1e-12 && threshold(72) > THRESHOLD + 4.0);
        assert!((threshold(0) - THRESHOLD).abs() < 1e-12);
    }

    /// Proves the guarantee where it is tightest, samples at the null itself: a thousand times `exp(4)` slots have fewer
    /// alarms than the bound allows.
    #[test]
    fn false_alarms_at_the_null_are_within_the_bound() {
        use rand::rngs::StdRng;
        use rand::{Rng, SeedableRng};
        const LOW: f64 = 4.0;
        let slots = (LOW.exp() * 1_000.0) as u64;
        let (mut random, mut test, mut alarms) = (StdRng::seed_from_u64(7), Sequential::default(), 0);
        for n in 0..slots {
            let bad = (0..20).filter(|_| random.random::<f64>() < 0.1).count() as u64;
            test.step(&Step { threshold: LOW, ..step(n, bad, 20, 0.1) });
            if test.excursion(LOW, 1).is_some() {
                alarms += 1;
                test.reset();
            }
        }
        assert!(alarms <= 1_000, "{alarms} alarms");
    }

    proptest! {
        /// Proves that no input makes a path anything but a finite number within its bounds.
        #[test]
        fn paths_stay_finite(steps in prop::collection::vec((0_u64..u64::MAX, 0_u64..u64::MAX, any::<f64>(), any::<f64>()), 1..50)) {
            let mut test = Sequential::default();
            for (bad, of, null, threshold) in steps {
                test.step(&Step { from: UnixNanos(0), bad, of, null, threshold });
                prop_assert!(test.paths.iter().all(|path| path.height >= 0.0), "{test:?}");
            }
        }

        /// Proves that worse is never better: one more failure in any slot lowers no path.
        #[test]
        fn worse_is_never_better(slots in prop::collection::vec((0_u64..30, 1_u64..30), 1..40), at in 0_usize..40) {
            let run = |more: usize| {
                let mut test = Sequential::default();
                for (n, (bad, of)) in slots.iter().enumerate() {
                    test.step(&step(n as u64, bad + u64::from(n == more), *of, 0.1));
                }
                test.paths.map(|path| path.height)
            };
            let (usual, worse) = (run(usize::MAX), run(at));
            prop_assert!(usual.iter().zip(&worse).all(|(usual, worse)| worse >= usual));
        }

        /// Proves that a series that never fails more often than its null says, in no slot, never alarms.
        #[test]
        fn below_the_null_is_no_alarm(slots in prop::collection::vec(1_u64..200, 1..500), null in 0.01_f64..0.9) {
            let mut test = Sequential::default();
            for (n, of) in slots.into_iter().enumerate() {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
                let bad = (number(of) * null).floor() as u64;
                test.step(&step(n as u64, bad, of, null));
            }
            prop_assert_eq!(test.excursion(THRESHOLD, SAMPLES_MIN), None);
        }
    }
}

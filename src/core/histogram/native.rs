//! A histogram in the form of Prometheus native histograms
//! (<https://prometheus.io/docs/specs/native_histograms/>, "Exponential histograms").

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use super::Histogram;
use super::layout::{OCTAVE_CELLS, lowest_of};

/// Buckets of one histogram at most; beyond it the resolution is halved, as Prometheus halves it at a scrape.
const BUCKETS_MAX: usize = 160;

/// The finest resolution: eight buckets a power of two, so that the next bound is 9 % above.
const SCHEMA: u8 = 3;

/// Lifetime counts in exponential buckets.
#[derive(Clone, Debug, PartialEq)]
pub struct Native {
    /// Resolution: 2^`schema` buckets a power of two.
    pub schema: u8,
    /// How many values are 0.
    pub zeroes: u64,
    /// Counts of the buckets that have any: bucket `i` holds values above 2^((i-1)/2^`schema`), up to 2^(i/2^`schema`).
    pub buckets: BTreeMap<i32, u64>,
}

impl Histogram {
    /// Lifetime counts of values divided by `per_unit`. A cell counts by its lowest value, as in [`Histogram::cumulative`].
    #[must_use]
    pub fn native(&self, per_unit: f64) -> Native {
        let mut native = Native { schema: SCHEMA, zeroes: 0, buckets: BTreeMap::new() };
        for (octave, cells) in self.octaves.iter().enumerate().filter_map(|(at, cells)| Some((at, cells.get()?))) {
            for (offset, cell) in cells.iter().enumerate() {
                match (lowest_of(octave * OCTAVE_CELLS + offset), cell.load(Relaxed)) {
                    (_, 0) => {}
                    (0, n) => native.zeroes += n,
                    (value, n) => *native.buckets.entry(index(value, per_unit)).or_default() += n,
                }
            }
        }
        while native.buckets.len() > BUCKETS_MAX {
            native = native.halved();
        }
        native
    }
}

impl Native {
    /// The same counts at half the resolution.
    fn halved(self) -> Self {
        let mut buckets = BTreeMap::new();
        for (index, n) in self.buckets {
            *buckets.entry((index + 1).div_euclid(2)).or_default() += n;
        }
        Self { schema: self.schema - 1, buckets, ..self }
    }
}

/// The bucket of a value that is not 0.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "below 2^32, and few buckets")]
fn index(value: u64, per_unit: f64) -> i32 {
    let a_power = f64::from(1_u32 << SCHEMA);
    ((value as f64 / per_unit).log2() * a_power).ceil() as i32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Proves that every value is within the bounds of its bucket, or less than a cell below them, and that none is lost
        /// when the resolution is halved.
        #[test]
        fn values_are_in_their_buckets(values in prop::collection::vec(0..=u64::from(u32::MAX), 1..400), halvings in 0_u8..4) {
            let histogram = Histogram::default();
            values.iter().for_each(|value| histogram.record(*value));
            let native = (0..halvings).fold(histogram.native(1e6), |native, _| native.halved());
            prop_assert_eq!(native.zeroes + native.buckets.values().sum::<u64>(), values.len() as u64);
            let bound = |index: i32| (f64::from(index) / f64::from(1_u32 << SCHEMA) * f64::from(1_u32 << (SCHEMA - native.schema))).exp2();
            for value in values.iter().filter(|value| **value > 0) {
                let value = *value as f64 / 1e6;
                let held = native.buckets.keys().any(|index| {
                    value > bound(index - 1) * (1.0 - 1e-9) && value <= bound(*index) * (1.0 + 1.0 / 128.0)
                });
                prop_assert!(held, "{}", value);
            }
        }
    }

    /// Proves the bounds of the specification: 1 is in bucket 0 and 2 in bucket 8; and that the number of buckets is bounded.
    #[test]
    fn bounds_are_those_of_the_specification() {
        let histogram = Histogram::default();
        [0, 1, 2].into_iter().for_each(|value| histogram.record(value));
        let native = histogram.native(1.0);
        assert_eq!(native, Native { schema: 3, zeroes: 1, buckets: BTreeMap::from([(0, 1), (8, 1)]) });

        (0..32 * 8).for_each(|step| histogram.record(2_f64.powf(f64::from(step) / 8.0) as u64));
        let native = histogram.native(1e6);
        assert_eq!((native.schema, native.buckets.len() <= BUCKETS_MAX), (2, true));
    }
}

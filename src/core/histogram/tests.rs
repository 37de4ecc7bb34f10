use proptest::prelude::*;

use super::*;

fn reference(values: &[u64]) -> hdrhistogram::Histogram<u64> {
    let mut reference = hdrhistogram::Histogram::new_with_bounds(1, VALUE_MAX, 2).expect("the crate's own bounds");
    values.iter().for_each(|value| reference.record(*value).expect("in range"));
    reference
}

fn recorded(values: &[u64]) -> (Histogram, Distribution) {
    let histogram = Histogram::default();
    values.iter().for_each(|value| histogram.record(*value));
    let distribution = histogram.since(&mut Previous::default());
    (histogram, distribution)
}

/// Values of every magnitude, edges of octaves included.
fn values() -> impl Strategy<Value = Vec<u64>> {
    let edge = (0_u32..32, -1_i64..=1).prop_map(|(bits, off)| (1_u64 << bits).saturating_add_signed(off));
    let any = (0_u32..32, any::<u64>()).prop_map(|(bits, random)| random & ((2_u64 << bits) - 1));
    prop::collection::vec(prop_oneof![edge, any, Just(VALUE_MAX), Just(0)], 1..200)
}

proptest! {
    /// Proves that cells are those of HdrHistogram: as many, with the same edges and the same middle, and that
    /// quantiles fall into the cell the reference finds.
    #[test]
    fn cells_and_quantiles_are_those_of_hdrhistogram(values in values(), q in 0.0..=1.0) {
        let reference = reference(&values);
        prop_assert_eq!(reference.distinct_values(), CELLS);
        for value in &values {
            let index = layout::index_of(*value);
            prop_assert_eq!(layout::lowest_of(index), reference.lowest_equivalent(*value));
            prop_assert_eq!(layout::middle_of(index), reference.median_equivalent(*value));
        }
        let (_, distribution) = recorded(&values);
        let found = distribution.quantile(q).expect("there are values");
        prop_assert_eq!(reference.highest_equivalent(found), reference.value_at_quantile(q));
        prop_assert_eq!(distribution.count(), reference.len());
        prop_assert_eq!(distribution.sum(), values.iter().sum::<u64>());
    }

    /// Proves that differences add up: however a stream is cut, the parts merge to the whole, and no value is in two.
    #[test]
    fn differences_merge_to_the_whole(values in values(), cut in any::<prop::sample::Index>()) {
        let cut = cut.index(values.len());
        let histogram = Histogram::default();
        let mut previous = Previous::default();
        values[..cut].iter().for_each(|value| histogram.record(*value));
        let first = histogram.since(&mut previous);
        values[cut..].iter().for_each(|value| histogram.record(*value));
        let second = histogram.since(&mut previous);
        prop_assert_eq!((first.count(), second.count()), (cut as u64, (values.len() - cut) as u64));
        prop_assert_eq!(Distribution::merged([&first, &second]), recorded(&values).1);
        prop_assert_eq!(histogram.since(&mut previous), Distribution::default());
    }

    /// Proves that the `le` buckets are exact wherever the bound starts a cell, cumulative, and never above the
    /// count; elsewhere they are off by what shares the bound's cell.
    #[test]
    fn buckets_are_cumulative_and_exact_to_a_cell(values in values(), mut bounds in prop::collection::vec(0..VALUE_MAX, 1..8)) {
        bounds.sort_unstable();
        let (histogram, _) = recorded(&values);
        let (buckets, sum, count) = histogram.cumulative(&bounds);
        let reference = reference(&values);
        for (bound, bucket) in bounds.iter().zip(&buckets) {
            let up_to = reference.highest_equivalent(*bound);
            prop_assert_eq!(*bucket, values.iter().filter(|value| **value <= up_to).count() as u64);
        }
        prop_assert!(buckets.is_sorted() && buckets.iter().all(|bucket| *bucket <= count));
        prop_assert_eq!((sum, count), (values.iter().sum::<u64>(), values.len() as u64));
    }

    /// Proves the loss of coarsening: no count and no sum, and quantiles within the documented bound.
    #[test]
    fn coarsening_is_bounded_in_size_and_error(seed in any::<u64>(), octaves in 1_u32..=32) {
        let spread: Vec<u64> = (0..4_000_u64)
            .map(|at| (at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed) >> 16) & ((1 << octaves) - 1))
            .collect();
        let (_, fine) = recorded(&spread);
        let coarse = fine.clone().coarsened();
        prop_assert!(coarse.values().count() <= Distribution::KEPT_CELLS_MAX);
        prop_assert_eq!((coarse.count(), coarse.sum()), (fine.count(), fine.sum()));
        for q in [0.05, 0.5, 0.95] {
            let (exact, kept) = (fine.quantile(q).expect("values") as f64, coarse.quantile(q).expect("values") as f64);
            prop_assert!((kept - exact).abs() <= 0.07 * exact + 1.0, "{q}: {exact} became {kept}");
        }
        prop_assert_eq!(coarse.clone().coarsened(), coarse);
    }
}

/// Proves that no count is lost and none is doubled while several threads record and one reads differences.
#[test]
fn concurrent_recording_loses_nothing() {
    const THREADS: u64 = 4;
    const EACH: u64 = 20_000;
    let histogram = Histogram::default();
    let mut previous = Previous::default();
    let mut parts = Vec::new();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let histogram = &histogram;
            scope.spawn(move || (0..EACH).for_each(|at| histogram.record(at * (thread + 1))));
        }
        parts.extend((0..50).map(|_| histogram.since(&mut previous)));
    });
    parts.push(histogram.since(&mut previous));
    let all = Distribution::merged(&parts);
    let sum = (1..=THREADS).map(|factor| factor * EACH * (EACH - 1) / 2).sum::<u64>();
    assert_eq!((all.count(), all.sum()), (THREADS * EACH, sum));
    assert_eq!(histogram.cumulative(&[]), (Vec::new(), sum, THREADS * EACH));
}

/// Proves that a sum that a reading caught before its count is not lost in merging.
#[test]
fn a_sum_without_a_count_is_kept() {
    let (early, late) = (Distribution::new(Vec::new(), 7), Distribution::new(vec![(7, 1)], 0));
    assert_eq!(Distribution::merged([&early, &late]), Distribution::new(vec![(7, 1)], 7));
    assert!(!early.is_empty() && early.mean().is_none());
}

/// Proves that a value beyond the range is not hidden: it counts in the last cell, and its true size is kept.
#[test]
fn outliers_are_counted_and_the_largest_is_kept() {
    let (histogram, distribution) = recorded(&[1, VALUE_MAX, VALUE_MAX + 1, u64::MAX]);
    assert_eq!(histogram.outliers(), (2, u64::MAX));
    assert_eq!((distribution.count(), distribution.count_above(1)), (4, 3));
    assert_eq!(distribution.sum(), 1 + 3 * VALUE_MAX);
}

/// Proves that values in the cell of a limit are neither above nor below it.
#[test]
fn above_and_below_leave_the_limits_cell_out() {
    let (_, distribution) = recorded(&[4_900_000, 5_000_000, 5_001_000, 5_100_000]);
    assert_eq!((distribution.count_above(5_000_000), distribution.count_below(5_000_000)), (1, 1));
}

/// Proves the documented sizes.
#[test]
fn sizes_are_as_documented() {
    assert_eq!(size_of::<Histogram>(), 440);
    assert_eq!(Histogram::bytes_max(), 440 + size_of::<Previous>() + 26 * (1024 + 512));
    assert_eq!(Distribution::KEPT_BYTES_MAX, 40 + 2048);
}

/// Proves mean and variance against numbers worked out by hand, and that they stay silent without enough values.
#[test]
fn moments_are_those_of_the_sample() {
    let (_, distribution) = recorded(&[2, 4, 4, 4, 5, 5, 7, 9]);
    assert_eq!((distribution.mean(), distribution.variance()), (Some(5.0), Some(32.0 / 7.0)));
    assert_eq!((recorded(&[3]).1.variance(), Distribution::default().mean()), (None, None));
}

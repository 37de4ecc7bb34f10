//! Lock-free recording of one distribution, and the sparse [`Distribution`] its differences are kept as.
//!
//! The cells are those of HdrHistogram (Tene, <https://hdrhistogram.github.io/HdrHistogram/>) with two significant
//! figures and 1 as the lowest discernible value: 128 cells an octave, so that a cell is at most 1/128 of its value
//! wide. A histogram that nobody records into has no cells: octaves are allocated by the first value that falls
//! into them. Nothing here rotates: lifetime counts only grow, and a window is a difference of two readings.
//!
//! Size: 440 bytes empty, 1 KiB more for each octave in use (0 to 255 takes two), 26.4 KiB at most; its reader's
//! [`Previous`] takes half of that again.

mod distribution;
mod layout;
mod native;

pub use distribution::Distribution;
pub(crate) use distribution::{Merging, rank};
pub use layout::{CELLS, VALUE_MAX};
pub use native::Native;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use layout::{OCTAVE_CELLS, OCTAVES, index_of, lowest_of};

/// Lifetime counts of integer values from 0 to [`VALUE_MAX`], recorded by any number of threads.
#[derive(Debug, Default)]
pub struct Histogram {
    octaves: [OnceLock<Box<[AtomicU64; OCTAVE_CELLS]>>; OCTAVES],
    sum: AtomicU64,
    outliers: AtomicU64,
    outlier_max: AtomicU64,
}

/// What a histogram held when it was last read, by its one reader. Counts modulo 2^32: a slot never has more.
#[derive(Debug, Default)]
pub struct Previous {
    octaves: [Option<Box<[u32; OCTAVE_CELLS]>>; OCTAVES],
    sum: u64,
}

impl Histogram {
    /// Counts `value`. One beyond [`VALUE_MAX`] is counted and summed as [`VALUE_MAX`], and told by
    /// [`Histogram::outliers`].
    pub fn record(&self, value: u64) {
        if value > VALUE_MAX {
            self.outliers.fetch_add(1, Relaxed);
            self.outlier_max.fetch_max(value, Relaxed);
        }
        let value = value.min(VALUE_MAX);
        let index = index_of(value);
        let octave = self.octaves[index / OCTAVE_CELLS].get_or_init(|| Box::new([const { AtomicU64::new(0) }; _]));
        octave[index % OCTAVE_CELLS].fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }

    /// What was recorded since `previous` was last passed, exactly once each over all calls. A value that is being
    /// recorded at this moment may have its count here and its part of the sum in the next difference.
    pub fn since(&self, previous: &mut Previous) -> Distribution {
        let mut cells = Vec::new();
        for (octave, live) in self.octaves.iter().enumerate().filter_map(|(at, cells)| Some((at, cells.get()?))) {
            let seen = previous.octaves[octave].get_or_insert_with(|| Box::new([0; _]));
            for (offset, (cell, seen)) in live.iter().zip(seen.iter_mut()).enumerate() {
                #[expect(clippy::cast_possible_truncation, reason = "differences of counts modulo 2^32")]
                let now = cell.load(Relaxed) as u32;
                match now.wrapping_sub(std::mem::replace(seen, now)) {
                    0 => {}
                    count => cells.push((layout::cell(octave * OCTAVE_CELLS + offset), count)),
                }
            }
        }
        let sum = self.sum.load(Relaxed);
        Distribution::new(cells, sum.wrapping_sub(std::mem::replace(&mut previous.sum, sum)))
    }

    /// Lifetime counts at or below each of the ascending `bounds`, then sum and count: the `le` buckets of a
    /// Prometheus classic histogram, where the count is the `+Inf` bucket. A cell counts by its lowest value, so a
    /// value less than 1/128 above a bound may be counted below it, never the other way round.
    #[must_use]
    pub fn cumulative(&self, bounds: &[u64]) -> (Vec<u64>, u64, u64) {
        let mut buckets = vec![0; bounds.len()];
        let mut count = 0;
        for (octave, cells) in self.octaves.iter().enumerate().filter_map(|(at, cells)| Some((at, cells.get()?))) {
            for (offset, cell) in cells.iter().enumerate() {
                let n = cell.load(Relaxed);
                count += n;
                let lowest = lowest_of(octave * OCTAVE_CELLS + offset);
                if let Some(bucket) = buckets.get_mut(bounds.partition_point(|bound| *bound < lowest)) {
                    *bucket += n;
                }
            }
        }
        let mut below = 0;
        for bucket in &mut buckets {
            below += *bucket;
            *bucket = below;
        }
        (buckets, self.sum(), count)
    }

    /// Lifetime sum of the recorded values, modulo 2^64.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.sum.load(Relaxed)
    }

    /// How many values were beyond [`VALUE_MAX`], and the largest of them.
    #[must_use]
    pub fn outliers(&self) -> (u64, u64) {
        (self.outliers.load(Relaxed), self.outlier_max.load(Relaxed))
    }

    /// Memory of one histogram and its [`Previous`] with every octave in use, bytes.
    #[must_use]
    pub const fn bytes_max() -> usize {
        size_of::<Self>() + size_of::<Previous>() + CELLS * (size_of::<AtomicU64>() + size_of::<u32>())
    }
}

#[cfg(test)]
mod tests;

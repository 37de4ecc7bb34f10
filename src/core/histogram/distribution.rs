//! A distribution as it is kept in a slot and merged to a window: the occupied cells alone.

use super::layout::{CELLS, OCTAVE_CELLS, VALUE_MAX, cell, index_of, middle_of};

/// Counts of values in the cells of a [`super::Histogram`], in order of cell, without the empty ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    cells: Vec<(u16, u32)>,
    count: u64,
    sum: u64,
}

impl Distribution {
    /// Occupied cells of a kept distribution at most; see [`Distribution::coarsened`].
    pub const KEPT_CELLS_MAX: usize = 256;

    /// Memory of a kept distribution at most, bytes.
    pub const KEPT_BYTES_MAX: usize = size_of::<Self>() + Self::KEPT_CELLS_MAX * size_of::<(u16, u32)>();

    pub(super) fn new(cells: Vec<(u16, u32)>, sum: u64) -> Self {
        let count = cells.iter().map(|(_, count)| u64::from(*count)).sum();
        Self { cells, count, sum }
    }

    /// The sum of distributions.
    #[must_use]
    pub fn merged<'a>(parts: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut parts = parts.into_iter().filter(|part| !part.is_empty());
        let Some(first) = parts.next() else { return Self::default() };
        let mut merging = Merging::new();
        merging.add(first);
        parts.for_each(|part| merging.add(part));
        merging.distribution()
    }

    /// The same with at most [`Self::KEPT_CELLS_MAX`] cells: while there are more, each two neighbours of an octave
    /// become one in the place of the upper. Counts and sum stay exact; quantiles lose a binary digit each time, so
    /// that values all over four octaves are off by about 1 %, over eight by 2 %, and the widest possible by 7 %.
    #[must_use]
    pub fn coarsened(mut self) -> Self {
        let mut width = 1;
        while self.cells.len() > Self::KEPT_CELLS_MAX && width < OCTAVE_CELLS {
            width *= 2;
            for (index, _) in &mut self.cells {
                *index = *index / cell(width) * cell(width) + cell(width / 2);
            }
            self.cells.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                if same {
                    kept.1 = kept.1.saturating_add(next.1);
                }
                same
            });
        }
        self.cells.shrink_to_fit();
        self
    }

    /// Whether there is nothing in it. A value that was recorded during a reading may leave a sum without a count,
    /// whose count the next reading has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0 && self.sum == 0
    }

    /// How many values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their exact sum, values beyond the range counted as [`VALUE_MAX`].
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// Their mean; `None` without values.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a mean has no more digits than a double")]
    pub fn mean(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum as f64 / count as f64)
    }

    /// Their sample variance; `None` with fewer than two.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a variance has no more digits than a double")]
    pub fn variance(&self) -> Option<f64> {
        let mean = self.mean()?;
        let freedom = self.count().checked_sub(1).filter(|freedom| *freedom > 0)?;
        let squares = self.cells.iter().map(|(index, count)| {
            let off = middle_of(usize::from(*index)) as f64 - mean;
            off * off * f64::from(*count)
        });
        Some(squares.sum::<f64>() / freedom as f64)
    }

    /// The value of rank `rank` in ascending order, counted from 1 and kept within the values there are: the middle
    /// of its cell. `None` without values.
    #[must_use]
    pub fn value_at_rank(&self, rank: u64) -> Option<u64> {
        let mut left = rank.max(1);
        for (index, count) in &self.cells {
            match left.checked_sub(u64::from(*count)) {
                None | Some(0) => return Some(middle_of(usize::from(*index))),
                Some(rest) => left = rest,
            }
        }
        self.cells.last().map(|(index, _)| middle_of(usize::from(*index)))
    }

    /// The smallest value that at least a share `q` of the values does not exceed.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<u64> {
        self.value_at_rank(rank(self.count(), q))
    }

    /// How many values are above `value` by more than a cell's width.
    #[must_use]
    pub fn count_above(&self, value: u64) -> u64 {
        let limit = cell(index_of(value.min(VALUE_MAX)));
        self.count_where(|index| index > limit)
    }

    /// How many values are below `value` by more than a cell's width.
    #[must_use]
    pub fn count_below(&self, value: u64) -> u64 {
        let limit = cell(index_of(value.min(VALUE_MAX)));
        self.count_where(|index| index < limit)
    }

    /// Occupied cells as `(middle, count)`, ascending: for charts and score histograms.
    pub fn values(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        self.cells.iter().map(|(index, count)| (middle_of(usize::from(*index)), *count))
    }

    fn count_where(&self, wanted: impl Fn(u16) -> bool) -> u64 {
        self.cells.iter().filter(|(index, _)| wanted(*index)).map(|(_, count)| u64::from(*count)).sum()
    }
}

/// The rank of quantile `q` among `count` values: the smallest whole number not below `q x count`, at least 1.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a count fits where the count did"
)]
pub(crate) fn rank(count: u64, q: f64) -> u64 {
    // Products such as 0.95 x 20 are not exact; without the slack 19 would become 20.
    ((count as f64 * q.clamp(0.0, 1.0) - 1e-9).ceil() as u64).max(1)
}

/// A sum of distributions in the making: dense, because that is the fastest way to add many.
#[derive(Debug)]
pub(crate) struct Merging {
    cells: Vec<u32>,
    /// The first and the end of the cells that may be occupied: few of all there are.
    touched: (usize, usize),
    sum: u64,
}

impl Merging {
    pub(crate) fn new() -> Self {
        Self { cells: vec![0; CELLS], touched: (CELLS, 0), sum: 0 }
    }

    pub(crate) fn add(&mut self, part: &Distribution) {
        self.sum = self.sum.wrapping_add(part.sum);
        let (Some((first, _)), Some((last, _))) = (part.cells.first(), part.cells.last()) else { return };
        let (start, end) = self.touched;
        self.touched = (start.min(usize::from(*first)), end.max(usize::from(*last) + 1));
        for (index, count) in &part.cells {
            let cell = &mut self.cells[usize::from(*index)];
            *cell = cell.saturating_add(*count);
        }
    }

    pub(crate) fn distribution(&self) -> Distribution {
        let (start, end) = self.touched;
        let touched = self.cells.iter().enumerate().take(end).skip(start);
        let occupied = touched.filter(|(_, count)| **count > 0);
        Distribution::new(occupied.map(|(index, count)| (cell(index), *count)).collect(), self.sum)
    }
}

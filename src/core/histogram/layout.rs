//! Which values share a cell: the index layout of HdrHistogram for two significant figures and unit magnitude 0.

/// Cells of one octave: half the sub-buckets, which are 256, the power of two that holds 2 x 10^2.
pub(super) const OCTAVE_CELLS: usize = 128;

/// Blocks of cells: 0 to 127, 128 to 255, and one for each further power of two up to [`VALUE_MAX`].
pub(super) const OCTAVES: usize = 26;

/// Cells of a histogram.
pub const CELLS: usize = OCTAVES * OCTAVE_CELLS;

/// The largest value told apart: 71 minutes in microseconds, 4294 US dollars in millionths.
pub const VALUE_MAX: u64 = u32::MAX as u64;

/// The cell of `value`, which is at most [`VALUE_MAX`].
pub(super) fn index_of(value: u64) -> usize {
    let shift = 63 - (value | 255).leading_zeros() as usize - 7;
    shift * OCTAVE_CELLS + (value >> shift) as usize
}

/// The lowest value of a cell.
pub(super) fn lowest_of(index: usize) -> u64 {
    let shift = shift_of(index);
    ((index - shift * OCTAVE_CELLS) as u64) << shift
}

/// The value in the middle of a cell, as HdrHistogram's `median_equivalent`.
pub(super) fn middle_of(index: usize) -> u64 {
    lowest_of(index) + ((1 << shift_of(index)) >> 1)
}

/// The number of a cell as it is kept.
pub(super) fn cell(index: usize) -> u16 {
    u16::try_from(index).expect("there are fewer cells than 2^16")
}

/// Binary digits that a cell does not tell apart.
fn shift_of(index: usize) -> usize {
    (index / OCTAVE_CELLS).saturating_sub(1)
}

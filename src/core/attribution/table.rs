//! Requests as columns: the form in which baseline and incident are compared.

use super::dimension::Dimension;
use super::mark::{BEYOND, Mark, UNTOLD, USUAL};
use crate::core::vocabulary::{ABSENT, OTHER};

/// Distinct values of a column at most.
const VALUES_MAX: usize = 256;

/// Requests of one side that are compared at most: more change no answer and take longer.
pub const ROWS_MAX: usize = 32_768;

/// One side of the comparison: a column a dimension, and whether each request fails.
#[derive(Clone, Debug)]
pub struct Side {
    /// Codes by dimension, all of one length.
    pub columns: [Vec<u8>; Dimension::COUNT],
    /// Whether each request fails.
    pub fails: Vec<bool>,
    /// Which part of its window each request fell in, from 0; [`PARTS`] of them.
    pub parts: Vec<u8>,
    /// What else is told of each request, by [`Mark::index`]: 0 nothing, 1 as usual, 2 beyond.
    pub marks: [Vec<u8>; Mark::COUNT],
}

/// Parts a window is cut into, to learn how much a rate wanders by itself.
pub const PARTS: usize = 6;

impl Default for Side {
    fn default() -> Self {
        let columns = std::array::from_fn(|_| Vec::new());
        Self { columns, fails: Vec::new(), parts: Vec::new(), marks: Default::default() }
    }
}

impl Side {
    /// Adds a request of which nothing else is told.
    pub fn push(&mut self, codes: &[u8; Dimension::COUNT], fails: bool, part: u8) {
        self.push_marked(codes, fails, part, [None; Mark::COUNT]);
    }

    /// Adds a request, with whether it is beyond what is usual by each mark that is told.
    pub fn push_marked(
        &mut self,
        codes: &[u8; Dimension::COUNT],
        fails: bool,
        part: u8,
        marks: [Option<bool>; Mark::COUNT],
    ) {
        self.columns.iter_mut().zip(codes).for_each(|(column, code)| column.push(*code));
        self.fails.push(fails);
        self.parts.push(part);
        let mark = |told: Option<bool>| told.map_or(UNTOLD, |is_beyond| if is_beyond { BEYOND } else { USUAL });
        self.marks.iter_mut().zip(marks).for_each(|(column, told)| column.push(mark(told)));
    }

    /// The same requests, with those failing that do not.
    pub(super) fn inverted(&self) -> Self {
        Self { fails: self.fails.iter().map(|fails| !fails).collect(), ..self.clone() }
    }

    /// Of more than [`ROWS_MAX`] requests, every second, third, ...
    pub(in crate::core) fn thinned(&self) -> Self {
        let step = self.len().div_ceil(ROWS_MAX).max(1);
        Self {
            columns: std::array::from_fn(|d| every(&self.columns[d], step)),
            fails: every(&self.fails, step),
            parts: every(&self.parts, step),
            marks: std::array::from_fn(|mark| every(&self.marks[mark], step)),
        }
    }

    /// At most `rows_max` of the requests of which `mark` is told, those failing that are beyond what is usual.
    pub(super) fn marked(&self, mark: Mark, rows_max: usize) -> Self {
        let marks = &self.marks[mark.index()];
        let told: Vec<usize> = (0..marks.len()).filter(|row| marks[*row] != UNTOLD).collect();
        let told = every(&told, told.len().div_ceil(rows_max).max(1));
        let of = |column: &[u8]| told.iter().map(|row| column[*row]).collect();
        Self {
            columns: std::array::from_fn(|d| of(&self.columns[d])),
            fails: told.iter().map(|row| marks[*row] == BEYOND).collect(),
            parts: of(&self.parts),
            marks: Default::default(),
        }
    }

    /// Requests.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fails.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fails.is_empty()
    }

    /// Share of requests that fail; 0 without requests.
    #[must_use]
    pub fn rate(&self) -> f64 {
        mean(self.fails.iter().map(|fails| f64::from(u8::from(*fails))))
    }
}

fn every<T: Copy>(column: &[T], step: usize) -> Vec<T> {
    column.iter().step_by(step).copied().collect()
}

/// Baseline and incident in dense codes, the same on both sides: `0..sizes[dimension]`.
pub(super) struct Table {
    pub(super) before: Side,
    pub(super) now: Side,
    /// The code that each dense one stands for.
    pub(super) codes: [Vec<u8>; Dimension::COUNT],
}

impl Table {
    pub(super) fn new(before: &Side, now: &Side) -> Self {
        let (mut before, mut now) = (before.clone(), now.clone());
        let codes = std::array::from_fn(|d| densify([&mut before.columns[d], &mut now.columns[d]]));
        Self { before, now, codes }
    }

    /// The same codes for the requests of which a mark is told, by that mark.
    pub(super) fn marked(&self, mark: Mark, rows_max: usize) -> Self {
        let [before, now] = [&self.before, &self.now].map(|side| side.marked(mark, rows_max));
        Self { before, now, codes: self.codes.clone() }
    }

    /// Distinct values of a dimension.
    pub(super) fn size(&self, dimension: Dimension) -> usize {
        self.codes[dimension.index()].len()
    }

    /// Whether a dense code stands for a value of its own, neither for what the telemetry does not tell nor for `other`.
    pub(super) fn is_named(&self, dimension: Dimension, dense: u8) -> bool {
        let code = self.codes[dimension.index()][usize::from(dense)];
        code != ABSENT && code != OTHER
    }

    /// Joins columns into one of dense keys, the same on both sides: `(before, now, size)`.
    pub(super) fn strata(&self, dimensions: &[Dimension]) -> Strata {
        let sizes: Vec<usize> = dimensions.iter().map(|it| self.size(*it).max(1)).collect();
        let mut known = vec![u32::MAX; sizes.iter().product()];
        let mut size = 0;
        let mut keys = |side: &Side| {
            let key = |row: usize| {
                let cell = dimensions
                    .iter()
                    .zip(&sizes)
                    .fold(0, |cell, (it, size)| cell * size + usize::from(side.columns[it.index()][row]));
                if known[cell] == u32::MAX {
                    known[cell] = size;
                    size += 1;
                }
                known[cell]
            };
            (0..side.len()).map(key).collect::<Vec<u32>>()
        };
        let (before, now) = (keys(&self.before), keys(&self.now));
        Strata { before, now, size: size as usize }
    }
}

/// What indexes a table: a code, or a key of strata.
pub(super) trait Key: Copy {
    fn index(self) -> usize;
}

impl Key for u8 {
    fn index(self) -> usize {
        usize::from(self)
    }
}

impl Key for u32 {
    fn index(self) -> usize {
        self as usize
    }
}

/// Requests grouped by the values of some dimensions.
pub(super) struct Strata {
    pub(super) before: Vec<u32>,
    pub(super) now: Vec<u32>,
    pub(super) size: usize,
}

/// Recodes both columns to `0..n` and returns what each code stood for.
fn densify(columns: [&mut Vec<u8>; 2]) -> Vec<u8> {
    let (mut dense, mut codes) = ([None; VALUES_MAX], Vec::new());
    for column in columns {
        for code in column.iter_mut() {
            let known = &mut dense[usize::from(*code)];
            *code = *known.get_or_insert_with(|| {
                codes.push(*code);
                u8::try_from(codes.len() - 1).expect("no more dense codes than codes")
            });
        }
    }
    codes
}

/// Mean of some numbers; 0 without any.
#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 requests")]
pub(super) fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len();
    if count == 0 { 0.0 } else { values.sum::<f64>() / count as f64 }
}

/// Requests by code.
pub(super) fn counts(column: &[u8], size: usize) -> Vec<f64> {
    let mut counts = vec![0.0; size];
    column.iter().for_each(|code| counts[usize::from(*code)] += 1.0);
    counts
}

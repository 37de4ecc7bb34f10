//! Short codes for the values of the dimensions, bounded: a value that no kept row has makes room for a new one.

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::attribution::Reading;
use super::attribution::dimension::Dimension;
use super::time::UnixNanos;

/// Distinct values of one dimension.
pub const VALUES_MAX: usize = 254;
/// The code of a value that the telemetry does not tell.
pub const ABSENT: u8 = 0;
/// The code of values beyond [`VALUES_MAX`].
pub const OTHER: u8 = u8::MAX;

/// How the two read.
pub(in crate::core) const ABSENT_TEXT: &str = "not reported";
pub(in crate::core) const OTHER_TEXT: &str = "other";

/// The codes of one request, by [`Dimension::index`].
pub type Codes = [u8; Dimension::COUNT];

/// The values of one feature.
#[derive(Debug, Default)]
pub struct Vocabulary {
    dimensions: [Words; Dimension::COUNT],
}

#[derive(Debug, Default)]
struct Words {
    /// By code less one.
    values: Vec<Word>,
    codes: HashMap<Arc<str>, u8, FixedState>,
}

#[derive(Debug)]
struct Word {
    key: Arc<str>,
    shown: Arc<str>,
    last_seen: UnixNanos,
}

impl Vocabulary {
    /// The code of a value. Codes of values last seen before `oldest` may be given to others. `shown` is asked how a value
    /// that is new is shown, and must not tell what may not be kept.
    pub fn code(
        &mut self,
        dimension: Dimension,
        value: &str,
        now: UnixNanos,
        oldest: UnixNanos,
        shown: impl FnOnce() -> Option<String>,
    ) -> u8 {
        let words = &mut self.dimensions[dimension.index()];
        if let Some(code) = words.codes.get(value) {
            words.values[usize::from(*code) - 1].last_seen = now;
            return *code;
        }
        let Some(at) = words.place(oldest) else { return OTHER };
        let key: Arc<str> = value.into();
        let shown = shown().filter(|shown| *shown != *key).map_or_else(|| key.clone(), Into::into);
        let word = Word { key: key.clone(), shown, last_seen: now };
        match words.values.get_mut(at) {
            Some(old) => drop(words.codes.remove(&std::mem::replace(old, word).key)),
            None => words.values.push(word),
        }
        let code = u8::try_from(at + 1).unwrap_or(OTHER);
        words.codes.insert(key, code);
        code
    }

    /// The codes of a request. See [`Vocabulary::code`].
    pub fn codes(
        &mut self,
        reading: &Reading,
        now: UnixNanos,
        oldest: UnixNanos,
        mut shown: impl FnMut(Dimension) -> Option<String>,
    ) -> Codes {
        let mut codes = [ABSENT; Dimension::COUNT];
        for (dimension, value) in Dimension::ALL.into_iter().zip(reading) {
            if let Some(value) = value {
                codes[dimension.index()] = self.code(dimension, value, now, oldest, || shown(dimension));
            }
        }
        codes
    }

    /// What a code stands for.
    #[must_use]
    pub fn text(&self, dimension: Dimension, code: u8) -> &str {
        let word = |at| self.dimensions[dimension.index()].values.get(at);
        match code {
            ABSENT => ABSENT_TEXT,
            OTHER => OTHER_TEXT,
            code => word(usize::from(code) - 1).map_or(OTHER_TEXT, |word| &word.shown),
        }
    }
}

/// Memory of one vocabulary at most, bytes, with values of `value_bytes`.
#[must_use]
pub const fn bytes_max(value_bytes: usize) -> usize {
    let entry = size_of::<Word>() + size_of::<(Arc<str>, u8)>() + 2 * size_of::<usize>();
    Dimension::COUNT * VALUES_MAX * (entry + value_bytes)
}

impl Words {
    /// Where a new value goes; `None` when every code is in use.
    fn place(&self, oldest: UnixNanos) -> Option<usize> {
        if self.values.len() < VALUES_MAX {
            return Some(self.values.len());
        }
        let (at, word) = self.values.iter().enumerate().min_by_key(|(_, word)| word.last_seen)?;
        (word.last_seen < oldest).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(words: &mut Vocabulary, value: &str, now: u64, oldest: u64) -> u8 {
        words.code(Dimension::IndexVersion, value, UnixNanos(now), UnixNanos(oldest), || None)
    }

    /// Proves the bound, that values beyond it are `other`, and that a code is used again only when no row can have it.
    #[test]
    fn a_code_is_reused_when_no_row_has_it() {
        let mut words = Vocabulary::default();
        for n in 0..VALUES_MAX as u64 {
            assert_ne!(code(&mut words, &format!("v{n}"), n, 0), OTHER);
        }
        let first = code(&mut words, "v0", 1_000, 0);
        assert_eq!(code(&mut words, "new", 1_000, 1), OTHER, "v1 was seen at 1");
        let second = code(&mut words, "new", 1_000, 2);
        assert_eq!(words.text(Dimension::IndexVersion, second), "new");
        assert_eq!(words.text(Dimension::IndexVersion, first), "v0");
        assert_ne!(first, second);
        assert_eq!(words.text(Dimension::Region, ABSENT), "not reported");
    }
}

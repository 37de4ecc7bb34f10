//! How often each entity was taken out.

use std::collections::BTreeMap;

/// Counts by entity. The entities are a closed set, so the map is bounded by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    /// Counts one finding.
    pub(super) fn add(&mut self, entity: &'static str) {
        *self.0.entry(entity).or_default() += 1;
    }

    /// Adds the counts of another text.
    pub fn merge(&mut self, other: &Self) {
        for (entity, count) in &other.0 {
            *self.0.entry(entity).or_default() += count;
        }
    }

    /// `(entity, count)` in order of name, without zeroes.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().map(|(entity, count)| (*entity, *count))
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Findings in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

//! How often each entity was taken out.

use std::collections::BTreeMap;

/// Counts by entity. The entities are those of the rules, so the map is bounded by them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<Box<str>, u64>);

impl Counts {
    /// Counts one finding.
    pub(super) fn add(&mut self, entity: &str) {
        self.put(entity, 1);
    }

    fn put(&mut self, entity: &str, count: u64) {
        match self.0.get_mut(entity) {
            Some(sum) => *sum += count,
            None => drop(self.0.insert(entity.into(), count)),
        }
    }

    /// Adds the counts of another text.
    pub fn merge(&mut self, other: &Self) {
        for (entity, count) in &other.0 {
            self.put(entity, *count);
        }
    }

    /// `(entity, count)` in order of name, without zeroes.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(entity, count)| (&**entity, *count))
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

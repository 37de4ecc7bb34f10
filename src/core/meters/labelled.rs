//! A family of counters whose label comes from telemetry: bounded, interned once, found without a lock.

use std::sync::Arc;

use arc_swap::ArcSwap;

/// The label of everything beyond a cap.
pub const OTHER: &str = "_other";

/// Values of `V` by label, at most `max` of them and one for the rest.
///
/// A label is found by comparing: a feature has a handful, and walking them costs less than a hash. New labels
/// replace the list, so readers never wait.
#[derive(Debug)]
pub(super) struct Labelled<L, V> {
    max: usize,
    entries: ArcSwap<Vec<Arc<(L, V)>>>,
    other: fn() -> L,
}

impl<L, V: Default> Labelled<L, V> {
    pub(super) fn new(max: usize, other: fn() -> L) -> Self {
        Self { max, entries: ArcSwap::default(), other }
    }

    /// Runs `record` on the value of `label`, which is made on first sight, or of the rest when there are `max`.
    pub(super) fn with<K: Known<L> + ?Sized>(&self, label: &K, record: impl FnOnce(&V)) {
        let known = self.entries.load();
        match known.iter().take(self.max).find(|entry| label.is(&entry.0)) {
            Some(entry) => record(&entry.1),
            None => record(&self.intern(label).1),
        }
    }

    /// Every label with its value, in order of first sight.
    pub(super) fn map<T>(&self, mut f: impl FnMut(&L, &V) -> T) -> Vec<T> {
        self.entries.load().iter().map(|entry| f(&entry.0, &entry.1)).collect()
    }

    /// Adds `label`, or the rest's entry as number `max`; whoever comes second finds what the first one added.
    fn intern<K: Known<L> + ?Sized>(&self, label: &K) -> Arc<(L, V)> {
        let find = |entries: &[Arc<(L, V)>]| {
            let labelled = entries.iter().take(self.max).find(|entry| label.is(&entry.0));
            labelled.or_else(|| entries.get(self.max)).map(Arc::clone)
        };
        loop {
            let entries = self.entries.load_full();
            if let Some(entry) = find(&entries) {
                return entry;
            }
            let own = if entries.len() < self.max { label.label() } else { (self.other)() };
            let mut more = Vec::clone(&entries);
            more.push(Arc::new((own, V::default())));
            self.entries.compare_and_swap(&entries, Arc::new(more));
        }
    }
}

/// Something that names a label without owning it.
pub(super) trait Known<L> {
    /// Whether it names `label`.
    fn is(&self, label: &L) -> bool;
    /// The label to keep.
    fn label(&self) -> L;
}

impl Known<Box<str>> for str {
    fn is(&self, label: &Box<str>) -> bool {
        *self == **label
    }

    fn label(&self) -> Box<str> {
        self.into()
    }
}

//! The meters of every feature, shared by everyone who records and the exposition.
//!
//! A `DashMap` behind four methods. It is for interning: callers keep the `Arc` they get, and no guard ever leaves
//! this file.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::{DashMap, Entry};
use foldhash::fast::FixedState;

use crate::core::meters::Meters;
use crate::core::signal::Count;

/// The feature that stands for the whole service.
pub const ALL: &str = "_all";
/// The feature under which requests past the cap fall.
pub const OTHER: &str = "_other";

/// The feature of all drill traffic, whatever it names: it counts for no other, nor for [`ALL`].
pub const DRILL: &str = "_drill";

/// Feature names with their lifetime meters: at most `max`, plus [`ALL`], [`OTHER`] and [`DRILL`].
#[derive(Debug)]
pub struct Registry {
    features: DashMap<Arc<str>, Arc<Meters>, FixedState>,
    free: AtomicUsize,
}

impl Registry {
    /// An empty registry for `max` features.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { features: DashMap::default(), free: AtomicUsize::new(max) }
    }

    /// The feature `name` falls under, [`OTHER`] if it is new and there is no place left, and its meters. A name
    /// that telemetry brings must not be [`ALL`] or [`DRILL`].
    pub fn get_or_insert(&self, name: &str) -> (Arc<str>, Arc<Meters>) {
        if let Some(known) = self.features.get(name) {
            return (known.key().clone(), known.value().clone());
        }
        let reserved = [ALL, OTHER, DRILL].contains(&name);
        let name = if reserved || self.take_place() { name } else { OTHER };
        match self.features.entry(name.into()) {
            Entry::Occupied(raced) => {
                if !reserved && name != OTHER {
                    self.free.fetch_add(1, Ordering::Relaxed);
                }
                (raced.key().clone(), raced.get().clone())
            }
            Entry::Vacant(place) => {
                let inserted = place.insert(Arc::default());
                (inserted.key().clone(), inserted.value().clone())
            }
        }
    }

    /// The feature that telemetry which names `name` falls under. Telemetry can't name the whole service, nor a drill.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Arc<str> {
        self.get_or_insert(if [ALL, DRILL].contains(&name) { OTHER } else { name }).0
    }

    /// Requests recorded so far, whatever became of them.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.get(ALL).map_or(0, |meters| Count::OUTCOMES.into_iter().map(|it| meters.count(it)).sum())
    }

    /// The meters of a feature.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<Meters>> {
        self.features.get(name).map(|found| found.value().clone())
    }

    /// Every feature now, in order of name.
    #[must_use]
    pub fn snapshot(&self) -> Vec<(Arc<str>, Arc<Meters>)> {
        let mut features: Vec<_> =
            self.features.iter().map(|feature| (feature.key().clone(), feature.value().clone())).collect();
        features.sort_by(|(a, _), (b, _)| a.cmp(b));
        features
    }

    /// How many features there are, those of our own included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.features.len()
    }

    /// Whether there are none yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.features.is_empty()
    }

    fn take_place(&self) -> bool {
        self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| free.checked_sub(1)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that a name keeps its meters, that the cap holds, and that the reserved names take no place.
    #[test]
    fn later_features_fall_under_other() {
        let registry = Registry::new(2);
        let (_, all) = registry.get_or_insert(ALL);
        let (a, meters) = registry.get_or_insert("a");
        registry.get_or_insert("b");
        assert_eq!((&*a, &*registry.get_or_insert("c").0, &*registry.get_or_insert("d").0), ("a", OTHER, OTHER));
        assert!(Arc::ptr_eq(&registry.get_or_insert("a").1, &meters));
        assert!(Arc::ptr_eq(&registry.get(ALL).unwrap(), &all));
        assert!(registry.get("c").is_none());
        let names: Vec<_> = registry.snapshot().into_iter().map(|(name, _)| name.to_string()).collect();
        assert_eq!(names, [ALL, OTHER, "a", "b"]);
        assert_eq!(registry.len(), 4);
    }

    /// Proves that threads that bring the same new names at once neither pass the cap nor lose a place.
    #[test]
    fn races_neither_pass_nor_waste_the_cap() {
        let registry = Registry::new(50);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50).for_each(|n| drop(registry.get_or_insert(&format!("feature-{n}")))));
            }
        });
        assert!(registry.len() <= 51);
        let registry_full = registry.snapshot().iter().filter(|(name, _)| &**name != OTHER).count();
        (0..50).for_each(|n| drop(registry.get_or_insert(&format!("feature-{n}"))));
        assert!(registry_full <= 50 && registry.snapshot().iter().filter(|(name, _)| &**name != OTHER).count() == 50);
    }
}

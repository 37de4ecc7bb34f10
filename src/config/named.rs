//! The words of closed sets in the file: classes, severities, signals, directions, modes, protocols.

use super::Protocol;
use super::slot::Word;
use crate::core::breaker::{Action, Mode};
use crate::core::detect::Direction;
use crate::core::incident::{Class, Severity};

/// A closed set of named values.
pub(super) trait Named: Copy + 'static {
    fn all() -> &'static [Self];
    fn name(self) -> &'static str;
}

impl<T: Named> Word for Option<T> {
    fn words(&self) -> Vec<&'static str> {
        T::all().iter().map(|one| one.name()).collect()
    }

    fn chosen(&self) -> Option<&'static str> {
        self.map(Named::name)
    }

    fn choose(&mut self, word: &str) -> bool {
        let found = T::all().iter().copied().find(|one| one.name() == word);
        found.map(|one| *self = Some(one)).is_some()
    }
}

impl Named for Class {
    fn all() -> &'static [Self] {
        &Self::ALL
    }

    fn name(self) -> &'static str {
        self.as_str()
    }
}

impl Named for Severity {
    fn all() -> &'static [Self] {
        &Self::ALL
    }

    fn name(self) -> &'static str {
        self.as_str()
    }
}

impl Named for Direction {
    fn all() -> &'static [Self] {
        &[Self::Above, Self::Below]
    }

    fn name(self) -> &'static str {
        match self {
            Self::Above => "above",
            Self::Below => "below",
        }
    }
}

impl Named for Mode {
    fn all() -> &'static [Self] {
        &[Self::Shadow, Self::Enforce]
    }

    fn name(self) -> &'static str {
        match self {
            Self::Shadow => "shadow",
            Self::Enforce => "enforce",
        }
    }
}

impl Named for Action {
    fn all() -> &'static [Self] {
        &Self::ALL
    }

    fn name(self) -> &'static str {
        self.as_str()
    }
}

impl Word for Protocol {
    fn words(&self) -> Vec<&'static str> {
        vec!["grpc", "http"]
    }

    fn chosen(&self) -> Option<&'static str> {
        Some(match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
        })
    }

    fn choose(&mut self, word: &str) -> bool {
        let found = [Self::Grpc, Self::Http].into_iter().find(|one| one.chosen() == Some(word));
        found.map(|one| *self = one).is_some()
    }
}

//! The built-in rules and breakers, as `core` defines them.

use std::sync::Arc;

use super::Breaker;
use super::named::Named;
use crate::core::breaker::Preset;
use crate::core::detect::Rule;
use crate::core::signal::{Shape, Signal};
use crate::core::{breaker, rules};

/// The rules that apply unless the file says otherwise.
pub(super) fn rules() -> Vec<Rule> {
    rules::built_in()
}

/// One breaker a class.
pub(super) fn breakers() -> Vec<Breaker> {
    let breaker = |Preset { class, policy, plan }| Breaker { class, policy, plan: Arc::new(plan) };
    breaker::PLANS.into_iter().map(breaker).collect()
}

/// Whether the signal is a share from 0 to 1.
pub(super) fn is_ratio(signal: Signal) -> bool {
    signal.shape() == Shape::Ratio
}

impl Named for Signal {
    fn all() -> &'static [Self] {
        &Self::ALL
    }

    fn name(self) -> &'static str {
        self.as_str()
    }
}

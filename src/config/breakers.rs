//! The list `breakers`: an entry changes the built-in breaker of its class and only in what it says.

use std::sync::Arc;
use std::time::Duration;

use super::Breaker;
use super::error::Problems;
use super::fields::{Draft, Field, Table};
use super::rules::{items, peek};
use super::slot::Slot;
use super::yaml::Node;
use crate::core::breaker::{Mode, Policy};
use crate::core::incident::Class;

/// A breaker being written.
#[derive(Clone, Debug)]
pub(super) struct BreakerDraft {
    pub(super) class: Option<Class>,
    pub(super) mode: Option<Mode>,
    pub(super) open_for: Duration,
    pub(super) probe_share: f64,
    pub(super) probes: usize,
    pub(super) route: Option<String>,
}

/// The fields of one breaker.
pub(super) const BREAKER_FIELDS: &[Field<BreakerDraft>] = &[
    Field { path: "class", meaning: "Incident class whose alerts open it.", slot: |one| Slot::Word(&mut one.class) },
    Field {
        path: "mode",
        meaning: "shadow runs visibly and answers \"allow\"; enforce answers \"do not allow\" while open.",
        slot: |one| Slot::Word(&mut one.mode),
    },
    Field {
        path: "open_for",
        meaning: "How long it stays open before it probes.",
        slot: |one| Slot::Time(&mut one.open_for, Duration::from_secs(1)..=Duration::from_secs(86_400)),
    },
    Field {
        path: "probe_share",
        meaning: "Share of requests let through while half-open.",
        slot: |one| Slot::Share(&mut one.probe_share),
    },
    Field {
        path: "probes",
        meaning: "Probes that must succeed in a row before it closes.",
        slot: |one| Slot::Count(&mut one.probes, 1..=100_000),
    },
    Field {
        path: "route",
        meaning: "Where requests should go while it is open: the answer of the OFREP flag breaker.<feature>.route.",
        slot: |one| Slot::MaybeText(&mut one.route),
    },
];

/// Reads the list into the draft's breakers.
pub(super) fn read(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    let mut seen: Vec<Class> = Vec::new();
    for (index, item) in items(node, "breakers", problems).iter().enumerate() {
        let prefix = format!("breakers[{index}]");
        let class = Class::ALL.into_iter().find(|class| peek(item, "class") == Some(class.as_str()));
        let Some(breaker) = draft.config.breakers.iter_mut().find(|breaker| Some(breaker.class) == class) else {
            let found = peek(item, "class").map_or("no class".to_owned(), |class| format!("{class:?}"));
            problems.error(Some(item.at), &format!("{prefix}.class"), found, Slot::Word(&mut None::<Class>).allowed());
            continue;
        };
        if seen.contains(&breaker.class) {
            problems.error(
                Some(item.at),
                &prefix,
                format!("{} a second time", breaker.class.as_str()),
                "one entry a class",
            );
        }
        seen.push(breaker.class);
        let mut written = BreakerDraft::of(breaker);
        Table { fields: BREAKER_FIELDS, lists: &[], prefix: &prefix }.read(item, "", &mut written, problems);
        *breaker = written.breaker(breaker.class);
    }
}

impl BreakerDraft {
    /// The draft of a compiled breaker.
    pub(super) fn of(breaker: &Breaker) -> Self {
        let Policy { mode, open_for, probe_share, probes } = breaker.policy;
        Self {
            class: Some(breaker.class),
            mode: Some(mode),
            open_for,
            probe_share,
            probes: usize::try_from(probes).unwrap_or(usize::MAX),
            route: breaker.route.as_deref().map(str::to_owned),
        }
    }

    fn breaker(self, class: Class) -> Breaker {
        let policy = Policy {
            mode: self.mode.unwrap_or(Mode::Shadow),
            open_for: self.open_for,
            probe_share: self.probe_share,
            probes: u32::try_from(self.probes).unwrap_or(u32::MAX),
        };
        Breaker { class, policy, route: self.route.map(Arc::from) }
    }
}

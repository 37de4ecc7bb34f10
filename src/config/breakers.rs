//! The section `breakers`: a cap and a list, in which an entry changes the built-in breaker of its class and only in
//! what it says. A list in place of the section is that list.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::Breaker;
use super::error::Problems;
use super::fields::{Draft, FIELDS, Field, List, Table};
use super::rules::{items, peek};
use super::slot::Slot;
use super::yaml::{Node, Value};
use crate::core::breaker::{Action, Mode, Plan, Policy, Preset};
use crate::core::incident::Class;

/// A breaker being written.
#[derive(Clone, Debug)]
pub(super) struct BreakerDraft {
    class: Option<Class>,
    mode: Option<Mode>,
    policy: Policy,
    probes: usize,
    trigger: Vec<String>,
    action: Option<Action>,
    tool: Option<String>,
    model: Option<String>,
    index: Option<String>,
    reply: Option<String>,
    route: Option<String>,
    instructions: String,
    user_impact: String,
    rollback: String,
}

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// The fields of one breaker.
pub(super) const BREAKER_FIELDS: &[Field<BreakerDraft>] = &[
    Field { path: "class", meaning: "Incident class whose alerts open it.", slot: |one| Slot::Word(&mut one.class) },
    Field {
        path: "mode",
        meaning: "shadow runs visibly and answers \"allow\"; enforce answers \"do not allow\" while open.",
        slot: |one| Slot::Word(&mut one.mode),
    },
    Field {
        path: "trigger",
        meaning: "Names of the alerts that open it; empty for every alert of the class that pages (SEV-1 and SEV-2).",
        slot: |one| Slot::Texts(&mut one.trigger),
    },
    Field {
        path: "open_for",
        meaning: "How long it stays open before it probes, the first time; every opening after it doubles this.",
        slot: |one| Slot::Time(&mut one.policy.open_for, SECOND..=DAY),
    },
    Field {
        path: "open_for_max",
        meaning: "The longest it stays open before it probes; never less than open_for.",
        slot: |one| Slot::Time(&mut one.policy.open_for_max, SECOND..=7 * DAY),
    },
    Field {
        path: "settle_for",
        meaning: "How long it must stay closed without an alert until the next opening counts as the first; an alert that still fires then opens it again.",
        slot: |one| Slot::Time(&mut one.policy.settle_for, SECOND..=DAY),
    },
    Field {
        path: "probe_share",
        meaning: "Share of requests let through while half-open.",
        slot: |one| Slot::Share(&mut one.policy.probe_share),
    },
    Field {
        path: "probes",
        meaning: "Probes that decide whether it closes.",
        slot: |one| Slot::Count(&mut one.probes, 1..=100_000),
    },
    Field {
        path: "probe_quota",
        meaning: "Share of the probes that must succeed. It closes as soon as they have, and opens again as soon as they can't any more.",
        slot: |one| Slot::Share(&mut one.policy.probe_quota),
    },
    Field {
        path: "probe_for",
        meaning: "How long it waits for its probes. Then those that came decide, and without any the alert does.",
        slot: |one| Slot::Time(&mut one.policy.probe_for, SECOND..=DAY),
    },
    Field {
        path: "action",
        meaning: "What the application should do while it is open; in the metadata of the OFREP flags and in the API.",
        slot: |one| Slot::Word(&mut one.action),
    },
    Field { path: "tool", meaning: "The tool to leave out.", slot: |one| Slot::MaybeText(&mut one.tool) },
    Field { path: "model", meaning: "The model to use.", slot: |one| Slot::MaybeText(&mut one.model) },
    Field { path: "index", meaning: "The index to search.", slot: |one| Slot::MaybeText(&mut one.index) },
    Field { path: "reply", meaning: "The answer to give.", slot: |one| Slot::MaybeText(&mut one.reply) },
    Field {
        path: "route",
        meaning: "Where requests should go while it is open: the answer of the OFREP flag breaker.<feature>.route.",
        slot: |one| Slot::MaybeText(&mut one.route),
    },
    Field {
        path: "instructions",
        meaning: "The action in words, for people.",
        slot: |one| Slot::Text(&mut one.instructions),
    },
    Field {
        path: "user_impact",
        meaning: "What users notice meanwhile.",
        slot: |one| Slot::Text(&mut one.user_impact),
    },
    Field {
        path: "rollback",
        meaning: "How it closes, and what must be true before.",
        slot: |one| Slot::Text(&mut one.rollback),
    },
];

/// Reads the section, or the list in its place, into the draft.
pub(super) fn read(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    const CLASSES: &[List<Draft>] = &[List {
        path: "breakers.classes",
        read: |node, draft, problems| classes(node, "breakers.classes", draft, problems),
    }];
    match node.value {
        Value::Map(_) => Table { fields: FIELDS, lists: CLASSES, prefix: "" }.read(node, "breakers", draft, problems),
        _ => classes(node, "breakers", draft, problems),
    }
}

fn classes(node: &Node, path: &str, draft: &mut Draft, problems: &mut Problems) {
    let mut seen: Vec<Class> = Vec::new();
    for (index, item) in items(node, path, problems).iter().enumerate() {
        let prefix = format!("{path}[{index}]");
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
        let Plan { trigger, action, tool, model, index, reply, route, instructions, user_impact, rollback } =
            &*breaker.plan;
        let owned = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
        Self {
            class: Some(breaker.class),
            mode: Some(breaker.policy.mode),
            policy: breaker.policy,
            probes: usize::try_from(breaker.policy.probes).unwrap_or(usize::MAX),
            trigger: trigger.iter().map(ToString::to_string).collect(),
            action: Some(*action),
            tool: owned(tool),
            model: owned(model),
            index: owned(index),
            reply: owned(reply),
            route: owned(route),
            instructions: instructions.to_string(),
            user_impact: user_impact.to_string(),
            rollback: rollback.to_string(),
        }
    }

    fn breaker(self, class: Class) -> Breaker {
        let policy = Policy {
            mode: self.mode.unwrap_or(Mode::Shadow),
            probes: u32::try_from(self.probes).unwrap_or(u32::MAX),
            ..self.policy
        };
        let plan = Plan {
            trigger: self.trigger.into_iter().map(String::into_boxed_str).collect(),
            action: self.action.unwrap_or(Preset::of(class).plan.action),
            tool: self.tool.map(Arc::from),
            model: self.model.map(Arc::from),
            index: self.index.map(Arc::from),
            reply: self.reply.map(Arc::from),
            route: self.route.map(Arc::from),
            instructions: Cow::Owned(self.instructions),
            user_impact: Cow::Owned(self.user_impact),
            rollback: Cow::Owned(self.rollback),
        };
        Breaker { class, policy, plan: Arc::new(plan) }
    }
}

//! What is declared of the variables from outside the requests: CI, a cron job or the application itself says which
//! judge, index, prompt or tool is in service, and requests whose own telemetry lacks it are completed from that.
//!
//! Declarations are log records (`docs/telemetry-contract.md`). A thing's last [`STATES_MAX`] states are kept in order
//! of the records' own time, so that what arrived first never matters and a request that began before a change is
//! completed with what held then. What a request says itself always stands, and what contradicts it (another version,
//! another evaluator) is not about that request.
//!
//! Kept in memory, within [`BYTES_MAX`] and [`THINGS_MAX`]: after a restart the next declaration counts. Deliberately absent: expiry. A
//! version holds until another is declared.

mod complete;
mod declaration;
mod indexes;
mod sign_off;
mod state;

use std::collections::BTreeMap;

pub use declaration::{Declaration, Subject};
pub use state::{Pending, State};

use super::assembly::Added;
use super::dialect::Normaliser;
use super::time::UnixNanos;
use super::variable::Variable;
use crate::otlp::{LogRecord, Resource};

/// Bytes of declarations kept; beyond it the thing that was silent longest is forgotten.
pub const BYTES_MAX: usize = 4 << 20;

/// Things kept of one feature: a request looks through them.
const THINGS_MAX: usize = 256;

/// States of one thing kept: more changes than that do not fall between a request's start and its end.
const STATES_MAX: usize = 4;

/// Things of one kind that a frame shows at most.
const SHOWN_MAX: usize = 64;

/// The key of what is declared for every feature; no feature is named so.
const EVERY_FEATURE: &str = "";
/// The name of the whole service: what is declared for any feature is declared for it.
const ALL_FEATURES: &str = "_all";
/// What stands between names and versions in the value of a variable.
const SEPARATORS: &[char] = &['@', '+', ',', ' ', '(', ')', ':', '='];
/// Who declares without a name.
const UNNAMED: &str = "a declaration";

/// What is declared, by feature.
#[derive(Debug)]
pub struct Declared {
    normaliser: Normaliser,
    features: BTreeMap<Box<str>, Vec<Thing>>,
    bytes: usize,
    evicted: u64,
}

/// One judge, index, prompt or tool.
#[derive(Debug)]
struct Thing {
    subject: Subject,
    name: Box<str>,
    /// In order of time, at least one. The first holds what was said before it, too.
    states: Vec<Declaration>,
}

impl Declared {
    /// Nothing is declared yet.
    #[must_use]
    pub fn new(normaliser: Normaliser) -> Self {
        Self { normaliser, features: BTreeMap::new(), bytes: 0, evicted: 0 }
    }

    /// Takes up new attribute names for what comes from now on.
    pub fn reconfigure(&mut self, normaliser: Normaliser) {
        self.normaliser = normaliser;
    }

    /// Takes in a log record if it declares something; `None` when it is about something else. A record from the
    /// future, by a clock that runs ahead, counts from now.
    pub fn hear(&mut self, now: UnixNanos, resource: &Resource<'_>, record: &LogRecord<'_>) -> Option<Added> {
        let subject = Subject::of(record)?;
        if declaration::is_drill(&self.normaliser, resource, record) {
            return Some(Added::Rejected("a drill declares nothing"));
        }
        let (feature, told) = declaration::read(&self.normaliser, now, subject, resource, record);
        if told.is_empty() {
            return Some(Added::Rejected("a declaration without a name"));
        }
        for (subject, name, declaration) in told {
            self.declare(feature.as_deref().unwrap_or(EVERY_FEATURE), subject, name, declaration);
        }
        while self.bytes > BYTES_MAX && self.evict() {}
        Some(Added::Llm)
    }

    /// Everything declared, newest state of each thing last: `(feature, subject, name, declaration)`, the feature
    /// empty for every feature.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Subject, &str, &Declaration)> {
        let things = self.features.iter().flat_map(|(feature, things)| things.iter().map(move |it| (feature, it)));
        things.flat_map(|(feature, it)| it.states.iter().map(move |state| (&**feature, it.subject, &*it.name, state)))
    }

    /// `service.name` of who first declared, for a feature or for every one, the version that a variable's value tells;
    /// `None` where nobody did. The traffic's mix and the model are never declared.
    #[must_use]
    pub fn reporter(&self, feature: &str, variable: Variable, value: &str) -> Option<&str> {
        let subject = match variable {
            Variable::PromptRevision => Subject::Prompt,
            Variable::Judge => Subject::Judge,
            Variable::RetrievalIndex => Subject::Index,
            Variable::ToolSchemas => Subject::Tool,
            Variable::ModelRoute | Variable::TrafficMix => return None,
        };
        let names = |name: &str| value.split(SEPARATORS).any(|word| word == name);
        let is_about = |of: &str| of == EVERY_FEATURE || of == feature || feature == ALL_FEATURES;
        let told = self.iter().filter(|(of, about, ..)| is_about(of) && *about == subject);
        let told = told.filter(|(_, _, name, it)| names(name) && it.state.tells(names));
        told.min_by_key(|(.., it)| it.at).map(|(.., it)| it.source.as_deref().unwrap_or(UNNAMED))
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Things forgotten for want of space.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    fn declare(&mut self, feature: &str, subject: Subject, name: Box<str>, declaration: Declaration) {
        if !self.features.contains_key(feature) {
            self.features.insert(feature.into(), Vec::new());
        }
        let Some(things) = self.features.get_mut(feature) else { return };
        let known = things.iter().position(|it| it.subject == subject && it.name == name);
        let mut thing = known.map_or_else(|| Thing { subject, name, states: Vec::new() }, |at| things.swap_remove(at));
        self.bytes -= thing.bytes();
        thing.declare(declaration);
        self.bytes += thing.bytes();
        things.push(thing);
        if things.len() > THINGS_MAX {
            let oldest = (0..things.len()).min_by_key(|at| (things[*at].at(), &things[*at].name)).unwrap_or_default();
            self.bytes -= things.swap_remove(oldest).bytes();
            self.evicted += 1;
        }
    }

    /// Forgets the thing that was declared longest ago.
    fn evict(&mut self) -> bool {
        let things = self.features.iter().flat_map(|(feature, things)| things.iter().map(move |it| (feature, it)));
        let oldest = things.min_by_key(|(feature, it)| (it.at(), *feature, it.subject, &it.name));
        let Some((feature, subject, name)) = oldest.map(|(key, it)| (key.clone(), it.subject, it.name.clone())) else {
            return false;
        };
        if let Some(things) = self.features.get_mut(&feature) {
            self.bytes -= things.iter().filter(|it| it.is(subject, &name)).map(Thing::bytes).sum::<usize>();
            things.retain(|it| !it.is(subject, &name));
            if things.is_empty() {
                self.features.remove(&feature);
            }
        }
        self.evicted += 1;
        true
    }
}

impl Thing {
    fn is(&self, subject: Subject, name: &str) -> bool {
        self.subject == subject && *self.name == *name
    }

    /// When it was declared last.
    fn at(&self) -> UnixNanos {
        self.states.last().map_or(UnixNanos(0), |it| it.at)
    }

    /// Adds a state in its place. One that repeats the state before it is no change.
    fn declare(&mut self, new: Declaration) {
        let place = self.states.partition_point(|it| it.at <= new.at);
        if place.checked_sub(1).is_some_and(|before| self.states[before].state == new.state) {
            return;
        }
        self.states.insert(place, new);
        if self.states.len() > STATES_MAX {
            let oldest = self.states.remove(0);
            self.states[0].state.fill(&oldest.state);
        }
    }

    /// What held at `at`, each part as it was declared last: of the states declared by then, else the oldest one
    /// there is.
    fn state(&self, at: UnixNanos) -> State {
        let by_then = self.states.partition_point(|it| it.at <= at);
        let known = &self.states[..by_then.max(1).min(self.states.len())];
        let mut newest_first = known.iter().rev().map(|it| &it.state);
        let mut state = newest_first.next().cloned().unwrap_or_default();
        newest_first.for_each(|older| state.fill(older));
        state
    }

    fn bytes(&self) -> usize {
        let states: usize = self.states.iter().map(|it| size_of::<Declaration>() + it.bytes()).sum();
        if self.states.is_empty() { 0 } else { size_of::<Self>() + self.name.len() + states }
    }
}

#[cfg(test)]
mod tests;

//! Which values the variables had, slot by slot: the request counts behind the two columns of a freeze frame.
//!
//! Values are interned per feature and subject, at most [`VALUES_MAX`] each, where those that no kept slot has make
//! room; later ones fall under `other`, and so do those beyond [`CELLS_MAX`] in one slot. A slot holds counts only: [`bytes_max`] states the worst case.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde_json::Value as Json;

use super::request::{Evaluation, Request};
use super::time::UnixNanos;
use super::variable::{self, Variable};
use super::window::Policy;

/// Distinct values of one subject of one feature.
pub const VALUES_MAX: usize = 64;

/// Distinct values of one slot, over all subjects.
pub const CELLS_MAX: usize = 64;

/// What the value of a request beyond [`VALUES_MAX`] is called.
pub const OTHER: &str = "other";

const OTHER_SYMBOL: u8 = u8::MAX;

/// What is counted: the six variables, and how the calls of providers ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// One of the six.
    Variable(Variable),
    /// How a request's calls ended at their provider, `openai: 429`.
    Upstream,
}

impl Subject {
    /// How many there are.
    pub const COUNT: usize = Variable::ALL.len() + 1;

    fn all() -> impl Iterator<Item = Self> {
        Variable::ALL.into_iter().map(Self::Variable).chain([Self::Upstream])
    }

    /// Its place in [`Texts`].
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::Variable(variable) => variable as usize,
            Self::Upstream => Variable::ALL.len(),
        }
    }

    /// What stands behind the value of a request.
    #[must_use]
    pub fn detail(self, request: &Request) -> Json {
        match self {
            Self::Variable(variable) => variable.detail(request),
            Self::Upstream => Json::Null,
        }
    }

    /// The value of a request as text.
    #[must_use]
    pub fn value(self, request: &Request) -> Option<String> {
        match self {
            Self::Variable(variable) => variable.value(request),
            Self::Upstream => variable::upstream(request),
        }
    }
}

/// What one request counts as.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    /// Its values as text, by [`Subject::index`]; `None` where the telemetry does not say.
    values: [Option<String>; Subject::COUNT],
    /// How far the index that it searched was behind its source, of several the farthest.
    lag: Option<Duration>,
}

/// Reads the values of a request. `judges` are those at work where nobody judged the request.
#[must_use]
pub fn texts(request: &Request, judges: &[Evaluation]) -> Texts {
    let lag = request.retrievals.iter().filter_map(|it| it.freshness_lag).max();
    let mut texts = Texts { values: Default::default(), lag };
    for subject in Subject::all() {
        texts.values[subject.index()] = subject.value(request);
    }
    let judge = &mut texts.values[Subject::Variable(Variable::Judge).index()];
    *judge = judge.take().or_else(|| variable::judges(judges));
    texts
}

/// How far what requests searched was behind its source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    requests: u32,
    sum_micros: u64,
    max_micros: u64,
}

impl Lag {
    fn merge(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.sum_micros = self.sum_micros.saturating_add(other.sum_micros);
        self.max_micros = self.max_micros.max(other.max_micros);
    }

    /// Mean and maximum over the requests that tell of it, seconds; `None` where none does.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "seconds for people")]
    pub fn mean_and_max(self) -> Option<[f64; 2]> {
        let seconds = |micros: u64| micros as f64 / 1e6;
        (self.requests > 0).then(|| [seconds(self.sum_micros) / f64::from(self.requests), seconds(self.max_micros)])
    }
}

/// A distinct value of a subject.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// The value as shown.
    pub value: Arc<str>,
    /// What only this variable has, of the first request with the value.
    pub detail: Json,
    /// When it was first seen.
    pub first_seen: UnixNanos,
    /// When it was last seen.
    pub last_seen: UnixNanos,
}

#[derive(Debug, Default)]
struct Slot {
    at: UnixNanos,
    tally: Tally,
}

/// Requests of a stretch of time by subject and value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All requests, with values or without.
    pub requests: u32,
    /// How far what they searched was behind its source.
    pub lag: Lag,
    /// Sorted by subject and value.
    cells: Vec<Cell>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    key: (u8, u8),
    requests: u32,
}

impl Tally {
    fn add(&mut self, subject: Subject, value: Option<u8>) {
        let (Some(value), Ok(subject)) = (value, u8::try_from(subject.index())) else { return };
        let known = self.cells.binary_search_by_key(&(subject, value), |cell| cell.key).is_ok();
        let value = if known || self.cells.len() < CELLS_MAX { value } else { OTHER_SYMBOL };
        self.count((subject, value), 1);
    }

    fn merge(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.lag.merge(other.lag);
        other.cells.iter().for_each(|cell| self.count(cell.key, cell.requests));
    }

    fn count(&mut self, key: (u8, u8), requests: u32) {
        match self.cells.binary_search_by_key(&key, |cell| cell.key) {
            Ok(at) => self.cells[at].requests = self.cells[at].requests.saturating_add(requests),
            Err(at) => self.cells.insert(at, Cell { key, requests }),
        }
    }

    /// `(value, requests)` of one subject, in order of value.
    pub fn of(&self, subject: Subject) -> impl Iterator<Item = (u8, u32)> + '_ {
        let wanted = subject.index();
        self.cells.iter().filter(move |cell| usize::from(cell.key.0) == wanted).map(|cell| (cell.key.1, cell.requests))
    }

    /// Requests of one subject whose telemetry names a value.
    #[must_use]
    pub fn reported(&self, subject: Subject) -> u32 {
        self.of(subject).map(|(_, count)| count).sum()
    }
}

/// The values of one feature's variables over time.
#[derive(Debug)]
pub struct Ledger {
    policy: Policy,
    observed: [Vec<Observed>; Subject::COUNT],
    symbols: [HashMap<Arc<str>, u8, FixedState>; Subject::COUNT],
    current: Tally,
    /// When the first slot ended.
    since: UnixNanos,
    /// When the oldest slot that is kept began.
    oldest: UnixNanos,
    /// Closed slots of the long window, oldest first.
    recent: VecDeque<Arc<Slot>>,
    /// Slots young enough to belong to an incident that has not been noticed yet.
    probation: VecDeque<Arc<Slot>>,
    /// The last-good baseline, oldest first.
    good: VecDeque<Arc<Slot>>,
}

impl Ledger {
    /// An empty ledger.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            observed: Default::default(),
            symbols: Default::default(),
            current: Tally::default(),
            since: UnixNanos(0),
            oldest: UnixNanos(0),
            recent: VecDeque::new(),
            probation: VecDeque::new(),
            good: VecDeque::new(),
        }
    }

    /// Counts one request under its values. `shown` is asked how a value that is new is shown
    /// and what stands behind it, and must not tell what may not be kept.
    pub fn observe(&mut self, texts: &Texts, now: UnixNanos, shown: impl FnMut(Subject) -> (Option<String>, Json)) {
        let mut current = std::mem::take(&mut self.current);
        self.count_into(&mut current, texts, now, shown);
        self.current = current;
    }

    /// Counts one request in a tally of one's own.
    pub fn count_into(
        &mut self,
        tally: &mut Tally,
        texts: &Texts,
        now: UnixNanos,
        mut shown: impl FnMut(Subject) -> (Option<String>, Json),
    ) {
        for (subject, text) in Subject::all().zip(&texts.values) {
            let value = text.as_ref().map(|text| self.intern(subject, text, now, || shown(subject)));
            tally.add(subject, value);
        }
        tally.requests = tally.requests.saturating_add(1);
        if let Some(lag) = texts.lag {
            let micros = u64::try_from(lag.as_micros()).unwrap_or(u64::MAX);
            tally.lag.merge(Lag { requests: 1, sum_micros: micros, max_micros: micros });
        }
    }

    /// Ends the slot at `at`. `learn` says whether it may become part of the baseline: a slot does once it is older
    /// than the short window and no slot since was refused, so that the start of an incident is never learned.
    pub fn close_slot(&mut self, at: UnixNanos, learn: bool) {
        let slot = Arc::new(Slot { at, tally: std::mem::take(&mut self.current) });
        if learn {
            self.probation.push_back(slot.clone());
        } else {
            self.probation.clear();
        }
        self.recent.push_back(slot);
        let passed = slots(self.policy.short, self.policy.slot);
        while self.probation.len() > passed {
            self.good.extend(self.probation.pop_front());
        }
        truncate(&mut self.recent, slots(self.policy.long, self.policy.slot));
        truncate(&mut self.good, slots(self.policy.baseline, self.policy.slot));
        let oldest = [&self.good, &self.probation, &self.recent].into_iter().filter_map(|ring| ring.front());
        self.oldest = oldest.map(|slot| slot.at.minus(self.policy.slot)).min().unwrap_or_default();
        if self.since == UnixNanos(0) {
            self.since = at;
        }
    }

    /// When the first slot ended; what was seen by then was there before.
    #[must_use]
    pub fn started(&self) -> UnixNanos {
        self.since
    }

    /// The end and the requests of every slot kept, in order of time.
    #[must_use]
    pub fn slots(&self) -> Vec<(UnixNanos, &Tally)> {
        let kept = self.good.iter().chain(&self.probation).chain(&self.recent);
        let slots: BTreeMap<UnixNanos, &Tally> = kept.map(|slot| (slot.at, &slot.tally)).collect();
        slots.into_iter().collect()
    }

    /// The distinct values of a subject with their symbols.
    pub fn values(&self, subject: Subject) -> impl Iterator<Item = (u8, &Observed)> {
        (0u8..).zip(&self.observed[subject.index()])
    }

    /// Requests of the slots that ended after `from`, the open one included.
    #[must_use]
    pub fn since(&self, from: UnixNanos) -> Tally {
        let mut tally = self.current.clone();
        self.recent.iter().rev().take_while(|slot| slot.at > from).for_each(|slot| tally.merge(&slot.tally));
        tally
    }

    /// Requests of the last-good baseline.
    #[must_use]
    pub fn baseline(&self) -> Tally {
        let mut tally = Tally::default();
        self.good.iter().for_each(|slot| tally.merge(&slot.tally));
        tally
    }

    /// The distinct value behind a symbol; `None` for `other`.
    #[must_use]
    pub fn observed(&self, subject: Subject, value: u8) -> Option<&Observed> {
        self.observed[subject.index()].get(usize::from(value))
    }

    /// The text of a symbol.
    #[must_use]
    pub fn text(&self, subject: Subject, value: u8) -> &str {
        self.observed(subject, value).map_or(OTHER, |observed| &*observed.value)
    }

    fn intern(
        &mut self,
        subject: Subject,
        value: &str,
        now: UnixNanos,
        shown: impl FnOnce() -> (Option<String>, Json),
    ) -> u8 {
        let index = subject.index();
        let (observed, symbols) = (&mut self.observed[index], &mut self.symbols[index]);
        if let Some(symbol) = symbols.get(value) {
            if let Some(known) = observed.get_mut(usize::from(*symbol)) {
                known.last_seen = now;
            }
            return *symbol;
        }
        let Some(at) = place(observed, self.oldest) else { return OTHER_SYMBOL };
        let symbol = u8::try_from(at).unwrap_or(OTHER_SYMBOL);
        let (text, detail) = shown();
        let text = text.map_or_else(|| value.into(), Into::into);
        let new = Observed { value: text, detail, first_seen: now, last_seen: now };
        match observed.get_mut(at) {
            Some(old) => {
                *old = new;
                symbols.retain(|_, known| *known != symbol);
            }
            None => observed.push(new),
        }
        symbols.insert(value.into(), symbol);
        symbol
    }
}

/// Where a new value goes: behind the others, or in place of one that no kept slot has, seen before `oldest`.
fn place(observed: &[Observed], oldest: UnixNanos) -> Option<usize> {
    if observed.len() < VALUES_MAX {
        return Some(observed.len());
    }
    let (at, value) = observed.iter().enumerate().min_by_key(|(_, value)| value.last_seen)?;
    (value.last_seen < oldest).then_some(at)
}

/// Worst case of one ledger, bytes: every slot full, and every value with a detail of `detail_bytes`.
#[must_use]
pub fn bytes_max(policy: &Policy, detail_bytes: usize) -> usize {
    let slot = size_of::<Slot>() + (CELLS_MAX + Subject::COUNT) * size_of::<Cell>();
    let kept = slots(policy.long, policy.slot) + slots(policy.baseline, policy.slot);
    kept.saturating_mul(slot).saturating_add(Subject::COUNT * VALUES_MAX * detail_bytes)
}

fn slots(window: Duration, slot: Duration) -> usize {
    usize::try_from(window.as_nanos() / slot.as_nanos().max(1)).unwrap_or(usize::MAX)
}

fn truncate<T>(ring: &mut VecDeque<T>, len: usize) {
    ring.drain(..ring.len().saturating_sub(len));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::request::tests::request;

    const SLOT: Duration = Duration::from_secs(10);

    fn policy() -> Policy {
        Policy { slot: SLOT, short: 3 * SLOT, long: 6 * SLOT, baseline: 6 * SLOT }
    }

    fn at(slot: u32) -> UnixNanos {
        UnixNanos(0).plus(SLOT * slot)
    }

    fn run(ledger: &mut Ledger, slots: std::ops::Range<u32>, version: &str, learn: bool) {
        for slot in slots {
            let mut request = request();
            request.prompt.version = Some(version.into());
            ledger.observe(&texts(&request, &[]), at(slot), |subject| (None, subject.detail(&request)));
            ledger.close_slot(at(slot + 1), learn);
        }
    }

    fn prompts(ledger: &Ledger, tally: &Tally) -> Vec<(String, u32)> {
        let prompt = Subject::Variable(Variable::PromptRevision);
        tally.of(prompt).map(|(value, requests)| (ledger.text(prompt, value).to_owned(), requests)).collect()
    }

    /// Proves that a change within the short window before it is noticed never reaches the baseline.
    #[test]
    fn the_start_of_an_incident_is_not_learned() {
        let mut ledger = Ledger::new(policy());
        run(&mut ledger, 0..6, "v40", true);
        run(&mut ledger, 6..8, "v41", true);
        run(&mut ledger, 8..12, "v41", false);
        assert_eq!(prompts(&ledger, &ledger.baseline()), [("prompt@v40".to_owned(), 5)]);
        assert_eq!(prompts(&ledger, &ledger.since(at(6))), [("prompt@v41".to_owned(), 6)]);
    }

    /// Proves the bounds: values beyond the cap are counted as `other`, and no request is lost.
    #[test]
    fn values_beyond_the_cap_fall_under_other() {
        let mut ledger = Ledger::new(policy());
        for n in 0..200 {
            let mut request = request();
            request.prompt.version = Some(format!("v{n}").into());
            ledger.observe(&texts(&request, &[]), at(0), |_| (None, Json::Null));
        }
        let prompt = Subject::Variable(Variable::PromptRevision);
        let tally = ledger.since(at(0));
        assert_eq!(tally.requests, 200);
        assert_eq!(tally.reported(prompt), 200);
        assert!(prompts(&ledger, &tally).iter().any(|(value, requests)| value == OTHER && *requests >= 136));
    }
}

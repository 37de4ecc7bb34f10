//! The engine proper: plain synchronous state, driven by spans, records, ticks and orders, with `now` as an argument.
//! `run`, `backtest`, `drill` and the tests drive it through these same methods.

use std::cell::OnceCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::cost::Pricing;
use super::effect::Effect;
use super::feature::{Feature, Taken};
use super::handle::Ingested;
use super::judging::{Chosen, Judging};
use super::registry::{ALL, DRILL, Registry};
use super::view::{FrameState, Incident};
use crate::config::Config;
use crate::core::assembly::{Added, Assembly, Closed, Evicted};
use crate::core::attribution;
use crate::core::baseline::Baselines;
use crate::core::completeness::Observation;
use crate::core::declared::Declared;
use crate::core::dialect::{Normaliser, Settings};
use crate::core::facts::Facts;
use crate::core::ledger;
use crate::core::recorder::ROWS_MIN;
use crate::core::redact::Redactor;
use crate::core::request::Request;
use crate::core::time::UnixNanos;
use crate::metrics::Metric;
use crate::otlp::{LogRecord, Logs, Resource, Scope, Span, Traces};

/// Incidents kept in memory; older ones stay in the log.
pub const INCIDENTS_MAX: usize = 256;
/// How often the log says that a drill goes on.
const DRILL_TOLD_EVERY: Duration = Duration::from_secs(3_600);

/// All state of the sidecar but sockets and files.
#[derive(Debug)]
pub struct Engine {
    pub(super) config: Arc<Config>,
    pub(super) config_sha256: String,
    pub(super) assembly: Assembly,
    pub(super) declared: Declared,
    pub(super) redactor: Option<Arc<Redactor>>,
    pricing: Pricing,
    pub(super) registry: Arc<Registry>,
    pub(super) features: HashMap<Arc<str>, Feature, FixedState>,
    /// Restored baselines of features that have not been seen yet.
    pub(super) restored: BTreeMap<String, Baselines>,
    pub(super) incidents: VecDeque<Arc<Incident>>,
    /// Frames handed out and not yet durable, by frame id, with the end of the alert's patience.
    pub(super) committing: HashMap<String, Committing, FixedState>,
    pub(super) effects: Vec<Effect>,
    /// Who judges, and what was chosen for them.
    pub(super) judging: Vec<Judging>,
    pub(super) chosen: Vec<Chosen>,
    pub(super) random: StdRng,
    next_slot: UnixNanos,
    slot_ended: bool,
    /// Whether drills are kept apart from everything else.
    are_drills_apart: bool,
    /// When the log last said that a drill goes on.
    drill_told: Option<UnixNanos>,
    /// What assembly had evicted when it was last told.
    evicted: [u64; Evicted::ALL.len()],
    /// Declarations evicted when that was last told.
    declarations_evicted: u64,
}

/// A frame on its way to the log.
#[derive(Debug)]
pub(super) struct Committing {
    pub(super) deadline: UnixNanos,
}

impl Engine {
    /// An engine that knows nothing yet. `seed` drives frame ids.
    #[must_use]
    pub fn new(config: Arc<Config>, registry: Arc<Registry>, seed: u64, now: UnixNanos) -> Self {
        let mut engine = Self {
            assembly: Assembly::new(config.assembly, normaliser(&config)),
            declared: Declared::new(normaliser(&config)),
            redactor: redactor(&config).map(Arc::new),
            pricing: Pricing::new(&config.cost),
            registry,
            features: HashMap::default(),
            restored: BTreeMap::new(),
            incidents: VecDeque::new(),
            committing: HashMap::default(),
            effects: Vec::new(),
            judging: Vec::new(),
            chosen: Vec::new(),
            random: StdRng::seed_from_u64(seed),
            next_slot: now.floor(config.windows.slot).plus(config.windows.slot),
            slot_ended: false,
            are_drills_apart: true,
            drill_told: None,
            evicted: [0; Evicted::ALL.len()],
            declarations_evicted: 0,
            config_sha256: config.sha256(),
            config,
        };
        engine.feature(ALL);
        engine
    }

    /// Takes the requests of drills for any others, each under the feature it names: for an engine that gets nothing
    /// else. Their frames still say that they are of a drill.
    #[must_use]
    pub fn rehearsing(self) -> Self {
        Self { are_drills_apart: false, ..self }
    }

    /// Takes in the spans of one export request.
    pub fn traces(&mut self, traces: &Traces, now: UnixNanos) -> Ingested {
        self.end_due_slot(now);
        let mut ingested = Ingested::default();
        for (resource, scope, span) in traces.spans() {
            tally(&mut ingested, self.span(&resource, &scope, &span, now));
        }
        self.close_due(now);
        count(Metric::Spans, &ingested);
        ingested
    }

    /// Takes in the records of one export request.
    pub fn logs(&mut self, logs: &Logs, now: UnixNanos) -> Ingested {
        self.end_due_slot(now);
        let mut ingested = Ingested::default();
        for (resource, scope, record) in logs.records() {
            tally(&mut ingested, self.record(&resource, &scope, &record, now));
        }
        self.close_due(now);
        count(Metric::LogRecords, &ingested);
        ingested
    }

    /// Takes in one span.
    pub fn span(&mut self, resource: &Resource<'_>, scope: &Scope<'_>, span: &Span<'_>, now: UnixNanos) -> Added {
        self.assembly.span(now, resource, *scope, span)
    }

    /// Takes in one log record: a declaration, else a part of a trace.
    pub fn record(
        &mut self,
        resource: &Resource<'_>,
        scope: &Scope<'_>,
        record: &LogRecord<'_>,
        now: UnixNanos,
    ) -> Added {
        let declared = self.declared.hear(now, resource, record);
        declared.unwrap_or_else(|| self.assembly.log(now, resource, *scope, record))
    }

    /// When the next slot ends: the latest moment at which [`Engine::tick`] is due.
    #[must_use]
    pub fn next_tick(&self) -> UnixNanos {
        self.next_slot
    }

    /// Lets time pass up to `now`: closes due requests, ends slots, judges rules, steps machines.
    pub fn tick(&mut self, now: UnixNanos) {
        self.end_due_slot(now);
        self.close_due(now);
        self.lose_patience(now);
        Metric::AssemblyOpenTraces.set(&[], self.assembly.open_traces() as u64);
        for reason in Evicted::ALL {
            let evicted = self.assembly.evicted(reason);
            let before = std::mem::replace(&mut self.evicted[reason as usize], evicted);
            Metric::AssemblyEvictions.add(&[("reason", reason.as_str())], evicted - before);
        }
        let before = std::mem::replace(&mut self.declarations_evicted, self.declared.evicted());
        Metric::DeclarationEvictions.add(&[], self.declarations_evicted - before);
    }

    /// Closes every open trace at once: the end of a recording, or of the process.
    pub fn close_all(&mut self, now: UnixNanos) {
        let closed = self.assembly.close_all(now);
        closed.into_iter().for_each(|it| self.close(it, now));
    }

    /// What to do next, in order. Call after every other method.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Whether a slot ended since the last call, so that the view is due.
    pub fn take_slot_ended(&mut self) -> bool {
        std::mem::take(&mut self.slot_ended)
    }

    /// What became of an incident's frame.
    #[must_use]
    pub fn frame_state(&self, incident_id: &str) -> Option<&FrameState> {
        self.incidents.iter().find(|it| it.id == incident_id).map(|it| &it.frame)
    }

    /// Takes up a new configuration; windows, baselines, incidents and unchanged rules keep their state.
    /// Alerts whose rule is gone or changed have ended.
    pub fn reconfigure(&mut self, config: Arc<Config>, now: UnixNanos) {
        self.redactor = redactor(&config).map(Arc::new);
        self.assembly.reconfigure(config.assembly, normaliser(&config));
        self.declared.reconfigure(normaliser(&config));
        self.pricing.reconfigure(&config.cost);
        let gone: Vec<_> =
            self.features.values_mut().map(|feature| (feature.name.clone(), feature.configure(&config))).collect();
        for (name, alerts) in gone {
            alerts.into_iter().for_each(|alert| self.end_removed(&name, alert, now));
        }
        self.config_sha256 = config.sha256();
        self.config = config;
        self.share_rows();
        self.settle_breakers(now);
    }

    /// Takes in one whole request, as assembled or as recorded. It stays as it came as long as it stays in memory:
    /// what goes into a frame is redacted on the way. What its telemetry lacks is taken from what is declared.
    pub fn request(&mut self, mut request: Request, now: UnixNanos) {
        self.pricing.price(&mut request);
        self.declared.complete(&mut request);
        let judges = match request.evaluations.is_empty() {
            true => self.declared.judges(&request.feature, request.started_at),
            false => Vec::new(),
        };
        let redactor = self.redactor.clone();
        let answer = redactor.as_deref().zip(request.response.as_deref());
        let leak = answer.is_some_and(|(redactor, answer)| redactor.leaks(answer, request.user_query.as_deref()));
        let features = self.features_of(&request, now);
        let taken = Taken {
            facts: Facts::of(&request, leak),
            seen: Observation::of(&request),
            leak,
            texts: ledger::texts(&request, &judges),
            reading: attribution::reading(&request, &judges),
            judges,
            redactor: redactor.as_deref(),
            clean: OnceCell::new(),
            request: Arc::new(request),
        };
        // Nobody pays for a verdict on a rehearsal.
        if features.contains(&Some(ALL.into())) {
            self.choose(&taken.request, &taken.facts, now);
        }
        for name in features.iter().flatten() {
            let feature = self.feature(name);
            feature.record(&taken, now);
            let name = feature.name.clone();
            for (class, transition) in feature.probe(Some(&taken.request), &taken.facts, now) {
                self.breaker_moved(&name, class, transition);
            }
        }
    }

    /// What a request counts for: its own feature and the whole service; a drill's for [`DRILL`] alone.
    fn features_of(&mut self, request: &Request, now: UnixNanos) -> [Option<Arc<str>>; 2] {
        if request.drill.is_some() && self.are_drills_apart {
            Metric::DrillRequests.add(&[], 1);
            if self.drill_told.is_none_or(|told| now.since(told) >= DRILL_TOLD_EVERY) {
                self.drill_told = Some(now);
                let (drill, feature) = (request.drill.as_deref(), &*request.feature);
                tracing::warn!(drill, feature, "drill traffic arrives; it counts for no feature but {DRILL}");
            }
            return [Some(DRILL.into()), None];
        }
        [Some(self.registry.resolve(&request.feature)), Some(ALL.into())]
    }

    /// Ends the slot that time has passed, before anything of the next one is counted.
    fn end_due_slot(&mut self, now: UnixNanos) {
        if now >= self.next_slot {
            let slot = self.config.windows.slot;
            let end = now.floor(slot);
            self.pass_over(end.since(self.next_slot), end);
            self.close_due(end);
            self.end_slot(end);
            self.next_slot = end.plus(slot);
            self.slot_ended = true;
        }
    }

    /// Leaves out slots that nobody saw end: the machine slept, or the clock jumped ahead.
    fn pass_over(&mut self, gap: Duration, now: UnixNanos) {
        if !gap.is_zero() {
            let alerts = self.features.values_mut().flat_map(|feature| &mut feature.alerts);
            alerts.for_each(|alert| {
                alert.state = alert.state.passed_over(gap, now);
                let limit = alert.breach().limit.or(alert.watch.held_against());
                alert.watch.resume(&alert.rule, limit, now);
            });
        }
    }

    fn close_due(&mut self, now: UnixNanos) {
        let closed = self.assembly.close_due(now);
        closed.into_iter().for_each(|it| self.close(it, now));
    }

    fn close(&mut self, closed: Closed, now: UnixNanos) {
        match closed {
            Closed::Request(request) => self.request(*request, now),
            Closed::Late { trace_id, feature, is_drill, mut evaluations, feedback } => {
                self.declared.complete_evaluations(&feature, now, &mut evaluations);
                let redactor = self.redactor.clone();
                let said = Facts::of_late(&evaluations, feedback.as_ref());
                let apart = is_drill && self.are_drills_apart;
                let own = if apart { DRILL.into() } else { self.registry.resolve(&feature) };
                // Who judges what nobody asked is no feature: such a verdict counts for the service alone.
                let known = Some(&*own).filter(|name| self.features.contains_key(*name) && *name != ALL);
                for name in known.into_iter().chain((!apart).then_some(ALL)) {
                    let feature = self.feature(name);
                    feature.meters.record_late(None, &evaluations, feedback.as_ref());
                    feature.completeness.hear(&evaluations, feedback.as_ref());
                    feature.amend(trace_id, &evaluations, &said, redactor.as_deref(), now);
                    let name = feature.name.clone();
                    for (class, transition) in feature.probe(None, &said, now) {
                        self.breaker_moved(&name, class, transition);
                    }
                }
            }
        }
    }

    /// Shares the rows out: half to the whole service, the other half to its features alike.
    fn share_rows(&mut self) {
        let half = self.config.rows_max / 2;
        let each = half / self.real_features().max(1);
        for (name, feature) in &mut self.features {
            feature.recorder.resize(if **name == *ALL { half } else { each }.max(ROWS_MIN));
        }
    }

    pub(super) fn feature(&mut self, name: &str) -> &mut Feature {
        if !self.features.contains_key(name) {
            let (name, meters) = self.registry.get_or_insert(name);
            let mut feature = Feature::new(name.clone(), meters, &self.config);
            feature.baselines = self.restored.remove(&*name).unwrap_or_default();
            self.features.insert(name, feature);
            self.share_rows();
        }
        self.features.get_mut(name).expect("inserted above when it was absent")
    }
}

/// The redactor a configuration asks for, if it asks for one.
#[must_use]
pub fn redactor(config: &Config) -> Option<Redactor> {
    let wanted = &config.redaction;
    let redactor =
        Redactor::new(&wanted.settings).expect("the patterns were compiled when the configuration was checked");
    wanted.enabled.then(|| redactor.with_pseudonyms(wanted.pseudonym_key()))
}

/// The normaliser a configuration asks for.
#[must_use]
pub fn normaliser(config: &Config) -> Normaliser {
    Normaliser::new(&Settings { feature: config.features.keys.clone(), fields: config.fields.clone() })
}

fn tally(ingested: &mut Ingested, added: Added) {
    match added {
        Added::Llm => ingested.accepted += 1,
        Added::NotLlm => {
            ingested.accepted += 1;
            ingested.not_llm += 1;
        }
        Added::Rejected(reason) => {
            ingested.rejected += 1;
            ingested.reason.get_or_insert(reason);
        }
    }
}

fn count(metric: Metric, ingested: &Ingested) {
    for (result, reason, n) in [
        ("accepted", "", ingested.accepted - ingested.not_llm),
        ("not_llm", "", ingested.not_llm),
        ("rejected", ingested.reason.unwrap_or_default(), ingested.rejected),
    ] {
        if n > 0 {
            metric.add(&[("result", result), ("reason", reason)], n);
        }
    }
}

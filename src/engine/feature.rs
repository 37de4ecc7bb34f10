//! Everything the engine knows of one feature.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use crate::config::Config;
use crate::core::attribution::dimension::Dimension;
use crate::core::attribution::{self, Reading};
use crate::core::baseline::Baselines;
use crate::core::breaker::{self, Input};
use crate::core::completeness::{Observation, Recent};
use crate::core::detect::{Rule, Verdict, Watch};
use crate::core::facts::Facts;
use crate::core::fingerprint::{alert_labels, fingerprint};
use crate::core::ledger::{Ledger, Texts};
use crate::core::meters::Meters;
use crate::core::recorder::{self, ROWS_MIN, Recorder, Row};
use crate::core::redact::{self, Redactor};
use crate::core::request::{Evaluation, Request, TraceId};
use crate::core::signal::Signal;
use crate::core::time::UnixNanos;
use crate::core::vocabulary::Vocabulary;
use crate::core::window::{Policy, Windows};
use crate::core::{alert, incident::Class};

/// One feature's state. Owned by the engine alone; `meters` is shared with the scrape.
#[derive(Debug)]
pub(super) struct Feature {
    pub(super) name: Arc<str>,
    pub(super) meters: Arc<Meters>,
    pub(super) windows: Windows,
    pub(super) baselines: Baselines,
    pub(super) ledger: Ledger,
    pub(super) vocabulary: Vocabulary,
    pub(super) recorder: Recorder,
    pub(super) completeness: Recent,
    /// What was taken out of the details of its values.
    pub(super) redactions: redact::Counts,
    /// The drill that made the last request.
    pub(super) drill: Option<Box<str>>,
    pub(super) alerts: Vec<Instance>,
    pub(super) breakers: Vec<Breaker>,
}

/// A closed request with what was read of it once for every feature it counts for.
#[derive(Debug)]
pub(super) struct Taken<'e> {
    pub(super) request: Arc<Request>,
    pub(super) facts: Facts,
    pub(super) seen: Observation,
    pub(super) leak: bool,
    pub(super) texts: Texts,
    pub(super) reading: Reading,
    /// The judges at work, where nobody judged the request.
    pub(super) judges: Vec<Evaluation>,
    pub(super) redactor: Option<&'e Redactor>,
    /// The redacted copy, made when something of the request is new.
    pub(super) clean: OnceCell<(Request, redact::Counts)>,
}

impl Taken<'_> {
    /// The request as the variables see it: with the judges at work where nobody judged it.
    fn redacted(&self) -> (Request, redact::Counts) {
        if self.judges.is_empty() {
            return redacted(&self.request, self.redactor);
        }
        let judged = Request { evaluations: self.judges.clone(), ..Request::clone(&self.request) };
        redacted(&judged, self.redactor)
    }
}

/// A copy of a request without what must not leave memory, and what was taken out.
pub(super) fn redacted(request: &Request, redactor: Option<&Redactor>) -> (Request, redact::Counts) {
    let mut request = request.clone();
    let found = redactor.map(|redactor| redact::request(&mut request, redactor)).unwrap_or_default();
    (request, found)
}

/// One rule on one feature.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) rule: Arc<Rule>,
    pub(super) fingerprint: String,
    pub(super) state: alert::State,
    pub(super) watch: Watch,
    pub(super) verdict: Verdict,
    /// Id of the incident of the current or last firing.
    pub(super) incident: Option<String>,
    /// When the incident's frame is to be taken again.
    pub(super) refinement: Option<Refinement>,
    pub(super) resolved_at: Option<UnixNanos>,
}

/// From how many requests on an incident's answer is asked for again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refinement {
    /// The start of the incident window.
    pub(super) from: UnixNanos,
    /// Requests of it that tell of the signal.
    pub(super) requests: usize,
}

/// One class's breaker.
#[derive(Debug)]
pub(super) struct Breaker {
    pub(super) class: Class,
    pub(super) machine: breaker::Machine,
    pub(super) policy: breaker::Policy,
    pub(super) plan: Arc<breaker::Plan>,
    pub(super) last: Option<breaker::Transition>,
    /// What opened it last.
    pub(super) cause: Option<Cause>,
}

/// What opened a breaker: its probes are judged by the same signal and limit.
#[derive(Clone, Debug)]
pub(super) struct Cause {
    pub(super) incident: String,
    pub(super) signal: Signal,
    pub(super) limit: f64,
}

impl Feature {
    pub(super) fn new(name: Arc<str>, meters: Arc<Meters>, config: &Config) -> Self {
        let mut feature = Self {
            windows: Windows::new(config.windows),
            baselines: Baselines::default(),
            ledger: Ledger::new(config.windows),
            vocabulary: Vocabulary::default(),
            recorder: Recorder::new(ROWS_MIN, config.records_max),
            completeness: Recent::new(config.windows.long),
            redactions: redact::Counts::default(),
            drill: None,
            alerts: Vec::new(),
            breakers: Vec::new(),
            name,
            meters,
        };
        let none = feature.configure(config);
        debug_assert!(none.is_empty(), "a new feature has no alerts");
        feature
    }

    /// Takes up rules and breaker policies; what is unchanged keeps its state, and so does an alert whose rule changed in
    /// anything but what it is about. Returns the alerts that are gone.
    pub(super) fn configure(&mut self, config: &Config) -> Vec<Instance> {
        let extra = config.alertmanager.as_ref().map_or(&[][..], |it| &it.labels);
        let mut old = std::mem::take(&mut self.alerts);
        let applicable = config.rules.iter().filter(|rule| rule.applies_to(&self.name));
        self.alerts = applicable
            .map(|rule| {
                let new = Instance::new(rule.clone(), &self.name, extra);
                match old.iter().position(|it| it.is_about_the_same(&new)) {
                    Some(at) if old[at].rule == *rule => old.swap_remove(at),
                    Some(at) => old.swap_remove(at).under(rule),
                    None => new,
                }
            })
            .collect();
        let gone = old;
        let mut old = std::mem::take(&mut self.breakers);
        self.breakers = config
            .breakers
            .iter()
            .map(|settings| match old.iter().position(|it| it.class == settings.class) {
                Some(at) => Breaker { policy: settings.policy, plan: settings.plan.clone(), ..old.swap_remove(at) },
                None => Breaker::new(settings.class, settings.policy, settings.plan.clone()),
            })
            .collect();
        gone
    }

    /// Ends a slot; what is old enough and good is learned.
    pub(super) fn close_slot(&mut self, at: UnixNanos, policy: &Policy) {
        let slot_rows = self.recorder.slot_rows(policy.baseline, policy.slot);
        let learn = self.is_learning();
        let from = self.windows.newest().to;
        let learned = self.windows.close_slot(at, &self.meters, learn);
        self.recorder.close_slot(from, at, learn, slot_rows);
        let last_good = if learned.is_empty() { None } else { self.windows.baseline() };
        if let Some(last) = learned.last() {
            self.recorder.learn(last.to, last_good.as_ref().map_or(UnixNanos(0), |it| it.from));
        }
        learned.iter().for_each(|slot| self.baselines.learn(slot, last_good.as_ref()));
        self.ledger.close_slot(at, learn);
    }

    /// Takes in one closed request. What stands behind a new value is redacted before it is kept.
    pub(super) fn record(&mut self, taken: &Taken<'_>, now: UnixNanos) {
        self.meters.record(&taken.request, taken.leak);
        self.completeness.add(taken.seen, now);
        self.drill.clone_from(&taken.request.drill);
        let mut is_new = false;
        let clean = || taken.clean.get_or_init(|| taken.redacted());
        self.ledger.observe(&taken.texts, now, |subject| {
            is_new = true;
            (subject.value(&clean().0), subject.detail(&clean().0))
        });
        let codes = self.vocabulary.codes(&taken.reading, now, self.recorder.oldest(), |dimension| {
            dimension.value(&clean().0, &taken.judges).map(Cow::into_owned)
        });
        if is_new {
            self.redactions.merge(&clean().1);
        }
        let trace = recorder::trace(taken.request.trace_id);
        self.recorder.record(Row { at: now, trace, codes, facts: taken.facts }, taken.request.clone());
    }

    /// Takes in what was said of a request that was counted before.
    pub(super) fn amend(
        &mut self,
        id: TraceId,
        evaluations: &[Evaluation],
        said: &Facts,
        redactor: Option<&Redactor>,
        now: UnixNanos,
    ) {
        // Who judges what failed is no property of what failed.
        let by_lot: Vec<Evaluation> = evaluations.iter().filter(|it| it.is_by_lot()).cloned().collect();
        let judge = attribution::judges(&by_lot).map(|judge| {
            let oldest = self.recorder.oldest();
            let shown = || redactor.map(|redactor| redactor.redact(&judge).text.into_owned());
            let code = self.vocabulary.code(Dimension::JudgeConfig, &judge, now, oldest, shown);
            (Dimension::JudgeConfig.index(), code)
        });
        self.recorder.amend(id, judge, said, evaluations);
    }

    /// Whether what happens now may become part of the baseline.
    pub(super) fn is_learning(&self) -> bool {
        self.alerts.iter().all(|it| it.state == alert::State::Inactive)
    }

    /// Lets half-open breakers see one request, or what was said of one later. One that took a breaker's way around
    /// the trouble is no probe of it. Returns the transitions.
    pub(super) fn probe(
        &mut self,
        request: Option<&Request>,
        facts: &Facts,
        now: UnixNanos,
    ) -> Vec<(Class, breaker::Transition)> {
        let probes = self.breakers.iter_mut().filter(|it| matches!(it.machine.state, breaker::State::HalfOpen { .. }));
        probes
            .filter(|breaker| !request.is_some_and(|request| breaker.plan.is_followed_by(request)))
            .filter_map(|breaker| {
                let cause = breaker.cause.as_ref()?;
                let fails = facts.fails(cause.signal, cause.limit)?;
                breaker.step(Input::Probe { ok: !fails }, now).map(|transition| (breaker.class, transition))
            })
            .collect()
    }
}

impl Feature {
    /// Whether an alert that fires trips the breaker of `class`.
    pub(super) fn is_tripped(&self, class: Class) -> bool {
        let trips = |plan: &breaker::Plan| {
            self.alerts.iter().any(|alert| alert.is_firing() && plan.is_tripped_by(class, &alert.rule))
        };
        self.breakers.iter().any(|it| it.class == class && trips(&it.plan))
    }
}

impl Instance {
    fn new(rule: Arc<Rule>, feature: &str, extra: &[(String, String)]) -> Self {
        Self {
            fingerprint: fingerprint(&alert_labels(&rule, feature, extra)),
            rule,
            state: alert::State::Inactive,
            watch: Watch::default(),
            verdict: Verdict::InsufficientData { samples: 0 },
            incident: None,
            refinement: None,
            resolved_at: None,
        }
    }

    /// The same alert under a changed rule. What was found goes on where it is judged as before, and is asked about again by
    /// no other limit than it was found by.
    fn under(self, rule: &Arc<Rule>) -> Self {
        let judged = |rule: &Rule| (rule.limit, rule.window, rule.window_samples, rule.samples_min);
        let rule = rule.clone();
        match judged(&self.rule) == judged(&rule) {
            true => Self { rule, ..self },
            false => Self { rule, watch: Watch::default(), refinement: None, ..self },
        }
    }

    /// Whether both have the same labels and watch the same signal: Prometheus too keeps alerts over a reload by name
    /// and labels.
    fn is_about_the_same(&self, other: &Self) -> bool {
        let about = |it: &Self| (it.rule.signal, it.rule.direction);
        self.fingerprint == other.fingerprint && about(self) == about(other)
    }
}

impl Breaker {
    fn new(class: Class, policy: breaker::Policy, plan: Arc<breaker::Plan>) -> Self {
        Self { class, machine: breaker::Machine::default(), policy, plan, last: None, cause: None }
    }

    /// Steps the machine and remembers the transition, if there is one.
    pub(super) fn step(&mut self, input: Input, now: UnixNanos) -> Option<breaker::Transition> {
        let step = self.machine.step(input, now, &self.policy);
        self.machine = step.machine;
        self.last = step.transition.or(self.last);
        step.transition
    }
}

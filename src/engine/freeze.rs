//! The moment an alert fires: onset, both windows, the six variables, suspects and samples, into one frame.

use std::sync::Arc;

use rand::RngCore;
use serde_json::Value as Json;

use super::comparison::signals;
use super::effect::Effect;
use super::engine::{Committing, Engine};
use super::feature::{Feature, Instance, Refinement, redacted};
use super::handle::{ForeignAlert, Question};
use super::store::FrameBytes;
use super::view::{Breach, FrameState, Incident};
use crate::core::attribution::Answer;
use crate::core::changes::{self, Change};
use crate::core::frame::{self, Frame, Producer, Redaction, VariableState};
use crate::core::incident::{Class, Severity};
use crate::core::redact;
use crate::core::request::Request;
use crate::core::signal::Signal;
use crate::core::time::UnixNanos;
use crate::core::triage;
use crate::core::variable::Variable;

/// What asks for a frame: an alert of ours, or one that somebody else raised.
pub(super) struct Trigger {
    alert: frame::Alert,
    breach: Breach,
    from: UnixNanos,
}

impl Trigger {
    /// An alert of ours that breached so, whose condition held at `starts_at`, that fired at `fired_at`, and whose trouble
    /// began at `from`.
    pub(super) fn of(
        instance: &Instance,
        breach: Breach,
        [starts_at, fired_at]: [UnixNanos; 2],
        from: UnixNanos,
    ) -> Self {
        let rule = &instance.rule;
        let alert = frame::Alert {
            name: rule.name.to_string(),
            fingerprint: instance.fingerprint.clone(),
            class: rule.class,
            severity: rule.severity,
            patterns: Vec::new(),
            signal: Some(rule.signal.as_str()),
            estimate: breach.estimate,
            threshold: breach.limit,
            threshold_source: breach.source.map(|it| it.to_string()),
            starts_at,
            fired_at: Some(fired_at),
            rule_sha256: Some(rule.sha256()),
        };
        Self { alert, breach, from }
    }
}

/// While so many frames wait for the log, further ones are taken without the requests behind their verdict, which are most of
/// a frame's bytes.
const ROWS_COMMITTING_MAX: usize = 64;

impl Engine {
    /// Freezes the frame of an alert that just started to fire.
    pub(super) fn freeze(&mut self, name: &Arc<str>, index: usize, since: UnixNanos, at: UnixNanos) {
        let id = self.frame_id(at);
        let slot = self.config.windows.slot;
        let Some(feature) = self.features.get_mut(name) else { return };
        let instance = &mut feature.alerts[index];
        instance.incident = Some(id.clone());
        instance.resolved_at = None;
        let (rule, breach) = (instance.rule.clone(), instance.breach());
        let oldest = at.minus(self.config.windows.long);
        let from = match (instance.watch.onset(), breach.limit) {
            (Some(onset), _) => onset.max(oldest),
            (None, Some(limit)) => feature.onset(&rule, limit, since, at, slot),
            (None, None) => since,
        };
        let trigger = Trigger::of(&feature.alerts[index], breach, [since, at], from);
        let compared = self.capture(id, name, &trigger, at);
        if let Some(feature) = self.features.get_mut(name) {
            feature.alerts[index].refinement = compared.filter(|it| *it > 0).map(|it| Refinement::after(from, it));
        }
    }

    /// Freezes the frame of an alert that somebody else fires, unless it has one. Returns the incident's id and
    /// whether it is new.
    pub fn witness(&mut self, foreign: &ForeignAlert, at: UnixNanos) -> (String, bool) {
        let starts_at = foreign.starts_at;
        if let Some(known) = self.incidents.iter().find(|it| it.is_about(&foreign.fingerprint, starts_at)) {
            return (known.id.clone(), false);
        }
        let id = self.frame_id(at);
        let known = self.features.contains_key(foreign.feature.as_str());
        let name = self.feature(if known { &foreign.feature } else { super::registry::ALL }).name.clone();
        let alert = frame::Alert {
            name: foreign.name.clone(),
            fingerprint: foreign.fingerprint.clone(),
            class: foreign.class.unwrap_or(Class::QualityDegradation),
            severity: foreign.severity.unwrap_or(Severity::Sev2),
            patterns: Vec::new(),
            signal: None,
            estimate: None,
            threshold: None,
            threshold_source: None,
            starts_at,
            fired_at: Some(at),
            rule_sha256: None,
        };
        let breach = Breach { signal: None, estimate: None, limit: None, source: None };
        let from = starts_at.max(at.minus(self.config.windows.long));
        self.capture(id.clone(), &name, &Trigger { alert, breach, from }, at);
        (id, true)
    }

    /// What moved since the last-good baseline, without an alert, and without committing it; `None` without the feature.
    pub fn explain(&mut self, question: &Question, at: UnixNanos) -> Option<Box<Frame>> {
        let id = self.frame_id(at);
        let feature = self.features.get(question.feature.as_str())?;
        let from = at.minus(question.since.min(self.config.windows.long));
        let window = feature.windows.between(from, at);
        let tells = |signal| window.estimate(signal).is_some();
        // Where judges give scores and nobody said what passes, the score is the quality.
        let signal = match question.signal {
            Signal::Quality if !tells(Signal::EvaluationPassRatio) && tells(Signal::EvaluationScore) => {
                Signal::EvaluationScore
            }
            asked => asked,
        };
        let estimate = window.estimate(signal);
        let rule = self.config.rules.iter().find(|rule| rule.signal == signal);
        let alert = frame::Alert::asked(signal, estimate, from, rule.map(|rule| &**rule));
        let limit = estimate.map(|it| it.value);
        let breach = Breach { signal: Some(signal), estimate, limit, source: None };
        let frame = self.frame(id, feature, &Trigger { alert, breach, from }, at);
        Some(Box::new(Frame { rows: None, ..frame }))
    }

    /// Takes an incident's first frame. Returns how many of its requests were compared.
    fn capture(&mut self, id: String, name: &Arc<str>, trigger: &Trigger, at: UnixNanos) -> Option<usize> {
        let frame = self.finished(id.clone(), name, trigger, at)?;
        self.hand_over(&frame);
        let deadline = at.plus(self.config.evidence.commit_timeout);
        self.committing.insert(id.clone(), Committing { deadline });
        let suspect = suspect(&frame);
        let alert = frame.alert;
        self.open_incident(Incident {
            id,
            feature: name.clone(),
            alertname: alert.name,
            class: alert.class,
            severity: alert.severity,
            patterns: alert.patterns,
            fingerprint: alert.fingerprint,
            starts_at: alert.starts_at,
            fired_at: at,
            resolved_at: None,
            recalled: false,
            breach: trigger.breach,
            frame: FrameState::Committing,
            suspect,
            refined: None,
            breaker_actions: Vec::new(),
        });
        Some(frame.verdict.requests[1])
    }

    /// A frame with what is read out of the finished document.
    pub(super) fn finished(&self, id: String, name: &Arc<str>, trigger: &Trigger, at: UnixNanos) -> Option<Frame> {
        let mut frame = self.frame(id, self.features.get(name)?, trigger, at);
        let rows = frame.rows.take().filter(|_| self.committing.len() < ROWS_COMMITTING_MAX);
        frame.alert.patterns = triage::patterns(&frame.body().into()).into_iter().map(|it| it.pattern).collect();
        Some(Frame { rows, ..frame })
    }

    /// Hands a frame to the log.
    pub(super) fn hand_over(&mut self, frame: &Frame) {
        self.effects.push(Effect::Freeze(Arc::new(FrameBytes {
            id: frame.id.clone(),
            captured_at: frame.captured_at.to_string(),
            feature: frame.feature.to_string(),
            fingerprint: frame.alert.fingerprint.clone(),
            body: frame.body(),
        })));
    }

    fn frame(&self, id: String, feature: &Feature, trigger: &Trigger, at: UnixNanos) -> Frame {
        let now = feature.windows.between(trigger.from, at);
        let before = feature.windows.baseline();
        let (incident, baseline) = (feature.ledger.since(trigger.from), feature.ledger.baseline());
        let completeness = feature.completeness.completeness();
        let state = |variable| VariableState::of(&feature.ledger, variable, [&incident, &baseline], &completeness);
        let mut variables: Vec<_> = Variable::ALL.into_iter().map(state).collect();
        let mut found = feature.redactions.clone();
        let judge = variables.iter_mut().filter(|it| it.variable == Variable::Judge);
        let signed_off = || self.declared.signed_off(&feature.name, at);
        judge.for_each(|it| it.detail["signed_off"] = self.clean(signed_off(), &mut found));
        let index = variables.iter_mut().filter(|it| it.variable == Variable::RetrievalIndex);
        let declared = || self.declared.indexes(&feature.name, at);
        index.for_each(|it| it.detail["declared"] = self.clean(declared(), &mut found));
        let (failing, healthy) = feature.samples(trigger.from, &trigger.breach);
        let [failing, healthy] = [failing, healthy].map(|samples| {
            let redact = |request: Arc<Request>| {
                let (request, counts) = redacted(&request, self.redactor.as_deref());
                found.merge(&counts);
                request
            };
            samples.into_iter().map(redact).collect::<Vec<_>>()
        });
        let (verdict, rows) = feature.verdict(trigger.from, &trigger.breach, self.signal_of(trigger.alert.class));
        Frame {
            id,
            captured_at: at,
            feature: feature.name.clone(),
            refines: None,
            drill: feature.drill.clone(),
            alert: trigger.alert.clone(),
            incident: frame::Window { from: trigger.from, to: at, requests: now.requests() },
            baseline: before.as_ref().map(|it| frame::Window { from: it.from, to: it.to, requests: it.requests() }),
            variables,
            rows: verdict.explanation.is_some().then_some(rows),
            verdict,
            changes: self.changes_of(feature, at).into_iter().take(changes::CHANGES_MAX).collect(),
            signals: signals(&now, before.as_ref()),
            breakers: feature.breakers.iter().map(|it| (it.class, it.machine.state.seen_as(it.policy.mode))).collect(),
            failing,
            healthy,
            completeness,
            redaction: Redaction {
                rules_version: match &self.redactor {
                    Some(redactor) => redactor.rules_version().to_owned(),
                    None => "off".to_owned(),
                },
                counts: found.iter().map(|(entity, n)| (entity.to_owned(), n)).collect(),
            },
            producer: Producer { version: env!("CARGO_PKG_VERSION"), config_sha256: self.config_sha256.clone() },
        }
    }

    /// The journal of changes of a feature, newest first; `None` without the feature.
    #[must_use]
    pub fn changes(&self, feature: &str, at: UnixNanos) -> Option<Vec<Change>> {
        Some(self.changes_of(self.features.get(feature)?, at))
    }

    fn changes_of(&self, feature: &Feature, at: UnixNanos) -> Vec<Change> {
        let mut changes = changes::of(&feature.ledger, at);
        for change in &mut changes {
            let reporter = self.declared.reporter(&feature.name, change.variable, &change.value);
            change.reported_by = reporter.map(|name| match &self.redactor {
                Some(redactor) => redactor.redact(name).text.into_owned(),
                None => name.to_owned(),
            });
        }
        changes
    }

    /// What was declared, every text redacted.
    fn clean(&self, declared: Json, found: &mut redact::Counts) -> Json {
        match (declared, &self.redactor) {
            (Json::String(text), Some(redactor)) => {
                let clean = redactor.redact(&text);
                found.merge(&clean.counts);
                clean.text.into_owned().into()
            }
            (Json::Array(items), _) => items.into_iter().map(|it| self.clean(it, found)).collect(),
            (Json::Object(entries), _) => entries.into_iter().map(|(key, it)| (key, self.clean(it, found))).collect(),
            (other, _) => other,
        }
    }

    /// What the first rule of a class watches: by that an alert that somebody else raised is explained.
    fn signal_of(&self, class: Class) -> Option<Signal> {
        self.config.rules.iter().find(|rule| rule.class == class).map(|rule| rule.signal)
    }

    pub(super) fn frame_id(&mut self, at: UnixNanos) -> String {
        let mut random = [0; 10];
        self.random.fill_bytes(&mut random);
        uuid::Builder::from_unix_timestamp_millis(at.0 / 1_000_000, &random).into_uuid().to_string()
    }
}

/// The variable that a frame suspects first, as an alert's annotation says it.
pub(super) fn suspect(frame: &Frame) -> Option<String> {
    match &frame.verdict.answer {
        Answer::One(best) => Some(format!("{}={}", best.variable.as_str(), best.value)),
        Answer::Ambiguous(_) | Answer::CannotTell(_) | Answer::NoSignificantChange => None,
    }
}

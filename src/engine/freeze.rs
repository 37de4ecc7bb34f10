//! The moment an alert fires: onset, both windows, the six variables, suspects and samples, into one frame.

use std::sync::Arc;

use rand::RngCore;
use serde_json::Value as Json;

use super::comparison::signals;
use super::effect::Effect;
use super::engine::{Committing, Engine};
use super::feature::{Feature, redacted};
use super::handle::{ForeignAlert, Question};
use super::store::FrameBytes;
use super::view::{Breach, FrameState, Incident};
use crate::core::attribution::Answer;
use crate::core::changes;
use crate::core::frame::{self, Frame, Producer, Redaction, VariableState};
use crate::core::incident::{Class, Severity};
use crate::core::redact;
use crate::core::request::Request;
use crate::core::signal::Signal;
use crate::core::time::UnixNanos;
use crate::core::triage;
use crate::core::variable::Variable;

/// What asks for a frame: an alert of ours, or one that somebody else raised.
struct Trigger {
    alert: frame::Alert,
    breach: Breach,
    from: UnixNanos,
}

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
            starts_at: since,
            rule_sha256: Some(rule.sha256()),
        };
        let oldest = at.minus(self.config.windows.long);
        let from = match (instance.watch.onset(), breach.limit) {
            (Some(onset), _) => onset.max(oldest),
            (None, Some(limit)) => feature.onset(&rule, limit, since, at, slot),
            (None, None) => since,
        };
        self.capture(id, name, Trigger { alert, breach, from }, at);
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
            rule_sha256: None,
        };
        let breach = Breach { signal: None, estimate: None, limit: None, source: None };
        let from = starts_at.max(at.minus(self.config.windows.long));
        self.capture(id.clone(), &name, Trigger { alert, breach, from }, at);
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
        Some(Box::new(self.frame(id, feature, &Trigger { alert, breach, from }, at)))
    }

    fn capture(&mut self, id: String, name: &Arc<str>, trigger: Trigger, at: UnixNanos) {
        let Some(feature) = self.features.get(name) else { return };
        let mut frame = self.frame(id.clone(), feature, &trigger, at);
        frame.alert.patterns = triage::patterns(&frame.body().into()).into_iter().map(|it| it.pattern).collect();
        let suspect = match &frame.verdict.answer {
            Answer::One(best) => Some(format!("{}={}", best.variable.as_str(), best.value)),
            Answer::Ambiguous(_) | Answer::CannotTell(_) | Answer::NoSignificantChange => None,
        };
        let bytes = Arc::new(FrameBytes {
            id: id.clone(),
            captured_at: at.to_string(),
            feature: name.to_string(),
            fingerprint: frame.alert.fingerprint.clone(),
            body: frame.body(),
        });
        let deadline = at.plus(self.config.evidence.commit_timeout);
        self.committing.insert(id.clone(), Committing { deadline });
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
            breaker_actions: Vec::new(),
        });
        self.effects.push(Effect::Freeze(bytes));
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
        judge.for_each(|it| it.detail["signed_off"] = self.signed_off(&feature.name, at, &mut found));
        let (failing, healthy) = feature.samples(trigger.from, &trigger.breach);
        let [failing, healthy] = [failing, healthy].map(|samples| {
            let redact = |request: Arc<Request>| {
                let (request, counts) = redacted(&request, self.redactor.as_deref());
                found.merge(&counts);
                request
            };
            samples.into_iter().map(redact).collect::<Vec<_>>()
        });
        Frame {
            id,
            captured_at: at,
            feature: feature.name.clone(),
            drill: feature.drill.clone(),
            alert: trigger.alert.clone(),
            incident: frame::Window { from: trigger.from, to: at, requests: now.requests() },
            baseline: before.as_ref().map(|it| frame::Window { from: it.from, to: it.to, requests: it.requests() }),
            variables,
            verdict: feature.verdict(trigger.from, &trigger.breach, self.signal_of(trigger.alert.class)),
            changes: changes::of(&feature.ledger, at),
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

    /// The judges that signed off releases, redacted.
    fn signed_off(&self, feature: &str, at: UnixNanos, found: &mut redact::Counts) -> Json {
        let mut signed_off = self.declared.signed_off(feature, at);
        let sign_offs = signed_off.as_array_mut().into_iter().flatten().filter_map(Json::as_object_mut);
        for value in sign_offs.flat_map(|it| it.values_mut()) {
            if let (Some(redactor), Json::String(text)) = (&self.redactor, &mut *value) {
                let clean = redactor.redact(text);
                found.merge(&clean.counts);
                *value = clean.text.into_owned().into();
            }
        }
        signed_off
    }

    /// What the first rule of a class watches: by that an alert that somebody else raised is explained.
    fn signal_of(&self, class: Class) -> Option<Signal> {
        self.config.rules.iter().find(|rule| rule.class == class).map(|rule| rule.signal)
    }

    fn frame_id(&mut self, at: UnixNanos) -> String {
        let mut random = [0; 10];
        self.random.fill_bytes(&mut random);
        uuid::Builder::from_unix_timestamp_millis(at.0 / 1_000_000, &random).into_uuid().to_string()
    }
}

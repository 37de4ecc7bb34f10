//! The end of a slot: windows move on, rules judge, alerts and breakers step, and what they decide becomes effects.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::effect::{Acknowledgement, Effect};
use super::engine::{Engine, INCIDENTS_MAX};
use super::feature::{Cause, Feature};
use super::registry::DRILL;
use super::view::{Breach, FrameState, Incident, Notice};
use crate::core::alert;
use crate::core::detect::{Seen, Verdict};
use crate::core::time::UnixNanos;
use crate::core::window::Nested;
use crate::metrics::Metric;

impl Engine {
    /// Ends the slot at `at` for every feature, in order of name so that runs repeat exactly.
    pub(super) fn end_slot(&mut self, at: UnixNanos) {
        let mut names: Vec<Arc<str>> = self.features.keys().cloned().collect();
        names.sort_unstable();
        let with_slack = |feature: &Feature| feature.alerts.iter().filter(|it| it.rule.limit.slack.is_some()).count();
        let real = self.features.values().filter(|feature| *feature.name != *DRILL);
        let series = real.map(with_slack).sum();
        for name in names {
            let Some(feature) = self.features.get_mut(&name) else { continue };
            feature.close_slot(at, &self.config.windows);
            self.judge_rules(&name, series, at);
            self.refine(&name, at);
            self.tick_breakers(&name, at);
        }
    }

    fn judge_rules(&mut self, name: &Arc<str>, series: usize, at: UnixNanos) {
        let slot = self.config.windows.slot;
        let Some(Feature { windows, baselines, alerts, .. }) = self.features.get_mut(name) else { return };
        let last_good = windows.baseline();
        let mut nested: Option<(Duration, Nested)> = None;
        let mut moved = Vec::new();
        for (index, instance) in alerts.iter_mut().enumerate() {
            let window = instance.rule.window;
            let (_, nested) = match nested.take().filter(|(length, _)| *length == window) {
                Some(same) => nested.insert(same),
                None => nested.insert((window, windows.nested(window))),
            };
            let seen = Seen { windows, nested, last_good: last_good.as_ref(), baselines, series };
            instance.verdict = instance.watch.judge(&instance.rule, &seen);
            if instance.watch.is_resuming(at) && matches!(instance.verdict, Verdict::InsufficientData { .. }) {
                instance.state = instance.state.passed_over(slot, at);
                continue;
            }
            let step = instance.state.step(&instance.verdict, at, &instance.rule);
            instance.state = step.state;
            moved.extend(step.transition.map(|transition| (index, transition)));
        }
        for (index, transition) in moved {
            self.alert_moved(name, index, transition);
        }
    }

    fn alert_moved(&mut self, name: &Arc<str>, index: usize, transition: alert::Transition) {
        match transition.to {
            alert::State::Firing { since, .. } => self.freeze(name, index, since, transition.at),
            alert::State::Inactive if matches!(transition.from, alert::State::Firing { .. }) => {
                self.resolve(name, index, transition.at);
            }
            alert::State::Inactive | alert::State::Pending { .. } => self.notice_alert(name, index, transition.at),
        }
    }

    fn resolve(&mut self, name: &Arc<str>, index: usize, at: UnixNanos) {
        let Some(feature) = self.features.get_mut(name) else { return };
        let instance = &mut feature.alerts[index];
        instance.resolved_at = Some(at);
        instance.watch.end();
        let (class, id) = (instance.rule.class, instance.incident.clone());
        if let Some(incident) = self.incidents.iter_mut().find(|it| Some(&it.id) == id.as_ref()) {
            Arc::make_mut(incident).resolved_at = Some(at);
        }
        self.release_breaker(name, class, at);
        self.notice_alert(name, index, at);
    }

    /// Ends an alert whose rule a new configuration does not have.
    pub(super) fn end_removed(&mut self, name: &Arc<str>, mut alert: super::feature::Instance, at: UnixNanos) {
        let Some(transition) = alert.state.remove(at).transition else { return };
        let was_firing = alert.is_firing();
        (alert.state, alert.resolved_at) = (transition.to, was_firing.then_some(at));
        let (class, id) = (alert.rule.class, alert.incident.clone());
        if let Some(incident) = self.incidents.iter_mut().find(|it| was_firing && Some(&it.id) == id.as_ref()) {
            Arc::make_mut(incident).resolved_at = Some(at);
        }
        let Some(feature) = self.features.get_mut(name) else { return };
        // A changed rule has the same labels: whoever was told that it fires hears through it that it ended.
        if let Some(same) = feature.alerts.iter_mut().find(|it| it.fingerprint == alert.fingerprint) {
            (same.resolved_at, same.incident) = (alert.resolved_at, alert.incident.clone());
        }
        let view = self.features.get(name).map(|feature| self.alert_view(feature, &alert));
        self.effects.extend(view.map(|alert| Effect::Notice(Notice::Alert { alert: Arc::new(alert), at })));
        self.release_breaker(name, class, at);
    }

    /// Remembers a new incident. The oldest that is over makes room; one whose frame is under way or whose alert still
    /// fires stays, and of those there are no more than alerts.
    pub(super) fn open_incident(&mut self, incident: Incident) {
        self.incidents.push_front(Arc::new(incident));
        if self.incidents.len() > INCIDENTS_MAX {
            let firing: HashSet<&str> = self
                .features
                .values()
                .flat_map(|feature| &feature.alerts)
                .filter(|alert| alert.is_firing())
                .filter_map(|alert| alert.incident.as_deref())
                .collect();
            let is_over = |it: &Arc<Incident>| !self.committing.contains_key(&it.id) && !firing.contains(&*it.id);
            while self.incidents.len() > INCIDENTS_MAX
                && let Some(oldest) = self.incidents.iter().rposition(is_over)
            {
                self.incidents.remove(oldest);
            }
        }
    }

    /// Takes the log's answer to a frame. The first answer lets the alert out; a later one only updates the incident.
    pub fn acknowledge(&mut self, acknowledgement: Acknowledgement, at: UnixNanos) {
        let result = match acknowledgement.result {
            Ok(receipt) => FrameState::Committed(receipt),
            Err(error) => FrameState::NotCommitted { reason: error.to_string() },
        };
        self.settle(&acknowledgement.frame_id, result, at);
    }

    /// Lets alerts out whose frames took too long, saying so.
    pub(super) fn lose_patience(&mut self, now: UnixNanos) {
        let late = self.committing.iter().filter(|(_, it)| it.deadline <= now).map(|(id, _)| id.clone());
        for id in late.collect::<Vec<_>>() {
            Metric::Frames.add(&[("result", "late")], 1);
            let reason = "the log did not acknowledge the frame in time; it is still being written".to_owned();
            self.settle(&id, FrameState::NotCommitted { reason }, now);
        }
    }

    fn settle(&mut self, id: &str, state: FrameState, at: UnixNanos) {
        let first = self.committing.remove(id).is_some();
        if self.settle_refined(id, &state, at).is_some() {
            return;
        }
        let Some(incident) = self.incidents.iter_mut().find(|it| it.id == id) else { return };
        Arc::make_mut(incident).frame = state;
        let incident = incident.clone();
        self.effects.push(Effect::Notice(Notice::Frame { incident: incident.clone(), at }));
        if !first {
            return;
        }
        let index = self
            .features
            .get(&incident.feature)
            .and_then(|feature| feature.alerts.iter().position(|it| it.incident.as_deref() == Some(id)));
        if let Some(index) = index {
            self.notice_alert(&incident.feature, index, at);
        }
        if let (Some(index), Breach { signal: Some(signal), limit: Some(limit), .. }) = (index, incident.breach) {
            let cause = Cause { incident: id.to_owned(), signal, limit };
            self.trip_breaker(&incident.feature, index, cause, at);
        }
    }

    /// The fate of an incident's second frame: what it suspects is told once it is durable.
    fn settle_refined(&mut self, id: &str, state: &FrameState, at: UnixNanos) -> Option<()> {
        let is_it = |it: &&mut Arc<Incident>| it.refined.as_ref().is_some_and(|refined| refined.id == id);
        let incident = Arc::make_mut(self.incidents.iter_mut().find(is_it)?);
        let refined = incident.refined.as_mut()?;
        refined.frame = state.clone();
        if let FrameState::Committed(_) = state {
            incident.suspect.clone_from(&refined.suspect);
        }
        let incident = Arc::new(incident.clone());
        self.effects.push(Effect::Notice(Notice::Refined { incident, at }));
        Some(())
    }

    pub(super) fn notice_alert(&mut self, name: &Arc<str>, index: usize, at: UnixNanos) {
        let alert = self.features.get(name).map(|feature| self.alert_view(feature, &feature.alerts[index]));
        self.effects.extend(alert.map(|alert| Effect::Notice(Notice::Alert { alert: Arc::new(alert), at })));
    }
}

impl super::feature::Instance {
    pub(super) fn is_firing(&self) -> bool {
        matches!(self.state, alert::State::Firing { .. })
    }

    /// The limit that the verdict breached.
    pub(super) fn breach(&self) -> Breach {
        let (estimate, limit) = match self.verdict {
            Verdict::Breached { estimate, limit, .. } => (Some(estimate), Some(limit)),
            Verdict::Healthy { estimate } => (Some(estimate), None),
            Verdict::InsufficientData { .. } => (None, None),
        };
        Breach { signal: Some(self.rule.signal), estimate, limit, source: self.verdict.source() }
    }
}

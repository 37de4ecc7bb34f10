//! The published view: what the outside may know, made fresh after every tick and change.

use std::sync::Arc;

use super::engine::Engine;
use super::feature::{Breaker, Feature, Instance};
use super::view::{self, AlertState, View};
use crate::core::alert;
use crate::core::breaker::State;
use crate::core::signal::Signal;
use crate::core::time::UnixNanos;

impl Engine {
    /// The state at `now`, features in order of name.
    #[must_use]
    pub fn view(&self, now: UnixNanos) -> View {
        let mut features: Vec<&Feature> = self.features.values().collect();
        features.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        View {
            at: now,
            alerts: features
                .iter()
                .flat_map(|feature| feature.alerts.iter().map(|it| self.alert_view(feature, it)))
                .collect(),
            breakers: features
                .iter()
                .flat_map(|feature| feature.breakers.iter().map(|it| breaker_view(feature, it)))
                .collect(),
            incidents: self.incidents.iter().cloned().collect(),
            features: features.iter().map(|it| Arc::new(feature_view(it))).collect(),
        }
    }

    /// One alert, pending for the outside until its frame is durable or the commit deadline has passed.
    pub(super) fn alert_view(&self, feature: &Feature, instance: &Instance) -> view::Alert {
        let incident = self.incidents.iter().find(|it| Some(&it.id) == instance.incident.as_ref()).cloned();
        let committing = instance.incident.as_ref().is_some_and(|id| self.committing.contains_key(id));
        let (state, since) = match instance.state {
            alert::State::Inactive => (AlertState::Inactive, None),
            alert::State::Pending { since } => (AlertState::Pending, Some(since)),
            alert::State::Firing { since, .. } if committing => (AlertState::Pending, Some(since)),
            alert::State::Firing { since, .. } => (AlertState::Firing, Some(since)),
        };
        view::Alert {
            rule: instance.rule.clone(),
            feature: feature.name.clone(),
            fingerprint: instance.fingerprint.clone(),
            state,
            verdict: instance.verdict,
            thresholds: instance.watch.thresholds().to_vec(),
            starts_at: since.or(incident.as_ref().map(|it| it.starts_at)),
            resolved_at: instance.resolved_at.filter(|_| state == AlertState::Inactive),
            incident,
        }
    }
}

fn breaker_view(feature: &Feature, breaker: &Breaker) -> view::Breaker {
    let is_idle = breaker.machine.state == State::Closed && !breaker.machine.capped;
    let cause = breaker.cause.as_ref().filter(|_| !is_idle);
    let trips = feature.alerts.iter().filter(|it| breaker.plan.is_tripped_by(breaker.class, &it.rule));
    view::Breaker {
        feature: feature.name.clone(),
        class: breaker.class,
        machine: breaker.machine,
        policy: breaker.policy,
        last: breaker.last,
        incident_id: cause.map(|cause| cause.incident.clone()),
        signal: cause.map(|cause| cause.signal),
        trigger: trips.map(|it| it.rule.name.clone()).collect(),
        plan: breaker.plan.clone(),
    }
}

fn feature_view(feature: &Feature) -> view::Feature {
    let (short, long, baseline) = (feature.windows.short(), feature.windows.long(), feature.windows.baseline());
    let readings = Signal::ALL.into_iter().map(|signal| view::SignalReading {
        signal,
        short: short.estimate(signal),
        long: long.estimate(signal),
        baseline: baseline.as_ref().and_then(|it| it.estimate(signal)),
    });
    view::Feature {
        name: feature.name.clone(),
        signals: readings.filter(|it| it.short.is_some() || it.long.is_some() || it.baseline.is_some()).collect(),
        completeness: feature.completeness.completeness(),
        freshness: feature.meters.freshness().into_iter().map(|(index, lag)| (index.into(), lag)).collect(),
    }
}

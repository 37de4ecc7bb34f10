//! Alerts and breakers over a restart: what stands is told, and taken up again.

use std::sync::Arc;
use std::time::Duration;

use super::engine::Engine;
use super::feature::{Breaker, Cause, Feature};
use super::registry::ALL;
use crate::core::alert;
use crate::core::breaker::{self, State};
use crate::core::carried::{self, Carried, FORMAT};
use crate::core::incident::Class;
use crate::core::signal::Signal;
use crate::core::time::UnixNanos;

/// An outage longer than this ends what was pending or firing, as Prometheus has it (`--rules.alert.for-outage-tolerance`).
/// What somebody ordered by hand holds for ever.
pub const OUTAGE_TOLERANCE: Duration = Duration::from_secs(3_600);

impl Engine {
    /// What alerts and breakers stand at.
    #[must_use]
    pub fn carried(&self, at: UnixNanos) -> Carried {
        let mut features: Vec<&Feature> = self.features.values().collect();
        features.sort_unstable_by_key(|feature| feature.name.clone());
        Carried {
            format: FORMAT.into(),
            at,
            alerts: features.iter().flat_map(|feature| alerts(feature)).collect(),
            breakers: features.iter().flat_map(|feature| breakers(feature, at)).collect(),
            ended: self
                .incidents
                .iter()
                .filter_map(|it| Some(carried::Ended { incident: it.id.clone(), resolved_at: it.resolved_at? }))
                .collect(),
        }
    }

    /// Takes up what an earlier run stood at, after [`Engine::recall`]. The time between counts for nothing: alerts go
    /// on as if they had been judged all along. What the log says was frozen after the document was written fires too.
    /// Returns how many alerts go on.
    pub fn carry_on(&mut self, carried: &Carried, now: UnixNanos) -> usize {
        let outage = now.since(carried.at);
        let is_recent = outage <= OUTAGE_TOLERANCE;
        for ended in &carried.ended {
            if let Some(incident) = self.incidents.iter_mut().find(|it| it.id == ended.incident) {
                Arc::make_mut(incident).resolved_at = Some(ended.resolved_at);
            }
        }
        for breaker in &carried.breakers {
            let by_hand = matches!(breaker.machine.state, State::ForcedOpen { .. } | State::Disabled { .. });
            if is_recent || by_hand {
                self.carry_breaker(breaker, is_recent);
            }
        }
        let alerts = if is_recent { self.carry_alerts(carried, outage, now) } else { 0 };
        self.carry_on_breakers(now);
        alerts
    }

    /// Lets go of what no alert holds any more, and trips what an alert holds that was out before its breaker was told.
    fn carry_on_breakers(&mut self, now: UnixNanos) {
        let mut names: Vec<Arc<str>> = self.features.keys().cloned().collect();
        names.sort_unstable();
        for name in &names {
            Class::ALL.into_iter().for_each(|class| self.release_breaker(name, class, now));
            let alerts = self.features.get(name).map_or(0, |feature| feature.alerts.len());
            for index in 0..alerts {
                if let Some(cause) = self.untold_cause(name, index) {
                    self.trip_breaker(name, index, cause, now);
                }
            }
        }
    }

    /// What a firing alert would tell a breaker of its class that knows of none.
    fn untold_cause(&self, name: &Arc<str>, index: usize) -> Option<Cause> {
        let feature = self.features.get(name)?;
        let alert = feature.alerts.get(index).filter(|alert| alert.is_firing())?;
        let breaker = feature.breakers.iter().find(|it| it.class == alert.rule.class)?;
        let limit = alert.watch.held_against().filter(|_| !breaker.machine.alerting)?;
        Some(Cause { incident: alert.incident.clone()?, signal: alert.rule.signal, limit })
    }

    fn carry_alerts(&mut self, carried: &Carried, outage: Duration, now: UnixNanos) -> usize {
        // Alerts fire at the end of a slot, which is a moment before they are told.
        let slot = self.config.windows.slot;
        let untold = self
            .incidents
            .iter()
            .filter(|it| it.recalled && it.resolved_at.is_none() && it.fired_at.plus(slot) >= carried.at);
        let untold = untold.map(|it| carried::Alert {
            feature: it.feature.to_string(),
            fingerprint: it.fingerprint.clone(),
            state: alert::State::Firing { since: it.starts_at, fired_at: it.fired_at, breached_at: it.fired_at },
            incident: Some(it.id.clone()),
            signal: it.breach.signal.map(|signal| signal.as_str().to_owned()),
            rule_sha256: None,
            limit: it.breach.limit,
        });
        let untold: Vec<_> = untold.collect();
        untold.iter().chain(&carried.alerts).filter(|alert| self.carry_alert(alert, outage, now).is_some()).count()
    }

    fn carry_alert(&mut self, alert: &carried::Alert, outage: Duration, now: UnixNanos) -> Option<()> {
        let known = alert.incident.clone().filter(|id| self.incidents.iter().any(|it| it.id == *id));
        let is_firing = matches!(alert.state, alert::State::Firing { .. });
        let feature = self.carried_feature(&alert.feature)?;
        let instance = feature.alerts.iter_mut().find(|it| it.fingerprint == alert.fingerprint)?;
        let is_same = alert.rule_sha256.as_deref().is_none_or(|sha256| sha256 == instance.rule.sha256());
        if alert.signal.as_deref().is_some_and(|signal| signal != instance.rule.signal.as_str()) {
            return None;
        }
        // One whose frame is not in the log is judged anew, and frozen.
        if instance.state != alert::State::Inactive || (is_firing && known.is_none()) {
            return None;
        }
        instance.state = alert.state.passed_over(outage, now);
        instance.watch.resume(&instance.rule, alert.limit.filter(|_| is_same), now);
        instance.incident = known.clone();
        if let Some(incident) = self.incidents.iter_mut().find(|it| is_firing && Some(&it.id) == known.as_ref()) {
            Arc::make_mut(incident).recalled = false;
        }
        Some(())
    }

    fn carry_breaker(&mut self, carried: &carried::Breaker, is_recent: bool) -> Option<()> {
        let class = carried.class()?;
        let feature = self.carried_feature(&carried.feature)?;
        let breaker = feature.breakers.iter_mut().find(|it| it.class == class)?;
        breaker.machine = breaker::Machine { alerting: is_recent && carried.machine.alerting, ..carried.machine };
        breaker.cause = carried.cause.as_ref().and_then(|it| {
            Some(Cause { incident: it.incident.clone(), signal: Signal::parse(&it.signal)?, limit: it.limit })
        });
        Some(())
    }

    /// The feature of that name, if there is room for it.
    fn carried_feature(&mut self, name: &str) -> Option<&mut Feature> {
        let has_room = name == ALL || *self.registry.resolve(name) == *name;
        has_room.then(|| self.feature(name))
    }
}

fn alerts(feature: &Feature) -> impl Iterator<Item = carried::Alert> {
    let active = feature.alerts.iter().filter(|it| it.state != alert::State::Inactive);
    active.map(|it| carried::Alert {
        feature: feature.name.to_string(),
        fingerprint: it.fingerprint.clone(),
        state: it.state,
        incident: it.incident.clone().filter(|_| it.is_firing()),
        signal: Some(it.rule.signal.as_str().to_owned()),
        rule_sha256: Some(it.rule.sha256()),
        limit: it.breach().limit.or(it.watch.held_against()),
    })
}

/// Breakers that have something to remember.
fn breakers(feature: &Feature, at: UnixNanos) -> impl Iterator<Item = carried::Breaker> {
    let is_idle = move |it: &Breaker| {
        let rests = it.machine.state == State::Closed && !it.machine.alerting && !it.machine.capped;
        rests && at.since(it.machine.closed_at) >= it.policy.settle_for
    };
    let moved = feature.breakers.iter().filter(move |it| !is_idle(it));
    moved.map(|it| carried::Breaker {
        feature: feature.name.to_string(),
        class: it.class.as_str().to_owned(),
        machine: it.machine,
        cause: it.cause.as_ref().map(|cause| carried::Cause {
            incident: cause.incident.clone(),
            signal: cause.signal.as_str().to_owned(),
            limit: cause.limit,
        }),
    })
}

//! From the values of views to the wire types.

use std::time::Duration;

use super::{
    Alert, AlertEvent, Breaker, BreakerAction, BreakerEvent, Estimate, Feature, Frame, FrameEvent, Incident, Signal,
    Threshold, Transition, Window,
};
use crate::core::breaker::{self, Mode};
use crate::core::fingerprint::alert_labels;
use crate::core::incident::Class;
use crate::core::time::UnixNanos;
use crate::core::{detect, signal, window};
use crate::engine::view::{self, AlertState, FrameState};

impl Feature {
    pub(in crate::api) fn new(feature: &view::Feature, windows: window::Policy) -> Self {
        let signals = feature.signals.iter().map(|reading| Signal {
            signal: reading.signal.as_str(),
            short: Window::new(windows.short, reading.short),
            long: Window::new(windows.long, reading.long),
            baseline: reading.baseline.map(Estimate::new),
        });
        Self {
            feature: feature.name.to_string(),
            signals: signals.collect(),
            completeness: feature.completeness.to_json(),
            freshness_lag_seconds: feature.freshness.iter().cloned().collect(),
        }
    }
}

impl Window {
    fn new(length: Duration, estimate: Option<detect::Estimate>) -> Self {
        Self {
            window_seconds: length.as_secs_f64(),
            count: estimate.map_or(0, |estimate| estimate.samples),
            value: estimate.map(|estimate| estimate.value),
            ci_low: estimate.map(|estimate| estimate.ci_low),
            ci_high: estimate.map(|estimate| estimate.ci_high),
        }
    }
}

impl Estimate {
    fn new(estimate: detect::Estimate) -> Self {
        let detect::Estimate { value, samples, ci_low, ci_high } = estimate;
        Self { count: samples, value, ci_low, ci_high }
    }
}

impl Threshold {
    fn new(threshold: &detect::Threshold) -> Self {
        Self { value: threshold.value, source: threshold.source.to_string() }
    }
}

impl Alert {
    pub(in crate::api) fn new(alert: &view::Alert) -> Self {
        let (verdict, estimate, threshold, samples) = match alert.verdict {
            detect::Verdict::InsufficientData { samples } => ("insufficient_data", None, None, samples),
            detect::Verdict::Healthy { estimate } => ("healthy", Some(estimate), None, estimate.samples),
            detect::Verdict::Breached { estimate, limit, .. } => {
                ("breached", Some(estimate), Some(limit), estimate.samples)
            }
        };
        Self {
            alertname: alert.rule.name.to_string(),
            feature: alert.feature.to_string(),
            class: alert.rule.class.as_str(),
            severity: alert.rule.severity.as_str(),
            signal: alert.rule.signal.as_str(),
            state: alert_state(alert.state),
            verdict,
            value: estimate.map(|estimate| estimate.value),
            threshold: threshold.or(alert.rule.limit.fixed),
            thresholds: alert.thresholds.iter().map(Threshold::new).collect(),
            samples,
            ci_low: estimate.map(|estimate| estimate.ci_low),
            ci_high: estimate.map(|estimate| estimate.ci_high),
            fingerprint: alert.fingerprint.clone(),
            labels: alert_labels(&alert.rule, &alert.feature, &[]),
            starts_at: alert.starts_at.map(time),
            resolved_at: alert.resolved_at.map(time),
            incident_id: alert.incident.as_ref().map(|incident| incident.id.clone()),
            summary: alert.rule.summary.to_string(),
        }
    }
}

impl Incident {
    pub(in crate::api) fn new(incident: &view::Incident, base_url: &str) -> Self {
        let estimate = incident.breach.estimate;
        let frame = Frame::new(&incident.frame, base_url);
        let refined = incident.refined.as_ref().map(|it| Frame::new(&it.frame, base_url));
        let actions = incident.breaker_actions.iter().map(|(feature, class, transition)| BreakerAction {
            feature: feature.to_string(),
            class: class.as_str(),
            transition: Transition::new(transition),
        });
        Self {
            id: incident.id.clone(),
            state: incident.state(),
            feature: incident.feature.to_string(),
            alertname: incident.alertname.clone(),
            class: incident.class.as_str(),
            severity: incident.severity.as_str(),
            patterns: incident.patterns.iter().map(|it| it.as_str()).collect(),
            fingerprint: incident.fingerprint.clone(),
            starts_at: time(incident.starts_at),
            fired_at: time(incident.fired_at),
            resolved_at: incident.resolved_at.map(time),
            signal: incident.breach.signal.map(signal::Signal::as_str),
            value: estimate.map(|estimate| estimate.value),
            threshold: incident.breach.limit,
            threshold_source: incident.breach.source.map(|it| it.to_string()),
            samples: estimate.map(|estimate| estimate.samples),
            suspect: incident.suspect.clone(),
            frame_ids: [&frame].into_iter().chain(&refined).filter_map(|it| it.id.clone()).collect(),
            frame,
            refined,
            breaker_actions: actions.collect(),
        }
    }
}

impl Frame {
    fn new(fate: &FrameState, base_url: &str) -> Self {
        let without =
            |state, reason| Self { state, reason, id: None, seq: None, url: None, sha256: None, checkpoint: None };
        match fate {
            FrameState::Committing => without("committing", None),
            FrameState::NotCommitted { reason } => without("not_committed", Some(reason.clone())),
            FrameState::Committed(receipt) => Self {
                state: "committed",
                id: Some(receipt.frame_id.clone()),
                seq: Some(receipt.seq),
                url: Some(view::frame_url(base_url, &receipt.frame_id)),
                sha256: Some(receipt.frame_sha256.clone()),
                checkpoint: Some(receipt.checkpoint.clone()),
                reason: None,
            },
        }
    }
}

impl Transition {
    fn new(transition: &breaker::Transition) -> Self {
        Self {
            from: transition.from.as_str(),
            to: transition.to.as_str(),
            reason: transition.reason.as_str(),
            at: time(transition.at),
        }
    }
}

impl Breaker {
    pub(in crate::api) fn new(breaker: &view::Breaker, redirected: u64) -> Self {
        let shadow = breaker.mode() == Mode::Shadow;
        let (plan, policy) = (&breaker.plan, &breaker.policy);
        let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().map(str::to_owned);
        let (succeeded, failed) = match breaker.state() {
            breaker::State::HalfOpen { succeeded, failed, .. } => (Some(succeeded), Some(failed)),
            _ => (None, None),
        };
        Self {
            feature: breaker.feature.to_string(),
            class: breaker.class.as_str(),
            state: breaker.shown_state(),
            would_be: shadow.then(|| breaker.state().as_str()),
            since: since(breaker.state()).map(time),
            route: text(&plan.route),
            action: plan.action.as_str(),
            tool: text(&plan.tool),
            model: text(&plan.model),
            index: text(&plan.index),
            reply: text(&plan.reply),
            instructions: plan.instructions.to_string(),
            user_impact: plan.user_impact.to_string(),
            rollback: plan.rollback.to_string(),
            trigger: breaker.trigger.iter().map(ToString::to_string).collect(),
            signal: breaker.signal.map(signal::Signal::as_str),
            capped: breaker.machine.capped,
            openings: breaker.machine.openings,
            open_for_seconds: policy.open_for.as_secs_f64(),
            open_for_max_seconds: policy.open_for_max.as_secs_f64(),
            open_until: breaker.machine.open_until(policy).map(time),
            settle_for_seconds: policy.settle_for.as_secs_f64(),
            probe_share: policy.probe_share,
            probes: policy.probes,
            probe_quota: policy.probe_quota,
            probe_for_seconds: policy.probe_for.as_secs_f64(),
            probes_succeeded: succeeded,
            probes_failed: failed,
            incident_id: breaker.incident_id.clone(),
            last: breaker.last.as_ref().map(Transition::new),
            redirected,
        }
    }
}

impl AlertEvent {
    pub(in crate::api) fn new(alert: &view::Alert, at: UnixNanos) -> Self {
        Self { at: time(at), alert: Alert::new(alert) }
    }
}

impl BreakerEvent {
    pub(in crate::api) fn new(feature: &str, class: Class, mode: Mode, transition: &breaker::Transition) -> Self {
        Self {
            feature: feature.to_owned(),
            class: class.as_str(),
            mode: mode.as_str(),
            transition: Transition::new(transition),
        }
    }
}

impl FrameEvent {
    pub(in crate::api) fn new(incident: &view::Incident, base_url: &str, at: UnixNanos) -> Self {
        Self::of(incident, &incident.frame, base_url, at)
    }

    /// Of an incident's second frame.
    pub(in crate::api) fn refined(incident: &view::Incident, base_url: &str, at: UnixNanos) -> Self {
        let fate = incident.refined.as_ref().map_or(&FrameState::Committing, |it| &it.frame);
        Self::of(incident, fate, base_url, at)
    }

    fn of(incident: &view::Incident, fate: &FrameState, base_url: &str, at: UnixNanos) -> Self {
        Self {
            at: time(at),
            incident_id: incident.id.clone(),
            feature: incident.feature.to_string(),
            alertname: incident.alertname.clone(),
            frame: Frame::new(fate, base_url),
        }
    }
}

pub(in crate::api) fn time(at: UnixNanos) -> String {
    at.to_string()
}

/// Since when a breaker is in its state; a closed one has always been.
pub(in crate::api) fn since(state: breaker::State) -> Option<UnixNanos> {
    match state {
        breaker::State::Closed => None,
        breaker::State::Open { since }
        | breaker::State::HalfOpen { since, .. }
        | breaker::State::ForcedOpen { since }
        | breaker::State::Disabled { since } => Some(since),
    }
}

pub(in crate::api) fn alert_state(state: AlertState) -> &'static str {
    match state {
        AlertState::Inactive => "inactive",
        AlertState::Pending => "pending",
        AlertState::Firing => "firing",
    }
}

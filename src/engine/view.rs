//! What the engine publishes: immutable snapshots that the API, the metrics and the notifier read.
//!
//! An alert appears here as firing only after its frame is durable, or after the commit deadline with
//! [`FrameState::NotCommitted`].

use std::sync::Arc;

use super::store::Receipt;
use crate::core::breaker;
use crate::core::completeness::Completeness;
use crate::core::detect::{Estimate, Rule, Source, Threshold, Verdict};
use crate::core::incident::{Class, Pattern, Severity};
use crate::core::signal::Signal;
use crate::core::time::UnixNanos;

/// The engine's state at one moment.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// When it was taken.
    pub at: UnixNanos,
    /// Every alert instance (rule x feature), inactive ones included.
    pub alerts: Vec<Alert>,
    /// Every breaker.
    pub breakers: Vec<Breaker>,
    /// Incidents, newest first, bounded.
    pub incidents: Vec<Arc<Incident>>,
    /// Features with their current signals.
    pub features: Vec<Arc<Feature>>,
}

/// The state of an alert as the outside may know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertState {
    /// The condition does not hold.
    Inactive,
    /// It holds, not yet for long enough, or its frame is being committed.
    Pending,
    /// It fires.
    Firing,
}

/// One alert instance.
#[derive(Clone, Debug)]
pub struct Alert {
    /// The rule it is an instance of.
    pub rule: Arc<Rule>,
    /// The feature it watches.
    pub feature: Arc<str>,
    /// Alertmanager's fingerprint of its labels.
    pub fingerprint: String,
    /// What the outside may know.
    pub state: AlertState,
    /// What the rule found at the last tick.
    pub verdict: Verdict,
    /// The limits in force, and where each comes from.
    pub thresholds: Vec<Threshold>,
    /// `startsAt`; `None` while inactive and never fired.
    pub starts_at: Option<UnixNanos>,
    /// `endsAt` of the last firing, once resolved.
    pub resolved_at: Option<UnixNanos>,
    /// The incident it opened.
    pub incident: Option<Arc<Incident>>,
}

/// One incident: a firing of an alert with its frame.
#[derive(Clone, Debug)]
pub struct Incident {
    /// Incident id, also the id of its first frame.
    pub id: String,
    /// Feature.
    pub feature: Arc<str>,
    /// `alertname`
    pub alertname: String,
    /// Class.
    pub class: Class,
    /// Severity.
    pub severity: Severity,
    /// Diagnostic patterns.
    pub patterns: Vec<Pattern>,
    /// Fingerprint of the alert.
    pub fingerprint: String,
    /// `startsAt` of the alert.
    pub starts_at: UnixNanos,
    /// When the alert fired.
    pub fired_at: UnixNanos,
    /// When it resolved.
    pub resolved_at: Option<UnixNanos>,
    /// Whether it was read back from the log after a restart, so that only its frame is known.
    pub recalled: bool,
    /// Signal that breached, its estimate and limit at capture.
    pub breach: Breach,
    /// The frame's fate.
    pub frame: FrameState,
    /// The variable that the newest durable frame suspects first, if any: `variable=value`.
    pub suspect: Option<String>,
    /// The second frame, taken of more requests while the alert went on firing.
    pub refined: Option<Refined>,
    /// What breakers did because of it.
    pub breaker_actions: Vec<(Arc<str>, Class, breaker::Transition)>,
}

/// An incident's second frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refined {
    /// Its id.
    pub id: String,
    /// When it was taken.
    pub at: UnixNanos,
    /// The frame's fate. No alert waits for it.
    pub frame: FrameState,
    /// The variable it suspects first, if any: `variable=value`.
    pub suspect: Option<String>,
}

/// What breached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Breach {
    /// The signal; `None` for a foreign alert.
    pub signal: Option<Signal>,
    /// Its estimate.
    pub estimate: Option<Estimate>,
    /// The limit it breached.
    pub limit: Option<f64>,
    /// Where that limit comes from; `None` for one read back from the log.
    pub source: Option<Source>,
}

/// What became of an incident's frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameState {
    /// Handed to the log, not acknowledged yet; the alert is not visible outside.
    Committing,
    /// Durable.
    Committed(Receipt),
    /// The log failed or was too slow; the frame is retried, the alert goes out and says so.
    NotCommitted {
        /// Why.
        reason: String,
    },
}

/// One breaker.
#[derive(Clone, Debug, PartialEq)]
pub struct Breaker {
    /// Feature.
    pub feature: Arc<str>,
    /// Class.
    pub class: Class,
    /// The machine.
    pub machine: breaker::Machine,
    /// Its policy; in shadow mode the outside sees `shadow` and the state as what it would be.
    pub policy: breaker::Policy,
    /// The last transition.
    pub last: Option<breaker::Transition>,
    /// The incident that opened it, or would have.
    pub incident_id: Option<String>,
    /// The signal that did.
    pub signal: Option<Signal>,
    /// The alerts that trip it, by name.
    pub trigger: Vec<Box<str>>,
    /// What it is for.
    pub plan: Arc<breaker::Plan>,
}

impl Incident {
    /// `firing` or `resolved`; `unknown` for an incident of before a restart.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match (self.resolved_at, self.recalled) {
            (Some(_), _) => "resolved",
            (None, true) => "unknown",
            (None, false) => "firing",
        }
    }

    /// Whether it is that of the alert with this fingerprint and start. Alertmanager hands on our own times, which end
    /// at milliseconds, and other senders' with more digits.
    #[must_use]
    pub fn is_about(&self, fingerprint: &str, starts_at: UnixNanos) -> bool {
        self.fingerprint == fingerprint && self.starts_at.same_millisecond(starts_at)
    }
}

impl Breaker {
    /// Where the machine stands; in shadow, where it would.
    #[must_use]
    pub fn state(&self) -> breaker::State {
        self.machine.state
    }

    /// Whether it acts as things stand.
    #[must_use]
    pub fn mode(&self) -> breaker::Mode {
        self.policy.mode.in_state(self.state())
    }

    /// The state as the outside sees it: `shadow` when it does not act, else the machine's.
    #[must_use]
    pub fn shown_state(&self) -> &'static str {
        self.state().seen_as(self.policy.mode)
    }
}

impl AlertState {
    /// The name in labels and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Firing => "firing",
        }
    }
}

impl Alert {
    /// The value the rule saw and the limit it breached, as far as there are.
    #[must_use]
    pub fn reading(&self) -> (Option<f64>, Option<f64>) {
        match self.verdict {
            Verdict::InsufficientData { .. } => (None, None),
            Verdict::Healthy { estimate } => (Some(estimate.value), self.rule.limit.fixed),
            Verdict::Breached { estimate, limit, .. } => (Some(estimate.value), Some(limit)),
        }
    }
}

/// Where the frame of an incident can be had, given the URL of the admin listener.
#[must_use]
pub fn frame_url(base_url: &str, incident_id: &str) -> String {
    format!("{base_url}/api/v1/incidents/{incident_id}/frame")
}

/// One feature's signals.
#[derive(Clone, Debug)]
pub struct Feature {
    /// Name.
    pub name: Arc<str>,
    /// Every signal with samples in either window.
    pub signals: Vec<SignalReading>,
    /// Which fields of the minimum telemetry requests carried, over one to two long windows.
    pub completeness: Completeness,
    /// Index name and its freshness lag in seconds, as last reported.
    pub freshness: Vec<(String, f64)>,
}

/// One signal of a feature in the short window, beside its baseline.
#[derive(Clone, Copy, Debug)]
pub struct SignalReading {
    /// The signal.
    pub signal: Signal,
    /// The short window.
    pub short: Option<Estimate>,
    /// The long window.
    pub long: Option<Estimate>,
    /// The last-good baseline.
    pub baseline: Option<Estimate>,
}

/// One transition, for server-sent events, logs and webhooks.
#[derive(Clone, Debug)]
pub enum Notice {
    /// An alert changed state, as the outside may know it.
    Alert {
        /// The alert after the change.
        alert: Arc<Alert>,
        /// When.
        at: UnixNanos,
    },
    /// A breaker changed state.
    Breaker {
        /// Feature.
        feature: Arc<str>,
        /// Class.
        class: Class,
        /// In shadow or enforcing.
        mode: breaker::Mode,
        /// The change.
        transition: breaker::Transition,
    },
    /// A frame became durable, or did not.
    Frame {
        /// The incident it belongs to.
        incident: Arc<Incident>,
        /// When.
        at: UnixNanos,
    },
    /// An incident's second frame became durable, or did not.
    Refined {
        /// The incident, which has it.
        incident: Arc<Incident>,
        /// When.
        at: UnixNanos,
    },
}

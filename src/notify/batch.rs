//! What one Alertmanager must be told now: a function of the view, the time and what it was told last.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::config::Alertmanager;
use crate::core::time::UnixNanos;
use crate::engine::registry::DRILL;
use crate::engine::view::{Alert, AlertState, FrameState, View};

/// An alert to send.
#[derive(Clone, Debug)]
pub(super) struct Due {
    pub(super) alert: Arc<Alert>,
    /// When it ended; `None` while it fires.
    pub(super) ended: Option<UnixNanos>,
}

/// What a replica took last, by fingerprint. Holds the alerts of the last view and those that ended within
/// `resolved_for`, so it is bounded as views are.
#[derive(Debug, Default)]
pub(super) struct Sent(HashMap<String, Last>);

#[derive(Debug)]
struct Last {
    due: Due,
    at: UnixNanos,
}

/// Alerts that are new, changed, or due for another sending. An alert that left the view while it fired (its rule
/// was removed) has ended now.
pub(super) fn due(view: &View, now: UnixNanos, sent: &Sent, config: &Alertmanager) -> Vec<Due> {
    let present: HashSet<&str> = view.alerts.iter().map(|alert| &*alert.fingerprint).collect();
    let is_wanted = |alert: &&Alert| config.drills || *alert.feature != *DRILL;
    let told = view.alerts.iter().filter(is_wanted).filter_map(|alert| tell(alert, sent));
    let gone = sent.0.iter().filter(|(fingerprint, _)| !present.contains(fingerprint.as_str()));
    let gone = gone.map(|(_, last)| Due { ended: last.due.ended.or(Some(now)), ..last.due.clone() });
    let is_due = |due: &Due| {
        let fresh = due.ended.is_none_or(|ended| now.since(ended) <= config.resolved_for);
        let last = sent.0.get(&due.alert.fingerprint);
        fresh
            && last
                .is_none_or(|last| essence(due) != essence(&last.due) || now.since(last.at) >= config.resend_interval)
    };
    let mut due: Vec<Due> = told.chain(gone).filter(is_due).collect();
    due.sort_by(|a, b| a.alert.fingerprint.cmp(&b.alert.fingerprint));
    due
}

impl Sent {
    /// Notes that the replica took these.
    pub(super) fn remember(&mut self, alerts: &[Due], at: UnixNanos) {
        for due in alerts {
            self.0.insert(due.alert.fingerprint.clone(), Last { due: due.clone(), at });
        }
    }

    /// Drops what has been resolved for long enough.
    pub(super) fn forget(&mut self, now: UnixNanos, config: &Alertmanager) {
        self.0.retain(|_, last| last.due.ended.is_none_or(|ended| now.since(ended) <= config.resolved_for));
    }
}

/// What Alertmanager should hear of an alert that fires or did. The end of a firing is told of the alert as it was
/// then: by now it may be pending again, with another start.
fn tell(alert: &Alert, sent: &Sent) -> Option<Due> {
    match alert.state {
        AlertState::Firing => Some(Due { alert: Arc::new(alert.clone()), ended: None }),
        AlertState::Inactive | AlertState::Pending => {
            let ended = alert.resolved_at?;
            let known = sent.0.get(&alert.fingerprint).map(|last| last.due.alert.clone());
            let alert = known.unwrap_or_else(|| Arc::new(alert.clone()));
            alert.starts_at.is_some_and(|start| start <= ended).then_some(Due { alert, ended: Some(ended) })
        }
    }
}

/// What must change for an alert to be worth sending before its time: not its value, which always does.
fn essence(due: &Due) -> (Option<UnixNanos>, Option<UnixNanos>, Option<&FrameState>, Option<&str>) {
    let incident = due.alert.incident.as_deref();
    let starts_at = due.alert.starts_at.filter(|_| due.ended.is_none());
    let suspect = incident.and_then(|incident| incident.suspect.as_deref());
    (starts_at, due.ended, incident.map(|incident| &incident.frame), suspect)
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;

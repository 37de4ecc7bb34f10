//! The schedule of notifications in virtual time.

use std::time::Duration;

use super::*;
use crate::core::detect::{Direction, Limit, Rule, Verdict};
use crate::core::incident::{Class, Severity};
use crate::core::signal::Signal;
use crate::engine::store::Receipt;
use crate::engine::view::{Breach, Incident};

const START: UnixNanos = UnixNanos(1_795_313_940_000_000_000);

fn at(seconds: u64) -> UnixNanos {
    START.plus(Duration::from_secs(seconds))
}

fn config() -> Alertmanager {
    Alertmanager {
        urls: vec![],
        token: None,
        resend_interval: Duration::from_secs(60),
        resolved_for: Duration::from_secs(900),
        timeout: Duration::from_secs(10),
        drills: false,
        labels: vec![],
    }
}

fn alert(fingerprint: &str, state: AlertState, starts_at: Option<u64>, resolved_at: Option<u64>) -> Alert {
    let rule = Rule {
        name: "LlmQualityLow".into(),
        class: Class::QualityDegradation,
        severity: Severity::Sev1,
        signal: Signal::Quality,
        direction: Direction::Below,
        limit: Limit::default(),
        window: Duration::from_secs(300),
        window_samples: 0,
        hold: Duration::ZERO,
        keep_firing: Duration::ZERO,
        samples_min: 20,
        features: vec![],
        summary: "Answers got worse.".into(),
    };
    Alert {
        rule: Arc::new(rule),
        feature: "support".into(),
        fingerprint: fingerprint.into(),
        state,
        verdict: Verdict::InsufficientData { samples: 0 },
        thresholds: Vec::new(),
        starts_at: starts_at.map(at),
        resolved_at: resolved_at.map(at),
        incident: None,
    }
}

fn view(alerts: Vec<Alert>) -> View {
    View { alerts, ..View::default() }
}

/// What is due, as fingerprint, start and end in seconds; everything is taken.
fn step(view: &View, now: u64, sent: &mut Sent) -> Vec<(String, u64, Option<u64>)> {
    let seconds = |time: UnixNanos| time.since(START).as_secs();
    let due = due(view, at(now), sent, &config());
    sent.forget(at(now), &config());
    sent.remember(&due, at(now));
    due.iter()
        .map(|due| (due.alert.fingerprint.clone(), seconds(due.alert.starts_at.unwrap()), due.ended.map(seconds)))
        .collect()
}

/// Proves the life of one alert: told at once, again every interval with the same start, resolved at once, again for
/// `resolved_for`, then forgotten.
#[test]
fn firing_then_resolved() {
    let mut sent = Sent::default();
    let pending = view(vec![alert("a", AlertState::Pending, Some(0), None)]);
    assert_eq!(step(&pending, 5, &mut sent), []);

    let firing = view(vec![alert("a", AlertState::Firing, Some(0), None)]);
    let told: Vec<u64> = (10..=200).filter(|now| !step(&firing, *now, &mut sent).is_empty()).collect();
    assert_eq!(told, [10, 70, 130, 190]);

    let resolved = view(vec![alert("a", AlertState::Inactive, Some(0), Some(201))]);
    assert_eq!(step(&resolved, 201, &mut sent), [("a".into(), 0, Some(201))]);
    let told: Vec<u64> = (202..2000).filter(|now| !step(&resolved, *now, &mut sent).is_empty()).collect();
    assert_eq!(told, (1..=15).map(|again| 201 + 60 * again).collect::<Vec<_>>());
    assert!(sent.0.is_empty());
}

/// Proves that a resolved alert which is pending anew is not told with the new start, and that its next firing is
/// told at once although the last message is fresh.
#[test]
fn fires_again_within_the_interval() {
    let mut sent = Sent::default();
    step(&view(vec![alert("a", AlertState::Firing, Some(0), None)]), 0, &mut sent);
    let pending = view(vec![alert("a", AlertState::Pending, Some(12), Some(10))]);
    assert_eq!(step(&pending, 12, &mut sent), [("a".into(), 0, Some(10))]);
    let firing = view(vec![alert("a", AlertState::Firing, Some(12), Some(10))]);
    assert_eq!(step(&firing, 14, &mut sent), [("a".into(), 12, None)]);
}

/// Proves that an alert whose rule was removed while it fired is resolved, once known and for `resolved_for`.
#[test]
fn an_alert_that_left_the_view_has_ended() {
    let mut sent = Sent::default();
    step(&view(vec![alert("a", AlertState::Firing, Some(0), None)]), 0, &mut sent);
    let told: Vec<_> = (30..2000).flat_map(|now| step(&view(vec![]), now, &mut sent)).collect();
    assert_eq!(told.len(), 16);
    assert!(told.iter().all(|told| *told == ("a".into(), 0, Some(30))));
    assert!(sent.0.is_empty());
}

/// Proves that what a replica did not take stays due.
#[test]
fn a_replica_that_was_away_hears_everything() {
    let firing =
        view(vec![alert("a", AlertState::Firing, Some(0), None), alert("b", AlertState::Firing, Some(3), None)]);
    for now in [10, 20, 3_000] {
        assert_eq!(due(&firing, at(now), &Sent::default(), &config()).len(), 2);
    }
    let resolved = view(vec![alert("a", AlertState::Inactive, Some(0), Some(15))]);
    assert_eq!(due(&resolved, at(900), &Sent::default(), &config()).len(), 1);
    assert_eq!(due(&resolved, at(916), &Sent::default(), &config()).len(), 0);
}

/// Proves that a frame which became durable late is told of at once, and a mere change of value is not.
#[test]
fn a_late_frame_is_told_at_once() {
    let mut sent = Sent::default();
    let with = |frame, value| {
        let mut one = alert("a", AlertState::Firing, Some(0), None);
        one.verdict = Verdict::InsufficientData { samples: value };
        one.incident = Some(Arc::new(incident(frame)));
        view(vec![one])
    };
    let failed = FrameState::NotCommitted { reason: "disk full".into() };
    let committed = FrameState::Committed(Receipt {
        frame_id: "i".into(),
        seq: 1,
        frame_sha256: "00".into(),
        checkpoint: "o 1 r".into(),
    });
    assert_eq!(step(&with(failed.clone(), 1), 0, &mut sent).len(), 1);
    assert_eq!(step(&with(failed, 2), 10, &mut sent).len(), 0);
    assert_eq!(step(&with(committed.clone(), 3), 20, &mut sent).len(), 1);
    assert_eq!(step(&with(committed, 4), 30, &mut sent).len(), 0);
}

fn incident(frame: FrameState) -> Incident {
    Incident {
        id: "i".into(),
        feature: "support".into(),
        alertname: "LlmQualityLow".into(),
        class: Class::QualityDegradation,
        severity: Severity::Sev1,
        patterns: vec![],
        fingerprint: "a".into(),
        starts_at: START,
        fired_at: START,
        resolved_at: None,
        recalled: false,
        breach: Breach { signal: None, estimate: None, limit: None, source: None },
        frame,
        suspect: None,
        refined: None,
        breaker_actions: vec![],
    }
}

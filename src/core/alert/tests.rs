use std::fmt::Write as _;
use std::time::Duration;

use expect_test::expect;

use super::*;
use crate::core::detect::{Estimate, Source};
use crate::core::rules;

const SECOND: Duration = Duration::from_secs(1);

fn rule(hold: u32, keep_firing: u32) -> Rule {
    Rule { hold: SECOND * hold, keep_firing: SECOND * keep_firing, ..rules::built_in().remove(0) }
}

fn verdicts() -> [(&'static str, Verdict); 3] {
    let estimate = Estimate { value: 0.5, samples: 10, ci_low: 0.3, ci_high: 0.7 };
    [
        ("breached", Verdict::Breached { estimate, limit: 0.8, source: Source::Fixed }),
        ("healthy", Verdict::Healthy { estimate }),
        ("insufficient_data", Verdict::InsufficientData { samples: 3 }),
    ]
}

/// Every state and time step that six inputs can lead to, with what must hold after each.
fn walk(
    state: State,
    now: UnixNanos,
    depth: u32,
    rule: &Rule,
    check: &mut impl FnMut(State, &Verdict, UnixNanos, Step),
) {
    if depth == 0 {
        return;
    }
    for (_, verdict) in verdicts() {
        for at in [now.plus(SECOND), now.plus(SECOND * 4), now.minus(SECOND * 2)] {
            let step = state.step(&verdict, at, rule);
            check(state, &verdict, at, step);
            walk(step.state, at, depth - 1, rule, check);
        }
    }
}

/// Proves over all histories of six steps, steps back of the clock included: a transition is told exactly when the
/// kind of state changes, no alert fires before its hold or without a breach, none is resolved before
/// `keep_firing`, and no point in time lies in the future.
#[test]
fn invariants_hold_over_all_histories() {
    for rule in [rule(3, 3), rule(0, 3), rule(3, 0), rule(0, 0)] {
        let mut steps = 0;
        walk(State::Inactive, UnixNanos(1_000_000_000_000), 6, &rule, &mut |before, verdict, at, step| {
            steps += 1;
            let changed = before.as_str() != step.state.as_str();
            assert_eq!(changed, step.transition.is_some());
            if let Some(transition) = step.transition {
                assert_eq!((transition.from, transition.to, transition.at), (before, step.state, at));
            }
            match (before, step.state) {
                (State::Inactive, State::Firing { .. }) => assert!(rule.hold.is_zero()),
                (State::Pending { since }, State::Firing { since: kept, .. }) => {
                    assert!(at.since(since) >= rule.hold && kept <= since);
                }
                (State::Firing { breached_at, .. }, State::Inactive) => {
                    assert!(at.since(breached_at) >= rule.keep_firing);
                }
                (State::Firing { since, .. }, State::Firing { since: kept, .. }) => assert_eq!(since, kept),
                (State::Inactive, State::Inactive | State::Pending { .. }) => {}
                (State::Pending { .. }, State::Inactive | State::Pending { .. }) => {}
                (State::Firing { .. }, State::Pending { .. }) => panic!("a firing alert does not become pending"),
            }
            let breached = matches!(verdict, Verdict::Breached { .. });
            match step.state {
                State::Inactive => assert!(!breached),
                State::Pending { since } => assert!(breached && since <= at && !rule.hold.is_zero()),
                State::Firing { breached_at, .. } => assert!(breached_at <= at && (!breached || breached_at == at)),
            }
        });
        assert_eq!(steps, (1..=6).map(|depth| 9_u32.pow(depth)).sum::<u32>());
    }
}

/// Proves the whole transition table, as it reads.
#[test]
fn transition_table() {
    let rule = rule(30, 60);
    let (long_ago, now) = (UnixNanos(0), UnixNanos(0).plus(SECOND * 100));
    let states = [
        ("inactive", State::Inactive),
        ("pending", State::Pending { since: now }),
        ("pending, held", State::Pending { since: long_ago }),
        ("firing", State::Firing { since: long_ago, fired_at: long_ago, breached_at: now }),
        ("firing, over", State::Firing { since: long_ago, fired_at: long_ago, breached_at: long_ago }),
    ];
    let mut table = String::new();
    for (name, state) in states {
        for (input, verdict) in verdicts() {
            let step = state.step(&verdict, now, &rule);
            let reason = step.transition.map_or("-", |transition| transition.reason.as_str());
            writeln!(table, "{name:14} {input:18} {:9} {reason}", step.state.as_str()).expect("a string");
        }
        let step = state.remove(now);
        let reason = step.transition.map_or("-", |transition| transition.reason.as_str());
        writeln!(table, "{name:14} {:18} {:9} {reason}", "(removed)", step.state.as_str()).expect("a string");
    }
    expect![[r#"
        inactive       breached           pending   breached
        inactive       healthy            inactive  -
        inactive       insufficient_data  inactive  -
        inactive       (removed)          inactive  -
        pending        breached           pending   -
        pending        healthy            inactive  recovered
        pending        insufficient_data  inactive  insufficient_data
        pending        (removed)          inactive  rule_removed
        pending, held  breached           firing    held
        pending, held  healthy            inactive  recovered
        pending, held  insufficient_data  inactive  insufficient_data
        pending, held  (removed)          inactive  rule_removed
        firing         breached           firing    -
        firing         healthy            firing    -
        firing         insufficient_data  firing    -
        firing         (removed)          inactive  rule_removed
        firing, over   breached           firing    -
        firing, over   healthy            inactive  recovered
        firing, over   insufficient_data  inactive  insufficient_data
        firing, over   (removed)          inactive  rule_removed
    "#]]
    .assert_eq(&table);
}

/// Proves that without a hold the first breach fires at once, and says so in one transition.
#[test]
fn no_hold_fires_in_one_step() {
    let now = UnixNanos(5);
    let step = State::Inactive.step(&verdicts()[0].1, now, &rule(0, 60));
    let firing = State::Firing { since: now, fired_at: now, breached_at: now };
    let transition = Transition { from: State::Inactive, to: firing, reason: Reason::Breached, at: now };
    assert_eq!(step, Step { state: firing, transition: Some(transition) });
}

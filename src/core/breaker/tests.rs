use std::fmt::Write as _;

use expect_test::expect;

use super::*;
use crate::core::incident::{Class, Severity};
use crate::core::rules;

const SECOND: Duration = Duration::from_secs(1);
const POLICY: Policy = Policy { mode: Mode::Enforce, open_for: Duration::from_secs(3), probe_share: 0.25, probes: 2 };
const INPUTS: [(&str, Input); 8] = [
    ("alert_firing", Input::AlertFiring),
    ("alert_resolved", Input::AlertResolved),
    ("tick", Input::Tick),
    ("probe ok", Input::Probe { ok: true }),
    ("probe failed", Input::Probe { ok: false }),
    ("open", Input::Open),
    ("close", Input::Close),
    ("reset", Input::Reset),
];

fn walk(state: State, now: UnixNanos, depth: u32, check: &mut impl FnMut(State, Input, UnixNanos, Step)) {
    if depth == 0 {
        return;
    }
    for (_, input) in INPUTS {
        for at in [now.plus(SECOND * 2), now.minus(SECOND)] {
            let step = state.step(input, at, &POLICY);
            check(state, input, at, step);
            walk(step.state, at, depth - 1, check);
        }
    }
}

/// Proves over all histories of five inputs at two speeds of the clock, one of them backwards: a transition is told
/// exactly when the kind of state changes, only an alert or a hand opens, only good probes or a hand close, no alert
/// moves what a hand has set, and successes never reach the number that closes.
#[test]
fn invariants_hold_over_all_histories() {
    let mut steps = 0_u32;
    walk(State::Closed, UnixNanos(1_000_000_000_000), 5, &mut |before, input, at, step| {
        steps += 1;
        let changed = before.as_str() != step.state.as_str();
        assert_eq!(changed, step.transition.is_some());
        if let Some(transition) = step.transition {
            assert_eq!((transition.from, transition.to, transition.at), (before, step.state, at));
        }
        let manual = matches!(input, Input::Open | Input::Close | Input::Reset);
        match (before, step.state) {
            (State::Closed, State::Open { .. }) => assert_eq!(input, Input::AlertFiring),
            (State::HalfOpen { .. }, State::Open { .. }) => {
                assert!(matches!(input, Input::AlertFiring | Input::Probe { ok: false }));
            }
            (State::Open { since }, State::HalfOpen { .. }) => {
                assert!(input == Input::AlertResolved || (input == Input::Tick && at.since(since) >= POLICY.open_for));
            }
            (State::HalfOpen { succeeded, .. }, State::Closed) => {
                assert_eq!((input, succeeded + 1), (Input::Probe { ok: true }, POLICY.probes));
            }
            (State::ForcedOpen { .. } | State::Disabled { .. }, after) => {
                assert!(manual || after == before, "only a hand moves what a hand has set");
            }
            (_, State::ForcedOpen { .. }) => assert_eq!(input, Input::Open),
            (_, State::Disabled { .. }) => assert_eq!(input, Input::Close),
            (from, to) => assert_eq!(from.as_str(), to.as_str(), "no other way"),
        }
        if let State::HalfOpen { succeeded, .. } = step.state {
            assert!(succeeded < POLICY.probes);
        }
    });
    assert_eq!(steps, (1..=5).map(|depth| 16_u32.pow(depth)).sum::<u32>());
}

/// Proves the whole transition table, as it reads.
#[test]
fn transition_table() {
    let (then, now) = (UnixNanos(0), UnixNanos(0).plus(SECOND * 10));
    let states = [
        ("closed", State::Closed),
        ("open", State::Open { since: now }),
        ("open, due", State::Open { since: then }),
        ("half_open, 0", State::HalfOpen { since: then, succeeded: 0 }),
        ("half_open, 1", State::HalfOpen { since: then, succeeded: 1 }),
        ("forced_open", State::ForcedOpen { since: then }),
        ("disabled", State::Disabled { since: then }),
    ];
    let mut table = String::new();
    for (name, state) in states {
        for (word, input) in INPUTS {
            let step = state.step(input, now, &POLICY);
            let reason = step.transition.map_or("-", |transition| transition.reason.as_str());
            let to = if step.state == state { "-" } else { step.state.as_str() };
            writeln!(table, "{name:13} {word:15} {to:12} {reason}").expect("a string");
        }
    }
    expect![[r#"
        closed        alert_firing    open         alert_firing
        closed        alert_resolved  -            -
        closed        tick            -            -
        closed        probe ok        -            -
        closed        probe failed    -            -
        closed        open            forced_open  manual
        closed        close           disabled     manual
        closed        reset           -            -
        open          alert_firing    -            -
        open          alert_resolved  half_open    alert_resolved
        open          tick            -            -
        open          probe ok        -            -
        open          probe failed    -            -
        open          open            forced_open  manual
        open          close           disabled     manual
        open          reset           -            -
        open, due     alert_firing    -            -
        open, due     alert_resolved  half_open    alert_resolved
        open, due     tick            half_open    probe_due
        open, due     probe ok        -            -
        open, due     probe failed    -            -
        open, due     open            forced_open  manual
        open, due     close           disabled     manual
        open, due     reset           -            -
        half_open, 0  alert_firing    open         alert_firing
        half_open, 0  alert_resolved  -            -
        half_open, 0  tick            -            -
        half_open, 0  probe ok        half_open    -
        half_open, 0  probe failed    open         probe_failed
        half_open, 0  open            forced_open  manual
        half_open, 0  close           disabled     manual
        half_open, 0  reset           -            -
        half_open, 1  alert_firing    open         alert_firing
        half_open, 1  alert_resolved  -            -
        half_open, 1  tick            -            -
        half_open, 1  probe ok        closed       probes_succeeded
        half_open, 1  probe failed    open         probe_failed
        half_open, 1  open            forced_open  manual
        half_open, 1  close           disabled     manual
        half_open, 1  reset           -            -
        forced_open   alert_firing    -            -
        forced_open   alert_resolved  -            -
        forced_open   tick            -            -
        forced_open   probe ok        -            -
        forced_open   probe failed    -            -
        forced_open   open            -            -
        forced_open   close           disabled     manual
        forced_open   reset           closed       manual
        disabled      alert_firing    -            -
        disabled      alert_resolved  -            -
        disabled      tick            -            -
        disabled      probe ok        -            -
        disabled      probe failed    -            -
        disabled      open            forced_open  manual
        disabled      close           -            -
        disabled      reset           closed       manual
    "#]]
    .assert_eq(&table);
}

/// Proves that an open breaker probes after `open_for` even when the clock is set back meanwhile.
#[test]
fn a_clock_set_back_does_not_keep_it_open() {
    let opened = UnixNanos(0).plus(SECOND * 10_000);
    let back = UnixNanos(0).plus(SECOND * 100);
    let set_back = State::Open { since: opened }.step(Input::Tick, back, &POLICY).state;
    let due = set_back.step(Input::Tick, back.plus(POLICY.open_for), &POLICY);
    assert_eq!(due.transition.map(|transition| transition.reason), Some(Reason::ProbeDue));
}

/// Proves what requests are told: by state, by draw, and that shadow mode turns nobody away but says who it would.
#[test]
fn shadow_allows_and_tells() {
    let since = UnixNanos(0);
    let shadow = Policy { mode: Mode::Shadow, ..POLICY };
    let half_open = State::HalfOpen { since, succeeded: 0 };
    for (state, draw, allowed) in [
        (State::Closed, 0.99, true),
        (State::Disabled { since }, 0.99, true),
        (State::Open { since }, 0.0, false),
        (State::ForcedOpen { since }, 0.0, false),
        (half_open, 0.0, true),
        (half_open, 0.249, true),
        (half_open, 0.25, false),
    ] {
        assert_eq!(state.allow(&POLICY, draw), allowed, "{state:?} {draw}");
        assert_eq!(state.would_allow(&shadow, draw), allowed, "{state:?} {draw}");
        let by_hand = matches!(state, State::ForcedOpen { .. });
        assert_eq!(state.allow(&shadow, draw), !by_hand, "{state:?}: what is ordered by hand counts in shadow too");
        assert_eq!(state.seen_as(Mode::Shadow) == "shadow", !by_hand && !matches!(state, State::Disabled { .. }));
    }
}

/// Proves that there is one plan a class, in shadow, and that the alerts that trigger it are the built-in ones of
/// its class that page.
#[test]
fn plans_name_the_paging_rules_of_their_class() {
    for (plan, class) in PLANS.iter().zip(Class::ALL) {
        assert_eq!((plan.class, Plan::of(class).class, plan.policy.mode), (class, class, Mode::Shadow));
        let rules = rules::built_in();
        let mut paging: Vec<&str> = rules
            .iter()
            .filter(|rule| rule.class == class && rule.severity != Severity::Sev3)
            .map(|rule| &*rule.name)
            .collect();
        let mut trigger = plan.trigger.to_vec();
        paging.sort_unstable();
        trigger.sort_unstable();
        assert_eq!(trigger, paging);
    }
}

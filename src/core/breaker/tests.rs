use std::collections::HashSet;
use std::fmt::Write as _;

use expect_test::expect;

use super::*;
use crate::core::incident::{Class, Severity};
use crate::core::rules;

const SECOND: Duration = Duration::from_secs(1);
const NOW: UnixNanos = UnixNanos(100_000_000_000);
/// Small numbers, so that every state can be reached.
const POLICY: Policy = Policy {
    mode: Mode::Enforce,
    open_for: Duration::from_secs(2),
    open_for_max: Duration::from_secs(4),
    settle_for: Duration::from_secs(3),
    probe_share: 0.25,
    probes: 3,
    probe_quota: 0.6,
    probe_for: Duration::from_secs(3),
};
const SHADOW: Policy = Policy { mode: Mode::Shadow, ..POLICY };
const INPUTS: [(&str, Input); 11] = [
    ("alert_firing", Input::AlertFiring { room: true }),
    ("alert, no room", Input::AlertFiring { room: false }),
    ("alert_resolved", Input::AlertResolved),
    ("tick", Input::Tick { room: true }),
    ("tick, no room", Input::Tick { room: false }),
    ("crowded", Input::Crowded),
    ("probe ok", Input::Probe { ok: true }),
    ("probe failed", Input::Probe { ok: false }),
    ("open", Input::Open),
    ("close", Input::Close),
    ("reset", Input::Reset),
];

fn is_manual(input: Input) -> bool {
    matches!(input, Input::Open | Input::Close | Input::Reset)
}

/// The machine with every time it remembers passed through `each`.
fn with_times(machine: Machine, each: impl Fn(UnixNanos) -> UnixNanos) -> Machine {
    let state = match machine.state {
        State::Closed => State::Closed,
        State::Open { since } => State::Open { since: each(since) },
        State::HalfOpen { since, succeeded, failed } => State::HalfOpen { since: each(since), succeeded, failed },
        State::ForcedOpen { since } => State::ForcedOpen { since: each(since) },
        State::Disabled { since } => State::Disabled { since: each(since) },
    };
    Machine { state, closed_at: each(machine.closed_at), ..machine }
}

/// Every machine that some history leads to: all inputs at three speeds of the clock, one of them backwards. Time moves
/// by moving what is remembered; beyond the longest duration of the policy older is the same, and so are openings
/// beyond those that double.
fn reachable() -> Vec<Machine> {
    let clipped = |machine: Machine| {
        let clip = |at: UnixNanos| at.max(NOW.minus(SECOND * 5)).min(NOW.plus(SECOND));
        Machine { openings: machine.openings.min(3), ..with_times(machine, clip) }
    };
    let start = clipped(Machine::default());
    let (mut known, mut open) = (HashSet::from([format!("{start:?}")]), vec![start]);
    let mut all = Vec::new();
    while let Some(machine) = open.pop() {
        all.push(machine);
        for (_, input) in INPUTS {
            let moved =
                [machine, with_times(machine, |at| at.minus(SECOND)), with_times(machine, |at| at.plus(SECOND))];
            for before in moved {
                let next = clipped(before.step(input, NOW, &POLICY).machine);
                if known.insert(format!("{next:?}")) {
                    open.push(next);
                }
            }
        }
    }
    all
}

/// Proves over every reachable state and every input: a change is told as it was, only an alert with room, a failed
/// probe or a hand opens, only probes, want of probes, the cap or a hand close, nothing but a hand moves what a hand
/// has set, and no undecided quota stays undecided.
#[test]
fn invariants_hold_in_every_reachable_state() {
    let states = reachable();
    assert!(states.len() > 300, "{}", states.len());
    for (before, (_, input)) in states.iter().flat_map(|it| INPUTS.map(|input| (it, input))) {
        let step = before.step(input, NOW, &POLICY);
        let (from, to) = (before.state, step.machine.state);
        match step.transition {
            Some(told) => {
                assert_eq!((told.from, told.to, told.at), (from, to, NOW));
                let refused = (from, to, told.reason) == (State::Closed, State::Closed, Reason::Capped);
                assert!(from.as_str() != to.as_str() || (refused && step.machine.capped));
            }
            None => assert_eq!(from.as_str(), to.as_str()),
        }
        let reason = step.transition.map(|told| told.reason);
        match (from, to) {
            (State::Closed, State::Open { .. }) => {
                assert!(matches!(input, Input::AlertFiring { room: true } | Input::Tick { room: true }), "{input:?}");
                assert!(step.machine.alerting);
            }
            (State::HalfOpen { .. }, State::Open { .. }) => {
                assert!(matches!(reason, Some(Reason::AlertFiring | Reason::ProbesFailed | Reason::NoProbes)))
            }
            (State::Open { .. } | State::HalfOpen { .. }, State::Closed) => {
                assert!(matches!(reason, Some(Reason::ProbesSucceeded | Reason::NoProbes | Reason::Capped)))
            }
            (State::ForcedOpen { .. } | State::Disabled { .. }, after) => assert!(is_manual(input) || after == from),
            (_, State::ForcedOpen { .. }) => assert_eq!(input, Input::Open),
            (_, State::Disabled { .. }) => assert_eq!(input, Input::Close),
            (State::Open { .. }, State::HalfOpen { .. }) => {}
            (from, to) => assert_eq!(from.as_str(), to.as_str(), "no other way"),
        }
        if let State::HalfOpen { succeeded, failed, .. } = to {
            assert!(succeeded < POLICY.probes_needed() && failed <= POLICY.probes - POLICY.probes_needed());
        }
        assert!(!step.machine.capped || to == State::Closed, "only a closed one waits for room");
    }
}

/// Proves that no path turns anybody away in shadow mode: in every reachable state that no hand has set, every draw is
/// allowed.
#[test]
fn no_path_opens_in_shadow() {
    for machine in reachable() {
        for draw in [0.0, 0.249, 0.25, 0.999] {
            let forced = matches!(machine.state, State::ForcedOpen { .. });
            assert_eq!(machine.state.allow(&SHADOW, draw), !forced, "{machine:?}");
        }
    }
}

/// Proves that none is open for ever without an order by hand: from every reachable state time alone ends an opening
/// within the longest open time and lets probes through; once the alert resolved, time alone closes it; and good
/// probes close it whatever the alert does.
#[test]
fn no_path_leaves_it_open_for_ever() {
    let tick = Input::Tick { room: false };
    let longest = (POLICY.open_for_max + POLICY.probe_for).as_secs() + 2;
    for start in reachable() {
        if matches!(start.state, State::ForcedOpen { .. } | State::Disabled { .. }) {
            continue;
        }
        let seconds = || (0..longest).map(|second| NOW.plus(SECOND * u32::try_from(second).expect("few")));
        let mut waits = start;
        let let_through = seconds().any(|at| {
            waits = waits.step(tick, at, &POLICY).machine;
            waits.state.would_allow(&POLICY, 0.0)
        });
        assert!(let_through, "{start:?} lets nobody through");

        let mut resolved = start.step(Input::AlertResolved, NOW, &POLICY).machine;
        seconds().for_each(|at| resolved = resolved.step(tick, at, &POLICY).machine);
        // One bad probe seen before may cost one more opening.
        seconds().for_each(|at| resolved = resolved.step(tick, at.plus(SECOND * 20), &POLICY).machine);
        assert_eq!(resolved.state, State::Closed, "{start:?} does not close without an alert");

        let mut probed = start;
        let closes = seconds().any(|at| {
            probed = probed.step(tick, at, &POLICY).machine;
            probed = (0..POLICY.probes).fold(probed, |it, _| it.step(Input::Probe { ok: true }, at, &POLICY).machine);
            probed.state == State::Closed
        });
        assert!(closes, "{start:?} does not close on good probes");
    }
}

/// Proves that no path opens past the cap, over every reachable state of a fleet of three features, one of them in
/// shadow, with every input to each: an opening by itself keeps within it, and only orders by hand go beyond.
#[test]
fn no_path_opens_past_the_cap() {
    const NAMES: [&str; 3] = ["a", "b", "shadow"];
    const MODES: [Mode; 3] = [Mode::Enforce, Mode::Enforce, Mode::Shadow];
    // Every duration is over at once, which only adds to what can happen.
    let none = Duration::ZERO;
    let policy = Policy { open_for: none, open_for_max: none, settle_for: none, probe_for: none, probes: 1, ..POLICY };
    let cap = Cap::Features(1);
    let holders = |fleet: &[Machine; 3]| {
        [0, 1, 2].map(|n| Holder { feature: Some(NAMES[n]), state: fleet[n].state, mode: MODES[n] })
    };
    let acts = |n: usize, state: State| MODES[n].in_state(state) == Mode::Enforce;
    let acting =
        |fleet: &[Machine; 3]| (0..3).filter(|n| fleet[*n].state.is_open() && acts(*n, fleet[*n].state)).count();
    let start = [Machine::default(); 3];
    let (mut known, mut open) = (HashSet::from([format!("{start:?}")]), vec![start]);
    let mut refused = 0;
    while let Some(fleet) = open.pop() {
        for (n, (_, input)) in (0..3).flat_map(|n| INPUTS.map(|input| (n, input))) {
            let room = cap.has_room(Some(NAMES[n]), MODES[n], 3, holders(&fleet));
            let input = match input {
                Input::AlertFiring { .. } => Input::AlertFiring { room },
                Input::Tick { .. } => Input::Tick { room },
                other => other,
            };
            let mut next = fleet;
            let step = fleet[n].step(input, UnixNanos(0), &policy);
            next[n] = Machine { openings: step.machine.openings.min(1), ..step.machine };
            refused += usize::from(step.transition.is_some_and(|told| told.reason == Reason::Capped));
            if !is_manual(input) {
                assert!(acting(&next) <= acting(&fleet).max(1), "{fleet:?} {input:?} {next:?}");
            }
            assert_eq!(cap.is_exceeded(3, holders(&next)), acting(&next) > 1);
            if known.insert(format!("{next:?}")) {
                open.push(next);
            }
        }
    }
    assert!(known.len() > 500 && refused > 0, "{} {refused}", known.len());
}

/// Proves the whole transition table, as it reads.
#[test]
fn transition_table() {
    let (then, now) = (NOW.minus(SECOND * 10), NOW);
    let of = |state| Machine { state, closed_at: then, ..Machine::default() };
    let half_open = |succeeded, failed| of(State::HalfOpen { since: now, succeeded, failed });
    let closed = of(State::Closed);
    let states = [
        ("closed", closed),
        ("closed, alert", Machine { alerting: true, closed_at: now, ..closed }),
        ("settled, alert", Machine { alerting: true, ..closed }),
        ("capped", Machine { alerting: true, capped: true, ..closed }),
        ("open", of(State::Open { since: now })),
        ("open, due", of(State::Open { since: then })),
        ("half_open 0+0", half_open(0, 0)),
        ("half_open 1+1", half_open(1, 1)),
        ("waited 0+0", of(State::HalfOpen { since: then, succeeded: 0, failed: 0 })),
        ("waited, alert", Machine { alerting: true, ..of(State::HalfOpen { since: then, succeeded: 0, failed: 0 }) }),
        ("waited 1+0", of(State::HalfOpen { since: then, succeeded: 1, failed: 0 })),
        ("waited 1+1", of(State::HalfOpen { since: then, succeeded: 1, failed: 1 })),
        ("forced_open", of(State::ForcedOpen { since: then })),
        ("disabled", of(State::Disabled { since: then })),
    ];
    let mut table = String::new();
    for (name, machine) in states {
        for (word, input) in INPUTS {
            let step = machine.step(input, now, &POLICY);
            let Some(told) = step.transition else { continue };
            writeln!(table, "{name:14} {word:14} {:11} {}", told.to.as_str(), told.reason.as_str()).expect("a string");
        }
    }
    expect![[r#"
        closed         alert_firing   open        alert_firing
        closed         alert, no room closed      capped
        closed         open           forced_open manual
        closed         close          disabled    manual
        closed, alert  alert_firing   open        alert_firing
        closed, alert  alert, no room closed      capped
        closed, alert  open           forced_open manual
        closed, alert  close          disabled    manual
        settled, alert alert_firing   open        alert_firing
        settled, alert alert, no room closed      capped
        settled, alert tick           open        alert_firing
        settled, alert tick, no room  closed      capped
        settled, alert open           forced_open manual
        settled, alert close          disabled    manual
        capped         alert_firing   open        alert_firing
        capped         alert, no room closed      capped
        capped         tick           open        alert_firing
        capped         open           forced_open manual
        capped         close          disabled    manual
        open           alert_resolved half_open   alert_resolved
        open           crowded        closed      capped
        open           open           forced_open manual
        open           close          disabled    manual
        open, due      alert_resolved half_open   alert_resolved
        open, due      tick           half_open   probe_due
        open, due      tick, no room  half_open   probe_due
        open, due      crowded        closed      capped
        open, due      open           forced_open manual
        open, due      close          disabled    manual
        half_open 0+0  alert_firing   open        alert_firing
        half_open 0+0  alert, no room open        alert_firing
        half_open 0+0  crowded        closed      capped
        half_open 0+0  open           forced_open manual
        half_open 0+0  close          disabled    manual
        half_open 1+1  alert_firing   open        alert_firing
        half_open 1+1  alert, no room open        alert_firing
        half_open 1+1  crowded        closed      capped
        half_open 1+1  probe ok       closed      probes_succeeded
        half_open 1+1  probe failed   open        probes_failed
        half_open 1+1  open           forced_open manual
        half_open 1+1  close          disabled    manual
        waited 0+0     alert_firing   open        alert_firing
        waited 0+0     alert, no room open        alert_firing
        waited 0+0     tick           closed      no_probes
        waited 0+0     tick, no room  closed      no_probes
        waited 0+0     crowded        closed      capped
        waited 0+0     open           forced_open manual
        waited 0+0     close          disabled    manual
        waited, alert  alert_firing   open        alert_firing
        waited, alert  alert, no room open        alert_firing
        waited, alert  tick           open        no_probes
        waited, alert  tick, no room  open        no_probes
        waited, alert  crowded        closed      capped
        waited, alert  open           forced_open manual
        waited, alert  close          disabled    manual
        waited 1+0     alert_firing   open        alert_firing
        waited 1+0     alert, no room open        alert_firing
        waited 1+0     tick           closed      probes_succeeded
        waited 1+0     tick, no room  closed      probes_succeeded
        waited 1+0     crowded        closed      capped
        waited 1+0     probe ok       closed      probes_succeeded
        waited 1+0     open           forced_open manual
        waited 1+0     close          disabled    manual
        waited 1+1     alert_firing   open        alert_firing
        waited 1+1     alert, no room open        alert_firing
        waited 1+1     tick           open        probes_failed
        waited 1+1     tick, no room  open        probes_failed
        waited 1+1     crowded        closed      capped
        waited 1+1     probe ok       closed      probes_succeeded
        waited 1+1     probe failed   open        probes_failed
        waited 1+1     open           forced_open manual
        waited 1+1     close          disabled    manual
        forced_open    close          disabled    manual
        forced_open    reset          closed      manual
        disabled       open           forced_open manual
        disabled       reset          closed      manual
    "#]]
    .assert_eq(&table);
}

/// Proves that an open breaker probes after its open time even when the clock is set back meanwhile.
#[test]
fn a_clock_set_back_does_not_keep_it_open() {
    let opened = Machine { state: State::Open { since: NOW }, openings: 1, ..Machine::default() };
    let back = NOW.minus(SECOND * 50);
    let set_back = opened.step(Input::Tick { room: true }, back, &POLICY).machine;
    let due = set_back.step(Input::Tick { room: true }, back.plus(POLICY.open_for), &POLICY);
    assert_eq!(due.transition.map(|transition| transition.reason), Some(Reason::ProbeDue));
}

/// Proves the open time: doubled by every opening up to the longest, and never shorter than the first.
#[test]
fn the_open_time_doubles() {
    let policy = Policy { open_for: SECOND, open_for_max: SECOND * 10, ..POLICY };
    let times = [0, 1, 2, 3, 4, 5, 40, u32::MAX].map(|openings| policy.open_time(openings).as_secs());
    assert_eq!(times, [1, 1, 2, 4, 8, 10, 10, 10]);
    assert_eq!(Policy { open_for_max: Duration::ZERO, ..policy }.open_time(3), SECOND);
}

/// Proves the number of probes that must succeed for shares that don't divide evenly, and that it is never none.
#[test]
fn the_quota_is_rounded_up() {
    for (probes, quota, needed) in [
        (20, 0.9, 18),
        (10, 0.9, 9),
        (3, 0.6, 2),
        (3, 0.67, 3),
        (100, 1.0, 100),
        (5, 0.0, 1),
        (0, 1.0, 1),
        (10, 0.7, 7),
    ] {
        assert_eq!(Policy { probes, probe_quota: quota, ..POLICY }.probes_needed(), needed, "{probes} {quota}");
    }
}

/// Proves how many places a cap gives, and who needs one.
#[test]
fn places_under_the_cap() {
    let places = [1, 2, 3, 4, 9].map(|features| Cap::Share(0.5).places(features));
    assert_eq!(places, [1, 1, 2, 2, 5]);
    assert_eq!((Cap::Features(3).places(1), Cap::Share(1.0).places(7), Cap::Share(0.3).places(10)), (3, 7, 3));
    let open = |feature, mode| Holder { feature, state: State::Open { since: NOW }, mode };
    let all = [open(Some("a"), Mode::Enforce), open(Some("b"), Mode::Shadow), open(None, Mode::Enforce)];
    let room = |feature, mode| Cap::Features(1).has_room(feature, mode, 3, all);
    assert!(room(Some("a"), Mode::Enforce), "it is open already");
    assert!(!room(Some("c"), Mode::Enforce));
    assert!(!Cap::Features(2).has_room(Some("c"), Mode::Shadow, 3, all), "a shadow is counted among shadows");
    assert!(Cap::Features(2).has_room(Some("c"), Mode::Enforce, 3, all), "a shadow takes no place of those that act");
    assert!(!room(None, Mode::Enforce) && Cap::Share(1.0).has_room(None, Mode::Enforce, 3, all));
}

/// Proves what requests are told: by state, by draw, and that shadow mode turns nobody away but says who it would.
#[test]
fn shadow_allows_and_tells() {
    let since = UnixNanos(0);
    let half_open = State::HalfOpen { since, succeeded: 0, failed: 0 };
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
        assert_eq!(state.would_allow(&SHADOW, draw), allowed, "{state:?} {draw}");
        let by_hand = matches!(state, State::ForcedOpen { .. });
        assert_eq!(state.allow(&SHADOW, draw), !by_hand, "{state:?}: what is ordered by hand counts in shadow too");
        assert_eq!(state.seen_as(Mode::Shadow) == "shadow", !by_hand && !matches!(state, State::Disabled { .. }));
    }
}

/// Proves that there is one plan a class, in shadow, and that the paging rules of its class trip it unless it names its
/// own.
#[test]
fn plans_are_tripped_by_what_pages() {
    for (preset, class) in PLANS.iter().zip(Class::ALL) {
        assert_eq!((preset.class, Preset::of(class).class, preset.policy.mode), (class, class, Mode::Shadow));
        let trips = |plan: &Plan, rule: &crate::core::detect::Rule| plan.is_tripped_by(class, rule);
        let tripping: Vec<_> = rules::built_in().into_iter().filter(|rule| trips(&preset.plan, rule)).collect();
        assert!(!tripping.is_empty());
        assert!(tripping.iter().all(|rule| rule.class == class && rule.severity != Severity::Sev3));
        let named = Plan { trigger: vec![tripping[0].name.clone()], ..preset.plan.clone() };
        assert_eq!(rules::built_in().iter().filter(|rule| trips(&named, rule)).count(), 1);
    }
}

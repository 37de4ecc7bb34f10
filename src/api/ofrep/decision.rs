//! Whether a request of a feature may pass, given all its breakers. Any open one blocks.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::core::breaker::{Mode, State, lot, lot_in_turn};
use crate::core::incident::Class;
use crate::core::time::UnixNanos;
use crate::engine::view::Breaker;

/// The answer to one request, with the breaker that decided it.
#[derive(Debug)]
pub(super) struct Decision<'a> {
    pub(super) breakers: &'a [&'a Breaker],
    pub(super) decisive: &'a Breaker,
    pub(super) allow: bool,
    draw: Draw<'a>,
}

/// How a request draws its lot while a breaker is half-open.
#[derive(Clone, Copy, Debug)]
pub(super) enum Draw<'a> {
    /// By its `targetingKey`: always the same in one half-open phase.
    Key(&'a str),
    /// In turn.
    Turn(u64),
    /// It was refused before.
    Blocked,
}

impl<'a> Decision<'a> {
    /// # Panics
    /// Without breakers; a feature without any has no flags.
    pub(super) fn new(breakers: &'a [&'a Breaker], draw: Draw<'a>) -> Self {
        let decisive = breakers.iter().copied().max_by_key(|breaker| rank(breaker));
        let decisive = decisive.expect("a feature with flags has breakers");
        let allow = !breakers.iter().any(|breaker| breaker.mode() == Mode::Enforce && blocks(breaker, draw));
        Self { breakers, decisive, allow, draw }
    }

    /// The decisive breaker's state as the outside sees it.
    pub(super) fn variant(&self) -> &'static str {
        self.decisive.shown_state()
    }

    /// A standard reason; a provider takes any other for an error.
    pub(super) fn reason(&self) -> &'static str {
        match (self.decisive.mode(), self.decisive.state()) {
            (Mode::Shadow, _) | (_, State::Closed) => "STATIC",
            (_, State::Open { .. } | State::ForcedOpen { .. }) => "TARGETING_MATCH",
            (_, State::HalfOpen { .. }) => "SPLIT",
            (_, State::Disabled { .. }) => "DISABLED",
        }
    }

    /// Where to go instead: the decisive breaker's route, else that of another one that blocks.
    pub(super) fn route(&self) -> Option<&'a str> {
        if self.allow {
            return None;
        }
        let blocking = self.breakers.iter().filter(|breaker| breaker.mode() == Mode::Enforce);
        let mut blocking = blocking.filter(|breaker| blocks(breaker, self.draw));
        self.decisive.plan.route.as_deref().or_else(|| blocking.find_map(|breaker| breaker.plan.route.as_deref()))
    }
}

/// The breaker that tells most about the feature ranks highest.
fn rank(breaker: &Breaker) -> u8 {
    match (breaker.mode(), breaker.state()) {
        (Mode::Enforce, State::ForcedOpen { .. }) => 6,
        (Mode::Enforce, State::Open { .. }) => 5,
        (Mode::Enforce, State::HalfOpen { .. }) => 4,
        (Mode::Shadow, State::ForcedOpen { .. } | State::Open { .. } | State::HalfOpen { .. }) => 3,
        (Mode::Enforce, State::Closed) => 2,
        (Mode::Shadow, State::Closed | State::Disabled { .. }) => 1,
        (Mode::Enforce, State::Disabled { .. }) => 0,
    }
}

/// Whether the machine holds the request back, were it enforcing.
fn blocks(breaker: &Breaker, draw: Draw<'_>) -> bool {
    match breaker.state() {
        State::Closed | State::Disabled { .. } => false,
        State::Open { .. } | State::ForcedOpen { .. } => true,
        State::HalfOpen { since, .. } => draw_lot(&breaker.feature, since, draw) >= breaker.policy.probe_share,
    }
}

/// A number in 0..1, or 1 for a request that was refused.
fn draw_lot(feature: &str, since: UnixNanos, draw: Draw<'_>) -> f64 {
    match draw {
        Draw::Blocked => 1.0,
        Draw::Turn(turn) => lot_in_turn(turn),
        Draw::Key(key) => lot(feature, since, key.as_bytes()),
    }
}

/// How many requests breakers turned away, or would have in shadow. Bounded by the breakers there ever were, which
/// are bounded by the feature cap.
#[derive(Debug, Default)]
pub(crate) struct Redirects {
    turns: AtomicU64,
    counts: Mutex<HashMap<(Arc<str>, Class), u64>>,
}

impl Redirects {
    /// The next turn.
    pub(super) fn turn(&self) -> u64 {
        self.turns.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts a decision for every breaker that held the request back or would have.
    pub(super) fn count(&self, decision: &Decision<'_>) {
        let blocking: Vec<_> = decision.breakers.iter().filter(|breaker| blocks(breaker, decision.draw)).collect();
        if blocking.is_empty() {
            return;
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for breaker in blocking {
            *counts.entry((breaker.feature.clone(), breaker.class)).or_default() += 1;
        }
    }

    /// The count of one breaker.
    pub(in crate::api) fn of(&self, breaker: &Breaker) -> u64 {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(&(breaker.feature.clone(), breaker.class)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::breaker::{Machine, Plan, Policy, Preset};

    const SINCE: UnixNanos = UnixNanos(1_000);
    const OPEN: State = State::Open { since: SINCE };
    const HALF_OPEN: State = State::HalfOpen { since: SINCE, succeeded: 0, failed: 0 };
    const FORCED_OPEN: State = State::ForcedOpen { since: SINCE };
    const DISABLED: State = State::Disabled { since: SINCE };

    fn breaker(mode: Mode, state: State, probe_share: f64) -> Breaker {
        let Preset { class, policy, plan } = Preset::of(Class::QualityDegradation);
        Breaker {
            feature: "f".into(),
            class,
            machine: Machine { state, ..Machine::default() },
            policy: Policy { mode, probe_share, ..policy },
            last: None,
            incident_id: None,
            signal: None,
            trigger: Vec::new(),
            plan: Arc::new(Plan { route: Some("fallback".into()), ..plan }),
        }
    }

    fn decide(breakers: &[Breaker], draw: Draw<'_>) -> (bool, &'static str, &'static str, Option<String>) {
        let breakers: Vec<_> = breakers.iter().collect();
        let decision = Decision::new(&breakers, draw);
        (decision.allow, decision.variant(), decision.reason(), decision.route().map(str::to_owned))
    }

    /// Proves the answer for every state in either mode: only an enforcing breaker blocks.
    #[test]
    fn every_state_in_either_mode() {
        let table = [
            (State::Closed, true, "closed", "STATIC"),
            (OPEN, false, "open", "TARGETING_MATCH"),
            (HALF_OPEN, false, "half_open", "SPLIT"),
            (FORCED_OPEN, false, "forced_open", "TARGETING_MATCH"),
            (DISABLED, true, "disabled", "DISABLED"),
        ];
        for (state, allow, variant, reason) in table {
            let route = (!allow).then(|| "fallback".to_owned());
            assert_eq!(decide(&[breaker(Mode::Enforce, state, 0.0)], Draw::Turn(0)), (allow, variant, reason, route));
            let shadow = decide(&[breaker(Mode::Shadow, state, 0.0)], Draw::Turn(0));
            match state {
                FORCED_OPEN | DISABLED => assert_eq!((shadow.0, shadow.1), (allow, variant), "by hand"),
                _ => assert_eq!(shadow, (true, "shadow", "STATIC", None)),
            }
        }
    }

    /// Proves that one open breaker among several blocks and is the one told of.
    #[test]
    fn any_open_class_blocks() {
        let mut open = breaker(Mode::Enforce, OPEN, 0.0);
        open.plan = Arc::new(Preset::of(Class::QualityDegradation).plan);
        let others = [breaker(Mode::Enforce, State::Closed, 0.0), breaker(Mode::Shadow, OPEN, 0.0)];
        let [closed, shadow] = others;
        let all = [closed, open, shadow, breaker(Mode::Enforce, HALF_OPEN, 0.0)];
        let (allow, variant, _, route) = decide(&all, Draw::Key("u"));
        assert_eq!((allow, variant, route.as_deref()), (false, "open", Some("fallback")));
    }

    /// Proves that half-open lets the share through, in turn exactly and by key nearly, and the same keys each time.
    #[test]
    fn half_open_lets_the_share_through() {
        let half_open = [breaker(Mode::Enforce, HALF_OPEN, 0.1)];
        let in_turn = (0..1000).filter(|turn| decide(&half_open, Draw::Turn(*turn)).0).count();
        assert!((99..=101).contains(&in_turn), "{in_turn}");

        let keys: Vec<_> = (0..1000).map(|user| format!("user-{user}")).collect();
        let passing = || keys.iter().filter(|key| decide(&half_open, Draw::Key(key)).0).collect::<Vec<_>>();
        assert_eq!(passing(), passing());
        assert!((70..=130).contains(&passing().len()), "{}", passing().len());

        for (share, allow) in [(0.0, false), (1.0, true)] {
            let half_open = [breaker(Mode::Enforce, HALF_OPEN, share)];
            assert!(keys.iter().all(|key| decide(&half_open, Draw::Key(key)).0 == allow));
        }
        assert!(!decide(&half_open, Draw::Blocked).0);
    }

    /// Proves that what was held back is counted a breaker, in shadow too, and nothing else is.
    #[test]
    fn redirects_are_counted() {
        let redirects = Redirects::default();
        for (mode, state) in [(Mode::Enforce, OPEN), (Mode::Shadow, OPEN), (Mode::Enforce, State::Closed)] {
            let one = breaker(mode, state, 0.0);
            redirects.count(&Decision::new(&[&one], Draw::Turn(0)));
        }
        assert_eq!(redirects.of(&breaker(Mode::Enforce, State::Closed, 0.0)), 2);
    }
}

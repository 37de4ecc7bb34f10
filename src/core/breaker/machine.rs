//! The transition function: everything that can happen to a breaker, and what it does then.

use serde::{Deserialize, Serialize};

use super::{Input, Policy, Reason, State, Transition};
use crate::core::time::UnixNanos;

/// A breaker: where it stands and what it remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Where it stands.
    #[serde(flatten)]
    pub state: State,
    /// Openings since it was last closed for `settle_for` without an alert; each doubles the open time.
    pub openings: u32,
    /// When it closed last.
    pub closed_at: UnixNanos,
    /// Whether an alert that trips it fires.
    pub alerting: bool,
    /// Whether it is closed only for want of room under the cap.
    pub capped: bool,
}

/// What one step leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The breaker from now on.
    pub machine: Machine,
    /// Set when the state's kind changed, or the cap kept it from changing.
    pub transition: Option<Transition>,
}

impl Machine {
    /// What an input does at `now`. A clock that stepped back moves the times remembered back with it, so that no
    /// state lasts longer for it.
    #[must_use]
    pub fn step(&self, input: Input, now: UnixNanos, policy: &Policy) -> Step {
        let known = Self { alerting: self.alerting_after(input), ..*self };
        match (self.state, input) {
            (State::Closed, Input::AlertFiring { room }) => known.trip(room, now),
            (State::Closed, Input::AlertResolved) => Self { capped: false, ..known }.stay(),
            (State::Closed, Input::Tick { room }) => known.closed(room, now, policy),
            (State::Closed, Input::Crowded | Input::Probe { .. } | Input::Reset) => known.stay(),

            (State::Open { .. }, Input::AlertResolved) => known.half_open(Reason::AlertResolved, now),
            (State::Open { since }, Input::Tick { .. }) => match now.since(since) >= policy.open_time(self.openings) {
                true => known.half_open(Reason::ProbeDue, now),
                false => known.with(State::Open { since: since.min(now) }).stay(),
            },
            (State::Open { .. } | State::HalfOpen { .. }, Input::Crowded) => {
                Self { capped: self.alerting, ..known }.close(Reason::Capped, now)
            }
            (State::Open { .. }, Input::AlertFiring { .. } | Input::Probe { .. } | Input::Reset) => known.stay(),

            // It has its place already, so the cap has no say.
            (State::HalfOpen { .. }, Input::AlertFiring { .. }) => known.open(Reason::AlertFiring, now),
            (State::HalfOpen { since, succeeded, failed }, Input::Probe { ok }) => {
                let (succeeded, failed) =
                    (succeeded.saturating_add(u32::from(ok)), failed.saturating_add(u32::from(!ok)));
                known.probed(State::HalfOpen { since, succeeded, failed }, now, policy)
            }
            (State::HalfOpen { since, succeeded, failed }, Input::Tick { .. }) => {
                match now.since(since) >= policy.probe_for {
                    true => known.give_up_waiting(succeeded, failed, now, policy),
                    false => known.with(State::HalfOpen { since: since.min(now), succeeded, failed }).stay(),
                }
            }
            (State::HalfOpen { .. }, Input::AlertResolved | Input::Reset) => known.stay(),

            (State::ForcedOpen { .. }, Input::Open) | (State::Disabled { .. }, Input::Close) => known.stay(),
            (_, Input::Open) => known.ordered(State::ForcedOpen { since: now }, now),
            (_, Input::Close) => known.ordered(State::Disabled { since: now }, now),
            (State::ForcedOpen { .. } | State::Disabled { .. }, Input::Reset) => known.close(Reason::Manual, now),
            (
                State::ForcedOpen { .. } | State::Disabled { .. },
                Input::AlertFiring { .. }
                | Input::AlertResolved
                | Input::Tick { .. }
                | Input::Crowded
                | Input::Probe { .. },
            ) => known.stay(),
        }
    }

    /// Until when it stays open at most, if it is open.
    #[must_use]
    pub fn open_until(&self, policy: &Policy) -> Option<UnixNanos> {
        match self.state {
            State::Open { since } => Some(since.plus(policy.open_time(self.openings))),
            State::Closed | State::HalfOpen { .. } | State::ForcedOpen { .. } | State::Disabled { .. } => None,
        }
    }

    fn alerting_after(&self, input: Input) -> bool {
        match input {
            Input::AlertFiring { .. } => true,
            Input::AlertResolved => false,
            Input::Tick { .. } | Input::Crowded | Input::Probe { .. } | Input::Open | Input::Close | Input::Reset => {
                self.alerting
            }
        }
    }

    /// Time in the closed state: what waits for room gets it, what does not settle opens again, what settled begins
    /// anew.
    fn closed(self, room: bool, now: UnixNanos, policy: &Policy) -> Step {
        let known = Self { closed_at: self.closed_at.min(now), ..self };
        let settled = now.since(known.closed_at) >= policy.settle_for;
        match (self.capped, self.alerting) {
            (true, _) if room => known.trip(true, now),
            (false, true) if settled => known.trip(room, now),
            (false, false) if settled => Self { openings: 0, ..known }.stay(),
            _ => known.stay(),
        }
    }

    /// An alert asks for it to open.
    fn trip(self, room: bool, now: UnixNanos) -> Step {
        match room {
            true => self.open(Reason::AlertFiring, now),
            false => {
                let told = Transition { from: self.state, to: self.state, reason: Reason::Capped, at: now };
                Step { machine: Self { capped: true, ..self }, transition: Some(told) }
            }
        }
    }

    /// One more probe: decided as soon as those to come can't change it.
    fn probed(self, state: State, now: UnixNanos, policy: &Policy) -> Step {
        let State::HalfOpen { succeeded, failed, .. } = state else { return self.stay() };
        let needed = policy.probes_needed();
        if succeeded >= needed {
            self.close(Reason::ProbesSucceeded, now)
        } else if failed > policy.probes.saturating_sub(needed) {
            self.open(Reason::ProbesFailed, now)
        } else {
            self.with(state).stay()
        }
    }

    /// The probes did not all come: those that did decide, and without any the alert does.
    fn give_up_waiting(self, succeeded: u32, failed: u32, now: UnixNanos, policy: &Policy) -> Step {
        let seen = f64::from(succeeded) + f64::from(failed);
        if seen > 0.0 && f64::from(succeeded) >= policy.probe_quota * seen {
            self.close(Reason::ProbesSucceeded, now)
        } else if seen > 0.0 {
            self.open(Reason::ProbesFailed, now)
        } else if self.alerting {
            self.open(Reason::NoProbes, now)
        } else {
            self.close(Reason::NoProbes, now)
        }
    }

    fn open(self, reason: Reason, now: UnixNanos) -> Step {
        let opened = Self { openings: self.openings.saturating_add(1), capped: false, ..self };
        opened.go(State::Open { since: now }, reason, now)
    }

    fn half_open(self, reason: Reason, now: UnixNanos) -> Step {
        self.go(State::HalfOpen { since: now, succeeded: 0, failed: 0 }, reason, now)
    }

    fn close(self, reason: Reason, now: UnixNanos) -> Step {
        let closed = Self { closed_at: now, ..self };
        closed.go(State::Closed, reason, now)
    }

    /// By hand: what went before no longer counts.
    fn ordered(self, to: State, now: UnixNanos) -> Step {
        Self { openings: 0, capped: false, ..self }.go(to, Reason::Manual, now)
    }

    fn with(self, state: State) -> Self {
        Self { state, ..self }
    }

    fn stay(self) -> Step {
        Step { machine: self, transition: None }
    }

    fn go(self, to: State, reason: Reason, at: UnixNanos) -> Step {
        let transition = Transition { from: self.state, to, reason, at };
        Step { machine: self.with(to), transition: Some(transition) }
    }
}

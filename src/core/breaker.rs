//! The circuit breaker of one feature and one incident class (vocabulary of resilience4j: closed lets requests
//! pass, open does not).
//!
//! ```text
//!            alert fires                 `open_for` passed, or alert resolved
//!   Closed ---------------> Open ------------------------------------------> HalfOpen
//!     ^                      ^                                                  |  |
//!     |                      +---------------- a probe fails -------------------+  |
//!     +------------------------ enough probes in a row succeed --------------------+
//!
//!   any --open--> ForcedOpen        any --close--> Disabled        ForcedOpen, Disabled --reset--> Closed
//! ```
//!
//! An order by hand counts in shadow mode too. An input that has no arrow above is a no-op. `AlertFiring` says that an alert *started* to fire: a breaker that
//! closed on good probes, or was reset, while an alert still fires opens again with the next one.

mod plan;

pub use plan::{PLANS, Plan};

use std::time::Duration;

use super::time::UnixNanos;

/// How a breaker behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// In shadow the machine runs, is visible, and answers "allow" to everyone.
    pub mode: Mode,
    /// How long it stays open before it probes.
    pub open_for: Duration,
    /// Share of requests let through while half-open, 0 to 1.
    pub probe_share: f64,
    /// Probes that must succeed before it closes.
    pub probes: u32,
}

/// Whether a breaker acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Observe only.
    Shadow,
    /// Answer "do not allow" while open.
    Enforce,
}

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Requests pass.
    #[default]
    Closed,
    /// Requests do not pass.
    Open {
        /// Since when.
        since: UnixNanos,
    },
    /// A share of requests passes to find out whether the trouble is over.
    HalfOpen {
        /// Since when.
        since: UnixNanos,
        /// Probes that succeeded so far.
        succeeded: u32,
    },
    /// Opened by hand; no alert closes it.
    ForcedOpen {
        /// Since when.
        since: UnixNanos,
    },
    /// Closed by hand; no alert opens it.
    Disabled {
        /// Since when.
        since: UnixNanos,
    },
}

/// What can happen to a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// An alert of its class started to fire.
    AlertFiring,
    /// The last alert of its class resolved.
    AlertResolved,
    /// Time went by.
    Tick,
    /// A request of the feature ended while half-open, with or without the failure its class is about.
    Probe {
        /// Whether it was free of that failure.
        ok: bool,
    },
    /// Somebody forced it open.
    Open,
    /// Somebody forced it closed.
    Close,
    /// Somebody gave it back to its alerts.
    Reset,
}

/// Why a breaker changed state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// An alert of its class fires.
    AlertFiring,
    /// The last alert of its class resolved.
    AlertResolved,
    /// `open_for` passed.
    ProbeDue,
    /// Enough probes succeeded.
    ProbesSucceeded,
    /// A probe failed.
    ProbeFailed,
    /// By hand.
    Manual,
}

/// A change of state, as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// State before.
    pub from: State,
    /// State after.
    pub to: State,
    /// Why.
    pub reason: Reason,
    /// When.
    pub at: UnixNanos,
}

/// What one step leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The state from now on.
    pub state: State,
    /// Set when the state's kind changed.
    pub transition: Option<Transition>,
}

impl State {
    /// The name as the outside sees it: `shadow` for a breaker that only observes.
    #[must_use]
    pub fn seen_as(self, mode: Mode) -> &'static str {
        match mode.in_state(self) {
            Mode::Shadow => "shadow",
            Mode::Enforce => self.as_str(),
        }
    }

    /// The name in labels, before the mode is considered.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen { .. } => "half_open",
            Self::ForcedOpen { .. } => "forced_open",
            Self::Disabled { .. } => "disabled",
        }
    }
}

impl State {
    /// What an input does at `now`. A clock that stepped back moves `since` back with it, so that no state lasts
    /// longer for it.
    #[must_use]
    pub fn step(&self, input: Input, now: UnixNanos, policy: &Policy) -> Step {
        let open = Self::Open { since: now };
        let half_open = Self::HalfOpen { since: now, succeeded: 0 };
        match (*self, input) {
            (Self::Closed, Input::AlertFiring) => self.go(open, Reason::AlertFiring, now),
            (Self::Closed, Input::AlertResolved | Input::Tick | Input::Probe { .. } | Input::Reset) => self.stay(*self),

            (Self::Open { .. }, Input::AlertResolved) => self.go(half_open, Reason::AlertResolved, now),
            (Self::Open { since }, Input::Tick) if now.since(since) >= policy.open_for => {
                self.go(half_open, Reason::ProbeDue, now)
            }
            (Self::Open { since }, Input::Tick) => self.stay(Self::Open { since: since.min(now) }),
            (Self::Open { .. }, Input::AlertFiring | Input::Probe { .. } | Input::Reset) => self.stay(*self),

            (Self::HalfOpen { .. }, Input::AlertFiring) => self.go(open, Reason::AlertFiring, now),
            (Self::HalfOpen { .. }, Input::Probe { ok: false }) => self.go(open, Reason::ProbeFailed, now),
            (Self::HalfOpen { succeeded, .. }, Input::Probe { ok: true })
                if succeeded.saturating_add(1) >= policy.probes =>
            {
                self.go(Self::Closed, Reason::ProbesSucceeded, now)
            }
            (Self::HalfOpen { since, succeeded }, Input::Probe { ok: true }) => {
                self.stay(Self::HalfOpen { since, succeeded: succeeded.saturating_add(1) })
            }
            (Self::HalfOpen { .. }, Input::AlertResolved | Input::Tick | Input::Reset) => self.stay(*self),

            (Self::Closed | Self::Open { .. } | Self::HalfOpen { .. } | Self::Disabled { .. }, Input::Open) => {
                self.go(Self::ForcedOpen { since: now }, Reason::Manual, now)
            }
            (Self::Closed | Self::Open { .. } | Self::HalfOpen { .. } | Self::ForcedOpen { .. }, Input::Close) => {
                self.go(Self::Disabled { since: now }, Reason::Manual, now)
            }
            (Self::ForcedOpen { .. } | Self::Disabled { .. }, Input::Reset) => {
                self.go(Self::Closed, Reason::Manual, now)
            }
            (Self::ForcedOpen { .. }, Input::Open) | (Self::Disabled { .. }, Input::Close) => self.stay(*self),
            (
                Self::ForcedOpen { .. } | Self::Disabled { .. },
                Input::AlertFiring | Input::AlertResolved | Input::Tick | Input::Probe { .. },
            ) => self.stay(*self),
        }
    }

    /// Whether one request may pass, with `draw` from 0 (inclusive) to 1 (exclusive). In shadow mode: always, unless
    /// somebody ordered otherwise by hand.
    #[must_use]
    pub fn allow(&self, policy: &Policy, draw: f64) -> bool {
        match policy.mode.in_state(*self) {
            Mode::Shadow => true,
            Mode::Enforce => self.would_allow(policy, draw),
        }
    }

    /// Whether one request may pass if the breaker were enforcing: what shadow mode reports.
    #[must_use]
    pub fn would_allow(&self, policy: &Policy, draw: f64) -> bool {
        match self {
            Self::Closed | Self::Disabled { .. } => true,
            Self::Open { .. } | Self::ForcedOpen { .. } => false,
            Self::HalfOpen { .. } => draw < policy.probe_share,
        }
    }

    fn stay(self, state: Self) -> Step {
        Step { state, transition: None }
    }

    fn go(self, to: Self, reason: Reason, at: UnixNanos) -> Step {
        Step { state: to, transition: Some(Transition { from: self, to, reason, at }) }
    }
}

impl Mode {
    /// The mode that counts in `state`: what somebody ordered by hand is obeyed in shadow too.
    #[must_use]
    pub fn in_state(self, state: State) -> Self {
        match state {
            State::ForcedOpen { .. } | State::Disabled { .. } => Self::Enforce,
            State::Closed | State::Open { .. } | State::HalfOpen { .. } => self,
        }
    }

    /// The name in configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shadow => "shadow",
            Self::Enforce => "enforce",
        }
    }
}

impl Reason {
    /// The name in labels and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AlertFiring => "alert_firing",
            Self::AlertResolved => "alert_resolved",
            Self::ProbeDue => "probe_due",
            Self::ProbesSucceeded => "probes_succeeded",
            Self::ProbeFailed => "probe_failed",
            Self::Manual => "manual",
        }
    }
}

#[cfg(test)]
mod tests;

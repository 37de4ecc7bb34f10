//! The circuit breaker of one feature and one incident class (vocabulary of resilience4j: closed lets requests
//! pass, open does not).
//!
//! ```text
//!            alert fires, and the cap          open time passed, or
//!            leaves room                       alert resolved
//!   Closed -------------------------> Open ------------------------> HalfOpen
//!     ^                                ^                               |  |
//!     |                                +-- the quota can't be met -----+  |
//!     +------------------------------------ the quota is met -------------+
//!
//!   any --open--> ForcedOpen        any --close--> Disabled        ForcedOpen, Disabled --reset--> Closed
//! ```
//!
//! The open time is `open_for`, doubled by every opening up to `open_for_max`; a breaker that stayed closed for
//! `settle_for` with no alert begins anew, one whose alert fires that long after it closed opens again. The quota is
//! a share of N probes, and is decided as soon as the rest can't change it. Probes that don't come within `probe_for`
//! leave the decision to those that did, and without any to the alert.
//!
//! The cap ([`Cap`]) holds back openings, never orders: a breaker without room stays closed, says `capped`, and opens
//! when there is room while its alert still fires. An order by hand counts in shadow mode too. [`docs/breakers.md`]
//! draws all of this. An input that has no arrow is a no-op.
//!
//! [`docs/breakers.md`]: https://github.com/freezeframe/freezeframe/blob/main/docs/breakers.md

mod cap;
mod lot;
mod machine;
mod plan;

pub use cap::{Cap, Holder};
pub use lot::{lot, lot_in_turn};
pub use machine::{Machine, Step};
pub use plan::{Action, PLANS, Plan, Preset};

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::time::UnixNanos;

/// How a breaker behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// In shadow the machine runs, is visible, and answers "allow" to everyone.
    pub mode: Mode,
    /// How long it stays open before it probes, the first time.
    pub open_for: Duration,
    /// The longest it stays open before it probes, however often it opened.
    pub open_for_max: Duration,
    /// How long it must stay closed until the next opening counts as the first; an alert that fires this long after
    /// it closed opens it again.
    pub settle_for: Duration,
    /// Share of requests let through while half-open, 0 to 1.
    pub probe_share: f64,
    /// Probes that decide.
    pub probes: u32,
    /// Share of them that must succeed, 0 to 1.
    pub probe_quota: f64,
    /// How long it waits for them.
    pub probe_for: Duration,
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
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
        /// Probes that failed so far.
        failed: u32,
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
    /// An alert that trips it started to fire.
    AlertFiring {
        /// Whether the cap leaves room for one more.
        room: bool,
    },
    /// The last alert that trips it resolved.
    AlertResolved,
    /// Time went by.
    Tick {
        /// Whether the cap leaves room for one more.
        room: bool,
    },
    /// More are open than a new configuration allows.
    Crowded,
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
    /// The open time passed.
    ProbeDue,
    /// The quota is met.
    ProbesSucceeded,
    /// The quota can't be met any more.
    ProbesFailed,
    /// No probe came within `probe_for`.
    NoProbes,
    /// The cap left no room.
    Capped,
    /// By hand.
    Manual,
}

/// A change of state, or a refused one: [`Reason::Capped`] from closed to closed.
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

    /// Whether it takes a place under the cap: it keeps requests away, all or most of them.
    #[must_use]
    pub fn is_open(self) -> bool {
        match self {
            Self::Open { .. } | Self::HalfOpen { .. } | Self::ForcedOpen { .. } => true,
            Self::Closed | Self::Disabled { .. } => false,
        }
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
            Self::ProbesFailed => "probes_failed",
            Self::NoProbes => "no_probes",
            Self::Capped => "capped",
            Self::Manual => "manual",
        }
    }
}

impl Policy {
    /// How long the opening with this number, from 1, lasts.
    #[must_use]
    pub fn open_time(&self, openings: u32) -> Duration {
        let doubled = 1_u32.checked_shl(openings.saturating_sub(1)).unwrap_or(u32::MAX);
        self.open_for.saturating_mul(doubled).min(self.open_for_max.max(self.open_for))
    }

    /// Probes that must succeed: at least one.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a u32 is a u32")]
    pub fn probes_needed(&self) -> u32 {
        let needed = (self.probe_quota * f64::from(self.probes) - 1e-9).ceil() as u32;
        needed.clamp(1, self.probes.max(1))
    }
}

#[cfg(test)]
mod tests;

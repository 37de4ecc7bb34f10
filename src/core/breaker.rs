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

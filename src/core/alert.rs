//! The state machine of one alert: one rule on one feature.
//!
//! ```text
//!             breached                 held for `hold`
//!  Inactive ------------> Pending -------------------------> Firing
//!     ^                      | not breached                    | not breached for `keep_firing`
//!     +----------------------+<--------------------------------+
//! ```
//!
//! Resolved is a notification, not a state, as in Prometheus.

use super::time::UnixNanos;

/// Where an alert stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// The condition does not hold.
    #[default]
    Inactive,
    /// The condition holds, not yet for long enough.
    Pending {
        /// Since when it holds.
        since: UnixNanos,
    },
    /// The alert fires.
    Firing {
        /// Since when the condition holds: the alert's `startsAt`.
        since: UnixNanos,
        /// When it started to fire.
        fired_at: UnixNanos,
        /// When the condition last held.
        breached_at: UnixNanos,
    },
}

/// A change of state, as a value. The engine turns it into effects.
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

/// Why an alert changed state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The rule found a breach.
    Breached,
    /// The breach held for the rule's `for`.
    Held,
    /// The rule finds no breach any more.
    Recovered,
    /// There are too few samples to go on firing.
    InsufficientData,
    /// The rule was removed by a new configuration.
    RuleRemoved,
}

/// What one step leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The state from now on.
    pub state: State,
    /// Set when the state's kind changed.
    pub transition: Option<Transition>,
}

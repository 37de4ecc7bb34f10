//! The state machine of one alert: one rule on one feature.
//!
//! ```text
//!     +------------------- breached, `hold` is zero ------------+
//!     |                                                         v
//!  Inactive --breached--> Pending --breached for `hold`--> Firing
//!     ^                      |                                  |
//!     +---- not breached ----+<-- not breached for `keep_firing`+
//! ```
//!
//! Resolved is a notification, not a state, as in Prometheus. An alert without a hold is never seen pending: it
//! fires in the step of its first breach, with [`Reason::Breached`]. Too few samples are no breach: a pending alert
//! ends at once, a firing one after `keep_firing`, and both say so.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::detect::{Rule, Verdict};
use super::time::UnixNanos;

/// Where an alert stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
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

impl State {
    /// What a verdict on the rule does at `now`. A clock that stepped back shortens nothing and fires nothing early:
    /// the points that durations are counted from are moved back to it.
    #[must_use]
    pub fn step(&self, verdict: &Verdict, now: UnixNanos, rule: &Rule) -> Step {
        use Verdict::{Breached, Healthy, InsufficientData};
        let firing = |since| Self::Firing { since, fired_at: now, breached_at: now };
        match (*self, verdict) {
            (Self::Inactive, Healthy { .. } | InsufficientData { .. }) => self.stay(*self),
            (Self::Inactive, Breached { .. }) if rule.hold.is_zero() => self.go(firing(now), Reason::Breached, now),
            (Self::Inactive, Breached { .. }) => self.go(Self::Pending { since: now }, Reason::Breached, now),
            (Self::Pending { .. }, Healthy { .. }) => self.go(Self::Inactive, Reason::Recovered, now),
            (Self::Pending { .. }, InsufficientData { .. }) => self.go(Self::Inactive, Reason::InsufficientData, now),
            (Self::Pending { since }, Breached { .. }) if now.since(since) >= rule.hold => {
                self.go(firing(since.min(now)), Reason::Held, now)
            }
            (Self::Pending { since }, Breached { .. }) => self.stay(Self::Pending { since: since.min(now) }),
            (Self::Firing { since, fired_at, .. }, Breached { .. }) => {
                self.stay(Self::Firing { since, fired_at, breached_at: now })
            }
            (Self::Firing { breached_at, .. }, Healthy { .. }) if now.since(breached_at) >= rule.keep_firing => {
                self.go(Self::Inactive, Reason::Recovered, now)
            }
            (Self::Firing { breached_at, .. }, InsufficientData { .. })
                if now.since(breached_at) >= rule.keep_firing =>
            {
                self.go(Self::Inactive, Reason::InsufficientData, now)
            }
            (Self::Firing { since, fired_at, breached_at }, Healthy { .. } | InsufficientData { .. }) => {
                self.stay(Self::Firing { since, fired_at, breached_at: breached_at.min(now) })
            }
        }
    }

    /// Leaves out a stretch of time that ended at `now` and in which nobody judged the rule: a restart, a machine that
    /// slept, a clock that jumped ahead. What is counted goes on from where it was.
    #[must_use]
    pub fn passed_over(&self, gap: Duration, now: UnixNanos) -> Self {
        let later = |at: UnixNanos| at.plus(gap).min(now);
        match *self {
            Self::Inactive => Self::Inactive,
            Self::Pending { since } => Self::Pending { since: later(since) },
            Self::Firing { since, fired_at, breached_at } => {
                Self::Firing { since: since.min(now), fired_at: fired_at.min(now), breached_at: later(breached_at) }
            }
        }
    }

    /// Ends the alert because a new configuration has no such rule; a no-op when it is inactive.
    #[must_use]
    pub fn remove(&self, now: UnixNanos) -> Step {
        match self {
            Self::Inactive => self.stay(*self),
            Self::Pending { .. } | Self::Firing { .. } => self.go(Self::Inactive, Reason::RuleRemoved, now),
        }
    }

    /// The name in labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending { .. } => "pending",
            Self::Firing { .. } => "firing",
        }
    }

    fn stay(self, state: Self) -> Step {
        Step { state, transition: None }
    }

    fn go(self, to: Self, reason: Reason, at: UnixNanos) -> Step {
        Step { state: to, transition: Some(Transition { from: self, to, reason, at }) }
    }
}

impl Reason {
    /// The name in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Breached => "breached",
            Self::Held => "held",
            Self::Recovered => "recovered",
            Self::InsufficientData => "insufficient_data",
            Self::RuleRemoved => "rule_removed",
        }
    }
}

#[cfg(test)]
mod tests;

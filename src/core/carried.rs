//! What alerts and breakers carry over a restart, as one JSON document: an incident in the middle of which the process
//! restarts is neither over nor another one.
//!
//! Absent: pending alerts' evidence and windows, which are made anew by a few minutes of traffic, and baselines, which
//! have a document of their own ([`super::baseline`]).

use serde::{Deserialize, Serialize};

use super::alert;
use super::breaker;
use super::incident::Class;
use super::time::UnixNanos;

/// Version of the document.
pub const FORMAT: &str = "freezeframe.carried.v1";

/// The document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Carried {
    /// [`FORMAT`]
    pub format: String,
    /// When it was written.
    pub at: UnixNanos,
    /// Alerts that are pending or firing.
    pub alerts: Vec<Alert>,
    /// Breakers that are not as new.
    pub breakers: Vec<Breaker>,
    /// Incidents that are over.
    pub ended: Vec<Ended>,
}

/// One alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Feature.
    pub feature: String,
    /// Alertmanager's fingerprint of its labels.
    pub fingerprint: String,
    /// Where it stands.
    #[serde(flatten)]
    pub state: alert::State,
    /// The incident it opened.
    pub incident: Option<String>,
    /// Name of the signal that its rule watches; `None` when that is not known.
    pub signal: Option<String>,
    /// SHA-256 of its rule, lowercase hex; `None` when that is not known.
    pub rule_sha256: Option<String>,
    /// The limit it breached, in the signal's unit.
    pub limit: Option<f64>,
}

/// One breaker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Breaker {
    /// Feature.
    pub feature: String,
    /// Name of the class.
    pub class: String,
    /// Where it stands.
    #[serde(flatten)]
    pub machine: breaker::Machine,
    /// What opened it.
    pub cause: Option<Cause>,
}

/// What opened a breaker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// Incident id.
    pub incident: String,
    /// Name of the signal that judges its probes.
    pub signal: String,
    /// Their limit.
    pub limit: f64,
}

/// One incident that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// Incident id.
    pub incident: String,
    /// When its alert resolved.
    pub resolved_at: UnixNanos,
}

/// Why a document is not taken.
#[derive(Debug, thiserror::Error)]
pub enum CarriedError {
    /// Damaged.
    #[error("it is damaged: {0}")]
    Json(#[from] serde_json::Error),
    /// Of another version.
    #[error("it has the format {0:?}, not {FORMAT}")]
    Format(String),
}

impl Carried {
    /// Reads a document.
    ///
    /// # Errors
    /// When it is damaged or of another version.
    pub fn parse(bytes: &[u8]) -> Result<Self, CarriedError> {
        let carried: Self = serde_json::from_slice(bytes)?;
        if carried.format == FORMAT { Ok(carried) } else { Err(CarriedError::Format(carried.format)) }
    }

    /// The document.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers are finite or null, and keys are strings")
    }
}

impl Breaker {
    /// Its class, if there is one of that name.
    #[must_use]
    pub fn class(&self) -> Option<Class> {
        Class::parse(&self.class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> UnixNanos {
        UnixNanos((1_795_300_000 + second) * 1_000_000_000)
    }

    /// Proves that every state of both machines comes back as it went, and that damage and other versions are refused.
    #[test]
    fn documents_come_back_as_they_went() {
        let alert = |state| Alert {
            feature: "support".into(),
            fingerprint: "f00d".into(),
            state,
            incident: Some("i".into()),
            signal: Some("quality".into()),
            rule_sha256: None,
            limit: Some(0.8),
        };
        let breaker = |state| Breaker {
            feature: "support".into(),
            class: "COST_SPIKE".into(),
            machine: breaker::Machine { state, openings: 2, closed_at: at(1), alerting: true, capped: false },
            cause: Some(Cause { incident: "i".into(), signal: "quality".into(), limit: 0.8 }),
        };
        let carried = Carried {
            format: FORMAT.into(),
            at: at(9),
            alerts: vec![
                alert(alert::State::Pending { since: at(2) }),
                alert(alert::State::Firing { since: at(2), fired_at: at(3), breached_at: at(4) }),
            ],
            breakers: vec![
                breaker(breaker::State::Closed),
                breaker(breaker::State::Open { since: at(5) }),
                breaker(breaker::State::HalfOpen { since: at(5), succeeded: 1, failed: 2 }),
                breaker(breaker::State::ForcedOpen { since: at(5) }),
                breaker(breaker::State::Disabled { since: at(5) }),
            ],
            ended: vec![Ended { incident: "h".into(), resolved_at: at(6) }],
        };
        let bytes = carried.to_bytes();
        assert_eq!(Carried::parse(&bytes).unwrap(), carried, "{}", String::from_utf8_lossy(&bytes));
        assert!(matches!(Carried::parse(&bytes[..bytes.len() - 1]), Err(CarriedError::Json(_))));
        let other = Carried { format: "freezeframe.carried.v2".into(), ..carried };
        assert!(matches!(Carried::parse(&other.to_bytes()), Err(CarriedError::Format(_))));
    }
}

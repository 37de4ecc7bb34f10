//! Action items of postmortems, as a team keeps them: a list in YAML or JSON.

use serde::Deserialize;
use serde_json::{Value as Json, json};
use thiserror::Error;

use crate::core::time::UnixNanos;

/// Items at most.
const ITEMS_MAX: usize = 10_000;

/// A list that can't be read.
#[derive(Debug, Error)]
#[error("action items: {0} (expected a list of incident, description, owner, priority, due, done)")]
pub struct ActionsError(String);

/// One action item.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// Id of the incident it is of.
    #[serde(default)]
    pub incident: String,
    /// What is to be done.
    pub description: String,
    /// Whose it is, by role.
    #[serde(default)]
    pub owner: String,
    /// P0 to P3.
    #[serde(default)]
    pub priority: String,
    /// A day, or a time (RFC 3339).
    #[serde(default)]
    pub due: String,
    /// Whether it is done.
    #[serde(default)]
    pub done: bool,
}

impl Action {
    /// Reads a list in YAML, of which JSON is a part.
    ///
    /// # Errors
    /// What it is not.
    pub fn list(text: &str) -> Result<Vec<Self>, ActionsError> {
        let actions: Vec<Self> = serde_saphyr::from_str(text).map_err(|error| ActionsError(error.to_string()))?;
        let is_due = |it: &&Self| !it.due.is_empty() && it.due_at().is_none();
        if let Some(wrong) = actions.iter().find(is_due) {
            return Err(ActionsError(format!("due {} is no day", wrong.due)));
        }
        if actions.len() > ITEMS_MAX {
            return Err(ActionsError(format!("more than {ITEMS_MAX}")));
        }
        Ok(actions)
    }

    /// Whether its day is over and it is not done.
    #[must_use]
    pub fn is_overdue(&self, now: UnixNanos) -> bool {
        !self.done && self.due_at().is_some_and(|due| due < now)
    }

    /// The end of the day, or the time.
    fn due_at(&self) -> Option<UnixNanos> {
        UnixNanos::parse(&self.due).or_else(|| UnixNanos::parse(&format!("{}T23:59:59Z", self.due)))
    }

    pub(super) fn to_json(&self) -> Json {
        json!({
            "incident": self.incident, "description": self.description, "owner": self.owner, "priority": self.priority, "due": self.due,
        })
    }
}

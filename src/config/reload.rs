//! What a running process takes up of a new configuration.

use super::fields::{Draft, FIELDS};
use super::{Config, Features};

/// Fields that count at once, beside rules and breakers; every other one needs a restart.
const TAKEN_UP: [&str; 7] = ["rules.", "breakers.", "features.keys", "fields", "assembly.", "cost.", "redaction."];

impl Config {
    /// This configuration as a process under `running` can take it up, and the fields that differ and keep the values
    /// they have there. Secrets are compared masked.
    #[must_use]
    pub fn taken_up(self, running: &Self) -> (Self, Vec<&'static str>) {
        let (mut new, mut old) = (Draft::of(&self), Draft::of(running));
        let fixed = FIELDS.iter().filter(|field| !TAKEN_UP.iter().any(|path| field.path.starts_with(path)));
        let differs = fixed.filter(|field| (field.slot)(&mut new).show() != (field.slot)(&mut old).show());
        let judges = (self.judges != running.judges).then_some("judges");
        let kept = differs.map(|field| field.path).chain(judges).collect();
        let Self { rules, breakers_open_max, breakers, redaction, assembly, features, fields, cost, .. } = self;
        let features = Features { keys: features.keys, max: running.features.max };
        (
            Self { rules, breakers_open_max, breakers, redaction, assembly, features, fields, cost, ..running.clone() },
            kept,
        )
    }
}

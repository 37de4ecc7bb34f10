//! How often a method is right.

use std::fmt;

use freezeframe::core::attribution::dimension::Dimension;
use freezeframe::core::variable::Variable;

use crate::asked::Asked;
use crate::incident::{Cause, Incident};

/// Bins of confidence, for the calibration error.
const BINS: usize = 10;

/// What a method said of one incident.
#[derive(Debug)]
pub(crate) struct Answered {
    /// The variable it puts first, whatever it answers; `None` for none of the six.
    first: Option<Variable>,
    /// The one it names.
    named: Option<Variable>,
    names_value: bool,
    confidence: Option<f64>,
}

impl Answered {
    pub(crate) fn of(asked: &Asked, incident: &Incident) -> Self {
        let first = asked.first();
        Self {
            first,
            named: asked.named(),
            names_value: asked.names_value(incident),
            confidence: asked.verdict["confidence"].as_f64(),
        }
    }

    /// A method that answers with a value, or not at all.
    pub(crate) fn by_anchor(found: Option<(Dimension, u8)>, incident: &Incident) -> Self {
        let named = found.map(|(dimension, _)| dimension.variable());
        let code = found.map(|(dimension, code)| (dimension, code.wrapping_sub(1)));
        let names_value = code.is_some_and(|code| incident.values.contains(&code));
        Self { first: named, named, names_value, confidence: None }
    }
}

/// Counts over incidents.
#[derive(Debug, Default)]
pub(crate) struct Score {
    /// Incidents with a cause among the six variables; those of them where it is put first, named alone, named falsely, and
    /// named with its value.
    caused: usize,
    first: usize,
    /// Of those with an innocent rollout at the onset, all and where it is put first.
    coincident: usize,
    coincident_first: usize,
    named: usize,
    false_named: usize,
    value: usize,
    /// Incidents of nothing, and of what nobody records; those of them where somebody is blamed.
    null: usize,
    null_blamed: usize,
    hidden: usize,
    hidden_blamed: usize,
    /// `(confidence, right)` of every name.
    names: Vec<(f64, bool)>,
}

impl Score {
    pub(crate) const HEADER: &str = "| | incidents | top-1 variable | top-1 value | top-1 variable beside an innocent rollout | answered with one name | precision of those | blamed for nothing | blamed for the unrecorded |\n|---|---|---|---|---|---|---|---|---|";

    pub(crate) fn add(&mut self, cause: Cause, incident: &Incident, answered: &Answered) {
        let blamed = usize::from(answered.named.is_some());
        match cause.variable() {
            None if cause == Cause::Nothing => {
                (self.null, self.null_blamed) = (self.null + 1, self.null_blamed + blamed)
            }
            None => (self.hidden, self.hidden_blamed) = (self.hidden + 1, self.hidden_blamed + blamed),
            truth => {
                let is_right = answered.named == truth;
                self.caused += 1;
                self.first += usize::from(answered.first == truth);
                if incident.coincident {
                    self.coincident += 1;
                    self.coincident_first += usize::from(answered.first == truth);
                }
                self.named += blamed;
                self.false_named += usize::from(answered.named.is_some() && !is_right);
                self.value += usize::from(answered.first == truth && answered.names_value);
                let name = answered.confidence.filter(|_| answered.named.is_some());
                self.names.extend(name.map(|confidence| (confidence, is_right)));
            }
        }
    }

    /// Expected calibration error: how far confidence is from how often it is right, over the names.
    pub(crate) fn calibration_error(&self) -> f64 {
        let mut bins = [(0.0_f64, 0.0_f64); BINS];
        for (confidence, is_right) in &self.names {
            let bin = (0..BINS).rev().find(|bin| *confidence >= *bin as f64 / BINS as f64).unwrap_or_default();
            bins[bin] = (bins[bin].0 + confidence, bins[bin].1 + f64::from(u8::from(*is_right)));
        }
        bins.iter().map(|(claimed, right)| (claimed - right).abs()).sum::<f64>() / self.names.len().max(1) as f64
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share =
            |part: usize, of: usize| if of == 0 { "-".to_owned() } else { format!("{:.3}", part as f64 / of as f64) };
        let all = self.caused + self.null + self.hidden;
        write!(
            f,
            "| {all} | {} | {} | {} | {} | {} | {} | {} |",
            share(self.first, self.caused),
            share(self.value, self.caused),
            share(self.coincident_first, self.coincident),
            share(self.named, self.caused),
            share(self.named - self.false_named, self.named),
            share(self.null_blamed, self.null),
            share(self.hidden_blamed, self.hidden),
        )
    }
}

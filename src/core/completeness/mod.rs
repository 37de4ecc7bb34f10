//! The minimum telemetry of requests: which fields should be there, which are, and what closes each gap.
//!
//! A request counts for the most specific dialect it was written in, since that names the instrumentation whose
//! setting closes the gap. The score of a dialect is the mean share of the fields that apply, each weighing the same.

mod field;
mod recent;
mod remedy;
mod report;
#[cfg(test)]
mod tests;

pub use field::{FIELDS, Field, Group};
pub use recent::Recent;
pub use remedy::{ANY, DIALECTS, REMEDIES, Remedy, remedy};
pub use report::{DialectScore, Gap};

use super::request::{Evaluation, Feedback, Request};

/// Below this share a field has a gap.
pub const SHARE_MIN: f64 = 0.95;
/// Stands for a dialect where none is known, as for simple trace records.
pub const UNKNOWN: &str = "unknown";

/// The dialect whose settings decide what `request` carries: the most specific.
#[must_use]
pub fn dialect(request: &Request) -> &'static str {
    // The first four have names of their own. What comes after the conventions adds to them, the last the most.
    let own = |it: &&&'static str| ["langfuse", "openinference", "langsmith", "mlflow"].contains(*it);
    let specific = request.dialects.iter().find(own);
    let specific = specific.or_else(|| request.dialects.iter().rfind(|it| !matches!(**it, "gen_ai" | "app")));
    specific.or(request.dialects.first()).copied().unwrap_or(UNKNOWN)
}

/// Names of the fields that `request` should carry and does not, in order.
#[must_use]
pub fn missing(request: &Request) -> Vec<&'static str> {
    let seen = Observation::of(request);
    let lacks = |at: usize| (seen.applies & !seen.present) >> at & 1 == 1;
    FIELDS.iter().enumerate().filter(|(at, _)| lacks(*at)).map(|(_, field)| field.name).collect()
}

/// What is read of one request, once for everyone who counts it: a bit a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    dialect: &'static str,
    applies: u32,
    present: u32,
}

impl Observation {
    /// Reads `request`.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        let bits = |test: &dyn Fn(&Field) -> bool| {
            FIELDS.iter().enumerate().fold(0, |bits, (at, field)| bits | u32::from(test(field)) << at)
        };
        let applies = bits(&|field| field.applies(request));
        let present = applies & bits(&|field| field.is_present(request));
        Self { dialect: dialect(request), applies, present }
    }
}

/// How many requests carried each field, by dialect: at most [`DIALECTS`] and one for the unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completeness {
    dialects: Vec<(&'static str, Counts)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    requests: u64,
    fields: [Count; FIELDS.len()],
}

/// One field: requests it applies to, and those of them that carried it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    applies: u64,
    present: u64,
}

impl Completeness {
    /// Counts one request.
    pub fn observe(&mut self, request: &Request) {
        self.add(Observation::of(request));
    }

    /// Counts what was read of one request.
    pub fn add(&mut self, seen: Observation) {
        let counts = self.of_dialect(seen.dialect);
        counts.requests += 1;
        for (at, count) in counts.fields.iter_mut().enumerate() {
            count.applies += u64::from(seen.applies >> at & 1);
            count.present += u64::from(seen.present >> at & 1);
        }
    }

    /// Counts what was said of a request after it had been counted. Which one it was is not known any more: the
    /// dialect most requests are written in stands for it, and never counts more than it has requests.
    pub fn hear(&mut self, evaluations: &[Evaluation], feedback: Option<&Feedback>) {
        let Some((_, counts)) = self.dialects.iter_mut().max_by_key(|(_, counts)| counts.requests) else { return };
        let heard = [("evaluations", !evaluations.is_empty()), ("feedback", feedback.is_some())];
        for (field, count) in FIELDS.iter().zip(&mut counts.fields) {
            if heard.contains(&(field.name, true)) {
                count.present = (count.present + 1).min(count.applies);
            }
        }
    }

    /// Counts what `other` has counted.
    pub fn merge(&mut self, other: &Self) {
        for (dialect, theirs) in &other.dialects {
            self.of_dialect(dialect).merge(theirs);
        }
    }

    /// Requests counted.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.dialects.iter().map(|(_, counts)| counts.requests).sum()
    }

    /// Memory at most, bytes.
    #[must_use]
    pub const fn bytes_max() -> usize {
        size_of::<Self>() + (DIALECTS.len() + 1) * size_of::<(&str, Counts)>()
    }

    fn of_dialect(&mut self, dialect: &'static str) -> &mut Counts {
        let at = self.dialects.iter().position(|(known, _)| *known == dialect).unwrap_or_else(|| {
            self.dialects.push((dialect, Counts::default()));
            self.dialects.len() - 1
        });
        &mut self.dialects[at].1
    }

    /// All dialects as one.
    fn total(&self) -> Counts {
        self.dialects.iter().fold(Counts::default(), |mut total, (_, counts)| {
            total.merge(counts);
            total
        })
    }
}

impl Counts {
    fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        for (mine, theirs) in self.fields.iter_mut().zip(&other.fields) {
            mine.applies += theirs.applies;
            mine.present += theirs.present;
        }
    }
}

//! What is wrong with a configuration: all of it at once, each with place, field, what was found and what is allowed.

use std::fmt;

pub use super::yaml::Place;

/// One thing to mend (error) or to know (warning).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where in the source; `None` when the field is not written there.
    pub at: Option<Place>,
    /// Path of the field, `receiver.otlp.grpc.endpoint`; empty for the document as a whole.
    pub field: String,
    /// What was found. Never a secret.
    pub found: String,
    /// What is allowed.
    pub allowed: String,
    /// What would mend it.
    pub hint: Option<String>,
}

/// A configuration that can be run with but should be looked at.
pub type Warning = Problem;

/// Every error of one configuration, in the order of the source, and the warnings found on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    /// Name of the source: a file name, `env:VAR` or `default`.
    pub source: String,
    /// At least one.
    pub errors: Vec<Problem>,
    /// Warnings found as well.
    pub warnings: Vec<Warning>,
}

impl Problem {
    /// `line:column`, or nothing when the place is not known.
    #[must_use]
    pub fn place(&self) -> String {
        self.at.map(|at| format!("{}:{}", at.line, at.column)).unwrap_or_default()
    }

    /// The problem as a compiler would print it: `file:line:column: kind: field`, then found, allowed and hint.
    #[must_use]
    pub fn render(&self, source: &str, kind: &str) -> String {
        let place = match self.at {
            Some(at) => format!("{source}:{}:{}", at.line, at.column),
            None => source.to_owned(),
        };
        let field = if self.field.is_empty() { "the document" } else { &self.field };
        let mut text = format!("{place}: {kind}: {field}\n  found:   {}\n  allowed: {}\n", self.found, self.allowed);
        if let Some(hint) = &self.hint {
            text += &format!("  hint:    {hint}\n");
        }
        text
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.errors {
            f.write_str(&error.render(&self.source, "error"))?;
        }
        let count = self.errors.len();
        write!(f, "{count} error{} in {}", if count == 1 { "" } else { "s" }, self.source)
    }
}

impl std::error::Error for ConfigErrors {}

/// Collects problems during a run over the document.
#[derive(Debug, Default)]
pub(super) struct Problems {
    pub(super) errors: Vec<Problem>,
    pub(super) warnings: Vec<Warning>,
    /// Where each field was written, for complaints about how fields relate.
    places: Vec<(String, Place)>,
}

impl Problems {
    pub(super) fn error(
        &mut self,
        at: Option<Place>,
        field: &str,
        found: impl Into<String>,
        allowed: impl Into<String>,
    ) {
        self.errors.push(problem(at, field, found.into(), allowed.into()));
    }

    pub(super) fn warn(
        &mut self,
        at: Option<Place>,
        field: &str,
        found: impl Into<String>,
        allowed: impl Into<String>,
    ) {
        self.warnings.push(problem(at, field, found.into(), allowed.into()));
    }

    /// Adds a hint to the error reported last.
    pub(super) fn hint(&mut self, hint: impl Into<String>) {
        if let Some(error) = self.errors.last_mut() {
            error.hint = Some(hint.into());
        }
    }

    pub(super) fn wrote(&mut self, field: &str, at: Place) {
        self.places.push((field.to_owned(), at));
    }

    /// Where `field` was written, if it was.
    pub(super) fn place(&self, field: &str) -> Option<Place> {
        self.places.iter().find(|(name, _)| name == field).map(|(_, at)| *at)
    }

    /// Where the first field below `prefix` was written.
    pub(super) fn first_below(&self, prefix: &str) -> Option<Place> {
        self.places.iter().find(|(name, _)| name.starts_with(prefix)).map(|(_, at)| *at)
    }

    /// Reports that `name` below `prefix` is not as it must be, unless its own value was refused already.
    pub(super) fn require(&mut self, prefix: &str, name: &str, found: String, allowed: &str) {
        let field = format!("{prefix}.{name}");
        if !self.refused(&field) {
            self.error(self.place(&field).or(self.place(prefix)), &field, found, allowed);
        }
    }

    /// Whether the value of `field` itself was refused.
    pub(super) fn refused(&self, field: &str) -> bool {
        self.errors.iter().any(|error| error.field == field)
    }

    /// Whether the document says anything about `field`.
    pub(super) fn was_written(&self, field: &str) -> bool {
        self.place(field).is_some()
    }
}

fn problem(at: Option<Place>, field: &str, found: String, allowed: String) -> Problem {
    Problem { at, field: field.to_owned(), found, allowed, hint: None }
}

/// The one of `known` that `word` most likely means: at most a third of its letters off (Damerau-Levenshtein,
/// optimal string alignment).
pub(super) fn did_you_mean<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    known.map(|name| (distance(word, name), name)).filter(|(off, _)| *off <= limit).min().map(|(_, name)| name)
}

fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut before = vec![0; b.len() + 1];
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let mut off = (row[j] + usize::from(from != to)).min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && a[i - 1] == *to && *from == b[j - 1] {
                off = off.min(before[j - 1] + 1);
            }
            next.push(off);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that slips of the finger find their field and unrelated words find none.
    #[test]
    fn hints_are_near_misses_only() {
        let known = ["endpoint", "protocol", "headers", "tls", "compression"];
        for (word, meant) in [
            ("endpiont", "endpoint"),
            ("end_point", "endpoint"),
            ("header", "headers"),
            ("tsl", "tls"),
            ("protcol", "protocol"),
        ] {
            assert_eq!(did_you_mean(word, known.into_iter()), Some(meant));
        }
        for word in ["banana", "x", "queue", ""] {
            assert_eq!(did_you_mean(word, known.into_iter()), None, "{word}");
        }
    }
}

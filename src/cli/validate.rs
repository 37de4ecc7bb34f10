//! `freezeframe validate`: everything that is wrong or doubtful in a configuration, in one run.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::Format;
use crate::config::{Problem, Source, load};

/// Prints every error and warning to `out`. Answers the exit status: 0 valid, 1 invalid.
///
/// # Errors
/// When writing fails.
pub fn validate(
    source: &Source,
    env: &dyn Fn(&str) -> Option<String>,
    format: Format,
    out: &mut dyn Write,
) -> io::Result<u8> {
    let (errors, warnings) = match load(source, env) {
        Ok((_, warnings)) => (Vec::new(), warnings),
        Err(problems) => (problems.errors, problems.warnings),
    };
    let report = Report { source: source.name(), errors: &errors, warnings: &warnings };
    let text = match format {
        Format::Table => report.text(),
        Format::Json => format!("{:#}\n", report.json()),
        Format::Markdown => report.markdown(),
    };
    out.write_all(text.as_bytes())?;
    Ok(u8::from(!errors.is_empty()))
}

struct Report<'a> {
    source: String,
    errors: &'a [Problem],
    warnings: &'a [Problem],
}

impl Report<'_> {
    fn text(&self) -> String {
        let errors = self.errors.iter().map(|error| error.render(&self.source, "error"));
        let warnings = self.warnings.iter().map(|warning| warning.render(&self.source, "warning"));
        errors.chain(warnings).collect::<String>() + &self.summary() + "\n"
    }

    fn summary(&self) -> String {
        let word = if self.errors.is_empty() { "valid" } else { "invalid" };
        format!(
            "{}: {word}, {}, {}",
            self.source,
            count(self.errors.len(), "error"),
            count(self.warnings.len(), "warning")
        )
    }

    fn json(&self) -> Value {
        let list = |problems: &[Problem]| problems.iter().map(object).collect::<Vec<Value>>();
        json!({
            "source": self.source,
            "valid": self.errors.is_empty(),
            "errors": list(self.errors),
            "warnings": list(self.warnings),
        })
    }

    fn markdown(&self) -> String {
        let mut text = format!("{}\n", self.summary());
        let kinds = [("error", self.errors), ("warning", self.warnings)];
        if kinds.iter().any(|(_, problems)| !problems.is_empty()) {
            text += "\n| kind | place | field | found | allowed | hint |\n|---|---|---|---|---|---|\n";
        }
        for (kind, problem) in kinds.iter().flat_map(|(kind, problems)| problems.iter().map(move |one| (kind, one))) {
            let Problem { field, found, allowed, hint, .. } = problem;
            let place = problem.place();
            let cells = [kind, place.as_str(), field, found, allowed, hint.as_deref().unwrap_or_default()];
            text += &format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
        }
        text
    }
}

fn object(problem: &Problem) -> Value {
    json!({
        "line": problem.at.map(|at| at.line),
        "column": problem.at.map(|at| at.column),
        "field": problem.field,
        "found": problem.found,
        "allowed": problem.allowed,
        "hint": problem.hint,
    })
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

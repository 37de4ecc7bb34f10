//! `freezeframe validate`: everything that is wrong or doubtful in a configuration, in one run.

use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::Format;
use crate::config::{Problem, Source, env, load};
use crate::toolkit::text::{lines, markdown, write_json};

/// Arguments of `validate`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Configuration: a file, or env:VAR for a variable that holds it
    #[arg(long, value_name = "FILE|env:VAR")]
    config: String,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let status = validate(&Source::parse(&args.config), &env::process, args.format, &mut io::stdout())?;
    Ok(ExitCode::from(status))
}

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
        Format::Json => {
            write_json(&mut *out, &report.json())?;
            "\n".to_owned()
        }
        Format::Markdown => report.markdown(),
    };
    out.write_all(lines(&text).as_bytes())?;
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
            text += &format!("| {} |\n", cells.map(markdown).join(" | "));
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

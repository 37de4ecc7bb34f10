//! The diagnosis of a request in depth, and those of all that failed.

use super::super::output::{Format, Rows, complain, print_json, say, stdout};
use super::Section;
use crate::core::diagnosis::{Diagnosis, Mode};
use crate::toolkit::ranking::{Failure, Ranking};

/// Failures laid out; the JSON has more.
const FAILURES_MAX: usize = 100;

/// What went wrong, why, what shows it, how bad it is and what to do next. `reach` says how many requests it hits.
pub(super) fn section(diagnosis: &Diagnosis, reach: Option<String>) -> Section {
    let mut rows = vec![("mode", diagnosis.mode.as_str().to_owned()), ("what went wrong", diagnosis.line.clone())];
    if let Some((meaning, (catches, why))) = diagnosis.mode.meaning().zip(diagnosis.http()) {
        let catches = if catches { "would catch it" } else { "would not catch it" };
        let severity = format!("{} of {}: {}", diagnosis.mode.rank(), Mode::ALL.len() - 1, meaning.severity);
        rows.extend([
            ("symptom", meaning.symptom.to_owned()),
            ("root cause", diagnosis.cause().unwrap_or_default()),
            ("signal", meaning.signal.to_owned()),
            ("HTTP monitoring", format!("{catches}: {why}")),
            ("severity", severity),
            ("next step", meaning.next.to_owned()),
        ]);
    }
    rows.extend(reach.map(|it| ("reach", it)));
    rows.push(("baseline", diagnosis.compared_with()));
    let also: Vec<String> = diagnosis.also.iter().map(|it| format!("{}: {}", it.mode.as_str(), it.line)).collect();
    rows.push(("also", also.join("; ")));
    let or_dash = |value: String| if value.is_empty() { "-".to_owned() } else { value };
    let rows = rows.into_iter().map(|(name, value)| vec![name.to_owned(), or_dash(value)]).collect();
    Section { title: "Diagnosis", header: &["field", "value"], rows }
}

/// One deep dive after the other, most severe first.
pub(super) fn print_all(format: Format, ranking: &Ranking) -> std::io::Result<()> {
    if format == Format::Json {
        return print_json(&ranking.to_json());
    }
    let failures = ranking.failures();
    for failure in failures.iter().take(FAILURES_MAX) {
        let id = ("trace id", failure.trace_id.to_string());
        let identity = [id, ("feature", failure.feature.to_string()), ("started at", failure.started_at.to_string())];
        let identity = identity.map(|(name, value)| vec![name.to_owned(), value]);
        let mut section = section(&failure.diagnosis, reach(ranking, failure));
        section.rows.splice(0..0, identity);
        section.print(format)?;
    }
    told(ranking, failures.len().min(FAILURES_MAX))
}

/// The failures as one table: a row each, most severe first.
pub(in crate::cli) fn print_ranking(format: Format, ranking: &Ranking) -> std::io::Result<()> {
    if format == Format::Json {
        return print_json(&ranking.to_json());
    }
    let failures = ranking.failures();
    let mut table =
        Rows::wide(stdout(), format, &["place", "trace id", "mode", "reach", "what went wrong, and why here"]);
    for (place, it) in failures.iter().enumerate() {
        let reason = it.diagnosis.mode.meaning().map_or("", |it| it.severity);
        let mode = it.diagnosis.mode.as_str().to_owned();
        let reach = reach(ranking, it).unwrap_or_else(|| "-".to_owned());
        let line = format!("{}. {reason}", it.diagnosis.line);
        table.push([(place + 1).to_string(), it.trace_id.to_string(), mode, reach, line])?;
    }
    table.end()?;
    told(ranking, failures.len())
}

/// `3 of 120 requests of support`
fn reach(ranking: &Ranking, failure: &Failure) -> Option<String> {
    let (hit, of) = ranking.reach(failure)?;
    Some(format!("{hit} of {of} requests of {}", failure.feature))
}

fn told(ranking: &Ranking, shown: usize) -> std::io::Result<()> {
    let failures = ranking.failures().len();
    let left_out = ranking.left_out() + (failures - shown) as u64;
    if left_out > 0 {
        complain(format_args!("{left_out} less severe failures are not shown"));
    }
    match failures {
        0 => say(format_args!("no failure among {} requests", ranking.requests())),
        _ => Ok(()),
    }
}

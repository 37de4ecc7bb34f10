//! The postmortem of an incident, as far as evidence can write it: Markdown made of the committed frame and the
//! transitions around it. What only people know stands as a named gap, never as invented text.

mod comparison;

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value as Json;

use super::text::{line, lines, markdown};
use crate::engine::view::Incident;

/// One line of the timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// RFC 3339.
    pub at: String,
    /// What happened.
    pub line: String,
}

/// What frame and incident know of the course of things, in order of time. Without the incident, which leaves memory
/// before its frame leaves the log, that ends with the capture.
#[must_use]
pub fn timeline(frame: &Json, incident: Option<&Incident>) -> Vec<Entry> {
    let entry = |at: &Json, line: &str| at.as_str().map(|at| Entry { at: at.to_owned(), line: line.to_owned() });
    let mut entries: Vec<Entry> = [
        (&frame["windows"]["incident"]["from"], "Trouble begins, by the signal's own history"),
        (&frame["alert"]["starts_at"], "The alert's condition begins to hold"),
        (&frame["captured_at"], "The alert fires and the frame is frozen"),
    ]
    .into_iter()
    .filter_map(|(at, line)| entry(at, line))
    .collect();
    for (feature, class, transition) in incident.into_iter().flat_map(|it| &it.breaker_actions) {
        let (from, to, reason) = (transition.from.as_str(), transition.to.as_str(), transition.reason.as_str());
        let line = format!("Breaker {} of {feature}: {from} to {to} ({reason})", class.as_str());
        entries.push(Entry { at: transition.at.to_string(), line });
    }
    entries.extend(frame["changes"].as_array().into_iter().flatten().filter_map(change));
    let resolved = incident.and_then(|it| it.resolved_at).map(|at| at.to_string());
    entries.extend(resolved.map(|at| Entry { at, line: "The alert resolves".to_owned() }));
    // RFC 3339 in UTC and at one precision sorts as text.
    entries.sort_by(|a, b| a.at.cmp(&b.at));
    if let Some(last) = entries.last_mut().filter(|_| incident.is_none_or(|it| it.recalled)) {
        last.line.push_str(" (what followed is not known here: the sidecar restarted, or the incident is too old)");
    }
    entries
}

/// A line of the journal: `prompt_revision prompt@v41 first seen, 0 to 100 % of requests in 240 s`.
fn change(change: &Json) -> Option<Entry> {
    let text = |name: &str| change[name].as_str();
    let percent = |name: &str| change[name].as_f64().map(|share| format!("{:.0}", share * 100.0));
    let what = if text("change")? == "first_seen" { "first seen" } else { "last seen" };
    let took = change["took_s"].as_f64().map_or_else(String::new, |seconds| format!(" in {seconds:.0} s"));
    let shares = format!("{} to {} % of requests", percent("share_before")?, percent("share_after")?);
    let line = format!("{} {} {what}, {shares}{took}", text("variable")?, text("value")?);
    Some(Entry { at: text("at")?.to_owned(), line })
}

/// Marks what the author has to add.
const GAP: &str = "_To be completed by the author._";

/// Renders the postmortem of the incident behind `frame`. `timeline` must be in order of time.
#[must_use]
pub fn render(frame: &Json, timeline: &[Entry]) -> String {
    let sections = [
        header(frame, timeline),
        summary(frame),
        format!("## Impact\n\n{}\n\nBusiness and customer impact: {GAP}\n", impact(frame)),
        format!("## Timeline\n\n{}", entries(timeline)),
        root_cause(frame),
        detection(frame),
        format!("## Mitigation\n\n{}\nWhat people did: {GAP}\n", breakers(frame)),
        format!("## Action items\n\n{}", actions(frame)),
        format!("## Lessons learned\n\nWhat went well, what went poorly, where we were lucky: {GAP}\n"),
        evidence(frame),
    ];
    sections.join("\n")
}

fn header(frame: &Json, timeline: &[Entry]) -> String {
    let alert = &frame["alert"];
    let ended = timeline.last().map_or("ongoing", |entry| &entry.at);
    format!(
        "# Postmortem: {} on {}\n\n\
         | | |\n|---|---|\n\
         | Incident | `{}` |\n| Class | {} |\n| Severity | {} |\n| Started | {} |\n| Last entry | {ended} |\n\
         | Author | {GAP} |\n",
        text(&alert["name"]),
        text(&frame["feature"]),
        code(&frame["id"]),
        text(&alert["class"]),
        text(&alert["severity"]),
        text(&alert["starts_at"]),
    )
}

fn summary(frame: &Json) -> String {
    let alert = &frame["alert"];
    format!(
        "## Summary\n\n{} of feature {} was {} against a limit of {} ({} samples). {}\n",
        text(&alert["signal"]),
        text(&frame["feature"]),
        figure(&alert["value"]),
        figure(&alert["threshold"]),
        text(&alert["samples"]),
        verdict(frame),
    )
}

fn verdict(frame: &Json) -> String {
    let verdict = &frame["verdict"];
    match verdict["answer"].as_str() {
        Some("one") => format!("One variable explains it: {}.", text(&verdict["evidence"])),
        Some("ambiguous") => {
            let names: Vec<String> = verdict["variables"].as_array().into_iter().flatten().map(text).collect();
            format!("The evidence does not tell {} apart.", names.join(" and "))
        }
        Some("no_significant_change") => "The signal changed by no more than chance.".into(),
        _ => format!("The recorded variables do not tell the cause: {}.", text(&verdict["evidence"])),
    }
}

fn impact(frame: &Json) -> String {
    let window = &frame["windows"]["incident"];
    format!(
        "{} requests of the feature between {} and {}, when the frame was taken; of those that failed, samples are below.",
        text(&window["requests"]),
        text(&window["from"]),
        text(&window["to"])
    )
}

fn entries(timeline: &[Entry]) -> String {
    timeline.iter().fold("| Time (UTC) | Event |\n|---|---|\n".to_owned(), |mut table, entry| {
        writeln!(table, "| {} | {} |", markdown(&entry.at), markdown(&entry.line))
            .expect("writing to a String cannot fail");
        table
    })
}

fn root_cause(frame: &Json) -> String {
    let mut section = "## Root cause analysis\n\nThe six variables, incident window beside last-good baseline:\n\n\
                       | Variable | State | Moved | Incident | Baseline |\n|---|---|---|---|---|\n"
        .to_owned();
    for (name, variable) in frame["variables"].as_object().into_iter().flatten() {
        let row = [
            markdown(name),
            text(&variable["state"]),
            text(&variable["moved"]),
            values(&variable["incident"]),
            values(&variable["baseline"]),
        ];
        writeln!(section, "| {} |", row.join(" | ")).expect("writing to a String cannot fail");
    }
    if let Some(diff) = frame["variables"]["prompt_revision"]["detail"]["diff"].as_str() {
        write!(section, "\nThe prompt changed:\n\n{}", fenced("diff", diff)).expect("writing to a String cannot fail");
    }
    section.push_str(&comparison::comparison(frame));
    write!(section, "\nWhy the evaluations before release did not catch it: {GAP}\n")
        .expect("writing to a String cannot fail");
    section
}

fn detection(frame: &Json) -> String {
    format!(
        "## Detection\n\nThe condition held from {}; the trouble began about {}; the frame was taken {}.\n",
        text(&frame["alert"]["starts_at"]),
        text(&frame["windows"]["incident"]["from"]),
        text(&frame["captured_at"]),
    )
}

fn breakers(frame: &Json) -> String {
    let states = frame["breakers"].as_object().into_iter().flatten();
    states.fold("Breakers when the frame was taken:\n\n".to_owned(), |mut list, (class, state)| {
        writeln!(list, "- {}: {}", markdown(class), text(state)).expect("writing to a String cannot fail");
        list
    })
}

fn actions(frame: &Json) -> String {
    let mut rows = vec![("Add the failing samples below to the regression set".to_owned(), "P1")];
    for (name, variable) in frame["variables"].as_object().into_iter().flatten() {
        if variable["state"] != "captured" {
            rows.push((format!("Instrument {}: {}", markdown(name), text(&variable["reason"])), "P2"));
        }
    }
    let header = "| Action | Owner | Priority | Due |\n|---|---|---|---|\n".to_owned();
    rows.iter().fold(header, |mut table, (action, priority)| {
        writeln!(table, "| {action} | {GAP} | {priority} | {GAP} |").expect("writing to a String cannot fail");
        table
    })
}

fn evidence(frame: &Json) -> String {
    let mut section = "## Trace evidence\n\n| Kind | Trace | Diagnosis |\n|---|---|---|\n".to_owned();
    for kind in ["failing", "healthy"] {
        for sample in frame["samples"][kind].as_array().into_iter().flatten() {
            let line = text(&sample["diagnosis"]["line"]);
            writeln!(section, "| {kind} | `{}` | {line} |", code(&sample["trace_id"]))
                .expect("writing to a String cannot fail");
        }
    }
    write!(
        section,
        "\nAll of this is leaf {} of the log `{}`. Fetch the bundle of incident `{}` and prove it offline with \
         `freezeframe verify BUNDLE --vkey FILE`.\n",
        text(&frame["seq"]),
        code(&frame["origin"]),
        code(&frame["id"]),
    )
    .expect("writing to a String cannot fail");
    section
}

fn values(side: &Json) -> String {
    let shown = side.as_array().into_iter().flatten().take(3).map(|it| {
        let share = it["share"].as_f64().unwrap_or(0.0) * 100.0;
        format!("{} ({share:.0} %)", text(&it["value"]))
    });
    let shown: Vec<String> = shown.collect();
    if shown.is_empty() { "-".into() } else { shown.join(", ") }
}

/// A value in a sentence, a heading or a cell. Much of it is text from telemetry.
fn text(value: &Json) -> String {
    match value {
        Json::Null => "-".into(),
        Json::String(text) => markdown(text),
        other => markdown(&other.to_string()),
    }
}

/// A value between backticks, where nothing can be escaped.
fn code(value: &Json) -> String {
    line(value.as_str().unwrap_or("-")).replace(['`', '|', '\\'], "'")
}

/// A number for people: four significant places are enough, and evidence has the rest.
fn figure(value: &Json) -> String {
    let Some(number) = value.as_f64() else { return text(value) };
    let whole = number.abs() >= 1000.0 || number.fract() == 0.0;
    if whole { format!("{number:.0}") } else { format!("{number:.3}") }
}

/// A fence longer than any run of backticks in `text`.
fn fenced(language: &str, text: &str) -> String {
    let longest = text.split(|it| it != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}\n", lines(text.trim_end()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What is left of a line without its escaped characters.
    fn without_escaped(line: &str) -> String {
        let mut chars = line.chars();
        std::iter::from_fn(|| {
            loop {
                match chars.next()? {
                    '\\' => drop(chars.next()),
                    it => return Some(it),
                }
            }
        })
        .collect()
    }

    /// Proves that what telemetry says is shown and not obeyed, wherever it stands.
    #[test]
    fn telemetry_is_only_text() {
        let hostile = "a|b` <img src=x> [x](https://x)\n# h\u{1b}[2J\u{202e}=1+1";
        let frame = json!({
            "id": hostile, "origin": hostile, "seq": 1, "feature": hostile, "captured_at": "2026-11-22T02:19:00.000Z",
            "alert": { "name": hostile, "class": hostile, "severity": hostile, "signal": hostile, "value": 0.5 },
            "verdict": { "answer": "one", "evidence": hostile, "variables": ["prompt_revision"] },
            "breakers": { hostile: hostile },
            "variables": {
                hostile: { "state": "missing", "reason": hostile, "incident": [{ "value": hostile, "share": 1.0 }] },
                "prompt_revision": { "state": "captured", "detail": {
                    "diff": "```\n</pre>\u{1b}[2J\n",
                    "dimensions": { hostile: [
                        { "value": hostile, "incident": { "requests": 4, "failing": 1 }, "baseline": { "requests": 0 } },
                        { "value": null, "incident": {}, "baseline": {} },
                    ] },
                } },
                "tool_schemas": { "detail": { "schema_diff": [{ "tool": hostile, "at": hostile, "change": hostile }] } },
            },
            "samples": { "failing": [{ "trace_id": hostile, "diagnosis": { "line": hostile } }] },
        });
        let page = render(&frame, &timeline(&frame, None));
        let (before, rest) = page.split_once("\n````diff\n").unwrap();
        let (diff, after) = rest.split_once("\n````\n").unwrap();
        assert_eq!(diff, "```\n</pre>\u{241b}[2J");
        for line in before.lines().chain(after.lines()) {
            let line = without_escaped(line);
            // Between backticks nothing is markup.
            let is_code = line.contains("`a");
            assert!(is_code || line.starts_with('#') || !line.contains("# "), "{line}");
            assert!(is_code || !line.contains('<') && !line.contains("://"), "{line}");
            assert!(!line.contains('\u{1b}'), "{line}");
        }
        let columns = |line: &str| without_escaped(line).matches('|').count();
        let rows: Vec<usize> = page.lines().filter(|line| line.starts_with('|')).map(columns).collect();
        let expected: Vec<usize> =
            [(3, 11), (6, 9), (5, 5), (4, 3)].into_iter().flat_map(|(n, rows)| vec![n; rows]).collect();
        assert_eq!(rows, expected);
    }
}

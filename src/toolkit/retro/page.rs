//! The retrospective as a page of Markdown.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::toolkit::postmortem::{duration, second};
use crate::toolkit::text::markdown as escaped;

const INFALLIBLE: &str = "writing to a String cannot fail";

/// The page: themes first, then detection, telemetry, action items, and the counts behind them.
#[must_use]
pub fn markdown(retro: &Json) -> String {
    let text = |value: &Json| value.as_str().unwrap_or("-").to_owned();
    let day = |value: &Json| text(value).chars().take(10).collect::<String>();
    let mut page = format!("# Retrospective: {} to {}\n\n", day(&retro["since"]), day(&retro["until"]));
    writeln!(page, "{}", incidents(retro)).expect(INFALLIBLE);
    if retro["unread"] != 0 {
        writeln!(page, "\nFrames that could not be read, and are not counted: {}.", retro["unread"]).expect(INFALLIBLE);
    }
    let list = |it: &Json| it.as_array().into_iter().flatten().map(text).collect::<Vec<_>>();
    section(
        &mut page,
        "What repeats",
        "Nothing happened twice.",
        ["What", "Kind", "Incidents", "Ids"],
        &retro["themes"],
        |it| {
            let ids = list(&it["incidents"]);
            [text(&it["what"]), text(&it["kind"]), ids.len().to_string(), ids.join(", ")]
        },
    );
    let seconds = |it: &Json| {
        let took = it.as_f64().and_then(|it| Duration::try_from_secs_f64(it).ok());
        took.map_or_else(|| "-".to_owned(), duration)
    };
    section(
        &mut page,
        "From onset to alert",
        "No onset is known.",
        ["Class", "Incidents", "Median", "90th percentile"],
        &retro["detection"],
        |it| [text(&it["class"]), it["incidents"].to_string(), seconds(&it["p50_s"]), seconds(&it["p90_s"])],
    );
    section(
        &mut page,
        "Telemetry that was missing",
        "Nothing was missing.",
        ["What", "Incidents", "Of those without a cause", "What closes the gap"],
        &retro["gaps"],
        |it| {
            [text(&it["missing"]), it["incidents"].to_string(), it["without_a_cause"].to_string(), text(&it["remedy"])]
        },
    );
    due(&mut page, retro);
    for (title, key) in [
        ("Classes", "classes"),
        ("Severities", "severities"),
        ("Features", "features"),
        ("Patterns", "patterns"),
        ("Verdicts", "answers"),
        ("Variables", "variables"),
    ] {
        section(&mut page, title, "None.", ["Name", "Incidents"], &retro[key], |it| {
            let name = text(&it["name"]);
            [if key == "answers" { verdict(&name).to_owned() } else { name }, it["incidents"].to_string()]
        });
    }
    page
}

/// Postmortems that are due, and action items that are overdue.
fn due(page: &mut String, retro: &Json) {
    let text = |value: &Json| value.as_str().unwrap_or("-").to_owned();
    let time = |it: &Json| it.as_str().map_or_else(|| "-".to_owned(), second);
    section(
        page,
        "Postmortems that are due",
        "None.",
        ["State", "Incident", "Alert", "Feature", "Severity", "Draft due", "Review due", "Open on the page"],
        &retro["postmortems_due"],
        |it| {
            let open = it["findings"].as_u64().map_or_else(|| "no page known".to_owned(), |it| it.to_string());
            let [state, incident, alert, feature, severity] =
                ["state", "incident", "alert", "feature", "severity"].map(|key| text(&it[key]));
            [state, incident, alert, feature, severity, time(&it["draft_due"]), time(&it["review_due"]), open]
        },
    );
    if retro["postmortems_read"].is_null() && retro["postmortems_due"] != json!([]) {
        writeln!(page, "\nWhich of them are written is not known here (--postmortems).").expect(INFALLIBLE);
    }
    section(
        page,
        "Action items that are overdue",
        if retro["actions_read"].is_null() { "No list of action items was given (--actions)." } else { "None." },
        ["Action", "Owner", "Priority", "Due", "Incident"],
        &retro["actions_overdue"],
        |it| ["description", "owner", "priority", "due", "incident"].map(|key| text(&it[key])),
    );
}

/// `1 incident.`
fn incidents(retro: &Json) -> String {
    match retro["incidents"].as_u64() {
        Some(1) => "1 incident.".to_owned(),
        n => format!("{} incidents.", n.unwrap_or_default()),
    }
}

/// What an answer of the verdict means.
fn verdict(answer: &str) -> &str {
    match answer {
        "one" => "one variable explains it",
        "ambiguous" => "more than one variable may explain it",
        "cannot_tell" => "the recorded variables do not tell",
        "no_significant_change" => "no more than chance",
        other => other,
    }
}

fn section<const N: usize>(
    page: &mut String,
    title: &str,
    nothing: &str,
    header: [&str; N],
    rows: &Json,
    row: impl Fn(&Json) -> [String; N],
) {
    writeln!(page, "\n## {title}\n").expect(INFALLIBLE);
    let rows = rows.as_array().map_or(&[][..], Vec::as_slice);
    if rows.is_empty() {
        writeln!(page, "{nothing}").expect(INFALLIBLE);
        return;
    }
    writeln!(page, "| {} |\n|{}", header.join(" | "), "---|".repeat(N)).expect(INFALLIBLE);
    for it in rows {
        writeln!(page, "| {} |", row(it).map(|cell| escaped(&cell)).join(" | ")).expect(INFALLIBLE);
    }
}

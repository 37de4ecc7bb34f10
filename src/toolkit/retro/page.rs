//! The retrospective as a page of Markdown.

use std::fmt::Write as _;

use serde_json::Value as Json;

use crate::toolkit::text::markdown as escaped;

const INFALLIBLE: &str = "writing to a String cannot fail";

/// The page: themes first, then detection, telemetry, action items, and the counts behind them.
#[must_use]
pub fn markdown(retro: &Json) -> String {
    let text = |value: &Json| value.as_str().unwrap_or("-").to_owned();
    let day = |value: &Json| text(value).chars().take(10).collect::<String>();
    let mut page = format!("# Retrospective: {} to {}\n\n", day(&retro["since"]), day(&retro["until"]));
    writeln!(page, "{} incidents.", retro["incidents"]).expect(INFALLIBLE);
    if retro["unread"] != 0 {
        writeln!(page, "\n{} frames could not be read and are not counted.", retro["unread"]).expect(INFALLIBLE);
    }
    let ids =
        |it: &Json| it.as_array().map_or_else(String::new, |ids| ids.iter().map(text).collect::<Vec<_>>().join(", "));
    section(
        &mut page,
        "What repeats",
        "Nothing happened twice.",
        ["What", "Kind", "Incidents"],
        &retro["themes"],
        |it| [text(&it["what"]), text(&it["kind"]), ids(&it["incidents"])],
    );
    let seconds = |it: &Json| it.as_f64().map_or_else(|| "-".to_owned(), |it| format!("{it:.0} s"));
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
    section(
        &mut page,
        "Action items that are overdue",
        "None that is known (--actions).",
        ["Action", "Owner", "Priority", "Due", "Incident"],
        &retro["actions_overdue"],
        |it| ["description", "owner", "priority", "due", "incident"].map(|key| text(&it[key])),
    );
    for (title, key) in [
        ("Classes", "classes"),
        ("Severities", "severities"),
        ("Features", "features"),
        ("Patterns", "patterns"),
        ("Answers", "answers"),
        ("Variables", "variables"),
    ] {
        section(&mut page, title, "None.", ["Name", "Incidents"], &retro[key], |it| {
            [text(&it["name"]), it["incidents"].to_string()]
        });
    }
    page
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

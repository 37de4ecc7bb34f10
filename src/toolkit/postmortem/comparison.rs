//! What differs between incident and baseline, told for the variables the verdict names: requests by value, contracts of
//! tools, and the order in which tools ran.

use std::fmt::Write as _;

use serde_json::Value as Json;

use crate::toolkit::text::{fenced, markdown};

const WRITES: &str = "writing to a String cannot fail";

/// Tables, a list and drawings; empty where there is nothing to tell.
pub(super) fn comparison(frame: &Json) -> String {
    let named = frame["verdict"]["variables"].as_array().into_iter().flatten().filter_map(Json::as_str);
    let named: String = named.map(|name| by_dimension(&frame["variables"][name]["detail"]["dimensions"])).collect();
    let tools = &frame["variables"]["tool_schemas"]["detail"];
    format!("{named}{}{}", contracts(tools), composition(&tools["composition"]))
}

/// A dimension that has one value on both sides tells nothing.
fn by_dimension(dimensions: &Json) -> String {
    let mut told = String::new();
    for (name, values) in dimensions.as_object().into_iter().flatten() {
        let values = values.as_array().map_or(&[][..], Vec::as_slice);
        if values.len() < 2 {
            continue;
        }
        let header = "| Value | Incident: requests | failing | Baseline: requests | failing |\n|---|---|---|---|---|\n";
        write!(told, "\nRequests that tell of the signal, by {}:\n\n{header}", text(&name.as_str().into()))
            .expect(WRITES);
        for part in values {
            let value = if part["value"].is_null() { "not reported".into() } else { text(&part["value"]) };
            let cells = ["incident", "baseline"].map(|side| {
                format!(
                    "{} | {}",
                    text(&part[side]["requests"]),
                    failing(&part[side]["requests"], &part[side]["failing"])
                )
            });
            writeln!(told, "| {value} | {} |", cells.join(" | ")).expect(WRITES);
        }
    }
    told
}

/// `31 (12 %)`
fn failing(requests: &Json, failing: &Json) -> String {
    match (requests.as_f64(), failing.as_f64()) {
        (Some(requests), Some(failing)) if requests > 0.0 => {
            format!("{failing:.0} ({:.0} %)", failing / requests * 100.0)
        }
        _ => "-".into(),
    }
}

fn contracts(detail: &Json) -> String {
    let changes = detail["schema_diff"].as_array().map_or(&[][..], Vec::as_slice);
    if changes.is_empty() {
        return String::new();
    }
    let header = "\nContracts of tools that changed:\n\n".to_owned();
    let mut list = changes.iter().fold(header, |mut list, change| {
        let place = change["at"].as_str().filter(|at| !at.is_empty()).map_or("the tool".into(), |at| text(&at.into()));
        let breaking = match change["breaking"].as_bool() {
            Some(true) => "; calls that were right may fail",
            Some(false) => "",
            None => "; it can't be read whether calls that were right may fail",
        };
        writeln!(list, "- {}: {place} {}{breaking}", text(&change["tool"]), text(&change["change"])).expect(WRITES);
        list
    });
    if let Some(more @ 1..) = detail["schema_diff_more"].as_u64() {
        writeln!(list, "- and {more} more").expect(WRITES);
    }
    list
}

fn composition(graph: &Json) -> String {
    let mut drawn = String::new();
    for (side, name) in [("baseline", "Before"), ("incident", "During the incident")] {
        let is_drawn = graph[side]["edges"].as_array().is_some_and(|edges| !edges.is_empty());
        if let Some(mermaid) = graph[side]["mermaid"].as_str().filter(|_| is_drawn) {
            write!(drawn, "\n{name}, tools ran in this order:\n\n{}", fenced("mermaid", mermaid)).expect(WRITES);
        }
    }
    drawn
}

/// A value in a sentence or a cell. Much of it is text from telemetry.
fn text(value: &Json) -> String {
    match value {
        Json::Null => "-".into(),
        Json::String(text) => markdown(text),
        other => markdown(&other.to_string()),
    }
}

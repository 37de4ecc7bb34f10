//! Action items that follow from the evidence, each with a role, a priority and a due date. People add to them.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value as Json;

use super::figures::percent;
use crate::core::time::UnixNanos;
use crate::core::variable::Variable;
use crate::toolkit::frames::{fired_at, incident_id};

const DAY: Duration = Duration::from_secs(86_400);
/// Gaps of the telemetry that become action items.
const GAPS_MAX: usize = 3;

/// One action item.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Action {
    description: String,
    owner: &'static str,
    priority: &'static str,
    due: String,
}

/// What the frame gives reason for, most urgent first.
pub(super) fn actions(frame: &Json) -> Vec<Action> {
    let from = fired_at(frame).as_str().and_then(UnixNanos::parse);
    let action = |description: String, owner, priority, weeks: u32| {
        let due = from.map(|at| at.plus(DAY * 7 * weeks).to_string());
        let due = due.map_or_else(|| format!("within {weeks} weeks"), |at| at[..10].to_owned());
        Action { description, owner, priority, due }
    };
    let text = |value: &Json| value.as_str().unwrap_or("unknown").to_owned();
    let (feature, id) = (text(&frame["feature"]), text(incident_id(frame)));
    let (alert, class) = (text(&frame["alert"]["name"]), text(&frame["alert"]["class"]));
    let mut actions = Vec::new();
    let failing = frame["samples"]["failing"].as_array().map_or(0, Vec::len);
    actions.push(match failing {
        0 => action("Write an evaluation case for this failure, and add it to the regression set: the frame has no failing sample".into(), "ML Engineer", "P1", 1),
        n => action(format!("Add the {n} failing samples to the regression set of the evaluations before release (freezeframe incident export {id} --format promptfoo)"), "ML Engineer", "P1", 1),
    });
    actions.extend(of_verdict(frame).map(|(description, owner)| action(description, owner, "P1", 2)));
    let (description, owner) = of_breaker(frame, &class, &feature);
    actions.push(action(description, owner, "P2", 2));
    for (name, variable) in frame["variables"].as_object().into_iter().flatten() {
        if variable["state"].as_str().is_some_and(|state| state != "captured") {
            actions.push(action(format!("Record {name}: {}", text(&variable["reason"])), "Platform Engineer", "P2", 4));
        }
    }
    let gaps = frame["completeness_gaps"].as_array().into_iter().flatten();
    let is_of_variable = |field: &str| Variable::ALL.into_iter().any(|it| it.fields().contains(&field));
    let gaps = gaps.filter(|gap| gap["field"].as_str().is_some_and(|field| !is_of_variable(field)));
    actions.extend(gaps.take(GAPS_MAX).map(|gap| {
        action(
            format!("Record {} of every request: {}", text(&gap["field"]), text(&gap["remedy"])),
            "Platform Engineer",
            "P2",
            4,
        )
    }));
    actions.push(action(format!("Add what this incident taught to the runbook of {alert}"), "SRE", "P2", 2));
    actions.push(action(format!("Rehearse an incident of class {class} (freezeframe drill), and compare the time to each step with this one's"), "SRE", "P2", 4));
    actions.sort_by_key(|it| it.priority);
    actions
}

/// What is to be done about what the verdict names, and whose it is.
fn of_verdict(frame: &Json) -> Option<(String, &'static str)> {
    let verdict = &frame["verdict"];
    let names: Vec<&str> = verdict["variables"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    let value = verdict["value"].as_str().unwrap_or("its new value");
    match (verdict["answer"].as_str()?, &names[..]) {
        ("one", [name, ..]) => {
            let suspects = frame["suspects"].as_array().into_iter().flatten();
            let best = suspects.filter(|it| it["variable"] == **name).find_map(|it| it["incident_share"].as_f64());
            let share = best.map_or_else(String::new, |share| {
                format!(": {value} had reached {} of those compared", percent(share))
            });
            let description = format!(
                "Let no change of {name} serve more than a tenth of the requests before the evaluations passed on live traffic{share}"
            );
            Some((description, owner(name)))
        }
        ("ambiguous", names) => {
            let description = format!(
                "Roll out {} one after another: they changed on the same requests, so that the evidence can't tell which it was",
                names.join(" and ")
            );
            Some((description, "Platform Engineer"))
        }
        ("cannot_tell", _) => Some((
            "Find what changed beside the six variables, and record it as an attribute of the spans".to_owned(),
            "Platform Engineer",
        )),
        _ => None,
    }
}

/// A breaker that may act is to be looked at for what it serves; one that may not, for why.
fn of_breaker(frame: &Json, class: &str, feature: &str) -> (String, &'static str) {
    match frame["breakers"][class].as_str() {
        None | Some("shadow" | "disabled") => {
            let why = format!("Let the breaker {class} of {feature} act by itself, or write down why it must not");
            (why, "Platform Engineer")
        }
        Some(_) => {
            let what = format!(
                "Check that what the breaker {class} of {feature} serves while it is open is good enough, and write it into the runbook"
            );
            (what, "Product Engineer")
        }
    }
}

/// The role that usually looks after a variable.
fn owner(variable: &str) -> &'static str {
    match variable {
        "prompt_revision" | "judge" => "ML Engineer",
        "retrieval_index" => "Data Engineer",
        "traffic_mix" => "Product Engineer",
        _ => "Platform Engineer",
    }
}

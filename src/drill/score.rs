//! The scorecard: what was expected of a drill, what it found, line by line.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::expectation::Expectation;
use super::outcome::{Fired, Record};
use crate::core::incident::{Class, Pattern};
use crate::core::variable::Variable;

/// What is found where nothing was.
const NOTHING: &str = "nothing";

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What is checked.
    pub name: &'static str,
    /// Whether what was found is what was expected.
    pub is_passed: bool,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
}

impl Check {
    /// `passed` or `missed`.
    #[must_use]
    pub fn result(&self) -> &'static str {
        if self.is_passed { "passed" } else { "missed" }
    }

    pub(super) fn to_json(&self) -> Json {
        json!({ "check": self.name, "result": self.result(), "expected": self.expected, "found": self.found })
    }
}

/// From the injection to the alert.
pub(super) fn delay(record: &Record) -> Option<Duration> {
    record.alert.as_ref().map(|alert| alert.at.since(record.injected_at))
}

/// The lines, in the order in which things happen.
pub(super) fn checks(expected: &Expectation, record: &Record) -> Vec<Check> {
    let check = |name, is_passed, expected: String, found: String| Check { name, is_passed, expected, found };
    let frame = record.frame.as_ref();
    let (variable, value) = blamed(frame);
    let delay = delay(record);
    let class = record.alert.as_ref().map(|it| it.class);
    let patterns = frame.map(patterns).unwrap_or_default();
    let proof = record.proof.as_ref();
    let seconds =
        |it: Option<Duration>| it.map_or_else(|| NOTHING.to_owned(), |it| format!("after {:.0} s", it.as_secs_f64()));
    let name = |it: Option<Variable>| it.map_or("none", Variable::as_str).to_owned();
    let mut lines = vec![
        check("quiet before", record.noise.is_empty(), "no alert".into(), or(&record.noise, "no alert")),
        check(
            "detected",
            delay.is_some_and(|it| it <= expected.within) && class == Some(expected.class),
            format!("within {} s", expected.within.as_secs()),
            seconds(delay),
        ),
        check("class", class == Some(expected.class), expected.class.as_str().into(), class_of(record.alert.as_ref())),
        check(
            "patterns",
            frame.is_some() && expected.patterns.iter().all(|it| patterns.contains(&it.as_str().to_owned())),
            or(&expected.patterns.iter().copied().map(Pattern::as_str).collect::<Vec<_>>(), "any"),
            or(&patterns, "none"),
        ),
        check(
            "variable",
            frame.is_some() && variable == expected.variable,
            name(expected.variable),
            if frame.is_some() { name(variable) } else { NOTHING.into() },
        ),
    ];
    if !expected.value.is_empty() {
        let is_right = value.as_deref().is_some_and(|it| it.contains(&*expected.value));
        lines.push(check("value", is_right, expected.value.to_string(), value.unwrap_or_else(|| NOTHING.into())));
    }
    let proved = proof.map(|it| it.clone().unwrap_or_else(|reason| reason));
    lines.push(check(
        "frame verified",
        proof.is_some_and(Result::is_ok),
        "a valid proof".into(),
        proved.unwrap_or_else(|| NOTHING.into()),
    ));
    if let Some(class) = expected.breaker {
        let opened = record.opened.filter(|(_, opened)| *opened == class);
        let found = opened.map(|(at, _)| at.since(record.injected_at));
        lines.push(check("breaker opened", opened.is_some(), class.as_str().into(), seconds(found)));
    }
    // Where nothing was detected there is nothing to recover from.
    let ended = record.recovered_at.filter(|_| record.alert.is_some());
    let recovery = ended.zip(record.removed_at).map(|(at, since)| at.since(since));
    lines.push(check("recovery seen", recovery.is_some(), "quiet again".into(), seconds(recovery)));
    lines
}

/// The variable that a frame blames, and its value; nothing where it does not settle on one.
pub(super) fn blamed(frame: Option<&Json>) -> (Option<Variable>, Option<String>) {
    let Some(verdict) = frame.map(|it| &it["verdict"]).filter(|it| it["answer"] == "one") else { return (None, None) };
    let name = verdict["variables"][0].as_str();
    let variable = Variable::ALL.into_iter().find(|it| Some(it.as_str()) == name);
    (variable, verdict["value"].as_str().map(str::to_owned))
}

fn patterns(frame: &Json) -> Vec<String> {
    let names = frame["alert"]["patterns"].as_array().into_iter().flatten();
    names.filter_map(|it| it.as_str().map(str::to_owned)).collect()
}

fn class_of(alert: Option<&Fired>) -> String {
    alert.map_or(NOTHING, |it| Class::as_str(it.class)).to_owned()
}

fn or(names: &[impl AsRef<str>], none: &str) -> String {
    if names.is_empty() { none.to_owned() } else { names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ") }
}

//! What a team asks itself after a drill, each question with the drill's facts beside it. What only people know stays a
//! question.

use serde_json::{Value as Json, json};

/// Signals that HTTP monitoring has, too.
const SEEN_BY_HTTP: [&str; 2] = ["error_ratio", "latency_p95"];

/// The questions, each `{question, fact}`; a fact is `null` where the drill knows nothing.
pub(super) fn questions(drill: &Json) -> Vec<Json> {
    let ask = |question: &str, fact: Option<String>| json!({ "question": question, "fact": fact });
    let found = |name: &str| {
        let lines = drill["scorecard"].as_array().into_iter().flatten();
        lines.filter(|it| it["check"] == name).map(|it| it["found"].as_str().unwrap_or_default().to_owned()).next()
    };
    let delay = drill["detection_delay_s"].as_f64();
    let detected = match delay {
        Some(delay) => {
            format!("Detected after {delay:.0} s, by {}.", drill["alert"]["alertname"].as_str().unwrap_or("an alert"))
        }
        None => "Not detected.".to_owned(),
    };
    let is_breached = |name: &str| {
        let mut samples = drill["samples"].as_array().into_iter().flatten();
        samples.any(|it| it["signals"][name]["breached"] == true)
    };
    let seen: Vec<&str> = SEEN_BY_HTTP.into_iter().filter(|name| is_breached(name)).collect();
    let http = drill["alert"]["signal"].as_str().map(|signal| match seen.is_empty() {
        true => {
            format!("No: {signal} is not among what it measures, and errors and latency stayed within their limits.")
        }
        false => format!("Perhaps: {} left their limits, too.", seen.join(" and ")),
    });
    vec![
        ask("How long would users have suffered before we knew? Is that within our objective?", Some(detected)),
        ask("Would HTTP monitoring alone have seen it?", http),
        ask(
            "Does the evidence name what changed, or would we have to guess?",
            found("variable").map(|it| match it.as_str() {
                "none" | "nothing" => "It names no variable.".to_owned(),
                it => format!("It names {it}: {}.", found("value").unwrap_or_else(|| "no value".to_owned())),
            }),
        ),
        ask(
            "Something else changed at the same time. Would we have rolled back the right thing?",
            drill["beside"].as_str().filter(|it| !it.is_empty()).map(|it| format!("Beside the cause: {it}.")),
        ),
        ask(
            "Can we still prove in a year what was running, to somebody who does not trust us?",
            found("frame verified").map(|it| format!("Proof of the frame: {it}.")),
        ),
        ask(
            "What did users get while it lasted, and who decided that beforehand?",
            drill["redirected"]
                .as_u64()
                .map(|it| format!("{it} requests of the batch after the alert went to the fallback.")),
        ),
        ask("How do we know that it is over?", found("recovery seen").map(|it| format!("Quiet again: {it}."))),
        ask(
            "Who would have been paged, and do they know the runbook of this alert?",
            drill["alert"]["severity"].as_str().map(|it| format!("It is a {it}.")),
        ),
        ask(
            "Does our real telemetry carry what this traffic does (freezeframe completeness, docs/completeness.md)?",
            None,
        ),
        ask("Which of our own failures has no drill yet?", None),
    ]
}

//! Everything a page says, read out of the frame: one document, which is what a template sees.

use serde_json::{Value as Json, json};

use super::actions::actions;
use super::comparison::comparison;
use super::deadlines::Deadlines;
use super::figures::{between, counted, duration, of_signal, pair, percent};
use super::lessons::{LOUD, lessons};
use super::questions::questions;
use super::timeline::Entry;
use crate::core::incident::{Class, Severity};
use crate::core::signal::Signal;
use crate::core::time::UnixNanos;
use crate::core::triage::{self, Play};
use crate::toolkit::frames::{fired_at, incident_id};
use crate::toolkit::text::cut;

/// Samples of either kind on a page, and characters of a text in one.
const SAMPLES_MAX: usize = 3;
const TEXT_CHARS_MAX: usize = 400;
/// Values of a variable in the table.
const VALUES_MAX: usize = 3;

/// The facts behind a page: `incident`, `summary`, `impact`, `timeline`, `is_told`, `root_cause`, `detection`, `windows`,
/// `signals`, `mitigation`, `actions`, `lessons`, `samples`. Texts are as telemetry has them: whoever shows them escapes them.
#[must_use]
pub fn facts(frame: &Json, timeline: &[Entry]) -> Json {
    let mut root_cause = root_cause(frame);
    root_cause["comparison"] = comparison(frame).into();
    json!({
        "incident": incident(frame, timeline),
        "summary": summary(frame),
        "impact": impact(frame),
        "timeline": timeline,
        "is_told": !timeline.iter().all(Entry::is_measured),
        "root_cause": root_cause,
        "detection": detection(frame),
        "windows": { "incident": window(frame, "incident"), "baseline": window(frame, "baseline") },
        "signals": signals(frame),
        "mitigation": mitigation(frame, timeline),
        "actions": actions(frame),
        "lessons": lessons(frame),
        "samples": { "failing": samples(frame, "failing"), "healthy": samples(frame, "healthy") },
    })
}

fn incident(frame: &Json, timeline: &[Entry]) -> Json {
    let alert = &frame["alert"];
    let began = &frame["windows"]["incident"]["from"];
    let resolved = timeline.iter().rev().find(|it| it.is_end()).map(|it| Json::from(&*it.at));
    let severity = alert["severity"].as_str().and_then(Severity::parse);
    let time = |at: &Json| at.as_str().and_then(UnixNanos::parse);
    let due = Deadlines::of(severity, time(fired_at(frame)), resolved.as_ref().and_then(time));
    json!({
        "id": incident_id(frame),
        "frame": frame["id"],
        "is_refined": frame["refines"].is_string(),
        "captured_at": frame["captured_at"],
        "origin": frame["origin"],
        "leaf": frame["seq"],
        "feature": frame["feature"],
        "alert": alert["name"],
        "class": alert["class"],
        "impact": alert["class"].as_str().and_then(Class::parse).and_then(Play::of).map(|play| play.impact),
        "severity": alert["severity"],
        "respond_within": severity.map(Severity::response_time),
        "patterns": alert["patterns"],
        "began": began,
        "detected": fired_at(frame),
        "detection": between(began, fired_at(frame)).map(duration),
        "resolved": resolved,
        "duration": resolved.as_ref().and_then(|at| between(began, at)).map(duration),
        "draft_due": due.draft.map(|at| at.to_string()),
        "review_due": due.review.map(|at| at.to_string()),
    })
}

fn summary(frame: &Json) -> Json {
    let alert = &frame["alert"];
    let signal = alert["signal"].as_str().unwrap_or_default();
    let said = |value: &Json| of_signal(signal, value);
    json!({
        "signal": alert["signal"],
        "value": said(&alert["value"]),
        "before": said(&frame["signals"][signal]["baseline"]["value"]),
        "limit": said(&alert["threshold"]),
        "limit_source": alert["threshold_source"],
        "samples": alert["samples"],
        "verdict": verdict(frame),
        "answer": frame["verdict"]["answer"],
        "variables": frame["verdict"]["variables"],
    })
}

fn window(frame: &Json, side: &str) -> Json {
    let window = &frame["windows"][side];
    json!({ "from": window["from"], "to": window["to"], "requests": window["requests"] })
}

/// Every signal that was seen on a side, with its unit on both.
fn signals(frame: &Json) -> Vec<Json> {
    let seen = frame["signals"].as_object().into_iter().flatten();
    let seen = seen.filter(|(_, it)| !it["incident"]["value"].is_null() || !it["baseline"]["value"].is_null());
    let told = |(name, it): (&String, &Json)| json!({ "name": name, "incident": of_signal(name, &it["incident"]["value"]), "baseline": of_signal(name, &it["baseline"]["value"]) });
    seen.map(told).collect()
}

fn verdict(frame: &Json) -> String {
    let verdict = &frame["verdict"];
    let evidence = verdict["evidence"].as_str().unwrap_or("nothing was compared");
    match verdict["answer"].as_str() {
        Some("one") => format!("One variable explains it: {evidence}."),
        Some("ambiguous") => format!("More than one variable may explain it: {evidence}."),
        Some("no_significant_change") => "The signal changed by no more than chance.".into(),
        _ => format!("The recorded variables do not tell the cause: {evidence}."),
    }
}

fn impact(frame: &Json) -> Json {
    let (verdict, window) = (&frame["verdict"], &frame["windows"]["incident"]);
    let share = |side: &str| verdict["failing_share"][side].as_f64();
    let requests = verdict["requests"]["incident"].as_f64();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of requests")]
    let failing = requests.zip(share("incident")).map(|(requests, share)| (requests * share).round() as u64);
    json!({
        "requests": window["requests"],
        "from": window["from"],
        "to": window["to"],
        "compared": verdict["requests"]["incident"],
        "failing": failing,
        "failing_share": share("incident").map(percent),
        "failing_share_before": share("baseline").map(percent),
        "cost": pair(frame, Signal::CostPerRequest),
        "latency": pair(frame, Signal::LatencyP95),
    })
}

fn root_cause(frame: &Json) -> Json {
    let class = frame["alert"]["class"].as_str().and_then(Class::parse);
    let hypotheses = class.map(|class| triage::hypotheses(class, frame)).unwrap_or_default();
    let hypotheses: Vec<Json> = hypotheses
        .iter()
        .map(|it| json!({ "text": it.text, "standing": it.standing.as_str(), "evidence": it.evidence }))
        .collect();
    let variables = frame["variables"].as_object().into_iter().flatten();
    let variables: Vec<Json> = variables
        .map(|(name, it)| {
            json!({
                "name": name, "state": it["state"], "reason": it["reason"], "moved": it["moved"].as_bool().map(|it| if it { "yes" } else { "no" }),
                "incident": values(&it["incident"]), "baseline": values(&it["baseline"]),
            })
        })
        .collect();
    let route = &frame["variables"]["model_route"]["detail"];
    json!({
        "variables": variables,
        "suspects": suspects(frame),
        "hypotheses": hypotheses,
        "prompt_diff": frame["variables"]["prompt_revision"]["detail"]["diff"],
        "models": { "incident": route["incident"]["calls"], "baseline": route["baseline"]["calls"] },
        "evaluations": evaluations(frame),
        "provider": provider(frame),
        "questions": questions(frame),
    })
}

fn suspects(frame: &Json) -> Vec<Json> {
    let share = |it: &Json| it.as_f64().map(percent);
    let suspects = frame["suspects"].as_array().into_iter().flatten();
    let said = suspects.map(|it| json!({
        "variable": it["variable"], "value": it["value"], "verdict": it["verdict"], "confidence": it["confidence"],
        "explained": share(&it["explained"]), "with": share(&it["rate_with"]), "without": share(&it["rate_without"]),
        "share": share(&it["incident_share"]), "before": share(&it["baseline_share"]), "requests": it["requests_with"],
    }));
    said.collect()
}

fn values(side: &Json) -> Option<String> {
    let shown = side.as_array().into_iter().flatten().take(VALUES_MAX).map(|it| {
        format!("{} ({})", it["value"].as_str().unwrap_or("-"), percent(it["share"].as_f64().unwrap_or_default()))
    });
    let shown: Vec<String> = shown.collect();
    (!shown.is_empty()).then(|| shown.join(", "))
}

/// What evaluations said of the failing samples: the gap that let them through.
fn evaluations(frame: &Json) -> Json {
    let samples = frame["samples"]["failing"].as_array().map_or(&[][..], Vec::as_slice);
    let of =
        |it: &Json, passed: bool| it["evaluations"].as_array().into_iter().flatten().any(|one| one["passed"] == passed);
    let scored = samples.iter().filter(|it| it["evaluations"].as_array().is_some_and(|all| !all.is_empty())).count();
    let only_passed = samples.iter().filter(|it| of(it, true) && !of(it, false)).count();
    let mut metrics: Vec<&str> = samples
        .iter()
        .flat_map(|it| it["evaluations"].as_array().into_iter().flatten())
        .filter_map(|it| it["metric"].as_str())
        .collect();
    metrics.sort_unstable();
    metrics.dedup();
    json!({ "samples": samples.len(), "scored": scored, "only_passed": only_passed, "metrics": metrics })
}

/// What speaks for the provider: errors of the failing samples by kind, and the signals that it moves.
fn provider(frame: &Json) -> Json {
    let samples = frame["samples"]["failing"].as_array().into_iter().flatten();
    let mut errors: Vec<&str> = samples.filter_map(|it| it["error"]["type"].as_str()).collect();
    errors.sort_unstable();
    errors.dedup();
    let patterns = frame["alert"]["patterns"].as_array().into_iter().flatten();
    let signals = [Signal::ErrorRatio, Signal::RetriesPerRequest, Signal::ModelTime];
    json!({
        "is_suspect": patterns.into_iter().any(|it| it == "upstream_provider"),
        "errors": errors,
        "ended": ended(frame),
        "signals": signals.into_iter().filter_map(|it| pair(frame, it)).collect::<Vec<_>>(),
        "fingerprints": frame["variables"]["model_route"]["detail"]["dimensions"]["fingerprint"].as_array().map(Vec::len),
    })
}

/// How calls ended, on both sides: `{"how", "now", "before"}`.
fn ended(frame: &Json) -> Vec<Json> {
    let sides = &frame["variables"]["model_route"]["detail"]["upstream"];
    let ends = |side: &str| sides[side].as_array().map_or(&[][..], Vec::as_slice).to_vec();
    let share = |ends: &[Json], how: &Json| {
        let found = ends.iter().find(|it| it["value"] == *how);
        percent(found.and_then(|it| it["share"].as_f64()).unwrap_or_default())
    };
    let (now, before) = (ends("incident"), ends("baseline"));
    let gone = before.iter().filter(|it| !now.iter().any(|end| end["value"] == it["value"]));
    let all = now.iter().chain(gone).map(|it| &it["value"]);
    all.map(|how| json!({ "how": how, "now": share(&now, how), "before": share(&before, how) })).collect()
}

/// What breakers did; `is_active` where one that may act opened.
fn mitigation(frame: &Json, timeline: &[Entry]) -> Json {
    let actions: Vec<&Entry> =
        timeline.iter().filter(|it| it.line.starts_with("Breaker ") && it.is_measured()).collect();
    let mut acting = frame["breakers"].as_object().into_iter().flatten().filter(|(_, state)| *state != "shadow");
    let opened =
        |class: &str| actions.iter().any(|it| it.line[8..].starts_with(class) && it.line.contains(" to open ("));
    json!({ "breakers": frame["breakers"], "is_active": acting.any(|(class, _)| opened(class)), "actions": actions })
}

fn detection(frame: &Json) -> Json {
    let error = frame["signals"][Signal::ErrorRatio.as_str()]["incident"]["value"].as_f64();
    let errors = pair(frame, Signal::ErrorRatio);
    let http = error.zip(errors.as_ref()).map(|(share, said)| match share < LOUD {
        true => format!("No: {said}"),
        false => format!("Yes: {said}"),
    });
    json!({
        "began": frame["windows"]["incident"]["from"],
        "held": frame["alert"]["starts_at"],
        "fired": fired_at(frame),
        "took": between(&frame["windows"]["incident"]["from"], fired_at(frame)).map(duration),
        "errors": errors,
        "http": http,
        "feedback": counted(frame, Signal::BadFeedbackRatio),
    })
}

fn samples(frame: &Json, kind: &str) -> Vec<Json> {
    let shown = |text: &Json| text.as_str().map(|it| cut(it, TEXT_CHARS_MAX).into_owned());
    let samples = frame["samples"][kind].as_array().into_iter().flatten().take(SAMPLES_MAX);
    let said = samples.map(|it| {
        json!({
            "trace_id": it["trace_id"], "at": it["started_at"], "prompt": it["prompt_version"], "model": it["model"],
            "query": shown(&it["user_query"]), "answer": shown(&it["response"]), "diagnosis": it["diagnosis"]["line"],
        })
    });
    said.collect()
}

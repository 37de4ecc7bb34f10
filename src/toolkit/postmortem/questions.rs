//! The questions that the incident's class and patterns ask, and what the frame answers to them.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value as Json;

use super::figures::{counted, pair, percent};
use crate::core::incident::{Class, Pattern};
use crate::core::signal::Signal;
use crate::core::triage::{Play, Subject};
use crate::core::variable::Variable;

/// Questions of users quoted at most.
const QUERIES_MAX: usize = 3;
/// Characters of one.
const QUERY_CHARS_MAX: usize = 120;

/// A question, and what the frame says to it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Question {
    subject: &'static str,
    question: &'static str,
    answers: Vec<String>,
}

/// The question of the class, then those of the patterns.
pub(super) fn questions(frame: &Json) -> Vec<Question> {
    let class = frame["alert"]["class"].as_str().and_then(Class::parse).and_then(Play::of);
    let patterns = frame["alert"]["patterns"].as_array().into_iter().flatten();
    let patterns = patterns.filter_map(|it| Play::of_pattern(Pattern::parse(it.as_str()?)?));
    let plays = class.into_iter().chain(patterns);
    plays
        .map(|play| Question { subject: play.subject.name(), question: play.question, answers: answers(play, frame) })
        .collect()
}

fn answers(play: &Play, frame: &Json) -> Vec<String> {
    let mut answers: Vec<String> = play.signals.iter().filter_map(|signal| pair(frame, *signal)).collect();
    let variables: &[Variable] = match play.subject {
        Subject::Class(Class::RetrievalOutage) | Subject::Pattern(Pattern::RetrievalStaleness) => {
            &[Variable::RetrievalIndex]
        }
        Subject::Class(Class::QualityDegradation) => &Variable::ALL,
        Subject::Class(Class::PerformanceDegradation | Class::CostSpike)
        | Subject::Pattern(Pattern::UpstreamProvider) => &[Variable::ModelRoute],
        Subject::Class(Class::DataIncident) | Subject::Pattern(Pattern::PromptInjection) => &[Variable::PromptRevision],
        Subject::Pattern(Pattern::JudgeInducedFalseNegative | Pattern::SilentQualityRegression) => &[Variable::Judge],
        Subject::Pattern(Pattern::ToolSchemaDrift) => &[Variable::ToolSchemas],
        Subject::Pattern(Pattern::TrafficMixShift) => &[Variable::TrafficMix],
        Subject::Addendum(_) => &[],
    };
    answers.extend(variables.iter().map(|it| moved(frame, *it)));
    match play.subject {
        Subject::Class(Class::RetrievalOutage) | Subject::Pattern(Pattern::RetrievalStaleness) => {
            answers.extend(lags(frame));
            answers.extend(pending(frame));
            answers.extend(queries(frame));
        }
        Subject::Pattern(Pattern::JudgeInducedFalseNegative | Pattern::SilentQualityRegression) => {
            answers.push(user_signal(frame));
            answers.extend(judges(frame));
        }
        Subject::Class(Class::DataIncident) => answers.push(redacted(frame)),
        _ => {}
    }
    let mut said = BTreeSet::new();
    answers.retain(|it| said.insert(it.clone()));
    answers
}

/// `judge: relevance-judge@3 (100 %), before relevance-judge@2 (100 %)`
fn moved(frame: &Json, variable: Variable) -> String {
    let name = variable.as_str();
    let it = &frame["variables"][name];
    let most = |side: &str| {
        let first = &it[side][0];
        let share = first["share"].as_f64().map_or_else(String::new, |share| format!(" ({})", percent(share)));
        first["value"].as_str().map_or_else(|| "not known".to_owned(), |value| format!("{value}{share}"))
    };
    let verb = match it["moved"].as_bool() {
        Some(true) => "moved",
        Some(false) => "did not move",
        None => "can't be compared",
    };
    format!("{name} {verb}: {}, before {}", most("incident"), most("baseline"))
}

/// How far what requests searched was behind its source.
fn lags(frame: &Json) -> Option<String> {
    let hours = |it: &Json| it.as_f64().map(|seconds| format!("{:.1} h", seconds / 3600.0));
    let lag = &frame["variables"]["retrieval_index"]["detail"]["freshness_lag_s"];
    let (mean, most) = (hours(&lag["incident"]["mean"])?, hours(&lag["incident"]["max"])?);
    let before = hours(&lag["baseline"]["mean"]).unwrap_or_else(|| "not known".to_owned());
    Some(format!("requests searched what was {mean} behind its source on average, {most} at most; before {before}"))
}

/// What the index had not taken over of its source, and which samples found just that.
fn pending(frame: &Json) -> Vec<String> {
    let indexes = frame["variables"]["retrieval_index"]["detail"]["declared"].as_array().into_iter().flatten();
    let told = indexes.filter_map(|it| {
        let name = it["index"].as_str()?;
        let changes = it["pending_changes"].as_u64().filter(|changes| *changes > 0)?;
        let samples = landed(frame, it["pending_documents"].as_array()?);
        let landed = match samples {
            0 => String::new(),
            samples => format!("; {samples} of the samples found a document that had changed"),
        };
        let changes = if changes == 1 { "1 change".to_owned() } else { format!("{changes} changes") };
        Some(format!("{name} had not taken over {changes} of its source{landed}"))
    });
    told.collect()
}

/// Samples with one of these documents.
fn landed(frame: &Json, pending: &[Json]) -> usize {
    let samples = ["failing", "healthy"].into_iter().filter_map(|side| frame["samples"][side].as_array()).flatten();
    let found = |sample: &&Json| {
        let documents = sample["documents"].as_array().into_iter().flatten();
        documents.map(|it| &it["id"]).any(|id| pending.contains(id))
    };
    samples.filter(found).count()
}

/// What was asked in the failing samples.
fn queries(frame: &Json) -> Option<String> {
    let samples = frame["samples"]["failing"].as_array()?;
    let mut queries: Vec<&str> = samples.iter().filter_map(|it| it["user_query"].as_str()).collect();
    queries.sort_unstable();
    queries.dedup();
    let quoted = |it: &&str| format!("\u{201c}{}\u{201d}", crate::toolkit::text::cut(it, QUERY_CHARS_MAX));
    let quoted: Vec<String> = queries.iter().take(QUERIES_MAX).map(quoted).collect();
    (!quoted.is_empty()).then(|| format!("questions of failing requests: {}", quoted.join(", ")))
}

fn user_signal(frame: &Json) -> String {
    counted(frame, Signal::BadFeedbackRatio).unwrap_or_else(|| {
        "no user signal was recorded (freezeframe record feedback, or gen_ai.evaluation.result of a person)".into()
    })
}

/// When each judge was last calibrated, and what signed off.
fn judges(frame: &Json) -> Vec<String> {
    let detail = &frame["variables"]["judge"]["detail"];
    let text = |it: &Json, unknown: &str| it.as_str().unwrap_or(unknown).to_owned();
    let judges = detail["incident"]["judges"].as_array().into_iter().flatten();
    let calibrated = judges.map(|it| {
        format!(
            "judge of {}: last calibrated {}",
            text(&it["metric"], "unnamed"),
            text(&it["calibrated_at"], "at a time nobody recorded")
        )
    });
    let signed_off = detail["signed_off"].as_array().into_iter().flatten().map(|it| {
        format!(
            "release {} was signed off {} by {} version {}",
            text(&it["release"], "unnamed"),
            text(&it["signed_off_at"], "-"),
            text(&it["name"], "a judge"),
            text(&it["version"], "unknown")
        )
    });
    let mut said: Vec<String> = calibrated.chain(signed_off).collect();
    if detail["signed_off"].as_array().is_none_or(Vec::is_empty) {
        said.push(
            "which configuration signed off the release was not recorded (freezeframe record judge --signs-off)".into(),
        );
    }
    said
}

fn redacted(frame: &Json) -> String {
    let counts = frame["redaction"]["counts"].as_object().into_iter().flatten();
    let counts: Vec<String> = counts.map(|(entity, n)| format!("{n} {entity}")).collect();
    match &counts[..] {
        [] => "nothing was redacted in what the frame keeps".into(),
        counts => format!("redacted in what the frame keeps: {}", counts.join(", ")),
    }
}

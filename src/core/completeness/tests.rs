use std::time::Duration;

use super::*;
use crate::core::dialect::Normaliser;
use crate::core::request::tests::request;
use crate::core::request::{
    Evaluation, Failure, Feedback, FinishReason, Judge, ModelCall, Outcome, Prompt, Request, Retrieval, ToolCall,
};
use crate::core::span::Dialects;
use crate::core::time::UnixNanos;

/// Dialects whose instrumentations can be made to capture content; `app` is not an instrumentation.
fn content_dialects() -> impl Iterator<Item = &'static str> {
    DIALECTS.into_iter().filter(|it| *it != "app")
}

fn call() -> ModelCall {
    ModelCall {
        model_requested: Some("gpt-4o-mini".into()),
        model_served: Some("gpt-4o-mini-2024-07-18".into()),
        input_tokens: Some(36),
        output_tokens: Some(8),
        finish_reason: Some(FinishReason::Stop),
        ..ModelCall::default()
    }
}

fn asked(calls: Vec<ModelCall>) -> Request {
    let finish_reason = calls.last().and_then(|it| it.finish_reason);
    Request { calls, finish_reason, dialects: vec!["gen_ai"], ..request() }
}

fn failure() -> Option<Failure> {
    Some(Failure { kind: "timeout".into(), message: "".into(), timeout: true, status_code: None })
}

fn judged(kind: Option<&str>) -> Evaluation {
    Evaluation {
        metric: "relevance".into(),
        score: Some(0.8),
        label: None,
        passed: Some(true),
        judge: Judge { kind: kind.map(Into::into), ..Judge::default() },
        error: None,
        sampled_by: None,
    }
}

/// Proves that a request misses what applies to it and is not there, and nothing else.
#[test]
fn a_request_misses_only_what_applies_to_it() {
    let tool = |name: &str| ToolCall { name: name.into(), ran: true, ..ToolCall::default() };
    let told = Request { user_query: Some("?".into()), response: Some("!".into()), ..asked(vec![call()]) };
    let streamed = |first| ModelCall { streaming: Some(true), time_to_first_token: first, ..call() };
    let wants_tools = ModelCall { finish_reason: Some(FinishReason::ToolCalls), ..call() };
    let anthropic = ModelCall { provider: Some("anthropic".into()), ..call() };
    let no_tokens = ModelCall { input_tokens: None, ..call() };
    let failed = ModelCall { error: failure(), ..ModelCall::default() };
    let table: [(&str, Request, &[&str], &[&str]); 12] = [
        (
            "no content",
            asked(vec![call()]),
            &["prompt_sha256", "user_query", "response", "refused"],
            &["blocked", "tools", "tool_schemas", "documents", "index", "time_to_first_token_ms", "finish_reason"],
        ),
        ("content without a system part", told.clone(), &["prompt_version"], &["prompt_sha256", "response", "refused"]),
        (
            "a system part by digest",
            Request { prompt: Prompt { sha256: Some([7; 32]), ..Prompt::default() }, ..asked(vec![call()]) },
            &["response"],
            &["prompt_sha256", "user_query"],
        ),
        ("a stream", asked(vec![streamed(None)]), &["time_to_first_token_ms"], &[]),
        ("a timed stream", asked(vec![streamed(Some(Duration::ZERO))]), &[], &["time_to_first_token_ms"]),
        ("one call of two without tokens", asked(vec![call(), no_tokens]), &["input_tokens"], &["output_tokens"]),
        (
            "a failed call",
            Request { outcome: Outcome::Error, error: failure(), ..asked(vec![failed]) },
            &["model_requested", "request_id", "retries"],
            &["model", "input_tokens", "finish_reason", "response", "refused", "blocked"],
        ),
        ("tools asked for and not seen", asked(vec![wants_tools.clone()]), &["tools", "tool_schemas"], &["response"]),
        (
            "tools seen",
            Request { tools: vec![tool("get_order")], ..asked(vec![wants_tools]) },
            &["tool_schemas"],
            &["tools"],
        ),
        ("a finish reason that tells refusals", asked(vec![anthropic]), &["response"], &["refused"]),
        (
            "an unnamed search",
            Request { retrievals: vec![Retrieval::default()], ..told.clone() },
            &["documents", "index", "index_version"],
            &[],
        ),
        (
            "a search that failed",
            Request { retrievals: vec![Retrieval { error: failure(), ..Retrieval::default() }], ..told },
            &[],
            &["documents", "index", "index_version"],
        ),
    ];
    for (what, request, wanted, unwanted) in table {
        let missing = missing(&request);
        assert!(wanted.iter().all(|it| missing.contains(it)), "{what}: {missing:?} lacks one of {wanted:?}");
        assert!(!unwanted.iter().any(|it| missing.contains(it)), "{what}: {missing:?} has one of {unwanted:?}");
    }
}

/// Proves that a person's verdict is feedback, and that silence tells of no retries where retries are told.
#[test]
fn people_and_silence_are_understood() {
    let human = Request { evaluations: vec![judged(Some("HUMAN"))], ..request() };
    assert!(missing(&human).contains(&"evaluations") && !missing(&human).contains(&"feedback"));
    let mut silent = asked(vec![call()]);
    assert!(missing(&silent).contains(&"retries"));
    silent.dialects = vec!["anthropic", "gen_ai"];
    assert!(!missing(&silent).contains(&"retries"));
}

/// Proves that a request counts for the dialect that names its instrumentation.
#[test]
fn the_most_specific_dialect_stands_for_a_request() {
    for (dialects, expected) in [
        (vec![], UNKNOWN),
        (vec!["gen_ai"], "gen_ai"),
        (vec!["pydantic_ai", "gen_ai"], "pydantic_ai"),
        (vec!["gen_ai", "openllmetry"], "openllmetry"),
        (vec!["openinference", "gen_ai", "app"], "openinference"),
    ] {
        assert_eq!(dialect(&Request { dialects, ..request() }), expected);
    }
}

/// Proves shares, scores and gaps by hand: what does not apply counts for nothing, and what only some requests can
/// have counts in full once one has it.
#[test]
fn scores_are_mean_shares() {
    let mut completeness = Completeness::default();
    assert_eq!((completeness.score(), completeness.shares(), completeness.remedy("model")), (None, vec![], None));
    // A request without calls: request, session and user id, feature, latency, evaluations and feedback apply.
    completeness.observe(&Request { user_id: Some("u".into()), evaluations: vec![judged(None)], ..request() });
    for _ in 0..3 {
        completeness.observe(&request());
    }
    let shares = completeness.shares();
    let expected = [
        ("request_id", 0.0),
        ("session_id", 0.0),
        ("user_id", 0.25),
        ("feature", 1.0),
        ("latency_ms", 1.0),
        ("evaluations", 0.25),
        ("feedback", 0.0),
    ];
    assert_eq!(shares, expected);
    assert_eq!(completeness.score(), Some((0.25 + 1.0 + 1.0 + 1.0) / 7.0));
    let gaps: Vec<&str> = completeness.gaps().iter().map(|gap| gap.field.name).collect();
    assert_eq!(gaps, ["request_id", "session_id", "feedback", "user_id"]);
    assert!(!completeness.applies("model") && completeness.applies("feedback"));
    assert_eq!(completeness.remedy("session_id"), Some(remedy(ANY, "session_id")));
    assert_eq!(completeness.remedy("evaluations"), None);
}

/// Proves that dialects are told apart and add up, and that the worse one names the remedy.
#[test]
fn dialects_are_scored_apart() {
    let of = |dialect, request: Request| Request { dialects: vec![dialect, "gen_ai"], ..request };
    let mut completeness = Completeness::default();
    completeness.observe(&of("openinference", asked(vec![call()])));
    (0..2).for_each(|_| completeness.observe(&of("anthropic", asked(vec![call()]))));
    let dialects: Vec<_> = completeness.dialects().iter().map(|it| (it.dialect, it.requests)).collect();
    assert_eq!(dialects, [("anthropic", 2), ("openinference", 1)]);
    assert!(completeness.remedy("response").unwrap().contains("ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE=content"));
    let mut twice = completeness.clone();
    twice.merge(&completeness);
    assert_eq!((twice.requests(), twice.shares()), (6, completeness.shares()));
}

/// Proves that late verdicts count, never more than there are requests, and that nothing is made of nothing.
#[test]
fn late_verdicts_count() {
    let mut completeness = Completeness::default();
    let feedback = Feedback { positive: Some(false), score: None, comment: None };
    completeness.hear(&[judged(None)], Some(&feedback));
    assert_eq!(completeness, Completeness::default());
    completeness.observe(&request());
    (0..3).for_each(|_| completeness.hear(&[judged(None)], None));
    let share = |name: &str| completeness.shares().iter().find(|(field, _)| *field == name).map(|(_, share)| *share);
    assert_eq!((share("evaluations"), share("feedback")), (Some(1.0), Some(0.0)));
}

/// Proves that a closed gap is forgotten after two lengths at most, and that a pause forgets nothing by itself.
#[test]
fn the_past_is_forgotten() {
    let mut recent = Recent::new(Duration::from_secs(60));
    let at = |seconds: u64| UnixNanos(1_000_000_000_000).plus(Duration::from_secs(seconds));
    let known = Request { user_id: Some("u".into()), ..request() };
    let share = |recent: &Recent| recent.completeness().shares().iter().find(|it| it.0 == "user_id").map(|it| it.1);
    recent.add(Observation::of(&request()), at(0));
    recent.add(Observation::of(&known), at(61));
    assert_eq!(share(&recent), Some(0.5));
    recent.add(Observation::of(&known), at(122));
    assert_eq!((share(&recent), recent.completeness().requests()), (Some(1.0), 2));
}

/// Proves that the tables fit: no row names what does not exist, and there is a row for everything.
#[test]
fn every_gap_has_a_remedy() {
    for row in REMEDIES {
        assert!(row.dialect == ANY || DIALECTS.contains(&row.dialect), "{row:?}");
        assert!(!row.fields.is_empty() && row.fields.iter().all(|it| Field::named(it).is_some()), "{row:?}");
        assert!(!row.text.is_empty() && !row.text.ends_with('.') && !row.text.contains("  "), "{row:?}");
    }
    let rows = |dialect: &str, field: &str| {
        REMEDIES.iter().filter(|row| row.dialect == dialect && row.fields.contains(&field)).count()
    };
    for field in &FIELDS {
        assert_eq!(rows(ANY, field.name), 1, "{}", field.name);
        assert_eq!(FIELDS.iter().filter(|it| it.name == field.name).count(), 1, "{}", field.name);
        for dialect in DIALECTS {
            assert!(rows(dialect, field.name) <= 1, "{dialect} {}", field.name);
        }
        for dialect in content_dialects().filter(|_| field.is_content) {
            assert_eq!(rows(dialect, field.name), 1, "{dialect} {}", field.name);
        }
    }
    assert!(FIELDS.iter().filter(|it| it.is_content).count() == 5 && FIELDS.len() <= 32, "a bit each");
}

/// Proves that every dialect that requests can be written in is known here.
#[test]
fn every_dialect_is_known() {
    for name in Normaliser::names(Dialects(u32::MAX)) {
        assert!(DIALECTS.contains(&name), "{name}");
    }
}

/// Pins the memory of one feature's counts.
#[test]
fn memory_is_bounded() {
    let mut completeness = Completeness::default();
    for dialect in DIALECTS.into_iter().chain(["unheard of"]) {
        completeness.observe(&Request { dialects: vec![dialect], ..request() });
    }
    assert_eq!((completeness.dialects.len(), Recent::bytes_max() >> 10), (18, 15));
}

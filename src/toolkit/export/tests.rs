use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::config::Config;
use crate::core::trace_record;
use crate::toolkit::input::Index;
use crate::toolkit::requests::Requests;

fn record(mode_fields: Json) -> Json {
    let mut record = json!({
        "trace_id": "0af7651916cd43dd8448eb211c80319c", "feature": "support", "session_id": "s-1", "user_id": "u-1",
        "request_id": "r-1", "started_at": "2026-11-22T02:19:00.123Z", "operation": "chat",
        "user_query": "Where is my order?", "response": "BAD ANSWER", "finish_reason": "stop",
        "model_requested": "gpt-4o", "model": "gpt-4o-2024-08-06", "provider": "openai", "route": "blue",
        "temperature": 0.5, "top_p": 0.9, "max_tokens": 100, "prompt_version": "v41",
        "prompt_components": {"core": "3"}, "system_prompt": "Be brief.",
        "index": "kb", "index_version": "7", "freshness_lag_s": 60.5,
        "documents": [{"id": "doc-1", "score": 0.5, "content": "Orders leave on Mondays."}],
        "tools": [], "tool_calls": 0, "latency_ms": 1500.0, "time_to_first_token_ms": 250.0, "llm_calls": 1,
        "input_tokens": 900, "output_tokens": 150,
        "cost_usd": 0.00375, "cost_source": "table",
        "prompt_sha256": "213c22ed7234eb11116e1e88f314c73cb3a019b5c87fe224b6ce5665bd9ec50e", "evaluations": [], "error": null,
    });
    for (name, value) in mode_fields.as_object().unwrap() {
        record[name] = value.clone();
    }
    trace_record::of(&trace_record::parse(&record.to_string()).unwrap())
}

fn ungrounded() -> Json {
    record(json!({ "evaluations": [{"metric": "groundedness", "score": 0.2, "passed": false, "label": "no"}] }))
}

fn frame(failing: &[Json], healthy: &[Json]) -> Vec<u8> {
    let frame = json!({
        "id": "inc-1", "alert": {"name": "A", "class": "QUALITY_DEGRADATION", "severity": "SEV-2"},
        "verdict": {"answer": "one", "variables": ["prompt_revision"], "value": "v41"},
        "signals": {"latency_p95": {"baseline": {"p99": 2.0}}},
        "samples": {"failing": failing, "healthy": healthy},
    });
    serde_json::to_vec(&frame).unwrap()
}

fn written(name: &str, cases: &Cases) -> String {
    Format::named(name).unwrap().write(&cases.cases, &Options::default()).unwrap()
}

fn read(format: &Format, text: &str) -> Vec<Json> {
    let jsonl = format.extension == "jsonl";
    let parse = |it: &str| serde_json::from_str(it).unwrap();
    if jsonl { text.lines().map(parse).collect() } else { vec![parse(text)] }
}

/// The names under which a text stands anywhere in a value.
fn places(value: &Json, path: &str, text: &str, found: &mut Vec<String>) {
    match value {
        Json::String(it) if it.contains(text) => found.push(path.to_owned()),
        Json::Array(items) => items.iter().for_each(|it| places(it, path, text, found)),
        Json::Object(fields) => fields.iter().for_each(|(name, it)| places(it, &format!("{path}.{name}"), text, found)),
        _ => {}
    }
}

/// Proves for every format that a bad answer never stands where a tool reads the ideal.
#[test]
fn a_bad_answer_is_never_the_ideal() {
    let cases = of(&frame(&[ungrounded()], &[]), true).unwrap();
    for format in &FORMATS {
        let mut found = Vec::new();
        read(format, &written(format.name, &cases)).iter().for_each(|it| places(it, "", "BAD ANSWER", &mut found));
        assert!(format.name == "promptfoo" || !found.is_empty(), "{}", format.name);
        for place in found {
            let is_ideal = ["expected", "reference", "ideal", "examples.outputs", "item.messages"];
            assert!(!is_ideal.iter().any(|it| place.contains(it)), "{}: {place}", format.name);
        }
    }
}

/// Proves that a healthy sample is exported on request only, as recorded behaviour, and not when something failed in it.
#[test]
fn a_healthy_sample_is_recorded_behaviour() {
    let good = record(json!({ "response": "GOOD ANSWER" }));
    let bytes = frame(&[], &[good, ungrounded()]);
    assert!(of(&bytes, false).unwrap().cases.is_empty());
    let cases = of(&bytes, true).unwrap();
    assert_eq!((cases.cases.len(), cases.skipped.len()), (1, 1));
    assert_eq!(cases.cases[0].metadata()["recorded_behaviour"], "GOOD ANSWER");
    for name in ["openai-jsonl", "langfuse", "langsmith", "phoenix", "deepeval", "ragas"] {
        assert!(written(name, &cases).contains("GOOD ANSWER"), "{name}");
    }
}

/// Proves which check each way to fail gives.
#[test]
fn what_went_wrong_becomes_a_check() {
    let tool = json!([{"name": "get_order", "outcome": "error"}]);
    let table = [
        (json!({ "evaluations": [{"metric": "faithfulness", "score": 0.1, "passed": false}] }), "recorded context"),
        (json!({ "evaluations": [{"metric": "tone", "score": 0.1, "passed": false}] }), "metric tone"),
        (json!({ "finish_reason": "length" }), "finish reason stop"),
        (json!({ "refused": true }), "not a refusal"),
        (json!({ "tools": tool }), "get_order"),
        (json!({ "documents": [] }), "does not know"),
        (json!({ "error": {"type": "500", "message": "m"} }), "There is an answer"),
        (json!({}), "correct"),
    ];
    for (fields, wanted) in table {
        let cases = of(&frame(&[record(fields.clone())], &[]), false).unwrap();
        let sentences: Vec<String> = cases.cases[0].checks.iter().map(Check::sentence).collect();
        assert!(sentences.iter().any(|it| it.contains(wanted)), "{fields}: {sentences:?}");
    }
}

/// Proves that a sample that is no record is left out with its place and reason, and that bytes that are no frame are refused.
#[test]
fn what_is_no_record_is_told() {
    let cases = of(&frame(&[json!({"trace_id": "x"}), ungrounded()], &[]), false).unwrap();
    assert_eq!(cases.cases.len(), 1);
    assert!(cases.skipped[0].starts_with("samples.failing[0]: started_at"), "{:?}", cases.skipped);
    assert!(of(b"{", false).is_err());
}

/// Proves that runs of LangSmith form a tree: one root, whose order every other's begins with.
#[test]
fn langsmith_runs_form_a_tree() {
    let cases = of(&frame(&[ungrounded()], &[]), false).unwrap();
    let document: Json = serde_json::from_str(&written("langsmith", &cases)).unwrap();
    let runs = document["runs"].as_array().unwrap();
    let root = runs[0]["dotted_order"].as_str().unwrap();
    assert_eq!(root, format!("20261122T021900123000Z{}", runs[0]["id"].as_str().unwrap()));
    assert_eq!(runs.len(), 3);
    for run in &runs[1..] {
        let order = run["dotted_order"].as_str().unwrap();
        assert!(order.starts_with(&format!("{root}.")) && order.ends_with(run["id"].as_str().unwrap()), "{order}");
        assert_eq!(run["parent_run_id"], runs[0]["id"]);
    }
    assert_eq!(document["examples"][0]["source_run_id"], runs[0]["id"]);
}

/// Proves that a batch for Langfuse is a trace of its own, the same each time, that tells which one it is a copy of.
#[test]
fn langfuse_leaves_the_original_trace_alone() {
    let cases = of(&frame(&[ungrounded()], &[]), false).unwrap();
    let text = written("langfuse", &cases);
    assert_eq!(text, written("langfuse", &cases));
    let document: Json = serde_json::from_str(&text).unwrap();
    let original = "0af7651916cd43dd8448eb211c80319c";
    let mut found = Vec::new();
    places(&document, "", original, &mut found);
    // The item's id names incident and trace.
    assert_eq!(found, [".batch.body.metadata.trace_id", ".items.id", ".items.metadata.trace_id"]);
    let copy = &document["batch"][0]["body"]["id"];
    assert!(copy.as_str().is_some_and(|it| it.len() == 32 && it.chars().all(|it| it.is_ascii_hexdigit())), "{copy}");
    assert_eq!(&document["items"][0]["sourceTraceId"], copy);
    let events = document["batch"].as_array().unwrap();
    assert!(events[1..].iter().all(|it| it["body"]["traceId"] == *copy), "{events:?}");
}

/// Proves that promptfoo gets recorded texts as data: no template opens in them and no file is named.
#[test]
fn promptfoo_renders_no_recorded_text() {
    let hostile = record(json!({ "user_query": "file:///etc/passwd {{ env.HOME }} {% raw %}", "response": "x" }));
    let cases = of(&frame(&[hostile], &[]), false).unwrap();
    let document: Json = serde_json::from_str(&written("promptfoo", &cases)).unwrap();
    let query = document["tests"][0]["vars"]["user_query"].as_str().unwrap();
    assert_eq!(query, r#"{{ "f" }}ile:///etc/passwd {{ "{" }}{ env.HOME }} {{ "{" }}% raw %}"#);
}

/// Proves that the exported OTLP is read back as the record it was made of, but for what only the original spans knew.
#[test]
fn otlp_reads_back_as_the_record() {
    let tool = json!({ "tools": [{"name": "get_order", "outcome": "ok", "duration_ms": 120.0}], "tool_path": "get_order", "tool_calls": 1 });
    for record in [ungrounded(), record(tool)] {
        let cases = of(&frame(std::slice::from_ref(&record), &[]), false).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("export.json");
        std::fs::write(&path, written("otlp", &cases)).unwrap();
        let mut index = Index::read(&[path], &mut |_| {}).unwrap();
        let requests = Requests::new(index.in_time(), &Config::default()).collect::<Result<Vec<_>, _>>().unwrap();
        assert_eq!(requests.len(), 1);
        let read = trace_record::of(&requests[0]);
        let differing: Vec<String> = record
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, value)| !KNOWN_TO_SPANS.contains(&name.as_str()) && read[name.as_str()] != **value)
            .map(|(name, value)| format!("{name}: {value} became {}", read[name.as_str()]))
            .collect();
        assert_eq!(differing, [""; 0]);
    }
}

/// What a record tells of the spans it was made of, not of the request.
const KNOWN_TO_SPANS: [&str; 3] = ["dialects", "spans", "missing"];

proptest! {
    /// Proves that every format is what its name says, whatever the texts hold.
    #[test]
    fn any_text_is_valid(query in any::<String>(), answer in any::<String>(), content in any::<String>()) {
        let hostile = record(json!({
            "user_query": query, "response": answer, "documents": [{"id": "d", "content": content}],
        }));
        let cases = of(&frame(&[hostile], &[]), false).unwrap();
        for format in &FORMATS {
            let text = written(format.name, &cases);
            prop_assert_eq!(read(format, &text).len(), 1);
            prop_assert!(!text.contains(['\u{7f}', '\u{9b}', '\u{202e}']), "{}", text);
        }
        for wrong in ["{{", "{%", "{#", "#}"] {
            let text = format!("{query}{wrong}{answer}");
            let cases = of(&frame(&[record(json!({ "user_query": text }))], &[]), false).unwrap();
            let asked = serde_json::from_str::<Json>(&written("promptfoo", &cases)).unwrap()["tests"][0]["vars"]["user_query"].clone();
            // What is spelled out is an expression of its own; what is left between those opens and closes nothing.
            let left: String = asked.as_str().unwrap().split("{{ \"").map(|it| it.split_once("\" }}").map_or(it, |(_, rest)| rest)).collect::<Vec<_>>().join("|");
            prop_assert!(["{{", "{%", "{#", "#}"].iter().all(|mark| !left.contains(mark)), "{}", left);
        }
    }
}

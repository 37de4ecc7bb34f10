//! `freezeframe record` and what it says: from the command line over the wire into requests and frames.

use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use freezeframe::config::{self, Source};
use freezeframe::core::time::UnixNanos;
use freezeframe::engine::handle::ForeignAlert;
use freezeframe::engine::registry::Registry;
use freezeframe::engine::{Effect, Engine};
use freezeframe::otlp::{Logs, Signal, Traces, json};
use serde_json::{Value as Json, json};

use crate::stub;
use crate::wire::provide_crypto;

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_795_300_000 * SECOND;

/// Every declaration there is, for the feature `support`, at the start.
const ALL: [&[&str]; 4] = [
    &["judge", "relevance", "--name", "grader", "--model", "gpt-4o", "--version", "3", "--threshold", "0.7"],
    &[
        "index",
        "kb",
        "--version",
        "2026-11-20",
        "--lag",
        "60",
        "--reindexing",
        "false",
        "--pending",
        "doc-17",
        "--embedding-model",
        "embed-3",
    ],
    &["prompt", "answer", "--version", "v41", "--component", "policy=7", "--component", "style=2"],
    &["tool", "get_order", "--version", "5"],
];

fn freezeframe(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_freezeframe")).args(arguments).output().unwrap()
}

/// The OTLP/JSON of one report, made at the start.
fn said(arguments: &[&str]) -> Json {
    said_at(UnixNanos(START), arguments)
}

fn said_at(at: UnixNanos, arguments: &[&str]) -> Json {
    let at = at.to_string();
    let common = ["--dry-run", "--feature", "support", "--at", &at, "--source", "ci"];
    let output = freezeframe(&[&["record"], arguments, &common].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Request `n`: a retrieval, a tool and an answer, none of which say which version of anything they are.
fn request(n: u64) -> Json {
    let span = |id: u64, parent: u64, name: &str, attributes: &[(&str, &str)]| {
        let attributes: Vec<Json> =
            attributes.iter().map(|(key, text)| json!({ "key": key, "value": { "stringValue": text } })).collect();
        let from = START + 10 * SECOND * n;
        json!({
            "traceId": format!("{:032x}", n + 1),
            "spanId": format!("{id:016x}"),
            "parentSpanId": if parent == 0 { String::new() } else { format!("{parent:016x}") },
            "name": name,
            "startTimeUnixNano": (from + id * SECOND / 10).to_string(),
            "endTimeUnixNano": (from + SECOND - id).to_string(),
            "attributes": attributes,
        })
    };
    let spans = [
        span(1, 0, "ask", &[("app.feature", "support")]),
        span(2, 1, "search", &[("gen_ai.operation.name", "retrieval"), ("gen_ai.data_source.id", "kb")]),
        span(3, 1, "tool", &[("gen_ai.operation.name", "execute_tool"), ("gen_ai.tool.name", "get_order")]),
        span(4, 1, "chat", &[("gen_ai.operation.name", "chat"), ("gen_ai.request.model", "gpt-4o-mini")]),
    ];
    json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }] })
}

/// What is declared by the command line stands in the records of requests that do not say it themselves.
#[test]
fn declarations_complete_requests() {
    let dir = tempfile::tempdir().unwrap();
    let lines: Vec<String> = ALL.iter().map(|it| said(it).to_string()).chain([request(1).to_string()]).collect();
    let recording = dir.path().join("recording.json");
    std::fs::write(&recording, lines.join("\n")).unwrap();
    let output = freezeframe(&["inspect", recording.to_str().unwrap(), "--format", "json"]);
    let records: Json = serde_json::from_slice(&output.stdout).unwrap();
    let record = &records[0];
    assert_eq!(
        (record["prompt_version"].as_str(), &record["prompt_components"]),
        (Some("v41"), &json!({ "policy": "7", "style": "2" }))
    );
    assert_eq!((record["index"].as_str(), record["index_version"].as_str()), (Some("kb"), Some("2026-11-20")));
    // 60 s when it was declared, and the request began 10.1 s later.
    assert_eq!(record["freshness_lag_s"].as_f64().map(|it| (it * 10.0).round()), Some(701.0));
}

/// A frame knows the judge from its declaration alone, beside everything else that was declared; the declarations are
/// accepted and open no trace.
#[test]
fn frames_know_what_was_declared() {
    let config = Arc::new(config::load(&Source::Default, &|_| None).unwrap().0);
    let start = UnixNanos(START);
    let mut engine = Engine::new(config.clone(), Arc::new(Registry::new(config.features.max)), 1, start);
    for arguments in ALL {
        let logs = Logs::parse(json::logs(said(arguments).to_string().as_bytes()).unwrap()).unwrap();
        let ingested = engine.logs(&logs, start);
        assert_eq!((ingested.accepted, ingested.not_llm, ingested.rejected), (1, 0, 0));
    }
    let mut now = start;
    for n in 1..=10 {
        now = start.plus(Duration::from_secs(10 * n + 1));
        engine.traces(&Traces::parse(json::traces(request(n).to_string().as_bytes()).unwrap()).unwrap(), now);
        engine.tick(now);
    }
    engine.tick(now.plus(config.assembly.root_grace));
    let alert = ForeignAlert {
        fingerprint: "0123456789abcdef".into(),
        starts_at: now,
        name: "Elsewhere".into(),
        feature: "support".into(),
        class: None,
        severity: None,
    };
    engine.witness(&alert, now.plus(config.assembly.root_grace));
    let frame = engine.take_effects().into_iter().find_map(|effect| match effect {
        Effect::Freeze(frame) => Some(frame),
        Effect::Record(_) | Effect::Notice(_) => None,
    });
    let variables = &frame.unwrap().body["variables"];
    let index = &variables["retrieval_index"]["detail"];
    let lag = &index["freshness_lag_s"]["incident"];
    assert_eq!(*lag, json!({ "mean": 160.1, "max": 160.1 }), "of the tenth request, 100.1 s after 60 s were declared");
    assert_eq!(index["declared"][0]["pending_documents"], json!(["doc-17"]));
    let value = |variable: &str| variables[variable]["incident"][0]["value"].as_str().map(str::to_owned);
    assert_eq!(value("judge").as_deref(), Some("relevance: grader@3 gpt-4o >= 0.7"));
    assert_eq!(value("retrieval_index").as_deref(), Some("kb@2026-11-20"));
    assert_eq!(value("prompt_revision").as_deref(), Some("answer@v41 (policy:7, style:2)"));
    assert_eq!(value("tool_schemas").as_deref(), Some("get_order@5"));
    assert!(variables["judge"].to_string().contains("\"threshold\":0.7"), "{}", variables["judge"]);
}

/// The journal of changes tells who declared a value that came, and that only telemetry tells of the others.
#[test]
fn the_journal_tells_who_reported() {
    let config = Arc::new(config::load(&Source::Default, &|_| None).unwrap().0);
    let start = UnixNanos(START);
    let mut engine = Engine::new(config.clone(), Arc::new(Registry::new(config.features.max)), 1, start);
    let versions = [(0, "2026-11-20"), (900, "2026-11-21")]
        .map(|(after, version)| said_at(UnixNanos(START + after * SECOND), &["index", "kb", "--version", version]));
    for n in 1..=180 {
        if let Some(declared) = [1, 90].iter().position(|it| *it == n).map(|at| &versions[at]) {
            let logs = Logs::parse(json::logs(declared.to_string().as_bytes()).unwrap()).unwrap();
            engine.logs(&logs, start.plus(Duration::from_secs(10 * n)));
        }
        let now = start.plus(Duration::from_secs(10 * n + 1));
        engine.traces(&Traces::parse(json::traces(request(n).to_string().as_bytes()).unwrap()).unwrap(), now);
        engine.tick(now);
    }
    let now = start.plus(Duration::from_secs(1_900));
    engine.tick(now);
    for feature in ["support", "_all"] {
        let changes = engine.changes(feature, now).unwrap();
        let told = changes.iter().map(|it| (it.value.as_str(), it.is_new, it.reported_by.as_deref()));
        assert_eq!(
            told.collect::<Vec<_>>(),
            [("kb@2026-11-21", true, Some("ci")), ("kb@2026-11-20", false, Some("ci"))]
        );
    }
    assert_eq!(engine.changes("nobody", now), None);
}

/// What is sent arrives as it was printed, and what does not arrive, or is refused, is an error of status 2.
#[tokio::test(flavor = "multi_thread")]
async fn reports_arrive_or_fail_loudly() {
    provide_crypto();
    let receiver = stub::receiver(&stub::config(), stub::accepting(0)).await;
    let send = |endpoint: String| {
        let arguments = move || {
            let ids = ["--trace-id", "5c2ce2219462d03c9d50c8652683b004", "--header", "x-team=a"];
            let feedback = ["record", "feedback", "--down", "--comment", "wrong order", "--endpoint", &endpoint];
            freezeframe(&[&feedback[..], &ids[..]].concat())
        };
        tokio::task::spawn_blocking(arguments)
    };
    let sent = send(format!("http://{}", receiver.http)).await.unwrap();
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    let printed = String::from_utf8(sent.stdout).unwrap();
    assert!(printed.contains("gen_ai.evaluation.result") && printed.contains("thumbs_down"), "{printed}");
    let tapped = receiver.tapped.take();
    let [(Signal::Logs, bytes)] = tapped.as_slice() else { panic!("{tapped:?}") };
    let logs = Logs::parse(bytes.clone()).unwrap();
    let (_, _, record) = logs.records().next().unwrap();
    assert_eq!(record.event_name, b"gen_ai.evaluation.result");
    assert_eq!(record.trace_id, 0x5c2c_e221_9462_d03c_9d50_c865_2683_b004_u128.to_be_bytes());

    let rejecting = stub::receiver(&stub::config(), stub::accepting(1)).await;
    for endpoint in [format!("http://{}", rejecting.http), "http://127.0.0.1:1".into(), "ftp://127.0.0.1".into()] {
        let failed = send(endpoint).await.unwrap();
        assert_eq!(failed.status.code(), Some(2), "{}", String::from_utf8_lossy(&failed.stderr));
        assert!(failed.stdout.is_empty() && !failed.stderr.is_empty());
    }
}

/// Arguments that say nothing, or too much, are refused before anything is sent.
#[test]
fn arguments_are_checked() {
    for arguments in [
        &["judge"][..],
        &["index", "kb", "--lag", "1", "--updated-at", "now"],
        &["index", "kb", "--updated-at", "yesterday"],
        &["tool"],
        &["tool", "--definitions", "/nowhere/tools.json"],
        &["feedback", "--up"],
        &["feedback", "--trace-id", "12", "--up"],
        &["feedback", "--response-id", "r", "--up", "--down"],
        &["feedback", "--response-id", "r"],
        &["prompt", "a", "--component", "policy"],
    ] {
        let output = freezeframe(&[&["record", "--dry-run"][..], arguments].concat());
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{arguments:?}");
    }
}

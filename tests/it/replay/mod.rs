//! Replays as a user runs them, against an HTTP server whose answers are scripted.

pub(crate) mod server;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use server::{Answer, Server, fails, refuses, says, streams, wants};

const GOOD: &str = "Damaged goods can be returned within 30 days [doc-1].";

/// A record of a request that was answered under the wrong prompt.
fn record(id: &str) -> Value {
    json!({
        "trace_id": id, "feature": "support", "started_at": "2026-11-20T09:00:00.000Z", "operation": "chat",
        "user_query": "Can I return damaged goods?", "response": "As an AI assistant, I'd be happy to help!",
        "model_requested": "gpt-4o", "model": "gpt-4o-2024-08-06", "provider": "openai", "temperature": 0.2,
        "prompt_version": "v1.0", "system_prompt": "Be cheerful.", "finish_reason": "stop",
        "documents": [{ "id": "doc-1", "score": 0.91, "content": "Damaged goods can be returned within 30 days of delivery." }],
        "tools": [{ "name": "get_order", "outcome": "ok", "duration_ms": 20.0, "arguments": "{\"order\":\"A-17\"}", "result": "delivered" }],
        "latency_ms": 4000.0, "llm_calls": 1, "input_tokens": 100, "output_tokens": 40,
    })
}

struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { dir: tempfile::tempdir().unwrap() };
        bench.write("trace.json", &record("3ce06c00000000000000000000000001").to_string());
        std::fs::create_dir(bench.path("prompts")).unwrap();
        bench.write("prompts/v2.0.txt", "Answer from the context and cite it.");
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_freezeframe"));
        command.args(arguments).current_dir(self.dir.path()).env("OPENAI_API_KEY", "sk-secret").output().unwrap()
    }

    /// `replay trace.json --endpoint SERVER` with more arguments: the record that it prints.
    fn replay(&self, server: &Server, more: &[&str]) -> Value {
        let arguments = ["replay", "trace.json", "--endpoint", &server.url, "--format", "json"];
        document(&self.run(&[&arguments, more].concat()))
    }
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Proves that the right prompt is sent with what was recorded, that the answer becomes a record that other commands read,
/// and that the comparison says it is better.
#[test]
fn the_right_prompt_is_tried() {
    let (bench, server) = (Bench::new(), Server::start(vec![says(GOOD)]));
    let found = bench.replay(
        &server,
        &["--prompts", "prompts", "--prompt-version", "v2.0", "--expect", "contains:30 days", "--output", "now.json"],
    );
    let asked = &server.asked()[0];
    assert_eq!(asked["messages"][0]["content"], "Answer from the context and cite it.");
    assert!(asked["messages"][1]["content"].as_str().unwrap().contains("[doc-1] Damaged goods"));
    assert_eq!(asked["messages"][3]["content"], "delivered");
    assert_eq!((&asked["model"], &asked["temperature"]), (&json!("gpt-4o"), &json!(0.2)));
    assert_eq!(server.header("authorization").as_deref(), Some("Bearer sk-secret"));

    assert_eq!(
        (&found["response"], &found["prompt_version"], &found["model"]),
        (&json!(GOOD), &json!("v2.0"), &json!("gpt-4o-mini-2024-07-18"))
    );
    assert_eq!(
        (&found["replay"]["system_fingerprint"], &found["replay"]["simulated"]),
        (&json!("fp_7"), &json!(false))
    );
    assert_eq!(
        (&found["comparison"]["change"], &found["comparison"]["passes"]),
        (&json!("improved"), &json!({ "before": false, "now": true }))
    );
    assert!(found["cost_usd"].as_f64().unwrap() > 0.0 && found["input_tokens"] == 120);

    let compared = bench.run(&["compare", "trace.json", "now.json"]);
    let table = String::from_utf8_lossy(&compared.stdout).into_owned();
    assert!(table.contains("v1.0") && table.contains("v2.0") && table.contains("As an AI assistant"), "{table}");
    let inspected = document(&bench.run(&["inspect", "now.json", "--format", "json"]));
    assert_eq!(inspected[0]["response"], GOOD);
}

/// Proves that a stream of any cut is read and tells its first token, and that one that breaks off is no answer.
#[test]
fn streams_are_read() {
    let cut = Answer::Stream(vec![b"data: {\"choices\":[{\"delta\":{\"content\":\"Dam".to_vec()]);
    let (bench, server) = (Bench::new(), Server::start(vec![streams(GOOD), cut]));
    let found = bench.replay(&server, &["--stream"]);
    assert_eq!((&found["response"], &server.asked()[0]["stream"]), (&json!(GOOD), &json!(true)));
    assert!(found["time_to_first_token_ms"].as_f64() <= found["latency_ms"].as_f64() && found["output_tokens"] == 20);
    let found = bench.replay(&server, &["--stream"]);
    assert_eq!((&found["error"]["type"], &found["response"]), (&json!("malformed_reply"), &Value::Null));
}

/// Proves that a tool is answered with what it gave then and never run, and that one nobody recorded ends the replay.
#[test]
fn tools_are_fed_back() {
    let (bench, server) = (Bench::new(), Server::start(vec![wants("get_order"), says(GOOD), wants("refund")]));
    let found = bench.replay(&server, &[]);
    let second = &server.asked()[1]["messages"];
    assert_eq!(
        second.as_array().unwrap().last().unwrap(),
        &json!({ "role": "tool", "tool_call_id": "call_9", "content": "delivered" })
    );
    assert_eq!(
        (&found["response"], &found["replay"]["calls"], &found["input_tokens"]),
        (&json!(GOOD), &json!(2), &json!(240))
    );
    let found = bench.replay(&server, &[]);
    assert_eq!(found["error"]["type"], "tool_not_recorded");
}

/// Proves that what passes by waiting is tried again, and what does not is final; that none of it is taken for an answer.
#[test]
fn failures_are_told_apart() {
    let bench = Bench::new();
    let server = Server::start(vec![fails(429, Some("0")), fails(500, None), says(GOOD)]);
    let found = bench.replay(&server, &[]);
    assert_eq!((&found["response"], &found["retries"]), (&json!(GOOD), &json!(2)));
    for (answers, kind, asked) in [
        (vec![fails(401, None), says(GOOD)], "401", 1),
        (vec![fails(503, Some("0")), fails(503, None), fails(503, None), fails(503, None), says(GOOD)], "503", 4),
        (vec![Answer::Reply(200, None, b"<html>".to_vec())], "malformed_reply", 1),
        (vec![Answer::Reply(200, None, b"{\"choices\":[]}".to_vec())], "malformed_reply", 1),
        (vec![Answer::Reply(200, None, vec![b' '; 17 << 20])], "malformed_reply", 1),
    ] {
        let server = Server::start(answers);
        let found = bench.replay(&server, &[]);
        assert_eq!((&found["error"]["type"], server.asked().len()), (&json!(kind), asked));
        assert_eq!(found["comparison"]["passes"]["now"], false);
    }
    let server = Server::start(vec![Answer::Silence, Answer::Silence, Answer::Silence, Answer::Silence]);
    let found = bench.replay(&server, &["--timeout", "1"]);
    assert_eq!(found["error"]["type"], "timeout");
    let server = Server::start(vec![refuses("I can't help with that.")]);
    let found = bench.replay(&server, &[]);
    assert_eq!((&found["refused"], &found["diagnosis"]["mode"]), (&json!(true), &json!("refusal")));
}

/// Proves a rate over repetitions, a model as judge, and that its nonsense is no verdict.
#[test]
fn repetitions_and_judges() {
    let bench = Bench::new();
    let server = Server::start(vec![says(GOOD), says("No."), says(GOOD), says("No."), says("No.")]);
    let found = bench.replay(&server, &["--repeat", "4", "--expect", "contains:30 days"]);
    let repeated = &found["replay"]["repeated"];
    assert_eq!((&repeated["answers"], &repeated["passed"], &repeated["rate"]), (&json!(4), &json!(2), &json!(0.5)));
    assert!(repeated["ci_low"].as_f64() < Some(0.2) && repeated["ci_high"].as_f64() > Some(0.8));

    let server = Server::start(vec![says(GOOD), says(r#"{"score":0.9}"#), says(r#"{"score":0.2}"#)]);
    let judge = ["--expect", "judge:cites the context", "--judge-model", "gpt-4o"];
    let found = bench.replay(&server, &judge);
    assert_eq!(
        (&found["evaluations"][0]["score"], &found["evaluations"][0]["judge_model"]),
        (&json!(0.9), &json!("gpt-4o"))
    );
    assert_eq!(found["comparison"]["change"], "improved");
    assert!(server.asked()[1]["messages"][1]["content"].as_str().unwrap().contains(GOOD));
    let server = Server::start(vec![says(GOOD), says("Great answer!"), says("Bad")]);
    assert_eq!(bench.replay(&server, &judge)["comparison"]["passes"]["now"], false);
}

/// Proves that nothing is sent in a dry run, past a budget, with an unknown prompt, or a key over plain http; that a
/// replay without an endpoint wants to be told so.
#[test]
fn nothing_is_sent_unasked() {
    let (bench, server) = (Bench::new(), Server::start(vec![says(GOOD)]));
    let planned = bench.replay(&server, &["--dry-run"]);
    assert!(planned[0]["estimated_cost_usd_max"].as_f64().unwrap() > 0.0 && planned[0]["body"]["model"] == "gpt-4o");
    assert_eq!(bench.replay(&server, &["--budget", "0.000001"])["error"]["type"], "budget");
    for (arguments, why) in [
        (vec!["--endpoint", &server.url, "--prompt-version", "v9"], "known: v1.0"),
        (vec!["--endpoint", "http://example.com/v1"], "plain http"),
        (vec!["--endpoint", &server.url, "--expect", "judge:good"], "--judge-model"),
        (vec!["--endpoint", &server.url, "--trace", "ffff"], "no trace ffff"),
        (vec![], "--simulate"),
    ] {
        let output = bench.run(&[&["replay", "trace.json"], &arguments[..]].concat());
        assert!(output.status.code() == Some(2) && stderr(&output).contains(why), "{why}: {output:?}");
        assert!(!stderr(&output).contains("sk-secret"));
    }
    assert!(server.asked().is_empty());
}

/// Proves the bulk table, its totals and its status; that what can't be replayed is skipped with the reason.
#[test]
fn a_directory_is_a_regression_test() {
    let bench = Bench::new();
    let traces = bench.path("traces");
    std::fs::create_dir(&traces).unwrap();
    let write = |name: &str, record: &Value| std::fs::write(traces.join(name), record.to_string()).unwrap();
    write("a.json", &record("00000000000000000000000000000001"));
    let mut good = record("00000000000000000000000000000002");
    good["response"] = GOOD.into();
    write("b.json", &good);
    let mut silent = record("00000000000000000000000000000003");
    silent["user_query"] = Value::Null;
    write("c.json", &silent);
    let all = |server: &Server, more: &[&str]| {
        let arguments =
            ["replay-all", "traces", "--endpoint", &server.url, "--concurrency", "1", "--expect", "contains:30 days"];
        bench.run(&[&arguments, more].concat())
    };
    let server = Server::start(vec![says(GOOD), says(GOOD)]);
    let output = all(&server, &["--format", "json"]);
    let totals = &document(&output)["totals"];
    let count = |name: &str| totals[name].as_u64().unwrap();
    assert_eq!(
        [count("improved"), count("same"), count("degraded"), count("skipped"), count("passing")],
        [1, 1, 0, 1, 2]
    );
    assert_eq!(output.status.code(), Some(0), "{output:?}");

    let server = Server::start(vec![says(GOOD), says("No.")]);
    let output = all(&server, &[]);
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.code() == Some(1) && table.contains("degraded") && table.contains("was not recorded"),
        "{table}"
    );
}

/// Proves that a simulation sends nothing and says in every form that it is one.
#[test]
fn a_simulation_says_so() {
    let bench = Bench::new();
    for (format, label) in [("table", "SIMULATED"), ("markdown", "SIMULATED"), ("json", "\"simulated\": true")] {
        let simulate = ["--simulate", "--model", "gpt-4o-mini", "--format", format];
        let one = bench.run(&[&["replay", "trace.json"], &simulate[..]].concat());
        let all = bench.run(&[&["replay-all", "trace.json"], &simulate[..]].concat());
        for output in [one, all] {
            let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(stdout.contains(label) && stderr(&output).contains("SIMULATED"), "{format}: {output:?}");
        }
    }
    assert!(Path::new(&bench.path("trace.json")).exists());
}

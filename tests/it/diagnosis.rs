//! The six worked traces, what a baseline adds, the ranking of failures, and false alarms on real SDKs' telemetry.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::e2e::real::python;
use super::inspect::{freezeframe, stdout};

/// The traces and their modes, in order of time.
const TRACES: [(&str, &str); 6] = [
    ("trace-a-normal-success", "healthy"),
    ("trace-b-retrieval-mismatch", "retrieval_mismatch"),
    ("trace-c-wrong-prompt-ver", "wrong_prompt_version"),
    ("trace-d-tool-timeout", "tool_timeout"),
    ("trace-e-hallucination", "hallucination"),
    ("trace-f-slow-response", "slow_response"),
];

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder)
}

fn document(arguments: &[&str], stdin: &[u8]) -> Value {
    let mut arguments = arguments.to_vec();
    arguments.extend(["--format", "json"]);
    serde_json::from_str(&stdout(&arguments, stdin)).unwrap()
}

/// The only request of an input.
fn only(arguments: &[&str], stdin: &[u8]) -> Value {
    let mut records = document(arguments, stdin);
    let records = records.as_array_mut().unwrap();
    assert_eq!(records.len(), 1, "{records:?}");
    records.remove(0)
}

fn modes(records: &Value) -> Vec<&str> {
    records.as_array().unwrap().iter().map(|it| it["diagnosis"]["mode"].as_str().unwrap()).collect()
}

/// Proves that each worked trace is diagnosed rightly, all together and each alone, as OTLP and as the simple record that
/// `inspect` makes of it, and that the records kept are those; `UPDATE=1` writes them.
#[test]
#[expect(clippy::disallowed_methods, reason = "UPDATE is a switch of the test, not of the program")]
fn the_worked_traces_are_diagnosed_rightly() {
    let (otlp, records) = (fixtures("debug"), fixtures("debug-records"));
    for (name, mode) in TRACES {
        let file = otlp.join(format!("{name}.otlp.json"));
        let record = only(&["inspect", file.to_str().unwrap()], b"");
        assert_eq!(record["diagnosis"]["mode"], mode, "{record:#}");
        let kept = records.join(format!("{name}.json"));
        if std::env::var("UPDATE").is_ok() {
            std::fs::write(&kept, format!("{record:#}\n")).unwrap();
        }
        let text = std::fs::read(&kept).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), record, "{name}: run again with UPDATE=1");
        let again = only(&["inspect", "-"], &text);
        for key in ["mode", "line"] {
            assert_eq!(again["diagnosis"][key], record["diagnosis"][key], "{name}");
        }
    }
    for folder in [&otlp, &records] {
        let together = document(&["inspect", folder.to_str().unwrap()], b"");
        assert_eq!(modes(&together), TRACES.map(|(_, mode)| mode), "{}", folder.display());
    }
}

/// Proves that the worked traces are, byte for byte, what the SDKs write.
#[test]
fn the_worked_traces_are_what_the_sdks_write() {
    let dir = tempfile::tempdir().unwrap();
    let run = python("debug_traces.py").arg(dir.path()).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    for (name, _) in TRACES {
        let file = format!("{name}.otlp.json");
        let written = std::fs::read_to_string(dir.path().join(&file)).unwrap();
        assert_eq!(written, std::fs::read_to_string(fixtures("debug").join(&file)).unwrap(), "{name}");
    }
}

/// Proves that invented facts are found without a judge, and said to be found by words.
#[test]
fn a_hallucination_is_found_without_a_judge() {
    let text = std::fs::read_to_string(fixtures("debug/trace-e-hallucination.otlp.json")).unwrap();
    let spans: Vec<&str> = text.lines().filter(|line| line.contains("resourceSpans")).collect();
    assert!(spans.len() < text.lines().count(), "the verdict is a line of its own");
    let record = only(&["inspect", "-"], spans.join("\n").as_bytes());
    assert_eq!((record["diagnosis"]["mode"].as_str(), &record["evaluations"]), (Some("hallucination"), &json!([])));
    assert!(record["diagnosis"]["line"].as_str().unwrap().contains("lexical overlap, not a judge"), "{record:#}");
}

/// Proves that the deep dive answers what a reader of a failure asks, for each of the failures, the most severe first, in
/// every format and by both commands.
#[test]
fn failures_are_ranked_and_explained() {
    let folder = fixtures("debug");
    let folder = folder.to_str().unwrap();
    let all = document(&["diagnose", folder, "--all"], b"");
    assert_eq!((&all["requests"], &all["failed"], &all["left_out"]), (&json!(6), &json!(5), &json!(0)));
    assert_eq!(all, document(&["inspect", folder, "--rank"], b""));
    let order = ["hallucination", "wrong_prompt_version", "retrieval_mismatch", "tool_timeout", "slow_response"];
    assert_eq!(modes(&all["failures"]), order);
    for failure in all["failures"].as_array().unwrap() {
        let diagnosis = &failure["diagnosis"];
        for key in ["symptom", "root_cause", "signal", "next_step"] {
            assert!(diagnosis[key].as_str().is_some_and(|it| it.len() > 20), "{key}: {diagnosis:#}");
        }
        let catches = diagnosis["http_monitoring"]["would_catch"].as_bool().unwrap();
        assert_eq!(catches, diagnosis["mode"] == "slow_response", "{diagnosis:#}");
        assert_eq!(failure["reach"], json!({ "requests": 1, "of": 6 }));
    }
    for (format, mark) in [("table", ""), ("markdown", "## ")] {
        let text = stdout(&["diagnose", folder, "--all", "--format", format], b"");
        assert_eq!(text.lines().filter(|line| *line == format!("{mark}Diagnosis")).count(), 5, "{text}");
        let text = stdout(&["inspect", folder, "--rank", "--format", format], b"");
        let at: Vec<usize> = order.iter().map(|mode| text.find(mode).unwrap()).collect();
        assert!(at.is_sorted(), "{text}");
    }
    let healthy = fixtures("debug/trace-a-normal-success.otlp.json");
    let none = stdout(&["inspect", healthy.to_str().unwrap(), "--rank"], b"");
    assert!(none.ends_with("no failure among 1 requests\n"), "{none}");
}

/// A healthy request of a second.
fn good(n: usize) -> Value {
    json!({
        "trace_id": format!("{n:032x}"), "feature": "support", "prompt_version": "v2",
        "started_at": format!("2026-11-22T09:{:02}:{:02}Z", n / 60, n % 60),
        "latency_ms": 1000, "llm_calls": 1, "finish_reason": "stop",
        "input_tokens": 300, "output_tokens": 60, "cost_usd": 0.001,
        "documents": [{ "id": "kb-1", "score": 0.9 }],
    })
}

fn bytes(records: &[Value]) -> Vec<u8> {
    records.iter().flat_map(|it| format!("{it}\n").into_bytes()).collect()
}

/// Proves what a baseline adds: what is usual is taken from the recording itself or from another one, is named in the
/// output, and without it a request is judged by itself.
#[test]
fn a_baseline_tells_what_is_unusual() {
    let mut slow = good(100);
    slow["latency_ms"] = json!(3_000);
    let mut records: Vec<Value> = (0..29).map(good).collect();
    records.push(slow.clone());
    let input = bytes(&records);
    let id = slow["trace_id"].as_str().unwrap();
    let found = document(&["diagnose", "-", "--trace", id], &input);
    assert_eq!(found["diagnosis"]["mode"], "slow_response", "{found:#}");
    assert_eq!(found["diagnosis"]["compared_with"]["line"], "compared with n = 30 requests of this feature");
    let few = document(&["diagnose", "-", "--trace", id], &bytes(&records[20..]));
    assert_eq!(few["diagnosis"]["mode"], "healthy", "{few:#}");
    assert_eq!(few["diagnosis"]["compared_with"]["requests"], 10);
    let alone = document(&["diagnose", "-", "--trace", id, "--no-baseline"], &input);
    assert_eq!(alone["diagnosis"]["mode"], "healthy");
    assert_eq!(
        alone["diagnosis"]["compared_with"],
        json!({ "requests": null, "line": "no baseline: judged by itself alone" })
    );

    let dir = tempfile::tempdir().unwrap();
    let baseline = dir.path().join("good.json");
    std::fs::write(&baseline, bytes(&(0..50).map(good).collect::<Vec<_>>())).unwrap();
    let baseline = baseline.to_str().unwrap();
    let against = document(&["diagnose", "-", "--baseline", baseline], &bytes(&[slow.clone()]));
    assert_eq!(against["diagnosis"]["mode"], "slow_response", "{against:#}");
    assert_eq!(against["diagnosis"]["compared_with"]["requests"], 50);
    slow["latency_ms"] = json!(1_000);
    let expecting = only(&["inspect", "-", "--expect-prompt", "v3"], &bytes(&[slow.clone()]));
    assert_eq!(expecting["diagnosis"]["mode"], "wrong_prompt_version");
    assert_eq!(only(&["inspect", "-", "--expect-prompt", "v2"], &bytes(&[slow]))["diagnosis"]["mode"], "healthy");
    let both = freezeframe(&["inspect", "-", "--no-baseline", "--baseline", baseline], b"");
    assert_eq!(both.status.code(), Some(2));
}

/// Proves that on telemetry of real SDKs no rule on words, scores or phrases raises an alarm, and how many requests get
/// which mode; docs/diagnosis.md says the same.
#[test]
fn real_telemetry_raises_no_false_alarm() {
    let mut counts = BTreeMap::new();
    for dialect in std::fs::read_dir(fixtures("captures")).unwrap() {
        let records = document(&["inspect", dialect.unwrap().path().to_str().unwrap()], b"");
        for mode in modes(&records) {
            *counts.entry(mode.to_owned()).or_insert(0_u32) += 1;
        }
    }
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/diagnosis.md")).unwrap();
    let told: BTreeMap<String, u32> = page
        .lines()
        .skip_while(|line| *line != "| mode | requests |")
        .skip(2)
        .map_while(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "))
        .map(|(mode, requests)| (mode.to_owned(), requests.parse().unwrap()))
        .collect();
    assert_eq!(counts, told);
    for mode in ["hallucination", "retrieval_mismatch", "prompt_injection", "wrong_prompt_version", "pii_leak"] {
        assert!(!counts.contains_key(mode), "{mode}");
    }
}

//! A log with frames of the test's choice, for the commands that read one.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use freezeframe::config::Evidence;
use freezeframe::core::time::UnixNanos;
use freezeframe::engine::clock;
use freezeframe::engine::store::{FrameBytes, Store as _};
use freezeframe::evidence::{Log, os_entropy};
use serde_json::{Value, json};

/// Text as an attacker would have it in a prompt, an answer, or the name of anything.
pub(crate) const HOSTILE: &str = "<script>alert(1)</script>|`b` [x](javascript:alert(1))\n| a | b |\n\u{1b}[2J\u{202e}=1+1 </svg>\"' https://x.example";

/// Runs the program.
pub(crate) fn freezeframe(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_freezeframe")).args(arguments).output().unwrap()
}

/// What it prints where it succeeds.
pub(crate) fn printed(arguments: &[&str]) -> String {
    let output = freezeframe(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A log in `dir` with these frames.
pub(crate) fn commit(dir: &Path, frames: &[Value]) {
    let evidence = Evidence { origin: "example.com/test".into(), ..Evidence::default() };
    let log = Log::open(dir, &evidence, UnixNanos(1_795_313_940_000_000_000), os_entropy()).unwrap();
    for frame in frames {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let bytes = FrameBytes {
            id: text(&frame["id"]),
            captured_at: text(&frame["captured_at"]),
            feature: text(&frame["feature"]),
            fingerprint: "f00d".into(),
            body: frame.as_object().unwrap().clone(),
        };
        log.append(&bytes).unwrap();
    }
}

/// A frame in which everything that telemetry said is hostile, captured some days ago.
pub(crate) fn hostile(id: &str, days_ago: u64) -> Value {
    let at = clock::now().minus(Duration::from_secs(days_ago * 86_400)).to_string();
    let record = |trace: &str| {
        json!({
            "trace_id": trace, "feature": HOSTILE, "started_at": at, "operation": "chat", "user_query": HOSTILE,
            "response": HOSTILE.repeat(700), "model": HOSTILE, "prompt_version": HOSTILE, "index": HOSTILE, "latency_ms": 1200.0, "llm_calls": 1,
            "system_prompt": HOSTILE, "documents": [{ "id": HOSTILE, "score": 0.5, "content": HOSTILE }],
            "tools": [{ "name": HOSTILE, "outcome": "error", "duration_ms": 5.0 }], "evaluations": [], "error": null,
        })
    };
    json!({
        "schema": "freezeframe.frame/v1", "id": id, "feature": HOSTILE, "captured_at": at,
        "windows": { "incident": { "from": at, "to": at, "requests": 9 } },
        "alert": { "name": HOSTILE, "class": "QUALITY_DEGRADATION", "severity": "SEV-2", "signal": "quality", "value": 0.5, "patterns": [HOSTILE], "starts_at": at },
        "verdict": { "answer": "one", "evidence": HOSTILE, "variables": ["prompt_revision"], "value": HOSTILE },
        "variables": { "prompt_revision": { "state": "partial", "reason": HOSTILE, "incident": [{ "value": HOSTILE, "share": 1.0 }] } },
        "completeness_gaps": [{ "field": HOSTILE, "share": 0.0, "remedy": HOSTILE }],
        "samples": { "failing": [record("0af7651916cd43dd8448eb211c80319c")], "healthy": [] },
    })
}

/// What would reach a reader: a terminal's commands, markup of HTML, another direction.
pub(crate) fn assert_harmless(text: &str) {
    let is_command = |it: char| it.is_control() && it != '\n' || it == '\u{202e}';
    assert!(!text.contains(is_command), "{text}");
}

/// That Markdown is only text: no tag, no link, no address, and rows with the columns of their header.
pub(crate) fn assert_only_text(page: &str) {
    assert_harmless(page);
    let (mut is_code, mut columns) = (false, None);
    for line in page.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
        }
        if is_code {
            continue;
        }
        let mut before = ' ';
        let mut plain = String::new();
        for it in line.chars() {
            if before == '\\' {
                before = ' ';
                continue;
            }
            if it != '\\' {
                plain.push(it);
            }
            before = it;
        }
        // Between backticks nothing is markup.
        let outside: String = plain.split('`').step_by(2).collect();
        assert!(!outside.contains(['<', '>']) && !outside.contains("](") && !outside.contains("://"), "{line}");
        let bars = plain.matches('|').count();
        match (line.starts_with('|'), columns) {
            (false, _) => columns = None,
            (true, None) => columns = Some(bars),
            (true, Some(columns)) => assert_eq!(bars, columns, "{line}"),
        }
    }
}

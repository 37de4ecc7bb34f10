//! Regression cases as a user gets them: every format, of a frame in which all text is hostile.

use serde_json::Value;

use super::frames::{HOSTILE, assert_harmless, commit, freezeframe, hostile, printed};

const FORMATS: [(&str, &str); 8] = [
    ("promptfoo", "json"),
    ("openai-jsonl", "jsonl"),
    ("langfuse", "json"),
    ("langsmith", "json"),
    ("phoenix", "json"),
    ("deepeval", "json"),
    ("ragas", "jsonl"),
    ("otlp", "json"),
];

/// Proves that every format is written where it is asked for, reads as what it is, holds the recorded text whole, and has
/// nothing in it that a terminal obeys.
#[test]
fn cases_in_every_format() {
    let (store, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    commit(store.path(), &[hostile("0192-a", 10)]);
    let (dir, target) = (store.path().display().to_string(), out.path().display().to_string());
    for (format, extension) in FORMATS {
        let export =
            |output: &str| printed(&["incident", "export", "0192-a", "--dir", &dir, "--format", format, "-o", output]);
        let path = out.path().join(format!("freezeframe-0192-a.{format}.{extension}"));
        assert_eq!(export(&target).trim_end(), path.display().to_string());
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(export("-"), text, "{format}");
        assert_harmless(&text);
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|error| panic!("{format}: {error}"));
        let documents: Vec<Value> =
            if extension == "jsonl" { text.lines().map(read).collect() } else { vec![read(&text)] };
        assert_eq!(documents.len(), 1, "{format}");
        // promptfoo spells out what would open a template.
        assert!(format == "promptfoo" || holds(&documents[0], HOSTILE), "{format}: {text}");
    }
    let again = printed(&[
        "inspect",
        &out.path().join("freezeframe-0192-a.otlp.json").display().to_string(),
        "--format",
        "json",
    ]);
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!(
        (again[0]["feature"].as_str(), again[0]["trace_id"].as_str()),
        (Some(HOSTILE), Some("0af7651916cd43dd8448eb211c80319c"))
    );
}

/// Proves what is said where there is nothing to export, and where nothing can be.
#[test]
fn what_cannot_be_exported_is_told() {
    let store = tempfile::tempdir().unwrap();
    let (mut empty, mut broken) = (hostile("0192-empty", 1), hostile("0192-broken", 1));
    empty["samples"] = serde_json::json!({ "failing": [], "healthy": [] });
    broken["samples"]["failing"][0]["started_at"] = HOSTILE.into();
    commit(store.path(), &[empty, broken]);
    let dir = store.path().display().to_string();
    for (id, status, said) in [
        ("0192-empty", 0, "no sample to export"),
        ("0192-broken", 0, "left out: samples.failing[0]"),
        ("0192-nobody", 2, "no frame of such an incident"),
    ] {
        let output = freezeframe(&["incident", "export", id, "--dir", &dir, "-o", "-"]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{id}: {error}");
        assert!(error.contains(said) && output.stdout.is_empty(), "{id}: {error}");
        assert_harmless(&error);
    }
    assert_eq!(
        freezeframe(&["incident", "export", "0192-empty", "--dir", &dir, "--format", "csv"]).status.code(),
        Some(2)
    );
}

/// Whether a text stands in a string of a document.
fn holds(document: &Value, text: &str) -> bool {
    match document {
        Value::String(it) => it.contains(text) || serde_json::from_str::<Value>(it).is_ok_and(|it| holds(&it, text)),
        Value::Array(items) => items.iter().any(|it| holds(it, text)),
        Value::Object(fields) => fields.values().any(|it| holds(it, text)),
        _ => false,
    }
}

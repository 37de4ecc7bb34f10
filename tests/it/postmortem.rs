//! The postmortem as a user gets it: from a rehearsed incident's store, in every form, and read by its reviewer.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn freezeframe(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_freezeframe")).args(arguments).output().expect("the binary runs")
}

fn printed(arguments: &[&str]) -> String {
    let output = freezeframe(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// A rehearsed incident: what the drill printed.
fn rehearsed(dir: &Path) -> Value {
    let dir = dir.display().to_string();
    serde_json::from_str(&printed(&["drill", "--dir", &dir, "--format", "json"])).expect("one document")
}

/// Proves that every form of the page is there, and that of the page as it comes only questions are left.
#[test]
fn a_rehearsed_incident_has_a_page() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let drill = rehearsed(dir.path());
    let page = drill["postmortem"].as_str().expect("a path");
    let store = drill["store"].as_str().expect("a directory");
    let id = drill["frames"].as_array().and_then(|it| it.last()).and_then(Value::as_str).expect("an id");

    let checked = freezeframe(&["postmortem", "check", page, "--format", "json"]);
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    let found: Value = serde_json::from_slice(&checked.stdout).expect("one document");
    let found = found.as_array().expect("a list");
    assert!(found.len() > 5 && found.iter().all(|it| it["rule"] == "question_open"), "{found:?}");

    let whole = std::fs::read_to_string(page).expect("the page");
    let answered = dir.path().join("answered.md");
    std::fs::write(&answered, whole.replace("**Question:**", "Known:")).expect("the directory takes files");
    assert_eq!(freezeframe(&["postmortem", "check", &answered.display().to_string()]).status.code(), Some(0));

    let asked = |more: &[&str]| printed(&[&["incident", "postmortem", id, "--dir", store], more].concat());
    assert!(asked(&[]).matches("\n## ").count() == 9);
    let external = asked(&["--external"]);
    assert!(external.starts_with("# What happened on ") && !external.contains(id), "{external}");
    let data: Value = serde_json::from_str(&asked(&["--format", "json"])).expect("one document");
    assert!(data["facts"]["actions"].as_array().is_some_and(|it| it.len() >= 5), "{}", data["facts"]);
    assert!(data["timeline"].as_array().is_some_and(|it| it.len() >= 8), "{}", data["timeline"]);

    let own = dir.path().join("own.j2");
    std::fs::write(&own, asked(&["--print-template"])).expect("the directory takes files");
    assert_eq!(asked(&["--template", &own.display().to_string()]), asked(&[]));
    std::fs::write(&own, "{{ incident.nobody }}").expect("the directory takes files");
    let refused =
        freezeframe(&["incident", "postmortem", id, "--dir", store, "--template", &own.display().to_string()]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("template"), "{refused:?}");
}

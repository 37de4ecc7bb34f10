//! The postmortem as a user gets it: from a rehearsed incident's store, in every form, and read by its reviewer.

use std::path::Path;

use serde_json::Value;

use super::frames::{assert_only_text, commit, freezeframe, hostile, printed};

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

/// Proves that a check as metrics has the deadlines of the header and each rule's findings, each series once however often a
/// page is named, zeros when nothing is left, and is refused for a page of no incident.
#[test]
fn a_check_as_metrics() {
    let (store, pages) = (tempfile::tempdir().expect("a temporary directory"), tempfile::tempdir().expect("another"));
    commit(store.path(), &[hostile("0192-a", 10)]);
    let page = printed(&["incident", "postmortem", "0192-a", "--dir", &store.path().display().to_string()]);
    let path = pages.path().join("a.md");
    std::fs::write(&path, &page).expect("the directory takes files");
    let path = path.display().to_string();
    let check = |more: &[&str]| freezeframe(&[&["postmortem", "check", &path], more].concat());

    let output = check(&[&path, "--format", "prometheus"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let found: Value = serde_json::from_slice(&check(&["--format", "json"]).stdout).expect("one document");
    let questions = found.as_array().expect("a list").iter().filter(|it| it["rule"] == "question_open").count();
    assert!(found[0]["page"] == *path && questions > 5, "{found}");
    let line = format!("freezeframe_postmortem_findings{{incident=\"0192-a\",rule=\"question_open\"}} {questions}\n");
    assert_eq!(text.matches(&line).count(), 1, "{text}");
    assert_eq!(text.matches("freezeframe_postmortem_due_timestamp_seconds{").count(), 1, "{text}");
    assert_eq!(text.matches("freezeframe_postmortem_findings{").count(), 11, "{text}");
    assert_eq!(text.matches("# TYPE ").count(), 2, "{text}");
    let series: Vec<&str> = text.lines().filter(|it| !it.starts_with('#')).collect();
    assert!(series.iter().all(|it| it.starts_with("freezeframe_postmortem_") && !it.contains('\u{1b}')), "{text}");

    std::fs::write(&path, "# Notes\n").expect("the directory takes files");
    let refused = check(&["--format", "prometheus"]);
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0), "{refused:?}");
}

/// Proves that pages and frames as Markdown are only text, whatever telemetry said.
#[test]
fn pages_of_a_hostile_frame_are_only_text() {
    let store = tempfile::tempdir().expect("a temporary directory");
    commit(store.path(), &[hostile("0192-a", 10)]);
    let dir = store.path().display().to_string();
    for command in [
        &["postmortem", "0192-a"][..],
        &["postmortem", "0192-a", "--external"],
        &["show", "0192-a"],
        &["diff", "0192-a"],
        &["list"],
    ] {
        let page = printed(&[&["incident"], command, &["--dir", &dir, "--format", "markdown"]].concat());
        assert_only_text(&page);
        assert!(page.len() < 20_000, "{command:?}: {} bytes", page.len());
    }
}

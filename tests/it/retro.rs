//! The retrospective as a user gets it: in each format, of frames in which all text is hostile.

use serde_json::{Value, json};

use super::frames::{HOSTILE, assert_harmless, assert_only_text, commit, freezeframe, hostile, printed};

/// Proves that every format tells the same, and that what telemetry said is only text in it.
#[test]
fn a_retrospective_in_every_format() {
    let store = tempfile::tempdir().unwrap();
    commit(store.path(), &[hostile("0192-a", 10), hostile("0192-b", 3), hostile("0192-old", 200)]);
    let (dir, chart) = (store.path().display().to_string(), store.path().join("chart.svg"));
    let retro = |more: &[&str]| printed(&[&["retro", "--dir", &dir], more].concat());

    let found: Value = serde_json::from_str(&retro(&["--format", "json"])).unwrap();
    assert_eq!((&found["incidents"], &found["unread"]), (&json!(2), &json!(0)));
    assert_eq!(found["features"][0], json!({ "name": HOSTILE, "incidents": 2 }));
    assert_harmless(&retro(&["--format", "json"]));

    let page = retro(&["--format", "markdown", "--svg", &chart.display().to_string()]);
    assert!(page.starts_with("# Retrospective: ") && page.contains("\n2 incidents.\n"), "{page}");
    assert_only_text(&page);
    for section in page.split("\n## ").skip(1) {
        assert!(section.trim_end().lines().count() >= 3, "an empty section: {section}");
    }

    let chart = std::fs::read_to_string(chart).unwrap();
    assert_harmless(&chart);
    assert!(chart.contains("<title>QUALITY_DEGRADATION: 1</title>") && !chart.contains("script"), "{chart}");
    assert_eq!(chart.matches("</svg>").count(), 1);

    let table = retro(&[]);
    assert_harmless(&table);
    assert!(table.starts_with("2 incidents since "), "{table}");
}

/// Proves that what is due leaves the list when its page is done, and that overdue action items are named.
#[test]
fn what_is_due_and_overdue() {
    let (store, pages) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    commit(store.path(), &[hostile("0192-a", 10), hostile("0192-b", 1)]);
    let dir = store.path().display().to_string();
    let due = |more: &[&str]| {
        let output = freezeframe(&[&["retro", "--dir", &dir, "--format", "json"], more].concat());
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let rows = found["postmortems_due"].as_array().unwrap().clone();
        let rows: Vec<String> =
            rows.iter().map(|it| format!("{} {}", it["incident"], it["state"]).replace('"', "")).collect();
        (rows, found, String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(due(&[]).0, ["0192-a overdue", "0192-b due"]);
    assert!(printed(&["retro", "--dir", &dir, "--format", "markdown"]).contains("not known here (--postmortems)"));

    let page = printed(&["incident", "postmortem", "0192-a", "--dir", &dir]);
    let actions = pages.path().join("actions.yaml");
    std::fs::write(pages.path().join("a.md"), &page).unwrap();
    std::fs::write(pages.path().join("notes.md"), "# Notes\n").unwrap();
    std::fs::write(&actions, "- {incident: 0192-a, description: Rotate | it, due: 2020-01-01}\n").unwrap();
    let (pages_dir, actions) = (pages.path().display().to_string(), actions.display().to_string());
    let known = ["--postmortems", &pages_dir, "--actions", &actions];
    let (rows, found, said) = due(&known);
    assert_eq!(rows, ["0192-a overdue", "0192-b due"]);
    assert!(found["postmortems_due"][0]["findings"].as_u64().is_some_and(|it| it > 0), "{found}");
    assert_eq!(
        (&found["actions_read"], &found["actions_overdue"][0]["description"]),
        (&json!(1), &json!("Rotate | it"))
    );
    assert!(said.contains("notes.md: the header names no incident"), "{said}");

    let rows: String = (0..8).map(|n| format!("| 2026-11-22 02:18:0{n} | again |\n")).collect();
    let done = page
        .replace("**Question:**", "Known:")
        .replace("| Time (UTC) | Event |\n|---|---|\n", &format!("| Time (UTC) | Event |\n|---|---|\n{rows}"));
    std::fs::write(pages.path().join("a.md"), done).unwrap();
    assert_eq!(due(&known).0, ["0192-b due"]);

    std::fs::write(&actions, "- {owner: SRE}\n").unwrap();
    assert_eq!(freezeframe(&["retro", "--dir", &dir, "--actions", &actions]).status.code(), Some(2));
}

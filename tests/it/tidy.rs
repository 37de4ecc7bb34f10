//! The house rules as tests: layers, sizes and words. Reads the sources as text, so that style needs no review.

use std::path::{Path, PathBuf};

/// Lines of a source file without its tests; flat tables may be longer and say so in [`TABLES`].
const FILE_LINES_MAX: usize = 400;
/// Lines of a function.
const FUNCTION_LINES_MAX: usize = 70;
/// Files that are one long flat table: the length is not complexity.
const TABLES: [&str; 3] = ["src/config/fields.rs", "src/core/completeness/remedy.rs", "src/core/triage/playbook.rs"];

/// What each room may import of the others. `core` and `otlp` are values in, values out; edges never meet.
const LAYERS: [(&str, &[&str]); 15] = [
    ("src/core/", &["core", "otlp"]),
    ("src/otlp/", &["otlp"]),
    ("src/config/", &["config", "core"]),
    ("src/engine/", &["engine", "core", "otlp", "config", "metrics"]),
    ("src/receiver/", &["receiver", "engine", "core", "otlp", "config", "metrics"]),
    ("src/exporter/", &["exporter", "engine", "core", "otlp", "config", "metrics"]),
    ("src/api/", &["api", "engine", "core", "otlp", "config", "metrics", "toolkit"]),
    ("src/notify/", &["notify", "engine", "core", "config", "metrics"]),
    ("src/witness/", &["witness", "engine", "core", "config", "metrics"]),
    ("src/evidence/", &["evidence", "engine", "core", "config", "metrics"]),
    ("src/chat.rs", &["chat", "engine", "core", "toolkit"]),
    ("src/judge/", &["judge", "chat", "kept", "engine", "core", "otlp", "config", "metrics", "toolkit"]),
    ("src/toolkit/", &["toolkit", "engine", "core", "otlp", "config"]),
    ("src/kept/", &["engine", "core", "metrics"]),
    ("src/metrics.rs", &["metrics"]),
];

/// What `core` must not reach for.
const CORE_BANS: [&str; 9] =
    ["tokio", "std::fs", "Socket", "std::env", "std::thread", "::now()", "rand::", "tracing::", "#[derive(Serialize"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &str) -> Vec<(String, String)> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).expect("a readable source tree") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|it| it == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    found.retain(|path| !is_test(path));
    found.sort();
    let relative = |path: &Path| path.strip_prefix(root()).expect("below the root").display().to_string();
    found.iter().map(|path| (relative(path), std::fs::read_to_string(path).expect("UTF-8"))).collect()
}

/// Whether a file holds nothing but tests.
fn is_test(path: &Path) -> bool {
    let parts = path.strip_prefix(root()).expect("below the root").components();
    parts.into_iter().any(|part| {
        ["tests", "tests.rs"].contains(&&*part.as_os_str().to_string_lossy())
            || part.as_os_str().to_string_lossy().ends_with("_tests.rs")
    }) && path.starts_with(root().join("src"))
}

/// The code of a file before its tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

/// Proves the layering: every `crate::` path of a room leads to a room it may know.
#[test]
fn rooms_import_only_what_lies_below_them() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let Some((_, allowed)) = LAYERS.iter().find(|(room, _)| path.starts_with(room)) else { continue };
        for (n, line) in code(&text).lines().enumerate() {
            for target in line.split("crate::").skip(1) {
                let room = target.split(|it: char| !it.is_alphanumeric() && it != '_').next().unwrap_or_default();
                if !line.trim_start().starts_with("//") && !allowed.contains(&room) {
                    wrong.push(format!("{path}:{}: imports {room}", n + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Proves that `core` reaches for nothing: no runtime, file, socket, environment, thread, clock, random source or log.
#[test]
fn core_reaches_for_nothing() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src/core") {
        for (n, line) in code(&text).lines().enumerate() {
            let is_comment = line.trim_start().starts_with("//");
            if let Some(ban) = CORE_BANS.iter().find(|ban| !is_comment && line.contains(**ban)) {
                wrong.push(format!("{path}:{}: {ban}", n + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Proves the single places: who reads the environment and who makes things durable.
#[test]
fn single_places_stay_single() {
    for (what, place) in [("std::env::var", "src/config/env.rs"), (".sync_data()", "src/evidence/durable.rs")] {
        let found: Vec<String> =
            sources("src").into_iter().filter(|(_, text)| code(text).contains(what)).map(|(path, _)| path).collect();
        assert!(found.iter().all(|path| path == place), "{what} belongs in {place}, found in {found:?}");
    }
}

/// Proves that every file fits the eye and every function fits a screen.
#[test]
fn files_and_functions_stay_small() {
    let mut long = Vec::new();
    for (path, text) in sources("src") {
        let lines = code(&text).lines().count();
        if lines > FILE_LINES_MAX && !TABLES.contains(&path.as_str()) {
            long.push(format!("{path}: {lines} lines"));
        }
        for (name, lines) in functions(code(&text)) {
            if lines > FUNCTION_LINES_MAX {
                long.push(format!("{path}: fn {name} has {lines} lines"));
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// Functions and their lengths, by rustfmt's indentation.
fn functions(code: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let lines: Vec<&str> = code.lines().collect();
    for (start, line) in lines.iter().enumerate() {
        let Some((before, after)) = line.split_once("fn ") else { continue };
        let indent = line.len() - line.trim_start().len();
        if before.trim_start().starts_with("//")
            || !before.trim().chars().all(|it| it.is_alphabetic() || " ()".contains(it))
        {
            continue;
        }
        let end = lines[start..].iter().position(|it| it.trim_end() == format!("{}}}", " ".repeat(indent)));
        let name = after.split(['(', '<']).next().unwrap_or_default();
        found.extend(end.map(|length| (name.to_owned(), length + 1)));
    }
    found
}

/// Proves that the words stay the ecosystem's: no rooms without a noun, no leftovers.
#[test]
fn no_leftovers_and_no_rooms_without_a_noun() {
    for (path, text) in sources("src") {
        let name = Path::new(&path).file_stem().expect("a file name").to_string_lossy().into_owned();
        assert!(!["util", "utils", "helpers", "common", "misc", "manager"].contains(&name.as_str()), "{path}");
        for leftover in ["todo!(", "unimplemented!(", "FIXME", "XXX", "dbg!("] {
            assert!(!text.contains(leftover), "{path}: {leftover}");
        }
        assert!(text.starts_with("//!"), "{path}: the first line says what the file is about");
    }
}

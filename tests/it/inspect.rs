//! `inspect` and `diagnose` as a user runs them: every input form, every output format, and telemetry that was written
//! to do harm.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// Terminal, HTML, Markdown, spreadsheet, direction and invisible ones.
const HOSTILE: &str = "=HYPERLINK(\"http://evil.example\")\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m<script>alert(1)</script>\
    ![x](javascript:x)|col`\\|\u{202e}txt.exe\u{e0041}\r\n# heading\u{2028}\u{7f}.";

fn captures() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/captures"))
}

pub(crate) fn freezeframe(arguments: &[&str], stdin: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_freezeframe"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut pipe, bytes) = (child.stdin.take().unwrap(), stdin.to_vec());
    let writer = std::thread::spawn(move || drop(pipe.write_all(&bytes)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

/// Standard output of a command that must succeed.
pub(crate) fn stdout(arguments: &[&str], stdin: &[u8]) -> String {
    let output = freezeframe(arguments, stdin);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    assert_harmless(&stderr);
    String::from_utf8(output.stdout).unwrap()
}

/// Nothing a terminal obeys, nothing that turns the text around, nothing unseen.
fn assert_harmless(text: &str) {
    for it in text.chars().filter(|it| *it != '\n') {
        let is_bidi = matches!(it, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{e0041}');
        assert!(!it.is_control() && !is_bidi, "{it:?}");
    }
}

fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// A request whose every text is hostile: a model call with 5 MB of prompt in JSON that is cut off, and a failed tool.
fn hostile_request() -> String {
    let trace = "11111111111111111111111111111111";
    let long = format!("[{{\"role\":\"user\",\"content\":\"{HOSTILE}{}", "x".repeat(5_000_000));
    let call = json!({
        "traceId": trace, "spanId": "2222222222222222", "name": HOSTILE, "kind": 3,
        "startTimeUnixNano": "1795313940000000000", "endTimeUnixNano": "1795313941000000000",
        "status": { "code": 2, "message": HOSTILE },
        "attributes": [
            attribute("gen_ai.operation.name", "chat"),
            attribute("gen_ai.request.model", HOSTILE),
            attribute("gen_ai.response.model", HOSTILE),
            attribute("gen_ai.input.messages", &long),
            attribute("gen_ai.conversation.id", HOSTILE),
            attribute("app.feature", HOSTILE),
            attribute("error.type", HOSTILE),
        ],
    });
    let tool = json!({
        "traceId": trace, "spanId": "3333333333333333", "parentSpanId": "2222222222222222", "name": "execute_tool",
        "startTimeUnixNano": "1795313940100000000", "endTimeUnixNano": "1795313940200000000",
        "status": { "code": 2, "message": HOSTILE },
        "attributes": [
            attribute("gen_ai.operation.name", "execute_tool"),
            attribute("gen_ai.tool.name", HOSTILE),
            attribute("gen_ai.tool.call.arguments", "{\"a\": \"cut of"),
        ],
    });
    json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [call, tool] }] }] }).to_string()
}

/// What is left of Markdown without its escaped characters.
fn without_escaped(markdown: &str) -> String {
    let mut chars = markdown.chars();
    std::iter::from_fn(|| {
        loop {
            match chars.next()? {
                '\\' => drop(chars.next()),
                it => return Some(it),
            }
        }
    })
    .collect()
}

/// Proves that hostile telemetry is shown and not obeyed in every format of both commands, that nothing of it is lost in
/// JSON, and that a value of 5 MB and JSON that is cut off cost neither the span nor the screen.
#[test]
fn hostile_telemetry_is_harmless() {
    let input = hostile_request();
    for command in ["inspect", "diagnose"] {
        let table = stdout(&[command, "-"], input.as_bytes());
        assert_harmless(&table);
        assert!(table.len() < 20_000 && table.contains("'=HYPERLINK"), "{table}");
        let markdown = stdout(&[command, "-", "--format", "markdown"], input.as_bytes());
        assert_harmless(&markdown);
        let active = without_escaped(&markdown);
        assert!(active.len() < 40_000 && !active.contains('<') && !active.contains(['[', ']', '`']), "{active}");
        let tables: Vec<&str> = markdown.split("\n\n").filter(|block| block.starts_with('|')).collect();
        assert_eq!(tables.len(), if command == "inspect" { 1 } else { 5 }, "{markdown}");
        for table in tables {
            let widths: BTreeSet<usize> = table.lines().map(|row| without_escaped(row).matches('|').count()).collect();
            assert_eq!(widths.len(), 1, "{table}");
        }
        let text = stdout(&[command, "-", "--format", "json"], input.as_bytes());
        assert_harmless(&text);
        let document: Value = serde_json::from_str(&text).unwrap();
        let record = if command == "inspect" { &document[0] } else { &document };
        assert_eq!(record["spans"], 2, "{record:#}");
        assert_eq!(record["feature"], HOSTILE, "{record:#}");
        assert_eq!(record["tools"][0]["outcome"], "error");
        assert_eq!(record["error"]["type"], HOSTILE);
    }
    let table = stdout(&["inspect", "-"], input.as_bytes());
    // Below it stands how complete the telemetry is.
    assert_eq!(table.lines().take_while(|line| !line.is_empty()).count(), 2, "{table}");
}

/// Proves that an input's form makes no difference: files in a directory, and one file of lines, compressed, through a
/// pipe. Notes of what can't be read go to standard error, with a status of success when there was anything to read.
#[test]
fn input_forms_make_no_difference() {
    let dir = captures().join("openinference");
    let expected: Value =
        serde_json::from_str(&stdout(&["inspect", dir.to_str().unwrap(), "--format", "json"], b"")).unwrap();
    assert!(expected.as_array().unwrap().len() > 5, "{expected:#}");

    let mut frames = Vec::new();
    let mut files: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files.iter().rev().filter(|it| it.extension().is_some_and(|it| it == "pb")) {
        let message = std::fs::read(file).unwrap();
        frames.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        frames.extend(message);
    }
    let archive = zstd::stream::encode_all(&*frames, 1).unwrap();
    let piped = stdout(&["inspect", "-", "--format", "json"], &archive);
    assert_eq!(serde_json::from_str::<Value>(&piped).unwrap(), expected);

    // What inspect printed is a recording, too.
    let again: Value = serde_json::from_str(&stdout(&["inspect", "-", "--format", "json"], piped.as_bytes())).unwrap();
    let ids = |list: &Value| list.as_array().unwrap().iter().map(|it| it["trace_id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&again).len(), ids(&expected).len());

    frames.truncate(frames.len() - 5);
    let cut = freezeframe(&["inspect", "-"], &frames);
    assert!(cut.status.success());
    assert!(String::from_utf8_lossy(&cut.stderr).contains("documents lost: its end is cut off"));

    let refused = freezeframe(&["inspect", "-"], b"no recording");
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).starts_with("freezeframe: -: "));
    let empty = freezeframe(&["inspect", "-", "--format", "json"], b"");
    assert_eq!(String::from_utf8_lossy(&empty.stdout), "[]\n");
}

/// Proves which trace is laid out: the one in most trouble, or the one asked for by the start of its id.
#[test]
fn diagnose_lays_out_the_trace_in_most_trouble_or_the_one_asked_for() {
    let dir = captures().join("openinference");
    let dir = dir.to_str().unwrap();
    let all: Value = serde_json::from_str(&stdout(&["inspect", dir, "--format", "json"], b"")).unwrap();
    let worst: Value = serde_json::from_str(&stdout(&["diagnose", dir, "--format", "json"], b"")).unwrap();
    assert_eq!(worst["diagnosis"]["mode"], "provider_error");
    assert!(all.as_array().unwrap().contains(&worst));
    let healthy = all.as_array().unwrap().iter().find(|it| it["diagnosis"]["mode"] == "healthy").unwrap();
    let id = healthy["trace_id"].as_str().unwrap().to_ascii_uppercase();
    let found = stdout(&["diagnose", dir, "--trace", &id[..12], "--format", "json"], b"");
    assert_eq!(serde_json::from_str::<Value>(&found).unwrap(), *healthy);
    for (format, mark) in [("table", ""), ("markdown", "## ")] {
        let text = stdout(&["diagnose", dir, "--trace", &id, "--format", format], b"");
        for title in [
            "Identity",
            "Model calls",
            "Retrievals",
            "Documents",
            "Tools",
            "Evaluations",
            "Missing telemetry",
            "Diagnosis",
        ] {
            assert!(text.lines().any(|line| line == format!("{mark}{title}")), "{title}: {text}");
        }
    }
    let others = freezeframe(&["diagnose", dir], b"");
    assert!(String::from_utf8_lossy(&others.stderr).contains(" others (inspect lists them"));
    let none = freezeframe(&["diagnose", dir, "--trace", "ffff"], b"");
    assert_eq!((none.status.code(), none.stdout.len()), (Some(2), 0));
}

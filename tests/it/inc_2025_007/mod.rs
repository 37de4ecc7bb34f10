//! The worked incident of `docs/examples/inc-2025-007`: a tuned model that makes things up, from the recording to the
//! postmortem. Everything on those pages but `README.md` and `answers.yaml` is written by these commands.

mod recording;

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value as Json;

use crate::replay::server::{Server, says};

/// A run of the commands in a directory of its own.
struct Example {
    dir: tempfile::TempDir,
}

impl Example {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What a command prints; its exit status must be one of `statuses`.
    fn run(&self, arguments: &[&str], statuses: &[i32]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_freezeframe"))
            .args(arguments)
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        assert!(statuses.contains(&output.status.code().unwrap()), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

fn committed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples/inc-2025-007").join(name)
}

#[expect(clippy::disallowed_methods, reason = "UPDATE is a switch of the test, not of the program")]
fn is_updating() -> bool {
    std::env::var("UPDATE").is_ok()
}

/// Holds a page against what is committed; with `UPDATE` it is written instead.
fn holds(name: &str, text: &str) {
    if is_updating() {
        return std::fs::write(committed(name), text).unwrap();
    }
    let known = std::fs::read_to_string(committed(name)).unwrap();
    assert!(known == text, "{name} is not what the commands print; UPDATE=1 writes it anew:\n{text}");
}

/// The recording as it is committed: the file's bytes are those of some version of gzip, its content is what counts.
fn recorded() -> PathBuf {
    let lines = recording::lines().join("\n") + "\n";
    let path = committed("recording.jsonl.gz");
    if is_updating() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(lines.as_bytes()).unwrap();
        std::fs::write(&path, encoder.finish().unwrap()).unwrap();
    }
    let mut known = String::new();
    MultiGzDecoder::new(std::fs::File::open(&path).unwrap()).read_to_string(&mut known).unwrap();
    assert!(known == lines, "the recording is not what is generated; UPDATE=1 writes it anew");
    path
}

/// A page without what no two runs have in common: the log's own name, and how long the scripted model took.
fn settled(page: &str, origin: &str) -> String {
    let page = page.replace(origin, "freezeframe.dev/local/INC-2025-007");
    let lines = page.lines().map(|line| match line.starts_with("| latency ms ") && line.matches('|').count() == 4 {
        true => line.rsplit_once(" | ").map_or(line.to_owned(), |(kept, _)| format!("{kept} | as measured |")),
        false => line.to_owned(),
    });
    lines.map(|line| line + "\n").collect()
}

/// Proves that every page of the example is what the program prints of the recording, that the frame's figures follow from
/// the frame, and that the finished postmortem passes its own check.
#[test]
fn every_page_is_printed_from_the_recording() {
    let example = Example { dir: tempfile::tempdir().unwrap() };
    let recording = recorded();
    let recording = recording.to_str().unwrap();
    std::fs::copy(committed("answers.yaml"), example.path("answers.yaml")).unwrap();

    let backtest = example.run(&["backtest", recording, "--store", "store", "--format", "markdown"], &[0]);
    let listed: Json =
        serde_json::from_str(&example.run(&["incident", "list", "--dir", "store", "--format", "json"], &[0])).unwrap();
    let is_it = |it: &&Json| it["feature"] == "/support" && it["alert"] == "LLMQualityDegradation";
    let first = listed.as_array().unwrap().iter().find(is_it).unwrap();
    let id = first["id"].as_str().unwrap();
    let newest = first["refined"].as_str().unwrap_or(id);
    let damaged = example.path("damaged");
    std::fs::create_dir(&damaged).unwrap();
    std::fs::write(damaged.join("id.json"), "no log").unwrap();
    example.run(&["backtest", recording, "--store", "store"], &[2]);
    example.run(&["backtest", recording, "--store", "damaged"], &[2]);
    assert_eq!(std::fs::read(damaged.join("id.json")).unwrap(), b"no log", "what is there is left alone");
    let of = |arguments: &[&str]| example.run(&[&["incident"], arguments, &["--dir", "store"]].concat(), &[0]);
    let frame: Json = serde_json::from_str(&of(&["show", newest])).unwrap();
    let origin = frame["origin"].as_str().unwrap();
    let holds = |name: &str, text: &str| holds(name, &settled(text, origin));

    holds("backtest.md", &backtest);
    holds("frame.json", &of(&["show", newest]));
    holds("triage.md", &example.run(&["triage", "--incident", newest, "--dir", "store", "--format", "markdown"], &[0]));
    for id in [id, newest] {
        let figures: Json = serde_json::from_str(&of(&["show", id, "--recompute", "--format", "json"])).unwrap();
        assert!(figures.as_array().unwrap().iter().all(|it| it["agrees"] == true));
    }

    let sample = &frame["samples"]["failing"][0];
    let (trace, question) = (sample["trace_id"].as_str().unwrap(), sample["user_query"].as_str().unwrap());
    holds("diagnosis.md", &example.run(&["diagnose", recording, "--trace", trace, "--format", "markdown"], &[0, 1]));
    let server = Server::start(vec![says(recording::grounded(question))]);
    let former = ["--model", "gpt-4o-mini-2024-07-18", "--expect", "overlap", "--endpoint", &server.url];
    let replay = [&["replay", recording, "--trace", trace, "--format", "markdown"], &former[..]].concat();
    holds("replay.md", &example.run(&replay, &[0]));

    let page = of(&["postmortem", id, "--answers", "answers.yaml"]);
    holds("postmortem.md", &page);
    holds("postmortem-external.md", &of(&["postmortem", id, "--external", "--answers", "answers.yaml"]));
    std::fs::write(example.path("page.md"), page).unwrap();
    example.run(&["postmortem", "check", "page.md"], &[0]);
}

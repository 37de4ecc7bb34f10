//! The evidence that is altered: a log of 32 frames with erasures, a rotation of keys and a cosignature; and another
//! log of the same origin under another key.

use std::path::{Path, PathBuf};

use freezeframe::config::Evidence;
use freezeframe::core::cosignature::Cosigner;
use freezeframe::core::note::{Checkpoint, Signer, split_note};
use freezeframe::core::time::UnixNanos;
use freezeframe::engine::store::{EraseOrder, FrameBytes, Store};
use freezeframe::engine::witness::Witnessed;
use freezeframe::evidence::{Entropy, Log};
use rand::rngs::StdRng;
use rand::{RngCore as _, SeedableRng as _};
use serde_json::{Map, json};
use tempfile::TempDir;

use super::archive::{self, Files};

pub(crate) const NOW: UnixNanos = UnixNanos(1_795_313_940_000_000_000);
pub(crate) const VARIABLES: [&str; 6] =
    ["prompt_revision", "model_route", "judge", "retrieval_index", "tool_schemas", "traffic_mix"];
const FRAMES: u32 = 32;
/// Frames with all of their parts. The others have one variable, so that every bit of the directory can be tried.
const WHOLE: [u32; 4] = [3, 11, 20, 28];

pub(crate) struct World {
    pub(crate) dir: TempDir,
    /// The log as it was before its last leaves.
    pub(crate) older: TempDir,
    /// The log of the same origin under another key.
    pub(crate) foreign: TempDir,
    /// The key that the log began with.
    pub(crate) vkey: String,
    /// Bundles of the log, at two of its sizes.
    pub(crate) bundles: Vec<Files>,
    pub(crate) foreign_bundles: Vec<Files>,
    /// The other log's key, under the same name.
    pub(crate) forger: Signer,
}

/// A directory in memory, when there is some.
pub(crate) fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a temporary directory")
}

fn entropy(seed: u64) -> Entropy {
    let mut random = StdRng::seed_from_u64(seed);
    Box::new(move |bytes| {
        random.fill_bytes(bytes);
        Ok(())
    })
}

/// A frame with all of its parts, each with a text that nothing else has.
pub(crate) fn frame(number: u32, canary: impl Fn(&str) -> String) -> FrameBytes {
    let id = format!("0193-{number}");
    let variable = |name: &str| {
        let share = json!([{"value": format!("{name}@{number}"), "requests": 41, "share": 0.82}]);
        json!({"state": "captured", "moved": true, "distance": 0.31, "incident": share,
               "detail": {"text": canary(name), "caf\u{e9}": "\u{c5}ngstr\u{f6}m"}})
    };
    let variables: Map<_, _> = VARIABLES.iter().map(|name| ((*name).to_owned(), variable(name))).collect();
    let body = json!({
        "id": id, "schema": "freezeframe.frame/v1", "feature": "checkout", "variables": variables,
        "samples": {"failing": [{"user_query": canary("samples")}], "healthy": []},
    });
    let body = body.as_object().cloned().unwrap_or_default();
    let captured_at = "2026-11-22T02:19:00.000Z".into();
    FrameBytes { id, captured_at, feature: "checkout".into(), fingerprint: "f00d".into(), body }
}

struct Opener {
    home: TempDir,
    dir: PathBuf,
}

impl Opener {
    fn open(&self, key: u8, previous: Option<u8>, seed: u64) -> Log {
        let file = |key: u8| {
            let path = self.home.path().join(format!("{key}.key"));
            std::fs::write(&path, [key; 32]).expect("room");
            path
        };
        let (key_file, previous_key_file) = (Some(file(key)), previous.map(file));
        let config =
            Evidence { origin: "example.com/tamper".into(), key_file, previous_key_file, ..Evidence::default() };
        Log::open(&self.dir, &config, NOW, entropy(seed)).expect("a log")
    }
}

fn append(log: &Log, numbers: std::ops::RangeInclusive<u32>, who: &str) {
    for number in numbers {
        let mut frame = frame(number, |part| format!("{who} says {part} of frame {number}"));
        if !WHOLE.contains(&number) {
            let only = frame.body["variables"]["prompt_revision"].take();
            frame.body["variables"] = json!({"prompt_revision": only});
            frame.body.remove("samples");
        }
        log.append(&frame).expect("a committed frame");
    }
}

fn erase(log: &Log, number: u32, parts: &[&str]) {
    let (frame_id, parts) = (format!("0193-{number}"), parts.iter().map(|part| (*part).to_owned()).collect());
    log.erase(&EraseOrder { frame_id, parts, reason: "ticket 12, caf\u{e9}".into(), at: NOW }).expect("an erased part");
}

fn cosign(log: &Log) {
    let witness = Cosigner::from_seed("w.example/1", &[5; 32]).expect("a name");
    let note = log.checkpoint();
    let line = witness.cosign(split_note(&note).expect("a note").0, 1_795_313_941);
    Witnessed::cosigned(log, &note, &line);
}

fn bundles(log: &Log, numbers: std::ops::RangeInclusive<u32>) -> impl Iterator<Item = Files> {
    numbers.map(|number| {
        let bundle = log.bundle(&format!("0193-{number}")).expect("a readable log").expect("a frame");
        archive::read(&bundle)
    })
}

impl World {
    pub(crate) fn new() -> Self {
        let (dir, foreign) = (directory(), directory());
        let opener = Opener { home: directory(), dir: dir.path().to_owned() };
        let log = opener.open(1, None, 7);
        let vkey = Store::vkey(&log);
        append(&log, 1..=14, "the log");
        erase(&log, 3, &["prompt_revision"]);
        let mut all: Vec<Files> = bundles(&log, 1..=14).collect();
        drop(log);
        drop(opener.open(2, Some(1), 8));
        let log = opener.open(2, None, 9);
        append(&log, 15..=30, "the log");
        erase(&log, 3, &["judge", "traffic_mix"]);
        drop(log);
        let older = directory();
        copy(dir.path(), older.path());
        let log = opener.open(2, None, 10);
        append(&log, 31..=FRAMES, "the log");
        erase(&log, 20, &["model_route"]);
        cosign(&log);
        all.extend(bundles(&log, 1..=FRAMES));
        drop(log);
        let others = Opener { home: directory(), dir: foreign.path().to_owned() };
        // The same random bytes make the same volume, so the same origin.
        let log = others.open(9, None, 7);
        append(&log, 1..=FRAMES, "another log");
        erase(&log, 3, &["prompt_revision"]);
        let foreign_bundles = bundles(&log, 1..=FRAMES).collect();
        drop(log);
        let origin = vkey.split('+').next().unwrap_or_default();
        let forger = Signer::from_seed(origin, &[9; 32]).expect("the name of a log");
        assert!(archive::text(&all[0], "checkpoint").starts_with(origin), "one origin");
        Self { dir, older, foreign, vkey, bundles: all, foreign_bundles, forger }
    }

    /// The newest bundle of the frame with the most to it: parts erased by two leaves, keys handed over, cosigned.
    pub(crate) fn richest(&self) -> &Files {
        &self.bundles[16]
    }
}

/// The checkpoint a note says it is, unverified.
pub(crate) fn checkpoint(note: &str) -> Option<Checkpoint> {
    Checkpoint::parse(&format!("{}\n", note.split_once("\n\n")?.0)).ok()
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("room");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("room");
        }
    }
}

/// Paths of all files below a directory.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let (mut open, mut found) = (vec![dir.to_owned()], Vec::new());
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

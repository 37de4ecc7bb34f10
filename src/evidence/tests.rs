//! What the log as a whole promises, tested through its own doors: nothing altered is accepted, nothing acknowledged
//! is lost, whatever fails and whenever.

mod bundles;
mod copies;
mod device;
mod directories;
pub(super) mod faults;
mod lifecycle;
mod power;
mod tamper;
mod torn;
mod verifying;

use std::path::Path;

use serde_json::{Map, json};
use tempfile::TempDir;

use super::durable::Disk;
use super::log::Options;
use super::verify::verify_bundle;
use super::wal::{BLOCK, Kind, Record};
use super::*;
use crate::config::Evidence;
use crate::core::note::{Checkpoint, VerifierKey};
use crate::core::time::UnixNanos;
use crate::engine::store::{FrameBytes, Receipt, Store, StoreError};

/// Small segments: the genesis leaf and two frames of three blocks each.
const SEGMENT: u64 = 10 * BLOCK as u64;
const NOW: UnixNanos = UnixNanos(1_795_313_940_000_000_000);

fn directory() -> TempDir {
    // Memory if there is some: these tests sync a lot, and what the disk does is simulated.
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn config() -> Evidence {
    Evidence { origin: "example.com/test".into(), ..Evidence::default() }
}

/// Deterministic "random" bytes that differ from call to call and from log to log.
fn entropy(log: u8) -> Entropy {
    let mut calls = 0_u16;
    Box::new(move |bytes| {
        calls += 1;
        let [high, low] = calls.to_be_bytes();
        let hash = Sha256::digest([log, high, low]);
        bytes.copy_from_slice(&hash[..bytes.len()]);
        Ok(())
    })
}

fn options(disk: Disk, segment_bytes: u64) -> Options {
    Options { disk, segment_bytes, reserve_frames: 1 }
}

fn open_on(dir: &Path, disk: Disk, segment_bytes: u64) -> Result<Log, OpenError> {
    Log::open_with(dir, &config(), NOW, entropy(1), &options(disk, segment_bytes))
}

fn open(dir: &Path) -> Result<Log, OpenError> {
    open_on(dir, Disk::default(), SEGMENT)
}

fn frame(number: u32) -> FrameBytes {
    let id = format!("0193-{number}");
    let mut body = Map::new();
    body.insert("id".into(), json!(id));
    body.insert("schema".into(), json!("freezeframe.frame/v1"));
    body.insert("text".into(), json!(format!("frame number {number}, \u{e9}\u{2014}")));
    let captured_at = "2026-11-22T02:19:00.000Z".into();
    FrameBytes { id, captured_at, feature: "checkout".into(), fingerprint: "f00d".into(), body }
}

fn large(number: u32, bytes: usize) -> FrameBytes {
    let mut frame = frame(number);
    frame.body.insert("padding".into(), json!("x".repeat(bytes)));
    frame
}

/// A closed log with `frames` frames, its vkey and its receipts.
fn log_with(frames: u32) -> (TempDir, String, Vec<Receipt>) {
    let dir = directory();
    let log = open(dir.path()).unwrap();
    let receipts = (1..=frames).map(|number| log.append(&frame(number)).unwrap()).collect();
    (dir, log.vkey(), receipts)
}

/// The bytes of a frame as they lie in the log.
fn stored(dir: &Path, scan: &recovery::Scan, seq: u64) -> Vec<u8> {
    let bytes = wal::read(dir, scan.leaves.location(seq).unwrap()).unwrap();
    let found = wal::found(&bytes, seq).unwrap();
    recovery::frame_bytes(&found.manifest, &found.slots, |part| scan.leaves.erased(seq, part)).unwrap()
}

/// Asserts that the directory verifies, that every receipt's frame is there as promised, and that every signature
/// anywhere in it, quarantine included, is over the one tree there is.
fn assert_kept(dir: &Path, vkey: &str, receipts: &[Receipt]) {
    let remembered = receipts.first().map(|receipt| receipt.checkpoint.as_str());
    let found = verify(dir, vkey, remembered);
    assert_eq!((found.outcome, found.level), (Outcome::Verified, Some(Level::L2)), "{found}");
    let key = VerifierKey::parse(vkey).unwrap();
    let scan = recovery::scan(dir, key.name(), u64::MAX).unwrap();
    let line = |size| Checkpoint { origin: key.name().into(), size, root: scan.tree.root_at(size).unwrap() }.line();
    for receipt in receipts {
        assert_eq!(line(receipt.seq + 1), receipt.checkpoint);
        assert_eq!(sha256_hex(&stored(dir, &scan, receipt.seq)), receipt.frame_sha256);
    }
    let paths = files_below(dir, "wal").unwrap().into_iter().chain(files_below(dir, "quarantine").unwrap());
    for path in paths {
        let mut bytes = std::fs::read(dir.join(&path)).unwrap();
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        let records = (0..bytes.len()).step_by(BLOCK).filter_map(|at| Record::decode(&bytes[at..]));
        for (record, _) in records.filter(|(record, _)| record.kind == Kind::Commit) {
            // What an unfinished first start left is of another log.
            let note = std::str::from_utf8(record.payload).unwrap();
            if let Ok(signed) = scan.chain.open_checkpoint(note) {
                assert_eq!(line(signed.size), signed.line(), "fork in {path}");
            }
        }
    }
}

/// Proves the road end to end: receipts, reading back, bundles, tiles, and going on after a restart, through several
/// segments.
#[test]
fn appends_survive_restarts_and_verify() {
    let (dir, vkey, mut receipts) = log_with(5);
    let log = open(dir.path()).unwrap();
    assert_eq!((log.size(), log.vkey()), (5, vkey.clone()));
    // Longer than a segment usually is.
    receipts.push(log.append(&large(6, 2 * usize::try_from(SEGMENT).unwrap())).unwrap());
    assert_eq!(receipts.iter().map(|receipt| receipt.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert!(receipts[5].checkpoint.starts_with(vkey.split('+').next().unwrap()));
    assert_kept(dir.path(), &vkey, &receipts);
    let newest = |max| log.newest(max).unwrap().into_iter().map(|(receipt, _)| receipt).collect::<Vec<_>>();
    assert_eq!((newest(100), newest(2)), (receipts.clone(), receipts[4..].to_vec()));
    for (receipt, bytes) in log.newest(100).unwrap() {
        assert_eq!(sha256_hex(&bytes), receipt.frame_sha256);
    }
    for receipt in &receipts {
        let frame = log.frame(&receipt.frame_id).unwrap().unwrap();
        assert_eq!(sha256_hex(&frame), receipt.frame_sha256);
        let bundle = dir.path().with_extension("tar");
        std::fs::write(&bundle, log.bundle(&receipt.frame_id).unwrap().unwrap()).unwrap();
        let found = verify(&bundle, &vkey, Some(&receipt.checkpoint));
        assert_eq!((found.outcome, found.level), (Outcome::Verified, Some(Level::L2)), "{found}");
        std::fs::remove_file(&bundle).unwrap();
    }
    for path in files_below(dir.path(), "tile").unwrap().into_iter().chain(["checkpoint".to_owned()]) {
        let served = log.log_file(&path).unwrap().unwrap();
        assert_eq!(served, std::fs::read(dir.path().join(&path)).unwrap(), "{path}");
    }
    assert!(log.log_file("tile/0/000.p/3").unwrap().is_some(), "tiles of smaller sizes are served");
    for path in ["tile/0/000", "tile/0/000.p/8", "keys/log.key", "tile/../keys/log.key", "", "tile/1/000.p/1"] {
        assert_eq!(log.log_file(path).unwrap(), None, "{path}");
    }
    assert_eq!(log.frame("unknown").unwrap(), None);
    assert_eq!(log.bundle("unknown").unwrap(), None);
}

/// Proves that a retry is answered with the same receipt and commits nothing, and that an id is never reused.
#[test]
fn retried_appends_are_idempotent() {
    let (dir, _, receipts) = log_with(3);
    let log = open(dir.path()).unwrap();
    for (number, receipt) in (1..).zip(&receipts) {
        assert_eq!(&log.append(&frame(number)).unwrap(), receipt);
    }
    let mut other = frame(2);
    other.body.insert("text".into(), json!("other"));
    assert!(matches!(log.append(&other), Err(StoreError::Refused(_))));
    assert_eq!(log.size(), 3);
}

/// Proves that what has no canonical form, contradicts itself or is too large is refused, and the log goes on.
#[test]
fn frames_that_cannot_be_evidence_are_refused() {
    let (dir, vkey, mut receipts) = log_with(1);
    let log = open(dir.path()).unwrap();
    let with = |field: &str, value| {
        let mut frame = frame(9);
        frame.body.insert(field.to_owned(), value);
        frame
    };
    let deep = (0..200).fold(json!(1), |value, _| json!([value]));
    let mut unnamed = frame(9);
    unnamed.id = String::new();
    let refused = [
        with("n", json!(9_007_199_254_740_993_u64)),
        with("deep", deep),
        with("id", json!("another")),
        with("feature", json!("another")),
        FrameBytes { fingerprint: "f".repeat(20_000), ..frame(9) },
        unnamed,
    ];
    for frame in refused {
        assert!(matches!(log.append(&frame), Err(StoreError::Refused(_))), "{:?}", frame.id);
    }
    receipts.push(log.append(&frame(2)).unwrap());
    assert_kept(dir.path(), &vkey, &receipts);
}

/// Proves that a directory is one log's: a second opener is turned away, another key is refused.
#[test]
fn one_writer_and_one_key() {
    let (dir, _, _) = log_with(1);
    let log = open(dir.path()).unwrap();
    assert!(matches!(open(dir.path()), Err(OpenError::Locked(_))));
    drop(log);
    let key_file = dir.path().join("other.key");
    std::fs::write(&key_file, [9; 32]).unwrap();
    let other = Evidence { key_file: Some(key_file.clone()), ..config() };
    assert!(matches!(Log::open(dir.path(), &other, NOW, entropy(1)), Err(OpenError::Key(_))));
    std::fs::write(&key_file, [9; 31]).unwrap();
    assert!(matches!(Log::open(dir.path(), &other, NOW, entropy(1)), Err(OpenError::Key(_))));
    let spaced = Evidence { origin: "a b".into(), ..config() };
    assert!(matches!(Log::open(directory().path(), &spaced, NOW, entropy(1)), Err(OpenError::Origin(_))));
    assert!(open(dir.path()).is_ok());
}

/// Proves that the key is private and that nobody prints it.
#[test]
fn the_seed_stays_in_its_file() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, _, _) = log_with(1);
    let mode = |path: &str| std::fs::metadata(dir.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("keys"), mode("keys/log.key")), (0o700, 0o600));
    let seed = std::fs::read(dir.path().join("keys/log.key")).unwrap();
    assert!(!format!("{:?}", open(dir.path()).unwrap()).contains(&format!("{}, {}", seed[0], seed[1])));
    assert_eq!(seed.len(), 32);
}

/// Proves that derived files come back as they were, whatever happened to them.
#[test]
fn derived_files_are_rebuilt() {
    let (dir, vkey, receipts) = log_with(4);
    std::fs::remove_dir_all(dir.path().join("tile")).unwrap();
    std::fs::create_dir_all(dir.path().join("tile/0")).unwrap();
    std::fs::write(dir.path().join("tile/0/000.p/5"), "").unwrap_or_default();
    std::fs::write(dir.path().join("checkpoint"), "").unwrap();
    std::fs::write(dir.path().join("checkpoint.tmp"), "").unwrap();
    assert_eq!(verify(dir.path(), &vkey, None).outcome, Outcome::Altered);
    drop(open(dir.path()).unwrap());
    assert_kept(dir.path(), &vkey, &receipts);
}

/// Proves that a verifier key inside the evidence is not taken.
#[test]
fn vkeys_from_inside_the_evidence_are_refused() {
    let (dir, vkey, _) = log_with(1);
    let inside = dir.path().join("vkey");
    std::fs::write(&inside, &vkey).unwrap();
    assert!(read_vkey(&inside, dir.path()).unwrap_err().contains("inside the evidence"));
    let outside = directory();
    let file = outside.path().join("vkey");
    std::fs::write(&file, format!("{vkey}\n")).unwrap();
    let read = read_vkey(&file, dir.path()).unwrap();
    assert_eq!(verify(dir.path(), &read, None).outcome, Outcome::Verified);
}

/// Proves that a segment is read whole but for its zeroes, wherever what was written ends: a block may hold nothing but
/// the zeroes of a hash.
#[test]
fn a_segment_is_read_without_its_tail_of_zeroes() {
    let dir = directory();
    let path = dir.path().join("segment");
    let (length, mut bytes) = (300 * 1024, Vec::new());
    for used in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 64 * 1024, 64 * 1024 + 1, 200 * 1024, length - 1, length] {
        let mut written = vec![0; length];
        written[used / 2..used].fill(7);
        std::fs::write(&path, &written).unwrap();
        let whole = wal::read_segment(&path, &mut bytes).unwrap();
        assert_eq!(whole, length as u64);
        assert_eq!(bytes, written[..bytes.len()], "{used}");
        assert!(written[bytes.len()..].iter().all(|byte| *byte == 0));
        assert!(bytes.len() >= (used.next_multiple_of(BLOCK) + BLOCK).min(length) || used == 0, "{used}");
        assert!(bytes.len() <= used.next_multiple_of(BLOCK) + BLOCK, "{used}");
    }
}

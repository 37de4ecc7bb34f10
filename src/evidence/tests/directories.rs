//! What verifying a directory says of what is missing, of another history, and of an erasure that was not carried out.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use super::lifecycle::full;
use super::*;
use crate::core::note::Signer;
use crate::engine::store::EraseOrder;

/// Proves that a directory that is no log's is told from a log with a file missing.
#[test]
fn no_log_is_told_from_half_a_log() {
    let outcome = |gone: &[&str]| {
        let (dir, vkey, _) = log_with(1);
        for name in gone {
            let path = dir.path().join(name);
            if path.is_dir() { std::fs::remove_dir_all(path).unwrap() } else { std::fs::remove_file(path).unwrap() }
        }
        verify(dir.path(), &vkey, None).outcome
    };
    assert_eq!(outcome(&["id.json", "wal"]), Outcome::Incomplete);
    assert_eq!(outcome(&["id.json"]), Outcome::Altered);
    assert_eq!(outcome(&["wal"]), Outcome::Altered);
}

/// Proves that a head, or a cosigned checkpoint, of another history is found, though the log's own key signed it.
#[test]
fn another_history_in_a_memory_is_found() {
    let (dir, vkey, _) = log_with(2);
    let seed = std::fs::read(dir.path().join("keys/log.key")).unwrap().try_into().unwrap();
    let signer = Signer::from_seed(vkey.split('+').next().unwrap(), &seed).unwrap();
    let other = signer.sign_checkpoint(2, [7; 32]);
    let cosigned = |note: &str, size| {
        let mut record = Vec::new();
        Record { kind: Kind::Head, seq: size, segment: [0; 16], payload: note.as_bytes() }.encode(&mut record);
        std::fs::write(dir.path().join("cosigned"), record).unwrap();
        verify(dir.path(), &vkey, None).outcome
    };
    assert_eq!(cosigned(&other, 2), Outcome::Altered);
    let note = std::fs::read_to_string(dir.path().join("checkpoint")).unwrap();
    assert_eq!(cosigned(&note, 3), Outcome::Verified);
    let head = OpenOptions::new().write(true).open(dir.path().join("head")).unwrap();
    let mut slot = Vec::new();
    Record { kind: Kind::Head, seq: 2, segment: [0; 16], payload: other.as_bytes() }.encode(&mut slot);
    head.write_all_at(&slot, 0).unwrap();
    assert_eq!(verify(dir.path(), &vkey, None).outcome, Outcome::Rollback);
}

/// Proves that a part that is erased on record and still there is named, and no other.
#[test]
fn an_erasure_that_was_not_carried_out_is_told() {
    let dir = directory();
    let log = open_on(dir.path(), Disk::default(), 64 * BLOCK as u64).unwrap();
    log.append(&full(1)).unwrap();
    let vkey = Store::vkey(&log);
    let path = wal::segment_path(dir.path(), 1);
    let before = std::fs::read(&path).unwrap();
    let parts = vec!["judge".to_owned(), "model_route".to_owned()];
    log.erase(&EraseOrder { frame_id: frame(1).id, parts, reason: "request 12".into(), at: NOW }).unwrap();
    drop(log);
    assert_eq!(verify(dir.path(), &vkey, None).outcome, Outcome::Verified);
    let mut bytes = std::fs::read(&path).unwrap();
    let blank = |at: &usize| Record::decode(&bytes[*at..]).is_some_and(|(record, _)| record.kind == Kind::Blank);
    let at = (0..bytes.len()).step_by(BLOCK).find(blank).unwrap();
    bytes[at..at + BLOCK].copy_from_slice(&before[at..at + BLOCK]);
    std::fs::write(&path, bytes).unwrap();
    let found = verify(dir.path(), &vkey, None);
    assert_eq!((found.outcome, found.findings.len()), (Outcome::Incomplete, 1), "{found}");
    assert!(found.findings[0].starts_with("judge of leaf 1"), "{found}");
}

/// Proves that bytes behind the last leaf are told, though they take nothing from what is proven.
#[test]
fn a_torn_tail_is_told() {
    let (dir, vkey, _) = log_with(2);
    let segment = OpenOptions::new().write(true).open(wal::segment_path(dir.path(), 1)).unwrap();
    // The last block is free.
    segment.write_all_at(&[1], 9 * BLOCK as u64).unwrap();
    let found = verify(dir.path(), &vkey, None);
    assert_eq!((found.outcome, found.level), (Outcome::Incomplete, Some(Level::L1)), "{found}");
    assert!(found.findings[0].starts_with("wal segment 1 at byte"), "{found}");
}

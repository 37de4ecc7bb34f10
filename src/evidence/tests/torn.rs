//! What opening a log does with bytes behind its last leaf: finished where they are a whole leaf, set aside where they are not,
//! and never continued over where a signature may come back.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use super::faults::{Faults, How, dying};
use super::lifecycle::{full, wide};
use super::*;
use crate::core::manifest::Leaf;

/// Steps of an opening, and more.
const FAULTS: usize = 80;
/// The first free block of a log of one frame.
const FREE: u64 = 6 * BLOCK as u64;

/// A log of one frame with `tail` behind it in its first segment.
fn with_tail(tail: &[u8]) -> TempDir {
    let (dir, _, _) = log_with(1);
    let segment = OpenOptions::new().write(true).open(wal::segment_path(dir.path(), 1)).unwrap();
    segment.write_all_at(tail, FREE).unwrap();
    dir
}

/// A record of that log's first segment.
fn record(dir: &Path, kind: Kind, seq: u64, payload: &[u8]) -> Vec<u8> {
    let bytes = std::fs::read(wal::segment_path(dir, 1)).unwrap();
    let segment = Record::decode(&bytes).unwrap().0.segment;
    let mut record = Vec::new();
    Record { kind, seq, segment, payload }.encode(&mut record);
    record
}

fn quarantined(dir: &Path) -> Vec<Vec<u8>> {
    let paths = files_below(dir, "quarantine").unwrap_or_default();
    paths.iter().map(|path| std::fs::read(dir.join(path)).unwrap()).collect()
}

/// Proves that what is torn lies in quarantine byte for byte, and that the log goes on where it was.
#[test]
fn torn_bytes_are_set_aside_whole() {
    let tail = [[7; 700].as_slice(), &[0; 100], &[9; 5]].concat();
    let dir = with_tail(&tail);
    let log = open(dir.path()).unwrap();
    assert_eq!(quarantined(dir.path()), [tail]);
    log.append(&frame(2)).unwrap();
    assert_eq!(log.index().leaves.location(2).unwrap().segment, 1);
}

/// Proves that where torn bytes can't be set aside, the log goes on behind them in another segment, but does not open at all when
/// they hold a signature over the leaf that comes next: what was signed before and what would be signed now had one number.
#[test]
fn no_leaf_takes_the_number_of_one_that_was_signed() {
    let (dir, _, _) = log_with(1);
    let published = std::fs::read(dir.path().join("checkpoint")).unwrap();
    let (log, vkey) = (open(dir.path()).unwrap(), log_with(2).1);
    assert_eq!(log.vkey(), vkey, "logs of one seed are the same");
    drop(log);
    let of = |kind, seq| record(dir.path(), kind, seq, &published);
    for (tail, is_signed) in
        [(vec![1; 700], false), (of(Kind::Part, 2), false), (of(Kind::Commit, 2), true), (of(Kind::Commit, 3), true)]
    {
        let mut left = 0;
        for at in 0..FAULTS {
            let dir = with_tail(&tail);
            let disk = Disk { faults: Faults::new(at, How::Before, false) };
            let Ok(log) = open_on(dir.path(), disk, SEGMENT) else { continue };
            let bytes = std::fs::read(wal::segment_path(dir.path(), 1)).unwrap();
            if wal::is_zero(&bytes[usize::try_from(FREE).unwrap()..]) {
                continue;
            }
            assert!(!is_signed && at < FAULTS - 1, "step {at}");
            log.append(&frame(2)).unwrap();
            assert_eq!(log.index().leaves.location(2).unwrap().segment, 2, "step {at}");
            left += 1;
        }
        assert_eq!(left > 0, !is_signed, "{left} of the faults left the tail where it was");
    }
}

/// Proves that a leaf which a crash left whole is finished where it lies, and of what follows it every byte set aside and none
/// of its own.
#[test]
fn a_whole_leaf_is_finished_in_its_place() {
    let mut finished = 0;
    for at in 0.. {
        let (dir, vkey, receipts) = log_with(1);
        let Ok(log) = open_on(dir.path(), dying(at), SEGMENT) else { continue };
        let is_done = log.append(&frame(2)).is_ok();
        drop(log);
        let scan = recovery::scan(dir.path(), vkey.split('+').next().unwrap(), 2).unwrap();
        if let Some(leaf) = scan.unfinished {
            let end = leaf.location.offset + leaf.location.length as u64;
            let segment = OpenOptions::new().write(true).open(wal::segment_path(dir.path(), 1)).unwrap();
            segment.write_all_at(&[5; 40], end).unwrap();
            let log = open(dir.path()).unwrap();
            assert_eq!((log.size(), quarantined(dir.path())), (2, vec![vec![5; 40]]), "step {at}");
            drop(log);
            assert_kept(dir.path(), &vkey, &receipts);
            finished += 1;
        }
        if is_done {
            break;
        }
    }
    assert!(finished > 0, "a crash between a leaf and its acknowledgement");
}

/// Proves that a rotation that was cut short at any step is on record once.
#[test]
fn a_rotation_is_told_once() {
    for at in 0.. {
        let dir = directory();
        let log = wide(dir.path());
        log.append(&full(1)).unwrap();
        drop(log);
        keys::make_next(&Disk::default(), dir.path(), &mut entropy(7)).unwrap();
        let is_cut = open_on(dir.path(), dying(at), 64 * BLOCK as u64).is_err();
        let log = wide(dir.path());
        let told =
            (0..log.index().tree.size()).filter(|seq| matches!(log.leaf(*seq).unwrap(), Some(Leaf::KeyRotate { .. })));
        assert_eq!(told.count(), 1, "step {at}");
        if !is_cut {
            assert!(at > 5, "{at} steps");
            return;
        }
    }
}

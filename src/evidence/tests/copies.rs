//! The copy of the last leaf that a failed sync puts at the start of the next segment: torn, it changes nothing; whole, it must
//! be the leaf it repeats, signed as such.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use super::faults::How;
use super::*;

/// A log of two frames, the second of which lies in the first segment and again in the next one.
fn with_copy(second: u32) -> (TempDir, String, Vec<Receipt>) {
    let (dir, vkey, mut receipts) = log_with(1);
    let disk = Disk::default();
    let log = open_on(dir.path(), disk.clone(), SEGMENT).unwrap();
    disk.faults.plan_next(vec![(1, How::Before)]);
    receipts.push(log.append(&frame(second)).unwrap());
    drop(log);
    (dir, vkey, receipts)
}

fn second_segment(dir: &Path) -> Vec<u8> {
    std::fs::read(wal::segment_path(dir, 2)).unwrap()
}

/// The records of the copy, each with its offset.
fn copy(bytes: &[u8]) -> Vec<(usize, Record<'_>)> {
    let mut at = BLOCK;
    let next = || {
        let (record, length) = Record::decode(&bytes[at..])?;
        at += length;
        Some((at - length, record))
    };
    std::iter::from_fn(next).collect()
}

fn overwrite(dir: &Path, at: usize, bytes: &[u8]) {
    let segment = OpenOptions::new().write(true).open(wal::segment_path(dir, 2)).unwrap();
    segment.write_all_at(bytes, at as u64).unwrap();
}

/// Proves that a copy without its beginning or its end is a torn write: the leaf before it counts.
#[test]
fn a_torn_copy_changes_nothing() {
    let (dir, ..) = with_copy(2);
    let bytes = second_segment(dir.path());
    let records = copy(&bytes);
    let kinds: Vec<_> = records.iter().map(|(_, record)| (record.kind, record.seq)).collect();
    assert!(matches!(kinds[..], [(Kind::Leaf, 2), .., (Kind::Commit, 2)]), "{kinds:?}");
    for (at, _) in [records[0], records[records.len() - 1]] {
        let (dir, vkey, receipts) = with_copy(2);
        overwrite(dir.path(), at, &[0x55; 100]);
        assert_eq!(open(dir.path()).unwrap().size(), 2, "torn at {at}");
        assert_kept(dir.path(), &vkey, &receipts);
    }
}

/// Proves that no other leaf stands in for the one that is repeated, committed or not, nor the same under another signature.
#[test]
fn a_copy_is_the_same_leaf_signed() {
    let (other, ..) = with_copy(3);
    let bytes = second_segment(other.path());
    let others = copy(&bytes);
    let commit = others.last().unwrap().1.payload;
    for (name, records) in [("another", &others[..]), ("another without commit", &others[..others.len() - 1])] {
        let (dir, vkey, _) = with_copy(2);
        let own = second_segment(dir.path());
        let segment = copy(&own)[0].1.segment;
        let mut forged = Vec::new();
        records.iter().for_each(|(_, record)| Record { segment, ..*record }.encode(&mut forged));
        forged.resize(own.len() - BLOCK, 0);
        overwrite(dir.path(), BLOCK, &forged);
        refused(dir.path(), &vkey, name);
    }
    let (dir, vkey, _) = with_copy(2);
    let own = second_segment(dir.path());
    let (at, record) = *copy(&own).last().unwrap();
    let mut forged = Vec::new();
    Record { payload: commit, ..record }.encode(&mut forged);
    overwrite(dir.path(), at, &forged);
    refused(dir.path(), &vkey, "the commit of another");
}

fn refused(dir: &Path, vkey: &str, name: &str) {
    let found = recovery::scan(dir, vkey.split('+').next().unwrap(), 3);
    assert!(matches!(found, Err(recovery::ScanError::Damaged(_))), "{name}");
}

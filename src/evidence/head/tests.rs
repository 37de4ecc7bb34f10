use super::*;
use crate::core::note::Signer;
use crate::evidence::tests::faults::{Faults, How};

fn note(size: u64) -> String {
    Signer::from_seed("example.com/test", &[1; 32]).unwrap().sign_checkpoint(size, [7; 32])
}

fn sizes(dir: &Path) -> Vec<u64> {
    read(dir).unwrap().memories.iter().map(|it| it.checkpoint.size).collect()
}

/// Proves that slots are written in turn, so that the checkpoint before stays whole while one is written.
#[test]
fn slots_are_written_in_turn() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), Disk::default());
    let mut head = Head::create(&disk, dir.path(), &note(1), 1).unwrap();
    assert_eq!(sizes(dir.path()), [1, 1]);
    for (size, expected) in [(2, [2, 1]), (3, [2, 3]), (4, [4, 3])] {
        head.write(&disk, &note(size), size).unwrap();
        assert_eq!(sizes(dir.path()), expected);
    }
}

/// Proves that opening brings both slots to the checkpoint, whichever of them is behind or torn.
#[test]
fn opening_makes_both_slots_whole() {
    let disk = Disk::default();
    let slot = |size: u64| encode(&note(size), size);
    let torn = || vec![9; BLOCK];
    for (first, second) in
        [(slot(5), slot(5)), (slot(5), slot(4)), (slot(4), slot(5)), (slot(5), torn()), (torn(), slot(5))]
    {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(head_path(dir.path()), [first, second].concat()).unwrap();
        drop(Head::open(&disk, dir.path(), &note(5), 5).unwrap());
        assert_eq!(sizes(dir.path()), [5, 5]);
    }
}

/// Proves that while opening, the newest checkpoint is whole until another one is, also when the process dies in the middle of
/// a write.
#[test]
fn opening_spares_the_newest_slot() {
    let slot = |size: u64| encode(&note(size), size);
    for (first, second) in [(slot(5), slot(4)), (slot(4), slot(5)), (slot(5), vec![9; BLOCK])] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(head_path(dir.path()), [first, second].concat()).unwrap();
        let dying = Disk { faults: Faults::new(0, How::Torn, true) };
        assert!(Head::open(&dying, dir.path(), &note(6), 6).is_err());
        assert!(sizes(dir.path()).contains(&5), "{:?}", sizes(dir.path()));
    }
}

/// Proves that a head that is not there is told from one that can't be read.
#[test]
fn what_cannot_be_read_is_not_missing() {
    let dir = tempfile::tempdir().unwrap();
    let missing = read(dir.path()).unwrap();
    assert_eq!((missing.memories.len(), missing.findings.len()), (0, 1));
    std::fs::create_dir(head_path(dir.path())).unwrap();
    assert!(read(dir.path()).is_err());
}

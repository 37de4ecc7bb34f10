//! What the actor does, and the directory it finds.

use std::path::Path;

use freezeframe::engine::store::{EraseOrder, Receipt, Store};

use super::directory::{BLOCK, Snapshot};
use super::{frames, in_memory};

/// A scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// A log is born.
    First,
    /// Frames are appended.
    Append,
    /// Frames so large that two fill a segment.
    Roll,
    /// Another key takes the place of the first.
    Rotate,
    /// The previous key is destroyed.
    Forget,
    /// A variable of a frame is erased.
    Erase,
    /// Whole segments of frames are pruned.
    Prune,
    /// A leaf was being written when the power went: all of it is there, the head does not know it.
    Recover,
    /// The same, with half of the leaf.
    Torn,
    /// The head is missing: another log takes the place of this one.
    Succeed,
}

/// Frames before leaf three go.
pub(crate) const PRUNE_BELOW: u64 = 3;
/// The variable that is erased.
pub(crate) const ERASED: (&str, u64) = ("prompt_revision", 1);

impl Act {
    pub(crate) const ALL: [(&str, Self); 10] = [
        ("first", Self::First),
        ("append", Self::Append),
        ("roll", Self::Roll),
        ("rotate", Self::Rotate),
        ("forget", Self::Forget),
        ("erase", Self::Erase),
        ("prune", Self::Prune),
        ("recover", Self::Recover),
        ("torn", Self::Torn),
        ("succeed", Self::Succeed),
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, act)| *act)
    }

    /// Makes the directory it begins with.
    pub(crate) fn begin(self) -> Template {
        let dir = in_memory();
        let path = dir.path();
        let mut receipts = Vec::new();
        if self != Self::First {
            receipts = append(path, self);
        }
        match self {
            Self::Forget => {
                frames::open(path).expect("a log").make_next_key().expect("a key");
                drop(frames::open(path).expect("a log"));
            }
            Self::Recover | Self::Torn => unfinish(path, self == Self::Torn),
            Self::Erase => aside(path),
            Self::Succeed => std::fs::remove_file(path.join("head")).expect("a head"),
            Self::First | Self::Append | Self::Roll | Self::Rotate | Self::Prune => {}
        }
        Template { snapshot: Snapshot::take(path), receipts }
    }
}

/// A directory and what was promised in it.
pub(crate) struct Template {
    pub(crate) snapshot: Snapshot,
    pub(crate) receipts: Vec<Receipt>,
}

pub(crate) fn erasure() -> EraseOrder {
    let frame_id = frames::full(ERASED.1).id;
    EraseOrder { frame_id, parts: vec![ERASED.0.into()], reason: "request 12".into(), at: frames::NOW }
}

fn append(dir: &Path, act: Act) -> Vec<Receipt> {
    let log = frames::open(dir).expect("a log");
    let frame = |number| match act {
        Act::Roll | Act::Prune => frames::large(number, 1_500_000),
        _ => frames::full(number),
    };
    let count = if act == Act::Prune { 8 } else { 3 };
    (0..count).map(|number| log.append(&frame(number)).expect("an acknowledgement")).collect()
}

/// Takes the head and the published checkpoint back by one leaf, as if neither had been written, or half of the leaf
/// either.
fn unfinish(dir: &Path, is_torn: bool) {
    let (head, checkpoint) = (dir.join("head"), dir.join("checkpoint"));
    let known = [&head, &checkpoint].map(|path| std::fs::read(path).expect("a file"));
    let segment = dir.join("wal/000001.seg");
    let used = |bytes: &[u8]| bytes.iter().rposition(|byte| *byte != 0).map_or(0, |it| it + 1).next_multiple_of(BLOCK);
    let before = used(&std::fs::read(&segment).expect("a segment"));
    let log = frames::open(dir).expect("a log");
    log.append(&frames::full(100)).expect("an acknowledgement");
    drop(log);
    [&head, &checkpoint].into_iter().zip(known).for_each(|(path, bytes)| std::fs::write(path, bytes).expect("room"));
    if is_torn {
        let mut bytes = std::fs::read(&segment).expect("a segment");
        let half = before + (used(&bytes) - before) / 2 / BLOCK * BLOCK;
        bytes[half..].fill(0);
        std::fs::write(&segment, bytes).expect("room");
    }
}

/// What a failing disk left: an attempt at a frame that was committed elsewhere.
fn aside(dir: &Path) {
    let quarantine = dir.join("quarantine");
    std::fs::create_dir(&quarantine).expect("room");
    std::fs::write(quarantine.join("000001-4096-01234567.torn"), frames::canary(ERASED.0, ERASED.1)).expect("room");
}

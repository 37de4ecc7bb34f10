//! Reading a log from its segments: the one reader, of [`super::Log::open`] and of [`super::verify()`] alike.
//!
//! Every leaf is hashed into a tree again, every manifest is read strictly and must name this log, its number and the
//! root before it, every part must have the commitment in its manifest, and every commit must be a signature of the
//! recomputed root by the key in charge ([`Chain`]). What the caller makes of the end of the log depends on the head:
//!
//! - leaves below the head were acknowledged; a chain that ends before the head has lost or damaged them,
//! - a leaf at the head was being written; it was not acknowledged and may be finished ([`Scan::unfinished`]),
//! - anything else behind the last leaf of a segment is a torn write ([`SegmentState::torn`]), unless something
//!   readable with a higher number follows: then it is damage.
//!
//! A part that is gone or unreadable damages no leaf: its commitment is enough for the tree. Whether it may be gone is
//! for later leaves to say ([`Scan::gone`]).

mod base;
mod chain;
mod leaf;
mod segment;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::Path;

use thiserror::Error;

use super::head::Memory;
use super::read_at_most;
use super::wal::{self, FILE_BYTES_MAX, Location, SegmentId, segment_path};
use crate::core::frame::parts::Erased;
use crate::core::manifest::{Leaf, Manifest};
use crate::core::merkle::Tree;
use crate::core::note::Checkpoint;
use crate::core::time::UnixNanos;

pub(super) use base::{Pruned, base_path};
pub(super) use chain::Chain;
pub(super) use leaf::frame_bytes;
use leaf::{check_frame, check_manifest};

/// Why segments can't be read as a log.
#[derive(Debug, Error)]
pub(super) enum ScanError {
    /// The file system.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The bytes are not those that were written.
    #[error("{0}")]
    Damaged(String),
}

/// A log as read from its segments.
#[derive(Debug)]
pub(super) struct Scan {
    /// The leaves.
    pub(super) tree: Tree,
    /// Where leaves lie, and what they say that later ones need.
    pub(super) leaves: Leaves,
    /// The signed checkpoint of the last leaf.
    pub(super) note: Option<String>,
    /// The keys the log signed with.
    pub(super) chain: Chain,
    /// A valid leaf that the head does not cover.
    pub(super) unfinished: Option<Unfinished>,
    /// All segments in order.
    pub(super) segments: Vec<SegmentState>,
    /// Parts that are not what was committed, by leaf.
    pub(super) gone: BTreeMap<u64, Gone>,
}

/// The parts of a leaf that are not what was committed.
#[derive(Debug)]
pub(super) struct Gone {
    /// Name, and whether it is blank.
    pub(super) parts: Vec<(String, bool)>,
    /// Whether nothing is left.
    pub(super) is_blank: bool,
}

/// What is known of the leaves without reading them again.
#[derive(Debug, Default)]
pub(super) struct Leaves {
    /// The first leaf that lies here.
    pub(super) first: u64,
    pub(super) locations: Vec<Location>,
    /// Leaf of each frame id.
    pub(super) ids: HashMap<Box<str>, u64>,
    /// Leaves of frames, in order, and when each was captured.
    pub(super) frames: Vec<(u64, UnixNanos)>,
    /// Frames before [`Self::first`].
    pub(super) frames_pruned: u64,
    /// Parts erased, by leaf of their frame.
    pub(super) erased: BTreeMap<u64, BTreeMap<String, Erased>>,
    /// Frames before this leaf are no longer kept.
    pub(super) kept_from: u64,
    /// What the newest leaf that prunes says.
    pub(super) prune: Option<Erased>,
    /// Leaves that put another key in charge.
    pub(super) rotations: Vec<u64>,
    /// Incidents that leaves tell of, in words.
    pub(super) incidents: BTreeSet<String>,
}

impl Leaves {
    /// Where leaf `seq` lies.
    pub(super) fn location(&self, seq: u64) -> Option<Location> {
        self.locations.get(usize::try_from(seq.checked_sub(self.first)?).ok()?).copied()
    }

    /// Where the leaves of a range lie, as far as they do.
    pub(super) fn range(&self, range: std::ops::Range<u64>) -> impl Iterator<Item = (u64, Location)> {
        range.filter_map(|seq| Some((seq, self.location(seq)?)))
    }

    /// Why a part of a frame may be gone; `None` when it may not.
    pub(super) fn erased(&self, seq: u64, part: &str) -> Option<Erased> {
        let erased = self.erased.get(&seq).and_then(|parts| parts.get(part));
        erased.or_else(|| self.prune.as_ref().filter(|_| seq < self.kept_from)).cloned()
    }

    /// Leaves that say why parts of frame `seq` are gone, or that put another key in charge.
    pub(super) fn bearing_on(&self, seq: u64) -> BTreeSet<u64> {
        let erasures = self.erased.get(&seq).into_iter().flat_map(|parts| parts.values().map(|erased| erased.seq));
        erasures.chain(self.rotations.iter().copied()).collect()
    }

    /// End of the oldest frames, as far as every one of them was captured before `time`: since clocks step, a frame may
    /// be older than the one before it, and is kept with it. 0 when there is none.
    pub(super) fn captured_before(&self, time: UnixNanos) -> u64 {
        let old = self.frames.iter().take_while(|(_, captured_at)| *captured_at < time);
        old.last().map_or(0, |(seq, _)| seq + 1)
    }

    /// Takes a leaf in. The manifest was checked against those before it.
    pub(super) fn push(&mut self, location: Location, manifest: &Manifest) {
        self.locations.push(location);
        match &manifest.leaf {
            Leaf::Frame(frame) => {
                self.ids.insert(frame.frame_id.as_str().into(), manifest.seq);
                // A time that can't be read is no reason to let the frame go.
                let captured_at = UnixNanos::parse(&frame.captured_at).unwrap_or(UnixNanos(u64::MAX));
                self.frames.push((manifest.seq, captured_at));
            }
            Leaf::Erasure(erasure) => {
                let parts = self.erased.entry(erasure.frame).or_default();
                for part in &erasure.parts {
                    let (at, reason) = (erasure.at.clone(), erasure.reason.clone());
                    parts.entry(part.clone()).or_insert(Erased { seq: manifest.seq, at, reason });
                }
            }
            Leaf::Prune { at, below, reason } => {
                self.kept_from = self.kept_from.max(*below);
                let erased = Erased { seq: manifest.seq, at: at.clone(), reason: format!("retention: {reason}") };
                self.prune = Some(erased);
            }
            Leaf::Incident { what, .. } => drop(self.incidents.insert(what.clone())),
            Leaf::KeyRotate { .. } => self.rotations.push(manifest.seq),
            Leaf::Genesis { .. } | Leaf::Heartbeat { .. } | Leaf::Override { .. } => {}
        }
    }

    /// Forgets everything before leaf `first`.
    pub(super) fn forget(&mut self, first: u64) {
        let gone = usize::try_from(first.saturating_sub(self.first)).unwrap_or(usize::MAX).min(self.locations.len());
        self.locations.drain(..gone);
        let frames = self.frames.partition_point(|(seq, _)| *seq < first);
        self.frames.drain(..frames);
        self.frames_pruned += frames as u64;
        self.ids.retain(|_, seq| *seq >= first);
        self.erased = self.erased.split_off(&first);
        self.first = first;
    }

    /// Frames committed since the log began, pruned ones included.
    pub(super) fn frames_total(&self) -> u64 {
        self.frames_pruned + self.frames.len() as u64
    }
}

/// A leaf that was not acknowledged.
#[derive(Debug)]
pub(super) struct Unfinished {
    pub(super) manifest: Manifest,
    pub(super) bytes: Vec<u8>,
    pub(super) parts: Vec<String>,
    pub(super) location: Location,
}

/// What a segment holds.
#[derive(Debug)]
pub(super) struct SegmentState {
    pub(super) number: u64,
    pub(super) id: SegmentId,
    /// Its first leaf, or the one that will be.
    pub(super) first: u64,
    /// End of the last leaf that belongs to the log, bytes.
    pub(super) end: u64,
    /// Its size, bytes.
    pub(super) bytes: u64,
    /// Whether anything but zeroes follows.
    pub(super) torn: bool,
}

/// Reads all segments. `head` is the size up to which leaves were acknowledged.
pub(super) fn scan(dir: &Path, origin: &str, head: u64) -> Result<Scan, ScanError> {
    let (pruned, mut scan) = base::begin(dir, origin)?;
    let mut bytes = Vec::new();
    for number in segment_numbers(dir, pruned.as_ref())? {
        let length = wal::read_segment(&segment_path(dir, number), &mut bytes)?;
        segment::read(&segment::Segment { number, bytes: &bytes, length, origin, head }, &mut scan)?;
    }
    Ok(scan)
}

/// The segments there are, which are numbered without gaps from the first that is kept.
fn segment_numbers(dir: &Path, pruned: Option<&Pruned>) -> Result<std::ops::RangeInclusive<u64>, ScanError> {
    let first = pruned.map_or(1, |pruned| pruned.segment);
    let (mut count, mut last) = (0, first.saturating_sub(1));
    for entry in std::fs::read_dir(dir.join("wal"))? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        // Those before the first were being removed.
        if let Some(number) = stem.filter(|number| path == segment_path(dir, *number) && *number >= first) {
            count += 1;
            last = last.max(number);
        }
    }
    if count > 0 && count == last + 1 - first {
        Ok(first..=last)
    } else {
        Err(ScanError::Damaged("wal: a segment is missing".to_owned()))
    }
}

/// The derived `checkpoint`, if it is there; its signature is not checked. It is written after the acknowledgement, so
/// it may be behind, but it remembers: leaves below it were acknowledged too.
pub(super) fn published(dir: &Path) -> Option<Memory> {
    let note = String::from_utf8(read_at_most(&dir.join("checkpoint"), FILE_BYTES_MAX).ok()?).ok()?;
    let checkpoint = Checkpoint::of_note(&note).ok()?;
    Some(Memory { name: "`checkpoint`", checkpoint, note })
}

impl Scan {
    /// Parts that are gone without a leaf that says so, in words.
    pub(super) fn damaged_parts(&self) -> Vec<String> {
        let all = self.gone.iter().flat_map(|(seq, gone)| gone.parts.iter().map(move |(name, _)| (*seq, name)));
        let unsaid = all.filter(|(seq, name)| self.leaves.erased(*seq, name).is_none());
        unsaid.map(|(seq, name)| format!("{name} of leaf {seq}")).collect()
    }

    /// Remembers the parts of a leaf that are not what was committed.
    fn note_gone(&mut self, found: &wal::Found<'_>) {
        let parts = found.manifest.leaf.parts().iter().zip(&found.slots);
        let gone = parts.filter_map(|(part, slot)| match slot {
            wal::Slot::Open(_) => None,
            wal::Slot::Blank => Some((part.name.clone(), true)),
            wal::Slot::Unreadable => Some((part.name.clone(), false)),
        });
        let parts: Vec<_> = gone.collect();
        if parts.is_empty() {
            self.gone.remove(&found.manifest.seq);
        } else {
            let is_blank = found.slots.iter().all(|slot| matches!(slot, wal::Slot::Blank));
            self.gone.insert(found.manifest.seq, Gone { parts, is_blank });
        }
    }
}

#[cfg(test)]
mod tests;

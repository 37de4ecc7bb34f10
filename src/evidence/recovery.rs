//! Reading a log from its segments: the one reader, of [`super::Log::open`] and of [`super::verify()`] alike.
//!
//! Every leaf is hashed into a tree again, every manifest is read strictly and must name this log, its number and the
//! root before it, every frame must have the digest its manifest says, and every commit must be a signature of the
//! recomputed root. What the caller makes of the end of the log depends on the head:
//!
//! - leaves below the head were acknowledged; a chain that ends before the head has lost or damaged them,
//! - a leaf at the head was being written; it was not acknowledged and may be finished ([`Scan::unfinished`]),
//! - anything else behind the last leaf of a segment is a torn write ([`SegmentState::torn`]), unless something
//!   readable with a higher number follows: then it is damage.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use thiserror::Error;

use super::wal::{
    self, BLOCK, FILE_BYTES_MAX, Kind, Location, Record, SegmentId, is_zero, segment_path, segment_payload, split_leaf,
};
use super::{read_at_most, sha256_hex};
use crate::core::manifest::{Leaf, Manifest, parse_canonical};
use crate::core::merkle::{Hash, Tree, leaf_hash};
use crate::core::note::{Checkpoint, VerifierKey};

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
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The leaves.
    pub(super) tree: Tree,
    /// Where each leaf lies.
    pub(super) locations: Vec<Location>,
    /// Leaf of each frame id.
    pub(super) ids: HashMap<Box<str>, u64>,
    /// The signed checkpoint of the last leaf.
    pub(super) note: Option<String>,
    /// A valid leaf that the head does not cover.
    pub(super) unfinished: Option<Unfinished>,
    /// All segments in order.
    pub(super) segments: Vec<SegmentState>,
}

/// A leaf that was not acknowledged.
#[derive(Debug)]
pub(super) struct Unfinished {
    pub(super) manifest: Manifest,
    pub(super) bytes: Vec<u8>,
    pub(super) frame: Vec<u8>,
    pub(super) location: Location,
}

/// What a segment holds.
#[derive(Debug)]
pub(super) struct SegmentState {
    pub(super) number: u64,
    pub(super) id: SegmentId,
    /// End of the last leaf that belongs to the log, bytes.
    pub(super) end: u64,
    /// Whether anything but zeroes follows.
    pub(super) torn: bool,
}

/// A leaf on its way past a visitor.
#[derive(Debug)]
pub(super) struct Visit<'a> {
    pub(super) seq: u64,
    pub(super) manifest: &'a [u8],
    pub(super) frame: &'a [u8],
    pub(super) note: &'a str,
    /// The tree including this leaf.
    pub(super) tree: &'a Tree,
}

/// The derived `checkpoint`, if it is there and signed. It is written after the acknowledgement, so it may be behind,
/// but it remembers: leaves below it were acknowledged too.
pub(super) fn published(dir: &Path, key: &VerifierKey) -> Option<Checkpoint> {
    let note = read_at_most(&dir.join("checkpoint"), FILE_BYTES_MAX).ok()?;
    key.open_checkpoint(std::str::from_utf8(&note).ok()?).ok()
}

/// Reads all segments. `head` is the size up to which leaves were acknowledged.
pub(super) fn scan(
    dir: &Path,
    key: &VerifierKey,
    head: u64,
    visit: &mut dyn FnMut(&Visit<'_>),
) -> Result<Scan, ScanError> {
    let mut scan = Scan::default();
    for number in segment_numbers(dir)? {
        let (bytes, length) = wal::read_segment(&segment_path(dir, number))?;
        let mut reader = Reader { number, bytes: &bytes, length, key, head, visit: &mut *visit };
        reader.read(&mut scan)?;
    }
    Ok(scan)
}

/// The segments there are, which are numbered without gaps.
pub(super) fn segment_numbers(dir: &Path) -> Result<std::ops::RangeInclusive<u64>, ScanError> {
    let (mut count, mut last) = (0, 0);
    for entry in std::fs::read_dir(dir.join("wal"))? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let Some(number) = stem.filter(|number| path == segment_path(dir, *number)) {
            count += 1;
            last = last.max(number);
        }
    }
    if count == last { Ok(1..=last) } else { Err(ScanError::Damaged("wal: a segment is missing".to_owned())) }
}

/// Reads one segment.
struct Reader<'a> {
    number: u64,
    /// Without the blocks of zeroes at the end.
    bytes: &'a [u8],
    /// With them.
    length: u64,
    key: &'a VerifierKey,
    head: u64,
    visit: &'a mut dyn FnMut(&Visit<'_>),
}

impl<'a> Reader<'a> {
    fn read(&mut self, scan: &mut Scan) -> Result<(), ScanError> {
        let id = self.header()?;
        let mut at = BLOCK;
        if let Some((record, _)) = self.record(at).filter(|(record, _)| record.segment == id)
            && self.repeats_last_leaf(scan, &record)
        {
            at = self.repeat(scan, &record)?;
        }
        while let Some((record, length)) = self.record(at).filter(|(leaf, _)| leaf.kind == Kind::Leaf) {
            if record.segment != id {
                return Err(self.damaged(at, "a record of another segment"));
            }
            if record.seq != scan.tree.size() {
                return Err(self.damaged(at, &format!("leaf {} where {} belongs", record.seq, scan.tree.size())));
            }
            let location = Location { segment: self.number, offset: at as u64, length };
            if record.seq >= self.head {
                self.unfinished(scan, &record, location)?;
                break;
            }
            // Without its commit it was torn by a failing device; then the next segment has it again, or nobody has.
            let Some((commit, commit_length)) = self.commit(at + length, &record) else { break };
            self.leaf(scan, &record, &commit, location)?;
            at += length + commit_length;
        }
        self.refuse_later_leaves(at, scan.tree.size())?;
        let torn = !is_zero(self.bytes.get(at..).unwrap_or_default());
        scan.segments.push(SegmentState { number: self.number, id, end: at as u64, torn });
        Ok(())
    }

    fn header(&self) -> Result<SegmentId, ScanError> {
        let payload = segment_payload(self.key.name(), self.length);
        let header = self.record(0).map(|(record, _)| record);
        let expected = |id| Record { kind: Kind::Segment, seq: self.number, segment: id, payload: payload.as_bytes() };
        match header {
            Some(record) if record == expected(record.segment) => Ok(record.segment),
            _ => Err(self.damaged(0, "not a whole segment of this log")),
        }
    }

    fn record(&self, at: usize) -> Option<(Record<'a>, usize)> {
        Record::decode(self.bytes.get(at..)?)
    }

    fn commit(&self, at: usize, leaf: &Record<'_>) -> Option<(Record<'a>, usize)> {
        let is_its =
            |commit: &Record<'_>| (commit.kind, commit.seq, commit.segment) == (Kind::Commit, leaf.seq, leaf.segment);
        self.record(at).filter(|(commit, _)| is_its(commit))
    }

    /// Checks a committed leaf and appends it.
    fn leaf(
        &mut self,
        scan: &mut Scan,
        record: &Record<'_>,
        commit: &Record<'_>,
        location: Location,
    ) -> Result<(), ScanError> {
        let seq = record.seq;
        let wrong = |what: String| ScanError::Damaged(format!("leaf {seq}: {what}"));
        let root = scan.tree.root_at(seq).expect("every past size has a root");
        let checked = check_leaf(record.payload, self.key.name(), seq, root).map_err(wrong)?;
        scan.tree.push(leaf_hash(checked.bytes));
        let note = std::str::from_utf8(commit.payload).map_err(|_| wrong("its checkpoint is not text".to_owned()))?;
        let signed = self.key.open_checkpoint(note).map_err(|error| wrong(error.to_string()))?;
        let root = scan.tree.root_at(seq + 1).expect("every past size has a root");
        if signed != (Checkpoint { origin: self.key.name().to_owned(), size: seq + 1, root }) {
            return Err(wrong("its checkpoint signs another tree".to_owned()));
        }
        if let Leaf::Frame(leaf) = checked.manifest.leaf
            && scan.ids.insert(leaf.frame_id.into(), seq).is_some()
        {
            return Err(wrong("its frame id is taken".to_owned()));
        }
        (self.visit)(&Visit { seq, manifest: checked.bytes, frame: checked.frame, note, tree: &scan.tree });
        scan.locations.push(location);
        scan.note = Some(note.to_owned());
        scan.unfinished = None;
        Ok(())
    }

    /// Keeps a leaf that the head does not cover. Its commit may be torn; if there is one, it can be made again.
    fn unfinished(&self, scan: &mut Scan, record: &Record<'_>, location: Location) -> Result<(), ScanError> {
        let root = scan.tree.root_at(record.seq).expect("every past size has a root");
        let checked = check_leaf(record.payload, self.key.name(), record.seq, root)
            .map_err(|what| ScanError::Damaged(format!("leaf {}: {what}", record.seq)))?;
        let bytes = checked.bytes.to_vec();
        let found = Unfinished { manifest: checked.manifest, bytes, frame: checked.frame.to_vec(), location };
        if scan.unfinished.as_ref().is_some_and(|known| known.bytes != found.bytes) {
            return Err(self.damaged(0, &format!("two different leaves {}", record.seq)));
        }
        scan.unfinished = Some(found);
        Ok(())
    }

    /// After a failed sync the last leaf is written again at the start of the next segment; that copy counts.
    fn repeats_last_leaf(&self, scan: &Scan, record: &Record<'_>) -> bool {
        record.kind == Kind::Leaf && record.seq + 1 == scan.tree.size() && !scan.segments.is_empty()
    }

    fn repeat(&self, scan: &mut Scan, record: &Record<'_>) -> Result<usize, ScanError> {
        let hash = split_leaf(record.payload).map(|(manifest, _)| leaf_hash(manifest));
        let length = Record::padded(record.payload.len());
        let commit = self.commit(BLOCK + length, record).map(|(commit, commit_length)| (commit.payload, commit_length));
        match (commit, scan.locations.last_mut()) {
            (Some((note, commit_length)), Some(location))
                if hash == scan.tree.subtree(0, record.seq)
                    && Some(note) == scan.note.as_deref().map(str::as_bytes) =>
            {
                if let Some(first) = scan.segments.iter_mut().find(|segment| segment.number == location.segment) {
                    (first.end, first.torn) = (location.offset, true);
                }
                *location = Location { segment: self.number, offset: BLOCK as u64, length };
                Ok(BLOCK + length + commit_length)
            }
            _ => Err(self.damaged(BLOCK, &format!("two different leaves {}", record.seq))),
        }
    }

    /// Behind the end of the chain nothing readable may follow but what was being written at the head.
    fn refuse_later_leaves(&self, from: usize, size: u64) -> Result<(), ScanError> {
        for at in (from..self.bytes.len()).step_by(BLOCK) {
            if let Some((record, _)) = self.record(at)
                && (record.seq > size || record.seq < self.head.min(size))
            {
                return Err(self.damaged(from, &format!("damaged, for record {} follows", record.seq)));
            }
        }
        Ok(())
    }

    fn damaged(&self, at: usize, what: &str) -> ScanError {
        ScanError::Damaged(format!("wal segment {} at byte {at}: {what}", self.number))
    }
}

/// A leaf that says nothing false about itself.
struct Checked<'a> {
    manifest: Manifest,
    bytes: &'a [u8],
    frame: &'a [u8],
}

/// Checks what a leaf says against what it lies with.
fn check_leaf<'a>(payload: &'a [u8], origin: &str, seq: u64, previous_root: Hash) -> Result<Checked<'a>, String> {
    let (bytes, frame) = split_leaf(payload).ok_or("malformed")?;
    let manifest = Manifest::parse(bytes).map_err(|error| error.to_string())?;
    if (manifest.origin.as_str(), manifest.seq) != (origin, seq) {
        return Err(format!("its manifest is of leaf {} of {}", manifest.seq, manifest.origin));
    }
    match &manifest.leaf {
        Leaf::Genesis { .. } if seq == 0 && frame.is_empty() => {}
        Leaf::Frame(leaf) if seq > 0 => {
            if leaf.previous_root != previous_root {
                return Err("its manifest follows another tree".to_owned());
            }
            check_frame(frame, &manifest)?;
        }
        Leaf::Genesis { .. } | Leaf::Frame(_) => return Err("a leaf of this type does not belong here".to_owned()),
    }
    Ok(Checked { manifest, bytes, frame })
}

/// Checks a frame's bytes against its manifest.
pub(super) fn check_frame(frame: &[u8], manifest: &Manifest) -> Result<(), String> {
    let Leaf::Frame(leaf) = &manifest.leaf else { return Err("not a frame's manifest".to_owned()) };
    if (leaf.frame_bytes, leaf.frame_sha256.as_str()) != (frame.len() as u64, sha256_hex(frame).as_str()) {
        return Err("the frame's bytes are not those committed (SHA-256 differs)".to_owned());
    }
    let body = parse_canonical(frame).map_err(|error| format!("frame: {error}"))?;
    if (body["origin"].as_str(), body["seq"].as_u64()) != (Some(&manifest.origin), Some(manifest.seq)) {
        return Err("the frame names another place in a log than its manifest".to_owned());
    }
    let said = [("id", &leaf.frame_id), ("feature", &leaf.feature), ("captured_at", &leaf.captured_at)];
    match said.into_iter().find(|(field, value)| body.get(field).is_some_and(|body| body != value.as_str())) {
        Some((field, _)) => Err(format!("frame and manifest differ in {field}")),
        None => Ok(()),
    }
}

//! The one that writes: commits leaves, and moves to a fresh segment when one fails or is full.
//!
//! At most one leaf is under way ([`Pending`]). It is finished before any other takes its number, however often that
//! is tried, so two leaves never share a number and the log never signs two trees of one size. Recovery finishes the
//! leaf a crash left through the very same function.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use serde_json::Value;

use super::derived::Derived;
use super::durable::Disk;
use super::head::Head;
use super::keys::Entropy;
use super::log::{Index, Options};
use super::recovery::{SegmentState, Unfinished};
use super::sha256_hex;
use super::wal::{self, BLOCK, Kind, Location, Record, Segment};
use crate::core::manifest::{FrameLeaf, Leaf, Manifest, canonical};
use crate::core::merkle::{Frontier, leaf_hash};
use crate::core::note::{Checkpoint, Signer};
use crate::engine::store::{FrameBytes, Receipt, StoreError};

/// Longest frame id, bytes.
const FRAME_ID_BYTES_MAX: usize = 128;

/// The writing half of the log.
pub(super) struct Writer {
    dir: PathBuf,
    disk: Disk,
    signer: Signer,
    entropy: Entropy,
    segment_bytes: u64,
    active: Segment,
    /// Preallocated, so that a full disk does not stop the log at the end of a segment.
    spare: Option<Segment>,
    head: Head,
    /// Right edge of the committed tree.
    frontier: Frontier,
    pending: Option<Pending>,
    derived: Derived,
    /// Why nothing is written any more.
    stopped: Option<String>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("dir", &self.dir).field("size", &self.frontier.size()).finish_non_exhaustive()
    }
}

/// A leaf under way.
struct Pending {
    frame_id: String,
    manifest: Vec<u8>,
    frame: Vec<u8>,
    /// The tree with the leaf.
    next: Frontier,
    note: String,
    /// Set once it is durable in a segment.
    location: Option<Location>,
}

impl Pending {
    fn payload(&self) -> Vec<u8> {
        wal::leaf_payload(&self.manifest, &self.frame)
    }
}

impl Writer {
    /// A writer at the end of what was read. Changes nothing yet but the head's slots and the spare segment.
    pub(super) fn recover(
        dir: &Path,
        signer: Signer,
        entropy: Entropy,
        options: Options,
        index: &Index,
        states: &[SegmentState],
    ) -> io::Result<Self> {
        let Options { disk, segment_bytes } = options;
        // A last segment without leaves is the spare, unless it is all there is.
        let empty = |state: &SegmentState| state.end == BLOCK as u64 && !state.torn;
        let open = |state: &SegmentState| Segment::open(dir, state.number, state.id, state.end);
        let (active, spare) = match states {
            [.., active, spare] if empty(spare) => (active, Some(open(spare)?)),
            [.., active] => (active, None),
            [] => return Err(io::Error::new(io::ErrorKind::InvalidData, "the log has no segments")),
        };
        let active = open(active)?;
        let head = Head::open(&disk, dir, &index.note, index.tree.size())?;
        let frontier = index.tree.frontier();
        let (dir, derived) = (dir.to_owned(), Derived::new(dir, disk.clone()));
        Ok(Self {
            dir,
            disk,
            signer,
            entropy,
            segment_bytes,
            active,
            spare,
            head,
            frontier,
            pending: None,
            derived,
            stopped: None,
        })
    }

    /// Sets torn bytes aside, finishes the leaf a crash left, and brings derived files up to date.
    pub(super) fn finish_recovery(
        &mut self,
        unfinished: Option<Unfinished>,
        states: &[SegmentState],
        index: &RwLock<Index>,
    ) -> io::Result<()> {
        let torn = |state: &&SegmentState| state.torn;
        let active = self.active.number;
        if let Some(state) = states.iter().filter(torn).find(|state| state.number == active) {
            // The unfinished leaf is written again, byte for byte, where it lies; what follows it is set aside.
            let here = unfinished.as_ref().filter(|leaf| leaf.location.segment == state.number);
            let keep = here.map_or(state.end, |leaf| leaf.location.offset + (leaf.location.length + BLOCK) as u64);
            if self.set_aside(state, keep).is_err() {
                self.active.poisoned = true;
            }
        }
        if let Some(leaf) = unfinished {
            tracing::info!(seq = leaf.manifest.seq, "finishing a frame that was being written");
            self.pending = Some(self.restore(leaf));
            self.finish(index).map_err(io::Error::other)?;
        }
        for state in states.iter().filter(torn).filter(|state| state.number != active) {
            if let Err(error) = self.set_aside(state, state.end) {
                tracing::warn!(segment = state.number, %error, "torn bytes stay where they are");
            }
        }
        self.refill();
        self.derived.rebuild(&read(index));
        Ok(())
    }

    /// Commits a frame; see [`crate::engine::store::Store::append`].
    pub(super) fn append(&mut self, frame: &FrameBytes, index: &RwLock<Index>) -> Result<Receipt, StoreError> {
        if let Some(why) = &self.stopped {
            return Err(StoreError::Fatal(why.clone()));
        }
        if self.finish(index)?.is_some() {
            self.follow_up(index);
        }
        let known = read(index).ids.get(frame.id.as_str()).copied();
        if let Some(seq) = known {
            return self.receipt_again(frame, seq, index);
        }
        let (manifest, bytes) = self.manifest(frame, self.frontier.size(), self.frontier.root())?;
        let encoded = manifest.encode().map_err(refused)?;
        let frame_sha256 = sha256_hex(&bytes);
        let length = bytes.len();
        let pending = self.pending(frame.id.clone(), encoded, bytes);
        if !wal::fits(self.segment_bytes, pending.payload().len(), pending.note.len()) {
            return Err(refused(format!("a frame of {length} bytes does not fit a segment of {}", self.segment_bytes)));
        }
        self.pending = Some(pending);
        let checkpoint = self.finish(index)?.ok_or_else(|| StoreError::Fatal("nothing was pending".to_owned()))?;
        self.follow_up(index);
        Ok(Receipt { frame_id: frame.id.clone(), seq: manifest.seq, frame_sha256, checkpoint })
    }

    /// Frame bytes and manifest of a frame at a place in the log.
    fn manifest(
        &self,
        frame: &FrameBytes,
        seq: u64,
        previous_root: crate::core::merkle::Hash,
    ) -> Result<(Manifest, Vec<u8>), StoreError> {
        if frame.id.is_empty() || frame.id.len() > FRAME_ID_BYTES_MAX {
            return Err(refused(format!("a frame id has 1 to {FRAME_ID_BYTES_MAX} bytes")));
        }
        let said = [("id", &frame.id), ("feature", &frame.feature), ("captured_at", &frame.captured_at)];
        if let Some((field, _)) = said.iter().find(|(field, v)| frame.body.get(*field).is_some_and(|body| body != *v)) {
            return Err(refused(format!("body and frame differ in {field}")));
        }
        let mut body = frame.body.clone();
        body.insert("origin".to_owned(), self.signer.verifier().name().into());
        body.insert("seq".to_owned(), seq.into());
        let bytes = canonical(&Value::Object(body)).map_err(refused)?;
        let leaf = Leaf::Frame(FrameLeaf {
            frame_id: frame.id.clone(),
            feature: frame.feature.clone(),
            fingerprint: frame.fingerprint.clone(),
            captured_at: frame.captured_at.clone(),
            frame_sha256: sha256_hex(&bytes),
            frame_bytes: bytes.len() as u64,
            previous_root,
        });
        let origin = self.signer.verifier().name().to_owned();
        Ok((Manifest { origin, seq, leaf }, bytes))
    }

    /// The receipt of a frame that is in the log, if it is this frame.
    fn receipt_again(&self, frame: &FrameBytes, seq: u64, index: &RwLock<Index>) -> Result<Receipt, StoreError> {
        let index = read(index);
        let roots = index.tree.root_at(seq).zip(index.tree.root_at(seq + 1));
        let (before, root) = roots.expect("every past size has a root");
        let (manifest, bytes) = self.manifest(frame, seq, before)?;
        let encoded = manifest.encode().map_err(refused)?;
        if index.tree.subtree(0, seq) != Some(leaf_hash(&encoded)) {
            return Err(refused(format!("frame {} is in the log with other content", frame.id)));
        }
        let checkpoint = Checkpoint { origin: manifest.origin, size: seq + 1, root }.line();
        Ok(Receipt { frame_id: frame.id.clone(), seq, frame_sha256: sha256_hex(&bytes), checkpoint })
    }

    fn pending(&self, frame_id: String, manifest: Vec<u8>, frame: Vec<u8>) -> Pending {
        let mut next = self.frontier.clone();
        next.push(leaf_hash(&manifest));
        let note = self.signer.sign_checkpoint(next.size(), next.root());
        Pending { frame_id, manifest, frame, next, note, location: None }
    }

    fn restore(&self, leaf: Unfinished) -> Pending {
        let frame_id = match leaf.manifest.leaf {
            Leaf::Frame(leaf) => leaf.frame_id,
            Leaf::Genesis { .. } => String::new(),
        };
        self.pending(frame_id, leaf.bytes, leaf.frame)
    }

    /// Makes the leaf under way durable and visible, and returns its checkpoint line; `None` when there is none.
    /// After the head is durable it is acknowledged.
    fn finish(&mut self, index: &RwLock<Index>) -> Result<Option<String>, StoreError> {
        let Some(mut pending) = self.pending.take() else { return Ok(None) };
        let outcome = self.make_durable(&mut pending);
        let location = match outcome {
            Ok(location) => location,
            Err(error) => {
                self.pending = Some(pending);
                return Err(error);
            }
        };
        let seq = self.frontier.size();
        let mut published = index.write().unwrap_or_else(PoisonError::into_inner);
        published.tree.push(leaf_hash(&pending.manifest));
        published.locations.push(location);
        published.ids.insert(pending.frame_id.into(), seq);
        published.note = pending.note;
        self.frontier = pending.next;
        let origin = self.signer.verifier().name().to_owned();
        Ok(Some(Checkpoint { origin, size: seq + 1, root: self.frontier.root() }.line()))
    }

    fn make_durable(&mut self, pending: &mut Pending) -> Result<Location, StoreError> {
        let location = match pending.location {
            Some(location) => location,
            None => self.write_leaf(pending)?,
        };
        pending.location = Some(location);
        let size = pending.next.size();
        self.head.write(&self.disk, &pending.note, size).map_err(|error| retry("head", &error))?;
        Ok(location)
    }

    /// Two attempts: where we are, and in a fresh segment.
    fn write_leaf(&mut self, pending: &Pending) -> Result<Location, StoreError> {
        let payload = pending.payload();
        let seq = self.frontier.size();
        let mut last = io::Error::other("no segment has room");
        for _ in 0..2 {
            if self.active.poisoned || !self.active.has_room(payload.len(), pending.note.len()) {
                self.roll().map_err(|error| retry("a fresh segment", &error))?;
            }
            match self.active.append(&self.disk, seq, &payload, &pending.note) {
                Ok(location) => return Ok(location),
                Err(error) => last = error,
            }
            tracing::error!(segment = self.active.number, error = %last, "writing failed; this segment is given up");
        }
        if last.kind() == io::ErrorKind::InvalidData {
            let why = format!("the device returns other bytes than were written to it, in two files ({last})");
            self.stopped = Some(why.clone());
            return Err(StoreError::Fatal(why));
        }
        Err(retry("wal", &last))
    }

    fn roll(&mut self) -> io::Result<()> {
        let fresh = match self.spare.take() {
            Some(spare) => spare,
            None => self.create_segment()?,
        };
        self.active = fresh;
        Ok(())
    }

    fn create_segment(&mut self) -> io::Result<Segment> {
        let mut id = [0; 16];
        (self.entropy)(&mut id)?;
        let number = self.spare.as_ref().map_or(self.active.number, |spare| spare.number) + 1;
        Segment::create(&self.disk, &self.dir, number, id, self.signer.verifier().name(), self.segment_bytes)
    }

    /// What comes after the acknowledgement; none of it can fail a frame any more.
    fn follow_up(&mut self, index: &RwLock<Index>) {
        self.derived.catch_up(&read(index));
        self.refill();
    }

    /// Keeps one spare segment ready.
    fn refill(&mut self) {
        if self.spare.is_none() {
            match self.create_segment() {
                Ok(segment) => self.spare = Some(segment),
                Err(error) => tracing::warn!(%error, "no spare segment; the log stops when the current one is full"),
            }
        }
    }

    /// Copies what follows the end of a segment to quarantine, from `keep` on, and clears it.
    fn set_aside(&self, state: &SegmentState, keep: u64) -> io::Result<()> {
        let bytes = std::fs::read(wal::segment_path(&self.dir, state.number))?;
        let keep_at = usize::try_from(keep).unwrap_or(usize::MAX).min(bytes.len());
        let mut torn = bytes[keep_at..].to_vec();
        if wal::is_zero(&torn) {
            return Ok(());
        }
        blank_commits(&mut torn);
        let used = torn.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let directory = self.dir.join("quarantine");
        self.disk.create_directory(&directory)?;
        let name = format!("{:06}-{keep}-{}.torn", state.number, &sha256_hex(&torn)[..8]);
        self.disk.publish(&directory.join(&name), 0o640, [&torn[..used]])?;
        tracing::warn!(segment = state.number, bytes = used, name, "set aside bytes that were never acknowledged");
        Segment::open(&self.dir, state.number, state.id, state.end)?.clear_from(&self.disk, keep)
    }
}

/// A signature over a leaf that no longer exists must not survive it: the next leaf takes its number.
fn blank_commits(torn: &mut [u8]) {
    for block in torn.chunks_mut(BLOCK) {
        if Record::decode(block).is_some_and(|(record, _)| record.kind == Kind::Commit) {
            block.fill(0);
        }
    }
}

fn read(index: &RwLock<Index>) -> std::sync::RwLockReadGuard<'_, Index> {
    index.read().unwrap_or_else(PoisonError::into_inner)
}

fn retry(what: &str, error: &io::Error) -> StoreError {
    StoreError::Retry(format!("{what}: {error}"))
}

fn refused(why: impl ToString) -> StoreError {
    StoreError::Refused(why.to_string())
}

//! The one that writes: commits leaves, and moves to a fresh segment when one fails or is full.
//!
//! At most one leaf is under way ([`Pending`]). It is finished before any other takes its number, however often that
//! is tried, so two leaves never share a number and the log never signs two trees of one size. Recovery finishes the
//! leaf a crash left through the very same function.

mod erase;
mod frames;
mod prune;
mod recover;
mod segments;

use std::io;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

pub(super) use self::recover::Left;
use self::segments::Segments;
use super::derived::Derived;
use super::durable::Disk;
use super::head::Head;
use super::keys::{self, Entropy, Signers};
use super::reader::Index;
use super::recovery::Chain;
use super::wal::{Entry, Location};
use crate::config::Retention;
use crate::core::manifest::{Leaf, Manifest};
use crate::core::merkle::{Frontier, leaf_hash};
use crate::core::note::Checkpoint;
use crate::core::time::UnixNanos;
use crate::engine::store::{Condition, FrameBytes, Receipt, StoreError};

/// The writing half of the log.
pub(super) struct Writer {
    dir: PathBuf,
    disk: Disk,
    signers: Signers,
    /// The key in charge and those before it.
    chain: Chain,
    entropy: Entropy,
    segments: Segments,
    head: Head,
    /// Right edge of the committed tree.
    frontier: Frontier,
    pending: Option<Pending>,
    derived: Derived,
    retention: Retention,
    /// When the newest leaf was committed.
    last_leaf_at: UnixNanos,
    /// Frames with parts that are to be destroyed and may still be there.
    to_blank: std::collections::BTreeSet<u64>,
    /// Those of them where that was tried and failed.
    blanked_in_vain: std::collections::BTreeSet<u64>,
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
    manifest: Manifest,
    bytes: Vec<u8>,
    /// Disclosures, in the order of the manifest.
    parts: Vec<String>,
    /// The tree with the leaf.
    next: Frontier,
    note: String,
    /// Set once it is durable in a segment.
    location: Option<Location>,
}

impl Pending {
    fn entry(&self) -> Entry<'_> {
        Entry { seq: self.manifest.seq, manifest: &self.bytes, parts: &self.parts, note: &self.note }
    }
}

impl Writer {
    /// Commits a frame; see [`crate::engine::store::Store::append`].
    pub(super) fn append(&mut self, frame: &FrameBytes, index: &RwLock<Index>) -> Result<Receipt, StoreError> {
        self.finish_pending(index)?;
        let known = read(index).leaves.ids.get(frame.id.as_str()).copied();
        if let Some(seq) = known {
            return self.receipt_again(frame, seq, index);
        }
        let (manifest, parts, frame_sha256) = self.frame(frame)?;
        let seq = manifest.seq;
        let checkpoint = self.commit(manifest, parts, index)?;
        Ok(Receipt { frame_id: frame.id.clone(), seq, frame_sha256, checkpoint })
    }

    /// Commits a leaf without parts, and returns its number. Asked again after a failure, it commits the leaf once.
    pub(super) fn record(&mut self, leaf: &Leaf, index: &RwLock<Index>) -> Result<u64, StoreError> {
        let again = self.pending.as_ref().filter(|pending| pending.manifest.leaf == *leaf).map(|it| it.manifest.seq);
        self.finish_pending(index)?;
        match again {
            Some(seq) => Ok(seq),
            None => {
                let manifest = self.next_manifest(leaf.clone());
                let seq = manifest.seq;
                self.commit(manifest, Vec::new(), index).map(|_| seq)
            }
        }
    }

    /// What is done from time to time: a heartbeat when nothing else was written for long, retention, and what an
    /// earlier failure left to do.
    pub(super) fn maintain(
        &mut self,
        now: UnixNanos,
        lost: u64,
        index: &RwLock<Index>,
    ) -> Result<Condition, StoreError> {
        self.finish_pending(index)?;
        if now.since(self.last_leaf_at) >= self.retention.heartbeat {
            let frames = read(index).leaves.frames_total();
            self.record(&Leaf::Heartbeat { at: now.to_string(), frames, lost }, index)?;
            self.last_leaf_at = now;
        }
        self.retain(now, index)?;
        self.blank_erased(index).map_err(|error| retry("erasing", &error))?;
        self.follow_up(index);
        Ok(Condition { reserve_frames: self.segments.reserve() })
    }

    fn next_manifest(&self, leaf: Leaf) -> Manifest {
        let (origin, seq) = (self.signers.origin().to_owned(), self.frontier.size());
        Manifest { origin, seq, previous_root: Some(self.frontier.root()), leaf }
    }

    /// Makes a new leaf the one under way, and finishes it.
    fn commit(&mut self, manifest: Manifest, parts: Vec<String>, index: &RwLock<Index>) -> Result<String, StoreError> {
        let bytes = manifest.encode().map_err(refused)?;
        let pending = self.pending(manifest, bytes, parts);
        let length = pending.entry().padded();
        if !self.segments.can_hold(length) {
            return Err(refused(format!("{length} bytes do not fit a segment")));
        }
        self.pending = Some(pending);
        let checkpoint = self.finish(index)?.ok_or_else(|| StoreError::Fatal("nothing was pending".to_owned()))?;
        self.follow_up(index);
        Ok(checkpoint)
    }

    fn pending(&self, manifest: Manifest, bytes: Vec<u8>, parts: Vec<String>) -> Pending {
        let mut next = self.frontier.clone();
        next.push(leaf_hash(&bytes));
        let note = self.signers.sign_checkpoint(next.size(), next.root());
        Pending { manifest, bytes, parts, next, note, location: None }
    }

    fn finish_pending(&mut self, index: &RwLock<Index>) -> Result<(), StoreError> {
        if let Some(why) = &self.stopped {
            return Err(StoreError::Fatal(why.clone()));
        }
        if self.finish(index)?.is_some() {
            self.follow_up(index);
        }
        Ok(())
    }

    /// Makes the leaf under way durable and visible, and returns its checkpoint line; `None` when there is none.
    /// After the head is durable it is acknowledged.
    fn finish(&mut self, index: &RwLock<Index>) -> Result<Option<String>, StoreError> {
        let Some(mut pending) = self.pending.take() else { return Ok(None) };
        let location = match self.make_durable(&mut pending) {
            Ok(location) => location,
            Err(error) => {
                self.pending = Some(pending);
                return Err(error);
            }
        };
        if let Leaf::KeyRotate { vkey, .. } = &pending.manifest.leaf {
            let rotated = self.chain.rotate(self.signers.origin(), vkey, pending.manifest.seq);
            rotated.map_err(|what| StoreError::Fatal(format!("the new key: {what}")))?;
        }
        let size = pending.next.size();
        let mut published = index.write().unwrap_or_else(PoisonError::into_inner);
        published.tree.push(leaf_hash(&pending.bytes));
        published.leaves.push(location, &pending.manifest);
        published.note = pending.note;
        published.vkey = self.chain.current().to_string();
        self.frontier = pending.next;
        let origin = self.signers.origin().to_owned();
        Ok(Some(Checkpoint { origin, size, root: self.frontier.root() }.line()))
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
        let entry = pending.entry();
        let mut last = io::Error::other("no segment has room");
        for _ in 0..2 {
            let room = self.segments.make_room(&self.disk, &mut self.entropy, entry.seq, entry.padded());
            room.map_err(|error| retry("a fresh segment", &error))?;
            match self.segments.active.append(&self.disk, &entry) {
                Ok(location) => return Ok(location),
                Err(error) => last = error,
            }
            tracing::error!(segment = self.segments.active.number, error = %last, "writing failed; this segment is given up");
        }
        if last.kind() == io::ErrorKind::InvalidData {
            let why = format!("the device returns other bytes than were written to it, in two files ({last})");
            self.stopped = Some(why.clone());
            return Err(StoreError::Fatal(why));
        }
        Err(retry("wal", &last))
    }

    /// What comes after the acknowledgement; none of it can fail a frame any more.
    fn follow_up(&mut self, index: &RwLock<Index>) {
        self.derived.catch_up(&read(index));
        self.segments.refill(&self.disk, &mut self.entropy);
    }

    /// Signs nothing any more, and gives the random source away.
    pub(super) fn stop(&mut self, why: String) -> Entropy {
        self.stopped = Some(why);
        std::mem::replace(&mut self.entropy, Box::new(|_| Err(io::Error::other("the log stopped"))))
    }

    /// See [`super::Log::make_next_key`].
    pub(super) fn make_next_key(&mut self) -> Result<(), StoreError> {
        keys::make_next(&self.disk, &self.dir, &mut self.entropy).map_err(|error| retry("the new key", &error))
    }

    /// See [`super::Log::forget_previous_key`].
    pub(super) fn forget_previous_key(&self) -> Result<bool, StoreError> {
        keys::forget_previous(&self.disk, &self.dir).map_err(|error| retry("the previous key", &error))
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

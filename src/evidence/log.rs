//! The log while it is open: appending goes to the writer, reading to the index and the segments.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};

use bytes::Bytes;

use super::durable::Disk;
use super::keys::Entropy;
use super::start::{self, OpenError};
use super::tiles::Tile;
use super::wal::{self, Location, SEGMENT_BYTES};
use super::writer::Writer;
use super::{bundle, head, read_at_most, recovery, tiles};
use crate::config::Evidence;
use crate::core::manifest::{Leaf, Manifest};
use crate::core::merkle::{Hash, Tree};
use crate::core::note::{Checkpoint, NOTE_BYTES_MAX, VerifierKey, split_note, with_signature};
use crate::core::time::UnixNanos;
use crate::core::witness::Contradiction;
use crate::engine::store::{FrameBytes, Receipt, Store, StoreError};
use crate::engine::witness::{Contradicted, Witnessed};
use crate::metrics::Metric;

/// What readers see: everything acknowledged.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) tree: Tree,
    pub(super) locations: Vec<Location>,
    pub(super) ids: HashMap<Box<str>, u64>,
    /// The last signed checkpoint.
    pub(super) note: String,
}

/// A transparency log of freeze frames in a directory. One process at a time may have it open; appends come one at a
/// time and block until durable, reads never wait for them.
#[derive(Debug)]
pub struct Log {
    dir: PathBuf,
    vkey: String,
    writer: Mutex<Writer>,
    index: RwLock<Index>,
    disk: Disk,
    /// The newest checkpoint with cosignatures under it.
    cosigned: Mutex<Option<String>>,
    _lock: File,
}

/// What tests change.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) disk: Disk,
    pub(super) segment_bytes: u64,
}

impl Log {
    /// Opens the log in `dir`, makes it when there is none, and repairs what a crash left. Opening verifies: every
    /// leaf is read, hashed and compared with what was signed before anything is signed again. `now` goes into the
    /// genesis leaf.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(dir: &Path, config: &Evidence, now: UnixNanos, entropy: Entropy) -> Result<Self, OpenError> {
        Self::open_with(dir, config, now, entropy, Options { disk: Disk::default(), segment_bytes: SEGMENT_BYTES })
    }

    pub(super) fn open_with(
        dir: &Path,
        config: &Evidence,
        now: UnixNanos,
        mut entropy: Entropy,
        options: Options,
    ) -> Result<Self, OpenError> {
        let failed = |error| OpenError::Io { path: dir.to_owned(), error };
        let disk = &options.disk;
        disk.create_directory(dir).map_err(failed)?;
        let lock = start::lock(dir)?;
        if !dir.join("id.json").exists() {
            start::first_start(dir, config, now, &mut entropy, &options)?;
        }
        let signer = start::signer(dir, config, disk)?;
        start::remove_temporary_files(dir).map_err(failed)?;
        let key = signer.verifier().clone();
        let slots = head::read(dir, &key).map_err(failed)?;
        let head = slots.latest.ok_or_else(|| start::damaged(dir, slots.findings.join("; ")))?;
        let published = recovery::published(dir, &key);
        let acknowledged = published.as_ref().map_or(head.size, |published| published.size.max(head.size));
        let mut scan =
            recovery::scan(dir, &key, acknowledged, &mut |_| {}).map_err(|error| start::unreadable(dir, error))?;
        start::check_memories(dir, &scan, [("head", Some(head)), ("`checkpoint`", published)])?;
        let unfinished = scan.unfinished.take();
        let states = std::mem::take(&mut scan.segments);
        let note = scan.note.take().ok_or_else(|| start::damaged(dir, "there are no leaves".to_owned()))?;
        let index = Index { tree: scan.tree, locations: scan.locations, ids: scan.ids, note };
        let disk = options.disk.clone();
        let cosigned = Mutex::new(read_cosigned(dir, &key, &index.tree));
        let mut writer = Writer::recover(dir, signer, entropy, options, &index, &states).map_err(failed)?;
        let index = RwLock::new(index);
        writer.finish_recovery(unfinished, &states, &index).map_err(failed)?;
        let (vkey, writer) = (key.to_string(), Mutex::new(writer));
        Ok(Self { dir: dir.to_owned(), vkey, writer, index, disk, cosigned, _lock: lock })
    }

    /// The log's origin.
    #[must_use]
    pub fn origin(&self) -> String {
        VerifierKey::parse(&self.vkey).map(|key| key.name().to_owned()).unwrap_or_default()
    }

    fn index(&self) -> std::sync::RwLockReadGuard<'_, Index> {
        // The index is changed by infallible pushes only, so a poisoned lock still guards a whole one.
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn stored(&self, id: &str) -> Result<Option<(u64, wal::Stored)>, StoreError> {
        let found = {
            let index = self.index();
            index.ids.get(id).and_then(|seq| Some((*seq, *index.locations.get(usize::try_from(*seq).ok()?)?)))
        };
        let Some((seq, location)) = found else { return Ok(None) };
        wal::read_leaf(&self.dir, location, seq).map(|stored| Some((seq, stored))).map_err(unreadable_now)
    }

    /// The frame in leaf `seq` with the receipt it was given; `None` for a leaf of another type.
    fn committed(&self, seq: u64) -> Result<Option<(Receipt, Bytes)>, StoreError> {
        let found = {
            let index = self.index();
            let at = usize::try_from(seq).ok().and_then(|at| index.locations.get(at).copied());
            at.zip(index.tree.root_at(seq + 1))
        };
        let Some((location, root)) = found else { return Ok(None) };
        let stored = wal::read_leaf(&self.dir, location, seq).map_err(unreadable_now)?;
        let manifest = Manifest::parse(&stored.manifest).map_err(|error| StoreError::Fatal(error.to_string()))?;
        let Leaf::Frame(leaf) = manifest.leaf else { return Ok(None) };
        let checkpoint = Checkpoint { origin: manifest.origin, size: seq + 1, root }.line();
        let receipt = Receipt { frame_id: leaf.frame_id, seq, frame_sha256: leaf.frame_sha256, checkpoint };
        Ok(Some((receipt, stored.frame.into())))
    }

    fn entries(&self, tile: Tile) -> Result<Vec<u8>, StoreError> {
        // Copied, for the writer must not wait until 256 leaves are read.
        let locations = self.index().locations.get(tile.range()).map(<[Location]>::to_vec).unwrap_or_default();
        entries(&self.dir, tile, &locations).map_err(unreadable_now)
    }
}

/// Contents of an entries tile whose leaves lie at `locations`.
pub(super) fn entries(dir: &Path, tile: Tile, locations: &[Location]) -> io::Result<Vec<u8>> {
    let mut contents = Vec::new();
    for (seq, location) in tile.entries().zip(locations) {
        tiles::push_entry(&mut contents, &wal::read_leaf(dir, *location, seq)?.manifest);
    }
    Ok(contents)
}

fn unreadable_now(error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::InvalidData => StoreError::Fatal(error.to_string()),
        _ => StoreError::Retry(error.to_string()),
    }
}

impl Store for Log {
    fn append(&self, frame: &FrameBytes) -> Result<Receipt, StoreError> {
        let stopped = |_| StoreError::Fatal("the writer died".to_owned());
        self.writer.lock().map_err(stopped)?.append(frame, &self.index)
    }

    fn frame(&self, id: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(self.stored(id)?.map(|(_, stored)| stored.frame.into()))
    }

    fn bundle(&self, id: &str) -> Result<Option<Bytes>, StoreError> {
        let Some((seq, stored)) = self.stored(id)? else { return Ok(None) };
        let proof = tiles::proof(&self.index().tree, seq, &stored.note).to_string();
        let bundle = bundle::write(&stored.frame, &stored.manifest, &proof, &stored.note);
        bundle.map(|bytes| Some(bytes.into())).map_err(|error| StoreError::Retry(error.to_string()))
    }

    fn newest(&self, max: usize) -> Result<Vec<(Receipt, Bytes)>, StoreError> {
        let size = self.index().locations.len();
        let leaves = (size.saturating_sub(max)..size).map(|seq| self.committed(seq as u64));
        leaves.filter_map(Result::transpose).collect()
    }

    fn log_file(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        if path == "checkpoint" {
            return Ok(Some(self.index().note.clone().into()));
        }
        if path == "cosigned" {
            return Ok(self.cosigned.lock().unwrap_or_else(PoisonError::into_inner).clone().map(Bytes::from));
        }
        let Some(tile) = Tile::parse(path).filter(|tile| tile.exists_at(self.index().tree.size())) else {
            return Ok(None);
        };
        if tile.level.is_some() {
            return Ok(tile.hashes(&self.index().tree).map(Bytes::from));
        }
        self.entries(tile).map(|contents| Some(contents.into()))
    }

    fn vkey(&self) -> String {
        self.vkey.clone()
    }

    /// The genesis leaf is not counted.
    fn size(&self) -> u64 {
        self.index().tree.size().saturating_sub(1)
    }
}

impl Witnessed for Log {
    fn vkey(&self) -> String {
        self.vkey.clone()
    }

    fn checkpoint(&self) -> String {
        self.index().note.clone()
    }

    fn consistency_proof(&self, old_size: u64, size: u64) -> Option<Vec<Hash>> {
        self.index().tree.consistency_proof(old_size, size)
    }

    fn root_at(&self, size: u64) -> Option<Hash> {
        self.index().tree.root_at(size)
    }

    fn cosigned(&self, checkpoint: &str, line: &str) {
        let mut newest = self.cosigned.lock().unwrap_or_else(PoisonError::into_inner);
        let size =
            |note: &str| split_note(note).ok().and_then(|(text, _)| Checkpoint::parse(text).ok()).map(|it| it.size);
        let under = match newest.as_deref() {
            Some(note) if size(note) > size(checkpoint) => return,
            Some(note) if size(note) == size(checkpoint) => note,
            _ => checkpoint,
        };
        let Some(note) = with_signature(under, line) else { return };
        if let Err(error) = self.disk.replace(&self.dir.join("cosigned"), note.as_bytes()) {
            tracing::warn!(%error, "the cosigned checkpoint is kept in memory only");
        }
        *newest = Some(note);
    }

    fn contradicted(&self, contradicted: &Contradicted) {
        let Contradicted { witness, what, proof } = contradicted;
        let proof = proof.as_deref();
        let (kind, size) = match what {
            Contradiction::RolledBack { size } => ("rolled_back", size),
            Contradiction::Forked { size } => ("forked", size),
        };
        Metric::WitnessContradictions.add(&[("witness", witness), ("kind", kind)], 1);
        tracing::error!(witness, kind, size, proof, "a witness remembers another history of this log");
    }
}

/// The cosigned checkpoint on disk, if it is one of this log as it is.
fn read_cosigned(dir: &Path, key: &VerifierKey, tree: &Tree) -> Option<String> {
    let note = String::from_utf8(read_at_most(&dir.join("cosigned"), NOTE_BYTES_MAX as u64).ok()?).ok()?;
    let checkpoint = key.open_checkpoint(&note).ok()?;
    (tree.root_at(checkpoint.size) == Some(checkpoint.root)).then_some(note)
}

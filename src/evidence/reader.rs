//! Reading a log: frames, bundles, tiles. What is open for writing is read through this, as is what is only looked at.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;

use super::recovery::Leaves;
use super::tiles::Tile;
use super::{bundle, recovery, sha256_hex, tiles, wal, witnessed};
use crate::core::frame::parts::Erased;
use crate::core::manifest::{Leaf, Manifest};
use crate::core::merkle::Tree;
use crate::core::note::Checkpoint;
use crate::engine::store::{Receipt, StoreError};

/// What readers see: everything acknowledged.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) origin: String,
    /// Verifier key of the key in charge.
    pub(super) vkey: String,
    pub(super) tree: Tree,
    pub(super) leaves: Leaves,
    /// The last signed checkpoint.
    pub(super) note: String,
}

/// A log to read from.
#[derive(Debug)]
pub struct Reader {
    dir: PathBuf,
    index: RwLock<Index>,
    /// The newest checkpoint with cosignatures under it.
    pub(super) cosigned: Mutex<Option<String>>,
}

impl Reader {
    /// Reads the log in `dir` as it is, without a key and without changing anything, so also one that a process has
    /// open. Nothing is verified here: see [`super::verify()`].
    ///
    /// # Errors
    /// When there is no log, which begins with `id.json`, or its leaves are damaged.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        let path = dir.join("id.json");
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let genesis = Manifest::parse(&std::fs::read(&path).map_err(named)?);
        let origin = genesis.map_err(|error| invalid(format!("id.json: {error}")))?.origin;
        let scan = recovery::scan(dir, &origin, u64::MAX).map_err(|error| invalid(error.to_string()))?;
        let (vkey, note) = (scan.chain.current().to_string(), scan.note.unwrap_or_default());
        let index = Index { origin, vkey, tree: scan.tree, leaves: scan.leaves, note };
        Ok(Self::new(dir, RwLock::new(index)))
    }

    pub(super) fn new(dir: &Path, index: RwLock<Index>) -> Self {
        let cosigned = witnessed::own_cosigned(dir, &index.read().unwrap_or_else(PoisonError::into_inner));
        Self { dir: dir.to_owned(), index, cosigned: Mutex::new(cosigned) }
    }

    /// Another log begins in the same directory.
    pub(super) fn replace(&self, index: Index) {
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = index;
        *self.cosigned.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn index(&self) -> RwLockReadGuard<'_, Index> {
        // The index is changed by infallible pushes only, so a poisoned lock still guards a whole one.
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn index_lock(&self) -> &RwLock<Index> {
        &self.index
    }

    /// The log's size and root.
    pub(super) fn newest_checkpoint(&self) -> Checkpoint {
        let index = self.index();
        let size = index.tree.size();
        Checkpoint { origin: index.origin.clone(), size, root: index.tree.root_at(size).unwrap_or_default() }
    }

    /// Verifier key of the key in charge, as the log itself names it.
    #[must_use]
    pub fn vkey(&self) -> String {
        self.index().vkey.clone()
    }

    /// What leaf `seq` says; `None` for a leaf that is not here.
    ///
    /// # Errors
    /// When the log can't be read.
    pub fn leaf(&self, seq: u64) -> Result<Option<Leaf>, StoreError> {
        let Some(bytes) = self.entry(seq)? else { return Ok(None) };
        wal::found(&bytes, seq).map(|found| Some(found.manifest.leaf)).map_err(unreadable_now)
    }

    /// The bytes of an entry; `None` for a leaf that is not here.
    fn entry(&self, seq: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(location) = self.index().leaves.location(seq) else { return Ok(None) };
        wal::read(&self.dir, location).map(Some).map_err(unreadable_now)
    }

    /// The bytes of the frame in leaf `seq` as they are now.
    fn frame_bytes(&self, found: &wal::Found<'_>) -> Result<Vec<u8>, StoreError> {
        let seq = found.manifest.seq;
        let index = self.index();
        let damaged = || Erased { seq, at: String::new(), reason: "damaged on disk".to_owned() };
        let gone = |part: &str| index.leaves.erased(seq, part).or_else(|| Some(damaged()));
        recovery::frame_bytes(&found.manifest, &found.slots, gone).map_err(StoreError::Fatal)
    }

    /// The frame in leaf `seq` with the receipt it was given; `None` for a leaf of another type.
    fn committed(&self, seq: u64) -> Result<Option<(Receipt, Bytes)>, StoreError> {
        let Some(bytes) = self.entry(seq)? else { return Ok(None) };
        let found = wal::found(&bytes, seq).map_err(unreadable_now)?;
        let Leaf::Frame(leaf) = &found.manifest.leaf else { return Ok(None) };
        let frame = self.frame_bytes(&found)?;
        let root = self.index().tree.root_at(seq + 1).unwrap_or_default();
        let checkpoint = Checkpoint { origin: found.manifest.origin.clone(), size: seq + 1, root }.line();
        let receipt = Receipt { frame_id: leaf.frame_id.clone(), seq, frame_sha256: sha256_hex(&frame), checkpoint };
        Ok(Some((receipt, frame.into())))
    }

    /// Leaf of a frame that is kept.
    fn seq(&self, id: &str) -> Option<u64> {
        let index = self.index();
        index.leaves.ids.get(id).copied().filter(|seq| *seq >= index.leaves.kept_from)
    }

    /// The bytes of a frame as it is now; `None` when it is not here.
    ///
    /// # Errors
    /// When the log can't be read.
    pub fn frame(&self, id: &str) -> Result<Option<Bytes>, StoreError> {
        let Some(seq) = self.seq(id) else { return Ok(None) };
        Ok(self.committed(seq)?.map(|(_, bytes)| bytes))
    }

    /// The auditor's bundle of a frame; `None` when it is not here.
    ///
    /// # Errors
    /// When the log can't be read.
    pub fn bundle(&self, id: &str) -> Result<Option<Bytes>, StoreError> {
        let Some(seq) = self.seq(id) else { return Ok(None) };
        let Some(bytes) = self.entry(seq)? else { return Ok(None) };
        let found = wal::found(&bytes, seq).map_err(unreadable_now)?;
        let frame = self.frame_bytes(&found)?;
        let cosigned = self.cosigned.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let bundle = bundle::make(&self.dir, &self.index(), cosigned, &found, &frame).map_err(unreadable_now)?;
        Ok(Some(bundle.into()))
    }

    /// How many frames there are that pruning left.
    pub fn frames(&self) -> usize {
        let index = self.index();
        index.leaves.frames.iter().filter(|(seq, _)| *seq >= index.leaves.kept_from).count()
    }

    /// The newest frames with their receipts, oldest first, at most `max`. One that is damaged is left out.
    ///
    /// # Errors
    /// When the log can't be read.
    pub fn newest(&self, max: usize) -> Result<Vec<(Receipt, Bytes)>, StoreError> {
        let frames: Vec<u64> = {
            let index = self.index();
            let kept = index.leaves.frames.iter().rev().map(|(seq, _)| *seq);
            kept.take_while(|seq| *seq >= index.leaves.kept_from).take(max).collect()
        };
        let mut newest = Vec::new();
        for seq in frames.into_iter().rev() {
            match self.committed(seq) {
                Ok(found) => newest.extend(found),
                Err(StoreError::Fatal(error)) => tracing::error!(seq, error, "a frame can't be read back"),
                Err(error) => return Err(error),
            }
        }
        Ok(newest)
    }

    /// A file of the log in the layout of C2SP tlog-tiles; `None` when there is none.
    ///
    /// # Errors
    /// When the log can't be read.
    pub fn log_file(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        if path == "checkpoint" {
            return Ok(Some(self.index().note.clone().into()));
        }
        if path == "cosigned" {
            return Ok(self.cosigned.lock().unwrap_or_else(PoisonError::into_inner).clone().map(Bytes::from));
        }
        let index = self.index();
        let Some(tile) = Tile::parse(path).filter(|tile| tile.exists_at(index.tree.size())) else {
            return Ok(None);
        };
        if tile.level.is_some() {
            return Ok(tile.hashes(&index.tree).map(Bytes::from));
        }
        entries(&self.dir, tile, &index.leaves).map(|contents| contents.map(Bytes::from)).map_err(unreadable_now)
    }
}

/// Contents of an entries tile; `None` when leaves of it are pruned.
pub(super) fn entries(dir: &Path, tile: Tile, leaves: &Leaves) -> io::Result<Option<Vec<u8>>> {
    if tile.entries().start < leaves.first {
        return Ok(None);
    }
    let mut contents = Vec::new();
    push_entries(&mut contents, dir, tile.entries(), leaves)?;
    Ok(Some(contents))
}

/// Appends the entries of leaves that lie here to the contents of a tile.
pub(super) fn push_entries(contents: &mut Vec<u8>, dir: &Path, range: Range<u64>, leaves: &Leaves) -> io::Result<()> {
    for (seq, location) in leaves.range(range) {
        tiles::push_entry(contents, &wal::read_manifest(dir, location, seq)?);
    }
    Ok(())
}

fn unreadable_now(error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::InvalidData => StoreError::Fatal(error.to_string()),
        _ => StoreError::Retry(error.to_string()),
    }
}

//! The log while it is open: appending goes to the writer, reading to the index and the segments.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;

use super::durable::Disk;
use super::keys::{Entropy, Fit, Signers};
use super::recovery::{Leaves, Scan};
use super::start::{self, Broken, OpenError, Reading};
use super::succession::Succession;
use super::tiles::Tile;
use super::wal::{self, SEGMENT_BYTES};
use super::writer::{Left, Writer};
use super::{bundle, recovery, sha256_hex, tiles, witnessed};
use crate::config::Evidence;
use crate::core::frame::parts::Erased;
use crate::core::manifest::Leaf;
use crate::core::merkle::Tree;
use crate::core::note::Checkpoint;
use crate::core::time::UnixNanos;
use crate::engine::store::{Condition, EraseOrder, FrameBytes, Receipt, Store, StoreError};
use crate::metrics::Metric;

/// What readers see: everything acknowledged.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) origin: String,
    pub(super) tree: Tree,
    pub(super) leaves: Leaves,
    /// The last signed checkpoint.
    pub(super) note: String,
}

/// A transparency log of freeze frames in a directory. One process at a time may have it open; appends come one at a
/// time and block until durable, reads never wait for them.
#[derive(Debug)]
pub struct Log {
    dir: PathBuf,
    writer: Mutex<Writer>,
    index: RwLock<Index>,
    /// The newest checkpoint with cosignatures under it.
    pub(super) cosigned: Mutex<Option<String>>,
    config: Evidence,
    pub(super) options: Options,
    _lock: File,
}

/// What tests change.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) disk: Disk,
    pub(super) segment_bytes: u64,
    /// Frames that can still be committed once the disk is full.
    pub(super) reserve_frames: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { disk: Disk::default(), segment_bytes: SEGMENT_BYTES, reserve_frames: 32 }
    }
}

impl Log {
    /// Opens the log in `dir`, makes it when there is none, and repairs what a crash left. Opening verifies: every
    /// leaf is read, hashed and compared with what was signed before anything is signed again. A log that can't be
    /// continued is left as it is, and another one begins. `now` goes into leaves.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(dir: &Path, config: &Evidence, now: UnixNanos, entropy: Entropy) -> Result<Self, OpenError> {
        Self::open_with(dir, config, now, entropy, &Options::default())
    }

    pub(super) fn open_with(
        dir: &Path,
        config: &Evidence,
        now: UnixNanos,
        entropy: Entropy,
        options: &Options,
    ) -> Result<Self, OpenError> {
        let failed = |error| OpenError::Io { path: dir.to_owned(), error };
        options.disk.create_directory(dir).map_err(failed)?;
        let lock = start::lock(dir)?;
        let (writer, index) = go_on(dir, config, now, entropy, options)?;
        let cosigned = Mutex::new(witnessed::read_cosigned(dir, &read(&index)));
        let (dir, config, options) = (dir.to_owned(), config.clone(), options.clone());
        Ok(Self { dir, writer: Mutex::new(writer), index, cosigned, config, options, _lock: lock })
    }

    /// Leaves the log as it is and begins another one, because somebody remembers another history of it.
    pub(super) fn supersede(&self, broken: Broken, now: UnixNanos) -> Result<(), OpenError> {
        let failed = |error| OpenError::Io { path: self.dir.clone(), error };
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // From here on nothing is signed under the old origin, whatever fails.
        let entropy = writer.stop(format!("{}: {}", broken.kind.as_str(), broken.what));
        Metric::LogIncidents.add(&[("kind", broken.kind.as_str())], 1);
        drop(Succession::begin(&self.options.disk, &self.dir, broken).map_err(failed)?);
        let (fresh, index) = go_on(&self.dir, &self.config, now, entropy, &self.options)?;
        *writer = fresh;
        *self.index.write().unwrap_or_else(PoisonError::into_inner) =
            index.into_inner().unwrap_or_else(PoisonError::into_inner);
        *self.cosigned.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }

    /// The log's origin.
    #[must_use]
    pub fn origin(&self) -> String {
        self.index().origin.clone()
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The log's size and root.
    pub(super) fn newest_checkpoint(&self) -> Checkpoint {
        let index = self.index();
        let size = index.tree.size();
        Checkpoint { origin: index.origin.clone(), size, root: index.tree.root_at(size).unwrap_or_default() }
    }

    pub(super) fn index(&self) -> std::sync::RwLockReadGuard<'_, Index> {
        // The index is changed by infallible pushes only, so a poisoned lock still guards a whole one.
        read(&self.index)
    }

    fn writer(&self) -> Result<MutexGuard<'_, Writer>, StoreError> {
        self.writer.lock().map_err(|_| StoreError::Fatal("the writer died".to_owned()))
    }

    /// Keeps no frame before leaf `below` any longer, and returns the leaf that says so.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn prune(&self, below: u64, reason: &str, now: UnixNanos) -> Result<u64, StoreError> {
        self.writer()?.prune(below, reason, now, &self.index)
    }

    /// First leaf of the frames captured at `time` or later; the log's size when there are none.
    #[must_use]
    pub fn first_since(&self, time: UnixNanos) -> u64 {
        let index = self.index();
        let old = index.leaves.frames.partition_point(|(_, captured_at)| *captured_at < time);
        index.leaves.frames.get(old).map_or(index.tree.size(), |(seq, _)| *seq)
    }

    /// Makes the key that takes the place of the current one at the next opening.
    ///
    /// # Errors
    /// The file system's.
    pub fn make_next_key(&self) -> Result<(), StoreError> {
        self.writer()?.make_next_key()
    }

    /// Destroys the previous key, so that the current one alone signs from the next opening on; `false` when there is
    /// none.
    ///
    /// # Errors
    /// The file system's.
    pub fn forget_previous_key(&self) -> Result<bool, StoreError> {
        self.writer()?.forget_previous_key()
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
        recovery::check_frame(&found.manifest, &found.slots, gone).map_err(StoreError::Fatal)
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
}

/// Reads the log, or begins one, and makes it ready for writing.
fn go_on(
    dir: &Path,
    config: &Evidence,
    now: UnixNanos,
    mut entropy: Entropy,
    options: &Options,
) -> Result<(Writer, RwLock<Index>), OpenError> {
    let failed = |error| OpenError::Io { path: dir.to_owned(), error };
    let disk = &options.disk;
    let mut succession = Succession::pending(dir).map_err(failed)?;
    loop {
        if let Some(under_way) = succession.take() {
            let moved = under_way.move_away(disk, dir).map_err(failed)?;
            if !dir.join("id.json").try_exists().map_err(failed)? {
                start::first_start(dir, config, now, &mut entropy, options, Some(&moved.broken))?;
            }
            moved.end(disk, dir).map_err(failed)?;
        }
        let broken = if dir.join("id.json").try_exists().map_err(failed)? {
            start::remove_temporary_files(dir).map_err(failed)?;
            match start::read(dir, config, disk)? {
                Reading::Broken(broken) => broken,
                Reading::Whole(scan, signers, fit) => {
                    return open_whole(dir, config, now, entropy, options, (*scan, *signers, fit)).map_err(failed);
                }
            }
        } else if let Some(broken) = start::without_identity(dir).map_err(failed)? {
            broken
        } else {
            start::first_start(dir, config, now, &mut entropy, options, None)?;
            continue;
        };
        Metric::LogIncidents.add(&[("kind", broken.kind.as_str())], 1);
        tracing::error!(
            kind = broken.kind.as_str(),
            what = broken.what,
            origin = broken.newest.origin,
            size = broken.newest.size,
            "this log can't be continued; it is kept under superseded/ and another one begins"
        );
        succession = Some(Succession::begin(disk, dir, broken).map_err(failed)?);
    }
}

fn open_whole(
    dir: &Path,
    config: &Evidence,
    now: UnixNanos,
    entropy: Entropy,
    options: &Options,
    (mut scan, signers, fit): (Scan, Signers, Fit),
) -> io::Result<(Writer, RwLock<Index>)> {
    let damaged = scan.damaged_parts();
    let left = Left { unfinished: scan.unfinished.take(), states: std::mem::take(&mut scan.segments), damaged, fit };
    let note = scan.note.take().unwrap_or_default();
    let origin = signers.origin().to_owned();
    let index = Index { origin, tree: scan.tree, leaves: scan.leaves, note };
    let retention = config.retention.clone();
    let mut writer = Writer::open(dir, signers, scan.chain, entropy, options, retention, &index, &left, now)?;
    let index = RwLock::new(index);
    writer.finish_recovery(left, now, &index).map_err(io::Error::other)?;
    Ok((writer, index))
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

fn read(index: &RwLock<Index>) -> std::sync::RwLockReadGuard<'_, Index> {
    index.read().unwrap_or_else(PoisonError::into_inner)
}

fn unreadable_now(error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::InvalidData => StoreError::Fatal(error.to_string()),
        _ => StoreError::Retry(error.to_string()),
    }
}

impl Store for Log {
    fn append(&self, frame: &FrameBytes) -> Result<Receipt, StoreError> {
        self.writer()?.append(frame, &self.index)
    }

    fn record(&self, leaf: &Leaf) -> Result<u64, StoreError> {
        self.writer()?.record(leaf, &self.index)
    }

    fn erase(&self, order: &EraseOrder) -> Result<u64, StoreError> {
        self.writer()?.erase(order, &self.index)
    }

    fn maintain(&self, now: UnixNanos, lost: u64) -> Result<Condition, StoreError> {
        self.writer()?.maintain(now, lost, &self.index)
    }

    fn frame(&self, id: &str) -> Result<Option<Bytes>, StoreError> {
        let Some(seq) = self.seq(id) else { return Ok(None) };
        Ok(self.committed(seq)?.map(|(_, bytes)| bytes))
    }

    fn bundle(&self, id: &str) -> Result<Option<Bytes>, StoreError> {
        let Some(seq) = self.seq(id) else { return Ok(None) };
        let Some(bytes) = self.entry(seq)? else { return Ok(None) };
        let found = wal::found(&bytes, seq).map_err(unreadable_now)?;
        let frame = self.frame_bytes(&found)?;
        let cosigned = self.cosigned.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let bundle = bundle::make(&self.dir, &self.index(), cosigned, &found, &frame).map_err(unreadable_now)?;
        Ok(Some(bundle.into()))
    }

    fn newest(&self, max: usize) -> Result<Vec<(Receipt, Bytes)>, StoreError> {
        let frames: Vec<u64> = {
            let index = self.index();
            let kept = index.leaves.frames.iter().map(|(seq, _)| *seq).filter(|seq| *seq >= index.leaves.kept_from);
            let kept: Vec<u64> = kept.collect();
            kept[kept.len().saturating_sub(max)..].to_vec()
        };
        frames.into_iter().map(|seq| self.committed(seq)).filter_map(Result::transpose).collect()
    }

    fn log_file(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
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

    fn vkey(&self) -> String {
        self.writer.lock().map(|writer| writer.vkey()).unwrap_or_default()
    }

    /// Frames committed; leaves of other types are not counted.
    fn size(&self) -> u64 {
        self.index().leaves.frames_total()
    }
}

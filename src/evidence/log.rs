//! The log while it is open: appending goes to the writer, reading to the index and the segments.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;

use super::durable::Disk;
use super::keys::{Entropy, Fit, Signers};
use super::reader::{Index, Reader};
use super::recovery::Scan;
use super::start::{self, Broken, OpenError, Reading};
use super::succession::{self, Succession};
use super::wal::SEGMENT_BYTES;
use super::writer::{Left, Writer};
use crate::config::Evidence;
use crate::core::manifest::Leaf;
use crate::core::time::UnixNanos;
use crate::engine::store::{Condition, EraseOrder, FrameBytes, Receipt, Store, StoreError};
use crate::metrics::Metric;

/// A transparency log of freeze frames in a directory. One process at a time may have it open; appends come one at a
/// time and block until durable, reads never wait for them.
#[derive(Debug)]
pub struct Log {
    pub(super) reader: Reader,
    writer: Mutex<Writer>,
    /// Logs that this one took the place of, oldest first; still read from.
    superseded: RwLock<Vec<Reader>>,
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
        if !dir.is_dir() {
            options.disk.create_directory(dir).map_err(failed)?;
        }
        let lock = start::lock(dir)?;
        let (writer, index) = go_on(dir, config, now, entropy, options)?;
        let (reader, superseded) = (Reader::new(dir, index), RwLock::new(succession::read_superseded(dir)));
        let (config, options) = (config.clone(), options.clone());
        Ok(Self { reader, writer: Mutex::new(writer), superseded, config, options, _lock: lock })
    }

    /// Leaves the log as it is and begins another one, because somebody remembers another history of it.
    pub(super) fn supersede(&self, broken: Broken, now: UnixNanos) -> Result<(), OpenError> {
        let dir = self.reader.dir();
        let failed = |error| OpenError::Io { path: dir.to_owned(), error };
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // From here on nothing is signed under the old origin, whatever fails.
        let entropy = writer.stop(format!("{}: {}", broken.kind.as_str(), broken.what));
        Metric::LogIncidents.add(&[("kind", broken.kind.as_str())], 1);
        drop(Succession::begin(&self.options.disk, dir, broken).map_err(failed)?);
        let (fresh, index) = go_on(dir, &self.config, now, entropy, &self.options)?;
        *writer = fresh;
        *self.superseded.write().unwrap_or_else(PoisonError::into_inner) = succession::read_superseded(dir);
        self.reader.replace(index.into_inner().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }

    /// The log's origin.
    #[must_use]
    pub fn origin(&self) -> String {
        self.index().origin.clone()
    }

    pub(super) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.reader.index()
    }

    /// Asks this log, then those it took the place of, the newest first.
    fn first_found<T>(&self, ask: impl Fn(&Reader) -> Result<Option<T>, StoreError>) -> Result<Option<T>, StoreError> {
        match ask(&self.reader)? {
            None => superseded(&self.superseded).iter().rev().find_map(|reader| ask(reader).transpose()).transpose(),
            found => Ok(found),
        }
    }

    /// What leaf `seq` says; `None` for a leaf that is not here.
    ///
    /// # Errors
    /// When the log can't be read.
    pub fn leaf(&self, seq: u64) -> Result<Option<Leaf>, StoreError> {
        self.reader.leaf(seq)
    }

    fn writer(&self) -> Result<MutexGuard<'_, Writer>, StoreError> {
        self.writer.lock().map_err(|_| StoreError::Fatal("the writer died".to_owned()))
    }

    /// Keeps no frame before leaf `below` any longer, and returns the leaf that says so.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn prune(&self, below: u64, reason: &str, now: UnixNanos) -> Result<u64, StoreError> {
        self.writer()?.prune(below, reason, now, self.reader.index_lock())
    }

    /// The leaf before which every frame was captured before `time`, to prune below; 0 when there is none.
    #[must_use]
    pub fn captured_before(&self, time: UnixNanos) -> u64 {
        self.index().leaves.captured_before(time)
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
}

fn superseded(readers: &RwLock<Vec<Reader>>) -> RwLockReadGuard<'_, Vec<Reader>> {
    readers.read().unwrap_or_else(PoisonError::into_inner)
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
    start::settle(dir, disk).map_err(failed)?;
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
            start::remove_temporary_files(dir, disk).map_err(failed)?;
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
    let (origin, vkey) = (signers.origin().to_owned(), scan.chain.current().to_string());
    let index = Index { origin, vkey, tree: scan.tree, leaves: scan.leaves, note };
    let retention = config.retention.clone();
    let mut writer = Writer::open(dir, signers, scan.chain, entropy, options, retention, &index, &left, now)?;
    let index = RwLock::new(index);
    writer.finish_recovery(left, now, &index).map_err(io::Error::other)?;
    Ok((writer, index))
}

impl Store for Log {
    fn append(&self, frame: &FrameBytes) -> Result<Receipt, StoreError> {
        self.writer()?.append(frame, self.reader.index_lock())
    }

    fn record(&self, leaf: &Leaf) -> Result<u64, StoreError> {
        self.writer()?.record(leaf, self.reader.index_lock())
    }

    fn erase(&self, order: &EraseOrder) -> Result<u64, StoreError> {
        self.writer()?.erase(order, self.reader.index_lock())
    }

    fn maintain(&self, now: UnixNanos, lost: u64) -> Result<Condition, StoreError> {
        self.writer()?.maintain(now, lost, self.reader.index_lock())
    }

    fn frame(&self, id: &str) -> Result<Option<Bytes>, StoreError> {
        self.first_found(|reader| reader.frame(id))
    }

    fn bundle(&self, id: &str) -> Result<Option<Bytes>, StoreError> {
        self.first_found(|reader| reader.bundle(id))
    }

    fn newest(&self, max: usize) -> Result<Vec<(Receipt, Bytes)>, StoreError> {
        let mut newest = self.reader.newest(max)?;
        for reader in superseded(&self.superseded).iter().rev() {
            let older = reader.newest(max - newest.len())?;
            newest.splice(0..0, older);
        }
        Ok(newest)
    }

    fn log_file(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        self.reader.log_file(path)
    }

    fn vkey(&self) -> String {
        self.reader.index().vkey.clone()
    }

    /// Frames committed; leaves of other types are not counted.
    fn size(&self) -> u64 {
        self.reader.index().leaves.frames_total()
    }
}

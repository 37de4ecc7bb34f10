//! The log open for appending: first start, recovery, commits, and reading back.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};

use bytes::Bytes;
use thiserror::Error;

use super::durable::{Disk, TEMPORARY};
use super::head::{self, Head};
use super::keys::{self, Entropy};
use super::recovery::{self, Scan, ScanError};
use super::tiles::Tile;
use super::wal::{self, Location, SEGMENT_BYTES, Segment};
use super::writer::Writer;
use super::{bundle, files_below, remove, tiles};
use crate::config::Evidence;
use crate::core::manifest::{Leaf, Manifest, ManifestError};
use crate::core::merkle::{Tree, leaf_hash};
use crate::core::note::{Checkpoint, Signer, is_key_name};
use crate::core::time::UnixNanos;
use crate::engine::store::{FrameBytes, Receipt, Store, StoreError};

/// Longest origin: a checkpoint must fit one block.
const ORIGIN_BYTES_MAX: usize = 512;

/// Why a log can't be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("{0}: another process has this log open")]
    Locked(PathBuf),
    /// The configured origin is none.
    #[error("evidence.origin {0:?}: want at most {ORIGIN_BYTES_MAX} bytes without spaces, control characters or '+'")]
    Origin(String),
    /// The key can't be read, or is not the log's.
    #[error("the log's key: {0}")]
    Key(String),
    /// The file system.
    #[error("{path}: {error}", path = path.display())]
    Io {
        /// The log's directory.
        path: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
    /// Committed leaves are altered or missing. Nothing was changed and nothing will be signed.
    #[error(
        "{path}: the log is damaged: {what}. Nothing was changed. Restore the directory, or keep it for \
         `freezeframe verify` and start with an empty data directory, which begins a new log; going on under a \
         new origin in the same directory is not supported yet",
        path = path.display()
    )]
    Damaged {
        /// The log's directory.
        path: PathBuf,
        /// Where and what.
        what: String,
    },
    /// The log is older than a checkpoint it signed. Nothing was changed and nothing will be signed.
    #[error(
        "{path}: the log was rolled back: {what}. To sign on would fork it. Nothing was changed. Restore the newer \
         copy, or start with an empty data directory, which begins a new log; going on under a new origin in the \
         same directory is not supported yet",
        path = path.display()
    )]
    RolledBack {
        /// The log's directory.
        path: PathBuf,
        /// Which memory is newer.
        what: String,
    },
}

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
        let lock = lock(dir)?;
        if !dir.join("id.json").exists() {
            first_start(dir, config, now, &mut entropy, &options)?;
        }
        let signer = signer(dir, config, disk)?;
        remove_temporary_files(dir).map_err(failed)?;
        let key = signer.verifier().clone();
        let slots = head::read(dir, &key).map_err(failed)?;
        let head = slots.latest.ok_or_else(|| damaged(dir, slots.findings.join("; ")))?;
        let published = recovery::published(dir, &key);
        let acknowledged = published.as_ref().map_or(head.size, |published| published.size.max(head.size));
        let mut scan = recovery::scan(dir, &key, acknowledged, &mut |_| {}).map_err(|error| unreadable(dir, error))?;
        check_memories(dir, &scan, [("head", Some(head)), ("`checkpoint`", published)])?;
        let unfinished = scan.unfinished.take();
        let states = std::mem::take(&mut scan.segments);
        let note = scan.note.take().ok_or_else(|| damaged(dir, "there are no leaves".to_owned()))?;
        let index = Index { tree: scan.tree, locations: scan.locations, ids: scan.ids, note };
        let mut writer = Writer::recover(dir, signer, entropy, options, &index, &states).map_err(failed)?;
        let index = RwLock::new(index);
        writer.finish_recovery(unfinished, &states, &index).map_err(failed)?;
        Ok(Self { dir: dir.to_owned(), vkey: key.to_string(), writer: Mutex::new(writer), index, _lock: lock })
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

    fn entries(&self, tile: Tile) -> Result<Vec<u8>, StoreError> {
        let locations = {
            let index = self.index();
            let at = |seq: u64| usize::try_from(seq).unwrap_or(usize::MAX).min(index.locations.len());
            index.locations[at(tile.entries().start)..at(tile.entries().end)].to_vec()
        };
        entries(&self.dir, tile, &locations).map_err(unreadable_now)
    }
}

/// Contents of an entries tile.
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

    fn log_file(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        if path == "checkpoint" {
            return Ok(Some(self.index().note.clone().into()));
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

fn damaged(dir: &Path, what: String) -> OpenError {
    OpenError::Damaged { path: dir.to_owned(), what }
}

fn unreadable(dir: &Path, error: ScanError) -> OpenError {
    match error {
        ScanError::Io(error) => OpenError::Io { path: dir.to_owned(), error },
        ScanError::Damaged(what) => damaged(dir, what),
    }
}

fn lock(dir: &Path) -> Result<File, OpenError> {
    let failed = |error| OpenError::Io { path: dir.join("LOCK"), error };
    let file = File::options().create(true).truncate(false).write(true).open(dir.join("LOCK")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Makes the log: key, first segments, genesis leaf, head, and last of all `id.json`. Cut short, it starts over with
/// another volume id, hence another origin; what the first attempt left is set aside.
fn first_start(
    dir: &Path,
    config: &Evidence,
    now: UnixNanos,
    entropy: &mut Entropy,
    options: &Options,
) -> Result<(), OpenError> {
    let failed = |error| OpenError::Io { path: dir.to_owned(), error };
    let disk = &options.disk;
    if head::claimed_size(dir) > 1 {
        return Err(damaged(dir, format!("id.json is missing, but the head knows {} leaves", head::claimed_size(dir))));
    }
    let mut seed = [0; 32];
    entropy(&mut seed).map_err(failed)?;
    let seed = keys::seed(disk, dir, config.key_file.as_deref(), Some(seed))
        .map_err(|error| OpenError::Key(error.to_string()))?;
    let mut volume = [0; 16];
    entropy(&mut volume).map_err(failed)?;
    let volume = uuid::Builder::from_random_bytes(volume).into_uuid().to_string();
    set_aside_first_attempt(dir, disk, &volume).map_err(failed)?;
    let origin = format!("{}/{volume}", config.origin.trim_end_matches('/'));
    let signer = Signer::from_seed(&origin, &seed)
        .filter(|_| origin.len() <= ORIGIN_BYTES_MAX && is_key_name(&config.origin))
        .ok_or_else(|| OpenError::Origin(config.origin.clone()))?;
    let leaf = Leaf::Genesis { volume, vkey: signer.verifier().to_string(), created_at: now.to_string() };
    let genesis = Manifest { origin, seq: 0, leaf };
    let bytes = genesis.encode().map_err(|error: ManifestError| OpenError::Origin(error.to_string()))?;
    let note = signer.sign_checkpoint(1, leaf_hash(&bytes));
    commit_genesis(dir, &genesis, &bytes, &note, entropy, options).map_err(failed)
}

fn commit_genesis(
    dir: &Path,
    genesis: &Manifest,
    bytes: &[u8],
    note: &str,
    entropy: &mut Entropy,
    options: &Options,
) -> io::Result<()> {
    let disk = &options.disk;
    disk.create_directory(&dir.join("wal"))?;
    let mut id = [0; 16];
    entropy(&mut id)?;
    let mut segment = Segment::create(disk, dir, 1, id, &genesis.origin, options.segment_bytes)?;
    segment.append(disk, 0, &wal::leaf_payload(bytes, &[]), note)?;
    Head::create(disk, dir, note, 1)?;
    disk.publish(&dir.join("id.json"), 0o644, [bytes])?;
    Ok(())
}

/// Removes files that a crash left before they were published.
fn remove_temporary_files(dir: &Path) -> io::Result<()> {
    let mut paths = vec!["head".to_owned(), "id.json".to_owned(), "checkpoint".to_owned()];
    paths.iter_mut().for_each(|path| path.push_str(TEMPORARY));
    for below in ["wal", "frames", "tile"] {
        paths.extend(files_below(dir, below)?.into_iter().filter(|path| path.ends_with(TEMPORARY)));
    }
    paths.iter().try_for_each(|path| remove(&dir.join(path)))
}

fn set_aside_first_attempt(dir: &Path, disk: &Disk, volume: &str) -> io::Result<()> {
    let aside = dir.join("quarantine").join(format!("first-start-{volume}"));
    for name in ["wal", "head"] {
        if dir.join(name).exists() {
            disk.create_directory(&aside)?;
            std::fs::rename(dir.join(name), aside.join(name))?;
        }
    }
    Ok(())
}

/// The signer for the origin in `id.json`, which the key must fit.
fn signer(dir: &Path, config: &Evidence, disk: &Disk) -> Result<Signer, OpenError> {
    let bytes = std::fs::read(dir.join("id.json")).map_err(|error| OpenError::Io { path: dir.to_owned(), error })?;
    let genesis = Manifest::parse(&bytes).map_err(|error| damaged(dir, format!("id.json: {error}")))?;
    let Leaf::Genesis { volume, vkey, .. } = &genesis.leaf else {
        return Err(damaged(dir, "id.json is not a genesis leaf".to_owned()));
    };
    if genesis.origin != format!("{}/{volume}", config.origin.trim_end_matches('/')) {
        tracing::warn!(origin = genesis.origin, configured = config.origin, "the log keeps the origin it began with");
    }
    let seed =
        keys::seed(disk, dir, config.key_file.as_deref(), None).map_err(|error| OpenError::Key(error.to_string()))?;
    let signer = Signer::from_seed(&genesis.origin, &seed)
        .ok_or_else(|| damaged(dir, "id.json names no possible origin".to_owned()))?;
    if signer.verifier().to_string() != *vkey {
        return Err(OpenError::Key(format!("it is not the key this log began with, {vkey}")));
    }
    Ok(signer)
}

/// Compares the leaves with everything that remembers a checkpoint: the head, the genesis in `id.json`, and the
/// derived checkpoint file.
fn check_memories(dir: &Path, scan: &Scan, memories: [(&str, Option<Checkpoint>); 2]) -> Result<(), OpenError> {
    let size = scan.tree.size();
    let remembered = memories.into_iter().filter_map(|(name, checkpoint)| Some((name, checkpoint?)));
    for (name, checkpoint) in remembered {
        match scan.tree.root_at(checkpoint.size) {
            Some(root) if root == checkpoint.root => {}
            Some(_) => return Err(damaged(dir, format!("the {name} signs another tree at size {}", checkpoint.size))),
            None => {
                let what = format!("the {name} has signed {} leaves, {size} are left", checkpoint.size);
                let torn = scan.segments.iter().any(|segment| segment.torn);
                let rolled_back = |what| OpenError::RolledBack { path: dir.to_owned(), what };
                return Err(if torn { damaged(dir, what) } else { rolled_back(what) });
            }
        }
    }
    let id = std::fs::read(dir.join("id.json")).unwrap_or_default();
    if scan.tree.subtree(0, 0) == Some(leaf_hash(&id)) {
        Ok(())
    } else {
        Err(damaged(dir, "id.json is not the genesis leaf".to_owned()))
    }
}

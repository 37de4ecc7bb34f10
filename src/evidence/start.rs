//! Before the log is open: making it, finding its key, and everything that can forbid opening it.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::durable::{Disk, TEMPORARY};
use super::head::{self, Head};
use super::keys::{self, Entropy};
use super::log::Options;
use super::recovery::{Scan, ScanError};
use super::wal::{self, Segment};
use super::{files_below, remove};
use crate::config::Evidence;
use crate::core::manifest::{Leaf, Manifest, ManifestError};
use crate::core::merkle::leaf_hash;
use crate::core::note::{Checkpoint, Signer, is_key_name};
use crate::core::time::UnixNanos;

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

pub(super) fn damaged(dir: &Path, what: String) -> OpenError {
    OpenError::Damaged { path: dir.to_owned(), what }
}

pub(super) fn unreadable(dir: &Path, error: ScanError) -> OpenError {
    match error {
        ScanError::Io(error) => OpenError::Io { path: dir.to_owned(), error },
        ScanError::Damaged(what) => damaged(dir, what),
    }
}

pub(super) fn lock(dir: &Path) -> Result<File, OpenError> {
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
pub(super) fn first_start(
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
pub(super) fn remove_temporary_files(dir: &Path) -> io::Result<()> {
    let mut paths = ["head", "id.json", "checkpoint", "cosigned"].map(str::to_owned).to_vec();
    paths.iter_mut().for_each(|path| path.push_str(TEMPORARY));
    for below in ["wal", "frames", "tile", "peers"] {
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
pub(super) fn signer(dir: &Path, config: &Evidence, disk: &Disk) -> Result<Signer, OpenError> {
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
pub(super) fn check_memories(
    dir: &Path,
    scan: &Scan,
    memories: [(&str, Option<Checkpoint>); 2],
) -> Result<(), OpenError> {
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

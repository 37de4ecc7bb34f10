//! Before the log is open: making it, finding its key, reading it, and everything that can forbid going on with it.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::durable::{Disk, TEMPORARY};
use super::files_below;
use super::head::{self, Head};
use super::keys::{Entropy, Fit, Seeds, Signers};
use super::log::Options;
use super::recovery::{self, Scan, ScanError};
use super::wal::{Entry, Segment, segment_for};
use crate::config::Evidence;
use crate::core::manifest::{IncidentKind, Leaf, Manifest};
use crate::core::merkle::{Tree, leaf_hash};
use crate::core::note::{Checkpoint, is_key_name};
use crate::core::time::UnixNanos;

/// Longest origin: a checkpoint must fit one block.
const ORIGIN_BYTES_MAX: usize = 512;

/// Leaves that the first start commits before the log has its identity.
const FIRST_LEAVES_MAX: u64 = 2;

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
}

/// Why a log can't be continued. Nothing was changed, and nothing may be signed under its origin again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) kind: IncidentKind,
    /// Where and what.
    pub(super) what: String,
    /// The newest checkpoint of the log that is known.
    pub(super) newest: Checkpoint,
}

/// What reading a log for going on with it comes to.
pub(super) enum Reading {
    /// It can be continued.
    Whole(Box<Scan>, Box<Signers>, Fit),
    /// It can't.
    Broken(Broken),
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
/// another volume id, hence another origin; what the first attempt left is set aside. A log that takes the place of a
/// broken one says so in its second leaf.
pub(super) fn first_start(
    dir: &Path,
    config: &Evidence,
    now: UnixNanos,
    entropy: &mut Entropy,
    options: &Options,
    broken: Option<&Broken>,
) -> Result<(), OpenError> {
    let failed = |error| OpenError::Io { path: dir.to_owned(), error };
    let disk = &options.disk;
    let seeds = Seeds::load_or_make(disk, dir, config, entropy).map_err(|error| OpenError::Key(error.to_string()))?;
    let mut volume = [0; 16];
    entropy(&mut volume).map_err(failed)?;
    let volume = uuid::Builder::from_random_bytes(volume).into_uuid().to_string();
    set_aside_first_attempt(dir, disk, &volume).map_err(failed)?;
    let origin = format!("{}/{volume}", config.origin.trim_end_matches('/'));
    let signers = seeds
        .signers(&origin)
        .filter(|_| origin.len() <= ORIGIN_BYTES_MAX && is_key_name(&config.origin))
        .ok_or_else(|| OpenError::Origin(config.origin.clone()))?;
    let vkey = signers.current.verifier().to_string();
    let mut leaves = vec![Leaf::Genesis { volume, vkey, created_at: now.to_string() }];
    leaves.extend(broken.map(|broken| Leaf::Incident {
        at: now.to_string(),
        kind: broken.kind,
        what: broken.what.clone(),
        continues: broken.newest.clone(),
    }));
    commit_first(dir, leaves, &signers, entropy, options).map_err(failed)
}

fn commit_first(
    dir: &Path,
    leaves: Vec<Leaf>,
    signers: &Signers,
    entropy: &mut Entropy,
    options: &Options,
) -> io::Result<()> {
    let disk = &options.disk;
    disk.create_directory(&dir.join("wal"))?;
    let mut id = [0; 16];
    entropy(&mut id)?;
    let mut segment = Segment::create(disk, dir, 1, id, signers.origin(), options.segment_bytes)?;
    let (mut tree, mut genesis, mut note) = (Tree::default(), Vec::new(), String::new());
    for (seq, leaf) in (0..).zip(leaves) {
        let previous_root = tree.root_at(seq).filter(|_| seq > 0);
        let manifest = Manifest { origin: signers.origin().to_owned(), seq, previous_root, leaf };
        let bytes = manifest.encode().map_err(io::Error::other)?;
        tree.push(leaf_hash(&bytes));
        note = signers.sign_checkpoint(seq + 1, tree.root_at(seq + 1).unwrap_or_default());
        let entry = Entry { seq, manifest: &bytes, parts: &[], note: &note };
        if !segment.has_room(entry.padded()) {
            return Err(io::Error::other(format!("a segment needs {} bytes", segment_for(entry.padded()))));
        }
        segment.append(disk, &entry)?;
        if seq == 0 {
            genesis = bytes;
        }
    }
    Head::create(disk, dir, &note, tree.size())?;
    disk.publish(&dir.join("id.json"), 0o644, [&genesis[..]])?;
    Ok(())
}

/// Makes durable what another process may have left in the page cache, names and contents, so that nothing is read that
/// a power cut could still take back.
pub(super) fn settle(dir: &Path, disk: &Disk) -> io::Result<()> {
    let directories = ["", "wal", "keys", "quarantine", "superseded"].map(|name| dir.join(name));
    directories.iter().filter(|path| path.is_dir()).try_for_each(|path| disk.sync_directory(path))?;
    let files = files_below(dir, "wal")?.into_iter().chain(["head".to_owned()]).map(|path| dir.join(path));
    files.filter(|path| path.exists()).try_for_each(|path| disk.settle(&path))
}

/// Removes files that a crash left before they were published.
pub(super) fn remove_temporary_files(dir: &Path, disk: &Disk) -> io::Result<()> {
    let mut paths = ["head", "id.json", "checkpoint", "pruned", "cosigned", "successor"].map(str::to_owned).to_vec();
    paths.iter_mut().for_each(|path| path.push_str(TEMPORARY));
    for below in ["wal", "tile", "peers", "keys", "quarantine"] {
        paths.extend(files_below(dir, below)?.into_iter().filter(|path| path.ends_with(TEMPORARY)));
    }
    paths.iter().try_for_each(|path| disk.wipe(&dir.join(path)))
}

fn set_aside_first_attempt(dir: &Path, disk: &Disk, volume: &str) -> io::Result<()> {
    let aside = dir.join("quarantine").join(format!("first-start-{volume}"));
    for name in ["wal", "head"] {
        if dir.join(name).try_exists()? {
            disk.create_directory(&dir.join("quarantine"))?;
            disk.create_directory(&aside)?;
            disk.rename(&dir.join(name), &aside.join(name))?;
        }
    }
    Ok(())
}

/// The log's name, from its genesis leaf in `id.json`; an error says what is wrong with that.
pub(super) fn origin(dir: &Path, config: &Evidence) -> io::Result<Result<String, String>> {
    let bytes = std::fs::read(dir.join("id.json"))?;
    let genesis = match Manifest::parse(&bytes) {
        Ok(genesis) => genesis,
        Err(error) => return Ok(Err(format!("id.json: {error}"))),
    };
    let Leaf::Genesis { volume, .. } = &genesis.leaf else {
        return Ok(Err("id.json is not a genesis leaf".to_owned()));
    };
    if genesis.origin != format!("{}/{volume}", config.origin.trim_end_matches('/')) {
        tracing::warn!(origin = genesis.origin, configured = config.origin, "the log keeps the origin it began with");
    }
    Ok(Ok(genesis.origin))
}

/// Reads the whole log, and compares it with everything in the directory that remembers a checkpoint: the head, the
/// genesis in `id.json`, and the derived checkpoint file.
pub(super) fn read(dir: &Path, config: &Evidence, disk: &Disk) -> Result<Reading, OpenError> {
    let failed = |error| OpenError::Io { path: dir.to_owned(), error };
    let nothing = |origin| Checkpoint { origin, size: 0, root: [0; 32] };
    let origin = match origin(dir, config).map_err(failed)? {
        Ok(origin) => origin,
        Err(what) => {
            let newest = newest_of_head(dir).map_err(failed)?.unwrap_or_else(|| nothing("unknown".to_owned()));
            return Ok(Reading::Broken(Broken { kind: IncidentKind::Damage, what, newest }));
        }
    };
    let signers = Seeds::load(disk, dir, config).map_err(|error| OpenError::Key(error.to_string()))?.signers(&origin);
    let signers = signers.ok_or_else(|| OpenError::Key(format!("no key can be of {origin}")))?;
    let slots = head::read(dir).map_err(failed)?;
    let mut memories = slots.memories;
    memories.extend(recovery::published(dir).filter(|memory| signers.opens(&memory.note)));
    memories.retain(|memory| memory.checkpoint.origin == origin);
    memories.sort_by_key(|memory| std::cmp::Reverse(memory.checkpoint.size));
    let newest = memories.first().map_or_else(|| nothing(origin), |memory| memory.checkpoint.clone());
    let broken = |kind, what| Ok(Reading::Broken(Broken { kind, what, newest: newest.clone() }));
    if !memories.iter().any(|memory| memory.name == head::NAME) {
        return broken(IncidentKind::Damage, slots.findings.join("; "));
    }
    let scan = match recovery::scan(dir, &newest.origin, newest.size) {
        Ok(scan) => scan,
        Err(ScanError::Io(error)) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(failed(error)),
        Err(ScanError::Io(error)) => return broken(IncidentKind::Damage, error.to_string()),
        Err(ScanError::Damaged(what)) => return broken(IncidentKind::Damage, what),
    };
    let fit = signers.fit(&scan.chain);
    if fit == Fit::None {
        return Err(OpenError::Key(format!("it is not the key this log signs with, {}", scan.chain.current())));
    }
    match contradiction(dir, &scan, &memories).map_err(failed)? {
        Some((kind, what)) => broken(kind, what),
        None if scan.note.is_none() => broken(IncidentKind::Damage, "there are no leaves".to_owned()),
        None => Ok(Reading::Whole(Box::new(scan), Box::new(signers), fit)),
    }
}

/// A log without its identity: `None` when there never was one, or its first start was cut short.
pub(super) fn without_identity(dir: &Path) -> io::Result<Option<Broken>> {
    let broken = |newest: Checkpoint| {
        let what = format!("id.json is missing, but the head knows {} leaves", newest.size);
        Broken { kind: IncidentKind::Damage, what, newest }
    };
    Ok(newest_of_head(dir)?.filter(|newest| newest.size > FIRST_LEAVES_MAX).map(broken))
}

/// What the head remembers of a log whose own word for it can't be had. Its signature is not checked.
fn newest_of_head(dir: &Path) -> io::Result<Option<Checkpoint>> {
    Ok(head::read(dir)?.memories.into_iter().map(|memory| memory.checkpoint).max_by_key(|it| it.size))
}

/// Compares the leaves with what remembers a checkpoint.
fn contradiction(dir: &Path, scan: &Scan, memories: &[head::Memory]) -> io::Result<Option<(IncidentKind, String)>> {
    let size = scan.tree.size();
    for head::Memory { name, checkpoint, note } in memories {
        if let Err(error) = scan.chain.open_checkpoint(note) {
            return Ok(Some((IncidentKind::Damage, format!("the {name}: {error}"))));
        }
        match scan.tree.root_at(checkpoint.size) {
            Some(root) if root == checkpoint.root => {}
            None if checkpoint.size < scan.leaves.first => {}
            Some(_) => {
                let what = format!("the {name} signs another tree at size {}", checkpoint.size);
                return Ok(Some((IncidentKind::Fork, what)));
            }
            None => {
                let torn = scan.segments.iter().any(|segment| segment.torn);
                let kind = if torn { IncidentKind::Damage } else { IncidentKind::Rollback };
                return Ok(Some((kind, format!("the {name} has signed {} leaves, {size} are left", checkpoint.size))));
            }
        }
    }
    let id = std::fs::read(dir.join("id.json"))?;
    let is_genesis = scan.leaves.first > 0 || scan.tree.subtree(0, 0) == Some(leaf_hash(&id));
    Ok((!is_genesis).then(|| (IncidentKind::Damage, "id.json is not the genesis leaf".to_owned())))
}

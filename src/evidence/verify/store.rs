//! Verifying a log's directory: every leaf, every signature, both memories, and every derived file.

use std::path::Path;

use super::super::durable::TEMPORARY;
use super::super::head::{self, Memory};
use super::super::reader::entries;
use super::super::recovery::{self, Scan, ScanError};
use super::super::tiles::Tile;
use super::super::wal::{self, FILE_BYTES_MAX};
use super::super::witnessed::read_cosigned;
use super::super::{files_below, read_at_most};
use super::{Level, Outcome, Trust, Verification};
use crate::core::frame::parts::Erased;
use crate::core::manifest::{Leaf, Manifest};
use crate::core::merkle::leaf_hash;
use crate::core::note::{Checkpoint, VerifierKey};

/// What belongs into a log's directory.
const KNOWN: [&str; 12] = [
    "LOCK",
    "id.json",
    "keys",
    "wal",
    "head",
    "pruned",
    "tile",
    "checkpoint",
    "cosigned",
    "peers",
    "quarantine",
    "superseded",
];

impl Verification {
    /// Verifies a directory.
    pub(super) fn store(&mut self, dir: &Path, trust: &Trust) {
        let key = &trust.key;
        if !dir.join("id.json").exists() && !dir.join("wal").exists() {
            let what = "neither id.json nor wal is here: this is no log's directory, nor a bundle, which is one file";
            return self.find(Outcome::Incomplete, what);
        }
        if let Err(what) = check_genesis(dir, key) {
            return self.find(Outcome::Altered, format!("id.json: {what}"));
        }
        let slots = match head::read(dir) {
            Ok(slots) => slots,
            Err(error) => return self.find(Outcome::Altered, format!("head: {error}")),
        };
        if slots.memories.is_empty() {
            return self.find(Outcome::Altered, slots.findings.join("; "));
        }
        for finding in slots.findings {
            self.find(Outcome::Incomplete, format!("{finding} (the other slot is good; opening the log repairs this)"));
        }
        let published = recovery::published(dir);
        let memories: Vec<Memory> = slots.memories.into_iter().chain(published.clone()).collect();
        let acknowledged = memories.iter().map(|memory| memory.checkpoint.size).max().unwrap_or(0);
        let scan = match recovery::scan(dir, key.name(), acknowledged) {
            Ok(scan) => scan,
            Err(ScanError::Damaged(what)) => return self.find(Outcome::Altered, what),
            Err(ScanError::Io(error)) => return self.find(Outcome::Altered, format!("wal: {error}")),
        };
        if !scan.chain.has(key) {
            let what = format!("this log is signed by {}, not by the key you gave", scan.chain.current());
            return self.find(Outcome::Altered, what);
        }
        let size = scan.tree.size();
        memories.iter().for_each(|memory| self.against_memory(&scan, memory));
        self.torn(&scan);
        self.parts(&scan);
        if self.outcome >= Outcome::Altered {
            return;
        }
        self.derived_files(dir, published.as_ref().map(|memory| &memory.checkpoint), &scan);
        self.level = Some(Level::L1);
        self.frames = scan.leaves.frames.iter().filter(|(seq, _)| *seq >= scan.leaves.kept_from).count() as u64;
        let root = scan.tree.root_at(size).unwrap_or_default();
        self.checkpoint = Some(Checkpoint { origin: key.name().to_owned(), size, root }.line());
        let (frames, first) = (self.frames, scan.leaves.first);
        let checkpoints = size - first;
        self.check(format!(
            "{frames} frames: parts, manifests, tree and {checkpoints} checkpoints signed by {}",
            key.name()
        ));
        let (reached, beyond): (Vec<_>, Vec<_>) = trust.remembered.iter().cloned().partition(|it| it.size <= size);
        self.remembered(&reached, |at| scan.tree.root_at(at));
        for remembered in beyond {
            let what = format!("rolled back: {} leaves were remembered, {size} are here", remembered.size);
            self.find(Outcome::Rollback, what);
        }
        let cosigned = self.cosigned(dir, &scan).or_else(|| scan.note.clone());
        self.witnessed(trust.policy.as_ref(), cosigned.as_deref());
        for (name, what) in [
            ("quarantine", "bytes that were never acknowledged"),
            ("superseded", "logs that could not be continued; verify each by itself"),
            ("peers", "what is remembered of other logs as their witness"),
        ] {
            if dir.join(name).exists() {
                self.note(format!("{name}/: {what}"));
            }
        }
    }

    fn against_memory(&mut self, scan: &Scan, memory: &Memory) {
        let Memory { name, checkpoint, note } = memory;
        if let Err(error) = scan.chain.open_checkpoint(note) {
            return self.find(Outcome::Altered, format!("{name}: {error}"));
        }
        match scan.tree.root_at(checkpoint.size) {
            Some(root) if root == checkpoint.root => {}
            None if checkpoint.size < scan.leaves.first => {}
            Some(_) => {
                self.find(Outcome::Rollback, format!("fork: the {name} signs another tree at {}", checkpoint.size));
            }
            None => {
                let torn = scan.segments.iter().any(|segment| segment.torn);
                let outcome = if torn { Outcome::Altered } else { Outcome::Rollback };
                let size = scan.tree.size();
                self.find(outcome, format!("the {name} has signed {} leaves, {size} are readable", checkpoint.size));
            }
        }
    }

    /// The newest cosigned checkpoint, if there is one and it is of this log.
    fn cosigned(&mut self, dir: &Path, scan: &Scan) -> Option<String> {
        let (claimed, note) = match read_cosigned(dir) {
            Ok(found) => found?,
            Err(what) => {
                self.find(Outcome::Altered, format!("cosigned: {what}"));
                return None;
            }
        };
        let signed = scan.chain.open_checkpoint(&note).ok().filter(|signed| *signed == claimed);
        match signed.filter(|signed| scan.tree.root_at(signed.size) == Some(signed.root)) {
            Some(signed) if signed.size < scan.tree.size() => {
                self.note(format!("cosignatures of leaves from {} on: there are none yet", signed.size));
                Some(note)
            }
            Some(_) => Some(note),
            None => {
                self.find(Outcome::Altered, "cosigned is no checkpoint of this log");
                None
            }
        }
    }

    /// Parts that are gone, and whether a leaf says so; and the other way around.
    fn parts(&mut self, scan: &Scan) {
        for what in scan.damaged_parts() {
            self.find(Outcome::Altered, format!("{what} is not what was committed, and no leaf erased it"));
        }
        for (seq, parts) in &scan.leaves.erased {
            for (part, Erased { seq: leaf, at, reason }) in parts {
                let gone = scan.gone.get(seq).and_then(|gone| gone.parts.iter().find(|(name, _)| name == part));
                match gone {
                    _ if *seq < scan.leaves.kept_from => {}
                    Some((_, true)) => {
                        self.note(format!("{part} of leaf {seq}: ERASED by leaf {leaf} at {at} ({reason})"))
                    }
                    Some(_) | None => {
                        let what =
                            format!("{part} of leaf {seq} is erased on record, and not gone (opening the log does it)");
                        self.find(Outcome::Incomplete, what);
                    }
                }
            }
        }
        if let Some(Erased { seq, at, reason }) = &scan.leaves.prune {
            let below = scan.leaves.kept_from;
            self.note(format!("frames before leaf {below}: pruned by leaf {seq} at {at} ({reason})"));
            let is_blank = |seq| scan.gone.get(seq).is_some_and(|gone| gone.is_blank);
            let pruned = scan.leaves.frames.iter().map(|(seq, _)| seq).take_while(|seq| **seq < below);
            if let Some(frame) = pruned.into_iter().find(|seq| !is_blank(*seq)) {
                let what = format!("leaf {frame} is pruned on record, and not gone (opening the log does it)");
                self.find(Outcome::Incomplete, what);
            }
        }
        let (first, kept_from) = (scan.leaves.first, scan.leaves.kept_from);
        if first > kept_from {
            self.find(Outcome::Altered, format!("leaves before {first} are missing, and no leaf pruned them"));
        }
    }

    fn torn(&mut self, scan: &Scan) {
        for segment in scan.segments.iter().filter(|segment| segment.torn) {
            let what = format!(
                "wal segment {} at byte {}: bytes beyond the last acknowledged leaf (opening the log sets them aside)",
                segment.number, segment.end
            );
            self.find(Outcome::Incomplete, what);
        }
    }

    /// Compares tiles, checkpoint and genesis with the leaves, and refuses files that are not the log's.
    fn derived_files(&mut self, dir: &Path, published: Option<&Checkpoint>, scan: &Scan) {
        if scan.leaves.first == 0 {
            self.compare(dir, "id.json", scan.tree.subtree(0, 0), leaf_hash);
        }
        self.published_checkpoint(dir, published, scan.tree.size());
        let on_disk = files_below(dir, "tile").unwrap_or_default();
        let first = scan.leaves.first;
        let is_pruned = |tile: Tile| tile.level.is_none_or(|level| level == 0) && tile.entries().start < first;
        for tile in Tile::all(scan.tree.size()).into_iter().filter(|tile| !is_pruned(*tile)) {
            if !on_disk.contains(&tile.to_string()) {
                self.find(Outcome::Incomplete, format!("{tile} is missing (opening the log rebuilds it)"));
            }
        }
        for path in on_disk {
            let tile = Tile::parse(&path).filter(|tile| tile.exists_at(scan.tree.size()));
            let expected = tile.and_then(|tile| match tile.level {
                Some(_) => tile.hashes(&scan.tree),
                None => entries(dir, tile, &scan.leaves).ok().flatten(),
            });
            if tile.is_some_and(is_pruned) {
                self.note(format!("{path}: leaves of it are pruned"));
            } else {
                self.compare(dir, &path, expected, <[u8]>::to_vec);
            }
        }
        self.check("tiles and checkpoint are those of the log");
        self.other_files(dir);
    }

    fn compare<T: PartialEq>(&mut self, dir: &Path, name: &str, expected: Option<T>, of: impl Fn(&[u8]) -> T) {
        match (read_at_most(&dir.join(name), FILE_BYTES_MAX), expected) {
            (Ok(found), Some(expected)) if of(&found) == expected => {}
            (Ok(_), None) => self.strange(name),
            (Ok(_), _) => self.find(Outcome::Altered, format!("{name} is not what the log says")),
            (Err(error), _) => self.find(Outcome::Altered, format!("{name}: {error}")),
        }
    }

    fn strange(&mut self, path: &str) {
        let outcome = if path.ends_with(TEMPORARY) { Outcome::Incomplete } else { Outcome::Altered };
        self.find(outcome, format!("{path} does not belong to the log"));
    }

    /// The derived `checkpoint` may be behind (that it is neither ahead nor of another tree was checked before).
    fn published_checkpoint(&mut self, dir: &Path, published: Option<&Checkpoint>, size: u64) {
        match published {
            Some(published) if published.size == size => {}
            Some(_) => self.find(Outcome::Incomplete, "checkpoint is behind (opening the log rebuilds it)"),
            None if dir.join("checkpoint").exists() => {
                self.find(Outcome::Altered, "checkpoint is not signed by the key you gave");
            }
            None => self.find(Outcome::Incomplete, "checkpoint is missing (opening the log rebuilds it)"),
        }
    }

    fn other_files(&mut self, dir: &Path) {
        for path in files_below(dir, "wal").unwrap_or_default() {
            if wal::segment_number(dir, &path).is_none() {
                self.strange(&path);
            }
        }
        let names = std::fs::read_dir(dir).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.file_name()));
        let mut others: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        others.retain(|name| !KNOWN.contains(&name.as_str()));
        others.sort();
        others.into_iter().for_each(|name| self.note(format!("{name}: not a file of the log")));
    }
}

/// Checks that the directory says it is the log of this key. (That it says so truly is for the leaves to show.)
fn check_genesis(dir: &Path, key: &VerifierKey) -> Result<(), String> {
    let bytes = read_at_most(&dir.join("id.json"), FILE_BYTES_MAX).map_err(|error| error.to_string())?;
    let manifest = Manifest::parse(&bytes).map_err(|error| error.to_string())?;
    match manifest.leaf {
        Leaf::Genesis { .. } if manifest.origin == key.name() => Ok(()),
        _ => Err(format!("this is the log {}, the key is of {}", manifest.origin, key.name())),
    }
}

//! Verifying a log's directory: every leaf, every signature, both memories, and every derived file.

use std::path::Path;

use super::super::durable::TEMPORARY;
use super::super::log::entries;
use super::super::recovery::{self, Scan, ScanError, Visit};
use super::super::tiles::{self, Tile};
use super::super::wal::{self, FILE_BYTES_MAX};
use super::super::{files_below, head, read_at_most};
use super::{LINES_MAX, Level, Outcome, Verification};
use crate::core::manifest::{Leaf, Manifest};
use crate::core::merkle::leaf_hash;
use crate::core::note::{Checkpoint, VerifierKey};

/// What belongs into a log's directory.
const KNOWN: [&str; 11] =
    ["LOCK", "id.json", "keys", "wal", "head", "frames", "tile", "checkpoint", "cosigned", "peers", "quarantine"];

impl Verification {
    /// Verifies a directory.
    pub(super) fn store(&mut self, dir: &Path, key: &VerifierKey, remembered: Option<&Checkpoint>) {
        if !dir.join("id.json").exists() && !dir.join("wal").exists() {
            let what = "neither id.json nor wal is here: this is no log's directory, nor a bundle, which is one file";
            return self.find(Outcome::Incomplete, what);
        }
        if let Err(what) = check_genesis(dir, key) {
            return self.find(Outcome::Altered, format!("id.json: {what}"));
        }
        let slots = match head::read(dir, key) {
            Ok(slots) => slots,
            Err(error) => return self.find(Outcome::Altered, format!("head: {error}")),
        };
        let Some(head) = slots.latest else {
            return self.find(Outcome::Altered, slots.findings.join("; "));
        };
        for finding in slots.findings {
            self.find(Outcome::Incomplete, format!("{finding} (the other slot is good; opening the log repairs this)"));
        }
        let mut derived = Vec::new();
        let published = recovery::published(dir, key);
        let acknowledged = published.as_ref().map_or(head.size, |published| published.size.max(head.size));
        let scanned = recovery::scan(dir, key, acknowledged, &mut |leaf| compare_frame(dir, leaf, &mut derived));
        let scan = match scanned {
            Ok(scan) => scan,
            Err(ScanError::Damaged(what)) => return self.find(Outcome::Altered, what),
            Err(ScanError::Io(error)) => return self.find(Outcome::Altered, format!("wal: {error}")),
        };
        derived.into_iter().for_each(|(outcome, what)| self.find(outcome, what));
        let size = scan.tree.size();
        self.frames = size.saturating_sub(1);
        self.against_memory(&scan, "head", &head);
        if let Some(published) = &published {
            self.against_memory(&scan, "`checkpoint`", published);
        }
        self.torn(&scan);
        if self.outcome >= Outcome::Altered {
            return;
        }
        self.derived_files(dir, published.as_ref(), &scan);
        self.level = Some(Level::L1);
        let root = scan.tree.root_at(size).unwrap_or_default();
        self.checkpoint = Some(Checkpoint { origin: key.name().to_owned(), size, root }.line());
        self.check(format!(
            "{} frames: bytes, manifests, tree and {size} checkpoints signed by {}",
            size - 1,
            key.name()
        ));
        self.remembered(remembered.filter(|remembered| remembered.size <= size), |at| scan.tree.root_at(at));
        if let Some(remembered) = remembered.filter(|remembered| remembered.size > size) {
            let what = format!("rolled back: {} leaves were remembered, {size} are here", remembered.size);
            self.find(Outcome::Rollback, what);
        }
        if dir.join("quarantine").exists() {
            self.note("quarantine/: bytes that were never acknowledged");
        }
    }

    fn against_memory(&mut self, scan: &Scan, name: &str, memory: &Checkpoint) {
        match scan.tree.root_at(memory.size) {
            Some(root) if root == memory.root => {}
            Some(_) => self.find(Outcome::Rollback, format!("fork: the {name} signs another tree at {}", memory.size)),
            None => {
                let torn = scan.segments.iter().any(|segment| segment.torn);
                let outcome = if torn { Outcome::Altered } else { Outcome::Rollback };
                let size = scan.tree.size();
                self.find(outcome, format!("the {name} has signed {} leaves, {size} are readable", memory.size));
            }
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
        self.compare(dir, "id.json", scan.tree.subtree(0, 0), leaf_hash);
        self.published_checkpoint(dir, published, scan.tree.size());
        let on_disk = files_below(dir, "tile").unwrap_or_default();
        for tile in Tile::all(scan.tree.size()) {
            if !on_disk.contains(&tile.to_string()) {
                self.find(Outcome::Incomplete, format!("{tile} is missing (opening the log rebuilds it)"));
            }
        }
        for path in on_disk {
            let tile = Tile::parse(&path).filter(|tile| tile.exists_at(scan.tree.size()));
            let expected = tile.and_then(|tile| match tile.hashes(&scan.tree) {
                Some(hashes) => Some(hashes),
                None => entries(dir, tile, scan.locations.get(tile.range())?).ok(),
            });
            self.compare(dir, &path, expected, <[u8]>::to_vec);
        }
        for path in files_below(dir, "frames").unwrap_or_default() {
            if !is_frame_file(dir, &path, scan.tree.size()) {
                self.strange(&path);
            }
        }
        self.check("tiles, frames and checkpoint files are those of the log");
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
            let number = path.strip_prefix("wal/").and_then(|name| name.strip_suffix(".seg")?.parse().ok());
            if number.is_none_or(|number| dir.join(&path) != wal::segment_path(dir, number)) {
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
        Leaf::Genesis { vkey, .. } if manifest.origin == key.name() && vkey == key.to_string() => Ok(()),
        _ => Err(format!("this is the log {} with another key than you gave", manifest.origin)),
    }
}

/// Compares a frame's directory with the leaf.
fn compare_frame(dir: &Path, leaf: &Visit<'_>, findings: &mut Vec<(Outcome, String)>) {
    if leaf.seq == 0 {
        return;
    }
    let proof = tiles::proof(leaf.tree, leaf.seq, leaf.note).to_string();
    let directory = tiles::frame_directory(dir, leaf.seq);
    for (name, expected) in tiles::frame_files(leaf.frame, leaf.manifest, &proof) {
        let finding = match read_at_most(&directory.join(name), FILE_BYTES_MAX) {
            Ok(found) if found == expected => continue,
            Ok(_) => (Outcome::Altered, format!("{name} of leaf {} is not what the log says", leaf.seq)),
            Err(error) => (Outcome::Incomplete, format!("{name} of leaf {}: {error}", leaf.seq)),
        };
        if findings.len() <= LINES_MAX {
            findings.push(finding);
        }
    }
}

fn is_frame_file(dir: &Path, path: &str, size: u64) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let [_, thousands, ones, name] = parts[..] else { return false };
    let seq =
        thousands.parse().ok().zip(ones.parse().ok()).map(|(thousands, ones): (u64, u64)| thousands * 1000 + ones);
    let known = ["frame.json", "manifest.json", "frame.tlog-proof"].contains(&name);
    seq.is_some_and(|seq| {
        (1..size).contains(&seq) && known && tiles::frame_directory(dir, seq).join(name) == dir.join(path)
    })
}

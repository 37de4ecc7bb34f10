//! Offline verification of a bundle or of a log's directory: what is proven, to which level, and what is not.
//!
//! Levels build on each other: L0 the bytes fit together, L1 signed by the key *you* brought, L2 extends a checkpoint
//! *you* remembered. Payload bytes are always hashed again; derived files are compared with the log. Private keys and
//! quarantine are not evidence and are not read.

use std::fmt::{self, Write as _};
use std::path::Path;

use serde::Serialize;

use super::recovery::{self, Scan, ScanError, Visit};
use super::tiles::{self, Tile};
use super::{bundle, files_below, head, wal};
use crate::core::manifest::{Leaf, Manifest};
use crate::core::merkle::{Hash, leaf_hash, node_hash, verify_inclusion};
use crate::core::note::{Checkpoint, VerifierKey, base64};
use crate::core::proof::TlogProof;

/// Largest bundle looked at, bytes.
const BUNDLE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Findings and notes kept of each kind; more are counted.
const LINES_MAX: usize = 100;

/// What came out, worst last; the exit status of `freezeframe verify`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Everything that was asked for is proven.
    Verified,
    /// Nothing contradicts, but something needed is not there.
    Incomplete,
    /// The question could not be asked: no such file, a key that is none.
    Usage,
    /// Bytes are not those that were committed, or not signed by the key.
    Altered,
    /// The log contradicts a checkpoint that it signed or that was remembered.
    Rollback,
}

impl Outcome {
    /// The exit status: 0 verified, 1 altered, 2 usage, 3 incomplete, 4 rollback or fork.
    #[must_use]
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Verified => 0,
            Self::Altered => 1,
            Self::Usage => 2,
            Self::Incomplete => 3,
            Self::Rollback => 4,
        }
    }
}

/// How much is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Level {
    /// The bytes fit together.
    L0,
    /// Signed by the key that was given.
    L1,
    /// Extends the checkpoint that was remembered.
    L2,
}

/// The answer of [`verify`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// What came out.
    pub outcome: Outcome,
    /// Level reached; `None` when not even the bytes fit together.
    pub level: Option<Level>,
    /// The checkpoint reached, `origin size root`.
    pub checkpoint: Option<String>,
    /// Frames whose bytes were hashed and are proven.
    pub frames: u64,
    /// What was checked.
    pub checked: Vec<String>,
    /// What could not be checked, and what no verification can.
    pub not_checked: Vec<String>,
    /// What is wrong.
    pub findings: Vec<String>,
}

/// Verifies the bundle (a file) or the log (a directory) at `path`, offline. `vkey` is the log's verifier key, which
/// must not come from `path` (see [`super::read_vkey`]); `remembered` is a checkpoint from elsewhere, a signed note or
/// `origin size root`.
#[must_use]
pub fn verify(path: &Path, vkey: &str, remembered: Option<&str>) -> Verification {
    let mut verification = Verification::new();
    let key = match VerifierKey::parse(vkey) {
        Ok(key) => key,
        Err(error) => return verification.usage(format!("--vkey: {error}")),
    };
    let remembered = match remembered.map(|text| parse_remembered(text, &key)).transpose() {
        Ok(remembered) => remembered,
        Err(what) => return verification.usage(format!("--remembered: {what}")),
    };
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => verification.store(path, &key, remembered.as_ref()),
        Ok(metadata) if metadata.len() > BUNDLE_BYTES_MAX => {
            return verification.usage(format!("{}: larger than {BUNDLE_BYTES_MAX} bytes", path.display()));
        }
        Ok(_) => match std::fs::read(path) {
            Ok(bytes) => verification.bundle(&bytes, &key, remembered.as_ref()),
            Err(error) => return verification.usage(format!("{}: {error}", path.display())),
        },
        Err(error) => return verification.usage(format!("{}: {error}", path.display())),
    }
    if remembered.is_none() {
        verification.note("another history signed with the same key: no remembered checkpoint was given");
    }
    verification.note("that the times are true: they are the log's own clock");
    verification
}

/// A checkpoint as people keep it: the signed note, its three lines, or one line `origin size root`.
fn parse_remembered(text: &str, key: &VerifierKey) -> Result<Checkpoint, String> {
    if text.contains("\n\n") {
        return key.open_checkpoint(text).map_err(|error| error.to_string());
    }
    let parts: Vec<&str> = text.split_whitespace().collect();
    let [origin, size, root] = parts[..] else {
        return Err("want `origin size root` or a signed checkpoint".to_owned());
    };
    let checkpoint = Checkpoint::parse(&format!("{origin}\n{size}\n{root}\n")).map_err(|error| error.to_string())?;
    if checkpoint.origin == key.name() {
        Ok(checkpoint)
    } else {
        Err(format!("it is of {}, the key is of {}", checkpoint.origin, key.name()))
    }
}

impl Verification {
    pub(super) fn new() -> Self {
        let (checked, not_checked, findings) = Default::default();
        Self { outcome: Outcome::Verified, level: None, checkpoint: None, frames: 0, checked, not_checked, findings }
    }

    fn usage(mut self, what: String) -> Self {
        self.find(Outcome::Usage, what);
        self
    }

    fn find(&mut self, outcome: Outcome, what: impl Into<String>) {
        self.outcome = self.outcome.max(outcome);
        push(&mut self.findings, what.into());
    }

    fn check(&mut self, what: impl Into<String>) {
        push(&mut self.checked, what.into());
    }

    fn note(&mut self, what: impl Into<String>) {
        push(&mut self.not_checked, what.into());
    }

    pub(super) fn bundle(&mut self, bytes: &[u8], key: &VerifierKey, remembered: Option<&Checkpoint>) {
        match check_bundle(bytes) {
            Ok(bundle) => {
                self.level = Some(Level::L0);
                self.check("frame, manifest, audit path and archive fit together, byte for byte");
                match key.open_checkpoint(&bundle.note) {
                    Ok(checkpoint) if checkpoint == bundle.checkpoint => {
                        self.level = Some(Level::L1);
                        self.frames = 1;
                        self.checkpoint = Some(checkpoint.line());
                        self.check(format!("leaf {} is signed by {}", checkpoint.size - 1, key.name()));
                        let known = [(checkpoint.size - 1, bundle.previous_root), (checkpoint.size, checkpoint.root)];
                        self.remembered(remembered, |size| {
                            known.iter().find(|known| known.0 == size).map(|known| known.1)
                        });
                    }
                    Ok(_) => self.find(Outcome::Altered, "the checkpoint is of another tree"),
                    Err(error) => self.find(Outcome::Altered, error.to_string()),
                }
            }
            Err(what) => self.find(Outcome::Altered, what),
        }
        self.note("leaves before and after this one: that takes the log's directory");
    }

    /// Compares a remembered checkpoint with the root this evidence has at that size.
    fn remembered(&mut self, remembered: Option<&Checkpoint>, root_at: impl Fn(u64) -> Option<Hash>) {
        let Some(remembered) = remembered else { return };
        match root_at(remembered.size) {
            Some(root) if root == remembered.root => {
                self.level = self.level.map(|_| Level::L2);
                self.check(format!("extends the remembered checkpoint of size {}", remembered.size));
            }
            Some(root) => {
                let what = format!(
                    "fork: at size {} the root was {}, here it is {}",
                    remembered.size,
                    base64(&remembered.root),
                    base64(&root)
                );
                self.find(Outcome::Rollback, what);
            }
            None => {
                let what = format!(
                    "the remembered checkpoint of size {}: this bundle knows two sizes only; verify the log's \
                     directory, or the bundle of leaf {}",
                    remembered.size,
                    remembered.size.saturating_sub(1)
                );
                self.outcome = self.outcome.max(Outcome::Incomplete);
                self.note(what);
            }
        }
    }

    fn store(&mut self, dir: &Path, key: &VerifierKey, remembered: Option<&Checkpoint>) {
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
                None => super::log::entries(dir, tile, scan.locations.get(range(tile))?).ok(),
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
        match (std::fs::read(dir.join(name)), expected) {
            (Ok(found), Some(expected)) if of(&found) == expected => {}
            (Ok(_), None) => self.strange(name),
            (Ok(_), _) => self.find(Outcome::Altered, format!("{name} is not what the log says")),
            (Err(error), _) => self.find(Outcome::Altered, format!("{name}: {error}")),
        }
    }

    fn strange(&mut self, path: &str) {
        let outcome = if path.ends_with(super::durable::TEMPORARY) { Outcome::Incomplete } else { Outcome::Altered };
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
        const KNOWN: [&str; 9] =
            ["LOCK", "id.json", "keys", "wal", "head", "frames", "tile", "checkpoint", "quarantine"];
        let names = std::fs::read_dir(dir).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.file_name()));
        let mut others: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        others.retain(|name| !KNOWN.contains(&name.as_str()));
        others.sort();
        others.into_iter().for_each(|name| self.note(format!("{name}: not a file of the log")));
    }

    /// The text for people, one fact a line.
    #[must_use]
    pub fn report(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.outcome {
            Outcome::Verified => "VERIFIED",
            Outcome::Incomplete => "INCOMPLETE",
            Outcome::Usage => "NOT CHECKED",
            Outcome::Altered => "ALTERED",
            Outcome::Rollback => "ROLLED BACK OR FORKED",
        };
        let level = match self.level {
            Some(Level::L0) => " (level L0: the bytes fit together)",
            Some(Level::L1) => " (level L1: signed by the key you gave)",
            Some(Level::L2) => " (level L2: extends the checkpoint you remembered)",
            None => "",
        };
        let mut text = format!("{verdict}{level}\n");
        if let Some(checkpoint) = &self.checkpoint {
            writeln!(text, "checkpoint   {checkpoint}")?;
        }
        let lists = [("wrong", &self.findings), ("checked", &self.checked), ("not checked", &self.not_checked)];
        for (title, lines) in lists {
            lines.iter().try_for_each(|line| writeln!(text, "{title:<12} {line}"))?;
        }
        f.write_str(&text)
    }
}

fn push(lines: &mut Vec<String>, line: String) {
    match lines.len() {
        0..LINES_MAX => lines.push(line),
        LINES_MAX => lines.push("and more".to_owned()),
        _ => {}
    }
}

/// Checks that the directory says it is the log of this key. (That it says so truly is for the leaves to show.)
fn check_genesis(dir: &Path, key: &VerifierKey) -> Result<(), String> {
    let bytes = std::fs::read(dir.join("id.json")).map_err(|error| error.to_string())?;
    let manifest = Manifest::parse(&bytes).map_err(|error| error.to_string())?;
    match manifest.leaf {
        Leaf::Genesis { vkey, .. } if manifest.origin == key.name() && vkey == key.to_string() => Ok(()),
        _ => Err(format!("this is the log {} with another key than you gave", manifest.origin)),
    }
}

/// A bundle whose parts fit together.
struct CheckedBundle {
    note: String,
    checkpoint: Checkpoint,
    previous_root: Hash,
}

fn check_bundle(bytes: &[u8]) -> Result<CheckedBundle, String> {
    let bundle = bundle::read(bytes)?;
    let manifest = Manifest::parse(&bundle.manifest).map_err(|error| format!("manifest.json: {error}"))?;
    recovery::check_frame(&bundle.frame, &manifest)?;
    let Leaf::Frame(leaf) = &manifest.leaf else { return Err("the leaf is no frame".to_owned()) };
    let proof = TlogProof::parse(&bundle.proof).map_err(|error| error.to_string())?;
    if proof.checkpoint != bundle.checkpoint {
        return Err("checkpoint is not the proof's".to_owned());
    }
    let text = proof.checkpoint.split_once("\n\n").ok_or("checkpoint: not a note")?.0;
    let checkpoint = Checkpoint::parse(&format!("{text}\n")).map_err(|error| error.to_string())?;
    let size = manifest.seq.checked_add(1).ok_or("the leaf's number is too large")?;
    if (proof.index, checkpoint.size, &checkpoint.origin) != (manifest.seq, size, &manifest.origin) {
        return Err("proof and manifest are of different leaves".to_owned());
    }
    if !verify_inclusion(&leaf_hash(&bundle.manifest), proof.index, size, &proof.path, &checkpoint.root) {
        return Err("the audit path does not lead to the checkpoint's root".to_owned());
    }
    // The siblings of the last leaf are the roots of the complete subtrees of the tree before it.
    let before = proof.path.iter().copied().reduce(|right, left| node_hash(&left, &right));
    if before != Some(leaf.previous_root) {
        return Err("the manifest follows another tree".to_owned());
    }
    Ok(CheckedBundle { note: bundle.checkpoint, checkpoint, previous_root: leaf.previous_root })
}

/// Compares a frame's directory with the leaf.
fn compare_frame(dir: &Path, leaf: &Visit<'_>, findings: &mut Vec<(Outcome, String)>) {
    if leaf.seq == 0 {
        return;
    }
    let proof = tiles::proof(leaf.tree, leaf.seq, leaf.note).to_string();
    let directory = tiles::frame_directory(dir, leaf.seq);
    for (name, expected) in tiles::frame_files(leaf.frame, leaf.manifest, &proof) {
        let finding = match std::fs::read(directory.join(name)) {
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

fn range(tile: Tile) -> std::ops::Range<usize> {
    let at = |seq: u64| usize::try_from(seq).unwrap_or(usize::MAX);
    at(tile.entries().start)..at(tile.entries().end)
}

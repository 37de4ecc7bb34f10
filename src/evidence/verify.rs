//! Offline verification of a bundle or of a log's directory: what is proven, to which level, and what is not.
//!
//! Levels build on each other: L0 the bytes fit together, L1 signed by the key *you* brought, L2 extends a checkpoint
//! *you* remembered. Payload bytes are always hashed again; derived files are compared with the log. Private keys and
//! quarantine are not evidence and are not read.

mod bundle;
mod store;

use std::fmt::{self, Write as _};
use std::path::Path;

use serde::Serialize;

use super::read_at_most;
use super::wal::FILE_BYTES_MAX;
use crate::core::merkle::Hash;
use crate::core::note::{Checkpoint, VerifierKey, base64};

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
        Ok(_) => match read_at_most(path, FILE_BYTES_MAX) {
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
    if text.trim_end().contains("\n\n") {
        // A shell takes the last line end away.
        return key.open_checkpoint(&format!("{}\n", text.trim_end())).map_err(|error| error.to_string());
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

//! Offline verification of a bundle or of a log's directory: what is proven, to which level, and what is not.
//!
//! L0 the bytes fit together, L1 signed by the key *you* brought, L2 extends a checkpoint *you* remembered, L3 cosigned
//! by as many witnesses as *your* policy asks for. Payload bytes are always hashed again; derived files are compared with the log. Private keys and
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
use crate::core::policy::Policy;
use crate::core::time::UnixNanos;

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
    /// Cosigned by enough of the witnesses that were named.
    L3,
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

/// What the one who asks brings along. None of it may come from the evidence.
#[derive(Clone, Debug)]
struct Trust {
    key: VerifierKey,
    /// Checkpoints from elsewhere.
    remembered: Vec<Checkpoint>,
    policy: Option<Policy>,
}

/// Verifies the bundle (a file) or the log (a directory) at `path`, offline. `vkey` is the log's verifier key, which
/// must not come from `path` (see [`super::read_vkey`]); `remembered` is a text from elsewhere with checkpoints of the
/// log: a signed note, `origin size root`, or the alert or mail that has such a line in it.
#[must_use]
pub fn verify(path: &Path, vkey: &str, remembered: Option<&str>) -> Verification {
    verify_with_policy(path, vkey, remembered, None)
}

/// [`verify()`], also asking for the witnesses of a C2SP tlog-policy file, by its bytes.
#[must_use]
pub fn verify_with_policy(path: &Path, vkey: &str, remembered: Option<&str>, policy: Option<&[u8]>) -> Verification {
    let mut verification = Verification::new();
    let trust = match Trust::parse(vkey, remembered, policy) {
        Ok(trust) => trust,
        Err(what) => return verification.usage(what),
    };
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => verification.store(path, &trust),
        Ok(_) => match read_at_most(path, FILE_BYTES_MAX) {
            Ok(bytes) => verification.bundle(&bytes, &trust),
            Err(error) => return verification.usage(format!("{}: {error}", path.display())),
        },
        Err(error) => return verification.usage(format!("{}: {error}", path.display())),
    }
    if trust.remembered.is_empty() && verification.level < Some(Level::L3) {
        let what = "another history signed with the same key: no remembered checkpoint and no policy was given";
        verification.note(what);
    }
    verification.note("that the times are true: they are the log's own clock");
    verification
}

/// Verifies the bytes of a bundle.
#[cfg(test)]
pub(super) fn verify_bundle(bytes: &[u8], vkey: &str) -> Verification {
    let mut verification = Verification::new();
    verification.bundle(bytes, &Trust::parse(vkey, None, None).unwrap());
    verification
}

impl Trust {
    fn parse(vkey: &str, remembered: Option<&str>, policy: Option<&[u8]>) -> Result<Self, String> {
        let key = VerifierKey::parse(vkey).map_err(|error| format!("--vkey: {error}"))?;
        let policy = policy.map(Policy::parse).transpose().map_err(|error| format!("--policy: {error}"))?;
        if policy.as_ref().is_some_and(|policy| !policy.logs().is_empty() && !policy.logs().contains(&key)) {
            return Err("--policy: it names other logs than that of --vkey".to_owned());
        }
        let remembered = remembered.map(|text| parse_remembered(text, &key)).transpose();
        let remembered = remembered.map_err(|what| format!("--remembered: {what}"))?.unwrap_or_default();
        Ok(Self { key, remembered, policy })
    }
}

/// Checkpoints of the key's log as people keep them: the signed note, its three lines, or anywhere in a text
/// `origin size root`.
fn parse_remembered(text: &str, key: &VerifierKey) -> Result<Vec<Checkpoint>, String> {
    // A shell takes the last line end away.
    let note = format!("{}\n", text.trim_end());
    if note.contains("\n\n\u{2014} ") {
        return key.open_checkpoint(&note).map(|checkpoint| vec![checkpoint]).map_err(|error| error.to_string());
    }
    let words: Vec<&str> =
        text.split_whitespace().map(|word| word.trim_matches(|c: char| "\"'`,;()<>[]{}".contains(c))).collect();
    let parse = |words: &[&str]| {
        let [origin, size, root] = words else { return None };
        Checkpoint::parse(&format!("{origin}\n{size}\n{root}\n")).ok()
    };
    let found: Vec<Checkpoint> = words.windows(3).filter_map(parse).collect();
    let (ours, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|checkpoint| checkpoint.origin == key.name());
    match others.first() {
        _ if !ours.is_empty() => Ok(ours),
        Some(other) => Err(format!("it is of {}, the key is of {}", other.origin, key.name())),
        None => Err("there is no checkpoint in it: want `origin size root` or a signed checkpoint".to_owned()),
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

    /// Compares remembered checkpoints with the roots this evidence has at their sizes.
    fn remembered(&mut self, remembered: &[Checkpoint], root_at: impl Fn(u64) -> Option<Hash>) {
        for checkpoint in remembered {
            match root_at(checkpoint.size) {
                Some(root) if root == checkpoint.root => {
                    self.level = self.level.map(|level| level.max(Level::L2));
                    self.check(format!("extends the remembered checkpoint of size {}", checkpoint.size));
                }
                Some(root) => {
                    let what = format!(
                        "fork: at size {} the root was {}, here it is {}",
                        checkpoint.size,
                        base64(&checkpoint.root),
                        base64(&root)
                    );
                    self.find(Outcome::Rollback, what);
                }
                None => {
                    let what = format!(
                        "the remembered checkpoint of size {}: what is here does not reach or no longer knows it; \
                         verify the log's directory, or the bundle of leaf {}",
                        checkpoint.size,
                        checkpoint.size.saturating_sub(1)
                    );
                    self.outcome = self.outcome.max(Outcome::Incomplete);
                    self.note(what);
                }
            }
        }
    }

    /// Asks the policy about a signed checkpoint of this evidence; without one nobody cosigned anything.
    fn witnessed(&mut self, policy: Option<&Policy>, note: Option<&str>) {
        let Some(policy) = policy else { return };
        let judgement = match note.map(|note| policy.judge(note)) {
            Some(Ok(judgement)) => judgement,
            Some(Err(error)) => return self.find(Outcome::Altered, format!("cosignatures: {error}")),
            None => return self.find(Outcome::Incomplete, "there is no checkpoint"),
        };
        for (witness, seconds) in &judgement.witnesses {
            let at = UnixNanos(seconds.saturating_mul(1_000_000_000));
            self.check(format!("cosigned by {witness} at {at}: it existed then, says the witness"));
        }
        if judgement.quorum_met {
            if !judgement.witnesses.is_empty() {
                self.level = self.level.map(|level| level.max(Level::L3));
            }
            self.check(format!("{} of the policy's {} witnesses", judgement.witnesses.len(), policy.witnesses()));
        } else {
            let (some, all) = (judgement.witnesses.len(), policy.witnesses());
            self.find(Outcome::Incomplete, format!("the policy's quorum is not met: {some} of {all} witnesses"));
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
            Some(Level::L3) => " (level L3: cosigned by the witnesses you asked for)",
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

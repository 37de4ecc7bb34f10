//! What this sidecar remembers as a witness of other logs, and the cosignatures it gives for it.
//!
//! ```text
//! keys/witness.key                     the Ed25519 seed, another than the log's; made when first needed
//! peers/vkey                           the witness's name and key; the name is the origin of the log at that time
//! peers/<sha256(origin)>/checkpoint    the last checkpoint cosigned, with both signatures
//! peers/<sha256(origin)>/conflict      the first proof of two histories: both notes, of one size
//! peers/<sha256(origin)>/inconsistent  the first note whose consistency was not proven: a suspicion
//! ```
//!
//! A checkpoint is durable before its cosignature exists for anybody, and decided about under one lock, so whatever fails
//! the witness never goes back. A key without its memory would: it is not used.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::durable::Disk;
use super::keys::{self, Entropy};
use super::{OpenError, read_at_most, sha256_hex};
use crate::config;
use crate::core::cosignature::{Cosigner, WitnessKey};
use crate::core::note::{Checkpoint, NOTE_BYTES_MAX, VerifierKey};
use crate::core::time::UnixNanos;
use crate::core::witness::{Decision, Submission, admit};
use crate::engine::store::StoreError;
use crate::engine::witness::{Reply, Witness};
use crate::metrics::Metric;

/// File of the seed in `keys/`.
const KEY_FILE: &str = "witness.key";

/// The witness role of this sidecar. Belongs to the process that has the log of the same directory open.
#[derive(Debug)]
pub struct Peers {
    dir: PathBuf,
    disk: Disk,
    cosigner: Cosigner,
    logs: Vec<VerifierKey>,
    /// One decision at a time.
    deciding: Mutex<()>,
}

impl Peers {
    /// Opens the memory in `dir`, the directory of the open log with this `origin`; `None` when no logs are configured.
    /// Key and name are made when first needed, and the name stays when the log's origin changes.
    ///
    /// # Errors
    /// [`OpenError::Key`] when the key can't be read, is not the one this witness began with, or has lost its memory;
    /// [`OpenError::Io`].
    pub fn open(
        dir: &Path,
        origin: &str,
        config: &config::Evidence,
        entropy: Entropy,
    ) -> Result<Option<Self>, OpenError> {
        Self::open_on(Disk::default(), dir, origin, config, entropy)
    }

    pub(super) fn open_on(
        disk: Disk,
        dir: &Path,
        origin: &str,
        config: &config::Evidence,
        mut entropy: Entropy,
    ) -> Result<Option<Self>, OpenError> {
        if config.witnessed_logs.is_empty() {
            return Ok(None);
        }
        let failed = |error| OpenError::Io { path: dir.join("peers"), error };
        disk.create_directory(&dir.join("peers")).map_err(failed)?;
        if !dir.join("keys").join(KEY_FILE).try_exists().map_err(failed)? {
            let mut seed = [0; 32];
            entropy(&mut seed).map_err(failed)?;
            begin(&disk, dir, origin, seed)?;
        }
        let cosigner = cosigner(&disk, dir)?;
        let logs = config.witnessed_logs.clone();
        for log in &logs {
            disk.create_directory(&memory(dir, log.name())).map_err(failed)?;
        }
        Ok(Some(Self { dir: dir.to_owned(), disk, cosigner, logs, deciding: Mutex::new(()) }))
    }

    /// What was cosigned last for `origin`: the note, and the checkpoint in it. A file that is there but not believable is
    /// an error: to take it for nothing would be to forget.
    fn last(&self, origin: &str) -> Result<Option<(String, Checkpoint)>, StoreError> {
        let path = memory(&self.dir, origin).join("checkpoint");
        let bytes = match read_at_most(&path, NOTE_BYTES_MAX as u64) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| StoreError::Retry(format!("{}: {error}", path.display())))?,
        };
        let damaged =
            || StoreError::Fatal(format!("{}: altered; this witness can't vouch for {origin}", path.display()));
        let note = String::from_utf8(bytes).map_err(|_| damaged())?;
        let checkpoint = Checkpoint::of_note(&note).map_err(|_| damaged())?;
        let ours = || matches!(self.cosigner.verifier().open(&note), Ok(Some(_)));
        let theirs = || self.logs.iter().any(|log| log.open_checkpoint(&note).is_ok());
        let believable = checkpoint.origin == origin && (ours() || theirs());
        if believable { Ok(Some((note, checkpoint))) } else { Err(damaged()) }
    }

    fn decide(&self, submission: &Submission, now: UnixNanos) -> Result<Reply, StoreError> {
        let origin = &submission.checkpoint.origin;
        // What it guards is on disk, whole whoever died holding it.
        let _deciding = self.deciding.lock().unwrap_or_else(PoisonError::into_inner);
        let last = self.last(origin)?;
        let decision = submission.decide(last.as_ref().map(|(_, checkpoint)| checkpoint));
        Ok(match decision {
            Decision::Cosign => {
                let line = self.cosigner.cosign(&submission.checkpoint.to_string(), now.0 / 1_000_000_000);
                if last.is_none_or(|(_, checkpoint)| checkpoint != submission.checkpoint) {
                    self.remember(submission, &line)
                        .map_err(|error| StoreError::Retry(format!("the checkpoint of {origin}: {error}")))?;
                }
                Reply::Cosigned(line)
            }
            Decision::Conflict(size) => Reply::Conflict(size),
            Decision::Inconsistent => self.keep("inconsistent", submission, last.map(|(note, _)| note)),
            Decision::Forked => self.keep("conflict", submission, last.map(|(note, _)| note)),
        })
    }

    fn remember(&self, submission: &Submission, line: &str) -> io::Result<()> {
        let path = memory(&self.dir, &submission.checkpoint.origin).join("checkpoint");
        self.disk.publish(&path, 0o640, [submission.note.as_bytes(), line.as_bytes()]).map(drop)
    }

    /// Keeps the first of its kind: the note remembered, an empty line, and the request as it came. Later ones are counted,
    /// for anybody can send the same again.
    fn keep(&self, name: &str, submission: &Submission, last: Option<String>) -> Reply {
        let Submission { checkpoint, request, .. } = submission;
        let (origin, size) = (&checkpoint.origin, checkpoint.size);
        let path = memory(&self.dir, origin).join(name);
        if path.try_exists().unwrap_or(true) {
            return Reply::Inconsistent;
        }
        tracing::error!(
            origin,
            size,
            kept = name,
            "a log signed a checkpoint that is not shown to extend its last one"
        );
        let (last, request) = (last.unwrap_or_default(), request.to_string());
        if let Err(error) = self.disk.publish(&path, 0o640, [last.as_bytes(), b"\n", request.as_bytes()]) {
            tracing::error!(path = %path.display(), %error, "the evidence of a fork is not kept");
        }
        Reply::Inconsistent
    }
}

impl Witness for Peers {
    fn vkey(&self) -> String {
        self.cosigner.verifier().to_string()
    }

    fn add_checkpoint(&self, body: &[u8], now: UnixNanos) -> Result<Reply, StoreError> {
        let reply = match admit(&self.logs, body) {
            Ok(submission) => self.decide(&submission, now),
            Err(refusal) => Ok(Reply::Refused(refusal)),
        };
        let result = match &reply {
            Ok(Reply::Cosigned(_)) => "cosigned",
            Ok(Reply::Conflict(_)) => "conflict",
            Ok(Reply::Inconsistent) => "inconsistent",
            Ok(Reply::Refused(_)) => "refused",
            Err(_) => "failed",
        };
        Metric::WitnessedCheckpoints.add(&[("result", result)], 1);
        reply
    }

    fn remembered(&self, origin_sha256: &str) -> Result<Option<Bytes>, StoreError> {
        let log = self.logs.iter().find(|log| sha256_hex(log.name().as_bytes()) == origin_sha256);
        let last = log.map(|log| self.last(log.name())).transpose()?.flatten();
        Ok(last.map(|(note, _)| note.into()))
    }
}

fn memory(dir: &Path, origin: &str) -> PathBuf {
    dir.join("peers").join(sha256_hex(origin.as_bytes()))
}

/// A new witness: name and public half first, then the seed, without which nothing was ever cosigned.
fn begin(disk: &Disk, dir: &Path, origin: &str, seed: [u8; 32]) -> Result<(), OpenError> {
    let failed = |error: io::Error| OpenError::Key(error.to_string());
    let cosigner = Cosigner::from_seed(origin, &seed).ok_or_else(|| OpenError::Origin(origin.to_owned()))?;
    let path = dir.join("peers").join("vkey");
    if path.exists() {
        tracing::warn!(vkey = %cosigner.verifier(), "the witness's key is gone; a new one is made, under a new vkey");
    }
    disk.publish(&path, 0o644, [format!("{}\n", cosigner.verifier()).as_bytes()]).map_err(failed)?;
    keys::seed_at(disk, dir, "witness", Some(seed)).map(drop).map_err(failed)
}

fn cosigner(disk: &Disk, dir: &Path) -> Result<Cosigner, OpenError> {
    let seed = keys::seed_at(disk, dir, "witness", None).map_err(|error| OpenError::Key(error.to_string()))?;
    let path = dir.join("peers").join("vkey");
    let began = read_at_most(&path, NOTE_BYTES_MAX as u64).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let began = began.and_then(|vkey| WitnessKey::parse(&vkey).ok()).ok_or_else(|| {
        OpenError::Key(format!(
            "{} is missing or unreadable beside keys/{KEY_FILE}: a witness that lost its memory could cosign a second \
             history. Restore the directory, or remove keys/{KEY_FILE} to begin as a new witness",
            path.display()
        ))
    })?;
    Cosigner::from_seed(began.name(), &seed)
        .filter(|cosigner| *cosigner.verifier() == began)
        .ok_or_else(|| OpenError::Key(format!("keys/{KEY_FILE} is not the key this witness began with, {began}")))
}

#[cfg(test)]
mod tests;

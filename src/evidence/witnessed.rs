//! The log as its witnesses see it: what they are shown, the cosignatures they give, and what they say against it.

use std::io;
use std::path::Path;
use std::sync::PoisonError;

use super::log::Log;
use super::read_at_most;
use super::reader::Index;
use super::start::Broken;
use super::wal::{FILE_BYTES_MAX, Kind, Record};
use crate::core::manifest::IncidentKind;
use crate::core::merkle::Hash;
use crate::core::note::{Checkpoint, with_signature};
use crate::core::witness::Contradiction;
use crate::engine::store::Store;
use crate::engine::witness::{Contradicted, Witnessed};
use crate::metrics::Metric;

impl Witnessed for Log {
    fn vkey(&self) -> String {
        Store::vkey(self)
    }

    fn checkpoint(&self) -> String {
        self.index().note.clone()
    }

    fn consistency_proof(&self, old_size: u64, size: u64) -> Option<Vec<Hash>> {
        self.index().tree.consistency_proof(old_size, size)
    }

    fn root_at(&self, size: u64) -> Option<Hash> {
        self.index().tree.root_at(size)
    }

    fn cosigned(&self, checkpoint: &str, line: &str) {
        let mut newest = self.reader.cosigned.lock().unwrap_or_else(PoisonError::into_inner);
        let size = |note: &str| Checkpoint::of_note(note).ok().map(|it| it.size);
        let under = match newest.as_deref() {
            Some(note) if size(note) > size(checkpoint) => return,
            Some(note) if size(note) == size(checkpoint) => note,
            _ => checkpoint,
        };
        let Some(note) = with_signature(under, line) else { return };
        if let Err(error) = self.options.disk.replace(&self.reader.dir().join(COSIGNED), &encode(&note)) {
            tracing::warn!(%error, "the cosigned checkpoint is kept in memory only");
        }
        *newest = Some(note);
    }

    fn contradicted(&self, contradicted: &Contradicted) {
        let Contradicted { witness, what, proof, at } = contradicted;
        let (kind, name, size) = match what {
            Contradiction::RolledBack { size } => (IncidentKind::Rollback, "rolled_back", *size),
            Contradiction::Forked { size } => (IncidentKind::Fork, "forked", *size),
        };
        Metric::WitnessContradictions.add(&[("witness", witness), ("kind", name)], 1);
        tracing::error!(witness, kind = name, size, proof, "a witness remembers another history of this log");
        let shown = proof.as_deref().and_then(|note| Checkpoint::of_note(note).ok());
        let how = if shown.is_some() { "with the log's own signature" } else { "twice" };
        let what = format!("the witness {witness} says, {how}, that it remembers another history of {size} leaves");
        let broken = Broken { kind, what, newest: shown.unwrap_or_else(|| self.reader.newest_checkpoint()) };
        if let Err(error) = self.supersede(broken, *at) {
            tracing::error!(%error, "no other log could be begun; nothing is signed any more");
        }
    }
}

/// File of the newest cosigned checkpoint. Derived: the witnesses give it again.
const COSIGNED: &str = "cosigned";

/// A record, so that no bit of it can change unnoticed, though the witnesses' keys are not known here.
fn encode(note: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let seq = Checkpoint::of_note(note).map_or(0, |checkpoint| checkpoint.size);
    Record { kind: Kind::Head, seq, segment: [0; 16], payload: note.as_bytes() }.encode(&mut bytes);
    bytes
}

/// The cosigned checkpoint on disk; `None` when there is none, an error when it is not as it was written.
pub(super) fn read_cosigned(dir: &Path) -> Result<Option<(Checkpoint, String)>, &'static str> {
    let bytes = match read_at_most(&dir.join(COSIGNED), FILE_BYTES_MAX) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(|_| "unreadable")?,
    };
    let record = Record::decode(&bytes).filter(|(_, length)| *length == bytes.len()).map(|(record, _)| record);
    let note = record.and_then(|record| String::from_utf8(record.payload.to_vec()).ok());
    let found =
        note.and_then(|note| Some((Checkpoint::of_note(&note).ok()?, note))).filter(|(_, note)| encode(note) == bytes);
    found.map(Some).ok_or("altered")
}

/// The same, if it is of this log as it is.
pub(super) fn own_cosigned(dir: &Path, index: &Index) -> Option<String> {
    let (checkpoint, note) = read_cosigned(dir).ok().flatten()?;
    let is_ours = checkpoint.origin == index.origin && index.tree.root_at(checkpoint.size) == Some(checkpoint.root);
    is_ours.then_some(note)
}

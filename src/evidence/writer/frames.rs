//! From a frame to its leaf: parts, salts, commitments.

use std::sync::RwLock;

use serde_json::{Map, Value};

use super::super::reader::Index;
use super::super::recovery::frame_bytes;
use super::super::{sha256_hex, wal};
use super::{Writer, read, refused, retry};
use crate::core::canonical;
use crate::core::disclosure::{Disclosure, SALT_BYTES, commitment};
use crate::core::frame::parts;
use crate::core::manifest::{FrameLeaf, Leaf, Manifest, Part};
use crate::core::note::Checkpoint;
use crate::engine::store::{FrameBytes, Receipt, StoreError};

/// Longest frame id, bytes.
const FRAME_ID_BYTES_MAX: usize = 128;

impl Writer {
    /// The manifest of a frame as the next leaf, the disclosures of its parts, and the SHA-256 of its bytes.
    pub(super) fn frame(&mut self, frame: &FrameBytes) -> Result<(Manifest, Vec<String>, String), StoreError> {
        check(frame)?;
        let body = self.body(frame, self.frontier.size());
        let bytes = canonical::encode(&Value::Object(body.clone())).map_err(refused)?;
        let (mut committed, mut disclosures) = (Vec::new(), Vec::new());
        for (name, value) in parts::split(body) {
            let state = value.get("state").and_then(Value::as_str).filter(|_| parts::is_variable(name));
            let state = state.map(str::to_owned);
            let mut salt = [0; SALT_BYTES];
            (self.entropy)(&mut salt).map_err(|error| retry("random bytes", &error))?;
            let disclosure = Disclosure::new(salt, name, value).encode().map_err(refused)?;
            let sd = commitment(disclosure.as_bytes());
            committed.push(Part { name: name.to_owned(), bytes: disclosure.len() as u64, sd, state });
            disclosures.push(disclosure);
        }
        let leaf = Leaf::Frame(FrameLeaf {
            frame_id: frame.id.clone(),
            feature: frame.feature.clone(),
            fingerprint: frame.fingerprint.clone(),
            captured_at: frame.captured_at.clone(),
            parts: committed,
        });
        Ok((self.next_manifest(leaf), disclosures, sha256_hex(&bytes)))
    }

    /// The frame as leaf `seq` of this log.
    fn body(&self, frame: &FrameBytes, seq: u64) -> Map<String, Value> {
        let mut body = frame.body.clone();
        body.insert("origin".to_owned(), self.signers.origin().into());
        body.insert("seq".to_owned(), seq.into());
        body
    }

    /// The receipt of a frame that is in the log, if it is this frame.
    pub(super) fn receipt_again(
        &self,
        frame: &FrameBytes,
        seq: u64,
        index: &RwLock<Index>,
    ) -> Result<Receipt, StoreError> {
        check(frame)?;
        let index = read(index);
        let location = index.leaves.location(seq).ok_or_else(|| refused("it was pruned"))?;
        let unreadable = |error| retry("reading it back", &error);
        let bytes = wal::read(&self.dir, location).map_err(unreadable)?;
        let found = wal::found(&bytes, seq).map_err(unreadable)?;
        let stored = frame_bytes(&found.manifest, &found.slots, |part| index.leaves.erased(seq, part));
        let stored = stored.map_err(StoreError::Fatal)?;
        let given = canonical::encode(&Value::Object(self.body(frame, seq))).map_err(refused)?;
        // With parts erased nobody can tell, and the id is a random one.
        if found.is_whole() && stored != given {
            return Err(refused(format!("frame {} is in the log with other content", frame.id)));
        }
        let root = index.tree.root_at(seq + 1).unwrap_or_default();
        let checkpoint = Checkpoint { origin: self.signers.origin().to_owned(), size: seq + 1, root }.line();
        Ok(Receipt { frame_id: frame.id.clone(), seq, frame_sha256: sha256_hex(&stored), checkpoint })
    }
}

fn check(frame: &FrameBytes) -> Result<(), StoreError> {
    if frame.id.is_empty() || frame.id.len() > FRAME_ID_BYTES_MAX {
        return Err(refused(format!("a frame id has 1 to {FRAME_ID_BYTES_MAX} bytes")));
    }
    let said = [("id", &frame.id), ("feature", &frame.feature), ("captured_at", &frame.captured_at)];
    match said.iter().find(|(field, v)| frame.body.get(*field).is_some_and(|body| body != *v)) {
        Some((field, _)) => Err(refused(format!("body and frame differ in {field}"))),
        None => Ok(()),
    }
}

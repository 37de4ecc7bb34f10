//! Verifying a bundle: one frame, its leaf, its proof.

use super::super::{bundle, recovery};
use super::{Level, Outcome, Verification};
use crate::core::manifest::{Leaf, Manifest};
use crate::core::merkle::{Hash, leaf_hash, node_hash, verify_inclusion};
use crate::core::note::{Checkpoint, VerifierKey};
use crate::core::proof::TlogProof;

/// A tar is whole blocks of this size, bytes.
const TAR_BLOCK: usize = 512;

impl Verification {
    /// Verifies the bytes of a bundle.
    pub(in super::super) fn bundle(&mut self, bytes: &[u8], key: &VerifierKey, remembered: Option<&Checkpoint>) {
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
            Err(what) if bytes.is_empty() || !bytes.len().is_multiple_of(TAR_BLOCK) => {
                self.find(Outcome::Incomplete, format!("the archive is cut off: {what}"));
            }
            Err(what) => self.find(Outcome::Altered, what),
        }
        self.note("leaves before and after this one: that takes the log's directory");
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

//! The inclusion proof of one leaf as a text file, C2SP `tlog-proof` (version line `c2sp.org/tlog-proof@v1`): index,
//! audit path, and the signed checkpoint it leads to. Self-contained, and verifiable for as long as SHA-256 and
//! Ed25519 hold. The specification's optional `extra` line is refused: it is not authenticated, and we write none.

use std::fmt;

use thiserror::Error;

use super::merkle::{Hash, leaf_hash, verify_inclusion};
use super::note::{Checkpoint, NoteError, VerifierKey, base64, decimal, hash_from_base64};

const VERSION_LINE: &str = "c2sp.org/tlog-proof@v1";
/// Longest audit path: one hash a bit of the size.
const PATH_MAX: usize = 64;

/// Why a proof does not prove.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProofError {
    /// Not of the specified form.
    #[error("malformed proof: {0}")]
    Malformed(&'static str),
    /// The checkpoint is not believed.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The path does not lead from the leaf to the checkpoint's root.
    #[error("the leaf is not number {index} of the log at size {size}")]
    NotIncluded {
        /// Claimed index.
        index: u64,
        /// Size of the checkpoint.
        size: u64,
    },
}

/// A proof that a leaf is in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Zero-based index of the leaf.
    pub index: u64,
    /// Audit path, the leaf's sibling first.
    pub path: Vec<Hash>,
    /// The signed checkpoint, verbatim.
    pub checkpoint: String,
}

impl TlogProof {
    /// Reads the text form.
    ///
    /// # Errors
    /// [`ProofError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, ProofError> {
        let (head, checkpoint) = text.split_once("\n\n").ok_or(ProofError::Malformed("no checkpoint"))?;
        let mut lines = head.split('\n');
        if lines.next() != Some(VERSION_LINE) {
            return Err(ProofError::Malformed("unknown version"));
        }
        let index = lines.next().and_then(|line| decimal(line.strip_prefix("index ")?));
        let index = index.ok_or(ProofError::Malformed("index (an `extra` line is not allowed)"))?;
        let path: Option<Vec<Hash>> = lines.take(PATH_MAX + 1).map(hash_from_base64).collect();
        let path = path.filter(|path| path.len() <= PATH_MAX).ok_or(ProofError::Malformed("path"))?;
        Ok(Self { index, path, checkpoint: checkpoint.to_owned() })
    }

    /// Checks the signature, and that `leaf` is in the log that has this key. Returns the checkpoint reached.
    ///
    /// # Errors
    /// See [`ProofError`].
    pub fn verify(&self, leaf: &[u8], key: &VerifierKey) -> Result<Checkpoint, ProofError> {
        let checkpoint = key.open_checkpoint(&self.checkpoint)?;
        if verify_inclusion(&leaf_hash(leaf), self.index, checkpoint.size, &self.path, &checkpoint.root) {
            Ok(checkpoint)
        } else {
            Err(ProofError::NotIncluded { index: self.index, size: checkpoint.size })
        }
    }
}

/// The text form.
impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{VERSION_LINE}\nindex {}", self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", base64(hash)))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::merkle::Tree;
    use crate::core::note::Signer;

    fn proof(index: u64) -> (TlogProof, VerifierKey) {
        let signer = Signer::from_seed("example.com/log", &[7; 32]).unwrap();
        let mut tree = Tree::default();
        (0..13).for_each(|leaf: u8| tree.push(leaf_hash(&[leaf])));
        let checkpoint = signer.sign_checkpoint(13, tree.root_at(13).unwrap());
        let path = tree.inclusion_proof(index, 13).unwrap();
        (TlogProof { index, path, checkpoint }, signer.verifier().clone())
    }

    /// Proves that proofs of all leaves round-trip through the text form and verify, for that leaf alone.
    #[test]
    fn proofs_round_trip_and_verify() {
        for index in 0..13 {
            let (proof, key) = proof(u64::from(index));
            let read = TlogProof::parse(&proof.to_string()).unwrap();
            assert_eq!(read, proof);
            assert_eq!(read.verify(&[index], &key).unwrap().size, 13);
            assert_eq!(
                read.verify(&[index + 1], &key),
                Err(ProofError::NotIncluded { index: u64::from(index), size: 13 })
            );
        }
    }

    /// Proves that every bit and the full length of the text form count.
    #[test]
    fn every_bit_flip_and_every_cut_is_rejected() {
        let (proof, key) = proof(5);
        let text = proof.to_string().into_bytes();
        let accepted = |bytes: &[u8]| {
            let parsed = std::str::from_utf8(bytes).ok().and_then(|text| TlogProof::parse(text).ok());
            parsed.is_some_and(|proof| proof.verify(&[5], &key).is_ok())
        };
        assert!(accepted(&text));
        for bit in 0..text.len() * 8 {
            let mut flipped = text.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!accepted(&flipped), "bit {bit}");
        }
        for length in 0..text.len() {
            assert!(!accepted(&text[..length]), "cut at {length}");
        }
        let extra = proof.to_string().replacen("index", "extra QQ==\nindex", 1);
        assert!(TlogProof::parse(&extra).is_err());
    }
}

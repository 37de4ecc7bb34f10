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
    use proptest::prelude::*;
    use proptest::sample::Index;

    /// Mutations tried by default; `PROPTEST_CASES` can only raise it.
    const MUTATIONS: u32 = 4000;

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

    /// Proves that the longest path is read whole and a longer one refused.
    #[test]
    fn paths_have_a_longest() {
        let (proof, _) = proof(5);
        let of = |length| TlogProof { path: vec![[7; 32]; length], ..proof.clone() };
        assert_eq!(TlogProof::parse(&of(PATH_MAX).to_string()).unwrap().path.len(), PATH_MAX);
        assert!(TlogProof::parse(&of(PATH_MAX + 1).to_string()).is_err());
    }

    /// All proofs of a log of 13 leaves, at all its sizes.
    fn history(name: &str, seed: u8) -> (Vec<(u8, String)>, VerifierKey) {
        let signer = Signer::from_seed(name, &[seed; 32]).unwrap();
        let (mut tree, mut proofs) = (Tree::default(), Vec::new());
        for size in 1..=13_u8 {
            tree.push(leaf_hash(&[size - 1]));
            let checkpoint = signer.sign_checkpoint(size.into(), tree.root_at(size.into()).unwrap());
            proofs.extend((0..size).map(|leaf| {
                let (index, path) = (leaf.into(), tree.inclusion_proof(leaf.into(), size.into()).unwrap());
                (leaf, TlogProof { index, path, checkpoint: checkpoint.clone() }.to_string())
            }));
        }
        (proofs, signer.verifier().clone())
    }

    /// One edit of a text that is made of lines, with lines of another to take from.
    fn edit(text: &mut Vec<u8>, donor: &str, (kind, at, to, byte): (u8, Index, Index, u8)) {
        let mut lines: Vec<Vec<u8>> = text.split(|it| *it == b'\n').map(<[u8]>::to_vec).collect();
        let theirs: Vec<&str> = donor.split('\n').collect();
        let (line, other) = (at.index(lines.len()), to.index(lines.len()));
        let byte_at = to.index(lines[line].len() + 1);
        match kind {
            0 => lines.swap(line, other),
            1 => drop(lines.remove(line)),
            2 => lines.insert(line, lines[other].clone()),
            3 => lines[line] = theirs[line.min(theirs.len() - 1)].into(),
            4 => lines[line] = theirs[to.index(theirs.len())].into(),
            5 => lines.insert(line, theirs[to.index(theirs.len())].into()),
            6 => lines.truncate(line + 1),
            7 => lines[line].truncate(byte_at),
            8 => lines[line].push(byte),
            9 => lines[line].splice(byte_at..byte_at, [byte]).for_each(drop),
            10 => lines[line].iter_mut().skip(byte_at).take(1).for_each(|it| *it ^= byte),
            11 => lines[line].iter_mut().skip(byte_at).take(1).for_each(|it| *it = byte),
            // The last character before the padding holds the spare bits.
            12 => lines[line].iter_mut().rev().skip_while(|it| **it == b'=').take(1).for_each(|it| *it = byte),
            13 => lines[line].make_ascii_uppercase(),
            14 => lines[line].extend_from_slice(" \r=\u{a0}\u{2014}".as_bytes()),
            _ => lines.rotate_left(line),
        }
        *text = lines.join(&b'\n');
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: ProptestConfig::default().cases.max(MUTATIONS),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// Proves that of all that can be made of genuine proofs, of this log and of another, by a few edits, nothing is
        /// accepted but what the log itself wrote for that leaf, signature lines of unknown keys aside. A million with
        /// `PROPTEST_CASES=1000000`.
        #[test]
        fn no_mutation_is_accepted(pick: Index, donor: Index, edits in prop::collection::vec(
            (0..16_u8, any::<Index>(), any::<Index>(), any::<u8>()), 1..5)) {
            thread_local! {
                static LOGS: [(Vec<(u8, String)>, VerifierKey); 2] =
                    [history("example.com/log", 7), history("example.com/other", 8)];
            }
            LOGS.with(|[(proofs, key), (others, _)]| {
                let (leaf, genuine) = &proofs[pick.index(proofs.len())];
                let donor = donor.index(proofs.len() + others.len());
                let (_, donor) = proofs.iter().chain(others).nth(donor).expect("an index below the sum");
                let mut text = genuine.clone().into_bytes();
                edits.into_iter().for_each(|each| edit(&mut text, donor, each));
                let read = std::str::from_utf8(&text).ok().and_then(|text| TlogProof::parse(text).ok());
                let is_accepted = read.is_some_and(|proof| proof.verify(&[*leaf], key).is_ok());
                let text = String::from_utf8_lossy(&text);
                let is_known = |line: &str| proofs.iter().any(|(_, proof)| proof.lines().next_back() == Some(line));
                let lines = text.split('\n').filter(|line| !line.starts_with('\u{2014}') || is_known(line));
                let known = lines.collect::<Vec<_>>().join("\n");
                let is_genuine = |text: &str| proofs.iter().any(|(of, proof)| of == leaf && proof == text);
                prop_assert!(!is_accepted || is_genuine(&known), "accepted: {text}");
                prop_assert!(is_accepted || !is_genuine(&text), "rejected: {text}");
                Ok(())
            })?;
        }
    }
}

//! Witnessing by C2SP `tlog-witness`: a log shows a witness every new checkpoint with a proof that it extends the last
//! one, and the witness remembers it and cosigns. Both roles, as values: [`admit`] and [`Submission::decide`] are the
//! witness, [`Client`] is the log's side. [`Request`] is what goes between them.
//!
//! Of v1.0.0 and the clarifications after it the later are followed: another root of the same size is answered 422
//! (v1.0.0: 409), which the client understands either way. Stricter than asked for: a log's key is named as its origin,
//! and checkpoints have no extension lines (both as [`super::note`] has them).

mod client;
mod decide;

pub use client::{Answer, Ask, CONFLICTS_MAX, Client, Contradiction, Next, proves};
pub use decide::{Decision, Refusal, Submission, admit};

use std::fmt;

use super::merkle::Hash;
use super::note::{base64, decimal, hash_from_base64};

/// Largest request, bytes.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// Most lines of a consistency proof, by the specification.
pub const PROOF_LINES_MAX: usize = 63;

/// The body of an `add-checkpoint` request. Nothing in it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Size of the checkpoint that the log believes the witness to have cosigned last; zero for none.
    pub old_size: u64,
    /// Consistency proof from that size to the checkpoint's.
    pub proof: Vec<Hash>,
    /// The signed checkpoint, verbatim.
    pub note: String,
}

impl Request {
    /// Reads a body; `None` when it is not of the specified form.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok().filter(|text| text.len() <= REQUEST_BYTES_MAX)?;
        let (head, note) = text.split_once("\n\n")?;
        let mut lines = head.split('\n');
        let old_size = decimal(lines.next()?.strip_prefix("old ")?)?;
        let proof: Vec<Hash> = lines.take(PROOF_LINES_MAX + 1).map(hash_from_base64).collect::<Option<_>>()?;
        (proof.len() <= PROOF_LINES_MAX).then(|| Self { old_size, proof, note: note.to_owned() })
    }
}

/// The body.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{}", base64(hash)))?;
        write!(f, "\n{}", self.note)
    }
}

#[cfg(test)]
mod tests;

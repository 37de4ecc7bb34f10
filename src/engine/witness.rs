//! The seams of witnessing: a log that is witnessed, and a witness of others. The first is the log on disk, asked by the
//! loop that talks to its witnesses; the second is what the API serves. Beside [`super::Store`], because the engine and
//! its tests need neither.

use bytes::Bytes;

use super::store::StoreError;
use crate::core::merkle::Hash;
use crate::core::time::UnixNanos;
use crate::core::witness::{Contradiction, Refusal};

/// A log as those see it who get it cosigned. Nothing here blocks longer than a write of a derived file.
pub trait Witnessed: Send + Sync + std::fmt::Debug + 'static {
    /// The log's verifier key (C2SP signed-note vkey), named as its origin.
    fn vkey(&self) -> String;

    /// The signed checkpoint of now; its leaf is durable.
    fn checkpoint(&self) -> String;

    /// Proof that the tree at `size` extends the tree at `old_size` (RFC 9162 section 2.1.4.1); `None` from zero and for
    /// sizes the log never had.
    fn consistency_proof(&self, old_size: u64, size: u64) -> Option<Vec<Hash>>;

    /// Root of the tree as it was at `size`.
    fn root_at(&self, size: u64) -> Option<Hash>;

    /// Keeps a verified cosignature: `line` belongs under `checkpoint`, a signed checkpoint of this log.
    fn cosigned(&self, checkpoint: &str, line: &str);

    /// A witness remembers another history of this log than it has. Blocks while the log is left as it is and another
    /// one begins.
    fn contradicted(&self, contradicted: &Contradicted);
}

/// What a witness said against a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradicted {
    /// Name of the witness.
    pub witness: String,
    /// What it remembers.
    pub what: Contradiction,
    /// A note with the log's own signature that the log can't have made in this history, when the witness showed one.
    /// Without it there is the witness's word, given twice.
    pub proof: Option<String>,
    /// When.
    pub at: UnixNanos,
}

/// A witness of other logs. Blocks on the disk.
pub trait Witness: Send + Sync + std::fmt::Debug + 'static {
    /// The witness's verifier key (C2SP tlog-cosignature, type 0x04).
    fn vkey(&self) -> String;

    /// Answers an `add-checkpoint` request. What is cosigned is durable before this returns.
    ///
    /// # Errors
    /// When what is remembered of the log can't be read or written.
    fn add_checkpoint(&self, body: &[u8], now: UnixNanos) -> Result<Reply, StoreError>;

    /// The checkpoint this witness cosigned last, with the log's signature and its own, for the log whose origin has this
    /// SHA-256 (lowercase hex); `None` for unknown logs and those it never cosigned.
    ///
    /// # Errors
    /// When it can't be read.
    fn remembered(&self, origin_sha256: &str) -> Result<Option<Bytes>, StoreError>;
}

/// A witness's answer to `add-checkpoint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The signature line, newline included.
    Cosigned(String),
    /// The size it cosigned last.
    Conflict(u64),
    /// Consistency was not proven.
    Inconsistent,
    /// The request is not one it answers.
    Refused(Refusal),
}

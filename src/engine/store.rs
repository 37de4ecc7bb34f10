//! The seam to the evidence log: what the engine asks of the place where frames become durable.

use bytes::Bytes;
use thiserror::Error;

use crate::core::manifest::Leaf;
use crate::core::time::UnixNanos;

/// A log of freeze frames. Two implementations: the log on disk, and the slow or failing one of the tests.
pub trait Store: Send + Sync + std::fmt::Debug + 'static {
    /// Makes `frame` durable and returns only then. Blocks: called on the writer thread alone.
    ///
    /// # Errors
    /// See [`StoreError`]; whatever the error, nothing was acknowledged.
    fn append(&self, frame: &FrameBytes) -> Result<Receipt, StoreError>;

    /// The committed bytes of a frame, exactly.
    ///
    /// # Errors
    /// When the log can't be read.
    fn frame(&self, id: &str) -> Result<Option<Bytes>, StoreError>;

    /// The auditor's bundle of a frame: a tar of frame, proof and instructions.
    ///
    /// # Errors
    /// When the log can't be read.
    fn bundle(&self, id: &str) -> Result<Option<Bytes>, StoreError>;

    /// The newest committed frames with their receipts, oldest first, at most `max` of them.
    ///
    /// # Errors
    /// When the log can't be read.
    fn newest(&self, max: usize) -> Result<Vec<(Receipt, Bytes)>, StoreError>;

    /// A file of the transparency log below `/log/` (C2SP tlog-tiles): `checkpoint`, `tile/0/000`, ...
    ///
    /// # Errors
    /// When the log can't be read.
    fn log_file(&self, path: &str) -> Result<Option<Bytes>, StoreError>;

    /// Commits a leaf that is no frame, and returns its number.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn record(&self, leaf: &Leaf) -> Result<u64, StoreError>;

    /// Destroys parts of a frame and returns the leaf that says so. Blocks until nothing of them is left on disk.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a frame or a part that is not there.
    fn erase(&self, order: &EraseOrder) -> Result<u64, StoreError>;

    /// What is due at `now`: heartbeats, retention, spare room. `lost` frames never reached the log since the process
    /// started. Called on the writer thread alone.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn maintain(&self, now: UnixNanos, lost: u64) -> Result<Condition, StoreError>;

    /// The log's verifier key (C2SP signed-note vkey).
    fn vkey(&self) -> String;

    /// Frames committed so far.
    fn size(&self) -> u64;
}

/// A frame on its way to the log.
#[derive(Clone, Debug)]
pub struct FrameBytes {
    /// Frame id, a UUIDv7.
    pub id: String,
    /// Capture time, RFC 3339.
    pub captured_at: String,
    /// Feature the alert belongs to.
    pub feature: String,
    /// Fingerprint of the alert.
    pub fingerprint: String,
    /// The frame without `origin` and `seq`: the log puts both in and canonicalises (RFC 8785).
    pub body: serde_json::Map<String, serde_json::Value>,
}

/// What is to be erased, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EraseOrder {
    /// Frame id.
    pub frame_id: String,
    /// Names of its parts: variables, `samples`.
    pub parts: Vec<String>,
    /// Why; kept in the log for good, so it must not repeat what is erased.
    pub reason: String,
    /// When.
    pub at: UnixNanos,
}

/// How the log is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Frames that can still be committed if the disk is full from now on.
    pub reserve_frames: u64,
}

/// The log's acknowledgement: the frame is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Frame id.
    pub frame_id: String,
    /// Leaf index in the log.
    pub seq: u64,
    /// SHA-256 of the committed frame bytes, lowercase hex.
    pub frame_sha256: String,
    /// One line: `origin size root`.
    pub checkpoint: String,
}

/// Why a frame was not made durable.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Try again later: full disk, a busy device.
    #[error("not stored, will be retried: {0}")]
    Retry(String),
    /// The frame itself can't be stored, now or later: not canonical, too large, or its id is taken by other content.
    #[error("not stored, the frame is refused: {0}")]
    Refused(String),
    /// The state of the log is unknown; nothing more is signed before a restart has verified it.
    #[error("the log stopped: {0}")]
    Fatal(String),
}

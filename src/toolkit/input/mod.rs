//! Recordings, recognised by content: OTLP JSON (one export request, or one a line as the Collector's file exporter
//! writes), OTLP protobuf (one request body, or the file exporter's 4-byte big-endian length-prefixed messages, each
//! by itself compressed or not), gzip or zstd of either, simple trace records, a directory of these, `-` for standard
//! input.
//!
//! A recording is read one document at a time, none above [`DOCUMENT_BYTES_MAX`]: [`Index`] keeps where each one is
//! and when it was, [`Recording`] all of them. What can't be read in a file that has shown to be a recording (a line
//! cut off, a last frame that was still being written) costs that document and a note, not the rest.

mod documents;
mod export;
mod file;
mod index;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use thiserror::Error;

pub use export::{Export, Item};
pub use index::{DOCUMENTS_MAX, Index};

/// Bytes of one document at most: one export request or simple trace record, decompressed. Also what tells a length
/// prefix from the first bytes of a request, which are larger when read as one.
pub const DOCUMENT_BYTES_MAX: usize = 128 << 20;
/// Bytes of the documents of a [`Recording`] at most.
pub const RECORDING_BYTES_MAX: u64 = 4 << 30;

/// A recording in memory, in the order it was written.
#[derive(Debug, Default)]
pub struct Recording {
    /// What it holds.
    pub exports: Vec<Export>,
    /// What could not be read, a sentence each.
    pub notes: Vec<String>,
}

/// Why a recording can't be read. Each names the file.
#[derive(Debug, Error)]
pub enum InputError {
    /// The file can't be opened or read.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file is not a recording, or too large a one.
    #[error("{path}: {reason}")]
    Unknown {
        /// Which file.
        path: PathBuf,
        /// What was expected.
        reason: String,
    },
}

impl Recording {
    /// Reads every path; directories recursively, in order of name.
    ///
    /// # Errors
    /// The first file that can't be read or recognised, or a recording above [`RECORDING_BYTES_MAX`].
    pub fn read(paths: &[PathBuf]) -> Result<Self, InputError> {
        let index = Index::read(paths, &mut |_| {})?;
        if index.bytes() > RECORDING_BYTES_MAX {
            let reason = format!("{} MiB are too many to hold at once, 4 GiB is the limit", index.bytes() >> 20);
            return Err(InputError::unknown(paths.first().map_or(Path::new("-"), |it| it), reason));
        }
        let exports = index.in_order().map(|it| it.map(|(_, export)| export)).collect::<Result<_, _>>()?;
        Ok(Self { exports, notes: index.notes })
    }
}

impl InputError {
    fn io(path: &Path, error: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), error }
    }

    fn unknown(path: &Path, reason: impl Into<String>) -> Self {
        Self::Unknown { path: path.to_owned(), reason: reason.into() }
    }
}

//! The evidence log: freeze frames that can't be edited unnoticed and, once acknowledged, aren't lost.
//!
//! Every data directory is its own C2SP transparency log with one writer: an RFC 6962 tree whose leaves are small
//! manifests ([`crate::core::manifest`]), an Ed25519-signed checkpoint after every leaf, and the frames beside it.
//!
//! ```text
//! LOCK              held while a process has the log open
//! id.json           the genesis leaf; its presence says the first start was completed
//! keys/             Ed25519 seeds, unless key files are configured: log.key, previous.key, next.key, witness.key
//! wal/000001.seg    the log itself: preallocated segments of leaves, disclosures and commits
//! head              two slots, written in turn: the last checkpoint, a second memory of how far the log had come
//! pruned            hashes of the leaves before the first segment, once retention has removed some
//! tile/             C2SP tlog-tiles      \
//! checkpoint        the last checkpoint  / derived, rebuilt at start when they differ
//! cosigned          the newest checkpoint that a witness cosigned, with the cosignatures
//! peers/            what is remembered of other logs as their witness
//! quarantine/       what recovery set aside: bytes that were never acknowledged
//! superseded/1/     a log that could not be continued, as it was; the one here says why in its second leaf
//! successor         there while one log takes the place of another
//! ```
//!
//! A leaf holds salted commitments ([`crate::core::disclosure`]) to the parts of a frame; the parts' disclosures lie
//! behind it in the segment, each in a record of its own. So a part can be destroyed by overwriting one record, and
//! every hash and every proof stays as it was.
//!
//! A frame is acknowledged after one write of leaf, disclosures and commit into preallocated blocks, `fdatasync`,
//! reading them back, one write of a head slot, and `fdatasync`. Nothing on that path allocates or renames, so a full
//! disk does not stop it. No checkpoint leaves the process before its leaf is durable, and a leaf once begun is finished
//! before any other takes its number, so the log never signs two histories.
//!
//! What makes editing evident is that somebody else remembers a checkpoint: whoever has the key and the disk can
//! rewrite both. Alerts therefore carry the checkpoint of their frame, and [`verify()`] takes a remembered one.
//!
//! Absent: replicas in an object store, and forward-secure keys.

mod bundle;
mod derived;
mod durable;
mod head;
mod keys;
mod log;
mod peers;
mod reader;
mod recovery;
mod start;
mod succession;
mod tiles;
mod verify;
mod wal;
mod witnessed;
mod writer;

pub use keys::{Entropy, os_entropy, own_vkey, read_policy, read_vkey};
pub use log::Log;
pub use peers::Peers;
pub use reader::Reader;
pub use start::OpenError;
pub use verify::{Level, Outcome, Verification, verify, verify_with_policy};

#[cfg(test)]
mod tests;

use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::core::note::hex;

/// SHA-256, lowercase hex.
fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Paths of all files below `dir/name`, relative to `dir`, in order; none when it does not exist.
fn files_below(dir: &Path, name: &str) -> io::Result<Vec<String>> {
    let (mut open, mut found) = (vec![name.to_owned()], Vec::new());
    while let Some(relative) = open.pop() {
        let entries = match std::fs::read_dir(dir.join(&relative)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let path = format!("{relative}/{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

/// Reads a file of at most `bytes_max`; larger ones are an error, so that nobody's evidence fills our memory.
fn read_at_most(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {bytes_max} bytes")));
    }
    Ok(bytes)
}

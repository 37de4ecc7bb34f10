//! The head: the last checkpoint in two slots written in turn, so that a torn write leaves the other. It is the log's
//! second memory: segments that end before it have lost something.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::durable::Disk;
use super::read_at_most;
use super::wal::{BLOCK, FILE_BYTES_MAX, Kind, Record, is_zero};
use crate::core::note::{Checkpoint, VerifierKey};

/// The file's size, bytes.
const HEAD_BYTES: usize = 2 * BLOCK;

/// What the slots say.
#[derive(Debug)]
pub(super) struct Slots {
    /// The larger of the checkpoints that can be believed.
    pub(super) latest: Option<Checkpoint>,
    /// What is wrong with a slot or with both, in words.
    pub(super) findings: Vec<String>,
}

/// Reads both slots and checks their signatures.
pub(super) fn read(dir: &Path, key: &VerifierKey) -> io::Result<Slots> {
    let bytes = read_at_most(&head_path(dir), FILE_BYTES_MAX)?;
    let mut slots = Slots { latest: None, findings: Vec::new() };
    if bytes.len() != HEAD_BYTES {
        slots.findings.push(format!("head has {} bytes, not {HEAD_BYTES}", bytes.len()));
        return Ok(slots);
    }
    for (number, slot) in bytes.chunks(BLOCK).enumerate() {
        match checkpoint(slot, key) {
            Ok(found) if slots.latest.as_ref().is_none_or(|latest| latest.size < found.size) => {
                slots.latest = Some(found);
            }
            Ok(found) if slots.latest.as_ref().is_some_and(|latest| latest.size == found.size && *latest != found) => {
                slots.latest = None;
                slots.findings.push(format!("head slots disagree on the root at size {}", found.size));
                return Ok(slots);
            }
            Ok(_) => {}
            Err(what) => slots.findings.push(format!("head slot {number}: {what}")),
        }
    }
    Ok(slots)
}

fn checkpoint(slot: &[u8], key: &VerifierKey) -> Result<Checkpoint, String> {
    let (record, _) = Record::decode(slot).ok_or("torn or altered")?;
    let note = std::str::from_utf8(record.payload).map_err(|_| "not text")?;
    let checkpoint = key.open_checkpoint(note).map_err(|error| error.to_string())?;
    let expected = Record { kind: Kind::Head, seq: checkpoint.size, segment: [0; 16], payload: record.payload };
    if record == expected { Ok(checkpoint) } else { Err("altered".to_owned()) }
}

/// Size the head claims, without believing its signature; zero when there is none. For a directory without `id.json`.
pub(super) fn claimed_size(dir: &Path) -> u64 {
    let bytes = std::fs::read(head_path(dir)).unwrap_or_default();
    let sizes = bytes.chunks(BLOCK).filter(|slot| !is_zero(slot)).filter_map(Record::decode);
    sizes.map(|(record, _)| record.seq).max().unwrap_or(0)
}

/// The head open for writing.
#[derive(Debug)]
pub(super) struct Head {
    file: Option<File>,
    dir: PathBuf,
    next_slot: u64,
}

impl Head {
    /// Creates the file with the same checkpoint in both slots.
    pub(super) fn create(disk: &Disk, dir: &Path, note: &str, size: u64) -> io::Result<Self> {
        let slot = encode(note, size);
        let file = disk.publish(&head_path(dir), 0o640, [&slot[..], &slot[..]])?;
        Ok(Self { file: Some(file), dir: dir.to_owned(), next_slot: 0 })
    }

    /// Opens the file that [`read`] believed, and brings both slots to the checkpoint they should have, the one that
    /// holds the larger checkpoint last.
    pub(super) fn open(disk: &Disk, dir: &Path, note: &str, size: u64) -> io::Result<Self> {
        let slot = encode(note, size);
        let bytes = std::fs::read(head_path(dir))?;
        let (first, second) = bytes.split_at_checked(BLOCK).unwrap_or_default();
        let size_of = |slot| Record::decode(slot).map(|(record, _)| record.seq);
        let file = OpenOptions::new().read(true).write(true).open(head_path(dir))?;
        let mut head =
            Self { file: Some(file), dir: dir.to_owned(), next_slot: u64::from(size_of(first) >= size_of(second)) };
        if first != slot || second != slot {
            head.write(disk, note, size)?;
            head.write(disk, note, size)?;
        }
        Ok(head)
    }

    /// Makes a checkpoint durable in the slot that does not hold the last one. After a failure the file is never
    /// trusted again: a new one takes its place, which needs a free block.
    pub(super) fn write(&mut self, disk: &Disk, note: &str, size: u64) -> io::Result<()> {
        let slot = encode(note, size);
        if let Some(file) = self.file.take() {
            let offset = self.next_slot * BLOCK as u64;
            let written = disk.write_at(&file, &slot, offset).and_then(|()| disk.sync(&file));
            if written.and_then(|()| disk.read_back(&file, &slot, offset)).is_ok() {
                self.file = Some(file);
                self.next_slot = 1 - self.next_slot;
                return Ok(());
            }
        }
        *self = Self::create(disk, &self.dir, note, size)?;
        Ok(())
    }
}

fn encode(note: &str, size: u64) -> Vec<u8> {
    let mut slot = Vec::with_capacity(BLOCK);
    Record { kind: Kind::Head, seq: size, segment: [0; 16], payload: note.as_bytes() }.encode(&mut slot);
    slot
}

fn head_path(dir: &Path) -> PathBuf {
    dir.join("head")
}

//! The head: the last checkpoint in two slots written in turn, so that a torn write leaves the other. It is the log's
//! second memory: segments that end before it have lost something.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::durable::Disk;
use super::read_at_most;
use super::wal::{BLOCK, FILE_BYTES_MAX, Kind, Record};
use crate::core::note::Checkpoint;

/// The file's size, bytes.
const HEAD_BYTES: usize = 2 * BLOCK;

/// What a slot is called in messages.
pub(super) const NAME: &str = "head";

/// A checkpoint that something in the directory remembers. Its signature is still to be checked.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    /// What remembers it.
    pub(super) name: &'static str,
    pub(super) checkpoint: Checkpoint,
    pub(super) note: String,
}

/// What the slots say.
#[derive(Debug)]
pub(super) struct Slots {
    /// The checkpoints of the slots that are whole.
    pub(super) memories: Vec<Memory>,
    /// What is wrong with a slot or with both, in words.
    pub(super) findings: Vec<String>,
}

/// Reads both slots.
pub(super) fn read(dir: &Path) -> io::Result<Slots> {
    let bytes = match read_at_most(&head_path(dir), FILE_BYTES_MAX) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        bytes => bytes?,
    };
    let mut slots = Slots { memories: Vec::new(), findings: Vec::new() };
    if bytes.len() != HEAD_BYTES {
        slots.findings.push(format!("head has {} bytes, not {HEAD_BYTES}", bytes.len()));
        return Ok(slots);
    }
    for (number, slot) in bytes.chunks(BLOCK).enumerate() {
        match memory(slot) {
            Ok(memory) => slots.memories.push(memory),
            Err(what) => slots.findings.push(format!("head slot {number}: {what}")),
        }
    }
    Ok(slots)
}

fn memory(slot: &[u8]) -> Result<Memory, String> {
    let (record, _) = Record::decode(slot).ok_or("torn or altered")?;
    let note = std::str::from_utf8(record.payload).map_err(|_| "not text")?;
    let checkpoint = Checkpoint::of_note(note).map_err(|error| error.to_string())?;
    let expected = Record { kind: Kind::Head, seq: checkpoint.size, segment: [0; 16], payload: record.payload };
    let memory = Memory { name: NAME, checkpoint, note: note.to_owned() };
    if record == expected { Ok(memory) } else { Err("altered".to_owned()) }
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

    /// Opens the file that [`read`] read, and brings both slots to the checkpoint they should have, the one that
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

#[cfg(test)]
mod tests;

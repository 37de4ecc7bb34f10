//! Segments: preallocated files of records, the log itself.
//!
//! A segment is a file of fixed size, written full of zeroes and synced before it is used; its first block is a record
//! that names the log and the size. Entries ([`Entry`]) follow one another without gaps.

mod entry;
mod record;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::durable::Disk;
pub(super) use entry::{Entry, Found, Location, Slot, found, padded, read, read_manifest};
pub(super) use record::{BLOCK, Kind, Record, SegmentId, ZEROES, is_zero};

/// Size of a segment, bytes; a larger frame gets a larger one.
pub(super) const SEGMENT_BYTES: u64 = 8 * 1024 * 1024;
/// Largest segment, and largest other file, that is ever read, bytes.
pub(super) const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Reads a segment into `bytes`, up to its last block that is not all zeroes and one more, since a hash may reach into
/// a block of zeroes, and returns its whole length. So what a segment takes in memory is what was written to it.
pub(super) fn read_segment(path: &Path, bytes: &mut Vec<u8>) -> io::Result<u64> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    if length > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {FILE_BYTES_MAX} bytes")));
    }
    bytes.clear();
    bytes.reserve_exact(usize::try_from(length).map_err(io::Error::other)?);
    let mut part = vec![0; ZEROES.len()];
    let (mut at, mut end) = (0, 0);
    while at < length {
        let wanted = usize::try_from(length - at).unwrap_or(usize::MAX).min(part.len());
        let part = &mut part[..wanted];
        file.read_exact_at(part, at)?;
        if !is_zero(part) {
            let start = usize::try_from(at).map_err(io::Error::other)?;
            bytes.resize(start, 0);
            bytes.extend_from_slice(part);
            let used = part.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            end = (start + used).next_multiple_of(BLOCK) + BLOCK;
        }
        at += wanted as u64;
    }
    bytes.resize(end.min(usize::try_from(length).map_err(io::Error::other)?), 0);
    Ok(length)
}

/// A segment open for writing.
#[derive(Debug)]
pub(super) struct Segment {
    file: File,
    pub(super) number: u64,
    id: SegmentId,
    /// First free byte.
    end: u64,
    bytes: u64,
    /// Set by the first failure; nothing is written here again.
    pub(super) poisoned: bool,
}

impl Segment {
    /// Preallocates a segment.
    pub(super) fn create(
        disk: &Disk,
        dir: &Path,
        number: u64,
        id: SegmentId,
        origin: &str,
        bytes: u64,
    ) -> io::Result<Self> {
        let mut header = Vec::new();
        let payload = segment_payload(origin, bytes);
        Record { kind: Kind::Segment, seq: number, segment: id, payload: payload.as_bytes() }.encode(&mut header);
        let mut rest = usize::try_from(bytes).map_err(io::Error::other)?.saturating_sub(header.len());
        let end = header.len() as u64;
        let zeroes = std::iter::from_fn(|| {
            let part = &ZEROES[..rest.min(ZEROES.len())];
            rest -= part.len();
            (!part.is_empty()).then_some(part)
        });
        let file = disk.publish(&segment_path(dir, number), 0o640, std::iter::once(&header[..]).chain(zeroes))?;
        Ok(Self { file, number, id, end, bytes, poisoned: false })
    }

    /// Opens a segment that was read before, to go on at `end`.
    pub(super) fn open(dir: &Path, number: u64, id: SegmentId, end: u64) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(segment_path(dir, number))?;
        let bytes = file.metadata()?.len();
        Ok(Self { file, number, id, end, bytes, poisoned: false })
    }

    /// Opens a segment that was read before and is not written to any more, but to erase from it.
    pub(super) fn reopen(dir: &Path, number: u64) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(segment_path(dir, number))?;
        let mut header = vec![0; BLOCK];
        file.read_exact_at(&mut header, 0)?;
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, format!("segment {number} is damaged"));
        let (record, _) = Record::decode(&header).filter(|(it, _)| it.kind == Kind::Segment).ok_or_else(damaged)?;
        let bytes = file.metadata()?.len();
        Ok(Self { id: record.segment, number, end: bytes, bytes, poisoned: false, file })
    }

    /// First free byte.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Whether an entry of this length still fits.
    pub(super) fn has_room(&self, length: usize) -> bool {
        self.end + length as u64 <= self.bytes
    }

    /// Bytes left.
    pub(super) fn room(&self) -> u64 {
        self.bytes - self.end
    }

    /// Makes an entry durable: one write, one sync, read back. Any failure poisons the segment.
    pub(super) fn append(&mut self, disk: &Disk, entry: &Entry<'_>) -> io::Result<Location> {
        let mut bytes = Vec::with_capacity(entry.padded());
        entry.encode(self.id, &mut bytes);
        self.durably(disk, &bytes, self.end)?;
        let location = Location { segment: self.number, offset: self.end, length: bytes.len() };
        self.end += bytes.len() as u64;
        Ok(location)
    }

    /// Overwrites the part of `length` bytes at `offset` with zeroes.
    pub(super) fn blank(&mut self, disk: &Disk, seq: u64, offset: u64, length: usize) -> io::Result<()> {
        let (payload, mut bytes) = (vec![0; length], Vec::new());
        Record { kind: Kind::Blank, seq, segment: self.id, payload: &payload }.encode(&mut bytes);
        self.durably(disk, &bytes, offset)
    }

    /// Fills everything from `from` on with zeroes.
    pub(super) fn clear_from(&mut self, disk: &Disk, from: u64) -> io::Result<()> {
        let length = usize::try_from(self.bytes.saturating_sub(from)).map_err(io::Error::other)?;
        self.durably(disk, &vec![0; length], from)
    }

    fn durably(&mut self, disk: &Disk, bytes: &[u8], offset: u64) -> io::Result<()> {
        let before = std::mem::replace(&mut self.poisoned, true);
        disk.write_at(&self.file, bytes, offset)?;
        disk.sync(&self.file)?;
        disk.read_back(&self.file, bytes, offset)?;
        self.poisoned = before;
        Ok(())
    }
}

/// Payload of a segment's first record.
pub(super) fn segment_payload(origin: &str, bytes: u64) -> String {
    format!("{origin}\n{bytes}\n")
}

/// Path of a segment.
pub(super) fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join("wal").join(format!("{number:06}.seg"))
}

/// Number of the segment at a path relative to the directory.
pub(super) fn segment_number(dir: &Path, path: &str) -> Option<u64> {
    let number = path.strip_prefix("wal/")?.strip_suffix(".seg")?.parse().ok()?;
    (dir.join(path) == segment_path(dir, number)).then_some(number)
}

/// Length of the smallest segment that an entry fits, bytes.
pub(super) fn segment_for(entry: usize) -> u64 {
    (BLOCK + entry) as u64
}

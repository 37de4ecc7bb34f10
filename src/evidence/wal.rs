//! Records and segments: how leaves and commits lie on disk.
//!
//! A record is `magic (8) | kind (4) | payload length (4) | seq (8) | segment id (16) | payload | SHA-256 of all that`,
//! big-endian, padded with zeroes to a multiple of [`BLOCK`]. The segment id is random, so that a record can't be
//! mistaken for one of another segment or of an earlier use of the same blocks. A segment is a file of fixed size,
//! written full of zeroes and synced before it is used; its first block is a record that names the log and the size.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::durable::Disk;

/// Unit of alignment, bytes.
pub(super) const BLOCK: usize = 4096;
/// Size of a segment, bytes.
pub(super) const SEGMENT_BYTES: u64 = 8 * 1024 * 1024;
/// Largest segment, and largest other file, that is ever read, bytes.
pub(super) const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Zeroes, to fill segments with and to compare tails with.
pub(super) static ZEROES: [u8; 64 * 1024] = [0; 64 * 1024];

const MAGIC: &[u8; 8] = b"FFRECORD";
const HEADER: usize = 40;
const SHA256: usize = 32;

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A leaf: length of the manifest (4), manifest, frame.
    Leaf = 1,
    /// The signed checkpoint that covers the leaf before it.
    Commit = 2,
    /// A head slot: a signed checkpoint; seq is its size.
    Head = 3,
    /// First block of a segment: origin, newline, size in bytes; seq is the segment's number.
    Segment = 4,
}

/// Random id of a segment; zero for the head.
pub(super) type SegmentId = [u8; 16];

/// A record in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) kind: Kind,
    pub(super) seq: u64,
    pub(super) segment: SegmentId,
    pub(super) payload: &'a [u8],
}

impl<'a> Record<'a> {
    /// Length of the record for a payload, padding included, bytes.
    pub(super) fn padded(payload: usize) -> usize {
        (HEADER + payload + SHA256).next_multiple_of(BLOCK)
    }

    /// Appends the record to `out`.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let length = u32::try_from(self.payload.len()).expect("payloads are smaller than a segment");
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&(self.kind as u32).to_be_bytes());
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&self.seq.to_be_bytes());
        out.extend_from_slice(&self.segment);
        out.extend_from_slice(self.payload);
        let hash = Sha256::digest(&out[start..]);
        out.extend_from_slice(&hash);
        out.resize(start + Self::padded(self.payload.len()), 0);
    }

    /// The record at the start of `bytes` and its padded length; `None` unless every byte of it is right.
    pub(super) fn decode(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let header = bytes.get(..HEADER).filter(|header| header.starts_with(MAGIC))?;
        let number = |range: std::ops::Range<usize>| header[range].iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
        let kind = match number(8..12) {
            1 => Kind::Leaf,
            2 => Kind::Commit,
            3 => Kind::Head,
            4 => Kind::Segment,
            _ => return None,
        };
        let end = HEADER + usize::try_from(number(12..16)).ok()?;
        let padded = bytes.get(..Self::padded(end - HEADER))?;
        let (hashed, rest) = padded.split_at(end);
        let (hash, padding) = rest.split_at(SHA256);
        let segment = header[24..40].try_into().ok()?;
        let record = Self { kind, seq: number(16..24), segment, payload: &hashed[HEADER..] };
        (is_zero(padding) && Sha256::digest(hashed)[..] == *hash).then_some((record, padded.len()))
    }
}

/// Whether all bytes are zero.
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(ZEROES.len()).all(|chunk| chunk == &ZEROES[..chunk.len()])
}

/// Where a leaf record lies; its commit record is the block after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Location {
    /// Number of the segment.
    pub(super) segment: u64,
    /// Offset of the leaf record, bytes.
    pub(super) offset: u64,
    /// Length of the leaf record with padding, bytes.
    pub(super) length: usize,
}

/// The payload of a leaf record.
pub(super) fn leaf_payload(manifest: &[u8], frame: &[u8]) -> Vec<u8> {
    let length = u32::try_from(manifest.len()).expect("manifests are at most 16 KiB");
    [&length.to_be_bytes()[..], manifest, frame].concat()
}

/// Manifest and frame of a leaf record's payload.
pub(super) fn split_leaf(payload: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = payload.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// Reads a segment up to its last block that is not all zeroes and one more, since a hash may reach into a block of
/// zeroes, and its whole length. So what a segment takes in memory is what was written to it.
pub(super) fn read_segment(path: &Path) -> io::Result<(Vec<u8>, u64)> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    if length > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {FILE_BYTES_MAX} bytes")));
    }
    let mut bytes = Vec::new();
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
    bytes.shrink_to_fit();
    Ok((bytes, length))
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

    /// Whether a leaf with its commit still fits.
    pub(super) fn has_room(&self, leaf: usize, commit: usize) -> bool {
        self.end + (Record::padded(leaf) + Record::padded(commit)) as u64 <= self.bytes
    }

    /// Makes a leaf and its commit durable: one write, one sync, read back. Any failure poisons the segment.
    pub(super) fn append(&mut self, disk: &Disk, seq: u64, leaf: &[u8], note: &str) -> io::Result<Location> {
        let mut bytes = Vec::with_capacity(Record::padded(leaf.len()) + Record::padded(note.len()));
        Record { kind: Kind::Leaf, seq, segment: self.id, payload: leaf }.encode(&mut bytes);
        let length = bytes.len();
        Record { kind: Kind::Commit, seq, segment: self.id, payload: note.as_bytes() }.encode(&mut bytes);
        self.durably(disk, &bytes, self.end)?;
        let location = Location { segment: self.number, offset: self.end, length };
        self.end += bytes.len() as u64;
        Ok(location)
    }

    /// Fills everything from `from` on with zeroes.
    pub(super) fn clear_from(&mut self, disk: &Disk, from: u64) -> io::Result<()> {
        let length = usize::try_from(self.bytes.saturating_sub(from)).map_err(io::Error::other)?;
        self.durably(disk, &vec![0; length], from)
    }

    fn durably(&mut self, disk: &Disk, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.poisoned = true;
        disk.write_at(&self.file, bytes, offset)?;
        disk.sync(&self.file)?;
        disk.read_back(&self.file, bytes, offset)?;
        self.poisoned = false;
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

/// Whether a leaf with its commit fits an empty segment.
pub(super) fn fits(segment_bytes: u64, leaf: usize, commit: usize) -> bool {
    (BLOCK + Record::padded(leaf) + Record::padded(commit)) as u64 <= segment_bytes
}

/// A leaf read back from its segment.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) manifest: Vec<u8>,
    pub(super) frame: Vec<u8>,
    pub(super) note: String,
}

/// Reads the leaf at `location` and checks its records.
pub(super) fn read_leaf(dir: &Path, location: Location, seq: u64) -> io::Result<Stored> {
    let path = segment_path(dir, location.segment);
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, format!("leaf {seq} in {} is damaged", path.display()));
    let mut bytes = vec![0; location.length + BLOCK];
    File::open(&path)?.read_exact_at(&mut bytes, location.offset)?;
    let (leaf, length) = Record::decode(&bytes).ok_or_else(damaged)?;
    let (commit, _) = Record::decode(&bytes[length..]).ok_or_else(damaged)?;
    if (leaf.kind, leaf.seq, commit.kind, commit.seq) != (Kind::Leaf, seq, Kind::Commit, seq) {
        return Err(damaged());
    }
    let (manifest, frame) = split_leaf(leaf.payload).ok_or_else(damaged)?;
    let note = String::from_utf8(commit.payload.to_vec()).map_err(|_| damaged())?;
    Ok(Stored { manifest: manifest.to_vec(), frame: frame.to_vec(), note })
}

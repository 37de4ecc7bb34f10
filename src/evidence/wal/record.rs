//! A record: the one form in which anything lies in a segment or in the head.
//!
//! `magic (8) | kind (4) | payload length (4) | seq (8) | segment id (16) | payload | SHA-256 of all that`, big-endian,
//! padded with zeroes to a multiple of [`BLOCK`]. The segment id is random, so that a record can't be mistaken for one
//! of another segment or of an earlier use of the same blocks.

use sha2::{Digest, Sha256};

/// Unit of alignment, bytes.
pub(in super::super) const BLOCK: usize = 4096;
/// Zeroes, to fill segments with and to compare tails with.
pub(in super::super) static ZEROES: [u8; 64 * 1024] = [0; 64 * 1024];

const MAGIC: &[u8; 8] = b"FFRECORD";
const HEADER: usize = 40;
const SHA256: usize = 32;

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kind {
    /// A leaf: its manifest.
    Leaf = 1,
    /// The signed checkpoint that covers the leaf before it.
    Commit = 2,
    /// A head slot: a signed checkpoint; seq is its size.
    Head = 3,
    /// First block of a segment: origin, newline, size in bytes; seq is the segment's number.
    Segment = 4,
    /// The disclosure of a part of the frame in the leaf before it.
    Part = 5,
    /// A part that was destroyed: zeroes of the same length.
    Blank = 6,
}

/// Random id of a segment; zero for the head.
pub(in super::super) type SegmentId = [u8; 16];

/// A record in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Record<'a> {
    pub(in super::super) kind: Kind,
    pub(in super::super) seq: u64,
    pub(in super::super) segment: SegmentId,
    pub(in super::super) payload: &'a [u8],
}

impl<'a> Record<'a> {
    /// Length of the record for a payload, padding included, bytes.
    pub(in super::super) fn padded(payload: usize) -> usize {
        (HEADER + payload + SHA256).next_multiple_of(BLOCK)
    }

    /// Appends the record to `out`.
    pub(in super::super) fn encode(&self, out: &mut Vec<u8>) {
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
    pub(in super::super) fn decode(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let header = bytes.get(..HEADER).filter(|header| header.starts_with(MAGIC))?;
        let number = |range: std::ops::Range<usize>| header[range].iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
        let kind = match number(8..12) {
            1 => Kind::Leaf,
            2 => Kind::Commit,
            3 => Kind::Head,
            4 => Kind::Segment,
            5 => Kind::Part,
            6 => Kind::Blank,
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
pub(in super::super) fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(ZEROES.len()).all(|chunk| chunk == &ZEROES[..chunk.len()])
}

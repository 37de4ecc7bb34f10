//! A leaf as it lies in a segment: its manifest, the disclosures of its parts, and the checkpoint that commits it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::record::{BLOCK, Kind, Record, SegmentId, is_zero};
use super::segment_path;
use crate::core::disclosure::commitment;
use crate::core::manifest::{Manifest, Part};

/// What is written for one leaf.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Entry<'a> {
    pub(in super::super) seq: u64,
    pub(in super::super) manifest: &'a [u8],
    /// Disclosures, in the order of the manifest.
    pub(in super::super) parts: &'a [String],
    pub(in super::super) note: &'a str,
}

impl Entry<'_> {
    /// Length in a segment, bytes.
    pub(in super::super) fn padded(&self) -> usize {
        let parts: usize = self.parts.iter().map(|part| Record::padded(part.len())).sum();
        Record::padded(self.manifest.len()) + parts + Record::padded(self.note.len())
    }

    /// Appends all its records.
    pub(in super::super) fn encode(&self, segment: SegmentId, out: &mut Vec<u8>) {
        let mut push = |kind, payload| Record { kind, seq: self.seq, segment, payload }.encode(out);
        push(Kind::Leaf, self.manifest);
        self.parts.iter().for_each(|part| push(Kind::Part, part.as_bytes()));
        push(Kind::Commit, self.note.as_bytes());
    }
}

/// Where an entry lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Location {
    /// Number of the segment.
    pub(in super::super) segment: u64,
    /// Offset of the leaf record, bytes.
    pub(in super::super) offset: u64,
    /// Length of all its records, bytes.
    pub(in super::super) length: usize,
}

/// What is in the place of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Slot<'a> {
    /// The disclosure that was committed.
    Open(&'a str),
    /// Zeroes.
    Blank,
    /// Neither.
    Unreadable,
}

/// An entry read from a segment. Nothing is checked yet but the records and the commitments.
#[derive(Debug)]
pub(in super::super) struct Found<'a> {
    pub(in super::super) manifest: Manifest,
    pub(in super::super) bytes: &'a [u8],
    /// In the order of the manifest's parts.
    pub(in super::super) slots: Vec<Slot<'a>>,
    /// `None` when there is no whole commit record.
    pub(in super::super) note: Option<&'a str>,
    /// Length of all its records, with room for the commit when it is not there, bytes.
    pub(in super::super) length: usize,
}

impl<'a> Found<'a> {
    /// Reads the entry at the start of `bytes`, which begins with the record `leaf` of `length` bytes; an error says why
    /// the leaf is none.
    pub(in super::super) fn read(bytes: &'a [u8], leaf: &Record<'a>, length: usize) -> Result<Self, String> {
        let manifest = Manifest::parse(leaf.payload).map_err(|error| error.to_string())?;
        let mut at = length;
        let mut slots = Vec::new();
        for part in manifest.leaf.parts() {
            let padded = padded(part).ok_or("a part is too large")?;
            let place = bytes.get(at..at.saturating_add(padded)).unwrap_or_default();
            slots.push(Slot::read(place, leaf, part));
            at = at.saturating_add(padded);
        }
        let commit = Record::decode(bytes.get(at..).unwrap_or_default()).map(|(commit, _)| commit);
        let belongs = |it: &Record<'_>| (it.kind, it.seq, it.segment) == (Kind::Commit, leaf.seq, leaf.segment);
        let payload = commit.filter(belongs).map(|commit| commit.payload);
        let note = payload.and_then(|payload| std::str::from_utf8(payload).ok());
        let length = at.saturating_add(Record::padded(note.map_or(0, str::len)));
        Ok(Self { manifest, bytes: leaf.payload, slots, note, length })
    }

    /// Whether every part is there.
    pub(in super::super) fn is_whole(&self) -> bool {
        self.slots.iter().all(|slot| matches!(slot, Slot::Open(_)))
    }
}

impl<'a> Slot<'a> {
    fn read(place: &'a [u8], leaf: &Record<'_>, part: &Part) -> Self {
        let found = Record::decode(place).map(|(record, _)| record);
        match found.filter(|record| (record.seq, record.segment) == (leaf.seq, leaf.segment)) {
            Some(Record { kind: Kind::Part, payload, .. }) => match std::str::from_utf8(payload) {
                Ok(text) if payload.len() as u64 == part.bytes && commitment(payload) == part.sd => Self::Open(text),
                _ => Self::Unreadable,
            },
            Some(Record { kind: Kind::Blank, payload, .. }) if is_zero(payload) => Self::Blank,
            _ => Self::Unreadable,
        }
    }
}

/// Length of the record of a part, bytes; `None` when it could not be.
pub(in super::super) fn padded(part: &Part) -> Option<usize> {
    usize::try_from(part.bytes).ok().filter(|bytes| *bytes <= u32::MAX as usize).map(Record::padded)
}

/// The bytes of the entry of leaf `seq`, for [`found()`].
pub(in super::super) fn read(dir: &Path, location: Location) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; location.length];
    File::open(segment_path(dir, location.segment))?.read_exact_at(&mut bytes, location.offset)?;
    Ok(bytes)
}

/// The manifest of leaf `seq` alone, which mostly fits the first block of the entry; an error when it is damaged.
pub(in super::super) fn read_manifest(dir: &Path, location: Location, seq: u64) -> io::Result<Vec<u8>> {
    for length in [location.length.min(BLOCK), location.length] {
        let bytes = read(dir, Location { length, ..location })?;
        if let Some((leaf, _)) = Record::decode(&bytes).filter(|(it, _)| (it.kind, it.seq) == (Kind::Leaf, seq)) {
            return Ok(leaf.payload.to_vec());
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, format!("leaf {seq} is damaged: unreadable")))
}

/// The entry of leaf `seq` in the bytes that [`read()`] gave; an error when they are damaged.
pub(in super::super) fn found(bytes: &[u8], seq: u64) -> io::Result<Found<'_>> {
    let damaged = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("leaf {seq} is damaged: {what}"));
    let leaf = Record::decode(bytes).filter(|(leaf, _)| (leaf.kind, leaf.seq) == (Kind::Leaf, seq));
    let (leaf, length) = leaf.ok_or_else(|| damaged("unreadable"))?;
    let found = Found::read(bytes, &leaf, length).map_err(|what| damaged(&what))?;
    if found.note.is_some() { Ok(found) } else { Err(damaged("its checkpoint is unreadable")) }
}

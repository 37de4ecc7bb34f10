//! Reading one segment onto the end of what was read before.

use super::super::wal::{BLOCK, Found, Kind, Location, Record, SegmentId, Slot, is_zero, segment_payload};
use super::{Scan, ScanError, SegmentState, Unfinished, check_frame, check_manifest};
use crate::core::frame::parts::{Erased, REST};
use crate::core::manifest::Leaf;
use crate::core::merkle::leaf_hash;
use crate::core::note::Checkpoint;

/// A segment in memory.
pub(super) struct Segment<'a> {
    pub(super) number: u64,
    /// Without the blocks of zeroes at the end.
    pub(super) bytes: &'a [u8],
    /// With them.
    pub(super) length: u64,
    pub(super) origin: &'a str,
    /// Size up to which leaves were acknowledged.
    pub(super) head: u64,
}

/// Reads all leaves of a segment.
pub(super) fn read(segment: &Segment<'_>, scan: &mut Scan) -> Result<(), ScanError> {
    let id = segment.header()?;
    let mut first = scan.tree.size();
    let begins = segment.record(BLOCK).filter(|(record, _)| record.segment == id);
    let end = match begins.filter(|(record, _)| segment.repeats_last_leaf(scan, record)) {
        None => segment.leaves(scan, id, BLOCK)?,
        Some((record, length)) => match segment.repeat(scan, &record, length)? {
            Some(end) => {
                first = record.seq;
                segment.leaves(scan, id, end)?
            }
            None => BLOCK,
        },
    };
    segment.refuse_other_leaves(end, scan)?;
    let torn = !is_zero(segment.bytes.get(end..).unwrap_or_default());
    let (number, bytes) = (segment.number, segment.length);
    scan.segments.push(SegmentState { number, id, first, end: end as u64, bytes, torn });
    Ok(())
}

impl<'a> Segment<'a> {
    fn header(&self) -> Result<SegmentId, ScanError> {
        let payload = segment_payload(self.origin, self.length);
        let header = self.record(0).map(|(record, _)| record);
        let expected = |id| Record { kind: Kind::Segment, seq: self.number, segment: id, payload: payload.as_bytes() };
        match header {
            Some(record) if record == expected(record.segment) => Ok(record.segment),
            _ => Err(self.damaged(0, "not a whole segment of this log")),
        }
    }

    /// Reads the leaves from `at` on, and returns the end of the last.
    fn leaves(&self, scan: &mut Scan, id: SegmentId, mut at: usize) -> Result<usize, ScanError> {
        while let Some((record, length)) = self.record(at).filter(|(leaf, _)| leaf.kind == Kind::Leaf) {
            if record.segment != id {
                return Err(self.damaged(at, "a record of another segment"));
            }
            if record.seq != scan.tree.size() {
                return Err(self.damaged(at, &format!("leaf {} where {} belongs", record.seq, scan.tree.size())));
            }
            let found = self.found(at, &record, length)?;
            self.check(scan, &found)?;
            let location = Location { segment: self.number, offset: at as u64, length: found.length };
            if record.seq >= self.head {
                self.unfinished(scan, found, location)?;
                break;
            }
            // Without its commit it was torn by a failing device; then the next segment has it again, or nobody has.
            let Some(note) = found.note else { break };
            at += found.length;
            self.leaf(scan, &found, note, location)?;
        }
        Ok(at)
    }

    fn record(&self, at: usize) -> Option<(Record<'a>, usize)> {
        Record::decode(self.bytes.get(at..)?)
    }

    fn found(&self, at: usize, leaf: &Record<'a>, length: usize) -> Result<Found<'a>, ScanError> {
        let bytes = self.bytes.get(at..).unwrap_or_default();
        Found::read(bytes, leaf, length).map_err(|what| ScanError::Damaged(format!("leaf {}: {what}", leaf.seq)))
    }

    /// Checks a leaf and those of its parts that are there.
    fn check(&self, scan: &Scan, found: &Found<'_>) -> Result<(), ScanError> {
        let seq = found.manifest.seq;
        let wrong = |what: String| ScanError::Damaged(format!("leaf {}: {what}", scan.tree.size()));
        let root = scan.tree.root_at(scan.tree.size()).unwrap_or_default();
        check_manifest(&found.manifest, self.origin, scan.tree.size(), root, &scan.leaves).map_err(wrong)?;
        // Without the part that says which frame it is, no frame can be made.
        let mut parts = found.manifest.leaf.parts().iter().zip(&found.slots);
        if parts.any(|(part, slot)| part.name == REST && matches!(slot, Slot::Open(_))) {
            // Whether another part may be gone is for later leaves to say.
            let unknown = |_: &str| Some(Erased { seq, at: String::new(), reason: String::new() });
            check_frame(&found.manifest, &found.slots, unknown).map_err(wrong)?;
        }
        Ok(())
    }

    /// Appends a committed leaf.
    fn leaf(&self, scan: &mut Scan, found: &Found<'_>, note: &str, location: Location) -> Result<(), ScanError> {
        let seq = found.manifest.seq;
        let wrong = |what: String| ScanError::Damaged(format!("leaf {seq}: {what}"));
        scan.tree.push(leaf_hash(found.bytes));
        if let Leaf::KeyRotate { vkey, .. } = &found.manifest.leaf {
            scan.chain.rotate(self.origin, vkey, seq).map_err(|what| wrong(format!("its key: {what}")))?;
        }
        self.signed(scan, seq, note).map_err(wrong)?;
        scan.leaves.push(location, &found.manifest);
        scan.note_gone(found);
        scan.note = Some(note.to_owned());
        scan.unfinished = None;
        Ok(())
    }

    /// Checks the signatures of the checkpoint of a leaf that is in the tree.
    fn signed(&self, scan: &Scan, seq: u64, note: &str) -> Result<(), String> {
        let root = scan.tree.root_at(seq + 1).unwrap_or_default();
        let expected = Checkpoint { origin: self.origin.to_owned(), size: seq + 1, root };
        for signer in scan.chain.signers(seq) {
            let signed = signer.open_checkpoint(note).map_err(|error| error.to_string())?;
            if signed != expected {
                return Err("its checkpoint signs another tree".to_owned());
            }
        }
        Ok(())
    }

    /// Keeps a leaf that the head does not cover. Its commit may be torn: it can be made again. Without all of its parts
    /// it is no more than a torn write.
    fn unfinished(&self, scan: &mut Scan, found: Found<'_>, location: Location) -> Result<(), ScanError> {
        if !found.is_whole() {
            return Ok(());
        }
        if scan.unfinished.as_ref().is_some_and(|known| known.bytes != found.bytes) {
            return Err(self.damaged(0, &format!("two different leaves {}", found.manifest.seq)));
        }
        let open = |slot: &Slot<'_>| match slot {
            Slot::Open(text) => Some((*text).to_owned()),
            Slot::Blank | Slot::Unreadable => None,
        };
        let parts = found.slots.iter().filter_map(open).collect();
        let bytes = found.bytes.to_vec();
        scan.unfinished = Some(Unfinished { manifest: found.manifest, bytes, parts, location });
        Ok(())
    }

    /// After a failed sync the last leaf is written again at the start of the next segment; that copy counts. If a crash
    /// came between, another set of keys may have signed it, but always the same tree. Its end; `None` when this segment
    /// was given up, too, before the copy was whole, or the leaf is pruned.
    fn repeats_last_leaf(&self, scan: &Scan, record: &Record<'_>) -> bool {
        record.kind == Kind::Leaf && record.seq + 1 == scan.tree.size()
    }

    fn repeat(&self, scan: &mut Scan, record: &Record<'a>, length: usize) -> Result<Option<usize>, ScanError> {
        if scan.leaves.locations.is_empty() {
            return Ok(None);
        }
        let found = self.found(BLOCK, record, length)?;
        let is_same = Some(leaf_hash(found.bytes)) == scan.tree.subtree(0, record.seq);
        let is_signed = found.note.is_none_or(|note| self.signed(scan, record.seq, note).is_ok());
        match (scan.leaves.locations.last_mut(), found.note) {
            (Some(_), None) if is_same => Ok(None),
            (Some(location), Some(note)) if is_same && is_signed => {
                scan.note = Some(note.to_owned());
                if let Some(first) = scan.segments.iter_mut().find(|segment| segment.number == location.segment) {
                    (first.end, first.torn) = (location.offset, true);
                }
                *location = Location { segment: self.number, offset: BLOCK as u64, length: found.length };
                scan.note_gone(&found);
                Ok(Some(BLOCK + found.length))
            }
            _ => Err(self.damaged(BLOCK, &format!("another leaf {} than the one before", record.seq))),
        }
    }

    /// Behind the end of the chain nothing readable may follow but what was being written at the head, or what is left of
    /// a copy of the last leaf.
    fn refuse_other_leaves(&self, from: usize, scan: &Scan) -> Result<(), ScanError> {
        let size = scan.tree.size();
        let is_copy = |seq| from == BLOCK && seq + 1 == size;
        for at in (from..self.bytes.len()).step_by(BLOCK) {
            if let Some((record, _)) = self.record(at)
                && (record.seq > size || record.seq < self.head.min(size))
                && !is_copy(record.seq)
            {
                return Err(self.damaged(from, &format!("damaged, for record {} follows", record.seq)));
            }
        }
        Ok(())
    }

    fn damaged(&self, at: usize, what: &str) -> ScanError {
        ScanError::Damaged(format!("wal segment {} at byte {at}: {what}", self.number))
    }
}

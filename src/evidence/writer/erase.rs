//! Destroying parts of frames. The leaf that says so comes first, so nothing is ever gone without a reason on record;
//! what a crash leaves undone is done at the next opening.

use std::io;
use std::sync::RwLock;

use super::super::durable::TEMPORARY;
use super::super::files_below;
use super::super::reader::Index;
use super::super::wal::{self, Location, Segment, Slot};
use super::{Writer, read, refused, retry};
use crate::core::frame::parts::{REST, SAMPLES};
use crate::core::manifest::{Erasure, Leaf, Manifest};
use crate::engine::store::{EraseOrder, StoreError};

impl Writer {
    /// Erases parts of a frame, and returns the leaf that says so. The samples are whole requests, so they go with any
    /// variable.
    pub(in super::super) fn erase(&mut self, order: &EraseOrder, index: &RwLock<Index>) -> Result<u64, StoreError> {
        self.finish_pending(index)?;
        let (frame, location) = {
            let index = read(index);
            let seq = index.leaves.ids.get(order.frame_id.as_str()).copied();
            let seq = seq.ok_or_else(|| refused(format!("no frame {}", order.frame_id)))?;
            (seq, index.leaves.location(seq).ok_or_else(|| refused("the frame was pruned"))?)
        };
        let manifest = self.manifest_at(frame, location).map_err(|error| retry("reading the frame", &error))?;
        let has = |name: &str| manifest.leaf.parts().iter().any(|part| part.name == name);
        if let Some(unknown) = order.parts.iter().find(|part| *part == REST || !has(part)) {
            return Err(refused(format!("the frame has no part {unknown} that can be erased")));
        }
        let mut parts = order.parts.clone();
        parts.extend(has(SAMPLES).then(|| SAMPLES.to_owned()));
        parts.sort();
        parts.dedup();
        let known = parts.iter().map(|part| read(index).leaves.erased(frame, part)).collect::<Option<Vec<_>>>();
        let seq = match known.and_then(|known| known.iter().map(|erased| erased.seq).max()) {
            Some(seq) => seq,
            None => {
                let erasure = Erasure { at: order.at.to_string(), frame, parts, reason: order.reason.clone() };
                self.record(&Leaf::Erasure(erasure), index)?
            }
        };
        self.to_blank.insert(frame);
        self.blank_erased(index).map_err(|error| retry("it is on record, but not all bytes are gone", &error))?;
        Ok(seq)
    }

    /// Overwrites what leaves say is erased and is still there.
    pub(super) fn blank_erased(&mut self, index: &RwLock<Index>) -> io::Result<()> {
        while let Some(seq) = self.to_blank.first().copied() {
            // After a failure the cache may show zeroes that the device never got: then they are written again.
            let again = !self.blanked_in_vain.insert(seq);
            self.blank(seq, again, index)?;
            self.blanked_in_vain.remove(&seq);
            self.to_blank.remove(&seq);
        }
        Ok(())
    }

    fn blank(&mut self, seq: u64, again: bool, index: &RwLock<Index>) -> io::Result<()> {
        let Some(location) = read(index).leaves.location(seq) else { return Ok(()) };
        let bytes = wal::read(&self.dir, location)?;
        let found = wal::found(&bytes, seq)?;
        let mut offset = location.offset + wal::Record::padded(found.bytes.len()) as u64;
        for (part, slot) in found.manifest.leaf.parts().iter().zip(&found.slots) {
            let padded = wal::padded(part).ok_or_else(|| io::Error::other("a part is too large"))?;
            let erased = read(index).leaves.erased(seq, &part.name).is_some();
            if erased && (again || *slot != Slot::Blank) {
                let length = usize::try_from(part.bytes).map_err(io::Error::other)?;
                // First, so that what a crash cuts short is seen here at the next opening.
                self.wipe_leftovers()?;
                self.blank_record(location.segment, seq, offset, length)?;
            }
            offset += padded as u64;
        }
        Ok(())
    }

    fn blank_record(&mut self, segment: u64, seq: u64, offset: u64, length: usize) -> io::Result<()> {
        if segment == self.segments.active.number {
            return self.segments.active.blank(&self.disk, seq, offset, length);
        }
        Segment::reopen(&self.dir, segment)?.blank(&self.disk, seq, offset, length)
    }

    /// Destroys bytes that were never acknowledged: a frame that failed here and was committed elsewhere may be among
    /// them.
    fn wipe_leftovers(&mut self) -> io::Result<()> {
        let is_torn = |path: &str| path.trim_end_matches(TEMPORARY).ends_with(".torn");
        for path in files_below(&self.dir, "quarantine")?.into_iter().filter(|path| is_torn(path)) {
            self.disk.wipe(&self.dir.join(path))?;
        }
        let active = &self.segments.active;
        let poisoned = active.poisoned.then(|| (active.number, active.end()));
        self.segments.abandoned.extend(poisoned);
        while let Some((segment, end)) = self.segments.abandoned.last().copied() {
            match Segment::reopen(&self.dir, segment) {
                // It was pruned.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                segment => segment?.clear_from(&self.disk, end)?,
            }
            self.segments.abandoned.pop();
        }
        Ok(())
    }

    fn manifest_at(&self, seq: u64, location: Location) -> io::Result<Manifest> {
        let bytes = wal::read(&self.dir, location)?;
        Ok(wal::found(&bytes, seq)?.manifest)
    }
}

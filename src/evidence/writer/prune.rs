//! Retention: frames that are too old or too many are no longer kept, oldest first and never one out of the middle
//! (C2SP tlog-tiles, "Pruning"). A leaf says so before anything goes; the frames are overwritten, and segments without a
//! frame that is kept are removed. Their hashes stay, so every proof of what is kept still holds.

use std::io;
use std::sync::{PoisonError, RwLock};

use super::super::reader::Index;
use super::super::recovery::{Pruned, base_path};
use super::super::tiles::Tile;
use super::super::{files_below, wal};
use super::{Writer, read, refused, retry};
use crate::core::manifest::Leaf;
use crate::core::time::UnixNanos;
use crate::engine::store::StoreError;

impl Writer {
    /// Applies the limits of age and size.
    pub(super) fn retain(&mut self, now: UnixNanos, index: &RwLock<Index>) -> Result<(), StoreError> {
        let age = self.retention.age;
        if !age.is_zero() {
            let limit = now.minus(age);
            let (below, kept_from) = {
                let leaves = &read(index).leaves;
                (leaves.captured_before(limit), leaves.kept_from)
            };
            if below > kept_from {
                self.prune(below, &format!("older than {age:?}"), now, index)?;
            }
        }
        let bytes_max = self.retention.bytes_max;
        if bytes_max > 0 {
            let mut total = self.segments.total_bytes();
            let mut below = None;
            let mut segments = self.segments.list.iter();
            while total > bytes_max
                && let Some(oldest) = segments.next()
            {
                total = total.saturating_sub(oldest.bytes);
                below = segments.clone().next().map(|next| next.first);
                if below.is_none() {
                    break;
                }
            }
            if let Some(below) = below.filter(|below| *below > read(index).leaves.kept_from) {
                self.prune(below, &format!("more than {bytes_max} bytes"), now, index)?;
            }
        }
        Ok(())
    }

    /// Keeps no frame before leaf `below` any longer, and returns the leaf that says so; asked again, the same.
    pub(in super::super) fn prune(
        &mut self,
        below: u64,
        reason: &str,
        now: UnixNanos,
        index: &RwLock<Index>,
    ) -> Result<u64, StoreError> {
        self.finish_pending(index)?;
        let size = self.frontier.size();
        if below > size {
            return Err(refused(format!("the log has {size} leaves")));
        }
        if below == 0 {
            return Err(refused("there is nothing to prune"));
        }
        let on_record = {
            let leaves = &read(index).leaves;
            leaves.prune.as_ref().filter(|_| below <= leaves.kept_from).map(|erased| erased.seq)
        };
        let leaf = Leaf::Prune { at: now.to_string(), below, reason: reason.to_owned() };
        let seq = on_record.map_or_else(|| self.record(&leaf, index), Ok)?;
        self.finish_prune(index).map_err(|error| retry("pruning is on record, but not done", &error))?;
        Ok(seq)
    }

    /// Does what the newest leaf that prunes says, as far as it is not done.
    pub(super) fn finish_prune(&mut self, index: &RwLock<Index>) -> io::Result<()> {
        let kept_from = read(index).leaves.kept_from;
        let kept = self.segments.list.iter().zip(self.segments.list.iter().skip(1));
        let first = kept.map(|(_, next)| *next).take_while(|next| next.first <= kept_from).last();
        if let Some(first) = first {
            self.publish_base(first.number, first.first, index)?;
        }
        let frames: Vec<u64> =
            read(index).leaves.frames.iter().map(|(seq, _)| *seq).take_while(|seq| *seq < kept_from).collect();
        self.to_blank.extend(frames);
        self.blank_erased(index)?;
        self.remove_pruned(index)
    }

    /// Writes what stands for everything before `segment`, and forgets it.
    fn publish_base(&mut self, segment: u64, first: u64, index: &RwLock<Index>) -> io::Result<()> {
        let mut index = index.write().unwrap_or_else(PoisonError::into_inner);
        let base = index.tree.base(first).ok_or_else(|| io::Error::other("the tree does not know its past"))?;
        let frames = index.leaves.frames.partition_point(|(seq, _)| *seq < first);
        let frames_total = index.leaves.frames_pruned + frames as u64;
        let vkeys = self.chain.until(first);
        let pruned = Pruned { base, segment, frames: frames_total, vkeys };
        self.disk.publish(&base_path(&self.dir), 0o640, [&pruned.encode()?[..]])?;
        index.leaves.forget(first);
        self.segments.list.retain(|known| known.number >= segment);
        Ok(())
    }

    /// Removes segments and tiles that nothing refers to any more.
    fn remove_pruned(&mut self, index: &RwLock<Index>) -> io::Result<()> {
        let Some(first) = self.segments.list.front().copied() else { return Ok(()) };
        for path in files_below(&self.dir, "wal")? {
            if wal::segment_number(&self.dir, &path).is_some_and(|number| number < first.number) {
                self.disk.wipe(&self.dir.join(path))?;
            }
        }
        let kept = read(index).leaves.first;
        for path in files_below(&self.dir, "tile")? {
            let is_pruned = |tile: Tile| tile.level.is_none_or(|level| level == 0) && tile.entries().end <= kept;
            if Tile::parse(&path).is_some_and(is_pruned) {
                self.disk.discard(&self.dir.join(path))?;
            }
        }
        Ok(())
    }
}

//! Going on where the log was left: what a crash cut short is finished or set aside.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::RwLock;

use super::super::derived::Derived;
use super::super::head::Head;
use super::super::keys::{Entropy, Fit, Signers};
use super::super::log::Options;
use super::super::reader::Index;
use super::super::recovery::{Chain, SegmentState, Unfinished};
use super::super::sha256_hex;
use super::super::wal::{self, BLOCK, Kind, Record, Segment};
use super::segments::Segments;
use super::{Pending, Writer, read};
use crate::config::Retention;
use crate::core::manifest::{IncidentKind, Leaf};
use crate::core::note::Checkpoint;
use crate::core::time::UnixNanos;
use crate::engine::store::StoreError;
use crate::metrics::Metric;

/// What a crash, or a failing device, left to do.
#[derive(Debug)]
pub(in super::super) struct Left {
    pub(in super::super) unfinished: Option<Unfinished>,
    pub(in super::super) states: Vec<SegmentState>,
    /// Parts that are damaged, in words.
    pub(in super::super) damaged: Vec<String>,
    pub(in super::super) fit: Fit,
}

impl Writer {
    /// A writer at the end of what was read. Changes nothing yet but the head's slots.
    #[expect(clippy::too_many_arguments, reason = "everything a writer is made of")]
    pub(in super::super) fn open(
        dir: &Path,
        signers: Signers,
        chain: Chain,
        entropy: Entropy,
        options: &Options,
        retention: Retention,
        index: &Index,
        left: &Left,
        now: UnixNanos,
    ) -> io::Result<Self> {
        let disk = options.disk.clone();
        let longest = index.leaves.locations.iter().map(|location| location.length as u64).max().unwrap_or(0);
        let segments = Segments::open(dir, signers.origin(), options, &left.states, longest)?;
        Ok(Self {
            dir: dir.to_owned(),
            chain,
            entropy,
            segments,
            head: Head::open(&disk, dir, &index.note, index.tree.size())?,
            frontier: index.tree.frontier(),
            pending: None,
            derived: Derived::new(dir, disk.clone()),
            disk,
            signers,
            retention,
            last_leaf_at: now,
            to_blank: BTreeSet::new(),
            blanked_in_vain: BTreeSet::new(),
            stopped: None,
        })
    }

    /// Sets torn bytes aside, finishes the leaf a crash left, tells of damage, hands over to a new key, and does what
    /// earlier leaves say.
    pub(in super::super) fn finish_recovery(
        &mut self,
        left: Left,
        now: UnixNanos,
        index: &RwLock<Index>,
    ) -> Result<(), StoreError> {
        let disk_failed = |error: io::Error| super::retry("recovery", &error);
        self.settle(left.unfinished, &left.states, index)?;
        self.segments.refill(&self.disk, &mut self.entropy);
        if left.fit == Fit::ToRotate && self.signers.fit(&self.chain) == Fit::ToRotate {
            let vkey = self.signers.current.verifier().to_string();
            tracing::warn!(vkey, "the log's key is replaced; publish the new verifier key");
            self.record(&Leaf::KeyRotate { at: now.to_string(), vkey }, index)?;
        }
        self.tell_damage(&left.damaged, now, index)?;
        let erased: Vec<u64> = read(index).leaves.erased.keys().copied().collect();
        self.to_blank.extend(erased);
        self.finish_prune(index).map_err(disk_failed)?;
        self.derived.rebuild(&read(index));
        Ok(())
    }

    fn settle(
        &mut self,
        unfinished: Option<Unfinished>,
        states: &[SegmentState],
        index: &RwLock<Index>,
    ) -> Result<(), StoreError> {
        let torn = |state: &&SegmentState| state.torn;
        let failed = |error: io::Error| super::retry("setting torn bytes aside", &error);
        let active = self.segments.active.number;
        if let Some(state) = states.iter().filter(torn).find(|state| state.number == active) {
            // The unfinished leaf is written again, byte for byte, where it lies; what follows it is set aside.
            let here = unfinished.as_ref().filter(|leaf| leaf.location.segment == state.number);
            let keep = here.map_or(state.end, |leaf| leaf.location.offset + leaf.location.length as u64);
            let is_signed = unfinished.is_none() && self.signs_next_leaf(state, keep).map_err(failed)?;
            match self.set_aside(state, keep) {
                // Another leaf would take the number of one whose signature may come back.
                Err(error) if is_signed => return Err(failed(error)),
                aside => self.segments.active.poisoned |= aside.is_err(),
            }
        }
        if let Some(leaf) = unfinished {
            tracing::info!(seq = leaf.manifest.seq, "finishing a leaf that was being written");
            self.pending = Some(self.restore(leaf));
            self.finish(index)?;
        }
        for state in states.iter().filter(torn).filter(|state| state.number != active) {
            let is_signed = self.pending.is_none() && self.signs_next_leaf(state, state.end).map_err(failed)?;
            if let Err(error) = self.set_aside(state, state.end) {
                if is_signed {
                    return Err(failed(error));
                }
                tracing::warn!(segment = state.number, %error, "torn bytes stay where they are");
                self.segments.abandoned.push((state.number, state.end));
            }
        }
        Ok(())
    }

    fn restore(&self, leaf: Unfinished) -> Pending {
        self.pending(leaf.manifest, leaf.bytes, leaf.parts)
    }

    /// Records damage once.
    fn tell_damage(&mut self, damaged: &[String], now: UnixNanos, index: &RwLock<Index>) -> Result<(), StoreError> {
        let new: Vec<_> =
            damaged.iter().filter(|what| !read(index).leaves.incidents.contains(*what)).cloned().collect();
        for what in new {
            Metric::LogIncidents.add(&[("kind", IncidentKind::Damage.as_str())], 1);
            tracing::error!(what, "evidence is damaged: what was committed is not what is on disk");
            let (origin, size, root) = (self.signers.origin().to_owned(), self.frontier.size(), self.frontier.root());
            let continues = Checkpoint { origin, size, root };
            self.record(&Leaf::Incident { at: now.to_string(), kind: IncidentKind::Damage, what, continues }, index)?;
        }
        Ok(())
    }

    /// Whether what follows `keep` holds a signature over the leaf that comes next, which is not whole.
    fn signs_next_leaf(&self, state: &SegmentState, keep: u64) -> io::Result<bool> {
        let bytes = std::fs::read(wal::segment_path(&self.dir, state.number))?;
        let behind = bytes.get(usize::try_from(keep).unwrap_or(usize::MAX)..).unwrap_or_default();
        let records = behind.chunks(BLOCK).filter_map(Record::decode).map(|(record, _)| record);
        let next = self.frontier.size();
        Ok(records.into_iter().any(|record| record.kind == Kind::Commit && record.seq >= next))
    }

    /// Copies what follows the end of a segment to quarantine, from `keep` on, and clears it.
    fn set_aside(&self, state: &SegmentState, keep: u64) -> io::Result<()> {
        let bytes = std::fs::read(wal::segment_path(&self.dir, state.number))?;
        let keep_at = usize::try_from(keep).unwrap_or(usize::MAX).min(bytes.len());
        let mut torn = bytes[keep_at..].to_vec();
        if wal::is_zero(&torn) {
            return Ok(());
        }
        blank_commits(&mut torn);
        let used = torn.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let directory = self.dir.join("quarantine");
        self.disk.create_directory(&directory)?;
        let name = format!("{:06}-{keep}-{}.torn", state.number, &sha256_hex(&torn)[..8]);
        self.disk.publish(&directory.join(&name), 0o640, [&torn[..used]])?;
        tracing::warn!(segment = state.number, bytes = used, name, "set aside bytes that were never acknowledged");
        Segment::open(&self.dir, state.number, state.id, state.end)?.clear_from(&self.disk, keep)
    }
}

/// A signature over a leaf that no longer exists must not survive it: the next leaf takes its number.
fn blank_commits(torn: &mut [u8]) {
    for block in torn.chunks_mut(BLOCK) {
        if Record::decode(block).is_some_and(|(record, _)| record.kind == Kind::Commit) {
            block.fill(0);
        }
    }
}

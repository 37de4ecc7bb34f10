//! The segments open for writing: the active one, and spares so that a full disk does not stop the log.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use super::super::durable::Disk;
use super::super::keys::Entropy;
use super::super::log::Options;
use super::super::recovery::SegmentState;
use super::super::wal::{BLOCK, FILE_BYTES_MAX, Segment, segment_for};

/// Length that a frame is taken to have until a longer one came, with everything that is written for it, bytes.
const ENTRY_BYTES: u64 = 128 * 1024;
/// Most spare segments.
const SPARES_MAX: usize = 8;

/// The segments of a log.
#[derive(Debug)]
pub(super) struct Segments {
    dir: PathBuf,
    origin: String,
    /// Size of a new one, bytes.
    bytes: u64,
    pub(super) active: Segment,
    spares: VecDeque<Segment>,
    /// Those with leaves, oldest first, the active one last.
    pub(super) list: VecDeque<Known>,
    /// Segments given up after a failure, and the end of what counts in them.
    pub(super) abandoned: Vec<(u64, u64)>,
    /// Longest entry so far, bytes.
    longest: u64,
    /// Frames that can still be committed once the disk is full.
    reserve_frames: u64,
}

/// A segment with leaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) number: u64,
    /// Its first leaf.
    pub(super) first: u64,
    /// Its size, bytes.
    pub(super) bytes: u64,
}

impl Segments {
    /// The segments that were read; the last ones without leaves are spares.
    pub(super) fn open(
        dir: &Path,
        origin: &str,
        options: &Options,
        states: &[SegmentState],
        longest: u64,
    ) -> io::Result<Self> {
        let bytes = options.segment_bytes;
        let is_spare = |state: &&SegmentState| state.end == BLOCK as u64 && !state.torn;
        let used = states.len() - states.iter().rev().take_while(is_spare).count();
        let (used, spares) = states.split_at(used.max(1).min(states.len()));
        let open = |state: &SegmentState| Segment::open(dir, state.number, state.id, state.end);
        let none = || io::Error::new(io::ErrorKind::InvalidData, "the log has no segments");
        let active = open(used.last().ok_or_else(none)?)?;
        let list = used.iter().map(|it| Known { number: it.number, first: it.first, bytes: it.bytes }).collect();
        let spares = spares.iter().map(open).collect::<io::Result<_>>()?;
        Ok(Self {
            dir: dir.to_owned(),
            origin: origin.to_owned(),
            bytes,
            active,
            spares,
            list,
            abandoned: Vec::new(),
            longest: ENTRY_BYTES.min(bytes.saturating_sub(BLOCK as u64)).max(longest).max(1),
            reserve_frames: options.reserve_frames,
        })
    }

    /// Whether an entry of this length can be stored at all.
    pub(super) fn can_hold(&self, entry: usize) -> bool {
        segment_for(entry) <= self.bytes.max(FILE_BYTES_MAX)
    }

    /// Makes a segment active that has room for the entry of leaf `seq`.
    pub(super) fn make_room(&mut self, disk: &Disk, entropy: &mut Entropy, seq: u64, entry: usize) -> io::Result<()> {
        self.longest = self.longest.max(entry as u64);
        if !self.active.poisoned && self.active.has_room(entry) {
            return Ok(());
        }
        if self.active.poisoned {
            self.abandoned.push((self.active.number, self.active.end()));
        }
        let fresh = match self.spares.pop_front() {
            Some(spare) => spare,
            None => self.create(disk, entropy, segment_for(entry))?,
        };
        self.list.push_back(Known { number: fresh.number, first: seq, bytes: fresh.room() + BLOCK as u64 });
        self.active = fresh;
        // A spare is too small only for an entry longer than any segment: then the next one is made for it.
        if self.active.has_room(entry) { Ok(()) } else { self.make_room(disk, entropy, seq, entry) }
    }

    fn create(&mut self, disk: &Disk, entropy: &mut Entropy, at_least: u64) -> io::Result<Segment> {
        let mut id = [0; 16];
        entropy(&mut id)?;
        let number = self.spares.back().map_or(self.active.number, |spare| spare.number) + 1;
        Segment::create(disk, &self.dir, number, id, &self.origin, self.bytes.max(at_least))
    }

    /// Keeps spare segments for as many frames as are to be in reserve, as long as the longest so far.
    pub(super) fn refill(&mut self, disk: &Disk, entropy: &mut Entropy) {
        let a_segment = (self.bytes.saturating_sub(BLOCK as u64) / self.longest).max(1);
        let wanted = usize::try_from(self.reserve_frames.div_ceil(a_segment)).unwrap_or(SPARES_MAX).min(SPARES_MAX);
        while self.spares.len() < wanted {
            match self.create(disk, entropy, 0) {
                Ok(segment) => self.spares.push_back(segment),
                Err(error) => {
                    let reserve = self.reserve();
                    tracing::warn!(%error, reserve, "no spare segment; the log stops when the ones it has are full");
                    return;
                }
            }
        }
    }

    /// Frames as long as the longest so far that can be committed without another byte of disk.
    pub(super) fn reserve(&self) -> u64 {
        let active = if self.active.poisoned { 0 } else { self.active.room() };
        std::iter::once(active).chain(self.spares.iter().map(Segment::room)).map(|room| room / self.longest).sum()
    }

    /// Bytes of all of them on disk.
    pub(super) fn total_bytes(&self) -> u64 {
        let used: u64 = self.list.iter().map(|segment| segment.bytes).sum();
        used + self.bytes * self.spares.len() as u64
    }
}

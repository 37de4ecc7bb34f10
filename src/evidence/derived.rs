//! Writing derived files: tiles and `checkpoint`. They follow from the segments and are written after the
//! acknowledgement without any sync; at start whatever is missing or differs is written again. A failure here costs
//! nobody a frame, so it is told and tried again with the next one.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::durable::Disk;
use super::files_below;
use super::reader::{Index, entries, push_entries};
use super::tiles::Tile;

/// The derived files of a log.
#[derive(Debug)]
pub(super) struct Derived {
    dir: PathBuf,
    disk: Disk,
    /// First leaf whose files are not written.
    next: u64,
    /// The entries tile that grows: the leaves in it, and its contents.
    growing: (Range<u64>, Vec<u8>),
}

impl Derived {
    /// Nothing is known to be written yet.
    pub(super) fn new(dir: &Path, disk: Disk) -> Self {
        Self { dir: dir.to_owned(), disk, next: 0, growing: (0..0, Vec::new()) }
    }

    /// Writes the files of new leaves.
    pub(super) fn catch_up(&mut self, index: &Index) {
        for seq in self.next..index.tree.size() {
            if let Err(error) = self.leaf(seq, index) {
                tracing::warn!(seq, %error, "derived files are behind");
                return;
            }
            self.next = seq + 1;
        }
    }

    /// Brings every file up to date and removes tiles of smaller sizes.
    pub(super) fn rebuild(&mut self, index: &Index) {
        match self.try_rebuild(index) {
            Ok(()) => self.next = index.tree.size(),
            Err(error) => tracing::warn!(%error, "derived files are behind"),
        }
    }

    fn leaf(&mut self, seq: u64, index: &Index) -> io::Result<()> {
        let size = seq + 1;
        for tile in Tile::last(size) {
            match tile.level {
                None if tile.entries().start >= index.leaves.first => self.grow(tile, index)?,
                _ => self.tile(tile, index)?,
            }
            if let Some(previous) = tile.previous() {
                self.disk.discard(&self.dir.join(previous.to_string()))?;
            }
        }
        if size == index.tree.size() { self.checkpoint(index) } else { Ok(()) }
    }

    fn try_rebuild(&self, index: &Index) -> io::Result<()> {
        let size = index.tree.size();
        let wanted = Tile::all(size);
        wanted.iter().try_for_each(|tile| self.tile(*tile, index))?;
        for path in files_below(&self.dir, "tile")? {
            if !Tile::parse(&path).is_some_and(|tile| wanted.contains(&tile)) {
                self.disk.discard(&self.dir.join(path))?;
            }
        }
        self.checkpoint(index)
    }

    /// Writes a tile; one that is pruned stays away, or as it is.
    fn tile(&self, tile: Tile, index: &Index) -> io::Result<()> {
        let contents = match tile.level {
            Some(_) => tile.hashes(&index.tree),
            None => entries(&self.dir, tile, &index.leaves)?,
        };
        contents.map_or(Ok(()), |contents| self.update(&self.dir.join(tile.to_string()), &contents))
    }

    /// Writes the newest entries tile without reading again what went into the one before.
    fn grow(&mut self, tile: Tile, index: &Index) -> io::Result<()> {
        let wanted = tile.entries();
        let (mut known, mut contents) = std::mem::take(&mut self.growing);
        if known.start != wanted.start || known.end > wanted.end {
            (known, contents) = (wanted.start..wanted.start, Vec::new());
        }
        push_entries(&mut contents, &self.dir, known.end..wanted.end, &index.leaves)?;
        let updated = self.update(&self.dir.join(tile.to_string()), &contents);
        self.growing = (wanted, contents);
        updated
    }

    fn checkpoint(&self, index: &Index) -> io::Result<()> {
        self.update(&self.dir.join("checkpoint"), index.note.as_bytes())
    }

    fn update(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        match std::fs::read(path) {
            Ok(found) if found == bytes => Ok(()),
            _ => self.disk.replace(path, bytes),
        }
    }
}

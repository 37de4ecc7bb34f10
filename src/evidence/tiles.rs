//! The tiles of C2SP tlog-tiles. All of them follow from the segments, are written after the acknowledgement, and are
//! compared and rebuilt at start.

use std::collections::BTreeSet;
use std::fmt;

use crate::core::merkle::Tree;
use crate::core::proof::TlogProof;

/// Hashes or entries in a full tile.
const WIDTH: u64 = 256;
/// Levels of hashes between two levels of tiles.
const HEIGHT: u32 = 8;

/// A tile's place, `tile/<level>/<index>[.p/<width>]`, with `entries` for the leaves themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tile {
    /// Level of the hashes; `None` for the entries.
    pub(super) level: Option<u32>,
    pub(super) index: u64,
    /// 256, or less for a partial tile.
    pub(super) width: u64,
}

impl Tile {
    /// Reads a path; `None` when it is none or has leading zeroes where none belong.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let level = if level == "entries" { None } else { Some(level.parse().ok().filter(|level| *level < 64)?) };
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, width.parse().ok().filter(|width| (1..WIDTH).contains(width))?),
            None => (rest, WIDTH),
        };
        let digits = index.split('/').map(|part| part.strip_prefix('x').unwrap_or(part));
        let index = digits.collect::<String>().parse().ok()?;
        let tile = Self { level, index, width };
        (tile.to_string() == path).then_some(tile)
    }

    /// Whether a tree of this size has the tile, now or at a smaller size.
    pub(super) fn exists_at(self, size: u64) -> bool {
        let hashes = size.checked_shr(HEIGHT * self.level.unwrap_or(0)).unwrap_or(0);
        self.index.checked_mul(WIDTH).and_then(|start| start.checked_add(self.width)).is_some_and(|end| end <= hashes)
    }

    /// The leaves of an entries tile.
    pub(super) fn entries(self) -> std::ops::Range<u64> {
        self.index * WIDTH..self.index * WIDTH + self.width
    }

    /// Contents of a tile of hashes; `None` when the tree does not have it.
    pub(super) fn hashes(self, tree: &Tree) -> Option<Vec<u8>> {
        let level = HEIGHT * self.level?;
        let hashes: Option<Vec<_>> = self.entries().map(|index| tree.subtree(level, index)).collect();
        self.exists_at(tree.size()).then_some(hashes?.concat())
    }

    /// Every tile that a tree of this size is served as.
    pub(super) fn all(size: u64) -> BTreeSet<Self> {
        let levels = (0..u64::BITS / HEIGHT).filter(|level| size >> (HEIGHT * level) > 0);
        let row = |level: Option<u32>| {
            let hashes = size >> (HEIGHT * level.unwrap_or(0));
            let full = (0..hashes / WIDTH).map(move |index| Self { level, index, width: WIDTH });
            let partial = Self { level, index: hashes / WIDTH, width: hashes % WIDTH };
            full.chain((partial.width > 0).then_some(partial))
        };
        let rows = levels.map(Some).chain((size > 0).then_some(None));
        rows.flat_map(row).collect()
    }

    /// The tiles that the last leaf of a tree of this size completed or widened.
    pub(super) fn last(size: u64) -> impl Iterator<Item = Self> {
        let last_of = move |level: Option<u32>| {
            let shift = HEIGHT * level.unwrap_or(0);
            let hashes = size >> shift;
            let changed = hashes > 0 && size.trailing_zeros() >= shift;
            let index = hashes.saturating_sub(1) / WIDTH;
            changed.then_some(Self { level, index, width: hashes.saturating_sub(index * WIDTH) })
        };
        (0..u64::BITS / HEIGHT).map(Some).chain(std::iter::once(None)).filter_map(last_of)
    }

    /// The tile this one replaces: one narrower, if any.
    pub(super) fn previous(self) -> Option<Self> {
        (self.width > 1).then_some(Self { width: self.width - 1, ..self })
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Some(level) => write!(f, "tile/{level}/")?,
            None => f.write_str("tile/entries/")?,
        }
        let mut divisor = 1;
        while self.index / divisor >= 1000 {
            divisor *= 1000;
        }
        while divisor > 1 {
            write!(f, "x{:03}/", self.index / divisor % 1000)?;
            divisor /= 1000;
        }
        write!(f, "{:03}", self.index % 1000)?;
        if self.width < WIDTH { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

/// Appends one entry to an entries tile: its length in two bytes, then itself.
pub(super) fn push_entry(tile: &mut Vec<u8>, manifest: &[u8]) {
    let length = u16::try_from(manifest.len()).expect("manifests are at most 16 KiB");
    tile.extend_from_slice(&length.to_be_bytes());
    tile.extend_from_slice(manifest);
}

/// The proof that leaf `seq` is in the tree whose last leaf it is. It never changes.
pub(super) fn proof(tree: &Tree, seq: u64, note: &str) -> TlogProof {
    let path = tree.inclusion_proof(seq, seq + 1).expect("the tree has the leaf");
    TlogProof { index: seq, path, checkpoint: note.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::merkle::leaf_hash;

    /// Proves the paths of the specification's examples, and that only they are paths.
    #[test]
    fn paths_round_trip() {
        for path in ["tile/0/000", "tile/1/x001/x234/067", "tile/entries/x001/000.p/1", "tile/63/255.p/255"] {
            assert_eq!(Tile::parse(path).map(|tile| tile.to_string()).as_deref(), Some(path));
        }
        for path in [
            "tile/00/000",
            "tile/64/000",
            "tile/0/00",
            "tile/0/1000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/../000",
            "tile/entries/x000/001",
            "tile/0/000/",
            "checkpoint",
            "tile//000",
        ] {
            assert_eq!(Tile::parse(path), None, "{path}");
        }
    }

    /// Proves which tiles there are, on the specification's example of 70 000 leaves, and that what an append writes
    /// adds up to it.
    #[test]
    fn tiles_of_a_size() {
        let all = Tile::all(70_000);
        let level = |level| all.iter().filter(|tile| tile.level == level).collect::<Vec<_>>();
        assert_eq!(level(Some(0)).len(), 274);
        assert_eq!(level(Some(0)).last().unwrap().to_string(), "tile/0/273.p/112");
        assert_eq!(level(Some(1)).iter().map(|tile| tile.width).collect::<Vec<_>>(), [256, 17]);
        assert_eq!(level(Some(2)).iter().map(|tile| tile.to_string()).collect::<Vec<_>>(), ["tile/2/000.p/1"]);
        assert_eq!(level(None).len(), 274);
        let mut written = BTreeSet::new();
        for size in 1..=70_000 {
            for tile in Tile::last(size) {
                assert!(tile.exists_at(size) && !tile.exists_at(size - 1), "{tile} at {size}");
                if let Some(previous) = tile.previous() {
                    written.remove(&previous);
                }
                written.insert(tile);
            }
        }
        assert_eq!(written, all);
        assert!(Tile::all(0).is_empty());
    }

    /// Proves tile contents against an independent implementation.
    #[test]
    fn tiles_equal_the_oracle() {
        let mut tree = Tree::default();
        let leaves: Vec<_> = (0..700_u32).map(|n| n.to_be_bytes()).collect();
        let mut stored = Stored(Vec::new());
        for (index, leaf) in leaves.iter().enumerate() {
            tree.push(leaf_hash(leaf));
            let hashes = tlog_tiles::tlog::stored_hashes(index as u64, leaf, &stored).unwrap();
            stored.0.extend(hashes);
        }
        for tile in Tile::all(700).into_iter().filter(|tile| tile.level.is_some()) {
            let level = u8::try_from(tile.level.unwrap()).unwrap();
            let width = u32::try_from(tile.width).unwrap();
            let theirs = tlog_tiles::tile::Tile::new(8, level, tile.index, width, false);
            assert_eq!(tile.hashes(&tree).unwrap(), theirs.read_data(&stored).unwrap(), "{tile}");
        }
    }

    struct Stored(Vec<tlog_tiles::tlog::Hash>);

    impl tlog_tiles::tlog::HashReader for Stored {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::tlog::Hash>, tlog_tiles::tlog::Error> {
            Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
        }
    }
}

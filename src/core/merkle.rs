//! The Merkle tree of RFC 6962 / RFC 9162 section 2.1 over SHA-256: growing it, proving with it, checking proofs.
//!
//! [`Frontier`] is the state a writer or a verifier needs to append: at most one hash a bit of the size. [`Tree`]
//! keeps every complete subtree (two hashes a leaf) so that any proof, for any past size, costs a logarithm.
//! [`Base`] stands for the leaves that a log has pruned. Checking needs none of them: [`verify_inclusion`] and [`verify_consistency`] are the iterative algorithms of RFC 9162
//! sections 2.1.3.2 and 2.1.4.2. Absent on purpose: storage, leaf contents, signatures.

use sha2::{Digest, Sha256};

/// A SHA-256 hash of a leaf, a node or a tree.
pub type Hash = [u8; 32];

/// Hash of a leaf: `SHA-256(0x00 || data)`.
#[must_use]
pub fn leaf_hash(data: &[u8]) -> Hash {
    Sha256::new().chain_update([0x00]).chain_update(data).finalize().into()
}

/// Hash of an inner node: `SHA-256(0x01 || left || right)`.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([0x01]).chain_update(left).chain_update(right).finalize().into()
}

/// Root of the tree without leaves: `SHA-256("")`.
#[must_use]
pub fn empty_root() -> Hash {
    Sha256::new().finalize().into()
}

/// The right edge of a tree: the roots of its complete subtrees, largest first. All that appending needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        // Each trailing one bit of the old size is a complete subtree that the new leaf completes to its double.
        for _ in 0..self.size.trailing_ones() {
            let left = self.peaks.pop().expect("one peak for each one bit of the size");
            hash = node_hash(&left, &hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// Leaves so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        let folded = self.peaks.iter().rev().copied().reduce(|right, left| node_hash(&left, &right));
        folded.unwrap_or_else(empty_root)
    }
}

/// Hashes of 2^8 leaves are the smallest that a tree without its first leaves keeps all of: those of C2SP tlog-tiles
/// from level 1 up, which pruning does not remove.
const KEPT_LEVEL: u32 = 8;

/// A tree that remembers its complete subtrees, of all its leaves or of those from some leaf on.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    levels: Vec<Row>,
}

/// Subtrees of one height: `hashes[i]` covers leaves `(first + i) * 2^level ..`.
#[derive(Clone, Debug, Default)]
struct Row {
    first: u64,
    hashes: Vec<Hash>,
}

impl Row {
    fn end(&self) -> u64 {
        self.first + self.hashes.len() as u64
    }
}

/// All that is needed of the first `size` leaves to go on without them: two hashes a bit of the size, and one of every
/// 256 leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// Leaves left out.
    pub size: u64,
    /// Roots of the complete subtrees of fewer than 256 leaves at the right edge, smallest first.
    pub edge: Vec<Hash>,
    /// Roots of every 256 leaves.
    pub tiles: Vec<Hash>,
}

impl Tree {
    /// The tree that begins where `base` ends; `None` when a base of this size has other hashes.
    #[must_use]
    pub fn from_base(base: &Base) -> Option<Self> {
        let mut edge = base.edge.iter();
        let mut levels = Vec::new();
        for level in 0..KEPT_LEVEL {
            let count = base.size >> level;
            let peak: Option<Hash> = if count & 1 == 1 { Some(*edge.next()?) } else { None };
            levels.push(Row { first: count - u64::from(peak.is_some()), hashes: peak.into_iter().collect() });
        }
        let mut row = base.tiles.clone();
        let whole = edge.next().is_none() && row.len() as u64 == base.size >> KEPT_LEVEL;
        while !row.is_empty() {
            let next = row.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
            levels.push(Row { first: 0, hashes: std::mem::replace(&mut row, next) });
        }
        whole.then_some(Self { levels })
    }

    /// What a tree without the leaves before `size` needs; `None` when it never had that size or knows it no more.
    #[must_use]
    pub fn base(&self, size: u64) -> Option<Base> {
        let odd = (0..KEPT_LEVEL).filter(|level| size >> level & 1 == 1);
        let edge: Option<_> = odd.map(|level| self.subtree(level, (size >> level) - 1)).collect();
        let tiles: Option<_> = (0..size >> KEPT_LEVEL).map(|index| self.subtree(KEPT_LEVEL, index)).collect();
        (size <= self.size()).then_some(Base { size, edge: edge?, tiles: tiles? })
    }

    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Row::default());
            }
            let row = &mut self.levels[level];
            row.hashes.push(hash);
            if row.end() % 2 == 1 {
                return;
            }
            // A row begins at its right edge or before, so the left half is there.
            hash = node_hash(&row.hashes[row.hashes.len() - 2], &row.hashes[row.hashes.len() - 1]);
        }
    }

    /// Leaves so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, Row::end)
    }

    /// Hash of the complete subtree over leaves `index * 2^level ..`, `None` while it is incomplete or once it is left
    /// out.
    #[must_use]
    pub fn subtree(&self, level: u32, index: u64) -> Option<Hash> {
        let row = self.levels.get(level as usize)?;
        row.hashes.get(usize::try_from(index.checked_sub(row.first)?).ok()?).copied()
    }

    /// Root of the tree as it was at `size`, `None` when it was never that large or is not known any more.
    #[must_use]
    pub fn root_at(&self, size: u64) -> Option<Hash> {
        if size == 0 { Some(empty_root()) } else { self.range(0, size).filter(|_| size <= self.size()) }
    }

    /// The right edge, to go on appending elsewhere.
    #[must_use]
    pub fn frontier(&self) -> Frontier {
        let size = self.size();
        let ones = (0..u64::BITS).rev().filter(|bit| size >> bit & 1 == 1);
        // Left of the subtree for bit `b` lie exactly the leaves of the higher bits.
        let peaks = ones.filter_map(|bit| self.subtree(bit, (size >> bit) - 1)).collect();
        Frontier { size, peaks }
    }

    /// Audit path of leaf `index` in the tree at `size` (RFC 9162 section 2.1.3.1), from the leaf's sibling to the
    /// root's child. `None` when there is no such leaf or size.
    #[must_use]
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Option<Vec<Hash>> {
        if index >= size || size > self.size() {
            return None;
        }
        let (mut start, mut end, mut path) = (0, size, Vec::new());
        while end - start > 1 {
            let middle = start + split(end - start);
            if index < middle {
                path.push(self.range(middle, end)?);
                end = middle;
            } else {
                path.push(self.range(start, middle)?);
                start = middle;
            }
        }
        path.reverse();
        Some(path)
    }

    /// Proof that the tree at `size` extends the tree at `old_size` (RFC 9162 section 2.1.4.1). `None` when the tree
    /// never had these sizes or `old_size` is zero (nothing to prove).
    #[must_use]
    pub fn consistency_proof(&self, old_size: u64, size: u64) -> Option<Vec<Hash>> {
        if old_size == 0 || old_size > size || size > self.size() {
            return None;
        }
        let (mut start, mut end, mut path) = (0, size, Vec::new());
        while end != old_size {
            let middle = start + split(end - start);
            if old_size <= middle {
                path.push(self.range(middle, end)?);
                end = middle;
            } else {
                path.push(self.range(start, middle)?);
                start = middle;
            }
        }
        // The verifier knows the old root, so it's left out when the old tree is itself a subtree.
        if start > 0 {
            path.push(self.range(start, end)?);
        }
        path.reverse();
        Some(path)
    }

    /// Root of the leaves `start..end`; `start` is a multiple of the largest power of two below `end - start`. `None` when
    /// something of it is left out.
    fn range(&self, start: u64, end: u64) -> Option<Hash> {
        let length = end - start;
        if length.is_power_of_two() {
            let level = length.trailing_zeros();
            return self.subtree(level, start >> level);
        }
        let middle = start + split(length);
        Some(node_hash(&self.range(start, middle)?, &self.range(middle, end)?))
    }
}

/// The largest power of two smaller than `length`, which is at least 2.
fn split(length: u64) -> u64 {
    1 << (length - 1).ilog2()
}

/// Whether `path` proves that `leaf` is number `index` of the tree with `size` leaves and this `root`.
#[must_use]
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// Whether `path` proves that the tree (`size`, `root`) extends the tree (`old_size`, `old_root`). From the empty
/// tree only the empty path is a proof.
#[must_use]
pub fn verify_consistency(old_size: u64, old_root: &Hash, size: u64, root: &Hash, path: &[Hash]) -> bool {
    if old_size > size {
        return false;
    }
    if old_size == size {
        return path.is_empty() && old_root == root;
    }
    if old_size == 0 {
        return path.is_empty() && *old_root == empty_root();
    }
    let mut hashes = path.iter();
    let Some(first) = (if old_size.is_power_of_two() { Some(old_root) } else { hashes.next() }) else {
        return false;
    };
    let trailing_ones = (old_size - 1).trailing_ones();
    let (mut node, mut last) = ((old_size - 1) >> trailing_ones, (size - 1) >> trailing_ones);
    let (mut old_hash, mut hash) = (*first, *first);
    for sibling in hashes {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(sibling, &old_hash);
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && old_hash == *old_root && hash == *root
}

#[cfg(test)]
mod tests {
    use super::*;
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    use proptest::prelude::*;
    use tlog_tiles::tlog;

    const SIZE: u64 = 70;

    fn data(index: u64) -> Vec<u8> {
        format!("leaf {index}").into_bytes()
    }

    fn tree(size: u64) -> Tree {
        let mut tree = Tree::default();
        (0..size).for_each(|index| tree.push(leaf_hash(&data(index))));
        tree
    }

    /// Proves that root and right edge agree with an independent implementation at every size, and with each other.
    #[test]
    fn roots_equal_ct_merkle() {
        let full = tree(SIZE);
        let (mut oracle, mut frontier) = (MemoryBackedTree::<Sha256, Vec<u8>>::new(), Frontier::default());
        let empty: Hash = (*oracle.root().as_bytes()).into();
        assert_eq!((full.root_at(0), frontier.root()), (Some(empty), empty));
        for index in 0..SIZE {
            oracle.push(data(index));
            frontier.push(leaf_hash(&data(index)));
            let expected: Hash = (*oracle.root().as_bytes()).into();
            assert_eq!(full.root_at(index + 1), Some(expected));
            assert_eq!((frontier.root(), frontier.size()), (expected, index + 1));
            assert_eq!(tree(index + 1).frontier(), frontier);
        }
        assert_eq!(full.root_at(SIZE + 1), None);
    }

    /// Proves that every inclusion proof up to the size is accepted here and by two independent verifiers, and byte
    /// for byte what one of them generates.
    #[test]
    fn inclusion_proofs_equal_both_oracles() {
        let full = tree(SIZE);
        let mut oracle = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        for size in 1..=SIZE {
            oracle.push(data(size - 1));
            let root = full.root_at(size).unwrap();
            for index in 0..size {
                let path = full.inclusion_proof(index, size).unwrap();
                let leaf = leaf_hash(&data(index));
                assert!(verify_inclusion(&leaf, index, size, &path, &root));
                assert_eq!(path.concat(), oracle.prove_inclusion(usize::try_from(index).unwrap()).as_bytes());
                let theirs: Vec<_> = path.iter().map(|hash| tlog::Hash(*hash)).collect();
                tlog::check_record(&theirs, size, tlog::Hash(root), index, tlog::Hash(leaf)).unwrap();
            }
            assert_eq!(full.inclusion_proof(size, size), None);
        }
    }

    /// Proves the same of every consistency proof.
    #[test]
    fn consistency_proofs_equal_both_oracles() {
        let full = tree(SIZE);
        let mut oracle = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        for size in 1..=SIZE {
            oracle.push(data(size - 1));
            let root = full.root_at(size).unwrap();
            for old_size in 1..=size {
                let old_root = full.root_at(old_size).unwrap();
                let path = full.consistency_proof(old_size, size).unwrap();
                assert!(verify_consistency(old_size, &old_root, size, &root, &path), "{old_size} {size}");
                let additions = usize::try_from(size - old_size).unwrap();
                assert_eq!(path.concat(), oracle.prove_consistency(additions).as_bytes());
                let theirs: Vec<_> = path.iter().map(|hash| tlog::Hash(*hash)).collect();
                tlog::check_tree(&theirs, size, tlog::Hash(root), old_size, tlog::Hash(old_root)).unwrap();
            }
            for (old_size, size) in [(0, size), (size + 1, size), (size, SIZE + 1)] {
                assert_eq!(full.consistency_proof(old_size, size), None, "{old_size} {size}");
            }
            assert!(verify_consistency(0, &empty_root(), size, &root, &[]));
            assert!(!verify_consistency(0, &root, size, &root, &[]));
            assert!(!verify_consistency(size, &root, size, &empty_root(), &[]));
            assert!(!verify_consistency(size, &root, size, &root, &[root]));
            assert!(!verify_consistency(size, &root, size - 1, &full.root_at(size - 1).unwrap(), &[]));
        }
    }

    /// Proves that a tree goes on from its base as from all of its leaves, and from no base with a hash more or less.
    #[test]
    fn bases_have_as_many_hashes_as_their_size_says() {
        let full = tree(600);
        for size in [0, 1, 3, 255, 256, 257, 511, 512, 599] {
            let base = full.base(size).unwrap();
            let mut tree = Tree::from_base(&base).unwrap();
            (size..600).for_each(|index| tree.push(leaf_hash(&data(index))));
            assert_eq!(tree.root_at(600), full.root_at(600), "{size}");
            let more = |hashes: &[Hash]| [hashes, &[empty_root()]].concat();
            let less = |hashes: &[Hash]| hashes.split_last().map(|(_, rest)| rest.to_vec());
            let of = |edge, tiles| Base { size, edge, tiles };
            let (edge, tiles) = (&base.edge, &base.tiles);
            let others = [
                Some(of(more(edge), tiles.clone())),
                Some(of(edge.clone(), more(tiles))),
                less(edge).map(|edge| of(edge, tiles.clone())),
                less(tiles).map(|tiles| of(edge.clone(), tiles)),
            ];
            others.into_iter().flatten().for_each(|other| assert!(Tree::from_base(&other).is_none(), "{other:?}"));
        }
    }

    proptest! {
        /// Proves that no other index, size, leaf, root or path is accepted in place of the right one.
        #[test]
        fn mutated_inclusion_proofs_are_rejected(size in 2..SIZE, pick: prop::sample::Index, at: prop::sample::Index,
                                                 bit in 0..8u32, by in 1..9u64) {
            let index = pick.index(usize::try_from(size).unwrap()) as u64;
            let full = tree(SIZE);
            let (root, leaf) = (full.root_at(size).unwrap(), leaf_hash(&data(index)));
            let path = full.inclusion_proof(index, size).unwrap();
            prop_assert!(!verify_inclusion(&leaf, index + by, size, &path, &root));
            let mut wrong = path.clone();
            wrong[at.index(path.len())][at.index(32)] ^= 1 << bit;
            prop_assert!(!verify_inclusion(&leaf, index, size, &wrong, &root));
            prop_assert!(!verify_inclusion(&leaf, index, size, &path[1..], &root));
            prop_assert!(!verify_inclusion(&leaf, index, size, &[path.clone(), vec![root]].concat(), &root));
            prop_assert!(!verify_inclusion(&root, index, size, &path, &root));
            prop_assert!(!verify_inclusion(&leaf, index, size, &path, &leaf));
        }

        /// Proves that a forked or shortened history has no consistency proof made from the honest one.
        #[test]
        fn mutated_consistency_proofs_are_rejected(old_size in 1..SIZE - 1, more in 1..9u64, at: prop::sample::Index,
                                                   bit in 0..8u32) {
            let size = (old_size + more).min(SIZE);
            let full = tree(SIZE);
            let (old_root, root) = (full.root_at(old_size).unwrap(), full.root_at(size).unwrap());
            let path = full.consistency_proof(old_size, size).unwrap();
            prop_assert!(!verify_consistency(old_size, &root, size, &root, &path));
            prop_assert!(!verify_consistency(old_size, &old_root, size, &old_root, &path));
            let mut wrong = path.clone();
            wrong[at.index(path.len())][at.index(32)] ^= 1 << bit;
            prop_assert!(!verify_consistency(old_size, &old_root, size, &root, &wrong));
            prop_assert!(!verify_consistency(old_size, &old_root, size, &root, &path[1..]));
            prop_assert!(!verify_consistency(old_size, &old_root, size, &root, &[path, vec![root]].concat()));
        }
    }
}

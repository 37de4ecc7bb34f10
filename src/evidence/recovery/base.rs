//! Where a log begins: with its genesis leaf, or with what stands for the leaves that were pruned.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::super::read_at_most;
use super::super::wal::FILE_BYTES_MAX;
use super::{Chain, Leaves, Scan, ScanError};
use crate::core::canonical;
use crate::core::manifest::{Leaf, Manifest};
use crate::core::merkle::{Base, Hash, Tree};
use crate::core::note::{base64, hash_from_base64};

/// What stands for segments that were removed: the file `pruned`. It needs no signature, since the first checkpoint
/// that is kept signs its hashes, nor can it be made without one: a leaf that is kept must say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Pruned {
    /// The leaves' hashes, as far as they are needed.
    pub(in super::super) base: Base,
    /// The first segment that is kept.
    pub(in super::super) segment: u64,
    /// Frames among the leaves.
    pub(in super::super) frames: u64,
    /// Verifier keys that were in charge, oldest first.
    pub(in super::super) vkeys: Vec<String>,
}

impl Pruned {
    /// The file's bytes.
    pub(in super::super) fn encode(&self) -> io::Result<Vec<u8>> {
        let hashes = |hashes: &[Hash]| hashes.iter().map(|hash| base64(hash)).collect::<Vec<_>>();
        let value = json!({
            "size": self.base.size,
            "edge": hashes(&self.base.edge),
            "tiles": hashes(&self.base.tiles),
            "segment": self.segment,
            "frames": self.frames,
            "vkeys": self.vkeys,
        });
        canonical::encode(&value).map_err(io::Error::other)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let value = canonical::parse(bytes).ok()?;
        let hashes = |name: &str| -> Option<Vec<Hash>> {
            value[name].as_array()?.iter().map(|hash| hash_from_base64(hash.as_str()?)).collect()
        };
        let base = Base { size: value["size"].as_u64()?, edge: hashes("edge")?, tiles: hashes("tiles")? };
        let vkeys: Option<Vec<_>> = value["vkeys"].as_array()?.iter().map(|key| Some(key.as_str()?.into())).collect();
        let (segment, frames) = (value["segment"].as_u64()?, value["frames"].as_u64()?);
        let parsed = Self { base, segment, frames, vkeys: vkeys? };
        (parsed.encode().ok()? == bytes && parsed.segment > 0).then_some(parsed)
    }
}

pub(in super::super) fn base_path(dir: &Path) -> PathBuf {
    dir.join("pruned")
}

/// An empty scan of the log in `dir`, and what was pruned of it.
pub(super) fn begin(dir: &Path, origin: &str) -> Result<(Option<Pruned>, Scan), ScanError> {
    let damaged = |what: &str| ScanError::Damaged(what.to_owned());
    let pruned = match read_at_most(&base_path(dir), FILE_BYTES_MAX) {
        Ok(bytes) => Some(Pruned::parse(&bytes).ok_or_else(|| damaged("pruned: altered"))?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let vkeys = match &pruned {
        Some(pruned) => pruned.vkeys.clone(),
        None => vec![genesis_vkey(dir, origin)?],
    };
    let mut keys = vkeys.iter();
    let first = keys.next().ok_or_else(|| damaged("pruned: no key"))?;
    let mut chain = Chain::begin(origin, first).map_err(|what| ScanError::Damaged(format!("id.json: {what}")))?;
    for key in keys {
        chain.rotate(origin, key, 0).map_err(|what| ScanError::Damaged(format!("pruned: {what}")))?;
    }
    let mut leaves = Leaves::default();
    let mut tree = Tree::default();
    if let Some(pruned) = &pruned {
        tree = Tree::from_base(&pruned.base).ok_or_else(|| damaged("pruned: altered"))?;
        leaves.first = pruned.base.size;
        leaves.frames_pruned = pruned.frames;
    }
    let (note, unfinished, segments, gone) = Default::default();
    Ok((pruned, Scan { tree, leaves, note, chain, unfinished, segments, gone }))
}

fn genesis_vkey(dir: &Path, origin: &str) -> Result<String, ScanError> {
    let bytes = read_at_most(&dir.join("id.json"), FILE_BYTES_MAX)?;
    match Manifest::parse(&bytes) {
        Ok(Manifest { origin: named, leaf: Leaf::Genesis { vkey, .. }, .. }) if named == origin => Ok(vkey),
        Ok(manifest) => Err(ScanError::Damaged(format!("id.json is of the log {}", manifest.origin))),
        Err(error) => Err(ScanError::Damaged(format!("id.json: {error}"))),
    }
}

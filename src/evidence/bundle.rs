//! The auditor's bundle: a tar of a frame, its proof, and how to check them without us. The same frame at the same size
//! of the log always gives the same bytes, so a verifier makes the archive again and compares: no header, padding or
//! text goes unchecked.

use std::io::{self, Read};
use std::path::Path;

use super::reader::Index;
use super::{sha256_hex, tiles, wal};
use crate::core::manifest::Leaf;
use crate::core::note::{Checkpoint, base64};
use crate::core::proof::TlogProof;

/// Instructions for people. A later version that changes them keeps this one for old bundles.
const README: &str = include_str!("bundle/README.txt");
/// The same checks with bash, openssl and coreutils. Kept like [`README`].
const VERIFY_SH: &str = include_str!("bundle/verify.sh");
/// Most other leaves: erasures and rotations of keys.
const LEAVES_MAX: usize = 256;

/// The evidence in a bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bundle {
    /// The frame as it is now.
    pub(super) frame: Vec<u8>,
    /// Its leaf.
    pub(super) manifest: Vec<u8>,
    /// The receipt: the leaf is in the tree whose last leaf it is.
    pub(super) proof: String,
    /// Name and text of every part that is there.
    pub(super) disclosures: Vec<(String, String)>,
    /// A later checkpoint, or the same.
    pub(super) checkpoint: String,
    /// Proof that it extends the receipt's, one hash a line.
    pub(super) consistency: String,
    /// Leaves that say why parts are not there, or that another key is in charge.
    pub(super) leaves: Vec<OtherLeaf>,
}

/// A leaf that is no frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OtherLeaf {
    pub(super) seq: u64,
    pub(super) manifest: Vec<u8>,
    /// An erasure is proven to the bundle's checkpoint, a rotation to its own.
    pub(super) proof: String,
}

/// Makes the bundle of a frame.
pub(super) fn make(
    dir: &Path,
    index: &Index,
    cosigned: Option<String>,
    found: &wal::Found<'_>,
    frame: &[u8],
) -> io::Result<Vec<u8>> {
    let seq = found.manifest.seq;
    let bearing = index.leaves.bearing_on(seq);
    let newest = bearing.last().copied().unwrap_or(0).max(seq);
    // One that witnesses cosigned, if it covers everything that bears on the frame.
    let cosigned = cosigned.and_then(|note| {
        let size = Checkpoint::of_note(&note).ok()?.size;
        (size > newest).then_some((note, size))
    });
    let (checkpoint, size) = cosigned.unwrap_or_else(|| (index.note.clone(), index.tree.size()));
    let unknown = || io::Error::other("the tree does not know its past");
    let consistency = index.tree.consistency_proof(seq + 1, size).ok_or_else(unknown)?;
    let parts = found.manifest.leaf.parts().iter().zip(&found.slots);
    let open = |(part, slot): (&crate::core::manifest::Part, &wal::Slot<'_>)| match slot {
        wal::Slot::Open(text) => Some((part.name.clone(), (*text).to_owned())),
        wal::Slot::Blank | wal::Slot::Unreadable => None,
    };
    let mut bundle = Bundle {
        frame: frame.to_vec(),
        manifest: found.bytes.to_vec(),
        proof: tiles::proof(&index.tree, seq, found.note.unwrap_or_default()).to_string(),
        disclosures: parts.filter_map(open).collect(),
        checkpoint,
        consistency: consistency.iter().map(|hash| format!("{}\n", base64(hash))).collect(),
        leaves: Vec::new(),
    };
    for other in bearing.into_iter().take(LEAVES_MAX) {
        let Some(location) = index.leaves.location(other) else { continue };
        let bytes = wal::read(dir, location)?;
        let found = wal::found(&bytes, other)?;
        let proof = match found.manifest.leaf {
            Leaf::KeyRotate { .. } => tiles::proof(&index.tree, other, found.note.unwrap_or_default()),
            _ => {
                let path = index.tree.inclusion_proof(other, size).ok_or_else(unknown)?;
                TlogProof { index: other, path, checkpoint: bundle.checkpoint.clone() }
            }
        };
        bundle.leaves.push(OtherLeaf { seq: other, manifest: found.bytes.to_vec(), proof: proof.to_string() });
    }
    write(&bundle)
}

/// Writes a bundle.
pub(super) fn write(bundle: &Bundle) -> io::Result<Vec<u8>> {
    let mut files: Vec<(String, &[u8])> = Vec::new();
    let mut add = |name: &str, contents| files.push((name.to_owned(), contents));
    add("frame.json", &bundle.frame);
    add("manifest.json", &bundle.manifest);
    add("frame.tlog-proof", bundle.proof.as_bytes());
    add("checkpoint", bundle.checkpoint.as_bytes());
    add("consistency", bundle.consistency.as_bytes());
    for (name, text) in &bundle.disclosures {
        add(&format!("disclosures/{name}.sd"), text.as_bytes());
    }
    for leaf in &bundle.leaves {
        add(&format!("leaves/{}.json", leaf.seq), &leaf.manifest);
        add(&format!("leaves/{}.tlog-proof", leaf.seq), leaf.proof.as_bytes());
    }
    add("README.txt", README.as_bytes());
    add("verify.sh", VERIFY_SH.as_bytes());
    let sums: String = files.iter().map(|(name, contents)| format!("{}  {name}\n", sha256_hex(contents))).collect();
    files.push(("SHA256SUMS".to_owned(), sums.as_bytes()));
    let mut archive = tar::Builder::new(Vec::new());
    for (name, contents) in files {
        let mut header = tar::Header::new_ustar();
        header.set_path(&name)?;
        header.set_size(contents.len() as u64);
        header.set_mode(if name == "verify.sh" { 0o755 } else { 0o644 });
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        archive.append(&header, contents)?;
    }
    archive.into_inner()
}

/// Reads a bundle; an error says what is not as [`write()`] writes it.
pub(super) fn read(bytes: &[u8]) -> Result<Bundle, String> {
    let mut archive = tar::Archive::new(bytes);
    let mut bundle = Bundle::default();
    for entry in archive.entries().map_err(|error| error.to_string())? {
        let mut entry = entry.map_err(|error| format!("not a tar: {error}"))?;
        let name = entry.path().ok().and_then(|path| path.to_str().map(str::to_owned)).ok_or("a name is not text")?;
        // The archive is a slice in memory, so an entry can't be larger than what was given.
        let mut contents = Vec::new();
        entry.read_to_end(&mut contents).map_err(|error| format!("{name}: {error}"))?;
        bundle.put(&name, contents)?;
    }
    match write(&bundle) {
        Ok(again) if again == bytes => Ok(bundle),
        Ok(_) => Err("the archive is not as it was written: a file, a header, SHA256SUMS or trailing bytes".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

impl Bundle {
    /// Puts a file in its place. What is missing, twice or out of order shows when the archive is written again.
    fn put(&mut self, name: &str, contents: Vec<u8>) -> Result<(), String> {
        let text = |contents| String::from_utf8(contents).map_err(|_| format!("{name} is not text"));
        match name {
            "frame.json" => self.frame = contents,
            "manifest.json" => self.manifest = contents,
            "frame.tlog-proof" => self.proof = text(contents)?,
            "checkpoint" => self.checkpoint = text(contents)?,
            "consistency" => self.consistency = text(contents)?,
            "README.txt" | "verify.sh" | "SHA256SUMS" => {}
            _ => {
                let unknown = || format!("{name} does not belong into a bundle");
                if let Some(part) = name.strip_prefix("disclosures/").and_then(|name| name.strip_suffix(".sd")) {
                    self.disclosures.push((part.to_owned(), text(contents)?));
                } else if let Some(seq) = name.strip_prefix("leaves/").and_then(|name| name.strip_suffix(".json")) {
                    let seq = seq.parse().map_err(|_| unknown())?;
                    self.leaves.push(OtherLeaf { seq, manifest: contents, proof: String::new() });
                } else {
                    let seq = name.strip_prefix("leaves/").and_then(|name| name.strip_suffix(".tlog-proof"));
                    let last = self.leaves.last_mut().filter(|leaf| Some(leaf.seq.to_string().as_str()) == seq);
                    last.ok_or_else(unknown)?.proof = text(contents)?;
                }
            }
        }
        if self.leaves.len() > LEAVES_MAX { Err("too many leaves".to_owned()) } else { Ok(()) }
    }
}

//! A log's directory seen from outside: copies of it, and every checkpoint that was ever signed in it.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use freezeframe::core::note::Checkpoint;
use sha2::{Digest, Sha256};

/// Unit of the records in segments and in the head, bytes.
pub(crate) const BLOCK: usize = 4096;

/// Compared as a whole, which takes no time even where nothing is optimised.
static ZEROES: [u8; BLOCK] = [0; BLOCK];

/// The record's header, and its kinds with a checkpoint (src/evidence/wal/record.rs).
const HEADER: usize = 40;
const COMMIT: u32 = 2;
const HEAD: u32 = 3;

/// A directory in memory, without its zeroes.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    directories: Vec<PathBuf>,
    files: BTreeMap<PathBuf, Contents>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Contents {
    length: u64,
    /// Blocks that are not all zeroes, by offset.
    blocks: Vec<(u64, Vec<u8>)>,
}

impl Snapshot {
    pub(crate) fn take(dir: &Path) -> Self {
        let mut snapshot = Self { directories: Vec::new(), files: BTreeMap::new() };
        walk(dir, dir, &mut snapshot);
        snapshot
    }

    /// Makes an empty directory this one.
    pub(crate) fn restore(&self, dir: &Path) {
        self.directories.iter().for_each(|path| std::fs::create_dir_all(dir.join(path)).expect("room"));
        for (path, contents) in &self.files {
            let file = File::create(dir.join(path)).expect("room");
            file.set_len(contents.length).expect("room");
            contents.blocks.iter().for_each(|(at, block)| file.write_all_at(block, *at).expect("room"));
        }
    }

    /// This one, with the files below `name` as they are in `other`.
    pub(crate) fn with(&self, other: &Self, name: &str) -> Self {
        let mut mixed = self.clone();
        mixed.files.retain(|path, _| !path.starts_with(name));
        let taken = other.files.iter().filter(|(path, _)| path.starts_with(name));
        mixed.files.extend(taken.map(|(path, contents)| (path.clone(), contents.clone())));
        mixed
    }

    /// Whether the files below `name` are in `dir` as they are here.
    pub(crate) fn is_kept_in(&self, name: &str, dir: &Path) -> bool {
        let mut files = self.files.iter().filter(|(path, _)| path.starts_with(name));
        files.all(|(path, contents)| std::fs::read(dir.join(path)).is_ok_and(|bytes| Contents::of(&bytes) == *contents))
    }

    /// Whether a text is anywhere in it.
    pub(crate) fn holds(&self, text: &str) -> bool {
        let needles = spellings(text);
        self.files.values().any(|contents| needles.iter().any(|needle| contents.holds(needle)))
    }

    /// Adds every checkpoint that is signed in it; an error names two of one size.
    pub(crate) fn signed(&self, known: &mut BTreeMap<(String, u64), String>) -> Result<(), String> {
        for (path, contents) in &self.files {
            for (_, block) in &contents.blocks {
                let Some(note) = note(block) else { continue };
                let Some((text, _)) = note.split_once("\n\n") else { continue };
                let Ok(checkpoint) = Checkpoint::parse(&format!("{text}\n")) else { continue };
                let line = checkpoint.line();
                let first = known.entry((checkpoint.origin, checkpoint.size)).or_insert_with(|| line.clone());
                if *first != line {
                    return Err(format!("fork in {}: {first} and {line}", path.display()));
                }
            }
        }
        Ok(())
    }
}

impl Contents {
    fn of(bytes: &[u8]) -> Self {
        let blocks = bytes.chunks(BLOCK).enumerate().filter(|(_, block)| **block != ZEROES[..block.len()]);
        let blocks = blocks.map(|(n, block)| ((n * BLOCK) as u64, block.to_vec())).collect();
        Self { length: bytes.len() as u64, blocks }
    }

    fn holds(&self, needle: &[u8]) -> bool {
        let joined: Vec<u8> = self.blocks.iter().flat_map(|(_, block)| block).copied().collect();
        memchr::memmem::find(&joined, needle).is_some()
    }
}

fn walk(root: &Path, dir: &Path, snapshot: &mut Snapshot) {
    for entry in std::fs::read_dir(dir).expect("a directory").flatten() {
        let path = entry.path();
        let relative = path.strip_prefix(root).expect("below the root").to_owned();
        if entry.file_type().expect("a type").is_dir() {
            snapshot.directories.push(relative);
            walk(root, &path, snapshot);
        } else {
            snapshot.files.insert(relative, Contents::of(&std::fs::read(&path).expect("a file")));
        }
    }
}

/// The note in a block: of a whole commit or head record, or as the file `checkpoint` has it.
fn note(block: &[u8]) -> Option<&str> {
    let number = |at: usize| Some(u32::from_be_bytes(block.get(at..at + 4)?.try_into().ok()?));
    if !block.starts_with(b"FFRECORD") {
        return std::str::from_utf8(block).ok();
    }
    let kind = number(8)?;
    let end = HEADER + usize::try_from(number(12)?).ok()?;
    let is_whole = block.get(end..end + 32)? == &Sha256::digest(&block[..end])[..];
    let has_note = kind == COMMIT || kind == HEAD;
    std::str::from_utf8(&block[HEADER..end]).ok().filter(|_| is_whole && has_note)
}

/// A text as it is, and in base64 at any alignment.
fn spellings(text: &str) -> Vec<Vec<u8>> {
    let encode = |bytes: &[u8]| base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, bytes);
    let mut found = vec![text.as_bytes().to_vec()];
    for skip in 0..3 {
        let whole = &text.as_bytes()[skip..];
        found.push(encode(&whole[..whole.len() / 3 * 3]).into_bytes());
    }
    found
}

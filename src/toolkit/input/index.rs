//! Where each document of a recording is and when it was: 24 bytes a document, so that a recording of any size is read
//! in order of time, whatever files it is spread over.
//!
//! What can't be read twice (compressed files, pipes, standard input) is copied, decompressed, to a nameless temporary
//! file as it is read.

use std::collections::HashMap;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::documents::{Document, Documents, Fault};
use super::export::Export;
use super::file::{self, Tee};
use super::{DOCUMENT_BYTES_MAX, InputError};
use crate::core::time::UnixNanos;

/// Documents of a recording at most: the index is then 768 MiB.
pub const DOCUMENTS_MAX: usize = 32 << 20;
/// Files held open while documents are read again.
const FILES_OPEN_MAX: usize = 64;
/// Documents that can't be read, in a file that has no other yet, until it is no recording.
const DAMAGED_MAX: usize = 100;

/// The documents of a recording, in the order they were written.
#[derive(Debug, Default)]
pub struct Index {
    entries: Vec<Entry>,
    sources: Vec<Source>,
    spool: Option<File>,
    bytes: u64,
    /// What could not be read, a sentence each.
    pub notes: Vec<String>,
}

/// One document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// When the first thing in it happened; zero when it does not say.
    at: UnixNanos,
    /// Index of its source.
    source: u32,
    offset: u64,
    len: u32,
}

const _: () = assert!(size_of::<Entry>() == 24 && DOCUMENT_BYTES_MAX < u32::MAX as usize);

/// A file, pipe or standard input.
#[derive(Debug)]
struct Source {
    path: PathBuf,
    /// Its documents are read again from the temporary file.
    is_spooled: bool,
}

/// What became of a file's documents.
#[derive(Default)]
struct Tally {
    good: usize,
    damaged: usize,
    first: Option<String>,
}

impl Index {
    /// Reads every path once; directories recursively, in order of name. `progress` hears of bytes as they are read.
    ///
    /// # Errors
    /// The first file that can't be read or recognised, or more than [`DOCUMENTS_MAX`]. In a directory, what is no
    /// recording is only noted.
    pub fn read(paths: &[PathBuf], progress: &mut dyn FnMut(u64)) -> Result<Self, InputError> {
        let mut index = Self::default();
        for path in paths {
            if path.is_dir() {
                index.add_directory(path, progress)?;
            } else {
                index.add_file(path, progress)?;
            }
        }
        Ok(index)
    }

    /// Bytes of all documents.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many documents there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Reads every document again, as they were written, each with its time.
    pub fn in_order(&self) -> impl Iterator<Item = Result<(UnixNanos, Export), InputError>> {
        // Times that were not set would put the start at the epoch; they happen when their successor does.
        let first = self.entries.iter().map(|entry| entry.at).filter(|at| at.0 > 0).min().unwrap_or_default();
        let mut files = HashMap::new();
        self.entries.iter().map(move |entry| Ok((entry.at.max(first), self.load(entry, &mut files)?)))
    }

    /// Reads every document again, in order of time.
    pub fn in_time(&mut self) -> impl Iterator<Item = Result<(UnixNanos, Export), InputError>> {
        self.entries.sort_unstable();
        self.in_order()
    }

    fn add_directory(&mut self, dir: &Path, progress: &mut dyn FnMut(u64)) -> Result<(), InputError> {
        let io = |error| InputError::io(dir, error);
        let mut entries: Vec<_> = std::fs::read_dir(dir).and_then(Iterator::collect).map_err(io)?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries.iter().filter(|it| !it.file_name().to_string_lossy().starts_with('.')) {
            let (path, kind) = (entry.path(), entry.file_type().map_err(io)?);
            // A link to a directory may lead back here, and opening a pipe may wait forever.
            let added = match (kind.is_dir(), path.is_file()) {
                (true, _) => self.add_directory(&path, progress),
                (_, true) => self.add_file(&path, progress),
                _ => Err(InputError::unknown(&path, "neither a file nor a directory")),
            };
            match added {
                Err(InputError::Unknown { path, reason }) if self.entries.len() <= DOCUMENTS_MAX => {
                    self.notes.push(format!("{}: skipped: {reason}", path.display()));
                }
                other => other?,
            }
        }
        Ok(())
    }

    fn add_file(&mut self, path: &Path, progress: &mut dyn FnMut(u64)) -> Result<(), InputError> {
        let io = |error| InputError::io(path, error);
        let stream = file::open(path, progress).map_err(io)?;
        let is_spooled = !stream.is_plain;
        if is_spooled && self.spool.is_none() {
            self.spool = Some(tempfile::tempfile().map_err(|error| InputError::io(&std::env::temp_dir(), error))?);
        }
        let spool = self.spool.as_ref().filter(|_| is_spooled);
        let base = spool.map_or(Ok(0), |mut spool| spool.seek(SeekFrom::End(0))).map_err(io)?;
        let before = self.entries.len();
        let source = u32::try_from(self.sources.len()).expect("fewer files than documents");
        let tally = index(Documents::new(Tee { from: stream.bytes, to: spool }), |entry| {
            self.bytes += u64::from(entry.len);
            self.entries.push(Entry { source, offset: base + entry.offset, ..entry });
            self.entries.len() <= DOCUMENTS_MAX
        });
        self.sources.push(Source { path: path.to_owned(), is_spooled });
        match tally {
            Ok(Tally { damaged: 0, .. }) => Ok(()),
            Ok(Tally { good, damaged, first }) if good > 0 => {
                let first = first.unwrap_or_default();
                self.notes.push(format!("{}: {damaged} of {} documents lost: {first}", path.display(), good + damaged));
                Ok(())
            }
            Ok(Tally { first, .. }) => {
                self.entries.truncate(before);
                Err(InputError::unknown(path, first.unwrap_or_default()))
            }
            Err(Fault::Io(error)) => Err(io(error)),
            Err(fault) => {
                if self.entries.len() <= DOCUMENTS_MAX {
                    self.entries.truncate(before);
                }
                Err(InputError::unknown(path, String::from(fault)))
            }
        }
    }

    fn load(&self, entry: &Entry, files: &mut HashMap<u32, File>) -> Result<Export, InputError> {
        let Source { path, is_spooled } = &self.sources[entry.source as usize];
        let io = |error| InputError::io(path, error);
        let mut file = match self.spool.as_ref().filter(|_| *is_spooled) {
            Some(spool) => spool,
            None => {
                if files.len() >= FILES_OPEN_MAX && !files.contains_key(&entry.source) {
                    files.clear();
                }
                match files.entry(entry.source) {
                    std::collections::hash_map::Entry::Occupied(open) => &*open.into_mut(),
                    std::collections::hash_map::Entry::Vacant(room) => &*room.insert(File::open(path).map_err(io)?),
                }
            }
        };
        let mut bytes = vec![0; entry.len as usize];
        file.seek(SeekFrom::Start(entry.offset)).and_then(|_| file.read_exact(&mut bytes)).map_err(io)?;
        Export::decode(bytes.into())
            .map_err(|reason| InputError::unknown(path, format!("changed while it was read: {reason}")))
    }
}

/// Reads the documents of one stream; `keep` answers whether there is room for more.
fn index(
    documents: std::io::Result<Documents<impl std::io::Read>>,
    mut keep: impl FnMut(Entry) -> bool,
) -> Result<Tally, Fault> {
    let (mut documents, mut tally) = (documents.map_err(Fault::Io)?, Tally::default());
    loop {
        let reason = match documents.next() {
            Ok(None) => return Ok(tally),
            Ok(Some(Document { offset, bytes })) => {
                let len = u32::try_from(bytes.len()).expect("no longer than DOCUMENT_BYTES_MAX");
                match Export::decode(bytes) {
                    Ok(export) => {
                        tally.good += 1;
                        let entry = Entry { at: export.at(), source: 0, offset, len };
                        if !matches!(export, Export::Metrics) && !keep(entry) {
                            return Err(Fault::Fatal(format!("more than {DOCUMENTS_MAX} documents; read it in parts")));
                        }
                        continue;
                    }
                    Err(reason) => reason,
                }
            }
            Err(Fault::Damaged(reason)) => reason,
            Err(Fault::Io(error)) if error.kind() == ErrorKind::UnexpectedEof && tally.good > 0 => {
                tally.damaged += 1;
                tally.first.get_or_insert(Fault::Io(error).into());
                return Ok(tally);
            }
            Err(fault) => return Err(fault),
        };
        tally.damaged += 1;
        tally.first.get_or_insert(reason);
        if tally.good == 0 && tally.damaged >= DAMAGED_MAX {
            return Ok(tally);
        }
    }
}

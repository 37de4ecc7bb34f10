//! The only place that makes things durable: which system calls, in which order.
//!
//! - [`Disk::write_at`] then [`Disk::sync`] (`fdatasync`) then [`Disk::read_back`]: into preallocated blocks, the way
//!   of every acknowledged byte. After a failed sync Linux marks the pages clean, so the caller must never sync that
//!   file again and believe it; it moves to another file.
//! - [`Disk::publish`]: temporary file, `fsync`, rename, `fsync` of the directory, whose handle is open since before the
//!   rename so that its error is not lost (Pillai et al., "All file systems are not created equal", OSDI 2014).
//! - [`Disk::rename`] and [`Disk::wipe`]: the same for a file that moves, and for one that goes: it is overwritten first.
//! - [`Disk::replace`]: the same without any sync, for derived files, which are rebuilt at start.
//!
//! - [`Disk::settle`]: before a file is read that another process may have written: what is read is on the device.
//!
//! Known hole: reading back is served from the page cache. It catches short and misdirected writes, not a device that
//! lies; for that there are the hashes, at the next start.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Zeroes, to overwrite with.
static ZEROES: [u8; 64 * 1024] = [0; 64 * 1024];
/// Suffix of files that are not published yet.
pub(super) const TEMPORARY: &str = ".tmp";

/// The door to the file system. In tests it can be told to fail at any step.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    #[cfg(test)]
    pub(super) faults: super::tests::faults::Faults,
}

/// What is about to happen, for the simulated disks of the tests.
#[cfg_attr(not(test), expect(dead_code, reason = "read by the simulated disks of the tests"))]
#[derive(Debug)]
pub(super) enum Step<'a> {
    /// Bytes go to a file.
    Write { file: &'a File, bytes: &'a [u8], offset: u64 },
    /// What was written to a file becomes durable.
    Sync { file: &'a File },
    /// An empty file is opened under a name.
    Create { path: &'a Path },
    /// A directory gets a name.
    CreateDirectory { path: &'a Path },
    /// A file or a directory gets another name.
    Rename { from: &'a Path, to: &'a Path },
    /// A file loses its name.
    Remove { path: &'a Path },
    /// The names in a directory become durable.
    SyncDirectory { path: &'a Path },
    /// What is cached of a file is dropped.
    Forget { file: &'a File },
    /// Anything else: reading back.
    Other,
}

impl Disk {
    /// Writes into existing blocks.
    pub(super) fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.step(&Step::Write { file, bytes, offset }, || file.write_all_at(bytes, offset))
    }

    /// Makes the contents of a file durable.
    #[expect(clippy::disallowed_methods, reason = "the one place")]
    pub(super) fn sync(&self, file: &File) -> io::Result<()> {
        self.step(&Step::Sync { file }, || file.sync_data())
    }

    /// Makes a file durable and drops what is cached of it. After a failed sync the cache holds what the device never
    /// got, marked clean, and would show it to the next process, too. (Sunlight's `durable` package names this hole.)
    /// Where the file system keeps its cache, or has none, nothing is dropped.
    pub(super) fn settle(&self, path: &Path) -> io::Result<()> {
        let file = File::open(path)?;
        self.sync(&file)?;
        self.step(&Step::Forget { file: &file }, || {
            drop_cached(&file);
            Ok(())
        })
    }

    /// Compares what is read with what was written.
    pub(super) fn read_back(&self, file: &File, written: &[u8], offset: u64) -> io::Result<()> {
        let mut read = vec![0; written.len()];
        self.step(&Step::Other, || file.read_exact_at(&mut read, offset))?;
        if read == written {
            Ok(())
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidData, "read other bytes than written"))
        }
    }

    /// Creates `path` durably, whole or not at all, with the bytes in `parts`. Replaces what was there.
    pub(super) fn publish<'a>(
        &self,
        path: &Path,
        mode: u32,
        parts: impl IntoIterator<Item = &'a [u8]>,
    ) -> io::Result<File> {
        let temporary = temporary(path);
        let published = self.publish_from(&temporary, path, mode, parts);
        if published.is_err() {
            // What it holds is of no use, on a full disk its blocks are, and it may be what somebody wants erased.
            drop(self.wipe(&temporary));
        }
        published
    }

    #[expect(clippy::disallowed_methods, reason = "the one place")]
    fn publish_from<'a>(
        &self,
        temporary: &Path,
        path: &Path,
        mode: u32,
        parts: impl IntoIterator<Item = &'a [u8]>,
    ) -> io::Result<File> {
        let parent = parent(path);
        let directory = File::open(parent)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).mode(mode);
        let file = self.step(&Step::Create { path: temporary }, || options.open(temporary))?;
        let mut offset = 0;
        for part in parts {
            self.write_at(&file, part, offset)?;
            self.read_back(&file, part, offset)?;
            offset += part.len() as u64;
        }
        self.step(&Step::Sync { file: &file }, || file.sync_all())?;
        self.step(&Step::Rename { from: temporary, to: path }, || std::fs::rename(temporary, path))?;
        self.step(&Step::SyncDirectory { path: parent }, || directory.sync_all())?;
        Ok(file)
    }

    /// Renames a file durably.
    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(&Step::Rename { from, to }, || std::fs::rename(from, to))?;
        [from, to].into_iter().try_for_each(|path| self.sync_directory(parent(path)))
    }

    /// Makes the names in a directory durable.
    #[expect(clippy::disallowed_methods, reason = "the one place")]
    pub(super) fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.step(&Step::SyncDirectory { path }, || File::open(path)?.sync_all())
    }

    /// Removes a file so that its blocks don't keep what was in it; one that is gone already is fine.
    #[expect(clippy::disallowed_methods, reason = "the one place")]
    pub(super) fn wipe(&self, path: &Path) -> io::Result<()> {
        let file = match OpenOptions::new().write(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            file => file?,
        };
        let (mut offset, length) = (0, file.metadata()?.len());
        while offset < length {
            let part = usize::try_from(length - offset).unwrap_or(usize::MAX).min(ZEROES.len());
            self.write_at(&file, &ZEROES[..part], offset)?;
            offset += part as u64;
        }
        self.step(&Step::Sync { file: &file }, || file.sync_all())?;
        self.remove(path)
    }

    /// Removes a file durably.
    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        self.step(&Step::Remove { path }, || std::fs::remove_file(path))?;
        self.sync_directory(parent(path))
    }

    /// Removes a file that may already be gone, and that may come back in a power cut.
    pub(super) fn discard(&self, path: &Path) -> io::Result<()> {
        match self.step(&Step::Remove { path }, || std::fs::remove_file(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Writes a derived file, whole or not at all while the machine stays up.
    pub(super) fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let directory = parent(path);
        if !directory.is_dir() {
            self.step(&Step::CreateDirectory { path: directory }, || std::fs::create_dir_all(directory))?;
        }
        let temporary = temporary(path);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        let file = self.step(&Step::Create { path: &temporary }, || options.open(&temporary))?;
        self.write_at(&file, bytes, 0)?;
        self.read_back(&file, bytes, 0)?;
        self.step(&Step::Rename { from: &temporary, to: path }, || std::fs::rename(&temporary, path))
    }

    /// Creates a directory durably, with those above it. One that is there may be so in the cache only.
    pub(super) fn create_directory(&self, path: &Path) -> io::Result<()> {
        if !path.is_dir() {
            if !parent(path).is_dir() {
                self.create_directory(parent(path))?;
            }
            self.step(&Step::CreateDirectory { path }, || std::fs::create_dir(path))?;
        }
        self.sync_directory(parent(path))
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "the tests' disk has a plan of faults")]
    fn step<T>(&self, _step: &Step<'_>, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        act()
    }

    #[cfg(test)]
    fn step<T>(&self, step: &Step<'_>, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.faults.apply(step, act)
    }
}

#[cfg(target_os = "linux")]
fn drop_cached(file: &File) {
    // Advice: whether it is followed is not ours to know.
    rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed).ok();
}

#[cfg(not(target_os = "linux"))]
fn drop_cached(_file: &File) {}

/// The directory a path is in. Relative paths of one part have the parent "", which can't be opened.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(TEMPORARY);
    PathBuf::from(name)
}

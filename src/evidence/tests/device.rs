//! A device that loses power: what was not synced is kept, lost or torn, page by page and name by name.
//!
//! The files are real ones, in memory; they are what the page cache shows. Beside them this remembers what the device
//! may hold instead, until a sync says it holds the same:
//!
//! - pages of 4 KiB, written back at any time and in any order, each at any age, and torn between ages at sectors of
//!   512 bytes; so is the length of a file,
//! - names (created, renamed, removed), each kept or undone for itself until its directory is synced; a rename is
//!   atomic, also between directories,
//! - a sync that fails marks pages clean (Linux since 4.13; Rebello et al., "Can applications recover from fsync
//!   failures?", ATC 2020): they are read as written until they leave the cache, and no later sync brings them to the
//!   device unless they are written again.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::super::durable::Step;

const PAGE: usize = 4096;
const SECTOR: usize = 512;

/// An inode number, of a file or a directory that is held open so that no other gets it.
type Inode = u64;

/// The device and the page cache over it.
#[derive(Debug)]
pub(in super::super) struct Device {
    random: StdRng,
    root: PathBuf,
    files: HashMap<Inode, Node>,
    /// Names on the device, by directory.
    names: HashMap<Inode, BTreeMap<OsString, Inode>>,
    /// Changes of names that are not synced, oldest first.
    changes: Vec<Change>,
    /// Steps until the process dies.
    pub(super) left: Option<u32>,
    pub(super) dead: bool,
    /// Steps of a thousand that fail.
    pub(super) faults: u32,
}

/// A file, or a directory, whose names are elsewhere.
#[derive(Debug)]
struct Node {
    handle: File,
    /// Length on the device, bytes.
    length: u64,
    /// Pages that the device may hold otherwise than the cache.
    pages: BTreeMap<u64, Page>,
}

#[derive(Debug)]
struct Page {
    /// What the device may hold; the first of them for sure if the page is clean. What the cache holds is not among them.
    ages: Vec<Vec<u8>>,
    dirty: bool,
}

#[derive(Clone, Debug)]
enum Change {
    Link { to: (Inode, OsString), node: Inode },
    Unlink { from: (Inode, OsString), node: Inode },
    Rename { from: (Inode, OsString), to: (Inode, OsString), node: Inode },
}

impl Device {
    /// An empty one at `root`, which exists.
    pub(super) fn new(root: &Path, seed: u64) -> Self {
        let (files, names, changes) = Default::default();
        let random = StdRng::seed_from_u64(seed);
        let root = root.to_owned();
        let mut device = Self { random, root, files, names, changes, left: None, dead: false, faults: 0 };
        let root = device.hold(&device.root.clone());
        device.names.insert(root, BTreeMap::new());
        device
    }

    /// Does a step, or lets it fail.
    pub(super) fn apply<T>(&mut self, step: &Step<'_>, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.dead |= self.left == Some(0);
        self.left = self.left.map(|left| left.saturating_sub(1));
        if self.dead {
            return Err(io::Error::other("the process is dead"));
        }
        let fails = self.faults > 0 && self.random.random_range(0..1000) < self.faults;
        if let (Step::Sync { file }, true) = (step, fails) {
            self.fail_sync(file);
            return Err(io::Error::other("the sync failed"));
        }
        if fails && (matches!(step, Step::SyncDirectory { .. }) || self.random.random()) {
            if let Step::Write { file, bytes, offset } = step {
                self.before_write(file, bytes.len(), *offset);
                file.write_all_at(&bytes[..self.random.random_range(0..=bytes.len())], *offset)?;
            }
            return Err(io::Error::other("it was not done"));
        }
        let done = self.act(step, act)?;
        if fails { Err(io::Error::other("it was done")) } else { Ok(done) }
    }

    fn act<T>(&mut self, step: &Step<'_>, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match step {
            Step::Write { file, bytes, offset } => {
                self.before_write(file, bytes.len(), *offset);
                act()
            }
            Step::Sync { file } => {
                let node = self.files.get_mut(&inode(file)).unwrap();
                node.pages.retain(|_, page| !page.dirty);
                node.length = file.metadata()?.len();
                act()
            }
            Step::Create { path } | Step::CreateDirectory { path } => {
                let done = act()?;
                self.link(path);
                Ok(done)
            }
            Step::Rename { from, to } => {
                let change = Change::Rename { from: at(from), to: at(to), node: number(from) };
                let done = act()?;
                self.changes.push(change);
                Ok(done)
            }
            Step::Remove { path } => {
                let known = path.exists().then(|| Change::Unlink { from: at(path), node: number(path) });
                let done = act()?;
                self.changes.extend(known);
                Ok(done)
            }
            Step::SyncDirectory { path } => {
                let done = act()?;
                self.sync_names(number(path));
                Ok(done)
            }
            Step::Forget { file } => {
                self.forget(file);
                act()
            }
            Step::Other => act(),
        }
    }

    fn hold(&mut self, path: &Path) -> Inode {
        let handle =
            if path.is_dir() { File::open(path) } else { OpenOptions::new().read(true).write(true).open(path) };
        let handle = handle.unwrap();
        let node = inode(&handle);
        self.files.insert(node, Node { handle, length: 0, pages: BTreeMap::new() });
        node
    }

    /// Takes in a new file or directory, and the directories made for it.
    fn link(&mut self, path: &Path) {
        if self.files.contains_key(&number(path)) {
            return;
        }
        self.link(path.parent().unwrap());
        let node = self.hold(path);
        if path.is_dir() {
            self.names.insert(node, BTreeMap::new());
        }
        self.changes.push(Change::Link { to: at(path), node });
    }

    fn before_write(&mut self, file: &File, length: usize, offset: u64) {
        let node = self.files.get_mut(&inode(file)).unwrap();
        for page in offset / PAGE as u64..(offset + length as u64).div_ceil(PAGE as u64) {
            let before = read_page(&node.handle, page);
            let page = node.pages.entry(page).or_insert(Page { ages: Vec::new(), dirty: true });
            if page.dirty && page.ages.last() != Some(&before) {
                page.ages.push(before);
            }
            page.dirty = true;
        }
    }

    /// Some pages reach the device, the others are marked clean; of those, some leave the cache at once.
    fn fail_sync(&mut self, file: &File) {
        let Self { files, random, .. } = self;
        let node = files.get_mut(&inode(file)).unwrap();
        let dirty: Vec<u64> = node.pages.iter().filter(|(_, page)| page.dirty).map(|(number, _)| *number).collect();
        let evicts = random.random_ratio(1, 4);
        for number in dirty {
            let page = node.pages.get_mut(&number).unwrap();
            if random.random() {
                node.pages.remove(&number);
                continue;
            }
            let ages = &page.ages[random.random_range(0..page.ages.len())];
            *page = Page { ages: vec![ages.clone()], dirty: false };
        }
        if evicts {
            self.forget(file);
        }
    }

    /// Drops clean pages from the cache.
    fn forget(&mut self, file: &File) {
        let node = self.files.get_mut(&inode(file)).unwrap();
        let length = node.handle.metadata().unwrap().len();
        for (number, page) in node.pages.iter().filter(|(_, page)| !page.dirty) {
            let start = number * PAGE as u64;
            let kept = usize::try_from(length.saturating_sub(start)).unwrap().min(PAGE);
            node.handle.write_all_at(&page.ages[0][..kept], start).unwrap();
        }
        node.pages.retain(|_, page| page.dirty);
    }

    fn sync_names(&mut self, directory: Inode) {
        let touches = |change: &Change| match change {
            Change::Link { to, .. } => to.0 == directory,
            Change::Unlink { from, .. } => from.0 == directory,
            Change::Rename { from, to, .. } => from.0 == directory || to.0 == directory,
        };
        let (synced, rest) = std::mem::take(&mut self.changes).into_iter().partition(touches);
        self.changes = rest;
        let synced: Vec<Change> = synced;
        synced.iter().for_each(|change| change.apply(&mut self.names));
    }

    /// What a power cut now may leave, in the empty directory `root`: one state of many.
    pub(super) fn cut(&mut self, root: &Path) -> Self {
        let mut names = self.names.clone();
        // A journal keeps the oldest changes; without one, each fares for itself.
        let is_journaled: bool = self.random.random();
        let journaled = is_journaled.then(|| self.random.random_range(0..=self.changes.len()));
        for (number, change) in self.changes.iter().enumerate() {
            if journaled.map_or_else(|| self.random.random(), |kept| number < kept) {
                change.apply(&mut names);
            }
        }
        let mut left = Self::new(root, self.random.random());
        self.leave(&names, number(&self.root.clone()), root, &mut left);
        left
    }

    fn leave(&mut self, names: &HashMap<Inode, BTreeMap<OsString, Inode>>, from: Inode, to: &Path, left: &mut Self) {
        let mut entries = BTreeMap::new();
        for (name, node) in &names[&from] {
            let path = to.join(name);
            if names.contains_key(node) {
                std::fs::create_dir(&path).unwrap();
                let directory = left.hold(&path);
                entries.insert(name.clone(), directory);
                self.leave(names, *node, &path, left);
                left.names.entry(directory).or_default();
            } else {
                let contents = self.contents(*node);
                let file = File::create_new(&path).unwrap();
                file.set_len(contents.len() as u64).unwrap();
                for (number, page) in contents.chunks(PAGE).enumerate() {
                    if page.iter().any(|byte| *byte != 0) {
                        file.write_all_at(page, (number * PAGE) as u64).unwrap();
                    }
                }
                let node = left.hold(&path);
                left.files.get_mut(&node).unwrap().length = contents.len() as u64;
                entries.insert(name.clone(), node);
            }
        }
        left.names.insert(number(to), entries);
    }

    /// What may be on the device of a file.
    fn contents(&mut self, node: Inode) -> Vec<u8> {
        let Self { files, random, .. } = self;
        let Node { handle, length, pages } = &files[&node];
        let cached = handle.metadata().unwrap().len();
        let mut contents = vec![0; usize::try_from(cached).unwrap()];
        handle.read_exact_at(&mut contents, 0).unwrap();
        let length = match random.random_range(0..3) {
            0 => *length,
            1 => cached,
            _ => random.random_range((*length).min(cached)..=(*length).max(cached)),
        };
        contents.resize(usize::try_from(length).unwrap(), 0);
        for (number, page) in pages {
            let start = usize::try_from(*number).unwrap() * PAGE;
            let Some(place) = contents.get_mut(start..) else { continue };
            let kept = place.len().min(PAGE);
            page.settle(random, &mut place[..kept]);
        }
        contents
    }
}

impl Page {
    /// Replaces what the cache holds by what the device may hold.
    fn settle(&self, random: &mut StdRng, cached: &mut [u8]) {
        if !self.dirty {
            return cached.copy_from_slice(&self.ages[0][..cached.len()]);
        }
        let torn = random.random_ratio(1, 4);
        let unit = if torn { SECTOR } else { PAGE };
        for (number, part) in cached.chunks_mut(unit).enumerate() {
            // One more than there are: as it is in the cache.
            let age =
                if random.random_ratio(1, 3) { self.ages.len() } else { random.random_range(0..=self.ages.len()) };
            if let Some(age) = self.ages.get(age) {
                part.copy_from_slice(&age[number * unit..][..part.len()]);
            }
        }
    }
}

impl Change {
    fn apply(&self, names: &mut HashMap<Inode, BTreeMap<OsString, Inode>>) {
        let mut set = |(directory, name): &(Inode, OsString), node| {
            names.get_mut(directory).unwrap().insert(name.clone(), node);
        };
        match self {
            Self::Link { to, node } => set(to, *node),
            Self::Unlink { from, node } => unlink(names, from, *node),
            Self::Rename { from, to, node } => {
                set(to, *node);
                unlink(names, from, *node);
            }
        }
    }
}

fn unlink(names: &mut HashMap<Inode, BTreeMap<OsString, Inode>>, (directory, name): &(Inode, OsString), node: Inode) {
    let names = names.get_mut(directory).unwrap();
    if names.get(name) == Some(&node) {
        names.remove(name);
    }
}

fn read_page(file: &File, page: u64) -> Vec<u8> {
    let mut bytes = vec![0; PAGE];
    let mut read = 0;
    while read < PAGE {
        match file.read_at(&mut bytes[read..], page * PAGE as u64 + read as u64) {
            Ok(0) => break,
            count => read += count.unwrap(),
        }
    }
    bytes
}

fn inode(file: &File) -> Inode {
    file.metadata().unwrap().ino()
}

fn number(path: &Path) -> Inode {
    std::fs::metadata(path).unwrap().ino()
}

/// The directory of a path, and its name there.
fn at(path: &Path) -> (Inode, OsString) {
    (number(path.parent().unwrap()), path.file_name().unwrap().to_owned())
}

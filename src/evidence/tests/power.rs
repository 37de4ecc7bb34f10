//! Power cuts. A user with everything to do lives with a log on a [`Device`] that fails and loses power at any step,
//! also while the log recovers from the power cut before. Of each cut several outcomes are tried; after each, everything
//! that was acknowledged must be there, and everything that was erased must not.
//!
//! `FREEZEFRAME_SIM_STATES` is the number of outcomes, `FREEZEFRAME_SIM_SEED` the first seed. A life is repeated with
//! the seed that its failure names and one state.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::device::Device;
use super::faults::Faults;
use super::lifecycle::{canary, full, needles};
use super::*;
use crate::engine::store::EraseOrder;

/// Outcomes that are tried when nobody says how many.
const STATES: u64 = 300;
/// A long run says every so many how far it is.
const REPORTED: u64 = 50_000;
/// Lives that found something once: leaves that failing segments had taken, in a row, before pruning, or with a signature
/// that outlived them, and a cache that another process had left.
const KNOWN: [u64; 6] = [109, 118, 148, 1068, 2098, 3620];
/// Power cuts in the life of one log.
const CUTS: u32 = 8;
/// Room for one frame with all parts, or for several small ones.
const NARROW: u64 = 16 * BLOCK as u64;
/// Parts that are erased.
const PARTS: [&str; 4] = ["judge", "prompt_revision", "tool_schemas", "samples"];

/// What the user was told, and what they asked for without hearing of it again.
#[derive(Clone, Default)]
struct Memory {
    /// The log's name, once it was open.
    origin: Option<String>,
    /// Frames so far, acknowledged or not.
    frames: u32,
    receipts: BTreeMap<u32, Receipt>,
    /// Erasures that were asked for, and whether they were acknowledged.
    erased: BTreeMap<(u32, &'static str), bool>,
    /// Leaves before this one may have been pruned, and must have been.
    pruned: (u64, u64),
}

/// One log, from its first start.
struct Life {
    seed: u64,
    random: StdRng,
    home: TempDir,
    disk: Disk,
    /// Where the device is below `home`: every power cut makes another one.
    dir: std::path::PathBuf,
    directories: u32,
    memory: Memory,
    states: u64,
}

/// Lives one life, and returns the number of power cuts it survived.
fn live(seed: u64) -> u64 {
    let home = directory();
    let dir = home.path().join("0");
    std::fs::create_dir(&dir).unwrap();
    let disk = Disk { faults: Faults::of(Device::new(&dir, seed)) };
    let random = StdRng::seed_from_u64(seed);
    let memory = Memory::default();
    let mut life = Life { seed, random, home, disk, dir, directories: 0, memory, states: 0 };
    for _ in 0..CUTS {
        let steps = life.random.random_range(1..250);
        let faults = if life.random.random() { 0 } else { life.random.random_range(1..60) };
        life.arm(Some(steps), faults);
        life.session();
        // A process can die without a power cut, and another find its cache.
        while life.random.random_ratio(1, 4) {
            let steps = life.random.random_range(1..100);
            life.arm(Some(steps), faults);
            life.session();
        }
        life.cut();
    }
    life.states
}

impl Life {
    fn arm(&self, left: Option<u32>, faults: u32) {
        self.disk.faults.with(|device| (device.left, device.dead, device.faults) = (left, false, faults));
    }

    fn is_dead(&self) -> bool {
        self.disk.faults.with(|device| device.dead)
    }

    fn open(&mut self) -> Result<Log, OpenError> {
        let mut random = StdRng::seed_from_u64(self.random.random());
        let entropy: Entropy = Box::new(move |bytes| {
            random.fill(bytes);
            Ok(())
        });
        let opened = Log::open_with(&self.dir, &config(), NOW, entropy, &options(self.disk.clone(), NARROW));
        if let Ok(log) = &opened {
            let origin = self.memory.origin.get_or_insert_with(|| log.origin());
            let incidents = &log.index().leaves.incidents;
            assert_eq!(*origin, log.origin(), "seed {}: the log began anew: {incidents:?}", self.seed);
        }
        opened
    }

    /// Works with the log until the process dies or the user has had enough.
    fn session(&mut self) {
        for _ in 0..self.random.random_range(1..4) {
            let mut log = self.open();
            for _ in 0..8 {
                if log.is_ok() || self.is_dead() {
                    break;
                }
                log = self.open();
            }
            let Ok(log) = log else { return };
            for _ in 0..self.random.random_range(0..7) {
                self.work(&log);
                if self.is_dead() {
                    return;
                }
            }
        }
    }

    fn work(&mut self, log: &Log) {
        match self.random.random_range(0..20) {
            0..=11 => {
                // Now and then one that was tried before.
                let again = self.memory.frames > 0 && self.random.random_ratio(1, 5);
                let number =
                    if again { self.random.random_range(1..=self.memory.frames) } else { self.memory.frames + 1 };
                self.memory.frames = self.memory.frames.max(number);
                self.append(log, number);
            }
            12..=14 => self.erase(log),
            15 => {
                let below = self.random.random_range(0..=log.index().tree.size());
                self.memory.pruned.0 = self.memory.pruned.0.max(below);
                if self.insist(|| log.prune(below, "enough", NOW)).is_some() {
                    self.memory.pruned.1 = self.memory.pruned.1.max(below);
                }
            }
            16..=17 => drop(self.insist(|| log.make_next_key())),
            18 => drop(self.insist(|| log.forget_previous_key())),
            _ => drop(self.insist(|| log.maintain(NOW, 0))),
        }
    }

    /// Tries a few times, as the engine does.
    fn insist<T>(&self, mut ask: impl FnMut() -> Result<T, StoreError>) -> Option<T> {
        for _ in 0..3 {
            match ask() {
                Ok(told) => return Some(told),
                Err(StoreError::Refused(_)) => return None,
                Err(_) if self.is_dead() => return None,
                Err(_) => {}
            }
        }
        None
    }

    fn append(&mut self, log: &Log, number: u32) {
        let frame = sized(number);
        let is_erased = self.memory.erased.keys().any(|(erased, _)| *erased == number);
        let receipt = self.memory.receipts.get(&number);
        if receipt.map_or(is_erased && self.memory.pruned.0 > 0, |receipt| receipt.seq < self.memory.pruned.0) {
            // What is pruned is unknown, and would be taken in again.
            return;
        }
        let Some(receipt) = self.insist(|| log.append(&frame)) else { return };
        let seed = self.seed;
        if let Some(before) = self.memory.receipts.insert(number, receipt.clone()) {
            let same = (before.seq, &before.checkpoint) == (receipt.seq, &receipt.checkpoint);
            assert!(same, "seed {seed}: frame {number} has two receipts");
            self.memory.receipts.insert(number, before);
        }
    }

    fn erase(&mut self, log: &Log) {
        if self.memory.frames == 0 {
            return;
        }
        let number = self.random.random_range(1..=self.memory.frames);
        let part = PARTS[self.random.random_range(0..PARTS.len())];
        if !has_parts(number) || log.frame(&frame(number).id).ok().flatten().is_none() {
            return;
        }
        let (frame_id, parts) = (frame(number).id, vec![part.to_owned()]);
        let order = EraseOrder { frame_id, parts, reason: "asked for".into(), at: NOW };
        self.memory.erased.entry((number, part)).or_default();
        if self.insist(|| log.erase(&order)).is_some() {
            self.memory.erased.insert((number, part), true);
        }
    }

    /// The power goes. A few of the states that leaves are recovered from and checked; life goes on in the last.
    fn cut(&mut self) {
        let origin = self.memory.origin.clone();
        for outcome in 0..3 {
            // A first start that was cut short may come out otherwise next time.
            self.memory.origin.clone_from(&origin);
            let before = self.lose_power();
            // In the middle of recovering it goes again.
            while self.random.random_ratio(1, 2) {
                let (steps, faults) = (self.random.random_range(1..60), self.random.random_range(0..40));
                self.arm(Some(steps), faults);
                drop(self.open());
                let lost = self.lose_power();
                drop(std::fs::remove_dir_all(lost.0));
            }
            self.arm(None, 0);
            let seed = self.seed;
            let log = self.open().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            self.check(&log);
            drop(log);
            if outcome < 2 {
                let tried = std::mem::replace(&mut self.dir, before.0);
                self.disk = before.1;
                std::fs::remove_dir_all(tried).unwrap();
            } else {
                std::fs::remove_dir_all(before.0).unwrap();
            }
        }
    }

    /// Goes on with one of the states that a power cut now may leave; returns what was before.
    fn lose_power(&mut self) -> (std::path::PathBuf, Disk) {
        self.directories += 1;
        let to = self.home.path().join(self.directories.to_string());
        std::fs::create_dir(&to).unwrap();
        let left = self.disk.faults.with(|device| device.cut(&to));
        let disk = Disk { faults: Faults::of(left) };
        self.states += 1;
        let before = (std::mem::replace(&mut self.dir, to), std::mem::replace(&mut self.disk, disk));
        let seed = self.seed;
        self.nothing_erased_is_left("before recovery");
        let head = head::read(&self.dir).unwrap().memories.into_iter().map(|memory| memory.checkpoint.size).max();
        assert!(head.unwrap_or(0) >= self.acknowledged(), "seed {seed}: the head went back to {head:?}");
        before
    }

    /// The largest acknowledged size.
    fn acknowledged(&self) -> u64 {
        self.memory.receipts.values().map(|receipt| receipt.seq + 1).max().unwrap_or(0)
    }

    fn check(&self, log: &Log) {
        let (seed, memory) = (self.seed, &self.memory);
        let index = log.index();
        assert!(index.tree.size() >= self.acknowledged(), "seed {seed}: leaves are lost");
        assert!(index.leaves.incidents.is_empty(), "seed {seed}: {:?}", index.leaves.incidents);
        assert!(index.leaves.kept_from >= memory.pruned.1, "seed {seed}: a leaf that prunes is lost");
        assert!(index.leaves.kept_from <= memory.pruned.0, "seed {seed}: nobody asked for that");
        for (number, receipt) in &memory.receipts {
            let size = receipt.seq + 1;
            if size > index.leaves.first {
                let root = index.tree.root_at(size).unwrap();
                let line = Checkpoint { origin: index.origin.clone(), size, root }.line();
                assert_eq!(line, receipt.checkpoint, "seed {seed}: another tree");
            }
            let asked: Vec<_> = memory.erased.keys().filter(|(erased, _)| erased == number).collect();
            let erased = index.leaves.erased.get(&receipt.seq);
            assert!(erased.is_none() || !asked.is_empty(), "seed {seed}: nobody asked for that");
            let bytes = log.frame(&receipt.frame_id).unwrap();
            let pruned = receipt.seq < index.leaves.kept_from;
            assert_eq!(bytes.is_none(), pruned, "seed {seed}: frame {number}");
            if let (Some(bytes), None) = (bytes, erased) {
                assert_eq!(sha256_hex(&bytes), receipt.frame_sha256, "seed {seed}: frame {number}");
            }
        }
        let newest = memory.receipts.values().max_by_key(|receipt| receipt.seq);
        let newest = newest.filter(|receipt| receipt.seq >= index.leaves.first);
        let found = verify(&self.dir, &log.vkey(), newest.map(|receipt| receipt.checkpoint.as_str()));
        assert_eq!(found.outcome, Outcome::Verified, "seed {seed}: {found}");
        assert!(!self.dir.join("superseded").exists(), "seed {seed}: the log was given up");
        self.no_forks(&index);
        self.nothing_erased_is_left("after recovery");
    }

    /// Every checkpoint of this log, wherever it lies, is of the one tree there is.
    fn no_forks(&self, index: &super::super::reader::Index) {
        for path in files_below(&self.dir, ".").unwrap() {
            let mut bytes = std::fs::read(self.dir.join(&path)).unwrap();
            bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
            let records = bytes.chunks(BLOCK).filter_map(Record::decode).map(|(record, _)| record);
            for record in records.filter(|record| matches!(record.kind, Kind::Commit | Kind::Head)) {
                let note = std::str::from_utf8(record.payload).unwrap();
                let signed = Checkpoint::parse(&format!("{}\n", note.split_once("\n\n").unwrap().0)).unwrap();
                let is_ours = signed.origin == index.origin && signed.size > index.leaves.first;
                let is_same = index.tree.root_at(signed.size) == Some(signed.root);
                assert!(!is_ours || is_same, "seed {}: a fork at {} in {path}", self.seed, signed.size);
            }
        }
    }

    fn nothing_erased_is_left(&self, when: &str) {
        let erased = self.memory.erased.iter().filter(|(_, acknowledged)| **acknowledged).map(|(erased, _)| *erased);
        let gone = erased.flat_map(|(number, part)| [(number, part), (number, "samples")]);
        let gone: Vec<_> = gone.map(|(number, part)| (number, part, needles(&canary(part, number)))).collect();
        if gone.is_empty() {
            return;
        }
        for path in files_below(&self.dir, ".").unwrap() {
            let bytes = std::fs::read(self.dir.join(&path)).unwrap();
            for (number, part, needles) in &gone {
                let found = needles.iter().any(|needle| memchr::memmem::find(&bytes, needle).is_some());
                assert!(!found, "seed {}, {when}: {part} of frame {number} is still in {path}", self.seed);
            }
        }
    }
}

fn has_parts(number: u32) -> bool {
    number.is_multiple_of(3)
}

/// Frames of several sizes, some with all their parts.
fn sized(number: u32) -> FrameBytes {
    match number % 6 {
        0 | 3 => full(number),
        1 => large(number, 9 * BLOCK),
        2 => large(number, 2 * usize::try_from(NARROW).unwrap()),
        _ => frame(number),
    }
}

#[expect(clippy::disallowed_methods, reason = "how many states are tried is for whoever runs the tests to say")]
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Proves that after power cuts at any step, also while recovering from one, and with failing system calls, whatever the
/// device kept of what was not synced: every acknowledged frame is there, the log signs one history and keeps its name,
/// the head never goes back, and nothing comes back that was erased.
#[test]
fn no_power_cut_loses_what_was_acknowledged() {
    let (wanted, from) = (asked("FREEZEFRAME_SIM_STATES").unwrap_or(STATES), asked("FREEZEFRAME_SIM_SEED"));
    let seeds = Mutex::new(KNOWN.into_iter().filter(|_| from.is_none()).chain(from.unwrap_or(1)..));
    let (lives, states) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while states.load(Ordering::Relaxed) < wanted {
                    let seed = seeds.lock().unwrap().next().unwrap();
                    let lived = live(seed);
                    let before = states.fetch_add(lived, Ordering::Relaxed);
                    lives.fetch_add(1, Ordering::Relaxed);
                    if before / REPORTED != (before + lived) / REPORTED {
                        println!("{} states so far, at seed {seed}", before + lived);
                    }
                }
            });
        }
    });
    println!("{} states of {} logs", states.into_inner(), lives.into_inner());
}

//! Structured mutations of a log's directory: records of a segment swapped, repeated, dropped, taken from another log or
//! changed, with their hashes made right again, and files dropped, cut, or taken from another log or from an older state.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use freezeframe::evidence::{Outcome, verify};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};

use super::logs::{self, World};
use super::threads;

const BLOCK: usize = 4096;
const HEADER: usize = 40;
const SHA256: usize = 32;
const SEGMENT: &str = "wal/000001.seg";

/// A record of a segment: what lies in its blocks without their padding.
type Record = Vec<u8>;

fn length(record: &[u8]) -> usize {
    let length = record[12..16].iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    HEADER + length + SHA256
}

fn records(segment: &[u8]) -> Vec<Record> {
    let (mut all, mut at) = (Vec::new(), 0);
    while segment[at..].starts_with(b"FFRECORD") {
        let length = length(&segment[at..]);
        all.push(segment[at..at + length].to_vec());
        at += length.next_multiple_of(BLOCK);
    }
    all
}

/// Makes the hash of a record right, and its length.
fn rehash(record: &mut Record) {
    let end = record.len() - SHA256;
    let length = u32::try_from(end - HEADER).expect("small").to_be_bytes();
    record[12..16].copy_from_slice(&length);
    let hash = Sha256::digest(&record[..end]);
    record[end..].copy_from_slice(&hash);
}

fn segment(records: &[Record], length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length);
    for record in records {
        bytes.extend_from_slice(record);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    }
    bytes.resize(length.max(bytes.len()), 0);
    bytes
}

fn mutate_records(own: &mut Vec<Record>, theirs: &[Record], world: &World, rng: &mut StdRng) {
    let (one, other) = (rng.random_range(1..own.len()), rng.random_range(1..own.len()));
    let id = own[0][24..40].to_vec();
    match rng.random_range(0..9) {
        0 => own.swap(one, other),
        1 => drop(own.remove(one)),
        2 => own.insert(other, own[one].clone()),
        3 => own[one].clone_from(theirs.get(one).unwrap_or(&theirs[0])),
        4 => own[one].clone_from(theirs.choose(rng).expect("some")),
        5 => own.truncate(one),
        6 => {
            let at = rng.random_range(0..own[one].len());
            own[one][at] ^= rng.random_range(1..=255_u8);
        }
        7 => {
            // Another payload of the same kind: a text changed, or a checkpoint signed by the other key.
            let text = String::from_utf8_lossy(&own[one][HEADER..own[one].len() - SHA256]).into_owned();
            let changed = match logs::checkpoint(&text) {
                Some(it) if rng.random() => world.forger.sign_checkpoint(it.size, it.root),
                _ => text.replacen(['a', 'e', '1'], "2", 1),
            };
            own[one].splice(HEADER.., changed.into_bytes().into_iter().chain([0; SHA256])).for_each(drop);
        }
        _ => own[one][11] = rng.random_range(1..=7),
    }
    let is_right = rng.random_ratio(4, 5);
    let is_renumbered = rng.random_ratio(1, 3);
    if is_right {
        let seqs: Vec<Vec<u8>> = own.iter().map(|record| record[16..24].to_vec()).collect();
        let there = own.len();
        for at in [one, other].into_iter().filter(|at| *at < there) {
            own[at][24..40].copy_from_slice(&id);
            if is_renumbered {
                own[at][16..24].copy_from_slice(&seqs[at - 1]);
            }
            rehash(&mut own[at]);
        }
    }
}

struct Workplace<'a> {
    dir: &'a Path,
    files: &'a [(PathBuf, Vec<u8>)],
    own: &'a [Record],
    theirs: &'a [Record],
}

impl Workplace<'_> {
    /// Mutates the copy, and says which file is no longer as it was.
    fn mutate(&self, world: &World, rng: &mut StdRng) -> PathBuf {
        if rng.random_ratio(2, 3) {
            let mut records = self.own.to_vec();
            (0..rng.random_range(1..=2)).for_each(|_| {
                if records.len() > 1 {
                    mutate_records(&mut records, self.theirs, world, rng);
                }
            });
            let whole = self.files.iter().find(|(name, _)| name == Path::new(SEGMENT)).map_or(0, |(_, it)| it.len());
            std::fs::write(self.dir.join(SEGMENT), segment(&records, whole)).expect("room");
            return SEGMENT.into();
        }
        let (name, contents) = self.files.choose(rng).expect("some");
        let path = self.dir.join(name);
        let mut changed = contents.clone();
        match rng.random_range(0..6) {
            0 => {
                std::fs::remove_file(path).expect("it is there");
                return name.clone();
            }
            1 => changed.truncate(rng.random_range(0..contents.len().max(1))),
            2 => changed.extend(vec![rng.random::<u8>(); [1, 512, BLOCK][rng.random_range(0..3)]]),
            3 => changed = std::fs::read(world.foreign.path().join(name)).unwrap_or_default(),
            4 => changed = std::fs::read(world.older.path().join(name)).unwrap_or_default(),
            _ => changed.clone_from(&self.files.choose(rng).expect("some").1),
        }
        std::fs::write(path, changed).expect("room");
        name.clone()
    }
}

/// Makes and verifies mutants; how many were accepted.
pub(crate) fn mutations(world: &World, mutations: u64) -> u64 {
    let dir = world.dir.path();
    let is_evidence = |name: &PathBuf| !["LOCK", "keys", "cosigned"].iter().any(|other| name.starts_with(other));
    let names = logs::files(dir).into_iter().filter_map(|path| Some(path.strip_prefix(dir).ok()?.to_owned()));
    let files: Vec<_> =
        names.filter(is_evidence).map(|name| (name.clone(), std::fs::read(dir.join(name)).expect("a file"))).collect();
    let read = |dir: &Path| records(&std::fs::read(dir.join(SEGMENT)).expect("a segment"));
    let (own, theirs) = (read(dir), read(world.foreign.path()));
    let genuine_report = verify(dir, &world.vkey, None).report();
    let [made, accepted, same, told] = std::array::from_fn(|_| AtomicU64::new(0));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads() as u64 {
            let (files, own, theirs, genuine_report) = (&files, &own, &theirs, &genuine_report);
            let (made, accepted, same, told) = (&made, &accepted, &same, &told);
            scope.spawn(move || {
                let mut rng = StdRng::seed_from_u64(thread);
                let copied = logs::directory();
                logs::copy(dir, copied.path());
                let place = Workplace { dir: copied.path(), files, own, theirs };
                while made.load(Relaxed) < mutations {
                    let name = place.mutate(world, &mut rng);
                    let genuine = &files.iter().find(|(its, _)| *its == name).expect("one of them").1;
                    if std::fs::read(copied.path().join(&name)).is_ok_and(|bytes| bytes == *genuine) {
                        continue;
                    }
                    made.fetch_add(1, Relaxed);
                    let found = verify(copied.path(), &world.vkey, None);
                    if found.outcome == Outcome::Verified && found.report() == *genuine_report {
                        // A segment that was never used is gone or another: it says nothing.
                        same.fetch_add(1, Relaxed);
                    } else if found.outcome == Outcome::Verified {
                        accepted.fetch_add(1, Relaxed);
                        println!("ACCEPTED: {}\n{found}", name.display());
                    } else if found.outcome == Outcome::Incomplete {
                        told.fetch_add(1, Relaxed);
                    }
                    std::fs::write(copied.path().join(&name), genuine).expect("room");
                }
            });
        }
    });
    let (made, accepted) = (made.into_inner(), accepted.into_inner());
    let rate = made as f64 / started.elapsed().as_secs_f64();
    let (same, told) = (same.into_inner(), told.into_inner());
    println!(
        "directory mutations: {made}, {accepted} accepted, {same} said the same, {told} incomplete (what opening \
         repairs), {rate:.0}/s"
    );
    accepted
}

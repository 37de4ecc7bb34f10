//! Every single bit flipped, each alone.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use freezeframe::evidence::{Outcome, verify};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

use super::archive::{self, Trick};
use super::logs::{self, World};
use super::threads;

/// Of bytes amid zeroes, padding and free room, one in so many is tried: prime to the blocks, so at every offset.
const PADDING_STEP: usize = 4093;

/// Which of the flips, in their order.
#[derive(Default)]
pub(crate) struct Part {
    /// Number of the first, where a run that was bounded goes on.
    pub(crate) from: usize,
    pub(crate) limit: Option<Duration>,
}

/// What is flipped: a file below a directory, and what it is a part of.
struct Target {
    /// Names of files, and contents.
    files: Vec<(PathBuf, Vec<u8>)>,
    /// Bytes to flip all bits of: file and offset.
    bytes: Vec<(usize, usize)>,
}

impl Target {
    fn new(dir: &Path, names: impl Iterator<Item = PathBuf>) -> Self {
        let read = |name: PathBuf| (name.clone(), std::fs::read(dir.join(name)).expect("a file"));
        let files: Vec<_> = names.map(read).collect();
        let mut bytes = Vec::new();
        for (file, (_, contents)) in files.iter().enumerate() {
            let is_tried = |at: usize| {
                at.is_multiple_of(PADDING_STEP)
                    || contents[at.saturating_sub(40)..contents.len().min(at + 40)].iter().any(|byte| *byte != 0)
            };
            bytes.extend((0..contents.len()).filter(|at| is_tried(*at)).map(|at| (file, at)));
        }
        // In random order, so that those tried before time is up are a fair sample.
        bytes.shuffle(&mut StdRng::seed_from_u64(1));
        Self { files, bytes }
    }

    /// Flips bits below copies of `dir` in rounds of one bit of every byte, and verifies `evidence` below the copy.
    fn run(&self, what: &str, dir: &Path, evidence: &str, vkey: &str, part: &Part) -> u64 {
        let (accepted, told, done) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let started = Instant::now();
        let flips = self.bytes.len() * 8;
        let from = part.from.min(flips);
        std::thread::scope(|scope| {
            for thread in 0..threads() {
                let (accepted, told, done) = (&accepted, &told, &done);
                scope.spawn(move || {
                    let copied = logs::directory();
                    logs::copy(dir, copied.path());
                    let open = |name: &PathBuf| OpenOptions::new().write(true).open(copied.path().join(name));
                    let open: Vec<_> = self.files.iter().map(|(name, _)| open(name).expect("a file")).collect();
                    for flip in (from + thread..flips).step_by(threads()) {
                        if part.limit.is_some_and(|limit| started.elapsed() > limit) {
                            return;
                        }
                        let (file, at) = self.bytes[flip % self.bytes.len()];
                        let (name, contents) = &self.files[file];
                        let bit = (flip / self.bytes.len() + at) % 8;
                        let write = |byte| open[file].write_all_at(&[byte], at as u64).expect("room");
                        write(contents[at] ^ 1 << bit);
                        let found = verify(&copied.path().join(evidence), vkey, None);
                        write(contents[at]);
                        if found.outcome == Outcome::Verified {
                            accepted.fetch_add(1, Relaxed);
                            println!("ACCEPTED: {} byte {at} bit {bit}", name.display());
                        } else if found.level.is_some() && found.findings.is_empty() {
                            told.fetch_add(1, Relaxed);
                            println!("NOT TOLD: {} byte {at} bit {bit}", name.display());
                        }
                        done.fetch_add(1, Relaxed);
                    }
                });
            }
        });
        let (done, accepted, told) = (done.into_inner(), accepted.into_inner(), told.into_inner());
        println!(
            "{what}: {} files, {} bytes tried; {done} of {flips} flips from {from} on ({:.2} bits a byte), \
             {accepted} accepted, {told} untold, {:.0}/s",
            self.files.len(),
            self.bytes.len(),
            done as f64 / self.bytes.len() as f64,
            done as f64 / started.elapsed().as_secs_f64()
        );
        accepted + told
    }
}

pub(crate) fn bundle(world: &World, part: &Part) -> u64 {
    let dir = logs::directory();
    std::fs::write(dir.path().join("bundle.tar"), archive::write(world.richest(), Trick::None)).expect("room");
    let found = verify(&dir.path().join("bundle.tar"), &world.vkey, None);
    assert_eq!(found.outcome, Outcome::Verified, "{found}");
    let mut target = Target::new(dir.path(), std::iter::once("bundle.tar".into()));
    // All of it, padding too.
    target.bytes = (0..target.files[0].1.len()).map(|at| (0, at)).collect();
    target.bytes.shuffle(&mut StdRng::seed_from_u64(1));
    target.run("bundle", dir.path(), "bundle.tar", &world.vkey, part)
}

pub(crate) fn directory(world: &World, part: &Part) -> u64 {
    let dir = world.dir.path();
    let found = verify(dir, &world.vkey, None);
    assert_eq!(found.outcome, Outcome::Verified, "{found}");
    // Of `cosigned`, the log's part; the witnesses' lines take their keys.
    let names = logs::files(dir).into_iter().filter_map(|path| Some(path.strip_prefix(dir).ok()?.to_owned()));
    let is_evidence = |name: &PathBuf| !["LOCK", "keys", "cosigned"].iter().any(|other| name.starts_with(other));
    Target::new(dir, names.filter(is_evidence)).run("directory", dir, "", &world.vkey, part)
}

//! A disk that fails where it is told to, and the table of everything that can fail while a log is born, appended to,
//! closed and opened again.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Arc, Mutex, MutexGuard};

use super::super::durable::{Disk, Step};
use super::device::Device;
use super::*;

/// What goes wrong at a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) enum How {
    /// Nothing was done, and the call says so.
    Before,
    /// It was done, and the call says it failed.
    After,
    /// Half of the bytes were written, and the call says it failed.
    Torn,
    /// Only the second half of the bytes was written, and the call says it failed.
    Backwards,
    /// Half of the bytes were written, and the call says all were.
    Lie,
    /// What was not synced yet is gone, and the call says it failed (Linux, after a failed fsync).
    Lost,
}

#[derive(Debug, Default)]
struct Plan {
    /// Faults to come: steps until each, counted from the one before.
    coming: Vec<(usize, How)>,
    /// Whether everything after the fault fails too: the process died.
    dies: bool,
    dead: bool,
    fired: bool,
    /// Writes that were not synced: the file, where, and what was there before.
    unsynced: Vec<(File, u64, Vec<u8>)>,
    /// Takes the place of all that.
    device: Option<Device>,
}

/// A disk on which the process dies before step `at`.
pub(super) fn dying(at: usize) -> Disk {
    Disk { faults: Faults::new(at, How::Before, true) }
}

/// The plan of a [`Disk`].
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Faults(Arc<Mutex<Plan>>);

impl Faults {
    pub(in super::super) fn new(at: usize, how: How, dies: bool) -> Self {
        Self(Arc::new(Mutex::new(Plan { coming: vec![(at, how)], dies, ..Plan::default() })))
    }

    /// Not single faults, but a whole device.
    pub(super) fn of(device: Device) -> Self {
        Self(Arc::new(Mutex::new(Plan { device: Some(device), ..Plan::default() })))
    }

    /// Asks the device, or tells it something.
    pub(super) fn with<T>(&self, ask: impl FnOnce(&mut Device) -> T) -> T {
        ask(self.plan().device.as_mut().unwrap())
    }

    /// The next faults: steps until each, counted from the one before.
    pub(super) fn plan_next(&self, coming: Vec<(usize, How)>) {
        self.plan().coming = coming;
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap()
    }

    /// Does a step, or what the plan has in store for it.
    pub(in super::super) fn apply<T>(&self, step: &Step<'_>, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let mut plan = self.plan();
        if let Some(device) = &mut plan.device {
            return device.apply(step, act);
        }
        if plan.dead {
            return Err(io::Error::other("the process is dead"));
        }
        let how = plan.next();
        plan.remember(step);
        match how {
            None => {
                let done = act()?;
                plan.synced(step);
                Ok(done)
            }
            Some(How::After) => {
                act()?;
                plan.synced(step);
                Err(io::Error::other("it happened, they say it did not"))
            }
            Some(How::Lie) => {
                let done = act()?;
                if let (Step::Write { file, bytes, offset }, Some((.., before))) = (step, plan.unsynced.last()) {
                    let half = bytes.len() / 2;
                    file.write_all_at(&before[half..], offset + half as u64)?;
                }
                Ok(done)
            }
            Some(how) => {
                match (how, step) {
                    (How::Torn, Step::Write { file, bytes, offset }) => {
                        file.write_all_at(&bytes[..bytes.len() / 2], *offset)?;
                    }
                    (How::Backwards, Step::Write { file, bytes, offset }) => {
                        let half = bytes.len() / 2;
                        file.write_all_at(&bytes[half..], offset + half as u64)?;
                    }
                    (How::Lost, _) => plan.lose(),
                    _ => {}
                }
                Err(io::Error::other("planned"))
            }
        }
    }
}

impl Plan {
    fn next(&mut self) -> Option<How> {
        let (steps, how) = self.coming.first_mut()?;
        if *steps > 0 {
            *steps -= 1;
            return None;
        }
        let how = *how;
        self.coming.remove(0);
        self.fired = true;
        self.dead = self.dies;
        Some(how)
    }

    fn remember(&mut self, step: &Step<'_>) {
        if let Step::Write { file, bytes, offset } = step {
            let mut before = vec![0; bytes.len()];
            // Beyond the end of a new file there is nothing, which reads as zeroes here.
            drop(file.read_exact_at(&mut before, *offset));
            self.unsynced.push((file.try_clone().unwrap(), *offset, before));
        }
    }

    fn synced(&mut self, step: &Step<'_>) {
        if let Step::Sync { file } = step {
            let inode = |file: &File| file.metadata().unwrap().ino();
            self.unsynced.retain(|(written, ..)| inode(written) != inode(file));
        }
    }

    fn lose(&mut self) {
        for (file, offset, before) in self.unsynced.drain(..).rev() {
            file.write_all_at(&before, offset).unwrap();
        }
    }
}

/// Room for two leaves, so that the second frame needs the next segment.
const SMALL: u64 = 7 * BLOCK as u64;

/// A user who wants three frames in a log, over two openings, and does not give up at once. Every receipt is kept.
struct User<'a> {
    dir: &'a Path,
    receipts: Vec<Receipt>,
}

impl User<'_> {
    /// Goes on where it was; stops when the disk dies.
    fn work(&mut self, disk: &Disk) -> Result<(), String> {
        for frames in [&[1, 2][..], &[3]] {
            let log = open_on(self.dir, disk.clone(), SMALL).map_err(|error| error.to_string())?;
            for number in frames {
                let frame = frame(*number);
                // One fault, so the second attempt at the latest must succeed unless the disk is dead.
                let receipt = log.append(&frame).or_else(|_| log.append(&frame)).map_err(|error| error.to_string())?;
                if !self.receipts.contains(&receipt) {
                    self.receipts.push(receipt);
                }
            }
        }
        Ok(())
    }
}

fn run(at: usize, how: How, dies: bool) -> bool {
    let dir = directory();
    let disk = Disk { faults: Faults::new(at, how, dies) };
    let mut user = User { dir: dir.path(), receipts: Vec::new() };
    let outcome = user.work(&disk);
    let what = format!("step {at}, {how:?}, dies {dies}");
    assert!(outcome.is_ok() || disk.faults.plan().fired, "{what}: {outcome:?}");
    // Before the log is opened again nothing may look altered, though something may be unfinished.
    if let Ok(bytes) = std::fs::read(dir.path().join("id.json")) {
        let genesis: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let found = verify(dir.path(), genesis["vkey"].as_str().unwrap(), None);
        // Tiles and `checkpoint` are not synced: a power cut may take their contents, and opening makes them again.
        let lost = ["tile/", "checkpoint", "wal", "head"];
        let is_lost = |finding: &String| lost.iter().any(|start| finding.starts_with(start));
        let derived_lost = how == How::Lost && found.level == Some(Level::L1) && found.findings.iter().all(is_lost);
        assert!(matches!(found.outcome, Outcome::Verified | Outcome::Incomplete) || derived_lost, "{what}: {found}");
    }
    user.work(&Disk::default()).unwrap_or_else(|error| panic!("{what}: {error}"));
    let log = open_on(dir.path(), Disk::default(), SMALL).unwrap();
    assert_eq!(log.size(), 3, "{what}");
    assert_eq!(user.receipts.len(), 3, "{what}: a frame has two receipts");
    let vkey = log.vkey();
    drop(log);
    assert_kept(dir.path(), &vkey, &user.receipts);
    disk.faults.plan().fired
}

/// Proves that whatever one thing fails, at any step of the log's life, no acknowledged frame is lost, none is
/// acknowledged falsely, a retry finds the same place, the log signs one history, and it is whole after the next
/// opening.
#[test]
fn no_fault_at_any_step_loses_a_frame() {
    for how in [How::Before, How::After, How::Torn, How::Backwards, How::Lie, How::Lost] {
        for dies in [false, true] {
            let steps = (0..).take_while(|at| run(*at, how, dies)).count();
            assert!(steps > 100, "the table has {steps} rows");
        }
    }
}

/// Proves that a device which returns other bytes than it took, twice, stops the log instead of being believed.
#[test]
fn a_lying_device_stops_the_log() {
    let (dir, vkey, receipts) = log_with(1);
    let disk = Disk::default();
    let log = open_on(dir.path(), disk.clone(), SEGMENT).unwrap();
    // A leaf takes three steps: write, sync, read back.
    disk.faults.plan_next(vec![(0, How::Lie), (2, How::Lie)]);
    assert!(matches!(log.append(&frame(2)), Err(StoreError::Fatal(_))));
    assert!(matches!(log.append(&frame(3)), Err(StoreError::Fatal(_))));
    drop(log);
    drop(open(dir.path()).unwrap());
    assert_kept(dir.path(), &vkey, &receipts);
}

/// Proves that a signature whose leaf was lost in a power cut does not survive it: the next leaf takes the number.
#[test]
fn a_commit_without_its_leaf_is_no_fork() {
    let (dir, vkey, mut receipts) = log_with(1);
    let disk = Disk::default();
    let log = open_on(dir.path(), disk.clone(), SEGMENT).unwrap();
    *disk.faults.plan() = Plan { coming: vec![(0, How::Backwards)], dies: true, ..Plan::default() };
    assert!(matches!(log.append(&frame(2)), Err(StoreError::Retry(_))));
    drop(log);
    let log = open(dir.path()).unwrap();
    assert_eq!(files_below(dir.path(), "quarantine").unwrap().len(), 1);
    receipts.push(log.append(&frame(3)).unwrap());
    assert_eq!(receipts[1].seq, 2);
    drop(log);
    assert_kept(dir.path(), &vkey, &receipts);
}

/// Proves that a frame once begun keeps its number though its caller goes on with another one.
#[test]
fn a_leaf_once_signed_is_finished_first() {
    let (dir, vkey, mut receipts) = log_with(1);
    let disk = Disk::default();
    let log = open_on(dir.path(), disk.clone(), SEGMENT).unwrap();
    disk.faults.plan_next(vec![(0, How::After), (0, How::After)]);
    assert!(matches!(log.append(&frame(2)), Err(StoreError::Retry(_))));
    assert_eq!(log.size(), 1, "not acknowledged, not visible");
    receipts.push(log.append(&frame(3)).unwrap());
    receipts.push(log.append(&frame(2)).unwrap());
    assert_eq!(receipts.iter().map(|receipt| receipt.seq).collect::<Vec<_>>(), [1, 3, 2]);
    drop(log);
    drop(open(dir.path()).unwrap());
    assert_kept(dir.path(), &vkey, &receipts);
}

/// Proves that a segment whose sync failed is not written again: the frame goes to the next one.
#[test]
fn a_failed_sync_ends_a_segment() {
    let (dir, _, _) = log_with(1);
    let disk = Disk::default();
    let log = open_on(dir.path(), disk.clone(), SEGMENT).unwrap();
    disk.faults.plan_next(vec![(1, How::Before)]);
    assert_eq!(log.append(&frame(2)).unwrap().seq, 2);
    let next = std::fs::read(wal::segment_path(dir.path(), 2)).unwrap();
    let (record, _) = Record::decode(&next[BLOCK..]).unwrap();
    assert_eq!((record.kind, record.seq), (Kind::Leaf, 2));
}

/// Proves that a file that can't be looked at is not taken for one that is not there: no other log begins, and no key is
/// put over another.
#[test]
fn what_cannot_be_looked_at_is_not_missing() {
    let (dir, vkey, receipts) = log_with(1);
    open(dir.path()).unwrap().make_next_key().unwrap();
    for name in ["id.json", "keys/log.key", "keys/next.key"] {
        let (path, kept) = (dir.path().join(name), dir.path().join("kept"));
        std::fs::rename(&path, &kept).unwrap();
        std::os::unix::fs::symlink(&path, &path).unwrap();
        assert!(open(dir.path()).is_err(), "{name}");
        assert!(path.is_symlink() && !dir.path().join("superseded").exists(), "{name}");
        std::fs::rename(&kept, &path).unwrap();
    }
    drop(open(dir.path()).unwrap());
    assert_kept(dir.path(), &vkey, &receipts);
}

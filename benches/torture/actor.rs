//! The process under torture: one thread, one scenario on one directory, and a line for everything it was promised,
//! written without a buffer once it was.
//!
//! ```text
//! receipt <frame id> <seq> <sha256> <origin size root>     erased <leaf>     pruned <leaf>      (tabs between)
//! ```

use std::io::Write as _;
use std::path::Path;

use freezeframe::engine::store::{FrameBytes, Receipt, Store, StoreError};
use freezeframe::evidence::Log;

use super::frames;
use super::scenario::Act;

/// The argument that makes the binary the actor.
pub(crate) const FLAG: &str = "--actor";

/// Times a step is tried that may be tried again, as the engine does.
const ATTEMPTS: usize = 4;

/// Does a scenario; the exit status.
pub(crate) fn run(scenario: &str, dir: &Path) -> i32 {
    let Some(act) = Act::named(scenario) else { return 2 };
    match perform(act, dir) {
        Ok(()) => 0,
        Err(what) => {
            eprintln!("{what}");
            1
        }
    }
}

/// A line of the actor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    Receipt(Receipt),
    Erased(u64),
    Pruned(u64),
}

impl Promise {
    /// Reads a line; `None` for one that was cut short.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split('\t').collect();
        match fields[..] {
            ["receipt", id, seq, sha256, checkpoint] => Some(Self::Receipt(Receipt {
                frame_id: id.to_owned(),
                seq: seq.parse().ok()?,
                frame_sha256: sha256.to_owned(),
                checkpoint: checkpoint.to_owned(),
            })),
            ["erased", seq] => Some(Self::Erased(seq.parse().ok()?)),
            ["pruned", seq] => Some(Self::Pruned(seq.parse().ok()?)),
            _ => None,
        }
    }

    fn say(&self) {
        let line = match self {
            Self::Receipt(it) => {
                format!("receipt\t{}\t{}\t{}\t{}\n", it.frame_id, it.seq, it.frame_sha256, it.checkpoint)
            }
            Self::Erased(seq) => format!("erased\t{seq}\n"),
            Self::Pruned(seq) => format!("pruned\t{seq}\n"),
        };
        // The line ends the line buffer. Nobody listens when the driver is gone.
        drop(std::io::stdout().write_all(line.as_bytes()));
    }
}

fn perform(act: Act, dir: &Path) -> Result<(), String> {
    let open = || frames::open(dir).map_err(|error| error.to_string());
    match act {
        Act::First | Act::Append | Act::Recover | Act::Torn | Act::Succeed => {
            let log = open()?;
            (100..103).try_for_each(|number| append(&log, &frames::full(number)))
        }
        Act::Roll => {
            let log = open()?;
            (100..103).try_for_each(|number| append(&log, &frames::large(number, 1_500_000)))
        }
        Act::Rotate => {
            let log = open()?;
            again(|| log.make_next_key())?;
            append(&log, &frames::small(100))?;
            drop(log);
            let log = open()?;
            append(&log, &frames::small(101))
        }
        Act::Forget => {
            let log = open()?;
            again(|| log.forget_previous_key())?;
            append(&log, &frames::small(100))?;
            drop(log);
            append(&open()?, &frames::small(101))
        }
        Act::Erase => {
            let log = open()?;
            let seq = again(|| log.erase(&super::scenario::erasure()))?;
            Promise::Erased(seq).say();
            append(&log, &frames::small(100))
        }
        Act::Prune => {
            let log = open()?;
            let seq = again(|| log.prune(super::scenario::PRUNE_BELOW, "torture", frames::NOW))?;
            Promise::Pruned(seq).say();
            append(&log, &frames::small(100))
        }
    }
}

fn append(log: &Log, frame: &FrameBytes) -> Result<(), String> {
    let receipt = again(|| log.append(frame))?;
    Promise::Receipt(receipt).say();
    Ok(())
}

fn again<T>(attempt: impl Fn() -> Result<T, StoreError>) -> Result<T, String> {
    let mut last = String::new();
    for _ in 0..ATTEMPTS {
        match attempt() {
            Err(StoreError::Retry(what)) => last = what,
            done => return done.map_err(|error| error.to_string()),
        }
    }
    Err(last)
}

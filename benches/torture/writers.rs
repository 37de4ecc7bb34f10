//! Many threads on one log, and a second process on its directory.

use std::process::Command;
use std::sync::Mutex;

use freezeframe::core::note::hex;
use freezeframe::engine::store::{Receipt, Store};
use freezeframe::evidence::{Level, Outcome, verify};
use sha2::{Digest, Sha256};

use super::actor::FLAG;
use super::{Size, Tally, frames, in_memory};

/// Appends from many threads at once: every index once, none left out, all verified.
pub(crate) fn writers(size: Size) -> Tally {
    let (threads, appends) = (size.of(8, 64), size.of(50, 2_000));
    let dir = in_memory();
    let log = frames::open(dir.path()).expect("a log");
    let receipts = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (log, receipts) = (&log, &receipts);
            scope.spawn(move || {
                let append = |n| log.append(&frames::small(thread * appends + n)).expect("an acknowledgement");
                let own: Vec<Receipt> = (0..appends).map(append).collect();
                assert!(own.is_sorted_by(|a, b| a.seq < b.seq), "a thread's own appends are in order");
                receipts.lock().expect("no thread died").extend(own);
            });
        }
    });
    let mut receipts = receipts.into_inner().expect("no thread died");
    receipts.sort_by_key(|receipt| receipt.seq);
    let mut tally = Tally { cases: threads * appends, ..Tally::default() };
    let is_dense = receipts.iter().zip(1..).all(|(receipt, seq)| receipt.seq == seq);
    if !is_dense || receipts.len() as u64 != tally.cases {
        tally.violations.push("indices are not dense and unique".to_owned());
    }
    let second = Command::new(std::env::current_exe().expect("this binary"))
        .args([FLAG, "append"])
        .arg(dir.path())
        .output()
        .expect("this binary starts");
    let said = String::from_utf8_lossy(&second.stderr).trim().to_owned();
    if second.status.success() || !second.stdout.is_empty() || !said.contains("another process has this log open") {
        tally.violations.push(format!("the second process: {:?}, {said:?}", second.status));
    }
    for receipt in &receipts {
        let bytes = log.frame(&receipt.frame_id).expect("a readable log").unwrap_or_default();
        if hex(&Sha256::digest(&bytes)) != receipt.frame_sha256 {
            tally.violations.push(format!("{receipt:?} is not what is here"));
        }
    }
    let vkey = log.vkey();
    drop(log);
    for remembered in [receipts.first(), receipts.last()].into_iter().flatten() {
        let found = verify(dir.path(), &vkey, Some(&remembered.checkpoint));
        if (found.outcome, found.level, found.frames) != (Outcome::Verified, Some(Level::L2), tally.cases) {
            tally.violations.push(found.to_string());
        }
    }
    tally.figures =
        format!("{threads} threads of {appends} appends; a second process exits {:?}", second.status.code());
    tally
}

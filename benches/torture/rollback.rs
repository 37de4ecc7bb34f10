//! Going back to every state of a log, and starting again very often where nothing is wrong.

use std::path::Path;

use freezeframe::core::manifest::Leaf;
use freezeframe::core::note::{Checkpoint, VerifierKey};
use freezeframe::core::witness::{Decision, Request, admit};
use freezeframe::engine::store::{Receipt, Store};
use freezeframe::evidence::{Level, Outcome, verify};

use super::directory::Snapshot;
use super::{Size, Tally, frames, in_memory};

/// A log, what it signed, and what others remember of it.
struct Past {
    vkey: String,
    /// The directory after each append.
    states: Vec<Snapshot>,
    receipts: Vec<Receipt>,
}

/// What was found of one state put back.
#[derive(Debug, Default)]
struct Found {
    by_verify: u64,
    by_peer: u64,
    at_start: u64,
    harmless: u64,
}

/// Puts each of the last states back, as a whole and in part. One memory outside finds it, or nothing was lost.
pub(crate) fn rollback(size: Size) -> Tally {
    let count = size.of(12, 100);
    let past = past(count);
    let newest = past.states.last().expect("at least one state");
    let (mut tally, mut found) = (Tally::default(), Found::default());
    // Backwards in time, and all of it but for the newest.
    for (age, state) in past.states.iter().rev().enumerate().skip(1) {
        let parts = ["head", "checkpoint", "wal", "tile"];
        let whole = parts.iter().fold(newest.clone(), |mixed, name| mixed.with(state, name));
        let memories = newest.with(state, "head").with(state, "checkpoint");
        let cases = [
            ("whole", state.clone()),
            ("whole, but for what is not the log's", whole),
            ("head", newest.with(state, "head")),
            ("head and checkpoint", memories),
            ("wal", newest.with(state, "wal")),
        ];
        for (name, snapshot) in cases {
            tally.cases += 1;
            if let Err(what) = put_back(&past, &snapshot, name.starts_with("whole"), &mut found) {
                tally.violations.push(format!("{name} of {age} appends ago: {what}"));
            }
        }
    }
    let Found { by_verify, by_peer, at_start, harmless } = found;
    tally.figures = format!(
        "found by a remembered checkpoint {by_verify}, by a witness {by_peer}, at the next start without either \
         {at_start}; nothing was lost {harmless}"
    );
    tally
}

fn past(count: u64) -> Past {
    let dir = in_memory();
    let log = frames::open(dir.path()).expect("a log");
    let (mut states, mut receipts) = (Vec::new(), Vec::new());
    for number in 0..=count {
        receipts.push(log.append(&frames::small(number)).expect("an acknowledgement"));
        states.push(Snapshot::take(dir.path()));
    }
    Past { vkey: log.vkey(), states, receipts }
}

fn put_back(past: &Past, state: &Snapshot, is_whole: bool, found: &mut Found) -> Result<(), String> {
    let dir = in_memory();
    state.restore(dir.path());
    let remembered = past.receipts.last().expect("at least one").checkpoint.as_str();
    let verified = verify(dir.path(), &past.vkey, Some(remembered));
    let is_found = verified.outcome != Outcome::Verified && verified.level != Some(Level::L2);
    found.by_verify += u64::from(is_found);
    if is_whole && verified.outcome != Outcome::Rollback {
        return Err(format!("not found: {verified}"));
    }
    if is_whole {
        peer(past, dir.path(), remembered)?;
        found.by_peer += 1;
        return Ok(());
    }
    let log = frames::open(dir.path()).map_err(|error| error.to_string())?;
    if matches!(log.leaf(1).map_err(|error| error.to_string())?, Some(Leaf::Incident { .. })) {
        // Nothing may be signed under the old name again.
        let is_other = log.origin() != remembered.split(' ').next().unwrap_or_default();
        found.at_start += 1;
        return if is_other { Ok(()) } else { Err("the incident is told of under the same name".to_owned()) };
    }
    let newest = log.newest(usize::MAX).map_err(|error| error.to_string())?;
    let here: Vec<_> = newest.into_iter().map(|(receipt, _)| receipt).collect();
    found.harmless += 1;
    if here == past.receipts { Ok(()) } else { Err(format!("{} of {} are here", here.len(), past.receipts.len())) }
}

/// A witness that cosigned the newest checkpoint is shown the one that was put back, and one of a history since.
fn peer(past: &Past, dir: &Path, remembered: &str) -> Result<(), String> {
    let known = Checkpoint::parse(&format!("{}\n", remembered.replace(' ', "\n"))).map_err(|it| it.to_string())?;
    let keys = [VerifierKey::parse(&past.vkey).map_err(|error| error.to_string())?];
    let shown = |old_size| -> Result<Decision, String> {
        let note = std::fs::read_to_string(dir.join("checkpoint")).map_err(|error| error.to_string())?;
        let body = Request { old_size, proof: Vec::new(), note }.to_string();
        let submission = admit(&keys, body.as_bytes()).map_err(|refusal| format!("{refusal:?}"))?;
        Ok(submission.decide(Some(&known)))
    };
    let log = frames::open(dir).map_err(|error| error.to_string())?;
    if shown(0)? != Decision::Conflict(known.size) {
        return Err("the witness did not say what it knows".to_owned());
    }
    for number in 1000.. {
        let size = log.append(&frames::small(number)).map_err(|error| error.to_string())?.seq + 1;
        if size == known.size {
            break;
        }
    }
    match shown(known.size)? {
        Decision::Forked => Ok(()),
        other => Err(format!("the witness decided {other:?} on another history")),
    }
}

/// Starts again and again: no incident, no other name, not a leaf more.
pub(crate) fn restarts(size: Size) -> Tally {
    let count = size.of(100, 10_000);
    let dir = in_memory();
    let log = frames::open(dir.path()).expect("a log");
    (0..3).for_each(|number| drop(log.append(&frames::small(number)).expect("an acknowledgement")));
    let (vkey, origin) = (log.vkey(), log.origin());
    drop(log);
    let before = std::fs::read_to_string(dir.path().join("checkpoint")).expect("a checkpoint");
    let mut tally = Tally { cases: count, ..Tally::default() };
    for start in 0..count {
        match frames::open(dir.path()) {
            Ok(log) if log.origin() == origin => {}
            Ok(log) => tally.violations.push(format!("start {start}: another log, {}", log.origin())),
            Err(error) => tally.violations.push(format!("start {start}: {error}")),
        }
        if std::fs::read_to_string(dir.path().join("checkpoint")).is_ok_and(|it| it != before) {
            tally.violations.push(format!("start {start}: a leaf that nobody asked for"));
        }
    }
    let found = verify(dir.path(), &vkey, Some(&before));
    if (found.outcome, found.level) != (Outcome::Verified, Some(Level::L2)) {
        tally.violations.push(found.to_string());
    }
    tally.figures = "no incident, the same name, not a leaf more".to_owned();
    tally
}

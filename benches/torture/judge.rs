//! Whether a directory keeps what the process that was tortured in it had promised.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use bytes::Bytes;
use freezeframe::core::manifest::Leaf;
use freezeframe::core::note::{Checkpoint, hex};
use freezeframe::engine::store::{Receipt, Store};
use freezeframe::evidence::{Level, Log, Outcome, verify};
use sha2::{Digest, Sha256};

use super::actor::Promise;
use super::directory::Snapshot;
use super::frames;
use super::scenario::{Act, ERASED, PRUNE_BELOW, Template, erasure};

/// Opens the log again and checks every promise.
pub(crate) fn judge(act: Act, template: &Template, dir: &Path, promises: &[Promise]) -> Result<(), String> {
    let mut signed = BTreeMap::new();
    Snapshot::take(dir).signed(&mut signed)?;
    let log = frames::open(dir).map_err(|error| format!("it does not open again: {error}"))?;
    let receipts = promises.iter().filter_map(|promise| match promise {
        Promise::Receipt(receipt) => Some(receipt),
        Promise::Erased(_) | Promise::Pruned(_) => None,
    });
    let mut receipts: Vec<&Receipt> = receipts.collect();
    if act == Act::Succeed {
        if !template.snapshot.is_kept_in("wal", &dir.join("superseded/1")) {
            return Err("the log that was superseded is not as it was".to_owned());
        }
    } else {
        receipts.extend(&template.receipts);
    }
    let leaves = leaves(&log)?;
    incidents(act, &leaves)?;
    kept(&log, &leaves, &receipts)?;
    effects(&leaves, promises, dir)?;
    let last = log.append(&frames::small(999)).map_err(|error| format!("it does not go on: {error}"))?;
    let vkey = log.vkey();
    drop(log);
    Snapshot::take(dir).signed(&mut signed)?;
    for remembered in receipts.iter().max_by_key(|receipt| receipt.seq).into_iter().chain([&&last]) {
        let found = verify(dir, &vkey, Some(&remembered.checkpoint));
        if (found.outcome, found.level) != (Outcome::Verified, Some(Level::L2)) {
            return Err(found.to_string());
        }
    }
    Ok(())
}

/// What the leaves that are here say.
fn leaves(log: &Log) -> Result<BTreeMap<u64, Leaf>, String> {
    let note = log.log_file("checkpoint").ok().flatten().ok_or("no checkpoint")?;
    let text = String::from_utf8_lossy(&note);
    let text = text.split_once("\n\n").map_or("", |(text, _)| text);
    let size = Checkpoint::parse(&format!("{text}\n")).map_err(|error| error.to_string())?.size;
    let leaf = |seq| Some(log.leaf(seq).transpose()?.map(|leaf| (seq, leaf)));
    (0..size).filter_map(leaf).collect::<Result<_, _>>().map_err(|error| error.to_string())
}

/// No incident is told of where nothing was damaged; the log after a damaged one tells of it once.
fn incidents(act: Act, leaves: &BTreeMap<u64, Leaf>) -> Result<(), String> {
    let told = leaves.values().filter(|leaf| matches!(leaf, Leaf::Incident { .. })).count();
    let expected = usize::from(act == Act::Succeed);
    if told == expected { Ok(()) } else { Err(format!("{told} incidents told of, {expected} expected: {leaves:?}")) }
}

fn kept(log: &Log, leaves: &BTreeMap<u64, Leaf>, receipts: &[&Receipt]) -> Result<(), String> {
    let newest = log.newest(usize::MAX).map_err(|error| error.to_string())?;
    let here: HashMap<String, (Receipt, Bytes)> =
        newest.into_iter().map(|(receipt, bytes)| (receipt.frame_id.clone(), (receipt, bytes))).collect();
    let is_pruned = leaves.values().any(|leaf| matches!(leaf, Leaf::Prune { .. }));
    let erased = leaves.values().find_map(|leaf| match leaf {
        Leaf::Erasure(erasure) => Some(erasure.frame),
        _ => None,
    });
    for receipt in receipts {
        match here.get(&receipt.frame_id) {
            None if is_pruned && receipt.seq < PRUNE_BELOW => {}
            None => return Err(format!("lost: {receipt:?}")),
            Some((found, _)) if found.checkpoint != receipt.checkpoint => {
                return Err(format!("{receipt:?} became {found:?}"));
            }
            Some(_) if erased == Some(receipt.seq) => {}
            Some((found, bytes)) => {
                if found != *receipt || hex(&Sha256::digest(bytes)) != receipt.frame_sha256 {
                    return Err(format!("{receipt:?} became {found:?}"));
                }
            }
        }
    }
    Ok(())
}

/// What was said to be erased or pruned has its leaf, and what has its leaf is gone.
fn effects(leaves: &BTreeMap<u64, Leaf>, promises: &[Promise], dir: &Path) -> Result<(), String> {
    for promise in promises {
        let is_there = match promise {
            Promise::Receipt(_) => continue,
            Promise::Erased(seq) => matches!(leaves.get(seq), Some(Leaf::Erasure(_))),
            Promise::Pruned(seq) => matches!(leaves.get(seq), Some(Leaf::Prune { .. })),
        };
        if !is_there {
            return Err(format!("{promise:?}, and no leaf says so"));
        }
    }
    let is_erased = leaves.values().any(|leaf| matches!(leaf, Leaf::Erasure(_)));
    let text = frames::canary(ERASED.0, ERASED.1);
    if is_erased && Snapshot::take(dir).holds(&text) {
        return Err(format!("{} of {} is on record as erased, and there", ERASED.0, erasure().frame_id));
    }
    Ok(())
}

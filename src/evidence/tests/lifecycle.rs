//! What happens to evidence in time: erasure, retention, heartbeats, rotation of keys; and that a crash anywhere in it
//! changes nothing of what it comes to.

use super::*;
use crate::core::cosignature::Cosigner;
use crate::core::manifest::{IncidentKind, Leaf};
use crate::core::note::split_note;
use crate::core::witness::Contradiction;
use crate::engine::store::EraseOrder;
use crate::engine::witness::{self, Contradicted};

/// A frame with all its parts, each with a text that nothing else has.
pub(super) fn full(number: u32) -> FrameBytes {
    let mut frame = frame(number);
    let variable = |name: &str| json!({"state": "captured", "detail": {"text": canary(name, number)}});
    let names = ["prompt_revision", "model_route", "judge", "retrieval_index", "tool_schemas", "traffic_mix"];
    let variables: Map<_, _> = names.iter().map(|name| ((*name).to_owned(), variable(name))).collect();
    frame.body.insert("variables".into(), variables.into());
    let samples = json!({"failing": [canary("samples", number), canary("prompt_revision", number)], "healthy": []});
    frame.body.insert("samples".into(), samples);
    frame
}

/// A text that only one part of one frame has.
pub(super) fn canary(part: &str, number: u32) -> String {
    // Long, so that whatever its place in a base64 text most of it is spelled in one of three ways.
    format!("canary of {part} in frame {number}, which nobody else would say in so many words")
}

/// Room for two frames with all parts.
const WIDE: u64 = 24 * BLOCK as u64;

pub(super) fn wide(dir: &Path) -> Log {
    open_on(dir, Disk::default(), WIDE).unwrap()
}

fn erase(number: u32, part: &str) -> EraseOrder {
    let (frame_id, parts) = (frame(number).id, vec![part.to_owned()]);
    EraseOrder { frame_id, parts, reason: "request 12".into(), at: NOW }
}

/// A text plain and in base64 at any alignment.
pub(super) fn needles(text: &str) -> Vec<Vec<u8>> {
    let encode = |bytes: &[u8]| base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, bytes);
    let mut needles = vec![text.as_bytes().to_vec()];
    for skip in 0..3 {
        let whole = &text.as_bytes()[skip..];
        needles.push(encode(&whole[..whole.len() / 3 * 3]).into_bytes());
    }
    needles
}

/// Whether a text is anywhere in a directory.
fn is_anywhere(dir: &Path, text: &str) -> bool {
    let needles = needles(text);
    let found = |bytes: &[u8]| needles.iter().any(|needle| memchr::memmem::find(bytes, needle).is_some());
    files_below(dir, ".").unwrap().iter().any(|path| found(&std::fs::read(dir.join(path)).unwrap()))
}

fn check(path: &Path, vkey: &str, remembered: &str) -> Verification {
    verify(path, vkey, Some(remembered))
}

fn bundled(log: &Log, number: u32) -> (TempDir, std::path::PathBuf) {
    let dir = directory();
    let path = dir.path().join("bundle.tar");
    std::fs::write(&path, log.bundle(&frame(number).id).unwrap().unwrap()).unwrap();
    (dir, path)
}

/// Proves that what is erased is gone from the disk, that nothing else is, and that every proof still holds and says
/// what was erased, why, and by which leaf.
#[test]
fn erased_parts_are_gone_and_proofs_hold() {
    let dir = directory();
    let log = wide(dir.path());
    let receipts: Vec<_> = (1..=4).map(|number| log.append(&full(number)).unwrap()).collect();
    let prompt = canary("prompt_revision", 2);
    assert!(is_anywhere(dir.path(), &prompt));
    let seq = log.erase(&erase(2, "prompt_revision")).unwrap();
    assert_eq!(seq, 5);
    assert_eq!(log.erase(&erase(2, "prompt_revision")).unwrap(), 5, "once is enough");
    assert!(!is_anywhere(dir.path(), &prompt), "the samples held it too");
    assert!(!is_anywhere(dir.path(), &canary("samples", 2)));
    assert!(is_anywhere(dir.path(), &canary("judge", 2)) && is_anywhere(dir.path(), &canary("prompt_revision", 3)));
    let vkey = log.vkey();
    for number in 1..=4 {
        let (_kept, path) = bundled(&log, number);
        let found = check(&path, &vkey, &receipts[number as usize - 1].checkpoint);
        assert_eq!((found.outcome, found.level), (Outcome::Verified, Some(Level::L2)), "{found}");
        assert_eq!(found.report().contains("prompt_revision: ERASED by leaf 5"), number == 2, "{found}");
        assert_eq!(found.report().contains("request 12"), number == 2);
    }
    let left: serde_json::Value = serde_json::from_slice(&log.frame(&frame(2).id).unwrap().unwrap()).unwrap();
    assert_eq!(left["variables"]["prompt_revision"]["state"], "missing");
    assert_eq!(left["variables"]["judge"]["state"], "captured");
    for (number, part) in [(9, "judge"), (2, "frame"), (2, "unknown")] {
        assert!(matches!(log.erase(&erase(number, part)), Err(StoreError::Refused(_))), "{part}");
    }
    drop(log);
    let found = check(dir.path(), &vkey, &receipts[3].checkpoint);
    assert_eq!((found.outcome, found.level), (Outcome::Verified, Some(Level::L2)), "{found}");
    let log = wide(dir.path());
    assert_eq!(log.append(&full(2)).unwrap().seq, 2, "a retried frame is known");
    assert_eq!(log.append(&full(5)).unwrap().seq, 6);
}

/// Proves that what a failing disk left of a frame goes with the frame's parts, also when the erasure was cut short
/// after it was put on record.
#[test]
fn leftovers_are_erased_after_a_crash_too() {
    for at in 0..40 {
        let dir = directory();
        let log = wide(dir.path());
        log.append(&full(1)).unwrap();
        drop(log);
        let prompt = canary("prompt_revision", 1);
        std::fs::create_dir(dir.path().join("quarantine")).unwrap();
        std::fs::write(dir.path().join("quarantine/000001-4096-01234567.torn"), &prompt).unwrap();
        // Opening may be cut short, too.
        let cut_short = open_on(dir.path(), faults::dying(at), WIDE).map(|log| log.erase(&erase(1, "prompt_revision")));
        drop(cut_short);
        let log = wide(dir.path());
        let is_on_record = matches!(log.leaf(2).unwrap(), Some(Leaf::Erasure(_)));
        assert_eq!(is_anywhere(dir.path(), &prompt), !is_on_record, "died at step {at}");
    }
}

/// Proves that a part can't be taken away without a leaf that says so, nor hidden behind one that speaks of another.
#[test]
fn a_part_cannot_go_in_silence() {
    let dir = directory();
    let log = wide(dir.path());
    (1..=2).for_each(|number| drop(log.append(&full(number)).unwrap()));
    log.erase(&erase(1, "judge")).unwrap();
    let (whole, erased) = (log.bundle(&frame(2).id).unwrap().unwrap(), log.bundle(&frame(1).id).unwrap().unwrap());
    let vkey = log.vkey();
    let outcome = |bundle: &bundle::Bundle| verify_bundle(&bundle::write(bundle).unwrap(), &vkey).outcome;
    let (whole, erased) = (bundle::read(&whole).unwrap(), bundle::read(&erased).unwrap());
    assert_eq!((outcome(&whole), outcome(&erased)), (Outcome::Verified, Outcome::Verified));
    for part in 0..whole.disclosures.len() {
        let mut silent = whole.clone();
        silent.disclosures.remove(part);
        assert_eq!(outcome(&silent), Outcome::Altered);
        silent.leaves.clone_from(&erased.leaves);
        assert_eq!(outcome(&silent), Outcome::Altered);
    }
    let mut silent = erased.clone();
    silent.leaves.clear();
    assert_eq!(outcome(&silent), Outcome::Altered);
    let mut padded = whole;
    padded.leaves.clone_from(&erased.leaves);
    assert_eq!(outcome(&padded), Outcome::Altered);
}

/// Proves that pruning removes whole prefixes from the disk, that the rest is proven as before, also to checkpoints from
/// before, and that a log whose beginning is missing without a leaf that says so is refused.
#[test]
fn pruned_logs_still_prove_the_rest() {
    let dir = directory();
    let log = wide(dir.path());
    let receipts: Vec<_> = (1..=9).map(|number| log.append(&full(number)).unwrap()).collect();
    let copied = directory();
    tamper::copy(dir.path(), copied.path());
    assert_eq!(log.prune(6, "older than 90d", NOW).unwrap(), 10);
    let vkey = log.vkey();
    for number in 1..=9 {
        let kept = number >= 6;
        assert_eq!(is_anywhere(dir.path(), &canary("judge", number)), kept, "{number}");
        assert_eq!(log.frame(&frame(number).id).unwrap().is_some(), kept);
        if kept {
            let (_kept, path) = bundled(&log, number);
            let found = check(&path, &vkey, &receipts[number as usize - 1].checkpoint);
            assert_eq!((found.outcome, found.level), (Outcome::Verified, Some(Level::L2)), "{found}");
        }
    }
    assert!(!wal::segment_path(dir.path(), 1).exists());
    assert_eq!((log.size(), log.newest(100).unwrap().len()), (9, 4));
    drop(log);
    for _ in 0..2 {
        let found = check(dir.path(), &vkey, &receipts[8].checkpoint);
        assert_eq!((found.outcome, found.level, found.frames), (Outcome::Verified, Some(Level::L2), 4), "{found}");
        let log = wide(dir.path());
        assert_eq!((log.size(), log.newest(100).unwrap().len()), (9, 4));
    }
    // A base without a leaf that prunes: what the disk's owner can make without the key.
    std::fs::copy(dir.path().join("pruned"), copied.path().join("pruned")).unwrap();
    let found = verify(copied.path(), &vkey, None);
    assert_eq!(found.outcome, Outcome::Altered, "{found}");
}

/// Proves that frames which a leaf says are pruned, and which are still there, are told of until they are gone.
#[test]
fn pruning_that_was_not_done_is_told() {
    let dir = directory();
    let log = wide(dir.path());
    (1..=3).for_each(|number| drop(log.append(&full(number)).unwrap()));
    let vkey = log.vkey();
    log.record(&Leaf::Prune { at: NOW.to_string(), below: 2, reason: "cut short".into() }).unwrap();
    drop(log);
    let found = verify(dir.path(), &vkey, None);
    assert_eq!(found.outcome, Outcome::Incomplete, "{found}");
    drop(wide(dir.path()));
    let found = verify(dir.path(), &vkey, None);
    assert_eq!((found.outcome, found.frames), (Outcome::Verified, 2), "{found}");
}

/// Proves that retention by age and by size prunes what is due and only that, and that silence is told.
#[test]
fn maintenance_does_what_is_due() {
    let dir = directory();
    let day = std::time::Duration::from_secs(24 * 3600);
    let mut config = config();
    config.retention.age = 30 * day;
    let log = Log::open_with(dir.path(), &config, NOW, entropy(1), &options(Disk::default(), WIDE)).unwrap();
    for number in 1..=4_u32 {
        let mut frame = full(number);
        frame.captured_at = NOW.plus(10 * day * number).to_string();
        log.append(&frame).unwrap();
    }
    log.maintain(NOW, 0).unwrap();
    assert_eq!(log.index().tree.size(), 5, "nothing is due");
    log.maintain(NOW.plus(55 * day), 3).unwrap();
    let leaf = |seq| log.leaf(seq).unwrap().unwrap();
    assert!(matches!(leaf(5), Leaf::Heartbeat { frames: 4, lost: 3, .. }));
    assert!(matches!(leaf(6), Leaf::Prune { below: 3, .. }), "frames 1 and 2 are 45 and 35 days old");
    log.maintain(NOW.plus(55 * day), 3).unwrap();
    assert_eq!(log.index().tree.size(), 7, "once");
    drop(log);
    config.retention = crate::config::Retention { age: std::time::Duration::ZERO, bytes_max: 3 * WIDE, heartbeat: day };
    let log = Log::open_with(dir.path(), &config, NOW, entropy(1), &options(Disk::default(), WIDE)).unwrap();
    (5..=12).for_each(|number| drop(log.append(&full(number)).unwrap()));
    log.maintain(NOW, 0).unwrap();
    let on_disk: u64 = files_below(dir.path(), "wal")
        .unwrap()
        .iter()
        .map(|path| std::fs::metadata(dir.path().join(path)).unwrap().len())
        .sum();
    assert!(on_disk <= 4 * WIDE, "{on_disk}");
    assert!(log.newest(100).unwrap().len() >= 2);
    assert_eq!(verify(dir.path(), &log.vkey(), None).outcome, Outcome::Verified);
}

/// Proves that a clock that was wrong for a while never has a frame pruned before its time.
#[test]
fn a_clock_that_stepped_prunes_nothing_too_early() {
    let dir = directory();
    let day = std::time::Duration::from_secs(24 * 3600);
    let mut config = config();
    config.retention.age = 30 * day;
    let log = Log::open_with(dir.path(), &config, NOW, entropy(1), &options(Disk::default(), WIDE)).unwrap();
    let times = [NOW.to_string(), NOW.plus(50 * day).to_string(), NOW.to_string(), "yesterday".to_owned()];
    for (number, captured_at) in (1..).zip(times) {
        log.append(&FrameBytes { captured_at, ..full(number) }).unwrap();
    }
    log.maintain(NOW.plus(40 * day), 0).unwrap();
    let leaf = log.leaf(log.index().tree.size() - 1).unwrap();
    assert!(matches!(leaf, Some(Leaf::Prune { below: 2, .. })), "the young second frame keeps the third: {leaf:?}");
    log.maintain(NOW.plus(400 * day), 0).unwrap();
    let leaf = log.leaf(log.index().tree.size() - 1).unwrap();
    assert!(matches!(leaf, Some(Leaf::Prune { below: 4, .. })), "no time is no reason: {leaf:?}");
    assert_eq!(log.prune(3, "again", NOW).unwrap(), log.index().tree.size() - 1, "it is on record");
    assert!(matches!(log.prune(0, "nothing", NOW), Err(StoreError::Refused(_))));
    assert_eq!(verify(dir.path(), &log.vkey(), None).outcome, Outcome::Verified);
}

/// Proves that a rotated key is authorised by the old one: whoever holds either verifies everything, nobody else's key
/// does, and the old one ends when it is taken away.
#[test]
fn keys_hand_over_to_each_other() {
    let dir = directory();
    let log = wide(dir.path());
    let first = log.append(&full(1)).unwrap();
    let old = log.vkey();
    drop(log);
    keys::make_next(&Disk::default(), dir.path(), &mut entropy(7)).unwrap();
    let log = wide(dir.path());
    let new = log.vkey();
    assert_ne!(old, new);
    assert!(matches!(log.leaf(2).unwrap(), Some(Leaf::KeyRotate { vkey, .. }) if vkey == new));
    let second = log.append(&full(2)).unwrap();
    drop(log);
    assert!(keys::forget_previous(&Disk::default(), dir.path()).unwrap());
    let log = wide(dir.path());
    let third = log.append(&full(3)).unwrap();
    for vkey in [&old, &new] {
        let found = check(dir.path(), vkey, &first.checkpoint);
        assert_eq!((found.outcome, found.level), (Outcome::Verified, Some(Level::L2)), "{found}");
        for (number, receipt) in [(1, &first), (2, &second), (3, &third)] {
            let (_kept, path) = bundled(&log, number);
            let found = check(&path, vkey, &receipt.checkpoint);
            assert_eq!((found.outcome, found.level), (Outcome::Verified, Some(Level::L2)), "frame {number}: {found}");
        }
    }
    let (_kept, path) = bundled(&log, 3);
    drop(log);
    let mallory = crate::core::note::Signer::from_seed(new.split('+').next().unwrap(), &[9; 32]).unwrap();
    for path in [dir.path(), &path] {
        assert_eq!(verify(path, &mallory.verifier().to_string(), None).outcome, Outcome::Altered);
    }
}

/// Proves that a log that a witness contradicts is never signed again: it is kept as it was, another origin goes on at
/// once and says why, and the frames that come find their way.
#[test]
fn a_contradicted_log_is_succeeded_while_it_runs() {
    let dir = directory();
    let log = wide(dir.path());
    let receipts: Vec<_> = (1..=3).map(|number| log.append(&full(number)).unwrap()).collect();
    let old = log.vkey();
    let what = Contradiction::RolledBack { size: 9 };
    let contradicted = Contradicted { witness: "w.example".into(), what, proof: None, at: NOW };
    witness::Witnessed::contradicted(&log, &contradicted);
    let new = log.vkey();
    assert_ne!(old, new);
    let Some(Leaf::Incident { kind: IncidentKind::Rollback, what, continues, .. }) = log.leaf(1).unwrap() else {
        panic!("no incident leaf")
    };
    assert!(what.contains("w.example") && what.contains('9'), "{what}");
    assert_eq!(continues.line(), receipts[2].checkpoint);
    assert_eq!(log.append(&full(3)).unwrap().seq, 2, "what was in the old log only is taken again");
    assert!(log.frame(&frame(1).id).unwrap().is_some(), "what it holds can still be read");
    let (_kept, path) = bundled(&log, 1);
    assert_eq!(verify(&path, &old, None).outcome, Outcome::Verified);
    assert_eq!(log.newest(100).unwrap().len(), 4);
    let superseded = dir.path().join("superseded/1");
    let found = check(&superseded, &old, &receipts[2].checkpoint);
    assert_eq!((found.outcome, found.frames), (Outcome::Verified, 3), "{found}");
    drop(log);
    let log = wide(dir.path());
    assert_eq!((log.vkey(), log.size()), (new.clone(), 1));
    assert_eq!(verify(dir.path(), &new, None).outcome, Outcome::Verified);
}

/// Proves that a succession cut short at any step is carried through at the next opening, and the old log is whole.
#[test]
fn a_succession_survives_faults_at_every_step() {
    for at in 0.. {
        let (dir, vkey, receipts) = log_with(2);
        std::fs::remove_file(dir.path().join("head")).unwrap();
        let disk = faults::dying(at);
        let cut = open_on(dir.path(), disk.clone(), SEGMENT).is_err();
        let log = open(dir.path()).unwrap();
        assert_ne!(log.vkey(), vkey, "step {at}");
        assert!(matches!(log.leaf(1).unwrap(), Some(Leaf::Incident { kind: IncidentKind::Damage, .. })), "step {at}");
        log.append(&frame(1)).unwrap();
        let new = log.vkey();
        drop(log);
        assert_eq!(verify(dir.path(), &new, None).outcome, Outcome::Verified, "step {at}");
        let key = VerifierKey::parse(&vkey).unwrap();
        let scan = recovery::scan(&dir.path().join("superseded/1"), key.name(), u64::MAX).unwrap();
        assert_eq!(scan.tree.size(), 3, "step {at}");
        assert_eq!(sha256_hex(&stored(&dir.path().join("superseded/1"), &scan, 2)), receipts[1].frame_sha256);
        if !cut {
            assert!(at > 20, "{at} steps");
            return;
        }
    }
}

/// Proves that a policy is asked about a bundle and a directory alike: enough of the witnesses it names, or not.
#[test]
fn witnesses_of_a_policy_are_asked_for() {
    let dir = directory();
    let log = wide(dir.path());
    (1..=3).for_each(|number| drop(log.append(&full(number)).unwrap()));
    let cosigners = [1, 2].map(|seed| Cosigner::from_seed(&format!("w{seed}.example"), &[seed; 32]).unwrap());
    let checkpoint = witness::Witnessed::checkpoint(&log);
    let text = split_note(&checkpoint).unwrap().0.to_owned();
    let policy = |quorum: &str| {
        let witnesses = cosigners.iter().enumerate().map(|(n, it)| format!("witness w{n} {}\n", it.verifier()));
        let witnesses: String = witnesses.collect();
        match quorum {
            "none" => format!("{witnesses}quorum none\n"),
            threshold => format!("{witnesses}group g {threshold} w0 w1\nquorum g\n"),
        }
    };
    let asked = |path: &Path, quorum: &str| {
        let found = verify_with_policy(path, &log.vkey(), None, Some(policy(quorum).as_bytes()));
        (found.outcome, found.level)
    };
    let (_kept, bare) = bundled(&log, 2);
    for path in [dir.path(), &bare] {
        assert_eq!(asked(path, "any"), (Outcome::Incomplete, Some(Level::L1)), "nobody has cosigned it");
        assert_eq!(asked(path, "none"), (Outcome::Verified, Some(Level::L1)));
    }
    witness::Witnessed::cosigned(&log, &checkpoint, &cosigners[0].cosign(&text, 1_795_313_940));
    let later_leaves = || {
        let notes = verify(dir.path(), &log.vkey(), None).not_checked;
        notes.iter().any(|it| it.starts_with("cosignatures of leaves from"))
    };
    assert!(!later_leaves(), "all are cosigned");
    log.append(&full(4)).unwrap();
    let (_kept, path) = bundled(&log, 2);
    for path in [dir.path(), &path] {
        assert_eq!(asked(path, "any"), (Outcome::Verified, Some(Level::L3)));
        assert_eq!(asked(path, "all"), (Outcome::Incomplete, Some(Level::L1)));
        assert_eq!(verify(path, &log.vkey(), None).outcome, Outcome::Verified);
        let cosigned = verify_with_policy(path, &log.vkey(), None, Some(policy("any").as_bytes()));
        assert!(!cosigned.not_checked.iter().any(|it| it.starts_with("another history")), "{cosigned}");
    }
    assert!(later_leaves(), "leaf 4 came after the cosignature");
    let (_kept, late) = bundled(&log, 4);
    assert_eq!(asked(&late, "any").0, Outcome::Incomplete, "it came after the cosignature");
    let cosigned = std::fs::read(dir.path().join("cosigned")).unwrap();
    for bit in (0..cosigned.len() * 8).step_by(7) {
        let mut flipped = cosigned.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(dir.path().join("cosigned"), flipped).unwrap();
        assert_eq!(verify(dir.path(), &log.vkey(), None).outcome, Outcome::Altered, "bit {bit}");
    }
}

/// Proves that a checkpoint is found in whatever text people keep it in.
#[test]
fn pasted_texts_are_remembered() {
    let (dir, vkey, receipts) = log_with(3);
    let line = &receipts[1].checkpoint;
    let pasted = [
        line.clone(),
        format!("FIRING: quality (critical)\n  checkpoint: {line}\n  frame_url: http://x/y\n"),
        format!("{{\"checkpoint\": \"{line}\", \"a\": 1}}"),
        format!("{line} and {}", receipts[2].checkpoint),
        line.replace(' ', "\n"),
    ];
    for text in pasted {
        let found = verify(dir.path(), &vkey, Some(&text));
        assert_eq!((found.outcome, found.level), (Outcome::Verified, Some(Level::L2)), "{text}: {found}");
    }
    let forked = line.replace(" 3 ", " 2 ");
    assert_eq!(verify(dir.path(), &vkey, Some(&format!("{line} {forked}"))).outcome, Outcome::Rollback);
    let other = line.replace("example.com", "example.org");
    for text in [other.as_str(), "nothing", "1 2 3"] {
        assert_eq!(verify(dir.path(), &vkey, Some(text)).outcome, Outcome::Usage, "{text}");
    }
}

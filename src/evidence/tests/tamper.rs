//! Altering evidence in every way we can think of: nothing of it may be accepted.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use super::super::bundle::Bundle;
use super::*;
use crate::core::disclosure::commitment;
use crate::core::manifest::{IncidentKind, Leaf};
use crate::core::merkle::{Tree, leaf_hash};
use crate::core::note::Signer;

/// Files of a store that are evidence, with their contents.
fn evidence(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut paths: Vec<String> = ["id.json", "head", "checkpoint"].map(str::to_owned).to_vec();
    for below in ["wal", "tile"] {
        paths.extend(files_below(dir, below).unwrap());
    }
    paths.into_iter().map(|path| (path.clone(), std::fs::read(dir.join(path)).unwrap())).collect()
}

fn accepted(path: &Path, vkey: &str) -> bool {
    verify(path, vkey, None).outcome == Outcome::Verified
}

/// Bits to flip in a byte: all of the two files that are signed text, else one, and of padding one in 64 bytes.
fn bits(path: &str, bytes: &[u8], at: usize) -> Vec<u8> {
    let around = &bytes[at.saturating_sub(64)..bytes.len().min(at + 64)];
    match path {
        "id.json" | "checkpoint" => (0..8).collect(),
        _ if wal::is_zero(around) && !at.is_multiple_of(64) => Vec::new(),
        _ => vec![u8::try_from(at % 8).unwrap()],
    }
}

/// Proves that no bit of any file of a store can be flipped unnoticed. Where a SHA-256 or a comparison of whole files
/// covers every bit alike, one bit of every byte is tried, and of padding one in 64 bytes.
#[test]
fn every_bit_flip_of_a_store_is_rejected() {
    let (dir, vkey, _) = log_with(2);
    assert!(accepted(dir.path(), &vkey));
    let mut flips = 0;
    for (path, bytes) in evidence(dir.path()) {
        let file = OpenOptions::new().write(true).open(dir.path().join(&path)).unwrap();
        for at in 0..bytes.len() {
            for bit in bits(&path, &bytes, at) {
                file.write_all_at(&[bytes[at] ^ 1 << bit], at as u64).unwrap();
                assert!(!accepted(dir.path(), &vkey), "{path}: byte {at} bit {bit}");
                flips += 1;
            }
            file.write_all_at(&bytes[at..=at], at as u64).unwrap();
        }
    }
    assert!(accepted(dir.path(), &vkey));
    assert!(flips > 10_000, "{flips}");
}

/// Proves that no file of a store can be cut short at any length, made longer, or removed unnoticed.
#[test]
fn every_cut_of_a_store_is_rejected() {
    let (dir, vkey, _) = log_with(2);
    for (path, bytes) in evidence(dir.path()) {
        let step = if bytes.len() >= BLOCK { 257 } else { 1 };
        for length in (0..bytes.len()).step_by(step).chain([bytes.len() - 1]) {
            std::fs::write(dir.path().join(&path), &bytes[..length]).unwrap();
            assert!(!accepted(dir.path(), &vkey), "{path} cut at {length}");
        }
        std::fs::write(dir.path().join(&path), [&bytes[..], b"\n"].concat()).unwrap();
        assert!(!accepted(dir.path(), &vkey), "{path} made longer");
        std::fs::remove_file(dir.path().join(&path)).unwrap();
        let is_spare = path == "wal/000002.seg";
        assert_eq!(accepted(dir.path(), &vkey), is_spare, "{path} removed; only the empty spare is no evidence");
        std::fs::write(dir.path().join(&path), bytes).unwrap();
    }
    assert!(accepted(dir.path(), &vkey));
}

fn bundle_of(number: u32) -> (Vec<u8>, String) {
    let (dir, _, _) = log_with(4);
    let log = open(dir.path()).unwrap();
    (log.bundle(&frame(number).id).unwrap().unwrap().to_vec(), log.vkey())
}

fn check_bundle(bytes: &[u8], vkey: &str) -> Verification {
    verify_bundle(bytes, vkey)
}

/// Proves the same of a bundle: every bit, every cut, every addition.
#[test]
fn every_bit_flip_and_every_cut_of_a_bundle_is_rejected() {
    let (mut bundle, vkey) = bundle_of(3);
    let accepted = |bytes: &[u8]| check_bundle(bytes, &vkey).outcome == Outcome::Verified;
    assert!(accepted(&bundle));
    for bit in 0..bundle.len() * 8 {
        bundle[bit / 8] ^= 1 << (bit % 8);
        assert!(!accepted(&bundle), "bit {bit}");
        bundle[bit / 8] ^= 1 << (bit % 8);
    }
    for length in 0..bundle.len() {
        assert!(!accepted(&bundle[..length]), "cut at {length}");
    }
    assert!(!accepted(&[&bundle[..], &[0; 512]].concat()));
    assert!(accepted(&bundle));
}

/// Proves that parts of bundles can't be mixed: any part of another frame's bundle, or of another log's.
#[test]
fn spliced_bundles_are_rejected() {
    let (dir, vkey, _) = log_with(4);
    let other = directory();
    let foreign = Log::open_with(other.path(), &config(), NOW, entropy(2), &options(Disk::default(), SEGMENT)).unwrap();
    (1..=4).for_each(|number| drop(foreign.append(&frame(number)).unwrap()));
    let log = open(dir.path()).unwrap();
    let id = |number| frame(number).id;
    let read = |log: &Log, number| bundle::read(&log.bundle(&id(number)).unwrap().unwrap()).unwrap();
    let (mine, sources) = (read(&log, 2), [read(&log, 3), read(&foreign, 2)]);
    for theirs in &sources {
        for parts in 1..63_u32 {
            let theirs_in = |part: u32| parts >> part & 1 == 1;
            let mut spliced = mine.clone();
            for part in (0..6).filter(|part| theirs_in(*part)) {
                let theirs = theirs.clone();
                match part {
                    0 => spliced.frame = theirs.frame,
                    1 => spliced.manifest = theirs.manifest,
                    2 => spliced.proof = theirs.proof,
                    3 => spliced.checkpoint = theirs.checkpoint,
                    4 => spliced.consistency = theirs.consistency,
                    _ => spliced.disclosures = theirs.disclosures,
                }
            }
            // What is the same in both is no splice.
            let is_one = |whole: &Bundle| spliced == *whole;
            if !is_one(&mine) && !is_one(theirs) {
                let bytes = bundle::write(&spliced).unwrap();
                assert_eq!(check_bundle(&bytes, &vkey).outcome, Outcome::Altered, "{parts:b}");
            }
        }
    }
    let whole = foreign.bundle(&id(2)).unwrap().unwrap();
    let found = check_bundle(&whole, &vkey);
    assert_eq!((found.outcome, found.level), (Outcome::Altered, Some(Level::L0)), "good, but not of this key");
}

/// Proves that leaves can't be swapped, dropped or repeated in the segments, nor taken from another log, even with
/// their records made right again (their hashes have no secret).
#[test]
fn reordered_segments_are_rejected() {
    let (dir, vkey, _) = log_with(3);
    let path = wal::segment_path(dir.path(), 1);
    let honest = std::fs::read(&path).unwrap();
    let other = directory();
    let foreign = Log::open_with(other.path(), &config(), NOW, entropy(2), &options(Disk::default(), SEGMENT)).unwrap();
    (1..=3).for_each(|number| drop(foreign.append(&frame(number)).unwrap()));
    let theirs = std::fs::read(wal::segment_path(other.path(), 1)).unwrap();
    // The header, and three leaves: genesis in two blocks, frames 1 and 2 in three; the last block is free.
    let blocks = |leaf: usize| [1..3, 3..6, 6..9][leaf].clone();
    let entry = |bytes: &[u8], leaf: usize| {
        let blocks = blocks(leaf);
        bytes[blocks.start * BLOCK..blocks.end * BLOCK].to_vec()
    };
    let orders: [[(&[u8], usize); 3]; 6] = [
        [(&honest, 0), (&honest, 2), (&honest, 1)],
        [(&honest, 0), (&honest, 1), (&honest, 1)],
        [(&honest, 0), (&honest, 2), (&honest, 2)],
        [(&honest, 1), (&honest, 0), (&honest, 2)],
        [(&honest, 0), (&theirs, 1), (&honest, 2)],
        [(&theirs, 0), (&theirs, 1), (&theirs, 2)],
    ];
    for order in orders {
        for renumbered in [false, true] {
            let mut bytes = honest[..BLOCK].to_vec();
            for (seq, (from, leaf)) in (0..).zip(order) {
                for block in entry(from, leaf).chunks(BLOCK) {
                    let (mut record, _) = Record::decode(block).unwrap();
                    if renumbered {
                        record.seq = seq;
                        record.segment = Record::decode(&honest).unwrap().0.segment;
                    }
                    record.encode(&mut bytes);
                }
            }
            bytes.resize(honest.len(), 0);
            std::fs::write(&path, bytes).unwrap();
            let found = verify(dir.path(), &vkey, None);
            assert!(matches!(found.outcome, Outcome::Altered | Outcome::Rollback), "{found}");
            assert_broken(dir.path());
        }
    }
    std::fs::write(&path, honest).unwrap();
    assert!(accepted(dir.path(), &vkey));
}

/// Asserts that a log can't be continued.
fn assert_broken(dir: &Path) {
    let reading = start::read(dir, &config(), &Disk::default()).unwrap();
    assert!(matches!(reading, start::Reading::Broken(_)));
}

/// Proves that damage below the head is never repaired away: the log is kept as it is, byte for byte, and another one
/// begins, which says so in its second leaf. Damage to a part of a frame breaks no leaf: the log goes on and says so.
#[test]
fn damage_is_never_truncated() {
    let (dir, vkey, _) = log_with(4);
    for block in 1..9 {
        let copied = directory();
        copy(dir.path(), copied.path());
        let path = wal::segment_path(copied.path(), 1);
        let mut damaged = std::fs::read(&path).unwrap();
        damaged[block * BLOCK + 100] ^= 1;
        std::fs::write(&path, &damaged).unwrap();
        assert_eq!(verify(copied.path(), &vkey, None).outcome, Outcome::Altered);
        let log = open(copied.path()).unwrap();
        let is_part = [4, 7].contains(&block);
        assert_eq!(log.vkey() == vkey, is_part, "block {block}");
        let kept = if is_part { path } else { wal::segment_path(&copied.path().join("superseded/1"), 1) };
        assert_eq!(std::fs::read(kept).unwrap()[..damaged.len()], damaged);
        let seq = if is_part { 5 } else { 1 };
        let leaf = log.leaf(seq).unwrap().unwrap();
        let Leaf::Incident { kind: IncidentKind::Damage, what, .. } = leaf else { panic!("block {block}: {leaf:?}") };
        assert!(!what.is_empty());
        log.append(&frame(9)).unwrap();
        let vkey = log.vkey();
        drop(log);
        // Told once, and the new log is sound.
        assert_eq!(open(copied.path()).unwrap().index().tree.size(), seq + 2);
        let outcome = verify(copied.path(), &vkey, None).outcome;
        assert_eq!(outcome, if is_part { Outcome::Altered } else { Outcome::Verified }, "block {block}");
    }
}

/// Proves that a log without its head or its identity is not continued.
#[test]
fn a_log_without_its_memory_is_not_continued() {
    for gone in ["head", "id.json"] {
        let (dir, vkey, _) = log_with(4);
        std::fs::remove_file(dir.path().join(gone)).unwrap();
        let log = open(dir.path()).unwrap();
        assert_ne!(log.vkey(), vkey, "{gone}");
        assert!(matches!(log.leaf(1).unwrap(), Some(Leaf::Incident { kind: IncidentKind::Damage, .. })));
    }
}

pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Proves that a log older than its own head or checkpoint is not signed on, and that a whole old snapshot, which
/// nothing inside can tell, is told by a remembered checkpoint, as is a fork.
#[test]
fn rollbacks_and_forks_are_detected() {
    let (dir, vkey, _) = log_with(2);
    let old = directory();
    copy(dir.path(), old.path());
    let log = open(dir.path()).unwrap();
    let newer = log.append(&frame(3)).unwrap();
    drop(log);
    for part in [&["wal"][..], &["wal", "head"], &["wal", "checkpoint"]] {
        let mixed = directory();
        copy(dir.path(), mixed.path());
        for name in part {
            let target = mixed.path().join(name);
            if target.is_dir() {
                std::fs::remove_dir_all(&target).unwrap();
                copy(&old.path().join(name), &target);
            } else {
                std::fs::copy(old.path().join(name), target).unwrap();
            }
        }
        assert_eq!(verify(mixed.path(), &vkey, None).outcome, Outcome::Rollback, "{part:?}");
        let log = open(mixed.path()).unwrap();
        let leaf = log.leaf(1).unwrap().unwrap();
        let Leaf::Incident { kind: IncidentKind::Rollback, continues, .. } = leaf else { panic!("{leaf:?}") };
        assert_eq!(continues.line(), newer.checkpoint);
        assert_ne!(log.vkey(), vkey);
        log.append(&frame(9)).unwrap();
        let left = verify(&mixed.path().join("superseded/1"), &vkey, None).outcome;
        assert_eq!(left, Outcome::Rollback, "it is as it was");
    }
    assert_eq!(verify(old.path(), &vkey, None).outcome, Outcome::Verified, "nothing inside can tell");
    assert_eq!(verify(old.path(), &vkey, Some(&newer.checkpoint)).outcome, Outcome::Rollback);
    let fork = open(old.path()).unwrap();
    let forked = fork.append(&frame(4)).unwrap();
    let bundle = old.path().with_extension("tar");
    std::fs::write(&bundle, fork.bundle(&frame(4).id).unwrap().unwrap()).unwrap();
    for path in [old.path(), &bundle] {
        assert_eq!(verify(path, &vkey, Some(&newer.checkpoint)).outcome, Outcome::Rollback);
        let found = verify(path, &vkey, Some(&forked.checkpoint));
        assert_eq!((found.outcome, found.level), (Outcome::Verified, Some(Level::L2)));
    }
    std::fs::remove_file(bundle).unwrap();
}

/// Proves which questions are refused, which stay open, and what is said for each.
#[test]
fn usage_and_incomplete_are_told_apart() {
    let (dir, vkey, receipts) = log_with(3);
    let other = vkey.replace("example.com", "example.org");
    for (path, vkey, remembered) in [
        (dir.path(), "nonsense", None),
        (dir.path(), &other, None),
        (Path::new("/nonexistent"), &vkey, None),
        (dir.path(), &vkey, Some("nonsense")),
        (dir.path(), &vkey, Some("example.com/other 3 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")),
    ] {
        assert_eq!(verify(path, vkey, remembered).outcome, Outcome::Usage, "{remembered:?}");
    }
    let log = open(dir.path()).unwrap();
    let bundle = dir.path().with_extension("tar");
    std::fs::write(&bundle, log.bundle(&frame(1).id).unwrap().unwrap()).unwrap();
    let far = verify(&bundle, &vkey, Some(&receipts[1].checkpoint));
    assert_eq!((far.outcome, far.level), (Outcome::Incomplete, Some(Level::L1)), "{far}");
    let note = std::fs::read_to_string(dir.path().join("checkpoint")).unwrap();
    let near = verify(dir.path(), &vkey, Some(&note));
    assert_eq!((near.outcome, near.level), (Outcome::Verified, Some(Level::L2)), "{near}");
    let statuses = [Outcome::Verified, Outcome::Altered, Outcome::Usage, Outcome::Incomplete, Outcome::Rollback];
    assert_eq!(statuses.map(Outcome::exit_status), [0, 1, 2, 3, 4]);
    assert!(near.report().starts_with("VERIFIED (level L2"));
    assert_eq!(serde_json::to_value(&near).unwrap()["outcome"], "verified");
    std::fs::remove_file(bundle).unwrap();
}

/// Rewrites a log of one frame as the holder of its key could, with another leaf 1, and returns that leaf's bundle.
fn forge(dir: &Path, vkey: &str, manifest: &[u8], part: &str, frame: &[u8]) -> Vec<u8> {
    let seed = std::fs::read(dir.join("keys/log.key")).unwrap().try_into().unwrap();
    let signer = Signer::from_seed(vkey.split('+').next().unwrap(), &seed).unwrap();
    let mut tree = Tree::default();
    tree.push(leaf_hash(&std::fs::read(dir.join("id.json")).unwrap()));
    tree.push(leaf_hash(manifest));
    let note = signer.sign_checkpoint(2, tree.root_at(2).unwrap());
    let path = wal::segment_path(dir, 1);
    let honest = std::fs::read(&path).unwrap();
    let segment = Record::decode(&honest).unwrap().0.segment;
    // Header, genesis and its commit stay.
    let mut bytes = honest[..3 * BLOCK].to_vec();
    wal::Entry { seq: 1, manifest, parts: &[part.to_owned()], note: &note }.encode(segment, &mut bytes);
    bytes.resize(honest.len(), 0);
    std::fs::write(path, bytes).unwrap();
    let mut head = Vec::new();
    for _ in 0..2 {
        Record { kind: Kind::Head, seq: 2, segment: [0; 16], payload: note.as_bytes() }.encode(&mut head);
    }
    std::fs::write(dir.join("head"), head).unwrap();
    drop(std::fs::remove_dir_all(dir.join("tile")));
    drop(std::fs::remove_file(dir.join("checkpoint")));
    let forged = Bundle {
        frame: frame.to_vec(),
        manifest: manifest.to_vec(),
        proof: tiles::proof(&tree, 1, &note).to_string(),
        disclosures: vec![("frame".to_owned(), part.to_owned())],
        checkpoint: note,
        ..Bundle::default()
    };
    bundle::write(&forged).unwrap()
}

/// Proves that even the holder of the key can't sign nonsense: a leaf must follow its own log, and manifest and frame
/// must be canonical, of a known type, and of each other.
#[test]
fn signed_nonsense_is_rejected() {
    let (dir, vkey, _) = log_with(1);
    let honest = bundle::read(&open(dir.path()).unwrap().bundle(&frame(1).id).unwrap().unwrap()).unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (manifest, frame, part) = (text(&honest.manifest), text(&honest.frame), honest.disclosures[0].1.clone());
    // A manifest that is right about another disclosure.
    let about = |json: &str, frame: &str| {
        let array = text(&base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, &part).unwrap());
        let salt = array.split('"').nth(1).unwrap();
        let other = base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, json.replace("SALT", salt));
        let bytes = |part: &str| format!("\"bytes\":{},", part.len());
        let manifest = manifest.replace(&commitment(part.as_bytes()), &commitment(other.as_bytes()));
        (manifest.replace(&bytes(&part), &bytes(&other)), other, frame.to_owned())
    };
    let disclosed = |frame: &str| format!("[\"SALT\",\"frame\",{frame}]");
    let changed = |from: &str, to: &str| {
        let frame = frame.replace(from, to);
        about(&disclosed(&frame), &frame)
    };
    let root = manifest.split("\"root\":\"").nth(1).unwrap().split('"').next().unwrap();
    let other_root = crate::core::note::base64(&[7; 32]);
    let as_is = |manifest: String| (manifest, part.clone(), frame.clone());
    let nonsense = [
        as_is(manifest.replace(root, &other_root)),
        as_is(manifest.replace("\"size\":1", "\"size\":0")),
        as_is(manifest.replace("\"type\":\"frame\"", "\"type\":\"frame\",\"unknown\":1")),
        as_is(manifest.replace("\"type\":\"frame\"", "\"type\":\"heartbeat\"")),
        as_is(manifest.replace("\"feature\":\"checkout\"", "\"feature\":\"cart\",\"feature\":\"checkout\"")),
        as_is(manifest.replace("\"seq\":1,", "\"seq\":2,")),
        as_is(manifest.replace("example.com", "example.org")),
        as_is(manifest.replace("\"parts\":{\"frame\"", "\"parts\":{\"judge\"")),
        (manifest.clone(), format!("{part}A"), frame.clone()),
        about(&format!("{} ", disclosed(&frame)), &frame),
        about(&disclosed(&frame).replace("\"frame\"", "\"judge\""), &frame),
        changed("\"seq\":1,", "\"seq\":1,\"seq\":1,"),
        changed("\"seq\":1,", "\"seq\":2,"),
        changed("\"id\":\"0193-1\"", "\"id\":\"0193-2\""),
        about(&disclosed("[]"), "[]"),
    ];
    let forged = forge(dir.path(), &vkey, manifest.as_bytes(), &part, frame.as_bytes());
    assert_eq!(check_bundle(&forged, &vkey).outcome, Outcome::Verified, "the forger knows the craft");
    assert_eq!(verify(dir.path(), &vkey, None).outcome, Outcome::Incomplete, "derived files are missing");
    let (good, other, shown) = about(&disclosed(&frame.replace("number 1", "number 2")), &frame);
    let forged = forge(dir.path(), &vkey, good.as_bytes(), &other, shown.as_bytes());
    assert_eq!(check_bundle(&forged, &vkey).outcome, Outcome::Altered, "frame.json is another frame's");
    for (manifest, part, frame) in nonsense {
        let bundle = forge(dir.path(), &vkey, manifest.as_bytes(), &part, frame.as_bytes());
        assert_eq!(check_bundle(&bundle, &vkey).outcome, Outcome::Altered, "{manifest} {frame}");
        assert_eq!(verify(dir.path(), &vkey, None).outcome, Outcome::Altered, "{manifest} {frame}");
        assert_broken_or_damaged(dir.path());
    }
}

/// Asserts that a log can't be continued, or knows of its damage.
fn assert_broken_or_damaged(dir: &Path) {
    match start::read(dir, &config(), &Disk::default()).unwrap() {
        start::Reading::Broken(_) => {}
        start::Reading::Whole(scan, ..) => assert!(!scan.damaged_parts().is_empty()),
    }
}

/// Proves that a leaf that can't be read is damage where a readable one follows, also without a head that says how long the
/// log was, and that no acknowledged leaf lies behind the end, however far.
#[test]
fn nothing_readable_follows_the_end() {
    let dir = directory();
    let log = open_on(dir.path(), Disk::default(), 3 * SEGMENT).unwrap();
    (1..=3).for_each(|number| drop(log.append(&frame(number)).unwrap()));
    let key = VerifierKey::parse(&log.vkey()).unwrap();
    drop(log);
    let path = wal::segment_path(dir.path(), 1);
    let whole = std::fs::read(&path).unwrap();
    let scan = |head, bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        recovery::scan(dir.path(), key.name(), head).ok().map(|scan| scan.tree.size())
    };
    let leaves = recovery::scan(dir.path(), key.name(), u64::MAX).unwrap().leaves;
    let place =
        |seq| (usize::try_from(leaves.location(seq).unwrap().offset).unwrap(), leaves.location(seq).unwrap().length);
    let (first, (last, length)) = (place(1).0, place(3));

    let mut damaged = whole.clone();
    damaged[first..first + BLOCK].fill(0);
    for head in [0, 1, 4, u64::MAX] {
        assert_eq!(scan(head, &damaged), None, "leaves 2 and 3 follow; head {head}");
    }
    for gap in [0, BLOCK, 3 * BLOCK] {
        let mut repeated = whole.clone();
        repeated.copy_within(last..last + BLOCK, last + length + gap);
        assert_eq!(scan(4, &repeated), None, "leaf 3 was acknowledged and lies behind the end");
        let mut foreign = whole.clone();
        foreign.copy_within(first..first + BLOCK, last + length + gap);
        assert_eq!(scan(4, &foreign), None, "leaf 1 lies behind the end");
    }
    assert_eq!(scan(4, &whole), Some(4));
}

/// Proves that the checkpoint of every leaf is signed by the log's own key and over its own tree, also of leaves that later
/// checkpoints cover.
#[test]
fn every_checkpoint_is_the_logs_own() {
    let (dir, vkey, _) = log_with(2);
    let key = VerifierKey::parse(&vkey).unwrap();
    let scan = |head| recovery::scan(dir.path(), key.name(), head);
    let honest = scan(u64::MAX).unwrap();
    let place = honest.leaves.location(1).unwrap();
    let commit = usize::try_from(place.offset).unwrap() + place.length - BLOCK;
    let path = wal::segment_path(dir.path(), 1);
    let whole = std::fs::read(&path).unwrap();
    let segment = Record::decode(&whole).unwrap().0.segment;
    let with = |note: &str| {
        let mut record = Vec::new();
        Record { kind: Kind::Commit, seq: 1, segment, payload: note.as_bytes() }.encode(&mut record);
        assert_eq!(record.len(), BLOCK);
        let mut bytes = whole.clone();
        bytes[commit..commit + BLOCK].copy_from_slice(&record);
        std::fs::write(&path, bytes).unwrap();
        scan(u64::MAX).is_ok()
    };
    let seed = std::fs::read(dir.path().join("keys/log.key")).unwrap().try_into().unwrap();
    let [own, other] = [seed, [9; 32]].map(|seed| Signer::from_seed(key.name(), &seed).unwrap());
    let root = honest.tree.root_at(2).unwrap();
    assert!(with(&own.sign_checkpoint(2, root)), "the forger knows the craft");
    for note in [other.sign_checkpoint(2, root), own.sign_checkpoint(2, [7; 32]), own.sign_checkpoint(3, root)] {
        assert!(!with(&note), "{note}");
        assert_eq!(verify(dir.path(), &vkey, None).outcome, Outcome::Altered, "{note}");
    }
}

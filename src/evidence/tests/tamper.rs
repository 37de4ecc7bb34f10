//! Altering evidence in every way we can think of: nothing of it may be accepted.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use super::*;
use crate::core::merkle::{Tree, leaf_hash};
use crate::core::note::Signer;

/// Files of a store that are evidence, with their contents.
fn evidence(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut paths: Vec<String> = ["id.json", "head", "checkpoint"].map(str::to_owned).to_vec();
    for below in ["wal", "frames", "tile"] {
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
    let key = VerifierKey::parse(vkey).unwrap();
    let mut verification = Verification::new();
    verification.bundle(bytes, &key, None);
    verification
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
    let options = Options { disk: Disk::default(), segment_bytes: SEGMENT };
    let foreign = Log::open_with(other.path(), &config(), NOW, entropy(2), options).unwrap();
    (1..=4).for_each(|number| drop(foreign.append(&frame(number)).unwrap()));
    let log = open(dir.path()).unwrap();
    let id = |number| frame(number).id;
    let read = |log: &Log, number| bundle::read(&log.bundle(&id(number)).unwrap().unwrap()).unwrap();
    let (mine, sources) = (read(&log, 2), [read(&log, 3), read(&foreign, 2)]);
    for theirs in &sources {
        for parts in 1..15 {
            let pick = |part: u32, mine: &[u8], theirs: &[u8]| {
                if parts >> part & 1 == 0 { mine.to_vec() } else { theirs.to_vec() }
            };
            let frame = pick(0, &mine.frame, &theirs.frame);
            let manifest = pick(1, &mine.manifest, &theirs.manifest);
            let proof = pick(2, mine.proof.as_bytes(), theirs.proof.as_bytes());
            let note = pick(3, mine.checkpoint.as_bytes(), theirs.checkpoint.as_bytes());
            let text = |bytes| String::from_utf8(bytes).unwrap();
            let spliced = bundle::write(&frame, &manifest, &text(proof), &text(note)).unwrap();
            assert_eq!(check_bundle(&spliced, &vkey).outcome, Outcome::Altered, "{parts:b}");
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
    let options = Options { disk: Disk::default(), segment_bytes: SEGMENT };
    let foreign = Log::open_with(other.path(), &config(), NOW, entropy(2), options).unwrap();
    (1..=3).for_each(|number| drop(foreign.append(&frame(number)).unwrap()));
    let theirs = std::fs::read(wal::segment_path(other.path(), 1)).unwrap();
    let pair = |bytes: &[u8], leaf: usize| bytes[BLOCK * (1 + 2 * leaf)..BLOCK * (3 + 2 * leaf)].to_vec();
    // The header and three leaves (genesis, 1, 2) with their commits; the last block is free.
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
                let records = pair(from, leaf);
                for block in records.chunks(BLOCK) {
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
            assert!(matches!(open(dir.path()), Err(OpenError::Damaged { .. } | OpenError::RolledBack { .. })));
        }
    }
    std::fs::write(&path, honest).unwrap();
    assert!(accepted(dir.path(), &vkey));
}

/// Proves that damage below the head is never repaired away: opening refuses and changes no byte.
#[test]
fn damage_is_never_truncated() {
    let (dir, vkey, _) = log_with(4);
    let path = wal::segment_path(dir.path(), 1);
    let honest = std::fs::read(&path).unwrap();
    for block in 1..7 {
        let mut damaged = honest.clone();
        damaged[block * BLOCK + 100] ^= 1;
        std::fs::write(&path, &damaged).unwrap();
        let error = open(dir.path()).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "block {block}: {error}");
        assert_eq!(std::fs::read(&path).unwrap(), damaged);
        assert_eq!(verify(dir.path(), &vkey, None).outcome, Outcome::Altered);
    }
    std::fs::write(&path, &honest).unwrap();
    for gone in ["head", "id.json"] {
        let bytes = std::fs::read(dir.path().join(gone)).unwrap();
        std::fs::remove_file(dir.path().join(gone)).unwrap();
        assert!(open(dir.path()).is_err(), "{gone}");
        std::fs::write(dir.path().join(gone), bytes).unwrap();
    }
    open(dir.path()).unwrap();
}

fn copy(from: &Path, to: &Path) {
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
        assert!(matches!(open(mixed.path()), Err(OpenError::RolledBack { .. })), "{part:?}");
        assert_eq!(verify(mixed.path(), &vkey, None).outcome, Outcome::Rollback, "{part:?}");
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
    let far = verify(&bundle, &vkey, Some(&receipts[2].checkpoint));
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
fn forge(dir: &Path, vkey: &str, manifest: &[u8], frame: &[u8]) -> Vec<u8> {
    let seed = std::fs::read(dir.join("keys/log.key")).unwrap().try_into().unwrap();
    let signer = Signer::from_seed(vkey.split('+').next().unwrap(), &seed).unwrap();
    let mut tree = Tree::default();
    tree.push(leaf_hash(&std::fs::read(dir.join("id.json")).unwrap()));
    tree.push(leaf_hash(manifest));
    let note = signer.sign_checkpoint(2, tree.root_at(2).unwrap());
    let path = wal::segment_path(dir, 1);
    let honest = std::fs::read(&path).unwrap();
    let segment = Record::decode(&honest).unwrap().0.segment;
    let leaf = wal::leaf_payload(manifest, frame);
    // Header, genesis and its commit stay.
    let mut bytes = honest[..3 * BLOCK].to_vec();
    Record { kind: Kind::Leaf, seq: 1, segment, payload: &leaf }.encode(&mut bytes);
    Record { kind: Kind::Commit, seq: 1, segment, payload: note.as_bytes() }.encode(&mut bytes);
    bytes.resize(honest.len(), 0);
    std::fs::write(path, bytes).unwrap();
    let mut head = Vec::new();
    for _ in 0..2 {
        Record { kind: Kind::Head, seq: 2, segment: [0; 16], payload: note.as_bytes() }.encode(&mut head);
    }
    std::fs::write(dir.join("head"), head).unwrap();
    for derived in ["frames", "tile"] {
        drop(std::fs::remove_dir_all(dir.join(derived)));
    }
    drop(std::fs::remove_file(dir.join("checkpoint")));
    let proof = tiles::proof(&tree, 1, &note).to_string();
    bundle::write(frame, manifest, &proof, &note).unwrap()
}

/// Proves that even the holder of the key can't sign nonsense: a leaf must follow its own log, and manifest and frame
/// must be canonical, of a known type, and of each other.
#[test]
fn signed_nonsense_is_rejected() {
    let (dir, vkey, _) = log_with(1);
    let directory = tiles::frame_directory(dir.path(), 1);
    let read = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap();
    let (manifest, frame) = (read("manifest.json"), read("frame.json"));
    let digest = sha256_hex(frame.as_bytes());
    // A manifest that is right about another frame.
    let about = |frame: &str| {
        let length = |frame: &str| format!("\"frame_bytes\":{},", frame.len());
        let manifest = manifest.replace(&digest, &sha256_hex(frame.as_bytes()));
        (manifest.replace(&length(&read("frame.json")), &length(frame)), frame.to_owned())
    };
    let root = manifest.split("\"root\":\"").nth(1).unwrap().split('"').next().unwrap();
    let other_root = crate::core::note::base64(&[7; 32]);
    let nonsense = [
        (manifest.replace(root, &other_root), frame.clone()),
        (manifest.replace("\"size\":1", "\"size\":0"), frame.clone()),
        (manifest.replace("\"type\":\"frame\"", "\"type\":\"frame\",\"unknown\":1"), frame.clone()),
        (manifest.replace("\"type\":\"frame\"", "\"type\":\"heartbeat\""), frame.clone()),
        (manifest.replace("\"feature\":\"checkout\"", "\"feature\":\"cart\",\"feature\":\"checkout\""), frame.clone()),
        (manifest.replace("\"seq\":1,", "\"seq\":2,"), frame.clone()),
        (manifest.replace("example.com", "example.org"), frame.clone()),
        (manifest.clone(), frame.replace("number 1", "number 2")),
        (manifest.clone(), format!("{frame} ")),
        about(&format!("{frame}\n")),
        about(&frame.replace("\"seq\":1,", "\"seq\":1,\"seq\":1,")),
        about(&frame.replace("\"seq\":1,", "\"seq\":2,")),
        about(&frame.replace("\"id\":\"0193-1\"", "\"id\":\"0193-2\"")),
        about("[]"),
    ];
    let honest = forge(dir.path(), &vkey, manifest.as_bytes(), frame.as_bytes());
    assert_eq!(check_bundle(&honest, &vkey).outcome, Outcome::Verified, "the forger knows the craft");
    assert_eq!(verify(dir.path(), &vkey, None).outcome, Outcome::Incomplete, "derived files are missing");
    for (manifest, frame) in nonsense {
        let bundle = forge(dir.path(), &vkey, manifest.as_bytes(), frame.as_bytes());
        assert_eq!(check_bundle(&bundle, &vkey).outcome, Outcome::Altered, "{manifest} {frame}");
        assert_eq!(verify(dir.path(), &vkey, None).outcome, Outcome::Altered, "{manifest} {frame}");
        assert!(matches!(open(dir.path()), Err(OpenError::Damaged { .. })), "{manifest} {frame}");
    }
}

use std::ops::Range;

use super::base::begin;
use super::leaf::check_manifest;
use super::*;
use crate::core::disclosure::commitment;
use crate::core::frame::parts::REST;
use crate::core::manifest::{Erasure, FrameLeaf, Part};
use crate::core::merkle::{Base, Hash, Tree, leaf_hash};
use crate::core::note::{Signer, VerifierKey};

const ORIGIN: &str = "example.com/test";
const AT: &str = "2026-11-22T02:19:00Z";
const ROOT: Hash = [7; 32];

fn vkey(origin: &str, seed: u8) -> String {
    Signer::from_seed(origin, &[seed; 32]).unwrap().verifier().to_string()
}

fn manifest(seq: u64, leaf: Leaf) -> Manifest {
    Manifest { origin: ORIGIN.into(), seq, previous_root: (seq > 0).then_some(ROOT), leaf }
}

fn frame(seq: u64, captured_at: &str) -> Manifest {
    let part = Part { name: REST.into(), bytes: 1, sd: commitment(b"part"), state: None };
    let leaf = FrameLeaf {
        frame_id: format!("frame-{seq}"),
        feature: "checkout".into(),
        fingerprint: "f00d".into(),
        captured_at: captured_at.into(),
        parts: vec![part],
    };
    manifest(seq, Leaf::Frame(leaf))
}

fn erasure(seq: u64, of: u64) -> Manifest {
    let (at, reason, parts) = (AT.into(), "asked for".into(), vec![REST.to_owned()]);
    manifest(seq, Leaf::Erasure(Erasure { at, frame: of, parts, reason }))
}

fn prune(seq: u64, below: u64) -> Manifest {
    manifest(seq, Leaf::Prune { at: AT.into(), below, reason: "age".into() })
}

fn genesis(seq: u64) -> Manifest {
    let leaf = Leaf::Genesis { volume: "volume".into(), vkey: vkey(ORIGIN, 1), created_at: AT.into() };
    manifest(seq, leaf)
}

fn at(seq: u64) -> Location {
    Location { segment: 1, offset: seq, length: 1 }
}

fn leaves(manifests: &[Manifest]) -> Leaves {
    let mut leaves = Leaves::default();
    manifests.iter().for_each(|it| leaves.push(at(it.seq), it));
    leaves
}

/// Proves by which keys the checkpoint of each leaf must be signed: by both that of the leaf that hands over, and by no key
/// of another log or one that was in charge before.
#[test]
fn keys_sign_in_turn() {
    let keys = [1, 2, 3].map(|seed| vkey(ORIGIN, seed));
    let mut chain = Chain::begin(ORIGIN, &keys[0]).unwrap();
    chain.rotate(ORIGIN, &keys[1], 4).unwrap();
    chain.rotate(ORIGIN, &keys[2], 9).unwrap();
    let signers = |seq| chain.signers(seq).iter().map(VerifierKey::to_string).collect::<Vec<_>>();
    for (seqs, expected) in
        [(0..4, &keys[..1]), (4..5, &keys[..2]), (5..9, &keys[1..2]), (9..10, &keys[1..]), (10..12, &keys[2..])]
    {
        seqs.for_each(|seq| assert_eq!(signers(seq), expected, "leaf {seq}"));
    }
    for (seqs, expected) in [(0..5, 1), (5..10, 2), (10..12, 3)] {
        seqs.for_each(|seq| assert_eq!(chain.until(seq), keys[..expected], "leaf {seq}"));
    }
    assert!(chain.rotate(ORIGIN, &keys[0], 20).is_err(), "it was in charge before");
    assert!(chain.rotate(ORIGIN, &vkey("example.com/other", 9), 20).is_err(), "of another log");
    assert!(chain.rotate(ORIGIN, &format!(" {}", vkey(ORIGIN, 9)), 20).is_err(), "not the one form of a key");
    assert_eq!(chain.current().to_string(), keys[2]);
}

/// Proves that a leaf is refused that says what can't be where it lies, and only then.
#[test]
fn leaves_say_what_can_be() {
    let known = leaves(&[genesis(0), frame(1, AT), frame(2, AT)]);
    let check = |manifest: &Manifest| check_manifest(manifest, ORIGIN, 3, ROOT, &known);
    for good in [frame(3, AT), erasure(3, 2), prune(3, 2), prune(3, 3)] {
        assert_eq!(check(&good), Ok(()), "{good:?}");
    }
    let taken = Manifest { seq: 3, ..frame(2, AT) };
    let other = Manifest { origin: "example.com/other".into(), ..frame(3, AT) };
    let astray = Manifest { previous_root: Some([8; 32]), ..frame(3, AT) };
    let Leaf::Frame(headless) = frame(3, AT).leaf else { unreachable!() };
    let headless = manifest(3, Leaf::Frame(FrameLeaf { parts: Vec::new(), ..headless }));
    for bad in [taken, other, astray, headless, genesis(3), frame(4, AT), erasure(3, 3), erasure(3, 4), prune(3, 4)] {
        assert!(check(&bad).is_err(), "{bad:?}");
    }
}

/// Proves what is known of leaves: where they lie, what may be gone and why, how far frames are old, and that forgetting
/// takes just those before.
#[test]
fn leaves_are_found_and_forgotten() {
    let day = |day: u32| format!("2026-11-{day:02}T00:00:00Z");
    let mut known = leaves(&[
        genesis(0),
        frame(1, &day(1)),
        frame(2, &day(2)),
        erasure(3, 2),
        frame(4, &day(1)),
        prune(5, 4),
        frame(6, &day(9)),
    ]);
    let seqs = |known: &Leaves, range: Range<u64>| known.range(range).map(|(seq, _)| seq).collect::<Vec<_>>();
    assert_eq!(seqs(&known, 2..99), [2, 3, 4, 5, 6]);
    let why = |known: &Leaves, seq| known.erased(seq, REST).map(|it| it.seq);
    assert_eq!([1, 2, 4, 6].map(|seq| why(&known, seq)), [Some(5), Some(3), None, None]);
    let before = |text: &str| known.captured_before(UnixNanos::parse(text).unwrap());
    assert_eq!([day(1), day(2), day(3), day(30)].map(|it| before(&it)), [0, 2, 5, 7]);
    known.forget(2);
    assert_eq!(seqs(&known, 0..99), [2, 3, 4, 5, 6]);
    assert_eq!((known.frames.len(), known.frames_pruned, known.frames_total()), (3, 1, 4));
    assert_eq!((why(&known, 2), known.ids.contains_key("frame-1"), known.ids.len()), (Some(3), false, 3));
}

/// Proves that segments without a gap are a log, and nothing else is; what lies before the first that is kept was being
/// removed.
#[test]
fn segments_have_no_gaps() {
    let pruned =
        |segment| Pruned { base: Base { size: 1, edge: vec![], tiles: vec![] }, segment, frames: 0, vkeys: vec![] };
    let found = |names: &[&str], pruned: Option<Pruned>| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("wal")).unwrap();
        for name in names {
            let path = match name.parse() {
                Ok(number) => segment_path(dir.path(), number),
                Err(_) => dir.path().join("wal").join(name),
            };
            std::fs::write(path, "").unwrap();
        }
        segment_numbers(dir.path(), pruned.as_ref()).ok()
    };
    assert_eq!(found(&["1", "2", "3", "4.partial", "notes"], None), Some(1..=3));
    assert_eq!(found(&["1", "3", "4"], Some(pruned(3))), Some(3..=4));
    for names in [&[][..], &["2"], &["1", "3"], &["notes"]] {
        assert_eq!(found(names, None), None, "{names:?}");
    }
    assert_eq!(found(&["1", "2"], Some(pruned(3))), None, "none that is kept");
    assert_eq!(found(&["4"], Some(pruned(3))), None);
}

/// Proves that where a log begins is read as it was written, or not at all.
#[test]
fn a_beginning_is_whole() {
    let mut tree = Tree::default();
    (0..5_u8).for_each(|leaf| tree.push(leaf_hash(&[leaf])));
    let base = tree.base(4).unwrap();
    let whole = Pruned { base, segment: 3, frames: 2, vkeys: vec![vkey(ORIGIN, 1), vkey(ORIGIN, 2)] };
    let begun = |bytes: &[u8]| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(base::base_path(dir.path()), bytes).unwrap();
        begin(dir.path(), ORIGIN)
            .ok()
            .map(|(pruned, scan)| (pruned, scan.tree.size(), scan.chain.current().to_string()))
    };
    let bytes = whole.encode().unwrap();
    assert_eq!(begun(&bytes), Some((Some(whole.clone()), 4, vkey(ORIGIN, 2))));
    let text = String::from_utf8(bytes).unwrap();
    for altered in
        [format!(" {text}"), text.replace("\"frames\":2", "\"frames\":2.0"), text.replace("\"size\":4", "\"size\":5")]
    {
        assert_ne!(altered, text);
        assert_eq!(begun(altered.as_bytes()), None, "{altered}");
    }
    for wrong in [
        Pruned { segment: 0, ..whole.clone() },
        Pruned { vkeys: vec![], ..whole.clone() },
        Pruned { vkeys: vec![vkey("example.com/other", 1)], ..whole },
    ] {
        assert_eq!(begun(&wrong.encode().unwrap()), None, "{wrong:?}");
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("id.json"), genesis(0).encode().unwrap()).unwrap();
    assert!(begin(dir.path(), ORIGIN).is_ok_and(|(pruned, _)| pruned.is_none()));
    assert!(begin(dir.path(), "example.com/other").is_err(), "another log's");
    std::fs::create_dir(base::base_path(dir.path())).unwrap();
    assert!(begin(dir.path(), ORIGIN).is_err(), "what can't be read is not missing");
}

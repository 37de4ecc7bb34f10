//! Bundles that are well made and still wrong: nothing in one counts that the newest checkpoint does not vouch for, and
//! there is one way to write it.

use super::super::bundle::{Bundle, OtherLeaf};
use super::lifecycle::full;
use super::*;
use crate::core::disclosure::Disclosure;
use crate::core::manifest::{Erasure, Leaf, Manifest};
use crate::core::merkle::{Tree, leaf_hash};
use crate::core::note::Signer;
use crate::core::proof::TlogProof;
use crate::engine::store::EraseOrder;

fn found(bundle: &Bundle, vkey: &str) -> Verification {
    verify_bundle(&bundle::write(bundle).unwrap(), vkey)
}

fn wide(dir: &Path) -> Log {
    open_on(dir, Disk::default(), 64 * BLOCK as u64).unwrap()
}

fn bundle_of(log: &Log, number: u32) -> Bundle {
    bundle::read(&log.bundle(&frame(number).id).unwrap().unwrap()).unwrap()
}

fn erase(log: &Log, number: u32, part: &str) {
    let (frame_id, parts) = (frame(number).id, vec![part.to_owned()]);
    log.erase(&EraseOrder { frame_id, parts, reason: "request 12".into(), at: NOW }).unwrap();
}

/// Two frames, parts of the first erased by two leaves, and its bundle.
fn erased_twice() -> (TempDir, String, Bundle) {
    let dir = directory();
    let log = wide(dir.path());
    (1..=2).for_each(|number| drop(log.append(&full(number)).unwrap()));
    erase(&log, 1, "judge");
    erase(&log, 1, "model_route");
    let bundle = bundle_of(&log, 1);
    (dir, Store::vkey(&log), bundle)
}

/// Proves that the leaves of a bundle have one order and come once, and that the report says what was committed.
#[test]
fn leaves_have_one_order() {
    let (_dir, vkey, good) = erased_twice();
    let verified = found(&good, &vkey);
    assert_eq!((verified.outcome, good.leaves.len()), (Outcome::Verified, 2), "{verified}");
    let manifest = Manifest::parse(&good.manifest).unwrap();
    for name in ["judge", "model_route"] {
        let part = manifest.leaf.parts().iter().find(|part| part.name == name).unwrap();
        assert!(verified.report().contains(&part.sd), "{verified}");
    }
    let mut swapped = good.clone();
    swapped.leaves.swap(0, 1);
    let mut doubled = good.clone();
    doubled.leaves.insert(0, good.leaves[0].clone());
    for wrong in [swapped, doubled] {
        assert_eq!(found(&wrong, &vkey).outcome, Outcome::Altered);
    }
}

/// Proves that a cut bundle is told from an altered one.
#[test]
fn a_cut_is_told_from_an_alteration() {
    let (_dir, vkey, good) = erased_twice();
    let whole = bundle::write(&good).unwrap();
    let outcome = |bytes: &[u8]| verify_bundle(bytes, &vkey).outcome;
    assert_eq!(outcome(&whole), Outcome::Verified);
    for cut in [0, 1, 511, 513, whole.len() - 1] {
        assert_eq!(outcome(&whole[..cut]), Outcome::Incomplete, "{cut}");
    }
    assert_eq!(outcome(&[&whole[..], &[0; 512]].concat()), Outcome::Altered);
}

/// A handing over between two keys that are nobody's, well signed by both.
fn foreign_rotation(origin: &str) -> OtherLeaf {
    let [from, to] = [8, 9].map(|seed| Signer::from_seed(origin, &[seed; 32]).unwrap());
    let mut tree = Tree::default();
    (0..2).for_each(|leaf| tree.push([leaf; 32]));
    let leaf = Leaf::KeyRotate { at: NOW.to_string(), vkey: to.verifier().to_string() };
    let manifest = Manifest { origin: origin.to_owned(), seq: 2, previous_root: tree.root_at(2), leaf };
    let manifest = manifest.encode().unwrap();
    tree.push(leaf_hash(&manifest));
    let text = Checkpoint { origin: origin.to_owned(), size: 3, root: tree.root_at(3).unwrap() }.to_string();
    let checkpoint = format!("{text}\n{}{}", from.sign(&text), to.sign(&text));
    let proof = TlogProof { index: 2, path: tree.inclusion_proof(2, 3).unwrap(), checkpoint }.to_string();
    OtherLeaf { seq: 2, manifest, proof }
}

/// Proves that a bundle with a handing over that the given key has no part in is refused, though nothing rests on it.
#[test]
fn a_foreign_rotation_is_refused() {
    let (_dir, vkey, mut bundle) = erased_twice();
    let origin = Manifest::parse(&bundle.manifest).unwrap().origin;
    bundle.leaves.insert(0, foreign_rotation(&origin));
    assert_eq!(found(&bundle, &vkey).outcome, Outcome::Altered);
}

/// Proves that a part must be the very disclosure that was committed: another salt, and it is another.
#[test]
fn another_salt_is_another_disclosure() {
    let (_dir, vkey, mut bundle) = erased_twice();
    let (_, text) = &mut bundle.disclosures[0];
    let said = Disclosure::parse(text).unwrap();
    *text = Disclosure::new([7; 16], &said.name, said.value).encode().unwrap();
    assert_eq!(found(&bundle, &vkey).outcome, Outcome::Altered);
}

/// Proves that nobody without the key can make a part disappear: a well-made erasure in a tree that extends the receipt's
/// counts for nothing when its checkpoint is not signed, whatever the receipt's is.
#[test]
fn an_erasure_needs_a_signature() {
    let dir = directory();
    let log = wide(dir.path());
    log.append(&full(1)).unwrap();
    let (vkey, mut bundle) = (Store::vkey(&log), bundle_of(&log, 1));
    let origin = log.origin();
    let frame = Manifest::parse(&bundle.manifest).unwrap();
    let genesis = std::fs::read(dir.path().join("id.json")).unwrap();
    let mut tree = Tree::default();
    tree.push(leaf_hash(&genesis));
    tree.push(leaf_hash(&bundle.manifest));
    let at = NOW.to_string();
    let erasure = Erasure { at: at.clone(), frame: 1, parts: vec!["judge".into()], reason: "none".into() };
    let previous_root = tree.root_at(2);
    let manifest = Manifest { origin: origin.clone(), seq: 2, previous_root, leaf: Leaf::Erasure(erasure) };
    let manifest = manifest.encode().unwrap();
    tree.push(leaf_hash(&manifest));
    let mallory = Signer::from_seed(&origin, &[9; 32]).unwrap();
    let checkpoint = mallory.sign_checkpoint(3, tree.root_at(3).unwrap());
    let path = tree.inclusion_proof(2, 3).unwrap();
    let proof = TlogProof { index: 2, path, checkpoint: checkpoint.clone() }.to_string();
    bundle.leaves = vec![OtherLeaf { seq: 2, manifest, proof }];
    bundle.consistency = tree
        .consistency_proof(2, 3)
        .unwrap()
        .iter()
        .map(|hash| format!("{}\n", crate::core::note::base64(hash)))
        .collect();
    bundle.checkpoint = checkpoint;
    bundle.disclosures.retain(|(name, _)| name != "judge");
    let slots = frame.leaf.parts().iter().map(|part| {
        let there = bundle.disclosures.iter().find(|(name, _)| *name == part.name);
        there.map_or(wal::Slot::Blank, |(_, text)| wal::Slot::Open(text))
    });
    let why = crate::core::frame::parts::Erased { seq: 2, at, reason: "none".into() };
    bundle.frame = recovery::frame_bytes(&frame, &slots.collect::<Vec<_>>(), |_| Some(why.clone())).unwrap();
    let refused = found(&bundle, &vkey);
    assert_eq!((refused.outcome, refused.level), (Outcome::Altered, Some(Level::L0)), "{refused}");
    let believed = found(&bundle, &mallory.verifier().to_string());
    assert_eq!(believed.outcome, Outcome::Verified, "but for the signature it is well made: {believed}");
}

/// Proves that a wrong signature of the log's own key is refused wherever it stands, also where another would do, and
/// that a rotation must be proven where both keys signed.
#[test]
fn signatures_and_rotations_are_right_or_not_there() {
    let dir = directory();
    let log = wide(dir.path());
    log.append(&full(1)).unwrap();
    let old = Store::vkey(&log);
    log.make_next_key().unwrap();
    drop(log);
    let log = wide(dir.path());
    log.append(&full(2)).unwrap();
    let good = bundle_of(&log, 1);
    assert_eq!((found(&good, &old).outcome, good.leaves.len()), (Outcome::Verified, 1));
    let mut wrong = good.clone();
    let line = wrong.proof.lines().last().unwrap().to_owned();
    let other = good.checkpoint.lines().last().unwrap().to_owned();
    let signature = |line: &str| crate::core::note::from_base64(line.rsplit(' ').next().unwrap()).unwrap();
    let mixed = [&signature(&line)[..4], &signature(&other)[4..]].concat();
    let head = line.rsplit_once(' ').unwrap().0;
    wrong.proof = wrong.proof.replace(&line, &format!("{head} {}", crate::core::note::base64(&mixed)));
    assert_eq!(found(&wrong, &old).outcome, Outcome::Altered);
    let mut silent = good.clone();
    silent.leaves.clear();
    let outcome = |bundle: &Bundle| found(bundle, &old).outcome;
    // While both keys sign, the old one vouches for the newest checkpoint itself.
    assert_eq!(outcome(&silent), Outcome::Verified);
    let mut later = good;
    let (tree, note) = (log.index().tree.clone(), log.index().note.clone());
    let (seq, size) = (later.leaves[0].seq, tree.size());
    let path = tree.inclusion_proof(seq, size).unwrap();
    later.leaves[0].proof = TlogProof { index: seq, path, checkpoint: note }.to_string();
    assert_eq!(outcome(&later), Outcome::Altered, "a rotation is proven to its own checkpoint");
}

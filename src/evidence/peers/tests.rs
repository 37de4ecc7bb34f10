use super::*;
use crate::config::Evidence;
use crate::core::merkle::{Tree, leaf_hash};
use crate::core::note::Signer;
use crate::core::witness::{Refusal, Request};
use crate::evidence::tests::faults::{Faults, How};

const ORIGIN: &str = "example.com/ours";
const THEIRS: &str = "example.com/theirs";
const NOW: UnixNanos = UnixNanos(1_795_313_940_000_000_000);

fn theirs() -> Signer {
    Signer::from_seed(THEIRS, &[7; 32]).unwrap()
}

fn config() -> Evidence {
    Evidence { witnessed_logs: vec![theirs().verifier().clone()], ..Evidence::default() }
}

fn entropy(seed: u8) -> Entropy {
    Box::new(move |bytes| {
        bytes.fill(seed);
        Ok(())
    })
}

fn open(dir: &Path) -> Result<Peers, OpenError> {
    Peers::open(dir, ORIGIN, &config(), entropy(1)).map(|peers| peers.expect("a log is configured"))
}

fn history(fork: u8) -> Tree {
    let mut tree = Tree::default();
    (0..9_u8).for_each(|leaf| tree.push(leaf_hash(&[leaf, if leaf < 4 { 0 } else { fork }])));
    tree
}

fn body(tree: &Tree, old_size: u64, size: u64) -> Vec<u8> {
    let proof = tree.consistency_proof(old_size, size).unwrap_or_default();
    let note = theirs().sign_checkpoint(size, tree.root_at(size).unwrap());
    Request { old_size, proof, note }.to_string().into_bytes()
}

fn kept(dir: &Path, name: &str) -> Option<String> {
    std::fs::read_to_string(memory(dir, THEIRS).join(name)).ok()
}

/// Proves that what was cosigned is remembered over restarts with both signatures, that key and name stay whatever the
/// log's origin becomes, and that a cosignature verifies under the vkey.
#[test]
fn what_was_cosigned_is_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let tree = history(0);
    let peers = open(dir.path()).unwrap();
    let key = WitnessKey::parse(&peers.vkey()).unwrap();
    assert_eq!(key.name(), ORIGIN);
    assert_eq!(peers.remembered(&sha256_hex(THEIRS.as_bytes())).unwrap(), None);
    let Ok(Reply::Cosigned(line)) = peers.add_checkpoint(&body(&tree, 0, 5), NOW) else { panic!("not cosigned") };
    drop(peers);

    let peers = Peers::open(dir.path(), "example.com/ours#2", &config(), entropy(2)).unwrap().unwrap();
    assert_eq!(peers.vkey(), key.to_string());
    let note = peers.remembered(&sha256_hex(THEIRS.as_bytes())).unwrap().unwrap();
    let note = std::str::from_utf8(&note).unwrap();
    assert_eq!(note, theirs().sign_checkpoint(5, tree.root_at(5).unwrap()) + &line);
    assert_eq!((key.open(note), theirs().verifier().open(note).is_ok()), (Ok(Some(1_795_313_940)), true));
    assert_eq!(peers.add_checkpoint(&body(&tree, 0, 6), NOW).unwrap(), Reply::Conflict(5));
    assert!(matches!(peers.add_checkpoint(&body(&tree, 5, 6), NOW), Ok(Reply::Cosigned(_))));
    assert_eq!(peers.add_checkpoint(b"", NOW).unwrap(), Reply::Refused(Refusal::Malformed("request")));
    for unknown in ["", "..", &sha256_hex(b"other")] {
        assert_eq!(peers.remembered(unknown).unwrap(), None);
    }
}

/// Proves that both notes of a fork are kept, the first of them, and that they prove it without this witness.
#[test]
fn the_first_fork_is_kept_as_evidence() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, fork, other) = (history(0), history(1), history(2));
    let peers = open(dir.path()).unwrap();
    assert!(matches!(peers.add_checkpoint(&body(&tree, 0, 6), NOW), Ok(Reply::Cosigned(_))));
    assert_eq!(peers.add_checkpoint(&body(&fork, 6, 8), NOW).unwrap(), Reply::Inconsistent);
    assert_eq!(kept(dir.path(), "conflict"), None, "a proof that does not hold proves nothing");
    assert!(kept(dir.path(), "inconsistent").is_some());
    for forked in [&fork, &other] {
        assert_eq!(peers.add_checkpoint(&body(forked, 6, 6), NOW).unwrap(), Reply::Inconsistent);
    }
    let conflict = kept(dir.path(), "conflict").unwrap();
    let (ours, request) = conflict.split_once("\n\nold ").unwrap();
    let (ours, request) = (format!("{ours}\n"), Request::parse(format!("old {request}").as_bytes()).unwrap());
    let opened = [&ours, &request.note].map(|note| theirs().verifier().open_checkpoint(note).unwrap());
    assert_eq!((opened[0].size, opened[1].size), (6, 6));
    assert_eq!((opened[0].root, opened[1].root), (tree.root_at(6).unwrap(), fork.root_at(6).unwrap()));
    assert!(
        matches!(peers.add_checkpoint(&body(&tree, 6, 8), NOW), Ok(Reply::Cosigned(_))),
        "the first history goes on"
    );
}

/// Proves that requests that come at once are decided one after another: of two histories only one is ever cosigned, and
/// what is remembered is the last that was.
#[test]
fn concurrent_requests_see_one_memory() {
    let dir = tempfile::tempdir().unwrap();
    let peers = open(dir.path()).unwrap();
    let histories = [history(0), history(1)];
    let (histories, peers) = (&histories, &peers);
    let submit = |tree: &Tree| {
        let mut cosigned = Vec::new();
        let mut old_size = 0;
        for size in 5..=9 {
            match peers.add_checkpoint(&body(tree, old_size, size), NOW).unwrap() {
                Reply::Cosigned(_) => {
                    cosigned.push(tree.root_at(size).unwrap());
                    old_size = size;
                }
                Reply::Conflict(known) => old_size = known.min(size),
                Reply::Inconsistent => {}
                Reply::Refused(why) => panic!("{why:?}"),
            }
        }
        cosigned
    };
    let cosigned = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|thread| scope.spawn(move || submit(&histories[thread % 2]))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let of = |tree: &Tree| cosigned.iter().all(|root| (5..=9).any(|size| tree.root_at(size) == Some(*root)));
    assert!(!cosigned.is_empty() && histories.iter().any(of));
    let (_, last) = peers.last(THEIRS).unwrap().unwrap();
    assert!(cosigned.contains(&last.root));
}

/// Proves that no cosignature is given for what could not be remembered, at whatever step the disk fails, and that the
/// witness is whole afterwards.
#[test]
fn nothing_is_cosigned_that_is_not_durable() {
    for how in [How::Before, How::After, How::Torn, How::Backwards, How::Lie, How::Lost] {
        let failures = (0..20).take_while(|step| !is_cosigned_with_a_fault(*step, how)).count();
        assert!((3..20).contains(&failures), "{how:?}: {failures}");
    }
}

fn is_cosigned_with_a_fault(step: usize, how: How) -> bool {
    let (dir, tree) = (tempfile::tempdir().unwrap(), history(0));
    drop(open(dir.path()).unwrap());
    // Opening syncs two directories.
    let disk = Disk { faults: Faults::new(step + 2, how, false) };
    let peers = Peers::open_on(disk, dir.path(), ORIGIN, &config(), entropy(1)).unwrap().unwrap();
    let reply = peers.add_checkpoint(&body(&tree, 0, 5), NOW);
    let again = open(dir.path()).unwrap().add_checkpoint(&body(&tree, 0, 5), NOW).unwrap();
    match reply {
        Ok(Reply::Cosigned(_)) => assert_eq!(again, Reply::Conflict(5), "{how:?} at {step}: forgotten"),
        Err(StoreError::Retry(_)) => {
            // The rename may have happened: then it is remembered, and the log is told so.
            assert!(matches!(again, Reply::Cosigned(_) | Reply::Conflict(5)), "{how:?} at {step}: {again:?}");
        }
        other => panic!("{how:?} at {step}: {other:?}"),
    }
    // A lie about what was not a write is none, so the steps end where the plan was not reached.
    matches!(reply, Ok(Reply::Cosigned(_))) && step > 2
}

/// Proves that a witness that lost or altered its memory or key does not cosign: it refuses to start, or to answer.
#[test]
fn a_witness_without_its_memory_is_silent() {
    let dir = tempfile::tempdir().unwrap();
    let (key, vkey) = (dir.path().join("keys").join(KEY_FILE), dir.path().join("peers/vkey"));
    let tree = history(0);
    let began = {
        let peers = open(dir.path()).unwrap();
        assert!(matches!(peers.add_checkpoint(&body(&tree, 0, 5), NOW), Ok(Reply::Cosigned(_))));
        let path = memory(dir.path(), THEIRS).join("checkpoint");
        let good = std::fs::read(&path).unwrap();
        for length in [0, 1, good.len() / 2] {
            std::fs::write(&path, &good[..length]).unwrap();
            assert!(matches!(peers.add_checkpoint(&body(&tree, 5, 6), NOW), Err(StoreError::Fatal(_))));
        }
        let altered = String::from_utf8(good.clone()).unwrap().replacen("\n5\n", "\n6\n", 1);
        std::fs::write(&path, altered).unwrap();
        assert!(matches!(peers.add_checkpoint(&body(&tree, 6, 7), NOW), Err(StoreError::Fatal(_))));
        std::fs::write(&path, good).unwrap();
        peers.vkey()
    };
    let name = std::fs::read(&vkey).unwrap();
    std::fs::remove_file(&vkey).unwrap();
    assert!(matches!(open(dir.path()), Err(OpenError::Key(why)) if why.contains("lost its memory")));
    std::fs::write(&vkey, name).unwrap();
    std::fs::write(&key, [3; 32]).unwrap();
    assert!(matches!(open(dir.path()), Err(OpenError::Key(why)) if why.contains("not the key")));
    std::fs::remove_file(&key).unwrap();
    let peers = Peers::open(dir.path(), ORIGIN, &config(), entropy(9)).unwrap().unwrap();
    assert_ne!(peers.vkey(), began, "a lost key is a new witness");
    assert_eq!(
        peers.add_checkpoint(&body(&tree, 0, 6), NOW).unwrap(),
        Reply::Conflict(5),
        "which remembers all the same"
    );
    let nobody = Peers::open(dir.path(), ORIGIN, &Evidence::default(), entropy(1)).unwrap();
    assert!(nobody.is_none());
}

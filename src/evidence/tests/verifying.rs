//! What a verification says besides its outcome: what was checked, what could not be, and each finding by name.

use super::lifecycle::{full, wide};
use super::tiles::Tile;
use super::*;
use crate::core::note::Signer;
use crate::engine::store::EraseOrder;

fn has(lines: &[String], start: &str) -> bool {
    lines.iter().any(|line| line.starts_with(start))
}

/// Proves that what was checked is told, and what a key alone cannot tell just where nothing else was brought.
#[test]
fn what_a_key_alone_cannot_tell_is_told() {
    let (dir, vkey, receipts) = log_with(2);
    let [alone, remembered] = [None, Some(receipts[1].checkpoint.as_str())].map(|it| verify(dir.path(), &vkey, it));
    for found in [&alone, &remembered] {
        assert!(has(&found.checked, "2 frames: parts, manifests, tree and 3 checkpoints"), "{found}");
        assert!(has(&found.not_checked, "that the times are true"), "{found}");
    }
    assert!(has(&alone.not_checked, "another history") && !has(&remembered.not_checked, "another history"));
}

/// Proves that a policy for other logs is refused, and one for this log among them, or for any, is asked.
#[test]
fn a_policy_for_other_logs_is_refused() {
    let (dir, vkey, _) = log_with(1);
    let other = Signer::from_seed("example.com/other", &[3; 32]).unwrap().verifier().to_string();
    let asked = |logs: &[&str]| {
        let logs: String = logs.iter().map(|vkey| format!("log {vkey}\n")).collect();
        verify_with_policy(dir.path(), &vkey, None, Some(format!("{logs}quorum none\n").as_bytes())).outcome
    };
    assert_eq!(asked(&[&other]), Outcome::Usage);
    for logs in [vec![], vec![vkey.as_str()], vec![&other, &vkey]] {
        assert_eq!(asked(&logs), Outcome::Verified, "{logs:?}");
    }
}

/// What is said of a log of two frames after a change to its directory.
fn after(change: impl Fn(&Path)) -> Verification {
    let (dir, vkey, _) = log_with(2);
    change(dir.path());
    verify(dir.path(), &vkey, None)
}

/// Proves that derived files are compared byte by byte, and that every file that is not the log's is told.
#[test]
fn what_is_not_the_logs_is_told() {
    let written = |name: &str| after(|dir| std::fs::write(dir.join(name), b"x").unwrap());
    for (name, outcome, finding) in [
        ("tile/0/000.p/3", Outcome::Altered, "tile/0/000.p/3 is not what the log says"),
        ("tile/0/strange", Outcome::Altered, "tile/0/strange does not belong to the log"),
        ("tile/0/strange.tmp", Outcome::Incomplete, "tile/0/strange.tmp does not belong to the log"),
        ("wal/strange", Outcome::Altered, "wal/strange does not belong to the log"),
    ] {
        let found = written(name);
        assert_eq!(found.outcome, outcome, "{found}");
        assert!(has(&found.findings, finding), "{found}");
    }
    let found = written("notes.txt");
    assert_eq!(found.outcome, Outcome::Verified, "{found}");
    let strangers = found.not_checked.iter().filter(|line| line.ends_with("not a file of the log"));
    assert_eq!(strangers.collect::<Vec<_>>(), ["notes.txt: not a file of the log"]);
}

/// Proves that a directory is refused by its genesis when that is another log's, and that more findings than anybody reads are
/// cut short.
#[test]
fn findings_are_bounded() {
    let other = directory();
    let config = Evidence { origin: "example.com/other".into(), ..Evidence::default() };
    drop(Log::open_with(other.path(), &config, NOW, entropy(2), &options(Disk::default(), SEGMENT)).unwrap());
    let found = after(|dir| {
        std::fs::copy(other.path().join("id.json"), dir.join("id.json")).unwrap();
    });
    assert!(has(&found.findings, "id.json: this is the log example.com/other/"), "{found}");
    let many =
        |dir: &Path| (0..150).for_each(|n| std::fs::write(dir.join(format!("tile/0/strange-{n}")), b"x").unwrap());
    let found = after(many);
    assert_eq!((found.findings.len(), found.findings.last().map(String::as_str)), (101, Some("and more")), "{found}");
}

/// Proves that a published checkpoint that is older is behind, whether or not its leaf is still there, and no contradiction.
#[test]
fn an_older_checkpoint_is_behind() {
    let dir = directory();
    let log = wide(dir.path());
    let published = || std::fs::read(dir.path().join("checkpoint")).unwrap();
    log.append(&full(1)).unwrap();
    let first = published();
    (2..=9).for_each(|number| drop(log.append(&full(number)).unwrap()));
    let vkey = log.vkey();
    let found = |note: &[u8]| {
        let newest = published();
        std::fs::write(dir.path().join("checkpoint"), note).unwrap();
        let found = verify(dir.path(), &vkey, None);
        std::fs::write(dir.path().join("checkpoint"), newest).unwrap();
        (found.outcome, found.findings)
    };
    let behind = (Outcome::Incomplete, vec!["checkpoint is behind (opening the log rebuilds it)".to_owned()]);
    assert_eq!(found(&first), behind);
    log.prune(6, "older than 90d", NOW).unwrap();
    assert_eq!(found(&first), behind);
    assert_eq!(found(b"nonsense").0, Outcome::Altered);
}

/// Proves that of a log that was pruned the checkpoints of what is left are counted, and that what was erased is told of the
/// frames that are left alone.
#[test]
fn a_pruned_log_tells_what_is_left() {
    let dir = directory();
    let log = wide(dir.path());
    (1..=9).for_each(|number| drop(log.append(&full(number)).unwrap()));
    for number in [1, 6] {
        let parts = vec!["judge".to_owned()];
        log.erase(&EraseOrder { frame_id: frame(number).id, parts, reason: "request 12".into(), at: NOW }).unwrap();
    }
    log.prune(6, "older than 90d", NOW).unwrap();
    let vkey = log.vkey();
    drop(log);
    let found = verify(dir.path(), &vkey, None);
    assert_eq!((found.outcome, found.frames), (Outcome::Verified, 4), "{found}");
    assert!(
        has(&found.not_checked, "judge of leaf 6: ERASED") && !has(&found.not_checked, "judge of leaf 1"),
        "{found}"
    );
    let scan = recovery::scan(dir.path(), vkey.split('+').next().unwrap(), u64::MAX).unwrap();
    let (size, first) = (scan.tree.size(), scan.leaves.first);
    assert!(first > 1, "{first}");
    assert!(
        has(&found.checked, &format!("4 frames: parts, manifests, tree and {} checkpoints", size - first)),
        "{found}"
    );
}

/// Proves that every tile has to be there but those whose leaves are pruned, up to the first that is kept.
#[test]
fn tiles_of_what_is_kept_have_to_be_there() {
    let dir = directory();
    let log = open_on(dir.path(), Disk::default(), 4 * BLOCK as u64).unwrap();
    (1..=300).for_each(|number| drop(log.append(&frame(number)).unwrap()));
    log.prune(256, "older than 90d", NOW).unwrap();
    let vkey = log.vkey();
    drop(log);
    let scan = recovery::scan(dir.path(), vkey.split('+').next().unwrap(), u64::MAX).unwrap();
    assert_eq!(scan.leaves.first, 256, "a tile begins with the first leaf that is kept");
    let tiles: Vec<Tile> = Tile::all(scan.tree.size()).into_iter().collect();
    assert!(tiles.iter().any(|tile| tile.level == Some(1)) && tiles.len() > 4, "{}", tiles.len());
    for tile in tiles {
        let path = dir.path().join(tile.to_string());
        let is_of_leaves = tile.level.is_none_or(|level| level == 0);
        if is_of_leaves && tile.entries().start < 256 {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let found = verify(dir.path(), &vkey, None);
        assert!(has(&found.findings, &format!("{tile} is missing")), "{tile}: {found}");
        std::fs::write(&path, bytes).unwrap();
    }
}

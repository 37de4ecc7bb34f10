//! The evidence log from outside: a process killed while it appends, a full disk, and verification without us.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use freezeframe::config::{Config, Evidence};
use freezeframe::core::time::UnixNanos;
use freezeframe::engine::store::{EraseOrder, FrameBytes, Store, StoreError};
use freezeframe::evidence::{Level, Log, Outcome, os_entropy, verify};
use serde_json::{Map, json};
use tempfile::TempDir;

/// Set in the child that [`killed_appenders_lose_nothing`] starts: the directory to append to.
const CHILD: &str = "FREEZEFRAME_TEST_APPEND_TO";
/// How often the child is killed.
const KILLS: u32 = 20;

fn open(dir: &Path) -> Log {
    let evidence = Evidence { origin: "example.com/test".into(), ..Evidence::default() };
    Log::open(dir, &evidence, UnixNanos(1_795_313_940_000_000_000), os_entropy()).unwrap()
}

fn frame(id: &str, padding: usize) -> FrameBytes {
    let mut body = Map::new();
    body.insert("id".into(), json!(id));
    body.insert("padding".into(), json!("x".repeat(padding)));
    let captured_at = "2026-11-22T02:19:00.000Z".into();
    FrameBytes { id: id.into(), captured_at, feature: "checkout".into(), fingerprint: "f00d".into(), body }
}

/// The child: appends frames for ever and prints a receipt a line. Without the variable it is no test at all.
#[test]
#[expect(clippy::disallowed_methods, reason = "how the parent tells its child what to do")]
fn child_appends_until_it_is_killed() {
    let Ok(dir) = std::env::var(CHILD) else { return };
    let log = open(Path::new(&dir));
    let mut out = std::io::stdout().lock();
    for number in 0_u64.. {
        let id = format!("{}-{number}", std::process::id());
        let length = usize::try_from(number % 7).unwrap() * 3000;
        let receipt = log.append(&frame(&id, length)).unwrap();
        writeln!(out, "receipt {} {} {}", receipt.frame_id, receipt.frame_sha256, receipt.checkpoint).unwrap();
        out.flush().unwrap();
    }
}

/// Runs the child until it printed `receipts` receipts, kills it at once, and returns all it had printed.
fn receipts_of_a_killed_child(dir: &Path, receipts: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "evidence::child_appends_until_it_is_killed", "--nocapture"])
        .env(CHILD, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // A line cut by the kill was never received.
    let receipt =
        |line: String| line.split("receipt ").nth(1).filter(|line| line.split(' ').count() == 5).map(str::to_owned);
    let mut printed: Vec<_> = lines.by_ref().map_while(Result::ok).filter_map(receipt).take(receipts).collect();
    // The child is anywhere in its loop by now: the pipe lets it run ahead.
    child.kill().unwrap();
    child.wait().unwrap();
    printed.extend(lines.map_while(Result::ok).filter_map(receipt));
    printed
}

/// Proves that kill -9 at any moment loses no printed receipt, and that the log verifies after the next opening.
#[test]
fn killed_appenders_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let vkey = open(dir.path()).vkey();
    let mut receipts = Vec::new();
    for kill in 0..KILLS {
        // Different counts end the child at different places of its loop; the first kills hit recovery's own work.
        receipts.extend(receipts_of_a_killed_child(dir.path(), usize::try_from(kill % 5).unwrap()));
        let found = verify(dir.path(), &vkey, None);
        assert!(matches!(found.outcome, Outcome::Verified | Outcome::Incomplete), "kill {kill}: {found}");
    }
    let log = open(dir.path());
    let bundles = tempfile::tempdir().unwrap();
    assert!(receipts.len() >= 40, "{} receipts", receipts.len());
    assert!(log.size() >= receipts.len() as u64);
    for receipt in receipts {
        let (id, rest) = receipt.split_once(' ').unwrap();
        let (sha256, checkpoint) = rest.split_once(' ').unwrap();
        let bundle = bundles.path().join(id);
        std::fs::write(&bundle, log.bundle(id).unwrap().expect("the frame is there")).unwrap();
        let found = verify(&bundle, &vkey, Some(checkpoint));
        assert_eq!((found.outcome, found.level), (Outcome::Verified, Some(Level::L2)), "{found}");
        let digest = sha256_of(&log.frame(id).unwrap().unwrap());
        assert_eq!(digest, sha256);
    }
    drop(log);
    assert_eq!(verify(dir.path(), &vkey, None).outcome, Outcome::Verified);
}

fn sha256_of(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A small file system of its own; unmounted when dropped.
struct Mount(TempDir);

impl Mount {
    fn tmpfs(bytes: u64) -> Result<Self, String> {
        let dir = tempfile::tempdir().unwrap();
        let options = format!("size={bytes}");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(dir.path()).output();
        match mount {
            Ok(output) if output.status.success() => Ok(Self(dir)),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(self.0.path()).status());
    }
}

/// Proves that a full disk does not stop the log while it has preallocated room, the spare segment included; that it
/// then says "later" and nothing false; and that it goes on once there is room.
#[test]
fn a_full_disk_still_takes_frames() {
    let mount = match Mount::tmpfs(64 * 1024 * 1024) {
        Ok(mount) => mount,
        Err(why) => return eprintln!("skipped: needs root to mount a tmpfs: {why}"),
    };
    let dir = mount.0.path().join("log");
    let log = open(&dir);
    let vkey = log.vkey();
    let mut receipts = vec![log.append(&frame("before", 100)).unwrap()];
    fill(&mount.0.path().join("ballast"));
    let refused = (0..).find_map(|number| match log.append(&frame(&format!("{number}"), 100_000)) {
        Ok(receipt) => {
            receipts.push(receipt);
            None
        }
        Err(error) => Some((number, error)),
    });
    let (number, error) = refused.unwrap();
    assert!(matches!(error, StoreError::Retry(_)), "{error}");
    // Two segments of 8 MiB at 35 blocks of 4 KiB a frame, less the header and the frame before; at least 32 are promised.
    assert!(receipts.len() > 110, "{} frames", receipts.len());
    assert_eq!(log.size(), receipts.len() as u64);
    let found = verify(&dir, &vkey, None);
    assert_eq!(found.outcome, Outcome::Incomplete, "derived files could not be written: {found}");
    drop(log);
    let log = open(&dir);
    assert_eq!(log.size(), receipts.len() as u64, "opening needs no free block");
    let late = frame(&format!("{number}"), 100_000);
    assert!(matches!(log.append(&late), Err(StoreError::Retry(_))));
    std::fs::remove_file(mount.0.path().join("ballast")).unwrap();
    receipts.push(log.append(&late).unwrap());
    drop(log);
    drop(open(&dir));
    let found = verify(&dir, &vkey, Some(&receipts.last().unwrap().checkpoint));
    assert_eq!((found.outcome, found.frames), (Outcome::Verified, receipts.len() as u64), "{found}");
}

fn fill(path: &Path) {
    let mut file = std::fs::File::create(path).unwrap();
    let mut chunk = vec![1; 64 * 1024];
    while !chunk.is_empty() {
        if file.write_all(&chunk).is_err() {
            let smaller = chunk.len() / 2;
            chunk.truncate(smaller);
        }
    }
}

/// Runs the bundle's own script in a directory with the bundle's files, one of them replaced.
fn verify_sh(bundle: &[u8], vkey: &str, replace: Option<(&str, &[u8])>) -> (Option<i32>, String) {
    let dir = tempfile::tempdir().unwrap();
    tar::Archive::new(bundle).unpack(dir.path()).unwrap();
    if let Some((name, contents)) = replace {
        std::fs::write(dir.path().join(name), contents).unwrap();
        // Whoever alters a file can make the sums right again.
        let sums = "find . -type f ! -name SHA256SUMS -printf '%P\\n' | xargs sha256sum > SHA256SUMS";
        assert!(Command::new("bash").args(["-c", sums]).current_dir(dir.path()).status().unwrap().success());
    }
    let output = Command::new("bash").arg(dir.path().join("verify.sh")).arg(vkey).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.code(), text)
}

/// A frame with a variable and samples.
fn with_parts(id: &str) -> FrameBytes {
    let mut frame = frame(id, 10);
    let judge = json!({"state": "captured", "detail": {"text": "caf\u{e9} \"quoted\" \\ \n"}});
    let prompt = json!({"state": "partial", "detail": {}});
    frame.body.insert("variables".into(), json!({"judge": judge, "prompt_revision": prompt}));
    frame.body.insert("samples".into(), json!({"failing": [{"user_query": "who? \u{1f600}"}], "healthy": []}));
    frame
}

fn file(bundle: &[u8], name: &str) -> String {
    let mut archive = tar::Archive::new(bundle);
    let mut entry = archive.entries().unwrap().map(Result::unwrap).find(|e| e.path().unwrap().ends_with(name)).unwrap();
    let mut contents = String::new();
    std::io::Read::read_to_string(&mut entry, &mut contents).unwrap();
    contents
}

/// Proves that an auditor with bash, openssl and coreutils alone reaches the same verdicts.
#[test]
fn bundles_verify_without_us() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    (1..=6).for_each(|number| drop(log.append(&with_parts(&number.to_string())).unwrap()));
    let vkey = log.vkey();
    for id in ["1", "4", "6"] {
        let (status, text) = verify_sh(&log.bundle(id).unwrap().unwrap(), &vkey, None);
        assert_eq!(status, Some(0), "{text}");
        assert!(text.contains(&format!("is number {id} of example.com/test/")), "{text}");
    }
    let bundle = log.bundle("4").unwrap().unwrap();
    let file = |name: &str| file(&bundle, name);
    let (proof, checkpoint, manifest) = (file("frame.tlog-proof"), file("checkpoint"), file("manifest.json"));
    // The spare bits of the last base64 character of the first hash: the same 32 bytes for a careless decoder.
    let hash = proof.lines().nth(2).unwrap();
    let last = hash.as_bytes()[42];
    let spare = format!("{}{}=", &hash[..42], char::from(if last == b'8' { b'9' } else { last + 1 }));
    let judge = file("disclosures/judge.sd");
    let altered = [
        ("frame.json", file("frame.json").replace("xxx", "xxy")),
        ("frame.json", file("frame.json").replace("captured\"", "missing\"")),
        ("frame.json", format!("{}\n", file("frame.json"))),
        ("manifest.json", manifest.replace("checkout", "checkouT")),
        ("manifest.json", format!("{manifest}\n")),
        ("frame.tlog-proof", proof.replace("index 4", "index 3")),
        ("frame.tlog-proof", proof.replace(hash, &spare)),
        ("frame.tlog-proof", format!("{proof}\n")),
        ("checkpoint", checkpoint.replace("\n7\n", "\n6\n")),
        ("checkpoint", proof.split_once("\n\n").unwrap().1.to_owned()),
        ("consistency", String::new()),
        ("disclosures/judge.sd", format!("{judge}A")),
        ("disclosures/judge.sd", file("disclosures/prompt_revision.sd")),
    ];
    for (name, contents) in altered {
        let (status, text) = verify_sh(&bundle, &vkey, Some((name, contents.as_bytes())));
        assert_eq!(status, Some(1), "{name}: {text}");
    }
    let other = open(tempfile::tempdir().unwrap().path()).vkey();
    assert_eq!(verify_sh(&bundle, &other, None).0, Some(1));
    let renamed = vkey.replace("example.com", "example.org");
    assert_eq!(verify_sh(&bundle, &renamed, None).0, Some(1));
    assert_eq!(verify_sh(&bundle, "nonsense", None).0, Some(1));
}

/// Proves the same of frames with erased parts, and of keys that handed over to each other.
#[test]
fn erasures_and_rotations_verify_without_us() {
    let dir = tempfile::tempdir().unwrap();
    let (key, next) = (dir.path().join("1.key"), dir.path().join("2.key"));
    std::fs::write(&key, [1; 32]).unwrap();
    std::fs::write(&next, [2; 32]).unwrap();
    let base = Evidence { origin: "example.com/test".into(), ..Config::default().evidence };
    let open = |key: &Path, previous: Option<&Path>| {
        let (key_file, previous_key_file) = (Some(key.to_owned()), previous.map(Path::to_owned));
        let config = Evidence { key_file, previous_key_file, ..base.clone() };
        Log::open(&dir.path().join("log"), &config, UnixNanos(1_795_313_940_000_000_000), os_entropy()).unwrap()
    };
    let log = open(&key, None);
    let old = log.vkey();
    log.append(&with_parts("1")).unwrap();
    drop(log);
    drop(open(&next, Some(&key)));
    let log = open(&next, None);
    log.append(&with_parts("2")).unwrap();
    let at = UnixNanos(1_795_313_940_000_000_000);
    let reason = "asked for: \"ticket 12\" \\ caf\u{e9}".to_owned();
    let order = EraseOrder { frame_id: "1".into(), parts: vec!["judge".into()], reason, at };
    log.erase(&order).unwrap();
    for vkey in [old, log.vkey()] {
        for id in ["1", "2"] {
            let bundle = log.bundle(id).unwrap().unwrap();
            let path = dir.path().join("bundle.tar");
            std::fs::write(&path, &bundle).unwrap();
            let ours = verify(&path, &vkey, None);
            assert_eq!((ours.outcome, ours.level), (Outcome::Verified, Some(Level::L1)), "{ours}");
            let (status, text) = verify_sh(&bundle, &vkey, None);
            assert_eq!(status, Some(0), "{id}: {text}");
            assert_eq!(text.contains("ERASED: judge"), id == "1", "{text}");
        }
    }
    let bundle = log.bundle("1").unwrap().unwrap();
    let manifest = file(&bundle, "leaves/4.json");
    let (status, text) =
        verify_sh(&bundle, &log.vkey(), Some(("leaves/4.json", manifest.replace("12", "13").as_bytes())));
    assert_eq!(status, Some(1), "{text}");
}

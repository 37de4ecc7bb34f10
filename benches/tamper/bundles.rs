//! Structured mutations of bundles: files, lines, JSON, names, base64, keys, sums and tar, one to three at a time.
//!
//! What a mutant may still do is say the same: lose or change a line of a witness, whose key no verifier here has, or be
//! made whole again. So it counts as accepted when it verifies and its verification or its frame is not that of a genuine
//! bundle.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use freezeframe::core::note::{base64, from_base64};
use freezeframe::evidence::{Level, Outcome, Verification, verify};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;

use super::archive::{self, Files, Trick};
use super::logs::{self, World};
use super::threads;

/// A bundle on its way to something else.
struct Draft {
    files: Files,
    trick: Trick,
    are_sums_right: bool,
}

type Mutation = (&'static str, fn(&mut Draft, &World, &mut StdRng));

const MUTATIONS: &[Mutation] = &[
    ("swap two files", |draft, _, rng| {
        let (one, other) = (any(draft, rng), any(draft, rng));
        let contents = std::mem::take(&mut draft.files[one].1);
        draft.files[one].1 = std::mem::replace(&mut draft.files[other].1, contents);
    }),
    ("reorder", |draft, _, rng| {
        let (one, other) = (any(draft, rng), any(draft, rng));
        draft.files.swap(one, other);
    }),
    ("duplicate", |draft, _, rng| {
        let file = draft.files[any(draft, rng)].clone();
        let at = any(draft, rng);
        draft.files.insert(at, file);
    }),
    ("duplicate with other contents", |draft, world, rng| {
        let file = draft.files[any(draft, rng)].0.clone();
        let contents = donor(world, rng).choose(rng).expect("files").1.clone();
        let at = any(draft, rng);
        draft.files.insert(at, (file, contents));
    }),
    ("drop", |draft, _, rng| {
        let at = any(draft, rng);
        if draft.files.len() > 1 {
            draft.files.remove(at);
        }
    }),
    ("drop leaves", |draft, _, rng| {
        let keep = rng.random::<u64>();
        let is_kept = |name: &str| name.bytes().map(u64::from).sum::<u64>() & 3 != keep & 3;
        draft.files.retain(|(name, _)| !name.starts_with("leaves/") || is_kept(name));
    }),
    ("another's file of the same name", |draft, world, rng| {
        let at = any(draft, rng);
        let theirs = donor(world, rng).iter().find(|(name, _)| *name == draft.files[at].0);
        if let Some((_, contents)) = theirs {
            draft.files[at].1.clone_from(contents);
        }
    }),
    ("half of another", |draft, world, rng| {
        let (theirs, mask) = (donor(world, rng), rng.random::<u32>());
        for (at, (name, contents)) in draft.files.iter_mut().enumerate().filter(|(at, _)| mask >> (at % 32) & 1 == 1) {
            if let Some((_, other)) = theirs.iter().find(|(its, _)| its == name) {
                contents.clone_from(other);
            }
            debug_assert!(at < 300);
        }
    }),
    ("a file of another under this name", |draft, world, rng| {
        let at = any(draft, rng);
        draft.files[at].1.clone_from(&donor(world, rng).choose(rng).expect("files").1);
    }),
    ("a file of another more", |draft, world, rng| {
        let (at, file) = (any(draft, rng), donor(world, rng).choose(rng).expect("files").clone());
        draft.files.insert(at, file);
    }),
    ("all leaves of another", |draft, world, rng| {
        draft.files.retain(|(name, _)| !name.starts_with("leaves/"));
        let at = draft.files.iter().position(|(name, _)| name == "README.txt").unwrap_or(0);
        let theirs = donor(world, rng).iter().filter(|(name, _)| name.starts_with("leaves/")).cloned();
        draft.files.splice(at..at, theirs.collect::<Vec<_>>());
    }),
    ("truncate", |draft, _, rng| {
        let at = any(draft, rng);
        let length = rng.random_range(0..=draft.files[at].1.len());
        draft.files[at].1.truncate(length);
    }),
    ("append", |draft, _, rng| {
        let more: &[u8] = [&b"\n"[..], b" ", b"\0", b"A", b"=", b"\r\n"].choose(rng).expect("some");
        let at = any(draft, rng);
        draft.files[at].1.extend_from_slice(more);
    }),
    ("a byte", |draft, _, rng| {
        let at = any(draft, rng);
        let length = draft.files[at].1.len();
        if length > 0 {
            draft.files[at].1[rng.random_range(0..length)] = rng.random();
        }
    }),
    ("lines", lines),
    ("JSON spelled otherwise", |draft, _, rng| edit_text(draft, rng, ".json", respell)),
    ("a value of JSON", |draft, _, rng| edit_text(draft, rng, ".json", revalue)),
    ("unicode", unicode),
    ("spare bits", |draft, _, rng| edit_text(draft, rng, "", spare_bits)),
    ("a number", |draft, _, rng| {
        edit_text(draft, rng, "", |text, rng| {
            let digits: Vec<usize> = text.match_indices(|it: char| it.is_ascii_digit()).map(|(at, _)| at).collect();
            let Some(at) = digits.choose(rng).copied() else { return text };
            let other = ["0", "1", "9", "00", "+1", " 1", "1.0", "1e0", "-0", ""].choose(rng).expect("some");
            format!("{}{other}{}", &text[..at], &text[at + 1..])
        });
    }),
    ("key ids", key_ids),
    ("signed by a foreign key", foreign_signature),
    ("disclosed otherwise, manifest right again", disclose),
    ("tar", |draft, _, rng| {
        let at = any(draft, rng);
        draft.trick = match rng.random_range(0..8) {
            0 => Trick::Pax(at),
            1 => Trick::LongName(at),
            2 => Trick::Type(at, *b"\x0012345678gKSLNVx".choose(rng).expect("some")),
            3 => Trick::Prefix(at),
            4 => Trick::Header(at, rng.random_range(100..345)),
            5 => Trick::Trailing(rng.random()),
            6 => Trick::End([0, 1, 3, 4, 20][rng.random_range(0..5)]),
            _ => Trick::Padding(at),
        };
    }),
    ("file names", |draft, _, rng| {
        let at = any(draft, rng);
        let name = draft.files[at].0.clone();
        let names = [
            format!("./{name}"),
            format!("/{name}"),
            format!("../{name}"),
            name.to_uppercase(),
            format!("{name} "),
            name.replace('a', "\u{430}"),
            name.replace("leaves/", "leaves/0"),
            name.replace("leaves/", "leaves/+"),
            name.replace('/', "//"),
        ];
        draft.files[at].0.clone_from(names.choose(rng).expect("some"));
    }),
];

fn any(draft: &Draft, rng: &mut StdRng) -> usize {
    // README and script are most of the bytes and the least of the evidence.
    let at = rng.random_range(0..draft.files.len());
    if draft.files[at].0.contains("verify") { rng.random_range(0..draft.files.len()) } else { at }
}

fn donor<'a>(world: &'a World, rng: &mut StdRng) -> &'a Files {
    let from = if rng.random_ratio(1, 3) { &world.foreign_bundles } else { &world.bundles };
    from.choose(rng).expect("bundles")
}

fn edit_text(draft: &mut Draft, rng: &mut StdRng, end: &str, edit: impl Fn(String, &mut StdRng) -> String) {
    let fitting: Vec<usize> = (0..draft.files.len()).filter(|at| draft.files[*at].0.ends_with(end)).collect();
    let Some(at) = fitting.choose(rng).copied() else { return };
    if let Ok(text) = String::from_utf8(draft.files[at].1.clone()) {
        draft.files[at].1 = edit(text, rng).into_bytes();
    }
}

fn lines(draft: &mut Draft, world: &World, rng: &mut StdRng) {
    let theirs = donor(world, rng).choose(rng).expect("files").1.clone();
    let theirs = String::from_utf8_lossy(&theirs).into_owned();
    let theirs: Vec<&str> = theirs.lines().collect();
    edit_text(draft, rng, "", |text, rng| {
        let mut lines: Vec<&str> = text.split('\n').collect();
        let (one, other) = (rng.random_range(0..lines.len()), rng.random_range(0..lines.len()));
        match rng.random_range(0..5) {
            0 => lines.swap(one, other),
            1 => drop(lines.remove(one)),
            2 => lines.insert(other, lines[one]),
            3 => lines[one] = theirs.choose(rng).copied().unwrap_or_default(),
            _ => lines.insert(one, theirs.choose(rng).copied().unwrap_or_default()),
        }
        lines.join("\n")
    });
}

fn respell(text: String, rng: &mut StdRng) -> String {
    let Ok(value) = serde_json::from_str::<Value>(&text) else { return text };
    let fields = || value.as_object().cloned().unwrap_or_default();
    match rng.random_range(0..7) {
        0 => serde_json::to_string_pretty(&value).unwrap_or_default(),
        1 => format!("{text} "),
        2 => text.replacen(':', ": ", 1),
        3 => text.replace('e', "\\u0065"),
        4 => format!("\u{feff}{text}"),
        5 => {
            let reversed: Vec<String> =
                fields().iter().rev().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            format!("{{{}}}", reversed.join(","))
        }
        _ => match fields().iter().next() {
            Some((name, value)) => text.replacen('{', &format!("{{\"{name}\":{value},"), 1),
            None => text,
        },
    }
}

fn revalue(text: String, rng: &mut StdRng) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(&text) else { return text };
    let mut at = &mut value;
    loop {
        let name = match at {
            Value::Object(fields) if !fields.is_empty() => {
                let names: Vec<String> = fields.keys().cloned().collect();
                names.choose(rng).cloned().unwrap_or_default()
            }
            other => {
                *other = [Value::Null, true.into(), 0.into(), "x".into(), Value::Array(Vec::new())]
                    [rng.random_range(0..5)]
                .clone();
                break;
            }
        };
        at = &mut at[name.as_str()];
    }
    value.to_string()
}

fn unicode(draft: &mut Draft, _: &World, rng: &mut StdRng) {
    const ALIKE: [(&str, &str); 8] = [
        ("\u{e9}", "e\u{301}"),
        ("\u{c5}", "\u{212b}"),
        ("\u{f6}", "o\u{308}"),
        ("a", "\u{430}"),
        ("o", "\u{3bf}"),
        ("\u{2014}", "\u{2013}"),
        ("e", "e\u{200d}"),
        ("c", "\u{202e}c"),
    ];
    edit_text(draft, rng, "", |text, rng| {
        let (from, to) = *ALIKE.choose(rng).expect("some");
        if rng.random() { text.replace(from, to) } else { text.replacen(from, to, 1) }
    });
}

/// The next character of the alphabet at the end of a base64 text, where spare bits are.
fn spare_bits(text: String, rng: &mut StdRng) -> String {
    let is_base64 = |it: char| it.is_ascii_alphanumeric() || "+/-_".contains(it);
    let ends: Vec<usize> = text
        .char_indices()
        .filter(|(at, it)| is_base64(*it) && !text[at + 1..].starts_with(is_base64) && *at > 20)
        .map(|(at, _)| at)
        .collect();
    let Some(at) = ends.choose(rng).copied() else { return text };
    let next = match text.as_bytes()[at] {
        b'Z' => 'a',
        b'z' => '0',
        b'9' => '+',
        b'/' | b'_' => 'A',
        byte => char::from(byte + 1),
    };
    format!("{}{next}{}", &text[..at], &text[at + 1..])
}

/// Gives signature lines the key id of the log's own key.
fn key_ids(draft: &mut Draft, world: &World, rng: &mut StdRng) {
    let id = u32::from_str_radix(world.vkey.split('+').nth(1).unwrap_or_default(), 16).unwrap_or_default();
    edit_notes(draft, rng, |line, _| {
        let (head, signature) = line.rsplit_once(' ').unwrap_or_default();
        let mut bytes = from_base64(signature).unwrap_or_default();
        bytes.iter_mut().zip(id.to_be_bytes()).for_each(|(byte, id)| *byte = id);
        format!("{head} {}", base64(&bytes))
    });
}

fn edit_notes(draft: &mut Draft, rng: &mut StdRng, edit: impl Fn(&str, &mut StdRng) -> String) {
    let all = rng.random::<bool>();
    for (_, contents) in draft.files.iter_mut().filter(|(name, _)| name.ends_with("-proof") || name == "checkpoint") {
        let text = String::from_utf8_lossy(contents).into_owned();
        let is_edited = |line: &str, rng: &mut StdRng| line.starts_with('\u{2014}') && (all || rng.random());
        let line = |line: &str| if is_edited(line, rng) { edit(line, rng) } else { line.to_owned() };
        *contents = text.split('\n').map(line).collect::<Vec<_>>().join("\n").into_bytes();
    }
}

/// Signs checkpoints, as they are or with another size or root, by another key of the same name.
fn foreign_signature(draft: &mut Draft, world: &World, rng: &mut StdRng) {
    let (all, is_added, is_changed) = (rng.random::<bool>(), rng.random::<bool>(), rng.random::<bool>());
    for (_, contents) in draft.files.iter_mut().filter(|(name, _)| name.ends_with("-proof") || name == "checkpoint") {
        let text = String::from_utf8_lossy(contents).into_owned();
        let (head, note) = match text.split_once("\n\n") {
            Some((head, note)) if text.starts_with("c2sp.org/") => (format!("{head}\n\n"), note.to_owned()),
            _ => (String::new(), text),
        };
        let Some(mut checkpoint) = logs::checkpoint(&note).filter(|_| all || rng.random()) else { continue };
        if is_changed {
            checkpoint.size += u64::from(rng.random::<bool>());
            checkpoint.root[0] ^= 1;
        }
        let signed = world.forger.sign_checkpoint(checkpoint.size, checkpoint.root);
        let lines = note.split_once("\n\n").map_or("", |(_, lines)| lines);
        *contents = if is_added { format!("{head}{signed}{lines}") } else { format!("{head}{signed}") }.into_bytes();
    }
}

/// Discloses something else, and makes the manifest and the frame right about it.
fn disclose(draft: &mut Draft, _: &World, rng: &mut StdRng) {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD as CODE;
    let all: Vec<usize> = (0..draft.files.len()).filter(|at| draft.files[*at].0.ends_with(".sd")).collect();
    let Some(at) = all.choose(rng).copied() else { return };
    let Ok(said) = CODE.decode(&draft.files[at].1) else { return };
    let other = CODE.encode(String::from_utf8_lossy(&said).replacen("says", "denies", 1));
    let (was, now) = (draft.files[at].1.clone(), other.into_bytes());
    draft.files[at].1.clone_from(&now);
    let [was, now] = [was, now].map(|it| freezeframe::core::disclosure::commitment(&it));
    for (name, contents) in &mut draft.files {
        let text = String::from_utf8_lossy(contents).into_owned();
        match name.as_str() {
            "manifest.json" => *contents = text.replace(&was, &now).into_bytes(),
            "frame.json" => *contents = text.replacen("says", "denies", 1).into_bytes(),
            _ => {}
        }
    }
}

/// What a bundle says, when it is believed.
fn said(found: &Verification, files: &Files) -> String {
    format!("{found}{}", archive::text(files, "frame.json"))
}

struct Tally {
    made: AtomicU64,
    accepted: AtomicU64,
    same: Mutex<BTreeMap<String, u64>>,
    outcomes: Mutex<BTreeMap<&'static str, u64>>,
    scripts: AtomicU64,
    disagreed: AtomicU64,
}

/// Makes `mutations` mutants and verifies them; `scripts` of them with the shipped script, too.
pub(crate) fn mutations(world: &World, mutations: u64, scripts: u64) -> u64 {
    let (mut genuine, mut statements) = (HashSet::new(), HashSet::new());
    let dir = logs::directory();
    for files in &world.bundles {
        let path = dir.path().join("genuine.tar");
        let bytes = archive::write(files, Trick::None);
        std::fs::write(&path, &bytes).expect("room");
        let found = verify(&path, &world.vkey, None);
        assert_eq!((found.outcome, found.level), (Outcome::Verified, Some(Level::L1)), "{found}");
        statements.insert(said(&found, files));
        genuine.insert(bytes);
    }
    let (zero, none) = (|| AtomicU64::new(0), || Mutex::new(BTreeMap::new()));
    let outcomes = Mutex::new(BTreeMap::new());
    let tally = Tally { made: zero(), accepted: zero(), same: none(), outcomes, scripts: zero(), disagreed: zero() };
    let started = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads() as u64 {
            let (tally, genuine, statements) = (&tally, &genuine, &statements);
            scope.spawn(move || {
                let mut rng = StdRng::seed_from_u64(thread);
                let dir = logs::directory();
                while tally.made.load(Relaxed) < mutations {
                    let (names, draft) = mutant(world, &mut rng);
                    let bytes = archive::write(&draft.files, draft.trick);
                    if !genuine.contains(&bytes) {
                        judge(world, tally, statements, dir.path(), (&names, &draft, &bytes), scripts);
                    }
                }
            });
        }
    });
    let (made, accepted) = (tally.made.into_inner(), tally.accepted.into_inner());
    let rate = made as f64 / started.elapsed().as_secs_f64();
    println!("bundle mutations: {made}, {accepted} accepted, {rate:.0}/s");
    println!("  outcomes: {:?}", tally.outcomes.into_inner().unwrap_or_default());
    let same = tally.same.into_inner().unwrap_or_default();
    println!("  said the same as a genuine bundle, and were accepted: {}", same.values().sum::<u64>());
    let mut same: Vec<_> = same.into_iter().collect();
    same.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    same.iter().take(12).for_each(|(names, count)| println!("    {count} {names}"));
    let (scripts, disagreed) = (tally.scripts.into_inner(), tally.disagreed.into_inner());
    println!("  verify.sh: asked {scripts} times, of another opinion {disagreed} times");
    accepted + disagreed
}

fn mutant(world: &World, rng: &mut StdRng) -> (String, Draft) {
    let files =
        if rng.random_ratio(1, 4) { world.richest().clone() } else { world.bundles.choose(rng).expect("some").clone() };
    let mut draft = Draft { files, trick: Trick::None, are_sums_right: rng.random_ratio(9, 10) };
    let mut names = Vec::new();
    for _ in 0..rng.random_range(1..=3) {
        let (name, mutate) = MUTATIONS.choose(rng).expect("some");
        mutate(&mut draft, world, rng);
        names.push(*name);
    }
    if draft.are_sums_right {
        archive::sum(&mut draft.files);
    }
    (names.join(" + "), draft)
}

fn judge(
    world: &World,
    tally: &Tally,
    statements: &HashSet<String>,
    dir: &Path,
    (names, draft, bytes): (&str, &Draft, &[u8]),
    scripts: u64,
) {
    let path = dir.join("mutant.tar");
    std::fs::write(&path, bytes).expect("room");
    let found = verify(&path, &world.vkey, None);
    let made = tally.made.fetch_add(1, Relaxed);
    let is_accepted = found.outcome == Outcome::Verified || found.level >= Some(Level::L1);
    let outcome = match found.outcome {
        Outcome::Verified => "verified",
        Outcome::Altered => "altered",
        Outcome::Incomplete => "incomplete",
        Outcome::Rollback => "rollback",
        Outcome::Usage => "usage",
    };
    *tally.outcomes.lock().expect("no panics").entry(outcome).or_insert(0) += 1;
    if is_accepted && statements.contains(&said(&found, &draft.files)) {
        *tally.same.lock().expect("no panics").entry(names.to_owned()).or_insert(0) += 1;
    } else if is_accepted {
        tally.accepted.fetch_add(1, Relaxed);
        println!("ACCEPTED: {names}\n{found}");
    }
    // The script is asked of what it can see: files, whole and of names that can lie in a directory, README and script
    // as they are.
    let is_fit = draft.trick == Trick::None && draft.are_sums_right && is_for_the_script(world, &draft.files);
    if is_fit && (is_accepted || made.is_multiple_of(7)) && tally.scripts.fetch_add(1, Relaxed) < scripts {
        let status = script(dir, &draft.files, &world.vkey);
        if status.is_some_and(|status| status == 0) != is_accepted {
            tally.disagreed.fetch_add(1, Relaxed);
            println!("verify.sh says {status:?}: {names}\n{found}");
        }
    } else if is_fit && tally.scripts.load(Relaxed) > scripts {
        tally.scripts.store(scripts, Relaxed);
    }
}

fn is_for_the_script(world: &World, files: &Files) -> bool {
    let genuine = world.richest();
    let names: HashSet<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let is_known = |name: &str| world.bundles.iter().any(|files| files.iter().any(|(its, _)| its == name));
    let is_same = |name| archive::text(genuine, name) == archive::text(files, name);
    names.len() == files.len()
        && names.iter().all(|name| is_known(name))
        && is_same("verify.sh")
        && is_same("README.txt")
        && is_in_order(files)
}

/// Order is the archive's: the script has files in a directory.
fn is_in_order(files: &Files) -> bool {
    let fixed = ["frame.json", "manifest.json", "frame.tlog-proof", "checkpoint", "consistency"];
    let rank = |name: &str| match fixed.iter().position(|its| *its == name) {
        Some(at) => (at, 0, String::new()),
        None if name.starts_with("disclosures/") => (5, 0, name.to_owned()),
        None if name.starts_with("leaves/") => {
            let number = name[7..].split('.').next().and_then(|it| it.parse().ok()).unwrap_or(0_u64);
            (6, number, name.to_owned())
        }
        None => (
            ["README.txt", "verify.sh", "SHA256SUMS"].iter().position(|its| *its == name).unwrap_or(9) + 7,
            0,
            String::new(),
        ),
    };
    files.is_sorted_by_key(|(name, _)| rank(name))
}

/// The exit status of the shipped script on these files.
fn script(dir: &Path, files: &Files, vkey: &str) -> Option<i32> {
    let dir = tempfile::tempdir_in(dir).expect("room");
    for (name, contents) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent()?).expect("room");
        std::fs::write(path, contents).expect("room");
    }
    Command::new("bash").arg(dir.path().join("verify.sh")).arg(vkey).output().ok()?.status.code()
}

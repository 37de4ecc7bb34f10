//! Erased prompts on a disk: a log on an ext4 file system in a file, parts of half its frames erased, and the whole image
//! searched. Needs root for the loop device; says so and goes on without.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use freezeframe::config::Evidence;
use freezeframe::engine::store::{EraseOrder, Store as _};
use freezeframe::evidence::{Log, Outcome, os_entropy, verify};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use super::logs::{self, NOW, VARIABLES};

const IMAGE_BYTES: u64 = 192 << 20;

/// A file system in a file; unmounted when dropped.
struct Disk {
    image: PathBuf,
    mount: PathBuf,
    is_mounted: bool,
}

fn run(command: &str, arguments: &[&std::ffi::OsStr]) -> Result<(), String> {
    let output = Command::new(command).args(arguments).output().map_err(|error| format!("{command}: {error}"))?;
    let said = || format!("{command}: {}", String::from_utf8_lossy(&output.stderr).trim());
    if output.status.success() { Ok(()) } else { Err(said()) }
}

impl Disk {
    fn new(dir: &Path) -> Result<Self, String> {
        let (image, mount) = (dir.join("disk.img"), dir.join("disk"));
        std::fs::create_dir(&mount).map_err(|error| error.to_string())?;
        let file = std::fs::File::create(&image).map_err(|error| error.to_string())?;
        file.set_len(IMAGE_BYTES).map_err(|error| error.to_string())?;
        run("mkfs.ext4", &["-q".as_ref(), image.as_os_str()])?;
        run("mount", &["-o".as_ref(), "loop".as_ref(), image.as_os_str(), mount.as_os_str()])?;
        Ok(Self { image, mount, is_mounted: true })
    }

    fn unmount(&mut self) -> Result<(), String> {
        run("sync", &[])?;
        run("umount", &[self.mount.as_os_str()])?;
        self.is_mounted = false;
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_mounted {
            drop(self.unmount());
        }
    }
}

/// What the process logs.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn canary(part: &str, number: u32) -> String {
    format!("canary {number:04} of {part} that nobody else would ever say in so many words {number:04}")
}

/// The ways in which a text may lie somewhere: plain, and in both base64 alphabets at three alignments.
fn spellings(text: &str) -> Vec<Vec<u8>> {
    let mut all = vec![text.as_bytes().to_vec()];
    for skip in 0..3 {
        let whole = &text.as_bytes()[skip..];
        let whole = &whole[..whole.len() / 3 * 3];
        all.push(BASE64_STANDARD_NO_PAD.encode(whole).into_bytes());
        all.push(BASE64_URL_SAFE_NO_PAD.encode(whole).into_bytes());
    }
    all.dedup();
    all
}

fn open(dir: &Path) -> Log {
    let config = Evidence { origin: "example.com/erased".into(), ..Evidence::default() };
    Log::open(dir, &config, NOW, os_entropy()).expect("a log")
}

/// Fills the disk until nothing fits, so that appends that need room fail.
fn fill(path: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(path).expect("a file");
    let mut chunk = vec![1; 1 << 20];
    while !chunk.is_empty() {
        if file.write_all(&chunk).is_err() {
            chunk.truncate(chunk.len() / 2);
        }
    }
}

/// Commits frames, erases a variable of every other at random moments, with a full disk and restarts in between, some
/// after a torn write that goes to quarantine, and counts the erased texts that can still be found anywhere.
pub(crate) fn erased(frames: u32) -> u64 {
    let home = tempfile::tempdir().expect("a temporary directory");
    let mut disk = match Disk::new(home.path()) {
        Ok(disk) => disk,
        Err(why) => {
            println!("erased prompts on a disk image: skipped, a loop device needs root: {why}");
            return 0;
        }
    };
    let lines = Lines::default();
    let sink = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || sink.clone()).with_env_filter("trace").finish();
    let (gone, kept, bundles, vkey) = tracing::subscriber::with_default(subscriber, || live(&disk, frames));
    disk.unmount().expect("it was mounted");
    let image = std::fs::read(&disk.image).expect("an image");
    let logged = lines.0.lock().expect("no panics").clone();
    let places = [("image", &image), ("bundles", &bundles), ("log output", &logged)];
    let found_in =
        |text: &str, bytes: &[u8]| spellings(text).iter().any(|needle| memchr::memmem::find(bytes, needle).is_some());
    let mut found = 0;
    for text in &gone {
        for (place, _) in places.iter().filter(|(_, bytes)| found_in(text, bytes)) {
            println!("FOUND in the {place}: {text}");
            found += 1;
        }
    }
    let seen = kept.iter().filter(|text| found_in(text, &image)).count();
    assert_eq!(seen, kept.len(), "the search finds what is there");
    println!(
        "erased prompts on a disk image: {frames} frames, {} texts erased, {found} found in {} MiB of ext4, {} KiB of \
         bundles and {} KiB of log output; of {} texts that were kept, {seen} found ({vkey})",
        gone.len(),
        image.len() >> 20,
        bundles.len() >> 10,
        logged.len() >> 10,
        kept.len()
    );
    found
}

type Life = (Vec<String>, Vec<String>, Vec<u8>, String);

fn live(disk: &Disk, frames: u32) -> Life {
    let dir = disk.mount.join("log");
    let mut rng = StdRng::seed_from_u64(5);
    let mut log = Some(open(&dir));
    let (mut pending, mut gone, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for number in 1..=frames {
        let frame = logs::frame(number, |part| canary(part, number));
        if number % 50 == 3 {
            // Failed appends before it is committed.
            fill(&disk.mount.join("ballast"));
            let full = log.as_ref().map(|log| log.append(&frame));
            std::fs::remove_file(disk.mount.join("ballast")).expect("it is there");
            drop(full);
        }
        log.as_ref().map(|log| log.append(&frame).expect("committed"));
        pending.push(number);
        if number % 40 == 2 {
            drop(log.take());
            tear(&dir);
            log = Some(open(&dir));
        }
        while let Some(log) = log.as_ref()
            && let Some(number) = pending.choose(&mut rng).copied()
            && rng.random_ratio(1, 3)
        {
            pending.retain(|other| *other != number);
            settle(log, number, &mut gone, &mut kept);
        }
    }
    let log = log.expect("it is open");
    pending.into_iter().for_each(|number| settle(&log, number, &mut gone, &mut kept));
    let bundle = |number: u32| log.bundle(&format!("0193-{number}")).expect("readable").expect("a frame").to_vec();
    let bundles: Vec<Vec<u8>> = (1..=frames).map(bundle).collect();
    let vkey = log.vkey();
    drop(log);
    let found = verify(&dir, &vkey, None);
    assert_eq!((found.outcome, found.frames), (Outcome::Verified, u64::from(frames)), "{found}");
    (gone, kept, bundles.concat(), vkey)
}

/// Erases a variable of every other frame; the samples go with a prompt.
fn settle(log: &Log, number: u32, gone: &mut Vec<String>, kept: &mut Vec<String>) {
    let variable = VARIABLES[number as usize / 2 % VARIABLES.len()];
    if number.is_multiple_of(2) {
        let (frame_id, parts) = (format!("0193-{number}"), vec![variable.to_owned()]);
        log.erase(&EraseOrder { frame_id, parts, reason: "ticket 12".into(), at: NOW }).expect("erased");
        // The samples are whole requests, so they went with it.
        gone.extend([canary(variable, number), canary("samples", number)]);
    } else {
        kept.push(canary(variable, number));
    }
}

/// A copy of what is there already behind the last leaf, as a torn write leaves it: opening sets it aside.
fn tear(dir: &Path) {
    use std::os::unix::fs::FileExt as _;
    let segments = logs::files(&dir.join("wal"));
    let path =
        segments.iter().rev().find(|path| std::fs::read(path).is_ok_and(|it| it[4096..].iter().any(|byte| *byte != 0)));
    let Some(path) = path else { return };
    let bytes = std::fs::read(path).expect("a segment");
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| (last + 1).next_multiple_of(4096));
    // The beginning of a part that was never committed: no record, since its hash is missing.
    let torn = &bytes[used.saturating_sub(5 * 4096)..used.saturating_sub(5 * 4096) + 300];
    let file = std::fs::OpenOptions::new().write(true).open(path).expect("a segment");
    file.write_all_at(torn, used as u64).expect("room");
}

//! Many frames of realistic size on a real disk: how long an acknowledgement takes beside a bare write, and what
//! verifying all of them costs.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use freezeframe::engine::store::{Receipt, Store};
use hdrhistogram::Histogram;

use super::{Size, Tally, frames, on_disk};

/// Most that verifying the whole may take.
const VERIFY_SECONDS_MAX: f64 = 60.0;
/// Most memory that verifying may take at its peak.
const VERIFY_MIB_MAX: f64 = 64.0;
/// Bytes of the bare write an acknowledgement is compared with.
const BARE_BYTES: usize = 16 * 1024;

pub(crate) fn soak(size: Size) -> Tally {
    let frames = size.of(100, 100_000);
    let dir = on_disk();
    let mut tally = Tally { cases: frames, ..Tally::default() };
    let bare = bare(&dir.path().join("bare"), frames.min(5_000));
    let path = dir.path().join("log");
    let log = frames::open(&path).expect("a log");
    let mut acknowledged = histogram();
    let mut last: Option<Receipt> = None;
    for number in 0..frames {
        let frame = frames::full(number);
        let started = Instant::now();
        let receipt = log.append(&frame).expect("an acknowledgement");
        record(&mut acknowledged, started.elapsed());
        if receipt.seq != number + 1 {
            tally.violations.push(format!("frame {number} is leaf {}", receipt.seq));
        }
        last = Some(receipt);
    }
    let vkey = log.vkey();
    drop(log);
    let bytes = bytes_below(&path);
    let verified = verify(&path, &vkey, &last.expect("at least one frame").checkpoint);
    if !verified.is_good {
        tally.violations.push(format!("verify: {}", verified.text));
    }
    // The short run is of a build that is not optimised.
    if !size.is_test && (verified.seconds > VERIFY_SECONDS_MAX || verified.peak_mib > VERIFY_MIB_MAX) {
        tally.violations.push(format!("verify misses {VERIFY_SECONDS_MAX} s or {VERIFY_MIB_MAX} MiB"));
    }
    tally.figures = format!(
        "{:.2} GiB; verify {:.1} s, peak RSS {:.0} MiB; acknowledged p50 / p99 {} ms; write of 16 KiB and fdatasync {} ms",
        bytes as f64 / (1_u64 << 30) as f64,
        verified.seconds,
        verified.peak_mib,
        quantiles(&acknowledged),
        quantiles(&bare),
    );
    tally
}

/// Writes into a preallocated file, each followed by `fdatasync`.
fn bare(path: &Path, count: u64) -> Histogram<u64> {
    let file = File::options().create(true).truncate(true).read(true).write(true).open(path).expect("a file");
    let bytes = vec![7; BARE_BYTES];
    let places = 512;
    (0..places).for_each(|n| file.write_all_at(&bytes, n * BARE_BYTES as u64).expect("room"));
    file.sync_all().expect("a disk");
    let mut micros = histogram();
    for n in 0..count {
        let started = Instant::now();
        file.write_all_at(&bytes, n % places * BARE_BYTES as u64).expect("room");
        file.sync_data().expect("a disk");
        record(&mut micros, started.elapsed());
    }
    micros
}

struct Verified {
    is_good: bool,
    text: String,
    seconds: f64,
    peak_mib: f64,
}

/// `freezeframe verify` as a process of its own.
fn verify(dir: &Path, vkey: &str, remembered: &str) -> Verified {
    let started = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_freezeframe"))
        .arg("verify")
        .arg(dir)
        .args(["--vkey", vkey, "--remembered", remembered])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut peak_mib: f64 = 0.0;
    while child.try_wait().expect("a child").is_none() {
        peak_mib = peak_mib.max(peak(&child).unwrap_or(0.0));
        std::thread::sleep(Duration::from_millis(2));
    }
    let seconds = started.elapsed().as_secs_f64();
    let output = child.wait_with_output().expect("a child");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Verified { is_good: output.status.success() && text.contains("level L2"), text, seconds, peak_mib }
}

/// MiB of `VmHWM` (proc(5)); `None` once the process is gone.
fn peak(child: &Child) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}

fn bytes_below(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).expect("a directory").flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
        metadata => metadata.map_or(0, |it| it.len()),
    });
    sizes.sum()
}

fn histogram() -> Histogram<u64> {
    Histogram::new(3).expect("three figures")
}

fn record(micros: &mut Histogram<u64>, took: Duration) {
    micros.record(u64::try_from(took.as_micros()).expect("small")).expect("within range");
}

fn quantiles(micros: &Histogram<u64>) -> String {
    let millis = |share| micros.value_at_quantile(share) as f64 / 1e3;
    format!("{:.2} / {:.2}", millis(0.5), millis(0.99))
}

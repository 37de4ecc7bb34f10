//! Torture of the evidence log from outside: real processes, real system calls, a real disk.
//!
//! `cargo bench --bench torture` runs every part to the end, `-- PART...` only those named. Without `--bench`, as
//! `cargo test` runs it, every part runs for a moment; `--most=N` bounds the points a scenario and the frames. Exits 1 on a violation and 3 when a part could not be run.
//! Linux only; `kill` and `fail` want strace.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a command that measures time and prints")]
#![expect(clippy::print_stderr, reason = "a command with an exit status")]

mod actor;
mod directory;
mod frames;
mod inject;
mod judge;
mod rollback;
mod scenario;
mod soak;
mod writers;

use std::path::PathBuf;
use std::time::Instant;

/// What a part came to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Cases run.
    cases: u64,
    /// Promises broken, in words.
    violations: Vec<String>,
    /// Figures for the table.
    figures: String,
    /// Cases in which the process came to its end.
    completed: u64,
    /// Why it was not run.
    skipped: Option<String>,
}

/// How much is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// For a moment only.
    is_test: bool,
    /// Most points of a scenario, most frames, most restarts.
    most: Option<u64>,
}

impl Size {
    /// So many for a moment, so many as a whole.
    fn of(self, moment: u64, whole: u64) -> u64 {
        let all = if self.is_test { moment } else { whole };
        self.most.map_or(all, |most| most.min(whole))
    }
}

type Part = fn(size: Size) -> Tally;

const PARTS: [(&str, Part); 6] = [
    ("kill", inject::kill),
    ("fail", inject::fail),
    ("rollback", rollback::rollback),
    ("restarts", rollback::restarts),
    ("writers", writers::writers),
    ("soak", soak::soak),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, scenario, dir] = &arguments[..]
        && flag == actor::FLAG
    {
        std::process::exit(actor::run(scenario, dir.as_ref()));
    }
    let is_test = !arguments.iter().any(|argument| argument == "--bench");
    let named: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    let is_wanted = |name: &str| named.is_empty() || named.iter().any(|it| *it == name);
    let most = arguments.iter().find_map(|argument| argument.strip_prefix("--most=")?.parse().ok());
    let size = Size { is_test, most };
    println!("| part | cases | violations | s | figures |");
    println!("|---|---|---|---|---|");
    let (mut is_broken, mut is_skipped) = (false, false);
    for (name, part) in PARTS.into_iter().filter(|(name, _)| is_wanted(name)) {
        let started = Instant::now();
        let tally = part(size);
        let (seconds, broken) = (started.elapsed().as_secs_f64(), tally.violations.len());
        let figures = tally.skipped.as_ref().map_or(tally.figures, |why| format!("skipped: {why}"));
        println!("| {name} | {} | {broken} | {seconds:.1} | {figures} |", tally.cases);
        tally.violations.iter().take(VIOLATIONS_SHOWN).for_each(|what| eprintln!("{name}: {what}"));
        is_broken |= broken > 0;
        is_skipped |= tally.skipped.is_some();
    }
    if is_broken {
        std::process::exit(1);
    }
    if is_skipped && !is_test {
        std::process::exit(3);
    }
}

const VIOLATIONS_SHOWN: usize = 50;

/// A directory in memory if there is such a place: for cases that are about the order of things, not about a disk.
pub(crate) fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| on_disk())
}

/// A directory on the disk that the build is on.
pub(crate) fn on_disk() -> tempfile::TempDir {
    let parent = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(&parent).expect("a directory for temporary files");
    tempfile::tempdir_in(parent).expect("a temporary directory")
}

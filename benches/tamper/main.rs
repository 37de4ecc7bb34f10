//! Altering evidence on a large scale, and looking for what was erased: every bit of a bundle and of a log's directory,
//! a million structured mutations, and a disk image searched for erased prompts.
//!
//! `cargo bench --bench tamper` is the whole; `-- --seconds 600` bounds the flips of the directory, the only part that
//! takes hours, and says how far they came, `-- --from N` goes on from there, and `-- --mutations N` sets how many mutations are made. Without `--bench`,
//! as `cargo test` runs it, a moment of each. Ends with status 1 when anything altered was accepted.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a command that measures time and prints")]

mod archive;
mod bundles;
mod directories;
mod flips;
mod image;
mod logs;

use std::process::ExitCode;
use std::time::Duration;

use flips::Part;
use logs::World;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |name: &str| -> Option<u64> {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse().ok()
    };
    let is_test = !arguments.iter().any(|argument| argument == "--bench");
    let only = arguments.iter().skip_while(|argument| *argument != "--only").nth(1).cloned();
    let wanted = |part: &str| only.as_ref().is_none_or(|only| only == part);
    let seconds = number("--seconds").map(Duration::from_secs);
    let from = number("--from").and_then(|from| from.try_into().ok()).unwrap_or(0);
    let moment = || Part { from: 0, limit: Some(MOMENT) };
    let (bundle, directory) =
        if is_test { (moment(), moment()) } else { (Part::default(), Part { from, limit: seconds }) };
    let mutations = if is_test { 200 } else { number("--mutations").unwrap_or(1_000_000) };
    let world = World::new();
    let mut accepted = 0;
    if wanted("bundle") {
        accepted += flips::bundle(&world, &bundle);
    }
    if wanted("directory") {
        accepted += flips::directory(&world, &directory);
    }
    if wanted("mutations") {
        let scripts = if is_test { 2 } else { 300 };
        accepted += bundles::mutations(&world, mutations - mutations / 20, scripts);
        accepted += directories::mutations(&world, mutations / 20);
    }
    if wanted("image") {
        accepted += image::erased(if is_test { 4 } else { 200 });
    }
    if accepted == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How long each part takes in a test.
const MOMENT: Duration = Duration::from_millis(200);

/// Cores to use.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

//! The actor under `strace -e inject`: killed before each of its system calls, or told that one failed.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::actor::{FLAG, Promise};
use super::judge::judge;
use super::scenario::{Act, Template};
use super::{Size, Tally, in_memory};

/// System calls on files.
const CALLS: &str = "openat,write,pwrite64,read,pread64,fsync,fdatasync,rename,unlink,mkdir,ftruncate,chmod,flock,\
                     statx,fstat,newfstatat,getdents64,lseek,close";
/// Those that change a file or make it durable; before any other the disk is as it was before the one before.
const CHANGES: [&str; 10] =
    ["openat", "write", "pwrite64", "fsync", "fdatasync", "rename", "unlink", "mkdir", "ftruncate", "chmod"];
/// Those that can't fail in a way that matters.
const HARMLESS: [&str; 2] = ["close", "lseek"];
/// What a call is told instead of being made: once, or from then on.
const ERRORS: [(&str, bool); 5] =
    [("EIO", false), ("ENOSPC", false), ("EINTR", false), ("EIO", true), ("ENOSPC", true)];
/// Calls alike in a row, as when a segment is filled with zeroes, beyond which only every sixteenth is told to fail.
const ALIKE_MAX: usize = 8;
/// Two cores, and most of the time is spent waiting for tracer and tracee.
const WORKERS: usize = 2;

/// A system call of the actor.
#[derive(Clone, Debug)]
struct Call {
    name: String,
    /// How many of the name were made, this one included.
    nth: usize,
    /// What it was called with.
    text: String,
}

/// A call, and what happens instead of it.
#[derive(Clone, Debug)]
struct Point {
    call: Call,
    /// As strace has it: `signal=KILL`, `error=EIO`, `retval=3`.
    what: String,
    is_from_then_on: bool,
}

pub(crate) fn kill(size: Size) -> Tally {
    torture(size.of(4, u64::MAX), |calls| {
        let points = calls.iter().filter(|call| CHANGES.contains(&call.name.as_str()));
        points.map(|call| Point { call: call.clone(), what: "signal=KILL".into(), is_from_then_on: false }).collect()
    })
}

pub(crate) fn fail(size: Size) -> Tally {
    torture(size.of(3, u64::MAX), |calls| {
        let mut points = Vec::new();
        let mut alike = 0;
        for (n, call) in calls.iter().enumerate() {
            let before = n.checked_sub(2).map(|before| &calls[before].name);
            alike = if before == Some(&call.name) { alike + 1 } else { 0 };
            let is_told = call.name == "write" && call.text.starts_with("write(1,");
            if is_told || HARMLESS.contains(&call.name.as_str()) || (alike > ALIKE_MAX && alike % 16 != 0) {
                continue;
            }
            let mut add = |what: String, is_from_then_on| {
                points.push(Point { call: call.clone(), what, is_from_then_on });
            };
            ERRORS.iter().for_each(|(error, is_from_then_on)| add(format!("error={error}"), *is_from_then_on));
            if call.name == "pwrite64" {
                add("retval=3".into(), false);
            }
        }
        points
    })
}

/// Runs every scenario at the points that are chosen from its system calls, or at so many of them, evenly spread.
fn torture(most: u64, choose: impl Fn(&[Call]) -> Vec<Point>) -> Tally {
    if !Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).status().is_ok_and(|it| it.success()) {
        return Tally { skipped: Some("strace is not there, or may not trace".into()), ..Tally::default() };
    }
    let mut tally = Tally::default();
    let mut done = Vec::new();
    for (name, act) in Act::ALL {
        let template = act.begin();
        let mut points = match calls(name, act, &template) {
            Ok(calls) => choose(&calls),
            Err(what) => {
                tally.violations.push(format!("{name}, undisturbed: {what}"));
                continue;
            }
        };
        let step = points.len().div_ceil(usize::try_from(most).unwrap_or(usize::MAX).max(1)).max(1);
        points = points.into_iter().skip(step / 2).step_by(step).collect();
        let (broken, completed) = run_all(name, act, &template, &points);
        done.push(format!("{name} {}", points.len()));
        tally.cases += points.len() as u64;
        tally.violations.extend(broken);
        tally.completed += completed as u64;
    }
    tally.figures = format!("{}; the actor came to its end in {}", done.join(", "), tally.completed);
    tally
}

fn run_all(name: &str, act: Act, template: &Template, points: &[Point]) -> (Vec<String>, usize) {
    let (next, completed, broken) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(point) = points.get(next.fetch_add(1, Relaxed)) {
                    match run(name, act, template, point) {
                        Ok(has_ended) => drop(completed.fetch_add(usize::from(has_ended), Relaxed)),
                        Err(what) => {
                            let sticky = if point.is_from_then_on { "+" } else { "" };
                            let at =
                                format!("{name}, {}{sticky} at {} #{}", point.what, point.call.text, point.call.nth);
                            broken.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{at}: {what}"));
                        }
                    }
                }
            });
        }
    });
    (broken.into_inner().unwrap_or_else(PoisonError::into_inner), completed.into_inner())
}

/// Whether the actor came to its end, once the directory was found to be as promised.
fn run(name: &str, act: Act, template: &Template, point: &Point) -> Result<bool, String> {
    let dir = in_memory();
    template.snapshot.restore(dir.path());
    let Point { call, what, is_from_then_on } = point;
    let sticky = if *is_from_then_on { "+" } else { "" };
    let inject = format!("inject={}:{what}:when={}{sticky}", call.name, call.nth);
    let (promises, has_ended) = traced(name, dir.path(), &["-e", &inject, "-o", "/dev/null"])?;
    let wants_end = what == "error=EINTR" && act != Act::First && call.name != "flock" && call.name != "getdents64";
    judge(act, template, dir.path(), &promises)?;
    // Nothing but what std tries again can be interrupted on a file.
    if wants_end && !has_ended && ["pwrite64", "pread64", "read", "write"].contains(&call.name.as_str()) {
        return Err("an interruption was not tried again".to_owned());
    }
    Ok(has_ended)
}

/// The system calls of a scenario on its directory, undisturbed.
fn calls(name: &str, act: Act, template: &Template) -> Result<Vec<Call>, String> {
    let dir = in_memory();
    template.snapshot.restore(dir.path());
    let trace = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    let path = trace.path().to_str().ok_or("a path that is no text")?;
    let (promises, has_ended) = traced(name, dir.path(), &["-e", &format!("trace={CALLS}"), "-o", path])?;
    if !has_ended || promises.is_empty() {
        return Err(format!("it did not come to its end: {promises:?}"));
    }
    judge(act, template, dir.path(), &promises)?;
    let text = std::fs::read_to_string(trace.path()).map_err(|error| error.to_string())?;
    let here = dir.path().to_str().ok_or("a path that is no text")?;
    let (mut made, mut calls, mut is_here) = (HashMap::<String, usize>::new(), Vec::new(), false);
    for line in text.lines() {
        let Some((_, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        let Some((name, _)) = call.split_once('(') else { continue };
        let nth = made.entry(name.to_owned()).and_modify(|nth| *nth += 1).or_insert(1);
        // What the loader does comes before.
        is_here |= call.contains(here);
        if is_here {
            let text = call.chars().take(160).collect();
            calls.push(Call { name: name.to_owned(), nth: *nth, text });
        }
    }
    Ok(calls)
}

/// Runs the actor under strace: what it was promised, and whether it came to its end.
fn traced(name: &str, dir: &Path, arguments: &[&str]) -> Result<(Vec<Promise>, bool), String> {
    let actor = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("strace")
        .args(["-f", "-qq"])
        .args(arguments)
        .arg(actor)
        .args([FLAG, name])
        .arg(dir)
        .stderr(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let promises = text.split_inclusive('\n').filter_map(|line| Promise::parse(line.strip_suffix('\n')?)).collect();
    Ok((promises, output.status.success()))
}

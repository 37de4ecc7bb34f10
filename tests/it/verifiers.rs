//! Independent verifiers against ours: the corpus for `tests/verifiers/run`, which asks all five, and a short version.

mod corpus;
mod forge;
mod judges;

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use corpus::{Case, Expected, World};
use freezeframe::engine::clock;

/// Set by `tests/verifiers/run`: the directory to write to, the number of cases, the seed, separated by spaces.
const ORDER: &str = "FREEZEFRAME_VERIFIERS";

/// Writes `cases`, a case a line, the verdicts `ours` and `crates`, a verdict a line, and the `times` these two took.
fn write_corpus(dir: &Path, cases: usize, seed: u64) {
    let corpus = corpus::corpus(&World::new(), cases, seed);
    let numbered = |write: &dyn Fn(&Case) -> String| -> String {
        corpus.iter().enumerate().map(|(number, case)| format!("{number} {}\n", write(case))).collect()
    };
    std::fs::write(dir.join("cases"), numbered(&Case::to_string)).unwrap();
    let mut times = String::new();
    for (name, judge) in [("ours", judges::ours as fn(&Case) -> bool), ("crates", judges::crates)] {
        let started = clock::now();
        std::fs::write(dir.join(name), numbered(&|case| word(judge(case)).to_owned())).unwrap();
        writeln!(times, "{name} {}", clock::now().0.abs_diff(started.0) / 1_000_000).unwrap();
    }
    std::fs::write(dir.join("times"), times).unwrap();
}

fn word(is_accepted: bool) -> &'static str {
    if is_accepted { "accept" } else { "reject" }
}

/// The corpus for `tests/verifiers/run`. Without its variable it is no test at all.
#[test]
#[expect(clippy::disallowed_methods, reason = "how the script tells what to write")]
fn writes_the_corpus() {
    let Ok(order) = std::env::var(ORDER) else { return };
    let parts: Vec<&str> = order.rsplitn(3, ' ').collect();
    let [seed, cases, dir] = parts[..] else { panic!("{ORDER}='DIRECTORY CASES SEED', not {order:?}") };
    write_corpus(Path::new(dir), cases.parse().unwrap(), seed.parse().unwrap());
}

/// Proves that two thousand cases, half of them forged, get the verdict they deserve from us and from independent
/// crates, and that every way of forging was tried.
#[test]
fn crates_agree_on_two_thousand_cases() {
    let corpus = corpus::corpus(&World::new(), 2000, 1);
    let classes: HashSet<_> = corpus.iter().map(|case| case.class).collect();
    assert!(classes.len() > 75, "{} classes", classes.len());
    for (number, case) in corpus.iter().enumerate() {
        let ours = judges::ours(case);
        let is_deserved = match case.expected {
            Expected::Accept => ours,
            Expected::Reject => !ours,
            Expected::Either => true,
        };
        assert!(is_deserved && judges::crates(case) == ours, "{number} {case}: {}", word(ours));
    }
}

/// Proves the same of bash with openssl and coreutils, on forty cases.
#[test]
fn bash_with_openssl_agrees_on_forty_cases() {
    let dir = tempfile::tempdir().unwrap();
    write_corpus(dir.path(), 40, 2);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verifiers/verify.sh");
    let output = Command::new("bash").arg(script).arg(dir.path().join("cases")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let ours = std::fs::read_to_string(dir.path().join("ours")).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), ours);
}

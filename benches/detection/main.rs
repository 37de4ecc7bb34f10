//! The table of `docs/detection.md`: false alarms a week and median delays of each detector on each signal, and of all
//! built-in rules together. `cargo bench --bench detection [-- WEEKS [alarms|delays|all [DETECTOR]]]`; seeded, so that it
//! repeats exactly.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark talks to its reader and stops where it fails"
)]
#![expect(clippy::cast_precision_loss, reason = "counts for people")]

mod compared;
#[path = "../../tests/it/detection/feature.rs"]
mod feature;
#[path = "../../tests/it/detection/traffic.rs"]
mod traffic;

use std::collections::BTreeMap;

use compared::{Detector, Foreign};
use feature::{Feature, built_in};
use freezeframe::core::rules;
use freezeframe::core::signal::Signal;
use traffic::{HOUR, Traffic, USUAL};

/// Slots of a week.
const WEEK: u64 = 7 * 24 * HOUR;

const RATES: [f64; 4] = [0.1, 1.0, 10.0, 100.0];
const WANDER: f64 = 0.08;
const MILD: f64 = 0.04;
/// An alarm within an hour of another is the same one.
const REFRACTORY: u64 = HOUR;
const SEEDS: u64 = 9;

struct Case {
    rule: &'static str,
    signal: Signal,
    usual: f64,
    drops: &'static [(&'static str, Traffic)],
}

const CASES: [Case; 3] = [
    Case {
        rule: "LLMQualityDegradation",
        signal: Signal::Quality,
        usual: 0.08,
        drops: &[
            ("quality 92 to 68 %", Traffic { good: 0.68, ..USUAL }),
            ("quality 92 to 88 %", Traffic { good: 0.88, ..USUAL }),
        ],
    },
    Case {
        rule: "LLMToolFailures",
        signal: Signal::ToolSuccessRatio,
        usual: 0.03,
        drops: &[("tool success 97 to 72 %", Traffic { tool_ok: 0.72, ..USUAL })],
    },
    Case {
        rule: "LLMLatencyHigh",
        signal: Signal::LatencyP95,
        usual: 0.05,
        drops: &[("p95 1.8 to 9.2 s", Traffic { latency_p95: 9.2, ..USUAL })],
    },
];

/// One detector on one signal.
enum Watcher {
    Ours(Box<Feature>),
    Foreign(Box<Foreign>),
}

impl Watcher {
    fn new(detector: Detector, case: &Case, seed: u64, wander: f64) -> Self {
        match detector {
            Detector::Default => Self::Ours(Box::new(Feature::new(seed, wander, vec![built_in(case.rule)]))),
            _ => Self::Foreign(Box::new(Foreign::new(detector, case.signal, case.usual, seed, wander))),
        }
    }

    fn slot(&mut self, traffic: &Traffic) -> bool {
        match self {
            Self::Ours(feature) => !feature.slot(traffic).is_empty(),
            Self::Foreign(foreign) => foreign.slot(traffic),
        }
    }
}

fn main() {
    let is_test = !std::env::args().any(|argument| argument == "--bench");
    let arguments: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with("--")).collect();
    let weeks: u64 = arguments.first().map_or(4, |it| it.parse().unwrap());
    let only = arguments.get(1).map_or("", String::as_str);
    let detectors =
        Detector::ALL.into_iter().filter(|it| it.name().contains(arguments.get(2).map_or("", String::as_str)));
    let detectors: Vec<Detector> = detectors.collect();
    if is_test {
        let mut watcher = Watcher::new(Detector::Default, &CASES[0], 77, WANDER);
        assert!((0..HOUR).all(|_| !watcher.slot(&USUAL)), "an alarm within the first hour");
        return;
    }
    if only.is_empty() || only == "alarms" {
        false_alarms(weeks, &detectors);
    }
    if only.is_empty() || only == "delays" {
        delays(&detectors);
    }
    if only.is_empty() || only == "all" {
        all_rules(weeks);
    }
}

/// Weeks at a rate: fewer where a week takes long.
fn weeks_at(per_second: f64, weeks: u64) -> u64 {
    if per_second > 50.0 { weeks.div_ceil(2) } else { weeks }
}

fn all_rules(weeks: u64) {
    println!("All built-in rules on one feature, wander {WANDER}: firings a week, and which\n");
    println!("| requests/s | weeks | a week | of which |\n|---|---|---|---|");
    for per_second in RATES {
        let weeks = weeks_at(per_second, weeks);
        let mut fired = BTreeMap::new();
        for seed in 0..weeks.div_ceil(2) {
            let mut feature = Feature::new(1_000 + seed, WANDER, rules::built_in());
            let traffic = Traffic { per_second, ..USUAL };
            for _ in 0..(weeks - 2 * seed).min(2) * WEEK {
                feature.slot(&traffic).into_iter().for_each(|name| *fired.entry(name).or_insert(0_u32) += 1);
            }
        }
        let total: u32 = fired.values().sum();
        println!("| {per_second} | {weeks} | {:.2} | {fired:?} |", f64::from(total) / weeks as f64);
    }
}

fn false_alarms(weeks: u64, detectors: &[Detector]) {
    println!("\nFalse alarms a week, wander {WANDER}\n\n| signal | detector | 0.1/s | 1/s | 10/s | 100/s |");
    println!("|---|---|---|---|---|---|");
    for case in &CASES {
        for detector in detectors.iter().copied() {
            let cells = RATES.map(|per_second| {
                let weeks = weeks_at(per_second, weeks);
                let mut watcher = Watcher::new(detector, case, 77, WANDER);
                let (mut alarms, mut quiet_until) = (0_u32, 0);
                for slot in 0..weeks * WEEK {
                    if watcher.slot(&Traffic { per_second, ..USUAL }) && slot >= quiet_until {
                        alarms += 1;
                        quiet_until = slot + REFRACTORY;
                    }
                }
                format!("{:.2}", f64::from(alarms) / weeks as f64)
            });
            println!("| {} | {} | {} |", case.signal.as_str(), detector.name(), cells.join(" | "));
        }
    }
}

fn delays(detectors: &[Detector]) {
    println!(
        "\nMedian delay, s, of {SEEDS} seeds after a day and a half, wander {MILD}; never: not within six hours\n"
    );
    println!("| incident | detector | 0.1/s | 1/s | 10/s | 100/s |\n|---|---|---|---|---|---|");
    for case in &CASES {
        for (incident, changed) in case.drops {
            for detector in detectors.iter().copied() {
                let cells = RATES.map(|per_second| delay(detector, case, changed, per_second));
                println!("| {incident} | {} | {} |", detector.name(), cells.join(" | "));
            }
        }
    }
}

fn delay(detector: Detector, case: &Case, changed: &Traffic, per_second: f64) -> String {
    let before = 36 * HOUR;
    let mut delays: Vec<Option<u64>> = (0..SEEDS)
        .map(|seed| {
            let mut watcher = Watcher::new(detector, case, 500 + seed, MILD);
            for _ in 0..before {
                watcher.slot(&Traffic { per_second, ..USUAL });
            }
            (1..=6 * HOUR).find(|_| watcher.slot(&Traffic { per_second, ..*changed }))
        })
        .collect();
    delays.sort_unstable_by_key(|it| it.unwrap_or(u64::MAX));
    delays[delays.len() / 2].map_or_else(|| "never".to_owned(), |slots| (slots * 10).to_string())
}

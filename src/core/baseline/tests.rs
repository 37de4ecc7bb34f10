use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::seasonal::hour_of;
use super::*;
use crate::core::histogram::Distribution;
use crate::core::signal::{Count, Measure};
use std::time::Duration;

const START: u64 = 1_700_006_400_000_000_000;
const HOUR: Duration = Duration::from_secs(3_600);

fn quality(at: UnixNanos, length: Duration, good: u64, bad: u64) -> Window {
    let mut counts = [0; Count::N];
    counts[Count::Good.index()] = good;
    counts[Count::Bad.index()] = bad;
    Window::new(at, at.plus(length), counts, <[Distribution; Measure::N]>::default())
}

fn at(hours: u32) -> UnixNanos {
    UnixNanos(START).plus(HOUR * hours)
}

/// Baselines of `hours` hours with `of` samples each, of which `bad` says how many failed.
fn learned(hours: u32, of: u64, mut bad: impl FnMut(u32) -> u64) -> Baselines {
    let mut baselines = Baselines::default();
    for hour in 0..hours {
        let bad = bad(hour);
        baselines.learn(&quality(at(hour), HOUR, of - bad, bad), None);
    }
    baselines
}

fn reference(baselines: &Baselines, hours: u32) -> Option<Reference> {
    baselines.reference(Signal::Quality, Direction::Below, at(hours), 0.01)
}

/// Proves when a baseline speaks: after sixty minutes and a hundred samples, with a quarter of the rate as its slack.
#[test]
fn it_speaks_after_an_hour_of_traffic() {
    let mut baselines = Baselines::default();
    for minute in 0..60 {
        assert_eq!(reference(&baselines, 1), None, "{minute} min");
        let from = UnixNanos(START).plus(Duration::from_secs(60 * minute));
        baselines.learn(&quality(from, Duration::from_secs(60), 92, 8), None);
    }
    let found = reference(&baselines, 1).expect("an hour");
    assert!((found.rate - 0.08).abs() < 1e-3 && (found.slack - 0.025).abs() < 1e-3, "{found:?}");
    assert_eq!(found.learned, HOUR);
    assert!(found.null() > found.rate + found.slack);
    let few = learned(2, 49, |_| 1);
    assert_eq!(reference(&few, 2), None, "98 samples");
}

/// Proves that the hours of the day are told apart once a day is known, by as much as is not chance.
#[test]
fn hours_of_the_day_are_told_apart() {
    let busy = |hour: u32| if (8..20).contains(&((hour_of(at(hour))) % 24)) { 1_200 } else { 400 };
    let (day, part) = (learned(72, 10_000, busy), learned(18, 10_000, busy));
    let noon = (0..24).find(|hour| hour_of(at(*hour)) % 24 == 13).expect("there is one a day");
    let rate = |baselines: &Baselines, hours| reference(baselines, hours).expect("learned").rate;
    assert!((rate(&day, 72 + noon) - 0.12).abs() < 0.005, "{}", rate(&day, 72 + noon));
    assert!((rate(&day, 72 + noon + 12) - 0.04).abs() < 0.005);
    assert!((rate(&part, 18 + noon) - rate(&part, 18 + noon + 12)).abs() < 1e-3, "no day yet");
    // The same by chance alone: nothing is told apart.
    let mut random = StdRng::seed_from_u64(3);
    let chance = learned(72, 360, |_| (0..360).filter(|_| random.random::<f64>() < 0.08).count() as u64);
    let spread: Vec<f64> = (0..24).map(|hour| rate(&chance, 72 + hour)).collect();
    let (low, high) = (spread.iter().copied().fold(1.0, f64::min), spread.iter().copied().fold(0.0, f64::max));
    assert!(high - low < 0.015, "{low} to {high}");
}

/// Proves that the slack follows what the rate wanders by itself, and that sampling is not taken for wander.
#[test]
fn the_slack_follows_the_wander() {
    let slack = |of: u64, wander: f64| {
        let mut random = StdRng::seed_from_u64(11);
        let baselines = learned(168, of, |_| {
            let off = (random.random::<f64>() + random.random::<f64>() + random.random::<f64>() - 1.5) * 2.0 * wander;
            (0..of).filter(|_| random.random::<f64>() < 0.08 + off).count() as u64
        });
        reference(&baselines, 168).expect("a week").slack
    };
    // The sum of three uniforms has a deviation of a half.
    assert!((0.03..0.055).contains(&slack(20_000, 0.012)), "{}", slack(20_000, 0.012));
    assert!(slack(20_000, 0.0) < 0.011 && slack(360, 0.0) < 0.025, "{}", slack(360, 0.0));
}

/// Proves that what was bad long ago is forgotten by half-lives, that a week is all that is kept, and that a clock that
/// steps back loses nothing.
#[test]
fn old_hours_fade() {
    let better = learned(168, 1_000, |hour| if hour < 84 { 160 } else { 40 });
    let found = reference(&better, 168).expect("a week").rate;
    assert!((0.04..0.08).contains(&found), "{found}");
    let mut long = learned(1_000, 1_000, |_| 80);
    assert_eq!(reference(&long, 1_000).expect("weeks").learned, HOUR * HOURS_MAX as u32);
    long.learn(&quality(at(3), HOUR, 920, 80), None);
    assert!(reference(&long, 3).is_some());
    long.forget(Signal::Quality);
    assert_eq!(reference(&long, 1_000), None);
}

/// Proves that the other side of a signal has the other reference.
#[test]
fn both_sides_are_known() {
    let baselines = learned(2, 1_000, |_| 80);
    let found = baselines.reference(Signal::Quality, Direction::Above, at(2), 0.01).expect("two hours");
    assert!((found.rate - 0.92).abs() < 1e-3, "{found:?}");
    assert_eq!(baselines.reference(Signal::ErrorRatio, Direction::Above, at(2), 0.01), None);
}

/// Proves that damaged bytes are refused with a reason, whatever they are.
#[test]
fn damaged_bytes_are_refused() {
    let good = Baselines::snapshot([(&"support".to_owned(), &learned(3, 100, u64::from))]);
    let text = String::from_utf8(good.clone()).expect("JSON");
    assert!(text.starts_with(r#"{"features":{"support":{"quality":[[472224,3600,0,100],"#), "{text}");
    let table = [
        (text[..text.len() / 2].to_owned(), "not a baseline"),
        ("[]".to_owned(), "not a baseline: it has no format"),
        (text.replace("baseline.v1", "baseline.v9"), "the format is \"freezeframe.baseline.v9\""),
        (text.replace("[472224,3600,0,100]", "[472224,3600,101,100]"), "not a baseline: quality of support"),
        (text.replace("[472224,3600,0,100]", "[472299,3600,0,100]"), "not a baseline: quality of support"),
        (text.replace("[472224,3600,0,100]", "[1.5,3600,0,100]"), "not a baseline: quality of support"),
    ];
    for (bytes, reason) in table {
        let error = Baselines::restore(bytes.as_bytes(), 9).expect_err(reason).to_string();
        assert!(error.starts_with(reason), "{error}");
    }
    assert_eq!(Baselines::restore(&good, 0), Ok(std::collections::BTreeMap::new()), "more than there is room for");
    let newer = text.replace("\"quality\"", "\"charm\"");
    assert_eq!(Baselines::restore(newer.as_bytes(), 9).expect("readable")["support"], Baselines::default());
}

proptest! {
    /// Proves that what is restored is what was kept, and that any counts give a rate and a slack that are finite.
    #[test]
    fn a_snapshot_restores_the_same(slots in prop::collection::vec((0_u32..400, 0_u64..1_000, 0_u64..1_000), 1..300)) {
        let mut baselines = Baselines::default();
        for (hour, good, bad) in slots {
            baselines.learn(&quality(at(hour), HOUR, good, bad), None);
        }
        let bytes = Baselines::snapshot([(&"a".to_owned(), &baselines)]);
        let restored = Baselines::restore(&bytes, 1).expect("what was written is readable");
        prop_assert_eq!(&restored["a"], &baselines);
        prop_assert_eq!(Baselines::snapshot(&restored), bytes);
        if let Some(found) = reference(&baselines, 400) {
            prop_assert!((0.0..=1.0).contains(&found.rate) && found.null().is_finite() && found.slack >= 0.01, "{:?}", found);
        }
    }
}

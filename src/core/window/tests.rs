use super::*;
use crate::core::histogram::{Distribution, Histogram, VALUE_MAX};
use crate::core::request::Request;
use crate::core::request::tests::request;
use crate::core::signal::Signal;

const POLICY: Policy = Policy {
    slot: Duration::from_secs(10),
    short: Duration::from_secs(60),
    long: Duration::from_secs(600),
    baseline: Duration::from_secs(24 * 60),
};

/// A feature driven slot by slot: `n` requests of `latency_ms` in each.
struct Driver {
    windows: Windows,
    meters: Meters,
    now: UnixNanos,
}

impl Driver {
    fn new() -> Self {
        Self { windows: Windows::new(POLICY), meters: Meters::default(), now: UnixNanos(1_000_000_000_000_000) }
    }

    fn slots(&mut self, slots: u32, n: u64, latency_ms: u64, learn: bool) {
        for _ in 0..slots {
            let one = Request { latency: Duration::from_millis(latency_ms), ..request() };
            (0..n).for_each(|_| self.meters.record(&one, false));
            self.now = self.now.plus(POLICY.slot);
            drop(self.windows.close_slot(self.now, &self.meters, learn));
        }
    }

    fn short(&self) -> u64 {
        self.windows.short().requests()
    }
}

/// Proves that windows hold what was counted in their length and nothing older, at every slot edge.
#[test]
fn windows_hold_their_length() {
    let mut driver = Driver::new();
    for slot in 1..=200_u64 {
        driver.slots(1, slot, 100, true);
        let sum = |n: u64| (slot.saturating_sub(n) + 1..=slot).sum::<u64>();
        let short = driver.windows.short();
        assert_eq!(short.requests(), sum(6), "slot {slot}");
        assert_eq!(short.to.since(short.from), POLICY.slot * u32::try_from(slot.min(6)).expect("small"));
        let Nested { recent: [fifth, half], window, extended } = driver.windows.nested(POLICY.short);
        assert_eq!([fifth, half].map(|recent| recent.requests()), [sum(1), sum(3)]);
        assert_eq!((window, extended), (short, driver.windows.last(POLICY.short * 2)));
        // A coarse slot is in or out as a whole.
        let long = driver.windows.long().requests();
        assert!(long >= sum(60 - 3) && long <= sum(60 + 3), "slot {slot}: {long} of {}", sum(60));
    }
}

/// Proves that `between` cuts at slots, over both rings, and that the parts add up to the whole.
#[test]
fn between_cuts_at_slots() {
    let mut driver = Driver::new();
    let start = driver.now;
    driver.slots(6, 1, 100, true);
    driver.slots(6, 10, 9_000, true);
    let middle = start.plus(POLICY.slot * 6);
    let (before, after) = (driver.windows.between(start, middle), driver.windows.between(middle, driver.now));
    assert_eq!((before.requests(), after.requests()), (6, 60));
    assert_eq!((before.from, before.to, after.from, after.to), (start, middle, middle, driver.now));
    assert_eq!(before.count(Count::Good) + after.count(Count::Good), driver.windows.long().count(Count::Good));
    assert!(after.quantile(Measure::Latency, 0.5) > before.quantile(Measure::Latency, 0.95));
    assert_eq!(driver.windows.between(driver.now, start).requests(), 0);
}

/// Proves what the baseline learns: nothing younger than the short window, nothing of a short window in which an
/// alert began, and that it keeps the last good time however long an incident lasts.
#[test]
fn the_baseline_is_the_last_good_time() {
    let mut driver = Driver::new();
    driver.slots(6, 10, 100, true);
    assert!(driver.windows.baseline().is_none(), "all of it is younger than the short window");
    driver.slots(2, 10, 100, true);
    assert_eq!(driver.windows.baseline().map(|baseline| baseline.requests()), Some(20));
    driver.slots(6, 10, 100, true);
    // The trouble starts, is noticed three slots later, and lasts for longer than any window.
    driver.slots(3, 10, 9_000, true);
    driver.slots(300, 10, 9_000, false);
    let baseline = driver.windows.baseline().expect("there were 17 good slots");
    assert_eq!(baseline.quantile(Measure::Latency, 1.0), baseline.quantile(Measure::Latency, 0.0));
    assert_eq!(baseline.requests(), 11 * 10);
    driver.slots(20, 10, 200, true);
    assert_eq!(driver.windows.baseline().map(|baseline| baseline.requests()), Some((11 + 14) * 10));
    driver.windows.forget_baseline();
    assert!(driver.windows.baseline().is_none());
}

/// Proves that the baseline is bounded, and ages by what is learned: quiet hours do not wash it out.
#[test]
fn the_baseline_is_bounded_and_survives_quiet_hours() {
    let mut driver = Driver::new();
    driver.slots(1_000, 1, 100, true);
    let full = driver.windows.baseline().expect("plenty").requests();
    assert!((23 * 6..=24 * 6).contains(&full), "{full} slots of 10 s in 24 min");
    driver.slots(1_000, 0, 100, true);
    let quiet = driver.windows.baseline().expect("still there").requests();
    assert!((23 * 6..=24 * 6).contains(&quiet), "{quiet}");
    assert_eq!(driver.windows.long().requests(), 0);
}

/// Proves that a clock that steps back neither stalls nor mixes the windows, and that one that jumps ahead only
/// empties them.
#[test]
fn clock_steps_do_not_corrupt() {
    let mut driver = Driver::new();
    driver.slots(30, 1, 100, true);
    driver.now = driver.now.minus(Duration::from_secs(3_600));
    for slot in 1..=20 {
        driver.slots(1, 1, 100, true);
        assert_eq!(driver.short(), 6, "slot {slot}");
        let short = driver.windows.short();
        assert_eq!((short.to, short.to.since(short.from)), (driver.now, POLICY.short));
    }
    assert_eq!(driver.windows.long().requests(), 50, "the history moved with the clock");
    driver.now = driver.now.plus(Duration::from_secs(24 * 3_600));
    driver.slots(1, 1, 100, true);
    assert!(driver.short() <= 1 && driver.windows.long().requests() <= 1);
    driver.slots(6, 1, 100, true);
    assert_eq!(driver.short(), 6);
    assert!(driver.windows.baseline().is_some());
}

/// Proves that ticks that come early or late leave the windows' content within a slot of their length.
#[test]
fn jitter_does_not_flicker() {
    let mut driver = Driver::new();
    for slot in 0..300_u64 {
        driver.now =
            driver.now.plus(Duration::from_millis(10_000 + slot * 7_919 % 400)).minus(Duration::from_millis(200));
        driver.meters.record(&request(), false);
        drop(driver.windows.close_slot(driver.now, &driver.meters, true));
        assert!(slot < 6 || (6..=7).contains(&driver.short()), "slot {slot}: {}", driver.short());
    }
}

/// Proves the memory bound against values all over the range, and pins it for the default policy: 1.9 MiB.
#[test]
fn memory_is_bounded() {
    let policy = Policy {
        slot: Duration::from_secs(10),
        short: Duration::from_secs(300),
        long: Duration::from_secs(3_600),
        baseline: Duration::from_secs(3_600),
    };
    let mut windows = Windows::new(policy);
    let meters = Meters::default();
    let mut now = UnixNanos(1_000_000_000_000_000);
    for slot in 0..200_u64 {
        for measure in Measure::ALL {
            (0..CELLS_HIT).for_each(|at| meters.values(measure).record((at * VALUE_MAX / CELLS_HIT) >> (slot % 20)));
        }
        meters.record(&request(), false);
        now = now.plus(policy.slot);
        drop(windows.close_slot(now, &meters, true));
    }
    let kept: usize = [&windows.slots, &windows.coarse, &windows.learned]
        .into_iter()
        .flatten()
        .map(|slot| size_of_val(slot) + slot.values.iter().map(|values| values.values().count() * 8).sum::<usize>())
        .sum();
    assert!(kept <= bytes_max(&policy), "{kept} of {}", bytes_max(&policy));
    assert_eq!(bytes_max(&policy) >> 10, BYTES_MAX_KIB);
}

const CELLS_HIT: u64 = 600;
const BYTES_MAX_KIB: usize = 2_684;

/// Proves the three kinds of intervals on numbers that can be looked up.
#[test]
fn estimates_carry_their_intervals() {
    let latencies = Histogram::default();
    (1..=100).for_each(|at| latencies.record(at * 10_000));
    let mut values = <[Distribution; Measure::N]>::default();
    values[Measure::Latency.index()] = latencies.since(&mut Previous::default());
    values[Measure::Cost.index()] = values[Measure::Latency.index()].clone();
    let mut counts = [0; Count::N];
    counts[Count::Good.index()] = 4;
    counts[Count::Bad.index()] = 6;
    let window = Window::new(UnixNanos(0), UnixNanos(1), counts, values);
    let near = |found: f64, expected: f64| (found / expected - 1.0).abs() < 0.01;

    let quality = window.estimate(Signal::Quality).expect("ten samples");
    assert!(near(quality.value, 0.4) && near(quality.ci_low, 0.1682) && near(quality.ci_high, 0.6873), "{quality:?}");
    let p95 = window.estimate(Signal::LatencyP95).expect("a hundred samples");
    // Ranks 91 and 100 of 100: binomial(100, 0.95) has 95 % of its mass there.
    assert!(near(p95.value, 0.95) && near(p95.ci_low, 0.91) && near(p95.ci_high, 1.0), "{p95:?}");
    let cost = window.estimate(Signal::CostPerRequest).expect("a hundred samples");
    assert!(near(cost.value, 0.505) && near(cost.ci_high - cost.value, 1.96 * 0.029_011), "{cost:?}");
    assert_eq!(window.estimate(Signal::ToolSuccessRatio), None);
}

/// Proves that a request whose late verdict falls into a later slot than itself can't push quality out of bounds.
#[test]
fn late_verdicts_stay_within_the_window() {
    let mut counts = [0; Count::N];
    counts[Count::Good.index()] = 2;
    counts[Count::TurnedBad.index()] = 5;
    let window = Window::new(UnixNanos(0), UnixNanos(1), counts, Default::default());
    assert_eq!(window.ratio(Signal::Quality), Some((0, 2)));
    counts[Count::TurnedBad.index()] = 0;
    counts[Count::TurnedGood.index()] = 5;
    let window = Window::new(UnixNanos(0), UnixNanos(1), counts, Default::default());
    assert_eq!(window.ratio(Signal::Quality), Some((2, 2)));
}

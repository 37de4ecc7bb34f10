use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::core::alert;
use crate::core::baseline::Baselines;
use crate::core::detect::{Seen, Watch};
use crate::core::meters::Meters;
use crate::core::request::tests::request;
use crate::core::request::{Document, Evaluation, Failure, Judge, ModelCall, Outcome, Request, Retrieval, ToolCall};
use crate::core::time::UnixNanos;
use crate::core::window::{Policy, Windows};

const POLICY: Policy = Policy {
    slot: Duration::from_secs(10),
    short: Duration::from_secs(5 * 60),
    long: Duration::from_secs(60 * 60),
    baseline: Duration::from_secs(60 * 60),
};

/// What requests are like. Shares and medians; latencies and tokens are lognormal.
#[derive(Clone, Copy)]
struct Traffic {
    per_second: f64,
    good: f64,
    tool_ok: f64,
    hit: f64,
    error: f64,
    refused: f64,
    latency_median: f64,
    tokens_median: f64,
}

/// 92 % good, tools 97 %, p95 1.8 s: the brief's three readings before anything happened.
const USUAL: Traffic = Traffic {
    per_second: 1.0,
    good: 0.92,
    tool_ok: 0.97,
    hit: 0.97,
    error: 0.005,
    refused: 0.02,
    latency_median: P95_1 * 1.8,
    tokens_median: 800.0,
};

/// The median of a lognormal with deviation [`SPREAD`] whose 95th percentile is 1.
const P95_1: f64 = 0.372_7;
const SPREAD: f64 = 0.6;

/// A feature on the real meters, windows, rules and alerts, fed by a seeded generator.
struct Feature {
    random: StdRng,
    now: UnixNanos,
    meters: Meters,
    windows: Windows,
    rules: Vec<Rule>,
    alerts: Vec<alert::State>,
    baselines: Baselines,
    watches: Vec<Watch>,
    /// Size and state of a slow random walk of everything, in log-odds and log-latency.
    wander: (f64, f64),
}

impl Feature {
    fn new(seed: u64, wander: f64) -> Self {
        let rules = built_in();
        Self {
            random: StdRng::seed_from_u64(seed),
            now: UnixNanos(1_700_000_000_000_000_000),
            meters: Meters::default(),
            windows: Windows::new(POLICY),
            alerts: vec![alert::State::Inactive; rules.len()],
            baselines: Baselines::default(),
            watches: vec![Watch::default(); rules.len()],
            rules,
            wander: (wander, 0.0),
        }
    }

    /// Ten seconds of traffic and one evaluation; names of the alerts that started to fire.
    fn tick(&mut self, traffic: &Traffic) -> Vec<String> {
        let mut gap = self.exponential(traffic.per_second);
        while gap < POLICY.slot.as_secs_f64() {
            let request = self.request(traffic);
            self.meters.record(&request, false);
            gap += self.exponential(traffic.per_second);
        }
        self.close()
    }

    fn close(&mut self) -> Vec<String> {
        self.now = self.now.plus(POLICY.slot);
        self.drift();
        let learn = self.alerts.iter().all(|alert| *alert == alert::State::Inactive);
        let learned = self.windows.close_slot(self.now, &self.meters, learn);
        let (nested, baseline) = (self.windows.nested(WINDOW), self.windows.baseline());
        learned.iter().for_each(|slot| self.baselines.learn(slot, baseline.as_ref()));
        let mut fired = Vec::new();
        let (windows, baselines) = (&self.windows, &self.baselines);
        let seen = Seen { windows, nested: &nested, last_good: baseline.as_ref(), baselines, series: 16 };
        for ((rule, state), watch) in self.rules.iter().zip(&mut self.alerts).zip(&mut self.watches) {
            let before = state.as_str();
            *state = state.step(&watch.judge(rule, &seen), self.now, rule).state;
            if state.as_str() == "firing" && before != "firing" {
                fired.push(rule.name.to_string());
            }
        }
        fired
    }

    fn run(&mut self, duration: Duration, traffic: &Traffic) -> Vec<String> {
        let ticks = duration.as_secs() / POLICY.slot.as_secs();
        (0..ticks).flat_map(|_| self.tick(traffic)).collect()
    }

    /// Seconds from now until the alert fires under `traffic`, within half an hour.
    fn delay(&mut self, name: &str, traffic: &Traffic) -> Option<u64> {
        (1..=180).find(|_| self.tick(traffic).iter().any(|fired| fired == name)).map(|ticks| ticks * 10)
    }

    /// An autoregressive walk with a time constant of an hour, plus the time of day.
    fn drift(&mut self) {
        let keep = (-10.0_f64 / 3_600.0).exp();
        let noise = self.normal();
        self.wander.1 = keep * self.wander.1 + (1.0 - keep * keep).sqrt() * noise;
    }

    fn now_drift(&self) -> f64 {
        let day = (self.now.0 / 1_000_000_000 % 86_400) as f64 / 86_400.0;
        self.wander.0 * (self.wander.1 + (day * std::f64::consts::TAU).sin())
    }

    fn request(&mut self, traffic: &Traffic) -> Request {
        let drift = self.now_drift();
        let odds = |share: f64| {
            let logit = (share / (1.0 - share)).ln() - drift;
            1.0 / (1.0 + (-logit).exp())
        };
        let outcome = match self.random.random::<f64>() {
            draw if draw < traffic.error => Outcome::Error,
            draw if draw < traffic.error + traffic.refused => Outcome::Refused,
            _ => Outcome::Ok,
        };
        let latency = traffic.latency_median * (SPREAD * self.normal() + drift).exp();
        let tokens = (traffic.tokens_median * (0.7 * self.normal() + drift).exp()) as u64;
        let (good, tool_ok) = (self.chance(odds(traffic.good)), self.chance(odds(traffic.tool_ok)));
        let score = self.chance(odds(traffic.hit)).then(|| 0.8 + 0.06 * self.normal());
        let call = ModelCall {
            time_to_first_token: Some(Duration::from_secs_f64(latency * 0.3)),
            input_tokens: Some(tokens),
            output_tokens: Some(tokens / 4),
            cost_nano_usd: Some(tokens * 4_000),
            retries: Some(u32::from(self.chance(0.02))),
            ..ModelCall::default()
        };
        Request {
            latency: Duration::from_secs_f64(latency),
            outcome,
            calls: vec![call],
            tools: vec![tool(tool_ok)],
            retrievals: vec![search(score)],
            evaluations: vec![evaluation(good)],
            ..request()
        }
    }

    fn chance(&mut self, share: f64) -> bool {
        self.random.random::<f64>() < share
    }

    fn exponential(&mut self, rate: f64) -> f64 {
        -(1.0 - self.random.random::<f64>()).ln() / rate
    }

    /// Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.random.random::<f64>()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.random.random::<f64>()).cos()
    }
}

fn tool(ok: bool) -> ToolCall {
    ToolCall {
        name: "lookup".into(),
        ran: true,
        error: (!ok).then(|| Failure { kind: "e".into(), message: "".into(), timeout: false, status_code: None }),
        ..ToolCall::default()
    }
}

fn search(score: Option<f64>) -> Retrieval {
    let document = |score| Document { score: Some(score), ..Document::default() };
    Retrieval { documents: Some(score.into_iter().map(document).collect()), ..Retrieval::default() }
}

fn evaluation(passed: bool) -> Evaluation {
    Evaluation {
        metric: "relevance".into(),
        score: Some(if passed { 0.9 } else { 0.2 }),
        label: None,
        passed: Some(passed),
        judge: Judge::default(),
        error: None,
        sampled_by: None,
    }
}

/// Proves that names are unique and CamelCase, that all five classes are covered, and that every limit is on the
/// side its signal can reach.
#[test]
fn the_table_is_sound() {
    let rules = built_in();
    for rule in &rules {
        assert!(rule.name.starts_with("LLM") && rule.name.chars().all(|c| c.is_ascii_alphanumeric()), "{}", rule.name);
        assert_eq!(rules.iter().filter(|other| other.name == rule.name).count(), 1, "{}", rule.name);
        assert_eq!(rule.direction, rule.signal.worse());
        assert!(rule.limit.fixed.is_some() || rule.limit.baseline.is_some(), "{}", rule.name);
        assert!(rule.hold + Duration::from_secs(60) <= Duration::from_secs(120) && rule.keep_firing >= WINDOW / 5);
        assert!(rule.summary.ends_with('.'));
    }
    for class in Class::ALL {
        assert!(rules.iter().any(|rule| rule.class == class && rule.severity != Severity::Sev3), "{class:?}");
    }
    assert!(BUILT_IN.iter().all(|rule| !rule.reason.is_empty()));
}

/// Proves that the three readings of the brief page, each under its own name, at one request a second and with ten
/// seconds between requests, and that nothing fires before.
#[test]
fn the_three_alerts_fire() {
    let changes = [
        ("LLMQualityDegradation", Traffic { good: 0.68, ..USUAL }),
        ("LLMLatencyHigh", Traffic { latency_median: P95_1 * 9.2, ..USUAL }),
        ("LLMToolFailures", Traffic { tool_ok: 0.72, ..USUAL }),
    ];
    for (name, changed) in changes {
        for (per_second, within) in [(1.0, 180), (0.1, 1_200)] {
            let delays = (0..SEEDS).map(|seed| {
                let mut feature = Feature::new(seed, 0.04);
                let before = feature.run(Duration::from_secs(1_800), &Traffic { per_second, ..USUAL });
                assert_eq!(before, [] as [&str; 0], "{name} seed {seed}");
                feature.delay(name, &Traffic { per_second, ..changed }).unwrap_or(u64::MAX)
            });
            let mut delays: Vec<u64> = delays.collect();
            delays.sort_unstable();
            println!("{name} at {per_second}/s: {delays:?} s");
            assert!(delays[delays.len() / 2] <= within, "{name} at {per_second}/s: {delays:?}");
        }
    }
}

/// Proves the drill: ten healthy requests, then ten of which six are bad, and the alert fires within a minute of
/// the last; then ten healthy ones again, and it resolves.
#[test]
fn six_bad_of_ten_fire_and_resolve() {
    for (name, spoil) in DRILLS {
        for healthy in [10, 200] {
            let mut feature = Feature::new(1, 0.0);
            feed(&mut feature, healthy, 0, spoil);
            (0..40).for_each(|_| assert_eq!(feature.close(), [] as [&str; 0]));
            feed(&mut feature, 10, 6, spoil);
            let fired: Vec<String> = (0..6).flat_map(|_| feature.close()).collect();
            assert!(fired.iter().any(|fired| fired == name), "{name} after {healthy}: {fired:?}");
            feed(&mut feature, 10, 0, spoil);
            (0..60).for_each(|_| drop(feature.close()));
            assert!(feature.alerts.iter().all(|alert| *alert == alert::State::Inactive), "{name}");
        }
    }
}

type Spoil = fn(&mut Request);

const DRILLS: [(&str, Spoil); 5] = [
    ("LLMRetrievalEmpty", |request| request.retrievals = vec![search(Some(0.0))]),
    ("LLMLatencyHigh", |request| request.latency = Duration::from_secs(12)),
    ("LLMQualityDegradation", |request| request.evaluations = vec![evaluation(false)]),
    ("LLMToolFailures", |request| request.tools = vec![tool(false)]),
    ("LLMErrorRateHigh", |request| request.outcome = Outcome::Error),
];

fn feed(feature: &mut Feature, requests: usize, bad: usize, spoil: Spoil) {
    for at in 0..requests {
        let healthy = Traffic { good: 1.0, tool_ok: 1.0, hit: 1.0, error: 0.0, refused: 0.0, ..USUAL };
        let mut request = Request { latency: Duration::from_millis(1_200), ..feature.request(&healthy) };
        if at < bad {
            spoil(&mut request);
        }
        feature.meters.record(&request, false);
    }
}

/// Proves that a slower feature within its limit is SEV-3 at most, and that 200 ms are nothing.
#[test]
fn slower_within_the_limit_does_not_page() {
    let run = |from: f64, to: f64| {
        let mut feature = Feature::new(3, 0.0);
        let usual = Traffic { latency_median: P95_1 * from, ..USUAL };
        assert_eq!(feature.run(Duration::from_secs(1_800), &usual), [] as [&str; 0]);
        feature.run(Duration::from_secs(1_800), &Traffic { latency_median: P95_1 * to, ..USUAL })
    };
    let fired = run(1.5, 4.2);
    assert!(fired.iter().any(|fired| fired == "LLMLatencyRegression"), "{fired:?}");
    let rules = built_in();
    assert!(
        fired.iter().all(|fired| rules.iter().any(|rule| *rule.name == **fired && rule.severity == Severity::Sev3))
    );
    assert_eq!(run(1.5, 1.7), [] as [&str; 0]);
}

/// Proves that a loop that triples the tokens is a cost spike, and a leak fires in the tick it is seen.
#[test]
fn cost_and_leaks_fire() {
    let mut feature = Feature::new(4, 0.04);
    assert_eq!(feature.run(Duration::from_secs(1_800), &USUAL), [] as [&str; 0]);
    let fired = feature.run(Duration::from_secs(180), &Traffic { tokens_median: 2_400.0, ..USUAL });
    assert!(["LLMTokenSpike", "LLMCostSpike"].iter().all(|name| fired.iter().any(|fired| fired == name)), "{fired:?}");
    feature.meters.record(&request(), true);
    assert_eq!(feature.close(), ["LLMDataLeak"]);
}

/// Proves silence: hours of steady traffic that wander mildly raise no alert, at one request a second and at one in
/// ten. (The short form that runs every time.)
#[test]
fn steady_traffic_is_silent() {
    let mut alarms = BTreeMap::new();
    for (per_second, hours) in STEADY {
        for seed in 0..SEEDS {
            let mut feature = Feature::new(100 + seed, 0.08);
            for name in feature.run(Duration::from_secs(3_600 * hours), &Traffic { per_second, ..USUAL }) {
                *alarms.entry((per_second.to_string(), name)).or_insert(0) += 1;
            }
        }
    }
    println!("false alarms over {SEEDS} seeds: {alarms:?}");
    assert!(alarms.is_empty(), "{alarms:?}");
}

const SEEDS: u64 = 3;
const STEADY: [(f64, u64); 2] = [(1.0, 1), (0.1, 2)];

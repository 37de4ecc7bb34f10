//! Simulated traffic: counts and values per slot, straight into the meters, so that weeks pass in seconds.
//!
//! Arrivals are Poisson with a load that follows the hour of the day. Every rate wanders by itself, in log-odds: an
//! autoregressive walk with a time constant of an hour plus a sine over the day, each of the size given; at 0.08 a failure
//! rate of 8 % moves by 0.6 points each way by either. Values are lognormal, their logarithm wanders the same way.

use std::f64::consts::TAU;
use std::time::Duration;

use freezeframe::core::meters::Meters;
use freezeframe::core::signal::{Count, Measure};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Length of a slot.
pub(crate) const SLOT: Duration = Duration::from_secs(10);
/// Slots of an hour.
pub(crate) const HOUR: u64 = 360;

/// What a feature is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Traffic {
    pub(crate) per_second: f64,
    pub(crate) good: f64,
    pub(crate) tool_ok: f64,
    pub(crate) hit: f64,
    pub(crate) error: f64,
    pub(crate) refused: f64,
    pub(crate) latency_p95: f64,
    pub(crate) tokens: f64,
}

/// 92 % good, tools 97 %, p95 1.8 s: the readings before anything happens.
pub(crate) const USUAL: Traffic = Traffic {
    per_second: 1.0,
    good: 0.92,
    tool_ok: 0.97,
    hit: 0.97,
    error: 0.005,
    refused: 0.02,
    latency_p95: 1.8,
    tokens: 800.0,
};

/// The logarithm's deviation of a latency, and its 95th percentile in deviations.
const SPREAD: f64 = 0.6;
const P95: f64 = 1.644_9;

/// Shares of requests that somebody gives feedback on, and that somebody dislikes.
const FEEDBACK: f64 = 0.05;
const DISLIKED: f64 = 0.15;

/// A generator with the distributions that are needed.
pub(crate) struct Random(StdRng);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    pub(crate) fn uniform(&mut self) -> f64 {
        self.0.random()
    }

    /// Box and Muller.
    pub(crate) fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.uniform()).ln()).sqrt() * (TAU * self.uniform()).cos()
    }

    /// Exact for small means, by the normal limit from 50 on.
    pub(crate) fn poisson(&mut self, mean: f64) -> u64 {
        if mean >= 50.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u64;
        }
        let (floor, mut product, mut n) = ((-mean).exp(), self.uniform(), 0);
        while product > floor {
            product *= self.uniform();
            n += 1;
        }
        n
    }

    /// Exact: by the gaps between successes.
    pub(crate) fn binomial(&mut self, trials: u64, share: f64) -> u64 {
        if share > 0.5 {
            return trials - self.binomial(trials, 1.0 - share);
        }
        let miss = (1.0 - share).ln();
        let (mut at, mut hits) = (0.0, 0);
        loop {
            at += ((1.0 - self.uniform()).ln() / miss).floor() + 1.0;
            if share <= 0.0 || at > trials as f64 {
                return hits;
            }
            hits += 1;
        }
    }
}

/// What moves by itself.
#[derive(Clone, Copy, Debug, Default)]
struct Wander {
    walk: f64,
    phase: f64,
}

impl Wander {
    fn step(&mut self, random: &mut Random, size: f64, day: f64) -> f64 {
        let keep = (-SLOT.as_secs_f64() / 3_600.0).exp();
        self.walk = keep * self.walk + (1.0 - keep * keep).sqrt() * random.normal();
        size * (self.walk + ((day + self.phase) * TAU).sin())
    }
}

/// Which values are drawn: they are most of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    /// None: counts alone.
    None,
    /// Latencies.
    Latency,
    /// All.
    All,
}

/// A feature's traffic: the same for the same seed.
pub(crate) struct Source {
    values: Values,
    random: Random,
    size: f64,
    wanders: [Wander; 7],
    slot: u64,
}

impl Source {
    pub(crate) fn new(seed: u64, size: f64, values: Values) -> Self {
        let mut random = Random::new(seed);
        let wanders = std::array::from_fn(|_| Wander { walk: random.normal(), phase: random.uniform() });
        Self { values, random, size, wanders, slot: 0 }
    }

    /// One slot of traffic.
    pub(crate) fn slot(&mut self, traffic: &Traffic, meters: &Meters) {
        let day = self.slot as f64 / (24 * HOUR) as f64;
        self.slot += 1;
        let load = 1.0 + 0.5 * (day * TAU).sin();
        let requests = self.random.poisson(traffic.per_second * SLOT.as_secs_f64() * load);
        let [quality, tools, searches, errors, refusals, latency, tokens] =
            std::array::from_fn(|at| self.wanders[at].step(&mut self.random, self.size, day));
        let odds = |share: f64, off: f64| 1.0 / (1.0 + (-((share / (1.0 - share)).ln() + off)).exp());
        let mut count = |yes: Count, no: Option<Count>, of: u64, share: f64| {
            let hits = self.random.binomial(of, share);
            meters.count_more(yes, hits);
            no.into_iter().for_each(|no| meters.count_more(no, of - hits));
            hits
        };
        let failed = count(Count::Error, None, requests, odds(traffic.error, errors));
        let refused = count(Count::Refused, None, requests - failed, odds(traffic.refused, refusals));
        meters.count_more(Count::Ok, requests - failed - refused);
        let judged = requests - failed;
        let good = count(Count::Good, Some(Count::Bad), judged, odds(traffic.good, -quality));
        meters.count_more(Count::EvaluationPass, good);
        meters.count_more(Count::EvaluationFail, judged - good);
        count(Count::ToolOk, Some(Count::ToolError), requests, odds(traffic.tool_ok, -tools));
        count(Count::RetrievalHit, Some(Count::RetrievalEmpty), requests, odds(traffic.hit, -searches));
        let told = self.random.binomial(requests, FEEDBACK);
        let disliked = self.random.binomial(told, DISLIKED);
        meters.count_more(Count::FeedbackBad, disliked);
        meters.count_more(Count::FeedbackGood, told - disliked);
        match self.values {
            Values::None => {}
            Values::Latency => (0..requests).for_each(|_| {
                let seconds = self.seconds(traffic, latency);
                meters.values(Measure::Latency).record((seconds * 1e6) as u64);
            }),
            Values::All => (0..requests).for_each(|_| self.values(traffic, latency, tokens, meters)),
        }
    }

    fn seconds(&mut self, traffic: &Traffic, off: f64) -> f64 {
        traffic.latency_p95 * (SPREAD * (self.random.normal() - P95) + off).exp()
    }

    fn values(&mut self, traffic: &Traffic, latency: f64, tokens: f64, meters: &Meters) {
        let seconds = self.seconds(traffic, latency);
        let tokens = traffic.tokens * (0.7 * self.random.normal() + tokens).exp();
        let record = |measure: Measure, value: f64| meters.values(measure).record(value as u64);
        record(Measure::Latency, seconds * 1e6);
        record(Measure::TimeToFirstToken, seconds * 0.3e6);
        record(Measure::InputTokens, tokens);
        record(Measure::OutputTokens, tokens / 4.0);
        record(Measure::Cost, tokens * 4.0);
        record(Measure::RetrievalScore, 800.0 + 60.0 * self.random.normal());
        record(Measure::Retries, f64::from(u8::from(self.random.uniform() < 0.02)));
    }
}

//! One signal's failures by hour: the rate that is normal at an hour of the day, and how far it wanders by itself.
//!
//! The rate is an exponentially weighted mean over the kept hours, plus, once a day is learned, the deviation of this hour
//! of the day and its neighbours, shrunk by how much of the differences between hours is chance (James and Stein 1961). The
//! wander is the robust deviation (median absolute, times 1.4826) of hourly rates from that, less what sampling explains,
//! plus a standard error of it: what little traffic hides is not taken for calm.

use std::collections::VecDeque;
use std::time::Duration;

use crate::core::statistics::Z;
use crate::core::time::UnixNanos;
use crate::core::window::number;

/// Hours kept: a week of those in which something was learned.
pub const HOURS_MAX: usize = 7 * 24;

/// Learned time and samples without which nothing is said.
const LEARNED_MIN: Duration = Duration::from_secs(3_600);
const SAMPLES_MIN: u64 = 100;

/// Age at which an hour counts half, hours.
const HALF_LIFE: f64 = 72.0;

/// Hours of the day with samples before they are told apart.
const DAY_HOURS_MIN: usize = 20;

/// Weights of an hour of the day and of those one and two hours off.
const NEIGHBOURS: [f64; 3] = [1.0, 2.0 / 3.0, 1.0 / 3.0];

/// Kept hours before the wander is told, and before it is believed: a day, and half a week, as nobody works around the
/// clock.
const WANDER_HOURS_MIN: usize = 24;
const WEEK_HOURS_MIN: usize = HOURS_MAX / 2;
/// And the hours they span.
const WEEK_SPAN_MIN: u32 = 6 * 24;

/// The slack in standard deviations of the wander, and while that is known from less than a week.
const SLACK_DEVIATIONS: f64 = 3.0;
const EARLY_SLACK_DEVIATIONS: f64 = 4.0;
/// The slack until the wander is known, and at most until it is believed: this share of the rate, and this much.
const SLACK_SHARE: f64 = 0.25;
const SLACK_CONSTANT: f64 = 0.005;

const HOUR_NANOS: u64 = 3_600_000_000_000;

/// What is normal for a signal at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reference {
    /// The usual rate of failures.
    pub rate: f64,
    /// The standard error of that rate.
    pub error: f64,
    /// What it may exceed the rate by, its own wander.
    pub slack: f64,
    /// How much time was learned from.
    pub learned: Duration,
}

/// The learned hours of one signal, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Seasonal {
    pub(super) hours: VecDeque<Hour>,
}

/// What was learned in one hour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hour {
    /// Hours since the epoch.
    pub(super) hour: u32,
    /// Learned seconds of it.
    pub(super) seconds: u32,
    pub(super) bad: u32,
    pub(super) of: u32,
}

/// The rate by hour of the day.
struct Fit {
    rate: f64,
    error: f64,
    /// Deviation from the rate by hour of the day, shrunk, and its standard error.
    day: [(f64, f64); 24],
}

impl Reference {
    /// The highest rate of failures that is normal: from the lenient end of the rate's interval, so that a thin baseline
    /// asks for more.
    #[must_use]
    pub fn null(&self) -> f64 {
        (self.rate + Z * self.error + self.slack).min(1.0)
    }

    /// The same for the other side: good samples as the failures.
    #[must_use]
    pub(super) fn opposite(self) -> Self {
        Self { rate: 1.0 - self.rate, ..self }
    }
}

impl Seasonal {
    /// Memory at most, bytes.
    pub(super) const BYTES_MAX: usize = size_of::<Self>() + (HOURS_MAX + 1).next_power_of_two() * size_of::<Hour>();

    /// Learns `bad` of `of` in `length` from `from` on. A clock that stepped back adds to the newest hour.
    pub(super) fn learn(&mut self, from: UnixNanos, length: Duration, bad: u64, of: u64) {
        let hour = hour_of(from).max(self.hours.back().map_or(0, |last| last.hour));
        if self.hours.back().is_none_or(|last| last.hour != hour) {
            self.hours.push_back(Hour { hour, seconds: 0, bad: 0, of: 0 });
            if self.hours.len() > HOURS_MAX {
                self.hours.pop_front();
            }
        }
        let Some(last) = self.hours.back_mut() else { return };
        let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        last.seconds = last.seconds.saturating_add(small(length.as_secs()));
        last.of = last.of.saturating_add(small(of));
        last.bad = last.bad.saturating_add(small(bad)).min(last.of);
    }

    /// What is normal at `at`; `None` before an hour and a hundred samples were learned.
    pub(super) fn reference(&self, at: UnixNanos, slack_min: f64) -> Option<Reference> {
        let seconds = self.hours.iter().map(|hour| u64::from(hour.seconds)).sum();
        let learned = Duration::from_secs(seconds);
        let samples: u64 = self.hours.iter().map(|hour| u64::from(hour.of)).sum();
        if learned < LEARNED_MIN || samples < SAMPLES_MIN {
            return None;
        }
        let fit = self.fit(hour_of(at));
        let (deviation, error) = fit.day[hour_of(at) as usize % 24];
        let rate = (fit.rate + deviation).clamp(0.0, 1.0);
        let first_day = fit.rate * SLACK_SHARE + SLACK_CONSTANT;
        let wander = match self.wander(&fit) {
            None => first_day,
            Some(deviation) if self.knows_a_week() => deviation * SLACK_DEVIATIONS,
            Some(deviation) => first_day.min(deviation * EARLY_SLACK_DEVIATIONS),
        };
        let error = (fit.error * fit.error + error * error).sqrt();
        Some(Reference { rate, error, slack: wander.max(slack_min), learned })
    }

    fn fit(&self, now: u32) -> Fit {
        let weighted = self.hours.iter().map(|it| {
            let age = f64::from(now.saturating_sub(it.hour));
            ((-age / HALF_LIFE).exp2(), it)
        });
        let mut all = Weighted::default();
        let mut day: [Weighted; 24] = Default::default();
        for (weight, it) in weighted {
            all.add(weight, it);
            let own = it.hour as usize % 24;
            for (off, share) in NEIGHBOURS.into_iter().enumerate() {
                day[(own + off) % 24].add(weight * share, it);
                if off > 0 {
                    day[(own + 24 - off) % 24].add(weight * share, it);
                }
            }
        }
        let rate = all.rate();
        let known = |it: &&Weighted| it.of > 0.0;
        let mut told_apart: [(f64, f64); 24] = Default::default();
        if self.day_hours() >= DAY_HOURS_MIN {
            let hours = number(day.iter().filter(known).count() as u64);
            let spread = day.iter().filter(known).map(|it| (it.rate() - rate).powi(2)).sum::<f64>() / hours;
            let chance = day.iter().filter(known).map(|it| it.variance(rate)).sum::<f64>() / hours;
            let kept = if spread > 0.0 { ((spread - chance) / spread).max(0.0) } else { 0.0 };
            for (place, it) in told_apart.iter_mut().zip(&day).filter(|(_, it)| it.of > 0.0) {
                *place = ((it.rate() - rate) * kept, it.variance(rate).sqrt() * kept);
            }
        }
        Fit { rate, error: all.variance(rate).sqrt(), day: told_apart }
    }

    /// Hours of the day in which anything was learned.
    fn day_hours(&self) -> usize {
        let mut seen = [false; 24];
        self.hours.iter().for_each(|it| seen[it.hour as usize % 24] = true);
        seen.into_iter().filter(|seen| *seen).count()
    }

    fn knows_a_week(&self) -> bool {
        let span = self.hours.back().zip(self.hours.front()).map_or(0, |(last, first)| last.hour - first.hour);
        self.hours.len() >= WEEK_HOURS_MIN && span >= WEEK_SPAN_MIN
    }

    /// The standard deviation of the hourly rate beyond chance; `None` before a day is known.
    fn wander(&self, fit: &Fit) -> Option<f64> {
        if self.hours.len() < WANDER_HOURS_MIN {
            return None;
        }
        let sampled = |it: &Hour| fit.rate * (1.0 - fit.rate) / f64::from(it.of.max(1));
        let off = |it: &Hour| {
            let expected = fit.rate + fit.day[it.hour as usize % 24].0;
            (f64::from(it.bad) / f64::from(it.of.max(1)) - expected).abs()
        };
        let deviation = 1.482_6 * median(self.hours.iter().map(off).collect())?;
        let chance = median(self.hours.iter().map(sampled).collect())?;
        // The variance of a median absolute deviation is that of a standard deviation from 37 % as many values.
        let unsure = deviation * deviation * (2.0 / (0.37 * number(self.hours.len() as u64))).sqrt();
        Some(((deviation * deviation - chance).max(0.0) + unsure).sqrt())
    }
}

/// Weighted counts, and their squares for the variance of the rate.
#[derive(Clone, Copy, Debug, Default)]
struct Weighted {
    bad: f64,
    of: f64,
    squares: f64,
}

impl Weighted {
    fn add(&mut self, weight: f64, hour: &Hour) {
        self.bad += weight * f64::from(hour.bad);
        self.of += weight * f64::from(hour.of);
        self.squares += weight * weight * f64::from(hour.of);
    }

    /// The rate; half a failure more than there were, as nothing is impossible because it has not happened yet.
    fn rate(&self) -> f64 {
        (self.bad + 0.5) / (self.of + 1.0)
    }

    /// The variance of the rate when samples fail with probability `rate`.
    fn variance(&self, rate: f64) -> f64 {
        rate * (1.0 - rate) * self.squares / (self.of * self.of).max(f64::MIN_POSITIVE)
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

pub(super) fn hour_of(at: UnixNanos) -> u32 {
    u32::try_from(at.0 / HOUR_NANOS).unwrap_or(u32::MAX)
}

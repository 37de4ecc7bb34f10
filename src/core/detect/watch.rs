//! One rule on one feature, judged at the end of every slot: the only detector state beside the windows.

use super::judge::{Bad, breaches, judge_by, judge_nested_by, learned_limit, of_rule};
use super::sequential::{Sequential, Step, threshold};
use super::{Direction, Estimate, Limit, Rule, Source, Threshold, Verdict};
use crate::core::baseline::{Baselines, Reference};
use crate::core::signal::Shape;
use crate::core::statistics::wilson;
use crate::core::time::UnixNanos;
use crate::core::window::{Nested, Window, Windows, small};

/// Fewer samples since its start are no excursion of the sequential test, whatever the rule asks for.
pub const EXCURSION_SAMPLES_MIN: u64 = 30;

/// With fewer samples than this in a window, its breach must show in two slots more before it counts: what fails is still
/// rare, and the frame needs requests to compare. A rule that holds for no time does not wait.
const FEW_SAMPLES: u64 = 100;
const CONFIRMATIONS: u32 = 2;

/// The short one of a burn rate's windows is this part of the long one (SRE workbook, chapter 5).
const BURN_RATE_PART: u32 = 12;

/// What a rule is judged on.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The feature's windows, the slot closed.
    pub windows: &'a Windows,
    /// Those of the rule's length.
    pub nested: &'a Nested,
    /// The last good hour.
    pub last_good: Option<&'a Window>,
    /// What the feature is used to.
    pub baselines: &'a Baselines,
    /// Series that are watched together: features times rules with a slack.
    pub series: usize,
}

/// The state of one rule on one feature.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Watch {
    test: Sequential,
    /// Slots in a row in which few samples breached a window.
    breached: u32,
    thresholds: Vec<Threshold>,
    onset: Option<UnixNanos>,
    /// The limit that an alert of before an outage breached, in the signal's unit, and until when windows reach back
    /// into the outage.
    kept: Option<f64>,
    resuming_until: UnixNanos,
}

/// The learned side of a rule with a slack, at one moment.
struct Learned {
    reference: Reference,
    /// What the window's samples are held against, in the signal's unit.
    limit: f64,
}

/// What the sequential test holds samples against.
struct Held {
    limit: f64,
    /// The highest rate of failures that is normal.
    null: f64,
    source: Source,
}

impl Watch {
    /// Judges the rule. Call once a slot.
    pub fn judge(&mut self, rule: &Rule, seen: &Seen<'_>) -> Verdict {
        self.onset = None;
        let learned = learned(rule, seen);
        self.thresholds = thresholds(rule, seen, learned.as_ref());
        // Once there is a week of hours, the last good one has nothing to add.
        let limit = Limit { baseline: rule.limit.baseline.filter(|_| learned.is_none()), ..rule.limit };
        let kept = self.kept.filter(|_| seen.last_good.is_none());
        // Of a fixed limit and the one that was breached before, the one that is easier to breach.
        let fixed = match (limit.fixed, kept) {
            (Some(fixed), Some(kept)) if !rule.direction.beyond(fixed, kept) => Some(fixed),
            (fixed, kept) => kept.or(fixed),
        };
        let limit = Limit { fixed, ..limit };
        let verdict = match by_windows(rule, &limit, seen) {
            // A handful of samples is all there is to go by at first; against a learned rate it is chance once in weeks.
            Verdict::Breached { estimate, .. }
                if learned.is_some() && self.kept.is_none() && estimate.samples < EXCURSION_SAMPLES_MIN =>
            {
                Verdict::Healthy { estimate }
            }
            verdict => self.confirmed(rule, verdict),
        };
        let sequential = held(rule, learned).and_then(|held| self.sequential(rule, seen, &held));
        match verdict {
            Verdict::Breached { .. } => verdict,
            Verdict::Healthy { .. } | Verdict::InsufficientData { .. } => {
                sequential.or_else(|| burning(rule, seen)).unwrap_or(verdict)
            }
        }
    }

    /// The limits in force at the last slot, and where each comes from.
    #[must_use]
    pub fn thresholds(&self) -> &[Threshold] {
        &self.thresholds
    }

    /// When the trouble began, as far as the sequential test knows of it.
    #[must_use]
    pub fn onset(&self) -> Option<UnixNanos> {
        self.onset
    }

    /// Goes on after an outage that ended at `now`: as long as there is no last good hour, windows are held against the
    /// limit that an alert breached before.
    pub fn resume(&mut self, rule: &Rule, limit: Option<f64>, now: UnixNanos) {
        (self.kept, self.resuming_until) = (limit, now.plus(rule.window));
        // What was confirmed before the outage is not asked again.
        self.breached = CONFIRMATIONS;
    }

    /// Whether windows at `now` reach back into an outage, so that too few samples say nothing.
    #[must_use]
    pub fn is_resuming(&self, now: UnixNanos) -> bool {
        now < self.resuming_until
    }

    /// The limit given to [`Watch::resume`].
    #[must_use]
    pub fn held_against(&self) -> Option<f64> {
        self.kept
    }

    /// The alert is over: what it was held against is not needed any more.
    pub fn end(&mut self) {
        self.kept = None;
    }

    /// Starts the sequential test anew.
    pub fn reset(&mut self) {
        self.test.reset();
    }

    fn confirmed(&mut self, rule: &Rule, verdict: Verdict) -> Verdict {
        match verdict {
            Verdict::Breached { estimate, .. } if estimate.samples < FEW_SAMPLES && !rule.hold.is_zero() => {
                self.breached = self.breached.saturating_add(1);
                if self.breached > CONFIRMATIONS { verdict } else { Verdict::Healthy { estimate } }
            }
            Verdict::Breached { .. } | Verdict::Healthy { .. } | Verdict::InsufficientData { .. } => {
                self.breached = 0;
                verdict
            }
        }
    }

    fn sequential(&mut self, rule: &Rule, seen: &Seen<'_>, held: &Held) -> Option<Verdict> {
        let newest = seen.windows.newest();
        let Bad { samples, of, .. } = of_rule(rule, &newest, held.limit)?;
        let (null, threshold) = (held.null, threshold(seen.series));
        self.test.step(&Step { from: newest.from, bad: samples, of, null, threshold });
        let excursion = self.test.excursion(threshold, rule.samples_min.max(EXCURSION_SAMPLES_MIN))?;
        let since = [&seen.nested.window, &seen.nested.extended].into_iter().filter(|it| it.from >= excursion.since);
        if since.into_iter().any(|it| is_over(rule, it, held.limit, null)) {
            self.test.reset();
            return None;
        }
        self.onset = Some(excursion.since);
        // All of a young excursion, and what is now of an old one.
        let since = excursion.since.max(newest.to.minus(rule.window));
        let estimate = seen.windows.between(since, newest.to).estimate(rule.signal)?;
        Some(Verdict::Breached { estimate, limit: held.limit, source: held.source })
    }
}

/// By the windows of the rule's length, or where that is too short for so many samples, by the newest of them.
fn by_windows(rule: &Rule, limit: &Limit, seen: &Seen<'_>) -> Verdict {
    let verdict = judge_nested_by(rule, limit, seen.nested, seen.last_good);
    let has_enough = seen.nested.window.samples(rule.signal) >= rule.window_samples;
    if has_enough || matches!(verdict, Verdict::Breached { .. }) {
        return verdict;
    }
    let newest = seen.windows.reaching(rule.signal, rule.window_samples, rule.window);
    judge_by(rule, limit, &newest, seen.last_good)
}

/// What a rule with a slack is held against; `None` before it is learned.
fn learned(rule: &Rule, seen: &Seen<'_>) -> Option<Learned> {
    let newest = seen.windows.newest();
    let reference = seen.baselines.reference(rule.signal, rule.direction, newest.to, rule.limit.slack?)?;
    let limit = match (rule.signal.shape(), rule.direction) {
        (Shape::Ratio, Direction::Above) => reference.null(),
        (Shape::Ratio, Direction::Below) => 1.0 - reference.null(),
        (Shape::Quantile(..), _) => seen.last_good?.estimate(rule.signal)?.value,
        (Shape::Mean(_), _) => return None,
    };
    Some(Learned { reference, limit })
}

/// A fixed limit is held as well, before there is a slack's baseline: as the share of failures that it allows.
fn held(rule: &Rule, learned: Option<Learned>) -> Option<Held> {
    if let Some(Learned { reference, limit }) = learned {
        return Some(Held { limit, null: reference.null(), source: Source::Learned { time: reference.learned } });
    }
    let limit = rule.limit.fixed?;
    let null = match (rule.signal.shape(), rule.direction) {
        (Shape::Ratio, Direction::Above) => limit,
        (Shape::Ratio, Direction::Below) => 1.0 - limit,
        (Shape::Quantile(_, q), Direction::Above) => 1.0 - q,
        (Shape::Quantile(_, q), Direction::Below) => q,
        (Shape::Mean(_), _) => return None,
    };
    Some(Held { limit, null, source: Source::Fixed })
}

/// Whether the whole interval of a window is on the good side.
fn is_over(rule: &Rule, window: &Window, limit: f64, null: f64) -> bool {
    of_rule(rule, window, limit)
        .is_some_and(|bad| bad.of >= EXCURSION_SAMPLES_MIN && wilson(small(bad.samples), small(bad.of)).1 < null)
}

/// A burn rate's limit in the signal's unit.
fn burn_rate_limit(rule: &Rule) -> Option<(f64, Source)> {
    let burn_rate = rule.limit.burn_rate.filter(|_| rule.signal.shape() == Shape::Ratio)?;
    let limit = match rule.direction {
        Direction::Above => burn_rate.failures(),
        Direction::Below => 1.0 - burn_rate.failures(),
    };
    Some((limit, Source::BurnRate { factor: burn_rate.factor }))
}

fn burning(rule: &Rule, seen: &Seen<'_>) -> Option<Verdict> {
    let (limit, source) = burn_rate_limit(rule)?;
    let estimate = seen.nested.window.estimate(rule.signal).filter(|it: &Estimate| it.samples >= rule.samples_min)?;
    let recent = seen.windows.last(rule.window / BURN_RATE_PART).estimate(rule.signal)?;
    let burns = breaches(rule, &seen.nested.window, limit) && rule.direction.beyond(recent.value, limit);
    burns.then_some(Verdict::Breached { estimate, limit, source })
}

fn thresholds(rule: &Rule, seen: &Seen<'_>, learned: Option<&Learned>) -> Vec<Threshold> {
    let fixed = rule.limit.fixed.map(|value| Threshold { value: Some(value), source: Source::Fixed });
    let burn_rate = burn_rate_limit(rule).map(|(value, source)| Threshold { value: Some(value), source });
    let baseline = (rule.limit.baseline.is_some() || rule.limit.slack.is_some()).then(|| {
        let hourly = learned.map(|it| (it.limit, it.reference.learned));
        let last_good = || seen.last_good.and_then(|it| Some((learned_limit(rule, it)?, it.to.since(it.from))));
        match hourly.or_else(last_good) {
            Some((value, time)) => Threshold { value: Some(value), source: Source::Learned { time } },
            None => Threshold { value: None, source: Source::InsufficientData },
        }
    });
    fixed.into_iter().chain(burn_rate).chain(baseline).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::core::detect::{BurnRate, Relative};
    use crate::core::meters::Meters;
    use crate::core::rules;
    use crate::core::signal::Count;
    use crate::core::window::Policy;

    const SLOT: Duration = Duration::from_secs(10);
    const HOUR: Duration = Duration::from_secs(3_600);

    /// One feature under one rule, fed with good and bad answers.
    struct Feature {
        rule: Rule,
        watch: Watch,
        windows: Windows,
        baselines: Baselines,
        meters: Meters,
        now: UnixNanos,
    }

    impl Feature {
        fn new(limit: Limit) -> Self {
            let quality = rules::built_in().into_iter().find(|rule| &*rule.name == "LLMQualityDegradation");
            let policy = Policy { slot: SLOT, short: Duration::from_secs(300), long: HOUR, baseline: HOUR };
            Self {
                rule: Rule { limit, ..quality.expect("a built-in rule") },
                watch: Watch::default(),
                windows: Windows::new(policy),
                baselines: Baselines::default(),
                meters: Meters::default(),
                now: UnixNanos(1_700_006_400_000_000_000),
            }
        }

        /// The verdict after `slots` slots of so many answers each.
        fn slots(&mut self, slots: u32, good: u64, bad: u64) -> Verdict {
            let mut verdict = Verdict::InsufficientData { samples: 0 };
            for _ in 0..slots {
                self.meters.count_more(Count::Ok, good + bad);
                self.meters.count_more(Count::Good, good);
                self.meters.count_more(Count::Bad, bad);
                self.now = self.now.plus(SLOT);
                let learned = self.windows.close_slot(self.now, &self.meters, true);
                learned.iter().for_each(|slot| self.baselines.learn(slot, None));
                let nested = self.windows.nested(self.rule.window);
                let last_good = self.windows.baseline();
                let seen = Seen {
                    windows: &self.windows,
                    nested: &nested,
                    last_good: last_good.as_ref(),
                    baselines: &self.baselines,
                    series: 1,
                };
                verdict = self.watch.judge(&self.rule, &seen);
            }
            verdict
        }

        fn sources(&self) -> Vec<String> {
            self.watch.thresholds().iter().map(|it| it.source.to_string()).collect()
        }
    }

    /// Proves where limits come from as time passes: the fixed one at once, the last good hour within minutes, the
    /// baseline after an hour; and that the sequential test then finds in a slot what started in it, and its end.
    #[test]
    fn thresholds_say_where_they_come_from() {
        let mut feature = Feature::new(Limit {
            fixed: Some(0.8),
            baseline: Some(Relative::Delta(-0.05)),
            slack: Some(0.01),
            burn_rate: None,
        });
        feature.slots(1, 92, 8);
        assert_eq!(feature.sources(), ["fixed", "insufficient_data"]);
        feature.slots(120, 92, 8);
        assert_eq!(feature.sources(), ["fixed", "learned from 15 min"]);
        assert!(matches!(feature.slots(360, 92, 8), Verdict::Healthy { .. }));
        assert_eq!(feature.sources(), ["fixed", "learned from 75 min"]);
        let onset = feature.now;
        let Verdict::Breached { estimate, limit, source } = feature.slots(1, 68, 32) else { panic!("a third is bad") };
        assert_eq!(
            (estimate.samples, estimate.value, source.to_string()),
            (100, 0.68, "learned from 75 min".to_owned())
        );
        assert!((0.88..0.9).contains(&limit) && estimate.ci_high < limit, "{limit}");
        assert_eq!(feature.watch.onset(), Some(onset));
        feature.slots(60, 68, 32);
        assert!(matches!(feature.slots(40, 92, 8), Verdict::Healthy { .. }), "it is over");
        assert_eq!(feature.watch.onset(), None);
    }

    /// Proves a burn rate: both windows must burn, and the end of the trouble shows in the short one at once.
    #[test]
    fn a_burn_rate_takes_both_windows() {
        let limit = Limit { burn_rate: Some(BurnRate { objective: 0.9, factor: 3.0 }), ..Limit::default() };
        let mut feature = Feature::new(limit);
        feature.rule.window = HOUR;
        assert!(matches!(feature.slots(360, 92, 8), Verdict::Healthy { .. }));
        assert!(matches!(feature.slots(60, 50, 50), Verdict::Healthy { .. }), "the hour is fine");
        let Verdict::Breached { limit, source, .. } = feature.slots(200, 50, 50) else { panic!("a third of the hour") };
        assert!((limit - 0.7).abs() < 1e-9 && source.to_string() == "burn rate 3", "{limit} {source}");
        assert!(matches!(feature.slots(30, 92, 8), Verdict::Healthy { .. }), "five minutes are fine");
    }

    /// Proves a window of samples: ten answers that took half an hour are judged, and none older than the long window.
    #[test]
    fn a_window_of_samples_reaches_back() {
        let mut feature = Feature::new(Limit { fixed: Some(0.8), ..Limit::default() });
        let sparse = |feature: &mut Feature| {
            (0..10).fold(None, |_, _| {
                feature.slots(17, 0, 0);
                Some(feature.slots(1, 0, 1))
            })
        };
        assert!(matches!(sparse(&mut feature), Some(Verdict::InsufficientData { .. })));
        feature.rule.window_samples = 10;
        sparse(&mut feature);
        assert!(matches!(feature.slots(1, 0, 1), Verdict::Breached { .. }));
        assert!(matches!(feature.slots(400, 0, 0), Verdict::InsufficientData { .. }), "an hour ago");
    }
}

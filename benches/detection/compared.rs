//! The detectors that the default rules are compared with.

use std::collections::VecDeque;

use freezeframe::core::detect::{Direction, Limit, Relative, Rule, Verdict, judge_nested};
use freezeframe::core::meters::Meters;
use freezeframe::core::rules;
use freezeframe::core::signal::{Shape, Signal};
use freezeframe::core::time::UnixNanos;
use freezeframe::core::window::{Window, Windows};

use super::feature::{POLICY, START, built_in};
use super::traffic::{SLOT, Source, Traffic, Values};

/// A way to find trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detector {
    /// More than twice the usual failures over five minutes, for five minutes.
    Static,
    /// Five minutes off by three standard errors.
    ThreeSigma,
    /// 14.4 times the budget of a 90 % objective over an hour and five minutes, or six times over six hours and thirty
    /// minutes.
    BurnRate,
    /// Nested windows against the fixed limit and the last good hour, for 30 s.
    Windows,
    /// The default rule of the signal.
    Default,
}

impl Detector {
    pub(crate) const ALL: [Self; 5] = [Self::Static, Self::ThreeSigma, Self::BurnRate, Self::Windows, Self::Default];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Static => "static, 5 min for 5 min",
            Self::ThreeSigma => "3 sigma on 5 min",
            Self::BurnRate => "burn rate 14.4x and 6x, objective 90 %",
            Self::Windows => "nested windows, for 30 s",
            Self::Default => "default rule",
        }
    }
}

/// One of the detectors that are no rules of ours, on one signal.
pub(crate) struct Foreign {
    detector: Detector,
    signal: Signal,
    /// The usual rate of failures: these detectors are told what nobody tells ours.
    usual: f64,
    source: Source,
    meters: Meters,
    windows: Windows,
    now: UnixNanos,
    slots: VecDeque<(u64, u64)>,
    breached: u32,
}

impl Foreign {
    pub(crate) fn new(detector: Detector, signal: Signal, usual: f64, seed: u64, wander: f64) -> Self {
        let windows = Windows::new(POLICY);
        let values = if signal.shape() == Shape::Ratio { Values::None } else { Values::Latency };
        let (source, meters) = (Source::new(seed, wander, values), Meters::default());
        Self { detector, signal, usual, source, meters, windows, now: START, slots: VecDeque::new(), breached: 0 }
    }

    /// One slot; whether the detector alarms in it.
    pub(crate) fn slot(&mut self, traffic: &Traffic) -> bool {
        self.source.slot(traffic, &self.meters);
        self.now = self.now.plus(SLOT);
        drop(self.windows.close_slot(self.now, &self.meters, self.breached == 0));
        let newest = self.windows.newest();
        self.slots.push_front(failures(&newest, self.signal));
        self.slots.truncate(6 * 360);
        let rate = |slots: usize| {
            let (bad, of) = self.slots.iter().take(slots).fold((0, 0), |sum, slot| (sum.0 + slot.0, sum.1 + slot.1));
            (of >= 10).then(|| (bad as f64 / of as f64, of as f64))
        };
        let above = |slots: usize, limit: f64| rate(slots).is_some_and(|(rate, _)| rate > limit);
        let (breached, hold) = match self.detector {
            Detector::Static => (above(30, 2.0 * self.usual), 30),
            Detector::ThreeSigma => {
                let off = |(rate, of): (f64, f64)| (rate - self.usual) / (self.usual * (1.0 - self.usual) / of).sqrt();
                (rate(30).is_some_and(|it| off(it) > 3.0), 0)
            }
            Detector::BurnRate => {
                let burns = |long, short, factor: f64| above(long, factor * 0.1) && above(short, factor * 0.1);
                (burns(360, 30, 14.4) || burns(2_160, 180, 6.0), 0)
            }
            Detector::Windows | Detector::Default => (self.by_windows(), 3),
        };
        self.breached = if breached { self.breached + 1 } else { 0 };
        self.breached == hold + 1
    }

    fn by_windows(&self) -> bool {
        let name = match self.signal {
            Signal::ToolSuccessRatio => "LLMToolFailures",
            Signal::LatencyP95 => "LLMLatencyHigh",
            _ => "LLMQualityDegradation",
        };
        let rule = built_in(name);
        let delta = (rule.direction == Direction::Below).then_some(Relative::Delta(-0.05));
        let rule = Rule { limit: Limit { fixed: rule.limit.fixed, baseline: delta, ..Limit::default() }, ..rule };
        let last_good = self.windows.baseline();
        let verdict = judge_nested(&rule, &self.windows.nested(rules::WINDOW), last_good.as_ref());
        matches!(verdict, Verdict::Breached { .. })
    }
}

/// `(failures, samples)`; of a quantile the values above the usual 95th percentile.
fn failures(window: &Window, signal: Signal) -> (u64, u64) {
    match (signal.shape(), signal.worse()) {
        (Shape::Ratio, Direction::Above) => window.ratio(signal).unwrap_or_default(),
        (Shape::Ratio, Direction::Below) => window.ratio(signal).map(|(hits, of)| (of - hits, of)).unwrap_or_default(),
        (Shape::Quantile(measure, _), _) => {
            window.exceedance(measure, (super::traffic::USUAL.latency_p95 * measure.per_unit()) as u64)
        }
        (Shape::Mean(_), _) => (0, 0),
    }
}

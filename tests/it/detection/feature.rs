//! A feature under its rules, without an engine: meters, windows, baselines and alerts as they are.

use std::time::Duration;

use freezeframe::core::alert;
use freezeframe::core::baseline::Baselines;
use freezeframe::core::detect::{Rule, Seen, Watch};
use freezeframe::core::meters::Meters;
use freezeframe::core::rules;
use freezeframe::core::signal::Shape;
use freezeframe::core::time::UnixNanos;
use freezeframe::core::window::{Policy, Windows};

use super::traffic::{SLOT, Source, Traffic, Values};

/// The default windows.
pub(crate) const POLICY: Policy = Policy {
    slot: SLOT,
    short: Duration::from_secs(5 * 60),
    long: Duration::from_secs(60 * 60),
    baseline: Duration::from_secs(60 * 60),
};

/// Midnight of some day.
pub(crate) const START: UnixNanos = UnixNanos(1_700_006_400_000_000_000);

/// Series watched together: a feature and the whole service, with every built-in rule that has a slack.
const SERIES: usize = 14;

/// A feature on the real meters, windows, baselines, rules and alerts.
pub(crate) struct Feature {
    source: Source,
    meters: Meters,
    windows: Windows,
    baselines: Baselines,
    watched: Vec<(Rule, Watch, alert::State)>,
    now: UnixNanos,
}

impl Feature {
    /// A feature watched by `rules`.
    pub(crate) fn new(seed: u64, wander: f64, rules: Vec<Rule>) -> Self {
        let values = match rules.iter().all(|rule| rule.signal.shape() == Shape::Ratio) {
            true => Values::None,
            false if rules.len() == 1 => Values::Latency,
            false => Values::All,
        };
        Self {
            source: Source::new(seed, wander, values),
            meters: Meters::default(),
            windows: Windows::new(POLICY),
            baselines: Baselines::default(),
            watched: rules.into_iter().map(|rule| (rule, Watch::default(), alert::State::Inactive)).collect(),
            now: START,
        }
    }

    /// One slot; names of the alerts that started to fire.
    pub(crate) fn slot(&mut self, traffic: &Traffic) -> Vec<Box<str>> {
        self.source.slot(traffic, &self.meters);
        self.now = self.now.plus(SLOT);
        let learn = self.watched.iter().all(|(_, _, state)| *state == alert::State::Inactive);
        let learned = self.windows.close_slot(self.now, &self.meters, learn);
        let last_good = self.windows.baseline();
        learned.iter().for_each(|slot| self.baselines.learn(slot, last_good.as_ref()));
        let nested = self.windows.nested(rules::WINDOW);
        let seen = Seen {
            windows: &self.windows,
            nested: &nested,
            last_good: last_good.as_ref(),
            baselines: &self.baselines,
            series: SERIES,
        };
        let mut fired = Vec::new();
        for (rule, watch, state) in &mut self.watched {
            let before = state.as_str();
            *state = state.step(&watch.judge(rule, &seen), self.now, rule).state;
            if state.as_str() == "firing" && before != "firing" {
                fired.push(rule.name.clone());
            }
        }
        fired
    }
}

/// The built-in rule of a name.
pub(crate) fn built_in(name: &str) -> Rule {
    rules::built_in().into_iter().find(|rule| &*rule.name == name).expect("a built-in rule")
}

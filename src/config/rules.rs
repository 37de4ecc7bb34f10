//! The list `rules.rules`: an entry with the name of a built-in rule starts from it and changes only what it says.

use std::time::Duration;

use super::error::Problems;
use super::fields::{Draft, Field, Table};
use super::slot::Slot;
use super::yaml::{Node, Place, Value};
use super::{Config, built_in};
use crate::core::detect::{BurnRate, Direction, Limit, Relative, Rule};
use crate::core::incident::{Class, Severity};
use crate::core::signal::Signal;

/// What the file says of rules.
#[derive(Clone, Debug)]
pub(super) struct RuleLists {
    pub(super) defaults: bool,
    pub(super) disabled: Vec<String>,
    pub(super) written: Vec<(Place, RuleDraft)>,
}

/// A rule being written.
#[derive(Clone, Debug, Default)]
pub(super) struct RuleDraft {
    pub(super) name: String,
    pub(super) class: Option<Class>,
    pub(super) severity: Option<Severity>,
    pub(super) signal: Option<Signal>,
    pub(super) direction: Option<Direction>,
    pub(super) fixed: Option<f64>,
    pub(super) factor: Option<f64>,
    pub(super) delta: Option<f64>,
    pub(super) slack: Option<f64>,
    pub(super) objective: Option<f64>,
    pub(super) burn_rate: Option<f64>,
    /// Zero until said: the short window.
    pub(super) window: Duration,
    pub(super) window_samples: usize,
    pub(super) hold: Duration,
    pub(super) keep_firing: Duration,
    pub(super) samples_min: usize,
    pub(super) features: Vec<String>,
    pub(super) summary: String,
}

/// Below this a ratio says little: Wilson's interval of 30 samples is still 0.3 wide.
const SAMPLES_MIN: usize = 30;

const DAY: Duration = Duration::from_secs(86_400);

/// The fields of one rule.
pub(super) const RULE_FIELDS: &[Field<RuleDraft>] = &[
    Field {
        path: "name",
        meaning: "alertname. The name of a built-in rule changes that rule: fields left out stay as they are.",
        slot: |rule| Slot::Text(&mut rule.name),
    },
    Field { path: "class", meaning: "Incident class of its alerts.", slot: |rule| Slot::Word(&mut rule.class) },
    Field { path: "severity", meaning: "Severity of its alerts.", slot: |rule| Slot::Word(&mut rule.severity) },
    Field { path: "signal", meaning: "What is watched.", slot: |rule| Slot::Word(&mut rule.signal) },
    Field { path: "direction", meaning: "The bad side of the limit.", slot: |rule| Slot::Word(&mut rule.direction) },
    Field {
        path: "limit.fixed",
        meaning: "A fixed limit in the signal's unit. With a baseline part as well, whichever is breached first counts.",
        slot: |rule| Slot::Number(&mut rule.fixed),
    },
    Field {
        path: "limit.baseline_factor",
        meaning: "Limit as the last-good baseline times this.",
        slot: |rule| Slot::Number(&mut rule.factor),
    },
    Field {
        path: "limit.baseline_delta",
        meaning: "Limit as the last-good baseline plus this, negative for a drop; instead of the factor.",
        slot: |rule| Slot::Number(&mut rule.delta),
    },
    Field {
        path: "limit.baseline_slack",
        meaning: "Limit as the seasonal baseline's share of failures plus at least this, by a sequential test; a factor or delta stands in until the baseline is learned.",
        slot: |rule| Slot::Number(&mut rule.slack),
    },
    Field {
        path: "limit.burn_rate.objective",
        meaning: "Share of good samples that is promised: the error budget is the rest.",
        slot: |rule| Slot::Number(&mut rule.objective),
    },
    Field {
        path: "limit.burn_rate.factor",
        meaning: "How many times faster than promised the error budget burns, over the window and the last twelfth of it.",
        slot: |rule| Slot::Number(&mut rule.burn_rate),
    },
    Field {
        path: "window",
        meaning: "Length of the sliding window that is judged: a multiple of windows.slot, at most windows.long; windows.short unless said.",
        slot: |rule| Slot::Time(&mut rule.window, Duration::from_secs(1)..=DAY),
    },
    Field {
        path: "window_samples",
        meaning: "For low traffic: where the window has fewer samples than this, the newest so many are judged, as far as windows.long reaches; 0 for none.",
        slot: |rule| Slot::Count(&mut rule.window_samples, 0..=1_000_000),
    },
    Field {
        path: "for",
        meaning: "How long the condition must hold before the alert fires.",
        slot: |rule| Slot::Time(&mut rule.hold, Duration::ZERO..=DAY),
    },
    Field {
        path: "keep_firing_for",
        meaning: "How long the alert keeps firing after the condition last held.",
        slot: |rule| Slot::Time(&mut rule.keep_firing, Duration::ZERO..=DAY),
    },
    Field {
        path: "samples_min",
        meaning: "Fewer samples than this in the window are insufficient data.",
        slot: |rule| Slot::Count(&mut rule.samples_min, 1..=1_000_000),
    },
    Field {
        path: "features",
        meaning: "Features it applies to, as globs with * and ?; empty for all.",
        slot: |rule| Slot::Texts(&mut rule.features),
    },
    Field { path: "summary", meaning: "One sentence for the alert.", slot: |rule| Slot::Text(&mut rule.summary) },
];

/// Reads the list into the draft.
pub(super) fn read(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    for (index, item) in items(node, "rules.rules", problems).iter().enumerate() {
        let prefix = format!("rules.rules[{index}]");
        let name = peek(item, "name");
        let built_in = built_in::rules().into_iter().find(|rule| name == Some(&rule.name));
        let mut rule = built_in.map_or_else(
            || RuleDraft { samples_min: SAMPLES_MIN, ..RuleDraft::default() },
            |rule| RuleDraft::of(&rule),
        );
        Table { fields: RULE_FIELDS, lists: &[], prefix: &prefix }.read(item, "", &mut rule, problems);
        problems.wrote(&prefix, item.at);
        draft.rules.written.push((item.at, rule));
    }
}

/// The entries of the list at `path`.
pub(super) fn items<'a>(node: &'a Node, path: &str, problems: &mut Problems) -> &'a [Node] {
    match &node.value {
        Value::List(items) => items,
        Value::Null => &[],
        other => {
            problems.error(Some(node.at), path, other.describe(), "a list");
            &[]
        }
    }
}

/// The text of one key of a map, before it is read for good.
pub(super) fn peek<'a>(item: &'a Node, name: &str) -> Option<&'a str> {
    let Value::Map(entries) = &item.value else { return None };
    entries.iter().find(|(key, _)| key.name == name).and_then(|(_, node)| match &node.value {
        Value::Text(text) => Some(text.as_str()),
        _ => None,
    })
}

impl RuleLists {
    /// Nothing written: the built-in rules.
    pub(super) fn built_in() -> Self {
        Self { defaults: true, disabled: Vec::new(), written: Vec::new() }
    }

    /// Whether a rule of that name is written.
    pub(super) fn mentions(&self, name: &str) -> bool {
        self.written.iter().any(|(_, rule)| rule.name == name)
    }

    /// Every rule of `config` spelled out.
    pub(super) fn of(config: &Config) -> Self {
        let nowhere = Place { line: 0, column: 0 };
        let written = config.rules.iter().map(|rule| (nowhere, RuleDraft::of(rule))).collect();
        Self { defaults: false, disabled: Vec::new(), written }
    }
}

impl RuleDraft {
    /// The draft of a compiled rule.
    pub(super) fn of(rule: &Rule) -> Self {
        let Rule {
            name,
            class,
            severity,
            signal,
            direction,
            limit,
            window,
            window_samples,
            hold,
            keep_firing,
            samples_min,
            features,
            summary,
        } = rule;
        let (factor, delta) = match limit.baseline {
            Some(Relative::Factor(factor)) => (Some(factor), None),
            Some(Relative::Delta(delta)) => (None, Some(delta)),
            None => (None, None),
        };
        Self {
            name: name.to_string(),
            class: Some(*class),
            severity: Some(*severity),
            signal: Some(*signal),
            direction: Some(*direction),
            fixed: limit.fixed,
            factor,
            delta,
            slack: limit.slack,
            objective: limit.burn_rate.map(|it| it.objective),
            burn_rate: limit.burn_rate.map(|it| it.factor),
            window: *window,
            window_samples: usize::try_from(*window_samples).unwrap_or(usize::MAX),
            hold: *hold,
            keep_firing: *keep_firing,
            samples_min: usize::try_from(*samples_min).unwrap_or(usize::MAX),
            features: features.iter().map(ToString::to_string).collect(),
            summary: summary.to_string(),
        }
    }

    /// The limit as written.
    pub(super) fn limit(&self) -> Limit {
        let baseline = self.factor.map(Relative::Factor).or(self.delta.map(Relative::Delta));
        let burn_rate = self.objective.zip(self.burn_rate).map(|(objective, factor)| BurnRate { objective, factor });
        Limit { fixed: self.fixed, baseline, slack: self.slack, burn_rate }
    }
}

//! What may have changed: the values worth a look, and how likely each is before anything is seen of its failures.

use super::dimension::Dimension;
use super::scan::LIMITS;
use super::table::{Side, Table, counts};
use crate::core::variable::Variable;

/// Log prior of a value that the incident has and the baseline did not.
const NEW: f64 = 3.0;
/// Of an age or a number of hits that the index did not have before: the clock, the questions and the version of the index
/// bring those about by themselves.
const NEW_EFFECT: f64 = 0.5;
/// Of a value that was there before, where something can change behind the same name: a hosted model, a tool's backend.
const UNMOVED: f64 = -1.0;
/// The same, where that is rare: a judge's model, an index written in place.
const UNMOVED_RARE: f64 = -2.5;
/// Of a model behind the same name whose requests are just a slice of traffic, or all: where it is told how much and how fast it
/// writes, which hardly anything else changes.
const HIDDEN: f64 = -3.0;
/// Of all requests at once.
const ALL: f64 = -1.0;
/// Of a slice of traffic.
const TRAFFIC: f64 = -2.0;
/// Log prior of a new value that harms one slice of traffic, below that of one that harms all, and less what there is to
/// choose from.
const LIMITED: f64 = -1.0;
/// The same for one feature or one model of several: seen, and rarer.
const LIMITED_RARE: f64 = -3.0;
/// Log prior of all new values of a dimension at once, below that of one.
const UNION: f64 = -0.7;

/// Requests with a value, at least this many and this share, before it is looked at.
const REQUESTS_MIN: f64 = 4.0;
const SHARE_MIN: f64 = 0.002;
/// What a feature had before is known from so many requests of its baseline.
const KNOWN_MIN: f64 = 20.0;
/// A value is new when the features that have it had it in less than this share of their baseline,
const NEW_BEFORE_MAX: f64 = 0.15;
/// have it now in more than this,
const NEW_NOW_MIN: f64 = 0.03;
/// and in this many times more.
const NEW_TIMES: f64 = 4.0;
/// An unmoved value of nearly all requests is the same as all requests.
const UNMOVED_SHARE_MAX: f64 = 0.9;

/// Two slices are the same when this part of either is in both.
const SAME_MIN: f64 = 0.9;

/// Requests that share something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Slice {
    /// All of them.
    All,
    /// A value, by dense code.
    Value(Dimension, u8),
    /// Any of the new values of a dimension.
    New(Dimension, Vec<u8>),
    /// A new value among a slice of traffic.
    Among((Dimension, u8), (Dimension, u8)),
}

impl Slice {
    /// The variable to blame; `None` where it is none of the six.
    pub(super) fn variable(&self) -> Option<Variable> {
        match self {
            Self::All => None,
            Self::Value(dimension, _) | Self::New(dimension, _) | Self::Among((dimension, _), _) => {
                (!dimension.is_traffic()).then(|| dimension.variable())
            }
        }
    }

    /// Whether a request of a side is in it.
    pub(super) fn has(&self, side: &Side, row: usize) -> bool {
        let is = |(dimension, value): (Dimension, u8)| side.columns[dimension.index()][row] == value;
        match self {
            Self::All => true,
            Self::Value(dimension, value) => is((*dimension, *value)),
            Self::New(dimension, values) => values.contains(&side.columns[dimension.index()][row]),
            Self::Among(value, slice) => is(*value) && is(*slice),
        }
    }
}

/// A slice and its log prior.
pub(super) struct Candidate {
    pub(super) slice: Slice,
    pub(super) prior: f64,
}

/// Every new value of a configuration: new to the features that have it. A value does not move because the mix of features
/// does.
pub(super) fn new_values(table: &Table) -> Vec<(Dimension, u8)> {
    let configured = Dimension::ALL.into_iter().filter(|it| !it.is_traffic() && table.size(*it) > 1);
    configured.flat_map(|it| new_of(table, it).into_iter().map(move |value| (it, value))).collect()
}

fn new_of(table: &Table, dimension: Dimension) -> Vec<u8> {
    let features = table.size(Dimension::Feature);
    let cells = |side: &Side| crossed(side, Dimension::Feature, dimension, [features, table.size(dimension)]);
    let (before, now) = (cells(&table.before), cells(&table.now));
    let of = |cells: &[Vec<f64>], value: usize| {
        let is_known = |feature: &usize| before[*feature].iter().sum::<f64>() >= KNOWN_MIN;
        let having = (0..features).filter(is_known).filter(|feature| now[*feature][value] > 0.0);
        let (with, all) = having.fold((0.0, 0.0_f64), |(with, all), feature| {
            (with + cells[feature][value], all + cells[feature].iter().sum::<f64>())
        });
        with / all.max(1.0)
    };
    let is_new = |value: &u8| {
        let requests: f64 = now.iter().map(|row| row[usize::from(*value)]).sum();
        if requests < REQUESTS_MIN || !table.is_named(dimension, *value) {
            return false;
        }
        let (is, was) = (of(&now, usize::from(*value)), of(&before, usize::from(*value)));
        was < NEW_BEFORE_MAX && is > NEW_NOW_MIN.max(NEW_TIMES * was)
    };
    (0..=u8::MAX).take(table.size(dimension)).filter(is_new).collect()
}

/// Requests by the values of two dimensions.
fn crossed(side: &Side, rows: Dimension, columns: Dimension, [height, width]: [usize; 2]) -> Vec<Vec<f64>> {
    let mut cells = vec![0_u32; width * height];
    for (row, column) in side.columns[rows.index()].iter().zip(&side.columns[columns.index()]) {
        cells[usize::from(*row) * width + usize::from(*column)] += 1;
    }
    cells.chunks(width.max(1)).map(|row| row.iter().map(|count| f64::from(*count)).collect()).collect()
}

/// Every candidate of a table; `is_marked` says whether second measures tell of its requests.
pub(super) fn all(table: &Table, new: &[(Dimension, u8)], is_marked: bool) -> Vec<Candidate> {
    let mut all = vec![Candidate { slice: Slice::All, prior: ALL }];
    for dimension in Dimension::ALL {
        let new: Vec<u8> = new.iter().filter(|(of, _)| *of == dimension).map(|(_, value)| *value).collect();
        all.append(&mut of_dimension(table, dimension, &new, is_marked));
        let limits = LIMITS.into_iter().filter(|it| it.variable() != dimension.variable());
        for traffic in limits.filter(|it| !new.is_empty() && table.size(*it) > 1) {
            let limited = match traffic {
                Dimension::Feature | Dimension::Model => LIMITED_RARE,
                _ => LIMITED,
            };
            let prior = NEW + limited - (table.size(traffic) as f64).ln();
            all.extend(among(table, dimension, &new, traffic).map(|slice| Candidate { slice, prior }));
        }
        if new.len() > 1 {
            all.push(Candidate { slice: Slice::New(dimension, new), prior: NEW + UNION });
        }
    }
    all
}

fn among(table: &Table, of: Dimension, new: &[u8], traffic: Dimension) -> impl Iterator<Item = Slice> {
    let (values, slices) = (&table.now.columns[of.index()], &table.now.columns[traffic.index()]);
    let size = table.size(traffic);
    let mut both = vec![0.0; table.size(of) * size];
    values.iter().zip(slices).for_each(|(value, slice)| both[usize::from(*value) * size + usize::from(*slice)] += 1.0);
    let pairs: Vec<(u8, u8)> = new
        .iter()
        .flat_map(|value| (0..=u8::MAX).take(size).map(|slice| (*value, slice)))
        .filter(|(value, slice)| both[usize::from(*value) * size + usize::from(*slice)] >= REQUESTS_MIN)
        .collect();
    pairs.into_iter().map(move |(value, slice)| Slice::Among((of, value), (traffic, slice)))
}

fn of_dimension(table: &Table, dimension: Dimension, new: &[u8], is_marked: bool) -> Vec<Candidate> {
    let now = table.now.len() as f64;
    let column = counts(&table.now.columns[dimension.index()], table.size(dimension));
    let same = same_as_traffic(table, dimension);
    let prior = |value: u8, requests: f64| {
        if dimension.is_traffic() {
            return Some(TRAFFIC);
        }
        if !table.is_named(dimension, value) {
            return None;
        }
        if new.contains(&value) {
            let is_effect = matches!(dimension, Dimension::IndexAge | Dimension::RetrievalHits);
            return Some(if is_effect { NEW_EFFECT } else { NEW });
        }
        let is_special = requests <= UNMOVED_SHARE_MAX * now && !same[usize::from(value)];
        if !is_special && is_marked && matches!(dimension, Dimension::Model | Dimension::ModelVersion) {
            return Some(HIDDEN);
        }
        unmoved(dimension).filter(|_| is_special)
    };
    (0..=u8::MAX)
        .zip(column)
        .filter(|(_, requests)| *requests >= REQUESTS_MIN.max(SHARE_MIN * now))
        .filter_map(|(value, requests)| Some((value, prior(value, requests)?)))
        .map(|(value, prior)| Candidate { slice: Slice::Value(dimension, value), prior })
        .collect()
}

/// Log prior of a value whose name did not change; `None` where what the name stands for cannot change behind it.
fn unmoved(dimension: Dimension) -> Option<f64> {
    match dimension {
        Dimension::Model | Dimension::ModelVersion | Dimension::Route | Dimension::ToolPath | Dimension::ToolUsed => {
            Some(UNMOVED)
        }
        Dimension::JudgeConfig | Dimension::IndexVersion | Dimension::IndexAge | Dimension::RetrievalHits => {
            Some(UNMOVED_RARE)
        }
        Dimension::PromptVersion | Dimension::Fingerprint | Dimension::Parameters | Dimension::ToolSchema => None,
        Dimension::Feature | Dimension::RequestClass | Dimension::Region | Dimension::Tier | Dimension::Language => {
            None
        }
    }
}

/// Which values' requests are just those of a slice of traffic: when they are unmoved, nothing speaks for the value.
fn same_as_traffic(table: &Table, dimension: Dimension) -> Vec<bool> {
    let mut same = vec![false; table.size(dimension)];
    for traffic in Dimension::ALL.into_iter().filter(|it| it.is_traffic() && *it != dimension) {
        let cells = crossed(&table.now, traffic, dimension, [table.size(traffic), same.len()]);
        let with: Vec<f64> = (0..same.len()).map(|value| cells.iter().map(|row| row[value]).sum()).collect();
        for row in &cells {
            let all: f64 = row.iter().sum();
            for (value, both) in row.iter().enumerate() {
                same[value] |= *both > SAME_MIN * (with[value] + all - both);
            }
        }
    }
    same
}

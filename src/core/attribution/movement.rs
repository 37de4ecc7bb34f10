//! What known values explain: the shift of shares between values whose failure rates the baseline knows (Kitagawa 1955,
//! conditional on everything else the model holds).

use super::dimension::Dimension::{self, *};
use super::logistic::logistic;
use super::model::Model;
use super::table::{Strata, Table, counts, mean};
use crate::core::variable::Variable;

/// Effects of one dimension that differ by less than this explain nothing.
const EFFECTS_MIN: f32 = 1e-3;
/// Part of a shift that goes with a new value for the value to be behind it,
const BEHIND_MIN: f64 = 0.6;
/// requests beside it, as a share of its own, that tell,
const BESIDE_MIN: f64 = 0.05;
/// and part of its rate that the shift may have among those.
const BESIDE_RATE_MAX: f64 = 0.4;
/// Requests of the baseline that are put back at most: every n-th.
const BASELINE_ROWS: usize = 20_000;
/// Values of a dimension below this share of its stratum's baseline are left out of what would have been.
const SHARE_MIN: f64 = 1e-3;

/// What the known values of one variable explain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) variable: Variable,
    /// Change of the failure rate.
    pub(super) change: f64,
    /// The dimension and dense code that gained most of it.
    pub(super) value: Option<(Dimension, u8)>,
    /// How far its shares moved, 0 to 1.
    pub(super) distance: f64,
}

/// The change that each variable's shift of known values explains. What is left of the change the model predicts, when
/// every configuration is put back to what the baseline had, is the traffic's.
pub(super) fn known(table: &Table, model: &Model, classes: &Strata, new: &[(Dimension, u8)]) -> Vec<Known> {
    let now: Vec<f32> = model.now.iter().map(|eta| logistic(*eta)).collect();
    let predicted = |rates: &[f32]| mean(rates.iter().map(|rate| f64::from(*rate)));
    let expected = predicted(&now) - predicted(&model.before_rates);
    let features = table.strata(&[Feature]);
    let tiers = table.strata(&[Feature, Tier]);
    let mut all: Vec<Known> = Dimension::ALL
        .into_iter()
        .filter(|it| !it.is_traffic())
        .flat_map(|dimension| {
            let strata = match dimension {
                Model | ModelVersion | Fingerprint | Route | Parameters => &tiers,
                ToolPath | ToolUsed => classes,
                _ => &features,
            };
            of_dimension(table, model, &now, dimension, strata, new)
        })
        .collect();
    let configured: f64 = all.iter().map(|it| it.change).sum();
    all.push(Known {
        variable: Variable::TrafficMix,
        change: expected - configured,
        value: traffic(table, model),
        distance: 0.0,
    });
    all
}

/// The predicted rate of the incident less what it would be, had the dimension its baseline shares in each stratum. What
/// the same does to the baseline itself is no shift, and is taken off: values that always go together (a model, its version,
/// its route) are parted by it.
fn of_dimension(
    table: &Table,
    model: &Model,
    now: &[f32],
    dimension: Dimension,
    strata: &Strata,
    new: &[(Dimension, u8)],
) -> Vec<Known> {
    let effects = &model.effects[dimension.index()];
    let (least, most) = effects.iter().fold((0.0_f32, 0.0_f32), |(a, b), it| (a.min(*it), b.max(*it)));
    // Behind the models that it chooses between, a route may have no effect of its own, and yet be what moved.
    if effects.len() < 2 || (most - least < EFFECTS_MIN && dimension != Route) {
        return Vec::new();
    }
    let size = effects.len();
    let column = &table.now.columns[dimension.index()];
    let shares = baseline_shares(table, dimension, strata);
    let usual: Vec<Vec<(usize, f32)>> = shares
        .chunks(size)
        .map(|shares| {
            let kept = shares.iter().enumerate().filter(|(_, share)| **share >= SHARE_MIN);
            kept.map(|(value, share)| (value, *share as f32)).collect()
        })
        .collect();
    let would_be = |eta: f32, key: u32, code: u8| {
        let rest = eta - effects[usize::from(code)];
        let usual = &usual[key as usize];
        let (rate, share) = usual.iter().fold((0.0, 0.0), |(rate, sum), (value, share)| {
            (rate + share * logistic(rest + effects[*value]), sum + share)
        });
        f64::from(rate / share.max(f32::MIN_POSITIVE))
    };
    let before = &table.before.columns[dimension.index()];
    let every = before.len().div_ceil(BASELINE_ROWS).max(1);
    let parted = mean((0..before.len()).step_by(every).map(|at| {
        let (eta, key, code) = (model.before[at], strata.before[at], before[at]);
        f64::from(model.before_rates[at]) - would_be(eta, key, code)
    }));
    let changes = now.iter().zip(&model.now).zip(&strata.now).zip(column);
    let change = |(((rate, eta), key), code): (((&f32, &f32), &u32), &u8)| {
        f64::from(*rate) - would_be(*eta, *key, *code) - parted
    };
    let changes: Vec<f64> = changes.map(change).collect();
    let change = mean(changes.iter().copied());
    let (value, distance) = gained(table, dimension, strata, &shares, effects);
    let own = Known { variable: dimension.variable(), change, value, distance };
    let behind = matches!(dimension, ToolPath | ToolUsed | RetrievalHits)
        .then(|| behind(table, &changes, new, dimension))
        .flatten();
    match behind {
        Some((cause, Behind::Surely)) => vec![Known { variable: cause.0.variable(), value: Some(cause), ..own }],
        Some((cause, Behind::Perhaps)) => {
            let half = Known { change: change / 2.0, ..own };
            vec![Known { variable: cause.0.variable(), value: Some(cause), ..half }, half]
        }
        None => vec![own],
    }
}

/// Whether a new value is behind the shift of what comes after it.
enum Behind {
    /// The shift is where the value is, and not beside it.
    Surely,
    /// There is nothing beside it to compare with.
    Perhaps,
}

/// The new value that most of a shift goes with: a prompt or a model decides which way its requests take.
fn behind(
    table: &Table,
    changes: &[f64],
    new: &[(Dimension, u8)],
    shifted: Dimension,
) -> Option<((Dimension, u8), Behind)> {
    let all: f64 = changes.iter().sum();
    let features = &table.now.columns[Feature.index()];
    new.iter()
        .filter(|(dimension, _)| dimension.variable() != shifted.variable())
        .filter_map(|(dimension, value)| {
            let column = &table.now.columns[dimension.index()];
            let mut has = vec![false; table.size(Feature)];
            features
                .iter()
                .zip(column)
                .filter(|(_, code)| *code == value)
                .for_each(|(feature, _)| has[usize::from(*feature)] = true);
            let (mut with, mut beside) = ((0.0, 0.0_f64), (0.0, 0.0_f64));
            for ((feature, code), change) in features.iter().zip(column).zip(changes) {
                let side = if code == value {
                    &mut with
                } else if has[usize::from(*feature)] {
                    &mut beside
                } else {
                    continue;
                };
                *side = (side.0 + change, side.1 + 1.0);
            }
            let is_most = all > 0.0 && with.0 > BEHIND_MIN * all;
            let rates = (with.0 / with.1.max(1.0), beside.0 / beside.1.max(1.0));
            let behind = if beside.1 < BESIDE_MIN * with.1 {
                Behind::Perhaps
            } else if rates.1 < BESIDE_RATE_MAX * rates.0 {
                Behind::Surely
            } else {
                return None;
            };
            is_most.then_some((with.0, ((*dimension, *value), behind)))
        })
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, found)| found)
}

/// Shares of the values in each stratum of the baseline, row by row; a stratum that the baseline has not seen has its own.
fn baseline_shares(table: &Table, dimension: Dimension, strata: &Strata) -> Vec<f64> {
    let size = table.size(dimension);
    let tally = |keys: &[u32], column: &[u8]| {
        let mut cells = vec![0.0; strata.size * size];
        keys.iter().zip(column).for_each(|(key, code)| cells[*key as usize * size + usize::from(*code)] += 1.0);
        cells
    };
    let mut before = tally(&strata.before, &table.before.columns[dimension.index()]);
    let now = tally(&strata.now, &table.now.columns[dimension.index()]);
    for (before, now) in before.chunks_mut(size).zip(now.chunks(size)) {
        if before.iter().all(|count| *count == 0.0) {
            before.copy_from_slice(now);
        }
        let sum: f64 = before.iter().sum();
        before.iter_mut().for_each(|count| *count /= sum.max(1.0));
    }
    before
}

/// The value whose gain in share costs most, and how far the shares moved.
fn gained(
    table: &Table,
    dimension: Dimension,
    strata: &Strata,
    shares: &[f64],
    effects: &[f32],
) -> (Option<(Dimension, u8)>, f64) {
    let size = effects.len();
    let now = counts(&table.now.columns[dimension.index()], size);
    let mut usual = vec![0.0; size];
    for key in &strata.now {
        let row = *key as usize * size;
        usual.iter_mut().zip(&shares[row..row + size]).for_each(|(sum, share)| *sum += share);
    }
    let cost = |value: &usize| {
        let effect = if dimension == Route { 1.0 } else { f64::from(effects[*value]) };
        (now[*value] - usual[*value]) * effect
    };
    let worst = (0..size).max_by(|a, b| cost(a).total_cmp(&cost(b))).and_then(|it| u8::try_from(it).ok());
    let distance = now.iter().zip(&usual).map(|(now, usual)| (now - usual).abs() / 2.0).sum::<f64>();
    (worst.map(|value| (dimension, value)), distance / table.now.len().max(1) as f64)
}

/// The traffic's value whose gain in share costs most, of the dimension whose shift costs most.
fn traffic(table: &Table, model: &Model) -> Option<(Dimension, u8)> {
    let overall = mean(model.before_rates.iter().map(|rate| f64::from(*rate)));
    let of = |dimension: &Dimension| {
        let size = table.size(*dimension);
        let (before, now) = (&table.before.columns[dimension.index()], &table.now.columns[dimension.index()]);
        let (had, has) = (counts(before, size), counts(now, size));
        let mut rates = vec![0.0; size];
        before.iter().zip(&model.before_rates).for_each(|(code, rate)| rates[usize::from(*code)] += f64::from(*rate));
        let (all_before, all_now) = (before.len().max(1) as f64, now.len().max(1) as f64);
        let costs: Vec<f64> = (0..size)
            .map(|value| {
                let rate = if had[value] > 0.0 { rates[value] / had[value] } else { overall };
                (has[value] / all_now - had[value] / all_before) * (rate - overall)
            })
            .collect();
        let worst = (0..size).max_by(|a, b| costs[*a].total_cmp(&costs[*b]))?;
        Some((costs.iter().sum::<f64>(), (*dimension, u8::try_from(worst).ok()?)))
    };
    let traffic = Dimension::ALL.iter().filter(|it| it.is_traffic()).filter_map(of);
    traffic.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, value)| value)
}

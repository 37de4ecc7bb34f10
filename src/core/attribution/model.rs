//! What fails when nothing has happened: an additive ridge logistic model of the baseline.
//!
//! The stratum (feature and request class) is fitted first, so that every other dimension carries only what deviates
//! within a stratum. A value that the baseline has not seen gets no effect: it is taken to be as good as what was there before.

use super::dimension::Dimension::{self, *};
use super::logistic::{logistic, logit};
use super::table::{Key, PARTS, Strata, Table, mean};
use crate::core::vocabulary::ABSENT;

/// Rounds over all dimensions (Gauss-Seidel, one Newton step each).
const ROUNDS: usize = 4;
/// Ridge of a stratum; of any other value twice that.
const RIDGE: f64 = 4.0;
/// A dimension whose effects all changed by less in a round is left as it is.
const SETTLED: f32 = 0.02;
/// A Newton step at most.
const STEP_MAX: f64 = 1.5;
/// Wander below this is not believed: variance of a logit.
const WANDER_MIN: f64 = 0.0009;
/// Wander of a baseline that is too short to tell.
const WANDER_UNKNOWN: f64 = 0.0025;

/// The fitted model and its predictions.
pub(super) struct Model {
    /// Effect of each dense code, on the logit.
    pub(super) effects: [Vec<f32>; Dimension::COUNT],
    /// Predicted logit of each request of the incident window.
    pub(super) now: Vec<f32>,
    /// Predicted logit and failure rate of each request of the baseline.
    pub(super) before: Vec<f32>,
    pub(super) before_rates: Vec<f32>,
    /// Natural variance of a rate's logit between parts of the baseline.
    pub(super) wander: f64,
}

impl Model {
    pub(super) fn fit(table: &Table, strata: &Strata) -> Self {
        let before = &table.before;
        let requests = before.len() as f64;
        let intercept = logit((before.rate() * requests + 0.5) / (requests + 1.0)) as f32;
        let mut eta = vec![intercept; before.len()];
        let mut of_strata = vec![0.0; strata.size];
        let mut effects: [Vec<f32>; Dimension::COUNT] = std::array::from_fn(|d| vec![0.0; table.codes[d].len()]);
        let mut rates = vec![0.0; before.len()];
        let mut is_settled = [false; Dimension::COUNT];
        for _ in 0..ROUNDS {
            step(&mut eta, &mut rates, &before.fails, &strata.before, &mut of_strata, RIDGE, None);
            for dimension in Dimension::ALL {
                let index = dimension.index();
                if effects[index].len() > 1 && !is_settled[index] {
                    let (column, own) = (&before.columns[index], &mut effects[index]);
                    let fixed = untold(table, dimension);
                    let most = step(&mut eta, &mut rates, &before.fails, column, own, 2.0 * RIDGE, fixed);
                    is_settled[index] = most < SETTLED;
                }
            }
        }
        let before_rates: Vec<f32> = eta.iter().map(|eta| logistic(*eta)).collect();
        let mut now: Vec<f32> = strata.now.iter().map(|key| intercept + of_strata[*key as usize]).collect();
        for (column, effects) in table.now.columns.iter().zip(&effects) {
            now.iter_mut().zip(column).for_each(|(eta, code)| *eta += effects[usize::from(*code)]);
        }
        let wander = wander(table, &before_rates);
        Self { effects, now, before: eta, before_rates, wander }
    }
}

/// The code of what the telemetry does not tell, where a failure may be why: what is told only after the call has no effect
/// by not being told.
fn untold(table: &Table, dimension: Dimension) -> Option<usize> {
    let is_told_after =
        matches!(dimension, ModelVersion | Fingerprint | JudgeConfig | IndexAge | RetrievalHits | ToolPath | ToolUsed);
    table.codes[dimension.index()].iter().position(|code| is_told_after && *code == ABSENT)
}

/// One Newton step of the effects of one grouping, and how far the one went that went farthest; `fixed` has no effect.
pub(super) fn step<K: Key>(
    eta: &mut [f32],
    rates: &mut [f32],
    fails: &[bool],
    keys: &[K],
    effects: &mut [f32],
    ridge: f64,
    fixed: Option<usize>,
) -> f32 {
    rates.iter_mut().zip(eta.iter()).for_each(|(rate, eta)| *rate = logistic(*eta));
    let mut sums = vec![(0.0_f32, 0.0_f32); effects.len()];
    for ((rate, fails), key) in rates.iter().zip(fails).zip(keys) {
        let sum = &mut sums[key.index()];
        sum.0 += f32::from(u8::from(*fails)) - rate;
        sum.1 += rate * (1.0 - rate);
    }
    for (at, (effect, sum)) in effects.iter_mut().zip(&mut sums).enumerate() {
        let (gradient, curvature) = (f64::from(sum.0), f64::from(sum.1));
        let step = (gradient - ridge * f64::from(*effect)) / (curvature + ridge);
        sum.0 = if fixed == Some(at) { 0.0 } else { step.clamp(-STEP_MAX, STEP_MAX) as f32 };
        *effect += sum.0;
    }
    eta.iter_mut().zip(keys).for_each(|(eta, key)| *eta += sums[key.index()].0);
    sums.iter().fold(0.0, |most, (step, _)| most.max(step.abs()))
}

/// Variance of the logit between the baseline's parts beyond chance, by the method of moments: the mean over the whole,
/// over features and over request classes.
fn wander(table: &Table, rates: &[f32]) -> f64 {
    let before = &table.before;
    let one = vec![0; before.len()];
    let groupings = [
        (&one, 1),
        (&before.columns[Feature.index()], table.size(Feature)),
        (&before.columns[RequestClass.index()], table.size(RequestClass)),
    ];
    let variances = groupings.map(|(keys, size)| {
        let mut cells = vec![(0.0, 0.0); PARTS * size];
        for (((rate, fails), key), part) in rates.iter().zip(&before.fails).zip(keys).zip(&before.parts) {
            let cell = &mut cells[usize::from(*part) * size + usize::from(*key)];
            let rate = f64::from(*rate);
            cell.0 += f64::from(u8::from(*fails)) - rate;
            cell.1 += rate * (1.0 - rate);
        }
        let told: Vec<_> = cells.into_iter().filter(|(_, variance)| *variance >= 2.0).collect();
        if told.len() < 3 {
            return WANDER_UNKNOWN;
        }
        let (excess, weight) = told.iter().fold((0.0, 0.0), |(excess, weight), (off, variance)| {
            (excess + off * off - variance, weight + variance * variance)
        });
        (excess / weight).max(0.0)
    });
    mean(variances.into_iter()).max(WANDER_MIN)
}

//! What has changed beyond what known values explain: for every value, a shift of the logit of the requests that have
//! it, by its marginal likelihood as a fault against that as natural wander.

use super::dimension::Dimension;
use super::logistic::logistic_and_rest;
use super::table::Table;

/// Variance of a fault's shift, logit, and its inverse.
const FAULT: f64 = 1.44;
const PRECISION: f32 = (1.0 / FAULT) as f32;
/// Newton steps to the most probable shift, from a good first guess, and each at most.
const STEPS: usize = 4;
const STEP_MAX: f32 = 1.5;
/// Requests added to those that fail, and to those that do not, for the first guess.
const RIDGE: f32 = 0.5;
/// Requests whose predicted logits are in one bin count as having their mean: bins, how many a logit, and the lowest.
const BINS: usize = 192;
const PER_LOGIT: f32 = 12.0;
const LOWEST: f32 = -8.0;

/// The evidence for a shift of one slice of the requests.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evidence {
    /// Most probable shift of the logit; negative where less fails.
    pub(super) shift: f32,
    /// Log marginal likelihood ratio of a fault against nothing.
    pub(super) fault: f64,
    /// Of natural wander against nothing.
    pub(super) wander: f64,
}

/// Evidence for every value of every dimension, by dense code, and for all requests together.
pub(super) struct Scan {
    pub(super) values: [Vec<Evidence>; Dimension::COUNT],
    pub(super) all: Evidence,
    /// Evidence for new values among a slice of traffic.
    pub(super) among: Vec<Among>,
}

/// Evidence for one new value among each value of a dimension of traffic.
pub(super) struct Among {
    pub(super) value: (Dimension, u8),
    pub(super) traffic: Dimension,
    /// By dense code of the traffic.
    pub(super) evidence: Vec<Evidence>,
}

/// Requests a slice, from which on it costs less to look at slices that are empty than to sort out those that are not.
const MANY: usize = 32;

/// What a harm is often limited to.
pub(super) const LIMITS: [Dimension; 4] =
    [Dimension::Feature, Dimension::RequestClass, Dimension::Language, Dimension::Model];

impl Scan {
    /// Evidence beyond the predictions `eta`, where natural wander has variance `wander`.
    pub(super) fn of(table: &Table, eta: &[f32], wander: f64, new: &[(Dimension, u8)]) -> Self {
        let now = &table.now;
        let predicted = Predicted::of(eta);
        let of = |column: &[u8], size| slices(rows(&now.fails, &predicted.bins, column), size, &predicted, wander);
        let values = std::array::from_fn(|d| of(&now.columns[d], table.codes[d].len()));
        let all = of(&vec![0; now.len()], 1).pop().unwrap_or_default();
        let groups = groups(&now.columns, new);
        let traffic = LIMITS.into_iter().filter(|it| table.size(*it) > 1);
        let among = traffic.flat_map(|traffic| {
            let (predicted, size, column) = (&predicted, table.size(traffic), &now.columns[traffic.index()]);
            groups.iter().map(move |(value, having)| {
                let row = |at: &usize| (now.fails[*at], predicted.bins[*at], column[*at]);
                let rows = having.iter().map(row);
                let is_many = having.len() > MANY * size;
                let evidence = if is_many {
                    slices(rows, size, predicted, wander)
                } else {
                    few_slices(rows, size, predicted, wander)
                };
                Among { value: *value, traffic, evidence }
            })
        });
        let among = among.collect();
        Self { values, all, among }
    }
}

/// The requests that have each of the new values, by one pass over each dimension that has any.
fn groups(columns: &[Vec<u8>; Dimension::COUNT], new: &[(Dimension, u8)]) -> Vec<((Dimension, u8), Vec<usize>)> {
    let mut groups: Vec<((Dimension, u8), Vec<usize>)> = new.iter().map(|value| (*value, Vec::new())).collect();
    for dimension in Dimension::ALL {
        let mut of_code: [Option<usize>; 256] = [None; 256];
        for (group, (_, code)) in new.iter().enumerate().filter(|(_, (of, _))| *of == dimension) {
            of_code[usize::from(*code)] = Some(group);
        }
        if of_code.iter().all(Option::is_none) {
            continue;
        }
        for (at, code) in columns[dimension.index()].iter().enumerate() {
            if let Some(group) = of_code[usize::from(*code)] {
                groups[group].1.push(at);
            }
        }
    }
    groups
}

/// What is predicted: the bin of each request, and of each bin the mean logit and the chance of no failure.
struct Predicted {
    bins: Vec<u8>,
    logits: [f32; BINS],
    rests: [f32; BINS],
}

impl Predicted {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 to BINS")]
    fn of(eta: &[f32]) -> Self {
        let bin = |eta: &f32| ((eta - LOWEST) * PER_LOGIT).clamp(0.0, (BINS - 1) as f32) as u8;
        let bins: Vec<u8> = eta.iter().map(bin).collect();
        let mut sums = [(0.0_f64, 0.0_f64); BINS];
        for (bin, eta) in bins.iter().zip(eta) {
            let sum = &mut sums[usize::from(*bin)];
            *sum = (sum.0 + f64::from(*eta), sum.1 + 1.0);
        }
        let logits = sums.map(|(sum, count)| (sum / count.max(1.0)) as f32);
        Self { bins, logits, rests: logits.map(|logit| logistic_and_rest(logit).1) }
    }
}

/// Requests of a slice in one bin.
#[derive(Clone, Copy, Default)]
struct Cell {
    requests: f32,
    failing: f32,
}

/// Whether it failed, bin and code of each request.
fn rows<'a>(fails: &'a [bool], bins: &'a [u8], column: &'a [u8]) -> impl Iterator<Item = (bool, u8, u8)> {
    fails.iter().zip(bins).zip(column).map(|((fails, bin), code)| (*fails, *bin, *code))
}

/// Evidence for each code.
fn slices(
    rows: impl Iterator<Item = (bool, u8, u8)>,
    size: usize,
    predicted: &Predicted,
    wander: f64,
) -> Vec<Evidence> {
    let mut cells = vec![Cell::default(); size * BINS];
    for (fails, bin, code) in rows {
        let cell = &mut cells[usize::from(code) * BINS + usize::from(bin)];
        cell.requests += 1.0;
        cell.failing += f32::from(u8::from(fails));
    }
    cells.chunks(BINS).map(|cells| evidence(cells, predicted, wander)).collect()
}

/// The same for requests that are in few of the slices: what it costs goes by those.
fn few_slices(
    rows: impl Iterator<Item = (bool, u8, u8)>,
    size: usize,
    predicted: &Predicted,
    wander: f64,
) -> Vec<Evidence> {
    let mut by_code = vec![Vec::new(); size];
    rows.for_each(|(fails, bin, code)| by_code[usize::from(code)].push((fails, bin, 0)));
    let of = |rows: Vec<(bool, u8, u8)>| match rows.is_empty() {
        true => None,
        false => slices(rows.into_iter(), 1, predicted, wander).pop(),
    };
    by_code.into_iter().map(|rows| of(rows).unwrap_or_default()).collect()
}

/// Laplace's approximation at the most probable shift.
fn evidence(cells: &[Cell], predicted: &Predicted, wander: f64) -> Evidence {
    let told = cells.iter().enumerate().filter(|(_, cell)| cell.requests > 0.0);
    let told: Vec<(Cell, f32, f32)> =
        told.map(|(bin, cell)| (*cell, predicted.logits[bin], predicted.rests[bin])).collect();
    if told.is_empty() {
        return Evidence::default();
    }
    let start = Start::of(&told);
    let mut shift = start.shift();
    for _ in 0..STEPS {
        let (mut gradient, mut curvature) = (-shift * PRECISION, PRECISION);
        for (Cell { requests, failing }, logit, _) in &told {
            let (rate, rest) = logistic_and_rest(logit + shift);
            gradient += failing - requests * rate;
            curvature += requests * rate * rest;
        }
        shift += (gradient / curvature).clamp(-STEP_MAX, STEP_MAX);
    }
    let (mut gain, mut curvature) = (f64::from(start.failing * shift), 0.0);
    for (Cell { requests, .. }, logit, rest_before) in &told {
        let (rate, rest) = logistic_and_rest(logit + shift);
        gain += f64::from(*requests) * f64::from(rest / rest_before).ln();
        curvature += f64::from(requests * rate * rest);
    }
    let prior = f64::from(shift).powi(2) / (2.0 * FAULT) + 0.5 * (FAULT * curvature).ln_1p();
    Evidence { shift, fault: gain - prior, wander: start.wander(wander) }
}

/// What a slice shows before it is shifted.
#[derive(Clone, Copy, Default)]
struct Start {
    requests: f32,
    failing: f32,
    expected: f32,
    /// Variance of the failures, which is also the curvature of their likelihood.
    variance: f32,
}

impl Start {
    fn of(told: &[(Cell, f32, f32)]) -> Self {
        told.iter().fold(Self::default(), |sum, (Cell { requests, failing }, _, rest)| Self {
            requests: sum.requests + requests,
            failing: sum.failing + failing,
            expected: sum.expected + requests * (1.0 - rest),
            variance: sum.variance + requests * (1.0 - rest) * rest,
        })
    }

    /// First guess of the shift: the log odds of what fails against that of what was expected to.
    fn shift(&self) -> f32 {
        let odds = |part: f32| ((part + RIDGE) / (self.requests - part + RIDGE)).ln();
        odds(self.failing) - odds(self.expected)
    }

    /// Log marginal likelihood ratio of a small shift of this variance: the score at no shift is all it takes.
    fn wander(&self, variance: f64) -> f64 {
        let (off, curvature) = (f64::from(self.failing - self.expected), f64::from(self.variance));
        let spread = 1.0 + variance * curvature;
        0.5 * (variance * off * off / spread - spread.ln())
    }
}

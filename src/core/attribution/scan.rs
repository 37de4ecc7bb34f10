//! What has changed beyond what known values explain: for every value, a shift of the logit of the requests that have
//! it, by its marginal likelihood as a fault against that as natural wander.

use super::dimension::Dimension;
use super::logistic::{logistic, logistic_and_rest};
use super::table::{Key, Table};

/// Variance of a fault's shift, logit, and its inverse.
const FAULT: f64 = 1.44;
const PRECISION: f32 = (1.0 / FAULT) as f32;
/// Newton steps to the most probable shift, from a good first guess, and each at most.
const STEPS: usize = 3;
const STEP_MAX: f32 = 1.5;
/// Requests added to those that fail, and to those that do not, for the first guess.
const RIDGE: f32 = 0.5;

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

/// Evidence for the new values of one dimension, each among the values of a dimension of traffic.
pub(super) struct Among {
    pub(super) of: Dimension,
    pub(super) traffic: Dimension,
    /// By dense code of the value, times the traffic's size, and code of the traffic.
    pub(super) evidence: Vec<Evidence>,
}

/// What a harm is often limited to.
pub(super) const LIMITS: [Dimension; 2] = [Dimension::RequestClass, Dimension::Language];

impl Scan {
    /// Evidence beyond the predictions `eta`, where natural wander has variance `wander`.
    pub(super) fn of(table: &Table, eta: &[f32], wander: f64, new: &[(Dimension, u8)]) -> Self {
        let now = &table.now;
        let expected = Expected::of(eta);
        let of = |column: &[u8], size: usize| slices(&now.fails, eta, &expected, column, size, wander);
        let values = std::array::from_fn(|d| of(&now.columns[d], table.codes[d].len()));
        let all = of(&vec![0u8; now.len()], 1).pop().unwrap_or_default();
        let mut dimensions: Vec<Dimension> = new.iter().map(|(dimension, _)| *dimension).collect();
        dimensions.dedup();
        let pairs = dimensions.iter().flat_map(|of| LIMITS.map(|traffic| (*of, traffic)));
        let pairs = pairs.filter(|(_, traffic)| table.size(*traffic) > 1);
        let among = pairs.map(|(of, traffic)| among(table, eta, wander, new, of, traffic)).collect();
        Self { values, all, among }
    }
}

fn among(table: &Table, eta: &[f32], wander: f64, new: &[(Dimension, u8)], of: Dimension, traffic: Dimension) -> Among {
    let (now, size) = (&table.now, table.size(traffic));
    let (mut fails, mut etas, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    let columns = now.columns[of.index()].iter().zip(&now.columns[traffic.index()]);
    for ((codes, fail), eta) in columns.zip(&now.fails).zip(eta) {
        if new.contains(&(of, *codes.0)) {
            fails.push(*fail);
            etas.push(*eta);
            keys.push(u32::from(*codes.0) * size as u32 + u32::from(*codes.1));
        }
    }
    Among { of, traffic, evidence: slices(&fails, &etas, &Expected::of(&etas), &keys, table.size(of) * size, wander) }
}

/// What is expected of each request, whatever the slice.
struct Expected {
    rate: Vec<f32>,
    /// Chance of no failure.
    rest: Vec<f32>,
}

impl Expected {
    fn of(eta: &[f32]) -> Self {
        let (rate, rest) = eta.iter().map(|eta| logistic_and_rest(*eta)).unzip();
        Self { rate, rest }
    }
}

fn slices<K: Key>(
    fails: &[bool],
    eta: &[f32],
    expected: &Expected,
    column: &[K],
    size: usize,
    wander: f64,
) -> Vec<Evidence> {
    let starts = starts(fails, expected, column, size);
    let mut shifts: Vec<f32> = starts.iter().map(Start::shift).collect();
    let (mut sums, mut rates) = (vec![(0.0_f32, 0.0_f32); size], vec![0.0; eta.len()]);
    for _ in 0..STEPS {
        // Loops of their own, so that the logistic function is computed for several requests at once.
        rates.iter_mut().zip(eta).zip(column).for_each(|((rate, eta), code)| *rate = eta + shifts[code.index()]);
        rates.iter_mut().for_each(|rate| *rate = logistic(*rate));
        sums.fill((0.0, 0.0));
        for ((rate, fails), code) in rates.iter().zip(fails).zip(column) {
            let sum = &mut sums[code.index()];
            sum.0 += f32::from(u8::from(*fails)) - *rate;
            sum.1 += rate * (1.0 - rate);
        }
        for (shift, (gradient, curvature)) in shifts.iter_mut().zip(&sums) {
            let step = (gradient - *shift * PRECISION) / (curvature + PRECISION);
            *shift += step.clamp(-STEP_MAX, STEP_MAX);
        }
    }
    let mut gains = vec![Gain { shifted: 0.0, product: 1.0, curvature: 0.0 }; size];
    rates.iter_mut().zip(eta).zip(column).for_each(|((rate, eta), code)| *rate = eta + shifts[code.index()]);
    let mut rests = rates.clone();
    rates.iter_mut().zip(&mut rests).for_each(|(rate, rest)| (*rate, *rest) = logistic_and_rest(*rate));
    for ((((rate, rest), before), fails), code) in rates.iter().zip(&rests).zip(&expected.rest).zip(fails).zip(column) {
        let shift = if *fails { shifts[code.index()] } else { 0.0 };
        gains[code.index()].add(shift, rest / before, rate * rest);
    }
    let wanders = starts.iter().map(|start| start.wander(wander));
    shifts.iter().zip(gains).zip(wanders).map(|((shift, gain), wander)| gain.evidence(*shift, wander)).collect()
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

fn starts<K: Key>(fails: &[bool], expected: &Expected, column: &[K], size: usize) -> Vec<Start> {
    let mut starts = vec![Start::default(); size];
    for (((rate, rest), fails), code) in expected.rate.iter().zip(&expected.rest).zip(fails).zip(column) {
        let start = &mut starts[code.index()];
        start.requests += 1.0;
        start.failing += f32::from(u8::from(*fails));
        start.expected += rate;
        start.variance += rate * rest;
    }
    starts
}

impl Start {
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

/// What a slice gains in likelihood by its shift. The logarithm of many factors is taken of their product.
#[derive(Clone, Copy)]
struct Gain {
    shifted: f64,
    product: f64,
    curvature: f64,
}

impl Gain {
    fn add(&mut self, shift: f32, factor: f32, curvature: f32) {
        self.shifted += f64::from(shift);
        self.curvature += f64::from(curvature);
        self.product *= f64::from(factor);
        if !(1e-200..1e200).contains(&self.product) {
            self.shifted += self.product.ln();
            self.product = 1.0;
        }
    }

    /// Laplace's approximation at the most probable shift.
    fn evidence(self, shift: f32, wander: f64) -> Evidence {
        let gain = self.shifted + self.product.ln();
        let prior = f64::from(shift).powi(2) / (2.0 * FAULT) + 0.5 * (FAULT * self.curvature).ln_1p();
        Evidence { shift, fault: gain - prior, wander }
    }
}

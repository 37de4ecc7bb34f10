//! One cause after another: the best slice takes its share of the change, the rest is scanned again given that.

use super::candidates::{self, Candidate, Slice};
use super::dimension::Dimension;
use super::logistic::logistic;
use super::scan::{Evidence, Scan};
use super::table::Table;
use crate::core::variable::Variable;

/// Causes at most.
const CAUSES_MAX: usize = 3;
/// Evidence for a fault below which nothing more is blamed: log marginal likelihood ratio, against nothing and against
/// natural wander.
const FAULT_MIN: f64 = 3.0;
const BEYOND_WANDER_MIN: f64 = 2.0;
/// Evidence of a value without any failing, and of one without evidence, in a union.
const SILENT: f64 = -9.0;
const HALF: f64 = std::f64::consts::LN_2;
/// A new value takes part in a union's fault with more evidence than this.
const TAKES_PART: f64 = -0.5;

/// A cause found: what it changed, and who may be behind it.
pub(super) struct Cause {
    /// Change of the failure rate.
    pub(super) change: f64,
    /// Evidence for it.
    pub(super) fault: f64,
    /// Whom to blame, with the probability and the value.
    pub(super) blamed: Vec<Blamed>,
}

/// One explanation of a cause.
pub(super) struct Blamed {
    /// `None`: none of the six.
    pub(super) variable: Option<Variable>,
    pub(super) probability: f64,
    /// The dimension and dense code; `None` for all requests.
    pub(super) value: Option<(Dimension, u8)>,
}

struct Scored<'c> {
    slice: &'c Slice,
    score: f64,
    fault: f64,
    beyond_wander: f64,
}

/// The causes of what the predictions `eta` leave unexplained, strongest first.
pub(super) fn causes(table: &Table, eta: &[f32], wander: f64, new: &[(Dimension, u8)]) -> Vec<Cause> {
    let candidates = candidates::all(table, new);
    let mut eta = eta.to_vec();
    let mut causes = Vec::new();
    while causes.len() < CAUSES_MAX {
        let scan = Scan::of(table, &eta, wander, new);
        let mut scored: Vec<Scored<'_>> = candidates.iter().filter_map(|it| score(table, it, &scan)).collect();
        scored.sort_by(|a, b| b.score.total_cmp(&a.score));
        let Some(best) = scored.first() else { break };
        if best.fault < FAULT_MIN || best.beyond_wander < BEYOND_WANDER_MIN {
            break;
        }
        let shifted = shifted(table, &eta, best.slice, &scan);
        let excess = |(new, old): (&f32, &f32)| f64::from(logistic(*new) - logistic(*old));
        let change = shifted.iter().zip(&eta).map(excess).sum::<f64>() / eta.len().max(1) as f64;
        causes.push(Cause { change, fault: best.fault, blamed: blamed(&scored, &scan) });
        eta = shifted;
    }
    causes
}

fn score<'c>(table: &Table, candidate: &'c Candidate, scan: &Scan) -> Option<Scored<'c>> {
    let of = |dimension: &Dimension, value: &u8| scan.values[dimension.index()][usize::from(*value)];
    let (fault, beyond_wander) = match &candidate.slice {
        Slice::All => single(scan.all)?,
        Slice::Value(dimension, value) => single(of(dimension, value))?,
        Slice::Among(value, slice) => single(among(table, scan, *value, *slice))?,
        Slice::New(dimension, values) => {
            let each = values.iter().map(|value| of(dimension, value));
            each.fold((0.0, 0.0), |(fault, beyond), it| {
                let (own, own_beyond) = single(it).unwrap_or((SILENT, 0.0));
                (fault + add(-HALF, own - HALF), beyond + own_beyond.max(0.0))
            })
        }
    };
    Some(Scored { slice: &candidate.slice, score: fault + candidate.prior, fault, beyond_wander })
}

fn among(table: &Table, scan: &Scan, value: (Dimension, u8), slice: (Dimension, u8)) -> Evidence {
    let of = scan.among.iter().find(|it| it.of == value.0 && it.traffic == slice.0);
    let at = usize::from(value.1) * table.size(slice.0) + usize::from(slice.1);
    of.map_or_else(Evidence::default, |it| it.evidence[at])
}

fn single(evidence: Evidence) -> Option<(f64, f64)> {
    (evidence.shift > 0.0).then_some((evidence.fault, evidence.fault - evidence.wander))
}

/// `ln(e^a + e^b)`
fn add(a: f64, b: f64) -> f64 {
    a.max(b) + (-(a - b).abs()).exp().ln_1p()
}

/// The predictions with the best shift of a slice.
fn shifted(table: &Table, eta: &[f32], slice: &Slice, scan: &Scan) -> Vec<f32> {
    let (dimension, taking_part): (_, &[u8]) = match slice {
        Slice::All => return eta.iter().map(|eta| eta + scan.all.shift).collect(),
        Slice::Value(dimension, value) => (*dimension, std::slice::from_ref(value)),
        Slice::New(dimension, values) => (*dimension, values),
        Slice::Among(value, slice) => {
            let shift = among(table, scan, *value, *slice).shift;
            let [values, slices] = [value, slice].map(|(dimension, _)| &table.now.columns[dimension.index()]);
            let has = values.iter().zip(slices).map(|codes| *codes.0 == value.1 && *codes.1 == slice.1);
            return eta.iter().zip(has).map(|(eta, has)| if has { eta + shift } else { *eta }).collect();
        }
    };
    let evidence = &scan.values[dimension.index()];
    let is_alone = taking_part.len() == 1;
    let mut shifts = vec![0.0; evidence.len()];
    for value in taking_part {
        let own = evidence[usize::from(*value)];
        if is_alone || (own.shift > 0.0 && own.fault > TAKES_PART) {
            shifts[usize::from(*value)] = own.shift;
        }
    }
    let column = &table.now.columns[dimension.index()];
    eta.iter().zip(column).map(|(eta, code)| eta + shifts[usize::from(*code)]).collect()
}

/// The best explanation by each variable, and by none of them, with its posterior probability.
fn blamed(scored: &[Scored<'_>], scan: &Scan) -> Vec<Blamed> {
    let mut best: Vec<&Scored<'_>> = Vec::new();
    for it in scored {
        if best.iter().all(|known| known.slice.variable() != it.slice.variable()) {
            best.push(it);
        }
    }
    let most = best.first().map_or(0.0, |it| it.score);
    let weights: Vec<f64> = best.iter().map(|it| (it.score - most).exp()).collect();
    let sum: f64 = weights.iter().sum();
    let blamed = best.iter().zip(weights).map(|(it, weight)| Blamed {
        variable: it.slice.variable(),
        probability: weight / sum,
        value: value(it.slice, scan),
    });
    blamed.collect()
}

fn value(slice: &Slice, scan: &Scan) -> Option<(Dimension, u8)> {
    match slice {
        Slice::All => None,
        Slice::Value(dimension, value) | Slice::Among((dimension, value), _) => Some((*dimension, *value)),
        Slice::New(dimension, values) => {
            let fault = |value: &u8| scan.values[dimension.index()][usize::from(*value)].fault;
            let worst = values.iter().max_by(|a, b| fault(a).total_cmp(&fault(b)))?;
            Some((*dimension, *worst))
        }
    }
}

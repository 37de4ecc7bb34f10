//! One cause after another: the best slice takes its share of the change, the rest is scanned again given that.

use super::candidates::{self, Candidate, Slice};
use super::dimension::Dimension;
use super::logistic::logistic;
use super::model::step;
use super::scan::{Evidence, Scan};
use super::signature::{self, Signature};
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

/// Newton steps to what is observed of a cause, and the ridge that keeps them finite where all fail.
const STEPS: usize = 8;
const RIDGE: f64 = 0.1;

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

/// The causes of what the predictions `eta` leave unexplained, strongest first. What else changed helps to tell who is behind
/// the first.
pub(super) fn causes(table: &Table, eta: &[f32], wander: f64, new: &[(Dimension, u8)]) -> Vec<Cause> {
    let candidates = candidates::all(table, new, Signature::is_told(table));
    let mut eta = eta.to_vec();
    let mut causes = Vec::new();
    while causes.len() < CAUSES_MAX {
        let scan = Scan::of(table, &eta, wander, new);
        let mut rivals = rivals(&candidates, &scan);
        let lead = rivals.get(1).map(|second| rivals[0].score - second.score);
        if causes.is_empty() && lead.is_some_and(|lead| lead < signature::OVERTURNS_MAX) {
            let signature = Signature::of(table, new);
            rivals.iter_mut().for_each(|it| it.score += signature.speaks_for(it.slice).min(it.fault.max(0.0)));
            rivals.sort_by(|a, b| b.score.total_cmp(&a.score));
        }
        let Some(best) = rivals.first() else { break };
        if best.fault < FAULT_MIN || best.beyond_wander < BEYOND_WANDER_MIN {
            break;
        }
        let shifted = given(table, &eta, best.slice, &scan);
        let excess = |(new, old): (&f32, &f32)| f64::from(logistic(*new) - logistic(*old));
        let change = shifted.iter().zip(&eta).map(excess).sum::<f64>() / eta.len().max(1) as f64;
        causes.push(Cause { change, fault: best.fault, blamed: blamed(&rivals, &scan) });
        eta = shifted;
    }
    causes
}

/// The best explanation by each variable, and by none of them, best first.
fn rivals<'c>(candidates: &'c [Candidate], scan: &Scan) -> Vec<Scored<'c>> {
    let mut scored: Vec<Scored<'_>> = candidates.iter().filter_map(|it| score(it, scan)).collect();
    scored.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut rivals: Vec<Scored<'_>> = Vec::new();
    for it in scored {
        if rivals.iter().all(|known| known.slice.variable() != it.slice.variable()) {
            rivals.push(it);
        }
    }
    rivals
}

fn score<'c>(candidate: &'c Candidate, scan: &Scan) -> Option<Scored<'c>> {
    let (fault, beyond_wander) = weigh(&candidate.slice, scan, single)?;
    Some(Scored { slice: &candidate.slice, score: fault + candidate.prior, fault, beyond_wander })
}

/// The evidence for a slice, against nothing and against natural wander, of what `single` takes for one of each of its values.
pub(super) fn weigh(slice: &Slice, scan: &Scan, single: fn(Evidence) -> Option<(f64, f64)>) -> Option<(f64, f64)> {
    let of = |dimension: &Dimension, value: &u8| scan.values[dimension.index()][usize::from(*value)];
    match slice {
        Slice::All => single(scan.all),
        Slice::Value(dimension, value) => single(of(dimension, value)),
        Slice::Among(value, slice) => single(among(scan, *value, *slice)),
        Slice::New(dimension, values) => {
            let each = values.iter().map(|value| of(dimension, value));
            Some(each.fold((0.0, 0.0), |(fault, beyond), it| {
                let (own, own_beyond) = single(it).unwrap_or((SILENT, 0.0));
                (fault + add(-HALF, own - HALF), beyond + own_beyond.max(0.0))
            }))
        }
    }
}

fn among(scan: &Scan, value: (Dimension, u8), slice: (Dimension, u8)) -> Evidence {
    let of = scan.among.iter().find(|it| it.value == value && it.traffic == slice.0);
    of.map_or_else(Evidence::default, |it| it.evidence[usize::from(slice.1)])
}

fn single(evidence: Evidence) -> Option<(f64, f64)> {
    (evidence.shift > 0.0).then_some((evidence.fault, evidence.fault - evidence.wander))
}

/// `ln(e^a + e^b)`
fn add(a: f64, b: f64) -> f64 {
    a.max(b) + (-(a - b).abs()).exp().ln_1p()
}

/// The predictions given a slice: each value that takes part shifted to what is observed of it, whatever was likely before.
fn given(table: &Table, eta: &[f32], slice: &Slice, scan: &Scan) -> Vec<f32> {
    let groups = groups(table, slice, scan);
    let size = groups.iter().copied().max().map_or(1, |most| usize::from(most) + 1);
    let (mut eta, mut rates, mut shifts) = (eta.to_vec(), vec![0.0; eta.len()], vec![0.0; size]);
    for _ in 0..STEPS {
        step(&mut eta, &mut rates, &table.now.fails, &groups, &mut shifts, RIDGE, Some(0));
    }
    eta
}

/// Which group each request is in: 0 for those that the slice leaves as they are.
fn groups(table: &Table, slice: &Slice, scan: &Scan) -> Vec<u8> {
    let column = |dimension: Dimension| &table.now.columns[dimension.index()];
    match slice {
        Slice::All => vec![1; table.now.len()],
        Slice::Value(dimension, value) => column(*dimension).iter().map(|code| u8::from(code == value)).collect(),
        Slice::Among(value, slice) => {
            let codes = column(value.0).iter().zip(column(slice.0));
            codes.map(|(code, of)| u8::from(*code == value.1 && *of == slice.1)).collect()
        }
        Slice::New(dimension, values) => {
            let takes_part = |it: &Evidence| it.shift > 0.0 && it.fault > TAKES_PART;
            let evidence = &scan.values[dimension.index()];
            let taking_part = values.iter().filter(|value| takes_part(&evidence[usize::from(**value)]));
            let mut of = vec![0; evidence.len()];
            taking_part.zip(1u8..).for_each(|(value, group)| of[usize::from(*value)] = group);
            column(*dimension).iter().map(|code| of[usize::from(*code)]).collect()
        }
    }
}

/// Rivals with their posterior probabilities.
fn blamed(rivals: &[Scored<'_>], scan: &Scan) -> Vec<Blamed> {
    let most = rivals.first().map_or(0.0, |it| it.score);
    let weights: Vec<f64> = rivals.iter().map(|it| (it.score - most).exp()).collect();
    let sum: f64 = weights.iter().sum();
    let blamed = rivals.iter().zip(weights).map(|(it, weight)| Blamed {
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

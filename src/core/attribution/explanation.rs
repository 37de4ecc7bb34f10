//! Which variable explains how much of the change, and what to answer: one name, several, or none.

use super::candidates::new_values;
use super::conditioning::{Cause, causes};
use super::dimension::Dimension;
use super::logistic::logit;
use super::model::Model;
use super::movement::{Known, known};
use super::table::{Side, Table};
use crate::core::variable::Variable;

/// Standard deviations of chance and wander that a change must exceed,
const SIGNIFICANT: f64 = 2.5;
/// or this much evidence in one slice and this many deviations of all,
const SIGNIFICANT_FAULT: f64 = 7.0;
const FAULT_Z_MIN: f64 = 1.0;
/// or a little less, if known values explain most of it; of those, fewer beyond wander where it is far beyond chance.
const SIGNIFICANT_KNOWN: f64 = 2.0;
const SIGNIFICANT_CHANCE: f64 = 3.0;
const WANDER_MIN: f64 = 1.5;
/// Deviations of a fall, which nobody was alarmed of.
const SIGNIFICANT_FALL: f64 = 4.0;
const KNOWN_MIN: f64 = 0.6;
/// A second variable with this much of the first one's share makes the answer ambiguous.
const RIVAL: f64 = 0.6;
/// What is unexplained outweighs a variable that explains less than this many times as much.
const UNOBSERVED: f64 = 0.8;
/// Log odds that the first share is right when it has half of all, their growth with the log odds of its part, and the
/// most that is claimed.
const CALIBRATION_BASE: f64 = 0.85;
const CALIBRATION_SLOPE: f64 = 2.5;
const CONFIDENCE_MAX: f64 = 0.99;
/// A route moved the models when it moved this much of how far they did.
const ROUTED: f64 = 0.8;
/// The first variable explains less than this: nobody is named.
const EXPLAINED_MIN: f64 = 0.35;
/// A variable is among the ambiguous with this much of the first one's share, and of the change.
const TIED: f64 = 0.2;
const TIED_MIN: f64 = 0.2;

/// What the comparison of two windows says.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Failure rates of baseline and incident.
    pub rates: [f64; 2],
    /// Standard deviations of chance and natural wander that the change amounts to.
    pub z: f64,
    /// Standard deviation of natural wander, logit.
    pub wander: f64,
    /// Share of the change that each explains, best first; `None` for what is none of the six.
    pub shares: Vec<Share>,
    /// The answer.
    pub finding: Finding,
    /// Chance that the first share is right, 0 to 1.
    pub confidence: f64,
    /// Values that the incident has and the baseline had not, by dimension and code.
    pub new: Vec<(Dimension, u8)>,
}

impl Explanation {
    /// Chance that `variable` is the cause: the first one's is [`Explanation::confidence`], and of what is left of that,
    /// the others have theirs by what they explain.
    #[must_use]
    pub fn confidence_of(&self, variable: Variable) -> Option<f64> {
        let first = self.shares.first()?;
        if first.variable == Some(variable) {
            return Some(self.confidence);
        }
        let rest: f64 = self.shares.iter().skip(1).map(|it| it.explained.max(0.0)).sum();
        let own = self.shares.iter().find(|it| it.variable == Some(variable))?.explained.max(0.0);
        (rest > 0.0).then(|| (1.0 - self.confidence) * own / rest)
    }
}

/// What one variable explains.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// `None`: none of the six.
    pub variable: Option<Variable>,
    /// Part of the change; negative where it hides some.
    pub explained: f64,
    /// Its value that explains most, by dimension and code.
    pub value: Option<(Dimension, u8)>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// One variable: the first of the shares.
    One(Variable),
    /// Several that this data cannot tell apart.
    Ambiguous(Vec<Variable>),
    /// None of the six explains most of it.
    CannotTell,
    /// The change is no more than chance and natural wander.
    NoSignificantChange,
}

/// Explains why more fails `now` than `before`; or less, and then by what fails less.
#[must_use]
pub fn explain(before: &Side, now: &Side) -> Explanation {
    let (before, now) = (&before.thinned(), &now.thinned());
    if now.rate() >= before.rate() {
        return explain_rise(before, now);
    }
    let mut explanation = explain_rise(&before.inverted(), &now.inverted());
    if explanation.z < SIGNIFICANT_FALL {
        explanation.finding = Finding::NoSignificantChange;
    }
    Explanation { rates: explanation.rates.map(|rate| 1.0 - rate), ..explanation }
}

fn explain_rise(before: &Side, now: &Side) -> Explanation {
    let table = Table::new(before, now);
    let classes = table.strata(&[Dimension::Feature, Dimension::RequestClass]);
    let model = Model::fit(&table, &classes);
    let new = new_values(&table);
    let known = known(&table, &model, &classes, &new);
    let causes = causes(&table, &model.now, model.wander, &new);
    let rates = [before.rate(), now.rate()];
    let change = rates[1] - rates[0];
    let deviation = deviation(before, now, model.wander);
    let z = change / deviation;
    let shares = shares(&table, &known, &causes, change, deviation);
    let by_chance = change / self::deviation(before, now, 0.0);
    let finding = finding(&shares, &known, &causes, change, [z, by_chance]);
    let positive: f64 = shares.iter().map(|it| it.explained.max(0.0)).sum();
    let confidence = shares.first().map_or(0.0, |it| it.explained.max(0.0) / positive.max(f64::MIN_POSITIVE));
    let code = |(dimension, dense): (Dimension, u8)| (dimension, table.codes[dimension.index()][usize::from(dense)]);
    let new = new.into_iter().map(code).collect();
    Explanation { rates, z, wander: model.wander.sqrt(), shares, finding, confidence: calibrated(confidence), new }
}

/// The chance that the first share is right, from its part of all shares: fitted to how often it was on simulated incidents.
fn calibrated(part: f64) -> f64 {
    let odds = CALIBRATION_BASE + CALIBRATION_SLOPE * logit(part.clamp(0.01, 0.99));
    (1.0 / (1.0 + (-odds).exp())).min(CONFIDENCE_MAX)
}

/// Standard deviation of the difference of two rates: binomial chance and natural wander.
fn deviation(before: &Side, now: &Side, wander: f64) -> f64 {
    let rate = before.rate();
    let variance = (rate * (1.0 - rate)).max(1e-6);
    let [before, now] = [before, now].map(|side| side.len().max(1) as f64);
    (variance * (1.0 / now + 1.0 / before) + wander * variance * variance).sqrt()
}

fn shares(table: &Table, known: &[Known], causes: &[Cause], change: f64, deviation: f64) -> Vec<Share> {
    let whole = change.abs().max(1e-9);
    let blames = || Variable::ALL.into_iter().map(Some).chain([None]);
    let mut shares: Vec<Share> = blames()
        .map(|variable| {
            let moved = known.iter().filter(|it| Some(it.variable) == variable);
            let shifted = causes.iter().flat_map(|cause| {
                let blamed = cause.blamed.iter().filter(move |it| it.variable == variable);
                blamed.map(|it| (it.probability * cause.change, it.value))
            });
            let furthest = furthest(moved.clone());
            let moved: f64 = moved.map(|it| it.change).sum();
            let parts: Vec<_> = [(moved, furthest.and_then(|it| it.value))].into_iter().chain(shifted).collect();
            let explained = parts.iter().map(|(change, _)| change).sum::<f64>() / whole;
            let most = parts.iter().filter(|(_, value)| value.is_some()).max_by(|a, b| a.0.total_cmp(&b.0));
            let code =
                |(dimension, dense): (Dimension, u8)| (dimension, table.codes[dimension.index()][usize::from(dense)]);
            Share { variable, explained, value: most.and_then(|(_, value)| *value).map(code) }
        })
        .collect();
    // What is left is unexplained as far as it is more than chance and wander.
    let rest = 1.0 - shares.iter().map(|it| it.explained).sum::<f64>() - deviation / whole;
    shares.iter_mut().filter(|it| it.variable.is_none()).for_each(|it| it.explained += rest.max(0.0));
    shares.sort_by(|a, b| b.explained.total_cmp(&a.explained));
    shares
}

/// The one of a variable's shifts that says what moved. A route that moved as far as the models did moved them.
fn furthest<'k>(moved: impl Iterator<Item = &'k Known> + Clone) -> Option<&'k Known> {
    let most = moved.clone().filter(|it| it.change > 0.0).max_by(|a, b| a.change.total_cmp(&b.change))?;
    let routed = |it: &&Known| it.value.is_some_and(|(dimension, _)| dimension == Dimension::Route);
    Some(moved.clone().filter(routed).find(|it| it.distance > ROUTED * most.distance).unwrap_or(most))
}

fn finding(shares: &[Share], known: &[Known], causes: &[Cause], change: f64, [z, by_chance]: [f64; 2]) -> Finding {
    let fault = causes.iter().map(|it| it.fault).fold(0.0, f64::max);
    let moved = Variable::ALL
        .map(|variable| known.iter().filter(|it| it.variable == variable).map(|it| it.change).sum::<f64>());
    let moved = moved.into_iter().fold(0.0, f64::max);
    let is_beyond_chance = z > WANDER_MIN && by_chance > SIGNIFICANT_CHANCE;
    let is_known = moved > KNOWN_MIN * change && (z > SIGNIFICANT_KNOWN || is_beyond_chance);
    let is_fault = z > FAULT_Z_MIN && fault > SIGNIFICANT_FAULT;
    if z < SIGNIFICANT && !is_fault && !is_known {
        return Finding::NoSignificantChange;
    }
    let [first, second, ..] = shares else { return Finding::CannotTell };
    let Some(best) = first.variable else { return Finding::CannotTell };
    if first.explained < EXPLAINED_MIN {
        return Finding::CannotTell;
    }
    if second.variable.is_some() && second.explained > RIVAL * first.explained {
        let tied = shares.iter().filter(|it| it.explained > (TIED * first.explained).max(TIED_MIN));
        let tied: Vec<Variable> = tied.filter_map(|it| it.variable).collect();
        return if tied.len() > 1 { Finding::Ambiguous(tied) } else { Finding::CannotTell };
    }
    let unobserved = shares.iter().find(|it| it.variable.is_none()).map_or(0.0, |it| it.explained);
    if unobserved > UNOBSERVED * first.explained { Finding::CannotTell } else { Finding::One(best) }
}

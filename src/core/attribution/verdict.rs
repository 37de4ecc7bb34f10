//! The answer in words and figures: suspects with their rates and shares, and the one sentence they back.

use super::breakdown::{Breakdown, breakdowns};
use super::dimension::Dimension;
use super::explanation::{Explanation, Finding, explain};
use super::table::Side;
use crate::core::variable::Variable;

/// A share of the change below which a value that moved is innocent.
const EXPLAINS_MIN: f64 = 0.2;
/// Suspects at most.
const SUSPECTS_MAX: usize = 12;
/// Requests of the incident below which nothing is said,
const REQUESTS_MIN: usize = 10;
/// and below which what is said rests on little.
const EVIDENCE_LOW: usize = 400;

/// How a suspect looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its move explains the change, or a good part of it.
    Explains,
    /// It moved, and the change is elsewhere.
    MovedInnocent,
    /// It did not move.
    Unmoved,
}

/// A value under suspicion.
#[derive(Clone, Debug, PartialEq)]
pub struct Suspect {
    /// Its variable.
    pub variable: Variable,
    /// Its dimension.
    pub dimension: Dimension,
    /// The value.
    pub value: String,
    /// How it looks.
    pub standing: Standing,
    /// Share of the signal's change that its variable explains, 0 to 1.
    pub explained: f64,
    /// Chance that its variable is the cause, 0 to 1; `None` for one that is not among the answers.
    pub confidence: Option<f64>,
    /// Requests of the incident window with the value, and those of them that fail.
    pub with: (usize, usize),
    /// The same without it.
    pub without: (usize, usize),
    /// Requests of the baseline with the value, of all.
    pub baseline: (usize, usize),
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// One variable explains the change.
    One(Suspect),
    /// Several do, and this data cannot tell them apart.
    Ambiguous(Vec<Suspect>),
    /// None of the recorded variables explains most of it, and why.
    CannotTell(String),
    /// The signal did not change by more than chance and natural wander.
    NoSignificantChange,
}

/// Everything that is said of a change.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The answer.
    pub answer: Answer,
    /// Values under suspicion, best explanation first.
    pub suspects: Vec<Suspect>,
    /// What it was read from; `None` where there was too little to compare.
    pub explanation: Option<Explanation>,
    /// Requests compared: baseline and incident.
    pub requests: [usize; 2],
    /// Those requests by each dimension.
    pub breakdowns: Vec<Breakdown>,
}

/// Says what a code stands for.
pub type Wording<'w> = &'w dyn Fn(Dimension, u8) -> String;

impl Verdict {
    /// Compares two windows; `word` names the values.
    #[must_use]
    pub fn of(before: &Side, now: &Side, word: Wording<'_>) -> Self {
        let requests = [before.len(), now.len()];
        let breakdowns = breakdowns(before, now, word);
        let unsaid = |why: &str, breakdowns| Self {
            answer: Answer::CannotTell(why.to_owned()),
            suspects: Vec::new(),
            explanation: None,
            requests,
            breakdowns,
        };
        if before.len() < REQUESTS_MIN {
            return unsaid("too few requests of a last-good baseline tell of the signal", breakdowns);
        }
        if now.len() < REQUESTS_MIN {
            return unsaid("too few requests tell of the signal", breakdowns);
        }
        let explanation = Explanation { rates: [before.rate(), now.rate()], ..explain(before, now) };
        let suspects = suspects(&explanation, before, now, word);
        let answer = answer(&explanation, &suspects, word);
        Self { answer, suspects, explanation: Some(explanation), requests, breakdowns }
    }

    /// Whether the answer rests on few requests.
    #[must_use]
    pub fn is_low_evidence(&self) -> bool {
        self.requests[1] < EVIDENCE_LOW
    }
}

fn answer(explanation: &Explanation, suspects: &[Suspect], word: Wording<'_>) -> Answer {
    let of = |variable: Variable| suspects.iter().find(|it| it.variable == variable).cloned();
    match &explanation.finding {
        Finding::One(variable) => of(*variable).map_or_else(|| cannot_tell(explanation, word), Answer::One),
        Finding::Ambiguous(variables) => Answer::Ambiguous(variables.iter().filter_map(|it| of(*it)).collect()),
        Finding::CannotTell => cannot_tell(explanation, word),
        Finding::NoSignificantChange => Answer::NoSignificantChange,
    }
}

fn cannot_tell(explanation: &Explanation, word: Wording<'_>) -> Answer {
    let unobserved = explanation.shares.iter().find(|it| it.variable.is_none());
    let place = unobserved.filter(|it| it.explained > EXPLAINS_MIN).and_then(|it| it.value);
    let place =
        place.map(|(dimension, code)| format!(", localised at {}={}", dimension.as_str(), word(dimension, code)));
    Answer::CannotTell(format!("the cause is not among the recorded variables{}", place.unwrap_or_default()))
}

/// The value of each variable that explains most, then new values that explain nothing.
fn suspects(explanation: &Explanation, before: &Side, now: &Side, word: Wording<'_>) -> Vec<Suspect> {
    let is_change = explanation.finding != Finding::NoSignificantChange;
    let named = explanation.shares.iter().filter_map(|share| {
        let (variable, (dimension, code)) = (share.variable?, share.value?);
        let explains = is_change && share.explained >= EXPLAINS_MIN;
        let is_new = explanation.new.contains(&(dimension, code));
        let standing = match (explains, is_new) {
            (true, _) => Standing::Explains,
            (false, true) => Standing::MovedInnocent,
            (false, false) => return None,
        };
        let confidence = explains.then(|| explanation.confidence_of(variable)).flatten();
        Some((variable, dimension, code, standing, share.explained.clamp(0.0, 1.0), confidence))
    });
    let named: Vec<_> = named.collect();
    // Who is a suspect is told from the requests that a frame keeps.
    let kept = now.thinned();
    // The same value, or the same requests told by another dimension of the variable that explains them.
    let known = |dimension: Dimension, code| {
        named.iter().any(|it| {
            let is_same = || split(&kept, it.1, it.2) == split(&kept, dimension, code);
            (it.1, it.2) == (dimension, code)
                || (it.3 == Standing::Explains && it.0 == dimension.variable() && is_same())
        })
    };
    let innocent = explanation.new.iter().filter(|(dimension, code)| !known(*dimension, *code));
    let innocent =
        innocent.map(|(dimension, code)| (dimension.variable(), *dimension, *code, Standing::MovedInnocent, 0.0, None));
    let all = named.iter().copied().chain(innocent).take(SUSPECTS_MAX);
    let suspect = |(variable, dimension, code, standing, explained, confidence)| {
        let (with, without) = split(now, dimension, code);
        let (had, had_not) = split(before, dimension, code);
        let baseline = (had.0, had.0 + had_not.0);
        let value = word(dimension, code);
        Suspect { variable, dimension, value, standing, explained, confidence, with, without, baseline }
    };
    all.map(suspect).collect()
}

/// Requests with a value and those of them that fail, and the same without it.
fn split(side: &Side, dimension: Dimension, code: u8) -> ((usize, usize), (usize, usize)) {
    let (mut with, mut without) = ((0, 0), (0, 0));
    for (value, fails) in side.columns[dimension.index()].iter().zip(&side.fails) {
        let count: &mut (usize, usize) = if *value == code { &mut with } else { &mut without };
        *count = (count.0 + 1, count.1 + usize::from(*fails));
    }
    (with, without)
}

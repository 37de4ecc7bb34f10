//! Which variable moved between baseline and incident, and does its move explain the change of the signal.
//!
//! A variable *moved* when the shares of its values differ by more than chance (G-test of homogeneity) and by more
//! than a trifle (total variation). A value *explains* as much of the signal's change as its gain in share times its
//! excess failure rate would cause (the composition term of Kitagawa 1955). A move that explains nothing is innocent:
//! rollouts are the norm, and naming the biggest one is wrong more often than right.

use super::statistics::{chi_square_survival, wilson};
use super::variable::Variable;

/// Requests a side needs before its shares are compared.
const REQUESTS_MIN: u32 = 10;
/// Shares that differ by less than this in total have not moved.
const DISTANCE_MIN: f64 = 0.05;
/// Chance of a false "moved", per variable.
const P_VALUE_MAX: f64 = 0.001;
/// A value that explains less than this of the change is innocent.
const EXPLAINED_MIN: f64 = 0.3;
/// A second variable that explains this much of what the first does makes the answer ambiguous.
const RIVAL_MIN: f64 = 0.6;

/// One value of a variable on both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// As shown.
    pub text: String,
    /// Requests of the incident window.
    pub incident: u32,
    /// Requests of the baseline.
    pub baseline: u32,
    /// Requests of the incident window with the value that the signal judges.
    pub judged: u32,
    /// Those of them that fail the signal.
    pub failing: u32,
}

/// A variable on both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// Which one.
    pub variable: Variable,
    /// Its values.
    pub values: Vec<Value>,
}

/// The failing share of the signal on both sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// Requests judged and failing in the incident window.
    pub incident: (u32, u32),
    /// Requests judged and failing in the baseline; `None` without one.
    pub baseline: Option<(u32, u32)>,
}

/// Whether a variable moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Movement {
    /// `None` when a side has too few requests to say.
    pub moved: Option<bool>,
    /// Total variation between the shares, 0 to 1.
    pub distance: Option<f64>,
    /// Of the G-test.
    pub p_value: Option<f64>,
}

/// How a suspect looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its move explains the change.
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
    /// The value.
    pub value: String,
    /// How it looks.
    pub standing: Standing,
    /// Share of the signal's change that its gain explains, 0 to 1; `None` without a baseline.
    pub explained: Option<f64>,
    /// Failure rate with the value, in the incident window.
    pub rate_with: Option<f64>,
    /// Failure rate without it.
    pub rate_without: Option<f64>,
    /// Its share of the incident window.
    pub incident_share: f64,
    /// Its share of the baseline.
    pub baseline_share: f64,
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// One variable explains the change.
    One(Suspect),
    /// Several do, and this data cannot tell them apart.
    Ambiguous(Vec<Suspect>),
    /// None of the recorded moves explains it.
    CannotTell(&'static str),
    /// The signal did not change by more than chance.
    NoSignificantChange,
}

/// Compares the shares of a variable's values.
#[must_use]
pub fn movement(evidence: &Evidence) -> Movement {
    let (incident, baseline) = totals(evidence);
    if incident < REQUESTS_MIN || baseline < REQUESTS_MIN {
        return Movement { moved: None, distance: None, p_value: None };
    }
    let distance: f64 = evidence
        .values
        .iter()
        .map(|value| (share(value.incident, incident) - share(value.baseline, baseline)).abs() / 2.0)
        .sum();
    let p_value = g_test(evidence, incident, baseline);
    let moved = distance >= DISTANCE_MIN && p_value <= P_VALUE_MAX;
    Movement { moved: Some(moved), distance: Some(distance), p_value: Some(p_value) }
}

/// Every value that gained share in a variable that moved, best explanation first.
#[must_use]
pub fn suspects(all: &[Evidence], change: &Change) -> Vec<Suspect> {
    let mut suspects: Vec<Suspect> = all
        .iter()
        .filter(|evidence| movement(evidence).moved == Some(true))
        .flat_map(|evidence| evidence.values.iter().filter_map(|value| suspect(evidence, value, change)))
        .collect();
    suspects.sort_by(|a, b| b.explained.unwrap_or(0.0).total_cmp(&a.explained.unwrap_or(0.0)));
    suspects
}

/// One variable, several, or none: never a name that the data does not support.
#[must_use]
pub fn answer(suspects: &[Suspect], change: &Change) -> Answer {
    let Some(baseline) = change.baseline else {
        return Answer::CannotTell("there is no last-good baseline to compare with");
    };
    if !significant(change.incident, baseline) {
        return Answer::NoSignificantChange;
    }
    let explaining: Vec<&Suspect> = suspects.iter().filter(|it| it.standing == Standing::Explains).collect();
    let Some(best) = explaining.first() else {
        return Answer::CannotTell("no recorded variable moved in a way that explains the change");
    };
    let floor = best.explained.unwrap_or(0.0) * RIVAL_MIN;
    let rivals = |it: &&&Suspect| it.variable != best.variable && it.explained.unwrap_or(0.0) >= floor;
    if explaining.iter().any(|it| rivals(&it)) {
        let tied = explaining.iter().filter(|it| it.explained.unwrap_or(0.0) >= floor);
        return Answer::Ambiguous(tied.map(|it| (*it).clone()).collect());
    }
    Answer::One((*best).clone())
}

fn suspect(evidence: &Evidence, value: &Value, change: &Change) -> Option<Suspect> {
    let (incident, baseline) = totals(evidence);
    let (incident_share, baseline_share) = (share(value.incident, incident), share(value.baseline, baseline));
    let gain = incident_share - baseline_share;
    if gain < DISTANCE_MIN / 2.0 {
        return None;
    }
    let (judged, failing) = change.incident;
    let rate_with = rate(value.judged, value.failing);
    let rate_without = rate(judged.saturating_sub(value.judged), failing.saturating_sub(value.failing));
    let explained = explained(gain, value, change);
    let standing = match explained {
        Some(part) if part >= EXPLAINED_MIN => Standing::Explains,
        _ => Standing::MovedInnocent,
    };
    Some(Suspect {
        variable: evidence.variable,
        value: value.text.clone(),
        standing,
        explained,
        rate_with,
        rate_without,
        incident_share,
        baseline_share,
    })
}

/// Gain in share times excess failure rate, over the change of the signal. What the rest of the window suffers too
/// is not this value's doing: the excess is over the higher of baseline rate and rate without the value.
fn explained(gain: f64, value: &Value, change: &Change) -> Option<f64> {
    let (judged, failing) = change.incident;
    let before = change.baseline.and_then(|(judged, failing)| rate(judged, failing))?;
    let total = rate(judged, failing)? - before;
    let with = rate(value.judged, value.failing)?;
    let without = rate(judged.saturating_sub(value.judged), failing.saturating_sub(value.failing)).unwrap_or(before);
    (total > 0.0).then(|| (gain * (with - without.max(before)) / total).clamp(0.0, 1.0))
}

fn significant(incident: (u32, u32), baseline: (u32, u32)) -> bool {
    let ((_, before_high), (now_low, _)) = (wilson(baseline.1, baseline.0), wilson(incident.1, incident.0));
    now_low > before_high
}

fn g_test(evidence: &Evidence, incident: u32, baseline: u32) -> f64 {
    let all = f64::from(incident) + f64::from(baseline);
    let (mut g, mut cells) = (0.0, 0u32);
    for value in &evidence.values {
        let both = f64::from(value.incident) + f64::from(value.baseline);
        if both == 0.0 {
            continue;
        }
        cells += 1;
        for (seen, side) in [(value.incident, incident), (value.baseline, baseline)] {
            let (seen, expected) = (f64::from(seen), both * f64::from(side) / all);
            if seen > 0.0 {
                g += 2.0 * seen * (seen / expected).ln();
            }
        }
    }
    chi_square_survival(g, cells.saturating_sub(1))
}

fn totals(evidence: &Evidence) -> (u32, u32) {
    evidence
        .values
        .iter()
        .fold((0, 0), |(incident, baseline), value| (incident + value.incident, baseline + value.baseline))
}

fn share(part: u32, whole: u32) -> f64 {
    if whole == 0 { 0.0 } else { f64::from(part) / f64::from(whole) }
}

fn rate(judged: u32, failing: u32) -> Option<f64> {
    (judged > 0).then(|| share(failing, judged))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, incident: u32, baseline: u32, failing: u32) -> Value {
        Value { text: text.into(), incident, baseline, judged: incident, failing }
    }

    fn evidence(variable: Variable, values: Vec<Value>) -> Evidence {
        Evidence { variable, values }
    }

    fn change(judged: u32, failing: u32) -> Change {
        Change { incident: (judged, failing), baseline: Some((1000, 80)) }
    }

    fn answered(all: &[Evidence], change: Change) -> Answer {
        answer(&suspects(all, &change), &change)
    }

    /// Proves that a full rollout that carries the failures is named, with its value.
    #[test]
    fn one_variable_that_moved_and_fails_is_named() {
        let prompt = evidence(Variable::PromptRevision, vec![value("v40", 0, 1000, 0), value("v41", 300, 0, 96)]);
        let model = evidence(Variable::ModelRoute, vec![value("gpt-4o-mini", 300, 1000, 96)]);
        let Answer::One(suspect) = answered(&[prompt, model], change(300, 96)) else { panic!("one answer expected") };
        assert_eq!((suspect.variable, suspect.value.as_str()), (Variable::PromptRevision, "v41"));
    }

    /// Proves that an innocent rollout at the same time is not blamed: its requests fail no more than the others.
    #[test]
    fn an_innocent_rollout_is_not_blamed() {
        let prompt = evidence(Variable::PromptRevision, vec![value("v40", 150, 1000, 12), value("v41", 150, 0, 84)]);
        let index = evidence(Variable::RetrievalIndex, vec![value("kb@1", 150, 1000, 48), value("kb@2", 150, 0, 48)]);
        let all = [prompt, index];
        let Answer::One(suspect) = answered(&all, change(300, 96)) else { panic!("one answer expected") };
        assert_eq!(suspect.variable, Variable::PromptRevision);
        let suspects = suspects(&all, &change(300, 96));
        let innocent = suspects.iter().find(|it| it.variable == Variable::RetrievalIndex).expect("a suspect");
        assert_eq!(innocent.standing, Standing::MovedInnocent);
    }

    /// Proves the three honest answers besides a name.
    #[test]
    fn twins_silence_and_chance_are_told_apart() {
        let twin = |variable| evidence(variable, vec![value("old", 0, 1000, 0), value("new", 300, 0, 96)]);
        let twins = [twin(Variable::PromptRevision), twin(Variable::ModelRoute)];
        assert!(matches!(answered(&twins, change(300, 96)), Answer::Ambiguous(both) if both.len() == 2));
        let unmoved = [evidence(Variable::ModelRoute, vec![value("gpt-4o-mini", 300, 1000, 96)])];
        assert!(matches!(answered(&unmoved, change(300, 96)), Answer::CannotTell(_)));
        assert_eq!(answered(&unmoved, change(300, 25)), Answer::NoSignificantChange);
        let blind = Change { incident: (300, 96), baseline: None };
        assert!(matches!(answered(&unmoved, blind), Answer::CannotTell(_)));
    }

    /// Proves that ten requests of chance are not a move, and that too few say nothing.
    #[test]
    fn chance_is_not_a_move() {
        let wobble = evidence(Variable::TrafficMix, vec![value("a", 52, 480, 0), value("b", 48, 520, 0)]);
        assert_eq!(movement(&wobble).moved, Some(false));
        let few = evidence(Variable::TrafficMix, vec![value("a", 5, 480, 0)]);
        assert_eq!(movement(&few).moved, None);
    }
}

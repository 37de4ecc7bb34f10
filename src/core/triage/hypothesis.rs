//! What may be behind an incident, in order of likelihood, each with the comparison that confirms or rejects it.

use serde_json::Value as Json;

use super::findings::{Pair, figure, pair, worse};
use crate::core::incident::Class;
use crate::core::signal::Signal;
use crate::core::variable::Variable;

/// Share of the added time that a stage must explain.
const STAGE_SHARE_MIN: f64 = 0.5;
/// Time that was added, as a part of the usual time of all stages, below which none was.
const ADDED_MIN: f64 = 0.05;
/// A signal that confirms a hypothesis must have changed by this factor (shares: see [`super::findings`]).
pub(super) const FACTOR_MIN: f64 = 1.25;

/// A hypothesis, and what the two windows say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hypothesis {
    /// What may have happened.
    pub text: &'static str,
    /// What the comparison says.
    pub standing: Standing,
    /// The figures.
    pub evidence: String,
}

/// What a comparison says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It fits.
    Confirmed,
    /// The data is not there.
    Open,
    /// It does not.
    Rejected,
}

impl Standing {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Open => "open",
            Self::Rejected => "rejected",
        }
    }
}

/// The comparison.
#[derive(Clone, Copy, Debug)]
enum Test {
    /// Most of the added time is spent here.
    Stage(Signal),
    /// The signal is worse than in the baseline.
    Worse(Signal),
    /// The variable moved, and what moved fails more often.
    Moved(Variable),
}

type Row = (&'static str, Test);

const PERFORMANCE: [Row; 8] = [
    ("the model API is slower", Test::Stage(Signal::ModelTime)),
    ("a tool fails or times out", Test::Worse(Signal::ToolSuccessRatio)),
    ("a tool is slower", Test::Stage(Signal::ToolTime)),
    ("retrieval is the bottleneck", Test::Stage(Signal::RetrievalTime)),
    ("retries multiply the calls", Test::Worse(Signal::RetriesPerRequest)),
    ("the provider fails", Test::Worse(Signal::ErrorRatio)),
    ("contexts or answers grew", Test::Worse(Signal::TokensPerRequest)),
    ("requests go to another model or route", Test::Moved(Variable::ModelRoute)),
];

const QUALITY: [Row; 8] = [
    ("a prompt revision", Test::Moved(Variable::PromptRevision)),
    ("another model or route", Test::Moved(Variable::ModelRoute)),
    ("searches find less", Test::Worse(Signal::EmptyRetrievalRatio)),
    ("the index changed or is stale", Test::Moved(Variable::RetrievalIndex)),
    ("a tool fails, and the model makes up what it withholds", Test::Worse(Signal::ToolSuccessRatio)),
    ("a tool's schema changed", Test::Moved(Variable::ToolSchemas)),
    ("the judge changed, not the answers", Test::Moved(Variable::Judge)),
    ("other questions are asked", Test::Moved(Variable::TrafficMix)),
];

const RETRIEVAL: [Row; 4] = [
    ("another version of the index serves", Test::Moved(Variable::RetrievalIndex)),
    ("the embedding of questions and documents no longer fits", Test::Worse(Signal::RetrievalScoreP50)),
    ("the store is slow or out of reach", Test::Stage(Signal::RetrievalTime)),
    ("questions are asked that no document answers", Test::Moved(Variable::TrafficMix)),
];

const COST: [Row; 5] = [
    ("retries or a loop of tools multiply the calls", Test::Worse(Signal::RetriesPerRequest)),
    ("contexts or answers grew", Test::Worse(Signal::TokensPerRequest)),
    ("a prompt revision", Test::Moved(Variable::PromptRevision)),
    ("requests go to a dearer model", Test::Moved(Variable::ModelRoute)),
    ("dearer questions are asked", Test::Moved(Variable::TrafficMix)),
];

const DATA: [Row; 4] = [
    ("a prompt revision carries or asks for what it must not", Test::Moved(Variable::PromptRevision)),
    ("the index took in documents with personal data", Test::Moved(Variable::RetrievalIndex)),
    ("a tool returns more than it did", Test::Moved(Variable::ToolSchemas)),
    ("another model ignores the instruction", Test::Moved(Variable::ModelRoute)),
];

/// The hypotheses for a class, tested on a frame: confirmed ones first, then those the data says nothing about, each in
/// order of likelihood.
#[must_use]
pub fn hypotheses(class: Class, frame: &Json) -> Vec<Hypothesis> {
    let rows: &[Row] = match class {
        Class::RetrievalOutage => &RETRIEVAL,
        Class::QualityDegradation => &QUALITY,
        Class::PerformanceDegradation => &PERFORMANCE,
        Class::CostSpike => &COST,
        Class::DataIncident => &DATA,
    };
    let tested = rows.iter().map(|(text, test)| {
        let (standing, evidence) = match test {
            Test::Stage(signal) => stage(frame, *signal),
            Test::Worse(signal) => signal_worse(frame, *signal),
            Test::Moved(variable) => moved(frame, *variable),
        };
        Hypothesis { text, standing, evidence }
    });
    let mut tested: Vec<_> = tested.collect();
    tested.sort_by_key(|hypothesis| hypothesis.standing);
    tested
}

fn signal_worse(frame: &Json, signal: Signal) -> (Standing, String) {
    match worse(frame, signal, FACTOR_MIN) {
        Some((true, figures)) => (Standing::Confirmed, figures),
        Some((false, figures)) => (Standing::Rejected, figures),
        None => (Standing::Open, format!("{} is not known on both sides", signal.as_str())),
    }
}

/// Means add up, so the stage with most of the added seconds is where they are spent.
pub(super) fn stage(frame: &Json, signal: Signal) -> (Standing, String) {
    let added = |signal: Signal| {
        let Pair { incident, baseline, .. } = pair(frame, signal)?;
        let usual = baseline?.value;
        Some((incident.value - usual, usual))
    };
    let stages =
        [("model calls", Signal::ModelTime), ("retrieval", Signal::RetrievalTime), ("tools", Signal::ToolTime)];
    let known: Vec<(&str, Signal, (f64, f64))> =
        stages.into_iter().filter_map(|(name, signal)| Some((name, signal, added(signal)?))).collect();
    let Some((_, _, (own, _))) = known.iter().find(|(_, its, _)| *its == signal) else {
        return (Standing::Open, format!("{} is not known on both sides", signal.as_str()));
    };
    let mut figures: Vec<String> =
        known.iter().map(|(name, _, (by, _))| format!("{name} {:+.2} s", hundredths(*by))).collect();
    if let Some(Pair { incident, baseline: Some(usual), .. }) = pair(frame, Signal::RetriesPerRequest) {
        // A request is its first attempt and its retries.
        figures.push(format!("attempts x{}", figure((1.0 + incident.value) / (1.0 + usual.value))));
    }
    let total: f64 = known.iter().map(|(_, _, (by, _))| by.max(0.0)).sum();
    let usual: f64 = known.iter().map(|(_, _, (_, usual))| usual).sum();
    let is_most = *own > 0.0 && *own >= total * STAGE_SHARE_MIN && total > usual * ADDED_MIN;
    (if is_most { Standing::Confirmed } else { Standing::Rejected }, figures.join(", "))
}

/// Rounded, and no negative zero.
fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0 + 0.0
}

pub(super) fn moved(frame: &Json, variable: Variable) -> (Standing, String) {
    let name = variable.as_str();
    let own = |suspect: &&Json| suspect["variable"].as_str() == Some(name);
    let suspects = frame["suspects"].as_array().map_or(&[][..], Vec::as_slice);
    let explains = suspects.iter().filter(own).find(|suspect| suspect["verdict"] == "explains");
    if let Some(suspect) = explains {
        let percent =
            |name: &str| suspect[name].as_f64().map_or_else(|| "?".into(), |it| format!("{:.0} %", it * 100.0));
        let value = suspect["value"].as_str().unwrap_or("one value");
        let (with, without) = (percent("rate_with"), percent("rate_without"));
        let (now, usual) = (percent("incident_share"), percent("baseline_share"));
        return (
            Standing::Confirmed,
            format!("{name} {value}: {usual} to {now} of requests; fails {with} with it, {without} without"),
        );
    }
    match frame["variables"][name]["moved"].as_bool() {
        Some(false) => (Standing::Rejected, format!("{name} did not move")),
        Some(true) if suspects.iter().any(|suspect| own(&suspect)) => {
            (Standing::Rejected, format!("{name} moved, and what moved fails no more often"))
        }
        Some(true) => (Standing::Open, format!("{name} moved; whether what moved fails more often is not known")),
        None => {
            let reason = frame["variables"][name]["reason"].as_str().unwrap_or("not known on both sides");
            (Standing::Open, format!("{name}: {reason}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn side(value: f64) -> Json {
        json!({ "count": 300, "value": value, "ci_low": value, "ci_high": value })
    }

    fn signals(pairs: &[(Signal, f64, f64)]) -> Json {
        let sides = |now: f64, usual: f64| json!({ "incident": side(now), "baseline": side(usual) });
        pairs.iter().map(|(signal, now, usual)| (signal.as_str().to_owned(), sides(*now, *usual))).collect()
    }

    /// Proves that the stage that took the time is named with its figures, and that the innocent ones are rejected.
    #[test]
    fn the_slow_stage_is_named() {
        let frame = json!({ "signals": signals(&[
            (Signal::ModelTime, 8.2, 1.1),
            (Signal::RetrievalTime, 0.14, 0.12),
            (Signal::RetriesPerRequest, 0.02, 0.02),
        ]) });
        let found = hypotheses(Class::PerformanceDegradation, &frame);
        let first = &found[0];
        assert_eq!((first.text, first.standing), ("the model API is slower", Standing::Confirmed));
        assert_eq!(first.evidence, "model calls +7.10 s, retrieval +0.02 s, attempts x1");
        let of = |text: &str| found.iter().find(|it| it.text == text).unwrap().standing;
        assert_eq!(of("retrieval is the bottleneck"), Standing::Rejected);
        assert_eq!(of("retries multiply the calls"), Standing::Rejected);
        assert_eq!(of("a tool is slower"), Standing::Open);
    }

    /// Proves that no stage is the slow one where hardly any time was added.
    #[test]
    fn a_thousandth_is_no_slow_stage() {
        for (now, standing) in [(1.101, Standing::Rejected), (1.2, Standing::Confirmed)] {
            let frame =
                json!({ "signals": signals(&[(Signal::ModelTime, now, 1.1), (Signal::RetrievalTime, 0.12, 0.12)]) });
            let found = hypotheses(Class::PerformanceDegradation, &frame);
            let model = found.iter().find(|it| it.text == "the model API is slower").unwrap();
            assert_eq!(model.standing, standing, "{}", model.evidence);
        }
    }

    /// Proves that a variable is confirmed when what moved fails, rejected when it does not or nothing moved, and open
    /// when nobody knows.
    #[test]
    fn variables_are_told_apart() {
        let suspect = |variable: &str, verdict: &str| {
            json!({ "variable": variable, "value": "v41", "verdict": verdict, "rate_with": 0.31, "rate_without": 0.08,
                    "incident_share": 0.6, "baseline_share": 0.0 })
        };
        let frame = json!({
            "suspects": [suspect("prompt_revision", "explains"), suspect("model_route", "moved_innocent")],
            "variables": { "prompt_revision": { "moved": true }, "model_route": { "moved": true },
                           "judge": { "moved": false }, "tool_schemas": { "moved": null, "reason": "no tools" } },
        });
        let found = hypotheses(Class::QualityDegradation, &frame);
        assert_eq!(found[0].evidence, "prompt_revision v41: 0 % to 60 % of requests; fails 31 % with it, 8 % without");
        let of = |text: &str| found.iter().find(|it| it.text == text).unwrap();
        assert_eq!(of("another model or route").standing, Standing::Rejected);
        assert_eq!(of("the judge changed, not the answers").standing, Standing::Rejected);
        assert_eq!(of("a tool's schema changed").evidence, "tool_schemas: no tools");
        assert!(found.is_sorted_by_key(|it| it.standing));
    }

    /// Proves that an empty frame confirms nothing.
    #[test]
    fn nothing_is_confirmed_by_nothing() {
        for class in Class::ALL {
            assert!(hypotheses(class, &json!({})).iter().all(|it| it.standing == Standing::Open));
        }
    }
}

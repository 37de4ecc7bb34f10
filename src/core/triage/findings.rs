//! What a freeze frame or an alert answers of the questions of the tree.

use std::fmt;

use serde_json::Value as Json;

use super::tree::Question;
use crate::core::detect::Direction;
use crate::core::incident::{Class, Severity};
use crate::core::signal::{Shape, Signal};

/// A share must differ by this much to count, whatever its interval.
const SHARE_MIN: f64 = 0.05;
/// Any other value, by this factor.
const FACTOR_MIN: f64 = 1.25;
/// Tokens, money and retries, by this factor: the question asks for twice.
const DEARER_MIN: f64 = 2.0;
/// Share of wrong answers that is many.
const MANY: f64 = 0.2;
/// Seconds that users wait.
const SLOW_SECONDS: f64 = 5.0;
/// Evaluations of how something is said, not of what.
const MANNER: [&str; 7] = ["tone", "brand", "style", "format", "polite", "verbos", "concis"];

/// An answer, and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Yes or no.
    pub yes: bool,
    /// Why.
    pub why: String,
    /// Whether the document knows, or this is only what is taken for granted.
    pub is_known: bool,
}

/// A document that answers questions.
#[derive(Clone, Debug)]
pub enum Findings {
    /// A freeze frame.
    Frame(Json),
    /// The labels of an alert.
    Alert {
        /// `alertname`.
        name: String,
        /// `class`.
        class: Class,
        /// `sev`, or by `severity`.
        severity: Severity,
    },
}

/// One side of one signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reading {
    pub(super) value: f64,
    low: f64,
    high: f64,
}

/// A signal on both sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pair {
    pub(super) signal: Signal,
    pub(super) incident: Reading,
    pub(super) baseline: Option<Reading>,
}

impl Findings {
    /// Reads a frame, an alert with `labels`, or the webhook of Alertmanager (its first firing alert).
    ///
    /// # Errors
    /// What it is not.
    pub fn of(document: &Json) -> Result<Self, String> {
        if document["schema"].as_str() == Some(crate::core::frame::SCHEMA) {
            return Ok(Self::Frame(document.clone()));
        }
        let firing = |alert: &&Json| alert["status"].as_str() != Some("resolved");
        let first = document["alerts"].as_array().and_then(|alerts| alerts.iter().find(firing));
        let labels = &first.unwrap_or(document)["labels"];
        let label = |name: &str| labels[name].as_str();
        let class =
            label("class").and_then(Class::parse).ok_or("no freeze frame, and no alert with a label `class`")?;
        let by_label = |name: &str| Severity::ALL.into_iter().find(|severity| severity.label() == name);
        let severity = label("sev").and_then(Severity::parse).or_else(|| label("severity").and_then(by_label));
        let severity = severity.ok_or("an alert without a label `sev` or `severity`")?;
        Ok(Self::Alert { name: label("alertname").unwrap_or_default().to_owned(), class, severity })
    }

    /// The answer to a question.
    #[must_use]
    pub fn answer(&self, question: &Question) -> Answered {
        let known = match self {
            _ if question.name == "by_design" => None,
            Self::Frame(frame) => of_frame(frame, question.name),
            Self::Alert { name, class, severity } => Some(of_alert(name, *class, *severity, question.name)),
        };
        match known {
            Some((yes, why)) => Answered { yes, why, is_known: true },
            None if question.name == "by_design" => {
                Answered { yes: false, why: "no telemetry knows; taken as no".into(), is_known: false }
            }
            None => Answered { yes: false, why: "not in the telemetry; taken as no".into(), is_known: false },
        }
    }
}

fn of_alert(name: &str, class: Class, severity: Severity, question: &str) -> (bool, String) {
    let fails = ["LLMOutage", "LLMErrorRateHigh", "LLMToolFailures"].contains(&name);
    let yes = match question {
        "leak" => class == Class::DataIncident,
        "empty" => class == Class::RetrievalOutage,
        "failing" => class == Class::PerformanceDegradation && fails,
        "worse" => class == Class::QualityDegradation,
        "dearer" => class == Class::CostSpike,
        "slow" => class == Class::PerformanceDegradation && !fails,
        "empty_most" | "failing_most" | "worse_many" => severity == Severity::Sev1,
        "slow_felt" => severity <= Severity::Sev2,
        _ => false,
    };
    (yes, format!("alert {name}, {} {}", class.as_str(), severity.as_str()))
}

fn of_frame(frame: &Json, question: &str) -> Option<(bool, String)> {
    let any = |signals: &[Signal], factor: f64| {
        let found: Vec<(bool, String)> = signals.iter().filter_map(|signal| worse(frame, *signal, factor)).collect();
        let yes = found.iter().find(|(yes, _)| *yes).cloned();
        yes.or_else(|| (!found.is_empty()).then(|| (false, lines(&found))))
    };
    let beyond = |signal: Signal, limit: f64| {
        let pair = pair(frame, signal)?;
        Some((signal.worse().beyond(pair.incident.value, limit), format!("{pair}, limit {}", figure(limit))))
    };
    match question {
        "leak" => {
            let is_class = frame["alert"]["class"] == Class::DataIncident.as_str();
            let pair = pair(frame, Signal::LeakRatio);
            let said = pair.map_or_else(|| alert(frame), |pair| pair.to_string());
            (is_class || pair.is_some()).then(|| (is_class || pair.is_some_and(|it| it.incident.value > 0.0), said))
        }
        "empty" => any(&[Signal::EmptyRetrievalRatio], FACTOR_MIN),
        "empty_most" => beyond(Signal::EmptyRetrievalRatio, 0.5),
        "failing" => any(&[Signal::ErrorRatio, Signal::ToolSuccessRatio], FACTOR_MIN),
        "failing_most" => beyond(Signal::ErrorRatio, 0.5),
        "worse" => any(
            &[
                Signal::Quality,
                Signal::EvaluationPassRatio,
                Signal::EvaluationScore,
                Signal::RefusalRatio,
                Signal::BlockRatio,
                Signal::BadFeedbackRatio,
            ],
            FACTOR_MIN,
        ),
        "worse_many" => many_wrong(frame),
        "dearer" => any(&[Signal::RetriesPerRequest, Signal::TokensPerRequest, Signal::CostPerRequest], DEARER_MIN),
        "slow" => any(&[Signal::LatencyP95, Signal::TimeToFirstTokenP95], FACTOR_MIN),
        "slow_felt" => beyond(Signal::LatencyP95, SLOW_SECONDS),
        _ => None,
    }
}

/// Whether a fifth more answers than usual are wrong, not merely said in another manner.
fn many_wrong(frame: &Json) -> Option<(bool, String)> {
    if let Some(metrics) = failed_metrics(frame)
        && metrics.iter().all(|metric| MANNER.iter().any(|manner| metric.to_ascii_lowercase().contains(manner)))
    {
        return Some((false, format!("what fails is {}: how it is said, not what", metrics.join(", "))));
    }
    let pairs = [Signal::Quality, Signal::EvaluationPassRatio].map(|signal| pair(frame, signal));
    let pairs: Vec<Pair> = pairs.into_iter().flatten().collect();
    let many = |pair: &Pair| {
        let usual = pair.baseline.map_or(1.0, |baseline| baseline.value);
        pair.incident.value < 0.5 || pair.incident.value <= usual - MANY
    };
    let found = pairs.iter().find(|pair| many(pair)).or(pairs.first())?;
    Some((many(found), found.to_string()))
}

/// Metrics of the evaluations that failing samples failed; `None` when there are none.
fn failed_metrics(frame: &Json) -> Option<Vec<String>> {
    let samples = frame["samples"]["failing"].as_array()?;
    let evaluations = samples.iter().filter_map(|sample| sample["evaluations"].as_array()).flatten();
    let failed = evaluations.filter(|evaluation| evaluation["passed"] == false);
    let mut metrics: Vec<String> = failed.filter_map(|it| it["metric"].as_str().map(str::to_owned)).collect();
    metrics.sort();
    metrics.dedup();
    (!metrics.is_empty()).then_some(metrics)
}

/// Whether a signal is worse than usual: the one that the alert is about, or one whose interval is clear of its
/// baseline's by enough to matter.
pub(super) fn worse(frame: &Json, signal: Signal, factor: f64) -> Option<(bool, String)> {
    if frame["alert"]["signal"].as_str() == Some(signal.as_str()) {
        return Some((true, pair(frame, signal).map_or_else(|| alert(frame), |pair| pair.to_string())));
    }
    let pair = pair(frame, signal)?;
    let baseline = pair.baseline?;
    let (now, usual) = (pair.incident, baseline);
    let is_clear = match signal.worse() {
        Direction::Above => now.low > usual.high,
        Direction::Below => now.high < usual.low,
    };
    let is_enough = match (signal.shape(), signal.worse()) {
        (Shape::Ratio, _) => (now.value - usual.value).abs() >= SHARE_MIN,
        (Shape::Quantile(..) | Shape::Mean(_), Direction::Above) => now.value >= usual.value * factor,
        (Shape::Quantile(..) | Shape::Mean(_), Direction::Below) => now.value * factor <= usual.value,
    };
    Some((is_clear && is_enough, pair.to_string()))
}

/// A signal of a frame; `None` when it has no value in the incident window.
pub(super) fn pair(frame: &Json, signal: Signal) -> Option<Pair> {
    let reading = |side: &str| {
        let reading = &frame["signals"][signal.as_str()][side];
        let value = reading["value"].as_f64()?;
        let end = |name: &str| reading[name].as_f64().unwrap_or(value);
        Some(Reading { value, low: end("ci_low"), high: end("ci_high") })
    };
    Some(Pair { signal, incident: reading("incident")?, baseline: reading("baseline") })
}

fn alert(frame: &Json) -> String {
    let alert = &frame["alert"];
    format!("alert {}", alert["name"].as_str().unwrap_or("without a name"))
}

fn lines(found: &[(bool, String)]) -> String {
    found.iter().map(|(_, why)| why.as_str()).collect::<Vec<_>>().join("; ")
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reading { value, low, high } = self.incident;
        let (name, unit) = (self.signal.as_str(), self.signal.unit());
        let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
        write!(f, "{name} {}{unit} ({} to {})", figure(value), figure(low), figure(high))?;
        match self.baseline {
            Some(usual) => write!(f, ", usually {}{unit}", figure(usual.value)),
            None => write!(f, ", no baseline"),
        }
    }
}

/// Three significant digits.
pub(super) fn figure(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a few digits")]
    let digits = (2.0 - value.abs().log10().floor()).clamp(0.0, 9.0) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::core::triage::{End, TREE, questions, walk};

    fn reading(value: f64, half: f64) -> Json {
        json!({ "count": 300, "value": value, "ci_low": value - half, "ci_high": value + half })
    }

    /// A frame in which these signals went from the second to the first value.
    fn frame(alert: (&str, Class, Signal), signals: &[(Signal, f64, f64)], failing: Json) -> Json {
        let signals: serde_json::Map<_, _> = signals
            .iter()
            .map(|(signal, now, usual)| {
                let sides = json!({ "incident": reading(*now, 0.02), "baseline": reading(*usual, 0.01) });
                (signal.as_str().to_owned(), sides)
            })
            .collect();
        json!({
            "schema": crate::core::frame::SCHEMA,
            "alert": { "name": alert.0, "class": alert.1.as_str(), "signal": alert.2.as_str() },
            "signals": signals,
            "samples": { "failing": failing, "healthy": [] },
        })
    }

    fn title(document: &Json) -> String {
        let findings = Findings::of(document).unwrap();
        walk(|question| Some(findings.answer(question).yes)).end.unwrap().title()
    }

    /// Proves class and severity on frames whose figures say what happened, whatever alert was the first to speak.
    #[test]
    fn frames_are_classified_by_their_figures() {
        let none = json!([]);
        let tone = json!([{ "evaluations": [{ "metric": "brand_tone", "passed": false }] }]);
        let wrong = json!([{ "evaluations": [{ "metric": "groundedness", "passed": false }] }]);
        let quality = ("LLMQualityDegradation", Class::QualityDegradation, Signal::Quality);
        let slow = ("LLMLatencyRegression", Class::PerformanceDegradation, Signal::LatencyP95);
        let leak = ("LLMDataLeak", Class::DataIncident, Signal::LeakRatio);
        for (alert, signals, failing, expected) in [
            (quality, vec![(Signal::Quality, 0.72, 0.97)], &wrong, "QUALITY_DEGRADATION SEV-1"),
            (quality, vec![(Signal::Quality, 0.2, 0.97)], &tone, "QUALITY_DEGRADATION SEV-2"),
            (quality, vec![(Signal::Quality, 0.85, 0.95)], &none, "QUALITY_DEGRADATION SEV-2"),
            (
                quality,
                vec![(Signal::Quality, 0.2, 0.95), (Signal::EmptyRetrievalRatio, 1.0, 0.03)],
                &none,
                "RETRIEVAL_OUTAGE SEV-1",
            ),
            (
                quality,
                vec![(Signal::Quality, 0.8, 0.95), (Signal::EmptyRetrievalRatio, 0.2, 0.03)],
                &none,
                "RETRIEVAL_OUTAGE SEV-2",
            ),
            (slow, vec![(Signal::LatencyP95, 4.2, 1.5)], &none, "PERFORMANCE_DEGRADATION SEV-3"),
            (slow, vec![(Signal::LatencyP95, 9.2, 1.8)], &none, "PERFORMANCE_DEGRADATION SEV-2"),
            (
                slow,
                vec![(Signal::LatencyP95, 9.2, 1.8), (Signal::ToolSuccessRatio, 0.7, 0.97)],
                &none,
                "PERFORMANCE_DEGRADATION SEV-2",
            ),
            (
                slow,
                vec![(Signal::LatencyP95, 9.2, 1.8), (Signal::TokensPerRequest, 9e3, 3e3)],
                &none,
                "COST_SPIKE SEV-2",
            ),
            (leak, vec![(Signal::LeakRatio, 0.01, 0.0)], &none, "DATA_INCIDENT SEV-1"),
        ] {
            assert_eq!(title(&frame(alert, &signals, failing.clone())), expected, "{signals:?}");
        }
    }

    /// Proves that an alert alone comes to its own class, and that its severity decides the rest.
    #[test]
    fn alerts_are_classified_by_their_labels() {
        let alert = |name: &str, class: Class, sev: &str| {
            let labels = json!({ "alertname": name, "class": class.as_str(), "sev": sev });
            json!({ "alerts": [{ "status": "firing", "labels": labels }] })
        };
        for rule in crate::core::rules::built_in() {
            let title = title(&alert(&rule.name, rule.class, rule.severity.as_str()));
            assert!(title.starts_with(rule.class.as_str()), "{}: {title}", rule.name);
        }
        assert!(Findings::of(&json!({ "labels": { "class": "COST_SPIKE", "severity": "warning" } })).is_ok());
        for refused in [json!({}), json!([]), json!({ "labels": { "class": "OTHER" } }), json!({ "alerts": [] })] {
            assert!(Findings::of(&refused).is_err(), "{refused}");
        }
    }

    /// Proves that every question of the tree is known here by its name, and that a bare frame ends nowhere bad.
    #[test]
    fn every_question_has_an_answer() {
        let all: Vec<_> = Signal::ALL.into_iter().map(|signal| (signal, 3.0, 1.0)).collect();
        let frame = frame(("A", Class::CostSpike, Signal::CostPerRequest), &all, json!([]));
        let findings = Findings::of(&frame).unwrap();
        for question in questions() {
            assert!(findings.answer(question).is_known || question.name == "by_design", "{}", question.name);
        }
        let bare = Findings::of(&json!({ "schema": crate::core::frame::SCHEMA })).unwrap();
        let walked = walk(|question| Some(bare.answer(question).yes));
        assert!(matches!(walked.end, Ok(End::NotAnIncident { .. })), "{TREE:?}");
    }

    /// Proves how figures are written.
    #[test]
    fn figures_have_three_digits() {
        for (value, text) in
            [(0.0, "0"), (0.12345, "0.123"), (7.1, "7.1"), (1234.5, "1234"), (0.000_012_34, "0.0000123")]
        {
            assert_eq!(figure(value), text);
        }
    }
}

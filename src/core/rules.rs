//! The built-in alert rules: one table, each with the reason for its numbers.
//!
//! Shared by all: the window is five minutes, judged with those nested around it; a condition must hold for 10 s (the
//! next evaluation agrees; the tests pay for the number of looks, and a longer wait would only delay the page) and an alert
//! keeps firing for two minutes after its condition last held, so that a flapping one is one page. A slack and a learned
//! limit tell a change from what the feature is used to; a fixed one holds from the first minute on.

use std::time::Duration;

use super::detect::{Limit, Relative, Rule};
use super::incident::{Class, Severity};
use super::signal::Signal;

/// The window of every built-in rule.
pub const WINDOW: Duration = Duration::from_secs(5 * 60);
/// How long a condition must hold, except where any hit counts.
pub const HOLD: Duration = Duration::from_secs(10);
/// How long an alert keeps firing after its condition last held.
pub const KEEP_FIRING: Duration = Duration::from_secs(2 * 60);

/// One built-in rule.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// `alertname`.
    pub name: &'static str,
    /// Incident class.
    pub class: Class,
    /// Severity.
    pub severity: Severity,
    /// What is watched, on its worse side.
    pub signal: Signal,
    /// The limit.
    pub limit: Limit,
    /// Fewer samples than this say nothing.
    pub samples_min: u64,
    /// One sentence for the alert.
    pub summary: &'static str,
    /// Why these numbers.
    pub reason: &'static str,
}

/// Every built-in rule.
pub const BUILT_IN: [BuiltIn; 19] = [
    BuiltIn {
        name: "LLMRetrievalOutage",
        class: Class::RetrievalOutage,
        severity: Severity::Sev1,
        signal: Signal::EmptyRetrievalRatio,
        limit: fixed(0.5),
        samples_min: 10,
        summary: "Most retrievals find nothing or fail.",
        reason: "With more than half of the searches empty the index is down for everybody, whatever was usual.",
    },
    BuiltIn {
        name: "LLMRetrievalEmpty",
        class: Class::RetrievalOutage,
        severity: Severity::Sev2,
        signal: Signal::EmptyRetrievalRatio,
        limit: slack(0.15, Relative::Delta(0.1), 0.02),
        samples_min: 10,
        summary: "More retrievals than usual find nothing or fail.",
        reason: "A healthy index answers nearly everything; questions nobody wrote a document for are a few percent.",
    },
    BuiltIn {
        name: "LLMRetrievalScoreLow",
        class: Class::QualityDegradation,
        severity: Severity::Sev3,
        signal: Signal::RetrievalScoreP50,
        limit: learned(Relative::Factor(0.8)),
        samples_min: 30,
        summary: "What retrieval finds fits the questions worse than usual.",
        reason: "Scales of scores differ by store, so only a change tells: a fifth is an embedding or index change.",
    },
    BuiltIn {
        name: "LLMQualityCollapse",
        class: Class::QualityDegradation,
        severity: Severity::Sev1,
        signal: Signal::Quality,
        limit: fixed(0.5),
        samples_min: 10,
        summary: "Most answers are bad.",
        reason: "When most answers are bad the feature does more harm than being off.",
    },
    BuiltIn {
        name: "LLMQualityDegradation",
        class: Class::QualityDegradation,
        severity: Severity::Sev2,
        signal: Signal::Quality,
        limit: slack(0.8, Relative::Delta(-0.05), 0.01),
        samples_min: 10,
        summary: "Fewer answers are good than usual.",
        reason: "0.80 is the usual floor of a service in production; five points of loss are a regression before that.",
    },
    BuiltIn {
        name: "LLMEvaluationFailing",
        class: Class::QualityDegradation,
        severity: Severity::Sev2,
        signal: Signal::EvaluationPassRatio,
        limit: slack(0.8, Relative::Delta(-0.05), 0.01),
        samples_min: 10,
        summary: "Fewer evaluations pass than usual.",
        reason: "As for quality: evaluations are its best judges where there are any.",
    },
    BuiltIn {
        name: "LLMEvaluationScoreLow",
        class: Class::QualityDegradation,
        severity: Severity::Sev2,
        signal: Signal::EvaluationScore,
        limit: learned(Relative::Factor(0.85)),
        samples_min: 20,
        summary: "Evaluations score lower than usual.",
        reason: "For judges that give scores without a verdict; scales differ, so only a change of 15 % tells.",
    },
    BuiltIn {
        name: "LLMFeedbackNegative",
        class: Class::QualityDegradation,
        severity: Severity::Sev3,
        signal: Signal::BadFeedbackRatio,
        limit: learned(Relative::Delta(0.2)),
        samples_min: 10,
        summary: "More feedback than usual is negative.",
        reason: "Those who complain are few and not typical: only a clear change counts, and it pages nobody.",
    },
    BuiltIn {
        name: "LLMRefusalSpike",
        class: Class::QualityDegradation,
        severity: Severity::Sev2,
        signal: Signal::RefusalRatio,
        limit: slack(0.15, Relative::Delta(0.05), 0.02),
        samples_min: 10,
        summary: "The model refuses more requests than usual.",
        reason: "Refusals are a few percent; a model update that refuses every twentieth request more is felt.",
    },
    BuiltIn {
        name: "LLMBlockSpike",
        class: Class::QualityDegradation,
        severity: Severity::Sev3,
        signal: Signal::BlockRatio,
        limit: slack(0.25, Relative::Delta(0.1), 0.05),
        samples_min: 10,
        summary: "A policy or guardrail blocks more requests than usual.",
        reason: "Blocking is what guardrails are for: a wave is worth a look, either at the guardrail or at who tries.",
    },
    BuiltIn {
        name: "LLMOutage",
        class: Class::PerformanceDegradation,
        severity: Severity::Sev1,
        signal: Signal::ErrorRatio,
        limit: fixed(0.5),
        samples_min: 10,
        summary: "Most requests fail.",
        reason: "More than half failing is an outage of the feature.",
    },
    BuiltIn {
        name: "LLMErrorRateHigh",
        class: Class::PerformanceDegradation,
        severity: Severity::Sev2,
        signal: Signal::ErrorRatio,
        limit: slack(0.1, Relative::Delta(0.05), 0.01),
        samples_min: 10,
        summary: "More requests fail than usual.",
        reason: "Providers fail below 1 % of requests; every tenth failing is felt by everybody within a session.",
    },
    BuiltIn {
        name: "LLMLatencyHigh",
        class: Class::PerformanceDegradation,
        severity: Severity::Sev2,
        signal: Signal::LatencyP95,
        limit: fixed(5.0),
        samples_min: 10,
        summary: "The slowest twentieth of the requests takes more than five seconds.",
        reason: "Five seconds is where people give up waiting; features that work for minutes want their own limit.",
    },
    BuiltIn {
        name: "LLMLatencyRegression",
        class: Class::PerformanceDegradation,
        severity: Severity::Sev3,
        signal: Signal::LatencyP95,
        limit: learned(Relative::Factor(2.0)),
        samples_min: 10,
        summary: "Requests take twice as long as usual.",
        reason: "A doubling is never noise; below the absolute limit it is worth a look on the next business day.",
    },
    BuiltIn {
        name: "LLMTimeToFirstTokenHigh",
        class: Class::PerformanceDegradation,
        severity: Severity::Sev3,
        signal: Signal::TimeToFirstTokenP95,
        limit: both(3.0, Relative::Factor(2.5)),
        samples_min: 10,
        summary: "The first token comes late.",
        reason: "Three seconds of silence look like a hang; the answer still comes, so nobody is woken.",
    },
    BuiltIn {
        name: "LLMToolFailures",
        class: Class::PerformanceDegradation,
        severity: Severity::Sev2,
        signal: Signal::ToolSuccessRatio,
        limit: slack(0.9, Relative::Delta(-0.05), 0.01),
        samples_min: 10,
        summary: "More tool executions fail than usual.",
        reason: "Tools of a working agent succeed 95 to 99 times of 100; models make up what a failing tool withholds.",
    },
    BuiltIn {
        name: "LLMCostSpike",
        class: Class::CostSpike,
        severity: Severity::Sev2,
        signal: Signal::CostPerRequest,
        limit: learned(Relative::Factor(2.0)),
        samples_min: 20,
        summary: "A request costs twice as much as usual.",
        reason: "What is dear depends on the feature, so only a change tells; the mix of requests alone moves less.",
    },
    BuiltIn {
        name: "LLMTokenSpike",
        class: Class::CostSpike,
        severity: Severity::Sev2,
        signal: Signal::TokensPerRequest,
        limit: learned(Relative::Factor(2.0)),
        samples_min: 20,
        summary: "A request uses twice as many tokens as usual.",
        reason: "As for cost, for telemetry without prices: loops and runaway contexts show here first.",
    },
    BuiltIn {
        name: "LLMRetryStorm",
        class: Class::CostSpike,
        severity: Severity::Sev2,
        signal: Signal::RetriesPerRequest,
        limit: both(1.0, Relative::Delta(0.5)),
        samples_min: 20,
        summary: "Requests are retried far more than usual.",
        reason: "A retry a request doubles the bill and keeps a struggling provider down.",
    },
];

/// The rule that any leak breaches; apart because it neither waits nor counts.
pub const DATA_LEAK: BuiltIn = BuiltIn {
    name: "LLMDataLeak",
    class: Class::DataIncident,
    severity: Severity::Sev1,
    signal: Signal::LeakRatio,
    limit: fixed(0.0),
    samples_min: 1,
    summary: "An answer gave away a secret or personal data that the user had not typed.",
    reason: "One leak is an incident, and it does not become less of one by being rare.",
};

/// The rules that apply unless the configuration says otherwise.
#[must_use]
pub fn built_in() -> Vec<Rule> {
    let leak = Rule { hold: Duration::ZERO, ..DATA_LEAK.rule() };
    BUILT_IN.iter().map(BuiltIn::rule).chain([leak]).collect()
}

impl BuiltIn {
    fn rule(&self) -> Rule {
        Rule {
            name: self.name.into(),
            class: self.class,
            severity: self.severity,
            signal: self.signal,
            direction: self.signal.worse(),
            limit: self.limit,
            window: WINDOW,
            window_samples: 0,
            hold: HOLD,
            keep_firing: KEEP_FIRING,
            samples_min: self.samples_min,
            features: Vec::new(),
            summary: self.summary.into(),
        }
    }
}

const fn fixed(limit: f64) -> Limit {
    Limit { fixed: Some(limit), ..NONE }
}

const fn learned(limit: Relative) -> Limit {
    Limit { baseline: Some(limit), ..NONE }
}

const fn both(fixed: f64, learned: Relative) -> Limit {
    Limit { fixed: Some(fixed), baseline: Some(learned), ..NONE }
}

/// A fixed limit from the first minute, the last good hour within it, and a slack once the baseline is learned.
const fn slack(fixed: f64, learned: Relative, slack: f64) -> Limit {
    Limit { slack: Some(slack), ..both(fixed, learned) }
}

const NONE: Limit = Limit { fixed: None, baseline: None, slack: None, burn_rate: None };

#[cfg(test)]
mod tests;

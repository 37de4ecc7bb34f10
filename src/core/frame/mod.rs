//! The freeze frame: what the six variables were when an alert fired, incident window beside last-good baseline.
//!
//! A frame is a document: [`Frame::body`] is its one form, the JSON object `freezeframe.frame/v1` less `origin` and
//! `seq`, which the log adds when it commits the canonical bytes (RFC 8785).

mod composition;
pub mod parts;
mod rows;
mod tool_changes;
mod variables;
mod verdict;

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

pub use rows::{Rows, RowsError};
pub use variables::{Side, VariableState};
pub(crate) use verdict::grouped;

use super::attribution::Verdict;
use super::changes::Change;
use super::completeness::{Completeness, Gap};
use super::detect::{Estimate, Rule};
use super::diagnosis::{Limits, Terms};
use super::incident::{Class, Pattern, Severity};
use super::request::Request;
use super::signal::Signal as Watched;
use super::time::UnixNanos;
use super::trace_record;

/// The schema that [`Frame::body`] follows.
pub const SCHEMA: &str = "freezeframe.frame/v1";
/// Gaps of the telemetry in a frame, those of most requests first.
const GAPS_MAX: usize = 20;

/// Everything a frame holds.
#[derive(Clone, Debug)]
pub struct Frame {
    /// UUIDv7.
    pub id: String,
    /// When it was taken.
    pub captured_at: UnixNanos,
    /// Feature, or `_all`.
    pub feature: Arc<str>,
    /// Id of the incident's first frame, where this one answers again on more requests.
    pub refines: Option<String>,
    /// Id of the drill whose incident this is.
    pub drill: Option<Box<str>>,
    /// The alert that fired.
    pub alert: Alert,
    /// The incident window.
    pub incident: Window,
    /// The last-good baseline; `None` before one was learned.
    pub baseline: Option<Window>,
    /// The six, in order.
    pub variables: Vec<VariableState>,
    /// Which variable explains the change.
    pub verdict: Verdict,
    /// The requests it was computed from, where they are to be kept.
    pub rows: Option<Rows>,
    /// Which values came and went, newest first.
    pub changes: Vec<Change>,
    /// Every signal with samples on either side.
    pub signals: Vec<Signal>,
    /// `(class, state)` of the feature's breakers.
    pub breakers: Vec<(Class, &'static str)>,
    /// Redacted requests that fail the signal, newest first.
    pub failing: Vec<Request>,
    /// Redacted requests that do not.
    pub healthy: Vec<Request>,
    /// Which fields of the minimum telemetry requests carried.
    pub completeness: Completeness,
    /// Redaction.
    pub redaction: Redaction,
    /// Who took it.
    pub producer: Producer,
}

/// The alert behind a frame.
#[derive(Clone, Debug)]
pub struct Alert {
    /// `alertname`
    pub name: String,
    /// Alertmanager's fingerprint of its labels.
    pub fingerprint: String,
    /// Class.
    pub class: Class,
    /// Severity.
    pub severity: Severity,
    /// Diagnostic patterns.
    pub patterns: Vec<Pattern>,
    /// Name of the signal; `None` for an alert that somebody else raised.
    pub signal: Option<&'static str>,
    /// The signal's estimate.
    pub estimate: Option<Estimate>,
    /// The limit it breached.
    pub threshold: Option<f64>,
    /// Where that limit comes from: `fixed`, `learned from 3 d`, `burn rate 14.4`.
    pub threshold_source: Option<String>,
    /// Since when the condition holds.
    pub starts_at: UnixNanos,
    /// When it fired, or was heard of; `None` where nobody was alarmed.
    pub fired_at: Option<UnixNanos>,
    /// SHA-256 of the rule, lowercase hex; `None` for an alert that somebody else raised.
    pub rule_sha256: Option<String>,
}

/// A stretch of time and the requests that ended in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Start.
    pub from: UnixNanos,
    /// End.
    pub to: UnixNanos,
    /// Requests.
    pub requests: u64,
}

/// One signal on both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// Its name.
    pub name: &'static str,
    /// In the incident window.
    pub incident: Option<Reading>,
    /// In the baseline.
    pub baseline: Option<Reading>,
}

/// One signal on one side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// The estimate.
    pub estimate: Estimate,
    /// Median, 95th and 99th percentile, where the signal has a distribution.
    pub quantiles: Option<[f64; 3]>,
}

/// What was taken out of the texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redaction {
    /// Version of the rules: the built-in ones' and a digest of the user's; `off` without redaction.
    pub rules_version: String,
    /// Findings by entity, in the samples and in the details of the feature's values so far.
    pub counts: Vec<(String, u64)>,
}

/// Who took a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Producer {
    /// Version of Freezeframe.
    pub version: &'static str,
    /// SHA-256 of the effective configuration, lowercase hex.
    pub config_sha256: String,
}

impl Alert {
    /// Stands for an alert where somebody asks without one: as `rule` would watch the signal.
    #[must_use]
    pub fn asked(signal: Watched, estimate: Option<Estimate>, starts_at: UnixNanos, rule: Option<&Rule>) -> Self {
        Self {
            name: "explain".to_owned(),
            fingerprint: String::new(),
            class: rule.map_or(Class::QualityDegradation, |rule| rule.class),
            severity: rule.map_or(Severity::Sev3, |rule| rule.severity),
            patterns: Vec::new(),
            signal: Some(signal.as_str()),
            estimate,
            threshold: None,
            threshold_source: None,
            starts_at,
            fired_at: None,
            rule_sha256: None,
        }
    }
}

impl Frame {
    /// The document, without `origin` and `seq`.
    #[must_use]
    pub fn body(&self) -> Map<String, Json> {
        let breached = self.alert.signal.and_then(Watched::parse).zip(self.alert.threshold);
        let limits = breached.map_or_else(Limits::default, |(signal, limit)| Limits::breached(signal, limit));
        let terms = Terms { limits, ..Terms::default() };
        let record = |request: &Request| trace_record::held_against(request, &terms);
        let records = |requests: &[Request]| requests.iter().map(record).collect::<Vec<_>>();
        let object = |pairs: Vec<(String, Json)>| Json::Object(pairs.into_iter().collect());
        let body = json!({
            "schema": SCHEMA,
            "id": self.id,
            "captured_at": self.captured_at.to_string(),
            "feature": &*self.feature,
            "refines": self.refines,
            "alert": self.alert(),
            "windows": { "incident": window(&self.incident), "baseline": self.baseline.as_ref().map(window) },
            "variables": object(self.variables.iter().map(|it| (it.variable.as_str().into(), self.variable(it))).collect()),
            "suspects": self.verdict.suspects.iter().map(verdict::suspect).collect::<Vec<_>>(),
            "verdict": self.verdict(),
            "changes": self.changes.iter().map(Change::to_json).collect::<Vec<_>>(),
            "signals": object(self.signals.iter().map(|it| (it.name.into(), signal(it))).collect()),
            "breakers": object(self.breakers.iter().map(|(class, state)| (class.as_str().into(), json!(state))).collect()),
            "samples": { "failing": records(&self.failing), "healthy": records(&self.healthy) },
            "completeness": object(self.completeness.shares().iter().map(|(name, share)| ((*name).into(), json!(share))).collect()),
            "completeness_gaps": self.completeness.gaps().iter().take(GAPS_MAX).map(Gap::to_json).collect::<Vec<_>>(),
            "redaction": {
                "rules_version": self.redaction.rules_version,
                "counts": object(self.redaction.counts.iter().map(|(entity, n)| (entity.clone(), json!(n))).collect()),
            },
            "producer": { "version": self.producer.version, "config_sha256": self.producer.config_sha256 },
        });
        let Json::Object(mut body) = body else { return Map::new() };
        // Only a drill's frame has the member: all others stay as they were.
        body.extend(self.drill.as_deref().map(|drill| ("drill".to_owned(), drill.into())));
        body
    }

    fn variable(&self, variable: &VariableState) -> Json {
        let mut document = variable.to_json(&self.verdict.breakdowns);
        if let Some(rows) = &self.rows {
            document["detail"]["rows"] = rows.columns(variable.variable);
        }
        document
    }

    fn verdict(&self) -> Json {
        let mut document = verdict::document(&self.verdict);
        if let Some(rows) = &self.rows {
            document["rows"] = rows.outcomes();
        }
        document
    }

    fn alert(&self) -> Json {
        let alert = &self.alert;
        json!({
            "name": alert.name,
            "fingerprint": alert.fingerprint,
            "class": alert.class.as_str(),
            "severity": alert.severity.as_str(),
            "patterns": alert.patterns.iter().map(|it| it.as_str()).collect::<Vec<_>>(),
            "signal": alert.signal,
            "value": alert.estimate.map(|it| it.value),
            "threshold": alert.threshold,
            "threshold_source": alert.threshold_source,
            "samples": alert.estimate.map(|it| it.samples),
            "ci_low": alert.estimate.map(|it| it.ci_low),
            "ci_high": alert.estimate.map(|it| it.ci_high),
            "starts_at": alert.starts_at.to_string(),
            "fired_at": alert.fired_at.map(|at| at.to_string()),
            "rule_sha256": alert.rule_sha256,
        })
    }
}

fn window(window: &Window) -> Json {
    json!({ "from": window.from.to_string(), "to": window.to.to_string(), "requests": window.requests })
}

fn signal(signal: &Signal) -> Json {
    json!({ "incident": signal.incident.as_ref().map(reading), "baseline": signal.baseline.as_ref().map(reading) })
}

fn reading(reading: &Reading) -> Json {
    let quantile = |n: usize| reading.quantiles.map(|all| all[n]);
    json!({
        "count": reading.estimate.samples,
        "value": reading.estimate.value,
        "p50": quantile(0),
        "p95": quantile(1),
        "p99": quantile(2),
        "ci_low": reading.estimate.ci_low,
        "ci_high": reading.estimate.ci_high,
    })
}

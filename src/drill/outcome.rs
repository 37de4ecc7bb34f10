//! What a drill saw, whoever it drove: stages, signals over time, and what the scorecard is made of.

use std::path::PathBuf;

use serde_json::{Value as Json, json};

use super::Scenario;
use super::expectation::Expectation;
use super::score::{self, Check};
use crate::core::incident::{Class, Severity};
use crate::core::signal::Signal;
use crate::core::time::UnixNanos;
use crate::toolkit::postmortem::Entry;

/// Samples kept at most; a live drill of a day takes one every few seconds.
pub const SAMPLES_MAX: usize = 20_000;

/// One stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// Its name.
    pub name: &'static str,
    /// Virtual time; of a live drill the wall clock's.
    pub at: UnixNanos,
    /// What happened, one line.
    pub line: String,
}

/// The signals at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// When.
    pub at: UnixNanos,
    /// Those that the scenario shows, as far as there are values.
    pub readings: Vec<Reading>,
}

/// One signal at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Which.
    pub signal: Signal,
    /// Its value in the short window, in the signal's unit.
    pub value: f64,
    /// Whether an alert on it is pending or firing.
    pub is_breached: bool,
}

/// The alert that the drill is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Fired {
    /// When it was out.
    pub at: UnixNanos,
    /// Its name.
    pub alertname: String,
    /// Its class.
    pub class: Class,
    /// Its severity.
    pub severity: Severity,
    /// The signal that breached.
    pub signal: Option<Signal>,
    /// The limit it breached.
    pub limit: Option<f64>,
    /// Id of the incident.
    pub incident: String,
}

/// Everything that happened, as it happened.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Id of the drill.
    pub id: String,
    /// The stages in order.
    pub stages: Vec<Stage>,
    /// The signals over time, [`SAMPLES_MAX`] at most.
    pub samples: Vec<Sample>,
    /// Alerts that fired before anything was injected.
    pub noise: Vec<String>,
    /// Limits of the signals, as they were before.
    pub limits: Vec<(Signal, f64)>,
    /// When the failure began.
    pub injected_at: UnixNanos,
    /// The alert of the expected class, else the first of any.
    pub alert: Option<Fired>,
    /// The incident's frame.
    pub frame: Option<Json>,
    /// What proved the frame; else what did not.
    pub proof: Option<Result<String, String>>,
    /// When the expected breaker opened, and its class.
    pub opened: Option<(UnixNanos, Class)>,
    /// Requests that the breaker kept away.
    pub redirected: u64,
    /// When the failure was taken away.
    pub removed_at: Option<UnixNanos>,
    /// When no alert was on and every breaker was closed.
    pub recovered_at: Option<UnixNanos>,
    /// What the engine told meanwhile.
    pub timeline: Vec<Entry>,
    /// Ids of the frames committed.
    pub frames: Vec<String>,
}

/// A drill that is over.
#[derive(Debug)]
pub struct Outcome {
    /// Which failure was rehearsed.
    pub scenario: &'static Scenario,
    /// What had to be found.
    pub expectation: Expectation,
    /// What happened.
    pub record: Record,
    /// The scorecard.
    pub checks: Vec<Check>,
    /// The store directory; of a live drill there is none here.
    pub store: Option<PathBuf>,
    /// The log's verifier key.
    pub vkey: Option<String>,
    /// The postmortem, if there was an incident.
    pub postmortem: Option<PathBuf>,
}

impl Outcome {
    /// Scores what happened.
    #[must_use]
    pub fn new(scenario: &'static Scenario, expectation: Expectation, record: Record) -> Self {
        let checks = score::checks(&expectation, &record);
        Self { scenario, expectation, record, checks, store: None, vkey: None, postmortem: None }
    }

    /// Whether everything was as expected.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        self.checks.iter().all(|it| it.is_passed)
    }

    /// From the injection to the alert, seconds.
    #[must_use]
    pub fn detection_delay_s(&self) -> Option<f64> {
        score::delay(&self.record).map(|delay| delay.as_secs_f64())
    }

    /// The document of `--format json`, from which the pages are made, too.
    #[must_use]
    pub fn document(&self) -> Json {
        let record = &self.record;
        let time = |it: Option<UnixNanos>| it.map(|at| at.to_string());
        let stages =
            record.stages.iter().map(|it| json!({ "name": it.name, "at": it.at.to_string(), "line": it.line }));
        json!({
            "scenario": self.scenario.name,
            "about": self.scenario.about,
            "injected": self.scenario.injects,
            "beside": self.scenario.beside,
            "drill": record.id,
            "stages": stages.collect::<Vec<_>>(),
            "store": self.store,
            "vkey": self.vkey,
            "frames": record.frames,
            "postmortem": self.postmortem,
            "passed": self.is_passed(),
            "detection_delay_s": self.detection_delay_s(),
            "scorecard": self.checks.iter().map(Check::to_json).collect::<Vec<_>>(),
            "injected_at": time((record.injected_at != UnixNanos::default()).then_some(record.injected_at)),
            "alert": record.alert.as_ref().map(Fired::to_json),
            "breaker_opened_at": time(record.opened.map(|(at, _)| at)),
            "redirected": record.redirected,
            "removed_at": time(record.removed_at),
            "recovered_at": time(record.recovered_at),
            "limits": record.limits.iter().map(|(it, limit)| json!({ "signal": it.as_str(), "limit": limit })).collect::<Vec<_>>(),
            "samples": record.samples.iter().map(Sample::to_json).collect::<Vec<_>>(),
        })
    }
}

impl Record {
    /// Keeps a sample while there is room.
    pub fn sample(&mut self, sample: Sample) {
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(sample);
        }
    }
}

impl Fired {
    fn to_json(&self) -> Json {
        json!({
            "at": self.at.to_string(),
            "alertname": self.alertname,
            "class": self.class.as_str(),
            "severity": self.severity.as_str(),
            "signal": self.signal.map(Signal::as_str),
            "limit": self.limit,
            "incident": self.incident,
        })
    }
}

impl Sample {
    fn to_json(&self) -> Json {
        let reading = |it: &Reading| {
            let value = json!({ "value": it.value, "breached": it.is_breached });
            (it.signal.as_str().to_owned(), value)
        };
        json!({ "at": self.at.to_string(), "signals": self.readings.iter().map(reading).collect::<serde_json::Map<_, _>>() })
    }
}

/// What is said of a breaker that opened and turned `redirected` requests to the fallback.
#[must_use]
pub fn redirection(redirected: u64) -> String {
    let why = if redirected == 0 { ": in shadow none is" } else { "" };
    format!("Circuit breaker activated \u{2014} {redirected} requests redirected to fallback{why}")
}

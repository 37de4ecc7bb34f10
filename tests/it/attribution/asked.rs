//! What the product answers to a simulated incident that is told to it as OTLP.

use std::sync::Arc;

use bytes::Bytes;
use freezeframe::config::{self, Config, Source};
use freezeframe::core::attribution::dimension::Dimension;
use freezeframe::core::time::UnixNanos;
use freezeframe::core::variable::Variable;
use freezeframe::otlp::Traces;
use freezeframe::toolkit::backtest;
use freezeframe::toolkit::explain::{Comparison, Question};
use freezeframe::toolkit::input::{Export, Recording};
use freezeframe::toolkit::requests::Requests;
use serde_json::{Map, Value as Json};

use super::incident::Incident;
use super::otlp;

const START: UnixNanos = UnixNanos(1_795_300_000_000_000_000);

fn config() -> Config {
    let (mut config, _) = config::load(&Source::Default, &|_| None).expect("the defaults are valid");
    config.redaction.enabled = false;
    config
}

fn parsed(bytes: Bytes) -> Export {
    Export::Traces(Traces::parse(bytes).expect("the simulator writes valid OTLP"))
}

/// The verdict of one incident.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) verdict: Json,
    pub(crate) suspects: Json,
}

impl Asked {
    /// What the first alert froze, of a feature or of the whole service, the incident fed to the engine as `backtest` does;
    /// `None` without an alert on answers that got worse.
    pub(crate) fn at_alert(incident: &Incident) -> Option<(Self, Option<Self>)> {
        let recorded = otlp::recorded(incident, START);
        let exports = recorded.exports.into_iter().map(parsed).collect();
        let recording = Recording { exports, notes: Vec::new() };
        let frames = backtest::run(&recording, Arc::new(config())).frames;
        let is_of_it = |frame: &&Map<String, Json>| {
            let is_quality = matches!(frame["alert"]["signal"].as_str(), Some("quality" | "evaluation_pass_ratio"));
            let at = frame["captured_at"].as_str().and_then(UnixNanos::parse);
            frame["refines"].is_null() && is_quality && at.is_some_and(|at| at >= recorded.now.from)
        };
        let frame = frames.iter().find(is_of_it)?;
        let asked =
            |frame: &Map<String, Json>| Self { verdict: frame["verdict"].clone(), suspects: frame["suspects"].clone() };
        let refined = frames.iter().find(|it| it["refines"] == frame["id"]);
        Some((asked(frame), refined.map(asked)))
    }

    /// Exports the incident and asks which variable moved.
    pub(crate) fn of(incident: &Incident) -> Self {
        let config = config();
        let recorded = otlp::recorded(incident, START);
        let question = Question {
            incident: recorded.now.from..recorded.now.to,
            baseline: recorded.before.from..recorded.before.to,
            signal: freezeframe::core::signal::Signal::Quality,
            feature: None,
        };
        let exports = recorded.exports.into_iter().map(|bytes| Ok((START, parsed(bytes))));
        let mut comparison = Comparison::new(question, &config);
        for request in Requests::new(exports, &config) {
            comparison.add(&request.expect("nothing is read from files"));
        }
        let body = Json::Object(comparison.frame("1".into()).body());
        Self { verdict: body["verdict"].clone(), suspects: body["suspects"].clone() }
    }

    /// The variable of the first suspect that explains anything.
    pub(crate) fn first(&self) -> Option<Variable> {
        let explains = |it: &&Json| it["verdict"] == "explains";
        let first = self.suspects.as_array().into_iter().flatten().find(explains)?["variable"].as_str()?;
        Variable::ALL.into_iter().find(|it| it.as_str() == first)
    }

    pub(crate) fn answer(&self) -> &str {
        self.verdict["answer"].as_str().unwrap_or_default()
    }

    pub(crate) fn variables(&self) -> Vec<&str> {
        self.verdict["variables"].as_array().into_iter().flatten().filter_map(Json::as_str).collect()
    }

    /// The variable that is named alone.
    pub(crate) fn named(&self) -> Option<Variable> {
        let name = self.variables().first().copied().filter(|_| self.answer() == "one")?;
        Variable::ALL.into_iter().find(|it| it.as_str() == name)
    }

    /// Whether the value that is named is one of those to name.
    pub(crate) fn names_value(&self, incident: &Incident) -> bool {
        let first = &self.suspects[0]["value"];
        let named = self.verdict["value"].as_str().or(first.as_str()).unwrap_or_default();
        let is_same = |(dimension, value): &(Dimension, u8)| {
            let name = otlp::name(*dimension, *value);
            // A tool that ran is named with its contract.
            named == name || (*dimension == Dimension::ToolUsed && named.contains(&format!("@{name}")))
        };
        incident.values.iter().any(is_same)
    }
}

//! A sample of a frame as a case: the record, where it comes from, and what its next answer is asked.

use serde_json::{Value as Json, json};

use super::check::{self, Check};
use crate::core::canonical::sha256_hex;
use crate::core::diagnosis::{self, Mode, Terms};
use crate::core::request::Request;
use crate::core::time::UnixNanos;
use crate::core::trace_record;

/// One sample.
#[derive(Clone, Debug)]
pub struct Case {
    /// The simple trace record as the frame holds it, redacted.
    pub record: Json,
    /// The same, read.
    pub request: Request,
    /// Whether it stands for what went wrong, or for what must go on as it was.
    pub is_failing: bool,
    /// What the next answer is asked.
    pub checks: Vec<Check>,
    source: Json,
}

/// The cases of a frame, and what could not become one.
#[derive(Clone, Debug, Default)]
pub struct Cases {
    /// Failing samples first, each in the frame's order.
    pub cases: Vec<Case>,
    /// Samples left out, each with its reason.
    pub skipped: Vec<String>,
}

/// The cases of a committed frame: every failing sample, and with `include_healthy` the healthy ones in which nothing
/// failed.
///
/// # Errors
/// A sentence when the bytes are no frame.
pub fn of(frame: &[u8], include_healthy: bool) -> Result<Cases, String> {
    let document: Json = serde_json::from_slice(frame).map_err(|error| format!("the frame is no JSON: {error}"))?;
    let sha256 = sha256_hex(frame);
    let mut found = Cases::default();
    for (side, is_failing) in [("failing", true), ("healthy", false)] {
        let samples = document["samples"][side].as_array().into_iter().flatten();
        for (at, record) in samples.enumerate().filter(|_| is_failing || include_healthy) {
            match trace_record::parse(&record.to_string()) {
                Ok(request) if is_failing || has_nothing_wrong(record) => {
                    let checks = check::of(&document, record, is_failing);
                    let source = source(&document, &sha256);
                    found.cases.push(Case { record: record.clone(), request, is_failing, checks, source });
                }
                Ok(_) => found.skipped.push(format!("samples.{side}[{at}]: something failed in it")),
                Err(error) => found.skipped.push(format!("samples.{side}[{at}]: {error}")),
            }
        }
    }
    Ok(found)
}

fn source(frame: &Json, sha256: &str) -> Json {
    json!({
        "incident_id": frame["id"],
        "frame_sha256": sha256,
        "alert": frame["alert"]["name"],
        "class": frame["alert"]["class"],
        "severity": frame["alert"]["severity"],
        "verdict": frame["verdict"]["answer"],
        "verdict_variables": frame["verdict"]["variables"],
        "verdict_value": frame["verdict"]["value"],
    })
}

fn has_nothing_wrong(record: &Json) -> bool {
    let evaluations = record["evaluations"].as_array().into_iter().flatten();
    trace_record::parse(&record.to_string()).is_ok_and(|it| diagnosis::of(&it, &Terms::default()).mode == Mode::Healthy)
        && record["diagnosis"]["mode"].as_str().is_none_or(|it| it == "healthy")
        && record["error"].is_null()
        && record["feedback"]["positive"] != false
        && evaluations.clone().all(|it| it["passed"] != false)
}

impl Case {
    /// What the case is called: the incident and the trace.
    #[must_use]
    pub fn name(&self) -> String {
        let incident = self.source["incident_id"].as_str().unwrap_or("unknown");
        let kind = if self.is_failing { "failed" } else { "keep" };
        format!("{incident}-{kind}-{}", self.request.trace_id)
    }

    /// The incident it comes from.
    #[must_use]
    pub fn incident(&self) -> &str {
        self.source["incident_id"].as_str().unwrap_or("unknown")
    }

    /// A text of the record; empty when it says none.
    #[must_use]
    pub fn text(&self, field: &str) -> &str {
        self.record[field].as_str().unwrap_or_default()
    }

    /// The contents of the documents that the answer rested on, where they were recorded.
    #[must_use]
    pub fn context(&self) -> Vec<&str> {
        let documents = self.record["documents"].as_array().into_iter().flatten();
        documents.filter_map(|it| it["content"].as_str()).collect()
    }

    /// The answer as recorded behaviour, when nothing failed it: a reference, though no person ever labelled it.
    #[must_use]
    pub fn reference(&self) -> Option<&str> {
        self.record["response"].as_str().filter(|_| !self.is_failing)
    }

    /// The chat messages that ask for the answer again, without any answer.
    #[must_use]
    pub fn messages(&self) -> Vec<Json> {
        let mut messages = Vec::new();
        let message = |role: &str, content: &str| json!({ "role": role, "content": content });
        if let Some(system) = self.record["system_prompt"].as_str() {
            messages.push(message("system", system));
        }
        if !self.context().is_empty() {
            messages.push(message("system", &format!("Context:\n{}", self.context().join("\n\n"))));
        }
        messages.push(message("user", self.text("user_query")));
        messages
    }

    /// What the case was given, as one object.
    #[must_use]
    pub fn inputs(&self) -> Json {
        json!({
            "user_query": self.record["user_query"],
            "system_prompt": self.record["system_prompt"],
            "context": self.context(),
        })
    }

    /// Where the case comes from, what went wrong, and the answer that was recorded: `rejected` when it failed.
    #[must_use]
    pub fn metadata(&self) -> Json {
        let record = &self.record;
        let mut metadata = json!({
            "case": if self.is_failing { "failed" } else { "keep" },
            "trace_id": record["trace_id"],
            "feature": record["feature"],
            "prompt_version": record["prompt_version"],
            "model": record["model"],
            "index": record["index"],
            "index_version": record["index_version"],
            "diagnosis": record["diagnosis"],
            "checks": self.checks.iter().map(Check::sentence).collect::<Vec<_>>(),
        });
        metadata[if self.is_failing { "rejected" } else { "recorded_behaviour" }] = record["response"].clone();
        if let (Json::Object(metadata), Json::Object(source)) = (&mut metadata, self.source.clone()) {
            metadata.extend(source);
        }
        metadata
    }

    /// When the request began and ended.
    #[must_use]
    pub fn times(&self) -> (UnixNanos, UnixNanos) {
        (self.request.started_at, self.request.ended_at)
    }
}

//! Scores and feedback that Langfuse and LangSmith take by REST and never by OTLP, off unless the configuration says
//! otherwise. Each becomes a log record `gen_ai.evaluation.result` for the engine; it is not OTLP the application sent,
//! so it is not passed on. The answers are those of their servers, so that their SDKs are content.
//!
//! Deliberately absent: reading, changing or deleting scores, their API keys, and everything else these servers do.

mod langfuse;
mod langsmith;

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::{Map, Value as Json, json};

use crate::config;
use crate::core::time::UnixNanos;
use crate::otlp;

/// A path that takes scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Api {
    /// `POST /api/public/scores`: one, or a list.
    LangfuseScores,
    /// `POST /api/public/ingestion`: a batch of events, of which only scores are taken.
    LangfuseIngestion,
    /// `POST /feedback`
    LangsmithFeedback,
}

/// A body as read.
#[derive(Debug, Default)]
pub(super) struct Received {
    /// An `ExportLogsServiceRequest`.
    pub(super) export: Bytes,
    /// Scores that are not taken: broken, or about nothing that can be found in OTLP.
    pub(super) left_out: u64,
    /// What their server would answer.
    pub(super) status: StatusCode,
    /// Its body.
    pub(super) answer: Json,
}

impl Api {
    /// The API behind a path; a prefix is as good here as for OTLP.
    pub(super) fn of(path: &str) -> Option<Self> {
        [
            ("/api/public/scores", Self::LangfuseScores),
            ("/api/public/ingestion", Self::LangfuseIngestion),
            ("/feedback", Self::LangsmithFeedback),
        ]
        .into_iter()
        .find_map(|(end, api)| path.ends_with(end).then_some(api))
    }

    /// The field of the configuration that lets it in.
    pub(super) fn setting(self) -> &'static str {
        match self {
            Self::LangfuseScores | Self::LangfuseIngestion => "receiver.scores.langfuse",
            Self::LangsmithFeedback => "receiver.scores.langsmith",
        }
    }

    /// Whether the configuration lets it in.
    pub(super) fn is_on(self, scores: config::Scores) -> bool {
        match self {
            Self::LangfuseScores | Self::LangfuseIngestion => scores.langfuse,
            Self::LangsmithFeedback => scores.langsmith,
        }
    }

    /// Reads a body.
    ///
    /// # Errors
    /// What is wrong with it, when nothing of it can be taken.
    pub(super) fn read(self, body: &[u8]) -> Result<Received, String> {
        match self {
            Self::LangfuseScores => langfuse::scores(body),
            Self::LangfuseIngestion => langfuse::ingestion(body),
            Self::LangsmithFeedback => langsmith::feedback(body),
        }
    }
}

/// Names under which applications send what their users say.
const OF_USERS: [&str; 6] = ["user_feedback", "user-feedback", "user_score", "user-score", "user_rating", "thumbs"];

/// One score in the words of the conventions.
#[derive(Debug, Default)]
struct Verdict {
    trace_id: Option<String>,
    span_id: Option<String>,
    at: Option<UnixNanos>,
    attributes: Map<String, Json>,
}

impl Verdict {
    fn new(name: &str) -> Self {
        let mut verdict = Self::default();
        verdict.say("name", Some(name.into()));
        if OF_USERS.contains(&name.to_ascii_lowercase().as_str()) {
            verdict.say("evaluator.type", Some("human".into()));
        }
        verdict
    }

    /// Sets an attribute under `gen_ai.evaluation.`, unless it is set or there is nothing to say.
    fn say(&mut self, key: &str, value: Option<Json>) {
        if let Some(value) = value.filter(|it| it.is_string() || it.is_number() || it.is_boolean()) {
            self.attributes.entry(format!("gen_ai.evaluation.{key}")).or_insert(value);
        }
    }

    /// A number or a flag is a score, a text is a label.
    fn say_value(&mut self, value: Json) {
        let key = if value.is_string() { "score.label" } else { "score.value" };
        self.say(key, Some(value));
    }

    /// What the caller added. `response_id` finds the answer where the ids of the SDK's runs are not those of its spans;
    /// the rest is read like any span's metadata.
    fn say_metadata(&mut self, metadata: Option<Map<String, Json>>) {
        let Some(metadata) = metadata.filter(|it| !it.is_empty()) else { return };
        self.say("evaluator.name", metadata.get("judge").cloned());
        self.say("rubric.version", metadata.get("rubric").cloned());
        if let Some(Json::String(id)) = metadata.get("response_id").or_else(|| metadata.get("gen_ai.response.id")) {
            self.attributes.insert("gen_ai.response.id".into(), id.as_str().into());
            (self.trace_id, self.span_id) = (None, None);
        }
        self.attributes.insert("metadata".into(), Json::Object(metadata).to_string().into());
    }

    /// Whether it says which answer it is about.
    fn is_placed(&self) -> bool {
        self.trace_id.is_some() || self.attributes.contains_key("gen_ai.response.id")
    }

    fn record(self) -> Json {
        let attributes = self.attributes.into_iter().map(|(key, value)| {
            let value = match value {
                Json::Bool(flag) => json!({ "boolValue": flag }),
                Json::Number(number) => json!({ "doubleValue": number }),
                other => json!({ "stringValue": other }),
            };
            json!({ "key": key, "value": value })
        });
        json!({
            "eventName": "gen_ai.evaluation.result",
            "timeUnixNano": self.at.unwrap_or_default().0.to_string(),
            "traceId": self.trace_id.unwrap_or_default(),
            "spanId": self.span_id.unwrap_or_default(),
            "attributes": attributes.collect::<Vec<_>>(),
        })
    }
}

/// The export of those verdicts that are about something, and how many are not.
fn export(scope: &str, verdicts: Vec<Verdict>) -> Result<(Bytes, u64), String> {
    let all = verdicts.len();
    let records: Vec<Json> = verdicts.into_iter().filter(Verdict::is_placed).map(Verdict::record).collect();
    let left_out = (all - records.len()) as u64;
    let logs = json!({ "resourceLogs": [{ "scopeLogs": [{ "scope": { "name": scope }, "logRecords": records }] }] });
    let export = otlp::json::logs(logs.to_string().as_bytes()).map_err(|error| error.to_string())?;
    Ok((export, left_out))
}

/// Lowercase hex of exactly `bytes` bytes, with or without a UUID's dashes.
fn hex(text: &str, bytes: usize) -> Option<String> {
    let digits: String = text.chars().filter(|it| *it != '-').collect();
    let fits = digits.len() == 2 * bytes && digits.bytes().all(|it| it.is_ascii_hexdigit());
    fits.then(|| digits.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;

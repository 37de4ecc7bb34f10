//! LangSmith: `POST /feedback`. Its OTel mode makes ids of its runs' UUIDs (langsmith 0.15.0,
//! `_internal/_otel_utils.py`): the trace id is the 16 bytes of the trace's, a span id the first 8 of the run's.
//!
//! The spans that an application makes inside a run carry these ids; the spans of the runs themselves get random ones
//! where no OTel span is around the root run (same version, `_otel_exporter.py`), and then only a `response_id` in
//! `source_info` finds the answer.

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::{Received, Verdict, export, hex};
use crate::core::time::UnixNanos;

/// `FeedbackCreate`, what is of interest of it.
#[derive(Debug, Deserialize)]
struct Feedback {
    run_id: Option<String>,
    trace_id: Option<String>,
    key: String,
    score: Option<Json>,
    value: Option<Json>,
    comment: Option<String>,
    created_at: Option<String>,
    feedback_source: Option<Source>,
    extra: Option<Map<String, Json>>,
}

#[derive(Debug, Deserialize)]
struct Source {
    #[serde(rename = "type")]
    kind: Option<String>,
    metadata: Option<Map<String, Json>>,
}

pub(super) fn feedback(body: &[u8]) -> Result<Received, String> {
    let answer: Json = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let feedback = Feedback::deserialize(&answer).map_err(|error| error.to_string())?;
    let (export, left_out) = export("langsmith", vec![feedback.verdict()?])?;
    Ok(Received { export, left_out, status: StatusCode::OK, answer })
}

impl Feedback {
    fn verdict(self) -> Result<Verdict, String> {
        let uuid = |name: &str, id: Option<&String>| match id {
            Some(id) => hex(id, 16).map(Some).ok_or_else(|| format!("{name}: expected a UUID")),
            None => Ok(None),
        };
        let (run, trace) = (uuid("run_id", self.run_id.as_ref())?, uuid("trace_id", self.trace_id.as_ref())?);
        let mut verdict = Verdict::new(&self.key);
        verdict.span_id = run.as_ref().map(|id| id[..16].to_owned());
        // Without a trace id the run is taken for the root, whose trace has its id.
        verdict.trace_id = trace.or(run);
        verdict.at = self.created_at.as_deref().and_then(UnixNanos::parse);
        [self.score, self.value].into_iter().flatten().for_each(|value| verdict.say_value(value));
        verdict.say("explanation", self.comment.map(Json::String));
        let Source { kind, metadata } = self.feedback_source.unwrap_or(Source { kind: None, metadata: None });
        verdict.say(
            "evaluator.type",
            match kind.as_deref() {
                Some("app") => Some("human".into()),
                Some("model") => Some("llm_judge".into()),
                _ => None,
            },
        );
        let mut all = self.extra.unwrap_or_default();
        all.extend(metadata.unwrap_or_default());
        verdict.say_metadata(Some(all));
        Ok(verdict)
    }
}

//! Langfuse: `POST /api/public/scores` (SDK v5: a list; one object by hand and by older clients) and the batches of
//! `POST /api/public/ingestion` (SDK v2 and v3). Trace and observation ids are the ids of OTel's trace and span.

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use super::{Received, Verdict, export, hex};
use crate::core::time::UnixNanos;

/// `CreateScoreRequest`, what is of interest of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Score {
    id: Option<String>,
    trace_id: Option<String>,
    observation_id: Option<String>,
    name: String,
    value: Json,
    data_type: Option<String>,
    comment: Option<String>,
    metadata: Option<Json>,
    source: Option<String>,
    timestamp: Option<String>,
}

/// One event of a batch.
#[derive(Debug, Deserialize)]
struct Event<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    body: &'a RawValue,
    timestamp: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    batch: Vec<Event<'a>>,
}

pub(super) fn scores(body: &[u8]) -> Result<Received, String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    if !text.trim_start().starts_with('[') {
        let score = Score::read(text)?;
        let id = score.id.clone().unwrap_or_else(|| made_of(text));
        let (export, left_out) = export("langfuse", vec![score.verdict()])?;
        return Ok(Received { export, left_out, status: StatusCode::OK, answer: json!({ "id": id }) });
    }
    let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let (mut verdicts, mut errors) = (Vec::new(), Vec::new());
    for (at, item) in items.iter().enumerate() {
        match Score::read(item.get()) {
            Ok(score) => verdicts.push(score.verdict()),
            Err(error) => errors.push(format!("[{at}]: {error}")),
        }
    }
    let (accepted, rejected) = (verdicts.len(), errors.len());
    if accepted == 0 && rejected > 0 {
        return Err(errors.swap_remove(0));
    }
    let (export, left_out) = export("langfuse", verdicts)?;
    let errors: Vec<Json> = errors.into_iter().map(|message| json!({ "message": message })).collect();
    let (status, answer) = match rejected {
        0 => (StatusCode::ACCEPTED, json!({ "message": "Accepted" })),
        _ => (StatusCode::MULTI_STATUS, json!({ "accepted": accepted, "rejected": rejected, "errors": errors })),
    };
    Ok(Received { export, left_out: left_out + rejected as u64, status, answer })
}

pub(super) fn ingestion(body: &[u8]) -> Result<Received, String> {
    let Batch { batch } = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let (mut verdicts, mut successes, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for event in batch {
        let read = match event.kind.as_str() {
            "score-create" => Score::read(event.body.get()),
            _ => Err("only score-create is taken here".to_owned()),
        };
        match read {
            Ok(mut score) => {
                score.timestamp = score.timestamp.or(event.timestamp);
                verdicts.push(score.verdict());
                successes.push(json!({ "id": event.id, "status": 201 }));
            }
            Err(message) => errors.push(json!({ "id": event.id, "status": 400, "message": message })),
        }
    }
    let (export, left_out) = export("langfuse", verdicts)?;
    let left_out = left_out + errors.len() as u64;
    let answer = json!({ "successes": successes, "errors": errors });
    Ok(Received { export, left_out, status: StatusCode::MULTI_STATUS, answer })
}

impl Score {
    fn read(text: &str) -> Result<Self, String> {
        let score: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match score.value {
            Json::Number(_) | Json::String(_) | Json::Bool(_) => Ok(score),
            _ => Err("value: expected a number or a string".into()),
        }
    }

    fn verdict(self) -> Verdict {
        let mut verdict = Verdict::new(&self.name);
        verdict.trace_id = self.trace_id.and_then(|id| hex(&id, 16));
        verdict.span_id = self.observation_id.filter(|_| verdict.trace_id.is_some()).and_then(|id| hex(&id, 8));
        verdict.at = self.timestamp.as_deref().and_then(UnixNanos::parse);
        verdict.say_value(match self.data_type.as_deref() {
            Some("BOOLEAN") => self.value.as_f64().map_or(self.value, |value| Json::Bool(value != 0.0)),
            _ => self.value,
        });
        verdict.say("explanation", self.comment.map(Json::String));
        if self.source.as_deref() == Some("ANNOTATION") {
            verdict.say("evaluator.type", Some("human".into()));
        }
        verdict.say_metadata(self.metadata.and_then(object));
        verdict
    }
}

fn object(json: Json) -> Option<Map<String, Json>> {
    match json {
        Json::Object(object) => Some(object),
        _ => None,
    }
}

/// An id for a score that came without: the same for the same score, as a retry is.
fn made_of(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

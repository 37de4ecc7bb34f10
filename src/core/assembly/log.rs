//! Log records: messages and whole calls that belong to spans, verdicts, and the calls of agents that write nothing
//! but log records.

use sha2::{Digest, Sha256};

use super::failure::failure;
use super::reader::Reader;
use super::record::{Content, Record};
use super::trace::{Message, Verdict};
use super::{Added, Assembly, Evicted, evaluation};
use crate::core::dialect::{self, Event, Field, Scalar, span_id};
use crate::core::message::{Exchange, Json, input, of_value};
use crate::core::request::TraceId;
use crate::core::span::{Kind, LlmSpan, SpanId};
use crate::core::time::UnixNanos;
use crate::otlp::{LogRecord, Resource, Scope};

impl Assembly {
    /// Takes in one log record.
    pub fn log(&mut self, now: UnixNanos, resource: &Resource<'_>, scope: Scope<'_>, record: &LogRecord<'_>) -> Added {
        let Some((event, said)) = self.normaliser.record(record) else { return Added::NotLlm };
        let trace_id = dialect::trace_id(record.trace_id);
        let id = span_id(record.span_id).unwrap_or(SpanId([0; 8]));
        let at =
            UnixNanos(if record.time_unix_nano == 0 { record.observed_time_unix_nano } else { record.time_unix_nano });
        let mut reader = Reader {
            normaliser: &self.normaliser,
            memo: &mut self.memo,
            content_bytes_max: self.limits.content_bytes_max,
        };
        let origin = reader.origin(resource);
        match (event, trace_id) {
            (Event::Evaluation, _) => {
                let Some(verdict) = evaluation::of_fields(&said) else { return Added::Rejected("empty evaluation") };
                let verdict = Verdict {
                    at,
                    span: id,
                    response_id: said.get(Field::ResponseId).map(|it| it.text().into()),
                    feature: said.feature.map(|(_, name)| name.into()),
                    said: verdict,
                    origin,
                };
                self.hear(now, trace_id, verdict);
            }
            (Event::Prompt | Event::Call | Event::Attempt | Event::Streamed | Event::Tool, _) => {
                let Some(turn) = trace_id.or_else(|| turn(&said)) else {
                    return Added::Rejected("an agent's record without its session");
                };
                let Some(kind) = kind(event, &said) else { return Added::Llm };
                let mut moment = said;
                let took = moment.get(Field::LoggedMillis).and_then(|it| it.duration(0.001)).unwrap_or_default();
                (moment.trace_id, moment.span_id, moment.kind) = (turn, own_id(at, record), kind);
                moment.parent = span_id(record.span_id);
                (moment.start, moment.end) = (UnixNanos(at.0.saturating_sub(nanos(took))), at);
                let mut record = reader.record(&moment, origin);
                record.is_root = false;
                record.failure = failed(&moment);
                if let Some(json) = of_value(moment.fields.value(Field::Input)).filter(|_| event == Event::Prompt) {
                    let mut content = Content::default();
                    reader.keep_exchange(Exchange::of(None, input(Json::new(&json)), Vec::new()), &mut content);
                    record.content = Some(Box::new(content));
                }
                self.add_moment(now, turn, record);
            }
            (Event::Exception | Event::FirstToken | Event::Document, _) => return Added::NotLlm,
            (_, None) => return Added::Rejected("a message outside of a trace"),
            (Event::Details, Some(trace_id)) => {
                let mut call = said;
                let id = span_id(record.span_id).unwrap_or_else(|| own_id(at, record));
                (call.trace_id, call.span_id, call.scope) = (trace_id, id, scope.name);
                (call.start, call.end) = (at, at);
                if call.kind == Kind::Other {
                    call.kind = Kind::Llm;
                }
                let mut details = reader.record(&call, origin);
                details.failure = details.fields.text(Field::ErrorType).map(|kind| failure(&kind, "", None));
                let bytes = details.bytes();
                self.add_log(now, trace_id, bytes, |trace| trace.details.push(details));
            }
            (Event::Input(_) | Event::Output, Some(trace_id)) => {
                let message = Message::of(event, id, at, record, origin, self.limits.content_bytes_max);
                let bytes = message.bytes();
                self.add_log(now, trace_id, bytes, |trace| trace.messages.push(message));
            }
        }
        Added::Llm
    }

    /// Adds a moment of a log-only agent, unless it was sent before.
    fn add_moment(&mut self, now: UnixNanos, turn: TraceId, record: Record) {
        match self.traces.get(&turn) {
            Some(trace) if trace.has(record.id) => {}
            Some(trace) if trace.spans.len() >= self.limits.spans_per_trace_max => self.count(Evicted::Spans),
            _ => {
                let bytes = record.bytes();
                self.add_log(now, turn, bytes, |trace| trace.add_span(record));
            }
        }
    }
}

/// What an agent's record stands for; `None` for what only leads up to something.
fn kind(event: Event, said: &LlmSpan<'_>) -> Option<Kind> {
    match event {
        Event::Call => Some(Kind::Llm),
        Event::Attempt => failed(said).map(|_| Kind::Llm),
        Event::Streamed => said.text(Field::EventKind).filter(|it| *it == "response.completed").map(|_| Kind::Llm),
        Event::Tool => Some(Kind::Tool),
        _ => Some(Kind::Other),
    }
}

/// The id that stands for a turn: of the prompt it answers, else of the session.
fn turn(said: &LlmSpan<'_>) -> Option<TraceId> {
    let text = |field: Field| said.get(field).map(Scalar::text);
    let (session, turn) = (text(Field::SessionId), text(Field::TurnId));
    if session.is_none() && turn.is_none() {
        return None;
    }
    let key = format!("{}\0{}", session.unwrap_or_default(), turn.unwrap_or_default());
    let mut id = [0; 16];
    id.copy_from_slice(&Sha256::digest(key)[..16]);
    Some(TraceId(id))
}

/// An id of its own for a record that has none: of its time and what it says.
fn own_id(at: UnixNanos, record: &LogRecord<'_>) -> SpanId {
    let mut digest = Sha256::new();
    digest.update(at.0.to_be_bytes());
    digest.update(record.attributes().as_bytes());
    let mut id = [0; 8];
    id.copy_from_slice(&digest.finalize()[..8]);
    SpanId(id)
}

/// What an agent's record says went wrong.
fn failed(said: &LlmSpan<'_>) -> Option<crate::core::request::Failure> {
    let text = |field: Field| said.get(field).map(Scalar::text);
    let code = said.get(Field::StatusCode).and_then(Scalar::u64);
    let (kind, message) = (text(Field::ErrorType), text(Field::ErrorMessage));
    let tool_failed = said.get(Field::ToolSucceeded).and_then(Scalar::bool) == Some(false);
    let broken = kind.is_some() || message.is_some() || code.is_some_and(|it| it >= 400) || tool_failed;
    let told = kind.or_else(|| code.filter(|it| *it >= 400).map(|it| it.to_string().into()));
    let name = told.unwrap_or_else(|| if tool_failed { "tool_error".into() } else { "error".into() });
    broken.then(|| failure(&name, message.as_deref().unwrap_or_default(), code))
}

fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

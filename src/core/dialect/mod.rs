//! Dialects: one file each, tables as data and the few things a table can't say. [`Normaliser`] compiles all tables
//! into one lookup.
//!
//! What a span stands for is told by its attributes alone. One process mixes several dialects and one span can carry two:
//! all of them fill its fields, the first in [`DIALECTS`] that names a kind decides.

mod anthropic;
mod app;
mod claude_code;
mod codex;
mod event;
mod field;
mod gemini_cli;
mod gen_ai;
mod google_adk;
mod langfuse;
mod langsmith;
mod litellm;
mod logfire;
mod mlflow;
mod openinference;
mod openlit;
mod openllmetry;
mod payload;
mod pydantic_ai;
mod scalar;
mod settings;
mod table;
mod vercel_ai;

pub(crate) use event::Event;
pub use field::Field;
pub(crate) use scalar::{Scalar, is_silent};
pub use settings::Settings;

use self::table::Table;
use super::price::CachedTokens;
use super::request::TraceId;
use super::span::{Dialects, Fields, Kind, List, LlmSpan, SpanId};
use super::time::UnixNanos;
use crate::otlp::{Attributes, LogRecord, Scope, Span, Value};

/// One way to write about LLM calls.
struct Dialect {
    /// The name in records.
    name: &'static str,
    /// Attribute keys that only this dialect sets.
    marks: &'static [&'static str],
    /// The instrumentation scope of its spans, where some have no mark; it never decides what a span stands for.
    scope: Option<&'static str>,
    /// Attribute keys, best first where several set one field.
    fields: &'static [(&'static str, Field)],
    /// Key prefixes before an index.
    lists: &'static [(&'static str, List)],
    /// Names of span events and log records.
    events: &'static [(&'static str, Event)],
    /// Attribute keys of this dialect's own log records: bare names, which elsewhere may mean anything.
    logged: &'static [(&'static str, Field)],
    /// Key prefixes before what the application added.
    metadata: &'static [&'static str],
    /// Whether its input tokens hold those of the cache; `None` where it passes on what the provider counts.
    cached: Option<CachedTokens>,
    /// What the span stands for, if this dialect says so.
    kind: fn(&LlmSpan<'_>) -> Option<Kind>,
    /// Fills what a table can't say, on spans of this dialect.
    complete: fn(&mut LlmSpan<'_>),
}

/// What a dialect leaves out.
const BLANK: Dialect = Dialect {
    name: "",
    marks: &[],
    scope: None,
    fields: &[],
    lists: &[],
    events: &[],
    logged: &[],
    metadata: &[],
    // The conventions ask for it, and SDKs add up where a provider counts apart.
    cached: Some(CachedTokens::Inside),
    kind: |_| None,
    complete: |_| (),
};

/// In order of precedence: those that reuse others' names with meanings of their own go first.
static DIALECTS: [&Dialect; 17] = [
    &langfuse::DIALECT,
    &openinference::DIALECT,
    &langsmith::DIALECT,
    &mlflow::DIALECT,
    &gen_ai::DIALECT,
    &vercel_ai::DIALECT,
    &openllmetry::DIALECT,
    &pydantic_ai::DIALECT,
    &logfire::DIALECT,
    &openlit::DIALECT,
    &litellm::DIALECT,
    &anthropic::DIALECT,
    &google_adk::DIALECT,
    &claude_code::DIALECT,
    &codex::DIALECT,
    &gemini_cli::DIALECT,
    &app::DIALECT,
];

/// The set of `gen_ai` alone: what is told by its events, or by a model and tokens, is written in it.
pub(crate) const GEN_AI: Dialects = Dialects(1 << 4);

/// `span.kind` of outgoing calls (OTLP `SPAN_KIND_CLIENT`).
const CLIENT: i32 = 3;

/// Turns spans, log records and resources into one vocabulary.
#[derive(Debug)]
pub struct Normaliser {
    table: Table,
}

impl Normaliser {
    /// Compiles the tables and the user's own names, which go before them.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self { table: Table::new(settings) }
    }

    /// Normalises one span.
    ///
    /// # Errors
    /// Why the span can't be used: its ids are not ids.
    pub fn span<'a>(&self, scope: Scope<'a>, span: &Span<'a>) -> Result<LlmSpan<'a>, &'static str> {
        let mut normalised = LlmSpan {
            trace_id: trace_id(span.trace_id).ok_or("invalid trace_id")?,
            span_id: span_id(span.span_id).ok_or("invalid span_id")?,
            parent: span_id(span.parent_span_id),
            parent_is_remote: span.flags & 0x300 == 0x300,
            name: std::str::from_utf8(span.name).unwrap_or_default(),
            scope: scope.name,
            start: UnixNanos(span.start_unix_nano),
            end: UnixNanos(span.end_unix_nano.max(span.start_unix_nano)),
            otlp: Some(*span),
            ..Self::blank()
        };
        self.table.read(span.attributes(), span.kind == CLIENT, &mut normalised);
        normalised.dialects.0 |= self.table.of_scope(scope.name);
        recognise(&mut normalised);
        Ok(normalised)
    }

    /// Normalises attributes that are not a span's: of a resource or an event.
    #[must_use]
    pub fn attributes<'a>(&self, attributes: Attributes<'a>) -> LlmSpan<'a> {
        let mut normalised = Self::blank();
        self.table.read(attributes, false, &mut normalised);
        recognise(&mut normalised);
        normalised
    }

    /// Normalises a log record, and says what it tells; `None` for one of no interest.
    pub(crate) fn record<'a>(&self, record: &LogRecord<'a>) -> Option<(Event, LlmSpan<'a>)> {
        let mut normalised = Self::blank();
        self.table.read(record.attributes(), false, &mut normalised);
        let told = normalised.text(Field::EventName).map(str::as_bytes);
        let body = if let Value::Str(text) = record.body { Some(text) } else { None };
        let named = [Some(record.event_name), told].into_iter().flatten().find_map(|name| self.table.event(name));
        // Claude Code's names are whole in the body only; any other body may hold any word.
        let of_agent = || self.table.event(body?).filter(|(_, at)| !DIALECTS[*at].logged.is_empty());
        let (event, at) = named.or_else(of_agent)?;
        let dialect = DIALECTS[at];
        for (key, field) in dialect.logged {
            if let Some(value) = record.attributes().get(key) {
                normalised.fields.set(*field, 1, value);
            }
        }
        if !dialect.logged.is_empty() {
            normalised.dialects.0 |= 1 << at;
        }
        recognise(&mut normalised);
        Some((event, normalised))
    }

    /// What a span event of this name tells; `None` for one of no interest.
    pub(crate) fn event(&self, name: &[u8]) -> Option<Event> {
        self.table.event(name).map(|(event, _)| event)
    }

    /// The names of a set of dialects, in order of precedence.
    #[must_use]
    pub fn names(dialects: Dialects) -> Vec<&'static str> {
        DIALECTS.iter().zip(0..).filter(|(_, bit)| dialects.0 >> bit & 1 == 1).map(|(it, _)| it.name).collect()
    }

    /// Whether the input tokens of a call in these dialects hold those of the cache; the first dialect decides.
    pub(crate) fn cached_tokens(dialects: Dialects) -> Option<CachedTokens> {
        let first = DIALECTS.iter().zip(0..).find(|(_, bit)| dialects.0 >> bit & 1 == 1);
        first.and_then(|(dialect, _)| dialect.cached)
    }

    fn blank<'a>() -> LlmSpan<'a> {
        LlmSpan {
            trace_id: TraceId([0; 16]),
            span_id: SpanId([0; 8]),
            parent: None,
            parent_is_remote: false,
            name: "",
            scope: b"",
            start: UnixNanos(0),
            end: UnixNanos(0),
            kind: Kind::Other,
            dialects: Dialects::default(),
            fields: Fields::new(),
            listed: Vec::new(),
            feature: None,
            otlp: None,
        }
    }
}

fn recognise(span: &mut LlmSpan<'_>) {
    if span.text(Field::SpanType) == Some("pending_span") {
        span.dialects = Dialects::default();
        return;
    }
    let mut found = None;
    for (dialect, bit) in DIALECTS.iter().zip(0..) {
        if let Some(kind) = (dialect.kind)(span) {
            span.dialects.0 |= 1 << bit;
            found = found.filter(|it| *it != Kind::Other).or(Some(kind));
        }
    }
    span.kind = match found {
        Some(kind) if kind != Kind::Other => kind,
        None if is_call(span) => Kind::Llm,
        _ if is_evaluation(span) => Kind::Evaluator,
        _ => Kind::Other,
    };
    if span.kind != Kind::Other && span.dialects.is_empty() {
        span.dialects = GEN_AI;
    }
    for (dialect, bit) in DIALECTS.iter().zip(0..) {
        if span.dialects.0 >> bit & 1 == 1 {
            (dialect.complete)(span);
        }
    }
}

/// A span that names no kind is a model call if it has a model and what only a call has.
fn is_call(span: &LlmSpan<'_>) -> bool {
    let has = |fields: &[Field]| fields.iter().any(|field| span.fields.has(*field));
    has(&[Field::ModelRequested, Field::ModelServed])
        && has(&[Field::InputTokens, Field::OutputTokens, Field::InputMessages, Field::OutputMessages])
}

/// Evaluators that are not instrumented as such: `evaluate relevance`, `evaluator: LLMJudge`. A span that names a
/// feature is the feature's own work, whatever its name.
fn is_evaluation(span: &LlmSpan<'_>) -> bool {
    let metric = span.name.strip_prefix("evaluate ").or_else(|| span.name.strip_prefix("evaluator: "));
    metric.is_some_and(|metric| !metric.is_empty() && !metric.contains(' ')) && span.feature.is_none()
}

/// 16 bytes, not all zero.
pub(crate) fn trace_id(bytes: &[u8]) -> Option<TraceId> {
    bytes.try_into().ok().filter(|id| *id != [0; 16]).map(TraceId)
}

/// 8 bytes, not all zero.
pub(crate) fn span_id(bytes: &[u8]) -> Option<SpanId> {
    bytes.try_into().ok().filter(|id| *id != [0; 8]).map(SpanId)
}

#[cfg(test)]
mod tests;

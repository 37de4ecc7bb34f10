//! Dialects: one file each, a mapping table as data and the few things a table can't say. [`Normaliser`] compiles
//! all tables into one lookup, so that a span's attributes are visited once, with about one hash lookup each.
//!
//! A span is recognised by its attributes alone. One process mixes several dialects and one span can carry two:
//! all of them fill its fields, the first in [`DIALECTS`] that names a kind decides.

mod app;
mod event;
mod field;
mod gen_ai;
mod openinference;
mod openllmetry;
mod scalar;
mod settings;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

pub(crate) use event::Event;
pub use field::Field;
pub(crate) use scalar::{Scalar, is_silent};
pub use settings::Settings;

use super::message::Json;
use super::request::TraceId;
use super::span::{Dialects, Fields, Kind, List, Listed, LlmSpan, SpanId};
use super::time::UnixNanos;
use crate::otlp::{Attributes, Scope, Span, Value};

/// One way to write about LLM calls.
struct Dialect {
    /// The name in records.
    name: &'static str,
    /// Attribute keys, best first where several set one field.
    fields: &'static [(&'static str, Field)],
    /// Key prefixes before an index.
    lists: &'static [(&'static str, List)],
    /// What the span stands for, if it is written in this dialect.
    kind: fn(&LlmSpan<'_>) -> Option<Kind>,
    /// Fills what a table can't say, on spans of this dialect.
    complete: fn(&mut LlmSpan<'_>),
}

/// In order of precedence.
static DIALECTS: [&Dialect; 4] = [&openinference::DIALECT, &gen_ai::DIALECT, &openllmetry::DIALECT, &app::DIALECT];

/// The set of `gen_ai` alone: what is told by its events, or by a model and tokens, is written in it.
pub(crate) const GEN_AI: Dialects = Dialects(1 << 1);

/// Indexed attributes of one span at most; the rest is not read.
const LISTED_MAX: usize = 4096;

/// `span.kind` of outgoing calls (OTLP `SPAN_KIND_CLIENT`).
const CLIENT: u64 = 3;

/// Turns spans, log records and resources into one vocabulary.
#[derive(Debug)]
pub struct Normaliser {
    keys: HashMap<Box<[u8]>, Entry, FixedState>,
    lists: HashMap<&'static [u8], List, FixedState>,
    /// What to take out of the JSON under `metadata`.
    nested: Vec<(Box<str>, Entry)>,
}

/// What one attribute key means.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// The field it sets, and with which precedence.
    field: Option<(Field, u16)>,
    /// Its place among the feature keys.
    feature: Option<u8>,
    /// `http.route` names the server's route, but some clients put it on their calls, where it names the provider's.
    not_on_clients: bool,
}

impl Normaliser {
    /// Compiles the tables and the user's own names, which go before them.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let mut compiled = Self { keys: HashMap::default(), lists: HashMap::default(), nested: Vec::new() };
        let own = settings.fields.iter().map(|(field, key)| (key.as_str(), *field));
        let tables = DIALECTS.iter().flat_map(|dialect| dialect.fields.iter().copied());
        // Rank 0 is left to what a dialect knows better than any attribute.
        for ((key, field), rank) in own.chain(tables).zip(1..) {
            compiled.entry(key, |entry| entry.field = entry.field.or(Some((field, rank))));
        }
        for (key, rank) in settings.feature.iter().zip(0..=u8::MAX) {
            compiled.entry(key, |entry| {
                entry.feature = entry.feature.or(Some(rank));
                entry.not_on_clients = key == "http.route";
            });
        }
        compiled.lists = DIALECTS.iter().flat_map(|it| it.lists).map(|(key, list)| (key.as_bytes(), *list)).collect();
        compiled
    }

    fn entry(&mut self, key: &str, change: impl Fn(&mut Entry)) {
        change(self.keys.entry(key.as_bytes().into()).or_default());
        if let Some(inner) = key.strip_prefix("metadata.") {
            match self.nested.iter_mut().find(|(found, _)| **found == *inner) {
                Some((_, entry)) => change(entry),
                None => {
                    let mut entry = Entry::default();
                    change(&mut entry);
                    self.nested.push((inner.into(), entry));
                }
            }
        }
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
        self.read(span.attributes(), span.kind == CLIENT, &mut normalised);
        recognise(&mut normalised);
        Ok(normalised)
    }

    /// Normalises attributes that are not a span's: of a resource, a log record or an event.
    #[must_use]
    pub fn attributes<'a>(&self, attributes: Attributes<'a>) -> LlmSpan<'a> {
        let mut normalised = Self::blank();
        self.read(attributes, false, &mut normalised);
        recognise(&mut normalised);
        normalised
    }

    /// The names of a set of dialects, in order of precedence.
    #[must_use]
    pub fn names(dialects: Dialects) -> Vec<&'static str> {
        DIALECTS.iter().zip(0..).filter(|(_, bit)| dialects.0 >> bit & 1 == 1).map(|(it, _)| it.name).collect()
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

    fn read<'a>(&self, attributes: Attributes<'a>, client: bool, span: &mut LlmSpan<'a>) {
        for (key, value) in attributes {
            match self.keys.get(key) {
                Some(entry) => entry.apply(value, client, span),
                None => self.read_listed(key, value, span),
            }
        }
        if !self.nested.is_empty()
            && let Some(metadata) = span.text(Field::Metadata)
        {
            for (key, value) in Json::new(metadata).entries() {
                if let Some((_, entry)) = self.nested.iter().find(|(found, _)| **found == *key)
                    && let Some(scalar) = value.scalar()
                {
                    entry.apply(scalar.into(), client, span);
                }
            }
        }
    }

    fn read_listed<'a>(&self, key: &'a [u8], value: Value<'a>, span: &mut LlmSpan<'a>) {
        let Some((prefix, index, path)) = split_index(key) else {
            return read_component(key, value, span);
        };
        if let Some(list) = self.lists.get(prefix)
            && span.listed.len() < LISTED_MAX
            && let Ok(path) = std::str::from_utf8(path)
        {
            span.listed.push(Listed { list: *list, index, path, value });
        }
    }
}

impl Entry {
    #[inline]
    fn apply<'a>(&self, value: Value<'a>, client: bool, span: &mut LlmSpan<'a>) {
        if let Some((field, rank)) = self.field {
            span.fields.set(field, rank, value);
        }
        if let Some(rank) = self.feature
            && span.feature.is_none_or(|(best, _)| rank < best)
            && !(client && self.not_on_clients)
            && let Some(Scalar::Text(text)) = Scalar::of(value)
            // Langfuse sends metadata as JSON texts of JSON texts.
            && let text = text.trim().trim_matches('"')
            && !text.is_empty()
        {
            span.feature = Some((rank, text));
        }
    }
}

fn recognise(span: &mut LlmSpan<'_>) {
    if span.text(Field::SpanType) == Some("pending_span") {
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
        _ if is_call(span) => Kind::Llm,
        _ if is_evaluation(span) => Kind::Evaluator,
        _ => Kind::Other,
    };
    if span.dialects.is_empty() && span.kind != Kind::Other {
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
        && !span.fields.has(Field::Operation)
        && !span.fields.has(Field::OpenInferenceKind)
        && !span.fields.has(Field::TraceloopKind)
}

/// Evaluators that are not instrumented as such: `evaluate relevance`, `evaluator: LLMJudge`. A span that names a
/// feature is the feature's own work, whatever its name.
fn is_evaluation(span: &LlmSpan<'_>) -> bool {
    let metric = span.name.strip_prefix("evaluate ").or_else(|| span.name.strip_prefix("evaluator: "));
    metric.is_some_and(|metric| !metric.is_empty() && !metric.contains(' ')) && span.feature.is_none()
}

/// `llm.input_messages.0.message.role` into prefix, 0, `message.role`.
fn split_index(key: &[u8]) -> Option<(&[u8], u32, &[u8])> {
    let dot = key.windows(2).position(|pair| pair[0] == b'.' && pair[1].is_ascii_digit())?;
    let rest = key.get(dot + 1..)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let index = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    let path = rest[digits..].strip_prefix(b".")?;
    Some((&key[..dot], index, path))
}

/// `gen_ai.prompt.component.<name>.version`
fn read_component<'a>(key: &'a [u8], value: Value<'a>, span: &mut LlmSpan<'a>) {
    if let Some(rest) = key.strip_prefix(b"gen_ai.prompt.component.")
        && let Some(name) = rest.strip_suffix(b".version")
        && let Ok(path) = std::str::from_utf8(name)
        && span.listed.len() < LISTED_MAX
    {
        span.listed.push(Listed { list: List::Components, index: 0, path, value });
    }
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

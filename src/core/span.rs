//! The normalised span: what one span says, in one vocabulary, still borrowed from the request's bytes.
//!
//! Missing is not zero: a field that no attribute set is absent. Content (messages, documents) is found but not
//! parsed here; that is [`super::message`]'s work, and only for the spans that need it.

use super::dialect::{Field, Scalar};
use super::request::TraceId;
use super::time::UnixNanos;
use crate::otlp;

/// 8 bytes of span id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(pub [u8; 8]);

/// What a span stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One call of a generating model.
    Llm,
    /// One call of an embedding model.
    Embedding,
    /// One search of an index.
    Retrieval,
    /// One call of a reranker.
    Reranker,
    /// One execution of a tool.
    Tool,
    /// An agent's run; not a call.
    Agent,
    /// A workflow, task or step; not a call.
    Chain,
    /// A judge at work: model calls below it are not the feature's own.
    Evaluator,
    /// A guardrail's check.
    Guardrail,
    /// Anything else: kept for the shape of the trace.
    Other,
}

/// The dialects found on a span, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dialects(pub(super) u32);

impl Dialects {
    /// Whether no dialect was recognised: the span is not about LLMs.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Both sets together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// One span in one vocabulary.
#[derive(Clone, Debug)]
pub struct LlmSpan<'a> {
    /// Never all zero.
    pub trace_id: TraceId,
    /// Never all zero.
    pub span_id: SpanId,
    /// The parent, wherever it is.
    pub parent: Option<SpanId>,
    /// Whether the parent is known to be in another process.
    pub parent_is_remote: bool,
    /// Span name; empty when it is not UTF-8.
    pub name: &'a str,
    /// Instrumentation scope.
    pub scope: &'a [u8],
    /// Start, 0 when absent.
    pub start: UnixNanos,
    /// End, never before the start.
    pub end: UnixNanos,
    /// What it stands for.
    pub kind: Kind,
    /// Dialects it is written in.
    pub dialects: Dialects,
    /// What it says.
    pub fields: Fields<'a>,
    /// What it says under indexed keys, in wire order.
    pub listed: Vec<Listed<'a>>,
    /// Rank and value of the best feature key it carries.
    pub feature: Option<(u8, &'a str)>,
    /// The span as it came, for events and links.
    pub otlp: Option<otlp::Span<'a>>,
}

impl<'a> LlmSpan<'a> {
    /// The value of `field`.
    pub(crate) fn get(&self, field: Field) -> Option<Scalar<'a>> {
        self.fields.get(field)
    }

    /// The text of `field`, when it was sent as text.
    pub(crate) fn text(&self, field: Field) -> Option<&'a str> {
        match self.fields.get(field)? {
            Scalar::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// A list whose items are sent as separate attributes with an index in their key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    /// Input messages.
    Input,
    /// Output messages.
    Output,
    /// Tool definitions.
    Tools,
    /// Retrieved documents.
    Documents,
    /// Evaluations, annotations.
    Evaluations,
    /// Prompt components; the index is their order, the key's middle part their name.
    Components,
}

/// One attribute of a list: `llm.input_messages.0.message.role` has index 0 and path `message.role`.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// The list.
    pub list: List,
    /// Position; may have gaps.
    pub index: u32,
    /// The key's rest.
    pub path: &'a str,
    /// The value.
    pub value: otlp::Value<'a>,
}

/// The value of every field that an attribute set.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    /// Where in `found` a field is, plus one; 0 when it is absent.
    places: [u8; Field::COUNT],
    found: Vec<(Field, u16, otlp::Value<'a>)>,
}

const _: () = assert!(Field::COUNT < u8::MAX as usize, "a place fits into a byte");

impl<'a> Fields<'a> {
    pub(super) fn new() -> Self {
        Self { places: [0; Field::COUNT], found: Vec::new() }
    }

    /// Sets `field` unless a key of higher precedence (lower rank) did, or the value says nothing.
    #[inline]
    pub(super) fn set(&mut self, field: Field, rank: u16, value: otlp::Value<'a>) {
        if !says_something(value) {
            return;
        }
        match usize::from(self.places[field as usize]) {
            0 => {
                if self.found.is_empty() {
                    self.found.reserve(32);
                }
                self.found.push((field, rank, value));
                self.places[field as usize] = u8::try_from(self.found.len()).expect("each field is here once");
            }
            place => {
                let slot = &mut self.found[place - 1];
                if rank < slot.1 {
                    (slot.1, slot.2) = (rank, value);
                }
            }
        }
    }

    /// Takes back what is known to be wrong.
    pub(super) fn clear(&mut self, field: Field) {
        self.places[field as usize] = 0;
    }

    /// The value as it came; `Empty` when absent.
    #[must_use]
    pub fn value(&self, field: Field) -> otlp::Value<'a> {
        match usize::from(self.places[field as usize]) {
            0 => otlp::Value::Empty,
            place => self.found[place - 1].2,
        }
    }

    /// Whether an attribute set the field.
    #[must_use]
    pub fn has(&self, field: Field) -> bool {
        self.places[field as usize] != 0
    }

    /// The scalar of a field.
    pub(crate) fn get(&self, field: Field) -> Option<Scalar<'a>> {
        Scalar::of(self.value(field))
    }

    /// Every field that is set, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Field, otlp::Value<'a>)> {
        let places = Field::ALL.iter().zip(self.places).filter(|(_, place)| *place != 0);
        places.map(|(field, place)| (*field, self.found[usize::from(place) - 1].2))
    }
}

#[inline]
fn says_something(value: otlp::Value<'_>) -> bool {
    match value {
        otlp::Value::Empty => false,
        otlp::Value::Str(bytes) => !super::dialect::is_silent(bytes),
        _ => true,
    }
}

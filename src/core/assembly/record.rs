//! One span, or one log record that tells of a whole call, as it waits for its trace to close: fields and digested
//! content, owned.

use std::sync::Arc;

use super::bag::Bag;
use super::evaluation::Said;
use super::memo::System;
use crate::core::dialect::{Field, GEN_AI};
use crate::core::message::{ToolRequest, ToolResponse};
use crate::core::request::{Document, Failure, ToolSchema, TraceId};
use crate::core::span::{Dialects, Kind, SpanId};
use crate::core::time::UnixNanos;

/// A span of an open trace.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) id: SpanId,
    pub(super) parent: Option<SpanId>,
    /// It has no parent, or none in this process.
    pub(super) is_root: bool,
    /// Kept where the name can matter: roots, tools and evaluators.
    pub(super) name: Box<str>,
    pub(super) kind: Kind,
    pub(super) dialects: Dialects,
    /// Which instrumentation made it.
    pub(super) scope: u64,
    pub(super) start: UnixNanos,
    pub(super) end: UnixNanos,
    pub(super) feature: Option<(u8, Box<str>)>,
    pub(super) failure: Option<Failure>,
    pub(super) first_token: Option<UnixNanos>,
    /// The one span it links to.
    pub(super) link: Option<TraceId>,
    pub(super) fields: Bag,
    pub(super) content: Option<Box<Content>>,
    pub(super) origin: Arc<Origin>,
}

/// What is kept of a span's content.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    pub(super) system: Option<Arc<System>>,
    pub(super) query: Option<Box<str>>,
    pub(super) answer: Option<Box<str>>,
    pub(super) refusal: bool,
    /// An answer was captured and says nothing.
    pub(super) silent: bool,
    pub(super) finish: Option<Box<str>>,
    pub(super) requested: Vec<ToolRequest<'static>>,
    /// Asked for in earlier turns since the question.
    pub(super) asked_before: Vec<Vec<ToolRequest<'static>>>,
    pub(super) results: Vec<ToolResponse<'static>>,
    pub(super) tools: Vec<Arc<[ToolSchema]>>,
    pub(super) documents: Option<Vec<Document>>,
    /// A tool's arguments and result.
    pub(super) arguments: Option<Box<str>>,
    pub(super) result: Option<Box<str>>,
    pub(super) components: Vec<(Box<str>, Box<str>)>,
    pub(super) said: Vec<Said>,
}

/// What a resource says about all its spans.
#[derive(Debug, Default)]
pub(super) struct Origin {
    pub(super) feature: Option<(u8, Box<str>)>,
    pub(super) fields: Bag,
    pub(super) components: Vec<(Box<str>, Box<str>)>,
}

impl Origin {
    /// The feature it names, else the service.
    pub(super) fn name(&self) -> Option<Box<str>> {
        self.feature.as_ref().map(|(_, name)| name.clone()).or_else(|| self.fields.text(Field::Service))
    }
}

impl Record {
    /// A call that only messages tell of.
    pub(super) fn of_messages(id: SpanId, origin: Arc<Origin>, content: Content) -> Self {
        Self {
            id,
            parent: None,
            is_root: false,
            name: Box::default(),
            kind: Kind::Llm,
            dialects: GEN_AI,
            scope: 0,
            start: UnixNanos(0),
            end: UnixNanos(0),
            feature: None,
            failure: None,
            first_token: None,
            link: None,
            fields: Bag::default(),
            content: Some(Box::new(content)),
            origin,
        }
    }

    /// Bytes it holds.
    pub(super) fn bytes(&self) -> usize {
        let content = self.content.as_ref().map_or(0, |content| content.bytes());
        size_of::<Self>() + self.name.len() + self.fields.bytes() + content
    }

    /// Takes over what `other`, which tells of the same call, has and this one lacks.
    pub(super) fn fill(&mut self, other: &Self) {
        self.fields.fill(&other.fields);
        self.dialects = self.dialects.and(other.dialects);
        self.failure = self.failure.take().or_else(|| other.failure.clone());
        self.first_token = self.first_token.or(other.first_token);
        match (&mut self.content, &other.content) {
            (Some(mine), Some(theirs)) => mine.fill(theirs),
            (mine @ None, theirs) => mine.clone_from(theirs),
            (Some(_), None) => {}
        }
    }
}

impl Content {
    pub(super) fn fill(&mut self, other: &Self) {
        fn keep<T: Clone>(mine: &mut Option<T>, theirs: &Option<T>) {
            if mine.is_none() {
                mine.clone_from(theirs);
            }
        }
        keep(&mut self.system, &other.system);
        keep(&mut self.query, &other.query);
        keep(&mut self.answer, &other.answer);
        keep(&mut self.finish, &other.finish);
        keep(&mut self.documents, &other.documents);
        self.refusal |= other.refusal;
        self.silent = (self.silent || other.silent) && self.answer.is_none();
        if self.requested.is_empty() {
            self.requested.clone_from(&other.requested);
        }
        if self.asked_before.is_empty() {
            self.asked_before.clone_from(&other.asked_before);
        }
        if self.results.is_empty() {
            self.results.clone_from(&other.results);
        }
        if self.tools.is_empty() {
            self.tools.clone_from(&other.tools);
        }
        if self.components.is_empty() {
            self.components.clone_from(&other.components);
        }
        self.said.extend(other.said.iter().cloned());
    }

    pub(super) fn says_something(&self) -> bool {
        self.system.is_some()
            || self.query.is_some()
            || self.answer.is_some()
            || self.refusal
            || self.silent
            || self.finish.is_some()
            || self.documents.is_some()
            || self.arguments.is_some()
            || self.result.is_some()
            || !(self.requested.is_empty()
                && self.results.is_empty()
                && self.tools.is_empty()
                && self.components.is_empty()
                && self.said.is_empty())
    }

    fn bytes(&self) -> usize {
        let text = |text: &Option<Box<str>>| text.as_ref().map_or(0, |text| text.len());
        let texts = [&self.query, &self.answer, &self.arguments, &self.result].into_iter().map(text).sum::<usize>();
        let calls = self
            .requested
            .iter()
            .map(|it| it.id.len() + it.name.len() + it.arguments.as_ref().map_or(64, |text| 64 + text.len()));
        let before = self.asked_before.iter().flatten().map(|it| 64 + it.id.len() + it.name.len());
        let results = self.results.iter().map(|it| 64 + it.text.len());
        let documents = self.documents.iter().flatten().map(|it| size_of::<Document>() + text(&it.content));
        size_of::<Self>()
            + texts
            + calls.sum::<usize>()
            + before.sum::<usize>()
            + results.sum::<usize>()
            + documents.sum::<usize>()
    }
}

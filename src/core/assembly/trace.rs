//! One open trace: what came of it so far, and how its parts settle into one list of records when it closes.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::evaluation::Said;
use super::memo::Memo;
use super::moments;
use super::reader::Reader;
use super::record::{Content, Origin, Record};
use super::shape::{self, Shape};
use crate::core::dialect::{Event, Field, Normaliser, Scalar};
use crate::core::message::{self, Exchange, Json, of_value};
use crate::core::request::{Judge, TraceId};
use crate::core::said;
use crate::core::span::{Kind, SpanId};
use crate::core::time::UnixNanos;
use crate::otlp::LogRecord;

/// A trace that is still being told.
#[derive(Debug)]
pub(super) struct Trace {
    /// When anything last came.
    pub(super) touched: UnixNanos,
    /// When it is due at the earliest; set as soon as it holds anything.
    pub(super) deadline: Option<UnixNanos>,
    /// When it is due for its root's sake, once that came, and whether that has no parent at all.
    rooted: Option<(UnixNanos, bool)>,
    /// Of `spans`, side by side for the search for duplicates.
    ids: Vec<SpanId>,
    pub(super) spans: Vec<Record>,
    /// Calls told by a log record.
    pub(super) details: Vec<Record>,
    /// Messages told by log records.
    pub(super) messages: Vec<Message>,
    /// Verdicts told by log records.
    pub(super) said: Vec<Verdict>,
    pub(super) bytes: usize,
    /// Spans and log records it was told by; set when it settles.
    pub(super) told_by: u32,
}

/// One message of a call, from a log record.
#[derive(Clone, Debug)]
pub(super) struct Message {
    span: SpanId,
    at: UnixNanos,
    is_output: bool,
    message: message::Message<'static>,
    origin: Arc<Origin>,
}

/// A verdict, with what tells whom it is about.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) at: UnixNanos,
    /// The span it was sent under.
    pub(super) span: SpanId,
    pub(super) response_id: Option<Box<str>>,
    pub(super) feature: Option<Box<str>>,
    pub(super) said: Said,
    pub(super) origin: Arc<Origin>,
}

/// What a trace is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A request of a feature.
    Request,
    /// Only a judge at work.
    Judge,
    /// Nothing of interest, but for verdicts it may hold.
    Nothing,
}

impl Trace {
    pub(super) fn new(now: UnixNanos) -> Self {
        Self {
            touched: now,
            deadline: None,
            rooted: None,
            ids: Vec::new(),
            spans: Vec::new(),
            details: Vec::new(),
            messages: Vec::new(),
            said: Vec::new(),
            bytes: 0,
            told_by: 0,
        }
    }

    pub(super) fn has(&self, id: SpanId) -> bool {
        self.ids.contains(&id)
    }

    pub(super) fn add_span(&mut self, record: Record) {
        if self.spans.is_empty() {
            // Most traces of a model call have one span, and a record is large.
            self.ids.reserve_exact(1);
            self.spans.reserve_exact(1);
        }
        self.ids.push(record.id);
        self.spans.push(record);
    }

    pub(super) fn logs(&self) -> usize {
        self.details.len() + self.messages.len() + self.said.len()
    }

    /// Notes that a root came, just added; the first one sets the time.
    pub(super) fn due_after_root(&mut self, at: UnixNanos) {
        let whole = self.spans.last().is_some_and(|root| root.parent.is_none());
        if self.rooted.is_none_or(|(_, before)| whole && !before) {
            self.rooted = Some((at, whole));
            self.deadline = Some(at);
        }
    }

    pub(super) fn is_rooted(&self) -> bool {
        self.rooted.is_some()
    }

    /// When it is due as things stand. A root whose parent is in another process ends the trace only if nothing
    /// here still waits for its parent: that parent's own root may be on its way.
    pub(super) fn actual_deadline(&self, idle_timeout: Duration) -> UnixNanos {
        match self.rooted {
            Some((at, true)) => at,
            Some((at, false)) if self.spans.iter().all(|it| it.is_root || it.parent.is_none_or(|id| self.has(id))) => {
                at
            }
            _ => self.touched.plus(idle_timeout),
        }
    }

    /// Joins the log records to the spans they tell of, and puts everything in an order of its own.
    pub(super) fn settle(&mut self, content_bytes_max: usize, memo: &mut Memo, normaliser: &Normaliser) {
        self.details.sort_by_key(|it| (it.start, it.id));
        self.details.dedup_by_key(|it| (it.start, it.id));
        self.messages.sort_by(|a, b| a.order().cmp(&b.order()));
        self.messages.dedup_by(|a, b| a.order() == b.order() && a.message == b.message);
        self.said.sort_by_key(|it| (it.at, it.span));
        self.said.dedup_by(|a, b| (a.at, a.span, &a.said) == (b.at, b.span, &b.said));
        self.told_by = u32::try_from(self.spans.len() + self.logs()).unwrap_or(u32::MAX);
        for details in std::mem::take(&mut self.details) {
            self.join(details);
        }
        let mut reader = Reader { normaliser, memo, content_bytes_max };
        for call in std::mem::take(&mut self.messages).chunk_by(|a, b| a.span == b.span) {
            self.join_messages(call, &mut reader);
        }
        moments::join(&mut self.spans);
        self.spans.sort_by_key(|it| (it.start, it.id));
        self.promote_operations();
    }

    /// An operation of Vercel's whose attempts never came stands for the call: a stream that broke has no other span.
    fn promote_operations(&mut self) {
        let is_operation = |it: &Record| {
            it.kind == Kind::Chain
                && it.fields.get(Field::FinishReason).is_none()
                && it.fields.text(Field::VercelOperation).is_some_and(|it| it.contains("Text") || it.contains("Object"))
        };
        if self.spans.iter().any(is_operation) {
            let shape = Shape::of(&self.spans);
            let told: Vec<usize> = (0..self.spans.len())
                .filter(|at| self.spans[*at].kind == Kind::Llm)
                .flat_map(|at| shape.ancestors(at).collect::<Vec<_>>())
                .collect();
            for (at, span) in self.spans.iter_mut().enumerate() {
                if is_operation(span) && !told.contains(&at) {
                    span.kind = Kind::Llm;
                }
            }
        }
    }

    fn join(&mut self, details: Record) {
        let same = |it: &Record| {
            it.kind == details.kind && (it.id == details.id || shape::same_response(it, &details) == Some(true))
        };
        match self.spans.iter_mut().find(|it| same(it)) {
            Some(span) => span.fill(&details),
            None => self.spans.push(details),
        }
    }

    fn join_messages(&mut self, call: &[Message], reader: &mut Reader<'_>) {
        let Some(first) = call.first() else { return };
        let (outputs, inputs): (Vec<_>, Vec<_>) = call.iter().partition(|it| it.is_output);
        let said = |messages: Vec<&Message>| messages.into_iter().map(|it| it.message.clone()).collect();
        let mut content = Content::default();
        reader.keep_exchange(Exchange::of(None, said(inputs), said(outputs)), &mut content);
        if let Some(span) = self.spans.iter_mut().find(|it| it.id == first.span) {
            if span.kind == Kind::Llm {
                span.content.get_or_insert_default().fill(&content);
            }
            return;
        }
        // A call whose span never came.
        let mut record = Record::of_messages(first.span, first.origin.clone(), content);
        (record.start, record.end) = call.iter().fold((first.at, first.at), |(a, b), it| (a.min(it.at), b.max(it.at)));
        self.spans.push(record);
    }

    /// The start of its earliest span, once settled.
    pub(super) fn started_at(&self) -> UnixNanos {
        self.spans.first().map(|it| it.start).unwrap_or_default()
    }

    /// What it is about, once settled.
    pub(super) fn purpose(&self) -> Purpose {
        let asks = |it: &Record| !it.dialects.is_empty() && !matches!(it.kind, Kind::Other | Kind::Evaluator);
        if !self.spans.iter().any(|it| it.kind == Kind::Evaluator) {
            return if self.spans.iter().any(asks) { Purpose::Request } else { Purpose::Nothing };
        }
        let shape = Shape::of(&self.spans);
        match self.spans.iter().enumerate().any(|(at, it)| asks(it) && !shape.is_judged(at)) {
            true => Purpose::Request,
            false => Purpose::Judge,
        }
    }

    /// Every verdict with the trace it is about, where a link tells, and its judge completed from the model call
    /// that was made to reach it.
    pub(super) fn judgements(&self) -> Vec<(Option<TraceId>, Verdict)> {
        let silent = |it: &Record| it.content.as_ref().is_none_or(|content| content.said.is_empty());
        if self.said.is_empty() && self.spans.iter().all(silent) {
            return Vec::new();
        }
        let shape = Shape::of(&self.spans);
        let of_spans = self.spans.iter().flat_map(|span| {
            let said = span.content.iter().flat_map(|content| &content.said);
            said.map(|said| Verdict {
                at: span.end,
                span: span.id,
                response_id: None,
                feature: None,
                said: said.clone(),
                origin: span.origin.clone(),
            })
        });
        of_spans
            .chain(self.said.iter().cloned())
            .map(|mut verdict| {
                let named = |said: &Said| match said {
                    Said::Judged(evaluation) => shape.evaluator_named(&self.spans, evaluation.judge.name.as_deref()?),
                    Said::Felt(_) => None,
                };
                let evaluator = shape.evaluator_of(&self.spans, verdict.span).or_else(|| named(&verdict.said));
                if let (Some(evaluator), Said::Judged(evaluation)) = (evaluator, &mut verdict.said) {
                    let judge = shape.judge(&self.spans, evaluator);
                    evaluation.judge.model = evaluation.judge.model.take().or(judge.model);
                    evaluation.judge.prompt = evaluation.judge.prompt.take().or(judge.prompt);
                }
                (evaluator.and_then(|index| self.spans[index].link), verdict)
            })
            .collect()
    }

    /// The judges at work, by the metric their span names.
    pub(super) fn judges(&self) -> Vec<(Box<str>, Judge)> {
        let shape = Shape::of(&self.spans);
        let evaluators = self.spans.iter().enumerate().filter(|(_, it)| it.kind == Kind::Evaluator);
        evaluators
            .filter_map(|(index, it)| {
                Some((it.name.strip_prefix("evaluate ")?.into(), shape.judge(&self.spans, index)))
            })
            .filter(|(_, judge)| judge.model.is_some())
            .collect()
    }

    /// The feature of a trace that is no request.
    pub(super) fn judging_feature(&self) -> Box<str> {
        if let Some(feature) = self.said.iter().find_map(|it| it.feature.clone()) {
            return feature;
        }
        let origins = self.spans.iter().map(|it| &it.origin).chain(self.said.iter().map(|it| &it.origin));
        let own = self.spans.iter().filter_map(|it| it.feature.as_ref()).min().map(|(_, name)| name.clone());
        own.or_else(|| origins.filter_map(|it| it.name()).next()).unwrap_or_else(|| "unknown".into())
    }

    /// The drill that made it, when all its spans say so: what a real request shares a trace with stays real. A verdict on a
    /// drill's request is no request; it counts only where there are no spans.
    pub(super) fn drill(&self) -> Option<Box<str>> {
        let of = |origin: &Origin| origin.fields.text(Field::Drill).filter(|mark| said::is_drill(mark));
        let spans = self.spans.iter().map(|it| &it.origin);
        let said = self.said.iter().filter(|_| self.spans.is_empty()).map(|it| &it.origin);
        let mut drills = spans.chain(said).map(|it| of(it));
        let first = drills.next()??;
        drills.all(|it| it.is_some()).then_some(first)
    }

    /// The response ids of its calls.
    pub(super) fn response_ids(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let calls = self.spans.iter().filter(|it| it.kind == Kind::Llm);
        calls.filter_map(|it| it.fields.get(Field::ResponseId)).map(Scalar::text)
    }

    pub(super) fn has_response(&self, response_id: &str) -> bool {
        self.response_ids().any(|it| it == response_id)
    }
}

impl Message {
    /// The message in a log record: in its body, or in its attributes.
    pub(super) fn of(
        event: Event,
        span: SpanId,
        at: UnixNanos,
        record: &LogRecord<'_>,
        origin: Arc<Origin>,
        content_bytes_max: usize,
    ) -> Self {
        let (is_output, role) = match event {
            Event::Input(role) => (false, role),
            _ => (true, message::Role::Assistant),
        };
        let body = of_value(record.body);
        let mut found = match &body {
            Some(json) if Json::new(json).is_object() => message::one(Json::new(json), role),
            Some(text) => message::Message { text: Some(text.clone()), ..message::Message::new(role) },
            None => message::Message::new(role),
        };
        if body.is_none() {
            for key in ["content", "gen_ai.prompt", "gen_ai.completion"] {
                if let Some(Scalar::Text(text)) = record.attributes().get(key).and_then(Scalar::of) {
                    found.push_text(text.into());
                }
            }
        }
        found.cut(content_bytes_max);
        Self { span, at, is_output, message: found.into_owned(), origin }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.message.bytes()
    }

    fn order(&self) -> (SpanId, UnixNanos, bool, Option<&str>, usize, usize) {
        let text = self.message.text.as_deref();
        (self.span, self.at, self.is_output, text, self.message.calls.len(), self.message.results.len())
    }
}

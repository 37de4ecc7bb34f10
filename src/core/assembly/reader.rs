//! Reads spans and log records into [`Record`]s: digests the content a span of its kind can hold, and keeps no
//! more of it than the content limit.

use std::borrow::Cow;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::bag::Bag;
use super::evaluation;
use super::failure;
use super::memo::Memo;
use super::record::{Content, Origin, Record};
use crate::core::dialect::{self, Event, Field, Normaliser, Scalar};
use crate::core::message::{self, Exchange, Json, Message, Role, ToolRequest, ToolResponse, cut, of_value};
use crate::core::request::{Document, TraceId};
use crate::core::said::components;
use crate::core::span::{Kind, List, LlmSpan};
use crate::core::time::UnixNanos;
use crate::otlp;

/// Documents kept of one retrieval.
const DOCUMENTS_MAX: usize = 256;
/// Tool calls, and tool results, kept of one model call.
const TOOLS_MAX: usize = 256;
/// Bytes kept of a name or an id.
const NAME_BYTES_MAX: usize = 256;

/// What reading a record needs beside the record.
pub(super) struct Reader<'r> {
    pub(super) normaliser: &'r Normaliser,
    pub(super) memo: &'r mut Memo,
    pub(super) content_bytes_max: usize,
}

impl Reader<'_> {
    /// What the resource says, read once for all its spans.
    pub(super) fn origin(&mut self, resource: &otlp::Resource<'_>) -> Arc<Origin> {
        let normaliser = self.normaliser;
        self.memo.origin(resource.attributes.as_bytes(), || {
            let said = normaliser.attributes(resource.attributes);
            Origin { feature: own_feature(&said), components: components(&said), fields: Bag::of(&said.fields) }
        })
    }

    /// Keeps a span.
    pub(super) fn record(&mut self, span: &LlmSpan<'_>, origin: Arc<Origin>) -> Record {
        let is_root = span.parent.is_none() || span.parent_is_remote;
        let named = is_root || matches!(span.kind, Kind::Tool | Kind::Evaluator);
        let mut record = Record {
            id: span.span_id,
            parent: span.parent,
            is_root,
            name: if named { cut(span.name, 256).into() } else { Box::default() },
            kind: span.kind,
            dialects: span.dialects,
            scope: FixedState::default().hash_one(span.scope),
            start: span.start,
            end: span.end,
            feature: own_feature(span),
            failure: None,
            first_token: None,
            link: None,
            fields: Bag::of(&span.fields),
            content: None,
            origin,
        };
        let mut content = Content::default();
        let mut events = Events::default();
        if let Some(otlp) = &span.otlp {
            self.events(otlp, &mut record, &mut content, &mut events);
            record.failure = failure::of(span, otlp, events.exception.take());
            if span.kind == Kind::Evaluator {
                record.link = only_link(otlp);
            }
        }
        self.content(span, events, &mut content);
        if span.kind == Kind::Evaluator && content.said.is_empty() {
            content.said.extend(record.failure.as_ref().and_then(|failure| evaluation::of_failure(span, failure)));
        }
        if content.says_something() {
            record.content = Some(Box::new(content));
        }
        record
    }

    /// Digests what a span of its kind can hold.
    fn content(&mut self, span: &LlmSpan<'_>, events: Events<'_>, content: &mut Content) {
        content.components = components(span);
        content.said.extend(evaluation::of_span(span));
        match span.kind {
            Kind::Llm => self.exchange(span, events, content),
            Kind::Retrieval | Kind::Reranker => {
                let found = documents(span).or(content.documents.take());
                content.documents = found.map(|documents| self.keep_documents(documents));
            }
            // It may stand for a call that has no span; see `Trace::promote_operations`.
            Kind::Chain if span.fields.has(Field::VercelOperation) && !span.fields.has(Field::FinishReason) => {
                self.exchange(span, events, content);
            }
            // Calls that failed may leave out what their agent was told.
            Kind::Agent => {
                if let Some(json) = of_value(span.fields.value(Field::SystemInstructions))
                    && let Some(text) = self.memo.instructions(&json)
                {
                    content.system = Some(self.memo.system(&text, self.content_bytes_max));
                }
                if let Some(json) = of_value(span.fields.value(Field::ToolDefinitions)) {
                    content.tools.push(self.memo.tools(&json, self.content_bytes_max));
                }
            }
            // A task around a vector store's client returns what the store found; the store's own span does not say.
            Kind::Chain if span.fields.has(Field::TraceloopKind) => {
                content.documents = returned_documents(span).map(|documents| self.keep_documents(documents));
            }
            Kind::Tool => {
                let text = |fields: [Field; 3]| fields.iter().find_map(|field| of_value(span.fields.value(*field)));
                let arguments = text([Field::ToolArguments, Field::Input, Field::InputMessages]);
                content.arguments = arguments.map(|it| self.keep(named_arguments(&it)));
                let result = text([Field::ToolResult, Field::Output, Field::OutputMessages]);
                content.result = result.map(|it| self.keep(&it));
            }
            _ => {}
        }
    }

    fn exchange(&mut self, span: &LlmSpan<'_>, events: Events<'_>, content: &mut Content) {
        let value = |field: Field| of_value(span.fields.value(field));
        let (instructions, input, output) =
            (value(Field::SystemInstructions), value(Field::InputMessages), value(Field::OutputMessages));
        let (whole_input, whole_output) = (value(Field::Input), value(Field::Output));
        let mut inputs = message::indexed_messages(&span.listed, List::Input);
        if inputs.is_empty() {
            inputs = input.as_ref().or(whole_input.as_ref()).map_or(events.inputs, |it| message::input(Json::new(it)));
        }
        let mut outputs = message::indexed_messages(&span.listed, List::Output);
        if outputs.is_empty() {
            outputs = output.as_ref().map_or(events.outputs, |it| message::output(Json::new(it)));
        }
        let (text, calls) = (value(Field::OutputText), value(Field::OutputToolCalls));
        if outputs.is_empty() && (text.is_some() || calls.is_some()) {
            outputs.push(message::answer(text.as_deref(), calls.as_deref()));
        }
        // Flattened messages leave out refusals, the whole response has them.
        if outputs.iter().all(|it| it.text.is_none() && it.calls.is_empty())
            && let Some(whole) = &whole_output
        {
            let found = message::output(Json::new(whole));
            if outputs.is_empty() || found.iter().any(|it| it.refusal) {
                outputs = found;
            }
        }
        // Vercel leaves out an answer that says nothing.
        if outputs.is_empty() && !inputs.is_empty() && span.fields.has(Field::VercelOperation) {
            outputs.extend(span.fields.has(Field::FinishReason).then(|| Message::new(Role::Assistant)));
        }
        let instructions = instructions.and_then(|json| self.memo.instructions(&json));
        let instructions = instructions.as_deref().map(Cow::Borrowed);
        self.keep_exchange(Exchange::of(instructions, inputs, outputs), content);
        for item in message::grouped(&span.listed, List::Tools) {
            content.tools.push(self.memo.tools(&definition(&item), self.content_bytes_max));
        }
        if let Some(json) = value(Field::ToolDefinitions) {
            content.tools.push(self.memo.tools(&json, self.content_bytes_max));
        }
        // Whole requests define them, and Langfuse's callback for LangChain among the messages; others have them apart.
        let whole = input.as_ref().or(whole_input.as_ref());
        let may_define = |it: &&Cow<'_, str>| it.starts_with('{') || span.fields.has(Field::LangfuseKind);
        if content.tools.is_empty()
            && let Some(whole) = whole.filter(may_define)
        {
            for json in message::definitions(Json::new(whole)) {
                content.tools.push(self.memo.tools(json.raw(), self.content_bytes_max));
            }
        }
    }

    /// Keeps a digested exchange, cut at the content limit.
    pub(super) fn keep_exchange(&mut self, exchange: Exchange<'_>, content: &mut Content) {
        content.system = exchange.system.map(|text| self.memo.system(&text, self.content_bytes_max));
        content.query = exchange.query.map(|text| self.keep(&text));
        content.answer = exchange.answer.map(|text| self.keep(&text));
        content.finish = exchange.finish.map(|text| cut(&text, 64).into());
        (content.refusal, content.silent) = (exchange.refusal, exchange.silent);
        content.requested = exchange.requested.into_iter().take(TOOLS_MAX).map(|it| self.keep_request(it)).collect();
        let mut left = TOOLS_MAX;
        for turn in exchange.asked_before {
            let kept: Vec<_> = turn.into_iter().take(left).map(named).collect();
            left -= kept.len();
            content.asked_before.extend(Some(kept).filter(|turn| !turn.is_empty()));
        }
        content.results = exchange.results.into_iter().take(TOOLS_MAX).map(|it| self.keep_response(it)).collect();
    }

    fn keep(&self, text: &str) -> Box<str> {
        cut(text, self.content_bytes_max).into()
    }

    /// Of all documents of a retrieval together no more than the content limit.
    fn keep_documents(&self, mut documents: Vec<Document>) -> Vec<Document> {
        let mut left = self.content_bytes_max;
        documents.truncate(DOCUMENTS_MAX);
        for document in &mut documents {
            document.id = document.id.take().map(|id| shortened(id, NAME_BYTES_MAX));
            document.content = document.content.take().filter(|_| left > 0).map(|text| shortened(text, left));
            left -= document.content.as_ref().map_or(0, |text| text.len());
        }
        documents
    }

    fn keep_request(&self, mut request: ToolRequest<'_>) -> ToolRequest<'static> {
        request.arguments = request.arguments.map(|text| self.keep(&text).into_string().into());
        named(request)
    }

    fn keep_response(&self, mut response: ToolResponse<'_>) -> ToolResponse<'static> {
        response.text = self.keep(&response.text).into_string().into();
        response.id = cut(&response.id, NAME_BYTES_MAX).to_owned().into();
        response.into_owned()
    }

    fn events<'a>(&mut self, span: &otlp::Span<'a>, record: &mut Record, content: &mut Content, into: &mut Events<'a>) {
        for event in span.events() {
            match self.normaliser.event(event.name) {
                None | Some(Event::Details) => {}
                Some(Event::Exception) => into.exception = into.exception.take().or(Some(event)),
                Some(Event::FirstToken) => {
                    let at = UnixNanos(event.time_unix_nano);
                    record.first_token = Some(record.first_token.map_or(at, |first| first.min(at)));
                }
                Some(Event::Input(role)) => into.inputs.push(spoken(event.attributes(), role, "gen_ai.prompt")),
                Some(Event::Output) => {
                    into.outputs.push(spoken(event.attributes(), Role::Assistant, "gen_ai.completion"));
                }
                Some(Event::Evaluation) => {
                    content.said.extend(evaluation::of_fields(&self.normaliser.attributes(event.attributes())));
                }
                Some(Event::Prompt | Event::Call | Event::Attempt | Event::Streamed | Event::Tool) => {}
                Some(Event::Document) => content.documents.get_or_insert_default().push(document(event.attributes())),
            }
        }
        into.inputs.sort_by_key(|message| message.role != Role::System);
    }
}

/// A request with its name and id cut at the limit.
fn named(mut request: ToolRequest<'_>) -> ToolRequest<'static> {
    for text in [&mut request.id, &mut request.name].into_iter().filter(|text| text.len() > NAME_BYTES_MAX) {
        *text = Cow::Owned(cut(text, NAME_BYTES_MAX).to_owned());
    }
    request.into_owned()
}

fn shortened(text: Box<str>, max: usize) -> Box<str> {
    if text.len() > max { cut(&text, max).into() } else { text }
}

/// What span events add to a span.
#[derive(Default)]
struct Events<'a> {
    exception: Option<otlp::Event<'a>>,
    inputs: Vec<Message<'a>>,
    outputs: Vec<Message<'a>>,
}

/// The arguments of a decorated function that was called by name only: `{"args": [], "kwargs": {..}}`.
fn named_arguments(json: &str) -> &str {
    let entries = if json.starts_with("{\"args\"") { Json::new(json).entries() } else { Vec::new() };
    match entries.as_slice() {
        [(_, args), (kwargs, named)] if kwargs == "kwargs" && args.items().is_empty() => named.raw(),
        _ => json,
    }
}

/// A message sent as an event's attributes.
fn spoken<'a>(attributes: otlp::Attributes<'a>, role: Role, key: &str) -> Message<'a> {
    let mut message = Message::new(role);
    for (found, value) in attributes {
        let Some(Scalar::Text(text)) = Scalar::of(value) else { continue };
        match found {
            b"role" | b"gen_ai.message.role" => message.role = Role::of(text),
            b"finish_reason" => message.finish = Some(text.into()),
            b"content" | b"message.content" => message.push_text(text.into()),
            found if found == key.as_bytes() => message.push_text(text.into()),
            _ => {}
        }
    }
    message
}

fn own_feature(span: &LlmSpan<'_>) -> Option<(u8, Box<str>)> {
    span.feature.map(|(rank, name)| (rank, cut(name, 256).into()))
}

/// One tool definition from indexed attributes: as JSON, or as name, description and parameters.
fn definition(item: &[(&str, otlp::Value<'_>)]) -> String {
    let mut parts = serde_json::Map::new();
    for (path, value) in item {
        let Some(text) = of_value(*value) else { continue };
        match path.rsplit('.').next().unwrap_or(path) {
            "json_schema" => return text.into_owned(),
            key @ ("name" | "description" | "parameters") => {
                parts.insert(key.to_owned(), text.into_owned().into());
            }
            _ => {}
        }
    }
    serde_json::Value::Object(parts).to_string()
}

fn documents(span: &LlmSpan<'_>) -> Option<Vec<Document>> {
    let values =
        [Field::Documents, Field::Output, Field::OutputMessages].into_iter().map(|field| span.fields.value(field));
    let mut whole = values.filter_map(of_value).find_map(|json| message::documents(Json::new(&json)));
    let mut found = match (message::indexed_documents(&span.listed), whole.take()) {
        // Some instrumentations flatten only part of each document; the whole output has the rest.
        (Some(mut listed), Some(whole)) if listed.len() == whole.len() => {
            listed.iter_mut().zip(whole).for_each(|(document, whole)| fill(document, whole));
            listed
        }
        (listed, whole) => listed.or(whole)?,
    };
    found.truncate(DOCUMENTS_MAX);
    Some(found)
}

fn fill(document: &mut Document, from: Document) {
    document.id = document.id.take().or(from.id);
    document.score = document.score.or(from.score);
    document.content = document.content.take().or(from.content);
    document.updated_at = document.updated_at.or(from.updated_at);
}

/// The documents a function returned, if that is what it returned.
fn returned_documents(span: &LlmSpan<'_>) -> Option<Vec<Document>> {
    let output = span.text(Field::Output).filter(|text| text.starts_with("[{"))?;
    let found = message::documents(Json::new(output))?;
    let one =
        |it: &Document| it.content.is_some() && (it.id.is_some() || it.score.is_some() || it.updated_at.is_some());
    (!found.is_empty() && found.len() <= DOCUMENTS_MAX && found.iter().all(one)).then_some(found)
}

/// One document of a vector store's span event.
fn document(attributes: otlp::Attributes<'_>) -> Document {
    let mut document = Document::default();
    for (key, value) in attributes {
        let Some(scalar) = Scalar::of(value) else { continue };
        match key.rsplit(|byte| *byte == b'.').next() {
            Some(b"id") => document.id = Some(scalar.text().into()),
            Some(b"score") => document.score = scalar.f64(),
            Some(b"document") => document.content = Some(scalar.text().into()),
            _ => {}
        }
    }
    document
}

fn only_link(span: &otlp::Span<'_>) -> Option<TraceId> {
    let mut links = span.links();
    match (links.next(), links.next()) {
        (Some(link), None) => dialect::trace_id(link.trace_id),
        _ => None,
    }
}

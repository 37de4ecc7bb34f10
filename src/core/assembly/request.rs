//! A settled trace as one request.

use std::sync::Arc;

use super::calls::{self, Call};
use super::closed::Recent;
use super::evaluation::Said;
use super::failure::{failure, is_policy_block};
use super::record::Record;
use super::shape::Shape;
use super::trace::Trace;
use super::{retrievals, tools, untold};
use crate::core::dialect::{Field, Normaliser, Scalar};
use crate::core::request::{Evaluation, Failure, FinishReason, ModelCall, Outcome, Prompt, Request, TraceId, Traffic};
use crate::core::span::{Dialects, Kind};
use crate::core::time::UnixNanos;

/// The request a settled trace tells of, and what its model asked for last if that is still to come.
pub(super) fn build(trace_id: TraceId, trace: Trace, recent: &Recent) -> (Request, Option<Arc<[tools::Turn]>>) {
    let drill = trace.drill();
    let view = View::of(&trace.spans);
    let shape = Shape::of(&trace.spans);
    let calls = calls::of(&trace.spans, &shape);
    let before = tools::asked_before(&calls, |id| recent.asked(id));
    let (tools, tool_path) = tools::of(&trace.spans, &shape, &calls, &before);
    let pending = tools::pending(&calls, &before);
    let models: Vec<ModelCall> =
        calls.iter().map(|call| call.model_call(|field| view.text(&call.record, field))).collect();
    let (outcome, error) = outcome(view.root, &calls, &models);
    let mut retrievals =
        retrievals::of(&trace.spans, &shape, view.started_at, |record, field| view.find(record, field));
    let tellers = calls.iter().map(|call| &*call.record).chain(view.root);
    if retrievals.is_empty() {
        retrievals.extend(untold::retrieval(view.started_at, tellers.clone()));
    }
    let tools_offered = tools::offered(&trace.spans, &calls);
    let prompt = prompt(&view, &calls);
    let query = |it: &Record| it.content.as_ref()?.query.clone();
    let asked = || trace.spans.iter().filter(|it| it.kind == Kind::Other).find_map(query);
    let user_query = calls.first().and_then(|it| query(&it.record)).or_else(asked);
    let response = calls.last().and_then(|it| it.record.content.as_ref()?.answer.clone());
    let response_id = || models.iter().rev().find_map(|it| it.response_id.clone());
    let mut request = Request {
        trace_id,
        feature: view.feature(),
        session_id: view.any(Field::SessionId),
        user_id: view.any(Field::UserId),
        request_id: view.any(Field::RequestId).or_else(response_id),
        started_at: view.started_at,
        ended_at: view.ended_at,
        latency: view.root.map_or(view.ended_at.since(view.started_at), |root| root.end.since(root.start)),
        operation: calls.first().map(operation),
        outcome,
        finish_reason: models.last().and_then(|it| it.finish_reason),
        error,
        prompt,
        user_query,
        response,
        calls: models,
        retrievals,
        tools,
        tools_offered,
        tools_version: untold::tools_version(tellers.clone()),
        tool_path,
        evaluations: Vec::new(),
        feedback: None,
        traffic: Traffic::default(),
        drill,
        dialects: Normaliser::names(trace.spans.iter().fold(Dialects::default(), |all, it| all.and(it.dialects))),
        spans: trace.told_by,
    };
    request.traffic = traffic(&view, &request);
    hear(&trace, &mut request, recent);
    untold::judge(tellers, &mut request.evaluations);
    (request, pending)
}

/// The records with what holds for all of them.
struct View<'a> {
    spans: &'a [Record],
    /// The record without a parent, else the first whose parent is in another process.
    root: Option<&'a Record>,
    started_at: UnixNanos,
    ended_at: UnixNanos,
}

impl<'a> View<'a> {
    fn of(spans: &'a [Record]) -> Self {
        let roots = || spans.iter().filter(|it| it.is_root);
        // Several calls without a parent are one request, and none of them its root.
        let mut whole = roots().filter(|it| it.parent.is_none());
        let root = match (whole.next(), whole.next()) {
            (Some(root), None) => Some(root),
            (Some(_), Some(_)) => None,
            (None, _) => roots().next(),
        };
        let starts = spans.iter().map(|it| it.start).filter(|at| at.0 != 0);
        Self {
            spans,
            root,
            started_at: starts.min().unwrap_or_default(),
            ended_at: spans.iter().map(|it| it.end).max().unwrap_or_default(),
        }
    }

    /// A field of the record, else what the root or the resource says for all.
    fn find(&self, record: &'a Record, field: Field) -> Option<Scalar<'a>> {
        let of_root = || self.root?.fields.get(field);
        record.fields.get(field).or_else(of_root).or_else(|| record.origin.fields.get(field))
    }

    fn text(&self, record: &Record, field: Field) -> Option<Box<str>> {
        let root = || self.root?.fields.text(field);
        record.fields.text(field).or_else(root).or_else(|| record.origin.fields.text(field))
    }

    /// A field that is about the request, wherever it is said: root, others in order, resource.
    fn any(&self, field: Field) -> Option<Box<str>> {
        let origins = || self.spans.iter().find_map(|it| it.origin.fields.text(field));
        self.root.into_iter().chain(self.spans).find_map(|it| it.fields.text(field)).or_else(origins)
    }

    /// By the first feature key anyone carries, on the root before the others; then the root's name, unless the
    /// root is a model call, whose name tells the model; then the service.
    fn feature(&self) -> Box<str> {
        let spans = self.root.into_iter().chain(self.spans);
        let on_spans = spans.filter_map(|it| it.feature.as_ref()).min_by_key(|(rank, _)| *rank);
        let on_origins = self.spans.iter().filter_map(|it| it.origin.feature.as_ref()).min_by_key(|(rank, _)| *rank);
        let named = match (on_spans, on_origins) {
            (Some(a), Some(b)) if b.0 < a.0 => Some(b),
            (a, b) => a.or(b),
        };
        let is_call = |root: &&Record| matches!(root.kind, Kind::Llm | Kind::Embedding);
        named
            .map(|(_, name)| name.clone())
            .or_else(|| self.root.filter(|it| !is_call(it) && !it.name.is_empty()).map(|root| root.name.clone()))
            .or_else(|| self.any(Field::Service))
            .unwrap_or_else(|| "unknown".into())
    }
}

fn operation(call: &Call<'_>) -> Box<str> {
    let fields = &call.record.fields;
    match fields.text(Field::Operation).or_else(|| fields.text(Field::RequestType)).as_deref() {
        Some("completion") => "text_completion".into(),
        Some(told) => told.into(),
        None => "chat".into(),
    }
}

/// The last call decides, since it made the answer; before it, only a refusal or a block that nothing made good.
fn outcome(root: Option<&Record>, calls: &[Call<'_>], models: &[ModelCall]) -> (Outcome, Option<Failure>) {
    let verdicts: Vec<Outcome> = calls.iter().zip(models).map(|(call, model)| outcome_of(call, model)).collect();
    let failure_of = |at: usize| models[at].error.clone().or_else(|| cut_stream(&models[at]));
    if let Some(last) = verdicts.len().checked_sub(1)
        && verdicts[last] != Outcome::Ok
    {
        return (verdicts[last], failure_of(last));
    }
    if let Some(found) = root.and_then(|root| root.failure.clone()) {
        let outcome = if is_policy_block(&found) { Outcome::Blocked } else { Outcome::Error };
        return (outcome, Some(found));
    }
    let query = |at: usize| calls[at].record.content.as_ref().and_then(|content| content.query.as_deref());
    let lost = (0..verdicts.len()).find(|at| {
        let made_good = || ((at + 1)..verdicts.len()).any(|later| query(later) == query(*at));
        matches!(verdicts[*at], Outcome::Refused | Outcome::Blocked) && query(*at).is_some() && !made_good()
    });
    lost.map_or((Outcome::Ok, None), |at| (verdicts[at], failure_of(at)))
}

fn outcome_of(call: &Call<'_>, model: &ModelCall) -> Outcome {
    let fields = &call.record.fields;
    let content = call.record.content.as_ref();
    let told = fields.get(Field::Refusal).and_then(Scalar::bool);
    let blocked = fields.get(Field::BlockCategory).is_some() || fields.get(Field::BlockSource).is_some();
    if let Some(failure) = &model.error {
        return if blocked || is_policy_block(failure) { Outcome::Blocked } else { Outcome::Error };
    }
    if blocked || model.finish_reason == Some(FinishReason::ContentFilter) {
        return Outcome::Blocked;
    }
    // An answer of nothing is how a refusal looks to instrumentations that do not know its field.
    let suspected = content.is_some_and(|it| it.silent)
        && model.output_tokens.is_none_or(|tokens| tokens <= 1)
        && matches!(model.finish_reason, None | Some(FinishReason::Stop));
    let refused = told == Some(true) || model.finish_reason == Some(FinishReason::Refusal);
    if refused || content.is_some_and(|it| it.refusal) || (suspected && told != Some(false)) {
        return Outcome::Refused;
    }
    if model.finish_reason == Some(FinishReason::Error) { Outcome::Error } else { Outcome::Ok }
}

/// A stream that ended early without an error of its own: given up by the reader, or cut.
fn cut_stream(model: &ModelCall) -> Option<Failure> {
    (model.finish_reason == Some(FinishReason::Error)).then(|| failure("stream_cut", "", None))
}

fn prompt(view: &View<'_>, calls: &[Call<'_>]) -> Prompt {
    // What embeddings, retrievals and tools carry is context that spread over them.
    let callers = view.spans.iter().filter(|it| matches!(it.kind, Kind::Agent | Kind::Chain | Kind::Other));
    let tellers: Vec<&Record> = calls.iter().map(|call| &*call.record).chain(view.root).chain(callers).collect();
    let origin = || view.spans.first().map(|it| &it.origin);
    let text = |field: Field| {
        let told = tellers.iter().find_map(|it| it.fields.text(field));
        told.or_else(|| origin()?.fields.text(field))
    };
    let components = tellers.iter().filter_map(|it| Some(&it.content.as_ref()?.components)).find(|it| !it.is_empty());
    let agents = view.spans.iter().filter(|it| it.kind == Kind::Agent);
    let system = calls.iter().map(|call| &*call.record).chain(agents);
    let system = system.filter_map(|it| it.content.as_ref()?.system.clone()).next();
    Prompt {
        name: text(Field::PromptName),
        version: text(Field::PromptVersion),
        expected: None,
        components: components.or_else(|| Some(&origin()?.components)).cloned().unwrap_or_default(),
        sha256: system.as_ref().map(|it| it.sha256),
        system: system.map(|it| it.text.clone()),
    }
}

fn traffic(view: &View<'_>, request: &Request) -> Traffic {
    Traffic {
        class: view.any(Field::RequestClass).or_else(|| class(request)),
        region: view.any(Field::Region),
        tier: view.any(Field::Tier),
        language: view.any(Field::Language),
    }
}

/// A class of low cardinality from what a request did: `chat+rag+tools/long`.
fn class(request: &Request) -> Option<Box<str>> {
    let mut class = request.operation.as_deref()?.to_owned();
    if !request.retrievals.is_empty() {
        class.push_str("+rag");
    }
    if !request.tools_offered.is_empty() || !request.tools.is_empty() {
        class.push_str("+tools");
    }
    if request.calls.iter().any(|call| call.streaming == Some(true)) {
        class.push_str("+stream");
    }
    match request.calls.first().and_then(|call| call.input_tokens) {
        Some(0..1_000) => class.push_str("/short"),
        Some(1_000..8_000) => class.push_str("/medium"),
        Some(_) => class.push_str("/long"),
        None => {}
    }
    Some(class.into())
}

/// Adds what judges and users said, in order of time.
fn hear(trace: &Trace, request: &mut Request, recent: &Recent) {
    let mut said: Vec<(UnixNanos, Said)> = trace.judgements().into_iter().map(|(_, it)| (it.at, it.said)).collect();
    said.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| format!("{:?}", a.1).cmp(&format!("{:?}", b.1))));
    for (_, said) in said {
        match said {
            Said::Judged(evaluation) => {
                let mut evaluation = *evaluation;
                recent.complete_judge(&evaluation.metric, &mut evaluation.judge);
                // An evaluator's failure is told by its span and by its event.
                let again = |it: &Evaluation| {
                    *it == evaluation
                        || (it.metric == evaluation.metric && it.error.is_some() && evaluation.error.is_some())
                };
                if !request.evaluations.iter().any(again) {
                    request.evaluations.push(evaluation);
                }
            }
            Said::Felt(feedback) => request.feedback = Some(feedback),
        }
    }
}

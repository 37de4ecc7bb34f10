//! Model calls: each counted once, however many spans tell of it.
//!
//! Two spans are one call when they have one response id; when one lies inside the other (one instrumentation
//! above another); or when two instrumentations made them side by side. The innermost is closest to the provider
//! and speaks first, the others fill what it leaves out. Attempts that failed before one that worked are retries.

use std::borrow::Cow;
use std::time::Duration;

use super::failure::{finish_reason, is_transient};
use super::moments;
use super::record::Record;
use super::shape::{Shape, same_response};
use crate::core::dialect::{Field, Normaliser, Scalar};
use crate::core::request::{FinishReason, ModelCall};
use crate::core::span::{Kind, SpanId};
use crate::core::time::UnixNanos;

/// Clocks of two instrumentations in one process differ by less than this (milliseconds in JavaScript).
const SLACK: Duration = Duration::from_millis(2);
/// Neighbours in time among which duplicates are looked for.
const NEIGHBOURS: usize = 8;

/// One call: the record that tells of it, all that was known of it filled in, and its retries.
#[derive(Clone, Debug)]
pub(super) struct Call<'a> {
    pub(super) record: Cow<'a, Record>,
    /// Start of the first attempt.
    pub(super) started_at: UnixNanos,
    pub(super) retries: u32,
    parent: Option<SpanId>,
}

/// The calls of a settled trace, judges' left out, in order of start.
pub(super) fn of<'a>(spans: &'a [Record], shape: &Shape) -> Vec<Call<'a>> {
    let places: Vec<usize> =
        (0..spans.len()).filter(|at| spans[*at].kind == Kind::Llm && !shape.is_judged(*at)).collect();
    let mut groups = Groups::of(spans.len());
    let mut wrappers = Vec::new();
    if places.len() > 1 {
        join_responses(spans, shape, &places, &mut groups);
        join_siblings(spans, &places, &mut groups);
        wrappers = join_nested(spans, shape, &places, &mut groups);
    }
    let mut members: Vec<(usize, usize)> =
        places.iter().filter(|at| !wrappers.contains(at)).map(|at| (groups.root(*at), *at)).collect();
    members.sort_unstable();
    let groups = members.chunk_by(|a, b| a.0 == b.0);
    let mut calls: Vec<Call<'a>> = groups.map(|group| merged(spans, shape, group)).collect();
    calls.sort_by_key(|call| (call.started_at, call.record.id));
    fold_retries(calls)
}

/// Sets of places, joined pairwise (union-find).
struct Groups(Vec<usize>);

impl Groups {
    fn of(len: usize) -> Self {
        Self((0..len).collect())
    }

    fn root(&self, at: usize) -> usize {
        std::iter::successors(Some(at), |at| Some(self.0[*at]).filter(|next| next != at)).last().unwrap_or(at)
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b)] = a.min(b);
    }

    /// Whether two sets tell of one call when put together: no two spans of one instrumentation, no two response ids.
    fn fit(&self, spans: &[Record], places: &[usize], a: usize, b: usize) -> bool {
        let of = |root: usize| places.iter().filter(move |at| self.root(**at) == root).map(|at| &spans[*at]);
        let (a, b) = (self.root(a), self.root(b));
        a != b && of(a).all(|a| of(b).all(|b| a.scope != b.scope && same_response(a, b) != Some(false)))
    }
}

/// One response id is one call, unless one instrumentation tells of it twice in a row: servers give fixed ids, and
/// caches old ones.
fn join_responses(spans: &[Record], shape: &Shape, places: &[usize], groups: &mut Groups) {
    let mut ids: Vec<(Box<str>, usize)> =
        places.iter().filter_map(|at| Some((spans[*at].fields.text(Field::ResponseId)?, *at))).collect();
    ids.sort_unstable();
    for same in ids.chunk_by(|a, b| a.0 == b.0) {
        for (n, (_, a)) in same.iter().enumerate() {
            for (_, b) in same.iter().skip(n + 1).take(NEIGHBOURS) {
                let nested = || shape.ancestors(*b).any(|it| it == *a) || shape.ancestors(*a).any(|it| it == *b);
                if spans[*a].scope != spans[*b].scope || overlaps(spans, *a, *b) || nested() {
                    groups.join(*a, *b);
                }
            }
        }
    }
}

/// Two instrumentations side by side: one parent, two scopes, one within the other in time. Each span has one partner.
fn join_siblings(spans: &[Record], places: &[usize], groups: &mut Groups) {
    for (n, at) in places.iter().enumerate() {
        for other in places.iter().skip(n + 1).take(NEIGHBOURS) {
            let (a, b) = (&spans[*at], &spans[*other]);
            let apart =
                a.parent.is_none() || a.parent != b.parent || a.scope == b.scope || a.scope == 0 || b.scope == 0;
            let within = contains(a, b) || contains(b, a);
            if !apart && within && may_be_one(a, b) && groups.fit(spans, places, *at, *other) {
                groups.join(*at, *other);
            }
        }
    }
}

/// One instrumentation above another. A span with several calls inside that worked is no call itself but a
/// wrapper; one with attempts inside, of which only the last worked or none, is the call they were made for.
fn join_nested(spans: &[Record], shape: &Shape, places: &[usize], groups: &mut Groups) -> Vec<usize> {
    let mut nested: Vec<(usize, usize)> = places
        .iter()
        .filter_map(|at| Some((shape.caller(spans, *at)?, *at)))
        .filter(|(outer, inner)| contains(&spans[*outer], &spans[*inner]) && may_be_one(&spans[*outer], &spans[*inner]))
        .collect();
    nested.sort_unstable();
    let mut wrappers = Vec::new();
    for inner in nested.chunk_by(|a, b| a.0 == b.0) {
        let mut roots: Vec<usize> = inner.iter().map(|(_, at)| groups.root(*at)).collect();
        roots.sort_unstable();
        roots.dedup();
        let worked = roots.iter().filter(|at| spans[**at].failure.is_none()).count();
        let outer = inner[0].0;
        if roots.len() > 1 && worked > 1 {
            wrappers.push(outer);
        } else {
            inner.iter().for_each(|(outer, inner)| groups.join(*outer, *inner));
        }
    }
    wrappers
}

fn contains(outer: &Record, inner: &Record) -> bool {
    outer.start <= inner.start.plus(SLACK) && inner.end <= outer.end.plus(SLACK)
}

/// Nothing speaks against two records being one call: neither response id, nor token counts, nor model. Equal counts
/// speak for it where a deployment's name hides the model.
fn may_be_one(a: &Record, b: &Record) -> bool {
    let equal = |field: Field| {
        let count = |it: &Record| it.fields.get(field).and_then(Scalar::u64);
        Some(count(a)? == count(b)?)
    };
    let counts = [equal(Field::InputTokens), equal(Field::OutputTokens)];
    if same_response(a, b) == Some(false) || counts == [Some(false); 2] {
        return false;
    }
    let models = |it: &Record| [it.fields.text(Field::ModelRequested), it.fields.text(Field::ModelServed)];
    let (mine, theirs) = (models(a), models(b));
    let known = mine.iter().any(Option::is_some) && theirs.iter().any(Option::is_some);
    let same = mine.iter().flatten().any(|a| theirs.iter().flatten().any(|b| same_model(a, b)));
    same || !known || counts == [Some(true); 2]
}

/// `openai/gpt-4o`, `gpt-4o` and `gpt-4o-2024-08-06` are one model, and so are `us.anthropic.claude-x-v2:0` and
/// `claude-x`; `gpt-4o-mini` is another.
fn same_model(a: &str, b: &str) -> bool {
    let name = |model: &'_ str| -> String {
        let model = model.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        let vendor = ["anthropic.", "meta.", "amazon.", "mistral.", "cohere.", "openai."];
        let at = vendor.iter().find_map(|it| model.find(it).map(|at| at + it.len()));
        model[at.unwrap_or_default()..].to_owned()
    };
    let (a, b) = (name(a), name(b));
    let is_version = |rest: &str| {
        let rest = rest.strip_prefix(['-', '@', ':']);
        rest.is_some_and(|it| it.strip_prefix('v').unwrap_or(it).starts_with(|it: char| it.is_ascii_digit()))
    };
    let dated =
        |long: &str, short: &str| long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || is_version(rest));
    !a.is_empty() && !b.is_empty() && (dated(&a, &b) || dated(&b, &a))
}

/// The records of one call as one. Attempts inside an outer span count as retries.
fn merged<'a>(spans: &'a [Record], shape: &Shape, group: &[(usize, usize)]) -> Call<'a> {
    let is_attempt = |at: usize| spans[at].failure.is_some();
    let depth = |at: usize| shape.ancestors(at).filter(|it| spans[*it].kind == Kind::Llm).count();
    let mut places: Vec<usize> = group.iter().map(|(_, at)| *at).collect();
    // The attempt that worked, else the last, among the innermost.
    places.sort_by_key(|at| {
        let it = &spans[*at];
        (std::cmp::Reverse(depth(*at)), is_attempt(*at), std::cmp::Reverse(it.start), it.end.since(it.start), it.id)
    });
    let mut record = Cow::Borrowed(&spans[places[0]]);
    if places.len() > 1 {
        let filled = record.to_mut();
        let worked = filled.failure.is_none();
        places[1..].iter().for_each(|at| filled.fill(&spans[*at]));
        if worked {
            filled.failure = None;
        }
    }
    let innermost = depth(places[0]);
    let attempts = places[1..].iter().filter(|at| depth(**at) == innermost && !overlaps(spans, **at, places[0]));
    let (retries, started_at) = attempts
        .fold((0, record.start), |(count, start): (u32, UnixNanos), at| (count + 1, start.min(spans[*at].start)));
    let retries = retries.max(resent(spans, shape, &places));
    let outermost = places.iter().min_by_key(|at| (depth(**at), **at)).map_or(places[0], |at| *at);
    Call { started_at, retries, parent: spans[outermost].parent, record }
}

/// Attempts that the HTTP client's own spans below a call tell of: those that failed, but for the one that stands for
/// the call's own failure.
fn resent(spans: &[Record], shape: &Shape, places: &[usize]) -> u32 {
    let failed = |it: &Record| {
        let code = it.fields.get(Field::StatusCode).and_then(Scalar::u64);
        it.failure.is_some() || code.is_some_and(|code| matches!(code, 408 | 409 | 429 | 500..=599))
    };
    let requests = |at: &usize| spans[*at].kind == Kind::Other && spans[*at].fields.get(Field::HttpMethod).is_some();
    let below = |at: &usize| shape.nearest(spans, *at, Kind::Llm).is_some_and(|call| places.contains(&call));
    let count = (0..spans.len()).filter(requests).filter(below).filter(|at| failed(&spans[*at])).count();
    let own = usize::from(places.first().is_some_and(|at| spans[*at].failure.is_some()));
    u32::try_from(count.saturating_sub(own)).unwrap_or(u32::MAX)
}

fn overlaps(spans: &[Record], a: usize, b: usize) -> bool {
    a == b || contains(&spans[a], &spans[b]) || contains(&spans[b], &spans[a]) || {
        spans[a].start < spans[b].end && spans[b].start < spans[a].end
    }
}

/// Folds attempts that failed for a passing reason into the one after them: same parent, same model, and the same
/// question as far as it is known. One that failed as well must be known to have been asked the same.
fn fold_retries(calls: Vec<Call<'_>>) -> Vec<Call<'_>> {
    let mut folded: Vec<Call<'_>> = Vec::with_capacity(calls.len());
    for mut call in calls {
        // Others may run beside it.
        let last = |folded: &[Call<'_>], call: &Call<'_>| {
            let beside = |before: &Call<'_>| before.parent == call.parent && model(before) == model(call);
            folded.iter().rposition(beside).filter(|at| is_retry(&folded[*at], call))
        };
        while let Some(before) = last(&folded, &call).map(|at| folded.remove(at)) {
            call.started_at = before.started_at;
            call.retries += 1 + before.retries;
        }
        folded.push(call);
    }
    folded.sort_by_key(|call| (call.started_at, call.record.id));
    folded
}

fn is_retry(before: &Call<'_>, call: &Call<'_>) -> bool {
    let query = |it: &Call<'_>| it.record.content.as_ref().and_then(|content| content.query.clone());
    let same_query = match (query(before), query(call)) {
        (Some(a), Some(b)) => a == b,
        _ => call.record.failure.is_none(),
    };
    let before_it = before.record.end <= call.record.start.plus(SLACK);
    let passing = before.record.failure.as_ref().is_some_and(is_transient);
    passing && before_it && same_query
}

fn model(call: &Call<'_>) -> Option<Box<str>> {
    call.record.fields.text(Field::ModelRequested)
}

impl Call<'_> {
    /// When it ended.
    pub(super) fn ended_at(&self) -> UnixNanos {
        self.record.end
    }

    /// Why the model stopped. A stream that ended without a reason was cut.
    pub(super) fn finish_reason(&self) -> Option<FinishReason> {
        let content = self.record.content.as_ref();
        let streams = self.streaming() == Some(true);
        let cut = || content.and_then(|it| it.finish.as_deref()).filter(|it| it.is_empty() && streams);
        let told = self.record.fields.get(Field::FinishReason).and_then(|it| finish_reason(&it.text()));
        told.or_else(|| finish_reason(content?.finish.as_deref()?)).or_else(|| cut().map(|_| FinishReason::Error))
    }

    /// Whether it asked for tools, or may have: its answer was not captured.
    pub(super) fn may_ask_for_tools(&self) -> bool {
        self.finish_reason() == Some(FinishReason::ToolCalls)
            || self.record.content.as_ref().is_none_or(|content| {
                !content.requested.is_empty() || (content.answer.is_none() && !content.silent && !content.refusal)
            })
    }

    fn streaming(&self) -> Option<bool> {
        let fields = &self.record.fields;
        let told = fields.get(Field::Streaming).and_then(Scalar::bool);
        let streamed = self.record.first_token.is_some() || fields.get(Field::FirstTokenAt).is_some();
        (streamed || moments::is_moment(fields)).then_some(true).or(told)
    }

    /// From the start to the first token. One source is set even where nothing streams.
    fn time_to_first_token(&self) -> Option<Duration> {
        let get = |field: Field, unit: f64| self.record.fields.get(field)?.duration(unit);
        let event = self.record.first_token.filter(|at| *at >= self.record.start).map(|at| at.since(self.record.start));
        let at = self.record.fields.get(Field::FirstTokenAt).and_then(Scalar::time);
        let moment = at.filter(|at| *at >= self.record.start).map(|at| at.since(self.record.start));
        let told = get(Field::FirstToken, 1.0).or_else(|| get(Field::FirstTokenMillis, 0.001));
        let reliable = told.or(moment).or(event);
        let streams = || self.streaming() == Some(true);
        let found = reliable.or_else(|| get(Field::FirstTokenAlways, 1.0).filter(|_| streams()))?;
        let waited = self.record.start.since(self.started_at);
        (found <= self.record.end.since(self.record.start) + SLACK).then(|| found + waited)
    }

    fn retries(&self) -> Option<u32> {
        let get = |field: Field| self.record.fields.get(field)?.u64().and_then(|it| u32::try_from(it).ok());
        let attempt = get(Field::Attempt).map(|attempt| attempt.saturating_sub(1));
        let resent = get(Field::ResendCount);
        let told = attempt.or(resent);
        if self.retries > 0 { Some(self.retries.max(told.unwrap_or(0))) } else { told }
    }

    /// The call as part of a request.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the filter bounds it")]
    pub(super) fn model_call(&self, text: impl Fn(Field) -> Option<Box<str>>) -> ModelCall {
        let fields = &self.record.fields;
        let number = |field: Field| fields.get(field).and_then(Scalar::f64);
        let count = |field: Field| fields.get(field).and_then(Scalar::u64);
        // OpenLIT reports 0 when it does not know the price.
        let cost = number(Field::Cost).map(|usd| usd * 1e9).filter(|nano| (0.5..9e18).contains(nano));
        ModelCall {
            provider: fields.text(Field::Provider).map(|name| provider(&name)),
            model_requested: fields.text(Field::ModelRequested),
            model_served: fields.text(Field::ModelServed),
            fingerprint: fields.text(Field::Fingerprint),
            route: text(Field::Route),
            route_reason: text(Field::RouteReason),
            temperature: number(Field::Temperature),
            top_p: number(Field::TopP),
            max_tokens: count(Field::MaxTokens),
            started_at: self.started_at,
            duration: self.record.end.since(self.started_at),
            time_to_first_token: self.time_to_first_token(),
            streaming: self.streaming(),
            input_tokens: count(Field::InputTokens),
            output_tokens: count(Field::OutputTokens),
            cached_input_tokens: count(Field::CachedInputTokens),
            cache_write_tokens: count(Field::CacheWriteTokens),
            cached_tokens: Normaliser::cached_tokens(self.record.dialects),
            reasoning_tokens: count(Field::ReasoningTokens),
            cost_nano_usd: cost.map(|nano| nano.round() as u64),
            cost_source: None,
            finish_reason: self.finish_reason(),
            retries: self.retries(),
            response_id: fields.text(Field::ResponseId),
            error: self.record.failure.clone(),
        }
    }
}

/// `OpenAI` and `openai.chat` are `openai`.
fn provider(name: &str) -> Box<str> {
    let name = name.to_ascii_lowercase();
    let api = [".chat", ".responses", ".completion", ".completions", ".messages", ".embedding", ".generative-ai"];
    api.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(&name).into()
}

//! Assembly of requests: the spans and log records of a trace, in any order and over several exports, become one
//! [`super::request::Request`], closed by its root or by silence, bounded in count, bytes and time.
//!
//! Everything is decided when a trace closes, over records sorted by start and id: what arrived first never matters.

mod bag;
mod calls;
mod closed;
mod evaluation;
mod failure;
mod memo;
mod record;
mod request;
mod retrievals;
mod shape;
mod tools;
mod trace;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use self::closed::{Known, Recent};
use self::evaluation::Said;
use self::memo::Memo;
use self::record::{Origin, Reader};
use self::trace::{Message, Purpose, Trace};
use super::dialect::{self, Event, Field, Normaliser, Scalar, span_id};
use super::request::{Evaluation, Feedback, Request, TraceId};
use super::span::{Kind, SpanId};
use super::time::UnixNanos;
use crate::otlp::{LogRecord, Resource, Scope, Span};

/// Limits of trace assembly. Each has a counter of what it cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A trace closes this long after its root ended up here, so that late children and log records join it.
    pub root_grace: Duration,
    /// A trace without a root closes after this much silence.
    pub idle_timeout: Duration,
    /// Open traces at most.
    pub traces_max: usize,
    /// Spans of one trace at most.
    pub spans_per_trace_max: usize,
    /// Bytes of content held in open traces at most.
    pub bytes_max: usize,
    /// Bytes kept of one text (prompt, answer, tool result).
    pub content_bytes_max: usize,
}

/// What became of a span or log record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is about an LLM request.
    Llm,
    /// It is not; kept, if at all, for the shape of its trace.
    NotLlm,
    /// It can't be used at all.
    Rejected(&'static str),
}

/// What a limit, or time, took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evicted {
    /// A trace closed early: too many are open.
    Traces,
    /// A trace closed early: too many bytes are held.
    Bytes,
    /// A span or log record dropped: its trace has too many.
    Spans,
    /// An LLM span dropped: it came after its root's trace closed.
    Late,
}

impl Evicted {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Traces, Self::Bytes, Self::Spans, Self::Late];

    /// The reason in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces_max",
            Self::Bytes => "bytes_max",
            Self::Spans => "spans_per_trace_max",
            Self::Late => "late",
        }
    }
}

/// What comes out of assembly.
#[derive(Clone, Debug, PartialEq)]
pub enum Closed {
    /// A request.
    Request(Box<Request>),
    /// Verdicts on a request that closed before they came, or that never came.
    Late {
        /// Of the request; all zero when only a response id was given and it is not known.
        trace_id: TraceId,
        /// The request's feature; when it is not known, the feature or service of who judged.
        feature: Box<str>,
        /// What judges said.
        evaluations: Vec<Evaluation>,
        /// What the user said.
        feedback: Option<Feedback>,
    },
}

/// The open traces.
#[derive(Debug)]
pub struct Assembly {
    limits: Limits,
    normaliser: Normaliser,
    memo: Memo,
    traces: HashMap<TraceId, Box<Trace>, FixedState>,
    /// One entry a trace: when it is due at the earliest.
    due: BTreeSet<(UnixNanos, TraceId)>,
    bytes: usize,
    recent: Recent,
    /// Closed by a limit or told at once, until the next [`Assembly::close_due`].
    ready: Vec<Closed>,
    evicted: [u64; Evicted::ALL.len()],
}

impl Assembly {
    /// An empty assembly.
    #[must_use]
    pub fn new(limits: Limits, normaliser: Normaliser) -> Self {
        Self {
            limits,
            normaliser,
            memo: Memo::default(),
            traces: HashMap::default(),
            due: BTreeSet::new(),
            bytes: 0,
            recent: Recent::new(limits.traces_max),
            ready: Vec::new(),
            evicted: [0; Evicted::ALL.len()],
        }
    }

    /// Takes in one span.
    pub fn span(&mut self, now: UnixNanos, resource: &Resource<'_>, scope: Scope<'_>, span: &Span<'_>) -> Added {
        let span = match self.normaliser.span(scope, span) {
            Ok(span) => span,
            Err(reason) => return Added::Rejected(reason),
        };
        let is_llm = !span.dialects.is_empty();
        let added = if is_llm { Added::Llm } else { Added::NotLlm };
        let (trace_id, id) = (span.trace_id, span.span_id);
        match self.traces.get(&trace_id) {
            Some(trace) if trace.has(id) => return added,
            Some(trace) if trace.spans.len() >= self.limits.spans_per_trace_max => {
                self.count(Evicted::Spans);
                return added;
            }
            None if self.is_over(trace_id) => {
                if is_llm && span.kind != Kind::Evaluator && span.kind != Kind::Other {
                    self.count(Evicted::Late);
                }
                return added;
            }
            Some(_) | None => {}
        }
        let mut reader = Reader {
            normaliser: &self.normaliser,
            memo: &mut self.memo,
            content_bytes_max: self.limits.content_bytes_max,
        };
        let origin = reader.origin(resource);
        let record = reader.record(&span, origin);
        let due = record.is_root.then(|| now.plus(self.limits.root_grace));
        let bytes = record.bytes();
        self.add(now, trace_id, bytes, due, |trace| trace.add_span(record));
        added
    }

    /// Takes in one log record.
    pub fn log(&mut self, now: UnixNanos, resource: &Resource<'_>, scope: Scope<'_>, record: &LogRecord<'_>) -> Added {
        let said = self.normaliser.attributes(record.attributes());
        let name = said.text(Field::EventName).map_or(record.event_name, |name| match record.event_name {
            b"" => name.as_bytes(),
            own => own,
        });
        let Some(event) = Event::of(name) else { return Added::NotLlm };
        let trace_id = dialect::trace_id(record.trace_id);
        let id = span_id(record.span_id).unwrap_or(SpanId([0; 8]));
        let at = UnixNanos(if record.time_unix_nano == 0 { record.observed_time_unix_nano } else { record.time_unix_nano });
        let mut reader = Reader {
            normaliser: &self.normaliser,
            memo: &mut self.memo,
            content_bytes_max: self.limits.content_bytes_max,
        };
        let origin = reader.origin(resource);
        match (event, trace_id) {
            (Event::Evaluation, _) => {
                let Some(verdict) = evaluation::of_fields(&said) else { return Added::Rejected("empty evaluation") };
                let response = said.get(Field::ResponseId).map(Scalar::text);
                let feature = said.feature.map(|(_, name)| name.into());
                self.hear(now, trace_id, response.as_deref(), id, at, verdict, feature, &origin);
            }
            (_, None) => return Added::Rejected("a message outside of a trace"),
            (Event::Details, Some(trace_id)) => {
                let mut call = said;
                (call.trace_id, call.span_id, call.scope) = (trace_id, id, scope.name);
                (call.start, call.end) = (at, at);
                if call.kind == Kind::Other {
                    call.kind = Kind::Llm;
                }
                let mut details = reader.record(&call, origin);
                details.failure = details.fields.text(Field::ErrorType).map(|kind| failure::failure(&kind, "", None));
                let bytes = details.bytes();
                self.add_log(now, trace_id, bytes, |trace| trace.details.push(details));
            }
            (Event::Input(_) | Event::Output, Some(trace_id)) => {
                let message = Message::of(event, id, at, record, origin, self.limits.content_bytes_max);
                let bytes = message.bytes();
                self.add_log(now, trace_id, bytes, |trace| trace.messages.push(message));
            }
            (Event::Exception | Event::FirstToken | Event::Document, _) => return Added::NotLlm,
        }
        Added::Llm
    }

    /// Closes what is due. Call it at every tick and after every batch.
    pub fn close_due(&mut self, now: UnixNanos) -> Vec<Closed> {
        let mut due = Vec::new();
        while let Some((deadline, trace_id)) = self.due.first().copied()
            && deadline <= now
        {
            self.due.remove(&(deadline, trace_id));
            let Some(trace) = self.traces.get_mut(&trace_id) else { continue };
            let actual = trace.actual_deadline(self.limits.idle_timeout);
            if actual > now {
                trace.deadline = Some(actual);
                self.due.insert((actual, trace_id));
            } else if let Some(trace) = self.take(trace_id) {
                due.push((trace_id, trace));
            }
        }
        self.close(due);
        std::mem::take(&mut self.ready)
    }

    /// Closes everything, at shutdown or at the end of a recording.
    pub fn close_all(&mut self, _now: UnixNanos) -> Vec<Closed> {
        let ids: Vec<TraceId> = self.due.iter().map(|(_, trace_id)| *trace_id).collect();
        let all = ids.into_iter().filter_map(|id| Some((id, self.take(id)?))).collect();
        self.close(all);
        std::mem::take(&mut self.ready)
    }

    /// Open traces.
    #[must_use]
    pub fn open_traces(&self) -> usize {
        self.traces.len()
    }

    /// Bytes held in open traces.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What was evicted for this reason so far.
    #[must_use]
    pub fn evicted(&self, reason: Evicted) -> u64 {
        self.evicted[reason as usize]
    }

    fn count(&mut self, reason: Evicted) {
        self.evicted[reason as usize] += 1;
    }

    /// Whether the trace closed with its root: what comes now is late.
    fn is_over(&self, trace_id: TraceId) -> bool {
        self.recent.get(trace_id).is_some_and(|known| known.by_root)
    }

    fn add_log(&mut self, now: UnixNanos, trace_id: TraceId, bytes: usize, add: impl FnOnce(&mut Trace)) {
        // A call has several messages, a trace several calls: one bound for all its log records.
        let logs_max = self.limits.spans_per_trace_max.saturating_mul(4);
        match self.traces.get(&trace_id) {
            Some(trace) if trace.logs() >= logs_max => self.count(Evicted::Spans),
            None if self.is_over(trace_id) => self.count(Evicted::Late),
            Some(_) | None => self.add(now, trace_id, bytes, None, add),
        }
    }

    /// Adds to a trace, opened if need be; `due` is set when what is added is a root.
    fn add(
        &mut self,
        now: UnixNanos,
        trace_id: TraceId,
        bytes: usize,
        due: Option<UnixNanos>,
        add: impl FnOnce(&mut Trace),
    ) {
        let trace = self.traces.entry(trace_id).or_insert_with(|| Box::new(Trace::new(now)));
        add(trace);
        trace.touched = now;
        trace.bytes += bytes;
        self.bytes += bytes;
        let before = trace.deadline;
        if let Some(due) = due {
            trace.due_after_root(due);
        }
        let after = *trace.deadline.get_or_insert_with(|| now.plus(self.limits.idle_timeout));
        if before != Some(after) {
            if let Some(before) = before {
                self.due.remove(&(before, trace_id));
            }
            self.due.insert((after, trace_id));
        }
        while self.traces.len() > self.limits.traces_max && self.evict(Evicted::Traces) {}
        while self.bytes > self.limits.bytes_max && self.evict(Evicted::Bytes) {}
    }

    /// Closes the trace that is due next.
    fn evict(&mut self, reason: Evicted) -> bool {
        let Some((_, trace_id)) = self.due.first().copied() else { return false };
        self.count(reason);
        if let Some(trace) = self.take(trace_id) {
            self.close(vec![(trace_id, trace)]);
        }
        true
    }

    fn take(&mut self, trace_id: TraceId) -> Option<Trace> {
        let trace = self.traces.remove(&trace_id)?;
        if let Some(deadline) = trace.deadline {
            self.due.remove(&(deadline, trace_id));
        }
        self.bytes -= trace.bytes;
        Some(*trace)
    }

    /// Gives a verdict to its request, wherever that is by now.
    #[expect(clippy::too_many_arguments, reason = "one verdict, as a log record tells it")]
    fn hear(
        &mut self,
        now: UnixNanos,
        trace_id: Option<TraceId>,
        response_id: Option<&str>,
        span: SpanId,
        at: UnixNanos,
        said: Said,
        feature: Option<Box<str>>,
        origin: &Arc<Origin>,
    ) {
        let known = trace_id.filter(|id| !self.traces.contains_key(id)).and_then(|id| Some((id, self.recent.get(id)?)));
        let known = known.or_else(|| self.recent.by_response(response_id.filter(|_| trace_id.is_none())?));
        if let Some((trace_id, Known { feature, .. })) = known {
            let feature = (**feature).into();
            return self.ready.push(late(trace_id, feature, vec![said]));
        }
        // A verdict by response id alone waits for its request under an id made of that.
        let Some(trace_id) = trace_id.or_else(|| response_id.map(closed::by_response)) else { return };
        let response_id = response_id.map(Into::into);
        self.add_log(now, trace_id, 256, |trace| {
            trace.said.push(trace::Verdict { at, span, response_id, feature, said, origin: origin.clone() });
        });
    }

    /// Builds what traces tell. Traces that only judge go first, so that their verdicts reach those they judged;
    /// verdicts without a request go last.
    fn close(&mut self, mut traces: Vec<(TraceId, Trace)>) {
        traces.sort_by_key(|(trace_id, _)| *trace_id);
        let (mut judging, mut asking, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
        for (trace_id, mut trace) in traces {
            trace.settle(self.limits.content_bytes_max, &mut self.memo, &self.normaliser);
            match trace.purpose() {
                Purpose::Judge => judging.push((trace_id, trace)),
                Purpose::Request => asking.push((trace_id, trace)),
                Purpose::Nothing => waiting.push((trace_id, trace)),
            }
        }
        for (trace_id, trace) in judging {
            self.close_judgement(trace_id, &trace, &mut asking);
        }
        for (trace_id, trace) in asking {
            self.close_request(trace_id, trace, &mut waiting);
        }
        for (trace_id, trace) in waiting.into_iter().filter(|(_, trace)| !trace.said.is_empty()) {
            let trace_id = if closed::is_by_response(trace_id) { TraceId([0; 16]) } else { trace_id };
            let feature = trace.judging_feature();
            self.ready.push(late(trace_id, feature, trace.said.into_iter().map(|it| it.said).collect()));
        }
    }

    /// Sends the verdicts of a trace that only judges to the requests it judged.
    fn close_judgement(&mut self, trace_id: TraceId, trace: &Trace, asking: &mut [(TraceId, Trace)]) {
        self.recent.learn_judges(trace);
        for (target, verdict) in trace.judgements() {
            let known = verdict.response_id.as_deref().and_then(|id| self.recent.by_response(id)).map(|(id, _)| id);
            let target = target.or(known).or_else(|| {
                let id = verdict.response_id.as_deref()?;
                asking.iter().find(|(_, trace)| trace.has_response(id)).map(|(id, _)| *id)
            });
            let target = target.unwrap_or(trace_id);
            if let Some((_, open)) = asking.iter_mut().find(|(id, _)| *id == target) {
                open.said.push(verdict);
            } else if let Some(open) = self.traces.get_mut(&target) {
                open.said.push(verdict);
            } else {
                let feature = self.recent.get(target).map(|known| (*known.feature).into());
                let feature = feature.unwrap_or_else(|| trace.judging_feature());
                self.ready.push(late(target, feature, vec![verdict.said]));
            }
        }
        let feature = trace.judging_feature();
        self.recent.remember(trace_id, Known { feature: (*feature).into(), by_root: trace.is_rooted() }, []);
    }

    fn close_request(&mut self, trace_id: TraceId, mut trace: Trace, waiting: &mut Vec<(TraceId, Trace)>) {
        for response_id in trace.response_ids() {
            let key = closed::by_response(&response_id);
            let here = waiting.iter().position(|(id, _)| *id == key).map(|at| waiting.swap_remove(at).1);
            if let Some(verdicts) = here.or_else(|| self.take(key)) {
                trace.said.extend(verdicts.said);
            }
        }
        let by_root = trace.is_rooted();
        let request = request::build(trace_id, trace, &self.recent);
        let known = Known { feature: (*request.feature).into(), by_root };
        self.recent.remember(trace_id, known, request.calls.iter().filter_map(|call| call.response_id.as_deref()));
        self.ready.push(Closed::Request(Box::new(request)));
    }
}

fn late(trace_id: TraceId, feature: Box<str>, said: Vec<Said>) -> Closed {
    let (mut evaluations, mut feedback) = (Vec::new(), None);
    for said in said {
        match said {
            Said::Judged(evaluation) => evaluations.push(evaluation),
            Said::Felt(found) => feedback = Some(found),
        }
    }
    Closed::Late { trace_id, feature, evaluations, feedback }
}

#[cfg(test)]
mod tests;

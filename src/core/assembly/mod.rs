//! Assembly of requests: the spans and log records of a trace, in any order and over several exports, become one
//! [`super::request::Request`], closed by its root or by silence, bounded in count, bytes and time.
//!
//! Everything is decided when a trace closes, over records sorted by start and id: what arrived first never matters.

mod bag;
mod calls;
mod close;
mod closed;
mod evaluation;
mod failure;
mod hold;
mod log;
mod memo;
mod moments;
mod reader;
mod record;
mod request;
mod retrievals;
mod shape;
mod tools;
mod trace;
mod untold;

use std::collections::BTreeSet;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use self::closed::Recent;
use self::memo::Memo;
use self::reader::Reader;
use self::trace::Trace;
use super::dialect::Normaliser;
use super::request::{Evaluation, Feedback, Request, TraceId};
use super::span::Kind;
use super::time::UnixNanos;
use crate::otlp::{Resource, Scope, Span};

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

impl Limits {
    /// Log records of one trace at most: a call has several messages, and a trace several calls.
    fn logs_per_trace_max(&self) -> usize {
        self.spans_per_trace_max.saturating_mul(4)
    }
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
        /// Whether the request is a drill's; when it is not known, whether who judged is.
        is_drill: bool,
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

    /// Takes up new limits and attribute names for what comes from now on.
    pub fn reconfigure(&mut self, limits: Limits, normaliser: Normaliser) {
        (self.limits, self.normaliser) = (limits, normaliser);
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
}

#[cfg(test)]
mod tests;

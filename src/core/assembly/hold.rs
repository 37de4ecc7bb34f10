//! Holding open traces within the limits: every trace has one entry in the order of what is due, and what a limit
//! takes is counted.

use super::trace::Trace;
use super::{Assembly, Evicted};
use crate::core::request::TraceId;
use crate::core::time::UnixNanos;

impl Assembly {
    pub(super) fn count(&mut self, reason: Evicted) {
        self.evicted[reason as usize] += 1;
    }

    /// Whether the trace closed with its root: what comes now is late.
    pub(super) fn is_over(&self, trace_id: TraceId) -> bool {
        self.recent.get(trace_id).is_some_and(|known| known.by_root)
    }

    pub(super) fn add_log(&mut self, now: UnixNanos, trace_id: TraceId, bytes: usize, add: impl FnOnce(&mut Trace)) {
        let logs_max = self.limits.logs_per_trace_max();
        match self.traces.get(&trace_id) {
            Some(trace) if trace.logs() >= logs_max => self.count(Evicted::Spans),
            None if self.is_over(trace_id) => self.count(Evicted::Late),
            Some(_) | None => self.add(now, trace_id, bytes, None, add),
        }
    }

    /// Adds to a trace, opened if need be; `due` is set when what is added is a root.
    pub(super) fn add(
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
    pub(super) fn evict(&mut self, reason: Evicted) -> bool {
        let Some((_, trace_id)) = self.due.first().copied() else { return false };
        self.count(reason);
        if let Some(trace) = self.take(trace_id) {
            self.close(vec![(trace_id, trace)]);
        }
        true
    }

    pub(super) fn take(&mut self, trace_id: TraceId) -> Option<Trace> {
        let trace = self.traces.remove(&trace_id)?;
        if let Some(deadline) = trace.deadline {
            self.due.remove(&(deadline, trace_id));
        }
        self.bytes -= trace.bytes;
        Some(*trace)
    }
}

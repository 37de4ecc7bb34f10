//! Closing: what traces tell, requests and verdicts, and how a verdict finds its request.

use super::closed::{self, Known};
use super::evaluation::Said;
use super::trace::{Purpose, Trace, Verdict};
use super::{Assembly, Closed, Evicted, request};
use crate::core::request::TraceId;
use crate::core::time::UnixNanos;

impl Assembly {
    /// Gives a verdict to its request, wherever that is by now.
    pub(super) fn hear(&mut self, now: UnixNanos, trace_id: Option<TraceId>, verdict: Verdict) {
        let known = trace_id.filter(|id| !self.traces.contains_key(id)).and_then(|id| Some((id, self.recent.get(id)?)));
        let response_id = verdict.response_id.as_deref();
        let by_response = || self.recent.by_response(response_id.filter(|_| trace_id.is_none())?);
        if let Some((trace_id, known)) = known.or_else(by_response) {
            let feature = (*known.feature).into();
            let is_drill = known.is_drill;
            return self.ready.push(late(trace_id, (feature, is_drill), vec![verdict.said]));
        }
        // A verdict by response id alone waits for its request under an id made of that.
        if let Some(trace_id) = trace_id.or_else(|| response_id.map(closed::by_response)) {
            self.add_log(now, trace_id, size_of::<Verdict>(), |trace| trace.said.push(verdict));
        }
    }

    /// Builds what traces tell. Traces that only judge go first, so that their verdicts reach those they judged;
    /// verdicts without a request go last.
    pub(super) fn close(&mut self, mut traces: Vec<(TraceId, Trace)>) {
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
        // What asked for a tool goes before what tells its result.
        asking.sort_by_key(|(trace_id, trace)| (trace.started_at(), *trace_id));
        for (trace_id, trace) in asking {
            self.close_request(trace_id, trace, &mut waiting);
        }
        for (trace_id, trace) in waiting.into_iter().filter(|(_, trace)| !trace.said.is_empty()) {
            let trace_id = if closed::is_by_response(trace_id) { TraceId([0; 16]) } else { trace_id };
            let about = (trace.judging_feature(), trace.drill().is_some());
            self.ready.push(late(trace_id, about, trace.said.into_iter().map(|it| it.said).collect()));
        }
    }

    /// Sends the verdicts of a trace that only judges to the requests it judged.
    fn close_judgement(&mut self, trace_id: TraceId, trace: &Trace, asking: &mut [(TraceId, Trace)]) {
        if trace.drill().is_none() {
            self.recent.learn_judges(trace);
        }
        let logs_max = self.limits.logs_per_trace_max();
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
                if open.logs() < logs_max {
                    open.said.push(verdict);
                } else {
                    self.count(Evicted::Spans);
                }
            } else {
                let known = self.recent.get(target).map(|known| ((*known.feature).into(), known.is_drill));
                let about = known.unwrap_or_else(|| (trace.judging_feature(), trace.drill().is_some()));
                self.ready.push(late(target, about, vec![verdict.said]));
            }
        }
        let (feature, is_drill) = (trace.judging_feature(), trace.drill().is_some());
        let known = Known { feature: (*feature).into(), is_drill, by_root: trace.is_rooted() };
        self.recent.remember(trace_id, known, []);
    }

    fn close_request(&mut self, trace_id: TraceId, mut trace: Trace, waiting: &mut Vec<(TraceId, Trace)>) {
        let keys: Vec<TraceId> = trace.response_ids().map(|id| closed::by_response(&id)).collect();
        for key in keys {
            let here = waiting.iter().position(|(id, _)| *id == key).map(|at| waiting.swap_remove(at).1);
            if let Some(verdicts) = here.or_else(|| self.take(key)) {
                trace.said.extend(verdicts.said);
            }
        }
        let by_root = trace.is_rooted();
        let (request, pending) = request::build(trace_id, trace, &self.recent);
        if let Some(turns) = pending {
            self.recent.remember_asked(&turns);
        }
        let known = Known { feature: (*request.feature).into(), is_drill: request.drill.is_some(), by_root };
        self.recent.remember(trace_id, known, request.calls.iter().filter_map(|call| call.response_id.as_deref()));
        self.ready.push(Closed::Request(Box::new(request)));
    }
}

fn late(trace_id: TraceId, (feature, is_drill): (Box<str>, bool), said: Vec<Said>) -> Closed {
    let (mut evaluations, mut feedback) = (Vec::new(), None);
    for said in said {
        match said {
            Said::Judged(evaluation) => evaluations.push(*evaluation),
            Said::Felt(found) => feedback = Some(found),
        }
    }
    Closed::Late { trace_id, feature, is_drill, evaluations, feedback }
}

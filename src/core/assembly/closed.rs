//! What is remembered of closed traces, within a bound, for verdicts and feedback that come later.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::tools::Turn;
use super::trace::Trace;
use crate::core::request::{Judge, TraceId};

/// Judges remembered by metric.
const JUDGES_MAX: usize = 1024;
/// Tool calls without a result remembered.
const ASKED_MAX: usize = 1024;
/// Response ids remembered of one request.
const RESPONSES_MAX: usize = 8;

/// A closed trace.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) feature: Arc<str>,
    pub(super) is_drill: bool,
    /// Its root had come: what follows is late, not another part.
    pub(super) by_root: bool,
}

/// The traces that closed last.
#[derive(Debug)]
pub(super) struct Recent {
    max: usize,
    traces: HashMap<TraceId, Known, FixedState>,
    order: VecDeque<TraceId>,
    responses: HashMap<TraceId, TraceId, FixedState>,
    response_order: VecDeque<TraceId>,
    judges: HashMap<Box<str>, Judge, FixedState>,
    /// What traces asked for and did not see the results of, by the ids of their last turn.
    asked: HashMap<u64, Arc<[Turn]>, FixedState>,
    asked_order: VecDeque<u64>,
}

impl Recent {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max: max.max(1),
            traces: HashMap::default(),
            order: VecDeque::new(),
            responses: HashMap::default(),
            response_order: VecDeque::new(),
            judges: HashMap::default(),
            asked: HashMap::default(),
            asked_order: VecDeque::new(),
        }
    }

    pub(super) fn get(&self, trace_id: TraceId) -> Option<&Known> {
        self.traces.get(&trace_id)
    }

    pub(super) fn by_response(&self, response_id: &str) -> Option<(TraceId, &Known)> {
        let trace_id = *self.responses.get(&by_response(response_id))?;
        Some((trace_id, self.traces.get(&trace_id)?))
    }

    pub(super) fn remember<'r>(
        &mut self,
        trace_id: TraceId,
        known: Known,
        response_ids: impl IntoIterator<Item = &'r str>,
    ) {
        if self.traces.insert(trace_id, known).is_none() {
            self.order.push_back(trace_id);
        }
        for response_id in response_ids.into_iter().take(RESPONSES_MAX) {
            let key = by_response(response_id);
            if self.responses.insert(key, trace_id).is_none() {
                self.response_order.push_back(key);
            }
        }
        while self.order.len() > self.max {
            self.order.pop_front().map(|oldest| self.traces.remove(&oldest));
        }
        while self.response_order.len() > self.max {
            self.response_order.pop_front().map(|oldest| self.responses.remove(&oldest));
        }
    }

    /// The turns up to the one that asked for the tool with this call id.
    pub(super) fn asked(&self, call_id: &str) -> Option<Arc<[Turn]>> {
        self.asked.get(&FixedState::default().hash_one(call_id)).filter(|_| !call_id.is_empty()).cloned()
    }

    /// Remembers what a trace asked for last, for the trace that tells the results.
    pub(super) fn remember_asked(&mut self, turns: &Arc<[Turn]>) {
        for request in turns.last().into_iter().flatten().take(RESPONSES_MAX).filter(|it| !it.id.is_empty()) {
            let key = FixedState::default().hash_one(&*request.id);
            if self.asked.insert(key, turns.clone()).is_none() {
                self.asked_order.push_back(key);
            }
        }
        while self.asked_order.len() > self.max.min(ASKED_MAX) {
            self.asked_order.pop_front().map(|oldest| self.asked.remove(&oldest));
        }
    }

    /// Remembers who judges what, from a trace where a judge was at work.
    pub(super) fn learn_judges(&mut self, trace: &Trace) {
        for (metric, judge) in trace.judges() {
            if self.judges.len() < JUDGES_MAX || self.judges.contains_key(&metric) {
                self.judges.insert(metric, judge);
            }
        }
    }

    /// Fills what a verdict does not say of its judge from the judge last seen at work on the metric.
    pub(super) fn complete_judge(&self, metric: &str, judge: &mut Judge) {
        if let Some(known) = self.judges.get(metric)
            && judge.model.is_none()
        {
            judge.model.clone_from(&known.model);
            judge.prompt = judge.prompt.take().or_else(|| known.prompt.clone());
        }
    }
}

/// The id under which verdicts on a response wait, and under which a response is remembered.
pub(super) fn by_response(response_id: &str) -> TraceId {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&FixedState::default().hash_one(response_id).to_le_bytes());
    TraceId(id)
}

/// Whether it is such an id: no tracer leaves the first half zero but the old 64-bit ones, which only lose the
/// id of a verdict without a request.
pub(super) fn is_by_response(trace_id: TraceId) -> bool {
    trace_id.0[..8] == [0; 8]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that memory of closed traces is bounded and that the newest are kept.
    #[test]
    fn the_newest_are_remembered() {
        let mut recent = Recent::new(10);
        let id = |n: u8| TraceId([n; 16]);
        for n in 1..=100u8 {
            let response = format!("r{n}");
            recent.remember(id(n), Known { feature: "f".into(), is_drill: false, by_root: true }, [response.as_str()]);
            assert!(recent.traces.len() <= 10 && recent.responses.len() <= 10);
        }
        assert!(recent.get(id(90)).is_none() && recent.get(id(91)).is_some());
        assert_eq!(recent.by_response("r100").map(|(id, _)| id), Some(id(100)));
        assert!(recent.by_response("r1").is_none());
    }
}

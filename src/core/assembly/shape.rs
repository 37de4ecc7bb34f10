//! The shape of a trace: who is whose ancestor, and which model calls are a judge's.

use super::record::Record;
use crate::core::dialect::Field;
use crate::core::request::Judge;
use crate::core::span::{Kind, SpanId};
use crate::core::variable::hex;

/// Steps towards the root at most: ids may be wrong and form a circle.
const DEPTH_MAX: usize = 128;

/// Parents by position in a list of records.
#[derive(Debug)]
pub(super) struct Shape {
    parents: Vec<Option<usize>>,
    /// By id, ascending: traces are small, and most have one span.
    places: Vec<(SpanId, usize)>,
    judged: Vec<bool>,
}

impl Shape {
    pub(super) fn of(spans: &[Record]) -> Self {
        let mut places: Vec<(SpanId, usize)> = spans.iter().enumerate().map(|(at, it)| (it.id, at)).collect();
        places.sort_unstable();
        let mut shape = Self { parents: Vec::new(), places, judged: Vec::new() };
        shape.parents = spans.iter().map(|it| shape.place(it.parent?)).collect();
        if spans.iter().any(|it| it.kind == Kind::Evaluator) {
            shape.judged = (0..spans.len()).map(|at| shape.nearest(spans, at, Kind::Evaluator).is_some()).collect();
        }
        shape
    }

    fn place(&self, id: SpanId) -> Option<usize> {
        let found = self.places.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(self.places[found].1)
    }

    /// The places of a record's ancestors, nearest first.
    pub(super) fn ancestors(&self, at: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(self.parents.get(at).copied().flatten(), |at| self.parents[*at]).take(DEPTH_MAX)
    }

    /// The nearest ancestor of this kind.
    pub(super) fn nearest(&self, spans: &[Record], at: usize, kind: Kind) -> Option<usize> {
        self.ancestors(at).find(|at| spans[*at].kind == kind)
    }

    /// The model call around a record: not one beyond a tool or an agent, which calls on its own account.
    pub(super) fn caller(&self, spans: &[Record], at: usize) -> Option<usize> {
        let mut within = self.ancestors(at).take_while(|at| !matches!(spans[*at].kind, Kind::Tool | Kind::Agent));
        within.find(|at| spans[*at].kind == Kind::Llm)
    }

    /// Whether an evaluator is among its ancestors.
    pub(super) fn is_judged(&self, at: usize) -> bool {
        self.judged.get(at).copied().unwrap_or(false)
    }

    /// The evaluator that is this span or above it.
    pub(super) fn evaluator_of(&self, spans: &[Record], span: SpanId) -> Option<usize> {
        let at = self.place(span)?;
        std::iter::once(at).chain(self.ancestors(at)).find(|at| spans[*at].kind == Kind::Evaluator)
    }

    /// The evaluator that says this name of itself.
    pub(super) fn evaluator_named(&self, spans: &[Record], name: &str) -> Option<usize> {
        let named = |it: &Record| it.fields.text(Field::EvaluatorName).as_deref() == Some(name);
        spans.iter().position(|it| it.kind == Kind::Evaluator && named(it))
    }

    /// Model and prompt of the call an evaluator made.
    pub(super) fn judge(&self, spans: &[Record], evaluator: usize) -> Judge {
        let below = |at: usize| spans[at].kind == Kind::Llm && self.ancestors(at).any(|it| it == evaluator);
        let Some(call) = (0..spans.len()).find(|at| below(*at)).map(|at| &spans[at]) else { return Judge::default() };
        let system = call.content.as_ref().and_then(|content| content.system.as_ref());
        Judge {
            model: call.fields.text(Field::ModelRequested).or_else(|| call.fields.text(Field::ModelServed)),
            prompt: system.map(|system| hex(&system.sha256).into()),
            ..Judge::default()
        }
    }
}

/// Whether two records have the same response id; `None` when one of them has none.
pub(super) fn same_response(a: &Record, b: &Record) -> Option<bool> {
    Some(a.fields.get(Field::ResponseId)? == b.fields.get(Field::ResponseId)?)
}

//! What else changed with a slice of requests: how much is said, how fast, and whether users are content.
//!
//! A judge changes verdicts and nothing else. A model that is exchanged behind its name writes more or less, faster or slower,
//! which a prompt or an index beside it does in part only. For each mark that is told, a slice is likelier to hold the cause
//! when the mark shifted in it and its variable would have shifted it; what was rolled out to the same requests without harm
//! may have shifted it, too, and then it tells nothing.

use super::candidates::Slice;
use super::conditioning::weigh;
use super::dimension::Dimension;
use super::mark::{Mark, UNTOLD};
use super::model::Model;
use super::scan::Scan;
use super::table::{Side, Table};
use crate::core::variable::Variable;

/// Requests of a side by which a mark is read: at most, and at least.
const ROWS_MAX: usize = 2_048;
const TOLD_MIN: usize = 100;
/// A mark speaks against a slice and for it by no more than this, log likelihood ratio.
const AGAINST_MAX: f64 = -1.0;
const FOR_MAX: f64 = 5.0;
/// A lead that the marks never make up for, log likelihood ratio.
pub(super) const OVERTURNS_MAX: f64 = 12.0;

/// The marks that are told, with what they show of every slice.
pub(super) struct Signature<'t> {
    table: &'t Table,
    new: &'t [(Dimension, u8)],
    told: Vec<(Mark, Scan)>,
}

impl<'t> Signature<'t> {
    /// Whether any mark is told of a table's requests.
    pub(super) fn is_told(table: &Table) -> bool {
        let told = |side: &Side, mark: Mark| side.marks[mark.index()].iter().filter(|it| **it != UNTOLD).count();
        Mark::ALL.into_iter().any(|mark| told(&table.before, mark).min(told(&table.now, mark)) >= TOLD_MIN)
    }

    pub(super) fn of(table: &'t Table, new: &'t [(Dimension, u8)]) -> Self {
        let told = Mark::ALL.into_iter().filter_map(|mark| {
            let marked = table.marked(mark, ROWS_MAX);
            if marked.before.len().min(marked.now.len()) < TOLD_MIN {
                return None;
            }
            let classes = marked.strata(&[Dimension::Feature, Dimension::RequestClass]);
            let model = Model::fit(&marked, &classes);
            Some((mark, Scan::of(&marked, &model.now, model.wander, new)))
        });
        Self { table, new, told: told.collect() }
    }

    /// By how much the marks make it likelier that a slice holds the cause: log likelihood ratio, 0 where nothing is told.
    pub(super) fn speaks_for(&self, slice: &Slice) -> f64 {
        if self.told.is_empty() {
            return 0.0;
        }
        let beside = self.beside(slice);
        let of = |(mark, scan): &(Mark, Scan)| {
            let shift = weigh(slice, scan, |it| Some((it.fault, it.fault - it.wander)));
            let shift = shift.map_or(0.0, |(_, beyond_wander)| beyond_wander).clamp(AGAINST_MAX, FOR_MAX);
            let still =
                beside.iter().map(|(variable, part)| 1.0 - part * by_rollout(*mark, *variable)).product::<f64>();
            let shows = 1.0 - still * (1.0 - by_fault(*mark, slice.variable()));
            (shows * shift.exp() + 1.0 - shows).ln()
        };
        self.told.iter().map(of).sum()
    }

    /// The other variables with new values, and the part of the slice's requests that have those.
    fn beside(&self, slice: &Slice) -> Vec<(Variable, f64)> {
        let now = &self.table.now;
        let step = now.len().div_ceil(ROWS_MAX).max(1);
        let rows: Vec<usize> = (0..now.len()).step_by(step).filter(|row| slice.has(now, *row)).collect();
        let has_new = |row: usize, variable: Variable| {
            let of = self.new.iter().filter(|(dimension, _)| dimension.variable() == variable);
            of.into_iter().any(|(dimension, value)| now.columns[dimension.index()][row] == *value)
        };
        let others = Variable::ALL.into_iter().filter(|it| Some(*it) != slice.variable());
        let part =
            |variable| rows.iter().filter(|row| has_new(**row, variable)).count() as f64 / rows.len().max(1) as f64;
        others.map(|variable| (variable, part(variable))).collect()
    }
}

/// The chance that a fault of a variable shifts a mark, `None` being whatever nobody records: judged, not measured.
fn by_fault(mark: Mark, variable: Option<Variable>) -> f64 {
    match (mark, variable) {
        (_, Some(Variable::Judge)) => 0.01,
        (Mark::OutputTokens, Some(Variable::ModelRoute)) => 0.9,
        (Mark::OutputTokens, Some(Variable::PromptRevision)) => 0.7,
        (Mark::OutputTokens, Some(Variable::ToolSchemas)) => 0.4,
        (Mark::OutputTokens, Some(Variable::RetrievalIndex) | None) => 0.3,
        (Mark::Pace, Some(Variable::ModelRoute)) => 0.7,
        (Mark::Pace, Some(Variable::PromptRevision)) | (Mark::OutputTokens, Some(Variable::TrafficMix)) => 0.2,
        (Mark::Pace, _) => 0.1,
        (Mark::Feedback, None | Some(Variable::TrafficMix)) => 0.6,
        (Mark::Feedback, Some(_)) => 0.8,
    }
}

/// The chance that a rollout that harms nobody shifts it.
fn by_rollout(mark: Mark, variable: Variable) -> f64 {
    match mark {
        Mark::OutputTokens | Mark::Pace => 0.7 * by_fault(mark, Some(variable)),
        Mark::Feedback => 0.02,
    }
}

//! The flight recorder of one feature: what each request ran under and did, as compact rows, and a few whole requests
//! for the samples of a frame.
//!
//! Half of the rows are the newest requests. The other half are of the last-good baseline: of each slot that is learned
//! a bounded sample, so that busy minutes do not push out the rest of the baseline.

mod sides;

pub use sides::sides;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::attribution::Side;
use super::facts::Facts;
use super::request::{Evaluation, Request, TraceId};
use super::signal::Signal;
use super::time::UnixNanos;
use super::vocabulary::{ABSENT, Codes};

/// Rows of a feature at least, however many features there are.
pub const ROWS_MIN: usize = 1_000;
/// Requests of the incident that are compared at least, where there are as many: what came before the trouble does no harm.
const ENOUGH: usize = 150;
/// Rows that are looked through for one that something is said of later.
const AMENDED_MAX: usize = 20_000;
/// Room that a ring begins with.
const ROOM_MIN: usize = 64;
/// Evaluations of a whole request, those that came later among them.
const EVALUATIONS_MAX: usize = 32;

const _: () = assert!(size_of::<Row>() <= 80);

/// One request, compact.
#[derive(Clone, Debug)]
pub struct Row {
    /// When it ended here.
    pub at: UnixNanos,
    /// [`trace()`] of its trace id, by which what is said later finds it.
    pub trace: u32,
    /// What it ran under, in the feature's vocabulary.
    pub codes: Codes,
    /// What was measured of it.
    pub facts: Facts,
}

/// A whole request as it came, with what was measured of it.
#[derive(Clone, Debug)]
struct Sample {
    at: UnixNanos,
    facts: Facts,
    request: Arc<Request>,
}

/// The rows and the samples.
#[derive(Debug)]
pub struct Recorder {
    rows: VecDeque<Row>,
    /// Samples of slots that are not yet old enough to be good, by the slot's end.
    probation: VecDeque<(UnixNanos, Vec<Row>)>,
    good: VecDeque<Row>,
    rows_max: usize,
    /// Whole requests of either kind.
    samples_max: usize,
    troubled: VecDeque<Sample>,
    clean: VecDeque<Sample>,
}

/// A trace id in 32 bits (FNV-1a): one in 200,000 finds another among [`AMENDED_MAX`] requests.
#[must_use]
pub fn trace(id: TraceId) -> u32 {
    id.0.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

impl Recorder {
    /// An empty recorder of at most `rows_max` rows and `samples_max` whole requests.
    #[must_use]
    pub fn new(rows_max: usize, samples_max: usize) -> Self {
        Self {
            rows: VecDeque::new(),
            probation: VecDeque::new(),
            good: VecDeque::new(),
            rows_max,
            samples_max: samples_max / 2,
            troubled: VecDeque::new(),
            clean: VecDeque::new(),
        }
    }

    /// Changes the bound; the oldest rows make room.
    pub fn resize(&mut self, rows_max: usize) {
        self.rows_max = rows_max;
        for ring in [&mut self.rows, &mut self.good] {
            ring.drain(..ring.len().saturating_sub(rows_max / 2));
            ring.shrink_to(rows_max / 2);
        }
    }

    /// Keeps one request; the oldest makes room.
    pub fn record(&mut self, row: Row, request: Arc<Request>) {
        let kind = if row.facts.is_troubled() { &mut self.troubled } else { &mut self.clean };
        push(kind, self.samples_max, Sample { at: row.at, facts: row.facts, request });
        push(&mut self.rows, self.rows_max / 2, row);
    }

    /// Takes in what was said later of a request, in the incident and in the baseline alike, if it is among the newest
    /// [`AMENDED_MAX`] of either. Who judged it counts where nobody had.
    pub fn amend(&mut self, id: TraceId, judge: Option<(usize, u8)>, said: &Facts, evaluations: &[Evaluation]) {
        let trace = trace(id);
        let probation = self.probation.iter_mut().rev().flat_map(|(_, rows)| rows.iter_mut().rev());
        let good = probation.chain(self.good.iter_mut().rev()).take(AMENDED_MAX);
        let newest = self.rows.iter_mut().rev().take(AMENDED_MAX);
        let own = |row: &&mut Row| row.trace == trace;
        let rows = [{ newest }.find(own), { good }.find(own)];
        for row in rows.into_iter().flatten() {
            row.facts.amend(said);
            if let Some((dimension, code)) = judge
                && row.codes[dimension] == ABSENT
            {
                row.codes[dimension] = code;
            }
        }
        let samples = self.troubled.iter_mut().chain(&mut self.clean);
        for sample in samples.filter(|it| it.request.trace_id == id) {
            sample.facts.amend(said);
            let own = &mut Arc::make_mut(&mut sample.request).evaluations;
            let room = EVALUATIONS_MAX.saturating_sub(own.len());
            own.extend(evaluations.iter().take(room).cloned());
        }
    }

    /// Rows of one slot that may become part of the baseline, so that all its slots have room.
    #[must_use]
    pub fn slot_rows(&self, baseline: Duration, slot: Duration) -> usize {
        let slots = baseline.as_nanos() / slot.as_nanos().max(1);
        (self.rows_max / 2 / usize::try_from(slots).unwrap_or(usize::MAX).max(1)).max(1)
    }

    /// Ends the slot `from` to `to`, of which at most `slot_max` rows may become part of the baseline.
    pub fn close_slot(&mut self, from: UnixNanos, to: UnixNanos, learn: bool, slot_max: usize) {
        if !learn {
            return self.probation.clear();
        }
        let slot: Vec<&Row> = self.since(from).take_while(|row| row.at <= to).collect();
        let step = slot.len().div_ceil(slot_max.max(1)).max(1);
        let sample = slot.into_iter().step_by(step).rev().cloned().collect();
        self.probation.push_back((to, sample));
    }

    /// Makes the slots that ended until `to` part of the baseline, and forgets what is older than `oldest`.
    pub fn learn(&mut self, to: UnixNanos, oldest: UnixNanos) {
        let passed = self.probation.iter().take_while(|(end, _)| *end <= to).count();
        for (_, rows) in self.probation.drain(..passed) {
            rows.into_iter().for_each(|row| push(&mut self.good, self.rows_max / 2, row));
        }
        let gone = self.good.iter().take_while(|row| row.at < oldest).count();
        self.good.drain(..gone);
    }

    /// When the oldest row ended.
    #[must_use]
    pub fn oldest(&self) -> UnixNanos {
        let good = self.good.front().or_else(|| self.probation.iter().find_map(|(_, rows)| rows.first()));
        let oldest = |row: Option<&Row>| row.map_or(UnixNanos(u64::MAX), |row| row.at);
        oldest(good).min(oldest(self.rows.front()))
    }

    /// Rows that ended after `from`, newest first.
    pub fn since(&self, from: UnixNanos) -> impl Iterator<Item = &Row> {
        self.rows.iter().rev().take_while(move |row| row.at > from)
    }

    /// Baseline and incident as they are compared, the incident from `from` on, or from earlier where it would be too short
    /// and nothing of that is learned as good: who has something to say of `signal`, and who fails it at `limit`.
    #[must_use]
    pub fn sides(&self, from: UnixNanos, signal: Signal, limit: f64) -> [Side; 2] {
        let learned = self.good.back().map_or(UnixNanos(0), |row| row.at);
        let enough = self.rows.iter().rev().take_while(|row| row.at > learned).take(ENOUGH).last();
        let from = enough.map_or(from, |row| from.min(UnixNanos(row.at.0 - 1)));
        let good: Vec<&Row> = self.good.iter().filter(|row| row.at <= from).collect();
        let mut now: Vec<&Row> = self.since(from).collect();
        now.reverse();
        sides([&good, &now], signal, limit)
    }

    /// Whole requests that ended after `from` and fail `signal` at `limit`: those in trouble first, the newest of either first.
    pub fn failing(&self, from: UnixNanos, signal: Signal, limit: f64) -> impl Iterator<Item = &Arc<Request>> {
        let fails = move |it: &&Sample| it.at > from && it.facts.fails(signal, limit) == Some(true);
        self.clean.iter().chain(&self.troubled).rev().filter(fails).map(|it| &it.request)
    }

    /// Whole requests that ended after `from`: those in trouble first, the newest of either first.
    pub fn newest(&self, from: UnixNanos) -> impl Iterator<Item = &Arc<Request>> {
        self.clean.iter().chain(&self.troubled).rev().filter(move |it| it.at > from).map(|it| &it.request)
    }

    /// Whole requests without trouble, newest first.
    pub fn healthy(&self, signal: Signal, limit: f64) -> impl Iterator<Item = &Arc<Request>> {
        let fine = move |it: &&Sample| it.facts.fails(signal, limit) != Some(true);
        self.clean.iter().rev().filter(fine).map(|it| &it.request)
    }
}

/// The ring never has room for more than `max`.
fn push<T>(ring: &mut VecDeque<T>, max: usize, item: T) {
    if ring.len() >= max {
        ring.pop_front();
    } else if ring.len() == ring.capacity() {
        ring.reserve_exact(ring.len().max(ROOM_MIN).min(max - ring.len()));
    }
    ring.push_back(item);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::request::tests::{evaluation, request};

    /// Proves that a ring takes up no more memory than its bound, and keeps the newest.
    #[test]
    fn rings_have_no_room_to_spare() {
        for max in [1, 63, 65, 1_000] {
            let mut ring = VecDeque::new();
            (0..3 * max).for_each(|item| push(&mut ring, max, item));
            assert!(ring.capacity() <= max, "{max}: {}", ring.capacity());
            assert!(ring.iter().copied().eq(2 * max..3 * max), "{max}");
        }
    }

    /// Proves that a request which is judged after it was taken for healthy becomes a failing sample that tells who judged
    /// it and how, and no other request does.
    #[test]
    fn what_is_judged_late_fails_late() {
        let mut recorder = Recorder::new(100, 10);
        let [judged, other] = [1, 2].map(|id| Request { trace_id: TraceId([id; 16]), ..request() });
        for request in [&judged, &other] {
            let facts = Facts::of(request, false);
            let row = Row { at: request.ended_at, trace: trace(request.trace_id), codes: [ABSENT; _], facts };
            recorder.record(row, Arc::new(request.clone()));
        }
        let failing = |recorder: &Recorder| -> Vec<(TraceId, usize)> {
            let failing = recorder.failing(UnixNanos(0), Signal::EvaluationPassRatio, 0.0);
            failing.map(|it| (it.trace_id, it.evaluations.len())).collect()
        };
        assert_eq!(failing(&recorder), []);

        let said = vec![evaluation("relevance", false); EVALUATIONS_MAX + 1];
        recorder.amend(judged.trace_id, Some((3, 9)), &Facts::of_late(&said, None), &said);
        assert_eq!(failing(&recorder), [(judged.trace_id, EVALUATIONS_MAX)]);
        let healthy: Vec<_> = recorder.healthy(Signal::EvaluationPassRatio, 0.0).map(|it| it.trace_id).collect();
        assert_eq!(healthy, [other.trace_id]);
        let codes: Vec<u8> = recorder.since(UnixNanos(0)).map(|row| row.codes[3]).collect();
        assert_eq!(codes, [ABSENT, 9]);
    }
}

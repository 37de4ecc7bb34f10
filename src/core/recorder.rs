//! The flight recorder of one feature: a bounded ring of what each request did, and a few whole requests for the
//! samples of a frame.

use std::collections::VecDeque;
use std::sync::Arc;

use super::facts::Facts;
use super::ledger::Values;
use super::request::Request;
use super::signal::Signal;
use super::time::UnixNanos;

/// Whole requests kept of either kind, newest last.
pub const SAMPLES_MAX: usize = 16;

/// One request, compact.
#[derive(Clone, Debug)]
pub struct Row {
    /// When it ended here.
    pub at: UnixNanos,
    /// The values of its variables, interned in the feature's ledger.
    pub values: Values,
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

/// The ring and the samples.
#[derive(Debug)]
pub struct Recorder {
    rows: VecDeque<Row>,
    rows_max: usize,
    troubled: VecDeque<Sample>,
    clean: VecDeque<Sample>,
}

impl Recorder {
    /// An empty recorder of at most `rows_max` rows.
    #[must_use]
    pub fn new(rows_max: usize) -> Self {
        Self { rows: VecDeque::new(), rows_max, troubled: VecDeque::new(), clean: VecDeque::new() }
    }

    /// Keeps one request; the oldest makes room.
    pub fn record(&mut self, row: Row, request: Arc<Request>) {
        let kind = if row.facts.is_troubled() { &mut self.troubled } else { &mut self.clean };
        push(kind, SAMPLES_MAX, Sample { at: row.at, facts: row.facts, request });
        push(&mut self.rows, self.rows_max, row);
    }

    /// Rows that ended after `from`, newest first.
    pub fn since(&self, from: UnixNanos) -> impl Iterator<Item = &Row> {
        self.rows.iter().rev().take_while(move |row| row.at > from)
    }

    /// Whole requests that ended after `from` and fail `signal` at `limit`, newest first.
    pub fn failing(&self, from: UnixNanos, signal: Signal, limit: f64) -> impl Iterator<Item = &Arc<Request>> {
        let fails = move |it: &&Sample| it.at > from && it.facts.fails(signal, limit) == Some(true);
        self.troubled.iter().chain(&self.clean).rev().filter(fails).map(|it| &it.request)
    }

    /// Whole requests that ended after `from`, newest first.
    pub fn newest(&self, from: UnixNanos) -> impl Iterator<Item = &Arc<Request>> {
        self.troubled.iter().chain(&self.clean).rev().filter(move |it| it.at > from).map(|it| &it.request)
    }

    /// Whole requests without trouble, newest first.
    pub fn healthy(&self, signal: Signal, limit: f64) -> impl Iterator<Item = &Arc<Request>> {
        let fine = move |it: &&Sample| it.facts.fails(signal, limit) != Some(true);
        self.clean.iter().rev().filter(fine).map(|it| &it.request)
    }
}

fn push<T>(ring: &mut VecDeque<T>, max: usize, item: T) {
    if ring.len() >= max {
        ring.pop_front();
    }
    ring.push_back(item);
}

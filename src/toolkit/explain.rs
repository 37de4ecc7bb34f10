//! Two windows of a recording, compared as an alert would compare them: which variable moved, without an alert.

use std::ops::Range;

use serde_json::Value as Json;

use crate::config::Config;
use crate::core::attribution::{self, Verdict};
use crate::core::completeness::Completeness;
use crate::core::detect::Direction;
use crate::core::facts::Facts;
use crate::core::frame::{self, Frame, Producer, Redaction, VariableState};
use crate::core::ledger::{self, Ledger, Tally};
use crate::core::meters::Meters;
use crate::core::recorder::{self, Row};
use crate::core::request::Request;
use crate::core::rules;
use crate::core::signal::{Shape, Signal};
use crate::core::time::UnixNanos;
use crate::core::triage;
use crate::core::variable::Variable;
use crate::core::vocabulary::Vocabulary;
use crate::core::window::{Policy, Window, Windows};
use crate::engine;
use crate::engine::registry::ALL;

/// Rows of one window at most; of more, every second, third, ... is compared.
pub const ROWS_MAX: usize = 1_000_000;
/// Whole requests of either kind in the frame.
const SAMPLES_MAX: usize = 5;

/// What to compare.
#[derive(Clone, Debug)]
pub struct Question {
    /// When it is bad.
    pub incident: Range<UnixNanos>,
    /// When it was good.
    pub baseline: Range<UnixNanos>,
    /// What is bad.
    pub signal: Signal,
    /// Of which feature; `None` for the whole service.
    pub feature: Option<String>,
}

/// The comparison while requests are read.
#[derive(Debug)]
pub struct Comparison {
    question: Question,
    baseline: Side,
    incident: Side,
    ledger: Ledger,
    vocabulary: Vocabulary,
    completeness: Completeness,
    /// The worst and the best requests of the incident, with how bad and how good.
    failing: Vec<(f64, Request)>,
    healthy: Vec<(f64, Request)>,
    config_sha256: String,
    rules_version: String,
}

#[derive(Debug, Default)]
struct Side {
    meters: Meters,
    tally: Tally,
    rows: Vec<Row>,
    seen: usize,
}

impl Comparison {
    /// Nothing read yet.
    #[must_use]
    pub fn new(question: Question, config: &Config) -> Self {
        let redactor = engine::redactor(config);
        Self {
            question,
            baseline: Side::default(),
            incident: Side::default(),
            ledger: Ledger::new(config.windows),
            vocabulary: Vocabulary::default(),
            completeness: Completeness::default(),
            failing: Vec::new(),
            healthy: Vec::new(),
            config_sha256: config.sha256(),
            rules_version: redactor.map_or_else(|| "off".to_owned(), |it| it.rules_version().to_owned()),
        }
    }

    /// Takes in a redacted request, if it ended in one of the windows.
    pub fn add(&mut self, request: &Request) {
        let at = request.ended_at;
        let is_asked = self.question.feature.as_deref().is_none_or(|name| name == &*request.feature);
        let (before, now) = (self.question.baseline.contains(&at), self.question.incident.contains(&at));
        if !is_asked || !(before || now) {
            return;
        }
        let (texts, reading) = (ledger::texts(request, &[]), attribution::reading(request, &[]));
        let codes = self.vocabulary.codes(&reading, at, UnixNanos(0), |_| None);
        let row = Row { at, trace: recorder::trace(request.trace_id), codes, facts: Facts::of(request, false) };
        for (side, _) in [(&mut self.baseline, before), (&mut self.incident, now)].into_iter().filter(|it| it.1) {
            side.meters.record(request, false);
            self.ledger.count_into(&mut side.tally, &texts, at, |subject| (None, subject.detail(request)));
            side.keep(row.clone());
        }
        if now {
            self.completeness.observe(request);
            self.sample(request, &row.facts);
        }
    }

    fn sample(&mut self, request: &Request, facts: &Facts) {
        let signal = self.question.signal;
        let measured = facts.measured(signal).map(|it| if signal.worse() == Direction::Above { it } else { -it });
        let Some(badness) = measured.or_else(|| facts.fails(signal, 0.0).map(|it| if it { 1.0 } else { -1.0 })) else {
            return;
        };
        let is_ratio = signal.shape() == Shape::Ratio;
        for (kept, badness, is_wanted) in
            [(&mut self.failing, badness, badness > 0.0), (&mut self.healthy, -badness, badness < 0.0)]
        {
            let at = kept.partition_point(|(known, _)| *known >= badness);
            if at < SAMPLES_MAX && (is_wanted || !is_ratio) {
                kept.insert(at, (badness, request.clone()));
                kept.truncate(SAMPLES_MAX);
            }
        }
    }

    /// Requests read of baseline and incident.
    #[must_use]
    pub fn requests(&self) -> [u32; 2] {
        [self.baseline.tally.requests, self.incident.tally.requests]
    }

    /// The frame that this makes, of a new id, taken at the end of the incident.
    #[must_use]
    pub fn frame(mut self, id: String) -> Frame {
        self.question.signal = self.signal();
        let question = self.question.clone();
        let [before, now] = [(&self.baseline, &question.baseline), (&self.incident, &question.incident)]
            .map(|(side, range)| window(&side.meters, range));
        let verdict = self.verdict(&now);
        let rules = rules::built_in();
        let rule = rules.iter().find(|rule| rule.signal == question.signal);
        let tallies = [&self.incident.tally, &self.baseline.tally];
        let state = |it| VariableState::of(&self.ledger, it, tallies, &self.completeness);
        let variables = Variable::ALL.into_iter().map(state).collect();
        let of = |range: &Range<UnixNanos>, window: &Window| frame::Window {
            from: range.start,
            to: range.end,
            requests: window.requests(),
        };
        Frame {
            drill: None,
            id,
            captured_at: question.incident.end,
            feature: question.feature.as_deref().unwrap_or(ALL).into(),
            refines: None,
            alert: frame::Alert::asked(question.signal, now.estimate(question.signal), question.incident.start, rule),
            incident: of(&question.incident, &now),
            baseline: Some(of(&question.baseline, &before)),
            variables,
            verdict,
            rows: None,
            changes: Vec::new(),
            signals: engine::signals(&now, Some(&before)),
            breakers: Vec::new(),
            failing: self.failing.into_iter().map(|(_, request)| request).collect(),
            healthy: self.healthy.into_iter().map(|(_, request)| request).collect(),
            completeness: self.completeness,
            redaction: Redaction { rules_version: self.rules_version, counts: Vec::new() },
            producer: Producer { version: env!("CARGO_PKG_VERSION"), config_sha256: self.config_sha256 },
        }
    }

    /// What is compared: where quality is asked for and judges only gave scores, of which nobody said what passes, the score.
    fn signal(&self) -> Signal {
        let rows = || self.baseline.rows.iter().chain(&self.incident.rows);
        let is_judged = rows().any(|row| row.facts.fails(Signal::EvaluationPassRatio, 0.0).is_some());
        let is_scored = rows().any(|row| row.facts.measured(Signal::EvaluationScore).is_some());
        match self.question.signal {
            Signal::Quality if is_scored && !is_judged => Signal::EvaluationScore,
            asked => asked,
        }
    }

    fn verdict(&mut self, now: &Window) -> Verdict {
        let limit = now.estimate(self.question.signal).map_or(0.0, |it| it.value);
        let rows = [&mut self.baseline, &mut self.incident].map(|side| {
            side.rows.sort_by_key(|row| row.at);
            side.rows.iter().collect::<Vec<_>>()
        });
        let [before, now] = recorder::sides([&rows[0], &rows[1]], self.question.signal, limit);
        Verdict::of(&before, &now, &|dimension, code| self.vocabulary.text(dimension, code).to_owned())
    }
}

impl Side {
    /// Keeps every row, and of more than [`ROWS_MAX`] every second, again and again.
    fn keep(&mut self, row: Row) {
        self.seen += 1;
        if self.rows.len() == ROWS_MAX {
            let mut n = 0;
            self.rows.retain(|_| {
                n += 1;
                n % 2 == 0
            });
        }
        let step = (self.seen / ROWS_MAX + 1).next_power_of_two();
        if self.seen.is_multiple_of(step) {
            self.rows.push(row);
        }
    }
}

/// What meters counted, as one window.
fn window(meters: &Meters, range: &Range<UnixNanos>) -> Window {
    let length = range.end.since(range.start);
    let mut windows = Windows::new(Policy { slot: length, short: length, long: length, baseline: length });
    drop(windows.close_slot(range.end, meters, false));
    windows.newest()
}

/// A frame that nobody commits, as a document: with the patterns that triage finds, and no place in a log.
#[must_use]
pub fn document(mut frame: Frame) -> Json {
    frame.alert.patterns = triage::patterns(&frame.body().into()).into_iter().map(|it| it.pattern).collect();
    let mut document = Json::Object(frame.body());
    (document["origin"], document["seq"]) = ("explain".into(), 0.into());
    document
}

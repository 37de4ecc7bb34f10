//! Rows as the two sides that attribution compares.

use super::Row;
use crate::core::attribution::{Mark, PARTS, Side};
use crate::core::detect::Direction;
use crate::core::facts::Facts;
use crate::core::signal::{Measure, Shape, Signal};

/// Values of the baseline from which its percentiles are read, and which of them may be limits.
const USUAL_MIN: usize = 40;
const LEVELS: [usize; 6] = [25, 50, 75, 90, 95, 99];

/// Rows of baseline and incident, in order of time, as they are compared by a signal. A request fails a ratio by itself; a
/// quantile or a mean where it is beyond the quantile of the baseline that tells the two apart best, or beyond `limit`
/// where the baseline is too short. Marks stand beside a ratio only, for a latency is what the other figures are made of; and
/// none is the signal itself.
#[must_use]
pub fn sides(rows: [&[&Row]; 2], signal: Signal, limit: f64) -> [Side; 2] {
    let sign = if signal.worse() == Direction::Above { 1.0 } else { -1.0 };
    let worse = |facts: &Facts| facts.measured(signal).map(|value| value * sign);
    let limit = telling_limit(rows, worse, |more| more).map_or(limit, |limit| limit * sign);
    let is_beside =
        |mark| signal.shape() == Shape::Ratio && (mark, signal) != (Mark::Feedback, Signal::BadFeedbackRatio);
    let marks = Mark::ALL
        .map(|mark| if is_beside(mark) { telling_limit(rows, |facts| measured(facts, mark), f64::abs) } else { None });
    rows.map(|rows| {
        side(
            rows,
            |row| row.facts.fails(signal, limit),
            |facts, mark| {
                let limit = marks[mark.index()]?;
                Some(measured(facts, mark)? > limit)
            },
        )
    })
}

/// What a mark is read from, more of it above.
fn measured(facts: &Facts, mark: Mark) -> Option<f64> {
    match mark {
        Mark::OutputTokens => facts.value(Measure::OutputTokens),
        Mark::Pace => {
            let tokens = facts.value(Measure::OutputTokens).filter(|tokens| *tokens > 0.0)?;
            Some(facts.value(Measure::ModelTime)? / tokens)
        }
        Mark::Feedback => facts.fails(Signal::BadFeedbackRatio, 0.0).map(|is_bad| f64::from(u8::from(is_bad))),
    }
}

/// The percentile of the baseline beyond which are most more, or by `apart` most others, of the incident than of the baseline.
fn telling_limit(rows: [&[&Row]; 2], value: impl Fn(&Facts) -> Option<f64>, apart: impl Fn(f64) -> f64) -> Option<f64> {
    let [before, now] = rows.map(|rows| {
        let mut values: Vec<f64> = rows.iter().filter_map(|row| value(&row.facts)).collect();
        values.sort_unstable_by(f64::total_cmp);
        values
    });
    if before.len() < USUAL_MIN || now.is_empty() {
        return None;
    }
    let beyond = |values: &[f64], limit: f64| {
        (values.len() - values.partition_point(|it| *it <= limit)) as f64 / values.len() as f64
    };
    let difference = |limit: f64| {
        let (was, is) = (beyond(&before, limit), beyond(&now, limit));
        apart(is - was) / (was * (1.0 - was) + 1.0 / before.len() as f64).sqrt()
    };
    let limits = LEVELS.map(|level| before[(before.len() * level / 100).min(before.len() - 1)]);
    limits.into_iter().max_by(|a, b| difference(*a).total_cmp(&difference(*b)))
}

/// Rows in order of time as a side, cut into parts of equal length.
fn side(rows: &[&Row], fails: impl Fn(&Row) -> Option<bool>, is_beyond: impl Fn(&Facts, Mark) -> Option<bool>) -> Side {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Side::default() };
    let length = last.at.0.saturating_sub(first.at.0).max(1);
    let mut side = Side::default();
    for row in rows {
        if let Some(fails) = fails(row) {
            let part = u128::from(row.at.0.saturating_sub(first.at.0)) * PARTS as u128 / u128::from(length);
            let part = u8::try_from(part).unwrap_or(u8::MAX).min(PARTS as u8 - 1);
            side.push_marked(&row.codes, fails, part, Mark::ALL.map(|mark| is_beyond(&row.facts, mark)));
        }
    }
    side
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::request::tests::{evaluation, request};
    use crate::core::request::{Feedback, Request, TraceId};
    use crate::core::time::UnixNanos;
    use crate::core::vocabulary::ABSENT;

    /// Requests of which everything is told; in every third the user is not content, and where `is_worse` all others are not.
    fn rows(is_worse: bool) -> Vec<Row> {
        let row = |n: u8| {
            let positive = Some((n.is_multiple_of(3)) == is_worse);
            let request = Request {
                trace_id: TraceId([n; 16]),
                evaluations: vec![evaluation("relevance", n.is_multiple_of(3))],
                feedback: Some(Feedback { positive, score: None, comment: None }),
                ..request()
            };
            Row { at: UnixNanos(n.into()), trace: n.into(), codes: [ABSENT; _], facts: Facts::of(&request, false) }
        };
        (0..90).map(row).collect()
    }

    /// Proves that a mark is told beside another ratio, and neither beside itself nor beside a quantile.
    #[test]
    fn no_mark_is_the_signal_itself() {
        let [before, now] = [rows(false), rows(true)];
        let [before, now] = [&before, &now].map(|rows| rows.iter().collect::<Vec<_>>());
        let beyond = |signal| {
            let sides = sides([&before, &now], signal, 0.5);
            assert!(sides.iter().all(|side| side.fails.len() == 90), "{signal:?}");
            sides.map(|side| side.marks[Mark::Feedback.index()].iter().filter(|mark| **mark == 2).count())
        };
        assert_eq!(beyond(Signal::EvaluationPassRatio), [30, 60]);
        assert_eq!(beyond(Signal::BadFeedbackRatio), [0, 0]);
        assert_eq!(beyond(Signal::LatencyP95), [0, 0]);
    }
}

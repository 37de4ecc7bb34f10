//! Calls told by two spans: a short one that ends when the answer begins to stream, and a moment at its end that says
//! how long the stream took (logfire).

use std::time::Duration;

use super::bag::Bag;
use super::record::Record;
use crate::core::dialect::{Field, Scalar};
use crate::core::span::Kind;

/// Between the end of the first span and the beginning of the stream lies the reader's own time.
const APART_MAX: Duration = Duration::from_secs(1);

/// Joins each moment to the span that announced it; a moment without one is a call that began when its stream did.
pub(super) fn join(spans: &mut Vec<Record>) {
    if !spans.iter().any(is_of_call) {
        return;
    }
    let (mut moments, mut whole): (Vec<Record>, Vec<Record>) = std::mem::take(spans).into_iter().partition(is_of_call);
    moments.sort_by_key(|it| (it.end, it.id));
    for mut moment in moments {
        moment.start = moment.end.minus(lasted(&moment));
        let apart = |it: &Record| it.end.since(moment.start).max(moment.start.since(it.end));
        let announces = |it: &Record| {
            let open = it.content.as_ref().is_none_or(|content| content.answer.is_none());
            apart(it) <= APART_MAX
                && open
                && (it.kind, it.parent, it.scope) == (Kind::Llm, moment.parent, moment.scope)
                && it.start <= moment.start
                && it.failure.is_none()
                && it.fields.text(Field::ModelRequested) == moment.fields.text(Field::ModelRequested)
        };
        match whole.iter_mut().filter(|it| announces(it)).min_by_key(|it| (apart(it), it.id)) {
            Some(call) => {
                call.end = call.end.max(moment.end);
                call.fill(&moment);
            }
            None => whole.push(moment),
        }
    }
    *spans = whole;
}

/// Whether these are the fields of a moment, or of a call that one was joined to.
pub(super) fn is_moment(fields: &Bag) -> bool {
    fields.get(Field::LoggedDuration).is_some() && fields.get(Field::SpanType).is_some()
}

fn is_of_call(record: &Record) -> bool {
    record.kind == Kind::Llm
        && is_moment(&record.fields)
        && record.fields.text(Field::SpanType).as_deref() == Some("log")
}

fn lasted(moment: &Record) -> Duration {
    moment.fields.get(Field::LoggedDuration).and_then(|it: Scalar<'_>| it.duration(1.0)).unwrap_or_default()
}

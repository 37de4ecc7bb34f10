//! The journal of changes: which value of which variable came or went, when, how fast and how far, read from the
//! ledger's slots. A value that went and came again is told by its first coming.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::ledger::{Ledger, Subject, Tally};
use super::time::UnixNanos;
use super::variable::Variable;

/// Changes in a frame at most, newest first.
pub const CHANGES_MAX: usize = 50;
/// What was seen within this of the first slot was there before.
const SETTLED: Duration = Duration::from_secs(60);
/// A value has gone when it has not been seen for this long.
const GONE_AFTER: Duration = Duration::from_secs(120);
/// A rare value comes and goes by chance: with more chance than this of not being there, that is no change.
const CHANCE_MAX: f64 = 0.001;
/// A rollout has arrived with this part of the share it came to.
const ARRIVED: f64 = 0.9;
/// Who reports what nobody declared.
const TELEMETRY: &str = "telemetry";
/// The share is read from this much time.
const NOW: Duration = Duration::from_secs(300);

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// When the value was first or last seen.
    pub at: UnixNanos,
    /// Its variable.
    pub variable: Variable,
    /// The value, as the frame's columns show it.
    pub value: String,
    /// Whether it came, or went.
    pub is_new: bool,
    /// Share of requests before and after, 0 to 1.
    pub share: [f64; 2],
    /// How long it took to get there; `None` for what went.
    pub took: Option<Duration>,
    /// `service.name` of who declared the value; `None` where only the requests' own telemetry tells of it.
    pub reported_by: Option<String>,
}

/// The changes that a ledger knows of at `now`, newest first: at most two of each value that it holds.
#[must_use]
pub fn of(ledger: &Ledger, now: UnixNanos) -> Vec<Change> {
    let slots = ledger.slots();
    let mut changes: Vec<Change> = Variable::ALL
        .into_iter()
        .flat_map(|variable| ledger.values(Subject::Variable(variable)).map(move |it| (variable, it)))
        .flat_map(|(variable, (symbol, value))| {
            let share = |slots: &[(UnixNanos, &Tally)]| share(slots, Subject::Variable(variable), symbol);
            let (first, last) = (value.first_seen, value.last_seen);
            // What it had when it was last seen: now, or before it went.
            let held = share(from(until(&slots, last.plus(SETTLED)), last.minus(NOW).max(first)));
            let is_surprising = |slots| is_surprising(held, slots, Subject::Variable(variable));
            let change = |at, is_new| Change {
                at,
                variable,
                value: value.value.to_string(),
                is_new,
                share: if is_new { [0.0, held] } else { [held, 0.0] },
                took: arrived(from(&slots, first), &share, held).filter(|_| is_new).map(|at| at.since(first)),
                reported_by: None,
            };
            let is_new = first > ledger.started().plus(SETTLED) && is_surprising(until(&slots, first));
            let is_gone = last.plus(GONE_AFTER) < now && is_surprising(from(&slots, last));
            let (came, went) = (is_new.then(|| change(first, true)), is_gone.then(|| change(last, false)));
            [came, went].into_iter().flatten()
        })
        .collect();
    changes.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.value.cmp(&b.value)));
    changes
}

/// Whether a value of this share would hardly be missing from these requests by chance.
fn is_surprising(share: f64, slots: &[(UnixNanos, &Tally)], subject: Subject) -> bool {
    let requests: u32 = slots.iter().map(|(_, tally)| tally.reported(subject)).sum();
    f64::from(requests) * (1.0 - share).max(f64::MIN_POSITIVE).ln() < CHANCE_MAX.ln()
}

/// The end of the first slot at which a value had nearly the share it came to.
fn arrived(
    slots: &[(UnixNanos, &Tally)],
    share: &impl Fn(&[(UnixNanos, &Tally)]) -> f64,
    reached: f64,
) -> Option<UnixNanos> {
    slots.iter().find(|slot| share(std::slice::from_ref(slot)) >= ARRIVED * reached).map(|(at, _)| *at)
}

fn share(slots: &[(UnixNanos, &Tally)], subject: Subject, symbol: u8) -> f64 {
    let (with, all) = slots.iter().fold((0, 0), |(with, all), (_, tally)| {
        let own = tally.of(subject).find(|(value, _)| *value == symbol).map_or(0, |(_, requests)| requests);
        (with + own, all + tally.reported(subject))
    });
    f64::from(with) / f64::from(all.max(1))
}

fn from<'s, 't>(slots: &'s [(UnixNanos, &'t Tally)], at: UnixNanos) -> &'s [(UnixNanos, &'t Tally)] {
    &slots[slots.partition_point(|(end, _)| *end <= at)..]
}

fn until<'s, 't>(slots: &'s [(UnixNanos, &'t Tally)], at: UnixNanos) -> &'s [(UnixNanos, &'t Tally)] {
    &slots[..slots.partition_point(|(end, _)| *end <= at)]
}

impl Change {
    /// As the frame shows it.
    #[must_use]
    pub fn to_json(&self) -> Json {
        json!({
            "at": self.at.to_string(),
            "variable": self.variable.as_str(),
            "value": self.value,
            "change": if self.is_new { "first_seen" } else { "vanished" },
            "share_before": self.share[0],
            "share_after": self.share[1],
            "took_s": self.took.map(|it| it.as_secs_f64()),
            "reported_by": self.reported_by.as_deref().unwrap_or(TELEMETRY),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ledger::texts;
    use crate::core::request::tests::request;
    use crate::core::window::Policy;

    const SLOT: Duration = Duration::from_secs(10);

    fn at(slot: u32) -> UnixNanos {
        UnixNanos(0).plus(SLOT * slot)
    }

    /// Proves that a rollout in steps is told with its time, its share and how long it took, and what it replaced as gone;
    /// and that what was there from the start is no change.
    #[test]
    fn a_rollout_is_told_with_its_pace() {
        let long = SLOT * 360;
        let mut ledger = Ledger::new(Policy { slot: SLOT, short: SLOT * 30, long, baseline: long });
        for slot in 1..100 {
            let new = match slot {
                ..40 => 0,
                40..60 => 5,
                _ => 10,
            };
            for n in 0..10 {
                let mut request = request();
                request.prompt.version = Some(if n < new { "v41" } else { "v40" }.into());
                ledger.observe(&texts(&request, &[]), at(slot), |_| (None, Json::Null));
            }
            ledger.close_slot(at(slot + 1), true);
        }
        let changes = of(&ledger, at(100));
        let [went, came] = changes.as_slice() else { panic!("two changes expected: {changes:?}") };
        assert_eq!((came.value.as_str(), came.is_new, came.at), ("prompt@v41", true, at(40)));
        assert_eq!((came.share, came.took), ([0.0, 1.0], Some(SLOT * 21)));
        assert_eq!((went.value.as_str(), went.is_new, went.at), ("prompt@v40", false, at(59)));
        assert!(went.share[0] > 0.5 && went.share[1] == 0.0);
    }
}

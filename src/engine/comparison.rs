//! One feature's incident window against its last-good baseline: the raw material of a frame.

use std::sync::Arc;
use std::time::Duration;

use super::feature::Feature;
use super::view::Breach;
use crate::core::attribution::{Side, Verdict};
use crate::core::detect::Rule;
use crate::core::facts::failing;
use crate::core::frame::{Reading, Rows, Signal as FrameSignal};
use crate::core::onset;
use crate::core::request::Request;
use crate::core::signal::{Measure, Shape, Signal};
use crate::core::time::UnixNanos;
use crate::core::window::Window;

/// Whole requests of either kind in a frame.
const SAMPLES_SHOWN: usize = 5;

impl Feature {
    /// The start of the trouble that made `rule` fire: the point of the rule's window (and of what came after it) at
    /// which the excess of failures begins.
    pub(super) fn onset(&self, rule: &Rule, limit: f64, since: UnixNanos, at: UnixNanos, slot: Duration) -> UnixNanos {
        let starts = std::iter::successors(Some(since.minus(rule.window).floor(slot)), |from| Some(from.plus(slot)));
        let slots = starts.take_while(|from| *from < at).map(|from| {
            let window = self.windows.between(from, from.plus(slot));
            let (judged, failing) = failing(&window, rule.signal, limit).unwrap_or((0, 0));
            onset::Slot { from, judged, failing }
        });
        onset::of(&slots.collect::<Vec<_>>())
    }

    /// What explains the change of the alerting signal since `from`; of `otherwise` where the alert names none.
    /// With the requests it was computed from.
    pub(super) fn verdict(&self, from: UnixNanos, breach: &Breach, otherwise: Option<Signal>) -> (Verdict, Rows) {
        let [before, now] = match breach.signal.or(otherwise) {
            Some(signal) => self.recorder.sides(from, signal, breach.limit.unwrap_or_default()),
            None => [Side::default(), Side::default()],
        };
        let word = |dimension, code| self.vocabulary.text(dimension, code).to_owned();
        (Verdict::of(&before, &now, &word), Rows::of(&before, &now, &word))
    }

    /// Whole requests that fail the alerting signal, and some that do not.
    pub(super) fn samples(&self, from: UnixNanos, breach: &Breach) -> (Vec<Arc<Request>>, Vec<Arc<Request>>) {
        let (Some(signal), Some(limit)) = (breach.signal, breach.limit) else {
            let newest = self.recorder.newest(from);
            return (Vec::new(), newest.take(SAMPLES_SHOWN).cloned().collect());
        };
        let failing = self.recorder.failing(from, signal, limit).take(SAMPLES_SHOWN).cloned().collect();
        let healthy = self.recorder.healthy(signal, limit).take(SAMPLES_SHOWN).cloned().collect();
        (failing, healthy)
    }
}

/// Every signal with samples on either side.
pub fn signals(incident: &Window, baseline: Option<&Window>) -> Vec<FrameSignal> {
    let reading = |window: &Window, signal: Signal| {
        let quantiles = match signal.shape() {
            Shape::Quantile(measure, _) | Shape::Mean(&[measure]) => quantiles(window, measure),
            Shape::Ratio | Shape::Mean(_) => None,
        };
        window.estimate(signal).map(|estimate| Reading { estimate, quantiles })
    };
    Signal::ALL
        .into_iter()
        .map(|signal| FrameSignal {
            name: signal.as_str(),
            incident: reading(incident, signal),
            baseline: baseline.and_then(|window| reading(window, signal)),
        })
        .filter(|it| it.incident.is_some() || it.baseline.is_some())
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "a measure is far below 2^52 in its unit")]
fn quantiles(window: &Window, measure: Measure) -> Option<[f64; 3]> {
    let quantile = |q| window.quantile(measure, q).map(|value| value as f64 / measure.per_unit());
    Some([quantile(0.5)?, quantile(0.95)?, quantile(0.99)?])
}

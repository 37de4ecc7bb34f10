//! The newest request of every size: what a scrape shows beside a histogram's bucket (OpenMetrics 1.0, "Exemplars"), so that a
//! bar on a dashboard leads to a trace.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::core::request::TraceId;
use crate::core::signal::Measure;
use crate::core::time::UnixNanos;

/// Sizes told apart: powers of two of a microsecond, the last one from 18 minutes on.
const SIZES: usize = 31;

/// One request beside a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exemplar {
    /// Its trace.
    pub trace_id: TraceId,
    /// What was measured, microseconds.
    pub value: u64,
    /// When it ended.
    pub at: UnixNanos,
}

/// The newest requests of one feature by latency and by time to first token.
#[derive(Debug, Default)]
pub(super) struct Exemplars {
    measures: [[ArcSwapOption<Exemplar>; SIZES]; 2],
}

impl Exemplars {
    /// Memory beside the struct itself at most, bytes.
    pub(super) const BYTES_MAX: usize = 2 * SIZES * (size_of::<Exemplar>() + 2 * size_of::<usize>());

    /// Remembers a request by what was measured of it.
    pub(super) fn record(&self, measure: Measure, value: u64, trace_id: TraceId, at: UnixNanos) {
        if let Some(measure) = index(measure) {
            self.measures[measure][size(value)].store(Some(Arc::new(Exemplar { trace_id, value, at })));
        }
    }

    /// The newest request with more than `above` and at most `to` microseconds, where requests are told by this measure.
    pub(super) fn newest(&self, measure: Measure, above: u64, to: u64) -> Option<Exemplar> {
        let sizes = &self.measures[index(measure)?][size(above)..=size(to)];
        let known = sizes.iter().filter_map(|slot| slot.load().as_deref().copied());
        known.filter(|it| it.value > above && it.value <= to).max_by_key(|it| it.at)
    }
}

fn index(measure: Measure) -> Option<usize> {
    match measure {
        Measure::Latency => Some(0),
        Measure::TimeToFirstToken => Some(1),
        _ => None,
    }
}

fn size(value: u64) -> usize {
    value.checked_ilog2().map_or(0, |size| size as usize).min(SIZES - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that a bucket shows the newest request in it, whatever its bounds, and none of another.
    #[test]
    fn a_bucket_shows_its_newest_request() {
        let exemplars = Exemplars::default();
        let record = |n: u8, value: u64| {
            exemplars.record(Measure::Latency, value, TraceId([n; 16]), UnixNanos(u64::from(n)));
        };
        for (n, value) in [(1, 0), (2, 700), (3, 900), (4, 1_500_000), (5, 1_100_000), (6, u64::MAX)] {
            record(n, value);
        }
        let newest = |above, to| exemplars.newest(Measure::Latency, above, to).map(|it| it.trace_id.0[0]);
        for ((above, to), expected) in [
            ((0, 500), None),
            ((500, 800), None),
            ((500, 1_000), Some(3)),
            ((1_000, 1_200_000), Some(5)),
            ((1_200_000, 10_000_000), None),
            ((10_000_000, u64::MAX), Some(6)),
        ] {
            assert_eq!(newest(above, to), expected, "{above} to {to}");
        }
        assert_eq!(exemplars.newest(Measure::TimeToFirstToken, 0, u64::MAX), None);
        exemplars.record(Measure::Cost, 5, TraceId([7; 16]), UnixNanos(7));
        assert_eq!(exemplars.newest(Measure::Cost, 0, u64::MAX), None);
    }
}

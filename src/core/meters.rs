//! The lifetime counters of one feature. Any number of threads record; one owner reads differences for the windows,
//! and the exposition reads totals. Nothing here is ever reset, so Prometheus sees true counters.
//!
//! Labels come from telemetry, so every family of labelled counters has a cap, beyond which everything falls under
//! [`OTHER`].

mod call;
mod exemplars;
mod labelled;

pub use call::{Buckets, Call, CallMeters};
pub use exemplars::Exemplar;
pub use labelled::OTHER;

use call::CallLabels;
use exemplars::Exemplars;
use labelled::Labelled;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::histogram::Histogram;
use super::measurement::{self, Measurement, micros};
use super::request::{Evaluation, Feedback, Request};
use super::signal::{Count, Measure};

/// Tools told apart in a feature.
pub const TOOLS_MAX: usize = 64;
/// Evaluation metrics told apart in a feature.
pub const METRICS_MAX: usize = 64;
/// Combinations of operation, provider, models and error told apart in a feature.
pub const CALLS_MAX: usize = 64;
/// Indexes told apart in a feature.
pub const INDEXES_MAX: usize = 32;

/// The counters of one feature.
#[derive(Debug)]
pub struct Meters {
    counts: [AtomicU64; Count::N],
    values: [Histogram; Measure::N],
    exemplars: Exemplars,
    cost_nano_usd: AtomicU64,
    tools: Labelled<Box<str>, Outcomes>,
    metrics: Labelled<Box<str>, Outcomes>,
    calls: Labelled<Call, CallMeters>,
    freshness: Labelled<Box<str>, AtomicU64>,
}

/// Two counters of one label.
#[derive(Debug, Default)]
pub struct Outcomes {
    ok: AtomicU64,
    failed: AtomicU64,
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            counts: Default::default(),
            values: Default::default(),
            exemplars: Exemplars::default(),
            cost_nano_usd: AtomicU64::new(0),
            tools: Labelled::new(TOOLS_MAX, || OTHER.into()),
            metrics: Labelled::new(METRICS_MAX, || OTHER.into()),
            calls: Labelled::new(CALLS_MAX, Call::other),
            freshness: Labelled::new(INDEXES_MAX, || OTHER.into()),
        }
    }
}

impl Meters {
    /// Counts a finished request; `leak` says whether its answer gave something away.
    pub fn record(&self, request: &Request, leak: bool) {
        measurement::of_request(request, leak, |measurement| {
            if let Measurement::Value(measure, value) = measurement {
                self.exemplars.record(measure, value, request.trace_id, request.ended_at);
            }
            self.add(measurement);
        });
        let cost = request.calls.iter().filter_map(|call| call.cost_nano_usd).fold(0, u64::saturating_add);
        self.cost_nano_usd.fetch_add(cost, Relaxed);
        for tool in request.tools.iter().filter(|it| it.ran) {
            self.tools.with(&*tool.name, |outcomes| outcomes.add(tool.error.is_none()));
        }
        for call in &request.calls {
            let labels = CallLabels::new(request.operation.as_deref(), call);
            self.calls.with(&labels, |meters| meters.record(call));
        }
        for retrieval in &request.retrievals {
            if let Some(lag) = retrieval.freshness_lag {
                let index = retrieval.index.as_deref().unwrap_or_default();
                self.freshness.with(index, |gauge| gauge.store(micros(lag), Relaxed));
            }
        }
        self.record_evaluations(&request.evaluations);
    }

    /// Counts evaluations and feedback that arrived after their request was recorded. `request` is the request as
    /// counted until now, so that its quality verdict can turn; `None` when it is not known any more.
    pub fn record_late(&self, request: Option<&Request>, evaluations: &[Evaluation], feedback: Option<&Feedback>) {
        measurement::of_late(request, evaluations, feedback, |measurement| self.add(measurement));
        self.record_evaluations(evaluations);
    }

    /// Sets the freshness lag of an index, as reported outside a request.
    pub fn record_freshness(&self, index: &str, lag: std::time::Duration) {
        self.freshness.with(index, |gauge| gauge.store(micros(lag), Relaxed));
    }

    /// Counts `n` more of a count: for simulations, which have no requests.
    pub fn count_more(&self, count: Count, n: u64) {
        self.counts[count.index()].fetch_add(n, Relaxed);
    }

    /// Lifetime total of a count.
    #[must_use]
    pub fn count(&self, count: Count) -> u64 {
        self.counts[count.index()].load(Relaxed)
    }

    /// Lifetime distribution of a measure.
    #[must_use]
    pub fn values(&self, measure: Measure) -> &Histogram {
        &self.values[measure.index()]
    }

    /// The newest request with more than `above` and at most `to` microseconds; of latency and time to first token only.
    #[must_use]
    pub fn exemplar(&self, measure: Measure, above: u64, to: u64) -> Option<Exemplar> {
        self.exemplars.newest(measure, above, to)
    }

    /// Lifetime cost, billionths of a US dollar.
    #[must_use]
    pub fn cost_nano_usd(&self) -> u64 {
        self.cost_nano_usd.load(Relaxed)
    }

    /// Tool calls: `(tool, ok, error)`.
    #[must_use]
    pub fn tools(&self) -> Vec<(Box<str>, u64, u64)> {
        self.tools.map(|tool, outcomes| (tool.clone(), outcomes.ok.load(Relaxed), outcomes.failed.load(Relaxed)))
    }

    /// Evaluations: `(metric, pass, fail)`.
    #[must_use]
    pub fn evaluations(&self) -> Vec<(Box<str>, u64, u64)> {
        self.metrics.map(|metric, outcomes| (metric.clone(), outcomes.ok.load(Relaxed), outcomes.failed.load(Relaxed)))
    }

    /// Freshness lag by index as last reported, seconds.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "seconds for people and gauges")]
    pub fn freshness(&self) -> Vec<(Box<str>, f64)> {
        self.freshness.map(|index, micros| (index.clone(), micros.load(Relaxed) as f64 / 1e6))
    }

    /// Passes the labels and distributions of every kind of model call to `visit`.
    pub fn calls(&self, mut visit: impl FnMut(&Call, &CallMeters)) {
        let _: Vec<()> = self.calls.map(|labels, meters| visit(labels, meters));
    }

    /// Memory of one feature's meters at most, bytes, with labels of `label_bytes_max` each.
    #[must_use]
    pub const fn bytes_max(label_bytes_max: usize) -> usize {
        let outcomes = size_of::<Outcomes>() + size_of::<Box<str>>() + label_bytes_max;
        size_of::<Self>()
            + Measure::N * Histogram::bytes_max()
            + Exemplars::BYTES_MAX
            + (CALLS_MAX + 1) * (CallMeters::bytes() + size_of::<Call>() + 5 * label_bytes_max)
            + (TOOLS_MAX + METRICS_MAX + INDEXES_MAX + 3) * outcomes
    }

    fn add(&self, measurement: Measurement) {
        match measurement {
            Measurement::Count(count) => {
                self.counts[count.index()].fetch_add(1, Relaxed);
            }
            Measurement::Value(measure, value) => self.values[measure.index()].record(value),
        }
    }

    fn record_evaluations(&self, evaluations: &[Evaluation]) {
        for evaluation in evaluations.iter().filter(|it| it.is_representative()) {
            if let Some(passed) = evaluation.passed {
                self.metrics.with(&*evaluation.metric, |outcomes| outcomes.add(passed));
            }
        }
    }
}

impl Outcomes {
    fn add(&self, ok: bool) {
        if ok { &self.ok } else { &self.failed }.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests;

//! Prometheus' protobuf format, the only one that native histograms can be scraped in: `io.prometheus.client.MetricFamily`
//! of <https://github.com/prometheus/client_model>, each behind its length. The messages are written down here, so that
//! no protoc is needed; what we never send is left out of them.

use prost::Message;

use super::writer::{Beside, Counted, Kind, Label};
use crate::core::histogram::Native;
use crate::core::time::UnixNanos;

/// What is not 0 is above this: the default of Prometheus' own clients.
const ZERO_THRESHOLD: f64 = 2.938_735_877_055_719e-39;

/// Families written so far, and the one being written.
#[derive(Debug, Default)]
pub(super) struct Out {
    bytes: Vec<u8>,
    family: Option<MetricFamily>,
}

impl Out {
    /// Starts a family. An info is a gauge.
    pub(super) fn family(&mut self, name: &str, kind: Kind, help: &str) {
        self.end_family();
        let kind = match kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge | Kind::Info => MetricType::Gauge,
            Kind::Histogram => MetricType::Histogram,
        };
        let (name, help) = (Some(name.to_owned()), Some(help.to_owned()));
        self.family = Some(MetricFamily { name, help, r#type: Some(kind.into()), metric: Vec::new() });
    }

    pub(super) fn sample(&mut self, labels: &[Label<'_>], value: f64) {
        let Some(family) = &mut self.family else { return };
        let number = Some(Number { value: Some(value) });
        let is_counter = family.r#type() == MetricType::Counter;
        let (counter, gauge) = if is_counter { (number, None) } else { (None, number) };
        family.metric.push(Metric { label: pairs(labels), gauge, counter, histogram: None });
    }

    pub(super) fn histogram(&mut self, labels: &[Label<'_>], counted: &Counted<'_>, exemplars: &[Option<Beside>]) {
        let Some(family) = &mut self.family else { return };
        let mut histogram = counted.native.as_ref().map(native).unwrap_or_default();
        // Prometheus refuses a whole scrape in which they differ, and requests are counted while this is read.
        let in_native = |native: &Native| native.zeroes + native.buckets.values().sum::<u64>();
        histogram.sample_count = Some(counted.native.as_ref().map_or(counted.count, in_native));
        histogram.sample_sum = Some(counted.sum);
        let buckets = counted.bounds.iter().zip(&counted.cumulative).zip(exemplars);
        histogram.bucket = buckets
            .map(|((bound, below), beside)| Bucket {
                cumulative_count: Some(*below),
                upper_bound: Some(*bound),
                exemplar: beside.as_ref().map(exemplar),
            })
            .collect();
        if counted.native.is_some() {
            histogram.exemplars = exemplars.iter().flatten().map(exemplar).collect();
        }
        family.metric.push(Metric { label: pairs(labels), gauge: None, counter: None, histogram: Some(histogram) });
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.end_family();
        self.bytes
    }

    /// A family without a sample says nothing, and Prometheus refuses it.
    fn end_family(&mut self) {
        if let Some(family) = self.family.take().filter(|family| !family.metric.is_empty()) {
            self.bytes.extend(family.encode_length_delimited_to_vec());
        }
    }
}

fn pairs(labels: &[Label<'_>]) -> Vec<LabelPair> {
    let pair = |(name, value): &Label<'_>| LabelPair { name: Some((*name).into()), value: Some((*value).into()) };
    labels.iter().map(pair).collect()
}

fn exemplar(Beside { trace_id, value, at: UnixNanos(at) }: &Beside) -> Exemplar {
    let label = pairs(&[("trace_id", trace_id)]);
    let seconds = i64::try_from(at / 1_000_000_000).unwrap_or(i64::MAX);
    let nanos = i32::try_from(at % 1_000_000_000).unwrap_or_default();
    Exemplar { label, value: Some(*value), timestamp: Some(Timestamp { seconds, nanos }) }
}

/// Buckets as runs of neighbours (spans), and each count as its difference from the one before (deltas).
fn native(native: &Native) -> Histogram {
    let (mut spans, mut deltas): (Vec<BucketSpan>, Vec<i64>) = (Vec::new(), Vec::new());
    let (mut next, mut before) = (0, 0);
    for (index, n) in &native.buckets {
        let n = i64::try_from(*n).unwrap_or(i64::MAX);
        match spans.last_mut() {
            Some(span) if *index == next => span.length = span.length.map(|length| length + 1),
            _ => spans.push(BucketSpan { offset: Some(index - next), length: Some(1) }),
        }
        deltas.push(n - before);
        (next, before) = (index + 1, n);
    }
    if spans.is_empty() {
        // Without any bucket, this span tells a native histogram from a classic one.
        spans.push(BucketSpan { offset: Some(0), length: Some(0) });
    }
    Histogram {
        schema: Some(native.schema.into()),
        zero_threshold: Some(ZERO_THRESHOLD),
        zero_count: Some(native.zeroes),
        positive_span: spans,
        positive_delta: deltas,
        ..Histogram::default()
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct MetricFamily {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    help: Option<String>,
    #[prost(enumeration = "MetricType", optional, tag = "3")]
    r#type: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    pub(super) metric: Vec<Metric>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(super) enum MetricType {
    Counter = 0,
    Gauge = 1,
    Histogram = 4,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Metric {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<Number>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Number>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
struct LabelPair {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    value: Option<String>,
}

/// A `Gauge` or a `Counter`.
#[derive(Clone, Copy, PartialEq, Message)]
struct Number {
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(uint64, optional, tag = "1")]
    sample_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    sample_sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    bucket: Vec<Bucket>,
    #[prost(sint32, optional, tag = "5")]
    schema: Option<i32>,
    #[prost(double, optional, tag = "6")]
    zero_threshold: Option<f64>,
    #[prost(uint64, optional, tag = "7")]
    zero_count: Option<u64>,
    #[prost(message, repeated, tag = "12")]
    positive_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "13")]
    positive_delta: Vec<i64>,
    #[prost(message, repeated, tag = "16")]
    exemplars: Vec<Exemplar>,
}

#[derive(Clone, PartialEq, Message)]
struct Bucket {
    #[prost(uint64, optional, tag = "1")]
    cumulative_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    upper_bound: Option<f64>,
    #[prost(message, optional, tag = "3")]
    exemplar: Option<Exemplar>,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
struct BucketSpan {
    #[prost(sint32, optional, tag = "1")]
    offset: Option<i32>,
    #[prost(uint32, optional, tag = "2")]
    length: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
struct Exemplar {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(double, optional, tag = "2")]
    value: Option<f64>,
    #[prost(message, optional, tag = "3")]
    timestamp: Option<Timestamp>,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Proves spans (the gap to the one before, how many) and deltas; and that no bucket is still a native histogram.
    #[test]
    fn buckets_are_runs_of_differences() {
        let spans = |native: &Histogram| -> Vec<(i32, u32)> {
            native.positive_span.iter().map(|span| (span.offset(), span.length())).collect()
        };
        let filled = native(&Native { schema: 3, zeroes: 1, buckets: BTreeMap::from([(-8, 1), (-7, 3), (2, 1)]) });
        assert_eq!((spans(&filled), filled.positive_delta), (vec![(-8, 2), (8, 1)], vec![1, 2, -2]));
        let empty = native(&Native { schema: 3, zeroes: 0, buckets: BTreeMap::new() });
        assert_eq!(spans(&empty), [(0, 0)]);
    }
}

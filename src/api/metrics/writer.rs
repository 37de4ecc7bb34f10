//! One way to write families, whatever the format that was asked for.

use std::collections::BTreeSet;

use super::{protobuf, text};
use crate::core::histogram::Native;
use crate::core::time::UnixNanos;

/// Series of one scrape. Beyond it families that can have many leave series out, see [`Family::has_room`].
const SERIES_MAX: usize = 100_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    OpenMetrics,
    Protobuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    /// A gauge of value 1 whose labels are the message; its name ends in `_info`.
    Info,
}

/// A label: name and value.
pub(super) type Label<'a> = (&'a str, &'a str);

/// What a histogram holds.
#[derive(Debug)]
pub(super) struct Counted<'a> {
    /// Ascending, in the histogram's unit.
    pub(super) bounds: &'a [f64],
    /// Values at or below each of the bounds.
    pub(super) cumulative: Vec<u64>,
    pub(super) sum: f64,
    pub(super) count: u64,
    /// The same values in exponential buckets, where they are kept.
    pub(super) native: Option<Native>,
}

/// A request shown beside a bucket: an exemplar.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Beside {
    pub(super) trace_id: String,
    /// In the histogram's unit.
    pub(super) value: f64,
    pub(super) at: UnixNanos,
}

/// Writes families one after the other.
#[derive(Debug)]
pub(super) struct Writer {
    out: Out,
    names: BTreeSet<String>,
    series: usize,
    left_out: usize,
}

#[derive(Debug)]
enum Out {
    Text(text::Out),
    Protobuf(protobuf::Out),
}

/// The family being written.
#[derive(Debug)]
pub(super) struct Family<'a>(&'a mut Writer);

impl Format {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }
}

impl Writer {
    pub(super) fn new(format: Format) -> Self {
        let out = match format {
            Format::Text | Format::OpenMetrics => Out::Text(text::Out::new(format == Format::OpenMetrics)),
            Format::Protobuf => Out::Protobuf(protobuf::Out::default()),
        };
        Self { out, names: BTreeSet::new(), series: 0, left_out: 0 }
    }

    /// Starts the family `name`, once only. `name` is that of its samples: a counter's ends in `_total`.
    pub(super) fn family(&mut self, name: &str, kind: Kind, help: &str) -> Family<'_> {
        match &mut self.out {
            Out::Text(out) => out.family(name, kind, help),
            Out::Protobuf(out) => out.family(name, kind, help),
        }
        self.names.insert(name.to_owned());
        Family(self)
    }

    /// Whether the family `name` is there already.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// How many times [`Family::has_room`] said no.
    pub(super) fn left_out(&self) -> usize {
        self.left_out
    }

    pub(super) fn finish(self) -> Vec<u8> {
        match self.out {
            Out::Text(out) => out.finish().into_bytes(),
            Out::Protobuf(out) => out.finish(),
        }
    }
}

impl Family<'_> {
    pub(super) fn sample(&mut self, labels: &[Label<'_>], value: f64) {
        self.0.series += 1;
        match &mut self.0.out {
            Out::Text(out) => out.sample(labels, value),
            Out::Protobuf(out) => out.sample(labels, value),
        }
    }

    /// `beside` has the exemplar of a bucket, by its number, for the formats that can show one.
    pub(super) fn histogram(
        &mut self,
        labels: &[Label<'_>],
        counted: &Counted<'_>,
        beside: impl Fn(usize) -> Option<Beside>,
    ) {
        let exemplars: Vec<Option<Beside>> = (0..=counted.bounds.len()).map(beside).collect();
        // Its buckets, `+Inf`, sum and count.
        self.0.series += counted.bounds.len() + 3;
        match &mut self.0.out {
            Out::Text(out) => out.histogram(labels, counted, &exemplars),
            Out::Protobuf(out) => out.histogram(labels, counted, &exemplars),
        }
    }

    /// Whether there is room for more series of a kind that can be many; a no is counted.
    pub(super) fn has_room(&mut self) -> bool {
        let has_room = self.0.series < SERIES_MAX;
        self.0.left_out += usize::from(!has_room);
        has_room
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use expect_test::{Expect, expect};
    use prost::Message as _;

    use super::*;

    fn written(format: Format) -> Vec<u8> {
        let mut writer = Writer::new(format);
        let mut counter = writer.family("x_total", Kind::Counter, "With \\ and \"quotes\"\nand a second line.");
        counter.sample(&[("feature", "a\\b\"c\nd"), ("outcome", "ok")], 3.0);
        writer.family("y", Kind::Gauge, "A gauge.").sample(&[], 0.5);
        writer.family("z_info", Kind::Info, "An info.").sample(&[("version", "1")], 1.0);
        let mut histogram = writer.family("h_seconds", Kind::Histogram, "A histogram.");
        let beside = |bucket: usize| {
            let at = UnixNanos(1_795_300_000_120_000_000);
            (bucket != 1).then(|| Beside { trace_id: format!("{bucket:032x}"), value: 0.25, at })
        };
        let native = Native { schema: 3, zeroes: 1, buckets: BTreeMap::from([(-8, 1), (-7, 3), (2, 1)]) };
        let counted =
            Counted { bounds: &[0.5, 1.0], cumulative: vec![1, 2], sum: 4.25, count: 3, native: Some(native) };
        histogram.histogram(&[("feature", "f")], &counted, beside);
        writer.finish()
    }

    fn check(format: Format, expected: &Expect) {
        expected.assert_eq(&String::from_utf8(written(format)).unwrap());
    }

    /// Proves the text format: names, escapes, buckets.
    #[test]
    fn text_format() {
        check(
            Format::Text,
            &expect![[r#"
                # HELP x_total With \\ and "quotes"\nand a second line.
                # TYPE x_total counter
                x_total{feature="a\\b\"c\nd",outcome="ok"} 3
                # HELP y A gauge.
                # TYPE y gauge
                y 0.5
                # HELP z_info An info.
                # TYPE z_info gauge
                z_info{version="1"} 1
                # HELP h_seconds A histogram.
                # TYPE h_seconds histogram
                h_seconds_bucket{feature="f",le="0.5"} 1
                h_seconds_bucket{feature="f",le="1"} 2
                h_seconds_bucket{feature="f",le="+Inf"} 3
                h_seconds_sum{feature="f"} 4.25
                h_seconds_count{feature="f"} 3
            "#]],
        );
    }

    /// Proves the differences of OpenMetrics.
    #[test]
    fn open_metrics_format() {
        check(
            Format::OpenMetrics,
            &expect![[r#"
                # HELP x With \\ and \"quotes\"\nand a second line.
                # TYPE x counter
                x_total{feature="a\\b\"c\nd",outcome="ok"} 3
                # HELP y A gauge.
                # TYPE y gauge
                y 0.5
                # HELP z An info.
                # TYPE z info
                z_info{version="1"} 1
                # HELP h_seconds A histogram.
                # TYPE h_seconds histogram
                h_seconds_bucket{feature="f",le="0.5"} 1 # {trace_id="00000000000000000000000000000000"} 0.25 1795300000.120
                h_seconds_bucket{feature="f",le="1.0"} 2
                h_seconds_bucket{feature="f",le="+Inf"} 3 # {trace_id="00000000000000000000000000000002"} 0.25 1795300000.120
                h_seconds_sum{feature="f"} 4.25
                h_seconds_count{feature="f"} 3
                # EOF
            "#]],
        );
    }

    /// Proves the messages: one a family, each behind its length.
    #[test]
    fn protobuf_format() {
        let bytes = written(Format::Protobuf);
        let (mut rest, mut families) = (&bytes[..], Vec::new());
        while !rest.is_empty() {
            families.push(protobuf::MetricFamily::decode_length_delimited(&mut rest).unwrap());
        }
        let names: Vec<_> = families.iter().map(|family| (family.name(), family.r#type())).collect();
        use protobuf::MetricType::{Counter, Gauge, Histogram};
        assert_eq!(names, [("x_total", Counter), ("y", Gauge), ("z_info", Gauge), ("h_seconds", Histogram)]);
        assert!(families.iter().all(|family| family.metric.len() == 1));
    }
}

//! The two text formats of Prometheus: text 0.0.4 and OpenMetrics 1.0. They differ in the name of a counter's family
//! (OpenMetrics drops `_total`), in info metrics, in the look of `le` and in the last line.

use std::collections::BTreeSet;
use std::fmt::{self, Write};

use crate::core::time::UnixNanos;

/// Lines of one scrape. Beyond it families that can have many leave series out, see [`Family::has_room`].
const SERIES_MAX: usize = 100_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    OpenMetrics,
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
    format: Format,
    out: String,
    names: BTreeSet<String>,
    series: usize,
    left_out: usize,
}

/// The family being written.
#[derive(Debug)]
pub(super) struct Family<'a> {
    writer: &'a mut Writer,
    name: &'a str,
}

impl Format {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

impl Writer {
    pub(super) fn new(format: Format) -> Self {
        Self { format, out: String::new(), names: BTreeSet::new(), series: 0, left_out: 0 }
    }

    /// Starts the family `name`, once only. `name` is that of its samples: a counter's ends in `_total`.
    pub(super) fn family<'a>(&'a mut self, name: &'a str, kind: Kind, help: &str) -> Family<'a> {
        let (family, kind) = match (self.format, kind) {
            (Format::Text, Kind::Info) => (name, "gauge"),
            (Format::OpenMetrics, Kind::Info) => (name.strip_suffix("_info").unwrap_or(name), "info"),
            (Format::Text, Kind::Counter) => (name, "counter"),
            (Format::OpenMetrics, Kind::Counter) => (name.strip_suffix("_total").unwrap_or(name), "counter"),
            (_, Kind::Gauge) => (name, "gauge"),
            (_, Kind::Histogram) => (name, "histogram"),
        };
        let quotes = self.format == Format::OpenMetrics;
        put(
            &mut self.out,
            format_args!("# HELP {family} {}\n# TYPE {family} {kind}\n", Escaped { text: help, quotes }),
        );
        self.names.insert(name.to_owned());
        Family { writer: self, name }
    }

    /// Whether the family `name` is there already.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// How many times [`Family::has_room`] said no.
    pub(super) fn left_out(&self) -> usize {
        self.left_out
    }

    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
        self.out
    }
}

impl Family<'_> {
    pub(super) fn sample(&mut self, labels: &[Label<'_>], value: impl fmt::Display) {
        self.line("", labels, None, value, None);
    }

    /// `bounds` are ascending, `(cumulative, sum, count)` as counted at or below them. `beside` has the exemplar of a bucket,
    /// by its number, which OpenMetrics alone can show.
    pub(super) fn histogram(
        &mut self,
        labels: &[Label<'_>],
        bounds: &[f64],
        counted: (Vec<u64>, f64, u64),
        beside: impl Fn(usize) -> Option<Beside>,
    ) {
        let (cumulative, sum, count) = counted;
        let beside = |bucket| beside(bucket).filter(|_| self.writer.format == Format::OpenMetrics);
        let exemplars: Vec<Option<Beside>> = (0..=bounds.len()).map(beside).collect();
        for ((bound, below), exemplar) in bounds.iter().zip(cumulative).zip(&exemplars) {
            let le = match self.writer.format {
                Format::OpenMetrics if bound.fract() == 0.0 => format!("{bound:.1}"),
                Format::OpenMetrics | Format::Text => bound.to_string(),
            };
            self.line("_bucket", labels, Some(&le), below, exemplar.as_ref());
        }
        self.line("_bucket", labels, Some("+Inf"), count, exemplars.last().and_then(Option::as_ref));
        self.line("_sum", labels, None, sum, None);
        self.line("_count", labels, None, count, None);
    }

    /// A sample line that somebody else formatted.
    pub(super) fn verbatim(&mut self, line: &str) {
        self.writer.series += 1;
        put(&mut self.writer.out, format_args!("{line}\n"));
    }

    /// Whether there is room for more series of a kind that can be many; a no is counted.
    pub(super) fn has_room(&mut self) -> bool {
        let has_room = self.writer.series < SERIES_MAX;
        self.writer.left_out += usize::from(!has_room);
        has_room
    }

    fn line(
        &mut self,
        suffix: &str,
        labels: &[Label<'_>],
        le: Option<&str>,
        value: impl fmt::Display,
        beside: Option<&Beside>,
    ) {
        self.writer.series += 1;
        let out = &mut self.writer.out;
        put(out, format_args!("{}{suffix}", self.name));
        let labels = labels.iter().copied().chain(le.map(|le| ("le", le)));
        let mut before = '{';
        for (name, value) in labels {
            put(out, format_args!("{before}{name}=\"{}\"", Escaped { text: value, quotes: true }));
            before = ',';
        }
        let after = if before == '{' { "" } else { "}" };
        put(out, format_args!("{after} {value}"));
        if let Some(Beside { trace_id, value, at }) = beside {
            let at = format_args!("{}.{:03}", at.0 / 1_000_000_000, at.0 / 1_000_000 % 1_000);
            put(out, format_args!(" # {{trace_id=\"{trace_id}\"}} {value} {at}"));
        }
        out.push('\n');
    }
}

/// Backslash and line feed, and double quotes where `quotes`, escaped.
struct Escaped<'a> {
    text: &'a str,
    quotes: bool,
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in self.text.split_inclusive(['\\', '\n', '"']) {
            let (plain, special) = match part.char_indices().next_back() {
                Some((at, last @ ('\\' | '\n' | '"'))) => (&part[..at], Some(last)),
                _ => (part, None),
            };
            f.write_str(plain)?;
            match special {
                Some('\n') => f.write_str("\\n")?,
                Some('"') if !self.quotes => f.write_str("\"")?,
                Some(special) => write!(f, "\\{special}")?,
                None => {}
            }
        }
        Ok(())
    }
}

fn put(out: &mut String, arguments: fmt::Arguments<'_>) {
    out.write_fmt(arguments).expect("writing to a String does not fail");
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(format: Format, expected: &Expect) {
        let mut writer = Writer::new(format);
        let mut counter = writer.family("x_total", Kind::Counter, "With \\ and \"quotes\"\nand a second line.");
        counter.sample(&[("feature", "a\\b\"c\nd"), ("outcome", "ok")], 3);
        writer.family("y", Kind::Gauge, "A gauge.").sample(&[], 0.5);
        writer.family("z_info", Kind::Info, "An info.").sample(&[("version", "1")], 1);
        let mut histogram = writer.family("h_seconds", Kind::Histogram, "A histogram.");
        let beside = |bucket: usize| {
            let at = UnixNanos(1_795_300_000_120_000_000);
            (bucket != 1).then(|| Beside { trace_id: format!("{bucket:032x}"), value: 0.25, at })
        };
        histogram.histogram(&[("feature", "f")], &[0.5, 1.0], (vec![1, 2], 4.25, 3), beside);
        expected.assert_eq(&writer.finish());
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
}

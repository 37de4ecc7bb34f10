//! The two text formats of Prometheus: text 0.0.4 and OpenMetrics 1.0. They differ in the name of a counter's family
//! (OpenMetrics drops `_total`), in info metrics, in the look of `le`, in exemplars and in the last line.

use std::fmt::{self, Write};

use super::writer::{Beside, Counted, Kind, Label};

/// Lines written so far.
#[derive(Debug)]
pub(super) struct Out {
    is_open_metrics: bool,
    text: String,
    /// Name of the samples of the family being written.
    name: String,
}

impl Out {
    pub(super) const fn new(is_open_metrics: bool) -> Self {
        Self { is_open_metrics, text: String::new(), name: String::new() }
    }

    pub(super) fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let (family, kind) = match (self.is_open_metrics, kind) {
            (false, Kind::Info) => (name, "gauge"),
            (true, Kind::Info) => (name.strip_suffix("_info").unwrap_or(name), "info"),
            (false, Kind::Counter) => (name, "counter"),
            (true, Kind::Counter) => (name.strip_suffix("_total").unwrap_or(name), "counter"),
            (_, Kind::Gauge) => (name, "gauge"),
            (_, Kind::Histogram) => (name, "histogram"),
        };
        let help = Escaped { text: help, quotes: self.is_open_metrics };
        put(&mut self.text, format_args!("# HELP {family} {help}\n# TYPE {family} {kind}\n"));
        name.clone_into(&mut self.name);
    }

    pub(super) fn sample(&mut self, labels: &[Label<'_>], value: f64) {
        self.line("", labels, None, value, None);
    }

    pub(super) fn histogram(&mut self, labels: &[Label<'_>], counted: &Counted<'_>, exemplars: &[Option<Beside>]) {
        let exemplar = |bucket: usize| exemplars.get(bucket)?.clone().filter(|_| self.is_open_metrics);
        let exemplars: Vec<_> = (0..=counted.bounds.len()).map(exemplar).collect();
        for ((bound, below), exemplar) in counted.bounds.iter().zip(&counted.cumulative).zip(&exemplars) {
            let le = match self.is_open_metrics {
                true if bound.fract() == 0.0 => format!("{bound:.1}"),
                _ => bound.to_string(),
            };
            self.line("_bucket", labels, Some(&le), below, exemplar.as_ref());
        }
        self.line("_bucket", labels, Some("+Inf"), counted.count, exemplars.last().and_then(Option::as_ref));
        self.line("_sum", labels, None, counted.sum, None);
        self.line("_count", labels, None, counted.count, None);
    }

    pub(super) fn finish(mut self) -> String {
        if self.is_open_metrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    fn line(
        &mut self,
        suffix: &str,
        labels: &[Label<'_>],
        le: Option<&str>,
        value: impl fmt::Display,
        beside: Option<&Beside>,
    ) {
        let out = &mut self.text;
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

//! The process's own metrics: the recorder's text, its families put in order and renamed where OpenMetrics wants it.

use std::collections::BTreeMap;

use super::writer::{Kind, Writer};

#[derive(Default)]
struct Family<'a> {
    help: &'a str,
    kind: &'a str,
    samples: Vec<&'a str>,
}

/// Writes what the recorder rendered in text format 0.0.4: counters and gauges, as [`crate::metrics::Metric`] has
/// nothing else. Families that are written already are left out.
pub(super) fn write(writer: &mut Writer, rendered: &str) {
    for (name, mut family) in families(rendered) {
        let kind = match family.kind {
            "counter" => Kind::Counter,
            "gauge" => Kind::Gauge,
            _ => continue,
        };
        if writer.has(name) {
            continue;
        }
        family.samples.sort_unstable();
        let mut written = writer.family(name, kind, family.help);
        family.samples.iter().for_each(|line| written.verbatim(line));
    }
}

/// By name. The recorder sets help and type before the samples of a family.
fn families(rendered: &str) -> BTreeMap<&str, Family<'_>> {
    let mut families: BTreeMap<&str, Family<'_>> = BTreeMap::new();
    for line in rendered.lines().filter(|line| !line.is_empty()) {
        if let Some((name, help)) = comment(line, "# HELP ") {
            families.entry(name).or_default().help = help;
        } else if let Some((name, kind)) = comment(line, "# TYPE ") {
            families.entry(name).or_default().kind = kind;
        } else {
            let name = line.split(['{', ' ']).next().unwrap_or_default();
            families.entry(name).or_default().samples.push(line);
        }
    }
    families
}

fn comment<'a>(line: &'a str, start: &str) -> Option<(&'a str, &'a str)> {
    line.strip_prefix(start)?.split_once(' ')
}

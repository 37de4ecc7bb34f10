//! The process's own metrics: the recorder's text, its families put in order and renamed where OpenMetrics wants it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::writer::{Kind, Label, Writer};

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
        for (labels, value) in family.samples.iter().filter_map(|line| sample(line)) {
            let labels: Vec<Label<'_>> = labels.iter().map(|(name, value)| (*name, &**value)).collect();
            written.sample(&labels, value);
        }
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

type Labels<'a> = Vec<(&'a str, Cow<'a, str>)>;

/// Labels and value of a line of text format 0.0.4.
fn sample(line: &str) -> Option<(Labels<'_>, f64)> {
    let (before, value) = line.rsplit_once(' ')?;
    let Some((_, mut rest)) = before.strip_suffix('}').and_then(|before| before.split_once('{')) else {
        return Some((Vec::new(), value.parse().ok()?));
    };
    let mut labels = Vec::new();
    while !rest.is_empty() {
        let (name, quoted) = rest.split_once("=\"")?;
        let end = end(quoted)?;
        labels.push((name, unescaped(&quoted[..end])));
        rest = quoted[end + 1..].trim_start_matches(',');
    }
    Some((labels, value.parse().ok()?))
}

/// Where the quotes end that were opened before `text`.
fn end(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })
}

fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return text.into();
    }
    let (mut out, mut is_escaped) = (String::with_capacity(text.len()), false);
    for char in text.chars() {
        match (is_escaped, char) {
            (false, '\\') => {
                is_escaped = true;
                continue;
            }
            (true, 'n') => out.push('\n'),
            _ => out.push(char),
        }
        is_escaped = false;
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::super::writer::Format;
    use super::*;
    use crate::metrics::Metric;

    fn check(format: Format, expected: &Expect) {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            Metric::ALL.into_iter().for_each(Metric::describe);
            Metric::Frames.add(&[("result", "failed")], 1);
            Metric::Frames.add(&[("result", "committed \"x\"\\\n,y=\"")], 2);
            Metric::AssemblyOpenTraces.set(&[], 3);
            Metric::LogSize.set(&[], 4);
        });
        let mut writer = Writer::new(format);
        writer.family("freezeframe_log_size", Kind::Gauge, "From the store.").sample(&[], 5.0);
        write(&mut writer, &recorder.handle().render());
        expected.assert_eq(&String::from_utf8(writer.finish()).unwrap());
    }

    /// Proves order, escapes and the names of either format, and that no family is told twice.
    #[test]
    fn counters_and_gauges() {
        check(
            Format::Text,
            &expect![[r##"
                # HELP freezeframe_log_size From the store.
                # TYPE freezeframe_log_size gauge
                freezeframe_log_size 5
                # HELP freezeframe_assembly_open_traces Traces being assembled.
                # TYPE freezeframe_assembly_open_traces gauge
                freezeframe_assembly_open_traces 3
                # HELP freezeframe_config_reloads_total Configuration reloads, by result.
                # TYPE freezeframe_config_reloads_total counter
                freezeframe_config_reloads_total{result="failed"} 0
                freezeframe_config_reloads_total{result="ok"} 0
                # HELP freezeframe_frames_total Freeze frames, by result (committed, retried, failed, late).
                # TYPE freezeframe_frames_total counter
                freezeframe_frames_total{result="committed \"x\"\n\\,y=\""} 2
                freezeframe_frames_total{result="committed"} 0
                freezeframe_frames_total{result="failed"} 1
                freezeframe_frames_total{result="late"} 0
                freezeframe_frames_total{result="retried"} 0
                # HELP freezeframe_log_incidents_total Evidence found damaged, rolled back or forked, by kind.
                # TYPE freezeframe_log_incidents_total counter
                freezeframe_log_incidents_total{kind="damage"} 0
                freezeframe_log_incidents_total{kind="fork"} 0
                freezeframe_log_incidents_total{kind="rollback"} 0
                # HELP freezeframe_notifications_total Alerts sent to Alertmanager, by result (sent, partial, rejected, failed).
                # TYPE freezeframe_notifications_total counter
                freezeframe_notifications_total{result="failed"} 0
                freezeframe_notifications_total{result="partial"} 0
                freezeframe_notifications_total{result="rejected"} 0
                freezeframe_notifications_total{result="sent"} 0
                # HELP freezeframe_unpriced_calls_total Model calls without a cost because no price is known, by provider and model (64, then _other).
                # TYPE freezeframe_unpriced_calls_total counter
                freezeframe_unpriced_calls_total{provider="_other",model="_other"} 0
            "##]],
        );
        check(
            Format::OpenMetrics,
            &expect![[r##"
                # HELP freezeframe_log_size From the store.
                # TYPE freezeframe_log_size gauge
                freezeframe_log_size 5
                # HELP freezeframe_assembly_open_traces Traces being assembled.
                # TYPE freezeframe_assembly_open_traces gauge
                freezeframe_assembly_open_traces 3
                # HELP freezeframe_config_reloads Configuration reloads, by result.
                # TYPE freezeframe_config_reloads counter
                freezeframe_config_reloads_total{result="failed"} 0
                freezeframe_config_reloads_total{result="ok"} 0
                # HELP freezeframe_frames Freeze frames, by result (committed, retried, failed, late).
                # TYPE freezeframe_frames counter
                freezeframe_frames_total{result="committed \"x\"\n\\,y=\""} 2
                freezeframe_frames_total{result="committed"} 0
                freezeframe_frames_total{result="failed"} 1
                freezeframe_frames_total{result="late"} 0
                freezeframe_frames_total{result="retried"} 0
                # HELP freezeframe_log_incidents Evidence found damaged, rolled back or forked, by kind.
                # TYPE freezeframe_log_incidents counter
                freezeframe_log_incidents_total{kind="damage"} 0
                freezeframe_log_incidents_total{kind="fork"} 0
                freezeframe_log_incidents_total{kind="rollback"} 0
                # HELP freezeframe_notifications Alerts sent to Alertmanager, by result (sent, partial, rejected, failed).
                # TYPE freezeframe_notifications counter
                freezeframe_notifications_total{result="failed"} 0
                freezeframe_notifications_total{result="partial"} 0
                freezeframe_notifications_total{result="rejected"} 0
                freezeframe_notifications_total{result="sent"} 0
                # HELP freezeframe_unpriced_calls Model calls without a cost because no price is known, by provider and model (64, then _other).
                # TYPE freezeframe_unpriced_calls counter
                freezeframe_unpriced_calls_total{provider="_other",model="_other"} 0
                # EOF
            "##]],
        );
    }
}

//! Rules for Prometheus, written from the sidecar's own: what one sidecar cannot see is the same signal over every pod.
//!
//! Ratios are sums divided by sums and quantiles come from merged buckets, never averages of per-pod figures. A fixed limit is
//! judged over the rule's window where that has enough samples, else over six of them while the newest one agrees; a limit
//! relative to what is usual against the same time a day before; a burn rate over its window and a twelfth of it (The Site
//! Reliability Workbook, chapter 5). What `/metrics` has no counters of is left to the sidecars, whose alerts Prometheus sees
//! all the same (`FreezeframeAlertFiring`).

mod expression;

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use self::expression::{Series, condition, duration, recording};
use crate::config::Config;
use crate::core::detect::Rule;
use crate::core::signal::Signal;

/// What watches the sidecars themselves, whatever their rules are.
const SIDECARS: &str = include_str!("sidecars.yaml");

const HEAD: &str = "\
# Written by `freezeframe rules export` from the rules of the sidecar's configuration.
#
# What one sidecar cannot see: the same signals over every pod of a workload, and the sidecars themselves. A fleet-wide alert
# has the name, class, limit and runbook of the sidecar's own alert and in addition scope=\"fleet\", so that Alertmanager groups
# both into one page. Ratios are sums divided by sums, quantiles come from merged buckets: never averages of per-pod figures.
groups:
";

/// A limit that must hold this long before a fleet-wide alert fires: a scrape or two may be missing.
const HOLD_MIN: Duration = Duration::from_secs(120);
/// And one against the day before.
const HOLD_DAILY: Duration = Duration::from_secs(900);

/// The rule file, and the names of the rules that only sidecars can judge.
#[must_use]
pub fn rules(config: &Config) -> (String, Vec<String>) {
    let mut series = BTreeSet::new();
    let (mut alerts, mut left) = (Vec::new(), Vec::new());
    for rule in &config.rules {
        match condition(rule, &mut series) {
            Some(condition) => alerts.push((rule, condition)),
            None => left.push(rule.name.to_string()),
        }
    }
    let mut out = HEAD.to_owned();
    let runbooks = config.alerting.runbook_url_base.as_deref();
    fleet(&mut out, &series, &alerts, runbooks).expect("writing to a String cannot fail");
    if !left.is_empty() {
        let left = format!("  # Judged by the sidecars only: {}.\n\n", left.join(", "));
        out.push_str(&left);
    }
    out.push_str(SIDECARS);
    (out, left)
}

/// The groups of what is judged over all pods; nothing when nothing is.
fn fleet(
    out: &mut String,
    series: &BTreeSet<Series>,
    alerts: &[(&Arc<Rule>, String)],
    runbooks: Option<&str>,
) -> fmt::Result {
    if alerts.is_empty() {
        return Ok(());
    }
    out.push_str("  - name: freezeframe.recording\n    rules:\n");
    for Series { name, of } in series {
        write!(out, "      - record: {name}\n        expr: |\n{}", indented(&recording(of)))?;
    }
    out.push_str("\n  - name: freezeframe.fleet\n    rules:\n");
    alerts.iter().try_for_each(|(rule, condition)| alert(out, rule, condition, runbooks))
}

/// One alert over all pods.
fn alert(out: &mut String, rule: &Rule, condition: &str, runbooks: Option<&str>) -> fmt::Result {
    let is_daily = rule.limit.fixed.is_none() && rule.limit.burn_rate.is_none();
    let hold = rule.hold.max(if is_daily { HOLD_DAILY } else { HOLD_MIN });
    let labels = format!(
        "{{ class: {}, severity: {}, sev: {}, scope: fleet }}",
        rule.class.as_str(),
        rule.severity.label(),
        rule.severity.as_str()
    );
    // Braces of the user's are no template.
    let text = rule.summary.replace("{{", "{{\"{{\"}}");
    let summary = format!("{{{{ $labels.feature }}}}: {text}");
    let description = format!(
        "{} of {{{{ $labels.feature }}}} is {} over every pod of {{{{ $labels.job }}}}.",
        rule.signal.as_str(),
        shown(rule.signal)
    );
    write!(out, "      - alert: {}\n        expr: |\n{}", rule.name, indented(condition))?;
    write!(out, "        for: {}\n        keep_firing_for: {}\n", duration(hold), duration(rule.keep_firing))?;
    write!(out, "        labels: {labels}\n        annotations:\n")?;
    for (name, text) in [("summary", &summary), ("description", &description)] {
        writeln!(out, "          {name}: {}", quoted(text))?;
    }
    if let Some(base) = runbooks {
        writeln!(out, "          runbook_url: {}/{}.md", base.trim_end_matches('/'), rule.name)?;
    }
    out.push('\n');
    Ok(())
}

/// How a value is written in an annotation, by its unit.
fn shown(signal: Signal) -> &'static str {
    match signal {
        Signal::LatencyP95 | Signal::TimeToFirstTokenP95 => "{{ $value | humanizeDuration }}",
        Signal::CostPerRequest => r#"{{ printf "%.4f" $value }} USD"#,
        Signal::TokensPerRequest => "{{ $value | humanize }}",
        _ => "{{ $value | humanizePercentage }}",
    }
}

/// A YAML scalar in single quotes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn indented(lines: &str) -> String {
    lines.lines().map(|line| format!("          {line}\n")).collect()
}

#[cfg(test)]
mod tests;

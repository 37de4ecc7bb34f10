//! Alerts in the words of Alertmanager's API v2, and what the annotations say.

use std::collections::BTreeMap;

use serde::Serialize;

use super::batch::Due;
use crate::core::detect::{Estimate, Verdict};
use crate::core::fingerprint::{Labels, alert_labels};
use crate::core::time::UnixNanos;
use crate::engine::view::{Alert, FrameState, frame_url};

/// What an alert is completed with.
#[derive(Debug)]
pub(super) struct Source {
    /// URL of the admin listener.
    pub(super) base_url: String,
    /// Base of the runbooks, one page an alert, named as it is.
    pub(super) runbooks: Option<String>,
    /// Configured labels.
    pub(super) labels: Vec<(String, String)>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    labels: Labels,
    annotations: BTreeMap<&'static str, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: String,
}

/// The request's body. Alerts that fire end at `ends_at` unless they are sent again.
pub(super) fn body(alerts: &[Due], ends_at: UnixNanos, source: &Source) -> Vec<u8> {
    let messages: Vec<Message> = alerts.iter().map(|due| message(due, ends_at, source)).collect();
    serde_json::to_vec(&messages).expect("strings always serialise")
}

fn message(due: &Due, ends_at: UnixNanos, source: &Source) -> Message {
    let alert = &*due.alert;
    let ends_at = due.ended.unwrap_or(ends_at);
    let generator_url = match &alert.incident {
        Some(incident) => format!("{}/api/v1/incidents/{}", source.base_url, incident.id),
        None => format!("{}/api/v1/alerts", source.base_url),
    };
    Message {
        labels: alert_labels(&alert.rule, &alert.feature, &source.labels),
        annotations: annotations(alert, source),
        starts_at: alert.starts_at.unwrap_or(ends_at).to_string(),
        ends_at: ends_at.to_string(),
        generator_url,
    }
}

fn annotations(alert: &Alert, source: &Source) -> BTreeMap<&'static str, String> {
    let mut annotations =
        BTreeMap::from([("summary", alert.rule.summary.to_string()), ("description", description(alert))]);
    let runbook = |base: &String| format!("{}/{}.md", base.trim_end_matches('/'), alert.rule.name);
    annotations.extend(source.runbooks.as_ref().map(|base| ("runbook_url", runbook(base))));
    let Some(incident) = &alert.incident else { return annotations };
    match &incident.frame {
        FrameState::Committed(receipt) => annotations.extend([
            ("frame_url", frame_url(&source.base_url, &incident.id)),
            ("frame_id", receipt.frame_id.clone()),
            ("frame_sha256", receipt.frame_sha256.clone()),
            ("checkpoint", receipt.checkpoint.clone()),
        ]),
        FrameState::NotCommitted { reason } => {
            annotations.insert("frame_error", format!("the freeze frame is not committed: {reason}"));
        }
        FrameState::Committing => {
            annotations.insert("frame_error", "the freeze frame is not committed yet".to_owned());
        }
    }
    if let Some(suspect) = &incident.suspect {
        annotations.insert("suspect", suspect.clone());
    }
    annotations
}

/// The breach as it was when the frame was captured; it does not change while the alert fires.
fn description(alert: &Alert) -> String {
    let breach = alert.incident.as_ref().map(|incident| incident.breach);
    let (estimate, limit, source) = match (breach, alert.verdict) {
        (Some(breach), _) => (breach.estimate, breach.limit, breach.source),
        (None, Verdict::Breached { estimate, limit, source }) => (Some(estimate), Some(limit), Some(source)),
        (None, Verdict::Healthy { estimate }) => (Some(estimate), None, None),
        (None, Verdict::InsufficientData { .. }) => (None, None, None),
    };
    let (signal, feature) = (alert.rule.signal.as_str(), &alert.feature);
    let Some(Estimate { value, samples, ci_low, ci_high }) = estimate else {
        return format!("{signal} of {feature} is out of bounds.");
    };
    let limit = match (limit, source) {
        (Some(limit), Some(source)) => format!(", limit {}, {source}", figure(limit)),
        (Some(limit), None) => format!(", limit {}", figure(limit)),
        (None, _) => String::new(),
    };
    format!(
        "{signal} of {feature} is {}{limit} ({samples} samples, 95 % confidence interval {} to {}).",
        figure(value),
        figure(ci_low),
        figure(ci_high),
    )
}

/// Four significant figures without trailing zeros: enough to act on.
fn figure(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    #[expect(clippy::cast_possible_truncation, reason = "the exponent of a double is within -324..=308")]
    let magnitude = value.abs().log10().floor() as i32;
    let decimals = usize::try_from(3 - magnitude).unwrap_or(0);
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that values read well whatever their size.
    #[test]
    fn figures_are_short() {
        let table = [
            (0.0, "0"),
            (0.853_21, "0.8532"),
            (0.85, "0.85"),
            (12.0, "12"),
            (1234.567, "1235"),
            (98_765.4, "98765"),
            (0.000_123_456, "0.0001235"),
            (-2.5, "-2.5"),
            (f64::INFINITY, "inf"),
        ];
        for (value, expected) in table {
            assert_eq!(figure(value), expected);
        }
    }
}

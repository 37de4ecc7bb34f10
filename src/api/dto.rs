//! The wire types of the API, made from the values of views. Times are RFC 3339 with milliseconds, durations
//! seconds, ids lowercase hex; an absent value is `null`.

mod from_view;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(super) use self::from_view::{alert_state, since, time};
use crate::core::fingerprint::Labels;

#[derive(Debug, Serialize)]
pub(super) struct Features {
    pub(super) at: String,
    pub(super) features: Vec<Feature>,
}

#[derive(Debug, Serialize)]
pub(super) struct Feature {
    feature: String,
    signals: Vec<Signal>,
    /// As [`crate::core::completeness::Completeness::to_json`] has it.
    completeness: serde_json::Value,
    freshness_lag_seconds: BTreeMap<String, f64>,
}

/// The short window's reading at the top, beside the long window and the baseline.
#[derive(Debug, Serialize)]
struct Signal {
    signal: &'static str,
    #[serde(flatten)]
    short: Window,
    long: Window,
    baseline: Option<Estimate>,
}

#[derive(Debug, Serialize)]
struct Window {
    window_seconds: f64,
    count: u64,
    value: Option<f64>,
    ci_low: Option<f64>,
    ci_high: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Estimate {
    count: u64,
    value: f64,
    ci_low: f64,
    ci_high: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Alerts {
    pub(super) at: String,
    pub(super) alerts: Vec<Alert>,
}

#[derive(Debug, Serialize)]
pub(super) struct Alert {
    alertname: String,
    feature: String,
    class: &'static str,
    severity: &'static str,
    signal: &'static str,
    state: &'static str,
    verdict: &'static str,
    value: Option<f64>,
    threshold: Option<f64>,
    thresholds: Vec<Threshold>,
    samples: u64,
    ci_low: Option<f64>,
    ci_high: Option<f64>,
    fingerprint: String,
    labels: Labels,
    starts_at: Option<String>,
    resolved_at: Option<String>,
    incident_id: Option<String>,
    summary: String,
}

/// A limit in force: `source` is `fixed`, `learned from 3 d`, `burn rate 14.4` or, before it is learned,
/// `insufficient_data`.
#[derive(Debug, Serialize)]
pub(super) struct Threshold {
    value: Option<f64>,
    source: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Incidents {
    pub(super) at: String,
    pub(super) incidents: Vec<Incident>,
}

#[derive(Debug, Serialize)]
pub(super) struct Incident {
    id: String,
    state: &'static str,
    feature: String,
    alertname: String,
    class: &'static str,
    severity: &'static str,
    patterns: Vec<&'static str>,
    fingerprint: String,
    starts_at: String,
    fired_at: String,
    resolved_at: Option<String>,
    signal: Option<&'static str>,
    value: Option<f64>,
    threshold: Option<f64>,
    threshold_source: Option<String>,
    samples: Option<u64>,
    suspect: Option<String>,
    frame_ids: Vec<String>,
    frame: Frame,
    /// The second frame, of more requests.
    refined: Option<Frame>,
    breaker_actions: Vec<BreakerAction>,
}

/// `committed` with everything, or `not_committed` with the reason.
#[derive(Debug, Serialize)]
struct Frame {
    state: &'static str,
    id: Option<String>,
    seq: Option<u64>,
    url: Option<String>,
    sha256: Option<String>,
    checkpoint: Option<String>,
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
struct BreakerAction {
    feature: String,
    class: &'static str,
    #[serde(flatten)]
    transition: Transition,
}

#[derive(Debug, Serialize)]
pub(super) struct Transition {
    from: &'static str,
    to: &'static str,
    reason: &'static str,
    at: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Frames {
    pub(super) frames: Vec<FoundFrame>,
}

#[derive(Debug, Serialize)]
pub(super) struct FoundFrame {
    pub(super) incident_id: String,
    pub(super) fingerprint: String,
    pub(super) starts_at: String,
    pub(super) frame_id: String,
    pub(super) frame_url: String,
    pub(super) frame_sha256: String,
    pub(super) checkpoint: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct FrameQuery {
    pub(super) fingerprint: String,
    pub(super) starts_at: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExplanationQuery {
    pub(super) feature: Option<String>,
    pub(super) signal: Option<String>,
    pub(super) since: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangesQuery {
    pub(super) feature: Option<String>,
    pub(super) variable: Option<String>,
    pub(super) since: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Breakers {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) feature: Option<String>,
    pub(super) breakers: Vec<Breaker>,
}

#[derive(Debug, Serialize)]
pub(super) struct Breaker {
    feature: String,
    class: &'static str,
    state: &'static str,
    would_be: Option<&'static str>,
    since: Option<String>,
    route: Option<String>,
    action: &'static str,
    tool: Option<String>,
    model: Option<String>,
    index: Option<String>,
    reply: Option<String>,
    instructions: String,
    user_impact: String,
    rollback: String,
    trigger: Vec<String>,
    signal: Option<&'static str>,
    capped: bool,
    openings: u32,
    open_for_seconds: f64,
    open_for_max_seconds: f64,
    open_until: Option<String>,
    settle_for_seconds: f64,
    probe_share: f64,
    probes: u32,
    probe_quota: f64,
    probe_for_seconds: f64,
    probes_succeeded: Option<u32>,
    probes_failed: Option<u32>,
    incident_id: Option<String>,
    last: Option<Transition>,
    pub(super) redirected: u64,
}

/// What to erase of a frame.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Erasure {
    pub(super) variables: Vec<String>,
    pub(super) reason: String,
}

/// The leaf that says so.
#[derive(Debug, Serialize)]
pub(super) struct Erased {
    pub(super) leaf: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BreakerOrder {
    pub(super) action: BreakerVerb,
    #[serde(default)]
    pub(super) comment: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum BreakerVerb {
    Open,
    Close,
    Reset,
}

/// Alertmanager's webhook, version 4, as far as it matters here; unknown fields come and go with its versions.
#[derive(Debug, Deserialize)]
pub(super) struct Webhook {
    pub(super) version: String,
    pub(super) alerts: Vec<WebhookAlert>,
    #[serde(default, rename = "truncatedAlerts")]
    pub(super) truncated_alerts: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct WebhookAlert {
    #[serde(default)]
    pub(super) status: String,
    #[serde(default)]
    pub(super) labels: serde_json::Map<String, serde_json::Value>,
    #[serde(default, rename = "startsAt")]
    pub(super) starts_at: String,
    #[serde(default)]
    pub(super) fingerprint: String,
}

#[derive(Debug, Serialize)]
pub(super) struct WebhookAnswer {
    pub(super) incidents: Vec<WitnessedAlert>,
    /// Alerts of this request that were not looked at: over the limit, or without labels or a start.
    pub(super) skipped: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct WitnessedAlert {
    pub(super) id: String,
    pub(super) fingerprint: String,
    pub(super) frame_url: Option<String>,
    pub(super) frame_sha256: Option<String>,
    pub(super) created: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Lagged {
    pub(super) missed: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct AlertEvent {
    at: String,
    #[serde(flatten)]
    alert: Alert,
}

#[derive(Debug, Serialize)]
pub(super) struct BreakerEvent {
    feature: String,
    class: &'static str,
    mode: &'static str,
    #[serde(flatten)]
    transition: Transition,
}

#[derive(Debug, Serialize)]
pub(super) struct FrameEvent {
    at: String,
    incident_id: String,
    feature: String,
    alertname: String,
    frame: Frame,
}

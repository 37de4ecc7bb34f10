//! Alertmanager's webhook (version 4): every firing alert gets its freeze frame, whoever fired it.
//!
//! Alertmanager delivers at least once, and from every replica, so this is idempotent on `(fingerprint,
//! startsAt)`: the engine answers a repeated alert with the incident it has. 5xx makes it try again, 4xx does not.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use tokio::task::JoinSet;

use super::dto::{Webhook, WebhookAlert, WebhookAnswer, WitnessedAlert};
use super::incidents::visible;
use super::problem::Problem;
use super::{Api, body};
use crate::core::fingerprint::{Labels, fingerprint};
use crate::core::incident::{Class, Severity};
use crate::core::time::UnixNanos;
use crate::engine::handle::{ForeignAlert, Witnessed};
use crate::engine::registry::ALL;
use crate::engine::view::{self, FrameState, View};
use crate::metrics::Metric;

/// Alerts of one request that are looked at; the rest come again with Alertmanager's `repeat_interval`.
const ALERTS_MAX: usize = 128;

/// `POST /api/v1/alertmanager`
pub(super) async fn receive(
    State(api): State<Api>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<WebhookAnswer>, Problem> {
    let message: Webhook = body::json(body)?;
    if message.version != "4" {
        return Err(Problem::bad_request("not an Alertmanager webhook of version 4"));
    }
    let view = api.sources.engine.view();
    let mut incidents: Vec<Option<WitnessedAlert>> = Vec::new();
    let mut witnesses = JoinSet::new();
    let mut skipped = message.truncated_alerts + message.alerts.len().saturating_sub(ALERTS_MAX) as u64;
    for alert in message.alerts.iter().take(ALERTS_MAX) {
        let Some((foreign, starts_at)) = foreign(alert) else {
            skipped += 1;
            continue;
        };
        let place = incidents.len();
        if alert.status == "resolved" {
            incidents.push(known(&view, &foreign.fingerprint, starts_at, &api.base_url));
        } else {
            incidents.push(None);
            let engine = api.sources.engine.clone();
            witnesses.spawn(async move { (place, foreign.fingerprint.clone(), engine.witness(foreign).await) });
        }
    }
    // Every alert is heard out even if one is refused: what is frozen now need not be when all come again.
    let mut refused = None;
    while let Some(ended) = witnesses.join_next().await {
        let (place, fingerprint, answer) = ended.map_err(|_| Problem::unavailable("shutting down"))?;
        match answer {
            Ok(witnessed) => incidents[place] = Some(answer_for(witnessed, fingerprint, &api.base_url)),
            Err(reason) => {
                count("refused", 1);
                refused = Some(reason);
            }
        }
    }
    count("skipped", skipped);
    match refused {
        Some(reason) => Err(reason.into()),
        None => Ok(Json(WebhookAnswer { incidents: incidents.into_iter().flatten().collect(), skipped })),
    }
}

/// The alert as the engine takes it, with its start; `None` when it has no labels or no start.
fn foreign(alert: &WebhookAlert) -> Option<(ForeignAlert, UnixNanos)> {
    let starts_at = UnixNanos::parse(&alert.starts_at)?;
    let labels: Labels =
        alert.labels.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
    let name = labels.get("alertname").filter(|name| !name.is_empty())?;
    let label = |name| labels.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let is_fingerprint =
        alert.fingerprint.len() == 16 && alert.fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit());
    let foreign = ForeignAlert {
        fingerprint: if is_fingerprint { alert.fingerprint.to_ascii_lowercase() } else { fingerprint(&labels) },
        starts_at,
        name: name.clone(),
        feature: label("feature").unwrap_or(ALL).to_owned(),
        class: label("class").and_then(Class::parse),
        severity: Severity::ALL
            .into_iter()
            .find(|severity| label("sev") == Some(severity.as_str()) || label("severity") == Some(severity.label())),
    };
    Some((foreign, starts_at))
}

fn known(view: &View, fingerprint: &str, starts_at: UnixNanos, base_url: &str) -> Option<WitnessedAlert> {
    count("resolved", 1);
    let incident = visible(view).find(|incident| incident.is_about(fingerprint, starts_at))?;
    let receipt = match &incident.frame {
        FrameState::Committed(receipt) => Some(receipt),
        FrameState::Committing | FrameState::NotCommitted { .. } => None,
    };
    Some(WitnessedAlert {
        id: incident.id.clone(),
        fingerprint: fingerprint.to_owned(),
        frame_url: receipt.map(|_| view::frame_url(base_url, &incident.id)),
        frame_sha256: receipt.map(|receipt| receipt.frame_sha256.clone()),
        created: false,
    })
}

fn answer_for(witnessed: Witnessed, fingerprint: String, base_url: &str) -> WitnessedAlert {
    count(
        match (&witnessed.frame, witnessed.created) {
            (None, _) => "not_committed",
            (Some(_), true) => "frozen",
            (Some(_), false) => "known",
        },
        1,
    );
    WitnessedAlert {
        frame_url: witnessed.frame.as_ref().map(|_| view::frame_url(base_url, &witnessed.incident_id)),
        frame_sha256: witnessed.frame.map(|receipt| receipt.frame_sha256),
        id: witnessed.incident_id,
        fingerprint,
        created: witnessed.created,
    }
}

fn count(result: &str, n: u64) {
    if n > 0 {
        Metric::WebhookAlerts.add(&[("result", result)], n);
    }
}

//! Alerts to Alertmanager, as Prometheus sends them: every replica on its own, firing alerts again and again,
//! resolved ones for a while (`/api/v2/alerts`, Alertmanager 0.27 and later).
//!
//! There is no queue. What is due follows from the published view and from what a replica took last
//! (`batch::due`), so a replica that was away gets the state of now and nothing piles up meanwhile. Nobody
//! waits for this: the engine publishes and goes on.

mod batch;
mod message;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::batch::{Due, Sent};
use self::message::Source;
use crate::config;
use crate::core::time::UnixNanos;
use crate::engine::{Handle, View};
use crate::metrics::Metric;

/// Alerts of one request; more make several.
const ALERTS_MAX: usize = 256;
/// First pause after a failed request; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// Longest pause after failed requests.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Bytes of an error answer that are logged.
const ANSWER_BYTES_MAX: usize = 512;

/// Sends alerts to every configured Alertmanager until `shutdown`, then once more what is due. `base_url` is that of
/// the admin listener, `client` has the TLS settings, `now` is the wall clock.
pub async fn run(
    config: config::Alertmanager,
    runbooks: Option<String>,
    base_url: String,
    client: reqwest::Client,
    engine: Handle,
    now: fn() -> UnixNanos,
    shutdown: impl Future<Output = ()>,
) {
    let stop = CancellationToken::new();
    let config = Arc::new(config);
    let source = Arc::new(Source { base_url, runbooks, labels: config.labels.clone() });
    let mut replicas: JoinSet<()> = config
        .urls
        .iter()
        .map(|url| Replica {
            url: format!("{}/api/v2/alerts", url.trim_end_matches('/')),
            config: config.clone(),
            source: source.clone(),
            client: client.clone(),
            now,
            sent: Sent::default(),
            failures: 0,
        })
        .map(|replica| replica.run(engine.watch(), stop.clone()))
        .collect();
    shutdown.await;
    stop.cancel();
    while replicas.join_next().await.is_some() {}
}

/// One Alertmanager, and what it knows.
struct Replica {
    url: String,
    config: Arc<config::Alertmanager>,
    source: Arc<Source>,
    client: reqwest::Client,
    now: fn() -> UnixNanos,
    sent: Sent,
    failures: u32,
}

/// How a request to Alertmanager ended, as counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// All alerts were taken.
    Sent,
    /// 400: the valid ones were taken, and the others never will be.
    Partial,
    /// Any other 4xx: wrong address or token.
    Rejected,
    /// No answer, or 5xx.
    Failed,
}

impl Replica {
    async fn run(mut self, mut views: watch::Receiver<Arc<View>>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let view = views.borrow_and_update().clone();
            self.send_due(&view).await;
            let (pause, may_hurry) = self.pause();
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
                changed = views.changed(), if may_hurry => if changed.is_err() { break },
            }
        }
        let view = views.borrow().clone();
        self.send_due(&view).await;
    }

    /// Until the next attempt, and whether a new view may cut it short: not after a failure.
    fn pause(&self) -> (Duration, bool) {
        match self.failures {
            // Often enough that a late timer does not add up to the four intervals of `endsAt`.
            0 => (self.config.resend_interval / 4, true),
            failures => (PAUSE_MIN.saturating_mul(1 << (failures - 1).min(16)).min(PAUSE_MAX), false),
        }
    }

    async fn send_due(&mut self, view: &View) {
        let now = (self.now)();
        let due = batch::due(view, now, &self.sent, &self.config);
        self.sent.forget(now, &self.config);
        for alerts in due.chunks(ALERTS_MAX) {
            let outcome = self.post(alerts, now).await;
            let result = match outcome {
                Outcome::Sent => "sent",
                Outcome::Partial => "partial",
                Outcome::Rejected => "rejected",
                Outcome::Failed => "failed",
            };
            Metric::Notifications.add(&[("result", result)], alerts.len() as u64);
            match outcome {
                Outcome::Sent | Outcome::Partial => {
                    self.sent.remember(alerts, now);
                    self.failures = 0;
                }
                Outcome::Rejected | Outcome::Failed => {
                    self.failures = self.failures.saturating_add(1);
                    return;
                }
            }
        }
    }

    #[tracing::instrument(name = "alertmanager.push", skip_all, fields(url = self.url, alerts = alerts.len()))]
    async fn post(&self, alerts: &[Due], now: UnixNanos) -> Outcome {
        let ends_at = now.plus(self.config.resend_interval * 4);
        let body = message::body(alerts, ends_at, &self.source);
        let mut request = self.client.post(&self.url).timeout(self.config.timeout).body(body);
        request = request.header(reqwest::header::CONTENT_TYPE, "application/json");
        if let Some(token) = &self.config.token {
            request = request.bearer_auth(&token.0);
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                let error = anyhow::Error::new(error);
                tracing::warn!(
                    url = self.url,
                    error = format!("{error:#}"),
                    "Alertmanager does not answer; will be retried"
                );
                return Outcome::Failed;
            }
        };
        let status = response.status();
        let outcome = match status {
            _ if status.is_success() => return Outcome::Sent,
            StatusCode::BAD_REQUEST => Outcome::Partial,
            _ if status.is_client_error() => Outcome::Rejected,
            _ => Outcome::Failed,
        };
        let answer = answer(response).await;
        tracing::warn!(url = self.url, %status, answer, "Alertmanager did not take all alerts");
        outcome
    }
}

/// The start of an error answer.
async fn answer(mut response: reqwest::Response) -> String {
    let mut start = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        start.extend_from_slice(&chunk[..chunk.len().min(ANSWER_BYTES_MAX - start.len())]);
        if start.len() == ANSWER_BYTES_MAX {
            break;
        }
    }
    String::from_utf8_lossy(&start).into_owned()
}

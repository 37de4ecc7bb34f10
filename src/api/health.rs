//! The probes, in the words of Kubernetes and of Prometheus: alive, and ready for traffic.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::sync::watch;

use super::Api;

/// Where the process stands on its way from start to exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not everything is up yet.
    Starting,
    /// The log failed its verification; nothing is signed.
    LogNotVerified,
    /// Traffic is welcome.
    Ready,
    /// On the way out; requests in flight are finished.
    Draining,
}

/// Tells the probes the phase; cloneable, last word wins.
#[derive(Clone, Debug)]
pub struct Readiness(watch::Sender<Phase>);

impl Default for Readiness {
    fn default() -> Self {
        Self(watch::Sender::new(Phase::Starting))
    }
}

impl Readiness {
    /// Sets the phase.
    pub fn set(&self, phase: Phase) {
        self.0.send_replace(phase);
    }

    /// The phase.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.0.borrow()
    }
}

pub(super) fn router() -> Router<Api> {
    Router::new()
        .route("/livez", get(live))
        .route("/healthz", get(live))
        .route("/readyz", get(ready))
        .route("/-/healthy", get(live))
        .route("/-/ready", get(ready))
}

/// Without its engine the process serves nobody and must be started again.
pub(super) async fn live(State(api): State<Api>) -> (StatusCode, &'static str) {
    let draining = api.sources.readiness.phase() == Phase::Draining;
    match draining || api.sources.engine.is_alive() {
        true => (StatusCode::OK, "ok\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "the engine is gone\n"),
    }
}

pub(super) async fn ready(State(api): State<Api>) -> (StatusCode, &'static str) {
    match api.sources.readiness.phase() {
        Phase::Ready => (StatusCode::OK, "ready\n"),
        Phase::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        Phase::LogNotVerified => (StatusCode::SERVICE_UNAVAILABLE, "the evidence log is not verified\n"),
        Phase::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
    }
}

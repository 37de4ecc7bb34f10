//! What is measured now: features with their signals, and alerts with their states.

use axum::Json;
use axum::extract::{Path, State};

use super::Api;
use super::dto::{self, time};
use super::problem::Problem;

/// `GET /api/v1/features`
pub(super) async fn features(State(api): State<Api>) -> Json<dto::Features> {
    let view = api.sources.engine.view();
    let features = view.features.iter().map(|feature| dto::Feature::new(feature, api.sources.windows));
    Json(dto::Features { at: time(view.at), features: features.collect() })
}

/// `GET /api/v1/features/{*feature}`
pub(super) async fn feature(State(api): State<Api>, Path(name): Path<String>) -> Result<Json<dto::Feature>, Problem> {
    let view = api.sources.engine.view();
    let feature = view.features.iter().find(|feature| *feature.name == name);
    let feature = feature.ok_or_else(|| Problem::not_found("no such feature"))?;
    Ok(Json(dto::Feature::new(feature, api.sources.windows)))
}

/// `GET /api/v1/alerts`
pub(super) async fn alerts(State(api): State<Api>) -> Json<dto::Alerts> {
    let view = api.sources.engine.view();
    Json(dto::Alerts { at: time(view.at), alerts: view.alerts.iter().map(dto::Alert::new).collect() })
}

//! The postmortem of an incident, written from its committed frame.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE, VARY};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Api;
use super::dto;
use super::incidents::{stored, visible};
use super::problem::Problem;
use crate::engine::view::{FrameState, Incident};
use crate::toolkit::postmortem::{Edition, Fired, facts, render, timeline};

/// `GET /api/v1/incidents/{id}/postmortem`: Markdown, or the data behind it for who accepts only JSON.
pub(super) async fn show(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let view = api.sources.engine.view();
    let has_frame = |it: &&Incident| it.id == id || it.refined.as_ref().is_some_and(|it| it.id == id);
    let incident = visible(&view).find(has_frame);
    let refined = incident.and_then(|it| it.refined.as_ref()).filter(|it| matches!(it.frame, FrameState::Committed(_)));
    let bytes = stored(&api, refined.map_or(&id, |it| &it.id), |store, id| store.frame(id)).await?;
    let frame: Value = serde_json::from_slice(&bytes)
        .map_err(|error| Problem::unavailable(format!("the frame is no JSON: {error}")))?;
    let others = visible(&view).filter_map(|it| {
        let at = it.fired_at.to_string();
        Fired { id: &it.id, feature: &it.feature, alert: &it.alertname, at: &at }.beside(&frame)
    });
    let timeline = timeline(&frame, incident, others.collect());
    let vary = [(VARY, "accept")];
    if wants_json(&headers) {
        let incident = incident.map(|it| dto::Incident::new(it, &api.base_url));
        let facts = facts(&frame, &timeline);
        let data = json!({ "incident": incident, "timeline": timeline, "facts": facts, "frame": frame });
        return Ok((vary, Json(data)).into_response());
    }
    let markdown = [(CONTENT_TYPE, "text/markdown; charset=utf-8")];
    Ok((vary, markdown, render(&frame, &timeline, Edition::Internal)).into_response())
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| range.trim().starts_with("application/json"))
}

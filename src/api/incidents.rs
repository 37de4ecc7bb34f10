//! Incidents, and their frames exactly as committed.
//!
//! An incident is not shown before the fate of its frame is known: evidence first. Frames and bundles come from
//! the log, so they can be had long after the incident has left the view.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::Api;
use super::dto::{self, time};
use super::problem::Problem;
use super::{body, etag};
use crate::core::time::UnixNanos;
use crate::engine::store::EraseOrder;
use crate::engine::view::{self, FrameState, View};
use crate::engine::{Store, StoreError};

/// What was committed never changes, but parts of it can be erased.
const REVALIDATE: &str = "private, no-cache";

/// Longest reason of an erasure, bytes.
const REASON_BYTES_MAX: usize = 1024;

/// `GET /api/v1/incidents`
pub(super) async fn list(State(api): State<Api>) -> Json<dto::Incidents> {
    let view = api.sources.engine.view();
    let incidents = visible(&view).map(|incident| dto::Incident::new(incident, &api.base_url));
    Json(dto::Incidents { at: time(view.at), incidents: incidents.collect() })
}

/// `GET /api/v1/incidents/{id}`
pub(super) async fn show(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<dto::Incident>, Problem> {
    let view = api.sources.engine.view();
    let incident = visible(&view).find(|incident| incident.id == id);
    let incident = incident.ok_or_else(|| Problem::not_found("no such incident"))?;
    Ok(Json(dto::Incident::new(incident, &api.base_url)))
}

/// `GET /api/v1/incidents/{id}/frame`. The entity tag is the SHA-256 of the bytes.
pub(super) async fn frame(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let bytes = stored(&api, &id, |store, id| store.frame(id)).await?;
    let tag = etag::strong(&Sha256::digest(&bytes));
    let fields = [(CONTENT_TYPE, "application/json".to_owned()), (CACHE_CONTROL, REVALIDATE.to_owned())];
    if etag::matches(&headers, &tag) {
        return Ok(etag::not_modified(&tag));
    }
    Ok((fields, [(ETAG, tag)], bytes).into_response())
}

/// `GET /api/v1/incidents/{id}/bundle`
pub(super) async fn bundle(State(api): State<Api>, Path(id): Path<String>) -> Result<Response, Problem> {
    let bytes = stored(&api, &id, |store, id| store.bundle(id)).await?;
    // Only ids the store knows come this far, so the name needs no quoting beyond this.
    let name: String = id.chars().filter(|each| each.is_ascii_alphanumeric() || *each == '-').collect();
    let disposition = format!("attachment; filename=\"freezeframe-{name}.tar\"");
    Ok(([(CONTENT_TYPE, "application/x-tar".to_owned()), (CONTENT_DISPOSITION, disposition)], bytes).into_response())
}

/// `POST /api/v1/incidents/{id}/erasures`: destroys parts of the frame, for good.
pub(super) async fn erase(
    State(api): State<Api>,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<dto::Erased>, Problem> {
    let dto::Erasure { variables, reason } = body::json(body)?;
    if variables.is_empty() || reason.is_empty() || reason.len() > REASON_BYTES_MAX {
        return Err(Problem::bad_request("name variables, and a reason of at most 1024 bytes"));
    }
    let order = EraseOrder { frame_id: id, parts: variables, reason, at: (api.sources.now)() };
    let store = api.sources.store.clone();
    let leaf = super::blocking(move || store.erase(&order)).await??;
    Ok(Json(dto::Erased { leaf }))
}

/// `GET /api/v1/frames?fingerprint=F&starts_at=T`: committed frames of an alert, newest first; of an incident the second one
/// before the one that it refines.
pub(super) async fn frames(
    State(api): State<Api>,
    query: Result<Query<dto::FrameQuery>, QueryRejection>,
) -> Result<Json<dto::Frames>, Problem> {
    let Query(query) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
    let starts_at = match &query.starts_at {
        None => None,
        Some(text) => Some(UnixNanos::parse(text).ok_or(Problem::bad_request("starts_at is not an RFC 3339 time"))?),
    };
    let view = api.sources.engine.view();
    let found = visible(&view).filter(|incident| match starts_at {
        Some(at) => incident.is_about(&query.fingerprint, at),
        None => incident.fingerprint == query.fingerprint,
    });
    let frames = found.flat_map(|incident| {
        let second = incident.refined.as_ref().map(|refined| &refined.frame);
        let both = second.into_iter().chain([&incident.frame]);
        both.filter_map(|frame| found_frame(&api, incident, frame))
    });
    Ok(Json(dto::Frames { frames: frames.collect() }))
}

fn found_frame(api: &Api, incident: &view::Incident, frame: &FrameState) -> Option<dto::FoundFrame> {
    let FrameState::Committed(receipt) = frame else { return None };
    Some(dto::FoundFrame {
        incident_id: incident.id.clone(),
        fingerprint: incident.fingerprint.clone(),
        starts_at: time(incident.starts_at),
        frame_id: receipt.frame_id.clone(),
        frame_url: view::frame_url(&api.base_url, &receipt.frame_id),
        frame_sha256: receipt.frame_sha256.clone(),
        checkpoint: receipt.checkpoint.clone(),
    })
}

/// Incidents that may be seen outside.
pub(super) fn visible(view: &View) -> impl Iterator<Item = &view::Incident> {
    view.incidents.iter().map(|incident| &**incident).filter(|incident| incident.frame != FrameState::Committing)
}

/// What the store has of an incident; a problem when it has nothing or can't be read.
pub(super) async fn stored(
    api: &Api,
    id: &str,
    read: impl FnOnce(&dyn Store, &str) -> Result<Option<Bytes>, StoreError> + Send + 'static,
) -> Result<Bytes, Problem> {
    let (store, id) = (api.sources.store.clone(), id.to_owned());
    let found = super::blocking(move || read(&*store, &id)).await??;
    found.ok_or_else(|| Problem::not_found("the log has no frame of such an incident"))
}

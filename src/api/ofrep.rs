//! Breakers as feature flags: the OpenFeature Remote Evaluation Protocol (OFREP 0.3), so that an application asks
//! with a standard client.
//!
//! | flag | value |
//! |---|---|
//! | `breaker.<feature>.allow` | bool: may this request go the usual way? |
//! | `breaker.<feature>.route` | string: where it should go instead; no value when it may, or none is configured |
//! | `breaker.<feature>.state` | object: everything |
//!
//! A feature whose name has other characters than `a-z`, `0-9`, `.`, `_` and `-` is there under a plain name as well,
//! which all clients can put in a path.
//!
//! While half-open, a share of requests may pass: the same ones for the same `targetingKey`, else an even share in
//! turn. Asking for the route without a key answers as for a request that may not pass, since who asks that way was
//! just told so. Errors are OFREP's own, not problems; every answer has a `variant` and a standard `reason`, and
//! every error has `errorDetails`, because providers fail without them.

mod decision;
mod flag;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

pub(super) use self::decision::Redirects;
use self::decision::{Decision, Draw};
use self::flag::{Flag, Kind};
use super::problem::Problem;
use super::{Api, body, etag};
use crate::engine::view::{self, View};

/// `POST /ofrep/v1/evaluate/flags/{*key}`
pub(super) async fn evaluate(
    State(api): State<Api>,
    Path(key): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let targeting = match targeting_key(&body::bytes(body)?) {
        Ok(targeting) => targeting,
        Err((code, details)) => return Ok(failure(StatusCode::BAD_REQUEST, Some(&key), code, details)),
    };
    let view = api.sources.engine.view();
    let not_found = || failure(StatusCode::NOT_FOUND, Some(&key), "FLAG_NOT_FOUND", "no breaker of such a feature");
    let Some(flag) = Flag::parse(&key) else { return Ok(not_found()) };
    let breakers = of_feature(&view, flag.feature);
    if breakers.is_empty() {
        return Ok(not_found());
    }
    let decision = Decision::new(&breakers, draw(&api, &flag, targeting.as_deref()));
    if flag.kind == Kind::Allow {
        api.redirects.count(&decision);
    }
    Ok(axum::Json(flag.answer(&view, &decision, Some((api.sources.now)()))).into_response())
}

/// `POST /ofrep/v1/evaluate/flags`: every flag, with an entity tag over the answer. Asks nothing of the counts.
pub(super) async fn evaluate_all(
    State(api): State<Api>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let targeting = match targeting_key(&body::bytes(body)?) {
        Ok(targeting) => targeting,
        Err((code, details)) => return Ok(failure(StatusCode::BAD_REQUEST, None, code, details)),
    };
    let view = api.sources.engine.view();
    let mut features: Vec<&str> = view.breakers.iter().map(|breaker| &*breaker.feature).collect();
    features.sort_unstable();
    features.dedup();
    let mut flags = Vec::with_capacity(features.len() * Kind::ALL.len());
    for feature in features {
        let breakers = of_feature(&view, feature);
        // One draw for all three, or they would contradict each other.
        let draw = draw(&api, &Flag { feature, kind: Kind::Allow }, targeting.as_deref());
        let decision = Decision::new(&breakers, draw);
        let plain: String = flag::plain(feature).collect();
        for name in [feature, &plain].into_iter().take(if plain == feature { 1 } else { 2 }) {
            flags.extend(Kind::ALL.map(|kind| Flag { feature: name, kind }.answer(&view, &decision, None)));
        }
    }
    let answer = serde_json::to_vec(&json!({ "flags": flags, "metadata": {} })).expect("JSON values serialise");
    let tag = etag::weak(&answer);
    if etag::matches(&headers, &tag) {
        return Ok(etag::not_modified(&tag));
    }
    Ok(([(CONTENT_TYPE, "application/json"), (ETAG, &tag)], answer).into_response())
}

fn of_feature<'a>(view: &'a View, feature: &str) -> Vec<&'a view::Breaker> {
    let named = |name: &str| view.breakers.iter().filter(|breaker| *breaker.feature == *name).collect::<Vec<_>>();
    let found = named(feature);
    if !found.is_empty() {
        return found;
    }
    // Of several with the same plain name, the first.
    let first = view.breakers.iter().find(|breaker| flag::plain(&breaker.feature).eq(feature.chars()));
    first.map(|breaker| named(&breaker.feature)).unwrap_or_default()
}

fn draw<'a>(api: &Api, flag: &Flag<'_>, targeting: Option<&'a str>) -> Draw<'a> {
    match (targeting, flag.kind) {
        (Some(key), _) => Draw::Key(key),
        (None, Kind::Allow) => Draw::Turn(api.redirects.turn()),
        (None, Kind::Route | Kind::State) => Draw::Blocked,
    }
}

/// The `targetingKey` of `{"context": {...}}`; providers leave out the key, and people the whole body.
fn targeting_key(body: &[u8]) -> Result<Option<String>, (&'static str, &'static str)> {
    if body.is_empty() {
        return Ok(None);
    }
    let body: Value = serde_json::from_slice(body).map_err(|_| ("PARSE_ERROR", "the body is not JSON"))?;
    let invalid = |details| Err(("INVALID_CONTEXT", details));
    match body.get("context") {
        None | Some(Value::Null) if body.is_object() => Ok(None),
        Some(Value::Object(context)) => match context.get("targetingKey") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(key)) => Ok(Some(key.clone()).filter(|key| !key.is_empty())),
            Some(_) => invalid("targetingKey is not a string"),
        },
        _ => invalid("context is not an object"),
    }
}

fn failure(status: StatusCode, key: Option<&str>, code: &str, details: &str) -> Response {
    let mut body = Map::new();
    if let Some(key) = key {
        body.insert("key".into(), key.into());
    }
    body.insert("errorCode".into(), code.into());
    body.insert("errorDetails".into(), details.into());
    (status, axum::Json(body)).into_response()
}

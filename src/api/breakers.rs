//! Breakers as JSON, and the operator's hand on them.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::{Api, body, dto, etag};
use crate::core::breaker;
use crate::core::incident::Class;
use crate::engine::handle::{BreakerAction, BreakerOrder};
use crate::engine::view::{self, View};

/// Length of an operator's comment, bytes.
const COMMENT_BYTES_MAX: usize = 4096;
/// How long an order's answer waits for the view that shows it; the order itself is done by then.
const VIEW_TIMEOUT: Duration = Duration::from_secs(1);

/// `GET /api/v1/breakers`
pub(super) async fn list(State(api): State<Api>, headers: HeaderMap) -> Response {
    answer(&api, None, &headers)
}

/// `GET /api/v1/breakers/{*feature}`
pub(super) async fn show(
    State(api): State<Api>,
    Path(feature): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    match api.sources.engine.view().breakers.iter().any(|breaker| *breaker.feature == feature) {
        true => Ok(answer(&api, Some(feature), &headers)),
        false => Err(Problem::not_found("no breaker of such a feature")),
    }
}

/// `POST /api/v1/breakers/{*feature}/{class}`, answered with the breaker as it is then.
pub(super) async fn order(
    State(api): State<Api>,
    Path(path): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<dto::Breaker>, Problem> {
    let (feature, class) = path.rsplit_once('/').ok_or(Problem::not_found("name the feature and the class"))?;
    let class = Class::ALL.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(class));
    let class = class.ok_or(Problem::not_found("no such incident class"))?;
    let order: dto::BreakerOrder = body::json(body)?;
    if order.comment.len() > COMMENT_BYTES_MAX {
        return Err(Problem::bad_request("the comment is too long"));
    }
    let action = match order.action {
        dto::BreakerVerb::Open => BreakerAction::Open,
        dto::BreakerVerb::Close => BreakerAction::Close,
        dto::BreakerVerb::Reset => BreakerAction::Reset,
    };
    let mut views = api.sources.engine.watch();
    let order = BreakerOrder { feature: feature.to_owned(), class, action, comment: order.comment };
    let done = api.sources.engine.breaker(order).await?;
    done.map_err(|_| Problem::not_found("no breaker of such a feature and class"))?;

    let shows =
        |view: &std::sync::Arc<View>| find(view, feature, class).is_some_and(|found| obeys(found.state(), action));
    // Without such a view in time the answer shows the last one; the order was obeyed all the same.
    drop(tokio::time::timeout(VIEW_TIMEOUT, views.wait_for(shows)).await);
    let view = api.sources.engine.view();
    let found = find(&view, feature, class).ok_or(Problem::not_found("the breaker is gone"))?;
    Ok(Json(dto::Breaker::new(found, api.redirects.of(found))))
}

fn find<'a>(view: &'a View, feature: &str, class: Class) -> Option<&'a view::Breaker> {
    view.breakers.iter().find(|breaker| *breaker.feature == *feature && breaker.class == class)
}

fn obeys(state: breaker::State, action: BreakerAction) -> bool {
    match action {
        BreakerAction::Open => matches!(state, breaker::State::ForcedOpen { .. }),
        BreakerAction::Close => matches!(state, breaker::State::Disabled { .. }),
        BreakerAction::Reset => !matches!(state, breaker::State::ForcedOpen { .. } | breaker::State::Disabled { .. }),
    }
}

/// The breakers of one feature or of all. The tag leaves out the counts, which move while the states stand still.
fn answer(api: &Api, feature: Option<String>, headers: &HeaderMap) -> Response {
    let view = api.sources.engine.view();
    let wanted = view.breakers.iter().filter(|breaker| feature.as_ref().is_none_or(|name| *breaker.feature == **name));
    let (states, counts): (Vec<_>, Vec<_>) = wanted
        .map(|breaker| dto::Breaker::new(breaker, api.redirects.of(breaker)))
        .map(|mut breaker| (std::mem::take(&mut breaker.redirected), breaker))
        .map(|(count, breaker)| (breaker, count))
        .unzip();
    let mut breakers = dto::Breakers { feature, breakers: states };
    let tag = etag::weak(&json(&breakers));
    if etag::matches(headers, &tag) {
        return etag::not_modified(&tag);
    }
    for (breaker, count) in breakers.breakers.iter_mut().zip(counts) {
        breaker.redirected = count;
    }
    ([(CONTENT_TYPE, "application/json"), (ETAG, &tag)], json(&breakers)).into_response()
}

fn json(breakers: &dto::Breakers) -> Vec<u8> {
    serde_json::to_vec(breakers).expect("wire types have string keys")
}

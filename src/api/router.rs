//! The table of routes, and what stands before them: time limit, authorisation, compression, headers.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use super::problem::Problem;
use super::{
    Api, auth, body, breakers, changes, events, explanation, grpc, health, incidents, log, metrics, ofrep, postmortem,
    readings, webhook, witness,
};
use crate::metrics::Metric;

/// From a request's headers to the head of its answer. Longer than any wait for a frame to be committed.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

const OPENAPI: &str = include_str!("../../proto/openapi.json");

/// A path and who answers there. Features and flags may hold slashes, so theirs take the rest of the path.
type Route = (&'static str, MethodRouter<Api>);

/// What anybody may read.
fn open() -> Vec<Route> {
    vec![
        ("/metrics", get(metrics::scrape)),
        ("/-/healthy", get(health::live)),
        ("/-/ready", get(health::ready)),
        ("/add-checkpoint", post(witness::add_checkpoint)),
        ("/{origin}/checkpoint", get(witness::remembered)),
        ("/witness/vkey", get(witness::vkey)),
    ]
}

/// What the token guards.
fn guarded() -> Vec<Route> {
    vec![
        ("/api/v1/features", get(readings::features)),
        ("/api/v1/features/{*feature}", get(readings::feature)),
        ("/api/v1/alerts", get(readings::alerts)),
        ("/api/v1/incidents", get(incidents::list)),
        ("/api/v1/incidents/{id}", get(incidents::show)),
        ("/api/v1/incidents/{id}/frame", get(incidents::frame)),
        ("/api/v1/incidents/{id}/bundle", get(incidents::bundle)),
        ("/api/v1/incidents/{id}/erasures", post(incidents::erase)),
        ("/api/v1/incidents/{id}/postmortem", get(postmortem::show)),
        ("/api/v1/frames", get(incidents::frames)),
        ("/api/v1/explanation", get(explanation::show)),
        ("/api/v1/changes", get(changes::list)),
        ("/api/v1/alertmanager", post(webhook::receive)),
        ("/api/v1/breakers", get(breakers::list)),
        ("/api/v1/breakers/{*feature}", get(breakers::show)),
        ("/api/v1/breakers/{*feature}", post(breakers::order)),
        ("/ofrep/v1/evaluate/flags", post(ofrep::evaluate_all)),
        ("/ofrep/v1/evaluate/flags/{*key}", post(ofrep::evaluate)),
        ("/api/v1/events", get(events::events)),
        ("/api/v1/openapi.json", get(openapi)),
        ("/log/checkpoint", get(log::checkpoint)),
        ("/log/cosigned", get(log::cosigned)),
        ("/log/vkey", get(log::vkey)),
        ("/log/tile/{*path}", get(log::tile)),
        ("/-/reload", post(reload)),
    ]
}

pub(super) fn router(api: Api) -> Router {
    let with = |router: Router<Api>, (path, handler): Route| router.route(path, handler);
    let open = open().into_iter().fold(Router::new(), with).method_not_allowed_fallback(method_not_allowed);
    let guarded = guarded()
        .into_iter()
        .fold(Router::new(), with)
        .route(grpc::PATH, post(grpc::call))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(|| async { Problem::not_found("there is nothing here; see /api/v1/openapi.json") })
        .layer(from_fn_with_state(api.clone(), authorise));
    let default = |name, value| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value));
    open.merge(guarded)
        .layer(from_fn(limit_time))
        .layer(DefaultBodyLimit::max(body::BODY_BYTES_MAX))
        .layer(CompressionLayer::new())
        .layer(default(CACHE_CONTROL, "no-cache"))
        .layer(default(X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .with_state(api)
}

async fn authorise(State(api): State<Api>, request: Request, next: Next) -> Response {
    match auth::check(&api.admin, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => {
            Metric::AdminRejections.add(&[("reason", "not_authorised")], 1);
            if grpc::is_call(request.headers()) { grpc::refusal(&problem) } else { problem.into_response() }
        }
    }
}

async fn limit_time(request: Request, next: Next) -> Response {
    tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await.unwrap_or_else(|_| {
        Metric::AdminRejections.add(&[("reason", "timeout")], 1);
        Problem::unavailable("this took too long").into_response()
    })
}

async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "not with this method; see /api/v1/openapi.json")
}

async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], OPENAPI)
}

async fn reload(State(api): State<Api>) -> Result<String, Problem> {
    match (api.sources.reload)().await {
        Ok(kept) if kept.is_empty() => Ok("reloaded\n".to_owned()),
        Ok(kept) => Ok(format!("reloaded; these fields need a restart: {}\n", kept.join(", "))),
        Err(error) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Proves that the OpenAPI document and the routing table list the same operations.
    #[test]
    fn openapi_describes_every_route_and_no_other() {
        let document: serde_json::Value = serde_json::from_str(OPENAPI).unwrap();
        let described = document["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.filter(|key| *key != "parameters").map(|method| (path.clone(), method.clone())).collect::<Vec<_>>()
        });
        let described: BTreeSet<_> = described.collect();
        // A handler tells its method only by its Debug form, which lists the others as `None`.
        let routed = open().into_iter().chain(guarded()).map(|(path, handler)| {
            let method = if format!("{handler:?}").contains("post: None") { "get" } else { "post" };
            match (path, method) {
                // The class is the last part of what follows.
                ("/api/v1/breakers/{*feature}", "post") => ("/api/v1/breakers/{feature}/{class}".to_owned(), method),
                _ => (path.replace("{*", "{"), method),
            }
        });
        let routed = routed.map(|(path, method)| (path, method.to_owned()));
        assert_eq!(described, routed.collect());
    }
}

//! What moved, asked without an alert: the frame that one would freeze now, which nobody commits.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde_json::Value;

use super::Api;
use super::dto::ExplanationQuery;
use super::problem::Problem;
use crate::config::parse_duration;
use crate::core::signal::Signal;
use crate::engine::handle::Question;
use crate::engine::registry::ALL;
use crate::toolkit::explain::document;

/// Comparisons at a time. One takes the engine tens of milliseconds, which nobody is to multiply.
pub(super) const AT_A_TIME: usize = 1;

/// `GET /api/v1/explanation?feature=F&signal=S&since=D`
pub(super) async fn show(
    State(api): State<Api>,
    query: Result<Query<ExplanationQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(ExplanationQuery { feature, signal, since }) =
        query.map_err(|error| Problem::bad_request(error.body_text()))?;
    let signal = signal.as_deref().map_or(Some(Signal::Quality), Signal::parse);
    let signal = signal.ok_or_else(|| {
        Problem::bad_request(format!("no such signal; there are {}", Signal::ALL.map(Signal::as_str).join(", ")))
    })?;
    let since = since.as_deref().map_or(Some(api.sources.windows.short), parse_duration);
    let since = since.filter(|it| !it.is_zero()).ok_or(Problem::bad_request("since is not a duration such as 15m"))?;
    let question = Question { feature: feature.unwrap_or_else(|| ALL.to_owned()), signal, since };
    let Ok(_turn) = api.explanations.try_acquire() else {
        return Err(Problem::unavailable("another comparison is running"));
    };
    let frame = api.sources.engine.explain(question).await?.ok_or_else(|| Problem::not_found("no such feature"))?;
    let document = super::blocking(move || document(*frame)).await?;
    Ok(Json(document))
}

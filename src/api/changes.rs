//! The journal of changes by itself: which value of which variable came or went.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde_json::{Value, json};

use super::Api;
use super::dto::ChangesQuery;
use super::problem::Problem;
use crate::config::parse_duration;
use crate::core::changes::Change;
use crate::core::variable::Variable;
use crate::engine::registry::ALL;

/// `GET /api/v1/changes?feature=F&variable=V&since=D`, newest first.
pub(super) async fn list(
    State(api): State<Api>,
    query: Result<Query<ChangesQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(ChangesQuery { feature, variable, since }) =
        query.map_err(|error| Problem::bad_request(error.body_text()))?;
    if let Some(unknown) = variable.as_deref().filter(|name| Variable::ALL.iter().all(|it| it.as_str() != *name)) {
        let known = Variable::ALL.map(Variable::as_str).join(", ");
        return Err(Problem::bad_request(format!("no variable {unknown}; there are {known}")));
    }
    let since = match since.as_deref() {
        None => None,
        Some(text) => Some(parse_duration(text).ok_or(Problem::bad_request("since is not a duration such as 6h"))?),
    };
    let feature = feature.unwrap_or_else(|| ALL.to_owned());
    let changes =
        api.sources.engine.changes(feature.clone()).await?.ok_or_else(|| Problem::not_found("no such feature"))?;
    let now = (api.sources.now)();
    let is_asked = |it: &&Change| {
        variable.as_deref().is_none_or(|name| it.variable.as_str() == name)
            && since.is_none_or(|since| it.at >= now.minus(since))
    };
    let changes: Vec<Value> = changes.iter().filter(is_asked).map(Change::to_json).collect();
    Ok(Json(json!({ "at": now.to_string(), "feature": feature, "changes": changes })))
}

//! Phoenix: the body of `POST /v1/datasets/upload`, three lists of the same length.

use serde_json::{Value as Json, json};

use super::{Case, Options};

#[expect(clippy::unnecessary_wraps, reason = "the shape of every format")]
pub(super) fn render(cases: &[Case], _: &Options<'_>) -> Result<Json, String> {
    let output = |case: &Case| case.reference().map_or_else(|| json!({}), |it| json!({ "recorded_behaviour": it }));
    Ok(json!({
        "action": "create",
        "name": format!("incident-{}", cases.first().map_or("", Case::incident)),
        "inputs": cases.iter().map(Case::inputs).collect::<Vec<_>>(),
        "outputs": cases.iter().map(output).collect::<Vec<_>>(),
        "metadata": cases.iter().map(Case::metadata).collect::<Vec<_>>(),
    }))
}

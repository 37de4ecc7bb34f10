//! DeepEval: goldens, as `EvaluationDataset.add_goldens_from_json_file` reads them by its default names. A golden has
//! no `actual_output` yet, and an `expected_output` only where nothing failed the recorded one.

use serde_json::{Value as Json, json};

use super::{Case, Options};

#[expect(clippy::unnecessary_wraps, reason = "the shape of every format")]
pub(super) fn render(cases: &[Case], _: &Options<'_>) -> Result<Json, String> {
    let golden = |case: &Case| {
        json!({
            "input": case.text("user_query"),
            "actual_output": null,
            "expected_output": case.reference(),
            "retrieval_context": case.context(),
            "name": case.name(),
            "additional_metadata": case.metadata(),
        })
    };
    Ok(cases.iter().map(golden).collect())
}

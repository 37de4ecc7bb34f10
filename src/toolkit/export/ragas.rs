//! Ragas: a `SingleTurnSample` a line, the fields that `EvaluationDataset.from_jsonl` reads. `response` is the answer
//! under test, which is what its metrics score; there is a `reference` only where nothing failed the answer.

use serde_json::{Value as Json, json};

use super::{Case, Options};

#[expect(clippy::unnecessary_wraps, reason = "the shape of every format")]
pub(super) fn render(cases: &[Case], _: &Options<'_>) -> Result<Json, String> {
    let sample = |case: &Case| {
        let mut sample = json!({
            "user_input": case.text("user_query"),
            "retrieved_contexts": case.context(),
            "response": case.text("response"),
        });
        if let Some(reference) = case.reference() {
            sample["reference"] = reference.into();
        }
        sample
    };
    Ok(cases.iter().map(sample).collect())
}

//! OpenAI evals: one `item` a line, as a data source of type `jsonl` takes them. There is no assistant message: the
//! recorded answer of a failing sample is no example to learn from.

use serde_json::{Value as Json, json};

use super::{Case, Options};

#[expect(clippy::unnecessary_wraps, reason = "the shape of every format")]
pub(super) fn render(cases: &[Case], _: &Options<'_>) -> Result<Json, String> {
    let line = |case: &Case| {
        let mut item = json!({ "messages": case.messages(), "metadata": case.metadata() });
        if let Some(reference) = case.reference() {
            item["reference"] = reference.into();
        }
        json!({ "item": item })
    };
    Ok(cases.iter().map(line).collect())
}

//! LangSmith: examples of a dataset, and the recorded traces as runs. Ids are UUIDs made of what they name (RFC 9562,
//! version 8), so that importing twice changes nothing.

use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::{Case, Options};
use crate::core::time::UnixNanos;

#[expect(clippy::unnecessary_wraps, reason = "the shape of every format")]
pub(super) fn render(cases: &[Case], _: &Options<'_>) -> Result<Json, String> {
    let dataset = format!("incident-{}", cases.first().map_or("", Case::incident));
    Ok(json!({
        "dataset": { "id": id(&dataset), "name": dataset, "data_type": "kv" },
        "examples": cases.iter().map(|it| example(it, &dataset)).collect::<Vec<_>>(),
        "runs": cases.iter().flat_map(|it| runs(it, &dataset)).collect::<Vec<_>>(),
    }))
}

fn example(case: &Case, dataset: &str) -> Json {
    json!({
        "id": id(&case.name()),
        "dataset_id": id(dataset),
        "inputs": case.inputs(),
        "outputs": case.reference().map(|it| json!({ "recorded_behaviour": it })),
        "metadata": case.metadata(),
        "source_run_id": id(&case.request.trace_id.to_string()),
        "created_at": case.times().0.to_string(),
    })
}

fn runs(case: &Case, project: &str) -> Vec<Json> {
    let record = &case.record;
    let trace = case.request.trace_id.to_string();
    let (from, to) = case.times();
    let root = Run { case, project, key: trace.clone(), parent: None, from, to };
    let below = |name: &str, to| Run { case, project, key: format!("{trace}/{name}"), parent: Some(&trace), from, to };
    let answer = json!({ "response": record["response"] });
    let mut runs = vec![root.of("chain", case.text("feature"), case.inputs(), answer)];
    if record["documents"].is_array() {
        let query = json!({ "query": record["user_query"] });
        let documents = json!({ "documents": record["documents"] });
        runs.push(below("retrieval", from).of("retriever", "retrieval", query, documents));
    }
    for (n, tool) in case.request.tools.iter().enumerate() {
        let run = below(&format!("tool-{n}"), tool.duration.map_or(from, |it| from.plus(it)));
        let mut run = run.of("tool", &tool.name, json!({}), json!({}));
        run["error"] = tool.error.as_ref().map(|it| it.kind.to_string()).into();
        runs.push(run);
    }
    if record["llm_calls"] != 0 {
        let messages = json!({ "messages": case.messages() });
        let answer = json!({
            "messages": [{ "role": "assistant", "content": record["response"] }],
            "usage_metadata": {
                "input_tokens": record["input_tokens"],
                "output_tokens": record["output_tokens"],
                "total_cost": record["cost_usd"],
            },
        });
        let mut run = below("llm", to).of("llm", record["operation"].as_str().unwrap_or("chat"), messages, answer);
        run["extra"]["metadata"]["ls_provider"] = record["provider"].clone();
        run["extra"]["metadata"]["ls_model_name"] = record["model"].clone();
        run["extra"]["metadata"]["ls_temperature"] = record["temperature"].clone();
        run["error"] = record["error"]["message"].clone();
        runs.push(run);
    }
    runs
}

struct Run<'a> {
    case: &'a Case,
    project: &'a str,
    key: String,
    parent: Option<&'a str>,
    from: UnixNanos,
    to: UnixNanos,
}

impl Run<'_> {
    fn of(&self, kind: &str, name: &str, inputs: Json, outputs: Json) -> Json {
        let own = ordered(self.from, &id(&self.key));
        let dotted_order =
            self.parent.map_or_else(|| own.clone(), |it| format!("{}.{own}", ordered(self.from, &id(it))));
        json!({
            "id": id(&self.key),
            "trace_id": id(self.parent.unwrap_or(&self.key)),
            "parent_run_id": self.parent.map(id),
            "dotted_order": dotted_order,
            "name": name,
            "run_type": kind,
            "start_time": self.from.to_string(),
            "end_time": self.to.to_string(),
            "inputs": inputs,
            "outputs": outputs,
            "error": null,
            "extra": { "metadata": self.metadata() },
            "tags": [self.case.incident()],
            "session_name": self.project,
        })
    }

    fn metadata(&self) -> Json {
        let record = &self.case.record;
        if self.parent.is_some() {
            return json!({ "prompt_version": record["prompt_version"], "finish_reason": record["finish_reason"] });
        }
        let mut metadata = self.case.metadata();
        metadata["session_id"] = record["session_id"].clone();
        metadata["user_id"] = record["user_id"].clone();
        metadata
    }
}

/// `20261123T053000123000Z` and the run's id: what runs are sorted by.
fn ordered(at: UnixNanos, id: &str) -> String {
    let digits: String = at.to_string().chars().filter(|it| it.is_ascii_digit()).collect();
    let (day, rest) = digits.split_at_checked(8).unwrap_or((&digits, ""));
    format!("{day}T{rest:0<12}Z{id}")
}

fn id(of: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(of.as_bytes()).into();
    uuid::Builder::from_custom_bytes(std::array::from_fn(|at| digest[at])).into_uuid().to_string()
}

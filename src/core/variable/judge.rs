//! The configuration of the judge behind the evaluations.

use serde_json::{Value as Json, json};

use super::distinct;
use crate::core::request::{Evaluation, Judge, Request};

/// `relevance: judge@3 gpt-4o`; several metrics joined by `+`.
pub(super) fn value(request: &Request) -> Option<String> {
    judges(&request.evaluations)
}

/// The same of evaluations that may be no request's.
pub(in crate::core) fn judges(evaluations: &[Evaluation]) -> Option<String> {
    distinct(evaluations.iter().map(evaluation_value))
}

fn evaluation_value(evaluation: &Evaluation) -> String {
    let judge = &evaluation.judge;
    let mut value = format!("{}: {}", evaluation.metric, judge.name.as_deref().unwrap_or("judge"));
    for (mark, part) in [("@", &judge.version), (" ", &judge.model), (" prompt:", &judge.prompt)] {
        if let Some(part) = part {
            value.push_str(mark);
            value.push_str(part);
        }
    }
    if let Some(threshold) = judge.threshold {
        value.push_str(&format!(" >= {threshold}"));
    }
    value
}

pub(super) fn detail(request: &Request) -> Json {
    let judges: Vec<Json> = request.evaluations.iter().map(|it| configuration(&it.metric, &it.judge)).collect();
    json!({ "judges": judges })
}

/// How the judge of a metric is configured.
pub(in crate::core) fn configuration(metric: &str, judge: &Judge) -> Json {
    json!({
        "metric": metric,
        "name": judge.name,
        "type": judge.kind,
        "model": judge.model,
        "version": judge.version,
        "prompt": judge.prompt,
        "rubric_version": judge.rubric_version,
        "dataset_version": judge.dataset_version,
        "threshold": judge.threshold,
        "calibrated_at": judge.calibrated_at.map(|at| at.to_string()),
        "agreement": judge.agreement,
    })
}

pub(super) fn instrument() -> &'static str {
    "no evaluation was reported: emit gen_ai.evaluation.result log events with gen_ai.evaluation.name, .score.value and \
     gen_ai.evaluation.evaluator.{id,version,model}, or declare the judge with freezeframe record judge"
}

//! What applications without spans of their own for searches, tools and judges say of them on the model call or the root.

use super::record::Record;
use super::retrievals::lag;
use crate::core::dialect::{Field, Scalar};
use crate::core::request::{Evaluation, Judge, Retrieval};
use crate::core::time::UnixNanos;

/// The search behind an answer, where attributes of an index stand beside the call and no span tells of it.
pub(super) fn retrieval<'a>(
    asked_at: UnixNanos,
    tellers: impl Iterator<Item = &'a Record> + Clone,
) -> Option<Retrieval> {
    let text = |field: Field| tellers.clone().find_map(|it| it.fields.text(field));
    let find = |field: Field| tellers.clone().find_map(|it| it.fields.get(field));
    let documents = tellers.clone().find_map(|it| it.content.as_ref()?.documents.clone());
    let retrieval = Retrieval {
        index: text(Field::Index),
        index_version: text(Field::IndexVersion),
        embedding_model: text(Field::EmbeddingModel),
        freshness_lag: find(Field::FreshnessLag)
            .and_then(|it| it.duration(1.0))
            .or_else(|| lag(asked_at, find(Field::IndexUpdatedAt).and_then(Scalar::time), documents.as_deref())),
        reindexing: find(Field::Reindexing).and_then(Scalar::bool),
        documents,
        ..Retrieval::default()
    };
    let started_at = tellers.clone().next()?.start;
    (retrieval != Retrieval::default()).then_some(Retrieval { started_at, ..retrieval })
}

/// The version of the tools that were offered.
pub(super) fn tools_version<'a>(mut tellers: impl Iterator<Item = &'a Record>) -> Option<Box<str>> {
    tellers.find_map(|it| it.fields.text(Field::ToolVersion))
}

/// Completes verdicts by the judge's configuration beside the call; without a verdict it is the judge at work.
pub(super) fn judge<'a>(tellers: impl Iterator<Item = &'a Record>, evaluations: &mut Vec<Evaluation>) {
    let Some(judge) = tellers.map(configuration).find(|it| *it != Judge::default()) else { return };
    if evaluations.is_empty() {
        let metric = judge.name.clone().unwrap_or_else(|| "judge".into());
        evaluations.push(Evaluation {
            metric,
            score: None,
            label: None,
            passed: None,
            judge,
            error: None,
            sampled_by: None,
        });
        return;
    }
    for evaluation in evaluations.iter_mut().filter(|it| it.judge == Judge::default()) {
        evaluation.judge = judge.clone();
    }
}

fn configuration(record: &Record) -> Judge {
    let text = |field: Field| record.fields.text(field);
    Judge {
        name: text(Field::EvaluatorName),
        kind: text(Field::EvaluatorType),
        model: text(Field::EvaluatorModel),
        version: text(Field::EvaluatorVersion),
        prompt: text(Field::EvaluatorPrompt),
        rubric_version: text(Field::RubricVersion),
        dataset_version: text(Field::DatasetVersion),
        threshold: record.fields.get(Field::Threshold).and_then(Scalar::f64),
        calibrated_at: record.fields.get(Field::CalibratedAt).and_then(Scalar::time),
        agreement: record.fields.get(Field::Agreement).and_then(Scalar::f64),
    }
}

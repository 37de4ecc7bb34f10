//! Verdicts on answers, of judges and of users, from attributes and from OpenInference's annotations.

use crate::core::dialect::{Field, Scalar};
use crate::core::message::{self, Json, cut, of_value};
use crate::core::request::{Evaluation, Failure, Feedback, Judge, Sampled};
use crate::core::said::{self, short};
use crate::core::span::{List, LlmSpan};

use super::failure::failure;

/// Bytes kept of a comment.
const COMMENT_BYTES_MAX: usize = 4096;

/// What somebody said of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    /// A judge, of whatever kind.
    Judged(Box<Evaluation>),
    /// A user.
    Felt(Feedback),
}

/// One verdict as sent, before it is known who gave it.
#[derive(Default)]
struct Verdict<'a> {
    metric: Option<std::borrow::Cow<'a, str>>,
    score: Option<Scalar<'a>>,
    label: Option<std::borrow::Cow<'a, str>>,
    comment: Option<std::borrow::Cow<'a, str>>,
    passed: Option<bool>,
    error: Option<Failure>,
    judge: Judge,
    sampled_by: Option<Sampled>,
}

/// Everything a span says of answers.
pub(super) fn of_span(span: &LlmSpan<'_>) -> Vec<Said> {
    let mut said: Vec<Said> = Vec::new();
    if span.fields.has(Field::EvaluationName) {
        said.extend(of_fields(span));
    }
    for item in message::grouped(&span.listed, List::Evaluations) {
        // `evaluations` and `annotations` repeat each other.
        if let Some(found) = annotations(&item)
            && !said.contains(&found)
        {
            said.push(found);
        }
    }
    if span.fields.has(Field::SpanType) {
        said.extend(of_case(span));
    }
    said
}

/// An evaluator that failed has no verdict, and is counted as that.
pub(super) fn of_failure(span: &LlmSpan<'_>, failure: &Failure) -> Option<Said> {
    let name = span.get(Field::EvaluatorName).map(Scalar::text)?;
    let judge = Judge { name: Some(short(&name)), ..Judge::default() };
    Verdict { metric: Some(name), error: Some(failure.clone()), judge, ..Verdict::default() }.said()
}

/// The verdicts of pydantic-evals on one case: by metric, in three JSON objects by type of value.
fn of_case(span: &LlmSpan<'_>) -> Vec<Said> {
    let mut said = Vec::new();
    for json in [Field::Scores, Field::Assertions, Field::Labels].into_iter().filter_map(|field| span.text(field)) {
        for (metric, verdict) in Json::new(json).entries() {
            let mut judge = Judge::default();
            if let Some(source) = verdict.get("source") {
                judge.name = source.get("name").map(|it| short(&it.text_or_raw()));
                configuration(source, &mut judge);
            }
            judge.version = verdict.get("evaluator_version").map(|it| short(&it.text_or_raw()));
            let value = verdict.get("value").and_then(Json::scalar);
            let label = value.filter(|it| matches!(it, Scalar::Text(_)));
            let found = Verdict {
                metric: Some(metric),
                score: value.filter(|_| label.is_none()),
                label: label.map(Scalar::text),
                comment: verdict.get("reason").and_then(Json::text),
                judge,
                ..Verdict::default()
            };
            said.extend(found.said());
        }
    }
    said
}

/// The verdict in `gen_ai.evaluation.*` attributes.
pub(super) fn of_fields(spoken: &LlmSpan<'_>) -> Option<Said> {
    let text = |field: Field| spoken.get(field).map(Scalar::text);
    let mut judge = said::judge(spoken);
    if let Some(json) = of_value(spoken.fields.value(Field::EvaluatorSource)) {
        configuration(Json::new(&json), &mut judge);
    }
    if let Some(json) = of_value(spoken.fields.value(Field::Metadata)) {
        configuration(Json::new(&json), &mut judge);
    }
    Verdict {
        metric: text(Field::EvaluationName),
        score: spoken.get(Field::EvaluationScore),
        label: text(Field::EvaluationLabel),
        comment: text(Field::EvaluationExplanation),
        passed: spoken.get(Field::EvaluationPassed).and_then(Scalar::bool),
        error: text(Field::ErrorType).map(|kind| failure(&kind, &text(Field::ErrorMessage).unwrap_or_default(), None)),
        judge,
        sampled_by: text(Field::SampledBy).map(|it| Sampled::parse(&it)),
    }
    .said()
}

/// The verdict in one `annotations.N.*` item.
fn annotations(item: &[(&str, crate::otlp::Value<'_>)]) -> Option<Said> {
    let mut verdict = Verdict::default();
    for (path, value) in item {
        let (text, scalar) = (Scalar::of(*value).map(Scalar::text), Scalar::of(*value));
        match path.rsplit('.').next().unwrap_or(path) {
            "name" => verdict.metric = text,
            "score" => verdict.score = scalar,
            "label" => verdict.label = text,
            "explanation" => verdict.comment = text,
            "annotator_kind" => verdict.judge.kind = text.map(|it| kind(&it)),
            "identifier" => verdict.judge.name = text.map(|it| short(&it)),
            "metadata" => {
                if let Some(json) = of_value(*value) {
                    configuration(Json::new(&json), &mut verdict.judge);
                }
            }
            _ => {}
        }
    }
    verdict.said()
}

/// OpenInference's annotator kinds in the words of the conventions.
fn kind(annotator: &str) -> Box<str> {
    match annotator {
        "HUMAN" => "human".into(),
        "LLM" => "llm_judge".into(),
        "CODE" => "deterministic".into(),
        other => other.to_ascii_lowercase().into(),
    }
}

/// Fills what a free-form JSON configuration says of the judge.
fn configuration(json: Json<'_>, judge: &mut Judge) {
    for (key, value) in json.entries() {
        if value.is_object() {
            configuration_of_arguments(value, judge);
            continue;
        }
        let word = || Some(short(&value.text_or_raw()));
        match key.as_ref() {
            _ if value.is_null() => {}
            "judge_model" | "model" | "model_name" => judge.model = judge.model.take().or_else(word),
            "rubric_version" => judge.rubric_version = judge.rubric_version.take().or_else(word),
            "dataset_version" | "reference_set" => judge.dataset_version = judge.dataset_version.take().or_else(word),
            "prompt_version" | "prompt_hash" => judge.prompt = judge.prompt.take().or_else(word),
            "version" | "judge_version" | "evaluator_version" => judge.version = judge.version.take().or_else(word),
            "threshold" => judge.threshold = judge.threshold.or_else(|| value.scalar()?.f64()),
            "calibrated_at" => judge.calibrated_at = judge.calibrated_at.or_else(|| value.scalar()?.time()),
            _ => {}
        }
    }
}

/// pydantic-evals writes `{"name":..,"arguments":{"model":..,"rubric":..}}`.
fn configuration_of_arguments(json: Json<'_>, judge: &mut Judge) {
    if let Some(model) = json.get("model").and_then(Json::text) {
        judge.model.get_or_insert_with(|| short(&model));
    }
}

impl Verdict<'_> {
    fn said(self) -> Option<Said> {
        if self.metric.is_none() && self.score.is_none() && self.label.is_none() && self.passed.is_none() {
            return None;
        }
        let human = self.judge.kind.as_deref().is_some_and(|it| it.eq_ignore_ascii_case("human"));
        if human || self.metric.as_deref() == Some("user_feedback") {
            return Some(Said::Felt(self.felt()));
        }
        let score = self.score.and_then(Scalar::f64);
        let flag = match self.score {
            Some(Scalar::Bool(flag)) => Some(flag),
            _ => None,
        };
        let passed = self.passed.or(flag).or_else(|| passed(self.label.as_deref()?));
        let passed = passed.or_else(|| Some(score? >= self.judge.threshold?));
        Some(Said::Judged(Box::new(Evaluation {
            metric: short(self.metric.as_deref().unwrap_or("evaluation")),
            score,
            label: self.label.map(|it| short(&it)),
            passed,
            judge: self.judge,
            error: self.error,
            sampled_by: self.sampled_by,
        })))
    }

    fn felt(self) -> Feedback {
        let score = self.score.and_then(Scalar::f64);
        let by_score = score.and_then(|score| match score {
            // Thumbs are 1 and 0 or 1 and -1, stars are more; what lies between can't be told.
            score if score <= 0.0 => Some(false),
            score if score <= 1.0 => Some(score >= 0.5),
            score if score >= 4.0 => Some(true),
            _ => None,
        });
        let positive = self.passed.or_else(|| liked(self.label.as_deref()?)).or(by_score);
        Feedback { positive, score, comment: self.comment.map(|it| cut(&it, COMMENT_BYTES_MAX).into()) }
    }
}

fn passed(label: &str) -> Option<bool> {
    match label.to_ascii_lowercase().replace(['-', ' '], "_").as_str() {
        "pass" | "passed" | "true" | "yes" | "ok" | "good" | "correct" | "relevant" | "grounded" | "factual"
        | "faithful" | "helpful" | "safe" => Some(true),
        "fail" | "failed" | "false" | "no" | "bad" | "incorrect" | "irrelevant" | "not_relevant" | "ungrounded"
        | "hallucinated" | "unfaithful" | "unhelpful" | "unsafe" | "toxic" => Some(false),
        _ => None,
    }
}

fn liked(label: &str) -> Option<bool> {
    match label.to_ascii_lowercase().replace(['-', ' '], "_").as_str() {
        "thumbs_up" | "thumb_up" | "up" | "like" | "liked" | "positive" | "good" | "helpful" | "yes" => Some(true),
        "thumbs_down" | "thumb_down" | "down" | "dislike" | "disliked" | "negative" | "bad" | "unhelpful" | "no" => {
            Some(false)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(
        score: Option<Scalar<'static>>,
        label: Option<&'static str>,
        threshold: Option<f64>,
    ) -> Verdict<'static> {
        let judge = Judge { threshold, ..Judge::default() };
        Verdict { metric: Some("m".into()), score, label: label.map(Into::into), judge, ..Verdict::default() }
    }

    /// Proves where a pass comes from: a flag, else the label, else the threshold, else nowhere.
    #[test]
    fn a_pass_is_told_by_flag_label_or_threshold() {
        for (score, label, threshold, expected) in [
            (Some(Scalar::Bool(false)), Some("relevant"), None, Some(false)),
            (Some(Scalar::Double(0.2)), Some("Passed"), Some(0.5), Some(true)),
            (Some(Scalar::Double(0.2)), Some("meh"), Some(0.5), Some(false)),
            (Some(Scalar::Text("0.8")), None, Some(0.5), Some(true)),
            (Some(Scalar::Int(1)), None, None, None),
            (None, Some("not relevant"), None, Some(false)),
        ] {
            let Some(Said::Judged(found)) = verdict(score, label, threshold).said() else { panic!("not judged") };
            assert_eq!(found.passed, expected, "{score:?} {label:?} {threshold:?}");
        }
    }

    /// Proves that a human's verdict is feedback, and when it is known which way it points.
    #[test]
    fn a_humans_verdict_is_feedback() {
        for (score, label, positive) in [
            (Some(Scalar::Int(1)), None, Some(true)),
            (Some(Scalar::Int(0)), None, Some(false)),
            (Some(Scalar::Int(-1)), None, Some(false)),
            (Some(Scalar::Int(3)), None, None),
            (Some(Scalar::Int(5)), None, Some(true)),
            (Some(Scalar::Int(1)), Some("thumbs-down"), Some(false)),
            (None, Some("thumbs-up"), Some(true)),
        ] {
            let mut verdict = verdict(score, label, None);
            verdict.judge.kind = Some("human".into());
            let Some(Said::Felt(found)) = verdict.said() else { panic!("not felt") };
            assert_eq!(found.positive, positive, "{score:?} {label:?}");
        }
    }
}

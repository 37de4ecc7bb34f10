//! What an answer is held against. Each gives an evaluation like any judge's, with itself named as the judge.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;
use thiserror::Error;

use crate::core::request::{Evaluation, Judge, Request};

/// Share of an answer's content words that must be in the documents, where nobody says.
const OVERLAP_MIN: f64 = 0.5;
/// Shorter words say nothing of what an answer is about.
const WORD_CHARS_MIN: usize = 4;

/// One evaluator.
#[derive(Clone, Debug)]
pub enum Evaluator {
    /// The answer is this text, apart from white space around it.
    Exact(String),
    /// The answer has this text, in any case.
    Contains(String),
    /// The answer does not have this text, in any case.
    NotContains(String),
    /// The answer is JSON that this schema allows.
    JsonSchema(Arc<jsonschema::Validator>),
    /// This share of the answer's content words and numbers is in the documents: words, not truth.
    Overlap(f64),
    /// A model judges by this rubric; asked by whoever can send.
    Rubric(String),
}

/// Why a text is no evaluator.
#[derive(Debug, Error)]
pub enum SpecError {
    /// Another form.
    #[error(
        "expected exact:TEXT, contains:TEXT, not-contains:TEXT, json-schema:FILE, overlap[:SHARE] or judge:RUBRIC, found {0}"
    )]
    Form(String),
    /// No share.
    #[error("overlap: expected a share between 0 and 1, found {0}")]
    Share(String),
    /// A schema that can't be used.
    #[error("json-schema: {path}: {error}")]
    Schema {
        /// Which file.
        path: String,
        /// Why.
        error: String,
    },
}

impl Evaluator {
    /// Reads `exact:TEXT`, `contains:TEXT`, `not-contains:TEXT`, `json-schema:FILE`, `overlap[:SHARE]`, `judge:RUBRIC`.
    ///
    /// # Errors
    /// What it is not.
    pub fn parse(spec: &str) -> Result<Self, SpecError> {
        let (kind, rest) = spec.split_once(':').unwrap_or((spec, ""));
        match (kind, rest) {
            ("overlap", "") => Ok(Self::Overlap(OVERLAP_MIN)),
            ("overlap", share) => {
                let share = share.parse().ok().filter(|share| (0.0..=1.0).contains(share));
                share.map(Self::Overlap).ok_or_else(|| SpecError::Share(rest.to_owned()))
            }
            (_, "") => Err(SpecError::Form(spec.to_owned())),
            ("exact", text) => Ok(Self::Exact(text.to_owned())),
            ("contains", text) => Ok(Self::Contains(text.to_owned())),
            ("not-contains", text) => Ok(Self::NotContains(text.to_owned())),
            ("judge", rubric) => Ok(Self::Rubric(rubric.to_owned())),
            ("json-schema", path) => schema(Path::new(path)),
            _ => Err(SpecError::Form(spec.to_owned())),
        }
    }

    /// The name of its metric.
    #[must_use]
    pub fn metric(&self) -> &'static str {
        match self {
            Self::Exact(_) => "exact",
            Self::Contains(_) => "contains",
            Self::NotContains(_) => "not_contains",
            Self::JsonSchema(_) => "json_schema",
            Self::Overlap(_) => "lexical_overlap",
            Self::Rubric(_) => "llm_judge",
        }
    }

    /// What it says of a request's answer; `None` for a rubric, and where there is nothing to compare with.
    #[must_use]
    pub fn evaluate(&self, request: &Request) -> Option<Evaluation> {
        let answer = request.response.as_deref().unwrap_or_default();
        let has = |text: &str| answer.to_lowercase().contains(&text.to_lowercase());
        let share = |is: bool| if is { 1.0 } else { 0.0 };
        let (score, passed) = match self {
            Self::Exact(text) => (share(answer.trim() == text.trim()), answer.trim() == text.trim()),
            Self::Contains(text) => (share(has(text)), has(text)),
            Self::NotContains(text) => (share(!has(text)), !has(text)),
            Self::JsonSchema(schema) => {
                let is_valid = serde_json::from_str::<Json>(answer).is_ok_and(|answer| schema.is_valid(&answer));
                (share(is_valid), is_valid)
            }
            Self::Overlap(least) => {
                let share = overlap(answer, request)?;
                (share, share >= *least)
            }
            Self::Rubric(_) => return None,
        };
        let judge = Judge { name: Some("replay".into()), kind: Some("deterministic".into()), ..Judge::default() };
        Some(Evaluation {
            metric: self.metric().into(),
            score: Some(score),
            label: None,
            passed: Some(passed),
            judge,
            error: None,
            sampled_by: None,
        })
    }
}

fn schema(path: &Path) -> Result<Evaluator, SpecError> {
    let wrong = |error: String| SpecError::Schema { path: path.display().to_string(), error };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let document: Json = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let schema = jsonschema::validator_for(&document).map_err(|error| wrong(error.to_string()))?;
    Ok(Evaluator::JsonSchema(Arc::new(schema)))
}

/// Share of the answer's content words that are in the documents; `None` without documents' contents or such words.
#[expect(clippy::cast_precision_loss, reason = "counts of words")]
fn overlap(answer: &str, request: &Request) -> Option<f64> {
    let documents = request.retrievals.iter().flat_map(|it| it.documents.iter().flatten());
    let known: BTreeSet<String> = documents.filter_map(|it| it.content.as_deref()).flat_map(words).collect();
    let said: BTreeSet<String> = words(answer).collect();
    let shared = said.intersection(&known).count();
    (!known.is_empty() && !said.is_empty()).then(|| shared as f64 / said.len() as f64)
}

/// Words of four letters and more, and all numbers, lowercase.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|it: char| !it.is_alphanumeric());
    words
        .filter(|it| it.chars().count() >= WORD_CHARS_MIN || it.chars().any(|it| it.is_ascii_digit()))
        .map(str::to_lowercase)
}

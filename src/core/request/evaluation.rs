//! What a judge says of a request, who it is, and why it was asked.

use super::Failure;
use crate::core::time::UnixNanos;

/// One verdict of a judge.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Metric name: `relevance`, `groundedness`, ...
    pub metric: Box<str>,
    /// Score as reported.
    pub score: Option<f64>,
    /// Label as reported.
    pub label: Option<Box<str>>,
    /// Pass or fail, when label, threshold or evaluator say so.
    pub passed: Option<bool>,
    /// Who judged.
    pub judge: Judge,
    /// The evaluator itself failed.
    pub error: Option<Failure>,
    /// What the request was chosen for, where not all are judged.
    pub sampled_by: Option<Sampled>,
}

/// Why a request was chosen to be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampled {
    /// By lot.
    Uniform,
    /// It went wrong.
    Failing,
    /// It has a value of a variable that few had so far.
    Value,
    /// For what only the application knows.
    Other,
}

impl Sampled {
    /// The name in attributes, records and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Failing => "failing",
            Self::Value => "value",
            Self::Other => "other",
        }
    }

    /// Reads a name; what is not known is [`Self::Other`].
    #[must_use]
    pub fn parse(name: &str) -> Self {
        [Self::Uniform, Self::Failing, Self::Value].into_iter().find(|it| it.as_str() == name).unwrap_or(Self::Other)
    }
}

impl Evaluation {
    /// Whether the request was judged whatever it is: as all are, or by lot.
    #[must_use]
    pub fn is_by_lot(&self) -> bool {
        matches!(self.sampled_by, None | Some(Sampled::Uniform))
    }

    /// Whether it counts in rates: a verdict, and by lot.
    #[must_use]
    pub fn is_representative(&self) -> bool {
        self.error.is_none() && self.is_by_lot()
    }
}

/// The configuration of a judge.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judge {
    /// Evaluator name.
    pub name: Option<Box<str>>,
    /// `llm_judge`, `deterministic`, `human`, ...
    pub kind: Option<Box<str>>,
    /// Judge model.
    pub model: Option<Box<str>>,
    /// Evaluator version.
    pub version: Option<Box<str>>,
    /// Version or digest of the judge's prompt.
    pub prompt: Option<Box<str>>,
    /// Rubric version.
    pub rubric_version: Option<Box<str>>,
    /// Reference set or dataset version.
    pub dataset_version: Option<Box<str>>,
    /// Pass threshold.
    pub threshold: Option<f64>,
    /// When it was last calibrated against human labels.
    pub calibrated_at: Option<UnixNanos>,
    /// Share of them that it agreed with then.
    pub agreement: Option<f64>,
}

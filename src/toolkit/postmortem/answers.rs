//! What people answer to a page's questions, and what they did and when: a YAML file beside the evidence. On the page it is
//! marked as told, because nothing measured it.

use std::collections::BTreeMap;

use serde::Deserialize;
use thiserror::Error;

use super::timeline::Entry;
use crate::core::time::UnixNanos;

/// What marks an answer on a page.
pub(super) const TOLD: &str = "(told)";

/// A file of answers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Answers {
    /// By the question as the page asks it.
    pub answers: BTreeMap<String, String>,
    /// What people did: `at` in RFC 3339, `line` in words, by role.
    pub timeline: Vec<Entry>,
}

/// Why answers can't be used.
#[derive(Debug, Error)]
pub enum AnswersError {
    /// No YAML of that form.
    #[error("{0}")]
    Form(String),
    /// No time.
    #[error("timeline: {0:?} is not a time of RFC 3339")]
    Time(String),
    /// Nobody asked that.
    #[error("answers: the page does not ask {0:?}; it asks:\n{1}")]
    Unasked(String, String),
}

impl Answers {
    /// Reads a file's text.
    ///
    /// # Errors
    /// [`AnswersError::Form`] and [`AnswersError::Time`].
    pub fn parse(text: &str) -> Result<Self, AnswersError> {
        let mut answers: Self = serde_saphyr::from_str(text).map_err(|error| AnswersError::Form(error.to_string()))?;
        for entry in &mut answers.timeline {
            let at = UnixNanos::parse(&entry.at).ok_or_else(|| AnswersError::Time(entry.at.clone()))?;
            *entry = Entry { at: at.to_string(), line: format!("{} {TOLD}", entry.line) };
        }
        Ok(answers)
    }

    /// Whether every answer is to one of the questions of a page. What is left open may be asked no more.
    ///
    /// # Errors
    /// [`AnswersError::Unasked`] for the first that is not.
    pub fn check(&self, asked: &[String]) -> Result<(), AnswersError> {
        match self.answers.keys().find(|question| self.to(question).is_some() && !asked.contains(question)) {
            None => Ok(()),
            Some(question) => {
                let mut asked = asked.to_vec();
                asked.sort();
                asked.dedup();
                Err(AnswersError::Unasked(question.clone(), asked.join("\n")))
            }
        }
    }

    /// A file that leaves every question open.
    #[must_use]
    pub fn skeleton(asked: &[String]) -> String {
        let answers = asked.iter().map(|question| format!("  {question:?}: \"\"\n")).collect::<String>();
        let entry = "  # - { at: 2026-01-01T00:00:00Z, line: \"who, by role, did what\" }\n";
        let answers = if answers.is_empty() { " {}\n".to_owned() } else { format!("\n{answers}") };
        format!("answers:{answers}timeline: []\n{entry}")
    }

    /// The answer to a question; `None` while it is open.
    pub(super) fn to(&self, question: &str) -> Option<&str> {
        self.answers.get(question).map(|answer| answer.trim()).filter(|answer| !answer.is_empty())
    }
}

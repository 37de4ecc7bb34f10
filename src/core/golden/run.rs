//! One run of a judge over a golden set, and its file.

use serde_json::{Value as Json, json};
use thiserror::Error;

use super::Item;

/// The form of the file.
const SCHEMA: &str = "freezeframe.golden/v1";

/// What a judge said of one item.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// Which.
    pub id: String,
    /// What people think.
    pub label: bool,
    /// Its score: of several times the mean.
    pub score: Option<f64>,
    /// Whether that passes; `None` without a verdict.
    pub passed: Option<bool>,
    /// Whether it said different things at different times.
    pub is_unstable: bool,
    /// Why, in the judge's words.
    pub reason: Option<String>,
    /// Why there is no verdict.
    pub error: Option<String>,
}

/// What it said of all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The judge's configuration, as recorded.
    pub judge: Json,
    /// SHA-256 of the set.
    pub set: String,
    /// When, RFC 3339.
    pub at: String,
    /// In order of the set.
    pub items: Vec<Scored>,
}

/// Why a text is no run.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RunError {
    /// Not JSON.
    #[error("not JSON: {0}")]
    Json(String),
    /// JSON of another kind.
    #[error("not a result of judge golden ({SCHEMA})")]
    Kind,
    /// An item that is none.
    #[error("items[{0}]: expected id, label and passed")]
    Item(usize),
}

impl Scored {
    /// The verdicts on one item, one each time it was asked; an error is why there is none.
    #[must_use]
    pub fn of(item: &Item, verdicts: &[Result<(f64, Option<String>), String>], threshold: f64) -> Self {
        let scores: Vec<f64> = verdicts.iter().filter_map(|it| it.as_ref().ok()).map(|(score, _)| *score).collect();
        let passes: Vec<bool> = scores.iter().map(|it| *it >= threshold).collect();
        let n = u32::try_from(scores.len()).unwrap_or(u32::MAX);
        let score = (n > 0).then(|| scores.iter().sum::<f64>() / f64::from(n));
        let reason = verdicts.iter().find_map(|it| it.as_ref().ok()?.1.clone());
        let error = verdicts.iter().find_map(|it| it.as_ref().err().cloned());
        Self {
            id: item.id.clone(),
            label: item.passes,
            score,
            passed: score.map(|it| it >= threshold),
            is_unstable: passes.windows(2).any(|pair| pair[0] != pair[1]),
            reason,
            error: error.filter(|_| n == 0),
        }
    }
}

impl Run {
    /// The file.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let word = |passes: bool| if passes { "pass" } else { "fail" };
        let item = |it: &Scored| {
            json!({
                "id": it.id, "label": word(it.label), "score": it.score, "passed": it.passed,
                "unstable": it.is_unstable, "reason": it.reason, "error": it.error,
            })
        };
        let items: Vec<Json> = self.items.iter().map(item).collect();
        json!({ "schema": SCHEMA, "judge": self.judge, "set_sha256": self.set, "at": self.at, "items": items })
    }

    /// Reads a file, or any document that has one's members.
    ///
    /// # Errors
    /// What it is not.
    pub fn parse(text: &str) -> Result<Self, RunError> {
        let document: Json = serde_json::from_str(text).map_err(|error| RunError::Json(error.to_string()))?;
        let items = document["items"].as_array().filter(|_| document["schema"] == SCHEMA).ok_or(RunError::Kind)?;
        let text = |value: &Json| value.as_str().map(str::to_owned);
        let scored = |(n, it): (usize, &Json)| {
            let label = it["label"].as_str().filter(|it| ["pass", "fail"].contains(it));
            let is_fit = it["passed"].is_boolean() || it["passed"].is_null();
            let (id, label) = text(&it["id"]).zip(label).filter(|_| is_fit).ok_or(RunError::Item(n))?;
            Ok(Scored {
                id,
                label: label == "pass",
                score: it["score"].as_f64(),
                passed: it["passed"].as_bool(),
                is_unstable: it["unstable"] == true,
                reason: text(&it["reason"]),
                error: text(&it["error"]),
            })
        };
        Ok(Self {
            judge: document["judge"].clone(),
            set: text(&document["set_sha256"]).unwrap_or_default(),
            at: text(&document["at"]).unwrap_or_default(),
            items: items.iter().enumerate().map(scored).collect::<Result<_, _>>()?,
        })
    }
}

//! A golden set: answers that people labelled, by which a judge is judged. How far it agrees with them
//! ([`Agreement`]), and whether it still says what it said before ([`Drift`]).

mod agreement;
mod drift;
mod run;

pub use agreement::Agreement;
pub use drift::{Drift, FLIPPED_MAX};
pub use run::{Run, RunError, Scored};

use serde_json::Value as Json;
use thiserror::Error;

use super::canonical::sha256_hex;

/// Bytes of a file.
pub const SET_BYTES_MAX: usize = 16 << 20;
/// Items of a set.
pub const ITEMS_MAX: usize = 10_000;

/// One answer with its label.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// What it is called; no two are called the same.
    pub id: String,
    /// What was asked.
    pub question: String,
    /// What there was to answer from.
    pub context: Vec<String>,
    /// What was answered.
    pub answer: String,
    /// What people think of it.
    pub passes: bool,
    /// The score people gave it, 0 to 1.
    pub score: Option<f64>,
}

/// All of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Set {
    /// In order of the file, at least one.
    pub items: Vec<Item>,
    /// SHA-256 of the file, lowercase hex.
    pub sha256: String,
}

/// What is wrong with a file.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SetError {
    /// One of its lines.
    #[error("line {0}: {1}")]
    Line(usize, String),
    /// Nothing in it.
    #[error("no items")]
    Empty,
    /// Too much.
    #[error("more than {ITEMS_MAX} items")]
    Long,
}

impl Set {
    /// Reads JSON lines of `{"id", "question", "context"?, "answer", "label": "pass"|"fail", "score"?}`, the context a
    /// text or a list of texts. Empty lines are passed over.
    ///
    /// # Errors
    /// The first line that is none.
    pub fn parse(text: &str) -> Result<Self, SetError> {
        let mut items: Vec<Item> = Vec::new();
        let mut known = std::collections::BTreeSet::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let item = item(line).map_err(|why| SetError::Line(number + 1, why))?;
            if !known.insert(item.id.clone()) {
                return Err(SetError::Line(number + 1, format!("the id {:?} a second time", item.id)));
            }
            if items.len() == ITEMS_MAX {
                return Err(SetError::Long);
            }
            items.push(item);
        }
        if items.is_empty() { Err(SetError::Empty) } else { Ok(Self { items, sha256: sha256_hex(text.as_bytes()) }) }
    }
}

fn item(line: &str) -> Result<Item, String> {
    let json: Json = serde_json::from_str(line).map_err(|error| format!("not JSON: {error}"))?;
    if !json.is_object() {
        return Err("not an object".to_owned());
    }
    let text = |name: &str| match &json[name] {
        Json::String(text) if !text.trim().is_empty() => Ok(text.clone()),
        _ => Err(format!("{name}: expected a text")),
    };
    let context = match &json["context"] {
        Json::Null => Ok(Vec::new()),
        Json::String(text) => Ok(vec![text.clone()]),
        Json::Array(texts) => {
            let texts: Option<Vec<String>> = texts.iter().map(|it| it.as_str().map(str::to_owned)).collect();
            texts.ok_or("context: expected texts")
        }
        _ => Err("context: expected a text or a list of texts"),
    };
    let passes = match json["label"].as_str() {
        Some("pass") => true,
        Some("fail") => false,
        _ => return Err("label: expected \"pass\" or \"fail\"".to_owned()),
    };
    let score = match &json["score"] {
        Json::Null => None,
        score => {
            let score = score.as_f64().filter(|it| (0.0..=1.0).contains(it));
            Some(score.ok_or("score: expected a number from 0 to 1")?)
        }
    };
    Ok(Item { id: text("id")?, question: text("question")?, context: context?, answer: text("answer")?, passes, score })
}

#[cfg(test)]
mod tests;

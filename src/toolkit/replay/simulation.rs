//! A replay without a model, for people who have none at hand: what an answer would look like if the model only quoted the
//! documents. It shows how the tool works and what a change would cost; it says nothing about how good an answer would be.
//!
//! The rule: where something is overridden and the contents of documents were recorded, the answer is the sentence of
//! theirs that has most words of the question, with its source; else the recorded answer. Tokens are those of then, and so
//! is the time, but that a small model (by its name) is taken to need half of a large one's.

use std::time::Duration;

use super::evaluator::words;
use super::outcome::Took;
use super::plan::Overrides;
use super::reply::Reply;
use crate::core::request::{ModelCall, Request, ToolCall};

/// Time of a large model over that of a small one.
const LARGE: f64 = 2.0;
/// Parts of the names of small models.
const SMALL: [&str; 6] = ["mini", "nano", "haiku", "flash", "lite", "small"];

/// The simulated reply, and how long it is taken to have taken.
#[must_use]
pub fn simulated(request: &Request, overrides: &Overrides) -> (Reply, Took) {
    let is_changed = *overrides != Overrides::default();
    let quoted = quote(request).filter(|_| is_changed);
    let text = quoted.or_else(|| request.response.as_deref().map(str::to_owned)).unwrap_or_default();
    let last = request.calls.last();
    let recorded = last.and_then(|it| it.model_served.as_deref().or(it.model_requested.as_deref()));
    let model = overrides.model.as_deref().or(recorded);
    let time = |model: Option<&str>| if model.is_some_and(is_small) { 1.0 } else { LARGE };
    let then: Duration = request.calls.iter().map(|it| it.duration).sum();
    let sum = |of: fn(&ModelCall) -> Option<u64>| {
        request.calls.iter().filter_map(of).fold(None, |sum, part| Some(sum.unwrap_or(0_u64).saturating_add(part)))
    };
    let reply = Reply {
        model: model.map(str::to_owned),
        text,
        finish: Some("stop".to_owned()),
        input_tokens: sum(|it| it.input_tokens),
        output_tokens: sum(|it| it.output_tokens),
        ..Reply::default()
    };
    (reply, Took { whole: then.mul_f64(time(model) / time(recorded)), ..Took::default() })
}

fn is_small(model: &str) -> bool {
    SMALL.iter().any(|small| model.contains(small))
}

/// The sentence of the documents, or of what tools gave, that has most words of the question.
fn quote(request: &Request) -> Option<String> {
    let asked: Vec<String> = words(request.user_query.as_deref()?).collect();
    let documents = request.retrievals.iter().flat_map(|it| it.documents.iter().flatten());
    let documents = documents.filter_map(|it| Some((it.id.as_deref().unwrap_or("document"), it.content.as_deref()?)));
    let gave = |it: &ToolCall| it.result.as_deref().map(str::to_owned);
    let tools: Vec<(String, String)> =
        request.tools.iter().filter_map(|it| Some((it.name.to_string(), gave(it)?))).collect();
    let sources = documents.chain(tools.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    let sentences = sources
        .flat_map(|(source, text)| text.split_inclusive(['.', '!', '?', '\n']).map(move |it| (source, it.trim())));
    let shared = |text: &str| words(text).filter(|word| asked.contains(word)).count();
    let best = sentences.filter(|(_, text)| !text.is_empty()).map(|it| (shared(it.1), it));
    // Of equals the first: documents come in order of rank.
    let (_, (source, text)) = best.reduce(|best, it| if it.0 > best.0 { it } else { best })?;
    Some(format!("{text} [{source}]"))
}

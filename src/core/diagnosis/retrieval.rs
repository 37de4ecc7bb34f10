//! What was retrieved: nothing, or what does not fit the question.

use super::told::{failed, is_about, verdict};
use super::{Finding, Limits, Mode, Reference, words};
use crate::core::histogram::rank;
use crate::core::measurement;
use crate::core::request::{Document, Request, Retrieval};
use crate::core::signal::Count;

/// Words in the names of metrics that judge what was retrieved.
pub(super) const METRICS: [&str; 6] = [
    "context_relevance",
    "context relevance",
    "context_precision",
    "context precision",
    "retrieval",
    "document_relevance",
];
/// A similarity below this says that a document is about something else, where its text does not say otherwise.
const SCORE_LOW: f64 = 0.3;
/// And below this where none of the question's words are in any document.
const SCORE_WITHOUT_WORDS: f64 = 0.5;
/// Scores that are all below this are on another scale (reciprocal ranks: 1/60 at most for each list).
const SCALE_MIN: f64 = 0.05;
/// Share of the question's words that documents on its subject have.
const WORDS_SHARE: f64 = 0.5;
/// Words of the question without which nothing is said of them.
const WORDS_MIN: usize = 2;
/// Against what is usual: below half of the median, and below what nineteen of twenty reach.
const FACTOR: f64 = 0.5;

/// Searches that failed, or of which none found anything.
pub(super) fn empty(request: &Request) -> Option<Finding> {
    let name = |it: &Retrieval| it.index.as_deref().unwrap_or("the index").to_owned();
    if let Some((search, error)) = request.retrievals.iter().find_map(|it| Some((it, it.error.as_ref()?))) {
        let index = name(search);
        let evidence = vec![format!("index={index}"), format!("error.type={}", error.kind)];
        return Some(Finding::new(
            Mode::RetrievalEmpty,
            format!("Retrieval from {index} failed: {}", error.kind),
            evidence,
        ));
    }
    let told = request.retrievals.iter().filter_map(|it| Some((it, measurement::retrieval(it)?)));
    let (first, _) = told.clone().next().filter(|_| told.clone().all(|(_, result)| result == Count::RetrievalEmpty))?;
    let index = name(first);
    let documents = first.documents.as_ref().map_or(0, Vec::len);
    let scores = (documents > 0).then(|| "scores=all 0".to_owned());
    let evidence = [format!("index={index}"), format!("documents={documents}")].into_iter().chain(scores).collect();
    Some(Finding::new(Mode::RetrievalEmpty, format!("Retrieval from {index} found nothing"), evidence))
}

/// Documents that do not fit the question: by a verdict, the rules' limit, what is usual, or score and words.
pub(super) fn mismatch(request: &Request, limits: &Limits, reference: Option<&Reference>) -> Option<Finding> {
    let new = |line: String, evidence| Some(Finding::new(Mode::RetrievalMismatch, line, evidence));
    if let Some(it) = failed(request).find(|it| is_about(it, &METRICS)) {
        return new(format!("What was retrieved does not fit the question ({})", verdict(it)), vec![verdict(it)]);
    }
    let documents: Vec<&Document> = request.retrievals.iter().flat_map(|it| it.documents.iter().flatten()).collect();
    let scores: Vec<f64> = documents.iter().filter_map(|it| it.score).filter(|it| it.is_finite()).collect();
    let best = scores
        .iter()
        .copied()
        .reduce(f64::max)
        .filter(|_| scores.len() == documents.len() && !empty_scores(&scores))?;
    let shared = shared_words(request, &documents);
    let words = shared.map(|share| format!("question_words_in_documents={share:.2}"));
    let (against, basis) = against(best, &scores, shared, limits, reference)?;
    let n = documents.len();
    let line = format!("The documents do not fit the question: best score {best:.2} of {n}, {against}");
    let evidence = [format!("documents={n}"), format!("best_score={best:.2}"), format!("basis={basis}")];
    new(line, evidence.into_iter().chain(words).collect())
}

/// What the best score falls short of, and what that rests on.
fn against(
    best: f64,
    scores: &[f64],
    shared: Option<f64>,
    limits: &Limits,
    reference: Option<&Reference>,
) -> Option<(String, &'static str)> {
    if let Some(limit) = limits.retrieval_score.filter(|limit| best < *limit) {
        return Some((format!("the limit is {limit}"), "limit of the rules"));
    }
    if let Some(usual) = reference.map(|it| &it.score).filter(|it| it.count() >= super::REQUESTS_MIN) {
        // The lowest may be this request's own.
        let quantile = |q| {
            usual
                .value_at_rank(1 + rank(usual.count() - 1, q))
                .map(|it| f64::from(u32::try_from(it).unwrap_or(u32::MAX)) / 1e3)
        };
        let (p50, p5) = (quantile(0.5)?, quantile(0.05)?);
        // A scale that is known needs no guess.
        return (best < p50 * FACTOR && best < p5).then(|| (format!("usually {p50:.2}"), "scores of the feature"));
    }
    let is_similarity = scores.iter().all(|it| (0.0..=1.0).contains(it)) && best >= SCALE_MIN;
    match shared {
        _ if !is_similarity => None,
        Some(0.0) if best < SCORE_WITHOUT_WORDS => {
            Some(("none has a word of it (word overlap, not a judge)".to_owned(), "score and word overlap"))
        }
        Some(share) if share >= WORDS_SHARE => None,
        _ => (best < SCORE_LOW).then(|| (format!("below {SCORE_LOW}"), "score")),
    }
}

fn empty_scores(scores: &[f64]) -> bool {
    scores.iter().all(|it| *it == 0.0)
}

/// Share of the question's words that any document has; `None` when texts are missing or too short.
fn shared_words(request: &Request, documents: &[&Document]) -> Option<f64> {
    let texts: Vec<&str> = documents.iter().map(|it| it.content.as_deref()).collect::<Option<_>>()?;
    // Applications often ask with the documents inside of the question.
    let question =
        texts.iter().filter(|it| !it.is_empty()).fold(request.user_query.clone()?.into_string(), |it, text| {
            if it.contains(text) { it.replace(text, " ") } else { it }
        });
    let asked = words::stems(&question);
    let said = texts.iter().map(|text| words::stems(text)).fold(words::Stems::default(), |mut all, it| {
        all.extend(it);
        all
    });
    (asked.len() >= WORDS_MIN && !said.is_empty()).then(|| words::share(&asked, &said))
}

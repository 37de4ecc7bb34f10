//! What texts have in common by their words: not a judge, and labelled so. It finds answers that state several figures and
//! names that no document has, and nothing subtler. Languages without spaces or another one than the documents' have no
//! words in common by nature: there nothing is said.

use std::collections::BTreeSet;

use super::told::is_grounded;
use super::{Finding, Mode};
use crate::core::message::cut;
use crate::core::request::{Outcome, Request};

/// Bytes of each text that are looked at. A source of as many may be cut off: `assembly.content_bytes_max` is as much by
/// default, less what would split a character.
const TEXT_BYTES_MAX: usize = (8 << 10) - 3;
/// Letters that words of one stem share.
const STEM_CHARS: usize = 5;
/// An answer with fewer words of content says too little.
const ANSWER_WORDS_MIN: usize = 12;
/// So many figures and names that no source has, and more than half of all there are.
const UNSUPPORTED_MIN: usize = 3;
/// Share of its words that an answer from documents has in common with them, at least.
const SUPPORT_MIN: f64 = 0.6;
/// Capitals mark names where so many of the words, of the answer and of its sources, are English ones without content
/// (German writes all nouns so), and fewer words of content than this have one (headlines).
const ENGLISH_MIN: f64 = 0.15;
const CAPITALS_MAX: f64 = 0.5;
/// Figures and names shown.
const SHOWN_MAX: usize = 5;

/// Words without content of their own, in order.
const STOP_WORDS: [&str; 68] = [
    "about", "after", "all", "also", "and", "any", "are", "been", "before", "but", "can", "could", "did", "does",
    "for", "from", "had", "has", "have", "her", "here", "him", "his", "how", "into", "its", "just", "let", "like",
    "may", "more", "not", "now", "once", "one", "only", "our", "out", "please", "shall", "she", "should", "some",
    "such", "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "those", "was", "were",
    "what", "when", "where", "which", "who", "will", "with", "within", "would", "you", "your",
];

/// Words by what is left of them: lower case, without the plural's s, the first letters alone.
pub(super) type Stems = BTreeSet<String>;

/// One word of an answer.
struct Token<'t> {
    text: &'t str,
    /// It begins a sentence, a line or a list's item.
    is_first: bool,
}

/// The answer states figures and names that neither documents nor question, prompt or tools have.
pub(super) fn ungrounded(request: &Request) -> Option<Finding> {
    let answer = request.response.as_deref().filter(|it| !it.trim_start().starts_with(['{', '[']))?;
    if request.outcome != Outcome::Ok || is_grounded(request) {
        return None;
    }
    let sources = sources(request)?;
    let said = sources.iter().map(|text| stems(text)).fold(Stems::default(), |mut all, it| {
        all.extend(it);
        all
    });
    let words = stems(answer);
    let support = share(&words, &said);
    let is_english = is_english(&[answer]) && is_english(&sources);
    let facts = facts(cut(answer, TEXT_BYTES_MAX), is_english);
    let missing: Vec<&str> = facts.iter().copied().filter(|it| !said.contains(&stem(it))).collect();
    let is_apart = missing.len() >= UNSUPPORTED_MIN && missing.len() * 2 > facts.len();
    let is_judged = words.len() >= ANSWER_WORDS_MIN && support < SUPPORT_MIN;
    if !is_apart || !is_judged {
        return None;
    }
    let line = format!(
        "The answer states what no document says: {} of {} figures and names (lexical overlap, not a judge)",
        missing.len(),
        facts.len()
    );
    let shown: Vec<&str> = missing.into_iter().take(SHOWN_MAX).collect();
    let evidence = vec![
        format!("words_in_sources={support:.2}"),
        format!("not_in_sources={}", shown.join(", ")),
        "basis=lexical overlap".to_owned(),
    ];
    Some(Finding::new(Mode::Hallucination, line, evidence))
}

/// Everything the answer may be taken from; `None` when there are no documents, or some of it is not known or cut off.
fn sources(request: &Request) -> Option<Vec<&str>> {
    let documents = request.retrievals.iter().flat_map(|it| it.documents.iter().flatten());
    let documents: Vec<&str> = documents.map(|it| it.content.as_deref()).collect::<Option<_>>()?;
    let ran = request.tools.iter().filter(|it| it.ran && it.error.is_none());
    let results: Vec<&str> = ran.map(|it| it.result.as_deref()).collect::<Option<_>>()?;
    let own = [&request.user_query, &request.prompt.system];
    let own = own.into_iter().filter_map(|it| it.as_deref());
    let arguments = request.tools.iter().filter_map(|it| it.arguments.as_deref());
    let has_text = documents.iter().any(|it| !it.trim().is_empty());
    let sources: Vec<&str> = own.chain(documents).chain(results).chain(arguments).collect();
    let is_whole = sources.iter().all(|it| it.len() < TEXT_BYTES_MAX);
    (has_text && is_whole).then_some(sources)
}

/// The words of content in a text.
pub(super) fn stems(text: &str) -> Stems {
    tokens(cut(text, TEXT_BYTES_MAX)).filter(|it| is_content(it.text)).map(|it| stem(it.text)).collect()
}

/// Share of `words` that are in `others`; 0 of nothing.
pub(super) fn share(words: &Stems, others: &Stems) -> f64 {
    part(words.intersection(others).count(), words.len())
}

#[expect(clippy::cast_precision_loss, reason = "texts of 8 KiB have fewer words than 2^52")]
fn part(some: usize, all: usize) -> f64 {
    some as f64 / all.max(1) as f64
}

/// Figures, and with `has_names` what is written with a capital inside of a sentence, each once.
fn facts(answer: &str, has_names: bool) -> Vec<&str> {
    let inner: Vec<&str> = told(answer).filter(|it| !it.is_first && is_content(it.text)).map(|it| it.text).collect();
    let names = inner.iter().filter(|it| is_name(it)).count();
    let has_names = has_names && part(names, inner.len()) <= CAPITALS_MAX;
    let mut seen = BTreeSet::new();
    let is_fact =
        |it: &Token<'_>| is_figure(it.text) || has_names && !it.is_first && is_content(it.text) && is_name(it.text);
    told(answer).filter(is_fact).map(|it| it.text).filter(|it| seen.insert(stem(it))).collect()
}

/// Whether enough of the words are English ones without content.
fn is_english(texts: &[&str]) -> bool {
    let words = texts.iter().flat_map(|text| tokens(cut(text, TEXT_BYTES_MAX))).filter(|it| is_long(it.text));
    let (stops, all) = words.fold((0, 0), |(stops, all), it| (stops + usize::from(!is_content(it.text)), all + 1));
    part(stops, all) >= ENGLISH_MIN
}

/// Words and figures of an answer, without citations in brackets, placeholders and the numbers of lists.
fn told(answer: &str) -> impl Iterator<Item = Token<'_>> {
    answer.lines().flat_map(|line| outside_brackets(without_number(line))).flat_map(tokens)
}

/// Words and figures of a text.
fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    text.lines().flat_map(|line| {
        let mut is_first = true;
        line.split_whitespace().flat_map(move |word| {
            let starts = std::mem::replace(&mut is_first, word.ends_with(['.', '!', '?', ':']));
            let pieces = word.split(|it: char| !(it.is_alphanumeric() || ".,'\u{2019}".contains(it)));
            pieces.enumerate().filter_map(move |(at, piece)| {
                let text = piece.trim_matches(|it: char| !it.is_alphanumeric());
                (!text.is_empty()).then_some(Token { text, is_first: starts && at == 0 })
            })
        })
    })
}

/// A line without what makes it a list's item.
fn without_number(line: &str) -> &str {
    let line = line.trim_start_matches(|it: char| it.is_whitespace() || "-*#".contains(it));
    let rest = line.trim_start_matches(|it: char| it.is_ascii_digit());
    let is_item = rest.len() < line.len() && (rest.starts_with(". ") || rest.starts_with(") "));
    if is_item { &rest[1..] } else { line }
}

fn outside_brackets(line: &str) -> impl Iterator<Item = &str> {
    line.split(['[', '<']).enumerate().map(|(at, part)| match at {
        0 => part,
        _ => part.split_once([']', '>']).map_or("", |(_, rest)| rest),
    })
}

fn is_figure(word: &str) -> bool {
    word.starts_with(|it: char| it.is_ascii_digit())
}

fn is_name(word: &str) -> bool {
    word.starts_with(char::is_uppercase) && is_long(word)
}

fn is_long(word: &str) -> bool {
    word.chars().nth(2).is_some()
}

fn is_content(word: &str) -> bool {
    is_figure(word) || is_long(word) && STOP_WORDS.binary_search(&&*word.to_lowercase()).is_err()
}

/// A figure without its separators of thousands; of a word the first letters.
fn stem(word: &str) -> String {
    if is_figure(word) {
        return word.replace(',', "");
    }
    let lower = word.to_lowercase();
    let lower = lower.split(['\'', '\u{2019}']).next().unwrap_or_default();
    let lower = if lower.len() > 3 { lower.trim_end_matches('s') } else { lower };
    lower.chars().take(STEM_CHARS).collect()
}

//! Takes secrets and personal data out of text before anything is kept. Pure and linear in the length of the text.
//!
//! | found by | what | placeholder |
//! |---|---|---|
//! | key | values under `password`, `authorization`, ... in JSON | `<BLOCKED_KEY>` |
//! | keyword, pattern, entropy | secrets ([`secret`]) | `<GITHUB_TOKEN>`, ... |
//! | pattern, neighbourhood, checksum | personal data ([`personal`]) | `<EMAIL_ADDRESS>`, ... |
//! | the user's patterns | whatever they match | `<BLOCKED_VALUE>` |
//!
//! What an allowed pattern matches whole is left alone, whoever found it. Deliberately absent: names of people and
//! places, which no pattern can tell; hashing, which would let equal short values be guessed.

mod check;
mod counts;
mod iban;
mod json;
mod leak;
mod personal;
mod request;
mod secret;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex::{Regex, RegexBuilder};
use thiserror::Error;

pub use counts::Counts;
use personal::{Reach, Shape};
pub use request::request;

/// Version of the built-in rules; changes with every change of what they find. Frames record it.
pub const RULES_VERSION: &str = "2026-11-22";

const BLOCKED_KEY: &str = "BLOCKED_KEY";
const BLOCKED_VALUE: &str = "BLOCKED_VALUE";

/// Keys whose values are secrets by their name alone. `token` is not among them: to a language model it is a word.
const BLOCKED_KEYS: &str = r"(?i)^(?:.*[_. -])?(?:password|passwd|pwd|passphrase|authorization|cookie|set-cookie|credentials?|ssn)$|(?:secret|api[_-]?key|access[_-]?key|private[_-]?key|(?:access|refresh|id|auth|bearer|session|api)[_-]?token)$";

/// A key and its value in JSON that is cut off or inside other text.
const LOOSE_PAIR: &str = r#""\s?([0-9A-Za-z_.-]{1,64})\s?"\s{0,3}:\s{0,3}"\s?([^"]*[^"\s])|'([0-9A-Za-z_.-]{1,64})'\s{0,3}:\s{0,3}'([^']*[^'\s])"#;

/// Passes over a text until nothing more is found. Taking one thing out can uncover another, rarely twice.
const PASSES_MAX: usize = 4;

/// A compiled set of rules.
#[derive(Debug)]
pub struct Redactor {
    /// Finds the keywords of [`secret::KINDS`] in any case.
    keywords: AhoCorasick,
    leak_keywords: AhoCorasick,
    /// The kind each keyword belongs to.
    keyword_kinds: Vec<usize>,
    secrets: Vec<BuiltIn>,
    personal: Vec<BuiltIn>,
    loose_pair: BuiltIn,
    blocked_key: BuiltIn,
    blocked_keys: Vec<Regex>,
    blocked_values: Vec<Regex>,
    allowed_values: Vec<Regex>,
    /// Every entity, to know a placeholder when it stands in the text.
    entities: Vec<&'static str>,
}

/// An entity and where it stands.
type Finding = (&'static str, Range<usize>);

/// A text without what must not be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redacted<'a> {
    /// Borrowed when nothing was found.
    pub text: Cow<'a, str>,
    /// What was taken out.
    pub counts: Counts,
}

/// A pattern of the user's can't be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{pattern:?}: {reason}")]
pub struct PatternError {
    /// The pattern.
    pub pattern: String,
    /// What the regex crate says of it.
    pub reason: String,
}

impl Redactor {
    /// Compiles the built-in rules and the user's regular expressions.
    ///
    /// # Errors
    /// The first pattern of the user's that is no regular expression or too large a one.
    pub fn new<S: AsRef<str>>(
        blocked_key_patterns: &[S],
        blocked_values: &[S],
        allowed_values: &[S],
    ) -> Result<Self, PatternError> {
        let keyword_kinds: Vec<(&str, usize)> = (secret::KINDS.iter().enumerate())
            .flat_map(|(index, kind)| kind.keywords.iter().map(move |keyword| (*keyword, index)))
            .collect();
        let keywords = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::DFA))
            .build(keyword_kinds.iter().map(|(word, _)| word));
        let entities =
            secret::KINDS.iter().map(|kind| kind.entity).chain(personal::KINDS.iter().map(|kind| kind.entity));
        Ok(Self {
            keywords: keywords.expect("a few short literal keywords always compile"),
            leak_keywords: leak::keywords(),
            keyword_kinds: keyword_kinds.into_iter().map(|(_, kind)| kind).collect(),
            secrets: secret::KINDS.iter().map(|kind| BuiltIn::new(kind.pattern)).collect(),
            personal: personal::KINDS.iter().map(|kind| BuiltIn::new(kind.pattern)).collect(),
            loose_pair: BuiltIn::new(LOOSE_PAIR),
            blocked_key: BuiltIn::new(BLOCKED_KEYS),
            blocked_keys: compile(blocked_key_patterns, str::to_owned)?,
            blocked_values: compile(blocked_values, str::to_owned)?,
            allowed_values: compile(allowed_values, |pattern| format!("^(?:{pattern})$"))?,
            entities: entities.chain([BLOCKED_KEY, BLOCKED_VALUE]).collect(),
        })
    }

    /// Takes out what must not be kept. A JSON document is walked string by string, at any depth.
    #[must_use]
    pub fn redact<'a>(&self, text: &'a str) -> Redacted<'a> {
        let mut counts = Counts::default();
        let text = self.redact_at(text, 0, &mut counts).map_or(Cow::Borrowed(text), Cow::Owned);
        Redacted { text, counts }
    }

    /// Whether a value under this key is masked whole.
    #[must_use]
    pub fn is_blocked_key(&self, key: &str) -> bool {
        self.blocked_key.regex().is_match(key) || self.blocked_keys.iter().any(|pattern| pattern.is_match(key))
    }

    /// The text without what was found, or `None` when nothing was.
    fn redact_at(&self, text: &str, depth: usize, counts: &mut Counts) -> Option<String> {
        if depth < json::NESTING_MAX && json::is_document(text) {
            return json::redact(self, text, depth, counts);
        }
        let mut redacted = self.pass(text, counts)?;
        for _ in 1..PASSES_MAX {
            match self.pass(&redacted, counts) {
                Some(again) => redacted = again,
                None => break,
            }
        }
        Some(redacted)
    }

    fn pass(&self, text: &str, counts: &mut Counts) -> Option<String> {
        self.replace(text, self.findings(text), counts)
    }

    /// What is found and where, in no order; findings may overlap.
    fn findings(&self, text: &str) -> Vec<Finding> {
        let shape = Shape::of(text);
        let plain = plain(text, &shape);
        let mut found = self.secrets_in(&plain);
        for reach in Reach::ALL {
            self.personal_in(&plain, &shape, reach, &mut found);
        }
        if shape.colons > 0 {
            found.extend(self.loose_pairs_in(&plain));
        }
        self.blocked_values_in(&plain, &mut found);
        found
    }

    fn blocked_values_in(&self, text: &str, found: &mut Vec<Finding>) {
        for pattern in &self.blocked_values {
            found.extend(pattern.find_iter(text).map(|one| (BLOCKED_VALUE, one.range())));
        }
    }

    fn secrets_in(&self, text: &str) -> Vec<Finding> {
        let mut wanted = [false; secret::KINDS.len()];
        for hit in self.keywords.find_overlapping_iter(text) {
            wanted[self.keyword_kinds[hit.pattern().as_usize()]] = true;
        }
        let mut found = Vec::new();
        for ((kind, pattern), _) in secret::KINDS.iter().zip(&self.secrets).zip(wanted).filter(|(_, wanted)| *wanted) {
            let caught = pattern.regex().captures_iter(text).filter_map(|groups| groups.get(1).or(groups.get(0)));
            found.extend(caught.filter(|one| (kind.check)(one.as_str())).map(|one| (kind.entity, one.range())));
        }
        found
    }

    fn personal_in(&self, text: &str, shape: &Shape, reach: Reach, found: &mut Vec<Finding>) {
        for part in reach.parts(text, shape) {
            let inside = &text[part.clone()];
            let kinds = personal::KINDS.iter().zip(&self.personal);
            for (kind, pattern) in kinds.filter(|(kind, _)| kind.reach == reach && (kind.fits)(inside)) {
                let candidates = pattern.regex().find_iter(inside);
                let candidates = candidates.map(|one| part.start + one.start()..part.start + one.end());
                let real = candidates.filter_map(|range| (kind.check)(text, range));
                found.extend(real.map(|range| (kind.entity, range)));
            }
        }
    }

    fn loose_pairs_in(&self, text: &str) -> Vec<Finding> {
        let pairs = self
            .loose_pair
            .regex()
            .captures_iter(text)
            .filter_map(|groups| Some((groups.get(1).or(groups.get(3))?, groups.get(2).or(groups.get(4))?)));
        pairs
            .filter(|(key, _)| self.is_blocked_key(key.as_str()))
            .map(|(_, value)| (BLOCKED_KEY, value.range()))
            .collect()
    }

    /// Puts placeholders where something was found. Where two findings overlap the one listed earlier wins; what the
    /// other covers beyond it is found again in the next pass.
    fn replace(&self, text: &str, found: Vec<Finding>, counts: &mut Counts) -> Option<String> {
        if found.is_empty() {
            return None;
        }
        let mut taken: BTreeMap<usize, (usize, Option<&'static str>)> =
            self.placeholders(text).into_iter().map(|range| (range.start, (range.end, None))).collect();
        for (entity, range) in found {
            let free = taken.range(..range.end).next_back().is_none_or(|(_, (end, _))| *end <= range.start);
            if free && !range.is_empty() && !self.is_allowed(&text[range.clone()]) {
                taken.insert(range.start, (range.end, Some(entity)));
            }
        }
        let mut out = String::new();
        let mut copied = 0;
        for (start, (end, entity)) in taken {
            if let Some(entity) = entity {
                out.extend([&text[copied..start], "<", entity, ">"]);
                copied = end;
                counts.add(entity);
            }
        }
        (copied > 0).then(|| out + &text[copied..])
    }

    /// Where placeholders stand: what was taken out is not looked at again.
    fn placeholders(&self, text: &str) -> Vec<Range<usize>> {
        let starts = text.match_indices('<').map(|(at, _)| at);
        let known = |at: usize| {
            let inside = &text[at + 1..];
            let entity = self
                .entities
                .iter()
                .find(|entity| inside.strip_prefix(**entity).is_some_and(|rest| rest.starts_with('>')))?;
            Some(at..at + entity.len() + 2)
        };
        starts.filter_map(known).collect()
    }

    /// Whether a value is nothing but a placeholder.
    fn is_done(&self, value: &str) -> bool {
        let inside = value.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
        inside.is_some_and(|inside| self.entities.contains(&inside))
    }

    fn is_allowed(&self, value: &str) -> bool {
        self.allowed_values.iter().any(|pattern| pattern.is_match(value))
    }
}

fn compile<S: AsRef<str>>(patterns: &[S], form: impl Fn(&str) -> String) -> Result<Vec<Regex>, PatternError> {
    let one = |pattern: &str| {
        let built = RegexBuilder::new(&form(pattern)).size_limit(1 << 20).build();
        built.map_err(|error| PatternError { pattern: pattern.to_owned(), reason: error.to_string() })
    };
    patterns.iter().map(|pattern| one(pattern.as_ref())).collect()
}

/// A pattern of ours, compiled when a text first needs it: most never do, and all of them take megabytes.
#[derive(Debug)]
struct BuiltIn {
    pattern: &'static str,
    regex: OnceLock<Regex>,
}

impl BuiltIn {
    fn new(pattern: &'static str) -> Self {
        Self { pattern, regex: OnceLock::new() }
    }

    /// Word boundaries are those of ASCII: a Unicode one takes the automata away on text that is not ASCII, and with
    /// them the speed.
    fn regex(&self) -> &Regex {
        self.regex.get_or_init(|| {
            let pattern = self.pattern.replace(r"\b", r"(?-u:\b)");
            Regex::new(&pattern).expect("a built-in pattern; the tests compile them all")
        })
    }
}

/// The text as it is searched.
fn plain<'a>(text: &'a str, shape: &Shape) -> Cow<'a, str> {
    if shape.backslashes > 0 { Cow::Owned(without_escapes(text)) } else { Cow::Borrowed(text) }
}

/// The text with backslash escapes blanked, byte for byte as long, so that `\nAKIA...` starts a word.
fn without_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match (c, rest.peek()) {
            ('\\', Some('n' | 'r' | 't' | 'b' | 'f' | '/' | '\\')) => {
                rest.next();
                out.push_str("  ");
            }
            ('\\', _) => out.push(' '),
            (c, _) => out.push(c),
        }
    }
    out
}

//! Match clauses of genai-prices: which names mean a model or a provider. Case does not count.
//!
//! Regular expressions are compiled when they are first asked, and only for names that begin as they do: of the
//! table's seventy, a process needs a handful.

use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};
use serde::Deserialize;

/// Compiled size of one expression, bytes: those of the table take a hundredth of it.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// What stands before a look-ahead that the regex crate can't do and [`Pattern`] can.
const NOT_FOLLOWED_BY: &str = "^(?!";

/// One clause, in the form of the file: `{"starts_with": "gpt-4o"}`, `{"or": [...]}`.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Clause {
    Equals(Lower),
    StartsWith(Lower),
    EndsWith(Lower),
    Contains(Lower),
    Regex(Box<Pattern>),
    Or(Box<[Clause]>),
    And(Box<[Clause]>),
}

impl Clause {
    /// Whether `name`, in lower case, is meant.
    pub(super) fn matches(&self, name: &str) -> bool {
        match self {
            Self::Equals(text) => *name == *text.0,
            Self::StartsWith(text) => name.starts_with(&*text.0),
            Self::EndsWith(text) => name.ends_with(&*text.0),
            Self::Contains(text) => name.contains(&*text.0),
            Self::Regex(pattern) => pattern.matches(name),
            Self::Or(clauses) => clauses.iter().any(|clause| clause.matches(name)),
            Self::And(clauses) => clauses.iter().all(|clause| clause.matches(name)),
        }
    }

    /// Compiles every expression, keeping none.
    ///
    /// # Errors
    /// The first expression that is none.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Regex(pattern) => pattern.compile().map(drop).map_err(|error| {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
                format!("regex {:?}: {reason}", pattern.text)
            }),
            Self::Or(clauses) | Self::And(clauses) => clauses.iter().try_for_each(Self::check),
            Self::Equals(_) | Self::StartsWith(_) | Self::EndsWith(_) | Self::Contains(_) => Ok(()),
        }
    }
}

/// A text in lower case.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(from = "String")]
pub(super) struct Lower(pub(super) Box<str>);

impl From<String> for Lower {
    fn from(text: String) -> Self {
        Self(text.to_lowercase().into())
    }
}

/// A regular expression. `^(?!no)yes` is understood as well: not `^(?:no)`, and `^yes`.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub(super) struct Pattern {
    text: Box<str>,
    /// What every name that matches begins with.
    prefix: Box<str>,
    compiled: OnceLock<Option<Compiled>>,
}

#[derive(Debug)]
struct Compiled {
    yes: Regex,
    no: Option<Regex>,
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Self { prefix: prefix(&text).into(), text: text.into(), compiled: OnceLock::new() }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Pattern {
    fn matches(&self, name: &str) -> bool {
        name.starts_with(&*self.prefix)
            && self.compiled.get_or_init(|| self.compile().ok()).as_ref().is_some_and(|compiled| {
                compiled.yes.is_match(name) && !compiled.no.as_ref().is_some_and(|no| no.is_match(name))
            })
    }

    fn compile(&self) -> Result<Compiled, regex::Error> {
        let regex = |text: &str| RegexBuilder::new(text).size_limit(REGEX_BYTES_MAX).build();
        Ok(match look_ahead(&self.text) {
            Some((no, yes)) => Compiled { yes: regex(&format!("^{yes}"))?, no: Some(regex(&format!("^(?:{no})"))?) },
            None => Compiled { yes: regex(&self.text)?, no: None },
        })
    }
}

/// Splits `^(?!no)yes` into `no` and `yes`; `None` for any other expression.
fn look_ahead(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix(NOT_FOLLOWED_BY)?;
    let (mut depth, mut escaped, mut class) = (1, false, false);
    for (at, letter) in rest.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => class = true,
            ']' => class = false,
            '(' if !class => depth += 1,
            ')' if !class => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&rest[..at], &rest[at + 1..]));
        }
    }
    None
}

/// The literal text after `^`: every match begins with it. Empty when that can't be told at a glance.
fn prefix(text: &str) -> String {
    let mut prefix = String::new();
    let Some(rest) = text.strip_prefix('^').filter(|rest| !rest.contains('|')) else { return prefix };
    let mut letters = rest.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '-' | '/' | '_' | '@' | ':' => prefix.push(letter),
            _ if letter.is_ascii_alphanumeric() => prefix.push(letter),
            '\\' => match letters.next() {
                Some(escaped) if escaped.is_ascii_punctuation() => prefix.push(escaped),
                _ => break,
            },
            // The letter before may be missing.
            '?' | '*' | '{' => return prefix.pop().map(|_| prefix).unwrap_or_default(),
            _ => break,
        }
    }
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clause(json: &str) -> Clause {
        serde_json::from_str(json).unwrap()
    }

    /// Proves each kind of clause on a name that is meant and one that is not.
    #[test]
    fn clauses_match_as_they_say() {
        for (json, yes, no) in [
            (r#"{"equals":"GPT-4o"}"#, "gpt-4o", "gpt-4o-mini"),
            (r#"{"starts_with":"gpt-4o"}"#, "gpt-4o-mini", "x-gpt-4o"),
            (r#"{"ends_with":":free"}"#, "llama:free", "llama:freer"),
            (r#"{"contains":"claude"}"#, "eu.claude-3", "clau-de"),
            (r#"{"regex":"^o[134]"}"#, "o3-mini", "o2"),
            (r#"{"regex":"^gpt-5\\.6-\\d{2}$"}"#, "gpt-5.6-01", "gpt-5x6-01"),
            (r#"{"regex":"^ab?c"}"#, "ac", "b"),
            (r#"{"regex":"^ab{0}c"}"#, "ac", "abc"),
            (r#"{"regex":"^a|b"}"#, "xb", "x"),
            (r#"{"regex":"^(?!.*-[tT][tT][sS](?:$|-))"}"#, "gemini-pro", "gemini-tts-1"),
            (r#"{"regex":"^(?![^/)]+/)(?:labs-)?mistral"}"#, "labs-mistral", "x/mistral"),
            (r#"{"or":[{"equals":"a"},{"equals":"b"}]}"#, "b", "c"),
            (r#"{"and":[{"contains":"a"},{"contains":"b"}]}"#, "b-a", "b-c"),
        ] {
            let clause = clause(json);
            assert!(clause.check().is_ok() && clause.matches(yes) && !clause.matches(no), "{json}");
        }
    }

    /// Proves that what can't be compiled is named, however deep it stands.
    #[test]
    fn bad_expressions_are_named() {
        for text in ["(", "a(?!b)", "^(?!a", "^(?!()b", "(?:a{1000}){1000}"] {
            let json = serde_json::json!({"or": [{"equals": "a"}, {"and": [{"regex": text}]}]}).to_string();
            let error = clause(&json).check().unwrap_err();
            assert!(error.starts_with("regex \""), "{text}: {error}");
        }
    }

    /// Proves what the glance at an expression may conclude.
    #[test]
    fn prefixes_are_what_every_match_begins_with() {
        for (text, known) in [
            (r"^claude-5-\d{8}$", "claude-5-"),
            (r"^gpt-5\.6-luna", "gpt-5.6-luna"),
            (r"^composer-2\.5\[fast=true\]$", "composer-2.5[fast"),
            ("^ab?", "a"),
            ("^a+", "a"),
            ("^a|b", ""),
            ("abc", ""),
            ("^(?i)abc", ""),
            ("", ""),
        ] {
            assert_eq!(prefix(text), known, "{text}");
        }
    }
}

//! Takes secrets and personal data out of text before anything is kept. Pure and linear in the length of the text.
//!
//! | found by | what | placeholder |
//! |---|---|---|
//! | key | values under `password`, `authorization`, ... in JSON ([`keys`]) | `<BLOCKED_KEY>` |
//! | keyword, pattern, entropy | secrets ([`secret`]) and a user's rules ([`gitleaks`]) | `<GITHUB_TOKEN>`, ... |
//! | pattern, neighbourhood, checksum | personal data ([`personal`]) | `<EMAIL_ADDRESS>`, ... |
//! | the user's patterns | whatever they match | `<BLOCKED_VALUE>` |
//!
//! What an allowed pattern matches whole is left alone, whoever found it. With a key, placeholders carry a digest
//! ([`pseudonym`]). The rules for secrets are a set of our own in gitleaks' form: the crates that carry gitleaks' rules
//! are young, are scanners of whole repositories and ask for a newer compiler. Deliberately absent: names of people and
//! places, which no pattern can tell; digests without a key, which would let short values be guessed.

mod check;
mod counts;
mod find;
mod gitleaks;
mod go_syntax;
mod iban;
mod json;
mod keys;
mod leak;
mod pattern;
mod personal;
mod placeholder;
mod pseudonym;
mod request;
mod secret;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use regex::Regex;
use thiserror::Error;

pub use counts::Counts;
pub use gitleaks::{Allowlist, Rule, Rules, Target};
use keys::Keys;
pub use leak::leaked;
use pattern::{Lazy, compile};
pub use pseudonym::PseudonymKey;
pub use request::request;
use secret::Secret;
pub use secret::entity_of;

/// Version of the built-in rules; changes with every change of what they find. See [`Redactor::rules_version`].
pub const RULES_VERSION: &str = "2026-11-22.2";

const BLOCKED_KEY: &str = "BLOCKED_KEY";
const BLOCKED_VALUE: &str = "BLOCKED_VALUE";
const USER_ID: &str = "USER_ID";

/// Passes over a text until nothing more is found. Taking one thing out can uncover another, rarely twice.
const PASSES_MAX: usize = 4;

/// What a user can ask for. Names and meaning are those of the OTel redaction processor where it has them.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Whether every key is allowed; `false` masks the values of all but `allowed_keys`.
    pub allow_all_keys: bool,
    /// Keys allowed when not all are.
    pub allowed_keys: Vec<String>,
    /// Keys whose values are left as they are.
    pub ignored_keys: Vec<String>,
    /// The same as patterns.
    pub ignored_key_patterns: Vec<String>,
    /// Patterns of keys whose values are masked whole, beside the built-in ones.
    pub blocked_key_patterns: Vec<String>,
    /// Patterns of values that are masked.
    pub blocked_values: Vec<String>,
    /// Patterns of values that never are.
    pub allowed_values: Vec<String>,
    /// Whether numbers in JSON are looked at, not strings alone.
    pub redact_all_types: bool,
    /// Rules of the user's `gitleaks.toml`.
    pub rules: Arc<Rules>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allow_all_keys: true,
            allowed_keys: Vec::new(),
            ignored_keys: Vec::new(),
            ignored_key_patterns: Vec::new(),
            blocked_key_patterns: Vec::new(),
            blocked_values: Vec::new(),
            allowed_values: Vec::new(),
            redact_all_types: true,
            rules: Arc::default(),
        }
    }
}

/// A compiled set of rules.
#[derive(Debug)]
pub struct Redactor {
    /// Finds the keywords of `secrets` in any case.
    keywords: AhoCorasick,
    leak_keywords: AhoCorasick,
    /// The secret each keyword belongs to.
    keyword_secrets: Vec<usize>,
    /// The user's rules, then the built-in kinds.
    secrets: Vec<Secret>,
    personal: Vec<Lazy>,
    loose_pair: Lazy,
    keys: Keys,
    blocked_values: Vec<Regex>,
    allowed_values: Vec<Regex>,
    redact_all_types: bool,
    /// Every entity, to know a placeholder when it stands in the text.
    entities: BTreeSet<String>,
    pseudonym_key: Option<PseudonymKey>,
    rules_version: String,
}

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
    /// Compiles the built-in rules and the user's.
    ///
    /// # Errors
    /// The first pattern of the lists that is no regular expression or too large a one. Rules are taken as checked
    /// ([`Rule::fault`]); one that does not compile finds nothing.
    pub fn new(settings: &Settings) -> Result<Self, PatternError> {
        let secrets = secret::all(&settings.rules);
        let (keywords, keyword_secrets) = secret::keywords(&secrets, |_| true);
        let entities = secrets.iter().map(|secret| secret.entity.clone().into_owned());
        let personal = personal::KINDS.iter().map(|kind| kind.entity.to_owned());
        let own = [BLOCKED_KEY, BLOCKED_VALUE, USER_ID].map(str::to_owned);
        Ok(Self {
            keywords,
            leak_keywords: secret::keywords(&secrets, Secret::is_leak).0,
            keyword_secrets,
            personal: personal::KINDS.iter().map(|kind| Lazy::built_in(kind.pattern)).collect(),
            loose_pair: Lazy::built_in(find::LOOSE_PAIR),
            keys: Keys::new(settings)?,
            blocked_values: compile_all(&settings.blocked_values, str::to_owned)?,
            allowed_values: compile_all(&settings.allowed_values, |pattern| format!("^(?:{pattern})$"))?,
            redact_all_types: settings.redact_all_types,
            entities: entities.chain(personal).chain(own).collect(),
            secrets,
            pseudonym_key: None,
            rules_version: rules_version(&settings.rules),
        })
    }

    /// Has placeholders carry keyed digests.
    #[must_use]
    pub fn with_pseudonyms(self, key: Option<PseudonymKey>) -> Self {
        Self { pseudonym_key: key, ..self }
    }

    /// Version of the built-in rules, and a digest of the user's: `2026-11-22+gitleaks.5f1d0c9a`.
    #[must_use]
    pub fn rules_version(&self) -> &str {
        &self.rules_version
    }

    /// Takes out what must not be kept. A JSON document is walked string by string, at any depth.
    #[must_use]
    pub fn redact<'a>(&self, text: &'a str) -> Redacted<'a> {
        let mut counts = Counts::default();
        let text = self.redact_at(text, 0, &mut counts).map_or(Cow::Borrowed(text), Cow::Owned);
        Redacted { text, counts }
    }

    /// The pseudonym of a user's id, which no pattern can tell from a word: with a key the id goes whole.
    fn user_id(&self, id: &str, counts: &mut Counts) -> Option<String> {
        if self.pseudonym_key.is_none() || id.is_empty() || self.is_done(id) || self.is_allowed(id) {
            return None;
        }
        counts.add(USER_ID);
        Some(self.placeholder(USER_ID, id))
    }

    /// The text without what was found, or `None` when nothing was.
    fn redact_at(&self, text: &str, depth: usize, counts: &mut Counts) -> Option<String> {
        if depth < json::NESTING_MAX && json::is_document(text) {
            return json::redact(self, text, depth, counts);
        }
        let mut redacted = self.pass(&find::unescaped(text), counts)?;
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

    fn is_allowed(&self, value: &str) -> bool {
        self.allowed_values.iter().any(|pattern| pattern.is_match(value))
    }
}

fn compile_all(patterns: &[String], form: fn(&str) -> String) -> Result<Vec<Regex>, PatternError> {
    let one =
        |pattern: &String| compile(&form(pattern)).map_err(|reason| PatternError { pattern: pattern.clone(), reason });
    patterns.iter().map(one).collect()
}

fn rules_version(rules: &Rules) -> String {
    let digest = &rules.digest;
    if digest.is_empty() { RULES_VERSION.to_owned() } else { format!("{RULES_VERSION}+gitleaks.{digest}") }
}

//! Redaction: patterns that compile, a key where digests are wanted, and the user's `gitleaks.toml`.

use std::sync::Arc;

use super::gitleaks;
use crate::config::Redaction;
use crate::config::error::Problems;
use crate::config::load::Outside;
use crate::core::redact::{PseudonymKey, Redactor, Settings};

/// Closes the section; the user's rules are read here.
pub(super) fn compile(redaction: &mut Redaction, outside: Outside<'_>, problems: &mut Problems) {
    patterns(&redaction.settings, problems);
    keys(&redaction.settings, problems);
    hash(redaction, problems);
    if let Some(path) = &redaction.gitleaks_file {
        redaction.settings.rules = Arc::new(gitleaks::load(path, outside, problems));
    }
    if !redaction.enabled {
        let field = "redaction.enabled";
        problems.warn(problems.place(field), field, "false", "true, unless content is captured already redacted");
    }
}

fn patterns(settings: &Settings, problems: &mut Problems) {
    let lists = [
        ("ignored_key_patterns", &settings.ignored_key_patterns),
        ("blocked_key_patterns", &settings.blocked_key_patterns),
        ("blocked_values", &settings.blocked_values),
        ("allowed_values", &settings.allowed_values),
    ];
    for (name, list) in lists {
        let field = format!("redaction.{name}");
        for pattern in list {
            let alone = Settings { blocked_values: vec![pattern.clone()], ..Settings::default() };
            if let Err(error) = Redactor::new(&alone) {
                let found = format!("{pattern:?}: {}", error.reason);
                problems.error(problems.place(&field), &field, found, "regular expressions of the regex crate");
            }
        }
    }
}

/// As the processor: without `allow_all_keys: false` the list says nothing, with it and no list nothing is allowed.
fn keys(settings: &Settings, problems: &mut Problems) {
    let field = "redaction.allowed_keys";
    if settings.allow_all_keys && !settings.allowed_keys.is_empty() {
        problems.warn(problems.place(field), field, "keys, though all are allowed", "allow_all_keys: false beside it");
    }
    if !settings.allow_all_keys && settings.allowed_keys.is_empty() {
        let at = problems.place("redaction.allow_all_keys");
        problems.warn(at, field, "no key, and allow_all_keys: false", "keys; with none every value in JSON is masked");
    }
}

/// A key is reason enough for digests, unless they were declined.
fn hash(redaction: &mut Redaction, problems: &mut Problems) {
    let field = "redaction.hash_function";
    let (is_written, key) = (problems.was_written(field), redaction.hmac_key.as_ref());
    let refused = ["redaction.hmac_key", "redaction.hmac_key_file"].iter().any(|field| problems.refused(field));
    match key {
        None if redaction.is_hashed && !refused => {
            let allowed = "redaction.hmac_key or redaction.hmac_key_file beside it";
            problems.error(problems.place(field), field, "hmac-sha256 without a key", allowed);
        }
        Some(key) if key.0.len() < PseudonymKey::BYTES_MIN => {
            let name = "redaction.hmac_key";
            let at = problems.place(name).or(problems.place("redaction.hmac_key_file"));
            let allowed = format!("{} bytes or more, as of openssl rand -hex 32", PseudonymKey::BYTES_MIN);
            problems.error(at, name, format!("a key of {} bytes", key.0.len()), allowed);
        }
        Some(_) if is_written && !redaction.is_hashed => {
            problems.warn(problems.place(field), field, "none, and a key", "hmac-sha256 for the key to count");
        }
        Some(_) => redaction.is_hashed = true,
        None => {}
    }
}

//! A user's `gitleaks.toml` and the processor's keys, from the files to what is taken out.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use expect_test::{Expect, expect};
use freezeframe::config::{Config, ConfigErrors, Outside, Source, Warning, load_from};
use freezeframe::core::redact::{RULES_VERSION, Redactor};
use freezeframe::engine::redactor;

const RULES: &str = r#"
title = "Acme's rules"
minVersion = "v8.25.0"

[extend]
path = "base.toml"
disabledRules = ["base-off", "generic-api-key"]

[[rules]]
id = "acme-api-key"
description = "An Acme key"
regex = '''(?i)\bacme[\w-]{0,10}['" :=]{1,3}(acme_[a-z0-9]{8})(?:[\x60'"\s;]|$)'''
entropy = 2
keywords = ["acme_"]
tags = ["acme", "key"]

[[rules.allowlists]]
condition = "AND"
regexTarget = "line"
regexes = ['''# example''']
stopwords = ["dead"]

[[rules]]
id = "base-ticket"
keywords = ["tkt"]

[[rules]]
ID = "acme-tenant"
regex = '''tenant=(\w+)/(\w+)'''
secretGroup = 2

[rules.allowList]
regexes = ['''^public$''']

[[allowlists]]
paths = ['''_test\.go$''']
stopwords = ["placeholder"]

[[allowlists]]
targetRules = ["base-ticket"]
regexes = ['''-000$''']
"#;

const BASE: &str = r#"
[[rules]]
id = "base-ticket"
regex = '''ticket-\d{3}'''
keywords = ["ticket"]
[[rules]]
id = "base-off"
regex = '''off'''
"#;

const FAULTS: &str = r#"
[extend]
url = "https://example.com/gitleaks.toml"
disabledRules = ["github-pat", "nobodys"]
[[rules]]
description = "nameless"
regex = "a"
[[rules]]
id = "look-ahead"
regex = '''a(?=b)'''
[[rules]]
id = "group"
regex = '''(a)'''
secretGroup = 3
[[rules]]
id = "nothing"
[[rules]]
id = "keys-on-disk"
path = '''\.p12$'''
[[rules]]
id = "quiet"
regex = "q"
skipReport = true
[[rules]]
id = "composite"
regex = "c"
[[rules.required]]
id = "quiet"
[[rules]]
id = "lists"
regex = "l"
[[rules.allowlists]]
regexTarget = "file"
regexes = ["a"]
[[rules.allowlists]]
condition = "XOR"
stopwords = ["a"]
[[rules.allowlists]]
description = "empty"
[[allowlists]]
targetRules = ["nowhere"]
regexes = ["a"]
[[allowlists]]
regexes = ["(open"]
"#;

/// Allowlists for rules of gitleaks' own, as most files that extend its default have them.
const DEFAULT: &str = r#"
[extend]
useDefault = true
[[rules]]
id = "stripe-access-token"
[[rules.allowlists]]
stopwords = ["sandbox"]
[[rules]]
id = "zendesk-secret-key"
entropy = 4
[[allowlists]]
regexes = ['''^AKIA.*EXAMPLE$''']
"#;

fn read(path: &Path) -> io::Result<String> {
    match path.to_str() {
        Some("rules/gitleaks.toml") => Ok(RULES.to_owned()),
        Some("rules/base.toml") => Ok(BASE.to_owned()),
        Some("faults.toml") => Ok(FAULTS.to_owned()),
        Some("default.toml") => Ok(DEFAULT.to_owned()),
        Some("loop.toml") => Ok("[extend]\npath = \"loop.toml\"\n".to_owned()),
        Some("both.toml") => Ok("[extend]\nuseDefault = true\npath = \"x\"\n".to_owned()),
        Some("broken.toml") => Ok("[[rules]\n".to_owned()),
        Some("large.toml") => Ok("#".repeat(2 << 20)),
        Some("/run/key") => Ok("0123456789abcdef\n".to_owned()),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

fn load(section: &str) -> Result<(Config, Vec<Warning>), ConfigErrors> {
    let text = format!("redaction: {{{section}}}\n");
    load_from(&Source::Text(text), Outside { env: &|_| None, read: &read })
}

fn redactor_of(section: &str) -> Redactor {
    redactor(&load(section).unwrap_or_else(|errors| panic!("{errors}")).0).unwrap()
}

fn check(sections: &[&str], expected: &Expect) {
    let mut shown = String::new();
    for section in sections {
        let (errors, warnings) = match load(section) {
            Ok((_, warnings)) => (Vec::new(), warnings),
            Err(errors) => (errors.errors, errors.warnings),
        };
        for (kind, problems) in [("error", errors), ("warning", warnings)] {
            for problem in problems {
                write!(shown, "{}", problem.render("config", kind)).unwrap();
            }
        }
    }
    expected.assert_eq(&shown);
}

/// Proves that a file is read as gitleaks reads it: names in any case, the file it extends, rules changed and switched
/// off, groups, entropy, keywords, and allowlists of one rule, of several and of all.
#[test]
fn a_users_rules_count() {
    let redactor = redactor_of("gitleaks_file: rules/gitleaks.toml");
    for (text, redacted) in [
        ("ACME-key: 'acme_1f9b0c7d'", "ACME-key: '<ACME_API_KEY>'"),
        ("ACME-key: 'acme_1f9b0c7d' # example", "ACME-key: '<ACME_API_KEY>' # example"),
        ("ACME-key: 'acme_dead0c7d' # example", "ACME-key: 'acme_dead0c7d' # example"),
        ("acme: acme_aaaaaaaa", "acme: acme_aaaaaaaa"),
        ("see ticket-123, ticket-000", "see <BASE_TICKET>, ticket-000"),
        ("off", "off"),
        (
            "tenant=eu/blue tenant=eu/public tenant=eu/placeholder7",
            "tenant=eu/<ACME_TENANT> tenant=eu/public tenant=eu/placeholder7",
        ),
        ("api_key = q8Zr2LxW0vTn5KfYb1Hs", "api_key = q8Zr2LxW0vTn5KfYb1Hs"),
        ("password=hunter2;", "password=<PASSWORD>;"),
        (r#"{"body":"{\"k\":\"ACME-key: 'acme_1f9b0c7d'\"}"}"#, r#"{"body":"{\"k\":\"ACME-key: '<ACME_API_KEY>'\"}"}"#),
    ] {
        assert_eq!(redactor.redact(text).text, redacted);
    }
    assert!(redactor.leaks("Use acme: acme_1f9b0c7d", None));
    let version = redactor.rules_version();
    assert!(
        version.starts_with(&format!("{RULES_VERSION}+gitleaks.")) && version.len() == RULES_VERSION.len() + 18,
        "{version}"
    );
    assert_ne!(version, redactor_of("gitleaks_file: default.toml").rules_version());
}

/// Proves that allowlists reach our built-in kinds, which stand for gitleaks' own rules, when a file extends those.
#[test]
fn the_default_is_ours() {
    let redactor = redactor_of("gitleaks_file: default.toml");
    let stripe = |word: &str| format!("sk_live_{word}q8Zr2LxW0vTn5KfY");
    assert_eq!(redactor.redact(&stripe("")).text, "<STRIPE_KEY>");
    assert_eq!(redactor.redact(&stripe("Sandbox")).text, stripe("Sandbox"));
    let key = |end: &str| format!("AKIA{}{end}", "IOSFODNN7");
    assert_eq!(redactor.redact(&key("EXAMPLE")).text, key("EXAMPLE"));
    assert_eq!(redactor.redact(&key("EXAMQLE")).text, "<AWS_ACCESS_KEY>");
}

/// Proves that each mistake is told with its file, rule and reason, and what means nothing here as a warning.
#[test]
fn faults_are_told_with_file_and_rule() {
    check(
        &["gitleaks_file: faults.toml", "gitleaks_file: default.toml"],
        &expect![[r#"
        config:1:28: error: redaction.gitleaks_file
          found:   faults.toml: a rule without an id: "nameless"
          allowed: an id for every rule
        config:1:28: error: redaction.gitleaks_file
          found:   faults.toml: rule look-ahead: look-around, including look-ahead and look-behind, is not supported
          allowed: a rule as gitleaks reads it
        config:1:28: error: redaction.gitleaks_file
          found:   faults.toml: rule group: secretGroup 3 of 1 groups
          allowed: a rule as gitleaks reads it
        config:1:28: error: redaction.gitleaks_file
          found:   faults.toml: rule nothing: no regex and no path
          allowed: a rule as gitleaks reads it
        config:1:28: error: redaction.gitleaks_file
          found:   faults.toml: rule lists: allowlists: regexTarget "file"
          allowed: secret, match or line
        config:1:28: error: redaction.gitleaks_file
          found:   faults.toml: rule lists: allowlists: condition "XOR"
          allowed: AND or OR
        config:1:28: error: redaction.gitleaks_file
          found:   faults.toml: rule lists: allowlists: an empty one
          allowed: commits, paths, regexes or stopwords
        config:1:28: error: redaction.gitleaks_file
          found:   faults.toml: targetRules: nowhere
          allowed: a rule of the file
        config:1:28: error: redaction.gitleaks_file
          found:   faults.toml: allowlist "(open": unclosed group
          allowed: an allowlist as gitleaks reads it
        config:1:28: warning: redaction.gitleaks_file
          found:   faults.toml: extend.url
          allowed: extend.path: nothing is fetched
        config:1:28: warning: redaction.gitleaks_file
          found:   faults.toml: disabledRules: github-pat alone
          allowed: all that the built-in GITHUB_TOKEN stands for: github-app-token, github-fine-grained-pat, github-oauth, github-pat, github-refresh-token
        config:1:28: warning: redaction.gitleaks_file
          found:   faults.toml: disabledRules: nobodys
          allowed: a rule of the extended file or a built-in one
        config:1:28: warning: redaction.gitleaks_file
          found:   faults.toml: rule keys-on-disk: only a path
          allowed: a regex: texts have no path; it is left out
        config:1:28: warning: redaction.gitleaks_file
          found:   faults.toml: rule quiet: skipReport
          allowed: a rule that reports; it is left out
        config:1:28: warning: redaction.gitleaks_file
          found:   faults.toml: rule composite: required
          allowed: a rule by itself; what it requires is not asked for
        config:1:28: warning: redaction.gitleaks_file
          found:   default.toml: rule zendesk-secret-key: no regex
          allowed: one of the built-in rules, or a regex
    "#]],
    );
    check(
        &[
            "gitleaks_file: none.toml",
            "gitleaks_file: broken.toml",
            "gitleaks_file: large.toml",
            "gitleaks_file: both.toml",
            "gitleaks_file: loop.toml",
        ],
        &expect![[r#"
            config:1:28: error: redaction.gitleaks_file
              found:   none.toml: entity not found
              allowed: a readable gitleaks.toml
            config:1:28: error: redaction.gitleaks_file
              found:   broken.toml: line 1: unclosed array table, expected `]`
              allowed: TOML
            config:1:28: error: redaction.gitleaks_file
              found:   large.toml: 2097152 bytes
              allowed: at most 1048576 bytes
            config:1:28: error: redaction.gitleaks_file
              found:   both.toml: extend.path and extend.useDefault
              allowed: one of them
            config:1:28: warning: redaction.gitleaks_file
              found:   loop.toml: extend.path "loop.toml", a third file deep
              allowed: at most two
        "#]],
    );
}

/// Proves what is said of keys of pseudonyms and of the processor's keys that mean nothing here.
#[test]
fn the_processors_keys() {
    let placeholder = redactor_of("hmac_key_file: /run/key").redact("to a@b.de").text.into_owned();
    assert_eq!(placeholder.len(), "to <EMAIL_ADDRESS:0123456789ab>".len());
    let section = "allow_all_keys: true, ignored_keys: [a], hash_function: hmac-sha256, hmac_key: 0123456789abcdef";
    assert_eq!(redactor_of(section).redact("to a@b.de").text, placeholder);
    assert!(!format!("{:?}", load(section)).contains("0123456789abcdef"));
    check(
        &[
            "hash_function: hmac-sha256",
            "hash_function: sha3",
            "hmac_key: short",
            "hash_function: none, hmac_key_file: /run/key",
            "allow_all_keys: false",
            "allowed_keys: [a]",
            "summary: debug",
            "url_sanitizer: {enabled: true}",
            "db_sanitizer: {}",
            "ignored_key_patterns: ['(']",
        ],
        &expect![[r#"
            config:1:28: error: redaction.hash_function
              found:   hmac-sha256 without a key
              allowed: redaction.hmac_key or redaction.hmac_key_file beside it
            config:1:28: error: redaction.hash_function
              found:   "sha3"
              allowed: none or hmac-sha256
            config:1:23: error: redaction.hmac_key
              found:   a key of 5 bytes
              allowed: 16 bytes or more, as of openssl rand -hex 32
            config:1:28: warning: redaction.hash_function
              found:   none, and a key
              allowed: hmac-sha256 for the key to count
            config:1:29: warning: redaction.allowed_keys
              found:   no key, and allow_all_keys: false
              allowed: keys; with none every value in JSON is masked
            config:1:27: warning: redaction.allowed_keys
              found:   keys, though all are allowed
              allowed: allow_all_keys: false beside it
            config:1:13: error: redaction.summary
              found:   an unknown field
              allowed: enabled, allow_all_keys, allowed_keys, ignored_keys, ignored_key_patterns, blocked_key_patterns, blocked_values, allowed_values, redact_all_types, gitleaks_file, hash_function, hmac_key, hmac_key_file
              hint:    leave it out: every frame counts what was taken out, by entity
            config:1:13: error: redaction.url_sanitizer
              found:   an unknown field
              allowed: enabled, allow_all_keys, allowed_keys, ignored_keys, ignored_key_patterns, blocked_key_patterns, blocked_values, allowed_values, redact_all_types, gitleaks_file, hash_function, hmac_key, hmac_key_file
              hint:    leave it out: no label is made of a URL; passwords in URLs are taken out anyway
            config:1:13: error: redaction.db_sanitizer
              found:   an unknown field
              allowed: enabled, allow_all_keys, allowed_keys, ignored_keys, ignored_key_patterns, blocked_key_patterns, blocked_values, allowed_values, redact_all_types, gitleaks_file, hash_function, hmac_key, hmac_key_file
              hint:    leave it out, and mask the literals of statements by redaction.blocked_values
            config:1:35: error: redaction.ignored_key_patterns
              found:   "(": unclosed group
              allowed: regular expressions of the regex crate
        "#]],
    );
}

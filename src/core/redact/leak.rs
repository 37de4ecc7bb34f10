//! Leaks: what an answer must never hold, whoever asked.
//!
//! Less than what is taken out of texts, because a leak pages somebody: only what one issuer's pattern or a checksum
//! proves. An address, a phone number and a password in an example are in good answers every day.

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::personal::{Reach, Shape};
use super::{BLOCKED_KEY, Redactor, plain, secret};

/// What is taken out of texts and is no leak.
const HARMLESS: [&str; 8] = [
    "EMAIL_ADDRESS",
    "PHONE_NUMBER",
    "IP_ADDRESS",
    "URL_PASSWORD",
    "AUTHORIZATION",
    "PASSWORD",
    "GENERIC_SECRET",
    BLOCKED_KEY,
];

/// Finds the keywords of everything that is a leak, in any case.
pub(super) fn keywords() -> AhoCorasick {
    let kinds = secret::KINDS.iter().filter(|kind| !HARMLESS.contains(&kind.entity));
    let built = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::DFA))
        .build(kinds.flat_map(|kind| kind.keywords));
    built.expect("a few short literal keywords always compile")
}

impl Redactor {
    /// Whether `answer` holds a secret of a known issuer, a card, account or social security number, or a value of the
    /// user's own patterns, that was not in the question.
    #[must_use]
    pub fn leaks(&self, answer: &str, question: Option<&str>) -> bool {
        let shape = Shape::of(answer);
        let plain = plain(answer, &shape);
        let mut found = if self.leak_keywords.is_match(&*plain) { self.secrets_in(&plain) } else { Vec::new() };
        for reach in [Reach::Numbers, Reach::Capitals] {
            self.personal_in(&plain, &shape, reach, &mut found);
        }
        self.blocked_values_in(&plain, &mut found);
        found.into_iter().any(|(entity, range)| {
            let found = &answer[range];
            let said = || question.is_some_and(|question| question.contains(found));
            !HARMLESS.contains(&entity) && !self.is_allowed(found) && !said()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves what pages and what does not, and that a user who types a secret has not been leaked one.
    #[test]
    fn only_what_is_proven_and_new_is_a_leak() {
        let redactor = Redactor::new(&[], &["ACME-[0-9]{6}"], &["4111 ?1111 ?1111 ?1111"]).unwrap();
        let table = [
            ("Your card is 4242 4242 4242 4242.", true),
            ("Use AKIAQ3EGRIVXZ4TPLMNB to log in.", true),
            ("DE89 3704 0044 0532 0130 00", true),
            ("The file is ACME-123456.", true),
            ("Write to help@shop.example or call +1 212 555 0100.", false),
            ("Set password = \"hunter2!\" and curl -u admin:s3cretpw1 10.1.2.3", false),
            ("Test with 4111 1111 1111 1111.", false),
            ("Order 1,204.50 of 2025-11-03, SKU-88213.", false),
        ];
        for (answer, leaks) in table {
            assert_eq!(redactor.leaks(answer, None), leaks, "{answer}");
            assert!(!redactor.leaks(answer, Some(answer)), "{answer}");
        }
    }
}

//! Leaks: what an answer must never hold, whoever asked.
//!
//! Less than what is taken out of texts, because a leak pages somebody: only what one issuer's pattern or a checksum
//! proves. A company's address, a phone number and a password in an example are in good answers every day; a mailbox at
//! a provider of private mail is somebody's.

use super::find::plain;
use super::personal::{self, Reach, Shape};
use super::secret::{self, Secret};
use super::{BLOCKED_KEY, Redactor};

/// What is taken out of texts and is no leak: personal data of every good answer, and secrets known by what stands
/// beside them, ours and gitleaks' own.
const HARMLESS: [&str; 16] = [
    "EMAIL_ADDRESS",
    "PHONE_NUMBER",
    "IP_ADDRESS",
    "MAC_ADDRESS",
    "URL_PASSWORD",
    "AUTHORIZATION",
    "PASSWORD",
    "GENERIC_SECRET",
    BLOCKED_KEY,
    "CURL_AUTH_HEADER",
    "CURL_AUTH_USER",
    "GENERIC_API_KEY",
    "HASHICORP_TF_PASSWORD",
    "KUBERNETES_SECRET_YAML",
    "NUGET_CONFIG_PASSWORD",
    "SIDEKIQ_SENSITIVE_URL",
];

/// Providers of private mail: the largest of each region.
const PRIVATE_MAIL: [&str; 24] = [
    "126.com",
    "163.com",
    "aol.com",
    "fastmail.com",
    "gmail.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hotmail.com",
    "icloud.com",
    "libero.it",
    "live.com",
    "mail.ru",
    "me.com",
    "naver.com",
    "orange.fr",
    "outlook.com",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "web.de",
    "yahoo.com",
    "yandex.ru",
    "zoho.com",
];

/// Whether an e-mail address is a private one.
fn is_private_mail(address: &str) -> bool {
    let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain).to_ascii_lowercase();
    PRIVATE_MAIL.binary_search(&&*domain).is_ok()
}

/// What a redacted `answer` gave away: the first placeholder that stands for a proven leak, and for nothing in the
/// question. Only those of the built-in rules are known here; a mailbox looks like any other once it is redacted.
#[must_use]
pub fn leaked(answer: &str, question: Option<&str>) -> Option<&'static str> {
    let kinds = secret::KINDS.iter().map(|kind| kind.entity).chain(personal::KINDS.iter().map(|kind| kind.entity));
    let stands_in = |text: &str, entity: &str| {
        let rest = text.match_indices(entity).map(|(at, _)| (text[..at].ends_with('<'), &text[at + entity.len()..]));
        rest.into_iter().any(|(is_open, rest)| is_open && rest.starts_with(['>', ':']))
    };
    let is_leak = |entity: &&str| !HARMLESS.contains(entity);
    kinds
        .filter(is_leak)
        .find(|entity| stands_in(answer, entity) && !question.is_some_and(|question| stands_in(question, entity)))
}

impl Secret {
    /// Whether it proves a leak in an answer.
    pub(super) fn is_leak(&self) -> bool {
        !HARMLESS.contains(&&*self.entity)
    }
}

impl Redactor {
    /// Whether `answer` holds a secret of a known issuer, a card, account or social security number, somebody's
    /// private e-mail address, or what the user's own patterns and rules find, that was not in the question.
    #[must_use]
    pub fn leaks(&self, answer: &str, question: Option<&str>) -> bool {
        let shape = Shape::of(answer);
        let plain = plain(answer, &shape);
        let mut found =
            if self.has_leak_keyword(&plain) { self.secrets_in(&plain, Secret::is_leak) } else { Vec::new() };
        for reach in [Reach::Numbers, Reach::Capitals, Reach::At] {
            self.personal_in(&plain, &shape, reach, &mut found);
        }
        self.blocked_values_in(&plain, &mut found);
        found.into_iter().any(|finding| {
            let found = &answer[finding.range];
            let said = || question.is_some_and(|question| question.contains(found));
            let is_harmless = HARMLESS.contains(&finding.entity) && !is_private_mail(found);
            !is_harmless && !self.is_allowed(found) && !said()
        })
    }

    fn has_leak_keyword(&self, text: &str) -> bool {
        let without = |secret: &Secret| secret.keywords.is_empty() && secret.is_leak();
        self.leak_keywords.is_match(text) || self.secrets.iter().any(without)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    /// Proves that a leak is still known once it is redacted, with a key and without, and that what the user had typed,
    /// what is harmless and what only looks like a placeholder is none.
    #[test]
    fn leaks_are_known_when_redacted() {
        let card = "Your card is 4242 4242 4242 4242.";
        let redactor = Redactor::new(&Settings::default()).unwrap();
        let keyed = Redactor::new(&Settings::default())
            .unwrap()
            .with_pseudonyms(Some(super::super::PseudonymKey::new(b"0123456789abcdef")));
        for redactor in [redactor, keyed] {
            let answer = redactor.redact(card).text;
            assert_eq!(leaked(&answer, None), Some("CREDIT_CARD"), "{answer}");
            assert_eq!(leaked(&answer, Some(&answer)), None);
            assert_eq!(leaked(&redactor.redact("Write to help@shop.example.").text, None), None);
        }
        for text in ["Put <API_KEY> there.", "CREDIT_CARD> 4", "the CREDIT_CARD field", card, ""] {
            assert_eq!(leaked(text, None), None, "{text}");
        }
    }

    /// Proves what pages and what does not, and that a user who types a secret has not been leaked one.
    #[test]
    fn only_what_is_proven_and_new_is_a_leak() {
        let redactor = Redactor::new(&Settings {
            blocked_values: vec!["ACME-[0-9]{6}".to_owned()],
            allowed_values: vec!["4111 ?1111 ?1111 ?1111".to_owned()],
            ..Settings::default()
        })
        .unwrap();
        let table = [
            ("Your card is 4242 4242 4242 4242.", true),
            ("Use AKIAQ3EGRIVXZ4TPLMNB to log in.", true),
            ("DE89 3704 0044 0532 0130 00", true),
            ("The file is ACME-123456.", true),
            ("It goes to maria.keller@GMAIL.com.", true),
            ("Write to help@shop.example or call +1 212 555 0100.", false),
            ("Set password = \"hunter2!\" and curl -u admin:s3cretpw1 10.1.2.3", false),
            ("Test with 4111 1111 1111 1111.", false),
            ("Order 1,204.50 of 2025-11-03, SKU-88213.", false),
        ];
        assert!(PRIVATE_MAIL.is_sorted());
        for (answer, leaks) in table {
            assert_eq!(redactor.leaks(answer, None), leaks, "{answer}");
            assert!(!redactor.leaks(answer, Some(answer)), "{answer}");
        }
    }
}

//! Keyed pseudonyms: a digest in the placeholder, so that equal values still join and nobody without the key can tell
//! which value it was.
//!
//! `HMAC-SHA-256(key, entity || 0 || value)`, its first 12 hex digits. Unkeyed digests are absent on purpose: there are
//! ten billion phone numbers, and hashing them all takes minutes. 48 bits tell 100,000 values of one entity apart but
//! for one chance in 56,000 that any two collide; a million, for one in 560.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Hex digits of a digest in a placeholder.
pub(super) const DIGITS: usize = 12;

/// The key of pseudonyms. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct PseudonymKey(Arc<[u8]>);

impl PseudonymKey {
    /// Bytes a key has at least: an HMAC key shorter than this can be searched for.
    pub const BYTES_MIN: usize = 16;

    /// The key, of any length from [`Self::BYTES_MIN`] (RFC 2104).
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The digest of a value under an entity, [`DIGITS`] lowercase hex digits.
    pub(super) fn digest(&self, entity: &str, value: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(entity.as_bytes());
        mac.update(&[0]);
        mac.update(normal(entity, value).as_bytes());
        let digest = mac.finalize().into_bytes();
        let start = digest.iter().take(DIGITS / 2).fold(0_u64, |start, byte| start << 8 | u64::from(*byte));
        format!("{start:0DIGITS$x}")
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PseudonymKey")
    }
}

/// The one form of the ways people write a value.
fn normal<'v>(entity: &str, value: &'v str) -> Cow<'v, str> {
    match entity {
        "EMAIL_ADDRESS" | "IP_ADDRESS" => value.to_ascii_lowercase().into(),
        "CREDIT_CARD" | "IBAN_CODE" | "MAC_ADDRESS" | "PHONE_NUMBER" | "US_ITIN" | "US_SSN" => {
            value.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
        }
        _ => value.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves the construction on a value computed with `openssl dgst -sha256 -hmac`, that ways of writing a value
    /// join, and that entities and keys keep values apart.
    #[test]
    fn equal_values_join() {
        let key = PseudonymKey::new(b"0123456789abcdef");
        assert_eq!(key.digest("USER_ID", "u-19482"), "46c38a1d5201");
        let same = [
            ("EMAIL_ADDRESS", "Jane.Doe@Acme.io", "jane.doe@acme.io"),
            ("CREDIT_CARD", "4111 1111-1111 1111", "4111111111111111"),
            ("PHONE_NUMBER", "+1 (415) 555-2671", "+14155552671"),
            ("IBAN_CODE", "DE89 3704 0044 0532 0130 00", "DE89370400440532013000"),
        ];
        for (entity, a, b) in same {
            assert_eq!(key.digest(entity, a), key.digest(entity, b));
            assert_ne!(key.digest(entity, a), key.digest("OTHER", a));
            assert_ne!(key.digest(entity, a), PseudonymKey::new(b"another key of 24 bytes!").digest(entity, a));
        }
        assert_ne!(key.digest("PASSWORD", "a"), key.digest("PASSWORD", "A"));
        assert_eq!(format!("{key:?}"), "PseudonymKey");
    }
}

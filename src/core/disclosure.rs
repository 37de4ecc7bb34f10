//! Salted commitments to the parts of a frame, in the disclosure format of SD-JWT (RFC 9901 section 4.2).
//!
//! A disclosure is `base64url(["<salt>","<name>",<value>])`, a commitment `base64url(SHA-256(disclosure))`, both
//! without padding. The leaf holds commitments only: once a disclosure is destroyed nobody can tell, not even by
//! guessing, what it said, and the proof of the leaf still holds. Stricter than the RFC: the array is canonical JSON
//! (RFC 8785), so that a disclosure has one spelling.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::canonical::{self, CanonicalError};

/// Random bytes of a salt. Without them a short text could be guessed from its hash.
pub const SALT_BYTES: usize = 16;

/// Why bytes are not a disclosure.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DisclosureError {
    /// Not base64url of an array of salt, name and value.
    #[error("malformed disclosure")]
    Malformed,
    /// The array is not canonical JSON.
    #[error("disclosure: {0}")]
    Json(#[from] CanonicalError),
}

/// A part of a frame with the salt of its commitment.
#[derive(Clone, Debug, PartialEq)]
pub struct Disclosure {
    /// Name of the part.
    pub name: String,
    /// Its content.
    pub value: Value,
    salt: [u8; SALT_BYTES],
}

impl Disclosure {
    /// A disclosure of `value` under fresh random bytes.
    #[must_use]
    pub fn new(salt: [u8; SALT_BYTES], name: &str, value: Value) -> Self {
        Self { name: name.to_owned(), value, salt }
    }

    /// The text form, which is what the commitment is of.
    ///
    /// # Errors
    /// When the value has no canonical form.
    pub fn encode(&self) -> Result<String, CanonicalError> {
        let array = json!([URL_SAFE_NO_PAD.encode(self.salt), self.name, self.value]);
        Ok(URL_SAFE_NO_PAD.encode(canonical::encode(&array)?))
    }

    /// Reads the text form and nothing else.
    ///
    /// # Errors
    /// See [`DisclosureError`].
    pub fn parse(text: &str) -> Result<Self, DisclosureError> {
        let bytes = from_base64url(text).ok_or(DisclosureError::Malformed)?;
        let Value::Array(array) = canonical::parse(&bytes)? else { return Err(DisclosureError::Malformed) };
        let array = <[Value; 3]>::try_from(array).map_err(|_| DisclosureError::Malformed)?;
        let [Value::String(salt), Value::String(name), value] = array else { return Err(DisclosureError::Malformed) };
        let salt = from_base64url(&salt).and_then(|salt| salt.try_into().ok()).ok_or(DisclosureError::Malformed)?;
        Ok(Self { name, value, salt })
    }
}

/// The commitment to a disclosure in its text form: 43 characters of base64url.
#[must_use]
pub fn commitment(disclosure: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(disclosure))
}

/// Whether a text has the form of a commitment.
#[must_use]
pub fn is_commitment(text: &str) -> bool {
    from_base64url(text).is_some_and(|bytes| bytes.len() == 32)
}

/// The one way back: `None` for anything the encoder would not have written, spare bits included.
fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| URL_SAFE_NO_PAD.encode(bytes) == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves the digest on the RFC's own example of a disclosure (section 4.2.3, "Hashing Disclosures").
    #[test]
    fn the_commitment_is_that_of_the_rfc() {
        let disclosure = "WyI2cU1RdlJMNWhhaiIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0";
        assert_eq!(commitment(disclosure.as_bytes()), "uutlBuYeMDyjLLTpf6Jxi7yNkEF35jdyWMn9U7b_RYY");
    }

    /// Proves that a disclosure reads back, and that a different salt gives a different commitment.
    #[test]
    fn disclosures_round_trip() {
        let one = Disclosure::new([1; SALT_BYTES], "judge", json!({"b": [1, "é"], "a": null}));
        let text = one.encode().unwrap();
        assert_eq!(Disclosure::parse(&text), Ok(one.clone()));
        let other = Disclosure { salt: [2; SALT_BYTES], ..one };
        assert_ne!(commitment(other.encode().unwrap().as_bytes()), commitment(text.as_bytes()));
    }

    /// Proves that there is one spelling: no padding, no spaces, no short salt, no other arrays.
    #[test]
    fn other_spellings_are_refused() {
        let spelled = |json: &str| URL_SAFE_NO_PAD.encode(json);
        let salt = URL_SAFE_NO_PAD.encode([1; SALT_BYTES]);
        let good = spelled(&format!(r#"["{salt}","judge",1]"#));
        assert!(Disclosure::parse(&good).is_ok());
        let refused = [
            format!("{good}="),
            format!("{good}\n"),
            spelled(&format!(r#"["{salt}", "judge",1]"#)),
            spelled(&format!(r#"["{salt}","judge",1,2]"#)),
            spelled(&format!(r#"["{salt}","judge",{{"a":1,"a":1}}]"#)),
            spelled(r#"["AAAA","judge",1]"#),
            spelled("{}"),
            String::new(),
        ];
        for text in refused {
            assert!(Disclosure::parse(&text).is_err(), "{text}");
        }
    }
}

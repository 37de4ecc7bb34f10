//! Canonical JSON (RFC 8785) and its digest: the bytes that are committed, hashed and compared.

use std::cmp::Ordering;
use std::fmt::Write as _;

use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

use super::variable::hex;

/// The canonical bytes of an object.
///
/// # Errors
/// A number that canonical JSON cannot hold: NaN or infinite.
pub fn bytes(object: &Map<String, Json>) -> Result<Vec<u8>, serde_json::Error> {
    serde_json_canonicalizer::to_vec(object)
}

/// The order of two keys: by UTF-16 code units (section 3.2.3).
pub(crate) fn order(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

/// Writes a string (section 3.2.2.2).
pub(crate) fn write_text(text: &str, out: &mut String) {
    out.push('"');
    let mut copied = 0;
    let special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    for (at, byte) in text.bytes().enumerate().filter(|(_, byte)| special(byte)) {
        out.push_str(&text[copied..at]);
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            _ => write!(out, "\\u{byte:04x}").expect("writing to a String cannot fail"),
        }
        copied = at + 1;
    }
    out.push_str(&text[copied..]);
    out.push('"');
}

/// Writes a number (section 3.2.2.3) or a literal from its JSON text; `None` when it is neither.
pub(crate) fn write_word(json: &str, out: &mut String) -> Option<()> {
    let value: Json = serde_json::from_str(json).ok()?;
    match value.as_i64() {
        Some(int) if int.unsigned_abs() < 1 << 53 => write!(out, "{int}").ok(),
        _ => serde_json_canonicalizer::to_string(&value).ok().map(|text| out.push_str(&text)),
    }
}

/// SHA-256 of `bytes`, lowercase hex.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Proves that what is written here is what the canonicaliser of whole documents writes.
        #[test]
        fn parts_are_written_as_in_whole_documents(text in any::<String>(), double in any::<f64>(), int in any::<i64>()) {
            let whole = |value: Json| serde_json_canonicalizer::to_string(&value).ok();
            let mut out = String::new();
            write_text(&text, &mut out);
            prop_assert_eq!(Some(out), whole(text.into()));
            for number in [Json::from(double), Json::from(int), Json::from(int >> 20)] {
                let mut out = String::new();
                let written = write_word(&number.to_string(), &mut out);
                prop_assert_eq!(written.map(|()| out), whole(number));
            }
        }

        /// Proves that keys are ordered by UTF-16 code units, however that is found out.
        #[test]
        fn keys_are_in_canonical_order(a in "[a-c\u{e9}\u{ffff}\u{1f600}]{0,3}", b in "[a-c\u{ffff}]{0,3}") {
            let units = |text: &str| text.encode_utf16().collect::<Vec<_>>();
            prop_assert_eq!(order(&a, &b), units(&a).cmp(&units(&b)));
        }
    }
}

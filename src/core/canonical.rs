//! Canonical JSON (RFC 8785) and its digest: the bytes that are committed, hashed and compared.
//!
//! There is one spelling of everything: a document is accepted only when writing it again gives the same bytes, which
//! refuses duplicate keys, other number spellings and trailing bytes in one comparison. Doubles are spelled by
//! `serde_json_canonicalizer`; the rest is written here, since verifying a log spells everything that is in it.

use std::cmp::Ordering;
use std::fmt::Write as _;

use serde_json::{Map, Number, Value as Json};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::variable::hex;

/// Why a document has no canonical form, or is not in it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CanonicalError {
    /// Not JSON.
    #[error("not JSON: {0}")]
    Json(String),
    /// JSON, but not the one spelling of RFC 8785.
    #[error("not canonical JSON (RFC 8785)")]
    NotCanonical,
    /// An integer that a double can't hold: another reader would see another number.
    #[error("the integer {0} has no exact canonical form; write it as a string")]
    Integer(String),
}

/// The canonical bytes of a value.
///
/// # Errors
/// [`CanonicalError::Integer`] for integers RFC 8785 would round; [`CanonicalError::Json`] for a value that can't be
/// read back (nested too deep).
pub fn encode(value: &Json) -> Result<Vec<u8>, CanonicalError> {
    let bytes = spell(value)?;
    // Whatever is committed must be readable by every verifier, so the reader has the last word.
    parse(&bytes)?;
    Ok(bytes)
}

/// Reads canonical bytes and nothing else.
///
/// # Errors
/// See [`CanonicalError`].
pub fn parse(bytes: &[u8]) -> Result<Json, CanonicalError> {
    let value: Json = serde_json::from_slice(bytes).map_err(|error| CanonicalError::Json(error.to_string()))?;
    if spell(&value)? == bytes { Ok(value) } else { Err(CanonicalError::NotCanonical) }
}

/// [`encode()`] without reading back, for values that were read from canonical bytes or are never nested deep.
pub(crate) fn spell(value: &Json) -> Result<Vec<u8>, CanonicalError> {
    let mut out = String::new();
    write_value(value, &mut out)?;
    Ok(out.into_bytes())
}

fn write_value(value: &Json, out: &mut String) -> Result<(), CanonicalError> {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(true) => out.push_str("true"),
        Json::Bool(false) => out.push_str("false"),
        Json::Number(number) => write_number(number, out)?,
        Json::String(text) => write_text(text, out),
        Json::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                write_value(item, out)?;
            }
            out.push(']');
        }
        Json::Object(fields) => write_object(fields, out)?,
    }
    Ok(())
}

fn write_object(fields: &Map<String, Json>, out: &mut String) -> Result<(), CanonicalError> {
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_by(|(a, _), (b, _)| order(a, b));
    out.push('{');
    for (at, (key, value)) in fields.into_iter().enumerate() {
        out.push_str(if at == 0 { "" } else { "," });
        write_text(key, out);
        out.push(':');
        write_value(value, out)?;
    }
    out.push('}');
    Ok(())
}

/// Section 3.2.2.3. Integers are exact or refused; a double of 2^53 and more is spelled as an integer too, and must be
/// read back: it is its own spelling.
fn write_number(number: &Number, out: &mut String) -> Result<(), CanonicalError> {
    if number.as_i64().is_some_and(|int| int.unsigned_abs() < 1 << 53) {
        return write!(out, "{number}").map_err(|error| CanonicalError::Json(error.to_string()));
    }
    let spelled = serde_json_canonicalizer::to_string(&number.as_f64());
    let spelled = spelled.map_err(|error| CanonicalError::Json(error.to_string()))?;
    if !number.is_f64() && spelled != number.to_string() {
        return Err(CanonicalError::Integer(number.to_string()));
    }
    out.push_str(&spelled);
    Ok(())
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
    // Most texts have nothing special, and without an early end the compiler looks at many bytes at once.
    if !text.as_bytes().chunks(64).any(|chunk| chunk.iter().fold(false, |found, byte| found | special(byte))) {
        out.push_str(text);
        out.push('"');
        return;
    }
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

    /// Any JSON, keys beyond ASCII included.
    fn json() -> impl Strategy<Value = Json> {
        let number = prop_oneof![any::<f64>().prop_map(Json::from), any::<i64>().prop_map(|it| Json::from(it >> 11))];
        let leaf = prop_oneof![Just(Json::Null), any::<bool>().prop_map(Json::from), number, ".*".prop_map(Json::from)];
        leaf.prop_recursive(4, 32, 5, |inner| {
            let key = "[a-c\u{e9}\u{ffff}\u{1f600}\"]{0,3}";
            let fields = prop::collection::vec((key, inner.clone()), 0..5);
            prop_oneof![
                prop::collection::vec(inner, 0..5).prop_map(Json::from),
                fields.prop_map(|fields| Json::from(fields.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    /// Proves which integers are refused: exactly those a double can't hold.
    #[test]
    fn integers_without_a_canonical_form_are_refused() {
        for exact in ["9007199254740992", "-9007199254740992", "10000000000000000", "0", "1e300", "0.1", "-0.0"] {
            encode(&serde_json::from_str(exact).unwrap()).unwrap();
        }
        for inexact in ["9007199254740993", "18446744073709551615", "-9007199254740993", r#"[{"a":9007199254740993}]"#]
        {
            let value: Json = serde_json::from_str(inexact).unwrap();
            assert!(matches!(encode(&value), Err(CanonicalError::Integer(_))), "{inexact}");
        }
        let deep = (0..200).fold(Json::Null, |value, _| Json::from(vec![value]));
        assert!(matches!(encode(&deep), Err(CanonicalError::Json(_))));
    }

    proptest! {
        /// Proves the bytes against another implementation, and that they are always read back as the same bytes.
        #[test]
        fn canonical_bytes_equal_the_oracle(value in json()) {
            let bytes = encode(&value).unwrap();
            prop_assert_eq!(&bytes, &serde_json_canonicalizer::to_vec(&value).unwrap());
            prop_assert_eq!(encode(&parse(&bytes).unwrap()).unwrap(), bytes);
        }

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

//! Canonical JSON (RFC 8785) and the leaves of the log, small canonical JSON objects called manifests.
//!
//! A leaf commits to a freeze frame by its SHA-256; the frame's bytes lie beside it. There is one spelling of
//! everything: a document is accepted only when writing it again gives the same bytes, which refuses duplicate keys,
//! unknown fields, unknown leaf types, other number spellings and trailing bytes in one comparison.

use serde_json::{Map, Value, json};
use thiserror::Error;

use super::merkle::Hash;
use super::note::{base64, hash_from_base64};

/// Largest manifest, bytes. (C2SP tlog-tiles allows 65535 for a leaf.)
pub const MANIFEST_BYTES_MAX: usize = 16 * 1024;
/// Version of the manifests written.
const VERSION: u64 = 1;

/// Why a document is not canonical, or not a leaf.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ManifestError {
    /// Not JSON.
    #[error("not JSON: {0}")]
    Json(String),
    /// JSON, but not the one spelling of RFC 8785.
    #[error("not canonical JSON (RFC 8785)")]
    NotCanonical,
    /// An integer that a double can't hold: another reader would see another number.
    #[error("the integer {0} has no exact canonical form; write it as a string")]
    Integer(String),
    /// Not a leaf of a known type, or fields missing or beyond what the type has.
    #[error("not a manifest: {0}")]
    Unknown(&'static str),
    /// Beyond [`MANIFEST_BYTES_MAX`].
    #[error("the manifest has {0} bytes, {MANIFEST_BYTES_MAX} are allowed")]
    TooLarge(usize),
}

/// The canonical bytes of a value.
///
/// # Errors
/// [`ManifestError::Integer`] for integers RFC 8785 would round; [`ManifestError::Json`] for a value that can't be
/// read back (nested too deep).
pub fn canonical(value: &Value) -> Result<Vec<u8>, ManifestError> {
    let bytes = spell(value)?;
    // Whatever is committed must be readable by every verifier, so the reader has the last word.
    parse_canonical(&bytes)?;
    Ok(bytes)
}

/// Reads canonical bytes and nothing else.
///
/// # Errors
/// See [`ManifestError`].
pub fn parse_canonical(bytes: &[u8]) -> Result<Value, ManifestError> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| ManifestError::Json(error.to_string()))?;
    if spell(&value)? == bytes { Ok(value) } else { Err(ManifestError::NotCanonical) }
}

fn spell(value: &Value) -> Result<Vec<u8>, ManifestError> {
    if let Some(number) = inexact_integer(value) {
        return Err(ManifestError::Integer(number));
    }
    serde_json_canonicalizer::to_vec(value).map_err(|error| ManifestError::Json(error.to_string()))
}

fn inexact_integer(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => {
            // A double of 2^53 and more is spelled as an integer too, and must be read back: it is its own spelling.
            let spelled = || serde_json_canonicalizer::to_string(&number.as_f64()).ok();
            let exact = number.is_f64() || spelled().is_some_and(|spelled| spelled == number.to_string());
            (!exact).then(|| number.to_string())
        }
        Value::Array(values) => values.iter().find_map(inexact_integer),
        Value::Object(fields) => fields.values().find_map(inexact_integer),
        Value::Null | Value::Bool(_) | Value::String(_) => None,
    }
}

/// A leaf of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The log.
    pub origin: String,
    /// Index of the leaf.
    pub seq: u64,
    /// What the leaf says.
    pub leaf: Leaf,
}

/// What a leaf says. Later types (heartbeat, key rotation, erasure, incident) join here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// Leaf 0: the log began, on this volume, with this key.
    Genesis {
        /// Volume id, a UUID made at first start.
        volume: String,
        /// The log's verifier key.
        vkey: String,
        /// When, RFC 3339; the log's own clock.
        created_at: String,
    },
    /// A freeze frame.
    Frame(FrameLeaf),
}

/// A freeze frame, by its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameLeaf {
    /// Frame id.
    pub frame_id: String,
    /// Feature of the alert.
    pub feature: String,
    /// Fingerprint of the alert.
    pub fingerprint: String,
    /// Capture time, RFC 3339; the sidecar's own clock.
    pub captured_at: String,
    /// SHA-256 of the frame's bytes, lowercase hex.
    pub frame_sha256: String,
    /// Length of the frame, bytes.
    pub frame_bytes: u64,
    /// Root of the log before this leaf (its size is `seq`).
    pub previous_root: Hash,
}

impl Manifest {
    /// The leaf's bytes.
    ///
    /// # Errors
    /// [`ManifestError::TooLarge`]; [`ManifestError::Integer`] is out of reach for real sizes.
    pub fn encode(&self) -> Result<Vec<u8>, ManifestError> {
        let mut fields = match &self.leaf {
            Leaf::Genesis { volume, vkey, created_at } => {
                json!({"type": "genesis", "volume": volume, "vkey": vkey, "created_at": created_at})
            }
            Leaf::Frame(frame) => json!({
                "type": "frame",
                "frame_id": frame.frame_id,
                "feature": frame.feature,
                "fingerprint": frame.fingerprint,
                "captured_at": frame.captured_at,
                "frame_sha256": frame.frame_sha256,
                "frame_bytes": frame.frame_bytes,
                "previous": {"size": self.seq, "root": base64(&frame.previous_root)},
            }),
        };
        fields["version"] = VERSION.into();
        fields["origin"] = self.origin.as_str().into();
        fields["seq"] = self.seq.into();
        let bytes = canonical(&fields)?;
        if bytes.len() > MANIFEST_BYTES_MAX { Err(ManifestError::TooLarge(bytes.len())) } else { Ok(bytes) }
    }

    /// Reads a leaf's bytes; the only bytes accepted are those [`Self::encode`] writes.
    ///
    /// # Errors
    /// See [`ManifestError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(ManifestError::TooLarge(bytes.len()));
        }
        let Value::Object(fields) = parse_canonical(bytes)? else {
            return Err(ManifestError::Unknown("not an object"));
        };
        let parsed = Self::from_fields(&fields)?;
        if parsed.encode()? == bytes { Ok(parsed) } else { Err(ManifestError::Unknown("fields beyond its type")) }
    }

    fn from_fields(fields: &Map<String, Value>) -> Result<Self, ManifestError> {
        let leaf = match string(fields, "type")?.as_str() {
            "genesis" => Leaf::Genesis {
                volume: string(fields, "volume")?,
                vkey: string(fields, "vkey")?,
                created_at: string(fields, "created_at")?,
            },
            "frame" => {
                let root = fields.get("previous").and_then(|previous| hash_from_base64(previous["root"].as_str()?));
                Leaf::Frame(FrameLeaf {
                    frame_id: string(fields, "frame_id")?,
                    feature: string(fields, "feature")?,
                    fingerprint: string(fields, "fingerprint")?,
                    captured_at: string(fields, "captured_at")?,
                    frame_sha256: string(fields, "frame_sha256")?,
                    frame_bytes: number(fields, "frame_bytes")?,
                    previous_root: root.ok_or(ManifestError::Unknown("previous root"))?,
                })
            }
            _ => return Err(ManifestError::Unknown("leaf type")),
        };
        Ok(Self { origin: string(fields, "origin")?, seq: number(fields, "seq")?, leaf })
    }
}

fn string(fields: &Map<String, Value>, name: &'static str) -> Result<String, ManifestError> {
    fields.get(name).and_then(Value::as_str).map(str::to_owned).ok_or(ManifestError::Unknown(name))
}

fn number(fields: &Map<String, Value>, name: &'static str) -> Result<u64, ManifestError> {
    fields.get(name).and_then(Value::as_u64).ok_or(ManifestError::Unknown(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use proptest::prelude::*;

    fn frame() -> Manifest {
        let leaf = Leaf::Frame(FrameLeaf {
            frame_id: "018f".into(),
            feature: "checkout \"x\"".into(),
            fingerprint: "ab".into(),
            captured_at: "2026-11-22T02:19:00.000Z".into(),
            frame_sha256: "00".repeat(32),
            frame_bytes: 12,
            previous_root: [1; 32],
        });
        Manifest { origin: "example.com/log".into(), seq: 3, leaf }
    }

    /// Proves the byte format of leaves, which can never change for this version.
    #[test]
    fn leaves_have_these_bytes() {
        let text = String::from_utf8(frame().encode().unwrap()).unwrap();
        expect![[r#"{"captured_at":"2026-11-22T02:19:00.000Z","feature":"checkout \"x\"","fingerprint":"ab","frame_bytes":12,"frame_id":"018f","frame_sha256":"0000000000000000000000000000000000000000000000000000000000000000","origin":"example.com/log","previous":{"root":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=","size":3},"seq":3,"type":"frame","version":1}"#]]
        .assert_eq(&text);
        let leaf = Leaf::Genesis { volume: "v".into(), vkey: "k".into(), created_at: "t".into() };
        let genesis = Manifest { origin: "o".into(), seq: 0, leaf };
        let bytes = genesis.encode().unwrap();
        expect![[r#"{"created_at":"t","origin":"o","seq":0,"type":"genesis","version":1,"vkey":"k","volume":"v"}"#]]
            .assert_eq(std::str::from_utf8(&bytes).unwrap());
        assert_eq!(Manifest::parse(&bytes), Ok(genesis));
        assert_eq!(Manifest::parse(text.as_bytes()), Ok(frame()));
    }

    /// Proves that a leaf has one spelling: other spellings of the same content and other content are refused.
    #[test]
    fn other_spellings_are_rejected() {
        let text = String::from_utf8(frame().encode().unwrap()).unwrap();
        let refused = [
            text.replace(r#""seq":3"#, r#""seq":3,"seq":3"#),
            text.replace(r#""seq":3"#, r#""seq":3.0"#),
            text.replace(r#""seq":3"#, r#""seq": 3"#),
            text.replace(r#""size":3"#, r#""size":4"#),
            text.replace(r#""size":3"#, r#""more":1,"size":3"#),
            text.replace(r#""version":1"#, r#""version":2"#),
            text.replace(r#""type":"frame""#, r#""type":"heartbeat""#),
            text.replace(r#""type":"frame""#, r#""type":"frame","u":1"#),
            text.replace("QE=", "QF="),
            text.replace("018f", "\\u0030\\u0031\\u0038f"),
            format!("{text}\n"),
            format!(" {text}"),
            text.replace(r#""feature":"checkout \"x\"","#, ""),
            "[]".into(),
        ];
        for text in refused {
            assert!(Manifest::parse(text.as_bytes()).is_err(), "{text}");
        }
        let mut large = frame();
        large.origin = "o".repeat(MANIFEST_BYTES_MAX);
        assert!(matches!(large.encode(), Err(ManifestError::TooLarge(_))));
    }

    /// Proves which integers are refused: exactly those a double can't hold.
    #[test]
    fn integers_without_a_canonical_form_are_refused() {
        for exact in ["9007199254740992", "-9007199254740992", "10000000000000000", "0", "1e300", "0.1"] {
            canonical(&serde_json::from_str(exact).unwrap()).unwrap();
        }
        for inexact in ["9007199254740993", "18446744073709551615", "-9007199254740993", r#"[{"a":9007199254740993}]"#]
        {
            let value: Value = serde_json::from_str(inexact).unwrap();
            assert!(matches!(canonical(&value), Err(ManifestError::Integer(_))), "{inexact}");
        }
        let deep = (0..200).fold(Value::Null, |value, _| json!([value]));
        assert!(matches!(canonical(&deep), Err(ManifestError::Json(_))));
    }

    proptest! {
        /// Proves that what is written is always read back as the same bytes, whatever doubles are in it.
        #[test]
        fn canonical_bytes_are_a_fixed_point(number: f64, text: String, key: String) {
            let value = json!({"n": number, key: [text, null, true]});
            let bytes = canonical(&value).unwrap();
            prop_assert_eq!(canonical(&parse_canonical(&bytes).unwrap()).unwrap(), bytes);
        }
    }
}

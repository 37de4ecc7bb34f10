//! Canonical JSON (RFC 8785) and its digest: the bytes that are committed, hashed and compared.

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

/// SHA-256 of `bytes`, lowercase hex.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

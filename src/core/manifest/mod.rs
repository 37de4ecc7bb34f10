//! The leaves of the log, small canonical JSON objects called manifests.
//!
//! A leaf commits to a freeze frame by salted commitments to its parts ([`super::disclosure`]); the disclosures lie beside
//! it. There is one spelling of everything ([`super::canonical`]): a leaf is accepted only when writing it again gives the
//! same bytes, which also refuses unknown fields and unknown leaf types.

mod leaf;

use serde_json::{Map, Value, json};
use thiserror::Error;

use super::canonical::{self, CanonicalError, spell};
use super::merkle::Hash;
use super::note::{base64, hash_from_base64};

pub use leaf::{Erasure, FrameLeaf, IncidentKind, Leaf, PARTS_MAX, Part};

/// Largest manifest, bytes. (C2SP tlog-tiles allows 65535 for a leaf.)
pub const MANIFEST_BYTES_MAX: usize = 16 * 1024;
/// Version of the manifests written.
const VERSION: u64 = 2;

/// Why a document is not canonical, or not a leaf.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ManifestError {
    /// Not canonical JSON.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// Not a leaf of a known type, or fields missing or beyond what the type has.
    #[error("not a manifest: {0}")]
    Unknown(&'static str),
    /// Beyond [`MANIFEST_BYTES_MAX`].
    #[error("the manifest has {0} bytes, {MANIFEST_BYTES_MAX} are allowed")]
    TooLarge(usize),
}

/// A leaf of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The log.
    pub origin: String,
    /// Index of the leaf.
    pub seq: u64,
    /// Root of the log before this leaf (its size is `seq`); `None` for leaf 0 alone.
    pub previous_root: Option<Hash>,
    /// What the leaf says.
    pub leaf: Leaf,
}

impl Manifest {
    /// The leaf's bytes.
    ///
    /// # Errors
    /// [`ManifestError::TooLarge`]; [`CanonicalError::Integer`] is out of reach for real sizes.
    pub fn encode(&self) -> Result<Vec<u8>, ManifestError> {
        let mut fields = self.leaf.to_json();
        fields["type"] = self.leaf.name().into();
        fields["version"] = VERSION.into();
        fields["origin"] = self.origin.as_str().into();
        fields["seq"] = self.seq.into();
        if let Some(root) = &self.previous_root {
            fields["previous"] = json!({"size": self.seq, "root": base64(root)});
        }
        let bytes = spell(&fields)?;
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
        let Value::Object(fields) = canonical::parse(bytes)? else {
            return Err(ManifestError::Unknown("not an object"));
        };
        let fields = Fields(&fields);
        if fields.number("version")? != VERSION {
            return Err(ManifestError::Unknown("version"));
        }
        let previous_root = match fields.0.get("previous") {
            None => None,
            Some(previous) => Some(Fields::of(previous)?.root("root")?),
        };
        let (origin, seq) = (fields.text("origin")?, fields.number("seq")?);
        let parsed = Self { origin, seq, previous_root, leaf: Leaf::parse(&fields)? };
        if parsed.encode()? == bytes { Ok(parsed) } else { Err(ManifestError::Unknown("fields beyond its type")) }
    }
}

/// The fields of an object, read strictly.
#[derive(Clone, Copy, Debug)]
struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    fn of(value: &'a Value) -> Result<Self, ManifestError> {
        value.as_object().map(Fields).ok_or(ManifestError::Unknown("not an object"))
    }

    fn text(self, name: &'static str) -> Result<String, ManifestError> {
        self.0.get(name).and_then(Value::as_str).map(str::to_owned).ok_or(ManifestError::Unknown(name))
    }

    fn number(self, name: &'static str) -> Result<u64, ManifestError> {
        self.0.get(name).and_then(Value::as_u64).ok_or(ManifestError::Unknown(name))
    }

    fn root(self, name: &'static str) -> Result<Hash, ManifestError> {
        self.0.get(name).and_then(|root| hash_from_base64(root.as_str()?)).ok_or(ManifestError::Unknown(name))
    }

    fn texts(self, name: &'static str) -> Result<Vec<String>, ManifestError> {
        let unknown = || ManifestError::Unknown(name);
        let items = self.0.get(name).and_then(Value::as_array).ok_or_else(unknown)?;
        items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(unknown)).collect()
    }
}

#[cfg(test)]
mod tests;

//! What judges said of their golden sets first, and when they were scored last: `golden.json` in the data directory, by judge.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value as Json, json};

use super::Kept;
use crate::core::golden::{Run, RunError};
use crate::core::time::UnixNanos;

/// Every judge's reference run with a reason each is smaller.
const BYTES_MAX: u64 = 256 << 20;

/// What is known of one judge's golden set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Known {
    /// The run that others are compared with.
    pub(crate) reference: Run,
    /// When it was scored last as a whole.
    pub(crate) scored_at: UnixNanos,
}

/// The file.
#[derive(Clone, Debug)]
pub(crate) struct GoldenFile(Kept);

impl GoldenFile {
    /// The file of a data directory.
    pub(crate) fn in_dir(data_dir: &Path) -> Self {
        Self(Kept::in_dir(data_dir, "golden.json", BYTES_MAX))
    }

    /// What is kept, by judge.
    pub(crate) fn restore(&self) -> BTreeMap<String, Known> {
        self.0.restore(parse).unwrap_or_default()
    }

    /// Writes all of it.
    pub(crate) async fn save(&self, known: &BTreeMap<String, Known>) {
        let one = |it: &Known| json!({ "reference": it.reference.to_json(), "scored_at": it.scored_at.to_string() });
        let known: Map<String, Json> = known.iter().map(|(name, it)| (name.clone(), one(it))).collect();
        self.0.save(move || Json::Object(known).to_string().into_bytes()).await;
    }
}

fn parse(bytes: &[u8]) -> Result<BTreeMap<String, Known>, RunError> {
    let known: Map<String, Json> = serde_json::from_slice(bytes).map_err(|error| RunError::Json(error.to_string()))?;
    let one = |it: &Json| {
        let reference = Run::parse(&it["reference"].to_string())?;
        let scored_at = it["scored_at"].as_str().and_then(UnixNanos::parse);
        let scored_at = scored_at.ok_or_else(|| RunError::Json("scored_at is not a time".to_owned()))?;
        Ok(Known { reference, scored_at })
    };
    known.iter().map(|(name, it)| Ok((name.clone(), one(it)?))).collect()
}

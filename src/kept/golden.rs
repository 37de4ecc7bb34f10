//! What judges said of their golden sets first: `golden.json` in the data directory, by judge.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value as Json};

use super::Kept;
use crate::core::golden::{Run, RunError};

/// Every judge's reference run with a reason each is smaller.
const BYTES_MAX: u64 = 256 << 20;

/// The file.
#[derive(Clone, Debug)]
pub(crate) struct GoldenFile(Kept);

impl GoldenFile {
    /// The file of a data directory.
    pub(crate) fn in_dir(data_dir: &Path) -> Self {
        Self(Kept::in_dir(data_dir, "golden.json", BYTES_MAX))
    }

    /// What is kept, by judge.
    pub(crate) fn restore(&self) -> BTreeMap<String, Run> {
        self.0.restore(parse).unwrap_or_default()
    }

    /// Writes all of it.
    pub(crate) async fn save(&self, runs: &BTreeMap<String, Run>) {
        let runs: Map<String, Json> = runs.iter().map(|(name, run)| (name.clone(), run.to_json())).collect();
        self.0.save(move || Json::Object(runs).to_string().into_bytes()).await;
    }
}

fn parse(bytes: &[u8]) -> Result<BTreeMap<String, Run>, RunError> {
    let runs: Map<String, Json> = serde_json::from_slice(bytes).map_err(|error| RunError::Json(error.to_string()))?;
    runs.into_iter().map(|(name, run)| Ok((name, Run::parse(&run.to_string())?))).collect()
}

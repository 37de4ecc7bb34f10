//! What the sidecar knows beside the log, kept in small files of the data directory over a restart: what is normal, and
//! what alerts and breakers stand at.
//!
//! A file is written under another name and then renamed, so that a killed process leaves the old one. Nothing is synced:
//! what a power cut tears is refused at the next start with a line in the log and a count. A file that is missing or
//! refused never keeps the sidecar from starting.

mod alerts;
mod baselines;
mod golden;

pub(crate) use alerts::AlertFile;
pub(crate) use baselines::BaselineFile;
pub(crate) use golden::{GoldenFile, Known};

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::metrics::Metric;

/// One file.
#[derive(Clone, Debug)]
struct Kept {
    path: PathBuf,
    /// A larger one is none of ours.
    bytes_max: u64,
    name: &'static str,
}

impl Kept {
    fn in_dir(data_dir: &Path, name: &'static str, bytes_max: u64) -> Self {
        Self { path: data_dir.join(name), bytes_max, name }
    }

    /// Reads the file and has it taken up by `take`. Says and counts what is missing or refused.
    fn restore<T, E: fmt::Display>(&self, take: impl FnOnce(&[u8]) -> Result<T, E>) -> Option<T> {
        let path = self.path.display();
        let (result, found) = match self.read() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                tracing::info!(%path, "nothing is kept of an earlier run");
                ("missing", None)
            }
            Err(error) => {
                tracing::error!(%path, %error, "what was kept can't be read; it is learned again");
                ("refused", None)
            }
            Ok(bytes) => match take(&bytes) {
                Ok(taken) => ("restored", Some(taken)),
                Err(error) => {
                    tracing::error!(%path, %error, "what was kept is refused; it is learned again");
                    ("refused", None)
                }
            },
        };
        Metric::KeptFiles.add(&[("file", self.name), ("result", result)], 1);
        found
    }

    /// Writes the file as `bytes` has it, elsewhere than on the runtime's threads.
    async fn save(&self, bytes: impl FnOnce() -> Vec<u8> + Send + 'static) {
        let file = self.clone();
        let written = tokio::task::spawn_blocking(move || file.write(&bytes())).await;
        let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
        if let Err(error) = &written {
            tracing::error!(path = %self.path.display(), %error, "a file was not written");
        }
        let result = if written.is_ok() { "saved" } else { "failed" };
        Metric::KeptFiles.add(&[("file", self.name), ("result", result)], 1);
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        if std::fs::metadata(&self.path)?.len() > self.bytes_max {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the file is too large"));
        }
        std::fs::read(&self.path)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let next = self.path.with_extension("json.tmp");
        std::fs::write(&next, bytes)?;
        std::fs::rename(&next, &self.path)
    }
}

//! The arguments that every command on recordings shares.

use std::path::PathBuf;
use std::sync::Arc;

use crate::config::{self, Config};
use crate::toolkit::input::Recording;

/// What to read, and under which configuration.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct RecordingArgs {
    /// Recordings: OTLP JSON or protobuf, gzip or zstd, directories, - for standard input
    #[arg(required = true)]
    input: Vec<PathBuf>,
    /// Configuration: a file, or env:VAR; embedded defaults without
    #[arg(long, value_name = "FILE|env:VAR")]
    config: Option<String>,
}

impl RecordingArgs {
    /// Reads both, and names on stderr what was no recording.
    pub(super) fn read(&self) -> anyhow::Result<(Recording, Arc<Config>)> {
        let source = super::source(self.config.as_deref());
        let (config, _) = config::load(&source, &config::env::process).map_err(anyhow::Error::msg)?;
        let recording = Recording::read(&self.input)?;
        for path in &recording.skipped {
            eprintln!("freezeframe: {}: skipped, not a recording", path.display());
        }
        Ok((recording, Arc::new(config)))
    }
}

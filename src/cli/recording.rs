//! The arguments that every command on recordings shares.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::output::complain;
use super::progress::Progress;
use crate::config::{self, Config};
use crate::core::request::Request;
use crate::toolkit::input::{Index, InputError, Recording};
use crate::toolkit::requests::Requests;

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

/// A recording that is ready to be gone over.
pub(super) struct Opened {
    index: Index,
    pub(super) config: Config,
    reading: Progress,
    /// What the last pass lost, a sentence each.
    pub(super) losses: Vec<String>,
}

impl RecordingArgs {
    /// What a command reads whose recordings are not always required.
    pub(super) fn new(input: Vec<PathBuf>, config: Option<String>) -> Self {
        Self { input, config }
    }

    /// Other recordings under the same configuration.
    pub(super) fn of_others(&self, input: Vec<PathBuf>) -> Self {
        Self::new(input, self.config.clone())
    }

    /// Reads both into memory, and names on stderr what could not be read.
    pub(super) fn read(&self) -> anyhow::Result<(Recording, Arc<Config>)> {
        let config = self.config()?;
        let recording = Recording::read(&self.input)?;
        recording.notes.iter().for_each(complain);
        Ok((recording, Arc::new(config)))
    }

    /// Hands each request of the recording to `each`, in bounded memory, with a bar on stderr if that takes long, and
    /// names there what could not be read or was lost.
    pub(super) fn each_request<T>(
        &self,
        with_progress: bool,
        each: impl FnOnce(&mut dyn Iterator<Item = Result<Request, InputError>>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        self.each_request_with(with_progress, |requests, _| each(requests))
    }

    /// The same, where the configuration matters to `each`, too.
    pub(super) fn each_request_with<T>(
        &self,
        with_progress: bool,
        each: impl FnOnce(&mut dyn Iterator<Item = Result<Request, InputError>>, &Config) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let mut opened = self.open(with_progress)?;
        let result = opened.pass(each)?;
        opened.losses.iter().for_each(complain);
        Ok(result)
    }

    /// Reads where everything is, for commands that go over it more than once, and names on stderr what could not be read.
    pub(super) fn open(&self, with_progress: bool) -> anyhow::Result<Opened> {
        let config = self.config()?;
        let total = self.input.iter().map(|path| bytes_of(path)).sum();
        let mut reading = Progress::of_bytes("reading", total, with_progress);
        let index = Index::read(&self.input, &mut |bytes| reading.add(bytes))?;
        index.notes.iter().for_each(complain);
        Ok(Opened { index, config, reading, losses: Vec::new() })
    }

    fn config(&self) -> anyhow::Result<Config> {
        let source = super::source(self.config.as_deref());
        Ok(config::load(&source, &config::env::process).map_err(anyhow::Error::msg)?.0)
    }
}

impl Opened {
    /// Hands each request to `each`, in bounded memory, with a bar on stderr if that takes long.
    pub(super) fn pass<T>(
        &mut self,
        each: impl FnOnce(&mut dyn Iterator<Item = Result<Request, InputError>>, &Config) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        self.reading.clear();
        let mut assembling = Progress::of_documents("assembling", self.index.len(), &self.reading);
        let mut requests = Requests::new(self.index.in_time().inspect(|_| assembling.add(1)), &self.config);
        let result = each(&mut requests, &self.config)?;
        self.losses = requests.losses();
        Ok(result)
    }
}

/// Bytes below a path, to tell how far reading is; zero when that is not known. Links and pipes count nothing.
fn bytes_of(path: &Path) -> u64 {
    let Ok(metadata) = path.symlink_metadata() else { return 0 };
    if !metadata.is_dir() {
        return if metadata.is_file() { metadata.len() } else { 0 };
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| bytes_of(&entry.path())).sum()
}

//! Recordings, recognised by content: OTLP JSON (one export request, or one a line as the Collector's file exporter
//! writes), OTLP protobuf (one request body, or the file exporter's 4-byte big-endian length-prefixed messages), gzip
//! or zstd of either, simple trace records, a directory of these, `-` for standard input.

use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::{Buf, Bytes};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::otlp::{self, Logs, Traces};

/// Decompressed bytes of one recording at most.
pub const RECORDING_BYTES_MAX: u64 = 4 << 30;

/// What recordings hold.
#[derive(Debug, Default)]
pub struct Recording {
    /// Export requests of spans.
    pub traces: Vec<Traces>,
    /// Export requests of log records.
    pub logs: Vec<Logs>,
    /// Simple trace records, as JSON text.
    pub records: Vec<Box<RawValue>>,
    /// Export requests of metrics, which nothing here reads.
    pub metrics: usize,
    /// Files of a directory that are no recordings.
    pub skipped: Vec<PathBuf>,
}

/// Why a recording can't be read. Each names the file.
#[derive(Debug, Error)]
pub enum InputError {
    /// The file can't be opened or read.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file is not a recording.
    #[error("{path}: {reason}")]
    Unknown {
        /// Which file.
        path: PathBuf,
        /// What was expected.
        reason: String,
    },
}

impl Recording {
    /// Reads every path; directories recursively, in order of name.
    ///
    /// # Errors
    /// The first file that can't be read or recognised.
    pub fn read(paths: &[PathBuf]) -> Result<Self, InputError> {
        let mut recording = Self::default();
        for path in paths {
            recording.add_path(path)?;
        }
        Ok(recording)
    }

    fn add_path(&mut self, path: &Path) -> Result<(), InputError> {
        let io = |error| InputError::Io { path: path.to_owned(), error };
        if path.is_dir() {
            let mut entries: Vec<PathBuf> =
                std::fs::read_dir(path).and_then(|all| all.map(|it| Ok(it?.path())).collect()).map_err(io)?;
            entries.sort();
            return entries.iter().filter(|it| !is_hidden(it)).try_for_each(|it| match self.add_path(it) {
                Err(InputError::Unknown { path, .. }) => {
                    self.skipped.push(path);
                    Ok(())
                }
                other => other,
            });
        }
        let bytes = match path.to_str() {
            Some("-") => read_bounded(std::io::stdin().lock()),
            _ => std::fs::File::open(path).and_then(read_bounded),
        };
        let bytes = bytes.and_then(decompress).map_err(io)?;
        self.add_bytes(bytes.into()).map_err(|reason| InputError::Unknown { path: path.to_owned(), reason })
    }

    /// Reads one recording's decompressed bytes.
    fn add_bytes(&mut self, bytes: Bytes) -> Result<(), String> {
        match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
            None => Ok(()),
            Some(b'{' | b'[') => self.add_json(&bytes),
            Some(_) => match frames(&bytes) {
                Some(frames) => frames.into_iter().try_for_each(|frame| self.add_protobuf(frame)),
                None => self.add_protobuf(bytes),
            },
        }
    }

    fn add_json(&mut self, bytes: &[u8]) -> Result<(), String> {
        for document in serde_json::Deserializer::from_slice(bytes).into_iter::<&RawValue>() {
            let document = document.map_err(|error| format!("not JSON: {error}"))?;
            if document.get().starts_with('[') {
                let items: Vec<&RawValue> = serde_json::from_str(document.get()).map_err(|error| error.to_string())?;
                items.into_iter().try_for_each(|item| self.add_document(item))?;
            } else {
                self.add_document(document)?;
            }
        }
        Ok(())
    }

    fn add_document(&mut self, document: &RawValue) -> Result<(), String> {
        let text = document.get();
        let keys: Keys = serde_json::from_str(text).map_err(|error| format!("not a recording: {error}"))?;
        let bytes = text.as_bytes();
        match keys {
            Keys { spans: Some(_), .. } => {
                let bytes = otlp::json::traces(bytes).map_err(|error| error.to_string())?;
                self.traces.push(Traces::parse(bytes).map_err(|error| error.to_string())?);
            }
            Keys { logs: Some(_), .. } => {
                let bytes = otlp::json::logs(bytes).map_err(|error| error.to_string())?;
                self.logs.push(Logs::parse(bytes).map_err(|error| error.to_string())?);
            }
            Keys { metrics: Some(_), .. } => self.metrics += 1,
            Keys { trace_id: Some(_), .. } => self.records.push(document.to_owned()),
            _ => return Err("neither an OTLP export request nor a simple trace record".into()),
        }
        Ok(())
    }

    fn add_protobuf(&mut self, bytes: Bytes) -> Result<(), String> {
        if let Ok(traces) = Traces::parse(bytes.clone()) {
            self.traces.push(traces);
            return Ok(());
        }
        match Logs::parse(bytes.clone()) {
            Ok(logs) => self.logs.push(logs),
            Err(error) => match otlp::Metrics::parse(bytes) {
                Ok(_) => self.metrics += 1,
                Err(_) => return Err(format!("neither OTLP protobuf nor JSON: {error}")),
            },
        }
        Ok(())
    }
}

/// The keys that tell documents apart.
#[derive(serde::Deserialize)]
struct Keys<'a> {
    #[serde(borrow, alias = "resource_spans", rename = "resourceSpans")]
    spans: Option<&'a RawValue>,
    #[serde(borrow, alias = "resource_logs", rename = "resourceLogs")]
    logs: Option<&'a RawValue>,
    #[serde(borrow, alias = "resource_metrics", rename = "resourceMetrics")]
    metrics: Option<&'a RawValue>,
    #[serde(borrow)]
    trace_id: Option<&'a RawValue>,
}

/// The messages of the file exporter's framing, if the lengths add up to the whole file exactly.
fn frames(bytes: &Bytes) -> Option<Vec<Bytes>> {
    let (mut rest, mut frames) = (bytes.clone(), Vec::new());
    while !rest.is_empty() {
        let len = usize::try_from(rest.try_get_u32().ok()?).ok()?;
        if len > rest.len() {
            return None;
        }
        frames.push(rest.split_to(len));
    }
    Some(frames)
}

fn decompress(bytes: Vec<u8>) -> std::io::Result<Vec<u8>> {
    match bytes.as_slice() {
        [0x1f, 0x8b, ..] => read_bounded(flate2::read::MultiGzDecoder::new(bytes.as_slice())),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => read_bounded(zstd::stream::read::Decoder::new(bytes.as_slice())?),
        _ => Ok(bytes),
    }
}

fn read_bounded(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = from.take(RECORDING_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    match u64::try_from(read) {
        Ok(read) if read <= RECORDING_BYTES_MAX => Ok(bytes),
        _ => Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, "larger than 4 GiB decompressed")),
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

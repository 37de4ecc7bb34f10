//! One document of a recording, decoded, and the items in it with their times.

use std::io::Read as _;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::DOCUMENT_BYTES_MAX;
use crate::core::request::Request;
use crate::core::time::UnixNanos;
use crate::core::trace_record;
use crate::otlp::{self, LogRecord, Logs, Metrics, Resource, Scope, Span, Traces};

/// What one document holds.
#[derive(Debug)]
pub enum Export {
    /// An export request of spans.
    Traces(Traces),
    /// An export request of log records.
    Logs(Logs),
    /// An export request of metrics, which nothing here reads.
    Metrics,
    /// A simple trace record.
    Record(Box<Request>),
}

/// One thing that happened at a recorded time.
#[derive(Clone, Debug)]
pub enum Item<'a> {
    /// A span, at its end.
    Span(Resource<'a>, Scope<'a>, Span<'a>),
    /// A log record.
    Log(Resource<'a>, Scope<'a>, LogRecord<'a>),
    /// A request, at its end.
    Request(&'a Request),
}

impl Export {
    /// Decodes a document: JSON, protobuf, or zstd of either.
    pub(super) fn decode(bytes: Bytes) -> Result<Self, String> {
        let bytes = decompressed(bytes)?;
        match bytes.first() {
            Some(b'{') => Self::of_json(&bytes),
            _ => Self::of_protobuf(bytes),
        }
    }

    fn of_json(bytes: &[u8]) -> Result<Self, String> {
        let keys: Keys = serde_json::from_slice(bytes).map_err(|error| format!("not JSON: {error}"))?;
        match keys {
            Keys { spans: Some(_), .. } => {
                let bytes = otlp::json::traces(bytes).map_err(|error| error.to_string())?;
                Traces::parse(bytes).map(Self::Traces).map_err(|error| error.to_string())
            }
            Keys { logs: Some(_), .. } => {
                let bytes = otlp::json::logs(bytes).map_err(|error| error.to_string())?;
                Logs::parse(bytes).map(Self::Logs).map_err(|error| error.to_string())
            }
            Keys { metrics: Some(_), .. } => Ok(Self::Metrics),
            Keys { trace_id: Some(_), .. } => {
                trace_record::parse(&String::from_utf8_lossy(bytes)).map(|it| Self::Record(Box::new(it)))
            }
            _ => Err("neither an OTLP export request nor a simple trace record".into()),
        }
    }

    fn of_protobuf(bytes: Bytes) -> Result<Self, String> {
        if let Ok(traces) = Traces::parse(bytes.clone()) {
            return Ok(Self::Traces(traces));
        }
        match Logs::parse(bytes.clone()) {
            Ok(logs) => Ok(Self::Logs(logs)),
            Err(error) => match Metrics::parse(bytes) {
                Ok(_) => Ok(Self::Metrics),
                Err(_) => Err(format!("neither OTLP protobuf nor JSON: {error}")),
            },
        }
    }

    /// What it holds, in order of time; ties keep the order they were written in. Zero is a time that was not set.
    #[must_use]
    pub fn items(&self) -> Vec<(UnixNanos, Item<'_>)> {
        let mut items: Vec<_> = self.recorded().collect();
        items.sort_by_key(|(at, _)| *at);
        items
    }

    /// The first time that was set.
    pub(super) fn at(&self) -> UnixNanos {
        self.recorded().map(|(at, _)| at).filter(|at| at.0 > 0).min().unwrap_or_default()
    }

    fn recorded(&self) -> Box<dyn Iterator<Item = (UnixNanos, Item<'_>)> + '_> {
        match self {
            Self::Traces(traces) => Box::new(traces.spans().map(|(resource, scope, span)| {
                let at = span.end_unix_nano.max(span.start_unix_nano);
                (UnixNanos(at), Item::Span(resource, scope, span))
            })),
            Self::Logs(logs) => Box::new(logs.records().map(|(resource, scope, record)| {
                let (at, observed) = (record.time_unix_nano, record.observed_time_unix_nano);
                (UnixNanos(if at > 0 { at } else { observed }), Item::Log(resource, scope, record))
            })),
            Self::Metrics => Box::new(std::iter::empty()),
            Self::Record(request) => Box::new(std::iter::once((request.ended_at, Item::Request(request)))),
        }
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

/// The file exporter compresses each message by itself, inside its frame.
fn decompressed(bytes: Bytes) -> Result<Bytes, String> {
    if !bytes.starts_with(&super::file::ZSTD) {
        return Ok(bytes);
    }
    let mut message = Vec::new();
    let decoder = zstd::stream::read::Decoder::new(&*bytes).map_err(|error| error.to_string())?;
    let read = decoder.take(DOCUMENT_BYTES_MAX as u64 + 1).read_to_end(&mut message);
    match read.map_err(|error| format!("cannot be decompressed: {error}"))? {
        0..=DOCUMENT_BYTES_MAX => Ok(message.into()),
        _ => Err(format!("larger than {} MiB decompressed", DOCUMENT_BYTES_MAX >> 20)),
    }
}

//! `ExportLogsServiceRequest` and its records (opentelemetry/proto/logs/v1).

use bytes::Bytes;

use super::attributes::{Attributes, Value};
use super::traces::{Resource, Scope, repeated};
use super::wire::{Field, Fields, Malformed};
use super::{check, merge, messages};

/// The bytes of one `ExportLogsServiceRequest`, checked.
#[derive(Clone, Debug)]
pub struct Logs {
    bytes: Bytes,
    /// The same bytes, unless they had to be [merged](merge).
    plain: Bytes,
    records: usize,
}

impl Logs {
    /// Checks `bytes` whole: every tag, length, wire type and depth, but not whether strings are UTF-8. Only bytes
    /// that hold a message in pieces, as no encoder in use writes them, are copied.
    ///
    /// # Errors
    /// The first malformed place, as a [`Malformed`].
    pub fn parse(bytes: Bytes) -> Result<Self, Malformed> {
        let checked = check::request(&messages::LOGS, &bytes)?;
        let plain = if checked.plain { bytes.clone() } else { merge::merged(&messages::LOGS, &bytes) };
        Ok(Self { bytes, plain, records: checked.items })
    }

    /// The request's bytes, as they came.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// How many log records the request holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records
    }

    /// Whether the request holds no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Every record with the resource and scope it was sent under.
    pub fn records(&self) -> impl Iterator<Item = (Resource<'_>, Scope<'_>, LogRecord<'_>)> {
        repeated(&self.plain, 1).flat_map(|resource_logs| {
            let resource = Resource::of(resource_logs);
            repeated(resource_logs, 2).flat_map(move |scope_logs| {
                let scope = Scope::of(scope_logs);
                repeated(scope_logs, 2).map(move |record| (resource, scope, LogRecord::decode(record)))
            })
        })
    }
}

/// One log record, its scalar fields decoded.
#[derive(Clone, Copy, Debug)]
pub struct LogRecord<'a> {
    message: &'a [u8],
    /// Unix nanoseconds; 0 when absent, which SDKs often leave it.
    pub time_unix_nano: u64,
    /// Unix nanoseconds; 0 when absent.
    pub observed_time_unix_nano: u64,
    /// 16 bytes; empty outside a trace.
    pub trace_id: &'a [u8],
    /// 8 bytes; empty outside a trace.
    pub span_id: &'a [u8],
    /// For example `gen_ai.evaluation.result`; empty when absent.
    pub event_name: &'a [u8],
    /// The body.
    pub body: Value<'a>,
}

impl<'a> LogRecord<'a> {
    /// The record's attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.message, 6)
    }

    fn decode(message: &'a [u8]) -> Self {
        let mut record = Self {
            message,
            time_unix_nano: 0,
            observed_time_unix_nano: 0,
            trace_id: &[],
            span_id: &[],
            event_name: &[],
            body: Value::Empty,
        };
        for field in Fields::new(message) {
            match field {
                (1, Field::Fixed64(at)) => record.time_unix_nano = at,
                (5, Field::Bytes(body)) => record.body = Value::decode(body),
                (9, Field::Bytes(id)) => record.trace_id = id,
                (10, Field::Bytes(id)) => record.span_id = id,
                (11, Field::Fixed64(at)) => record.observed_time_unix_nano = at,
                (12, Field::Bytes(name)) => record.event_name = name,
                _ => {}
            }
        }
        record
    }
}

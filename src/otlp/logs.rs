//! `ExportLogsServiceRequest` and its records (opentelemetry/proto/logs/v1).

use bytes::Bytes;

use super::attributes::{Attributes, Value, check_key_value};
use super::traces::{Resource, Scope, check_each, messages};
use super::wire::{DEPTH_MAX, Field, Fields, Malformed};

/// The bytes of one `ExportLogsServiceRequest`, checked.
#[derive(Clone, Debug)]
pub struct Logs {
    bytes: Bytes,
    records: usize,
}

impl Logs {
    /// Checks `bytes` whole: every tag, length, wire type and depth.
    ///
    /// # Errors
    /// The first malformed place, as a [`Malformed`].
    pub fn parse(bytes: Bytes) -> Result<Self, Malformed> {
        let mut records = 0;
        check_each(&bytes, 1, |resource_logs| {
            check_each(resource_logs, 1, |resource| check_each(resource, 1, |kv| check_key_value(kv, DEPTH_MAX)))?;
            check_each(resource_logs, 2, |scope_logs| {
                check_each(scope_logs, 1, |scope| check_each(scope, 3, |kv| check_key_value(kv, DEPTH_MAX)))?;
                check_each(scope_logs, 2, |record| {
                    records += 1;
                    check_record(record)
                })
            })
        })?;
        Ok(Self { bytes, records })
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
        messages(&self.bytes, 1).flat_map(|resource_logs| {
            let resource = Resource::of(resource_logs);
            messages(resource_logs, 2).flat_map(move |scope_logs| {
                let scope = Scope::of(scope_logs);
                messages(scope_logs, 2).map(move |record| (resource, scope, LogRecord::decode(record)))
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

fn check_record(message: &[u8]) -> Result<(), Malformed> {
    let mut fields = Fields::new(message);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1 | 11, Field::Fixed64(_)) | (2 | 7, Field::Varint(_)) | (3 | 9 | 10 | 12, Field::Bytes(_)) => {}
            (5, Field::Bytes(body)) => Value::check(body, DEPTH_MAX)?,
            (6, Field::Bytes(kv)) => check_key_value(kv, DEPTH_MAX)?,
            (8, Field::Fixed32(_)) => {}
            (1 | 2 | 3 | 5..=12, _) => return Err(Malformed::WireType(number)),
            _ => {}
        }
    }
    Ok(())
}

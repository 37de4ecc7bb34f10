//! A borrowed, zero-copy view over OTLP protobuf (opentelemetry-proto v1: `ExportTraceServiceRequest`,
//! `ExportLogsServiceRequest`). Bytes are checked once, whole, by [`Traces::parse`] and [`Logs::parse`]; the
//! views they lend out are then infallible iterators over the same bytes, and allocate nothing.
//!
//! What is accepted and what is then read is what prost accepts and reads, with one exception: strings are handed
//! out as bytes, and only what is kept is checked for UTF-8, by whoever keeps it.
//!
//! [`json`] maps OTLP/JSON to the same bytes.

mod attributes;
mod check;
pub mod json;
mod logs;
mod merge;
mod messages;
mod metrics;
mod reply;
mod schema;
mod signal;
#[cfg(test)]
mod tests;
mod traces;
mod wire;
mod write;

pub use attributes::{Attributes, Value, Values};
pub use logs::{LogRecord, Logs};
pub use metrics::Metrics;
pub use reply::{ExportReply, PartialSuccess, RpcStatus};
pub use signal::Signal;
pub use traces::{Event, Link, Resource, Scope, Span, SpanStatus, Traces};
pub use wire::Malformed;

//! A borrowed, zero-copy view over OTLP protobuf (opentelemetry-proto v1: `ExportTraceServiceRequest`,
//! `ExportLogsServiceRequest`). Bytes are checked once, whole, by [`Traces::parse`] and [`Logs::parse`]; the
//! views they lend out are then infallible iterators over the same bytes, and allocate nothing.
//!
//! Strings are handed out as bytes: only what is kept is checked for UTF-8, by whoever keeps it.

mod attributes;
pub mod json;
mod logs;
mod metrics;
mod reply;
mod signal;
mod traces;
mod wire;

pub use attributes::{Attributes, Value, Values};
pub use logs::{LogRecord, Logs};
pub use metrics::check_metrics;
pub use reply::{ExportReply, PartialSuccess, RpcStatus};
pub use signal::Signal;
pub use traces::{Event, Link, Resource, Scope, Span, SpanStatus, Traces};
pub use wire::Malformed;

//! What an OTLP server answers, as protobuf: the export reply with its `partial_success`, and `google.rpc.Status`
//! with an optional `RetryInfo`. The receiver writes them, the exporter reads them.
//!
//! The three `Export*ServiceResponse` messages share one shape and one numbering, so one type stands for all.

use std::time::Duration;

use prost::Message;

const RETRY_INFO_URL: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// `ExportTraceServiceResponse`, `ExportLogsServiceResponse`, `ExportMetricsServiceResponse`.
#[derive(Clone, PartialEq, Message)]
pub struct ExportReply {
    /// Absent when everything was accepted.
    #[prost(message, optional, tag = "1")]
    pub partial_success: Option<PartialSuccess>,
}

/// `ExportTracePartialSuccess` and its siblings.
#[derive(Clone, PartialEq, Message)]
pub struct PartialSuccess {
    /// Spans, log records or data points that were not taken.
    #[prost(int64, tag = "1")]
    pub rejected: i64,
    /// Why, for a developer.
    #[prost(string, tag = "2")]
    pub error_message: String,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub struct RpcStatus {
    /// `google.rpc.Code`, the gRPC status code.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// For a developer.
    #[prost(string, tag = "2")]
    pub message: String,
    /// Of these only `RetryInfo` is known here.
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

impl RpcStatus {
    /// A status with a `RetryInfo` when the client may try again after `retry_after`.
    #[must_use]
    pub fn new(code: i32, message: String, retry_after: Option<Duration>) -> Self {
        Self { code, message, details: retry_after.map(Any::retry_info).into_iter().collect() }
    }

    /// The pause asked for by the first `RetryInfo`, if there is one: zero when it names none.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let any = self.details.iter().find(|any| any.type_url == RETRY_INFO_URL)?;
        let pause = RetryInfo::decode(any.value.as_slice()).ok()?.retry_delay.unwrap_or_default();
        Some(Duration::new(u64::try_from(pause.seconds).unwrap_or(0), u32::try_from(pause.nanos).unwrap_or(0)))
    }
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

impl Any {
    fn retry_info(pause: Duration) -> Self {
        let retry_delay = Some(Pause {
            seconds: i64::try_from(pause.as_secs()).unwrap_or(i64::MAX),
            nanos: i32::try_from(pause.subsec_nanos()).unwrap_or(0),
        });
        Self { type_url: RETRY_INFO_URL.to_owned(), value: RetryInfo { retry_delay }.encode_to_vec() }
    }
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Pause>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
struct Pause {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};

    /// A retry hint survives the wire, and its absence does too.
    #[test]
    fn retry_info_round_trips() {
        for hint in [None, Some(Duration::ZERO), Some(Duration::from_millis(1_500)), Some(Duration::MAX)] {
            let bytes = RpcStatus::new(14, "busy".to_owned(), hint).encode_to_vec();
            let read = RpcStatus::decode(bytes.as_slice()).unwrap();
            let expected = hint.map(|pause| pause.min(Duration::new(i64::MAX as u64, 999_999_999)));
            assert_eq!((read.code, read.message.as_str(), read.retry_after()), (14, "busy", expected));
        }
    }

    /// The one shape stands for the published messages.
    #[test]
    fn reply_is_the_published_message() {
        let ours =
            ExportReply { partial_success: Some(PartialSuccess { rejected: 7, error_message: "no ids".to_owned() }) };
        let published = ExportLogsServiceResponse {
            partial_success: Some(ExportLogsPartialSuccess {
                rejected_log_records: 7,
                error_message: "no ids".to_owned(),
            }),
        };
        assert_eq!(ours.encode_to_vec(), published.encode_to_vec());
        assert!(ExportReply::default().encode_to_vec().is_empty());
    }
}

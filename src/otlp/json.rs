//! OTLP/JSON to OTLP protobuf (opentelemetry-specification, protocol/otlp: JSON Protobuf Encoding).

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde::de::DeserializeOwned;

/// One `ExportTraceServiceRequest`.
///
/// # Errors
/// When `json` is not one.
pub fn traces(json: &[u8]) -> Result<Bytes, serde_json::Error> {
    transcode::<ExportTraceServiceRequest>(json)
}

/// One `ExportLogsServiceRequest`.
///
/// # Errors
/// When `json` is not one.
pub fn logs(json: &[u8]) -> Result<Bytes, serde_json::Error> {
    transcode::<ExportLogsServiceRequest>(json)
}

/// One `ExportMetricsServiceRequest`.
///
/// # Errors
/// When `json` is not one.
pub fn metrics(json: &[u8]) -> Result<Bytes, serde_json::Error> {
    transcode::<ExportMetricsServiceRequest>(json)
}

fn transcode<M: Message + DeserializeOwned>(json: &[u8]) -> Result<Bytes, serde_json::Error> {
    Ok(serde_json::from_slice::<M>(json)?.encode_to_vec().into())
}

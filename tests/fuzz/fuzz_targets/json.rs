//! Text as OTLP/JSON: no panic, and what comes out is protobuf that prost takes too, with UTF-8 strings.
#![no_main]
#![allow(dead_code, unused_imports, reason = "the room is compiled whole, a target uses part of it")]

#[path = "../../it/otlp/equal.rs"]
mod equal;
#[path = "../../../src/otlp/mod.rs"]
mod otlp;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use otlp::json;
use prost::Message;

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    if let Ok(bytes) = json::traces(text) {
        ExportTraceServiceRequest::decode(&*bytes).unwrap();
        equal::traces(&bytes);
    }
    if let Ok(bytes) = json::logs(text) {
        ExportLogsServiceRequest::decode(&*bytes).unwrap();
        equal::logs(&bytes);
    }
    if let Ok(bytes) = json::metrics(text) {
        ExportMetricsServiceRequest::decode(&*bytes).unwrap();
        equal::metrics(&bytes);
    }
});

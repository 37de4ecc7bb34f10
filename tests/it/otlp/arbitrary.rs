//! Random export requests.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric::Data};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

pub(super) fn traces() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let scope_spans = (option::of(scope()), vec(span(), 0..4), text())
        .prop_map(|(scope, spans, schema_url)| ScopeSpans { scope, spans, schema_url });
    let resource_spans = (option::of(resource()), vec(scope_spans, 0..3), text())
        .prop_map(|(resource, scope_spans, schema_url)| ResourceSpans { resource, scope_spans, schema_url });
    vec(resource_spans, 0..3).prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}

pub(super) fn logs() -> impl Strategy<Value = ExportLogsServiceRequest> {
    let scope_logs = (option::of(scope()), vec(record(), 0..4), text())
        .prop_map(|(scope, log_records, schema_url)| ScopeLogs { scope, log_records, schema_url });
    let resource_logs = (option::of(resource()), vec(scope_logs, 0..3), text())
        .prop_map(|(resource, scope_logs, schema_url)| ResourceLogs { resource, scope_logs, schema_url });
    vec(resource_logs, 0..3).prop_map(|resource_logs| ExportLogsServiceRequest { resource_logs })
}

/// Fields that no request has, one of each wire type, a group with a group in it among them.
pub(super) fn unknown_fields() -> impl Strategy<Value = Vec<u8>> {
    let fields: [&[u8]; 5] = [
        &[0xf8, 0x07, 0xff, 0x01],
        &[0xf9, 0x07, 1, 2, 3, 4, 5, 6, 7, 8],
        &[0xfa, 0x07, 3, 0x0a, 0xff, 0xff],
        &[0xfb, 0x07, 0x08, 0x01, 0x0b, 0x0c, 0xfc, 0x07],
        &[0xfd, 0x07, 1, 2, 3, 4],
    ];
    vec(prop::sample::select(fields.to_vec()), 0..4).prop_map(|fields| fields.concat())
}

/// How many data points a metric has.
pub(super) fn data_points(metric: &Metric) -> usize {
    match &metric.data {
        Some(Data::Gauge(it)) => it.data_points.len(),
        Some(Data::Sum(it)) => it.data_points.len(),
        Some(Data::Histogram(it)) => it.data_points.len(),
        Some(Data::ExponentialHistogram(it)) => it.data_points.len(),
        Some(Data::Summary(it)) => it.data_points.len(),
        None => 0,
    }
}

fn span() -> impl Strategy<Value = Span> {
    let ids = (id(16), id(8), id(8), text(), text());
    let times = (0..6i32, any::<u64>(), any::<u64>(), any::<u32>(), any::<u32>());
    let lists = (attributes(), vec(event(), 0..3), vec(link(), 0..3), option::of(status()));
    (ids, times, lists).prop_map(|(ids, times, lists)| Span {
        trace_id: ids.0,
        span_id: ids.1,
        parent_span_id: ids.2,
        trace_state: ids.3,
        name: ids.4,
        kind: times.0,
        start_time_unix_nano: times.1,
        end_time_unix_nano: times.2,
        flags: times.3,
        dropped_attributes_count: times.4,
        attributes: lists.0,
        events: lists.1,
        links: lists.2,
        status: lists.3,
        ..Span::default()
    })
}

fn event() -> impl Strategy<Value = Event> {
    (any::<u64>(), text(), attributes(), any::<u32>()).prop_map(|(time_unix_nano, name, attributes, dropped)| Event {
        time_unix_nano,
        name,
        attributes,
        dropped_attributes_count: dropped,
    })
}

fn link() -> impl Strategy<Value = Link> {
    (id(16), id(8), attributes(), any::<u32>()).prop_map(|(trace_id, span_id, attributes, flags)| Link {
        trace_id,
        span_id,
        attributes,
        flags,
        ..Link::default()
    })
}

fn status() -> impl Strategy<Value = Status> {
    (text(), 0..3i32).prop_map(|(message, code)| Status { message, code })
}

fn record() -> impl Strategy<Value = LogRecord> {
    let scalars = (any::<u64>(), any::<u64>(), 0..25i32, any::<u32>());
    (scalars, text(), option::of(any_value()), attributes(), id(16), id(8), text()).prop_map(
        |(scalars, severity_text, body, attributes, trace_id, span_id, event_name)| LogRecord {
            time_unix_nano: scalars.0,
            observed_time_unix_nano: scalars.1,
            severity_number: scalars.2,
            flags: scalars.3,
            severity_text,
            body,
            attributes,
            trace_id,
            span_id,
            event_name,
            ..LogRecord::default()
        },
    )
}

fn resource() -> impl Strategy<Value = Resource> {
    attributes().prop_map(|attributes| Resource { attributes, ..Resource::default() })
}

fn scope() -> impl Strategy<Value = InstrumentationScope> {
    (text(), text(), attributes()).prop_map(|(name, version, attributes)| InstrumentationScope {
        name,
        version,
        attributes,
        ..InstrumentationScope::default()
    })
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec(key_value(any_value()), 0..5)
}

fn key_value(value: impl Strategy<Value = AnyValue>) -> impl Strategy<Value = KeyValue> {
    (text(), option::weighted(0.9, value)).prop_map(|(key, value)| KeyValue { key, value, ..KeyValue::default() })
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        Just(AnyValue { value: None }),
        text().prop_map(|it| value(Value::StringValue(it))),
        any::<bool>().prop_map(|it| value(Value::BoolValue(it))),
        any::<i64>().prop_map(|it| value(Value::IntValue(it))),
        (-200i64..200).prop_map(|it| value(Value::IntValue(it))),
        prop::num::f64::NORMAL.prop_map(|it| value(Value::DoubleValue(it))),
        vec(any::<u8>(), 0..20).prop_map(|it| value(Value::BytesValue(it))),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let list = vec(key_value(inner.clone()), 0..4);
        prop_oneof![
            vec(inner, 0..4).prop_map(|values| value(Value::ArrayValue(ArrayValue { values }))),
            list.prop_map(|values| value(Value::KvlistValue(KeyValueList { values }))),
        ]
    })
}

fn value(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

/// Short, empty, not ASCII, or long enough for a length of two and three bytes.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z_.]{0,24}",
        3 => "\\PC{0,12}",
        1 => (100..300usize).prop_map(|len| "é".repeat(len)),
        1 => (16_300..16_400usize).prop_map(|len| "x".repeat(len)),
    ]
}

fn id(len: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![4 => vec(any::<u8>(), len), 1 => Just(Vec::new())]
}

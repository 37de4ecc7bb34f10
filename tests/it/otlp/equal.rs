//! Whether a view yields what prost decodes, field by field. The fuzz targets share this file.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource as ProstResource;
use opentelemetry_proto::tonic::trace::v1::Span as ProstSpan;
use prost::Message;

use super::otlp::{Attributes, Logs, Metrics, Resource, Scope, Span, SpanStatus, Traces, Value};

/// Parses `bytes` both ways. The one difference allowed is text that is not UTF-8.
///
/// # Panics
/// On any other difference.
pub(super) fn traces(bytes: &[u8]) {
    match (Traces::parse(bytes.to_vec().into()), ExportTraceServiceRequest::decode(bytes)) {
        (Ok(view), Ok(prost)) => traces_equal(&view, &prost),
        (view, prost) => disagree(view.map(|view| drain_traces(&view)), prost.map(drop)),
    }
}

/// As [`traces`], for logs.
pub(super) fn logs(bytes: &[u8]) {
    match (Logs::parse(bytes.to_vec().into()), ExportLogsServiceRequest::decode(bytes)) {
        (Ok(view), Ok(prost)) => logs_equal(&view, &prost),
        (view, prost) => disagree(view.map(|view| drain_logs(&view)), prost.map(drop)),
    }
}

/// As [`traces`], for metrics, of which there is no view.
pub(super) fn metrics(bytes: &[u8]) {
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    match (Metrics::parse(bytes.to_vec().into()), ExportMetricsServiceRequest::decode(bytes)) {
        (Ok(_), Ok(_)) => {}
        (ours, prost) => disagree(ours.map(drop), prost.map(drop)),
    }
}

fn disagree<E: std::fmt::Debug>(ours: Result<(), E>, prost: Result<(), prost::DecodeError>) {
    match (ours, prost) {
        (Ok(()), Err(error)) if error.to_string().contains("UTF-8") => {}
        (Err(_), Err(_)) => {}
        (ours, prost) => panic!("we say {ours:?}, prost says {prost:?}"),
    }
}

/// Every span of `view` against `prost`.
///
/// # Panics
/// On the first difference.
pub(super) fn traces_equal(view: &Traces, prost: &ExportTraceServiceRequest) {
    let mut views = view.spans();
    let mut spans = 0;
    for resource_spans in &prost.resource_spans {
        for scope_spans in &resource_spans.scope_spans {
            for expected in &scope_spans.spans {
                let (resource, scope, span) = views.next().expect("a span");
                resource_equal(resource, resource_spans.resource.as_ref());
                scope_equal(scope, scope_spans.scope.as_ref());
                span_equal(span, expected);
                spans += 1;
            }
        }
    }
    assert!(views.next().is_none());
    assert_eq!((view.len(), view.is_empty()), (spans, spans == 0));
}

/// Every record of `view` against `prost`.
///
/// # Panics
/// On the first difference.
pub(super) fn logs_equal(view: &Logs, prost: &ExportLogsServiceRequest) {
    let mut views = view.records();
    let mut records = 0;
    for resource_logs in &prost.resource_logs {
        for scope_logs in &resource_logs.scope_logs {
            for expected in &scope_logs.log_records {
                let (resource, scope, record) = views.next().expect("a record");
                resource_equal(resource, resource_logs.resource.as_ref());
                scope_equal(scope, scope_logs.scope.as_ref());
                assert_eq!(record.time_unix_nano, expected.time_unix_nano);
                assert_eq!(record.observed_time_unix_nano, expected.observed_time_unix_nano);
                assert_eq!(record.trace_id, expected.trace_id);
                assert_eq!(record.span_id, expected.span_id);
                assert_eq!(record.event_name, expected.event_name.as_bytes());
                value_equal(record.body, expected.body.as_ref());
                attributes_equal(record.attributes(), &expected.attributes);
                records += 1;
            }
        }
    }
    assert!(views.next().is_none());
    assert_eq!((view.len(), view.is_empty()), (records, records == 0));
}

fn resource_equal(resource: Resource<'_>, expected: Option<&ProstResource>) {
    attributes_equal(resource.attributes, expected.map_or(&[], |it| &it.attributes));
}

fn scope_equal(scope: Scope<'_>, expected: Option<&InstrumentationScope>) {
    assert_eq!(scope.name, expected.map_or("", |it| &it.name).as_bytes());
}

fn span_equal(span: Span<'_>, expected: &ProstSpan) {
    assert_eq!(span.trace_id, expected.trace_id);
    assert_eq!(span.span_id, expected.span_id);
    assert_eq!(span.parent_span_id, expected.parent_span_id);
    assert_eq!(span.name, expected.name.as_bytes());
    assert_eq!(span.kind, expected.kind);
    assert_eq!(span.start_unix_nano, expected.start_time_unix_nano);
    assert_eq!(span.end_unix_nano, expected.end_time_unix_nano);
    let status = expected.status.clone().unwrap_or_default();
    let code = match status.code {
        1 => SpanStatus::Ok,
        2 => SpanStatus::Error,
        _ => SpanStatus::Unset,
    };
    assert_eq!((span.status, span.status_message), (code, status.message.as_bytes()));
    attributes_equal(span.attributes(), &expected.attributes);
    let mut events = span.events();
    for expected in &expected.events {
        let event = events.next().expect("an event");
        assert_eq!((event.time_unix_nano, event.name), (expected.time_unix_nano, expected.name.as_bytes()));
        attributes_equal(event.attributes(), &expected.attributes);
    }
    assert!(events.next().is_none());
    let mut links = span.links();
    for expected in &expected.links {
        let link = links.next().expect("a link");
        assert_eq!((link.trace_id, link.span_id), (&*expected.trace_id, &*expected.span_id));
        attributes_equal(link.attributes(), &expected.attributes);
    }
    assert!(links.next().is_none());
}

fn attributes_equal(mut attributes: Attributes<'_>, expected: &[KeyValue]) {
    for entry in expected {
        let (key, value) = attributes.next().expect("an attribute");
        assert_eq!(key, entry.key.as_bytes());
        value_equal(value, entry.value.as_ref());
    }
    assert!(attributes.next().is_none());
}

fn value_equal(value: Value<'_>, expected: Option<&AnyValue>) {
    use any_value::Value as Any;
    match (value, expected.and_then(|it| it.value.as_ref())) {
        (Value::Empty, None | Some(Any::StringValueStrindex(_))) => {}
        (Value::Str(text), Some(Any::StringValue(expected))) => assert_eq!(text, expected.as_bytes()),
        (Value::Bool(flag), Some(Any::BoolValue(expected))) => assert_eq!(flag, *expected),
        (Value::Int(int), Some(Any::IntValue(expected))) => assert_eq!(int, *expected),
        (Value::Double(double), Some(Any::DoubleValue(expected))) => assert_eq!(double.to_bits(), expected.to_bits()),
        (Value::Bytes(bytes), Some(Any::BytesValue(expected))) => assert_eq!(bytes, expected),
        (Value::Array(mut values), Some(Any::ArrayValue(expected))) => {
            for expected in &expected.values {
                value_equal(values.next().expect("a value"), Some(expected));
            }
            assert!(values.next().is_none());
        }
        (Value::KvList(list), Some(Any::KvlistValue(expected))) => attributes_equal(list, &expected.values),
        (value, expected) => panic!("{value:?} is not {expected:?}"),
    }
}

/// Reads all there is, of bytes that prost would not decode.
fn drain_traces(view: &Traces) {
    let mut spans = 0;
    for (resource, _, span) in view.spans() {
        drain(resource.attributes);
        drain(span.attributes());
        span.events().for_each(|event| drain(event.attributes()));
        span.links().for_each(|link| drain(link.attributes()));
        spans += 1;
    }
    assert_eq!(spans, view.len());
}

fn drain_logs(view: &Logs) {
    let mut records = 0;
    for (resource, _, record) in view.records() {
        drain(resource.attributes);
        drain(record.attributes());
        drain_value(record.body);
        records += 1;
    }
    assert_eq!(records, view.len());
}

fn drain(attributes: Attributes<'_>) {
    attributes.for_each(|(_, value)| drain_value(value));
}

fn drain_value(value: Value<'_>) {
    match value {
        Value::Array(values) => values.for_each(drain_value),
        Value::KvList(list) => drain(list),
        _ => {}
    }
}

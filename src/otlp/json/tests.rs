//! The rules of the JSON mapping, one by one. Whole requests are compared in the integration tests.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::otlp::Traces;

/// The span of a request whose one span is `json`.
fn span(json: &str) -> Result<Span, String> {
    let json = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{json}]}}]}}]}}"#);
    let bytes = traces(json.as_bytes()).map_err(|error| error.to_string())?;
    let mut request = ExportTraceServiceRequest::decode(bytes).unwrap();
    Ok(request.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0))
}

fn value(json: &str) -> Result<Option<Any>, String> {
    let span = span(&format!(r#"{{"attributes":[{{"key":"k","value":{json}}}]}}"#))?;
    Ok(span.attributes.into_iter().next().and_then(|it| it.value).and_then(|it| it.value))
}

/// Every form a value may take, and what it means.
#[test]
fn values() {
    let string = |it: &str| Some(Any::StringValue(it.to_owned()));
    let bytes = |it: &[u8]| Some(Any::BytesValue(it.to_vec()));
    let cases = [
        ("null", None),
        ("{}", None),
        (r#"{"stringValue":null}"#, None),
        (r#"{"newValue":[{"x":1}]}"#, None),
        (r#"{"stringValue":""}"#, string("")),
        (r#"{"stringValue":"na\u00efve \ud83e\uddca"}"#, string("na\u{ef}ve \u{1f9ca}")),
        (r#"{"stringValue":"cut \ud83e"}"#, string("cut \u{fffd}\u{fffd}\u{fffd}")),
        (r#"{"string_value":"snake"}"#, string("snake")),
        (r#"{"boolValue":false}"#, Some(Any::BoolValue(false))),
        (r#"{"intValue":0}"#, Some(Any::IntValue(0))),
        (r#"{"intValue":"-9223372036854775808"}"#, Some(Any::IntValue(i64::MIN))),
        (r#"{"intValue":9223372036854775807}"#, Some(Any::IntValue(i64::MAX))),
        (r#"{"intValue":1e3}"#, Some(Any::IntValue(1000))),
        (r#"{"intValue":"5.0"}"#, Some(Any::IntValue(5))),
        (r#"{"doubleValue":0.30000000000000004}"#, Some(Any::DoubleValue(0.30000000000000004))),
        (r#"{"doubleValue":-2}"#, Some(Any::DoubleValue(-2.0))),
        (r#"{"doubleValue":"1.5"}"#, Some(Any::DoubleValue(1.5))),
        (r#"{"doubleValue":"-Infinity"}"#, Some(Any::DoubleValue(f64::NEG_INFINITY))),
        (r#"{"bytesValue":"+/8="}"#, bytes(&[0xfb, 0xff])),
        (r#"{"bytesValue":"-_8"}"#, bytes(&[0xfb, 0xff])),
        (r#"{"bytesValue":""}"#, bytes(&[])),
        (r#"{"intValue":1,"stringValue":"last"}"#, string("last")),
    ];
    for (json, expected) in cases {
        assert_eq!(value(json), Ok(expected), "{json}");
    }
    let Ok(Some(Any::DoubleValue(nan))) = value(r#"{"doubleValue":"NaN"}"#) else { panic!("not a double") };
    assert!(nan.is_nan());
    let nested =
        value(r#"{"arrayValue":{"values":[{},{"kvlistValue":{"values":[{"key":"a","value":{"intValue":"1"}}]}}]}}"#);
    let Ok(Some(Any::ArrayValue(array))) = nested else { panic!("not an array") };
    let Some(Any::KvlistValue(list)) = &array.values[1].value else { panic!("not a list") };
    assert_eq!((array.values[0].value.as_ref(), list.values[0].key.as_str()), (None, "a"));
}

/// Ids in either case, enums by number and name, numbers in quotes, names in either spelling, unknown fields.
#[test]
fn fields() {
    let read = span(
        r#"{"traceId":"5B8EFFF798038103d269b633813fc60c","span_id":"eee19b7ec3c1b174","parentSpanId":"","kind":"SPAN_KIND_CLIENT",
            "start_time_unix_nano":"1795311763725320492","endTimeUnixNano":1795311763725320493,"name":null,"new":{"a":[1,{}]},
            "droppedEventsCount":"7","flags":257,"status":{"code":2,"message":"late"},"events":null,"links":[]}"#,
    );
    let span = read.unwrap();
    assert_eq!(span.trace_id[..4], [0x5b, 0x8e, 0xff, 0xf7]);
    assert_eq!((span.trace_id.len(), span.span_id.len(), span.parent_span_id.len()), (16, 8, 0));
    assert_eq!((span.kind, span.dropped_events_count, span.flags), (3, 7, 257));
    assert_eq!(span.end_time_unix_nano - span.start_time_unix_nano, 1);
    assert_eq!(span.status.map(|it| (it.code, it.message)), Some((2, "late".to_owned())));
}

/// The fields that only metrics have: packed lists, zigzag integers, optional doubles.
#[test]
fn metric_fields() {
    let json = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[
        {"name":"e","exponentialHistogram":{"aggregationTemporality":"AGGREGATION_TEMPORALITY_DELTA","dataPoints":[
            {"scale":-3,"count":"5","sum":0,"positive":{"offset":-2,"bucketCounts":["1",300]},"zeroThreshold":0.5}]}},
        {"name":"h","histogram":{"dataPoints":[{"bucketCounts":["1","2"],"explicitBounds":[0.1,"Infinity"],"exemplars":[
            {"asInt":"-4","traceId":"5b8efff798038103d269b633813fc60c"}]}]}}]}]}]}"#;
    let request = ExportMetricsServiceRequest::decode(metrics(json.as_bytes()).unwrap()).unwrap();
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    let Some(Data::ExponentialHistogram(histogram)) = &metrics[0].data else { panic!("not exponential") };
    let point = &histogram.data_points[0];
    let positive = point.positive.as_ref().unwrap();
    assert_eq!((histogram.aggregation_temporality, point.scale, point.count, point.sum), (1, -3, 5, Some(0.0)));
    assert_eq!((positive.offset, &positive.bucket_counts[..]), (-2, &[1, 300][..]));
    let Some(Data::Histogram(histogram)) = &metrics[1].data else { panic!("not a histogram") };
    assert_eq!(histogram.data_points[0].explicit_bounds, [0.1, f64::INFINITY]);
    assert_eq!(histogram.data_points[0].bucket_counts, [1, 2]);
}

/// An error says which field is wrong, what it should be, and on which line.
#[test]
fn errors_say_where() {
    let cases = [
        (r#"{"traceId":"abc"}"#, "traceId: expected 32 hex digits, found \"abc\" at line 1"),
        (r#"{"spanId":"eee19b7ec3c1b17g"}"#, "spanId: expected 16 hex digits"),
        (r#"{"spanId":"0xe19b7ec3c1b174"}"#, "spanId: expected 16 hex digits"),
        (r#"{"traceId":7}"#, "traceId: invalid type: integer `7`, expected a string"),
        (r#"{"kind":"CLIENT"}"#, "kind: expected a number or name of the enum, found \"CLIENT\""),
        (r#"{"endTimeUnixNano":-1}"#, "endTimeUnixNano: expected an unsigned 64-bit integer, found -1"),
        (r#"{"endTimeUnixNano":1.5}"#, "endTimeUnixNano: expected an unsigned 64-bit integer, found 1.5"),
        (r#"{"endTimeUnixNano":18446744073709551616}"#, "endTimeUnixNano: expected an unsigned 64-bit integer"),
        (r#"{"flags":4294967296}"#, "flags: expected an unsigned 32-bit integer"),
        (r#"{"attributes":{}}"#, "attributes: invalid type: map, expected a list"),
        (r#"{"attributes":[{},null]}"#, "attributes[1]: invalid type: null, expected an object"),
        (r#"{"status":[]}"#, "status: invalid type: sequence, expected an object"),
        (r#"{"events":[{"name":{}}]}"#, "events[0].name: invalid type: map, expected a string"),
        (r#"{"name":"open"#, "name: EOF while parsing a string"),
    ];
    for (json, expected) in cases {
        let error = span(json).unwrap_err();
        let found = error.strip_prefix("resourceSpans[0].scopeSpans[0].spans[0].").unwrap_or(&error);
        assert!(found.starts_with(expected), "{json}: {error}");
        assert!(error.contains(" at line 1 column "), "{error}");
    }
    for (json, expected) in [
        (r#"{"boolValue":1}"#, "expected true or false, found 1"),
        (r#"{"doubleValue":1e400}"#, "expected a number"),
        (r#"{"doubleValue":"inf"}"#, "expected a number"),
        (r#"{"bytesValue":"%"}"#, "not base64"),
        (r#"{"intValue":9223372036854775808}"#, "expected a 64-bit integer"),
    ] {
        let error = value(json).unwrap_err();
        assert!(error.contains(expected), "{json}: {error}");
    }
    for text in ["", "[]", "{", "{}{}", "null", "\u{feff}{}"] {
        assert!(traces(text.as_bytes()).unwrap_err().to_string().starts_with("request: "), "{text}");
    }
}

/// However deep values are nested, JSON is refused or becomes protobuf that is not too deep.
#[test]
fn depth_is_bounded() {
    for (open, close) in [
        (r#"{"arrayValue":{"values":["#, "]}}"),
        (r#"{"kvlistValue":{"values":[{"key":"k","value":"#, "}]}}"),
        (r#"{"kvlistValue":{"new":[{"value":"#, "}]}}"),
    ] {
        let verdicts: Vec<bool> = (0..200)
            .map(|depth| {
                let value = format!("{}{{}}{}", open.repeat(depth), close.repeat(depth));
                let json = format!(
                    r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"attributes":[{{"value":{value}}}]}}]}}]}}]}}"#
                );
                traces(json.as_bytes()).map(|bytes| Traces::parse(bytes).unwrap()).is_ok()
            })
            .collect();
        assert!(verdicts[20] && (!verdicts[199] || open.contains("new")), "{open}");
    }
}

proptest! {
    /// Any text is refused or becomes protobuf; nothing panics.
    #[test]
    fn any_text_is_judged(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        let text = pieces.concat();
        if let Ok(bytes) = traces(text.as_bytes()) {
            prop_assert!(ExportTraceServiceRequest::decode(bytes.clone()).is_ok());
            prop_assert!(Traces::parse(bytes).is_ok());
        }
    }
}

/// Weighted towards text that goes on being JSON.
const PIECES: &[&str] = &[
    r#"{"resourceSpans":["#,
    r#"{"scopeSpans":["#,
    r#"{"spans":["#,
    r#"{"name":"x"}"#,
    r#"{"attributes":["#,
    r#"{"value":"#,
    "{",
    "}",
    "[",
    "]",
    "]}",
    "]}]}]}",
    ",",
    ":",
    "null",
    "1e999",
    "-0",
    "\"",
    "\\ud800",
    r#""traceId":"""#,
    r#""kind":9"#,
    "é",
    "\u{0}",
];

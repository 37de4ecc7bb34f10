//! The messages of OTLP 1.x (opentelemetry-proto v1: collector, common, resource, trace, logs, metrics) as a
//! table. A gap in the field numbers is a reserved number.

use super::schema::{Field, Kind, Label, Message};

pub(super) static TRACES: Message = message(&[many(1, "resourceSpans", Kind::Message(&RESOURCE_SPANS))]);
pub(super) static LOGS: Message = message(&[many(1, "resourceLogs", Kind::Message(&RESOURCE_LOGS))]);
pub(super) static METRICS: Message = message(&[many(1, "resourceMetrics", Kind::Message(&RESOURCE_METRICS))]);

pub(super) static KEY_VALUE: Message = message(&[
    one(1, "key", Kind::String),
    one(2, "value", Kind::Message(&ANY_VALUE)),
    one(3, "keyStrindex", Kind::Int32),
]);

static ANY_VALUE: Message = message(&[
    oneof(1, "stringValue", Kind::String),
    oneof(2, "boolValue", Kind::Bool),
    oneof(3, "intValue", Kind::Int64),
    oneof(4, "doubleValue", Kind::Double),
    oneof(5, "arrayValue", Kind::Message(&ARRAY_VALUE)),
    oneof(6, "kvlistValue", Kind::Message(&KEY_VALUE_LIST)),
    oneof(7, "bytesValue", Kind::Bytes),
    oneof(8, "stringValueStrindex", Kind::Int32),
]);

static ARRAY_VALUE: Message = message(&[many(1, "values", Kind::Message(&ANY_VALUE))]);
static KEY_VALUE_LIST: Message = message(&[many(1, "values", Kind::Message(&KEY_VALUE))]);

static RESOURCE: Message = message(&[
    many(1, "attributes", Kind::Message(&KEY_VALUE)),
    one(2, "droppedAttributesCount", Kind::Uint32),
    many(3, "entityRefs", Kind::Message(&ENTITY_REF)),
]);

static ENTITY_REF: Message = message(&[
    one(1, "schemaUrl", Kind::String),
    one(2, "type", Kind::String),
    many(3, "idKeys", Kind::String),
    many(4, "descriptionKeys", Kind::String),
]);

static SCOPE: Message = message(&[
    one(1, "name", Kind::String),
    one(2, "version", Kind::String),
    many(3, "attributes", Kind::Message(&KEY_VALUE)),
    one(4, "droppedAttributesCount", Kind::Uint32),
]);

static RESOURCE_SPANS: Message = message(&[
    one(1, "resource", Kind::Message(&RESOURCE)),
    many(2, "scopeSpans", Kind::Message(&SCOPE_SPANS)),
    one(3, "schemaUrl", Kind::String),
]);

static SCOPE_SPANS: Message = message(&[
    one(1, "scope", Kind::Message(&SCOPE)),
    many(2, "spans", Kind::Message(&SPAN)),
    one(3, "schemaUrl", Kind::String),
]);

static SPAN: Message = item(&[
    one(1, "traceId", TRACE_ID),
    one(2, "spanId", SPAN_ID),
    one(3, "traceState", Kind::String),
    one(4, "parentSpanId", SPAN_ID),
    one(5, "name", Kind::String),
    one(6, "kind", Kind::Enum(SPAN_KINDS)),
    one(7, "startTimeUnixNano", Kind::Fixed64),
    one(8, "endTimeUnixNano", Kind::Fixed64),
    many(9, "attributes", Kind::Message(&KEY_VALUE)),
    one(10, "droppedAttributesCount", Kind::Uint32),
    many(11, "events", Kind::Message(&EVENT)),
    one(12, "droppedEventsCount", Kind::Uint32),
    many(13, "links", Kind::Message(&LINK)),
    one(14, "droppedLinksCount", Kind::Uint32),
    one(15, "status", Kind::Message(&STATUS)),
    one(16, "flags", Kind::Fixed32),
]);

static EVENT: Message = message(&[
    one(1, "timeUnixNano", Kind::Fixed64),
    one(2, "name", Kind::String),
    many(3, "attributes", Kind::Message(&KEY_VALUE)),
    one(4, "droppedAttributesCount", Kind::Uint32),
]);

static LINK: Message = message(&[
    one(1, "traceId", TRACE_ID),
    one(2, "spanId", SPAN_ID),
    one(3, "traceState", Kind::String),
    many(4, "attributes", Kind::Message(&KEY_VALUE)),
    one(5, "droppedAttributesCount", Kind::Uint32),
    one(6, "flags", Kind::Fixed32),
]);

static STATUS: Message = message(&[one(2, "message", Kind::String), one(3, "code", Kind::Enum(STATUS_CODES))]);

static RESOURCE_LOGS: Message = message(&[
    one(1, "resource", Kind::Message(&RESOURCE)),
    many(2, "scopeLogs", Kind::Message(&SCOPE_LOGS)),
    one(3, "schemaUrl", Kind::String),
]);

static SCOPE_LOGS: Message = message(&[
    one(1, "scope", Kind::Message(&SCOPE)),
    many(2, "logRecords", Kind::Message(&LOG_RECORD)),
    one(3, "schemaUrl", Kind::String),
]);

static LOG_RECORD: Message = item(&[
    one(1, "timeUnixNano", Kind::Fixed64),
    one(2, "severityNumber", Kind::Enum(SEVERITY_NUMBERS)),
    one(3, "severityText", Kind::String),
    one(5, "body", Kind::Message(&ANY_VALUE)),
    many(6, "attributes", Kind::Message(&KEY_VALUE)),
    one(7, "droppedAttributesCount", Kind::Uint32),
    one(8, "flags", Kind::Fixed32),
    one(9, "traceId", TRACE_ID),
    one(10, "spanId", SPAN_ID),
    one(11, "observedTimeUnixNano", Kind::Fixed64),
    one(12, "eventName", Kind::String),
]);

static RESOURCE_METRICS: Message = message(&[
    one(1, "resource", Kind::Message(&RESOURCE)),
    many(2, "scopeMetrics", Kind::Message(&SCOPE_METRICS)),
    one(3, "schemaUrl", Kind::String),
]);

static SCOPE_METRICS: Message = message(&[
    one(1, "scope", Kind::Message(&SCOPE)),
    many(2, "metrics", Kind::Message(&METRIC)),
    one(3, "schemaUrl", Kind::String),
]);

static METRIC: Message = message(&[
    one(1, "name", Kind::String),
    one(2, "description", Kind::String),
    one(3, "unit", Kind::String),
    oneof(5, "gauge", Kind::Message(&GAUGE)),
    oneof(7, "sum", Kind::Message(&SUM)),
    oneof(9, "histogram", Kind::Message(&HISTOGRAM)),
    oneof(10, "exponentialHistogram", Kind::Message(&EXPONENTIAL_HISTOGRAM)),
    oneof(11, "summary", Kind::Message(&SUMMARY)),
    many(12, "metadata", Kind::Message(&KEY_VALUE)),
]);

static GAUGE: Message = message(&[many(1, "dataPoints", Kind::Message(&NUMBER_POINT))]);

static SUM: Message = message(&[
    many(1, "dataPoints", Kind::Message(&NUMBER_POINT)),
    one(2, "aggregationTemporality", Kind::Enum(TEMPORALITIES)),
    one(3, "isMonotonic", Kind::Bool),
]);

static HISTOGRAM: Message = message(&[
    many(1, "dataPoints", Kind::Message(&HISTOGRAM_POINT)),
    one(2, "aggregationTemporality", Kind::Enum(TEMPORALITIES)),
]);

static EXPONENTIAL_HISTOGRAM: Message = message(&[
    many(1, "dataPoints", Kind::Message(&EXPONENTIAL_POINT)),
    one(2, "aggregationTemporality", Kind::Enum(TEMPORALITIES)),
]);

static SUMMARY: Message = message(&[many(1, "dataPoints", Kind::Message(&SUMMARY_POINT))]);

static NUMBER_POINT: Message = item(&[
    one(2, "startTimeUnixNano", Kind::Fixed64),
    one(3, "timeUnixNano", Kind::Fixed64),
    oneof(4, "asDouble", Kind::Double),
    many(5, "exemplars", Kind::Message(&EXEMPLAR)),
    oneof(6, "asInt", Kind::Sfixed64),
    many(7, "attributes", Kind::Message(&KEY_VALUE)),
    one(8, "flags", Kind::Uint32),
]);

static HISTOGRAM_POINT: Message = item(&[
    one(2, "startTimeUnixNano", Kind::Fixed64),
    one(3, "timeUnixNano", Kind::Fixed64),
    one(4, "count", Kind::Fixed64),
    one(5, "sum", Kind::Double),
    many(6, "bucketCounts", Kind::Fixed64),
    many(7, "explicitBounds", Kind::Double),
    many(8, "exemplars", Kind::Message(&EXEMPLAR)),
    many(9, "attributes", Kind::Message(&KEY_VALUE)),
    one(10, "flags", Kind::Uint32),
    one(11, "min", Kind::Double),
    one(12, "max", Kind::Double),
]);

static EXPONENTIAL_POINT: Message = item(&[
    many(1, "attributes", Kind::Message(&KEY_VALUE)),
    one(2, "startTimeUnixNano", Kind::Fixed64),
    one(3, "timeUnixNano", Kind::Fixed64),
    one(4, "count", Kind::Fixed64),
    one(5, "sum", Kind::Double),
    one(6, "scale", Kind::Sint32),
    one(7, "zeroCount", Kind::Fixed64),
    one(8, "positive", Kind::Message(&BUCKETS)),
    one(9, "negative", Kind::Message(&BUCKETS)),
    one(10, "flags", Kind::Uint32),
    many(11, "exemplars", Kind::Message(&EXEMPLAR)),
    one(12, "min", Kind::Double),
    one(13, "max", Kind::Double),
    one(14, "zeroThreshold", Kind::Double),
]);

static BUCKETS: Message = message(&[one(1, "offset", Kind::Sint32), many(2, "bucketCounts", Kind::Uint64)]);

static SUMMARY_POINT: Message = item(&[
    one(2, "startTimeUnixNano", Kind::Fixed64),
    one(3, "timeUnixNano", Kind::Fixed64),
    one(4, "count", Kind::Fixed64),
    one(5, "sum", Kind::Double),
    many(6, "quantileValues", Kind::Message(&QUANTILE)),
    many(7, "attributes", Kind::Message(&KEY_VALUE)),
    one(8, "flags", Kind::Uint32),
]);

static QUANTILE: Message = message(&[one(1, "quantile", Kind::Double), one(2, "value", Kind::Double)]);

static EXEMPLAR: Message = message(&[
    one(2, "timeUnixNano", Kind::Fixed64),
    oneof(3, "asDouble", Kind::Double),
    one(4, "spanId", SPAN_ID),
    one(5, "traceId", TRACE_ID),
    oneof(6, "asInt", Kind::Sfixed64),
    many(7, "filteredAttributes", Kind::Message(&KEY_VALUE)),
]);

const TRACE_ID: Kind = Kind::Id(16);
const SPAN_ID: Kind = Kind::Id(8);

const SPAN_KINDS: &[&str] = &[
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];

const STATUS_CODES: &[&str] = &["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];

const TEMPORALITIES: &[&str] =
    &["AGGREGATION_TEMPORALITY_UNSPECIFIED", "AGGREGATION_TEMPORALITY_DELTA", "AGGREGATION_TEMPORALITY_CUMULATIVE"];

const SEVERITY_NUMBERS: &[&str] = &[
    "SEVERITY_NUMBER_UNSPECIFIED",
    "SEVERITY_NUMBER_TRACE",
    "SEVERITY_NUMBER_TRACE2",
    "SEVERITY_NUMBER_TRACE3",
    "SEVERITY_NUMBER_TRACE4",
    "SEVERITY_NUMBER_DEBUG",
    "SEVERITY_NUMBER_DEBUG2",
    "SEVERITY_NUMBER_DEBUG3",
    "SEVERITY_NUMBER_DEBUG4",
    "SEVERITY_NUMBER_INFO",
    "SEVERITY_NUMBER_INFO2",
    "SEVERITY_NUMBER_INFO3",
    "SEVERITY_NUMBER_INFO4",
    "SEVERITY_NUMBER_WARN",
    "SEVERITY_NUMBER_WARN2",
    "SEVERITY_NUMBER_WARN3",
    "SEVERITY_NUMBER_WARN4",
    "SEVERITY_NUMBER_ERROR",
    "SEVERITY_NUMBER_ERROR2",
    "SEVERITY_NUMBER_ERROR3",
    "SEVERITY_NUMBER_ERROR4",
    "SEVERITY_NUMBER_FATAL",
    "SEVERITY_NUMBER_FATAL2",
    "SEVERITY_NUMBER_FATAL3",
    "SEVERITY_NUMBER_FATAL4",
];

const fn one(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, label: Label::One }
}

const fn many(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, label: Label::Many }
}

const fn oneof(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, label: Label::Oneof }
}

const fn message(fields: &'static [Field]) -> Message {
    Message { fields, item: false }
}

const fn item(fields: &'static [Field]) -> Message {
    Message { fields, item: true }
}

//! What a span costs before anything is sent anywhere: `decode` is the check and one walk over every attribute,
//! `ingest` the whole road from a request's bytes to recorded histograms (four-span requests with content, windows,
//! rules and redaction on, requests closed as their grace passes).
//! Throughput is in spans; `meta` is an LLM span of 25 attributes and about 1 KB, `content` the same with its
//! messages, about 8 KB.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use freezeframe::config::{self, Source};
use freezeframe::core::time::UnixNanos;
use freezeframe::engine::Engine;
use freezeframe::engine::registry::Registry;
use freezeframe::otlp::{Traces, Value};
use freezeframe::toolkit::traffic::Exchange;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

criterion_group!(benches, decode, ingest);
criterion_main!(benches);

/// Spans in a request: the batch processors' default, and half of it where bodies would pass 4 MiB.
const META_SPANS: usize = 512;
const CONTENT_SPANS: usize = 256;

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for (name, spans, content) in [("meta", META_SPANS, false), ("content", CONTENT_SPANS, true)] {
        let bytes = request(spans, content);
        group.throughput(Throughput::Elements(spans as u64));
        group.bench_with_input(BenchmarkId::new("check", name), &bytes, |bencher, bytes| {
            bencher.iter(|| Traces::parse(black_box(bytes.clone())).expect("well-formed").len());
        });
        group.bench_with_input(BenchmarkId::new("check and walk", name), &bytes, |bencher, bytes| {
            bencher.iter(|| walk(&Traces::parse(black_box(bytes.clone())).expect("well-formed")));
        });
    }
    group.finish();
}

/// Requests of four spans in one export.
const EXCHANGES: u64 = 128;

fn ingest(criterion: &mut Criterion) {
    let config = Arc::new(config::load(&Source::Default, &|_| None).expect("the defaults are valid").0);
    let registry = Arc::new(Registry::new(config.features.max));
    let start = UnixNanos(1_795_300_000_000_000_000);
    let mut engine = Engine::new(config, registry, 1, start);
    let mut number = 0;
    let mut group = criterion.benchmark_group("ingest");
    group.throughput(Throughput::Elements(4 * EXCHANGES));
    group.bench_function("rag", |bencher| {
        bencher.iter_batched(
            || {
                number += EXCHANGES;
                let now = start.plus(Duration::from_secs(number / EXCHANGES));
                let exchanges = (number..number + EXCHANGES).map(|n| Exchange::healthy(n, now).export());
                // Protobuf messages that follow each other are one message.
                (now, exchanges.collect::<Vec<_>>().concat())
            },
            |(now, bytes)| {
                engine.traces(&Traces::parse(Bytes::from(bytes)).expect("well-formed"), now);
                engine.tick(now);
                engine.take_effects()
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// Touches every attribute, so that nothing is optimised away.
fn walk(traces: &Traces) -> u64 {
    let mut sum = 0u64;
    traces.spans().for_each(|(_, _, span)| {
        sum = sum.wrapping_add(span.end_unix_nano - span.start_unix_nano).wrapping_add(span.trace_id.len() as u64);
        for (key, value) in span.attributes() {
            sum = sum.wrapping_add(key.len() as u64 + u64::from(key.first().copied().unwrap_or(0)));
            sum = sum.wrapping_add(match value {
                Value::Str(text) | Value::Bytes(text) => text.len() as u64,
                Value::Int(int) => int.cast_unsigned(),
                Value::Double(double) => double.to_bits(),
                Value::Bool(flag) => flag.into(),
                Value::Array(values) => values.count() as u64,
                Value::KvList(list) => list.count() as u64,
                Value::Empty => 0,
            });
        }
    });
    sum
}

/// One resource, one scope and so many spans.
fn request(spans: usize, content: bool) -> Bytes {
    let resource = ["service.name", "service.version", "telemetry.sdk.language", "host.name"];
    let resource_spans = ResourceSpans {
        resource: Some(Resource {
            attributes: resource.map(|key| text(key, "shop-assistant")).into(),
            ..Resource::default()
        }),
        scope_spans: vec![ScopeSpans {
            scope: Some(InstrumentationScope {
                name: "openinference.instrumentation.openai".to_owned(),
                version: "0.1.30".to_owned(),
                ..InstrumentationScope::default()
            }),
            spans: (0..spans as u64).map(|n| span(n, content)).collect(),
            schema_url: String::new(),
        }],
        schema_url: String::new(),
    };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans] }.encode_to_vec().into()
}

fn span(n: u64, content: bool) -> Span {
    let start = 1_795_311_763_000_000_000 + n * 1_000_000;
    Span {
        trace_id: u128::from(n).to_be_bytes().into(),
        span_id: n.to_be_bytes().into(),
        parent_span_id: (n + 1).to_be_bytes().into(),
        name: "chat gpt-4o-mini".to_owned(),
        kind: 3,
        start_time_unix_nano: start,
        end_time_unix_nano: start + 734_211_000,
        attributes: if content { [metadata(n), messages()].concat() } else { metadata(n) },
        status: Some(Status { code: 1, ..Status::default() }),
        flags: 0x101,
        ..Span::default()
    }
}

/// The 25 attributes of an LLM call, as the semantic conventions and a vendor or two name them.
fn metadata(n: u64) -> Vec<KeyValue> {
    let n = n.cast_signed();
    let finish_reasons = ArrayValue { values: vec![AnyValue { value: Some(Any::StringValue("stop".to_owned())) }] };
    vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", "openai"),
        text("gen_ai.request.model", "gpt-4o-mini"),
        text("gen_ai.response.model", "gpt-4o-mini-2024-07-18"),
        text("gen_ai.response.id", "chatcmpl-C7bQ5m1s9kXhT4vWq2YpN8rLzA3dE"),
        attribute("gen_ai.response.finish_reasons", Any::ArrayValue(finish_reasons)),
        attribute("gen_ai.request.temperature", Any::DoubleValue(0.2)),
        attribute("gen_ai.request.top_p", Any::DoubleValue(0.95)),
        attribute("gen_ai.request.max_tokens", Any::IntValue(1024)),
        attribute("gen_ai.request.seed", Any::IntValue(n)),
        attribute("gen_ai.usage.input_tokens", Any::IntValue(1200 + n)),
        attribute("gen_ai.usage.output_tokens", Any::IntValue(180 + n)),
        attribute("gen_ai.usage.cache_read.input_tokens", Any::IntValue(1024)),
        text("gen_ai.conversation.id", "conv-5f0c2b4e-1a77-4a55-9a44-0d6b1f2c8e31"),
        text("gen_ai.output.type", "text"),
        text("server.address", "api.openai.com"),
        attribute("server.port", Any::IntValue(443)),
        text("openai.api.type", "chat_completions"),
        text("openai.response.service_tier", "default"),
        text("openai.response.system_fingerprint", "fp_44add55e8f"),
        text("app.feature", "answers/returns-042"),
        text("app.prompt.version", "support-answer@17"),
        text("enduser.id", "u-8842013377"),
        attribute("llm.is_streaming", Any::BoolValue(true)),
        attribute("gen_ai.usage.cost", Any::DoubleValue(0.000_412)),
    ]
}

/// The messages that make a span eight times as long.
fn messages() -> Vec<KeyValue> {
    let lengths =
        [("gen_ai.system_instructions", 900), ("gen_ai.input.messages", 3600), ("gen_ai.output.messages", 1100)];
    let mut attributes: Vec<KeyValue> =
        lengths.into_iter().map(|(key, len)| text(key, &"parcel ".repeat(len / 7))).collect();
    attributes.push(text("gen_ai.tool.definitions", &"{\"type\":\"function\"}".repeat(80)));
    attributes
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Any::StringValue(value.to_owned()))
}

fn attribute(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

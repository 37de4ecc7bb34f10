//! What a span costs before anything is sent anywhere: `decode` is the check and one walk over every attribute,
//! `ingest` the whole road from a request's bytes to recorded histograms, windows, rules and leak detection on.
//! Throughput is in spans; `meta` is an LLM span of 25 attributes and about 1 KB, `content` the same with its
//! messages, about 8 KB, `rag` a request of four spans with content.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
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
use serde_json::json;

/// As in the binary: half of what a request costs is its allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

criterion_group!(benches, decode, ingest);
criterion_main!(benches);

/// Spans in a request: the batch processors' default, and half of it where bodies would pass 4 MiB.
const META_SPANS: usize = 512;
const CONTENT_SPANS: usize = 256;

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for (name, spans, content) in [("meta", META_SPANS, false), ("content", CONTENT_SPANS, true)] {
        let bytes = request(0, spans, content, UnixNanos(1_795_311_763_000_000_000));
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
    let rag = |first: u64, now| {
        let exchanges = (first..).take(EXCHANGES as usize).map(|n| Exchange::healthy(n, now).export());
        // Protobuf messages that follow each other are one message.
        Bytes::from(exchanges.collect::<Vec<_>>().concat())
    };
    let mut group = criterion.benchmark_group("ingest");
    bench(&mut group, "meta", META_SPANS as u64, |first, now| request(first, META_SPANS, false, now));
    bench(&mut group, "content", CONTENT_SPANS as u64, |first, now| request(first, CONTENT_SPANS, true, now));
    bench(&mut group, "rag", 4 * EXCHANGES, rag);
    group.finish();
}

/// Sends one export a second of virtual time; `export` makes it from the number of its first trace and the time.
fn bench(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, spans: u64, export: impl Fn(u64, UnixNanos) -> Bytes) {
    let config = Arc::new(config::load(&Source::Default, &|_| None).expect("the defaults are valid").0);
    let registry = Arc::new(Registry::new(config.features.max));
    let start = UnixNanos(1_795_300_000_000_000_000);
    let mut engine = Engine::new(config, registry, 1, start);
    let mut exports = 0;
    group.throughput(Throughput::Elements(spans));
    group.bench_function(name, |bencher| {
        bencher.iter_batched(
            || {
                exports += 1;
                let now = start.plus(Duration::from_secs(exports));
                (now, export(exports * spans, now))
            },
            |(now, bytes)| {
                engine.traces(&Traces::parse(bytes).expect("well-formed"), now);
                engine.tick(now);
                engine.take_effects()
            },
            BatchSize::PerIteration,
        );
    });
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

/// One resource, one scope and so many spans, each a trace of its own, numbered from `first`.
fn request(first: u64, spans: usize, content: bool, now: UnixNanos) -> Bytes {
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
            spans: (first..).take(spans).map(|n| span(n, content, now)).collect(),
            schema_url: String::new(),
        }],
        schema_url: String::new(),
    };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans] }.encode_to_vec().into()
}

fn span(n: u64, content: bool, now: UnixNanos) -> Span {
    Span {
        trace_id: u128::from(n + 1).to_be_bytes().into(),
        span_id: (n + 1).to_be_bytes().into(),
        name: "chat gpt-4o-mini".to_owned(),
        kind: 3,
        start_time_unix_nano: now.0 - 734_211_000,
        end_time_unix_nano: now.0,
        attributes: if content { [metadata(n), messages()].concat() } else { metadata(n) },
        status: Some(Status { code: 1, ..Status::default() }),
        flags: 0x101,
        ..Span::default()
    }
}

/// The 25 attributes of an LLM call, as the semantic conventions and a vendor or two name them.
fn metadata(n: u64) -> Vec<KeyValue> {
    let n = (n % 1000).cast_signed();
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

/// The messages that make a span eight times as long. Like those of an application: the same system part and tools on
/// every call.
fn messages() -> Vec<KeyValue> {
    let prose = |bytes: usize| "the parcel of order 4711 left on 2026-11-03, ".repeat(bytes / 44);
    let said = |role: &str, bytes| json!({ "role": role, "parts": [{ "type": "text", "content": prose(bytes) }] });
    let tool = |name: &str| {
        let query = json!({ "type": "string", "description": prose(60) });
        let parameters = json!({ "type": "object", "properties": { "query": query }, "required": ["query"] });
        json!({ "type": "function", "name": name, "description": prose(130), "parameters": parameters })
    };
    vec![
        text("gen_ai.system_instructions", &json!([{ "type": "text", "content": prose(900) }]).to_string()),
        text(
            "gen_ai.input.messages",
            &json!([said("user", 1100), said("assistant", 1100), said("user", 1100)]).to_string(),
        ),
        text("gen_ai.output.messages", &json!([said("assistant", 1100)]).to_string()),
        text("gen_ai.tool.definitions", &json!(["find", "track", "refund", "escalate"].map(tool)).to_string()),
    ]
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Any::StringValue(value.to_owned()))
}

fn attribute(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

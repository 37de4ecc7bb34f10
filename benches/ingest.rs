//! What a span costs before anything is sent anywhere: `decode` is the check and one walk over every attribute,
//! `ingest` the whole road from a request's bytes to recorded histograms, windows, rules and leak detection on.
//! Throughput is in spans; `meta` is an LLM span of 25 attributes and about 1 KB, `content` the same with its
//! messages, about 8 KB, `rag` a request of four spans with content.

mod payload;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use freezeframe::config::{self, Source};
use freezeframe::core::time::UnixNanos;
use freezeframe::engine::Engine;
use freezeframe::engine::registry::Registry;
use freezeframe::otlp::{Traces, Value};
use payload::Payload;

const START: UnixNanos = UnixNanos(1_795_300_000_000_000_000);

/// As in the binary: half of what a request costs is its allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

criterion_group!(benches, decode, ingest);
criterion_main!(benches);

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for payload in [Payload::Meta, Payload::Content] {
        let bytes = payload.export(0, START);
        group.throughput(Throughput::Elements(payload.spans()));
        group.bench_with_input(BenchmarkId::new("check", payload.name()), &bytes, |bencher, bytes| {
            bencher.iter(|| Traces::parse(black_box(bytes.clone())).expect("well-formed").len());
        });
        group.bench_with_input(BenchmarkId::new("check and walk", payload.name()), &bytes, |bencher, bytes| {
            bencher.iter(|| walk(&Traces::parse(black_box(bytes.clone())).expect("well-formed")));
        });
    }
    group.finish();
}

/// Sends one export a second of virtual time.
fn ingest(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ingest");
    for payload in Payload::ALL {
        let config = Arc::new(config::load(&Source::Default, &|_| None).expect("the defaults are valid").0);
        let registry = Arc::new(Registry::new(config.features.max));
        let mut engine = Engine::new(config, registry, 1, START);
        let mut exports = 0;
        group.throughput(Throughput::Elements(payload.spans()));
        group.bench_function(payload.name(), |bencher| {
            bencher.iter_batched(
                || {
                    exports += 1;
                    let now = START.plus(Duration::from_secs(exports));
                    (now, payload.export(exports, now))
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

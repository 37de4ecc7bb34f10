//! What one answer costs: the requests of a baseline and a fifth of that of an incident, by 18 dimensions.
//! `cargo bench --bench explain`.
#![expect(dead_code, reason = "a part of the simulator is enough")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use freezeframe::core::attribution::{Verdict, explain};
use freezeframe::core::frame::Rows;
use freezeframe::core::variable::Variable;

use crate::incident::{Cause, Mode, incident};
use crate::sides::sides;

#[path = "../tests/it/attribution/incident.rs"]
mod incident;
#[path = "attribution/sides.rs"]
mod sides;
#[path = "../tests/it/attribution/world.rs"]
mod world;

/// Requests of the incident.
const REQUESTS: [usize; 2] = [2_000, 20_000];

criterion_group!(benches, answers);
criterion_main!(benches);

fn answers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("explain");
    group.sample_size(20).measurement_time(Duration::from_secs(10));
    for requests in REQUESTS {
        let (before, now) = sides(&incident(3, Cause::Prompt, Mode::Hard, requests..=requests));
        let all = before.len() + now.len();
        group.throughput(Throughput::Elements(all as u64));
        group.bench_function(BenchmarkId::new("explanation", all), |bencher| {
            bencher.iter(|| explain(black_box(&before), black_box(&now)));
        });
        let word = |_, code: u8| code.to_string();
        group.bench_function(BenchmarkId::new("verdict", all), |bencher| {
            bencher.iter(|| Verdict::of(black_box(&before), black_box(&now), &word));
        });
        group.bench_function(BenchmarkId::new("rows", all), |bencher| {
            bencher.iter(|| {
                let rows = Rows::of(black_box(&before), black_box(&now), &word);
                (Variable::ALL.map(|it| rows.columns(it)), rows.outcomes())
            });
        });
    }
    group.finish();
}

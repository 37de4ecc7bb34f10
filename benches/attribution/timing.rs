//! How long one answer takes: 80,000 requests of the baseline, 20,000 of the incident, 18 dimensions.

use std::time::Instant;

use freezeframe::core::attribution::explain;

use crate::incident::{Cause, Mode, incident};
use crate::sides::sides;

const REQUESTS: usize = 20_000;

pub(crate) fn print(times: usize) {
    let (before, now) = sides(&incident(3, Cause::Prompt, Mode::Hard, REQUESTS..=REQUESTS));
    let mut took: Vec<_> = (0..times)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(explain(&before, &now));
            start.elapsed()
        })
        .collect();
    took.sort_unstable();
    let at = |share: usize| took[(took.len() * share / 100).min(took.len() - 1)];
    let requests = before.len() + now.len();
    println!("One answer over {requests} requests: median {:?}, 99th percentile {:?}", at(50), at(99));
}

//! Model calls by the labels of the GenAI semantic conventions, in the buckets these prescribe.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::labelled::{Known, OTHER};
use crate::core::measurement::micros;
use crate::core::request::ModelCall;

/// Upper bounds of `gen_ai.client.operation.duration`, microseconds (GenAI semantic conventions, metrics).
const DURATION_BOUNDS: [u64; 14] = [
    10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 640_000, 1_280_000, 2_560_000, 5_120_000, 10_240_000, 20_480_000,
    40_960_000, 81_920_000,
];
/// Upper bounds of `gen_ai.client.operation.time_to_first_chunk`, microseconds (as above).
const FIRST_CHUNK_BOUNDS: [u64; 16] = [
    1_000, 5_000, 10_000, 20_000, 40_000, 60_000, 80_000, 100_000, 250_000, 500_000, 750_000, 1_000_000, 2_500_000,
    5_000_000, 7_500_000, 10_000_000,
];
/// Upper bounds of `gen_ai.client.token.usage`, tokens (as above).
const TOKEN_BOUNDS: [u64; 14] =
    [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864];

/// The labels of a model call, as the GenAI semantic conventions have them; empty where telemetry is silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// `gen_ai.operation.name`
    pub operation: Box<str>,
    /// `gen_ai.provider.name`
    pub provider: Box<str>,
    /// `gen_ai.request.model`
    pub model_requested: Box<str>,
    /// `gen_ai.response.model`
    pub model_served: Box<str>,
    /// `error.type`; empty when the call worked.
    pub error_type: Box<str>,
}

/// Distributions of the model calls with the same labels.
#[derive(Debug)]
pub struct CallMeters {
    /// Microseconds.
    pub duration: Buckets,
    /// Microseconds.
    pub time_to_first_token: Buckets,
    /// Tokens.
    pub input_tokens: Buckets,
    /// Tokens.
    pub output_tokens: Buckets,
}

/// A histogram with fixed bounds, as Prometheus has them.
#[derive(Debug)]
pub struct Buckets {
    bounds: &'static [u64],
    cells: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Call {
    pub(super) fn other() -> Self {
        let [operation, provider, model_requested, model_served] = [OTHER; 4].map(Into::into);
        Self { operation, provider, model_requested, model_served, error_type: "".into() }
    }
}

/// The labels of a call where they are, to look a series up without copying them.
pub(super) struct CallLabels<'a> {
    operation: &'a str,
    call: &'a ModelCall,
}

impl<'a> CallLabels<'a> {
    pub(super) fn new(operation: Option<&'a str>, call: &'a ModelCall) -> Self {
        Self { operation: operation.unwrap_or_default(), call }
    }

    fn parts(&self) -> [&str; 5] {
        let call = self.call;
        [
            self.operation,
            call.provider.as_deref().unwrap_or_default(),
            call.model_requested.as_deref().unwrap_or_default(),
            call.model_served.as_deref().unwrap_or_default(),
            call.error.as_ref().map_or("", |error| &error.kind),
        ]
    }
}

impl Known<Call> for CallLabels<'_> {
    fn is(&self, call: &Call) -> bool {
        let Call { operation, provider, model_requested, model_served, error_type } = call;
        self.parts() == [&**operation, &**provider, &**model_requested, &**model_served, &**error_type]
    }

    fn label(&self) -> Call {
        let [operation, provider, model_requested, model_served, error_type] = self.parts().map(Into::into);
        Call { operation, provider, model_requested, model_served, error_type }
    }
}

impl Default for CallMeters {
    fn default() -> Self {
        Self {
            duration: Buckets::new(&DURATION_BOUNDS),
            time_to_first_token: Buckets::new(&FIRST_CHUNK_BOUNDS),
            input_tokens: Buckets::new(&TOKEN_BOUNDS),
            output_tokens: Buckets::new(&TOKEN_BOUNDS),
        }
    }
}

impl CallMeters {
    /// Memory of one combination of labels, without their text.
    pub(super) const fn bytes() -> usize {
        let cells = DURATION_BOUNDS.len() + FIRST_CHUNK_BOUNDS.len() + 2 * TOKEN_BOUNDS.len() + 4;
        size_of::<Self>() + cells * size_of::<AtomicU64>()
    }

    pub(super) fn record(&self, call: &ModelCall) {
        self.duration.record(micros(call.duration));
        let told = [
            (&self.time_to_first_token, call.time_to_first_token.map(micros)),
            (&self.input_tokens, call.input_tokens),
            (&self.output_tokens, call.output_tokens),
        ];
        for (buckets, value) in told {
            value.into_iter().for_each(|value| buckets.record(value));
        }
    }
}

impl Buckets {
    fn new(bounds: &'static [u64]) -> Self {
        Self { bounds, cells: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(), sum: AtomicU64::new(0) }
    }

    /// The upper bounds, ascending.
    #[must_use]
    pub fn bounds(&self) -> &'static [u64] {
        self.bounds
    }

    /// Counts at or below each bound, then sum and count.
    #[must_use]
    pub fn cumulative(&self) -> (Vec<u64>, u64, u64) {
        let mut buckets: Vec<u64> = self.cells.iter().map(|cell| cell.load(Relaxed)).collect();
        let mut below = 0;
        for bucket in &mut buckets {
            below += *bucket;
            *bucket = below;
        }
        buckets.pop();
        (buckets, self.sum.load(Relaxed), below)
    }

    fn record(&self, value: u64) {
        self.cells[self.bounds.partition_point(|bound| *bound < value)].fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }
}

//! The memory budget: the worst case of everything that is held, as a sum of the configured limits.

use super::{Config, JUDGE_CALLS_MAX, JUDGE_QUEUE_MAX};
use crate::core::completeness::Recent;
use crate::core::meters::Meters;
use crate::core::{baseline, declared, ledger, recorder, vocabulary, window};

/// Ids, times and counters of an open trace, without its content.
const TRACE_BYTES: u64 = 1 << 10;

/// A label of a meter: tool, model, index. Longer ones are rare and short features make up for them.
const LABEL_BYTES: usize = 128;

/// A value of a dimension: a version, a digest, a name. Longer ones are rare, too.
const VALUE_BYTES: usize = 64;

/// The detail of one value of a variable: a prompt is in the records, here stand names, versions and digests.
const DETAIL_BYTES: usize = 1 << 10;

/// A kept request holds about this many full texts: system prompt, question, answer, documents, tool arguments, tool
/// results.
const RECORD_TEXTS: u64 = 6;

/// Everything of a kept request but its texts.
const RECORD_BYTES: u64 = 2 << 10;

/// A row; its ring has no room to spare.
const ROW_BYTES: u64 = 80;

/// `_all`, `_other` and `_drill`.
const OWN_FEATURES: u64 = 3;

/// How each part of [`worst_case`] comes about, for the reference.
pub(super) const FORMULAS: [&str; 8] = [
    "`in_flight_max` x `request_bytes_max`",
    "`sending_queue.bytes_max`, when forwarding",
    "`assembly.bytes_max` + `traces_max` x 1 KiB",
    "what is declared of judges, indexes, prompts and tools",
    "(`features.max` + 3) x what one feature's meters, slots, variables and values take at most",
    "(`features.max` + 3) x `records_max` x (6 x `content_bytes_max` + 2 KiB)",
    "`judges` x 36 x (6 x `content_bytes_max` + 2 KiB)",
    "`features.rows_max` x 80 bytes; at least 1,000 rows a feature",
];

/// The parts of the worst case, `(what, bytes)`.
pub(super) fn worst_case(config: &Config) -> [(&'static str, u64); 8] {
    let product = |factors: &[u64]| factors.iter().fold(1_u64, |all, factor| all.saturating_mul(*factor));
    let features = (config.features.max as u64).saturating_add(OWN_FEATURES);
    let traces = product(&[config.assembly.traces_max as u64, TRACE_BYTES]);
    let record = product(&[RECORD_TEXTS, config.assembly.content_bytes_max as u64]).saturating_add(RECORD_BYTES);
    [
        ("receiver", product(&[config.receiver.in_flight_max as u64, config.receiver.request_bytes_max as u64])),
        ("forward queue", config.exporter.as_ref().map_or(0, |exporter| exporter.queue_bytes_max as u64)),
        ("assembly", traces.saturating_add(config.assembly.bytes_max as u64)),
        ("declarations", declared::BYTES_MAX as u64),
        ("windows", features.saturating_mul(feature_bytes(&config.windows))),
        ("records", product(&[features, config.records_max as u64, record])),
        ("judges", product(&[config.judges.len() as u64, (JUDGE_QUEUE_MAX + JUDGE_CALLS_MAX) as u64, record])),
        ("rows", product(&[features.saturating_mul(recorder::ROWS_MIN as u64).max(config.rows_max as u64), ROW_BYTES])),
    ]
}

/// Meters, slots and variables of one feature, every histogram full.
pub(super) fn feature_bytes(windows: &window::Policy) -> u64 {
    (Meters::bytes_max(LABEL_BYTES)
        + Recent::bytes_max()
        + window::bytes_max(windows)
        + baseline::BYTES_MAX
        + vocabulary::bytes_max(VALUE_BYTES)
        + ledger::bytes_max(windows, DETAIL_BYTES)) as u64
}

//! Frames as the engine freezes them, and the log they go to.

use std::path::Path;

use freezeframe::config::Evidence;
use freezeframe::core::time::UnixNanos;
use freezeframe::engine::store::FrameBytes;
use freezeframe::evidence::{Log, OpenError, os_entropy};
use serde_json::{Map, Value, json};

/// When everything happens.
pub(crate) const NOW: UnixNanos = UnixNanos(1_795_313_940_000_000_000);

const VARIABLES: [&str; 6] =
    ["prompt_revision", "model_route", "judge", "retrieval_index", "tool_schemas", "traffic_mix"];

pub(crate) fn config() -> Evidence {
    Evidence { origin: "example.com/torture".into(), ..Evidence::default() }
}

/// Opens the log in a directory.
pub(crate) fn open(dir: &Path) -> Result<Log, OpenError> {
    Log::open(dir, &config(), NOW, os_entropy())
}

/// A frame of a few hundred bytes.
pub(crate) fn small(number: u64) -> FrameBytes {
    let id = format!("0193f0a2-0000-7000-8000-{number:012x}");
    let mut body = Map::new();
    body.insert("id".into(), json!(id));
    body.insert("schema".into(), json!("freezeframe.frame/v1"));
    body.insert("text".into(), json!(format!("frame number {number}, \u{e9}\u{2014}")));
    let captured_at = "2026-11-22T02:19:00.000Z".into();
    FrameBytes { id, captured_at, feature: "checkout".into(), fingerprint: "f00d".into(), body }
}

/// A frame with all six variables and samples of requests, about 16 KiB of canonical JSON.
pub(crate) fn full(number: u64) -> FrameBytes {
    let mut frame = small(number);
    let variables: Map<_, _> = VARIABLES.iter().map(|name| ((*name).to_owned(), variable(name, number))).collect();
    frame.body.insert("variables".into(), variables.into());
    let requests = |count: u64| (0..count).map(|n| request(number, n)).collect::<Vec<_>>();
    frame.body.insert("samples".into(), json!({"failing": requests(4), "healthy": requests(3)}));
    frame
}

/// A frame of about as many bytes.
pub(crate) fn large(number: u64, bytes: usize) -> FrameBytes {
    let mut frame = small(number);
    frame.body.insert("padding".into(), json!("x".repeat(bytes)));
    frame
}

/// A text that only the variable `name` of this frame holds, and its samples.
pub(crate) fn canary(name: &str, number: u64) -> String {
    format!("canary of {name} in frame {number}, which nobody else would say in so many words")
}

fn variable(name: &str, number: u64) -> Value {
    let change = |n: u64| {
        json!({
            "at": format!("2026-11-22T02:{:02}:11.250Z", n % 60),
            "before": {"value": format!("{name}@sha256:{:064x}", number * 7 + n), "share": 0.75},
            "after": {"value": format!("{name}@sha256:{:064x}", number * 11 + n), "share": 0.25},
            "requests": number % 1000 + n,
        })
    };
    let text = canary(name, number);
    let changes: Vec<_> = (0..3).map(change).collect();
    json!({"state": "captured", "detail": {"text": text, "changes": changes, "source": "spans", "confidence": 0.875}})
}

fn request(number: u64, n: u64) -> Value {
    let sentence = "The customer asks whether the order can still be changed, and the answer names the wrong policy. ";
    json!({
        "trace_id": format!("{:032x}", number * 16 + n),
        "started_at": "2026-11-22T02:18:31.125Z",
        "duration_ms": 1250 + n,
        "model": "example-model-2026-10",
        "usage": {"input_tokens": 812, "output_tokens": 164, "cost_usd": 0.00325},
        "messages": [
            {"role": "system", "content": canary("prompt_revision", number)},
            {"role": "user", "content": sentence.repeat(5)},
            {"role": "assistant", "content": sentence.repeat(7)},
        ],
    })
}

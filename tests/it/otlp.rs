//! The OTLP views and the JSON mapping against opentelemetry-proto's prost types: random requests, requests recorded
//! from real instrumentations, and both of them damaged.

#[path = "otlp/arbitrary.rs"]
mod arbitrary;
#[path = "otlp/equal.rs"]
mod equal;

use std::path::{Path, PathBuf};
use std::time::Duration;

use freezeframe::otlp::{self, Logs, Malformed, Metrics, Traces, json};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::prelude::*;
use prost::Message;

proptest! {
    /// A view yields what prost decodes, even with fields from a newer schema at its end.
    #[test]
    fn traces_equal_prost(request in arbitrary::traces(), unknown in arbitrary::unknown_fields()) {
        let bytes = [request.encode_to_vec(), unknown].concat();
        equal::traces_equal(&Traces::parse(bytes.into()).unwrap(), &request);
    }

    /// A view yields what prost decodes, even with fields from a newer schema at its end.
    #[test]
    fn logs_equal_prost(request in arbitrary::logs(), unknown in arbitrary::unknown_fields()) {
        let bytes = [request.encode_to_vec(), unknown].concat();
        equal::logs_equal(&Logs::parse(bytes.into()).unwrap(), &request);
    }

    /// JSON as opentelemetry-proto writes it is the same request in protobuf.
    #[test]
    fn json_of_traces_is_the_same_request(request in arbitrary::traces()) {
        let bytes = json::traces(&serde_json::to_vec(&request).unwrap()).unwrap();
        prop_assert_eq!(ExportTraceServiceRequest::decode(bytes).unwrap(), request);
    }

    /// JSON as opentelemetry-proto writes it is the same request in protobuf.
    #[test]
    fn json_of_logs_is_the_same_request(request in arbitrary::logs()) {
        let bytes = json::logs(&serde_json::to_vec(&request).unwrap()).unwrap();
        prop_assert_eq!(ExportLogsServiceRequest::decode(bytes).unwrap(), request);
    }

    /// Damage is refused, or read as prost reads it, wherever it is.
    #[test]
    fn damaged_requests_are_judged_as_prost_judges_them(
        request in arbitrary::traces(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = request.encode_to_vec();
        bytes.insert(at.index(bytes.len() + 1), byte);
        equal::traces(&bytes);
    }
}

/// Every recorded request of spans and log records reads as prost reads it, whole and cut at any byte.
#[test]
fn captures_equal_prost() {
    for path in captures("pb") {
        let bytes = std::fs::read(&path).unwrap();
        let check = checker(&path);
        check(&bytes);
        (0..bytes.len()).step_by(1 + bytes.len() / 512).for_each(|end| check(&bytes[..end]));
    }
}

/// Metrics are counted by data points.
#[test]
fn metrics_are_counted() {
    for path in captures("metrics.pb") {
        let bytes = std::fs::read(&path).unwrap();
        let request = ExportMetricsServiceRequest::decode(&*bytes).unwrap();
        let metrics = request.resource_metrics.iter().flat_map(|it| &it.scope_metrics).flat_map(|it| &it.metrics);
        let points: usize = metrics.map(arbitrary::data_points).sum();
        let parsed = Metrics::parse(bytes.clone().into()).unwrap();
        assert_eq!((parsed.len(), parsed.is_empty(), &parsed.bytes()[..]), (points, false, &bytes[..]), "{path:?}");
    }
}

/// The JSON bodies of real exporters are the requests recorded beside them in protobuf, where there are such.
#[test]
fn json_captures_equal_their_protobuf() {
    let twin = |path: &Path| PathBuf::from(path.to_str().unwrap().replace(".http.json", ".pb"));
    let pairs: Vec<_> = captures("http.json").into_iter().filter(|path| twin(path).exists()).collect();
    assert!(pairs.len() >= 5, "{pairs:?}");
    for path in pairs {
        let text = std::fs::read(&path).unwrap();
        let reference = std::fs::read(twin(&path)).unwrap();
        if signal(&path) == "metrics" {
            let ours = ExportMetricsServiceRequest::decode(json::metrics(&text).unwrap()).unwrap();
            assert_eq!(ours, ExportMetricsServiceRequest::decode(&*reference).unwrap(), "{path:?}");
        } else {
            let ours = ExportTraceServiceRequest::decode(json::traces(&text).unwrap()).unwrap();
            assert_eq!(ours, ExportTraceServiceRequest::decode(&*reference).unwrap(), "{path:?}");
        }
    }
}

/// Every recorded request survives the way through opentelemetry-proto's JSON.
#[test]
fn captures_survive_json() {
    for path in captures("pb") {
        let bytes = std::fs::read(&path).unwrap();
        match signal(&path) {
            "metrics" => {
                let request = ExportMetricsServiceRequest::decode(&*bytes).unwrap();
                let ours = json::metrics(&serde_json::to_vec(&request).unwrap()).unwrap();
                assert_eq!(ExportMetricsServiceRequest::decode(ours).unwrap(), request, "{path:?}");
            }
            "logs" => {
                let request = ExportLogsServiceRequest::decode(&*bytes).unwrap();
                let ours = json::logs(&serde_json::to_vec(&request).unwrap()).unwrap();
                assert_eq!(ExportLogsServiceRequest::decode(ours).unwrap(), request, "{path:?}");
            }
            _ => {
                let request = ExportTraceServiceRequest::decode(&*bytes).unwrap();
                let ours = json::traces(&serde_json::to_vec(&request).unwrap()).unwrap();
                assert_eq!(ExportTraceServiceRequest::decode(ours).unwrap(), request, "{path:?}");
            }
        }
    }
}

/// What is on the wire survives a parse untouched: it is forwarded.
#[test]
fn bytes_are_kept_as_they_came() {
    // A resource in two pieces, one with a group in it.
    let bytes = [0x0a, 7, 0x0a, 2, 0x10, 1, 0x0a, 1, 0x7b].to_vec();
    assert_eq!(Traces::parse(bytes.into()).unwrap_err(), Malformed::Truncated);
    let bytes = [0x0a, 10, 0x0a, 2, 0x10, 1, 0x0a, 4, 0x7b, 0x08, 1, 0x7c].to_vec();
    assert_eq!(Traces::parse(bytes.clone().into()).unwrap().bytes(), &bytes);
}

/// Random damage to recorded requests, the same on every run; `FUZZ_SECONDS` lengthens it.
#[test]
fn mutated_captures_never_panic() {
    let corpus: Vec<(PathBuf, Vec<u8>)> =
        captures("").into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    let mut random = Random(0x5eed);
    let until = deadline();
    for round in 0.. {
        let enough = match until {
            None => round == ROUNDS,
            Some(until) => round % 1024 == 0 && now() >= until,
        };
        if enough {
            break;
        }
        let (path, bytes) = &corpus[random.below(corpus.len())];
        let other = &corpus[random.below(corpus.len())].1;
        let mut bytes = bytes.clone();
        for _ in 0..=random.below(4) {
            damage(&mut bytes, other, &mut random);
        }
        checker(path)(&bytes);
    }
}

/// About two seconds of a debug build.
const ROUNDS: u64 = 6_000;

fn damage(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let end = (at + random.below(64)).min(bytes.len());
    match random.below(6) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, random.next() as u8),
        2 => drop(bytes.drain(at..end)),
        3 => bytes.extend_from_within(at..end),
        4 => {
            let from = random.below(other.len());
            let piece = &other[from..(from + 64).min(other.len())];
            drop(bytes.splice(at..end, piece.iter().copied()));
        }
        _ => bytes[at..end].iter_mut().take(1 + random.below(3)).for_each(|byte| *byte ^= 1 << random.below(8)),
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

#[expect(clippy::disallowed_methods, reason = "a fuzzing budget is not part of any result")]
fn deadline() -> Option<std::time::Instant> {
    let seconds = std::env::var("FUZZ_SECONDS").ok()?.parse().expect("FUZZ_SECONDS is a number of seconds");
    Some(std::time::Instant::now() + Duration::from_secs(seconds))
}

#[expect(clippy::disallowed_methods, reason = "a fuzzing budget is not part of any result")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

/// Recorded requests whose name ends in `suffix`, in one order everywhere.
fn captures(suffix: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/captures");
    let mut paths: Vec<PathBuf> =
        entries(&root).flat_map(|directory| entries(&directory)).filter(|path| name(path).ends_with(suffix)).collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    std::fs::read_dir(directory).expect("a directory of fixtures").map(|entry| entry.expect("an entry").path())
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("a name")
}

fn signal(path: &Path) -> &str {
    name(path).split('.').nth(1).expect("<scenario>.<signal>.<format>")
}

/// What reads such a file, and compares.
fn checker(path: &Path) -> fn(&[u8]) {
    match (path.extension().is_some_and(|it| it == "json"), signal(path)) {
        (true, "metrics") => |text| json::metrics(text).map_or((), |bytes| equal::metrics(&bytes)),
        (true, _) => |text| json::traces(text).map_or((), |bytes| equal::traces(&bytes)),
        (false, "metrics") => equal::metrics,
        (false, "logs") => equal::logs,
        (false, _) => equal::traces,
    }
}

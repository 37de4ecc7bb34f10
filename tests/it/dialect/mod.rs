//! Recorded telemetry of real SDKs through dialects and assembly: the requests they make, whatever order and
//! grouping they arrive in.

mod agents;
mod counting;
mod fields;
mod order;
mod table;
mod truths;
mod variables;
mod verdicts;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use freezeframe::core::assembly::{Added, Assembly, Closed, Limits};
use freezeframe::core::dialect::{Normaliser, Settings};
use freezeframe::core::request::Request;
use freezeframe::core::time::UnixNanos;
use freezeframe::otlp::{self, Logs, Scope, Traces};

const LIMITS: Limits = Limits {
    root_grace: Duration::from_secs(2),
    idle_timeout: Duration::from_secs(30),
    traces_max: 1000,
    spans_per_trace_max: 1000,
    bytes_max: 64 << 20,
    content_bytes_max: 4096,
};

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/captures")
}

/// The payloads of one scenario in order of arrival.
fn payloads(dialect: &str, scenario: &str) -> Vec<(bool, Bytes)> {
    let mut found: Vec<(u32, bool, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(captures().join(dialect)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(rest) = name.strip_prefix(scenario).and_then(|rest| rest.strip_prefix('-')) else { continue };
        let Some((number, signal)) = rest.split_once('.') else { continue };
        let Ok(number) = number.parse() else { continue };
        // Where there are both, the second is the body as it was sent, the first the same in protobuf.
        let twin = path.with_file_name(name.replace("traces.http.json", "traces.pb"));
        if ["traces.pb", "logs.pb"].contains(&signal) || (signal == "traces.http.json" && !twin.exists()) {
            found.push((number, signal.starts_with("traces"), path));
        }
    }
    found.sort();
    found.into_iter().map(|(_, traces, path)| (traces, protobuf(&path))).collect()
}

fn protobuf(path: &Path) -> Bytes {
    let bytes = std::fs::read(path).unwrap();
    if path.extension().is_some_and(|it| it == "json") { otlp::json::traces(&bytes).unwrap() } else { bytes.into() }
}

/// One span or record, to be fed by itself: the number of its payload and its place in there.
fn items(payloads: &[(bool, Bytes)]) -> Vec<(usize, usize)> {
    let count = |(traces, bytes): &(bool, Bytes)| match traces {
        true => Traces::parse(bytes.clone()).unwrap().len(),
        false => Logs::parse(bytes.clone()).unwrap().len(),
    };
    payloads.iter().enumerate().flat_map(|(n, payload)| (0..count(payload)).map(move |at| (n, at))).collect()
}

fn feed(assembly: &mut Assembly, payloads: &[(bool, Bytes)], order: &[(usize, usize)], scoped: bool) {
    for (n, at) in order {
        let (is_traces, bytes) = &payloads[*n];
        let added = if *is_traces {
            let traces = Traces::parse(bytes.clone()).unwrap();
            let (resource, scope, span) = traces.spans().nth(*at).unwrap();
            let scope = if scoped { scope } else { Scope { name: b"" } };
            assembly.span(UnixNanos(1), &resource, scope, &span)
        } else {
            let logs = Logs::parse(bytes.clone()).unwrap();
            let (resource, scope, record) = logs.records().nth(*at).unwrap();
            assembly.log(UnixNanos(1), &resource, scope, &record)
        };
        assert!(!matches!(added, Added::Rejected(_)), "{added:?}");
    }
}

fn closed(payloads: &[(bool, Bytes)], order: &[(usize, usize)]) -> Vec<Closed> {
    closed_scoped(payloads, order, true)
}

fn closed_scoped(payloads: &[(bool, Bytes)], order: &[(usize, usize)], scoped: bool) -> Vec<Closed> {
    let mut assembly = Assembly::new(LIMITS, Normaliser::new(&Settings::default()));
    feed(&mut assembly, payloads, order, scoped);
    let mut closed = assembly.close_all(UnixNanos(2));
    closed.sort_by_key(|it| match it {
        Closed::Request(request) => (request.started_at, request.trace_id),
        Closed::Late { trace_id, .. } => (UnixNanos(u64::MAX), *trace_id),
    });
    closed
}

fn requests(dialect: &str, scenario: &str) -> Vec<Request> {
    let payloads = payloads(dialect, scenario);
    assert!(!payloads.is_empty(), "{dialect}/{scenario}");
    let order = items(&payloads);
    closed(&payloads, &order)
        .into_iter()
        .filter_map(|it| match it {
            Closed::Request(request) => Some(*request),
            Closed::Late { .. } => None,
        })
        .collect()
}

/// Every scenario among the fixtures.
fn scenarios() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for dialect in std::fs::read_dir(captures()).unwrap() {
        let dialect = dialect.unwrap();
        for entry in std::fs::read_dir(dialect.path()).unwrap() {
            let name = entry.unwrap().file_name().to_str().unwrap().to_owned();
            let scenario = name.split('.').next().unwrap().rsplit_once('-').unwrap().0.to_owned();
            found.push((dialect.file_name().to_str().unwrap().to_owned(), scenario));
        }
    }
    found.sort();
    found.dedup();
    found
}

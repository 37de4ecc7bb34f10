//! Recorded telemetry of real SDKs through dialects and assembly: the requests they make, whatever order and
//! grouping they arrive in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use freezeframe::core::assembly::{Added, Assembly, Closed, Limits};
use freezeframe::core::dialect::{Normaliser, Settings};
use freezeframe::core::request::Request;
use freezeframe::core::time::UnixNanos;
use freezeframe::otlp::{Logs, Traces};

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
        found.push((number, signal == "traces.pb", path));
    }
    found.sort();
    found.into_iter().map(|(_, traces, path)| (traces, Bytes::from(std::fs::read(path).unwrap()))).collect()
}

/// One span or record, to be fed by itself: the number of its payload and its place in there.
fn items(payloads: &[(bool, Bytes)]) -> Vec<(usize, usize)> {
    let count = |(traces, bytes): &(bool, Bytes)| match traces {
        true => Traces::parse(bytes.clone()).unwrap().len(),
        false => Logs::parse(bytes.clone()).unwrap().len(),
    };
    payloads.iter().enumerate().flat_map(|(n, payload)| (0..count(payload)).map(move |at| (n, at))).collect()
}

fn feed(assembly: &mut Assembly, payloads: &[(bool, Bytes)], order: &[(usize, usize)]) {
    for (n, at) in order {
        let (is_traces, bytes) = &payloads[*n];
        let added = if *is_traces {
            let traces = Traces::parse(bytes.clone()).unwrap();
            let (resource, scope, span) = traces.spans().nth(*at).unwrap();
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
    let mut assembly = Assembly::new(LIMITS, Normaliser::new(&Settings::default()));
    feed(&mut assembly, payloads, order);
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

#[test]
fn explore() {
    for (dialect, scenario) in scenarios() {
        println!("==== {dialect}/{scenario}");
        let payloads = payloads(&dialect, &scenario);
        let order = items(&payloads);
        for it in closed(&payloads, &order) {
            match it {
                Closed::Request(r) => {
                    println!("REQ feature={} sess={:?} user={:?} rid={:?} op={:?} {:?} fin={:?} err={:?} lat={:?} spans={} dialects={:?} traffic={:?}", r.feature, r.session_id, r.user_id, r.request_id, r.operation, r.outcome, r.finish_reason, r.error, r.latency, r.spans, r.dialects, r.traffic.class);
                    println!("   prompt name={:?} v={:?} comps={:?} sys={:?} sha={:?}", r.prompt.name, r.prompt.version, r.prompt.components, r.prompt.system.as_deref().map(|s| &s[..20.min(s.len())]), r.prompt.sha256.map(|s| s[0]));
                    println!("   q={:?} a={:?}", r.user_query, r.response);
                    for c in &r.calls { println!("   CALL {:?}->{:?} {:?} fp={:?} in={:?} out={:?} cached={:?} fin={:?} ttft={:?} str={:?} dur={:?} retries={:?} cost={:?} T={:?} id={:?} err={:?}", c.model_requested, c.model_served, c.provider, c.fingerprint, c.input_tokens, c.output_tokens, c.cached_input_tokens, c.finish_reason, c.time_to_first_token, c.streaming, c.duration, c.retries, c.cost_nano_usd, c.temperature, c.response_id, c.error.as_ref().map(|e| (&e.kind, e.status_code, e.timeout))); }
                    for t in &r.retrievals { println!("   RET {:?} {:?} emb={:?} lag={:?} docs={:?} err={:?}", t.index, t.index_version, t.embedding_model, t.freshness_lag, t.documents.as_ref().map(|d| d.iter().map(|d| (d.id.clone(), d.score, d.updated_at)).collect::<Vec<_>>()), t.error); }
                    for t in &r.tools { println!("   TOOL {} {:?} args={:?} res={:?} err={:?}", t.name, t.duration, t.arguments, t.result.as_deref().map(|s| &s[..20.min(s.len())]), t.error.as_ref().map(|e| (&e.kind, &e.message))); }
                    println!("   path={:?} offered={:?}", r.tool_path, r.tools_offered.iter().map(|t| (&*t.name, t.sha256[0])).collect::<Vec<_>>());
                    println!("   evals={:?} fb={:?}", r.evaluations, r.feedback);
                }
                late => println!("{late:?}"),
            }
        }
    }
}

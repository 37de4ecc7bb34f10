//! The newest SDK of each dialect, run now, against the captures that were once recorded of it: the same two scenarios
//! must come to the same requests, in the bytes that the sidecar sends on and in what the sidecar itself counts. So a
//! release of an SDK that writes something new is noticed here, and not by a user.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use freezeframe::config::Config;
use freezeframe::core::request::{Failure, Request};
use freezeframe::core::time::UnixNanos;
use freezeframe::toolkit::input::Index;
use freezeframe::toolkit::requests::Requests;

use super::hop::Hop;
use super::process::Process;
use super::real::{python_package, repository};
use super::sidecar::{Settings, Sidecar};
use super::{eventually, http};

/// The counters that are compared.
const FAMILIES: [&str; 3] = ["freezeframe_requests_total", "freezeframe_tokens_total", "freezeframe_tool_calls_total"];
const RULES: &str =
    "    - { name: Unused, class: QUALITY_DEGRADATION, severity: SEV-3, signal: quality, direction: below,
        limit: { fixed: 0.1 }, window: 10s, for: 2s, samples_min: 1000, features: [none], summary: Not in this test. }";

/// Proves it for one dialect: a module of `tests/e2e/dialects`, and a folder of captures.
async fn same_as_captured(module: &str, captures: &str, scenarios: &[&str]) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let hop = Hop::start().await;
    let settings = Settings {
        forward_to: hop.url.clone(),
        traces_to: String::new(),
        alertmanager: hop.url.clone(),
        rules: RULES,
        windows: "{ slot: 1s, short: 10s, long: 30s, baseline: 30s }",
        addresses: std::array::from_fn(|_| "127.0.0.1:0".to_owned()),
    };
    let sidecar = Sidecar::start(&settings, dir.path());
    let expected: Vec<Request> = scenarios.iter().flat_map(|it| requests(&recorded(captures, it))).collect();
    let calls: usize = expected.iter().map(|it| it.calls.len()).sum();
    assert_eq!(calls, scenarios.iter().map(|it| calls_of(it)).sum::<usize>(), "{captures}: calls of the captures");

    let environment = if ["mlflow", "openlit"].contains(&module) { "venv-openai2" } else { "venv" };
    let mut command = python_package("dialects", environment);
    command.arg(module).args(["--otlp", &format!("http://{}", sidecar.address("otlp_http"))]);
    command.args(scenarios.iter().flat_map(|it| ["--scenario", it]));
    let script = Process::start(module, &mut command, dir.path());
    script.finish();

    let url = sidecar.url("/metrics");
    let mut counted = BTreeMap::new();
    eventually("every request is counted", async || {
        counted = counters(&String::from_utf8_lossy(&http::get(&url).await?));
        let requests: f64 = counted.iter().filter(|(name, _)| name.starts_with(FAMILIES[0])).map(|(_, n)| n).sum();
        (requests >= expected.len() as f64).then_some(()).ok_or_else(|| format!("{counted:?}"))
    })
    .await;
    assert_eq!(counted, counts(&expected), "{module}: what the sidecar counted, and the captures' counts");
    assert!(sidecar.terminate().await.success(), "it drains");
    let forwarded = requests(&written(&hop, dir.path()));
    assert_eq!(forwarded.len(), expected.len(), "{module}: requests in the bytes it sent on");
    for (forwarded, expected) in forwarded.iter().zip(&expected) {
        assert_eq!(difference(forwarded, expected), None, "{module}: the bytes it sent on, and the captures");
    }
}

/// Calls of the feature's model in a scenario.
fn calls_of(scenario: &str) -> usize {
    if scenario == "tools" { 3 } else { 1 }
}

/// The first line in which two requests differ, if they do.
fn difference(a: &Request, b: &Request) -> Option<String> {
    let (one, other) = (format!("{a:#?}"), format!("{b:#?}"));
    let differing = one.lines().zip(other.lines()).enumerate().find(|(_, (a, b))| a != b);
    let line = differing.map(|(n, (a, b))| format!("line {n}: {} instead of {}", a.trim(), b.trim()));
    (a != b).then(|| line.unwrap_or_else(|| "one is longer".to_owned()))
}

/// The payloads of a recorded scenario, in order of arrival.
fn recorded(captures: &str, scenario: &str) -> Vec<PathBuf> {
    let folder = repository("tests/fixtures/captures").join(captures);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|it| it.expect("a readable entry").path()).collect();
    let of_scenario = |path: &PathBuf| {
        let name = path.file_name().and_then(|it| it.to_str()).unwrap_or_default();
        let number = name.strip_prefix(scenario).and_then(|it| it.strip_prefix('-'));
        number.is_some_and(|it| it.starts_with(char::is_numeric) && it.ends_with(".pb"))
    };
    paths.retain(of_scenario);
    assert!(!paths.is_empty(), "{captures}/{scenario}");
    paths.sort();
    paths
}

/// What the next hop was sent, as files.
fn written(hop: &Hop, dir: &Path) -> Vec<PathBuf> {
    let write = |(n, (signal, bytes)): (usize, (String, bytes::Bytes))| {
        let path = dir.join(format!("{n:03}.{signal}.pb"));
        std::fs::write(&path, bytes).expect("the test's directory takes files");
        path
    };
    hop.bodies().into_iter().enumerate().map(write).collect()
}

/// The requests that a recording makes, without what no two runs have in common.
fn requests(paths: &[PathBuf]) -> Vec<Request> {
    let mut index = Index::read(paths, &mut |_| {}).expect("a recording");
    let requests = Requests::new(index.in_time(), &Config::default());
    let mut requests: Vec<Request> = requests.map(|it| it.expect("OTLP")).collect();
    requests.iter_mut().for_each(forget_the_run);
    requests
}

fn forget_the_run(request: &mut Request) {
    let epoch = UnixNanos(0);
    request.trace_id.0 = [0; 16];
    (request.started_at, request.ended_at, request.latency) = (epoch, epoch, std::time::Duration::ZERO);
    request.request_id = None;
    // Some SDKs make one up.
    request.session_id.iter_mut().for_each(|it| *it = "given".into());
    request.spans = 0;
    request.error.iter_mut().for_each(forget_the_place);
    for call in &mut request.calls {
        (call.started_at, call.duration, call.time_to_first_token) = (epoch, std::time::Duration::ZERO, None);
        call.response_id = None;
    }
    for tool in &mut request.tools {
        (tool.started_at, tool.duration) = (epoch, tool.duration.map(|_| std::time::Duration::ZERO));
        tool.error.iter_mut().for_each(forget_the_place);
    }
}

/// A message may end in a stack trace, with paths of the machine.
fn forget_the_place(failure: &mut Failure) {
    failure.message = failure.message.lines().next().unwrap_or_default().into();
}

/// The samples of [`FAMILIES`] that are not zero.
fn counters(exposition: &str) -> BTreeMap<String, f64> {
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        let value = value.parse().ok()?;
        (FAMILIES.iter().any(|it| name.starts_with(it)) && value > 0.0).then(|| (name.to_owned(), value))
    };
    exposition.lines().filter_map(sample).collect()
}

/// The same, of requests.
fn counts(requests: &[Request]) -> BTreeMap<String, f64> {
    let mut counts = BTreeMap::new();
    for request in requests {
        let feature = &request.feature;
        let mut add = |family: usize, labels: String, n: u64| {
            let name = format!("{}{{feature=\"{feature}\",{labels}}}", FAMILIES[family]);
            *counts.entry(name).or_insert(0.0) += n as f64;
        };
        add(0, format!("outcome=\"{}\"", request.outcome.as_str()), 1);
        for call in &request.calls {
            add(1, "direction=\"input\"".into(), call.input_tokens.unwrap_or(0));
            add(1, "direction=\"output\"".into(), call.output_tokens.unwrap_or(0));
        }
        for tool in request.tools.iter().filter(|it| it.ran) {
            let outcome = if tool.error.is_some() { "error" } else { "ok" };
            add(2, format!("tool=\"{}\",outcome=\"{outcome}\"", tool.name), 1);
        }
    }
    counts
}

const BOTH: &[&str] = &["chat", "tools"];

/// `opentelemetry-instrumentation-genai-openai`, in its default settings, which capture no content.
#[tokio::test(flavor = "multi_thread")]
async fn opentelemetry_is_as_captured() {
    same_as_captured("official", "official-nocontent", BOTH).await;
}

/// `openinference-instrumentation-openai`.
#[tokio::test(flavor = "multi_thread")]
async fn openinference_is_as_captured() {
    same_as_captured("openinference", "openinference", BOTH).await;
}

/// `opentelemetry-instrumentation-openai` of OpenLLMetry.
#[tokio::test(flavor = "multi_thread")]
async fn openllmetry_is_as_captured() {
    same_as_captured("openllmetry", "openllmetry", BOTH).await;
}

/// `langfuse`, on a path of its own.
#[tokio::test(flavor = "multi_thread")]
async fn langfuse_is_as_captured() {
    same_as_captured("langfuse", "langfuse", BOTH).await;
}

/// `langsmith` in its OpenTelemetry mode.
#[tokio::test(flavor = "multi_thread")]
async fn langsmith_is_as_captured() {
    same_as_captured("langsmith", "langsmith", BOTH).await;
}

/// `pydantic-ai`.
#[tokio::test(flavor = "multi_thread")]
async fn pydantic_ai_is_as_captured() {
    same_as_captured("pydantic_ai", "pydantic-ai", BOTH).await;
}

/// `logfire`, with two spans for each call.
#[tokio::test(flavor = "multi_thread")]
async fn logfire_is_as_captured() {
    same_as_captured("logfire", "logfire", &["chat"]).await;
}

/// The Anthropic SDK's own spans.
#[tokio::test(flavor = "multi_thread")]
async fn anthropic_is_as_captured() {
    same_as_captured("anthropic", "anthropic-native", BOTH).await;
}

/// `openlit`, whose spans without a parent are requests of their own.
#[tokio::test(flavor = "multi_thread")]
async fn openlit_is_as_captured() {
    same_as_captured("openlit", "openlit", BOTH).await;
}

/// `mlflow-tracing`.
#[tokio::test(flavor = "multi_thread")]
async fn mlflow_is_as_captured() {
    same_as_captured("mlflow", "mlflow", &["chat"]).await;
}

//! What asking a breaker costs: latency of an OFREP evaluation over loopback, of all flags at once, and of a 304.
//!
//! Starts the binary on its defaults, sends one request of each of thirty features, and asks one after the other on one
//! connection. Without `--bench`, as `cargo test` runs it, for a moment only.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a command that measures time and prints")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

const FEATURES: usize = 30;
/// Longer than a slot, after which features are published.
const PUBLISHED_WITHIN: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let is_test = !std::env::args().any(|argument| argument == "--bench");
    let asked = if is_test { 200 } else { 20_000 };
    // A second provider is refused, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = Client::builder().http1_only().no_proxy().tcp_nodelay(true).build().expect("a client");
    let sidecar = Sidecar::start();
    sidecar.fill(&client).await;
    let one = format!("{}/breaker.feature-7.allow", sidecar.flags);
    let tag = ask(&client, &sidecar.flags, "").await.1;
    println!("| asked | n | p50 µs | p99 µs |\n|---|---|---|---|");
    for (name, url, tag, n) in [
        ("one flag", &one, "", asked),
        ("all flags", &sidecar.flags, "", asked / 20),
        ("all flags, 304", &sidecar.flags, &*tag, asked / 20),
    ] {
        let mut micros = Histogram::<u64>::new(3).expect("three digits");
        for _ in 0..n {
            let started = Instant::now();
            let (status, _) = ask(&client, url, tag).await;
            let took = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
            assert_eq!(status, if tag.is_empty() { StatusCode::OK } else { StatusCode::NOT_MODIFIED });
            micros.record(took).expect("the histogram grows");
        }
        println!("| {name} | {n} | {} | {} |", micros.value_at_quantile(0.5), micros.value_at_quantile(0.99));
    }
}

/// The status and the tag of an evaluation.
async fn ask(client: &Client, url: &str, tag: &str) -> (StatusCode, String) {
    let request = client.post(url).header("if-none-match", tag).body(r#"{"context":{"targetingKey":"user-1"}}"#);
    let answer = request.send().await.expect("it answers");
    let status = answer.status();
    let tag = answer.headers().get("etag").and_then(|tag| tag.to_str().ok()).unwrap_or_default().to_owned();
    answer.bytes().await.expect("a whole answer");
    (status, tag)
}

/// The binary at work, killed when dropped.
struct Sidecar {
    child: Child,
    flags: String,
    traces: String,
    _dir: tempfile::TempDir,
}

impl Sidecar {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let loopback = "127.0.0.1:0";
        let yaml = format!(
            "receiver: {{ otlp: {{ grpc: {{ endpoint: '{loopback}' }}, http: {{ endpoint: '{loopback}' }} }} }}\n\
             admin: {{ endpoint: '{loopback}' }}\nhealth: {{ endpoint: '{loopback}' }}\ndata_dir: '{}'\n\
             windows: {{ slot: 2s, long: 10m, baseline: 10m }}\nassembly: {{ root_grace: 1s }}\n",
            dir.path().join("data").display()
        );
        let mut child = Command::new(env!("CARGO_BIN_EXE_freezeframe"))
            .args(["run", "--config", "env:CONFIG"])
            .env("CONFIG", yaml)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).expect("a ready line");
        let ready: Value = serde_json::from_str(&line).expect("a ready line");
        let address = |name: &str| ready[name].as_str().expect("an address").to_owned();
        let flags = format!("http://{}/ofrep/v1/evaluate/flags", address("admin"));
        Self { child, flags, traces: format!("http://{}/v1/traces", address("otlp_http")), _dir: dir }
    }

    /// Sends a request of every feature and waits until the last has a breaker.
    async fn fill(&self, client: &Client) {
        let now = freezeframe::engine::clock::now().0;
        let spans = (1..=FEATURES).map(|n| {
            let attribute = |key: &str, value: String| json!({ "key": key, "value": { "stringValue": value } });
            json!({
                "traceId": format!("{n:032x}"), "spanId": format!("{n:016x}"), "name": "chat", "kind": 3,
                "startTimeUnixNano": (now - 1_000_000_000).to_string(), "endTimeUnixNano": now.to_string(),
                "attributes": [
                    attribute("gen_ai.operation.name", "chat".into()),
                    attribute("freezeframe.feature", format!("feature-{n}")),
                ],
            })
        });
        let body = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": spans.collect::<Vec<_>>() }] }] });
        let request = client.post(&self.traces).header("content-type", "application/json").body(body.to_string());
        assert!(request.send().await.expect("it answers").status().is_success());
        let started = Instant::now();
        let last = format!("{}/breaker.feature-{FEATURES}.allow", self.flags);
        while ask(client, &last, "").await.0 != StatusCode::OK {
            assert!(started.elapsed() < PUBLISHED_WITHIN, "no breaker of the last feature");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

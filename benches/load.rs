//! What the sidecar costs as a process: CPU a span over gRPC, peak and idle memory, latency of an export, time to start.
//!
//! Starts the binary on its defaults with four connections of two exports in flight each, as fast as it answers, a fresh
//! process a payload, and reads `/proc`. Linux only. Without `--bench`, as `cargo test` runs it, for a moment only.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a command that measures time and prints")]

mod payload;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use freezeframe::engine::clock;
use hdrhistogram::Histogram;
use payload::Payload;
use reqwest::Client;
use serde_json::Value;

const CONNECTIONS: usize = 4;
const IN_FLIGHT: usize = 2;
/// Ticks of `utime` and `stime` (proc(5)); 100 on every Linux there is.
const TICKS_A_SECOND: f64 = 100.0;
const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

fn main() {
    let is_test = !std::env::args().any(|argument| argument == "--bench");
    let (warm_up, measured) = if is_test { (50, 200) } else { (1_000, 5_000) };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    println!("| payload | CPU µs/span | spans/s | Export p50 / p99 ms | RSS idle MiB | RSS peak MiB | ready ms |");
    println!("|---|---|---|---|---|---|---|");
    for payload in Payload::ALL {
        let sidecar = Sidecar::start();
        let idle = sidecar.memory("VmRSS");
        let load = Load::new(payload, &sidecar);
        let run = async {
            load.run(Duration::from_millis(warm_up)).await;
            let cpu = sidecar.cpu();
            let sent = load.run(Duration::from_millis(measured)).await;
            (sent, sidecar.cpu() - cpu)
        };
        let (sent, cpu) = runtime.block_on(run);
        let millis = |share| sent.micros.value_at_quantile(share) as f64 / 1e3;
        println!(
            "| {} | {:.2} | {:.0} | {:.1} / {:.1} | {idle:.1} | {:.1} | {:.0} |",
            payload.name(),
            cpu * 1e6 / sent.spans as f64,
            sent.spans as f64 / sent.took.as_secs_f64(),
            millis(0.5),
            millis(0.99),
            sidecar.memory("VmHWM"),
            sidecar.ready_after.as_secs_f64() * 1e3,
        );
    }
}

/// The binary at work, killed when dropped.
struct Sidecar {
    child: Child,
    url: String,
    ready_after: Duration,
    _dir: tempfile::TempDir,
}

impl Sidecar {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let loopback = "127.0.0.1:0";
        let yaml = format!(
            "receiver: {{ otlp: {{ grpc: {{ endpoint: '{loopback}' }}, http: {{ endpoint: '{loopback}' }} }} }}\n\
             admin: {{ endpoint: '{loopback}' }}\nhealth: {{ endpoint: '{loopback}' }}\ndata_dir: '{}'\n",
            dir.path().join("data").display()
        );
        let started = Instant::now();
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
        let url = format!("http://{}{EXPORT}", ready["otlp_grpc"].as_str().expect("an address"));
        Self { child, url, ready_after: started.elapsed(), _dir: dir }
    }

    /// MiB of a field of `/proc/PID/status`.
    fn memory(&self, field: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with(field)).expect("a field of proc(5)");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).expect("a number") / 1024.0
    }

    /// Seconds of CPU used so far.
    fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it runs");
        let fields = stat.rsplit(')').next().expect("a command name").split_whitespace();
        fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_A_SECOND
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Exports of one kind on their way to one sidecar.
struct Load {
    payload: Payload,
    url: String,
    clients: Vec<Client>,
    exports: Arc<AtomicU64>,
}

/// What was answered within a run.
struct Sent {
    spans: u64,
    took: Duration,
    micros: Histogram<u64>,
}

impl Load {
    fn new(payload: Payload, sidecar: &Sidecar) -> Self {
        // A second provider is refused, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = || Client::builder().http2_prior_knowledge().no_proxy().build().expect("a client");
        let clients = (0..CONNECTIONS).map(|_| client()).collect();
        Self { payload, url: sidecar.url.clone(), clients, exports: Arc::default() }
    }

    async fn run(&self, length: Duration) -> Sent {
        let started = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for client in self.clients.iter().flat_map(|client| std::iter::repeat_n(client, IN_FLIGHT)) {
            let (client, url, payload, exports) =
                (client.clone(), self.url.clone(), self.payload, self.exports.clone());
            tasks.spawn(async move {
                let mut micros = Histogram::<u64>::new(3).expect("three figures");
                while started.elapsed() < length {
                    let body = framed(&payload.export(exports.fetch_add(1, Relaxed), clock::now()));
                    let sent = Instant::now();
                    let request = client.post(&url).header("content-type", "application/grpc").header("te", "trailers");
                    let answer = request.body(body).send().await.expect("an answer");
                    // A refusal is an answer of trailers only.
                    assert!(answer.headers().get("grpc-status").is_none(), "refused: {answer:?}");
                    answer.bytes().await.expect("a whole answer");
                    micros.record(u64::try_from(sent.elapsed().as_micros()).expect("small")).expect("within range");
                }
                micros
            });
        }
        let micros = tasks.join_all().await.into_iter().reduce(|a, b| a + b).expect("at least one");
        Sent { spans: micros.len() * self.payload.spans(), took: started.elapsed(), micros }
    }
}

/// A gRPC message: not compressed, length, content.
fn framed(message: &[u8]) -> Bytes {
    let mut body = BytesMut::with_capacity(5 + message.len());
    body.put_u8(0);
    body.put_u32(u32::try_from(message.len()).expect("far below 4 GiB"));
    body.put_slice(message);
    body.freeze()
}

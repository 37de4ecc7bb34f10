//! The sidecar's own traces, as any OTLP receiver gets them.

use std::process::Command;

use reqwest::Method;
use serde_json::Value;

use super::hop::Hop;
use super::http::{self, TOKEN};
use super::process::Process;

/// Proves that what is rare and matters is traced to the configured endpoint, flushed at the latest when it stops.
#[tokio::test(flavor = "multi_thread")]
async fn own_traces_reach_their_endpoint() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let hop = Hop::start().await;
    let config = dir.path().join("freezeframe.yaml");
    let yaml = format!(
        "receiver: {{ otlp: {{ grpc: {{ endpoint: '127.0.0.1:0' }}, http: {{ endpoint: '127.0.0.1:0' }} }} }}
admin: {{ endpoint: '127.0.0.1:0', token: {TOKEN} }}
health: {{ endpoint: '127.0.0.1:0' }}
data_dir: '{}'
telemetry: {{ traces_endpoint: '{}' }}
",
        dir.path().join("evidence").display(),
        hop.url
    );
    std::fs::write(&config, yaml).expect("the test's directory takes files");
    let mut command = Command::new(env!("CARGO_BIN_EXE_freezeframe"));
    let process = Process::start("freezeframe", command.arg("run").arg("--config").arg(&config), dir.path());
    let ready = process.line();
    let admin = ready["admin"].as_str().expect("an address");
    http::send_json(Method::POST, &format!("http://{admin}/-/reload"), &Value::Null).await.expect("it reloads");
    assert!(process.terminate().await.success());
    let seen = hop.messages();
    assert!(seen.keys().any(|(signal, _)| signal == "traces"), "{seen:?}");
}

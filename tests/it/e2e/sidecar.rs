//! The sidecar's binary: its configuration for tests, its addresses, its commands.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};

use serde_json::Value;

use super::http::{self, TOKEN};
use super::process::Process;

/// A configuration in which an incident takes seconds, on the addresses and with the parts given.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Where OTLP goes on to; empty forwards nothing.
    pub(crate) forward_to: String,
    /// Where its own traces go; empty exports none.
    pub(crate) traces_to: String,
    /// Alertmanager's base URL.
    pub(crate) alertmanager: String,
    /// The rules, as YAML list entries indented by four spaces.
    pub(crate) rules: &'static str,
    /// Sliding windows and baseline.
    pub(crate) windows: &'static str,
    /// OTLP/gRPC, OTLP/HTTP, admin and probes; port 0 at first, the same ports again after a restart.
    pub(crate) addresses: [String; 4],
}

impl Settings {
    fn yaml(&self, data: &Path) -> String {
        let Self { forward_to, traces_to, alertmanager, rules, windows, addresses: [grpc, http, admin, health] } = self;
        let exporter = match forward_to.is_empty() {
            true => String::new(),
            false => format!("exporter: {{ otlp: {{ endpoint: '{forward_to}', protocol: grpc, compression: none }} }}"),
        };
        format!(
            "receiver:
  otlp: {{ grpc: {{ endpoint: '{grpc}' }}, http: {{ endpoint: '{http}' }} }}
{exporter}
admin: {{ endpoint: '{admin}', token: {TOKEN} }}
health: {{ endpoint: '{health}' }}
data_dir: '{}'
assembly: {{ root_grace: 1s }}
windows: {windows}
rules:
  defaults: false
  rules:
{rules}
breakers:
  - {{ class: QUALITY_DEGRADATION, mode: enforce, open_for: 3s, open_for_max: 3s, probe_share: 0.5, probes: 5, route: fallback }}
alertmanager: {{ urls: ['{alertmanager}'], resend_interval: 2s, resolved_for: 60s }}
telemetry: {{ traces_endpoint: '{traces_to}' }}
",
            data.display()
        )
    }
}

/// A running sidecar.
#[derive(Debug)]
pub(crate) struct Sidecar {
    process: Process,
    ready: Value,
    data: PathBuf,
}

impl Sidecar {
    /// Starts it on `dir/evidence` and waits for its ready line.
    pub(crate) fn start(settings: &Settings, dir: &Path) -> Self {
        let (config, data) = (dir.join("freezeframe.yaml"), dir.join("evidence"));
        std::fs::write(&config, settings.yaml(&data)).expect("the test's directory takes files");
        let mut command = Command::new(env!("CARGO_BIN_EXE_freezeframe"));
        let process = Process::start("freezeframe", command.arg("run").arg("--config").arg(&config), dir);
        let ready = process.line();
        assert_eq!(ready["event"], "ready", "{ready}");
        Self { process, ready, data }
    }

    /// A bound address: `otlp_grpc`, `otlp_http`, `admin` or `health`.
    pub(crate) fn address(&self, listener: &str) -> String {
        self.ready[listener].as_str().unwrap_or_else(|| panic!("{listener} in {}", self.ready)).to_owned()
    }

    /// All four, for the settings of a restart.
    pub(crate) fn addresses(&self) -> [String; 4] {
        ["otlp_grpc", "otlp_http", "admin", "health"].map(|listener| self.address(listener))
    }

    /// A URL of the admin listener.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address("admin"))
    }

    /// The entries of `/api/v1/NAME`.
    pub(crate) async fn list(&self, name: &str) -> Result<Vec<Value>, String> {
        let document = http::get_json(&self.url(&format!("/api/v1/{name}"))).await?;
        document[name].as_array().cloned().ok_or_else(|| format!("no {name} in {document}"))
    }

    /// The one entry of `/api/v1/NAME` for which all `fields` are as given, or everything there is as the error.
    pub(crate) async fn find(&self, name: &str, fields: &[(&str, &str)]) -> Result<Value, String> {
        let entries = self.list(name).await?;
        let found = entries.iter().find(|entry| fields.iter().all(|(key, value)| entry[key] == *value));
        found.cloned().ok_or_else(|| format!("no {fields:?} in {name}: {}", Value::from(entries)))
    }

    /// The log's verifier key, in a file.
    pub(crate) fn vkey(&self, dir: &Path) -> PathBuf {
        let output = run(&[Path::new("evidence"), Path::new("vkey"), Path::new("--dir"), &self.data]);
        assert!(output.status.success(), "{output:?}");
        let file = dir.join("vkey");
        std::fs::write(&file, output.stdout).expect("the test's directory takes files");
        file
    }

    /// Where its evidence is.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// SIGTERM, and the exit status after the drain.
    pub(crate) async fn terminate(self) -> ExitStatus {
        self.process.terminate().await
    }

    /// SIGKILL.
    pub(crate) fn kill(self) {
        self.process.kill();
    }
}

/// `freezeframe verify PATH --vkey FILE`.
pub(crate) fn verify(path: &Path, vkey: &Path) -> Output {
    run(&[Path::new("verify"), path, Path::new("--vkey"), vkey])
}

/// The document that a command prints of the sidecar at `url`.
pub(crate) fn asked(url: &str, arguments: &[&str]) -> Value {
    let token = format!("authorization=Bearer {TOKEN}");
    let place = ["--url", url, "--header", &token, "--format", "json"];
    let arguments: Vec<&Path> = arguments.iter().chain(&place).map(Path::new).collect();
    let output = run(&arguments);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

fn run(arguments: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_freezeframe")).args(arguments).output().expect("the binary runs")
}

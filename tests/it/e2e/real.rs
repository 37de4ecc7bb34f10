//! The real parts that `tests/setup` installs: Prometheus, Alertmanager, the Python SDKs and a provider for Node.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::process::Process;
use super::{eventually, http};

/// A file below `<target>/e2e`.
pub(crate) fn installed(path: &str) -> PathBuf {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let full = tmp.parent().expect("it is <target>/tmp").join("e2e").join(path);
    assert!(full.exists(), "{} is missing: run tests/setup once, or everything with tests/run", full.display());
    full
}

/// A file of this repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A script of `tests/e2e` in the Python environment.
pub(crate) fn python(script: &str) -> Command {
    let mut command = interpreter("venv");
    command.arg(repository("tests/e2e").join(script));
    command
}

/// A script of the repository in the Python environment.
pub(crate) fn python_example(script: &str) -> Command {
    let mut command = interpreter("venv");
    command.arg(repository(script));
    command
}

/// A package of `tests/e2e` in a Python environment.
pub(crate) fn python_package(package: &str, environment: &str) -> Command {
    let mut command = interpreter(environment);
    command.args(["-m", package]).current_dir(repository("tests/e2e"));
    command
}

/// Compiles what it imports once for all tests, and not into the repository.
fn interpreter(environment: &str) -> Command {
    let mut command = Command::new(installed(environment).join("bin/python"));
    let compiled = installed("").join("compiled");
    command.env_remove("PYTHONDONTWRITEBYTECODE").env("PYTHONPYCACHEPREFIX", compiled);
    command
}

/// A loopback address nobody listens on. Prometheus and Alertmanager cannot tell which port 0 became.
pub(crate) fn free_address() -> String {
    let probe = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    probe.local_addr().expect("it is bound").to_string()
}

/// Prometheus or Alertmanager, ready.
#[derive(Debug)]
pub(crate) struct Server {
    /// Base URL.
    pub(crate) url: String,
    _process: Process,
}

impl Server {
    /// Prometheus on the configuration file `config`.
    pub(crate) async fn prometheus(config: &Path, dir: &Path) -> Self {
        let data = format!("--storage.tsdb.path={}", dir.join("prometheus-data").display());
        Self::start("prometheus", &free_address(), config, &[&data], dir).await
    }

    /// Prometheus that scrapes native histograms.
    pub(crate) async fn prometheus_native(config: &Path, dir: &Path) -> Self {
        let data = format!("--storage.tsdb.path={}", dir.join("prometheus-native-data").display());
        let arguments = [&*data, "--enable-feature=native-histograms,exemplar-storage"];
        Self::start("prometheus", &free_address(), config, &arguments, dir).await
    }

    /// One Alertmanager without peers at `address` on the configuration file `config`.
    pub(crate) async fn alertmanager(address: &str, config: &Path, dir: &Path) -> Self {
        let data = format!("--storage.path={}", dir.join("alertmanager-data").display());
        Self::start("alertmanager", address, config, &[&data, "--cluster.listen-address="], dir).await
    }

    async fn start(name: &str, address: &str, config: &Path, arguments: &[&str], dir: &Path) -> Self {
        let mut command = Command::new(installed(&format!("bin/{name}")));
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--web.listen-address={address}")).args(arguments).current_dir(dir);
        let server = Self { _process: Process::start(name, &mut command, dir), url: format!("http://{address}") };
        eventually(&format!("{name} is ready"), async || http::get(&format!("{}/-/ready", server.url)).await).await;
        server
    }

    /// The alerts Alertmanager holds.
    pub(crate) async fn alerts(&self) -> Result<Vec<Value>, String> {
        let alerts = http::get_json(&format!("{}/api/v2/alerts", self.url)).await?;
        Ok(alerts.as_array().cloned().unwrap_or_default())
    }

    /// The labels of the series that a PromQL expression selects now.
    pub(crate) async fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let url = format!("{}/api/v1/query?query={}", self.url, percent_encoded(expression));
        let answer = http::get_json(&url).await?;
        let result = answer["data"]["result"].as_array().cloned().unwrap_or_default();
        Ok(result.into_iter().map(|series| series["metric"].clone()).collect())
    }
}

/// Percent-encodes everything that is not plainly allowed.
fn percent_encoded(text: &str) -> String {
    let byte = |b: u8| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") };
    text.bytes().map(byte).collect()
}

//! Drills as a user runs them: every scenario on the real engine, one that must miss, and one against a running sidecar.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

fn drill(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_freezeframe")).arg("drill").args(arguments).output().unwrap()
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

/// Lines of a scorecard that are missed.
fn missed(drill: &Value) -> Vec<&str> {
    let lines = drill["scorecard"].as_array().unwrap().iter().filter(|it| it["result"] == "missed");
    lines.map(|it| it["check"].as_str().unwrap()).collect()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Proves that on the embedded defaults every scenario is detected in time, with its class, patterns, variable and value,
/// proven, mitigated and seen to end, with an innocent change beside it.
#[test]
fn every_scenario_is_met() {
    let dir = tempfile::tempdir().unwrap();
    let output = drill(&["--all", "--dir", &text(dir.path()), "--format", "json"]);
    let all = document(&output);
    let drills = all["drills"].as_array().unwrap();
    assert_eq!(drills.len(), 12);
    for drill in drills {
        assert_eq!(missed(drill), Vec::<&str>::new(), "{}: {}", drill["scenario"], drill["scorecard"]);
        let page = std::fs::read_to_string(drill["postmortem"].as_str().unwrap()).unwrap();
        assert!(page.starts_with("# "), "{page}");
    }
    assert_eq!((output.status.code(), &all["passed"]), (Some(0), &Value::Bool(true)));
}

/// Proves that a configuration without the rule misses the incident: the scorecard says so in order, and the status is 1;
/// that a team's own expectations count; and that a mistake in them is told.
#[test]
fn a_blind_sidecar_misses() {
    let dir = tempfile::tempdir().unwrap();
    let (config, expect, html) =
        (dir.path().join("config.yaml"), dir.path().join("expect.yaml"), dir.path().join("report.html"));
    std::fs::write(
        &config,
        "rules: { disabled: [LLMCostSpike, LLMTokenSpike, LLMLatencyHigh, LLMLatencyRegression] }\n",
    )
    .unwrap();
    let (own, store) = (text(&config), text(&dir.path().join("blind")));
    let blind = drill(&["cost-spike", "--config", &own, "--dir", &store, "--html", &text(&html), "--format", "json"]);
    let found = document(&blind);
    assert_eq!(blind.status.code(), Some(1), "{blind:?}");
    let expected =
        ["detected", "class", "patterns", "variable", "value", "frame verified", "breaker opened", "recovery seen"];
    assert_eq!(missed(&found), expected);
    assert_eq!((&found["postmortem"], &found["alert"]), (&Value::Null, &Value::Null));
    assert!(std::fs::read_to_string(&html).unwrap().contains("MISSED"));

    std::fs::write(&expect, "latency-spike: { within: 1s }\n").unwrap();
    let (expect, late) = (text(&expect), text(&dir.path().join("late")));
    let late = drill(&["latency-spike", "--expect", &expect, "--dir", &late, "--format", "json"]);
    assert_eq!((late.status.code(), missed(&document(&late))), (Some(1), vec!["detected"]));
    std::fs::write(dir.path().join("wrong.yaml"), "latency-spike: { class: FIRE }\n").unwrap();
    let wrong = drill(&["--expect", &text(&dir.path().join("wrong.yaml"))]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("no class FIRE"), "{wrong:?}");
}

/// Proves that the report is Markdown and HTML from the same drill, and that frames of drills say so.
#[test]
fn a_drill_has_a_report() {
    let dir = tempfile::tempdir().unwrap();
    let html = dir.path().join("report.html");
    let output = drill(&["--dir", &text(dir.path()), "--html", &text(&html), "--format", "markdown"]);
    let page = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{page}");
    for part in
        ["# Drill: retrieval-outage", "## Scorecard", "## Timeline", "## Reflection", "- [ ] ", "HTTP monitoring"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    let html = std::fs::read_to_string(html).unwrap();
    assert_eq!(html.matches("<svg").count(), 4, "one chart a signal");
    let store = text(&dir.path().join("store"));
    let listed = Command::new(env!("CARGO_BIN_EXE_freezeframe"))
        .args(["incident", "list", "--dir", &store, "--format", "json"])
        .output()
        .unwrap();
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let id = listed.as_array().and_then(|it| it[0]["id"].as_str()).unwrap();
    let shown = Command::new(env!("CARGO_BIN_EXE_freezeframe"))
        .args(["incident", "show", id, "--dir", &store, "--format", "json"])
        .output()
        .unwrap();
    let frame: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let drill = frame["drill"].as_str().or(frame["frame"]["drill"].as_str());
    assert!(drill.is_some_and(|it| it.starts_with("retrieval-outage-")), "{frame}");
}

/// A running sidecar; killed when the test is over.
struct Sidecar {
    child: Child,
    ready: Value,
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Sidecar {
    /// Starts one whose incidents take seconds.
    fn start(dir: &Path, alertmanager: &str, drills: bool) -> Self {
        let config = dir.join("sidecar.yaml");
        let data = dir.join("data");
        let yaml = format!(
            "receiver: {{ otlp: {{ grpc: {{ endpoint: '127.0.0.1:0' }}, http: {{ endpoint: '127.0.0.1:0' }} }} }}
admin: {{ endpoint: '127.0.0.1:0' }}
health: {{ endpoint: '127.0.0.1:0' }}
data_dir: '{}'
assembly: {{ root_grace: 1s }}
windows: {{ slot: 1s, short: 5s, long: 60s, baseline: 60s }}
rules:
  defaults: false
  rules:
    - {{ name: LLMQualityDegradation, class: QUALITY_DEGRADATION, severity: SEV-2, signal: quality, direction: below,
        limit: {{ fixed: 0.7 }}, window: 5s, for: 0s, keep_firing_for: 2s, samples_min: 20, summary: Answers got worse. }}
    - {{ name: LLMRetrievalEmpty, class: RETRIEVAL_OUTAGE, severity: SEV-1, signal: empty_retrieval_ratio, direction: above,
        limit: {{ fixed: 0.3 }}, window: 5s, for: 0s, keep_firing_for: 2s, samples_min: 20, summary: Nothing is found. }}
breakers:
  - {{ class: QUALITY_DEGRADATION, mode: enforce, open_for: 3s, open_for_max: 3s, probe_share: 0.5, probes: 5 }}
  - {{ class: RETRIEVAL_OUTAGE, mode: enforce, open_for: 3s, open_for_max: 3s, probe_share: 0.5, probes: 5 }}
alertmanager: {{ urls: ['{alertmanager}'], resend_interval: 1s, drills: {drills} }}
",
            data.display()
        );
        std::fs::write(&config, yaml).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_freezeframe"))
            .args(["run", "--config", &text(&config)])
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(dir.join("sidecar.log")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, ready: serde_json::from_str(&line).unwrap() }
    }

    fn url(&self, listener: &str) -> String {
        format!("http://{}", self.ready[listener].as_str().unwrap())
    }

    fn get(&self, path: &str) -> String {
        let address = self.ready["admin"].as_str().unwrap();
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

/// An Alertmanager that keeps what it is sent.
fn alertmanager() -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let received = Arc::new(Mutex::new(String::new()));
    let kept = received.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            stream.set_read_timeout(Some(std::time::Duration::from_millis(500))).unwrap();
            let mut bytes = [0; 16 << 10];
            let n = stream.read(&mut bytes).unwrap_or_default();
            let m = stream.read(&mut bytes[n..]).unwrap_or_default();
            kept.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..n + m]));
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"));
        }
    });
    (url, received)
}

fn live(scenario: &str, drills: bool) -> (Value, String, [String; 3], PathBuf) {
    let dir = tempfile::tempdir().unwrap().keep();
    let (url, received) = alertmanager();
    let sidecar = Sidecar::start(&dir, &url, drills);
    let (target, admin, own) = (sidecar.url("otlp_http"), sidecar.url("admin"), text(&dir.join("drill")));
    let place = ["--target", &target, "--url", &admin, "--dir", &own, "--format", "json"];
    let pace = ["--rate", "20", "--warm-up", "20s", "--timeout", "60s"];
    let output = drill(&[&[scenario], &place[..], &pace[..]].concat());
    assert!(output.status.success(), "{output:?} {}", std::fs::read_to_string(dir.join("sidecar.log")).unwrap());
    let seen = ["/metrics", "/api/v1/features/_all", "/api/v1/incidents"].map(|path| sidecar.get(path));
    let posts = received.lock().unwrap().clone();
    (document(&output), posts, seen, dir)
}

/// Proves that a live drill is scored as a scripted one, that its traffic counts for nothing but `_drill` and pages
/// nobody, and that it pages where somebody wants that.
#[test]
fn a_live_drill_pages_nobody_unless_asked() {
    let asked = std::thread::spawn(|| live("retrieval-outage", true));
    let (drill, posts, [metrics, all, incidents], dir) = live("quality-degradation", false);
    assert_eq!(missed(&drill), Vec::<&str>::new(), "{drill}");
    assert!(drill["redirected"].as_u64() > Some(0), "{drill}");
    assert_eq!(posts, "");
    assert!(metrics.contains("freezeframe_drill_requests_total"), "{metrics}");
    assert!(metrics.contains("freezeframe_drill_alert_state{feature=\"_drill\""), "{metrics}");
    let others = metrics.lines().filter(|it| it.contains("_drill\"") && !it.starts_with("freezeframe_drill_"));
    assert_eq!(others.collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(!metrics.contains("feature=\"/support\""), "{metrics}");
    assert!(all.contains("\"signals\":[]") || all.starts_with("HTTP/1.1 404"), "{all}");
    assert!(incidents.contains("\"feature\":\"_drill\"") && !incidents.contains("\"feature\":\"_all\""), "{incidents}");
    std::fs::remove_dir_all(dir).unwrap();

    let (drill, posts, [metrics, ..], dir) = asked.join().unwrap();
    assert_eq!(missed(&drill), Vec::<&str>::new(), "{drill}");
    assert!(posts.contains("\"feature\":\"_drill\""), "{posts}");
    assert!(metrics.contains("freezeframe_alert_state{feature=\"_drill\""), "{metrics}");
    std::fs::remove_dir_all(dir).unwrap();
}

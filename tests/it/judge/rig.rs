//! A sidecar with one judge, and an application that sends it answers.

use std::collections::BTreeMap;
use std::process::Command;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use serde_json::{Value, json};

use super::super::e2e::hop::Hop;
use super::super::e2e::process::Process;
use super::super::e2e::{eventually, http};
use super::super::replay::server::{Answer, Server, says};

/// A running sidecar.
pub(super) struct Rig {
    process: Process,
    ready: Value,
    dir: tempfile::TempDir,
}

/// A verdict with this score.
pub(super) fn verdict(score: f64) -> Answer {
    says(&json!({ "score": score, "reason": "because" }).to_string())
}

/// A judge that likes answers with a word.
pub(super) fn judge_of(word: &'static str) -> impl FnMut(&Value) -> Answer + Send {
    move |asked| {
        let text = asked["messages"][1]["content"].as_str().unwrap_or_default();
        let answer = text.rsplit_once("<<<ANSWER").map_or("", |(_, answer)| answer);
        verdict(if answer.contains(word) { 0.9 } else { 0.1 })
    }
}

impl Rig {
    pub(super) fn start(server: &Server, settings: &str, hop: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), server, settings, hop)
    }

    /// The same on a directory that is there already.
    pub(super) fn start_in(dir: tempfile::TempDir, server: &Server, settings: &str, hop: &str) -> Self {
        let judge = format!(
            "judges:
  - name: about-refunds
    endpoint: '{}'
    model: judge-1
    version: v3
    rubric: Is it about refunds?
    api_key: ${{env:JUDGE_KEY}}
    {settings}
",
            server.url
        );
        Self::run(dir, &judge, hop)
    }

    pub(super) fn without_judges(hop: &str) -> Self {
        Self::run(tempfile::tempdir().unwrap(), "", hop)
    }

    fn run(dir: tempfile::TempDir, judges: &str, hop: &str) -> Self {
        let listeners = "receiver: { otlp: { grpc: { endpoint: '127.0.0.1:0' }, http: { endpoint: '127.0.0.1:0' } } }
admin: { endpoint: '127.0.0.1:0', token: e2e-token }
health: { endpoint: '127.0.0.1:0' }
assembly: { root_grace: 1s }
windows: { slot: 1s, short: 60s, long: 120s, baseline: 60s }
rules: { defaults: false }";
        let exporter = format!("exporter: {{ otlp: {{ endpoint: '{hop}', protocol: http, compression: none }} }}");
        let data = dir.path().join("data").display().to_string();
        let config = dir.path().join("freezeframe.yaml");
        std::fs::write(&config, format!("{listeners}\n{exporter}\ndata_dir: '{data}'\n{judges}")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_freezeframe"));
        command.arg("run").arg("--config").arg(&config).env("JUDGE_KEY", "sk-judge-secret").current_dir(dir.path());
        let process = Process::start("freezeframe", &mut command, dir.path());
        let ready = process.line();
        Self { process, ready, dir }
    }

    /// One finished request of the feature `support`.
    pub(super) async fn send(&self, n: u32, question: &str, answer: &str, finish: &str) {
        self.send_as(n, "gpt-4o-mini", question, answer, finish).await;
    }

    /// The same of another model.
    pub(super) async fn send_as(&self, n: u32, model: &str, question: &str, answer: &str, finish: &str) {
        let now = freezeframe::engine::clock::now().0;
        let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
        let message =
            |role: &str, content: &str| json!([{ "role": role, "parts": [{ "type": "text", "content": content }] }]);
        let ids = json!({ "traceId": format!("{:032x}", n + 1) });
        let times = json!({ "startTimeUnixNano": (now - 1_000_000).to_string(), "endTimeUnixNano": now.to_string() });
        let span = |own: Value, attributes: Vec<Value>| {
            let mut span = json!({ "kind": 3, "attributes": attributes });
            for part in [&ids, &times, &own] {
                span.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
            }
            span
        };
        let chat = span(
            json!({ "spanId": format!("{:016x}", 2 * n + 1), "name": "chat" }),
            vec![
                text("gen_ai.operation.name", "chat"),
                text("gen_ai.provider.name", "openai"),
                text("gen_ai.request.model", model),
                text("gen_ai.response.model", model),
                text("gen_ai.response.id", &format!("chatcmpl-{n}")),
                text("freezeframe.feature", "support"),
                text("gen_ai.input.messages", &message("user", question).to_string()),
                text("gen_ai.output.messages", &{
                    let mut output = message("assistant", answer);
                    output[0]["finish_reason"] = finish.into();
                    output.to_string()
                }),
                json!({ "key": "gen_ai.response.finish_reasons", "value": { "arrayValue": { "values": [{ "stringValue": finish }] } } }),
            ],
        );
        let search = span(
            json!({ "spanId": format!("{:016x}", 2 * n + 2), "name": "retrieval kb", "parentSpanId": format!("{:016x}", 2 * n + 1) }),
            vec![
                text("gen_ai.operation.name", "retrieval"),
                text("gen_ai.data_source.id", "kb"),
                text(
                    "gen_ai.retrieval.documents",
                    &json!([{ "id": "d1", "score": 0.9, "content": "Policy: 30 days" }]).to_string(),
                ),
            ],
        );
        let body = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [search, chat] }] }] });
        let url = format!("http://{}/v1/traces", self.ready["otlp_http"].as_str().unwrap());
        let sent = super::super::admin::client().post(url).header("content-type", "application/json");
        assert!(sent.body(body.to_string()).send().await.unwrap().status().is_success());
    }

    /// The sum of a metric's series with these labels.
    pub(super) async fn sum(&self, metric: &str, labels: &[(&str, &str)]) -> Result<f64, String> {
        let page = http::get(&format!("http://{}/metrics", self.ready["admin"].as_str().unwrap())).await?;
        let page = String::from_utf8(page).unwrap();
        let with = |line: &&str| {
            let name = line.split(['{', ' ']).next().unwrap_or_default();
            name == metric && labels.iter().all(|(key, value)| line.contains(&format!("{key}=\"{value}\"")))
        };
        Ok(page.lines().filter(with).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }

    /// Waits until a metric's series with these labels sum up to so much.
    pub(super) async fn count(&self, metric: &str, labels: &[(&str, &str)], expected: u32) {
        eventually(&format!("{metric} {labels:?} {expected}"), async || {
            let found = self.sum(metric, labels).await?;
            if found == f64::from(expected) { Ok(()) } else { Err(format!("{found}")) }
        })
        .await;
    }

    /// What a signal of a feature is over the short window, as the API has it; null without one.
    pub(super) async fn signal(&self, feature: &str, signal: &str) -> Result<Value, String> {
        let document = self.get("/api/v1/features").await?;
        let features = document["features"].as_array().ok_or_else(|| document.to_string())?;
        let feature = features.iter().find(|it| it["feature"] == feature).ok_or_else(|| document.to_string())?;
        let signals = feature["signals"].as_array().ok_or_else(|| document.to_string())?;
        Ok(signals.iter().find(|it| it["signal"] == signal).map(|it| it["value"].clone()).unwrap_or_default())
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, String> {
        http::get_json(&format!("http://{}{path}", self.ready["admin"].as_str().unwrap())).await
    }

    /// Stops it; its log.
    pub(super) async fn stop(self) -> String {
        self.leave().await.1
    }

    /// Stops it; its directory and its log.
    pub(super) async fn leave(self) -> (tempfile::TempDir, String) {
        let status = self.process.terminate().await;
        assert!(status.success(), "{status}");
        let log = std::fs::read_to_string(self.dir.path().join("freezeframe.log")).unwrap();
        (self.dir, log)
    }
}

/// Everything that reached the next hop as log records.
pub(super) fn logs(hop: &Hop) -> Vec<Value> {
    let exports = hop.bodies().into_iter().filter(|(signal, _)| signal == "logs");
    exports.flat_map(|(_, bytes)| super::records(&bytes)).collect()
}

/// A record as a flat document.
pub(super) fn attributes(record: &LogRecord) -> Value {
    let hex: String = record.trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut found =
        BTreeMap::from([("event".to_owned(), json!(record.event_name)), ("trace_id".to_owned(), json!(hex))]);
    for attribute in &record.attributes {
        let value = match attribute.value.as_ref().and_then(|it| it.value.as_ref()) {
            Some(Any::StringValue(text)) => json!(text),
            Some(Any::DoubleValue(number)) => json!(number),
            other => json!(format!("{other:?}")),
        };
        found.insert(attribute.key.clone(), value);
    }
    json!(found)
}

//! A running sidecar as a live drill sees it: where OTLP goes in, and what the API says of the feature `_drill`.

use anyhow::{Context as _, bail};
use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{StatusCode, Url};
use serde_json::{Value as Json, json};

use super::super::client;
use crate::core::incident::{Class, Severity};
use crate::core::signal::Signal;
use crate::core::time::UnixNanos;
use crate::drill::{Fired, Reading, Sample};
use crate::engine::clock;
use crate::engine::registry::DRILL;
use crate::otlp;

/// Signals shown beside the scenario's own.
const HEADLINES: [Signal; 3] = [Signal::Quality, Signal::LatencyP95, Signal::ErrorRatio];
const COUNTER: &str = "freezeframe_drill_requests_total";

/// One sidecar.
#[derive(Debug)]
pub(super) struct Sidecar {
    client: reqwest::Client,
    target: Url,
    admin: String,
    headers: HeaderMap,
}

/// What the API said at one moment of the feature of drills.
#[derive(Debug)]
pub(super) struct State {
    pub(super) sample: Sample,
    pub(super) limits: Vec<(Signal, f64)>,
    alerts: Vec<Json>,
    incidents: Vec<Json>,
    breakers: Vec<Json>,
}

impl Sidecar {
    /// `target` is the OTLP/HTTP listener, `admin` the admin listener, to which `headers` go.
    pub(super) fn new(target: &str, admin: &str, headers: &[(String, String)]) -> anyhow::Result<Self> {
        let base = target.trim_end_matches('/');
        let url = format!("{base}{}", otlp::Signal::Traces.http_path());
        let target = Url::parse(&url).with_context(|| format!("--target {target}"))?;
        if !["http", "https"].contains(&target.scheme()) {
            bail!("--target {base}: expected http://host:port or https://host:port");
        }
        let admin = admin.trim_end_matches('/').to_owned();
        Ok(Self { client: client::new()?, target, admin, headers: client::headers(headers)? })
    }

    /// Sends one OTLP request.
    pub(super) async fn export(&self, body: Bytes) -> anyhow::Result<()> {
        let post = self.client.post(self.target.clone());
        let post = post.header(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let answer = post.body(body).send().await.with_context(|| format!("{} does not answer", self.target))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => bail!("{} answered {status}", self.target),
        }
    }

    async fn get(&self, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let url = format!("{}{path}", self.admin);
        let get = self.client.get(&url).headers(self.headers.clone());
        let answer = get.send().await.with_context(|| format!("{url} does not answer"))?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(Some(client::answer(answer).await?)),
            status => bail!("{url} answered {status}"),
        }
    }

    async fn json(&self, path: &str) -> anyhow::Result<Option<Json>> {
        let bytes = self.get(path).await?;
        bytes.map(|bytes| serde_json::from_slice(&bytes).with_context(|| format!("{path} is no JSON"))).transpose()
    }

    /// The log's verifier key, as the sidecar shows it.
    pub(super) async fn vkey(&self) -> anyhow::Result<String> {
        let bytes = self.get("/log/vkey").await?.context("the sidecar shows no key of its log")?;
        Ok(String::from_utf8(bytes).context("the sidecar's key is no text")?.trim().to_owned())
    }

    /// How many requests it took for drills'; `None` of a sidecar that does not tell.
    pub(super) async fn drill_requests(&self) -> anyhow::Result<Option<u64>> {
        let bytes = self.get("/metrics").await?.context("the sidecar has no metrics")?;
        let text = String::from_utf8_lossy(&bytes);
        let value =
            text.lines().find_map(|line| line.strip_prefix(COUNTER)?.split_whitespace().last()?.parse::<f64>().ok());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        Ok(value.map(|it| it as u64))
    }

    pub(super) async fn frame(&self, id: &str) -> anyhow::Result<Option<Json>> {
        self.json(&format!("/api/v1/incidents/{id}/frame")).await
    }

    pub(super) async fn bundle(&self, id: &str) -> anyhow::Result<Option<Vec<u8>>> {
        self.get(&format!("/api/v1/incidents/{id}/bundle")).await
    }

    /// What an application is told that asks whether it may go the usual way.
    pub(super) async fn allows(&self) -> anyhow::Result<bool> {
        let url = format!("{}/ofrep/v1/evaluate/flags/breaker.{DRILL}.allow", self.admin);
        let post = self.client.post(&url).headers(self.headers.clone()).body(json!({ "context": {} }).to_string());
        let answer = post
            .header(CONTENT_TYPE, "application/json")
            .send()
            .await
            .with_context(|| format!("{url} does not answer"))?;
        let answer: Json = serde_json::from_slice(&client::answer(answer).await?).context("the flag is no JSON")?;
        // An application goes on as usual where nobody says otherwise.
        Ok(answer["value"].as_bool().unwrap_or(true))
    }

    /// Everything of the feature of drills.
    pub(super) async fn state(&self, own: Signal) -> anyhow::Result<State> {
        let feature = self.json(&format!("/api/v1/features/{DRILL}")).await?.unwrap_or_default();
        let list = |document: Option<Json>, key: &str| {
            let all = document.and_then(|mut it| it[key].as_array_mut().map(std::mem::take)).unwrap_or_default();
            all.into_iter().filter(|it| it["feature"] == DRILL).collect::<Vec<_>>()
        };
        let alerts = list(self.json("/api/v1/alerts").await?, "alerts");
        let incidents = list(self.json("/api/v1/incidents").await?, "incidents");
        let breakers = list(self.json(&format!("/api/v1/breakers/{DRILL}")).await?, "breakers");
        let shown = std::iter::once(own).chain(HEADLINES.into_iter().filter(|it| *it != own));
        let read = |signal: Signal| {
            let signals = feature["signals"].as_array()?;
            let value = signals.iter().find(|it| it["signal"] == signal.as_str())?["value"].as_f64()?;
            let mut about = alerts.iter().filter(|it| it["signal"] == signal.as_str());
            Some(Reading { signal, value, is_breached: about.any(|it| it["state"] != "inactive") })
        };
        let readings: Vec<Reading> = shown.filter_map(read).collect();
        let limits = readings.iter().flat_map(|reading| limits(&alerts, reading.signal)).collect();
        Ok(State { sample: Sample { at: clock::now(), readings }, limits, alerts, incidents, breakers })
    }
}

/// The limits in force of one signal.
fn limits(alerts: &[Json], signal: Signal) -> Vec<(Signal, f64)> {
    let about = alerts.iter().filter(|it| it["signal"] == signal.as_str());
    let thresholds = about.filter_map(|it| it["thresholds"].as_array()).flatten();
    thresholds.filter_map(|it| Some((signal, it["value"].as_f64()?))).collect()
}

impl State {
    /// Names of the alerts that are out.
    pub(super) fn firing(&self) -> Vec<String> {
        let firing = self.alerts.iter().filter(|it| it["state"] == "firing");
        firing.filter_map(|it| it["alertname"].as_str().map(str::to_owned)).collect()
    }

    /// The first alert since then whose frame is settled: one of `class`, else any.
    pub(super) fn fired_since(&self, since: UnixNanos, class: Class) -> Option<Fired> {
        let settled = self.incidents.iter().filter(|it| it["frame"]["state"] != "committing");
        let fired = settled.filter_map(fired).filter(|it| it.at >= since);
        fired.min_by_key(|it| (it.class != class, it.at, it.severity))
    }

    /// When the breaker of `class` first opened since then, or in shadow would have.
    pub(super) fn opened_since(&self, since: UnixNanos, class: Class) -> Option<UnixNanos> {
        let actions = self.incidents.iter().filter_map(|it| it["breaker_actions"].as_array()).flatten();
        let opened = actions.filter(|it| it["class"] == class.as_str() && it["to"] == "open");
        opened.filter_map(|it| time(&it["at"])).filter(|at| *at >= since).min()
    }

    /// Whether no alert is on and every breaker is closed.
    pub(super) fn is_quiet(&self) -> bool {
        let closed = |it: &Json| it["would_be"].as_str().or(it["state"].as_str()) == Some("closed");
        self.alerts.iter().all(|it| it["state"] == "inactive") && self.breakers.iter().all(closed)
    }
}

fn time(value: &Json) -> Option<UnixNanos> {
    value.as_str().and_then(UnixNanos::parse)
}

fn fired(incident: &Json) -> Option<Fired> {
    let text = |key: &str| incident[key].as_str();
    Some(Fired {
        at: time(&incident["fired_at"])?,
        alertname: text("alertname")?.to_owned(),
        class: Class::parse(text("class")?)?,
        severity: severity(text("severity")?)?,
        signal: text("signal").and_then(Signal::parse),
        limit: incident["threshold"].as_f64(),
        incident: text("id")?.to_owned(),
    })
}

/// By `SEV-1` or by `critical`.
fn severity(name: &str) -> Option<Severity> {
    Severity::ALL.into_iter().find(|it| it.as_str() == name || it.label() == name)
}

//! One incident of every class at once, through the shipped configuration of a real Prometheus and a real Alertmanager,
//! with a sidecar that is killed in the middle of it.

use std::collections::BTreeMap;

use freezeframe::engine::clock;
use freezeframe::toolkit::traffic::Exchange;
use serde_json::Value;

use super::application::serve;
use super::process::Process;
use super::real::{Server, free_address};
use super::sidecar::{Settings, Sidecar};
use super::{eventually, http, shipped};

pub(super) const RULES: &str = "    - { name: LLMRetrievalEmpty, class: RETRIEVAL_OUTAGE, severity: SEV-2, signal: empty_retrieval_ratio, direction: above,
        limit: { fixed: 0.3 }, window: 10s, for: 0s, keep_firing_for: 2s, samples_min: 10, summary: Searches find nothing. }
    - { name: LLMQualityDegradation, class: QUALITY_DEGRADATION, severity: SEV-2, signal: quality, direction: below,
        limit: { fixed: 0.6 }, window: 10s, for: 0s, keep_firing_for: 2s, samples_min: 10, summary: Answers got worse. }
    - { name: LLMLatencyHigh, class: PERFORMANCE_DEGRADATION, severity: SEV-2, signal: latency_p95, direction: above,
        limit: { fixed: 5 }, window: 10s, for: 0s, keep_firing_for: 2s, samples_min: 10, summary: Answers take long. }
    - { name: LLMTokenSpike, class: COST_SPIKE, severity: SEV-2, signal: tokens_per_request, direction: above,
        limit: { fixed: 2000 }, window: 10s, for: 0s, keep_firing_for: 2s, samples_min: 10, summary: Requests got dear. }
    - { name: LLMDataLeak, class: DATA_INCIDENT, severity: SEV-2, signal: leak_ratio, direction: above,
        limit: { fixed: 0 }, window: 10s, for: 0s, keep_firing_for: 2s, samples_min: 1, summary: An answer gave data away. }";

/// Alert, class, and who is told by the shipped routes.
const CLASSES: [(&str, &str, &str); 5] = [
    ("LLMRetrievalEmpty", "RETRIEVAL_OUTAGE", "platform"),
    ("LLMQualityDegradation", "QUALITY_DEGRADATION", "ml"),
    ("LLMLatencyHigh", "PERFORMANCE_DEGRADATION", "platform"),
    ("LLMTokenSpike", "COST_SPIKE", "cost"),
    ("LLMDataLeak", "DATA_INCIDENT", "security"),
];

struct Stage {
    dir: tempfile::TempDir,
    settings: Settings,
    /// None while it is killed.
    sidecar: Option<Sidecar>,
    alertmanager: Server,
    prometheus: Server,
    on_call: Process,
    on_call_url: String,
    sent: u64,
}

/// Every class fires in the sidecar and in Prometheus, is routed to whoever can act with its runbook, frame and
/// checkpoint, silences its features, goes on over SIGKILL as the alert it was, and is resolved.
#[tokio::test(flavor = "multi_thread")]
async fn every_class_is_fired_routed_inhibited_kept_and_resolved() {
    let mut stage = Stage::set().await;
    stage.fires().await;
    stage.is_routed().await;
    stage.is_inhibited().await;
    stage.goes_on_over_a_kill().await;
    stage.is_resolved().await;
    drop(stage.on_call);
}

fn everything_fails(exchange: Exchange) -> Exchange {
    let latency = std::time::Duration::from_secs(8);
    let started_at = exchange.ended_at().minus(latency);
    let answer = "Your order goes to maria.keller@gmail.com.";
    Exchange { started_at, latency, documents: &[], relevance: 0.1, output_tokens: 4_000, answer, ..exchange }
}

impl Stage {
    async fn set() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path();
        let pulled = path.join("pulled");
        std::fs::create_dir(&pulled).expect("the test's directory takes directories");
        let pulled = pulled.display().to_string();
        let (on_call, on_call_url) = serve("webhook.py", &["--dir", &pulled, "--token", http::TOKEN], path);
        let address = free_address();
        let mut settings = Settings {
            forward_to: String::new(),
            traces_to: String::new(),
            alertmanager: format!("http://{address}"),
            rules: RULES,
            windows: "{ slot: 1s, short: 10s, long: 30s, baseline: 30s }",
            addresses: std::array::from_fn(|_| "127.0.0.1:0".to_owned()),
        };
        let sidecar = Sidecar::start(&settings, path);
        settings.addresses = sidecar.addresses();
        let config = shipped::alertmanager(path, &sidecar.url(""), &on_call_url);
        let alertmanager = Server::alertmanager(&address, &config, path).await;
        let config = shipped::prometheus(path, &sidecar.address("admin"), &address);
        let prometheus = Server::prometheus(&config, path).await;
        let sidecar = Some(sidecar);
        Self { dir, settings, sidecar, alertmanager, prometheus, on_call, on_call_url, sent: 0 }
    }

    fn sidecar(&self) -> &Sidecar {
        self.sidecar.as_ref().expect("it runs")
    }

    /// Five requests that end now.
    async fn traffic(&mut self, shape: impl Fn(Exchange) -> Exchange) {
        let url = format!("http://{}/v1/traces", self.sidecar().address("otlp_http"));
        for _ in 0..5 {
            let now = clock::now();
            let exchange = Exchange::healthy(self.sent, now);
            let ended = Exchange { started_at: now.minus(exchange.latency), ..exchange };
            self.sent += 1;
            http::export(&url, shape(ended).export()).await.expect("the sidecar takes it");
        }
    }

    /// What the sidecar says of its firing alerts: name and feature, to start and incident.
    async fn firing(&self) -> Result<BTreeMap<(String, String), (String, String)>, String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let alerts = self.sidecar().list("alerts").await?;
        let firing = alerts.iter().filter(|alert| alert["state"] == "firing");
        let told = |alert: &Value| {
            let key = (text(&alert["alertname"]), text(&alert["feature"]));
            (key, (text(&alert["starts_at"]), text(&alert["incident_id"])))
        };
        Ok(firing.map(told).collect())
    }

    async fn fires(&mut self) {
        eventually("traffic is seen", async || {
            self.traffic(|it| it).await;
            self.sidecar().find("features", &[("feature", "/support")]).await
        })
        .await;
        eventually("every class fires, for the feature and for the service", async || {
            self.traffic(everything_fails).await;
            let firing = self.firing().await?;
            if firing.len() == 2 * CLASSES.len() { Ok(()) } else { Err(format!("{firing:?}")) }
        })
        .await;
        for (name, class, _) in CLASSES {
            let expression = format!(
                r#"ALERTS{{alertname="FreezeframeAlertFiring", rule="{name}", class="{class}", alertstate="firing"}}"#
            );
            eventually(&format!("Prometheus has {expression}"), async || {
                self.traffic(everything_fails).await;
                let found = self.prometheus.query(&expression).await?;
                if found.is_empty() { Err("nothing".to_owned()) } else { Ok(()) }
            })
            .await;
        }
    }

    /// Notifications about the whole service's alert `name`, oldest first.
    async fn notified(&self, name: &str) -> Result<Vec<Value>, String> {
        let seen = http::get_json(&format!("{}/seen", self.on_call_url)).await?;
        let about = |one: &&Value| one["labels"]["alertname"] == name && one["labels"]["feature"] == "_all";
        Ok(seen.as_array().into_iter().flatten().filter(about).cloned().collect())
    }

    async fn is_routed(&mut self) {
        for (name, _, receiver) in CLASSES {
            let notification = eventually(&format!("{receiver} hears of {name}"), async || {
                self.traffic(everything_fails).await;
                let seen = self.notified(name).await?;
                let told = seen.iter().find(|one| one["receiver"] == receiver && one["status"] == "firing");
                told.cloned().ok_or_else(|| Value::from(seen).to_string())
            })
            .await;
            let annotation = |key: &str| notification["annotations"][key].as_str().unwrap_or_default();
            assert!(annotation("runbook_url").ends_with(&format!("{name}.md")), "{notification}");
            let bytes = http::get(annotation("frame_url")).await.expect("the frame is served");
            assert_eq!(annotation("frame_sha256"), super::hop::sha256(&bytes).as_str());
            assert_eq!(annotation("checkpoint").split(' ').count(), 3, "{notification}");
        }
    }

    async fn is_inhibited(&mut self) {
        eventually("trouble of the service silences the same trouble of its feature", async || {
            self.traffic(everything_fails).await;
            let alerts = self.alertmanager.alerts().await?;
            let is = |name: &str, feature: &str, state: &str| {
                alerts.iter().any(|alert| {
                    alert["labels"]["alertname"] == name
                        && alert["labels"]["feature"] == feature
                        && alert["status"]["state"] == state
                })
            };
            let all = CLASSES.iter().all(|(name, ..)| is(name, "_all", "active") && is(name, "/support", "suppressed"));
            if all { Ok(()) } else { Err(Value::from(alerts).to_string()) }
        })
        .await;
    }

    async fn goes_on_over_a_kill(&mut self) {
        let before = self.firing().await.expect("it answers");
        // What they stand at is written within a moment of every change, and these changed a while ago.
        self.sidecar.take().expect("it runs").kill();
        self.sidecar = Some(Sidecar::start(&self.settings, self.dir.path()));
        assert_eq!(self.firing().await.expect("it answers"), before, "at once");
        for _ in 0..30 {
            self.traffic(everything_fails).await;
            tokio::time::sleep(std::time::Duration::from_millis(400)).await;
            assert_eq!(self.firing().await.expect("it answers"), before, "while the trouble goes on");
        }
        let incidents = self.sidecar().list("incidents").await.expect("it answers");
        let ours = incidents.iter().filter(|it| CLASSES.iter().any(|(name, ..)| it["alertname"] == *name));
        assert_eq!(ours.count(), before.len(), "no second frame: {incidents:?}");
        for (name, ..) in CLASSES {
            let seen = self.notified(name).await.expect("it answers");
            assert!(seen.iter().all(|one| one["status"] == "firing"), "{name} is over in the middle of it: {seen:?}");
        }
    }

    async fn is_resolved(&mut self) {
        for (name, ..) in CLASSES {
            eventually(&format!("{name} is resolved"), async || {
                self.traffic(|it| it).await;
                let seen = self.notified(name).await?;
                let resolved = seen.iter().any(|one| one["status"] == "resolved");
                if resolved { Ok(()) } else { Err(format!("{} notifications", seen.len())) }
            })
            .await;
        }
        assert_eq!(self.firing().await.expect("it answers").len(), 0);
    }
}

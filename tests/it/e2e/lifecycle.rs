//! One incident from the first good request to the closed breaker.

use reqwest::Method;
use serde_json::{Value, json};

use super::application::{App, serve};
use super::hop::{Hop, Messages, sha256};
use super::process::Process;
use super::real::{Server, free_address, python};
use super::sidecar::{self, Settings, Sidecar};
use super::{eventually, http, shipped};

const RULES: &str = "    - name: LLMQualityDegradation
      class: QUALITY_DEGRADATION
      severity: SEV-2
      signal: quality
      direction: below
      limit: { fixed: 0.8 }
      window: 10s
      for: 2s
      keep_firing_for: 2s
      samples_min: 10
      features: [support]
      summary: Answers got worse.";
const VARIABLES: [&str; 6] =
    ["prompt_revision", "model_route", "judge", "retrieval_index", "tool_schemas", "traffic_mix"];

/// Everything around the sidecar.
struct Stage {
    dir: tempfile::TempDir,
    hop: Hop,
    /// Gets the sidecar's own traces.
    tracer: Hop,
    provider: Process,
    provider_url: String,
    on_call: Process,
    on_call_url: String,
    alertmanager: Server,
    prometheus: Server,
    ofrep: Process,
    sidecar: Sidecar,
    /// The faulty feature's application first.
    apps: Vec<App>,
    sent: Messages,
}

/// A prompt revision makes answers bad. The alert fires in the sidecar and, on its own figures, in Prometheus;
/// Alertmanager routes both; the on-call tool pulls a frame that names the prompt and verifies; the breaker opens for
/// the real provider; after the rollback all of it goes back; and the next hop got every byte the SDKs sent.
#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_frozen_routed_verified_and_over() {
    let mut stage = Stage::set().await;
    stage.is_healthy().await;
    stage.break_the_prompt().await;
    stage.fires_everywhere().await;
    let incident = stage.incident("LLMQualityDegradation").await;
    stage.frame_is_true(&incident).await;
    stage.now_is_explained(&incident);
    stage.breaker("support", false).await;
    assert_eq!(stage.ofrep.ask("search")["allow"], true, "no other feature is touched");
    stage.foreign_alert_has_a_frame().await;
    stage.native_histograms_are_scraped().await;
    stage.roll_back().await;
    stage.bytes_are_identical().await;
    stage.stops_and_verifies().await;
}

impl Stage {
    async fn set() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path();
        let (hop, tracer) = (Hop::start().await, Hop::start().await);
        let (provider, provider_url) = serve("openai_server.py", &[], path);
        let pulled = path.join("pulled");
        std::fs::create_dir(&pulled).expect("the test's directory takes directories");
        let pulled = pulled.display().to_string();
        let (on_call, on_call_url) = serve("webhook.py", &["--dir", &pulled, "--token", http::TOKEN], path);
        // The sidecar and Alertmanager want each other's address: Alertmanager's is chosen before it listens there.
        let address = free_address();
        let settings = Settings {
            forward_to: hop.url.clone(),
            traces_to: tracer.url.clone(),
            alertmanager: format!("http://{address}"),
            rules: RULES,
            windows: "{ slot: 1s, short: 10s, long: 30s, baseline: 30s }",
            addresses: std::array::from_fn(|_| "127.0.0.1:0".to_owned()),
        };
        let sidecar = Sidecar::start(&settings, path);
        let config = shipped::alertmanager(path, &sidecar.url(""), &on_call_url);
        let alertmanager = Server::alertmanager(&address, &config, path).await;
        let config = shipped::prometheus(path, &sidecar.address("admin"), &address);
        let prometheus = Server::prometheus(&config, path).await;
        let mut ofrep = python("ofrep.py");
        let ofrep = ofrep.args(["--url", &sidecar.url(""), "--token", http::TOKEN]);
        let ofrep = Process::start("ofrep", ofrep, path);
        let app = |feature, dialect, protocol| {
            let endpoint = format!("http://{}", sidecar.address(&format!("otlp_{protocol}")));
            App::start(feature, dialect, protocol, &endpoint, &provider_url, path)
        };
        let apps = vec![
            app("support", "official", "grpc"),
            app("search", "openinference", "http"),
            app("orders", "openllmetry", "http"),
        ];
        Self {
            hop,
            provider,
            provider_url,
            on_call,
            on_call_url,
            alertmanager,
            prometheus,
            ofrep,
            sidecar,
            apps,
            sent: Messages::new(),
            dir,
            tracer,
        }
    }

    /// `n` requests through each application; the faulty one's prompt as given.
    fn traffic(&mut self, prompt: &str, n: usize) {
        for app in &mut self.apps {
            let prompt = if app.feature == "support" { prompt } else { "v7" };
            app.answer(prompt, n, &mut self.sent);
        }
    }

    async fn is_healthy(&mut self) {
        let url = self.sidecar.url("/api/v1/features");
        self.traffic("v7", 15);
        eventually("the three features are known and good, and what is good is learned", async || {
            self.traffic("v7", 4);
            let features = http::get_json(&url).await?;
            let good = |name: &str| {
                let features = features["features"].as_array().cloned().unwrap_or_default();
                let Some(feature) = features.into_iter().find(|feature| feature["feature"] == name) else {
                    return false;
                };
                let signals = feature["signals"].as_array().cloned().unwrap_or_default();
                signals.iter().any(|signal| {
                    let learned = signal["baseline"]["value"].as_f64() > Some(0.9);
                    signal["signal"] == "quality" && signal["value"].as_f64() > Some(0.9) && learned
                })
            };
            let all = ["support", "search", "orders"].into_iter().all(good);
            if all { Ok(()) } else { Err(features.to_string()) }
        })
        .await;
        assert_eq!(self.ofrep.ask("support")["allow"], true);
    }

    async fn break_the_prompt(&mut self) {
        let url = format!("{}/faults", self.provider_url);
        let fault = json!({"bad_prompt": "[prompt v8]"});
        http::send_json(Method::PUT, &url, &fault).await.expect("the provider takes faults");
    }

    /// Bad traffic until the sidecar's alert and Prometheus's two are routed to the on-call tool by Alertmanager.
    async fn fires_everywhere(&mut self) {
        let firing = [("alertname", "LLMQualityDegradation"), ("feature", "support"), ("state", "firing")];
        eventually("the sidecar's alert fires", async || {
            self.traffic("v8", 4);
            self.sidecar.find("alerts", &firing).await
        })
        .await;
        for expression in [
            r#"ALERTS{alertname="FreezeframeAlertFiring", rule="LLMQualityDegradation", alertstate="firing"}"#,
            r#"ALERTS{alertname="LLMEvaluationFailing", scope="fleet", alertstate="firing"}"#,
        ] {
            eventually(&format!("Prometheus has {expression}"), async || {
                self.traffic("v8", 2);
                let found = self.prometheus.query(expression).await?;
                found.into_iter().next().ok_or_else(|| "nothing".to_owned())
            })
            .await;
        }
        for name in ["LLMQualityDegradation", "FreezeframeAlertFiring", "LLMEvaluationFailing"] {
            eventually(&format!("Alertmanager routes {name}"), async || {
                self.traffic("v8", 2);
                self.notified(name, "firing").await
            })
            .await;
        }
    }

    /// A Prometheus that asks for native histograms takes them, in protobuf, and everything else with them.
    async fn native_histograms_are_scraped(&self) {
        let config = shipped::scraping(self.dir.path(), &self.sidecar.address("admin"));
        let native = Server::prometheus_native(&config, self.dir.path()).await;
        for expression in [
            r#"histogram_quantile(0.5, freezeframe_request_duration_seconds{feature="support"}) > 0"#,
            r#"histogram_count(freezeframe_request_duration_seconds{feature="support"}) > 10"#,
            r#"freezeframe_build_info{version!=""}"#,
            r#"freezeframe_frames_total{result="committed"} > 0"#,
            "gen_ai_client_operation_duration_seconds_bucket",
        ] {
            eventually(&format!("native histograms: {expression}"), async || {
                native.query(expression).await?.into_iter().next().ok_or_else(|| "nothing".to_owned())
            })
            .await;
        }
    }

    /// The newest notification about an alert.
    async fn notified(&self, name: &str, status: &str) -> Result<Value, String> {
        let seen = http::get_json(&format!("{}/seen", self.on_call_url)).await?;
        let seen = seen.as_array().cloned().unwrap_or_default();
        let found = seen.iter().rev().find(|one| one["labels"]["alertname"] == name && one["status"] == status);
        if let Some(found) = found {
            return Ok(found.clone());
        }
        let held = self.alertmanager.alerts().await?;
        Err(format!("{} notifications, none of {name} {status}; Alertmanager holds {}", seen.len(), Value::from(held)))
    }

    async fn incident(&self, alertname: &str) -> Value {
        eventually(&format!("an incident of {alertname} has a frame"), async || {
            let incident = self.sidecar.find("incidents", &[("alertname", alertname)]).await?;
            if incident["frame"]["state"] == "committed" { Ok(incident) } else { Err(incident.to_string()) }
        })
        .await
    }

    /// The frame as the on-call tool pulled it: the bytes the alert promised, the six variables, the right suspect,
    /// a bundle that verifies, and does not once a byte of the frame in it is changed.
    async fn frame_is_true(&self, incident: &Value) {
        let notification = self.notified("LLMQualityDegradation", "firing").await.expect("it was seen before");
        assert_eq!(notification["receiver"], "ml");
        let annotations = &notification["annotations"];
        assert_eq!(annotations["frame_id"], incident["id"]);
        assert!(annotations["runbook_url"].as_str().is_some_and(|url| url.ends_with("LLMQualityDegradation.md")));
        let pulled = self.dir.path().join("pulled");
        let file = |key: &str| pulled.join(notification["frame"][key].as_str().expect("the tool pulled it"));
        let bytes = std::fs::read(file("path")).expect("the tool stored it");
        assert_eq!(annotations["frame_sha256"], sha256(&bytes).as_str());

        let frame: Value = serde_json::from_slice(&bytes).expect("a frame is JSON");
        assert_eq!(frame["schema"], "freezeframe.frame/v1");
        let variables = frame["variables"].as_object().expect("an object");
        assert!(VARIABLES.iter().all(|name| variables.contains_key(*name)) && variables.len() == VARIABLES.len());
        assert_eq!(frame["suspects"][0]["variable"], "prompt_revision", "{}", frame["suspects"]);
        assert_eq!(frame["verdict"]["answer"], "one", "{}", frame["verdict"]);

        let vkey = self.sidecar.vkey(self.dir.path());
        let honest = sidecar::verify(&file("bundle"), &vkey);
        assert_eq!(honest.status.code(), Some(0), "{honest:?}");
        let mut bundle = std::fs::read(file("bundle")).expect("the tool stored it");
        let needle = &bytes[..64];
        let at = bundle.windows(needle.len()).position(|window| window == needle).expect("the frame is in the bundle");
        bundle[at + needle.len() / 2] ^= 1;
        let forged = self.dir.path().join("forged.bundle");
        std::fs::write(&forged, bundle).expect("the test's directory takes files");
        assert_eq!(sidecar::verify(&forged, &vkey).status.code(), Some(1));
    }

    /// Asked without an alert, the sidecar tells of now, and nothing is committed; a frame's figures follow from its counts,
    /// and it can be compared with now.
    fn now_is_explained(&self, incident: &Value) {
        let url = self.sidecar.url("");
        let found = sidecar::asked(&url, &["explain", "--feature", "support", "--since", "1m"]);
        assert_eq!((&found["origin"], &found["seq"]), (&json!("explain"), &json!(0)));
        assert!(found["verdict"]["answer"].is_string(), "{}", found["verdict"]);
        let versions = &found["variables"]["prompt_revision"]["detail"]["dimensions"]["prompt_version"];
        let fails = |part: &Value| {
            part["value"].as_str().is_some_and(|it| it.ends_with("v8")) && part["incident"]["failing"] != 0
        };
        assert!(versions.as_array().is_some_and(|versions| versions.iter().any(fails)), "{versions}");
        let id = incident["id"].as_str().expect("an id");
        let figures = sidecar::asked(&url, &["incident", "show", id, "--recompute"]);
        let figures = figures.as_array().expect("figures");
        assert!(figures.iter().all(|it| it["agrees"] == true), "{figures:?}");
        assert!(figures.iter().filter(|it| it["recomputed"].is_number()).count() > 10, "{figures:?}");
        let difference = sidecar::asked(&url, &["incident", "diff", id, "--now"]);
        assert!(difference["b"]["window"] == "incident" && difference["b"]["id"] != incident["id"], "{difference}");
    }

    /// What the real provider says of a feature's breaker.
    async fn breaker(&mut self, feature: &str, allow: bool) {
        eventually(&format!("breaker.{feature}.allow is {allow}"), async || {
            let details = self.ofrep.ask(feature);
            if details["allow"] == allow && details["error"].is_null() { Ok(()) } else { Err(details.to_string()) }
        })
        .await;
    }

    /// Alertmanager's webhook into the sidecar: Prometheus's own alert, which the sidecar never raised, has a frame.
    async fn foreign_alert_has_a_frame(&self) {
        let incident = self.incident("LLMEvaluationFailing").await;
        let url = self.sidecar.url(&format!("/api/v1/incidents/{}/frame", incident["id"].as_str().expect("an id")));
        let bytes = http::get(&url).await.expect("the frame is served");
        assert_eq!(incident["frame"]["sha256"], sha256(&bytes).as_str());
    }

    /// The rollback: good traffic until the alert is over everywhere and the breaker closed.
    async fn roll_back(&mut self) {
        let closed = [("feature", "support"), ("class", "QUALITY_DEGRADATION"), ("state", "closed")];
        eventually("the breaker closes", async || {
            self.traffic("v7", 4);
            self.sidecar.find("breakers", &closed).await
        })
        .await;
        let inactive = [("alertname", "LLMQualityDegradation"), ("feature", "support"), ("state", "inactive")];
        eventually("the alert is over", async || {
            self.traffic("v7", 2);
            self.sidecar.find("alerts", &inactive).await
        })
        .await;
        self.breaker("support", true).await;
        for name in ["LLMQualityDegradation", "FreezeframeAlertFiring"] {
            eventually(&format!("{name} is resolved"), async || {
                self.traffic("v7", 2);
                self.notified(name, "resolved").await
            })
            .await;
        }
    }

    /// Every message the SDKs got an answer for reached the next hop once, byte for byte, and nothing else did.
    async fn bytes_are_identical(&mut self) {
        for app in self.apps.drain(..) {
            app.finish(&mut self.sent);
        }
        assert!(["traces", "logs", "metrics"].iter().all(|signal| self.sent.keys().any(|(name, _)| name == signal)));
        eventually("the next hop has what was sent", async || {
            let (sent, got) = (&self.sent, self.hop.messages());
            let missing = sent.keys().filter(|key| !got.contains_key(*key)).count();
            if missing == 0 { Ok(()) } else { Err(format!("{missing} of {} messages missing", sent.len())) }
        })
        .await;
        assert_eq!(self.hop.messages(), self.sent);
    }

    /// The checkpoint of every frame has left the sidecar in its own traces, too.
    async fn stops_and_verifies(self) {
        let vkey = self.sidecar.vkey(self.dir.path());
        let data = self.sidecar.data().to_owned();
        let notification = self.notified("LLMQualityDegradation", "firing").await.expect("it was seen before");
        assert!(self.sidecar.terminate().await.success(), "a drain is a success");
        let checkpoint = notification["annotations"]["checkpoint"].as_str().expect("its frame is committed");
        let traced = self.tracer.bodies();
        let remembers = |bytes: &[u8]| memchr::memmem::find(bytes, checkpoint.as_bytes()).is_some();
        assert!(traced.iter().any(|(_, bytes)| remembers(bytes)), "{checkpoint}");
        let verified = sidecar::verify(&data, &vkey);
        assert_eq!(verified.status.code(), Some(0), "{verified:?}");
        drop((self.provider, self.on_call));
    }
}

//! An admin listener on port 0 over channels in place of an engine and a store in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use freezeframe::api::{self, Readiness, Reload, Sources};
use freezeframe::config;
use freezeframe::core::breaker::{self, Machine, Mode, Plan, Policy, Preset};
use freezeframe::core::completeness::Completeness;
use freezeframe::core::detect::{Direction, Estimate, Limit, Rule, Source, Threshold, Verdict};
use freezeframe::core::fingerprint::{alert_labels, fingerprint};
use freezeframe::core::incident::{Class, Pattern, Severity};
use freezeframe::core::manifest::Leaf;
use freezeframe::core::request::{
    Evaluation, Judge, ModelCall, Outcome, Prompt, Request, Retrieval, ToolCall, TraceId, Traffic,
};
use freezeframe::core::signal::Signal;
use freezeframe::core::time::UnixNanos;
use freezeframe::core::window;
use freezeframe::engine::handle::{Command, Handle};
use freezeframe::engine::registry::Registry;
use freezeframe::engine::store::{Condition, EraseOrder, FrameBytes, Receipt, Store, StoreError};
use freezeframe::engine::view::{
    Alert, AlertState, Breach, Breaker, Feature, FrameState, Incident, Notice, SignalReading, View,
};
use freezeframe::engine::witness::Witness;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// 2026-11-22T02:19:00Z
pub(crate) const NOW: UnixNanos = UnixNanos(1_795_313_940_000_000_000);

/// A running admin listener with everything behind it.
pub(crate) struct Admin {
    pub(crate) url: String,
    pub(crate) health_url: String,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) view: watch::Sender<Arc<View>>,
    pub(crate) notices: broadcast::Sender<Notice>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) readiness: Readiness,
    pub(crate) client: reqwest::Client,
    shutdown: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

/// What may differ from the default.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) token: Option<&'static str>,
    pub(crate) view: View,
    pub(crate) store: MemoryStore,
    pub(crate) witness: Option<Arc<dyn Witness>>,
    pub(crate) reload_error: Option<&'static str>,
}

impl Admin {
    pub(crate) async fn start(options: Options) -> Self {
        let (commands_in, commands) = mpsc::channel(1);
        let (view, views) = watch::channel(Arc::new(options.view));
        let (notices, _) = broadcast::channel(8);
        let engine = Handle::new(commands_in, views, notices.clone());
        let registry = Arc::new(Registry::new(8));
        let readiness = Readiness::default();
        let reload_error = options.reload_error;
        let reload: Reload = Arc::new(move || {
            Box::pin(async move { reload_error.map_or(Ok(Vec::new()), |error| Err(error.to_owned())) })
        });
        let admin = config::Admin {
            endpoint: "127.0.0.1:0".into(),
            token: options.token.map(|token| config::Secret(token.into())),
            external_url: None,
        };
        let bound = api::bind(&admin, "127.0.0.1:0").await.unwrap();
        let (url, health_url) = (bound.base_url(), format!("http://{}", bound.health_addr()));
        let sources = Sources {
            engine,
            store: Arc::new(options.store),
            witness: options.witness,
            registry: registry.clone(),
            process_metrics: PrometheusBuilder::new().build_recorder().handle(),
            readiness: readiness.clone(),
            drills: false,
            windows: window::Policy {
                slot: Duration::from_secs(10),
                short: Duration::from_secs(300),
                long: Duration::from_secs(3600),
                baseline: Duration::from_secs(86_400),
            },
            now: || NOW,
            reload,
        };
        let (shutdown, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(bound.serve(sources, async { drop(stopped.await) }));
        Self { url, health_url, commands, view, notices, registry, readiness, client: client(), shutdown, served }
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(format!("{}{path}", self.url)).send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> reqwest::Response {
        self.client.post(format!("{}{path}", self.url)).body(body).send().await.unwrap()
    }

    /// Begins the shutdown and waits for its end.
    pub(crate) async fn stop(self) {
        self.shutdown.send(()).unwrap();
        self.served.await.unwrap();
    }
}

/// A client that shows answers as they are.
pub(crate) fn client() -> reqwest::Client {
    // Fails when another test was first, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder().gzip(false).no_proxy().build().unwrap()
}

pub(crate) async fn json(response: reqwest::Response) -> serde_json::Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

/// Frames, bundles and log files by name.
#[derive(Debug, Default)]
pub(crate) struct MemoryStore {
    pub(crate) frames: Mutex<HashMap<String, Bytes>>,
    pub(crate) log_files: HashMap<String, Bytes>,
}

impl Store for MemoryStore {
    fn append(&self, frame: &FrameBytes) -> Result<Receipt, StoreError> {
        let bytes = Bytes::from(serde_json::to_vec(&frame.body).unwrap());
        self.frames.lock().unwrap().insert(frame.id.clone(), bytes);
        Ok(receipt(&frame.id))
    }

    fn frame(&self, id: &str) -> Result<Option<Bytes>, StoreError> {
        match id {
            "broken" => Err(StoreError::Retry("the disk is gone".into())),
            _ => Ok(self.frames.lock().unwrap().get(id).cloned()),
        }
    }

    fn bundle(&self, id: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(self.frame(id)?.map(|_| Bytes::from_static(b"tar")))
    }

    fn newest(&self, max: usize) -> Result<Vec<(Receipt, Bytes)>, StoreError> {
        let frames = self.frames.lock().unwrap();
        Ok(frames.iter().take(max).map(|(id, bytes)| (receipt(id), bytes.clone())).collect())
    }

    fn log_file(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(self.log_files.get(path).cloned())
    }

    fn record(&self, _: &Leaf) -> Result<u64, StoreError> {
        Ok(1)
    }
    fn erase(&self, _: &EraseOrder) -> Result<u64, StoreError> {
        Ok(1)
    }
    fn maintain(&self, _: UnixNanos, _: u64) -> Result<Condition, StoreError> {
        Ok(Condition { reserve_frames: 32 })
    }
    fn vkey(&self) -> String {
        "test+00000000+AAAA".into()
    }

    fn size(&self) -> u64 {
        self.frames.lock().unwrap().len() as u64
    }
}

pub(crate) fn receipt(id: &str) -> Receipt {
    Receipt {
        frame_id: id.into(),
        seq: 7,
        frame_sha256: "ab".repeat(32),
        checkpoint: "test.example/log 8 cm9vdA==".into(),
    }
}

pub(crate) fn rule() -> Arc<Rule> {
    Arc::new(Rule {
        name: "LlmQualityLow".into(),
        class: Class::QualityDegradation,
        severity: Severity::Sev1,
        signal: Signal::Quality,
        direction: Direction::Below,
        limit: Limit { fixed: Some(0.85), ..Limit::default() },
        window: Duration::from_secs(300),
        window_samples: 0,
        hold: Duration::ZERO,
        keep_firing: Duration::ZERO,
        samples_min: 20,
        features: vec![],
        summary: "Answers got worse.".into(),
    })
}

pub(crate) const ESTIMATE: Estimate = Estimate { value: 0.71, samples: 132, ci_low: 0.62, ci_high: 0.79 };

pub(crate) fn incident(id: &str, frame: FrameState) -> Arc<Incident> {
    Arc::new(Incident {
        id: id.into(),
        feature: "support".into(),
        alertname: "LlmQualityLow".into(),
        class: Class::QualityDegradation,
        severity: Severity::Sev1,
        patterns: vec![Pattern::SilentQualityRegression],
        fingerprint: fingerprint(&alert_labels(&rule(), "support", &[])),
        starts_at: NOW,
        fired_at: NOW,
        resolved_at: None,
        recalled: false,
        breach: Breach {
            signal: Some(Signal::Quality),
            estimate: Some(ESTIMATE),
            limit: Some(0.85),
            source: Some(Source::Fixed),
        },
        frame,
        suspect: Some("prompt_revision=v2".into()),
        refined: None,
        breaker_actions: vec![],
    })
}

pub(crate) fn alert(state: AlertState, incident: Option<Arc<Incident>>) -> Alert {
    let rule = rule();
    Alert {
        fingerprint: fingerprint(&alert_labels(&rule, "support", &[])),
        rule,
        feature: "support".into(),
        state,
        verdict: Verdict::Breached { estimate: ESTIMATE, limit: 0.85, source: Source::Fixed },
        thresholds: vec![Threshold { value: Some(0.85), source: Source::Fixed }],
        starts_at: Some(NOW),
        resolved_at: None,
        incident,
    }
}

pub(crate) fn breaker(feature: &str, mode: Mode, state: breaker::State) -> Breaker {
    let Preset { class, policy, plan } = Preset::of(Class::QualityDegradation);
    Breaker {
        feature: feature.into(),
        class,
        machine: Machine { state, openings: 1, ..Machine::default() },
        policy: Policy { mode, open_for: Duration::from_secs(60), probe_share: 0.1, probes: 3, ..policy },
        last: None,
        incident_id: None,
        signal: None,
        trigger: vec!["LlmQualityLow".into()],
        plan: Arc::new(Plan { route: Some("fallback-model".into()), ..plan }),
    }
}

/// One of everything: a firing alert with its committed frame, one whose frame is still being committed, breakers.
pub(crate) fn view() -> View {
    let committed = incident("0192-committed", FrameState::Committed(receipt("0192-committed")));
    let reading =
        SignalReading { signal: Signal::Quality, short: Some(ESTIMATE), long: None, baseline: Some(ESTIMATE) };
    View {
        at: NOW,
        alerts: vec![alert(AlertState::Firing, Some(committed.clone()))],
        breakers: vec![
            breaker("support", Mode::Enforce, breaker::State::Closed),
            breaker("chat/v1.2", Mode::Shadow, breaker::State::Open { since: NOW }),
        ],
        incidents: vec![incident("0193-committing", FrameState::Committing), committed],
        features: vec![Arc::new(Feature {
            name: "chat/v1.2".into(),
            signals: vec![reading],
            completeness: completeness(),
            freshness: vec![("docs".into(), 12.5)],
        })],
    }
}

/// One request's worth of completeness, in a dialect that captures no content by default.
fn completeness() -> Completeness {
    let mut completeness = Completeness::default();
    completeness.observe(&Request { dialects: vec!["anthropic"], ..request() });
    completeness
}

/// A request with a model call, a retrieval, a tool and an evaluation.
pub(crate) fn request() -> Request {
    let latency = Duration::from_millis(1_200);
    Request {
        trace_id: TraceId([1; 16]),
        feature: "support".into(),
        session_id: None,
        user_id: None,
        request_id: None,
        started_at: NOW,
        ended_at: NOW.plus(latency),
        latency,
        operation: Some("chat".into()),
        outcome: Outcome::Ok,
        finish_reason: None,
        error: None,
        prompt: Prompt::default(),
        user_query: None,
        response: None,
        calls: vec![ModelCall {
            provider: Some("openai".into()),
            model_requested: Some("gpt-5".into()),
            duration: Duration::from_millis(900),
            time_to_first_token: Some(Duration::from_millis(200)),
            input_tokens: Some(1_000),
            output_tokens: Some(50),
            cost_nano_usd: Some(1_500_000),
            ..ModelCall::default()
        }],
        retrievals: vec![Retrieval {
            index: Some("docs".into()),
            freshness_lag: Some(Duration::from_secs(60)),
            ..Retrieval::default()
        }],
        tools: vec![ToolCall { name: "search".into(), started_at: NOW, ran: true, ..ToolCall::default() }],
        tools_offered: vec![],
        tool_path: Some("search".into()),
        tools_version: None,
        evaluations: vec![Evaluation {
            metric: "faithfulness".into(),
            score: Some(0.9),
            label: None,
            passed: Some(true),
            judge: Judge::default(),
            error: None,
            sampled_by: None,
        }],
        feedback: None,
        traffic: Traffic::default(),
        drill: None,
        dialects: vec![],
        spans: 4,
    }
}

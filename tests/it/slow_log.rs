//! Evidence first, with real sockets and the real clock: nobody outside hears of an alert before its frame is durable,
//! and a log that is slow, full or broken delays the alert for the commit timeout and no longer.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use freezeframe::config::{self, Config, Source};
use freezeframe::core::manifest::Leaf;
use freezeframe::core::time::UnixNanos;
use freezeframe::engine::registry::Registry;
use freezeframe::engine::store::{Condition, EraseOrder};
use freezeframe::engine::{self, Engine, FrameBytes, Handle, Queues, Receipt, Store, StoreError, clock};
use freezeframe::notify;
use freezeframe::otlp::Traces;
use freezeframe::toolkit::traffic::Exchange;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::admin::{client, receipt};
use super::e2e::eventually;

const COMMIT_TIMEOUT: Duration = Duration::from_secs(1);

const CONFIG: &str = "
assembly: { root_grace: 0s }
windows: { slot: 1s, short: 5s, long: 10s, baseline: 10s }
evidence: { commit_timeout: 1s }
rules:
  defaults: false
  rules:
    - name: LLMEmptyRetrievals
      class: RETRIEVAL_OUTAGE
      severity: SEV-1
      signal: empty_retrieval_ratio
      direction: above
      limit: { fixed: 0.05 }
      window: 5s
      for: 0s
      keep_firing_for: 0s
      samples_min: 10
      features: ['_all']
      summary: Retrievals find nothing.
alertmanager: { urls: ['URL'], resend_interval: 1s }
";

/// A log that takes its time, and then works or does not.
#[derive(Debug)]
struct SlowLog {
    delay: Duration,
    works: bool,
    /// When appends ended.
    ended: Mutex<Vec<Instant>>,
}

impl Store for SlowLog {
    #[expect(clippy::disallowed_methods, reason = "as a slow disk, on the writer's own thread")]
    fn append(&self, frame: &FrameBytes) -> Result<Receipt, StoreError> {
        std::thread::sleep(self.delay);
        self.ended.lock().unwrap().push(now());
        if self.works { Ok(receipt(&frame.id)) } else { Err(StoreError::Retry("no space left on device".into())) }
    }

    fn frame(&self, _: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(None)
    }

    fn bundle(&self, _: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(None)
    }

    fn newest(&self, _: usize) -> Result<Vec<(Receipt, Bytes)>, StoreError> {
        Ok(Vec::new())
    }

    fn log_file(&self, _: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(None)
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
        0
    }
}

/// What an Alertmanager was told, and when.
type Told = Arc<Mutex<Vec<(Instant, Value)>>>;

#[expect(clippy::disallowed_methods, reason = "the order of two real events is what is tested")]
fn now() -> Instant {
    Instant::now()
}

async fn note(State(told): State<Told>, Json(alerts): Json<Vec<Value>>) {
    told.lock().unwrap().extend(alerts.into_iter().map(|alert| (now(), alert)));
}

/// The live engine over `log`, pushing to an Alertmanager that is returned with it.
async fn start(log: Arc<SlowLog>) -> (Handle, Told, CancellationToken) {
    let told = Told::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/api/v2/alerts", post(note)).with_state(told.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let config: Arc<Config> = Arc::new(config::load(&Source::Text(CONFIG.replace("URL", &url)), &|_| None).unwrap().0);
    let registry = Arc::new(Registry::new(config.features.max));
    let handle = engine::start(Engine::new(config.clone(), registry, 1, clock::now()), log, Queues::default()).unwrap();
    let (stop, settings) = (CancellationToken::new(), config.alertmanager.clone().unwrap());
    let stopped = stop.clone().cancelled_owned();
    tokio::spawn(notify::run(settings, None, "http://ff".into(), client(), handle.clone(), clock::now, stopped));
    (handle, told, stop)
}

/// Empty retrievals until an alert with this annotation is out. When it came, and all that was told before.
async fn fail_until(handle: &Handle, told: &Told, annotation: &str) -> (Instant, Vec<(Instant, Value)>) {
    let mut number = 0;
    eventually(&format!("an alert with {annotation}"), async || {
        for _ in 0..10 {
            number += 1;
            let exchange = Exchange { documents: &[], ..Exchange::healthy(number, clock::now()) };
            handle.traces(Traces::parse(exchange.export()).unwrap()).await.unwrap();
        }
        let told = told.lock().unwrap();
        let found = told.iter().position(|(_, alert)| alert["annotations"][annotation].is_string());
        found.map(|at| (told[at].0, told[..at].to_vec())).ok_or_else(|| format!("{told:?}"))
    })
    .await
}

/// Proves that with a log that is slow but within its time, the first anybody hears of the alert names its frame, and
/// comes after the log's word.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_hears_of_an_alert_before_its_frame_is_durable() {
    let log = Arc::new(SlowLog { delay: COMMIT_TIMEOUT / 3, works: true, ended: Mutex::default() });
    let (handle, told, stop) = start(log.clone()).await;
    let (at, before) = fail_until(&handle, &told, "frame_id").await;
    assert!(before.is_empty(), "{before:?}");
    assert!(at >= log.ended.lock().unwrap()[0], "the alert was out before the frame was durable");
    stop.cancel();
    handle.stop().await;
}

/// Proves that a log that takes too long does not hold the alert back: it goes out saying so, and again with its frame.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_log_delays_an_alert_for_the_commit_timeout_only() {
    let log = Arc::new(SlowLog { delay: COMMIT_TIMEOUT * 4, works: true, ended: Mutex::default() });
    let (handle, told, stop) = start(log.clone()).await;
    fail_until(&handle, &told, "frame_error").await;
    assert!(log.ended.lock().unwrap().is_empty(), "the alert went out while the log was still at it");
    let (at, _) = fail_until(&handle, &told, "frame_id").await;
    assert!(at >= log.ended.lock().unwrap()[0]);
    stop.cancel();
    handle.stop().await;
}

/// Proves that an alert whose frame can't be stored goes out with the reason, and never claims a frame.
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_log_does_not_silence_the_alert() {
    let log = Arc::new(SlowLog { delay: Duration::ZERO, works: false, ended: Mutex::default() });
    let (handle, told, stop) = start(log.clone()).await;
    fail_until(&handle, &told, "frame_error").await;
    let told = told.lock().unwrap().clone();
    for (_, alert) in &told {
        let annotations = &alert["annotations"];
        assert!(annotations["frame_error"].as_str().unwrap().contains("no space left on device"), "{alert}");
        assert_eq!((&annotations["frame_id"], &annotations["frame_sha256"]), (&Value::Null, &Value::Null));
    }
    stop.cancel();
    handle.stop().await;
}

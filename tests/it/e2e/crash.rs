//! SIGKILL at random moments, in the middle of traffic and commits: what was acknowledged is still there and verifies.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};

use super::hop::sha256;
use super::sidecar::{self, Settings, Sidecar};
use super::{eventually, http};

const ROUNDS: usize = 8;
/// Features that break at the same moment, so that commits queue up.
const FEATURES_A_ROUND: usize = 4;
const REQUESTS_A_BATCH: usize = 20;
/// A round is killed within this time after its first frame was acknowledged.
const KILLED_WITHIN: Duration = Duration::from_millis(1500);
const RULES: &str = "    - name: LLMErrorRateHigh
      class: PERFORMANCE_DEGRADATION
      severity: SEV-1
      signal: error_ratio
      direction: above
      limit: { fixed: 0.05 }
      window: 5s
      for: 0s
      keep_firing_for: 0s
      samples_min: 10
      features: ['round-*']
      summary: Requests fail.";

/// Incident id and the SHA-256 of its frame, as anybody outside was told.
type Acknowledged = BTreeMap<String, String>;

/// Kills the sidecar eight times while it freezes frames, and asks each successor for all that any of them promised.
#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_frames_survive_kill_9() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let notified = Arc::new(Mutex::new(Acknowledged::new()));
    let mut settings = Settings {
        forward_to: String::new(),
        traces_to: String::new(),
        alertmanager: notification_sink(Arc::clone(&notified)).await,
        rules: RULES,
        windows: "{ slot: 1s, short: 5s, long: 10s, baseline: 10s }",
        addresses: std::array::from_fn(|_| "127.0.0.1:0".to_owned()),
    };
    let mut sidecar = Sidecar::start(&settings, dir.path());
    settings.addresses = sidecar.addresses();
    let vkey = sidecar.vkey(dir.path());
    let mut acknowledged = Acknowledged::new();
    for round in 0..ROUNDS {
        let killed_after = KILLED_WITHIN.mul_f64(random.random());
        acknowledged.append(&mut freeze_until(&sidecar, round, killed_after).await);
        sidecar.kill();
        acknowledged.extend(notified.lock().expect("no panic while it is held").clone());
        sidecar = Sidecar::start(&settings, dir.path());
        assert_all_there(&sidecar, &acknowledged).await;
    }
    assert!(acknowledged.len() >= ROUNDS, "every round froze something: {acknowledged:?}");
    let data = sidecar.data().to_owned();
    assert!(sidecar.terminate().await.success());
    let verified = sidecar::verify(&data, &vkey);
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
}

/// Failing requests of fresh features until the first frame, and on for `more`, noting each frame the API shows.
async fn freeze_until(sidecar: &Sidecar, round: usize, more: Duration) -> Acknowledged {
    let mut seen = Acknowledged::new();
    eventually(&format!("round {round} freezes a frame"), async || {
        send_failures(sidecar, round).await?;
        seen.append(&mut committed(sidecar, round).await?);
        if seen.is_empty() { Err("no incident yet".to_owned()) } else { Ok(()) }
    })
    .await;
    let looking = async {
        loop {
            send_failures(sidecar, round).await.expect("the sidecar is up");
            seen.append(&mut committed(sidecar, round).await.expect("the sidecar is up"));
        }
    };
    tokio::time::timeout(more, looking).await.expect_err("it ends by running out of time");
    seen
}

async fn committed(sidecar: &Sidecar, round: usize) -> Result<Acknowledged, String> {
    let ours = format!("round-{round}-");
    let incidents = sidecar.list("incidents").await?.into_iter();
    let ours = incidents.filter(|one| one["feature"].as_str().is_some_and(|feature| feature.starts_with(&ours)));
    Ok(ours.filter_map(|one| Some((text(&one["id"])?, text(&one["frame"]["sha256"])?))).collect())
}

async fn assert_all_there(sidecar: &Sidecar, acknowledged: &Acknowledged) {
    for (id, digest) in acknowledged {
        let frame = http::get(&sidecar.url(&format!("/api/v1/incidents/{id}/frame"))).await;
        let frame = frame.unwrap_or_else(|error| panic!("acknowledged frame {id} is gone: {error}"));
        assert_eq!(&sha256(&frame), digest, "frame {id} changed");
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// One OTLP/JSON request with failed chat calls of this round's features.
async fn send_failures(sidecar: &Sidecar, round: usize) -> Result<(), String> {
    let spans: Vec<Value> = (0..REQUESTS_A_BATCH).map(|n| failed_chat(round, n % FEATURES_A_ROUND)).collect();
    let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": "crash"}}]});
    let body = json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]});
    let url = format!("http://{}/v1/traces", sidecar.address("otlp_http"));
    http::send_json(Method::POST, &url, &body).await.map(drop)
}

#[expect(clippy::disallowed_methods, reason = "the test stands for an application, which has a clock")]
fn failed_chat(round: usize, feature: usize) -> Value {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    json!({
        "traceId": format!("{:032x}", rand::random::<u128>()),
        "spanId": format!("{:016x}", rand::random::<u64>()),
        "name": "chat gpt-4o-mini",
        "kind": 3,
        "startTimeUnixNano": (now - Duration::from_millis(80)).as_nanos().to_string(),
        "endTimeUnixNano": now.as_nanos().to_string(),
        "attributes": [
            attribute("feature", &format!("round-{round}-{feature}")),
            attribute("gen_ai.operation.name", "chat"),
            attribute("gen_ai.provider.name", "openai"),
            attribute("gen_ai.request.model", "gpt-4o-mini"),
            attribute("error.type", "500"),
        ],
        "status": {"code": 2, "message": "internal server error"},
    })
}

/// Stands in for Alertmanager and notes every frame an alert names. The base URL.
async fn notification_sink(notified: Arc<Mutex<Acknowledged>>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let router = Router::new().route("/api/v2/alerts", post(note)).with_state(notified);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn note(State(notified): State<Arc<Mutex<Acknowledged>>>, Json(alerts): Json<Vec<Value>>) {
    for alert in alerts {
        let annotation = |key: &str| text(&alert["annotations"][key]);
        if let Some((id, digest)) = annotation("frame_id").zip(annotation("frame_sha256")) {
            notified.lock().expect("no panic while it is held").insert(id, digest);
        }
    }
}

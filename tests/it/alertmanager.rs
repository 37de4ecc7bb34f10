//! Both ways between Alertmanager and the sidecar: its webhook in, alerts out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use freezeframe::config;
use freezeframe::core::fingerprint::{Labels, fingerprint};
use freezeframe::core::time::UnixNanos;
use freezeframe::engine::handle::{Command, ForeignAlert, Handle, Witnessed};
use freezeframe::engine::view::{AlertState, FrameState, View};
use freezeframe::notify;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::admin::{Admin, NOW, Options, alert, client, incident, json, receipt, view};

/// A message as Alertmanager 0.34 sends it.
fn message(alerts: &[Value]) -> String {
    json!({
        "version": "4", "groupKey": "{}:{alertname=\"X\"}", "truncatedAlerts": 0, "status": "firing",
        "receiver": "freezeframe", "notification_reason": "first notification", "groupLabels": {"alertname": "X"},
        "commonLabels": {}, "commonAnnotations": {}, "routeLabels": {}, "externalURL": "http://alertmanager:9093",
        "alerts": alerts,
    })
    .to_string()
}

fn foreign(status: &str, fingerprint: &str, starts_at: &str) -> Value {
    json!({
        "status": status, "labels": {"alertname": "ChatErrors", "feature": "support", "severity": "warning"},
        "annotations": {"summary": "x"}, "startsAt": starts_at, "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph", "fingerprint": fingerprint,
    })
}

const START: &str = "2026-11-22T02:19:00.123456789Z";
/// The same in nanoseconds.
const STARTS_AT: u64 = 1_795_313_940_123_456_789;

/// An engine that freezes each alert once, as the real one does; returns what it was told.
async fn freeze(mut commands: mpsc::Receiver<Command>) -> Vec<ForeignAlert> {
    let (mut known, mut told) = (HashMap::new(), Vec::new());
    while let Some(Command::Witness(alert, reply)) = commands.recv().await {
        let next = format!("incident-{}", known.len());
        let mut created = false;
        let id = known.entry((alert.fingerprint.clone(), alert.starts_at)).or_insert_with(|| {
            created = true;
            next
        });
        reply.send(Witnessed { incident_id: id.clone(), frame: Some(receipt(id)), created }).unwrap();
        told.push(alert);
    }
    told
}

/// Proves that a firing alert is frozen once however often it comes, with its labels understood.
#[tokio::test]
async fn a_firing_alert_is_frozen_once() {
    let mut admin = Admin::start(Options::default()).await;
    let commands = std::mem::replace(&mut admin.commands, mpsc::channel(1).1);
    let engine = tokio::spawn(freeze(commands));
    for created in [true, false] {
        let answer = admin.post("/api/v1/alertmanager", message(&[foreign("firing", "00000000000000ab", START)])).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let expected = json!({"incidents": [{
            "id": "incident-0", "fingerprint": "00000000000000ab",
            "frame_url": format!("{}/api/v1/incidents/incident-0/frame", admin.url),
            "frame_sha256": "ab".repeat(32), "created": created,
        }], "skipped": 0});
        assert_eq!(json(answer).await, expected);
    }
    admin.stop().await;
    let told = engine.await.unwrap();
    assert_eq!((&*told[0].name, &*told[0].feature, told[0].starts_at.0), ("ChatErrors", "support", STARTS_AT));
    assert_eq!((told[0].class, told[0].severity.map(|severity| severity.as_str())), (None, Some("SEV-2")));
}

/// Proves leniency: unknown and missing fields pass, a missing fingerprint is computed, useless alerts are skipped,
/// a resolved alert is answered with its incident.
#[tokio::test]
async fn parses_leniently() {
    let mut admin = Admin::start(Options { view: view(), ..Options::default() }).await;
    let commands = std::mem::replace(&mut admin.commands, mpsc::channel(1).1);
    let engine = tokio::spawn(freeze(commands));
    let labels: Labels = [("alertname", "X"), ("a", "b")].map(|(name, value)| (name.into(), value.into())).into();
    let known = view().incidents[1].fingerprint.clone();
    let alerts = [
        json!({"labels": labels, "startsAt": START, "new_field": {"x": [1]}}),
        json!({"labels": {}, "startsAt": START}),
        json!({"labels": {"alertname": "X"}, "startsAt": "soon"}),
        foreign("resolved", &known, &NOW.to_string()),
        foreign("resolved", "00000000000000cd", START),
    ];
    let answer = json(admin.post("/api/v1/alertmanager", message(&alerts)).await).await;
    assert_eq!(answer["skipped"], 2);
    let incidents = answer["incidents"].as_array().unwrap();
    assert_eq!(incidents.len(), 2);
    assert_eq!(incidents[0]["fingerprint"], fingerprint(&labels));
    assert_eq!((&incidents[1]["id"], &incidents[1]["created"]), (&json!("0192-committed"), &json!(false)));
    admin.stop().await;
    assert_eq!(engine.await.unwrap()[0].feature, "_all");
}

/// Proves that Alertmanager is told to try again when the engine refuses, and not to when the message is useless.
#[tokio::test]
async fn refusals() {
    let mut admin = Admin::start(Options::default()).await;
    for garbage in ["", "[]", "{}", r#"{"version":"3","alerts":[]}"#, r#"{"version":"4"}"#] {
        assert_eq!(admin.post("/api/v1/alertmanager", garbage).await.status(), StatusCode::BAD_REQUEST, "{garbage}");
    }
    drop(std::mem::replace(&mut admin.commands, mpsc::channel(1).1));
    let answer = admin.post("/api/v1/alertmanager", message(&[foreign("firing", "00000000000000ab", START)])).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key("retry-after"));
    admin.stop().await;
}

/// An Alertmanager that answers with the given statuses, then 200 for good, and shows what it got.
async fn alertmanager(statuses: Vec<u16>) -> (String, mpsc::Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (posts, received) = mpsc::channel(64);
    tokio::spawn(async move {
        let mut statuses = statuses.into_iter();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            let (head, body) = loop {
                let mut chunk = [0; 4096];
                let n = stream.read(&mut chunk).await.unwrap();
                bytes.extend_from_slice(&chunk[..n]);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length =
                    head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                if body.len() == length.unwrap_or(0) {
                    break (head.to_owned(), body.to_owned());
                }
            };
            let status = statuses.next().unwrap_or(200);
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}");
            stream.write_all(answer.as_bytes()).await.unwrap();
            if posts.send((head, serde_json::from_str(&body).unwrap())).await.is_err() {
                return;
            }
        }
    });
    (url, received)
}

struct Notifier {
    view: watch::Sender<Arc<View>>,
    stop: oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<()>,
}

fn notifier(urls: Vec<String>, initial: View) -> Notifier {
    let (view, views) = watch::channel(Arc::new(initial));
    let engine = Handle::new(mpsc::channel(1).0, views, broadcast::channel(1).0);
    let config = config::Alertmanager {
        urls,
        token: Some(config::Secret("am-token".into())),
        resend_interval: Duration::from_millis(200),
        resolved_for: Duration::from_secs(900),
        timeout: Duration::from_secs(10),
        drills: false,
        labels: vec![("cluster".into(), "eu-1".into()), ("severity".into(), "mine".into())],
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let run = notify::run(
        config,
        Some("https://runbooks.example/".into()),
        "http://ff:8889".into(),
        client(),
        engine,
        tick,
        async { drop(stopped.await) },
    );
    Notifier { view, stop, ended: tokio::spawn(run) }
}

/// A clock that a whole interval passes on at every look.
fn tick() -> UnixNanos {
    use std::sync::atomic::{AtomicU64, Ordering};
    static LOOKS: AtomicU64 = AtomicU64::new(0);
    NOW.plus(Duration::from_millis(200) * u32::try_from(LOOKS.fetch_add(1, Ordering::Relaxed)).unwrap())
}

fn firing(frame: FrameState) -> View {
    let incident = incident("0192-committed", frame);
    View { alerts: vec![alert(AlertState::Firing, Some(incident))], ..View::default() }
}

/// Proves the message to Alertmanager field by field, and that it comes again with the same start.
#[tokio::test]
async fn the_alert_as_sent() {
    let (url, mut posts) = alertmanager(vec![]).await;
    let notifier = notifier(vec![url], firing(FrameState::Committed(receipt("0192-committed"))));
    let (head, body) = posts.recv().await.unwrap();
    assert!(head.starts_with("POST /api/v2/alerts HTTP/1.1"));
    assert!(head.contains("authorization: Bearer am-token") && head.contains("content-type: application/json"));
    let labels = json!({
        "alertname": "LlmQualityLow", "feature": "support", "class": "QUALITY_DEGRADATION", "severity": "critical",
        "sev": "SEV-1", "cluster": "eu-1",
    });
    assert_eq!(body[0]["labels"], labels);
    let annotations = json!({
        "summary": "Answers got worse.",
        "description": "quality of support is 0.71, limit 0.85, fixed (132 samples, 95 % confidence interval 0.62 to 0.79).",
        "runbook_url": "https://runbooks.example/LlmQualityLow.md",
        "frame_url": "http://ff:8889/api/v1/incidents/0192-committed/frame",
        "frame_id": "0192-committed",
        "frame_sha256": "ab".repeat(32),
        "checkpoint": "test.example/log 8 cm9vdA==",
        "suspect": "prompt_revision=v2",
    });
    assert_eq!(body[0]["annotations"], annotations);
    assert_eq!(body[0]["startsAt"], "2026-11-22T02:19:00.000Z");
    assert!(body[0]["endsAt"].as_str() > body[0]["startsAt"].as_str());
    assert_eq!(body[0]["generatorURL"], "http://ff:8889/api/v1/incidents/0192-committed");

    let (_, again) = posts.recv().await.unwrap();
    assert_eq!(again[0]["startsAt"], body[0]["startsAt"]);
    assert!(again[0]["endsAt"].as_str() > body[0]["endsAt"].as_str());
    notifier.stop.send(()).unwrap();
    notifier.ended.await.unwrap();
}

/// Proves that an alert without its frame says so, and that the end of an alert is told even at shutdown.
#[tokio::test]
async fn without_a_frame_and_resolved_at_shutdown() {
    let (url, mut posts) = alertmanager(vec![]).await;
    let notifier = notifier(vec![url], firing(FrameState::NotCommitted { reason: "disk full".into() }));
    let (_, body) = posts.recv().await.unwrap();
    let annotations = body[0]["annotations"].as_object().unwrap();
    assert_eq!(annotations["frame_error"], "the freeze frame is not committed: disk full");
    assert!(!annotations.contains_key("frame_id") && !annotations.contains_key("checkpoint"));

    let mut resolved = alert(AlertState::Inactive, None);
    resolved.resolved_at = Some(NOW.plus(Duration::from_secs(30)));
    notifier.stop.send(()).unwrap();
    notifier.view.send_replace(Arc::new(View { alerts: vec![resolved], ..View::default() }));
    notifier.ended.await.unwrap();
    let mut ends = Vec::new();
    while let Ok((_, body)) = posts.try_recv() {
        ends.push(body[0]["endsAt"].clone());
    }
    assert_eq!(ends.last(), Some(&json!("2026-11-22T02:19:30.000Z")));
}

/// Proves that replicas are independent, that a failed request is made again, and that 400 counts as taken.
#[tokio::test]
async fn replicas_are_independent() {
    let (failing, mut late) = alertmanager(vec![500]).await;
    let (partial, mut taken) = alertmanager(vec![400]).await;
    let dead = "http://127.0.0.1:1/".to_owned();
    let notifier = notifier(vec![dead, failing, partial], firing(FrameState::Committing));
    for posts in [&mut late, &mut taken] {
        let (_, first) = posts.recv().await.unwrap();
        let (_, second) = posts.recv().await.unwrap();
        assert_eq!(first[0]["labels"], second[0]["labels"]);
    }
    notifier.stop.send(()).unwrap();
    notifier.ended.await.unwrap();
}

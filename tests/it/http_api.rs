//! The admin listener over real sockets: who may ask, what is answered, and when it ends.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use freezeframe::api::{self, BindError, Phase};
use freezeframe::config;
use freezeframe::core::breaker::{self, Mode};
use freezeframe::engine::handle::{BreakerAction, Command, NoSuchBreaker};
use freezeframe::engine::view::{AlertState, FrameState, Notice, Refined, View};
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::admin::{Admin, MemoryStore, NOW, Options, alert, breaker, incident, json, receipt, request, view};

const FRAME: &[u8] = br#"{"id":"0192-committed","schema":"freezeframe.frame/v1"}"#;

async fn start() -> Admin {
    Admin::start(Options { view: view(), store: store(), ..Options::default() }).await
}

fn store() -> MemoryStore {
    let files = ["checkpoint", "tile/0/000", "tile/entries/x001/067.p/3"];
    MemoryStore {
        frames: HashMap::from([("0192-committed".to_owned(), FRAME.into())]).into(),
        log_files: files.into_iter().map(|path| (path.to_owned(), path.into())).collect(),
    }
}

/// Proves that every readable path answers with its type, and HEAD as GET without the body.
#[tokio::test]
async fn get_and_head() {
    let admin = start().await;
    admin.readiness.set(Phase::Ready);
    let table = [
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8"),
        ("/-/healthy", "text/plain; charset=utf-8"),
        ("/-/ready", "text/plain; charset=utf-8"),
        ("/api/v1/features", "application/json"),
        ("/api/v1/features/chat/v1.2", "application/json"),
        ("/api/v1/features/chat%2Fv1.2", "application/json"),
        ("/api/v1/alerts", "application/json"),
        ("/api/v1/incidents", "application/json"),
        ("/api/v1/incidents/0192-committed", "application/json"),
        ("/api/v1/incidents/0192-committed/frame", "application/json"),
        ("/api/v1/incidents/0192-committed/bundle", "application/x-tar"),
        ("/api/v1/incidents/0192-committed/postmortem", "text/markdown; charset=utf-8"),
        ("/api/v1/frames?fingerprint=0000000000000000", "application/json"),
        ("/api/v1/breakers", "application/json"),
        ("/api/v1/breakers/chat/v1.2", "application/json"),
        ("/api/v1/openapi.json", "application/json"),
        ("/log/checkpoint", "text/plain; charset=utf-8"),
        ("/log/tile/0/000", "application/octet-stream"),
        ("/log/tile/entries/x001/067.p/3", "application/octet-stream"),
    ];
    for (path, content_type) in table {
        for method in [Method::GET, Method::HEAD] {
            let request = admin.client.request(method.clone(), format!("{}{path}", admin.url));
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), StatusCode::OK, "{method} {path}");
            assert_eq!(response.headers()["content-type"], content_type, "{method} {path}");
            let body = response.bytes().await.unwrap();
            assert_eq!(body.is_empty(), method == Method::HEAD, "{method} {path}");
        }
    }
    admin.stop().await;
}

/// Proves that errors are RFC 9457 problems with the right status and headers.
#[tokio::test]
async fn errors_are_problems() {
    let admin = start().await;
    let big = "x".repeat((1 << 20) + 1);
    let table = [
        (Method::GET, "/nothing", "", 404),
        (Method::GET, "/api/v1/features/none", "", 404),
        (Method::GET, "/api/v1/incidents/none", "", 404),
        (Method::GET, "/api/v1/incidents/none/frame", "", 404),
        (Method::GET, "/api/v1/incidents/none/bundle", "", 404),
        (Method::GET, "/api/v1/incidents/none/postmortem", "", 404),
        (Method::GET, "/api/v1/incidents/broken/frame", "", 503),
        (Method::GET, "/api/v1/frames", "", 400),
        (Method::GET, "/api/v1/frames?fingerprint=00&starts_at=yesterday", "", 400),
        (Method::GET, "/api/v1/explanation?signal=none", "", 400),
        (Method::GET, "/api/v1/explanation?since=yesterday", "", 400),
        (Method::GET, "/api/v1/explanation?since=0s", "", 400),
        (Method::GET, "/api/v1/explanation?sinc=5m", "", 400),
        (Method::GET, "/api/v1/changes?variable=weather", "", 400),
        (Method::GET, "/api/v1/changes?since=yesterday", "", 400),
        (Method::GET, "/api/v1/changes?sinc=5m", "", 400),
        (Method::GET, "/api/v1/breakers/none", "", 404),
        (Method::GET, "/log/tile/0/001", "", 404),
        (Method::GET, "/log/tile/%2e%2e/keys/log.key", "", 404),
        (Method::GET, "/log/tile/0%2F..%2F..%2Fcheckpoint", "", 404),
        (Method::POST, "/metrics", "", 405),
        (Method::DELETE, "/api/v1/breakers/support", "", 405),
        (Method::GET, "/-/reload", "", 405),
        (Method::POST, "/api/v1/alertmanager", "{}", 400),
        (Method::POST, "/api/v1/alertmanager", &big, 413),
        (Method::POST, "/api/v1/breakers/support/NO_SUCH_CLASS", r#"{"action":"open"}"#, 404),
        (Method::POST, "/api/v1/breakers/support/QUALITY_DEGRADATION", r#"{"action":"explode"}"#, 400),
        (Method::POST, "/ofrep/v1/evaluate/flags", &big, 413),
    ];
    for (method, path, body, status) in table {
        let request = admin.client.request(method.clone(), format!("{}{path}", admin.url)).body(body.to_owned());
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{method} {path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{method} {path}");
        assert_eq!(response.headers().contains_key("retry-after"), status == 503, "{method} {path}");
        assert_eq!(response.headers().contains_key("allow"), status == 405, "{method} {path}");
        let problem = json(response).await;
        assert_eq!((&problem["type"], &problem["status"]), (&json!("about:blank"), &json!(status)));
        assert!(problem["title"].is_string() && problem["detail"].is_string());
    }
    admin.stop().await;
}

/// Proves that with a token everything but metrics and probes wants it.
#[tokio::test]
async fn a_token_guards_everything_but_metrics_and_probes() {
    let admin = Admin::start(Options { token: Some("s3cret"), view: view(), ..Options::default() }).await;
    admin.readiness.set(Phase::Ready);
    for path in ["/metrics", "/-/healthy", "/-/ready"] {
        assert_eq!(admin.get(path).await.status(), StatusCode::OK, "{path}");
    }
    for path in ["/api/v1/features", "/api/v1/openapi.json", "/log/checkpoint", "/api/v1/events", "/nothing"] {
        let response = admin.get(path).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"freezeframe\"");
    }
    for path in ["/ofrep/v1/evaluate/flags", "/api/v1/alertmanager", "/-/reload"] {
        assert_eq!(admin.post(path, "{}").await.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    let get = |token: &str| admin.client.get(format!("{}/api/v1/features", admin.url)).bearer_auth(token).send();
    assert_eq!(get("s3cret").await.unwrap().status(), StatusCode::OK);
    assert_eq!(get("other").await.unwrap().status(), StatusCode::UNAUTHORIZED);
    admin.stop().await;
}

/// Proves that a foreign name in `Host`, as after DNS rebinding, is turned away without a token.
#[tokio::test]
async fn foreign_names_are_turned_away() {
    let admin = start().await;
    let request = admin.client.get(format!("{}/api/v1/features", admin.url)).header("host", "evil.example");
    assert_eq!(request.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    admin.stop().await;
}

/// Proves that a listener open to the network without a token is not started.
#[tokio::test]
async fn off_loopback_without_a_token_is_refused() {
    let admin = config::Admin { endpoint: "0.0.0.0:0".into(), token: None, external_url: None };
    assert!(matches!(api::bind(&admin, "127.0.0.1:0").await, Err(BindError::TokenRequired(_))));
    let admin = config::Admin { token: Some(config::Secret("t".into())), ..admin };
    assert!(api::bind(&admin, "127.0.0.1:0").await.is_ok());
}

/// Proves that a frame is served byte for byte with its hash as tag, and that an incident whose frame is still being
/// committed is not shown.
#[tokio::test]
async fn frames_are_served_as_committed() {
    let admin = start().await;
    let path = "/api/v1/incidents/0192-committed/frame";
    let response = admin.get(path).await;
    let tag = response.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(response.bytes().await.unwrap(), FRAME);
    let again = admin.client.get(format!("{}{path}", admin.url)).header("if-none-match", tag);
    assert_eq!(again.send().await.unwrap().status(), StatusCode::NOT_MODIFIED);

    let listed = json(admin.get("/api/v1/incidents").await).await;
    assert_eq!(listed["incidents"].as_array().unwrap().len(), 1);
    let incident = json(admin.get("/api/v1/incidents/0192-committed").await).await;
    assert_eq!(incident, listed["incidents"][0]);
    assert_eq!(incident["frame"]["url"], format!("{}{path}", admin.url));
    assert_eq!(incident["starts_at"], "2026-11-22T02:19:00.000Z");
    assert_eq!(incident["severity"], "SEV-1");
    assert_eq!(admin.get("/api/v1/incidents/0193-committing").await.status(), StatusCode::NOT_FOUND);

    let fingerprint = incident["fingerprint"].as_str().unwrap();
    for (starts_at, found) in [("", 1), ("&starts_at=2026-11-22T02:19:00Z", 1), ("&starts_at=2026-11-22T02:20:00Z", 0)]
    {
        let frames = json(admin.get(&format!("/api/v1/frames?fingerprint={fingerprint}{starts_at}")).await).await;
        assert_eq!(frames["frames"].as_array().unwrap().len(), found, "{starts_at}");
    }
    admin.stop().await;
}

/// Proves that an incident's second frame is found beside its first, before it, once it is committed.
#[tokio::test]
async fn second_frames_are_found_too() {
    let committed = FrameState::Committed(receipt("0194-second"));
    for (frame, ids) in
        [(committed, &["0194-second", "0192-committed"][..]), (FrameState::Committing, &["0192-committed"])]
    {
        let second = Refined { id: "0194-second".into(), at: NOW, frame, suspect: None };
        let mut incident = (*incident("0192-committed", FrameState::Committed(receipt("0192-committed")))).clone();
        incident.refined = Some(second);
        let fingerprint = incident.fingerprint.clone();
        let view = View { incidents: vec![incident.into()], ..view() };
        let admin = Admin::start(Options { view, store: store(), ..Options::default() }).await;
        let found = json(admin.get(&format!("/api/v1/frames?fingerprint={fingerprint}")).await).await;
        let found = found["frames"].as_array().unwrap();
        let of = |key: &str| found.iter().map(|it| it[key].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        let urls: Vec<_> = ids.iter().map(|id| format!("{}/api/v1/incidents/{id}/frame", admin.url)).collect();
        assert_eq!((of("frame_id"), of("frame_url")), (ids.iter().map(|&id| id.to_owned()).collect(), urls));
        assert!(of("incident_id").iter().all(|id| id == "0192-committed"));
        admin.stop().await;
    }
}

/// Proves that the postmortem tells what frame and incident know, as text and as data.
#[tokio::test]
async fn a_postmortem_tells_frame_and_incident() {
    let frame = json!({
        "id": "0192-committed", "feature": "support", "captured_at": "2026-11-22T02:20:00.000Z",
        "alert": { "name": "LlmQualityLow", "starts_at": "2026-11-22T02:19:00.000Z" },
        "windows": { "incident": { "from": "2026-11-22T02:15:30.000Z" } },
        "verdict": { "answer": "one", "evidence": "prompt_revision v2 <b>did</b> it" },
    });
    let frames = HashMap::from([("0192-committed".to_owned(), frame.to_string().into())]);
    let store = MemoryStore { frames: frames.into(), ..MemoryStore::default() };
    let admin = Admin::start(Options { view: view(), store, ..Options::default() }).await;
    let path = "/api/v1/incidents/0192-committed/postmortem";
    let text = admin.get(path).await.text().await.unwrap();
    for told in ["LlmQualityLow on support", "prompt_revision v2", "| 2026-11-22 02:15:30 | Trouble begins"] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let request = admin.client.get(format!("{}{path}", admin.url)).header("accept", "application/json");
    let data = json(request.send().await.unwrap()).await;
    assert_eq!((&data["incident"]["id"], &data["frame"]), (&json!("0192-committed"), &frame));
    let at: Vec<_> = data["timeline"].as_array().unwrap().iter().map(|it| it["at"].as_str().unwrap()).collect();
    assert_eq!(at, ["2026-11-22T02:15:30.000Z", "2026-11-22T02:19:00.000Z", "2026-11-22T02:20:00.000Z"]);
    admin.stop().await;
}

/// Proves that deadlines are told of incidents with a known fate, the review once there is an end, and none for ever.
#[tokio::test]
async fn deadlines_of_postmortems_are_metrics() {
    let day = std::time::Duration::from_secs(86_400);
    for (ended, passed, deadlines) in
        [(None, 0, &["draft"][..]), (Some(NOW), 2, &["draft", "review"]), (Some(NOW), 40, &[])]
    {
        let mut view = view();
        view.at = NOW.plus(day * passed);
        for incident in &mut view.incidents {
            Arc::make_mut(incident).resolved_at = ended;
        }
        let admin = Admin::start(Options { view, ..Options::default() }).await;
        let text = admin.get("/metrics").await.text().await.unwrap();
        let due = text.lines().filter(|it| it.starts_with("freezeframe_postmortem_due_timestamp_seconds{"));
        let expected = deadlines.iter().map(|deadline| {
            let at = NOW.plus(if *deadline == "draft" { day * 2 } else { day * 3 }).0 / 1_000_000_000;
            format!("incident=\"0192-committed\",feature=\"support\",deadline=\"{deadline}\"}} {at}")
        });
        let due: Vec<&str> = due.filter_map(|it| it.split_once('{')).map(|(_, rest)| rest).collect();
        assert_eq!(due, expected.collect::<Vec<_>>());
        admin.stop().await;
    }
}

/// Proves the shape of features and alerts: window, count, value, interval and baseline of each signal.
#[tokio::test]
async fn readings() {
    let admin = start().await;
    let mut feature = json(admin.get("/api/v1/features/chat/v1.2").await).await;
    let completeness = feature.as_object_mut().unwrap().remove("completeness").unwrap();
    let expected = json!({
        "feature": "chat/v1.2",
        "signals": [{
            "signal": "quality",
            "window_seconds": 300.0, "count": 132, "value": 0.71, "ci_low": 0.62, "ci_high": 0.79,
            "long": {"window_seconds": 3600.0, "count": 0, "value": null, "ci_low": null, "ci_high": null},
            "baseline": {"count": 132, "value": 0.71, "ci_low": 0.62, "ci_high": 0.79},
        }],
        "freshness_lag_seconds": {"docs": 12.5},
    });
    assert_eq!(feature, expected);
    assert_eq!((&completeness["requests"], &completeness["dialects"][0]["dialect"]), (&json!(1), &json!("anthropic")));
    let find = |list: &str, field: &str| {
        completeness[list].as_array().unwrap().iter().find(|it| it["field"] == field).unwrap().clone()
    };
    let tokens = json!({"field": "input_tokens", "group": "performance", "requests": 1, "share": 1.0});
    assert_eq!(find("fields", "input_tokens"), tokens);
    let gap = find("gaps", "prompt_sha256");
    assert_eq!((&gap["dialect"], &gap["share"]), (&json!("anthropic"), &json!(0.0)));
    assert_eq!(gap["remedy"], "set ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE=content");
    let alerts = json(admin.get("/api/v1/alerts").await).await;
    let alert = &alerts["alerts"][0];
    assert_eq!(
        (&alert["state"], &alert["threshold"], &alert["labels"]["severity"]),
        (&json!("firing"), &json!(0.85), &json!("critical"),)
    );
    admin.stop().await;
}

/// Proves that a reader of breakers gets 304 until a state changes, and that counts alone change nothing.
#[tokio::test]
async fn breakers_have_a_tag_of_their_states() {
    let admin = start().await;
    let response = admin.get("/api/v1/breakers").await;
    let tag = response.headers()["etag"].to_str().unwrap().to_owned();
    let shadow = &json(response).await["breakers"][1];
    assert_eq!((&shadow["state"], &shadow["would_be"]), (&json!("shadow"), &json!("open")));
    let again = || {
        let request = admin.client.get(format!("{}/api/v1/breakers", admin.url)).header("if-none-match", &tag);
        async { request.send().await.unwrap().status() }
    };
    assert_eq!(again().await, StatusCode::NOT_MODIFIED);

    assert_eq!(admin.post("/ofrep/v1/evaluate/flags/breaker.chat/v1.2.allow", "{}").await.status(), StatusCode::OK);
    assert_eq!(json(admin.get("/api/v1/breakers/chat/v1.2").await).await["breakers"][0]["redirected"], 1);
    assert_eq!(again().await, StatusCode::NOT_MODIFIED);

    publish_breaker(&admin, breaker::State::Open { since: NOW });
    assert_eq!(again().await, StatusCode::OK);
    admin.stop().await;
}

fn publish_breaker(admin: &Admin, state: breaker::State) {
    let breakers = vec![breaker("support", Mode::Enforce, state)];
    admin.view.send_replace(Arc::new(View { breakers, ..view() }));
}

/// Proves an operator's order from HTTP to the engine and back, with the new state in the answer.
#[tokio::test]
async fn an_order_reaches_the_engine() {
    let mut admin = start().await;
    let url = format!("{}/api/v1/breakers/support/QUALITY_DEGRADATION", admin.url);
    let order = admin.client.post(url.clone()).body(r#"{"action":"open","comment":"by hand"}"#).send();
    let engine = async {
        let Some(Command::Breaker(order, reply)) = admin.commands.recv().await else { panic!("not an order") };
        assert_eq!((&*order.feature, order.action, &*order.comment), ("support", BreakerAction::Open, "by hand"));
        reply.send(Ok(())).unwrap();
        let breakers = vec![breaker("support", Mode::Enforce, breaker::State::ForcedOpen { since: NOW })];
        admin.view.send_replace(Arc::new(View { breakers, ..view() }));
    };
    let (answer, ()) = tokio::join!(order, engine);
    assert_eq!(json(answer.unwrap()).await["state"], "forced_open");

    let order = admin.client.post(url.clone()).body(r#"{"action":"close"}"#).send();
    let engine = async {
        let Some(Command::Breaker(_, reply)) = admin.commands.recv().await else { panic!("not an order") };
        reply.send(Err(NoSuchBreaker)).unwrap();
    };
    let (answer, ()) = tokio::join!(order, engine);
    assert_eq!(answer.unwrap().status(), StatusCode::NOT_FOUND);

    drop(std::mem::replace(&mut admin.commands, tokio::sync::mpsc::channel(1).1));
    let refused = admin.client.post(url).body(r#"{"action":"reset"}"#).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    admin.stop().await;
}

/// Proves that transitions arrive as named events, that a client that fell behind is told how much it missed, that
/// streams are bounded, and that they do not hold up the shutdown.
#[tokio::test]
async fn events() {
    let admin = start().await;
    let mut stream = admin.get("/api/v1/events").await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    admin.notices.send(Notice::Alert { alert: Arc::new(alert(AlertState::Firing, None)), at: NOW }).unwrap();
    let event = next_event(&mut stream).await;
    assert!(event.starts_with("event: alert\ndata: {\"at\":\"2026-11-22T02:19:00.000Z\""), "{event}");

    // On this single thread nobody reads between these, so the channel of eight overflows.
    for _ in 0..20 {
        let transition = breaker::Transition {
            from: breaker::State::Closed,
            to: breaker::State::Open { since: NOW },
            reason: breaker::Reason::AlertFiring,
            at: NOW,
        };
        let class = freezeframe::core::incident::Class::CostSpike;
        let notice = Notice::Breaker { feature: "support".into(), class, mode: Mode::Enforce, transition };
        admin.notices.send(notice).unwrap();
    }
    assert_eq!(next_event(&mut stream).await, "event: lagged\ndata: {\"missed\":12}");
    let event = next_event(&mut stream).await;
    assert!(event.starts_with("event: breaker\n") && event.contains("\"to\":\"open\""), "{event}");

    let mut streams = vec![stream];
    while streams.len() < 64 {
        streams.push(admin.get("/api/v1/events").await);
    }
    assert!(streams.iter().all(|stream| stream.status() == StatusCode::OK));
    assert_eq!(admin.get("/api/v1/events").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    admin.stop().await;
}

async fn next_event(stream: &mut reqwest::Response) -> String {
    let chunk = stream.chunk().await.unwrap().unwrap();
    let text = String::from_utf8(chunk.to_vec()).unwrap();
    text.trim_end().to_owned()
}

/// Proves what the probes say in every phase, on their own listener and on the admin listener.
#[tokio::test]
async fn probes() {
    let admin = start().await;
    let phases = [
        (Phase::Starting, StatusCode::SERVICE_UNAVAILABLE),
        (Phase::LogNotVerified, StatusCode::SERVICE_UNAVAILABLE),
        (Phase::Ready, StatusCode::OK),
        (Phase::Draining, StatusCode::SERVICE_UNAVAILABLE),
    ];
    for (phase, ready) in phases {
        admin.readiness.set(phase);
        let urls = [
            (format!("{}/livez", admin.health_url), StatusCode::OK),
            (format!("{}/healthz", admin.health_url), StatusCode::OK),
            (format!("{}/readyz", admin.health_url), ready),
            (format!("{}/-/healthy", admin.health_url), StatusCode::OK),
            (format!("{}/-/ready", admin.health_url), ready),
            (format!("{}/-/healthy", admin.url), StatusCode::OK),
            (format!("{}/-/ready", admin.url), ready),
        ];
        for (url, expected) in urls {
            for method in [Method::GET, Method::HEAD] {
                let status = admin.client.request(method, &url).send().await.unwrap().status();
                assert_eq!(status, expected, "{url} {phase:?}");
            }
        }
    }
    admin.stop().await;
}

/// Proves that a reload's error reaches who asked for it.
#[tokio::test]
async fn reload() {
    let admin = start().await;
    assert_eq!(admin.post("/-/reload", "").await.status(), StatusCode::OK);
    admin.stop().await;
    let admin = Admin::start(Options { reload_error: Some("rules[0]: no such signal"), ..Options::default() }).await;
    let answer = admin.post("/-/reload", "").await;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(json(answer).await["detail"], "rules[0]: no such signal");
    admin.stop().await;
}

/// Proves that both formats hold every family of the contract with help, type, whole histograms and no series twice,
/// the same bytes each time.
#[tokio::test]
async fn metrics_are_well_formed() {
    let admin = start().await;
    let (_, meters) = admin.registry.get_or_insert("chat/\"v1\"\\2\n");
    meters.record(&request(), false);
    admin.registry.get_or_insert("_all").1.record(&request(), false);
    let binding = [
        "freezeframe_requests_total",
        "freezeframe_request_duration_seconds",
        "freezeframe_time_to_first_token_seconds",
        "freezeframe_tokens_total",
        "freezeframe_cost_usd_total",
        "freezeframe_telemetry_completeness_ratio",
        "freezeframe_telemetry_completeness_score",
        "freezeframe_evaluations_total",
        "freezeframe_tool_calls_total",
        "freezeframe_retrievals_total",
        "freezeframe_retrieval_freshness_lag_seconds",
        "freezeframe_alert_state",
        "freezeframe_breaker_state",
        "freezeframe_log_size",
        "freezeframe_build_info",
        "gen_ai_client_operation_duration_seconds",
        "gen_ai_client_token_usage",
    ];
    for (accept, open_metrics) in [("*/*", false), ("application/openmetrics-text;version=1.0.0", true)] {
        let scrape = || async {
            let request = admin.client.get(format!("{}/metrics", admin.url)).header("accept", accept);
            request.send().await.unwrap().text().await.unwrap()
        };
        let text = scrape().await;
        assert_eq!(text, scrape().await);
        let families = families(&text, open_metrics);
        assert_eq!(text.contains(" # {trace_id=\""), open_metrics, "a request beside its bucket");
        for name in binding {
            let name = if open_metrics { name.trim_end_matches("_total").trim_end_matches("_info") } else { name };
            assert!(families.contains(name), "{name}");
        }
        assert!(!text.contains("feature=\"_all\""));
        assert!(text.contains(r#"freezeframe_requests_total{feature="chat/\"v1\"\\2\n",outcome="ok"} 1"#));
        let state = r#"freezeframe_breaker_state{feature="chat/v1.2",class="QUALITY_DEGRADATION",state="shadow"} 1"#;
        assert!(text.contains(state));
    }
    admin.stop().await;
}

/// An own, strict reading of the exposition: returns the families.
fn families(text: &str, open_metrics: bool) -> BTreeSet<String> {
    let (mut types, mut helped, mut seen) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    let mut buckets: BTreeMap<String, u64> = BTreeMap::new();
    assert_eq!(text.ends_with("# EOF\n"), open_metrics);
    for line in text.lines().filter(|line| *line != "# EOF") {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            assert!(helped.insert(rest.split_once(' ').unwrap().0.to_owned()), "{line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(helped.contains(name) && types.insert(name.to_owned(), kind.to_owned()).is_none(), "{line}");
        } else {
            let (sample, exemplar) = line.split_once(" # ").map_or((line, None), |(sample, it)| (sample, Some(it)));
            let (series, value) = sample.rsplit_once(' ').unwrap();
            assert!(exemplar.is_none_or(|it| open_metrics && is_exemplar(series, it)), "{line}");
            assert!(value.parse::<f64>().is_ok() && seen.insert(series.to_owned()), "{line}");
            let name = series.split('{').next().unwrap();
            let family = types.iter().find(|(family, kind)| {
                let suffixes: &[&str] = match (kind.as_str(), open_metrics) {
                    ("counter", true) => &["_total"],
                    ("info", _) => &["_info"],
                    ("histogram", _) => &["_bucket", "_sum", "_count"],
                    _ => &[""],
                };
                suffixes.iter().any(|suffix| name.strip_suffix(suffix) == Some(family))
            });
            assert!(family.is_some(), "{line}");
            if let Some((labels, _)) = series.split_once("le=\"") {
                let below = buckets.insert(labels.to_owned(), value.parse().unwrap()).unwrap_or_default();
                assert!(below <= value.parse().unwrap(), "{line}");
            }
        }
    }
    types.into_keys().collect()
}

/// Whether it is `{trace_id="..."} VALUE SECONDS` beside a bucket that the value is in.
fn is_exemplar(series: &str, exemplar: &str) -> bool {
    let Some((_, le)) = series.split_once("_bucket{").and_then(|(_, labels)| labels.split_once("le=\"")) else {
        return false;
    };
    let le: f64 = le.trim_end_matches("\"}").parse().unwrap();
    let [label, value, at] = exemplar.split(' ').collect::<Vec<_>>()[..] else { return false };
    let trace = label.strip_prefix("{trace_id=\"").and_then(|rest| rest.strip_suffix("\"}")).unwrap_or_default();
    let is_hex = trace.len() == 32 && trace.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex && value.parse::<f64>().unwrap() <= le && at.parse::<f64>().unwrap() > 0.0
}

/// Proves that compression is offered and that one connection serves many requests, as scrapers and flag clients do.
#[tokio::test]
async fn gzip_on_demand() {
    let admin = start().await;
    let request = admin.client.get(format!("{}/api/v1/openapi.json", admin.url)).header("accept-encoding", "gzip");
    assert_eq!(request.send().await.unwrap().headers()["content-encoding"], "gzip");
    assert!(!admin.get("/api/v1/openapi.json").await.headers().contains_key("content-encoding"));
    admin.stop().await;
}

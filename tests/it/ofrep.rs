//! Breakers over OFREP, held to what the provider of `openfeature-provider-ofrep` (PyPI) needs.

use std::sync::Arc;

use freezeframe::core::breaker::{Mode, State};
use freezeframe::engine::view::{FrameState, View};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::admin::{Admin, NOW, Options, breaker, incident, json, receipt};

const OPEN: State = State::Open { since: NOW };
const HALF_OPEN: State = State::HalfOpen { since: NOW, succeeded: 0, failed: 0 };

async fn start(breakers: Vec<freezeframe::engine::view::Breaker>) -> Admin {
    let committed = incident("0192-committed", FrameState::Committed(receipt("0192-committed")));
    let view = View { at: NOW, breakers, incidents: vec![committed], ..View::default() };
    Admin::start(Options { view, ..Options::default() }).await
}

async fn evaluate(admin: &Admin, key: &str, body: &str) -> (StatusCode, Value) {
    let answer = admin.post(&format!("/ofrep/v1/evaluate/flags/{key}"), body.to_owned()).await;
    (answer.status(), json(answer).await)
}

/// Proves the whole answer for an open breaker: value, standard reason, variant, flat metadata.
#[tokio::test]
async fn an_open_breaker() {
    let mut open = breaker("support", Mode::Enforce, OPEN);
    open.incident_id = Some("0192-committed".into());
    let admin = start(vec![open]).await;
    let metadata = json!({
        "class": "QUALITY_DEGRADATION",
        "would_be": "open",
        "action": "pin_model",
        "route": "fallback-model",
        "since": "2026-11-22T02:19:00.000Z",
        "open_until": "2026-11-22T02:20:00.000Z",
        "retry_after_ms": 60_000,
        "incident_id": "0192-committed",
        "frame_sha256": "ab".repeat(32),
    });
    let flag = |kind: &str, value: Value| {
        json!({
            "key": format!("breaker.support.{kind}"),
            "value": value,
            "reason": "TARGETING_MATCH",
            "variant": "open",
            "metadata": metadata,
        })
    };
    let allow = evaluate(&admin, "breaker.support.allow", r#"{"context":{"targetingKey":"u"}}"#).await;
    assert_eq!(allow, (StatusCode::OK, flag("allow", json!(false))));
    let route = evaluate(&admin, "breaker.support.route", r#"{"context":{}}"#).await;
    assert_eq!(route, (StatusCode::OK, flag("route", json!("fallback-model"))));
    let (_, state) = evaluate(&admin, "breaker.support.state", "").await;
    let breakers = &state["value"]["breakers"]["QUALITY_DEGRADATION"];
    assert_eq!((&state["value"]["allow"], &breakers["state"]), (&json!(false), &json!("open")));
    admin.stop().await;
}

/// Proves that a closed or shadowing breaker allows, and that the route flag then has no value but a variant.
#[tokio::test]
async fn closed_and_shadow_allow() {
    let admin = start(vec![breaker("a", Mode::Enforce, State::Closed), breaker("chat/v1.2", Mode::Shadow, OPEN)]).await;
    for (feature, variant) in
        [("a", "closed"), ("chat/v1.2", "shadow"), ("chat%2Fv1.2", "shadow"), ("chat-v1.2", "shadow")]
    {
        let (_, allow) = evaluate(&admin, &format!("breaker.{feature}.allow"), "{}").await;
        assert_eq!(
            (&allow["value"], &allow["variant"], &allow["reason"]),
            (&json!(true), &json!(variant), &json!("STATIC"),)
        );
        let (status, route) = evaluate(&admin, &format!("breaker.{feature}.route"), "{}").await;
        assert_eq!((status, route.get("value"), &route["variant"]), (StatusCode::OK, None, &json!(variant)));
    }
    admin.stop().await;
}

/// Proves that half-open lets its share through, the same keys each time, with allow and route in agreement.
#[tokio::test]
async fn half_open_splits() {
    let admin = start(vec![breaker("support", Mode::Enforce, HALF_OPEN)]).await;
    let mut allowed = 0;
    for _ in 0..100 {
        let (_, allow) = evaluate(&admin, "breaker.support.allow", r#"{"context":{}}"#).await;
        assert_eq!((&allow["reason"], &allow["variant"]), (&json!("SPLIT"), &json!("half_open")));
        allowed += usize::from(allow["value"] == json!(true));
    }
    assert!((9..=11).contains(&allowed), "{allowed}");
    for user in 0..30 {
        let context = format!(r#"{{"context":{{"targetingKey":"user-{user}","plan":"pro"}}}}"#);
        let (_, allow) = evaluate(&admin, "breaker.support.allow", &context).await;
        let (_, again) = evaluate(&admin, "breaker.support.allow", &context).await;
        let (_, route) = evaluate(&admin, "breaker.support.route", &context).await;
        assert_eq!(allow["value"], again["value"]);
        assert_eq!(allow["value"] == json!(true), route.get("value").is_none());
    }
    admin.stop().await;
}

/// Proves that errors carry `errorCode` and `errorDetails`, without which providers fail.
#[tokio::test]
async fn errors() {
    let admin = start(vec![breaker("support", Mode::Enforce, State::Closed)]).await;
    let table = [
        ("breaker.none.allow", "{}", 404, "FLAG_NOT_FOUND"),
        ("breaker.support.other", "{}", 404, "FLAG_NOT_FOUND"),
        ("other", "{}", 404, "FLAG_NOT_FOUND"),
        ("breaker.support.allow", "{", 400, "PARSE_ERROR"),
        ("breaker.support.allow", "[]", 400, "INVALID_CONTEXT"),
        ("breaker.support.allow", r#"{"context":7}"#, 400, "INVALID_CONTEXT"),
        ("breaker.support.allow", r#"{"context":{"targetingKey":7}}"#, 400, "INVALID_CONTEXT"),
    ];
    for (key, body, status, code) in table {
        let (answered, error) = evaluate(&admin, key, body).await;
        assert_eq!((answered.as_u16(), &error["key"], &error["errorCode"]), (status, &json!(key), &json!(code)));
        assert!(error["errorDetails"].is_string());
    }
    admin.stop().await;
}

/// Proves that the bulk answer has every flag and a tag that holds until a breaker changes.
#[tokio::test]
async fn bulk_with_a_tag() {
    let admin = start(vec![breaker("b", Mode::Enforce, State::Closed), breaker("a", Mode::Enforce, OPEN)]).await;
    let ask = |tag: &str| {
        let request = admin.client.post(format!("{}/ofrep/v1/evaluate/flags", admin.url));
        request.header("if-none-match", tag).body(r#"{"context":{"targetingKey":"u"}}"#).send()
    };
    let answer = ask("").await.unwrap();
    let tag = answer.headers()["etag"].to_str().unwrap().to_owned();
    let flags = json(answer).await["flags"].clone();
    let keys: Vec<_> = flags.as_array().unwrap().iter().map(|flag| flag["key"].as_str().unwrap()).collect();
    let expected = ["breaker.a.allow", "breaker.a.route", "breaker.a.state"];
    assert_eq!((keys.len(), &keys[..3]), (6, &expected[..]));
    assert_eq!(ask(&tag).await.unwrap().status(), StatusCode::NOT_MODIFIED);
    let breakers = vec![breaker("b", Mode::Enforce, State::Closed), breaker("a", Mode::Enforce, HALF_OPEN)];
    admin.view.send_replace(Arc::new(View { at: NOW, breakers, ..View::default() }));
    assert_eq!(ask(&tag).await.unwrap().status(), StatusCode::OK);
    admin.stop().await;
}

//! Breakers by hand, from the command line: what is ordered holds, over SIGKILL too, and is in the log.

use std::process::{Command, Output};

use freezeframe::engine::clock;
use freezeframe::toolkit::traffic::Exchange;
use serde_json::Value;

use super::sidecar::{Settings, Sidecar};
use super::{eventually, http};

const CLASS: &str = "COST_SPIKE";

fn breaker(sidecar: &Sidecar, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_freezeframe"));
    command.arg("breaker").args(arguments).args(["--url", &sidecar.url(""), "--format", "json"]);
    command.args(["--header", &format!("authorization=Bearer {}", http::TOKEN)]);
    command.output().expect("the binary runs")
}

/// The state of a feature's breaker, from the list.
fn state(sidecar: &Sidecar, feature: &str) -> String {
    let output = breaker(sidecar, &["list"]);
    assert!(output.status.success(), "{output:?}");
    let document: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    let list = document["breakers"].as_array().expect("a list");
    let found = list.iter().find(|it| it["feature"] == feature && it["class"] == CLASS);
    found.and_then(|it| it["state"].as_str()).unwrap_or("none").to_owned()
}

/// Proves open, close and reset of the service's breaker and of a feature's whose name is a path; that an order outlives
/// the process; that each is a leaf of the log; and that a breaker nobody has is told of with status 2.
#[tokio::test(flavor = "multi_thread")]
async fn orders_hold_until_they_are_taken_back() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut settings = Settings {
        forward_to: String::new(),
        traces_to: String::new(),
        alertmanager: "http://127.0.0.1:1".into(),
        rules: super::classes::RULES,
        windows: "{ slot: 1s, short: 10s, long: 30s, baseline: 30s }",
        addresses: std::array::from_fn(|_| "127.0.0.1:0".to_owned()),
    };
    let mut sidecar = Sidecar::start(&settings, dir.path());
    settings.addresses = sidecar.addresses();
    eventually("the feature has a breaker", async || {
        let url = format!("http://{}/v1/traces", sidecar.address("otlp_http"));
        http::export(&url, Exchange::healthy(1, clock::now()).export()).await?;
        match state(&sidecar, "/support").as_str() {
            "none" => Err("no such breaker yet".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
    let before = leaves(&sidecar).await;
    for (feature, order, expected) in [
        ("_all", "open", "forced_open"),
        ("_all", "close", "disabled"),
        ("_all", "reset", "shadow"),
        ("/support", "open", "forced_open"),
    ] {
        let output = breaker(&sidecar, &[order, feature, CLASS, "--comment", "INC-142"]);
        assert!(output.status.success(), "{order} {feature}: {output:?}");
        assert_eq!(state(&sidecar, feature), expected, "{order} {feature}");
    }
    eventually("every order is a leaf", async || match leaves(&sidecar).await {
        now if now >= before + 4 => Ok(()),
        now => Err(format!("{before} leaves before, {now} now")),
    })
    .await;
    let kept = sidecar.data().join("alerts.json");
    eventually("the order is on disk", async || {
        let text = std::fs::read_to_string(&kept).map_err(|error| error.to_string())?;
        if text.contains("/support") { Ok(()) } else { Err(text) }
    })
    .await;
    sidecar.kill();
    sidecar = Sidecar::start(&settings, dir.path());
    assert_eq!((&*state(&sidecar, "/support"), &*state(&sidecar, "_all")), ("forced_open", "shadow"), "after SIGKILL");
    let nobody = breaker(&sidecar, &["open", "nobody", CLASS]);
    assert_eq!(nobody.status.code(), Some(2), "{nobody:?}");
    sidecar.kill();
}

/// Leaves of the log.
async fn leaves(sidecar: &Sidecar) -> u64 {
    let checkpoint = http::get(&sidecar.url("/log/checkpoint")).await.expect("it is served");
    let text = String::from_utf8(checkpoint).expect("a note is text");
    text.lines().nth(1).and_then(|size| size.parse().ok()).expect("the size is its second line")
}

//! The shipped Alertmanager configuration, asked of a real Alertmanager.

use reqwest::Method;
use serde_json::{Value, json};

use super::real::{Server, free_address};
use super::{eventually, http, shipped};

/// While the whole service is in trouble, the same trouble of its features notifies nobody; other trouble does.
#[tokio::test(flavor = "multi_thread")]
async fn trouble_of_the_service_silences_the_same_trouble_of_its_features() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let config = shipped::alertmanager(dir.path(), "http://127.0.0.1:1", "http://127.0.0.1:1");
    let alertmanager = Server::alertmanager(&free_address(), &config, dir.path()).await;
    let alert = |name: &str, feature: &str, class: &str| json!({"labels": {"alertname": name, "feature": feature, "class": class, "severity": "warning"}});
    let alerts = json!([
        alert("LLMLatencyHigh", "_all", "PERFORMANCE_DEGRADATION"),
        alert("LLMErrorRateHigh", "support", "PERFORMANCE_DEGRADATION"),
        alert("LLMCostSpike", "support", "COST_SPIKE"),
    ]);
    let url = format!("{}/api/v2/alerts", alertmanager.url);
    http::send_json(Method::POST, &url, &alerts).await.expect("Alertmanager takes alerts");

    let expected = [("LLMCostSpike", "active"), ("LLMErrorRateHigh", "suppressed"), ("LLMLatencyHigh", "active")];
    eventually("the feature's alert is inhibited, and only that", async || {
        let mut states: Vec<(String, String)> = alertmanager.alerts().await?.iter().map(name_and_state).collect();
        states.sort();
        let same = states.iter().map(|(name, state)| (name.as_str(), state.as_str())).eq(expected);
        if same { Ok(()) } else { Err(format!("{states:?}")) }
    })
    .await;
}

fn name_and_state(alert: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&alert["labels"]["alertname"]), text(&alert["status"]["state"]))
}

//! Which variable moved, asked of real SDKs: a model swapped behind its name, an index gone stale, a tool's contract
//! tightened, each with an innocent prompt rolled out beside it.

use reqwest::Method;
use serde_json::{Value, json};

use super::application::{App, serve};
use super::hop::Messages;
use super::process::Process;
use super::real::free_address;
use super::sidecar::{Settings, Sidecar};
use super::{eventually, http};

const RULES: &str = "    - { name: LLMQualityDegradation, class: QUALITY_DEGRADATION, severity: SEV-2, signal: quality, direction: below,
        limit: { fixed: 0.9 }, window: 60s, for: 0s, samples_min: 140, summary: Answers got worse. }";
/// Requests before a fault and with it.
const REQUESTS: usize = 160;

/// A feature with a fault of its own.
struct Troubled {
    app: App,
    fault: &'static str,
    provider_url: String,
    _provider: Process,
    variable: &'static str,
    /// What the frame names as its value contains this.
    value: &'static str,
}

impl Troubled {
    fn start(
        fault: &'static str,
        (variable, value): (&'static str, &'static str),
        sidecar: &Sidecar,
        dir: &std::path::Path,
    ) -> Self {
        let (provider, provider_url) = serve("openai_server.py", &[], dir);
        let endpoint = format!("http://{}", sidecar.address("otlp_http"));
        let app = App::start(fault, "official", "http", &endpoint, &provider_url, dir);
        Self { app, fault, provider_url, _provider: provider, variable, value }
    }

    async fn has(&self, share: f64) {
        let faults = json!({ self.fault: share });
        http::send_json(Method::PUT, &format!("{}/faults", self.provider_url), &faults).await.expect("it takes faults");
    }
}

/// Each frame names the variable that moved, its value, and not the prompt that was rolled out at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn the_frame_names_what_moved_and_not_the_innocent_prompt() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let settings = Settings {
        forward_to: String::new(),
        traces_to: String::new(),
        alertmanager: format!("http://{}", free_address()),
        rules: RULES,
        windows: "{ slot: 1s, short: 10s, long: 120s, baseline: 60s }",
        addresses: std::array::from_fn(|_| "127.0.0.1:0".to_owned()),
    };
    let sidecar = Sidecar::start(&settings, dir.path());
    let mut features = [
        ("swapped_model", ("model_route", "gpt-4o-mini-2026-11-19")),
        ("stale_index", ("retrieval_index", "2026-10-02")),
        ("tight_schema", ("tool_schemas", "sha256:")),
    ]
    .map(|(fault, expected)| Troubled::start(fault, expected, &sidecar, dir.path()));
    let mut sent = Messages::new();
    for it in &mut features {
        it.has(0.0).await;
        it.app.answer("v7", REQUESTS, &mut sent);
    }
    for it in &mut features {
        eventually(&format!("what is good of {} is learned", it.fault), async || {
            it.app.answer("v7", 2, &mut sent);
            is_learned(&sidecar, it.fault).await
        })
        .await;
    }
    for it in &mut features {
        it.has(0.5).await;
        it.app.answer_each(&["v7", "v9"], REQUESTS, &mut sent);
    }
    for it in &mut features {
        let frame = eventually(&format!("{} has a frame", it.fault), async || {
            it.app.answer_each(&["v7", "v9"], 4, &mut sent);
            frame(&sidecar, it.fault).await
        })
        .await;
        let (verdict, suspects) = (&frame["verdict"], &frame["suspects"]);
        assert_eq!(verdict["answer"], "one", "{}: {verdict} {suspects}", it.fault);
        assert_eq!(verdict["variables"], json!([it.variable]), "{}: {verdict} {suspects}", it.fault);
        assert!(verdict["value"].as_str().is_some_and(|value| value.contains(it.value)), "{}: {verdict}", it.fault);
        let prompt = suspects.as_array().into_iter().flatten().find(|it| it["variable"] == "prompt_revision");
        assert!(prompt.is_none_or(|it| it["verdict"] == "moved_innocent"), "{}: {suspects}", it.fault);
    }
    let contract = &frame(&sidecar, "tight_schema").await.expect("it has one")["variables"]["tool_schemas"]["detail"];
    assert!(contract["dimensions"]["tool_schema"].as_array().is_some_and(|it| it.len() == 2), "{contract}");
}

async fn is_learned(sidecar: &Sidecar, feature: &str) -> Result<(), String> {
    let found = sidecar.find("features", &[("feature", feature)]).await?;
    let signals = found["signals"].as_array().cloned().unwrap_or_default();
    let is_good = |it: &Value| {
        it["signal"] == "quality"
            && it["baseline"]["value"].as_f64() > Some(0.9)
            && it["baseline"]["count"].as_u64() > Some(140)
    };
    if signals.iter().any(is_good) { Ok(()) } else { Err(found.to_string()) }
}

async fn frame(sidecar: &Sidecar, feature: &str) -> Result<Value, String> {
    let incident = sidecar.find("incidents", &[("feature", feature)]).await?;
    if incident["frame"]["state"] != "committed" {
        return Err(incident.to_string());
    }
    let id = incident["id"].as_str().ok_or("no id")?;
    http::get_json(&sidecar.url(&format!("/api/v1/incidents/{id}/frame"))).await
}

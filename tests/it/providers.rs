//! Breakers as real OpenFeature providers read them: `openfeature-provider-ofrep` (PyPI) and
//! `@openfeature/ofrep-provider` (npm), each in its own process against a listener with a breaker in every state.

use std::path::Path;
use std::process::Command;

use freezeframe::core::breaker::{Action, Mode, State};
use freezeframe::engine::view::{FrameState, View};
use serde_json::{Value, json};

use super::admin::{Admin, NOW, Options, breaker, incident, receipt};
use super::e2e::process::Process;
use super::e2e::real::{installed, python, python_example, repository};

/// Feature, state, mode; whether it allows, its variant and reason.
const STATES: [(&str, State, Mode, bool, &str, &str); 7] = [
    ("closed", State::Closed, Mode::Enforce, true, "closed", "STATIC"),
    ("open", State::Open { since: NOW }, Mode::Enforce, false, "open", "TARGETING_MATCH"),
    ("half-open", State::HalfOpen { since: NOW, succeeded: 1, failed: 1 }, Mode::Enforce, false, "half_open", "SPLIT"),
    ("forced_open", State::ForcedOpen { since: NOW }, Mode::Shadow, false, "forced_open", "TARGETING_MATCH"),
    ("disabled", State::Disabled { since: NOW }, Mode::Enforce, true, "disabled", "DISABLED"),
    ("shadow.v2", State::Open { since: NOW }, Mode::Shadow, true, "shadow", "STATIC"),
    ("-a-b-", State::Open { since: NOW }, Mode::Enforce, false, "open", "TARGETING_MATCH"),
];

async fn start() -> Admin {
    let breakers = STATES.iter().map(|(feature, state, mode, ..)| {
        // The last one is asked for by its plain name.
        let name = if *feature == "-a-b-" { "/A b?" } else { *feature };
        let mut breaker = breaker(name, *mode, *state);
        // Nobody is lucky.
        breaker.policy.probe_share = 0.0;
        breaker.incident_id = Some("0192-committed".into());
        breaker
    });
    let incidents = vec![incident("0192-committed", FrameState::Committed(receipt("0192-committed")))];
    let view = View { at: NOW, breakers: breakers.collect(), incidents, ..View::default() };
    Admin::start(Options { view, ..Options::default() }).await
}

/// Reads every state with and without a targeting key, an unknown feature, and the sidecar dead.
async fn read_all(name: &str, command: impl FnOnce(&str, &Path) -> Command) {
    let dir = tempfile::tempdir().unwrap();
    let admin = start().await;
    let mut provider = Process::start(name, &mut command(&admin.url, dir.path()), dir.path());
    let mut ask = |line: String| tokio::task::block_in_place(|| provider.ask(&line));
    for (feature, _, _, allow, variant, reason) in STATES {
        for user in ["", "\tuser-1"] {
            let said = ask(format!("{feature}{user}"));
            assert_eq!(
                (&said["allow"], &said["variant"], &said["state"], &said["error"]),
                (&json!(allow), &json!(variant), &json!(variant), &Value::Null),
                "{name} {feature}: {said}"
            );
            assert!(said["reason"].as_str().unwrap().ends_with(reason), "{said}");
            // A flag without a value is the application's default.
            assert_eq!(said["route"], if allow { "default" } else { "fallback-model" }, "{said}");
            let metadata = &said["metadata"];
            assert_eq!((&metadata["action"], &metadata["class"]), (&json!("pin_model"), &json!("QUALITY_DEGRADATION")));
            assert_eq!(metadata["frame_sha256"], "ab".repeat(32));
        }
    }
    let unknown = ask("nobody".to_owned());
    assert_eq!((&unknown["allow"], &unknown["route"]), (&json!(true), &json!("default")), "{unknown}");
    assert!(unknown["error"].as_str().unwrap().ends_with("FLAG_NOT_FOUND"), "{unknown}");

    admin.stop().await;
    let dead = ask("open".to_owned());
    assert_eq!(
        (&dead["allow"], &dead["route"], &dead["state"]),
        (&json!(true), &json!("default"), &json!("default")),
        "without a sidecar the application's defaults hold: {dead}"
    );
    assert!(dead["error"].is_string(), "{dead}");
}

/// Proves that the Python provider reads every state, and falls back to the default when the sidecar is dead.
#[tokio::test(flavor = "multi_thread")]
async fn the_python_provider_reads_every_state() {
    let command = |url: &str, _: &Path| {
        let mut command = python("ofrep.py");
        command.args(["--url", url]);
        command
    };
    read_all("ofrep.py", command).await;
}

/// Proves what `docs/examples/breaker_middleware.py` does: the usual way while it may, the plan's way while it may not
/// and the plan can be followed, else the fallback reply; and the usual way without a sidecar.
#[tokio::test(flavor = "multi_thread")]
async fn the_python_example_falls_back() {
    let dir = tempfile::tempdir().unwrap();
    let open = State::Open { since: NOW };
    let with_model = |model: Option<&str>| {
        let mut breaker = breaker(if model.is_some() { "pinned" } else { "no-model" }, Mode::Enforce, open);
        let plan = std::sync::Arc::make_mut(&mut breaker.plan);
        plan.model = model.map(Into::into);
        breaker
    };
    let mut reply = breaker("reply", Mode::Enforce, open);
    let plan = std::sync::Arc::make_mut(&mut reply.plan);
    (plan.action, plan.reply) = (Action::SafeReply, Some("Ask a person.".into()));
    let breakers =
        vec![breaker("closed", Mode::Enforce, State::Closed), with_model(Some("gpt-4.1")), with_model(None), reply];
    let admin =
        Admin::start(Options { view: View { at: NOW, breakers, ..View::default() }, ..Options::default() }).await;
    let mut command = python_example("docs/examples/breaker_middleware.py");
    let mut app = Process::start("example", command.args(["--url", &admin.url]), dir.path());
    let mut ask =
        |feature: &str| tokio::task::block_in_place(|| app.ask(feature)["answer"].as_str().unwrap().to_owned());
    let usual = "gpt-5 answers: where is my order?";
    for (feature, answer) in [
        ("closed", usual),
        ("pinned", "gpt-4.1 answers: where is my order?"),
        ("no-model", "I can't answer that right now. Please try again in a few minutes, or ask for a person."),
        ("reply", "Ask a person."),
        ("unknown", usual),
    ] {
        assert_eq!(ask(feature), answer, "{feature}");
    }
    admin.stop().await;
    assert_eq!(ask("pinned"), usual, "without a sidecar the application goes on");
}

/// Proves that the provider for Node reads every state, and falls back to the default when the sidecar is dead.
#[tokio::test(flavor = "multi_thread")]
async fn the_node_provider_reads_every_state() {
    let command = |url: &str, _: &Path| {
        let mut command = Command::new("node");
        command.arg(repository("tests/e2e/ofrep.mjs")).arg(installed("node")).arg(url);
        command
    };
    read_all("ofrep.mjs", command).await;
}

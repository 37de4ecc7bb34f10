//! A judge on a golden set: on demand, and on schedule in the sidecar.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use serde_json::{Value, json};

use super::super::e2e::eventually;
use super::super::e2e::hop::Hop;
use super::super::replay::server::{Server, fails, says};
use super::rig::{self, Rig, judge_of, verdict};

/// Twenty items, of which ten are about refunds.
fn write_set(path: &Path) {
    let items = (0..20).map(|n| {
        let (answer, label) = if n % 2 == 0 { ("You get a refund.", "pass") } else { ("Trains.", "fail") };
        json!({ "id": format!("item-{n:02}"), "question": "Refund?", "context": "Policy", "answer": answer, "label": label })
    });
    std::fs::write(path, items.map(|it| format!("{it}\n")).collect::<String>()).unwrap();
}

fn judge(dir: &Path, server: &Server, more: &[&str]) -> Output {
    let arguments =
        ["judge", "golden", "golden.jsonl", "--endpoint", &server.url, "--model", "m", "--rubric", "Refunds?"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_freezeframe"));
    command.args(arguments).args(more).current_dir(dir).env("OPENAI_API_KEY", "sk-secret").output().unwrap()
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

/// Proves agreement and exit status, that an unchanged judge has not drifted, and that one that became lenient has: exit
/// status 1, the flips listed, in every format.
#[test]
fn a_judge_that_changed_is_found() {
    let dir = tempfile::tempdir().unwrap();
    write_set(&dir.path().join("golden.jsonl"));
    let server = Server::answering(judge_of("refund"));
    let first = judge(dir.path(), &server, &["--save", "first.json", "--format", "json", "--min-agreement", "0.9"]);
    assert_eq!(first.status.code(), Some(0), "{first:?}");
    let found = document(&first);
    assert_eq!((&found["agreement"]["share"], &found["agreement"]["kappa"]), (&json!(1.0), &json!(1.0)));
    assert_eq!(found["drift"], Value::Null);
    assert_eq!(server.header("authorization").as_deref(), Some("Bearer sk-secret"));

    let again = judge(dir.path(), &server, &["--baseline", "first.json", "--format", "json"]);
    assert_eq!((again.status.code(), &document(&again)["drift"]["drifted"]), (Some(0), &json!(false)));

    let lenient = Server::answering(|_| verdict(0.8));
    let changed = judge(dir.path(), &lenient, &["--baseline", "first.json", "--format", "json"]);
    assert_eq!(changed.status.code(), Some(1));
    let drift = &document(&changed)["drift"];
    let ids: Vec<&str> = drift["flipped"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), ids[0]), (10, "item-01"), "{drift}");
    assert!(drift["mcnemar_p"].as_f64().unwrap() < 0.01, "{drift}");
    for format in ["table", "markdown"] {
        let changed = judge(dir.path(), &lenient, &["--baseline", "first.json", "--format", format]);
        let text = String::from_utf8(changed.stdout).unwrap();
        assert!(changed.status.code() == Some(1) && text.contains("item-19") && text.contains("10 of 20"), "{text}");
    }
}

/// Proves the other ways to fail: too little agreement and items without a verdict are findings, no verdict at all and
/// whatever can't be read are errors, and the hostile reason of a judge does no harm to a terminal.
#[test]
fn what_is_wrong_is_said() {
    let dir = tempfile::tempdir().unwrap();
    write_set(&dir.path().join("golden.jsonl"));
    std::fs::write(dir.path().join("none.json"), "{}").unwrap();
    let harsh = Server::answering(|_| says("{\"score\": 0, \"reason\": \"\\u001b[2Jno\"}"));
    let found = judge(dir.path(), &harsh, &["--min-agreement", "0.9"]);
    let text = String::from_utf8(found.stdout.clone()).unwrap();
    assert!(found.status.code() == Some(1) && text.contains("agreement of 50.0 % is below 90.0 %"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    assert_eq!(judge(dir.path(), &harsh, &[]).status.code(), Some(0), "disagreement alone is no finding");

    let mut n = 0;
    let flaky = Server::answering(move |_| {
        n += 1;
        if n == 3 { says("no idea") } else { verdict(0.9) }
    });
    let found = judge(dir.path(), &flaky, &["--concurrency", "1", "--format", "json"]);
    let (status, found) = (found.status.code(), document(&found));
    assert_eq!(
        (status, &found["agreement"]["errors"], &found["items"][2]["passed"]),
        (Some(1), &json!(1), &Value::Null)
    );

    let away = Server::answering(|_| fails(401, None));
    for (server, more, problem) in [
        (&away, vec![], "no verdict on any item: 401"),
        (&harsh, vec!["--baseline", "none.json"], "not a result of judge golden"),
        (&harsh, vec!["--baseline", "missing.json"], "missing.json"),
        (&harsh, vec!["--endpoint", "http://example.com/v1"], "plain http"),
        (&harsh, vec!["--rubric", " "], "--rubric is missing"),
    ] {
        // The last of two counts.
        let mut command = Command::new(env!("CARGO_BIN_EXE_freezeframe"));
        command.args(["judge", "golden", "golden.jsonl", "--model", "m"]).env("OPENAI_API_KEY", "sk-secret");
        for (name, value) in [("--endpoint", server.url.as_str()), ("--rubric", "Refunds?")] {
            if !more.contains(&name) {
                command.args([name, value]);
            }
        }
        let found = command.args(&more).current_dir(dir.path()).output().unwrap();
        let said = String::from_utf8_lossy(&found.stderr).into_owned();
        assert!(
            found.status.code() == Some(2) && said.contains(problem) && !said.contains("sk-secret"),
            "{more:?}: {found:?}"
        );
    }
}

/// Proves the schedule: the first run is the reference and calibrates the judge, a judge that changes is told by metrics, the
/// reference is the same after a restart, every explanation says when the judge was calibrated and how far it agreed, and a
/// run without verdicts is counted and changes nothing of that.
#[tokio::test(flavor = "multi_thread")]
async fn a_judge_that_drifts_in_production_is_told() {
    let [is_lenient, is_mute] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    let (lenient, mute, mut like) = (is_lenient.clone(), is_mute.clone(), judge_of("refund"));
    let server = Server::answering(move |asked| match (lenient.load(Relaxed), mute.load(Relaxed)) {
        (_, true) => says("I would rather not."),
        (true, false) => verdict(0.8),
        (false, false) => like(asked),
    });
    let (hop, dir) = (Hop::start().await, tempfile::tempdir().unwrap());
    write_set(&dir.path().join("golden.jsonl"));
    let settings = "sample: { share: 0, failing: 0, per_value: 0 }\n    golden: { path: golden.jsonl, every: 1s }";
    let rig = Rig::start_in(dir, &server, settings, &hop.url);
    rig.count("freezeframe_judge_golden_runs_total", &[("result", "reference")], 1).await;
    rig.count("freezeframe_judge_golden_agreement", &[("judge", "about-refunds")], 1).await;
    rig.count("freezeframe_judge_golden_drifted", &[], 0).await;
    rig.send(0, "q", "You get a refund.", "stop").await;
    rig.count("freezeframe_requests_total", &[("feature", "support")], 1).await;
    let declared = rig::logs(&hop).into_iter().rfind(|it| !it["freezeframe.evaluation.agreement"].is_null()).unwrap();
    assert_eq!(declared["freezeframe.evaluation.agreement"], json!(1.0));
    eventually("the judge's calibration", async || {
        let path = "/api/v1/explanation?feature=support&signal=latency_p95&since=1m";
        let document = rig.get(path).await?;
        let text = document.to_string();
        let is_told = text.contains("\"agreement\":1.0") && text.contains("calibrated_at\":\"20");
        if is_told { Ok(()) } else { Err(text) }
    })
    .await;

    let (dir, _) = rig.leave().await;
    is_lenient.store(true, Relaxed);
    let rig = Rig::start_in(dir, &server, settings, &hop.url);
    eventually("the drift", async || match rig.sum("freezeframe_judge_golden_drifted", &[]).await? {
        1.0 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    rig.count("freezeframe_judge_golden_flipped", &[], 10).await;
    assert_eq!(rig.sum("freezeframe_judge_golden_runs_total", &[("result", "reference")]).await, Ok(0.0));

    let agreement = rig.sum("freezeframe_judge_golden_agreement", &[]).await;
    is_mute.store(true, Relaxed);
    eventually("a failed run", async || {
        match rig.sum("freezeframe_judge_golden_runs_total", &[("result", "failed")]).await? {
            0.0 => Err("none".into()),
            _ => Ok(()),
        }
    })
    .await;
    rig.count("freezeframe_judge_golden_flipped", &[], 10).await;
    assert_eq!(rig.sum("freezeframe_judge_golden_agreement", &[]).await, agreement);
    let log = rig.stop().await;
    assert!(log.contains("the judge drifted") && log.contains("the golden set was not judged as a whole"), "{log}");
}

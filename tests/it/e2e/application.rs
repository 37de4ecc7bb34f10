//! The applications of `tests/e2e`: a support bot under a real SDK, and the servers around it.

use std::path::Path;

use serde_json::{Value, json};

use super::hop::{Hop, Messages};
use super::process::Process;
use super::real::python;

/// A support bot.
#[derive(Debug)]
pub(crate) struct App {
    /// Its feature's name.
    pub(crate) feature: &'static str,
    process: Process,
}

impl App {
    /// Starts `app.py`, sending OTLP to `endpoint` and questions to the provider.
    pub(crate) fn start(
        feature: &'static str,
        dialect: &str,
        protocol: &str,
        endpoint: &str,
        provider_url: &str,
        dir: &Path,
    ) -> Self {
        let mut command = python("app.py");
        command.args(["--dialect", dialect, "--protocol", protocol]);
        command.args(["--endpoint", endpoint, "--provider", provider_url]);
        let process = Process::start(feature, &mut command, dir);
        assert_eq!(process.line()["event"], "ready");
        Self { feature, process }
    }

    /// Answers `n` questions with a prompt, streaming if it is the order desk, and adds its exports to `sent`.
    pub(crate) fn answer(&mut self, prompt: &str, n: usize, sent: &mut Messages) {
        self.answer_each(&[prompt], n, sent);
    }

    /// The same, each prompt having its part of the questions.
    pub(crate) fn answer_each(&mut self, prompts: &[&str], n: usize, sent: &mut Messages) {
        let command = json!({"n": n, "feature": self.feature, "prompt": prompts, "stream": self.feature == "orders"});
        let answer = self.process.ask(&command.to_string());
        assert_eq!(answer["failed"], 0, "the provider answers: {answer}");
        note_exports(sent, &answer);
    }

    /// Shuts its SDK down and adds the last exports to `sent`.
    pub(crate) fn finish(self, sent: &mut Messages) {
        note_exports(sent, &self.process.finish());
    }
}

fn note_exports(sent: &mut Messages, answer: &Value) {
    for export in answer["exports"].as_array().into_iter().flatten() {
        assert_eq!(export["ok"], true, "every export is taken: {export}");
        let text = |key: &str| export[key].as_str().expect("a string").to_owned();
        *sent.entry((text("signal"), text("sha256"))).or_default() += 1;
    }
}

/// Starts a script that prints where it serves.
pub(crate) fn serve(script: &str, arguments: &[&str], dir: &Path) -> (Process, String) {
    let process = Process::start(script, python(script).args(arguments), dir);
    let url = process.line()["url"].as_str().expect("a ready line has a URL").to_owned();
    (process, url)
}

/// The instruments by themselves, as a control: with nothing in between, the next hop has exactly the messages that the
/// SDK noted as sent. So a difference in the lifecycle is the sidecar's.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_sidecar_the_next_hop_has_what_the_sdk_sent() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let hop = Hop::start().await;
    let (_provider, provider_url) = serve("openai_server.py", &[], dir.path());
    let mut sent = Messages::new();
    let mut app = App::start("support", "official", "grpc", &hop.url, &provider_url, dir.path());
    app.answer("v7", 3, &mut sent);
    app.answer("v8", 3, &mut sent);
    app.finish(&mut sent);
    assert!(["traces", "logs", "metrics"].iter().all(|signal| sent.keys().any(|(name, _)| name == signal)));
    assert_eq!(hop.messages(), sent);
}

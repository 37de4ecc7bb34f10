//! Judges that the sidecar runs: it asks a model what it thinks of a sample of production's answers, and takes the verdict in
//! as if somebody had sent it. The verdict goes the way of every log record: to the engine and on to the next hop.
//!
//! Nobody waits for a judge. What was chosen stands in a bounded queue, and is dropped and counted beyond it; a judge that
//! does not answer costs verdicts, never requests. Nothing is kept over a restart but the reference of golden sets.

mod client;
mod golden;
mod tell;

pub use client::JudgeClient;
pub use golden::score;
pub use tell::{Tap, Teller};

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::chat::EndpointError;
use crate::config;
use crate::core::request::Failure;
use crate::core::time::UnixNanos;
use crate::engine::Chosen;
use crate::kept::GoldenFile;
use crate::metrics::Metric;
use crate::toolkit::judge::{self, Exhibit, Verdict};

/// All judges and what waits for them.
#[derive(Debug)]
pub struct Judges {
    clients: Vec<Arc<JudgeClient>>,
    queue: mpsc::Receiver<Chosen>,
}

impl Judges {
    /// The judges of a configuration, and where the engine puts what they are to be asked; `None` without any.
    ///
    /// # Errors
    /// An endpoint that can't be used.
    pub fn new(
        judges: &[config::Judge],
        client: &reqwest::Client,
    ) -> Result<Option<(Self, mpsc::Sender<Chosen>)>, EndpointError> {
        if judges.is_empty() {
            return Ok(None);
        }
        let clients: Result<_, _> =
            judges.iter().map(|it| Ok(Arc::new(JudgeClient::new(it.clone(), client.clone())?))).collect();
        let (sender, queue) = mpsc::channel(config::JUDGE_QUEUE_MAX);
        Ok(Some((Self { clients: clients?, queue }, sender)))
    }

    /// Says who judges, and then asks and tells until `stop`. What is unfinished by then is counted and forgotten.
    pub(crate) async fn run(
        self,
        teller: Teller,
        reference: GoldenFile,
        now: fn() -> UnixNanos,
        stop: impl Future<Output = ()>,
    ) {
        let Self { clients, mut queue } = self;
        for declaration in clients.iter().filter_map(|it| judge::declaration(it.judge(), Vec::new(), now())) {
            teller.tell(&declaration).await;
        }
        let schedule = tokio::spawn(golden::keep(clients.clone(), teller.clone(), reference, now));
        let mut asking: JoinSet<()> = JoinSet::new();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                Some(_) = asking.join_next() => {}
                chosen = queue.recv(), if asking.len() < config::JUDGE_CALLS_MAX => {
                    let Some(chosen) = chosen else { break };
                    if let Some(client) = clients.iter().find(|it| it.judge().name == *chosen.judge) {
                        asking.spawn(judge_one(client.clone(), chosen, teller.clone(), now));
                    }
                }
            }
        }
        schedule.abort();
        queue.close();
        while let Some(chosen) = queue.recv().await {
            drop(Unfinished(Some(chosen.judge)));
        }
        asking.shutdown().await;
    }
}

/// A request of which nothing came yet: counted when it is dropped.
struct Unfinished(Option<Arc<str>>);

impl Unfinished {
    fn finish(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(judge) = &self.0 {
            Metric::JudgeDropped.add(&[("judge", judge), ("reason", "stopping")], 1);
        }
    }
}

/// Asks about one request and tells what came of it.
async fn judge_one(client: Arc<JudgeClient>, chosen: Chosen, teller: Teller, now: fn() -> UnixNanos) {
    let unfinished = Unfinished(Some(chosen.judge.clone()));
    let verdict = client.ask(&Exhibit::of(&chosen.request)).await;
    let judge = client.judge();
    let result = result(judge, verdict.as_ref());
    if let Err(failure) = &verdict {
        tracing::warn!(judge = judge.name, kind = %failure.kind, message = %failure.message, "no verdict");
    }
    // What an endpoint says of its errors may repeat what it was asked.
    let verdict = verdict.map_err(|failure| Failure { message: failure.kind.clone(), ..failure });
    let labels = [("judge", &*judge.name), ("sampled_by", chosen.sampled_by.as_str()), ("result", result)];
    Metric::Judged.add(&labels, 1);
    let report = judge::evaluation(judge, &chosen.request, chosen.sampled_by, verdict.as_ref(), now());
    if !teller.tell(&report).await {
        Metric::JudgeDropped.add(&[("judge", &judge.name), ("reason", "engine_busy")], 1);
    }
    unfinished.finish();
}

fn result(judge: &config::Judge, verdict: Result<&Verdict, &Failure>) -> &'static str {
    match verdict {
        Ok(verdict) if verdict.score >= judge.threshold => "pass",
        Ok(_) => "fail",
        Err(_) => "error",
    }
}

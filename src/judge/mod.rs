//! Judges that the sidecar runs: it asks a model what it thinks of a sample of production's answers, and takes the verdict in
//! as if somebody had sent it. The verdict goes the way of every log record: to the engine and on to the next hop.
//!
//! Nobody waits for a judge. What was chosen stands in the judge's own bounded queue, and is dropped and counted beyond it; a
//! judge that does not answer costs its verdicts, never requests and no other judge's verdicts. Nothing is kept over a restart
//! but the reference of golden sets and when they were scored.

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
use crate::engine::{Chosen, Queues};
use crate::kept::GoldenFile;
use crate::metrics::Metric;
use crate::toolkit::judge::{self, Exhibit, Verdict};

/// All judges, and what waits for each.
#[derive(Debug)]
pub struct Judges {
    lanes: Vec<(Arc<JudgeClient>, mpsc::Receiver<Chosen>)>,
}

impl Judges {
    /// The judges of a configuration, and where the engine puts what they are to be asked.
    ///
    /// # Errors
    /// An endpoint that can't be used.
    pub fn new(judges: &[config::Judge], client: &reqwest::Client) -> Result<(Self, Queues), EndpointError> {
        let (mut lanes, mut queues) = (Vec::new(), Queues::default());
        for judge in judges {
            lanes.push((Arc::new(JudgeClient::new(judge.clone(), client.clone())?), queues.add(&judge.name)));
        }
        Ok((Self { lanes }, queues))
    }

    /// Says who judges, and then asks and tells until `stop`. What is unfinished by then is counted and forgotten.
    pub(crate) async fn run(
        self,
        teller: Teller,
        reference: GoldenFile,
        now: fn() -> UnixNanos,
        stop: impl Future<Output = ()>,
    ) {
        let clients: Vec<Arc<JudgeClient>> = self.lanes.iter().map(|(client, _)| client.clone()).collect();
        for declaration in clients.iter().filter_map(|it| judge::declaration(it.judge(), Vec::new(), now())) {
            teller.tell(&declaration).await;
        }
        let golden_sets = golden::keep(clients, teller.clone(), reference, now);
        let mut asking: JoinSet<()> = JoinSet::new();
        for (client, queue) in self.lanes {
            asking.spawn(ask(client, queue, teller.clone(), now));
        }
        let asked = async { while asking.join_next().await.is_some() {} };
        tokio::select! {
            () = stop => {}
            () = asked => {}
            () = golden_sets => {}
        }
        asking.shutdown().await;
    }
}

/// Asks one judge about what waits for it, until nobody puts anything there.
async fn ask(client: Arc<JudgeClient>, mut queue: mpsc::Receiver<Chosen>, teller: Teller, now: fn() -> UnixNanos) {
    let mut asking: JoinSet<()> = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = asking.join_next() => {}
            chosen = queue.recv(), if asking.len() < config::JUDGE_CALLS_MAX => match chosen {
                Some(chosen) => drop(asking.spawn(ask_about(client.clone(), chosen, teller.clone(), now))),
                None => break,
            },
        }
    }
    while asking.join_next().await.is_some() {}
}

/// Asks about one request and tells what came of it.
async fn ask_about(client: Arc<JudgeClient>, chosen: Chosen, teller: Teller, now: fn() -> UnixNanos) {
    let request = chosen.request();
    let verdict = client.ask(&Exhibit::of(&request)).await;
    let judge = client.judge();
    let result = result(judge, verdict.as_ref());
    if let Err(failure) = &verdict {
        tracing::warn!(judge = judge.name, kind = %failure.kind, message = %failure.message, "no verdict");
    }
    // What an endpoint says of its errors may repeat what it was asked.
    let verdict = verdict.map_err(|failure| Failure { message: failure.kind.clone(), ..failure });
    let labels = [("judge", &*judge.name), ("sampled_by", chosen.sampled_by.as_str()), ("result", result)];
    Metric::Judged.add(&labels, 1);
    let report = judge::evaluation(judge, &request, chosen.sampled_by, verdict.as_ref(), now());
    if !teller.tell(&report).await {
        Metric::JudgeDropped.add(&[("judge", &judge.name), ("reason", "engine_busy")], 1);
    }
    chosen.finish();
}

fn result(judge: &config::Judge, verdict: Result<&Verdict, &Failure>) -> &'static str {
    match verdict {
        Ok(verdict) if verdict.score >= judge.threshold => "pass",
        Ok(_) => "fail",
        Err(_) => "error",
    }
}

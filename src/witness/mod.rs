//! Gets the log cosigned: shows every witness each new checkpoint (C2SP tlog-witness) and hands what it says to the log.
//!
//! Asynchronous on purpose. A frame is acknowledged without any witness; a witness that is away costs a cosignature that
//! comes later, never a frame. There is no queue: what to ask follows from the log and from what the witness said last
//! ([`crate::core::witness::Client`]), so after an outage one request catches up.

mod ask;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::ask::Asked;
use crate::config;
use crate::core::canonical::sha256_hex;
use crate::core::note::{Checkpoint, VerifierKey, split_note};
use crate::core::time::UnixNanos;
use crate::core::witness::{Ask, Client, Contradiction, Next, proves};
use crate::engine::witness::{Contradicted, Witnessed};
use crate::metrics::Metric;

/// Between two looks at whether the log has grown.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// For all witnesses together before the sidecar is ready, and once more at its end.
const BRIEF_TIMEOUT: Duration = Duration::from_secs(2);
/// First pause after a failure; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// Longest pause after failures.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// The witnesses of a log, and what is known of each.
#[derive(Debug)]
pub struct Witnesses(Vec<Peer>);

impl Witnesses {
    /// The configured witnesses of `log`; nothing is asked yet. `now` is the wall clock.
    ///
    /// # Errors
    /// When the HTTP client can't be built.
    pub fn new(
        witnesses: &[config::Witness],
        log: &Arc<dyn Witnessed>,
        now: fn() -> UnixNanos,
    ) -> reqwest::Result<Self> {
        let http = ask::client()?;
        let peer = |witness: &config::Witness| Peer {
            witness: witness.clone(),
            http: http.clone(),
            log: log.clone(),
            origin: String::new(),
            client: Client::default(),
            failures: 0,
            now,
        };
        Ok(Self(witnesses.iter().map(peer).collect()))
    }

    /// Asks every witness once, so that a log that was rolled back hears of it before it signs anything. Takes
    /// [`BRIEF_TIMEOUT`] at most, and goes on without those that do not answer.
    pub async fn ask_once(&mut self) {
        let mut asking: JoinSet<Peer> = JoinSet::new();
        for mut peer in std::mem::take(&mut self.0) {
            asking.spawn(async move {
                if tokio::time::timeout(BRIEF_TIMEOUT, peer.round()).await.is_err() {
                    peer.count("failed");
                    peer.client.failed();
                    tracing::warn!(
                        witness = peer.name(),
                        "the witness did not answer at start; it will be asked again"
                    );
                }
                peer
            });
        }
        while let Some(peer) = asking.join_next().await {
            self.0.extend(peer.ok());
        }
    }

    /// Asks whenever the log has grown, until `shutdown`, then briefly once more.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let stop = CancellationToken::new();
        let mut peers: JoinSet<()> = self.0.into_iter().map(|peer| peer.run(stop.clone())).collect();
        shutdown.await;
        stop.cancel();
        while peers.join_next().await.is_some() {}
    }
}

/// One witness.
#[derive(Debug)]
struct Peer {
    witness: config::Witness,
    http: reqwest::Client,
    log: Arc<dyn Witnessed>,
    /// What `client` is about; the log may begin anew.
    origin: String,
    client: Client,
    failures: u32,
    /// The wall clock.
    now: fn() -> UnixNanos,
}

impl Peer {
    fn name(&self) -> &str {
        self.witness.key.name()
    }

    async fn run(mut self, stop: CancellationToken) {
        loop {
            let round = async {
                let pause = self.round().await;
                tokio::time::sleep(pause).await;
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = round => {}
            }
        }
        // Leaves of the drain; who is away now is asked at the next start.
        drop(tokio::time::timeout(BRIEF_TIMEOUT, self.round()).await);
    }

    /// Asks until the witness has cosigned the log as it is, or says that it won't. How long to pause then.
    async fn round(&mut self) -> Duration {
        loop {
            let note = self.log.checkpoint();
            let Ok(checkpoint) = Checkpoint::of_note(&note) else { return self.failed(None) };
            if checkpoint.origin != self.origin {
                (self.origin, self.client) = (checkpoint.origin.clone(), Client::default());
            }
            let Some(ask) = self.client.ask(checkpoint.size) else { return POLL_INTERVAL };
            let (next, retry_after) = self.ask(ask, &note).await;
            match next {
                Next::Cosigned(line) => self.cosigned(ask, note, line).await,
                Next::Again => {}
                Next::Later => return self.failed(retry_after),
                Next::Contradicted(what) => {
                    self.contradicted(what).await;
                    return self.failed(retry_after);
                }
            }
        }
    }

    async fn ask(&mut self, ask: Ask, note: &str) -> (Next, Option<Duration>) {
        let proof = self.log.consistency_proof(ask.old_size, ask.size).unwrap_or_default();
        let text = split_note(note).map_or("", |(text, _)| text);
        let Asked { answer, retry_after } = ask::ask(&self.http, &self.witness, ask.body(proof, note), text).await;
        self.count(answer.as_ref().map_or("failed", ask::label));
        // Read again: what the log has reached meanwhile contradicts nothing.
        let size = Checkpoint::of_note(&self.log.checkpoint()).map_or(ask.size, |now| now.size.max(ask.size));
        let next = match answer {
            Some(answer) => self.client.heard(ask, answer, size),
            None => self.client.failed(),
        };
        (next, retry_after)
    }

    async fn cosigned(&mut self, ask: Ask, note: String, line: String) {
        self.failures = 0;
        Metric::WitnessSize.set(&[("witness", self.name())], ask.size);
        let log = self.log.clone();
        let kept = tokio::task::spawn_blocking(move || log.cosigned(&note, &line)).await;
        if let Err(error) = kept {
            tracing::error!(%error, "a cosignature is lost");
        }
    }

    /// Tells the log, with what the witness can show for it.
    async fn contradicted(&mut self, what: Contradiction) {
        let path = sha256_hex(self.origin.as_bytes());
        let shown = ask::remembered(&self.http, &self.witness, &path).await;
        let proof = shown.filter(|note| self.is_proof(note));
        let contradicted = Contradicted { witness: self.name().to_owned(), what, proof, at: (self.now)() };
        let log = self.log.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || log.contradicted(&contradicted)).await {
            tracing::error!(%error, "the log was not told of the contradiction");
        }
    }

    fn is_proof(&self, note: &str) -> bool {
        let size = Checkpoint::of_note(&self.log.checkpoint()).ok().map(|now| now.size);
        let key = VerifierKey::parse(&self.log.vkey()).ok();
        key.zip(size).is_some_and(|(key, size)| proves(note, &key, size, |size| self.log.root_at(size)))
    }

    fn failed(&mut self, retry_after: Option<Duration>) -> Duration {
        let pause = PAUSE_MIN.saturating_mul(1 << self.failures.min(16)).min(PAUSE_MAX);
        self.failures = self.failures.saturating_add(1);
        pause.max(retry_after.unwrap_or_default())
    }

    fn count(&self, result: &str) {
        Metric::WitnessRequests.add(&[("witness", self.name()), ("result", result)], 1);
    }
}

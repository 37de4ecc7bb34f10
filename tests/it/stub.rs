//! A receiver on loopback over an engine that is only a task answering commands.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use freezeframe::config;
use freezeframe::engine::handle::Command;
use freezeframe::engine::{Handle, Ingested, View};
use freezeframe::otlp::Signal;
use freezeframe::receiver::{self, Tap};
use tokio::sync::{Notify, broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What the tap was given, in order.
#[derive(Clone, Default)]
pub(crate) struct Tapped {
    seen: Arc<Mutex<Vec<(Signal, Bytes)>>>,
    more: Arc<Notify>,
}

impl Tapped {
    pub(crate) fn tap(&self) -> Tap {
        let tapped = self.clone();
        Arc::new(move |signal, bytes| {
            tapped.seen.lock().unwrap().push((signal, bytes));
            tapped.more.notify_waiters();
        })
    }

    pub(crate) fn take(&self) -> Vec<(Signal, Bytes)> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    /// Waits until `n` requests were seen, and takes them.
    pub(crate) async fn wait(&self, n: usize) -> Vec<(Signal, Bytes)> {
        loop {
            let more = self.more.notified();
            if self.seen.lock().unwrap().len() >= n {
                return self.take();
            }
            more.await;
        }
    }
}

/// A served receiver.
pub(crate) struct Running {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) tapped: Tapped,
    pub(crate) stop: CancellationToken,
    pub(crate) served: JoinHandle<()>,
}

/// Port 0, 1 MiB a request, 8 in flight, come back in 3 s.
pub(crate) fn config() -> config::Receiver {
    config::Receiver {
        grpc: "127.0.0.1:0".to_owned(),
        http: "127.0.0.1:0".to_owned(),
        request_bytes_max: 1 << 20,
        in_flight_max: 8,
        retry_after: Duration::from_millis(2_500),
        scores: config::Scores::default(),
    }
}

/// A receiver with this configuration over this engine.
pub(crate) async fn receiver(config: &config::Receiver, engine: Handle) -> Running {
    let tapped = Tapped::default();
    let tap = tapped.tap();
    receiver_with(config, engine, tapped, tap).await
}

/// The same with a tap of one's own.
pub(crate) async fn receiver_with(config: &config::Receiver, engine: Handle, tapped: Tapped, tap: Tap) -> Running {
    let bound = receiver::bind(config).await.unwrap();
    let (grpc, http) = (bound.grpc_addr().unwrap(), bound.http_addr().unwrap());
    let stop = CancellationToken::new();
    let served = tokio::spawn(bound.serve(engine, tap, stop.clone().cancelled_owned()));
    Running { grpc, http, tapped, stop, served }
}

/// An engine's handle and the other end of it, with room for `capacity` commands.
pub(crate) fn engine(capacity: usize) -> (Handle, mpsc::Receiver<Command>) {
    let (commands, inbox) = mpsc::channel(capacity);
    let (_, view) = watch::channel(Arc::new(View::default()));
    (Handle::new(commands, view, broadcast::channel(1).0), inbox)
}

/// An engine that takes everything except the first `rejected` items of each request.
pub(crate) fn accepting(rejected: u64) -> Handle {
    let (handle, mut inbox) = engine(64);
    tokio::spawn(async move {
        while let Some(command) = inbox.recv().await {
            answer(command, rejected);
        }
    });
    handle
}

/// Answers one export as the engine would.
pub(crate) fn answer(command: Command, rejected: u64) {
    let ingested = |len: usize| Ingested {
        not_llm: 0,
        accepted: len as u64 - rejected,
        rejected,
        reason: (rejected > 0).then_some("trace id missing"),
    };
    match command {
        Command::Traces(traces, reply) => reply.send(ingested(traces.len())),
        Command::Logs(logs, reply) => reply.send(ingested(logs.len())),
        other => panic!("not an export: {other:?}"),
    }
    .expect("the receiver waits for its answer");
}

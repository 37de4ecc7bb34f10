//! OTLP out: passes what the receiver accepted on to the next hop, bytes untouched.
//!
//! ```text
//! offer -> queue (bounded in requests and bytes) -> `concurrency` workers -> attempt, pause, attempt ... -> next hop
//! ```
//!
//! Every request is counted once, by what became of it in the end:
//!
//! | result | reason | when |
//! |---|---|---|
//! | `sent` | empty, or `partial_success` | the next hop accepted it, or accepted a part of it |
//! | `failed` | the status, see `failure` | the next hop refused it for good |
//! | `dropped` | `queue_full`, `max_elapsed_time`, `shutdown` | it was never accepted, and our limits ended it |
//!
//! The next hop need not be up: connections are made when there is something to send, and made again when lost.
//! Delivery is at least once: an attempt that timed out may have arrived. Deliberately absent: a queue on disk (what
//! matters for evidence is in the log), proxies from the environment, redirects.

mod deliver;
mod failure;
mod grpc;
mod http;
mod queue;
mod retry;
mod tls;

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use ::http::uri::InvalidUri;
use ::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{self, Protocol};
use crate::metrics::Metric;
use crate::otlp::{PartialSuccess, Signal};
use deliver::Delivery;
use failure::Failure;
use queue::Queue;

pub use queue::Held;

/// Bytes of a reply that are read; an `Export*ServiceResponse` has a count and a sentence.
const REPLY_BYTES_MAX: usize = 64 << 10;
const USER_AGENT: &str = concat!("freezeframe/", env!("CARGO_PKG_VERSION"));

/// The running exporter. Dropping it gives up what is still held.
#[derive(Debug)]
pub struct Exporter {
    queue: Arc<Queue>,
    workers: TaskTracker,
    stop: CancellationToken,
}

/// The configuration names something that can't be used. Found at start, before anything is sent.
#[derive(Debug, thiserror::Error)]
pub enum ExporterError {
    /// The endpoint is not an `http` or `https` URL.
    #[error("endpoint {0:?} is not an http:// or https:// URL: {1}")]
    Endpoint(String, String),
    /// A header has a name or value that HTTP does not allow. The value is not shown.
    #[error("header {0:?} has a name or a value that is not valid in HTTP")]
    Header(String),
    /// A PEM file can't be read.
    #[error("cannot read {0}: {1}")]
    File(PathBuf, std::io::Error),
    /// A PEM file holds nothing usable, or certificate and key don't fit.
    #[error("TLS settings can't be used: {0}")]
    Tls(String),
}

/// Starts the workers; must be called on a tokio runtime, after the metrics recorder is installed.
///
/// # Errors
/// See [`ExporterError`].
pub fn start(config: &config::Exporter) -> Result<Exporter, ExporterError> {
    let next_hop = Arc::new(NextHop::new(config)?);
    let queue = Arc::new(Queue::new(config.queue_requests_max, config.queue_bytes_max));
    let (workers, stop) = (TaskTracker::new(), CancellationToken::new());
    let delivery = Delivery::new(config.retry, config.timeout);
    for _ in 0..config.concurrency.max(1) {
        workers.spawn(work(queue.clone(), next_hop.clone(), delivery.clone(), stop.clone()));
    }
    workers.close();
    Ok(Exporter { queue, workers, stop })
}

impl Exporter {
    /// Takes one request for the next hop. Never blocks: when the queue is full this newest one is dropped and counted.
    pub fn offer(&self, signal: Signal, bytes: Bytes) {
        if self.queue.offer(Export { signal, bytes }).is_err() {
            count(signal, "dropped", "queue_full");
        }
    }

    /// What is held for the next hop, being sent included.
    #[must_use]
    pub fn held(&self) -> Held {
        self.queue.held()
    }

    /// Takes nothing more, sends what is held until `deadline`, then drops the rest and says how much it was.
    pub async fn drain(&self, deadline: Instant) -> Held {
        self.queue.close();
        let drained = tokio::time::timeout_at(deadline, self.workers.wait()).await;
        let left = self.queue.held();
        if drained.is_err() {
            tracing::error!(
                requests = left.requests,
                bytes = left.bytes,
                "dropped what the next hop did not take in time"
            );
        }
        self.stop.cancel();
        self.workers.wait().await;
        left
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.queue.close();
        self.stop.cancel();
    }
}

/// One request on its way.
#[derive(Debug)]
struct Export {
    signal: Signal,
    bytes: Bytes,
}

/// A worker: takes one request after the other until the queue is closed and empty.
async fn work(queue: Arc<Queue>, next_hop: Arc<NextHop>, delivery: Delivery, stop: CancellationToken) {
    while let Some(export) = queue.next().await {
        let signal = export.signal;
        let (result, reason) = tokio::select! {
            biased;
            () = stop.cancelled() => ("dropped", "shutdown"),
            outcome = delivery.run(signal, || next_hop.send(signal, export.bytes.clone())) => outcome,
        };
        count(signal, result, reason);
        queue.release(&export);
    }
}

fn count(signal: Signal, result: &str, reason: &str) {
    Metric::ExporterRequests.add(&[("signal", signal.name()), ("result", result), ("reason", reason)], 1);
}

/// The next hop behind its transport.
enum NextHop {
    Grpc(grpc::Client),
    Http(Box<http::Client>),
}

impl NextHop {
    fn new(config: &config::Exporter) -> Result<Self, ExporterError> {
        Ok(match config.protocol {
            Protocol::Grpc => Self::Grpc(grpc::Client::new(config)?),
            Protocol::Http => Self::Http(Box::new(http::Client::new(config)?)),
        })
    }

    /// One attempt.
    async fn send(&self, signal: Signal, bytes: Bytes) -> Result<Option<PartialSuccess>, Failure> {
        match self {
            Self::Grpc(client) => client.send(signal, bytes).await,
            Self::Http(client) => client.send(signal, bytes).await,
        }
    }
}

/// The endpoint, if it is one: `http` or `https` and a host.
fn endpoint(config: &config::Exporter) -> Result<Uri, ExporterError> {
    let unusable = |reason: String| ExporterError::Endpoint(config.endpoint.clone(), reason);
    let uri: Uri = config.endpoint.parse().map_err(|error: InvalidUri| unusable(error.to_string()))?;
    match uri.scheme_str() {
        Some("http" | "https") => Ok(uri),
        Some(other) => Err(unusable(format!("its scheme is {other}"))),
        None => Err(unusable("it has no scheme".to_owned())),
    }
}

/// The configured headers, marked as secrets.
fn headers(config: &config::Exporter) -> Result<HeaderMap, ExporterError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &config.headers {
        let invalid = || ExporterError::Header(name.clone());
        let mut value = HeaderValue::from_str(&value.0).map_err(|_| invalid())?;
        value.set_sensitive(true);
        headers.append(HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?, value);
    }
    Ok(headers)
}

/// Level 1: the next hop is near, and the sidecar's CPU is the application's.
fn gzip(message: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(message.len() / 4), Compression::fast());
    let written = encoder.write_all(message).and_then(|()| encoder.finish());
    written.expect("a Vec takes every byte").into()
}

/// An error with its causes: the outermost text rarely says why.
fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause: &&(dyn Error + 'static)| (*cause).source());
    causes.fold(error.to_string(), |story, cause| format!("{story}: {cause}"))
}

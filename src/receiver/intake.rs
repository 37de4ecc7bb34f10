//! What both transports share: admission, and the way of one request's bytes into the engine and the tap.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use metrics::{Counter, Gauge};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Tap;
use super::rejection::Rejection;
use crate::config;
use crate::engine::{Handle, Ingested, Refused};
use crate::metrics::Metric;
use crate::otlp::{ExportReply, Logs, Metrics, PartialSuccess, Signal, Traces};

/// The receiver behind its transports.
pub(super) struct Intake {
    engine: Handle,
    tap: Tap,
    permits: Arc<Semaphore>,
    retry_after: Duration,
    /// Size of one request after decompression, bytes.
    pub(super) request_bytes_max: usize,
    /// Whose scores are let in.
    pub(super) scores: config::Scores,
    in_flight: Gauge,
    accepted: [[Counter; 3]; 2],
}

/// A transport, as the `transport` label has it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Transport {
    Grpc,
    Http,
}

impl Transport {
    fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
        }
    }
}

/// The right to work on one request; held from before its body is read until its reply is made.
pub(super) struct Admitted {
    _permit: OwnedSemaphorePermit,
    in_flight: Gauge,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.in_flight.decrement(1.0);
    }
}

impl Intake {
    pub(super) fn new(engine: Handle, tap: Tap, config: &config::Receiver) -> Self {
        let accepted = [Transport::Grpc, Transport::Http].map(|transport| {
            Signal::ALL.map(|signal| Metric::ReceiverRequests.counter(&labels(transport, signal.name(), "accepted")))
        });
        Self {
            engine,
            tap,
            permits: Arc::new(Semaphore::new(config.in_flight_max.min(Semaphore::MAX_PERMITS))),
            retry_after: config.retry_after,
            request_bytes_max: config.request_bytes_max,
            scores: config.scores,
            in_flight: Metric::ReceiverInFlight.gauge(&[]),
            accepted,
        }
    }

    /// Takes one of the `in_flight_max` places, or refuses at once.
    pub(super) fn admit(&self) -> Result<Admitted, Rejection> {
        let permit = self.permits.clone().try_acquire_owned().map_err(|_| Rejection::Busy(self.retry_after))?;
        self.in_flight.increment(1.0);
        Ok(Admitted { _permit: permit, in_flight: self.in_flight.clone() })
    }

    /// Checks `bytes`, hands them to the engine and then to the tap. Metrics go to the tap alone.
    ///
    /// Runs as a task of its own: a client that hangs up meanwhile cancels the call, but what the engine takes must
    /// still reach the tap.
    pub(super) async fn receive(
        self: &Arc<Self>,
        admitted: Admitted,
        signal: Signal,
        bytes: Bytes,
    ) -> Result<Ingested, Rejection> {
        let intake = self.clone();
        let taken = tokio::spawn(async move {
            let _admitted = admitted;
            intake.take(signal, bytes).await
        });
        taken.await.unwrap_or(Err(Rejection::Stopping(self.retry_after)))
    }

    /// Hands the engine log records that were made of something else, and that the tap therefore does not get.
    pub(super) async fn tell(&self, admitted: Admitted, logs: Bytes) -> Result<Ingested, Rejection> {
        let _admitted = admitted;
        self.engine.logs(Logs::parse(logs)?).await.map_err(|refused| self.rejection(refused))
    }

    /// The engine decides first: what it refuses has reached nobody, so the client's retry duplicates nothing.
    async fn take(&self, signal: Signal, bytes: Bytes) -> Result<Ingested, Rejection> {
        let ingested = match signal {
            Signal::Traces => self.engine.traces(Traces::parse(bytes.clone())?).await,
            Signal::Logs => self.engine.logs(Logs::parse(bytes.clone())?).await,
            Signal::Metrics => Metrics::parse(bytes.clone()).map(|_| Ok(Ingested::default()))?,
        };
        let ingested = ingested.map_err(|refused| self.rejection(refused))?;
        (self.tap)(signal, bytes);
        Ok(ingested)
    }

    fn rejection(&self, refused: Refused) -> Rejection {
        match refused {
            Refused::Busy => Rejection::Busy(self.retry_after),
            Refused::Stopping => Rejection::Stopping(self.retry_after),
        }
    }

    /// Counts one request with scores by what became of it; `left_out` of them were not taken.
    pub(super) fn count_scores(&self, result: Result<u64, &Rejection>) {
        let result = match result {
            Ok(0) => "accepted",
            Ok(_) => "partial",
            Err(rejection) => {
                tracing::debug!(%rejection, "scores rejected");
                rejection.result()
            }
        };
        Metric::ReceiverRequests.add(&labels(Transport::Http, "scores", result), 1);
    }

    /// Counts one request by what became of it.
    pub(super) fn count(&self, transport: Transport, signal: Option<Signal>, result: &Result<Ingested, Rejection>) {
        let signal_name = signal.map_or("unknown", Signal::name);
        let result = match (result, signal) {
            (Ok(Ingested { rejected: 0, .. }), Some(signal)) => {
                return self.accepted[transport as usize][signal as usize].increment(1);
            }
            (Ok(_), _) => "partial",
            (Err(rejection), _) => {
                tracing::debug!(transport = transport.name(), signal = signal_name, %rejection, "request rejected");
                rejection.result()
            }
        };
        Metric::ReceiverRequests.add(&labels(transport, signal_name, result), 1);
    }
}

/// The reply to an accepted request; `partial_success` only when something was rejected.
pub(super) fn reply(ingested: Ingested) -> ExportReply {
    let partial_success = (ingested.rejected > 0).then(|| PartialSuccess {
        rejected: i64::try_from(ingested.rejected).unwrap_or(i64::MAX),
        error_message: ingested.reason.unwrap_or_default().to_owned(),
    });
    ExportReply { partial_success }
}

fn labels<'a>(transport: Transport, signal: &'a str, result: &'a str) -> [(&'static str, &'a str); 3] {
    [("transport", transport.name()), ("signal", signal), ("result", result)]
}

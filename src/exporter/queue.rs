//! What waits for the next hop: first in, first out, bounded in requests and in bytes.
//!
//! A request counts against both bounds from the moment it is taken until its fate is known, not only while it waits:
//! what a worker retries for minutes is held as much as what waits behind it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use metrics::Gauge;
use tokio::sync::Semaphore;

use super::Export;
use crate::metrics::Metric;

/// The queue between [`super::Exporter::offer`] and the workers.
pub(super) struct Queue {
    state: Mutex<State>,
    /// One permit for each waiting request; closed with the queue.
    ready: Semaphore,
    requests_max: usize,
    bytes_max: usize,
    bytes: Gauge,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Export>,
    held: Held,
    closed: bool,
}

/// Requests held for the next hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// How many.
    pub requests: usize,
    /// Their bytes.
    pub bytes: usize,
}

/// The queue is full, or closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Queue {
    pub(super) fn new(requests_max: usize, bytes_max: usize) -> Self {
        Self {
            state: Mutex::default(),
            ready: Semaphore::new(0),
            requests_max: requests_max.min(Semaphore::MAX_PERMITS),
            bytes_max,
            bytes: Metric::ExporterQueueBytes.gauge(&[]),
        }
    }

    /// Takes `export`, unless that would pass a bound.
    pub(super) fn offer(&self, export: Export) -> Result<(), Full> {
        let mut state = self.lock();
        let bytes = state.held.bytes.saturating_add(export.bytes.len());
        if state.closed || state.held.requests >= self.requests_max || bytes > self.bytes_max {
            return Err(Full);
        }
        state.held = Held { requests: state.held.requests + 1, bytes };
        state.waiting.push_back(export);
        self.show(&state);
        drop(state);
        self.ready.add_permits(1);
        Ok(())
    }

    /// The oldest waiting request; waits for one. `None` once the queue is closed and empty.
    pub(super) async fn next(&self) -> Option<Export> {
        if let Ok(permit) = self.ready.acquire().await {
            permit.forget();
        }
        self.lock().waiting.pop_front()
    }

    /// The fate of `export` is known: it is no longer held.
    pub(super) fn release(&self, export: &Export) {
        let mut state = self.lock();
        state.held.requests -= 1;
        state.held.bytes -= export.bytes.len();
        self.show(&state);
    }

    /// Takes nothing more; what waits is still handed out.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.ready.close();
    }

    pub(super) fn held(&self) -> Held {
        self.lock().held
    }

    /// Set under the lock, so that the gauge never shows an older value last.
    #[expect(clippy::cast_precision_loss, reason = "gauges are doubles in Prometheus")]
    fn show(&self, state: &State) {
        self.bytes.set(state.held.bytes as f64);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("held", &self.held()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::otlp::Signal;

    fn export(bytes: usize) -> Export {
        Export { signal: Signal::Traces, bytes: Bytes::from(vec![0; bytes]) }
    }

    /// Both bounds hold over waiting and handed-out requests alike, and a release makes room again.
    #[tokio::test]
    async fn bounds_count_what_is_held() {
        let queue = Queue::new(2, 10);
        assert_eq!(queue.offer(export(11)), Err(Full));
        assert_eq!(queue.offer(export(4)), Ok(()));
        assert_eq!(queue.offer(export(7)), Err(Full));
        assert_eq!(queue.offer(export(6)), Ok(()));
        assert_eq!(queue.offer(export(0)), Err(Full));
        let first = queue.next().await.unwrap();
        assert_eq!(queue.held(), Held { requests: 2, bytes: 10 });
        assert_eq!(queue.offer(export(1)), Err(Full));
        queue.release(&first);
        assert_eq!(queue.offer(export(4)), Ok(()));
    }

    /// A closed queue hands out what waits, in order, then ends every worker.
    #[tokio::test]
    async fn close_drains_in_order() {
        let queue = Queue::new(8, 100);
        for bytes in [3, 2, 1] {
            queue.offer(export(bytes)).unwrap();
        }
        queue.close();
        assert_eq!(queue.offer(export(1)), Err(Full));
        for bytes in [3, 2, 1] {
            assert_eq!(queue.next().await.unwrap().bytes.len(), bytes);
        }
        assert!(queue.next().await.is_none());
        assert!(queue.next().await.is_none());
    }
}

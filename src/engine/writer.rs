//! The writer thread: the only caller of [`Store::append`], which blocks until a frame is durable.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::mpsc;

use super::effect::Acknowledgement;
use super::store::{FrameBytes, Store, StoreError};
use crate::metrics::Metric;

/// Frames that wait to be written, and frames that failed and wait to be tried again, at most.
const FRAMES_QUEUED_MAX: usize = 64;
/// Pause before frames that failed are tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// A handle to the thread.
#[derive(Debug)]
pub(super) struct Writer {
    frames: Option<SyncSender<Arc<FrameBytes>>>,
}

impl Writer {
    /// Starts the thread. It ends, dropping `acknowledge`, once closed and done.
    pub(super) fn start(store: Arc<dyn Store>, acknowledge: mpsc::Sender<Acknowledgement>) -> std::io::Result<Self> {
        Metric::LogSize.set(&[], store.size());
        let (frames, queue) = sync_channel(FRAMES_QUEUED_MAX);
        let thread = Thread { store, acknowledge, failed: VecDeque::new() };
        std::thread::Builder::new().name("evidence-writer".into()).spawn(move || thread.run(&queue))?;
        Ok(Self { frames: Some(frames) })
    }

    /// Queues a frame.
    ///
    /// # Errors
    /// A negative acknowledgement when the queue is full or closed.
    pub(super) fn write(&self, frame: Arc<FrameBytes>) -> Result<(), Acknowledgement> {
        let id = frame.id.clone();
        let queued = self.frames.as_ref().is_some_and(|frames| frames.try_send(frame).is_ok());
        if queued {
            return Ok(());
        }
        Metric::Frames.add(&[("result", "failed")], 1);
        let reason = format!("{FRAMES_QUEUED_MAX} frames wait already");
        Err(Acknowledgement { frame_id: id, result: Err(StoreError::Retry(reason)) })
    }

    /// Takes no more frames; the thread ends when the queued ones are written.
    pub(super) fn close(&mut self) {
        self.frames = None;
    }
}

struct Thread {
    store: Arc<dyn Store>,
    acknowledge: mpsc::Sender<Acknowledgement>,
    failed: VecDeque<Arc<FrameBytes>>,
}

impl Thread {
    fn run(mut self, queue: &Receiver<Arc<FrameBytes>>) {
        loop {
            match queue.recv_timeout(RETRY_PAUSE) {
                Ok(frame) => self.append(frame),
                Err(RecvTimeoutError::Timeout) => self.retry(),
                Err(RecvTimeoutError::Disconnected) => return self.retry(),
            }
        }
    }

    fn retry(&mut self) {
        for frame in std::mem::take(&mut self.failed) {
            self.append(frame);
        }
    }

    fn append(&mut self, frame: Arc<FrameBytes>) {
        let span = tracing::info_span!("evidence.append", frame_id = frame.id, feature = frame.feature);
        let result = span.in_scope(|| self.store.append(&frame));
        let label = match &result {
            Ok(_) => "committed",
            Err(StoreError::Retry(_)) => "retried",
            Err(StoreError::Refused(_) | StoreError::Fatal(_)) => "failed",
        };
        Metric::Frames.add(&[("result", label)], 1);
        match &result {
            Ok(_) => Metric::LogSize.set(&[], self.store.size()),
            Err(error) => tracing::error!(frame_id = frame.id, %error, "a frame was not committed"),
        }
        let frame_id = frame.id.clone();
        if matches!(result, Err(StoreError::Retry(_))) {
            self.keep(frame);
        }
        // The engine is gone only when the process is going.
        drop(self.acknowledge.blocking_send(Acknowledgement { frame_id, result }));
    }

    /// Keeps a frame for another try; when too many failed, the newest gives way and is counted.
    fn keep(&mut self, frame: Arc<FrameBytes>) {
        if self.failed.len() < FRAMES_QUEUED_MAX {
            self.failed.push_back(frame);
        } else {
            Metric::Frames.add(&[("result", "failed")], 1);
            tracing::error!(frame_id = frame.id, "a frame is lost: too many frames wait for the log");
        }
    }
}

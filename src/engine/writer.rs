//! The writer thread: the only caller of [`Store::append`], which blocks until a frame is durable.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tokio::sync::mpsc;

use super::effect::Acknowledgement;
use super::store::{FrameBytes, Store, StoreError};
use crate::metrics::Metric;

/// Frames that wait for the thread, and frames that failed and wait to be tried again, at most.
const FRAMES_QUEUED_MAX: usize = 64;
/// Frames that wait for a place in that queue. One cause can make every rule of every feature fire in one slot.
const FRAMES_WAITING_MAX: usize = 1024;
/// Pause before frames that failed are tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// A handle to the thread.
#[derive(Debug)]
pub(super) struct Writer {
    frames: Option<SyncSender<Arc<FrameBytes>>>,
    waiting: VecDeque<Arc<FrameBytes>>,
}

impl Writer {
    /// Starts the thread. It ends, dropping `acknowledge`, once closed and done.
    pub(super) fn start(store: Arc<dyn Store>, acknowledge: mpsc::Sender<Acknowledgement>) -> std::io::Result<Self> {
        Metric::LogSize.set(&[], store.size());
        let (frames, queue) = sync_channel(FRAMES_QUEUED_MAX);
        let thread = Thread { store, acknowledge, failed: VecDeque::new() };
        std::thread::Builder::new().name("evidence-writer".into()).spawn(move || thread.run(&queue))?;
        Ok(Self { frames: Some(frames), waiting: VecDeque::new() })
    }

    /// Hands a frame over, now or as soon as there is room.
    ///
    /// # Errors
    /// A negative acknowledgement when too many wait already: the frame is lost.
    pub(super) fn write(&mut self, frame: Arc<FrameBytes>) -> Result<(), Acknowledgement> {
        if self.waiting.len() < FRAMES_WAITING_MAX {
            self.waiting.push_back(frame);
            self.hand_over();
            return Ok(());
        }
        Metric::Frames.add(&[("result", "failed")], 1);
        tracing::error!(frame_id = frame.id, "a frame is lost: too many frames wait for the log");
        let reason = format!("{FRAMES_WAITING_MAX} frames wait already");
        Err(Acknowledgement { frame_id: frame.id.clone(), result: Err(StoreError::Fatal(reason)) })
    }

    /// Hands over as many of the waiting frames as there is room for.
    pub(super) fn hand_over(&mut self) {
        let Some(frames) = &self.frames else { return };
        while let Some(frame) = self.waiting.pop_front() {
            if let Err(TrySendError::Full(frame) | TrySendError::Disconnected(frame)) = frames.try_send(frame) {
                return self.waiting.push_front(frame);
            }
        }
    }

    /// Whether every frame was handed over.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes no more frames; the thread ends when those handed over are written.
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bytes::Bytes;

    use super::*;
    use crate::engine::store::Receipt;

    /// A log that writes nothing before it is told to go.
    #[derive(Debug)]
    struct Gate {
        go: Mutex<Receiver<()>>,
        appended: Mutex<Vec<String>>,
    }

    impl Store for Gate {
        fn append(&self, frame: &FrameBytes) -> Result<Receipt, StoreError> {
            assert!(self.go.lock().unwrap().recv().is_err(), "the gate opens when its other end is gone");
            self.appended.lock().unwrap().push(frame.id.clone());
            let (frame_id, frame_sha256, checkpoint) = (frame.id.clone(), String::new(), String::new());
            Ok(Receipt { frame_id, seq: 1, frame_sha256, checkpoint })
        }
        fn frame(&self, _: &str) -> Result<Option<Bytes>, StoreError> {
            Ok(None)
        }
        fn bundle(&self, _: &str) -> Result<Option<Bytes>, StoreError> {
            Ok(None)
        }
        fn newest(&self, _: usize) -> Result<Vec<(Receipt, Bytes)>, StoreError> {
            Ok(Vec::new())
        }
        fn log_file(&self, _: &str) -> Result<Option<Bytes>, StoreError> {
            Ok(None)
        }
        fn vkey(&self) -> String {
            String::new()
        }
        fn size(&self) -> u64 {
            0
        }
    }

    fn frame(n: usize) -> Arc<FrameBytes> {
        let (captured_at, feature, fingerprint) = (String::new(), String::new(), String::new());
        Arc::new(FrameBytes { id: n.to_string(), captured_at, feature, fingerprint, body: serde_json::Map::new() })
    }

    /// Proves that a burst beyond the queue waits and is written in order, and that what is too much is told as lost.
    #[test]
    fn a_burst_waits_and_loses_nothing_it_took() {
        let (go, gate) = sync_channel(1);
        let store = Arc::new(Gate { go: Mutex::new(gate), appended: Mutex::default() });
        let (acknowledge, mut acknowledged) = mpsc::channel(4 * FRAMES_WAITING_MAX);
        let mut writer = Writer::start(store.clone(), acknowledge).unwrap();
        let results: Vec<_> = (0..2 * FRAMES_WAITING_MAX).map(|n| writer.write(frame(n))).collect();
        let taken = results.iter().filter(|it| it.is_ok()).count();
        assert!(taken >= FRAMES_WAITING_MAX && taken < results.len());
        for lost in results.into_iter().filter_map(Result::err) {
            assert!(matches!(lost.result, Err(StoreError::Fatal(_))), "{lost:?}");
        }
        drop(go);
        while !writer.is_idle() {
            acknowledged.blocking_recv().expect("the thread is at work");
            writer.hand_over();
        }
        writer.close();
        while acknowledged.blocking_recv().is_some() {}
        let expected: Vec<String> = (0..taken).map(|n| n.to_string()).collect();
        assert_eq!(*store.appended.lock().unwrap(), expected);
    }
}

//! The writer thread: the only caller of [`Store::append`] and its like, which block until something is durable.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tokio::sync::mpsc;

use super::clock;
use super::effect::Acknowledgement;
use super::store::{Condition, FrameBytes, Store, StoreError};
use crate::core::manifest::Leaf;
use crate::core::time::UnixNanos;
use crate::metrics::Metric;

/// Frames that wait for the thread, and frames that failed and wait to be tried again, at most.
const FRAMES_QUEUED_MAX: usize = 64;
/// Frames that wait for a place in that queue. One cause can make every rule of every feature fire in one slot.
const FRAMES_WAITING_MAX: usize = 1024;
/// Pause before what failed is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How often the log is asked whether something is due.
const MAINTENANCE: Duration = Duration::from_secs(10);

/// Something to be made durable.
#[derive(Clone, Debug)]
enum Work {
    Frame(Arc<FrameBytes>),
    Leaf(Leaf),
}

/// A handle to the thread.
#[derive(Debug)]
pub(super) struct Writer {
    work: Option<SyncSender<Work>>,
    waiting: VecDeque<Work>,
    lost: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the thread. It ends, dropping `acknowledge`, once closed and done.
    pub(super) fn start(store: Arc<dyn Store>, acknowledge: mpsc::Sender<Acknowledgement>) -> std::io::Result<Self> {
        Metric::LogSize.set(&[], store.size());
        let (work, queue) = sync_channel(FRAMES_QUEUED_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let mut thread =
            Thread { store, acknowledge, failed: VecDeque::new(), lost: lost.clone(), maintained_at: UnixNanos(0) };
        std::thread::Builder::new().name("evidence-writer".into()).spawn(move || thread.run(&queue))?;
        Ok(Self { work: Some(work), waiting: VecDeque::new(), lost })
    }

    /// Hands a frame over, now or as soon as there is room.
    ///
    /// # Errors
    /// A negative acknowledgement when too many wait already: the frame is lost.
    pub(super) fn write(&mut self, frame: Arc<FrameBytes>) -> Result<(), Acknowledgement> {
        if self.wait(Work::Frame(frame.clone())) {
            return Ok(());
        }
        self.lost.fetch_add(1, Relaxed);
        Metric::Frames.add(&[("result", "failed")], 1);
        tracing::error!(frame_id = frame.id, "a frame is lost: too many frames wait for the log");
        let reason = format!("{FRAMES_WAITING_MAX} frames wait already");
        Err(Acknowledgement { frame_id: frame.id.clone(), result: Err(StoreError::Fatal(reason)) })
    }

    /// Hands a leaf over that is no frame. When too many wait already it is counted as failed.
    pub(super) fn record(&mut self, leaf: Leaf) {
        let name = leaf.name();
        if !self.wait(Work::Leaf(leaf)) {
            Metric::LogLeaves.add(&[("type", name), ("result", "failed")], 1);
            tracing::error!(leaf = name, "a leaf is lost: too many frames wait for the log");
        }
    }

    fn wait(&mut self, work: Work) -> bool {
        let has_room = self.waiting.len() < FRAMES_WAITING_MAX;
        if has_room {
            self.waiting.push_back(work);
            self.hand_over();
        }
        has_room
    }

    /// Hands over as much of what waits as there is room for.
    pub(super) fn hand_over(&mut self) {
        let Some(queue) = &self.work else { return };
        while let Some(work) = self.waiting.pop_front() {
            if let Err(TrySendError::Full(work) | TrySendError::Disconnected(work)) = queue.try_send(work) {
                return self.waiting.push_front(work);
            }
        }
    }

    /// Whether everything was handed over.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes no more; the thread ends when what was handed over is written.
    pub(super) fn close(&mut self) {
        self.work = None;
    }
}

struct Thread {
    store: Arc<dyn Store>,
    acknowledge: mpsc::Sender<Acknowledgement>,
    failed: VecDeque<Work>,
    /// Frames that never reached the log.
    lost: Arc<AtomicU64>,
    maintained_at: UnixNanos,
}

impl Thread {
    fn run(&mut self, queue: &Receiver<Work>) {
        loop {
            match queue.recv_timeout(RETRY_PAUSE) {
                Ok(work) => self.write(work),
                Err(RecvTimeoutError::Timeout) => self.retry(),
                Err(RecvTimeoutError::Disconnected) => return self.retry(),
            }
            self.maintain();
        }
    }

    fn retry(&mut self) {
        for work in std::mem::take(&mut self.failed) {
            self.write(work);
        }
    }

    fn maintain(&mut self) {
        let now = clock::now();
        if now.since(self.maintained_at) < MAINTENANCE {
            return;
        }
        self.maintained_at = now;
        match self.store.maintain(now, self.lost.load(Relaxed)) {
            Ok(Condition { reserve_frames }) => Metric::LogReserve.set(&[], reserve_frames),
            Err(error) => tracing::error!(%error, "maintenance of the log failed"),
        }
    }

    fn write(&mut self, work: Work) {
        match work {
            Work::Frame(frame) => self.append(frame),
            Work::Leaf(leaf) => self.record(leaf),
        }
    }

    fn append(&mut self, frame: Arc<FrameBytes>) {
        let span = tracing::info_span!("evidence.append", frame_id = frame.id, feature = frame.feature);
        // In the span, so that the checkpoint is in its exported event, too: one more place that remembers it.
        let result = span.in_scope(|| {
            let result = self.store.append(&frame);
            let (frame_id, feature) = (&frame.id, &frame.feature);
            match &result {
                Ok(receipt) => {
                    let (seq, checkpoint) = (receipt.seq, &receipt.checkpoint);
                    tracing::info!(frame_id, feature, seq, checkpoint, "frame committed");
                }
                Err(error) => tracing::error!(frame_id, feature, %error, "a frame was not committed"),
            }
            result
        });
        Metric::Frames.add(&[("result", label(result.as_ref().err()))], 1);
        if result.is_ok() {
            Metric::LogSize.set(&[], self.store.size());
        }
        let frame_id = frame.id.clone();
        match &result {
            Err(StoreError::Retry(_)) => self.keep(Work::Frame(frame)),
            Err(_) => drop(self.lost.fetch_add(1, Relaxed)),
            Ok(_) => {}
        }
        // The engine is gone only when the process is going.
        drop(self.acknowledge.blocking_send(Acknowledgement { frame_id, result }));
    }

    fn record(&mut self, leaf: Leaf) {
        let name = leaf.name();
        let result = self.store.record(&leaf);
        Metric::LogLeaves.add(&[("type", name), ("result", label(result.as_ref().err()))], 1);
        if let Err(error) = &result {
            tracing::error!(leaf = name, %error, "a leaf was not committed");
        }
        if matches!(result, Err(StoreError::Retry(_))) {
            self.keep(Work::Leaf(leaf));
        }
    }

    /// Keeps something for another try; when too much failed, the newest gives way and is counted.
    fn keep(&mut self, work: Work) {
        if self.failed.len() < FRAMES_QUEUED_MAX {
            return self.failed.push_back(work);
        }
        match work {
            Work::Frame(frame) => {
                self.lost.fetch_add(1, Relaxed);
                Metric::Frames.add(&[("result", "failed")], 1);
                tracing::error!(frame_id = frame.id, "a frame is lost: too many frames wait for the log");
            }
            Work::Leaf(leaf) => {
                Metric::LogLeaves.add(&[("type", leaf.name()), ("result", "failed")], 1);
                tracing::error!(leaf = leaf.name(), "a leaf is lost: too many frames wait for the log");
            }
        }
    }
}

fn label(error: Option<&StoreError>) -> &'static str {
    match error {
        None => "committed",
        Some(StoreError::Retry(_)) => "retried",
        Some(StoreError::Refused(_) | StoreError::Fatal(_)) => "failed",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bytes::Bytes;

    use super::*;
    use crate::engine::store::{EraseOrder, Receipt};

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
        fn record(&self, _: &Leaf) -> Result<u64, StoreError> {
            Ok(1)
        }
        fn erase(&self, _: &EraseOrder) -> Result<u64, StoreError> {
            Ok(1)
        }
        fn maintain(&self, _: UnixNanos, _: u64) -> Result<Condition, StoreError> {
            Ok(Condition { reserve_frames: 32 })
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

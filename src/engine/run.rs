//! The engine live: one thread that owns it, one that writes frames, and the clock.
//!
//! `select` awaits the next event and changes nothing; `apply` changes state and awaits nothing; what it wants done
//! comes back as effects.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::clock;
use super::effect::{Acknowledgement, Effect};
use super::engine::Engine;
use super::handle::{Command, Handle, Witnessed};
use super::judging::Queues;
use super::store::Store;
use super::view::{AlertState, FrameState, Notice, View};
use super::writer::Writer;

/// Commands that wait for the engine; one more is refused as busy.
const COMMANDS_MAX: usize = 64;
/// Notices that a slow listener may fall behind before it is told that it missed some.
const NOTICES_MAX: usize = 1024;
/// How often time passes for the engine when nothing else happens.
const TICK: Duration = Duration::from_secs(1);

/// Everything that can wake the engine.
enum Event {
    Command(Command),
    Acknowledgement(Acknowledgement),
    Tick,
}

/// The engine with all that it needs to live.
#[derive(Debug)]
struct Live {
    engine: Engine,
    writer: Writer,
    commands: mpsc::Receiver<Command>,
    acknowledgements: mpsc::Receiver<Acknowledgement>,
    view: watch::Sender<Arc<View>>,
    notices: broadcast::Sender<Notice>,
    /// Where requests wait for the judges.
    judging: Queues,
    /// Callers that wait for the frame of an incident.
    witnesses: Vec<(String, bool, oneshot::Sender<Witnessed>)>,
    stopping: Option<oneshot::Sender<()>>,
}

/// Starts the engine's threads. They end after [`Handle::stop`], or when every handle is gone. What is chosen for judges
/// goes to `judging`, and is dropped and counted while that is full.
///
/// # Errors
/// When the system gives no thread or no timer.
pub fn start(engine: Engine, store: Arc<dyn Store>, judging: Queues) -> std::io::Result<Handle> {
    let (commands, commands_receiver) = mpsc::channel(COMMANDS_MAX);
    let (acknowledge, acknowledgements) = mpsc::channel(COMMANDS_MAX);
    let (view, view_receiver) = watch::channel(Arc::new(engine.view(clock::now())));
    let (notices, _) = broadcast::channel(NOTICES_MAX);
    let handle = Handle::new(commands, view_receiver, notices.clone());
    let live = Live {
        engine,
        writer: Writer::start(store, acknowledge)?,
        commands: commands_receiver,
        acknowledgements,
        view,
        notices,
        judging,
        witnesses: Vec::new(),
        stopping: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    std::thread::Builder::new().name("engine".into()).spawn(move || runtime.block_on(live.run()))?;
    Ok(handle)
}

impl Live {
    async fn run(mut self) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        while self.stopping.is_none() {
            let Some(event) = self.select(&mut ticks).await else { break };
            let now = clock::now();
            self.apply(event, now);
            self.carry_out(now);
        }
        self.drain().await;
    }

    /// The next event; `None` when every handle is gone.
    async fn select(&mut self, ticks: &mut tokio::time::Interval) -> Option<Event> {
        tokio::select! {
            biased;
            Some(acknowledgement) = self.acknowledgements.recv() => Some(Event::Acknowledgement(acknowledgement)),
            _ = ticks.tick() => Some(Event::Tick),
            command = self.commands.recv() => command.map(Event::Command),
        }
    }

    fn apply(&mut self, event: Event, now: crate::core::time::UnixNanos) {
        match event {
            Event::Tick => self.engine.tick(now),
            Event::Acknowledgement(acknowledgement) => self.engine.acknowledge(acknowledgement, now),
            Event::Command(Command::Traces(traces, reply)) => answer(reply, self.engine.traces(&traces, now)),
            Event::Command(Command::Logs(logs, reply)) => answer(reply, self.engine.logs(&logs, now)),
            Event::Command(Command::Breaker(order, reply)) => {
                let (feature, class, comment) = (&order.feature, order.class.as_str(), &order.comment);
                tracing::warn!(feature, class, action = ?order.action, comment, "breaker ordered by hand");
                answer(reply, self.engine.order(&order, now));
            }
            // Who asked may have gone, and is not to cost those who are here.
            Event::Command(Command::Explain(_, reply)) if reply.is_closed() => {}
            Event::Command(Command::Explain(question, reply)) => answer(reply, self.engine.explain(&question, now)),
            Event::Command(Command::Changes(feature, reply)) => answer(reply, self.engine.changes(&feature, now)),
            Event::Command(Command::Baselines(reply)) => answer(reply, self.engine.baselines()),
            Event::Command(Command::Carried(reply)) => answer(reply, self.engine.carried(now)),
            Event::Command(Command::Reload(config, reply)) => {
                self.engine.reconfigure(config, now);
                answer(reply, ());
            }
            Event::Command(Command::Witness(alert, reply)) => {
                let (id, created) = self.engine.witness(&alert, now);
                self.witnesses.push((id, created, reply));
            }
            Event::Command(Command::Stop(reply)) => self.stopping = Some(reply),
        }
    }

    /// Carries out what the engine wants done, publishes what changed and answers witnesses whose frame is settled.
    fn carry_out(&mut self, now: crate::core::time::UnixNanos) {
        let effects = self.engine.take_effects();
        let changed = !effects.is_empty() || self.engine.take_slot_ended();
        for effect in effects {
            match effect {
                Effect::Freeze(frame) => {
                    if let Err(refused) = self.writer.write(frame) {
                        self.engine.acknowledge(refused, now);
                    }
                }
                Effect::Record(leaf) => self.writer.record(leaf),
                Effect::Notice(notice) => {
                    log(&notice);
                    // Nobody listening is not an error.
                    drop(self.notices.send(notice));
                }
            }
        }
        self.engine.take_chosen().into_iter().for_each(|chosen| self.judging.put(chosen));
        if changed {
            self.view.send_replace(Arc::new(self.engine.view(now)));
        }
        self.writer.hand_over();
        self.answer_witnesses();
    }

    fn answer_witnesses(&mut self) {
        for (incident_id, created, reply) in std::mem::take(&mut self.witnesses) {
            match self.engine.frame_state(&incident_id) {
                Some(FrameState::Committing) => self.witnesses.push((incident_id, created, reply)),
                Some(FrameState::Committed(receipt)) => {
                    answer(reply, Witnessed { incident_id, frame: Some(receipt.clone()), created });
                }
                Some(FrameState::NotCommitted { .. }) | None => {
                    answer(reply, Witnessed { incident_id, frame: None, created });
                }
            }
        }
    }

    /// Closes what is open, lets the writer finish, and says so.
    async fn drain(mut self) {
        let now = clock::now();
        self.engine.close_all(now);
        self.engine.tick(now);
        self.carry_out(now);
        while !self.writer.is_idle()
            && let Some(acknowledgement) = self.acknowledgements.recv().await
        {
            self.engine.acknowledge(acknowledgement, clock::now());
            self.carry_out(clock::now());
        }
        self.writer.close();
        while let Some(acknowledgement) = self.acknowledgements.recv().await {
            self.engine.acknowledge(acknowledgement, clock::now());
            self.carry_out(clock::now());
        }
        if let Some(reply) = self.stopping.take() {
            answer(reply, ());
        }
    }
}

/// One line for whoever reads logs first.
fn log(notice: &Notice) {
    match notice {
        Notice::Alert { alert, .. } => {
            let (value, limit) = alert.reading();
            let (name, feature, severity) = (&*alert.rule.name, &*alert.feature, alert.rule.severity.as_str());
            match alert.state {
                AlertState::Firing => tracing::warn!(name, feature, severity, value, limit, "alert fires"),
                AlertState::Pending | AlertState::Inactive => {
                    tracing::info!(name, feature, severity, value, limit, "alert is {}", alert.state.as_str());
                }
            }
        }
        Notice::Breaker { feature, class, mode, transition } => {
            let (class, mode) = (class.as_str(), mode.as_str());
            let (from, to, reason) = (transition.from.as_str(), transition.to.as_str(), transition.reason.as_str());
            tracing::info!(feature = &**feature, class, mode, from, to, reason, "breaker moved");
        }
        Notice::Frame { incident, .. } => match &incident.frame {
            FrameState::NotCommitted { reason } => {
                tracing::error!(frame_id = incident.id, feature = &*incident.feature, reason, "frame not committed");
            }
            // The writer tells of it, with the checkpoint.
            FrameState::Committed(_) | FrameState::Committing => {}
        },
        Notice::Refined { incident, .. } => {
            let (suspect, feature) = (incident.suspect.as_deref().unwrap_or("nobody alone"), &*incident.feature);
            match incident.refined.as_ref().map(|refined| &refined.frame) {
                Some(FrameState::NotCommitted { reason }) => {
                    tracing::error!(incident = incident.id, feature, reason, "second frame not committed");
                }
                _ => tracing::info!(incident = incident.id, feature, suspect, "answer refined"),
            }
        }
    }
}

/// Answers a caller; one that went away no longer wants it.
fn answer<T>(reply: oneshot::Sender<T>, value: T) {
    drop(reply.send(value));
}

//! The door to the engine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::view::{Notice, View};
use crate::config::Config;
use crate::core::baseline::Baselines;
use crate::core::carried::Carried;
use crate::core::changes::Change;
use crate::core::frame::Frame;
use crate::core::incident::Class;
use crate::core::signal::Signal;
use crate::core::time::UnixNanos;
use crate::otlp::{Logs, Traces};

/// What the engine can be told. Every variant that expects an answer carries the sender for it.
#[derive(Debug)]
pub enum Command {
    /// One export request of spans.
    Traces(Traces, oneshot::Sender<Ingested>),
    /// One export request of log records.
    Logs(Logs, oneshot::Sender<Ingested>),
    /// An operator's hand on a breaker.
    Breaker(BreakerOrder, oneshot::Sender<Result<(), NoSuchBreaker>>),
    /// An alert that somebody else fires; freezes a frame unless there is one. Answers with the incident.
    Witness(ForeignAlert, oneshot::Sender<Witnessed>),
    /// What happens now against the last-good baseline, as a frame that nobody commits; `None` of a feature that is not there.
    Explain(Question, oneshot::Sender<Option<Box<Frame>>>),
    /// Which values of a feature's variables came and went, newest first; `None` of a feature that is not there.
    Changes(String, oneshot::Sender<Option<Vec<Change>>>),
    /// What every feature is used to, by name.
    Baselines(oneshot::Sender<BTreeMap<String, Baselines>>),
    /// What alerts and breakers stand at.
    Carried(oneshot::Sender<Carried>),
    /// A new configuration.
    Reload(Arc<Config>, oneshot::Sender<()>),
    /// Finish what is open and end.
    Stop(oneshot::Sender<()>),
}

/// What to compare without an alert.
#[derive(Clone, Debug)]
pub struct Question {
    /// Feature, or `_all`.
    pub feature: String,
    /// What is bad.
    pub signal: Signal,
    /// For how long it has been.
    pub since: Duration,
}

/// An operator's hand on a breaker.
#[derive(Clone, Debug)]
pub struct BreakerOrder {
    /// Feature.
    pub feature: String,
    /// Incident class.
    pub class: Class,
    /// What to do.
    pub action: BreakerAction,
    /// Why, in the operator's words.
    pub comment: String,
}

/// What an operator can do to a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerAction {
    /// Force it open.
    Open,
    /// Force it closed.
    Close,
    /// Give it back to its alerts.
    Reset,
}

impl BreakerAction {
    /// The name in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Close => "close",
            Self::Reset => "reset",
        }
    }
}

/// There is no such feature, or it has no breaker of that class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchBreaker;

/// A firing alert as an Alertmanager webhook tells of it.
#[derive(Clone, Debug)]
pub struct ForeignAlert {
    /// Alertmanager's fingerprint: 16 hex digits.
    pub fingerprint: String,
    /// `startsAt`
    pub starts_at: UnixNanos,
    /// `alertname`
    pub name: String,
    /// `feature`, or `_all` when the alert has none.
    pub feature: String,
    /// `class`, when the alert has a known one.
    pub class: Option<Class>,
    /// `sev` or `severity`, when the alert has a known one.
    pub severity: Option<crate::core::incident::Severity>,
}

/// The incident behind a foreign alert.
#[derive(Clone, Debug)]
pub struct Witnessed {
    /// Incident id.
    pub incident_id: String,
    /// The committed frame; `None` when the log did not acknowledge it in time.
    pub frame: Option<super::store::Receipt>,
    /// Whether this call created the frame.
    pub created: bool,
}

/// What became of an export request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ingested {
    /// Spans or records taken in, LLM or not.
    pub accepted: u64,
    /// Those of them that are not about a model.
    pub not_llm: u64,
    /// Spans or records that can't be used at all, for `partial_success`.
    pub rejected: u64,
    /// Why the first of them was rejected.
    pub reason: Option<&'static str>,
}

/// The engine can't take more now. The caller answers `UNAVAILABLE` or 503 with a retry hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The queue is full.
    Busy,
    /// The process is shutting down.
    Stopping,
}

/// A cloneable handle to the engine.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    view: watch::Receiver<Arc<View>>,
    notices: broadcast::Sender<Notice>,
}

impl Handle {
    /// A handle over the engine's three channels: commands in, view and notices out.
    #[must_use]
    pub fn new(
        commands: mpsc::Sender<Command>,
        view: watch::Receiver<Arc<View>>,
        notices: broadcast::Sender<Notice>,
    ) -> Self {
        Self { commands, view, notices }
    }

    /// Whether somebody takes commands.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.commands.is_closed()
    }

    /// Hands over the spans of one request and waits until they are counted.
    ///
    /// # Errors
    /// [`Refused`] at once when the queue is full or the engine stops: nothing was taken in.
    pub async fn traces(&self, traces: Traces) -> Result<Ingested, Refused> {
        self.ask(|reply| Command::Traces(traces, reply)).await
    }

    /// Hands over the log records of one request and waits until they are counted.
    ///
    /// # Errors
    /// As [`Handle::traces`].
    pub async fn logs(&self, logs: Logs) -> Result<Ingested, Refused> {
        self.ask(|reply| Command::Logs(logs, reply)).await
    }

    /// Forces or resets a breaker.
    ///
    /// # Errors
    /// As [`Handle::traces`]; the inner result says whether there is such a breaker.
    pub async fn breaker(&self, order: BreakerOrder) -> Result<Result<(), NoSuchBreaker>, Refused> {
        self.ask(|reply| Command::Breaker(order, reply)).await
    }

    /// Reports a foreign alert; answers once its frame is durable or the commit deadline has passed.
    ///
    /// # Errors
    /// As [`Handle::traces`].
    pub async fn witness(&self, alert: ForeignAlert) -> Result<Witnessed, Refused> {
        self.ask(|reply| Command::Witness(alert, reply)).await
    }

    /// What moved between the last-good baseline and now; `None` of a feature that is not there.
    ///
    /// # Errors
    /// As [`Handle::traces`].
    pub async fn explain(&self, question: Question) -> Result<Option<Box<Frame>>, Refused> {
        self.ask(|reply| Command::Explain(question, reply)).await
    }

    /// Which values of a feature's variables came and went, newest first; `None` of a feature that is not there.
    ///
    /// # Errors
    /// As [`Handle::traces`].
    pub async fn changes(&self, feature: String) -> Result<Option<Vec<Change>>, Refused> {
        self.ask(|reply| Command::Changes(feature, reply)).await
    }

    /// What every feature is used to, by name, for a later start to take up.
    ///
    /// # Errors
    /// As [`Handle::traces`].
    pub async fn baselines(&self) -> Result<BTreeMap<String, Baselines>, Refused> {
        self.ask(Command::Baselines).await
    }

    /// What alerts and breakers stand at, for a later start to go on from.
    ///
    /// # Errors
    /// As [`Handle::traces`].
    pub async fn carried(&self) -> Result<Carried, Refused> {
        self.ask(Command::Carried).await
    }

    /// Takes up a new configuration without losing windows.
    ///
    /// # Errors
    /// As [`Handle::traces`].
    pub async fn reload(&self, config: Arc<Config>) -> Result<(), Refused> {
        self.ask(|reply| Command::Reload(config, reply)).await
    }

    /// Closes what is open, commits what is frozen, and ends the engine. Waits for room in the queue.
    pub async fn stop(&self) {
        let (reply, done) = oneshot::channel();
        if self.commands.send(Command::Stop(reply)).await.is_ok() {
            // An engine that ended without an answer has ended all the same.
            drop(done.await);
        }
    }

    /// The state as of the last tick or change.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.view.borrow().clone()
    }

    /// A receiver that wakes at every newly published view.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<View>> {
        self.view.clone()
    }

    /// Transitions from now on. A receiver that falls behind is told how many it missed.
    #[must_use]
    pub fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Refused> {
        let (reply, answer) = oneshot::channel();
        self.commands.try_send(command(reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refused::Busy,
            mpsc::error::TrySendError::Closed(_) => Refused::Stopping,
        })?;
        answer.await.map_err(|_| Refused::Stopping)
    }
}

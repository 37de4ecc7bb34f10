//! A drill against a running sidecar, in real time: the same traffic as OTLP/HTTP, the same scorecard, read over the
//! sidecar's API. Nothing is injected before the sidecar has shown that it keeps drills apart.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior};

use super::super::output::complain;
use super::sidecar::{self, Sidecar};
use crate::core::time::UnixNanos;
use crate::drill::{
    CYCLE, Event, Expectation, FAILING, Outcome, Record, Scenario, Stage, changed, diagnosis_line, injected,
    redirection,
};
use crate::engine::clock;
use crate::evidence;
use crate::toolkit::traffic::Exchange;

/// How often the sidecar is asked.
const POLL: Duration = Duration::from_secs(1);
/// How long it may take to show the first request.
const FIRST_SEEN_WITHIN: Duration = Duration::from_secs(60);
/// Polls that may fail in a row,
const FAILED_POLLS_MAX: u32 = 10;
/// and exports.
const FAILED_EXPORTS_MAX: u32 = 10;

/// How a live drill goes.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    /// Time between requests.
    pub(super) gap: Duration,
    /// Healthy traffic before the failure.
    pub(super) warm_up: Duration,
    /// How long the alert, the breaker and the recovery may take, each.
    pub(super) timeout: Duration,
}

/// What the traffic is like at the moment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Traffic {
    Usual,
    Failing,
    Changed,
}

struct Live<'a, W> {
    sidecar: &'a Sidecar,
    scenario: &'static Scenario,
    expectation: Expectation,
    pace: Pace,
    record: Record,
    watch: W,
    number: u64,
    /// Ctrl-C, also one that comes while something else is awaited.
    interrupt: Signal,
    is_stopped: bool,
}

/// Runs the drill. The frame's bundle is left in `dir` and verified with `vkey`; without, with the key that the sidecar
/// showed before the drill.
///
/// # Errors
/// When the sidecar does not answer, takes no traffic, or does not keep drills apart.
pub(super) async fn run(
    sidecar: &Sidecar,
    (scenario, expectation): (&'static Scenario, Expectation),
    pace: Pace,
    (dir, vkey): (&Path, Option<String>),
    watch: impl FnMut(Event<'_>),
) -> anyhow::Result<Outcome> {
    let vkey = match vkey {
        Some(vkey) => vkey,
        None => sidecar.vkey().await?,
    };
    let id = format!("{}-{}", scenario.name, clock::now().0 / 1_000_000_000);
    let record = Record { id, ..Record::default() };
    let interrupt = signal(SignalKind::interrupt()).context("listening for Ctrl-C")?;
    let mut live =
        Live { sidecar, scenario, expectation, pace, record, watch, number: 0, interrupt, is_stopped: false };
    live.introduce().await?;
    live.warm_up().await?;
    live.inject().await?;
    if let Some(id) = live.record.alert.as_ref().map(|it| it.incident.clone()) {
        live.look_at(&id, dir, &vkey).await?;
        live.mitigate().await?;
    }
    live.recover().await?;
    let Live { expectation, record, .. } = live;
    Ok(Outcome { vkey: Some(vkey), ..Outcome::new(scenario, expectation, record) })
}

impl<W: FnMut(Event<'_>)> Live<'_, W> {
    fn say(&mut self, name: &'static str, line: String) {
        let stage = Stage { name, at: clock::now(), line };
        (self.watch)(Event::Stage(&stage));
        self.record.stages.push(stage);
    }

    /// Sends one request that ends now.
    async fn send(&mut self, shape: impl FnOnce(Exchange) -> Exchange) -> anyhow::Result<()> {
        let now = clock::now();
        let drill = Some(self.record.id.as_str().into());
        let healthy = Exchange { drill, ..Exchange::healthy(self.number, now) };
        let mut exchange = shape((self.scenario.usual)(healthy));
        exchange.started_at = now.minus(exchange.latency);
        self.number += 1;
        self.sidecar.export(exchange.export()).await
    }

    async fn send_as(&mut self, traffic: Traffic) -> anyhow::Result<()> {
        let scenario = self.scenario;
        self.send(|exchange| match traffic {
            Traffic::Usual => exchange,
            Traffic::Failing => injected(scenario, exchange),
            Traffic::Changed => changed(scenario, exchange),
        })
        .await
    }

    /// One request, and no more until the sidecar shows it as a drill's.
    async fn introduce(&mut self) -> anyhow::Result<()> {
        let before = self.sidecar.drill_requests().await?.unwrap_or_default();
        self.send_as(Traffic::Usual).await?;
        let deadline = Instant::now() + FIRST_SEEN_WITHIN;
        while Instant::now() < deadline {
            tokio::time::sleep(POLL).await;
            if self.sidecar.drill_requests().await?.is_some_and(|it| it > before) {
                return Ok(());
            }
        }
        bail!(
            "the sidecar did not show the first request as a drill's within {} s: nothing more is sent (is --url the \
             admin listener of the sidecar at --target, and of a version that knows drills?)",
            FIRST_SEEN_WITHIN.as_secs()
        )
    }

    /// Sends `traffic` and looks at the sidecar until `is_over`, `length` or Ctrl-C. Says whether `is_over` came.
    async fn go_on(
        &mut self,
        traffic: Traffic,
        length: Duration,
        mut is_over: impl FnMut(&sidecar::State, &mut Record) -> bool,
    ) -> anyhow::Result<bool> {
        let deadline = Instant::now() + length;
        let (mut send, mut poll) = (tokio::time::interval(self.pace.gap), tokio::time::interval(POLL));
        send.set_missed_tick_behavior(MissedTickBehavior::Delay);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut failed, mut unsent) = (0, 0);
        while Instant::now() < deadline && !(self.is_stopped && traffic == Traffic::Failing) {
            tokio::select! {
                _ = send.tick() => match self.send_as(traffic).await {
                    Ok(()) => unsent = 0,
                    Err(error) if unsent < FAILED_EXPORTS_MAX => {
                        unsent += 1;
                        complain(format_args!("not sent: {error:#}"));
                    }
                    Err(error) => return Err(error),
                },
                _ = self.interrupt.recv() => {
                    if !std::mem::replace(&mut self.is_stopped, true) {
                        self.say("stopped", "Ctrl-C: the injection ends; once more leaves at once".to_owned());
                    }
                    return Ok(false);
                }
                _ = poll.tick() => {
                    let state = match self.sidecar.state(self.scenario.signal).await {
                        Ok(state) => state,
                        Err(error) if failed < FAILED_POLLS_MAX => {
                            failed += 1;
                            complain(format_args!("{error:#}"));
                            continue;
                        }
                        Err(error) => return Err(error),
                    };
                    failed = 0;
                    (self.watch)(Event::Sample(&state.sample));
                    self.record.sample(state.sample.clone());
                    if is_over(&state, &mut self.record) {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }

    async fn warm_up(&mut self) -> anyhow::Result<()> {
        let length = self.pace.warm_up;
        self.say("baseline", format!("Healthy drill traffic for {} s", length.as_secs()));
        self.go_on(Traffic::Usual, length, |state, record| {
            (record.noise, record.limits) = (state.firing(), state.limits.clone());
            false
        })
        .await?;
        let status = if self.record.noise.is_empty() { "HEALTHY \u{2713}" } else { "ALERTING" };
        self.say("baseline", format!("System status: {status}"));
        Ok(())
    }

    /// The failure, until the expected alert is out; else the first of any.
    async fn inject(&mut self) -> anyhow::Result<()> {
        if self.is_stopped {
            return Ok(());
        }
        self.record.injected_at = clock::now();
        self.say("injection", format!("Injected: {} in {FAILING} of {CYCLE} requests", self.scenario.injects));
        self.say("injection", format!("Beside it: {}", self.scenario.beside));
        let (class, since) = (self.expectation.class, self.record.injected_at);
        self.go_on(Traffic::Failing, self.pace.timeout, |state, record| {
            let fired = state.fired_since(since, class);
            let is_it = fired.as_ref().is_some_and(|it| it.class == class);
            record.alert = fired.or(record.alert.take());
            is_it
        })
        .await?;
        match &self.record.alert {
            Some(alert) => {
                let limit = alert.limit.map_or_else(|| "-".to_owned(), |it| format!("{it:.3}"));
                let signal = alert.signal.map_or("unknown", |it| it.as_str());
                let line = format!(
                    "ALERT: {signal} breached {} ({}, limit {limit})",
                    alert.severity.as_str(),
                    alert.alertname
                );
                self.say("alert", line);
            }
            None => self.say("alert", "MISSED: no alert while the failure lasted".to_owned()),
        }
        Ok(())
    }

    /// Fetches the frame and proves it by its bundle.
    async fn look_at(&mut self, id: &str, dir: &Path, vkey: &str) -> anyhow::Result<()> {
        self.record.frame = self.sidecar.frame(id).await?;
        self.record.frames.push(id.to_owned());
        let proof = match self.sidecar.bundle(id).await? {
            Some(bytes) => {
                let path = dir.join("bundle.json");
                std::fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
                let verification = evidence::verify(&path, vkey, None);
                match verification.outcome {
                    evidence::Outcome::Verified => Ok(format!("bundle {} verified", path.display())),
                    _ => Err(format!("the bundle does not verify: {verification}")),
                }
            }
            None => Err("the frame was not committed".to_owned()),
        };
        let line = match &proof {
            Ok(proof) => format!("Frame {id}: {proof}"),
            Err(reason) => format!("MISSED: {reason}"),
        };
        self.record.proof = Some(proof);
        self.say("freeze", line);
        if let Some(frame) = &self.record.frame {
            let line = diagnosis_line(frame);
            self.say("diagnosis", line);
        }
        Ok(())
    }

    /// The failure goes on until the breaker opens; then the application asks it first.
    async fn mitigate(&mut self) -> anyhow::Result<()> {
        let Some(class) = self.expectation.breaker else { return Ok(()) };
        let since = self.record.injected_at;
        self.go_on(Traffic::Failing, self.pace.timeout, |state, record| {
            record.opened = state.opened_since(since, class).map(|at: UnixNanos| (at, class));
            record.opened.is_some()
        })
        .await?;
        if self.record.opened.is_none() {
            self.say("mitigation", "MISSED: the breaker stayed closed".to_owned());
            return Ok(());
        }
        for _ in 0..CYCLE {
            let scenario = self.scenario;
            if self.sidecar.allows().await? {
                self.send(|exchange| injected(scenario, exchange)).await?;
            } else {
                self.record.redirected += 1;
                self.send(|exchange| Exchange { model: "fallback", ..exchange }).await?;
            }
        }
        self.say("mitigation", redirection(self.record.redirected));
        Ok(())
    }

    async fn recover(&mut self) -> anyhow::Result<()> {
        self.record.removed_at = Some(clock::now());
        self.say("recovery", "Failure removed".to_owned());
        let over = self.go_on(Traffic::Changed, self.pace.timeout, |state, _| state.is_quiet()).await?;
        self.record.recovered_at = over.then(clock::now);
        let line = if over { "System status: RECOVERED \u{2713}" } else { "MISSED: the incident did not end" };
        self.say("recovery", line.to_owned());
        Ok(())
    }
}

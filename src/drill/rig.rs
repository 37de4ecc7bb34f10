//! The engine and a log on disk, driven in virtual time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value as Json;

use super::Scenario;
use crate::config::{self, Config, Source};
use crate::core::breaker::{Mode, State};
use crate::core::incident::Class;
use crate::core::signal::Signal;
use crate::core::time::UnixNanos;
use crate::engine::registry::Registry;
use crate::engine::view::{AlertState, FrameState, Incident, Notice, View};
use crate::engine::{Acknowledgement, Effect, Engine, Store};
use crate::evidence::{Log, os_entropy};
use crate::otlp::Traces;
use crate::toolkit::postmortem::Entry;
use crate::toolkit::traffic::Exchange;

/// The feature of the synthetic traffic.
const FEATURE: &str = "/support";

/// Signals that every status line shows.
const HEADLINES: [Signal; 3] = [Signal::Quality, Signal::LatencyP95, Signal::ErrorRatio];

/// Everything a drill drives.
#[derive(Debug)]
pub(super) struct Rig {
    engine: Engine,
    log: Log,
    config: Arc<Config>,
    now: UnixNanos,
    number: u64,
    pub(super) frames: Vec<Json>,
    pub(super) timeline: Vec<Entry>,
}

impl Rig {
    /// The embedded defaults with breakers that act, and a fresh log in `dir`.
    pub(super) fn start(dir: &Path, now: UnixNanos) -> anyhow::Result<Self> {
        let (mut config, _) = config::load(&Source::Default, &|_| None).map_err(anyhow::Error::msg)?;
        config.data_dir = dir.join("store");
        config.breakers.iter_mut().for_each(|breaker| breaker.policy.mode = Mode::Enforce);
        let config = Arc::new(config);
        let log =
            Log::open(&config.data_dir, &config.evidence, now, os_entropy()).context("opening the drill's log")?;
        let registry = Arc::new(Registry::new(config.features.max));
        let engine = Engine::new(config.clone(), registry, now.0, now);
        Ok(Self { engine, log, config, now, number: 0, frames: Vec::new(), timeline: Vec::new() })
    }

    /// Sends `size` requests over one minute, each as `shape` makes it of a healthy one.
    pub(super) fn batch(&mut self, size: u64, mut shape: impl FnMut(Exchange, u64) -> Exchange) -> anyhow::Result<()> {
        let start = self.now;
        let gap = Duration::from_secs(60) / u32::try_from(size)?;
        let mut exchanges: Vec<Exchange> = (0..size)
            .map(|n| {
                shape(Exchange::healthy(self.number + n, start.plus(gap * u32::try_from(n).unwrap_or_default())), n)
            })
            .collect();
        self.number += size;
        exchanges.sort_by_key(Exchange::ended_at);
        for exchange in exchanges {
            self.advance(exchange.ended_at())?;
            let traces = Traces::parse(exchange.export()).context("synthetic traffic")?;
            self.engine.traces(&traces, self.now);
        }
        self.advance(self.now.max(start.plus(Duration::from_secs(60))))
    }

    /// Lets time pass, carrying out what the engine wants done.
    fn advance(&mut self, to: UnixNanos) -> anyhow::Result<()> {
        while self.engine.next_tick() <= to {
            self.now = self.engine.next_tick();
            self.engine.tick(self.now);
            self.carry_out()?;
        }
        self.now = self.now.max(to);
        self.engine.tick(self.now);
        self.carry_out()
    }

    fn carry_out(&mut self) -> anyhow::Result<()> {
        loop {
            let effects = self.engine.take_effects();
            if effects.is_empty() {
                return Ok(());
            }
            for effect in effects {
                match effect {
                    Effect::Freeze(frame) => {
                        let result = self.log.append(&frame);
                        let frame_id = frame.id.clone();
                        self.engine.acknowledge(Acknowledgement { frame_id, result }, self.now);
                        let bytes = self.log.frame(&frame.id)?.context("a committed frame is readable")?;
                        self.frames.push(serde_json::from_slice(&bytes)?);
                    }
                    Effect::Record(leaf) => drop(self.log.record(&leaf)?),
                    Effect::Notice(notice) => self.timeline.extend(entry(&notice)),
                }
            }
        }
    }

    pub(super) fn now(&self) -> UnixNanos {
        self.now
    }

    pub(super) fn view(&self) -> View {
        self.engine.view(self.now)
    }

    pub(super) fn store(&self) -> PathBuf {
        self.config.data_dir.clone()
    }

    pub(super) fn vkey(&self) -> String {
        self.log.vkey()
    }

    /// The frame of an incident.
    pub(super) fn frame(&self, incident: &str) -> anyhow::Result<&Json> {
        self.frames.iter().find(|frame| frame["id"] == incident).context("its frame was taken")
    }

    /// Whether no alert is on and every breaker is closed.
    pub(super) fn is_quiet(&self) -> bool {
        let view = self.view();
        view.alerts.iter().all(|it| it.state == AlertState::Inactive)
            && view.breakers.iter().all(|it| it.state() == State::Closed)
    }

    /// The incident of `class` on the drill's feature whose alert is out.
    pub(super) fn incident(&self, class: Class) -> Option<Incident> {
        let view = self.view();
        let firing = view
            .alerts
            .iter()
            .find(|it| it.state == AlertState::Firing && &*it.feature == FEATURE && it.rule.class == class)?;
        firing.incident.as_deref().cloned()
    }

    pub(super) fn breaker_is_open(&self, class: Class) -> bool {
        self.breaker(class).is_some_and(|it| matches!(it.state(), State::Open { .. }))
    }

    /// What the breaker answers to `requests` askers.
    pub(super) fn allowed(&self, class: Class, requests: u64) -> Vec<bool> {
        let breaker = self.breaker(class);
        let draw =
            |n: u64| f64::from(u32::try_from(n).unwrap_or_default()) / f64::from(u32::try_from(requests).unwrap_or(1));
        (0..requests).map(|n| breaker.as_ref().is_none_or(|it| it.state().allow(&it.policy, draw(n)))).collect()
    }

    fn breaker(&self, class: Class) -> Option<crate::engine::view::Breaker> {
        self.view().breakers.into_iter().find(|it| &*it.feature == FEATURE && it.class == class)
    }

    /// The scenario's signal and its neighbours, in words.
    pub(super) fn signals(&self, scenario: Scenario) -> String {
        let view = self.view();
        let feature = view.features.iter().find(|it| &*it.name == FEATURE);
        let readings = feature
            .into_iter()
            .flat_map(|it| &it.signals)
            .filter(|it| it.signal == scenario.signal() || HEADLINES.contains(&it.signal));
        let words: Vec<String> = readings
            .filter_map(|it| it.short.map(|estimate| format!("{} {:.3}", it.signal.as_str(), estimate.value)))
            .collect();
        words.join(", ")
    }
}

/// One notice as a line of the timeline.
fn entry(notice: &Notice) -> Option<Entry> {
    match notice {
        Notice::Alert { alert, at } => Some(Entry {
            at: at.to_string(),
            line: format!("{} on {}: {}", alert.rule.name, alert.feature, alert.state.as_str()),
        }),
        Notice::Breaker { feature, class, transition, .. } => Some(Entry {
            at: transition.at.to_string(),
            line: format!(
                "Breaker {} of {feature}: {} to {} ({})",
                class.as_str(),
                transition.from.as_str(),
                transition.to.as_str(),
                transition.reason.as_str()
            ),
        }),
        Notice::Frame { incident, at } => match &incident.frame {
            FrameState::Committed(receipt) => Some(Entry {
                at: at.to_string(),
                line: format!("Frame {} committed as leaf {}", incident.id, receipt.seq),
            }),
            FrameState::Committing | FrameState::NotCommitted { .. } => None,
        },
        Notice::Refined { incident, at } => Some(Entry {
            at: at.to_string(),
            line: format!("A second frame, {}, is committed", incident.refined.as_ref()?.id),
        }),
    }
}

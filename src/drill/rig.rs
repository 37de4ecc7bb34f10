//! The engine and a log on disk, driven in virtual time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value as Json;

use super::{Reading, Sample, Scenario};
use crate::config::{self, Config, Source};
use crate::core::breaker::{Mode, State};
use crate::core::incident::Class;
use crate::core::signal::Signal;
use crate::core::time::UnixNanos;
use crate::engine::registry::{ALL, Registry};
use crate::engine::view::{Alert, AlertState, FrameState, Incident, Notice, View};
use crate::engine::{Acknowledgement, Effect, Engine, Store};
use crate::evidence::{Log, os_entropy};
use crate::otlp::Traces;
use crate::toolkit::postmortem::Entry;
use crate::toolkit::traffic::Exchange;

/// The feature of the synthetic traffic, when nothing names another.
const FEATURE: &str = "/support";

/// Signals that every status line shows.
const HEADLINES: [Signal; 3] = [Signal::Quality, Signal::LatencyP95, Signal::ErrorRatio];

/// Short windows of healthy traffic after which there is a baseline to compare with.
const SHORT_WINDOWS_TO_LEARN: u64 = 4;
/// Minutes of healthy traffic at most.
const HEALTHY_MINUTES_MAX: u64 = 24 * 60;

/// Everything a drill drives.
#[derive(Debug)]
pub(super) struct Rig {
    pub(super) scenario: &'static Scenario,
    id: Arc<str>,
    engine: Engine,
    log: Log,
    config: Arc<Config>,
    now: UnixNanos,
    number: u64,
    /// Which breakers opened, and when.
    openings: Vec<(Arc<str>, Class, UnixNanos)>,
    pub(super) frames: Vec<Json>,
    pub(super) timeline: Vec<Entry>,
}

impl Rig {
    /// A fresh log in `dir`, and the given rules and breakers: without, the embedded defaults with breakers that act.
    pub(super) fn start(
        dir: &Path,
        config: Option<Config>,
        scenario: &'static Scenario,
        id: &str,
        now: UnixNanos,
    ) -> anyhow::Result<Self> {
        let mut config = match config {
            Some(config) => config,
            None => acting_defaults()?,
        };
        config.data_dir = dir.join("store");
        let config = Arc::new(config);
        let log =
            Log::open(&config.data_dir, &config.evidence, now, os_entropy()).context("opening the drill's log")?;
        let registry = Arc::new(Registry::new(config.features.max));
        let engine = Engine::new(config.clone(), registry, now.0, now).rehearsing();
        Ok(Self {
            scenario,
            id: id.into(),
            engine,
            log,
            config,
            now,
            number: 0,
            openings: Vec::new(),
            frames: Vec::new(),
            timeline: Vec::new(),
        })
    }

    /// Sends `size` requests over one minute, each as `shape` makes it of a healthy one.
    pub(super) fn batch(&mut self, size: u64, mut shape: impl FnMut(Exchange) -> Exchange) -> anyhow::Result<()> {
        let start = self.now;
        let gap = Duration::from_secs(60) / u32::try_from(size)?;
        let mut exchanges: Vec<Exchange> = (0..size)
            .map(|n| {
                let at = start.plus(gap * u32::try_from(n).unwrap_or_default());
                let drill = Some(self.id.clone());
                shape(Exchange { drill, ..Exchange::healthy(self.number + n, at) })
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
                    Effect::Notice(notice) => self.hear(&notice),
                }
            }
        }
    }

    fn hear(&mut self, notice: &Notice) {
        if let Notice::Breaker { feature, class, transition, .. } = notice
            && matches!(transition.to, State::Open { .. })
        {
            self.openings.push((feature.clone(), *class, transition.at));
        }
        self.timeline.extend(entry(notice));
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

    /// Alerts of the traffic's feature that are out.
    pub(super) fn firing(&self) -> Vec<Alert> {
        let feature = self.feature();
        let is_out = |it: &Alert| it.state == AlertState::Firing && *it.feature == *feature;
        self.view().alerts.into_iter().filter(is_out).collect()
    }

    /// The first incident of `class`, or of any, whose alert is out.
    pub(super) fn incident(&self, class: Option<Class>) -> Option<Incident> {
        let firing = self.firing().into_iter().filter(|it| class.is_none_or(|class| it.rule.class == class));
        let incidents = firing.filter_map(|it| it.incident.as_deref().cloned());
        incidents.min_by_key(|it| (it.fired_at, it.severity))
    }

    /// When the breaker of `class` first opened.
    pub(super) fn opened(&self, class: Class) -> Option<UnixNanos> {
        let feature = self.feature();
        self.openings.iter().find(|(name, it, _)| *name == feature && *it == class).map(|(_, _, at)| *at)
    }

    /// What the breaker answers to `requests` askers.
    pub(super) fn allowed(&self, class: Class, requests: u64) -> Vec<bool> {
        let breaker = self.breaker(class);
        let draw =
            |n: u64| f64::from(u32::try_from(n).unwrap_or_default()) / f64::from(u32::try_from(requests).unwrap_or(1));
        (0..requests)
            .map(|n| {
                breaker.as_ref().is_none_or(|it| it.mode() == Mode::Shadow || it.state().allow(&it.policy, draw(n)))
            })
            .collect()
    }

    fn breaker(&self, class: Class) -> Option<crate::engine::view::Breaker> {
        let feature = self.feature();
        self.view().breakers.into_iter().find(|it| *it.feature == *feature && it.class == class)
    }

    /// The feature that the traffic falls under: a configuration may name features by other attributes.
    fn feature(&self) -> Arc<str> {
        let mut names = self.view().features.into_iter().map(|it| it.name.clone());
        names.find(|it| **it != *ALL).unwrap_or_else(|| FEATURE.into())
    }

    /// Minutes of healthy traffic until there is a baseline: what happens within a short window is not learned yet.
    pub(super) fn minutes_to_learn(&self) -> u64 {
        (self.config.windows.short.as_secs() * SHORT_WINDOWS_TO_LEARN / 60).min(HEALTHY_MINUTES_MAX)
    }

    /// The signals that are shown: the scenario's, then those that everybody looks at.
    fn shown(&self) -> Vec<Signal> {
        let own = self.scenario.signal;
        std::iter::once(own).chain(HEADLINES.into_iter().filter(|it| *it != own)).collect()
    }

    /// The signals now.
    pub(super) fn sample(&self) -> Sample {
        let (view, name) = (self.view(), self.feature());
        let breached = |signal| {
            let mut alerts = view.alerts.iter().filter(|it| it.feature == name && it.rule.signal == signal);
            alerts.any(|it| it.state != AlertState::Inactive)
        };
        let feature = view.features.iter().find(|it| it.name == name);
        let read = |signal: Signal| {
            let value = feature?.signals.iter().find(|it| it.signal == signal)?.short?.value;
            Some(Reading { signal, value, is_breached: breached(signal) })
        };
        Sample { at: self.now, readings: self.shown().into_iter().filter_map(read).collect() }
    }

    /// The limits in force of the signals that are shown.
    pub(super) fn limits(&self) -> Vec<(Signal, f64)> {
        let (view, name) = (self.view(), self.feature());
        let shown = self.shown();
        let alerts = view.alerts.iter().filter(|it| it.feature == name && shown.contains(&it.rule.signal));
        let mut limits: Vec<_> = alerts
            .flat_map(|it| it.thresholds.iter().filter_map(|limit| Some((it.rule.signal, limit.value?))))
            .collect();
        limits.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        limits.dedup();
        limits
    }

    /// The signals now, in words.
    pub(super) fn signals(&self) -> String {
        let words = |it: &Reading| format!("{} {:.3}", it.signal.as_str(), it.value);
        self.sample().readings.iter().map(words).collect::<Vec<_>>().join(", ")
    }
}

/// The embedded defaults with breakers that act.
fn acting_defaults() -> anyhow::Result<Config> {
    let (mut config, _) = config::load(&Source::Default, &|_| None).map_err(anyhow::Error::msg)?;
    config.breakers.iter_mut().for_each(|breaker| breaker.policy.mode = Mode::Enforce);
    Ok(config)
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

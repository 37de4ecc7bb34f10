//! The engine in virtual time: what becomes visible when, whatever the log does, and the same result every time.

use std::sync::Arc;
use std::time::Duration;

use freezeframe::config::{self, Config, Source};
use freezeframe::core::breaker::State;
use freezeframe::core::time::UnixNanos;
use freezeframe::engine::handle::ForeignAlert;
use freezeframe::engine::registry::Registry;
use freezeframe::engine::view::{AlertState, Breach, FrameState, Notice};
use freezeframe::engine::{
    Acknowledgement, Effect, Engine, FrameBytes, INCIDENTS_MAX, Receipt, Store as _, StoreError,
};
use freezeframe::evidence::{self, Log};
use freezeframe::otlp::Traces;
use freezeframe::toolkit::traffic::Exchange;

mod continuity;
mod refined;

const START: UnixNanos = UnixNanos(1_795_300_000_000_000_000);

fn config() -> Arc<Config> {
    Arc::new(config::load(&Source::Default, &|_| None).expect("the defaults are valid").0)
}

/// An engine with a hand on the clock and on the log's answers.
struct Sim {
    engine: Engine,
    now: UnixNanos,
    sent: u64,
    /// Frames handed over and not answered yet.
    frames: Vec<Arc<FrameBytes>>,
    notices: Vec<Notice>,
}

impl Sim {
    fn start() -> Self {
        Self::start_at(START)
    }

    fn start_at(now: UnixNanos) -> Self {
        let config = config();
        let registry = Arc::new(Registry::new(config.features.max));
        let engine = Engine::new(config, registry, now.0, now);
        Self { engine, now, sent: 0, frames: Vec::new(), notices: Vec::new() }
    }

    fn advance(&mut self, by: Duration) {
        let until = self.now.plus(by);
        while self.now < until {
            self.now = self.engine.next_tick().min(until).max(self.now.plus(Duration::from_millis(1)));
            self.engine.tick(self.now);
            self.collect();
        }
    }

    fn collect(&mut self) {
        for effect in self.engine.take_effects() {
            match effect {
                Effect::Freeze(frame) => self.frames.push(frame),
                Effect::Record(_) => {}
                Effect::Notice(notice) => self.notices.push(notice),
            }
        }
    }

    /// Ten requests a minute for `minutes`, each as `shape` makes it of a healthy one.
    fn traffic(&mut self, minutes: u32, shape: impl Fn(Exchange) -> Exchange) {
        (0..minutes * 10).for_each(|_| self.send(&shape));
    }

    /// One request every six seconds until the first frame is handed over.
    fn traffic_until_a_frame(&mut self, shape: impl Fn(Exchange) -> Exchange) {
        let patience = self.now.plus(Duration::from_secs(1200));
        while self.frames.is_empty() {
            assert!(self.now < patience, "no frame within 20 minutes of failures");
            assert!(self.firing().is_empty());
            self.send(&shape);
        }
    }

    fn send(&mut self, shape: impl Fn(Exchange) -> Exchange) {
        let exchange = shape(Exchange::healthy(self.sent, self.now));
        self.sent += 1;
        let traces = Traces::parse(exchange.export()).expect("synthetic traffic is OTLP");
        self.engine.traces(&traces, self.now);
        self.collect();
        for _ in 0..6 {
            self.advance(Duration::from_secs(1));
            if !self.frames.is_empty() {
                return;
            }
        }
    }

    fn answer(&mut self, result: impl Fn(&FrameBytes) -> Result<Receipt, StoreError>) {
        for frame in std::mem::take(&mut self.frames) {
            let acknowledgement = Acknowledgement { frame_id: frame.id.clone(), result: result(&frame) };
            self.engine.acknowledge(acknowledgement, self.now);
        }
        self.collect();
    }

    fn firing(&self) -> Vec<freezeframe::engine::view::Alert> {
        self.engine.view(self.now).alerts.into_iter().filter(|it| it.state == AlertState::Firing).collect()
    }

    fn told_firing(&self) -> usize {
        let firing = |it: &&Notice| matches!(it, Notice::Alert { alert, .. } if alert.state == AlertState::Firing);
        self.notices.iter().filter(firing).count()
    }
}

fn failing(exchange: Exchange) -> Exchange {
    Exchange { documents: &[], relevance: 0.1, index_version: "broken", ..exchange }
}

fn receipt(frame: &FrameBytes) -> Result<Receipt, StoreError> {
    Ok(Receipt { frame_id: frame.id.clone(), seq: 1, frame_sha256: "00".into(), checkpoint: "o 1 r".into() })
}

/// Proves that no alert is visible as firing, in view, notices or breakers, before its frame is durable.
#[test]
fn the_frame_is_durable_before_the_alert_is_visible() {
    let mut sim = Sim::start();
    sim.traffic(10, |it| it);
    sim.traffic_until_a_frame(failing);
    assert!(sim.firing().is_empty(), "an alert is out before its frame is durable");
    assert_eq!(sim.told_firing(), 0);
    assert!(!sim.notices.iter().any(|it| matches!(it, Notice::Breaker { .. })), "a breaker told before the frame");
    sim.answer(receipt);
    let firing = sim.firing();
    assert!(!firing.is_empty());
    for alert in firing {
        let incident = alert.incident.expect("a firing alert has an incident");
        assert!(matches!(incident.frame, FrameState::Committed(_)), "{:?}", incident.frame);
    }
    assert!(sim.notices.iter().any(|it| matches!(it, Notice::Breaker { .. })));
}

/// Proves that a failing log does not silence the alert: it goes out and says that the frame is not committed.
#[test]
fn a_failing_log_does_not_silence_the_alert() {
    let mut sim = Sim::start();
    sim.traffic(10, |it| it);
    sim.traffic_until_a_frame(failing);
    let frames = sim.frames.clone();
    sim.answer(|_| Err(StoreError::Retry("disk full".into())));
    let firing = sim.firing();
    assert!(!firing.is_empty());
    let reasons = firing.iter().filter_map(|it| match &it.incident.as_ref()?.frame {
        FrameState::NotCommitted { reason } => Some(reason.clone()),
        FrameState::Committing | FrameState::Committed(_) => None,
    });
    assert!(reasons.collect::<Vec<_>>().iter().all(|it| it.contains("disk full")));
    sim.frames = frames;
    sim.answer(receipt);
    let committed = |it: &freezeframe::engine::view::Alert| {
        matches!(it.incident.as_ref().map(|it| &it.frame), Some(FrameState::Committed(_)))
    };
    assert!(sim.firing().iter().all(committed), "a frame committed on the second try is known as such");
}

/// Proves that a log that never answers holds an alert back for the commit timeout and no longer.
#[test]
fn a_silent_log_holds_the_alert_only_until_the_deadline() {
    let mut sim = Sim::start();
    sim.traffic(10, |it| it);
    sim.traffic_until_a_frame(failing);
    assert!(sim.firing().is_empty());
    sim.advance(config().evidence.commit_timeout + Duration::from_secs(10));
    let firing = sim.firing();
    assert!(!firing.is_empty());
    assert!(
        firing
            .iter()
            .all(|it| matches!(it.incident.as_ref().map(|it| &it.frame), Some(FrameState::NotCommitted { .. })))
    );
}

/// Proves that a reload that takes a rule away ends its alert, its incident and its hold on the breaker.
#[test]
fn an_alert_ends_with_its_rule() {
    let mut sim = Sim::start();
    sim.traffic(10, |it| it);
    sim.traffic_until_a_frame(failing);
    sim.answer(receipt);
    let firing = sim.firing();
    assert!(!firing.is_empty());
    let without = Config { rules: Vec::new(), ..(*config()).clone() };
    sim.engine.reconfigure(Arc::new(without), sim.now);
    sim.notices.clear();
    sim.collect();
    let view = sim.engine.view(sim.now);
    assert!(view.alerts.is_empty());
    assert!(view.incidents.iter().all(|it| it.resolved_at == Some(sim.now)), "{:?}", view.incidents);
    let ended = |it: &&Notice| matches!(it, Notice::Alert { alert, .. } if alert.state == AlertState::Inactive);
    assert!(sim.notices.iter().filter(ended).count() >= firing.len());
    assert!(view.breakers.iter().all(|it| !matches!(it.state(), State::Open { .. })), "{:?}", view.breakers);
}

/// Proves that no flood of incidents drives one out whose frame is still under way.
#[test]
fn a_flood_of_incidents_keeps_those_under_way() {
    let mut sim = Sim::start();
    let alert = |n: usize| ForeignAlert {
        fingerprint: format!("{n:016x}"),
        starts_at: START,
        name: "Foreign".into(),
        feature: "_all".into(),
        class: None,
        severity: None,
    };
    let flood = 2 * INCIDENTS_MAX;
    for n in 0..flood {
        assert!(sim.engine.witness(&alert(n), sim.now).1);
    }
    assert_eq!(sim.engine.view(sim.now).incidents.len(), flood);
    sim.collect();
    sim.answer(receipt);
    sim.engine.witness(&alert(flood), sim.now);
    let incidents = sim.engine.view(sim.now).incidents;
    assert_eq!((incidents.len(), &*incidents[0].fingerprint), (INCIDENTS_MAX, &*format!("{flood:016x}")));
}

/// Proves that a restart forgets no incident: what the log holds is listed again, newest first, and an alert that has
/// its frame gets no second one.
#[test]
fn incidents_come_back_from_the_log() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let log = Log::open(dir.path(), &config().evidence, START, evidence::os_entropy()).expect("a new log");
    let mut sim = Sim::start();
    sim.traffic(10, |it| it);
    sim.traffic_until_a_frame(failing);
    sim.answer(|frame| log.append(frame));
    let before = sim.engine.view(sim.now).incidents;

    let mut restarted = Sim::start();
    assert_eq!(restarted.engine.recall(&log).expect("a readable log"), 0);
    let after = restarted.engine.view(sim.now).incidents;
    assert!(!before.is_empty());
    assert_eq!(after.len(), before.len());
    for (after, before) in after.iter().zip(&before) {
        assert_eq!((&after.id, &after.frame, &after.suspect), (&before.id, &before.frame, &before.suspect));
        assert_eq!((&after.alertname, after.class, after.severity), (&before.alertname, before.class, before.severity));
        assert_eq!((&after.feature, after.breach), (&before.feature, Breach { source: None, ..before.breach }));
        assert_eq!((after.state(), before.state()), ("unknown", "firing"));
        let alert = ForeignAlert {
            fingerprint: before.fingerprint.clone(),
            starts_at: before.starts_at,
            name: before.alertname.clone(),
            feature: before.feature.to_string(),
            class: Some(before.class),
            severity: Some(before.severity),
        };
        assert_eq!(restarted.engine.witness(&alert, sim.now), (before.id.clone(), false));
    }
}

/// Proves that the same traffic makes the same frames, byte for byte.
#[test]
fn runs_repeat_exactly() {
    let run = || {
        let mut sim = Sim::start();
        sim.traffic(10, |it| it);
        sim.traffic(8, failing);
        sim.frames.iter().map(|it| serde_json::to_string(&it.body).expect("a frame is JSON")).collect::<Vec<_>>()
    };
    let (first, second) = (run(), run());
    assert!(!first.is_empty());
    assert_eq!(first, second);
}

/// Proves the shape of a frame: six variables, the guilty one named, both windows, samples of both kinds.
#[test]
fn a_frame_names_what_moved() {
    let mut sim = Sim::start();
    sim.traffic(20, |it| it);
    sim.traffic_until_a_frame(failing);
    let frame = &sim.frames[0].body;
    let names: Vec<&String> = frame["variables"].as_object().expect("an object").keys().collect();
    assert_eq!(names.len(), 6);
    assert_eq!(frame["variables"]["retrieval_index"]["moved"], true, "{}", frame["variables"]["retrieval_index"]);
    assert_eq!(frame["verdict"]["answer"], "one", "{}", frame["verdict"]);
    assert_eq!(frame["verdict"]["variables"][0], "retrieval_index");
    assert!(frame["windows"]["baseline"]["requests"].as_u64().expect("a baseline") > 50);
    for kind in ["failing", "healthy"] {
        assert!(!frame["samples"][kind].as_array().expect("a list").is_empty(), "no {kind} samples");
    }
}

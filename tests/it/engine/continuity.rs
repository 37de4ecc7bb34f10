//! Restart, reload and a step of the clock in the middle of an incident: no alert is lost, none is told twice.

use std::collections::BTreeMap;

use freezeframe::core::breaker;
use freezeframe::core::carried::Carried;
use freezeframe::engine::OUTAGE_TOLERANCE;
use freezeframe::engine::handle::{BreakerAction, BreakerOrder};

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

/// An incident that has been going on for a while, every frame in the log.
struct Trouble {
    sim: Sim,
    log: Log,
    _dir: tempfile::TempDir,
}

impl Trouble {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let log = Log::open(dir.path(), &config().evidence, START, evidence::os_entropy()).expect("a new log");
        let mut trouble = Self { sim: Sim::start(), log, _dir: dir };
        trouble.sim.traffic(20, |it| it);
        trouble.minutes(15, failing);
        assert!(!trouble.sim.firing().is_empty());
        trouble.sim.notices.clear();
        trouble
    }

    /// Ten requests a minute, every frame committed. Returns how many frames there were.
    fn minutes(&mut self, minutes: u32, shape: impl Fn(Exchange) -> Exchange) -> usize {
        let mut frames = 0;
        for _ in 0..minutes * 10 {
            self.sim.send(&shape);
            frames += self.sim.frames.len();
            self.sim.answer(|frame| self.log.append(frame));
        }
        frames
    }

    /// Another process on the same log, `after` this one ended, which finds what `carried` says.
    fn restart(self, carried: &Carried, after: Duration) -> (Self, usize) {
        let mut sim = Sim::start_at(self.sim.now.plus(after));
        sim.sent = self.sim.sent;
        assert_eq!(sim.engine.recall(&self.log).expect("a readable log"), 0);
        let now = sim.now;
        let known = sim.engine.carry_on(&Carried::parse(&carried.to_bytes()).expect("just written"), now);
        (Self { sim, ..self }, known)
    }

    /// Fingerprint to start and incident of every firing alert.
    fn firing(&self) -> BTreeMap<String, (String, String)> {
        let firing = self.sim.firing().into_iter();
        let told = |it: freezeframe::engine::view::Alert| {
            let incident = it.incident.expect("a firing alert has an incident");
            assert_eq!(incident.state(), "firing");
            (it.fingerprint, (incident.starts_at.to_string(), incident.id.clone()))
        };
        firing.map(told).collect()
    }

    /// That the incident goes on for a quarter of an hour as the one it was, and then ends.
    fn goes_on(mut self, before: &BTreeMap<String, (String, String)>) {
        assert_eq!(self.firing(), *before, "at once");
        assert_eq!(self.minutes(15, failing), 0, "frames of alerts that fire already");
        assert_eq!(self.firing(), *before, "a quarter of an hour later");
        let ended = |it: &&Notice| matches!(it, Notice::Alert { alert, .. } if alert.state == AlertState::Inactive);
        let ended = |sim: &Sim| sim.notices.iter().filter(ended).count();
        assert_eq!(ended(&self.sim), 0, "alerts that ended in the middle of it");
        self.minutes(40, |it| it);
        assert_eq!((self.firing().len(), ended(&self.sim)), (0, before.len()));
        let incidents = self.sim.engine.view(self.sim.now).incidents;
        assert!(incidents.iter().all(|it| it.state() == "resolved"), "{incidents:?}");
    }
}

/// Proves that a restart in the middle of an incident is none for the alert.
#[test]
fn a_restart_neither_loses_nor_repeats_an_alert() {
    let trouble = Trouble::new();
    let (before, carried) = (trouble.firing(), trouble.sim.engine.carried(trouble.sim.now));
    let (restarted, known) = trouble.restart(&carried, 3 * MINUTE);
    assert_eq!(known, before.len());
    restarted.goes_on(&before);
}

/// Proves that what a killed process had no time to write is taken from the log.
#[test]
fn what_was_not_written_is_in_the_log() {
    let mut trouble = Trouble::new();
    let mut carried = trouble.sim.engine.carried(START);
    carried.alerts.clear();
    trouble.sim.frames.clear();
    let before = trouble.firing();
    let (restarted, known) = trouble.restart(&Carried { at: START.plus(10 * MINUTE), ..carried }, 3 * MINUTE);
    assert_eq!(known, before.len());
    restarted.goes_on(&before);
}

/// Proves that a long outage ends what fired before, that an incident that was over stays over, and that an order by
/// hand holds however long it lasts.
#[test]
fn a_long_outage_ends_alerts_and_no_order() {
    let mut trouble = Trouble::new();
    let class = trouble.sim.firing()[0].rule.class;
    let order =
        BreakerOrder { feature: "_all".into(), class, action: BreakerAction::Close, comment: "while we look".into() };
    trouble.sim.engine.order(&order, trouble.sim.now).expect("a breaker");
    trouble.minutes(40, |it| it);
    let ids = |sim: &Sim| -> Vec<_> {
        sim.engine.view(sim.now).incidents.iter().map(|it| (it.id.clone(), it.state())).collect()
    };
    let (ended, carried) = (ids(&trouble.sim), trouble.sim.engine.carried(trouble.sim.now));
    assert!(ended.iter().all(|(_, state)| *state == "resolved"), "{ended:?}");
    let (restarted, known) = trouble.restart(&carried, OUTAGE_TOLERANCE + MINUTE);
    assert_eq!((known, ids(&restarted.sim)), (0, ended));
    let breakers = restarted.sim.engine.view(restarted.sim.now).breakers;
    let ordered = breakers.iter().find(|it| &*it.feature == "_all" && it.class == class).expect("a breaker");
    assert!(matches!(ordered.state(), breaker::State::Disabled { .. }), "{ordered:?}");

    let trouble = Trouble::new();
    let carried = trouble.sim.engine.carried(trouble.sim.now);
    let (restarted, known) = trouble.restart(&carried, OUTAGE_TOLERANCE + MINUTE);
    assert_eq!((known, restarted.sim.firing().len()), (0, 0));
}

/// Proves that a breaker whose alert does not come back is let go, and closes in time.
#[test]
fn no_breaker_is_held_by_an_alert_that_is_gone() {
    let trouble = Trouble::new();
    let mut carried = trouble.sim.engine.carried(trouble.sim.now);
    assert!(carried.breakers.iter().any(|it| it.machine.alerting), "{:?}", carried.breakers);
    carried.alerts.clear();
    let (mut restarted, known) = trouble.restart(&carried, MINUTE);
    assert_eq!(known, 0);
    restarted.minutes(40, |it| it);
    let breakers = restarted.sim.engine.view(restarted.sim.now).breakers;
    let is_closed =
        |it: &freezeframe::engine::view::Breaker| it.state() == breaker::State::Closed && !it.machine.alerting;
    assert!(breakers.iter().all(is_closed), "{breakers:?}");
}

/// Proves that new limits in the middle of an incident are none for the alert: it goes on, and ends with the trouble.
#[test]
fn a_reload_neither_loses_nor_repeats_an_alert() {
    let mut trouble = Trouble::new();
    let before = trouble.firing();
    let mut changed = (*config()).clone();
    for rule in &mut changed.rules {
        let rule = Arc::make_mut(rule);
        rule.summary = "Said in other words".into();
        rule.limit.fixed = rule.limit.fixed.map(|limit| limit * 1.01);
    }
    trouble.sim.engine.reconfigure(Arc::new(changed), trouble.sim.now);
    trouble.sim.collect();
    trouble.goes_on(&before);
}

/// Proves that hours which the clock leaves out are none for the alert. (A clock that is set back stands still.)
#[test]
fn a_step_of_the_clock_neither_loses_nor_repeats_an_alert() {
    let mut trouble = Trouble::new();
    let before = trouble.firing();
    trouble.sim.now = trouble.sim.now.plus(120 * MINUTE);
    trouble.goes_on(&before);
}

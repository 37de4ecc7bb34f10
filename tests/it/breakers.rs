//! Breakers over the real engine: the cap among features, shadow mode, and what a simulation tells.

use std::sync::Arc;
use std::time::Duration;

use freezeframe::config::{self, Config, Source};
use freezeframe::core::breaker::{Action, Cap, Mode, PLANS, Plan, Preset, Reason, State};
use freezeframe::core::facts::Facts;
use freezeframe::core::incident::Class;
use freezeframe::core::request::{Evaluation, Outcome, Request, TraceId};
use freezeframe::core::rules;
use freezeframe::core::signal::Signal;
use freezeframe::core::time::UnixNanos;
use freezeframe::engine::registry::Registry;
use freezeframe::engine::{Acknowledgement, Effect, Engine, Receipt};
use freezeframe::toolkit::input::{Export, Recording};
use freezeframe::toolkit::{backtest, simulate};

use super::admin::{NOW, request};

const FEATURES: [&str; 3] = ["a", "b", "c"];
const CLASS: Class = Class::PerformanceDegradation;
const GAP: Duration = Duration::from_secs(2);
const MINUTE: Duration = Duration::from_secs(60);

fn config(open_max: Cap, mode: Mode) -> Config {
    let mut config = config::load(&Source::Default, &|_| None).unwrap().0;
    config.breakers_open_max = open_max;
    config.breakers.iter_mut().for_each(|breaker| breaker.policy.mode = mode);
    config
}

/// The `n`-th request of every feature: they all fail from minute 10 to 20 of forty.
fn requests(n: u32) -> Vec<Request> {
    let at = NOW.plus(GAP * n);
    let fails = (10..20).contains(&((GAP * n).as_secs() / 60));
    let one = |(feature, number): (&str, u128)| Request {
        trace_id: TraceId((number << 64 | u128::from(n)).to_be_bytes()),
        feature: feature.into(),
        started_at: at,
        ended_at: at.plus(Duration::from_secs(1)),
        latency: Duration::from_secs(1),
        outcome: if fails { Outcome::Error } else { Outcome::Ok },
        ..request()
    };
    FEATURES.into_iter().zip(1..).map(one).collect()
}

fn recording() -> Recording {
    let exports = (0..1_200).flat_map(requests).map(|request| Export::Record(Box::new(request)));
    Recording { exports: exports.collect(), notes: Vec::new() }
}

/// Proves over a cause that hits everything: no more features are open at once than the cap allows, what it refused is
/// told, the whole service stays on, every opening ends, and exactly those are intercepted who came meanwhile.
#[test]
fn a_simulation_keeps_to_the_cap() {
    let simulation = simulate::run(recording(), &config(Cap::Features(1), Mode::Shadow), &[CLASS]);
    assert_eq!(simulation.requests, 3_600);
    assert!(!simulation.openings.is_empty() && !simulation.capped.is_empty(), "{simulation:?}");
    for opening in &simulation.openings {
        let to = opening.to.expect("it ends with the cause");
        assert!(FEATURES.contains(&&*opening.feature), "the whole service is no feature: {opening:?}");
        let others = simulation.openings.iter().filter(|it| it.feature != opening.feature);
        let overlap = others.filter(|it| it.from < to && it.to.is_none_or(|to| opening.from < to)).count();
        assert_eq!(overlap, 0, "{opening:?} beside another");
    }
    let counted: u64 = simulation.openings.iter().map(|it| it.intercepted).sum();
    assert_eq!(simulation.interceptions.len() as u64, counted);
    assert!(counted > 20, "{counted}");
    assert!(simulation.interceptions.iter().all(|it| it.class == CLASS && it.at >= NOW.plus(MINUTE * 10)));
    let half_open = simulation.interceptions.iter().any(|it| matches!(it.state, State::HalfOpen { .. }));
    let open = simulation.interceptions.iter().any(|it| matches!(it.state, State::Open { .. }));
    assert!(open && half_open, "probes let few through");
}

/// Proves that with room for everybody every feature and the service open, and that a class that does not act
/// intercepts nobody.
#[test]
fn a_simulation_acts_for_the_classes_it_is_told() {
    let config = config(Cap::Share(1.0), Mode::Shadow);
    let all = simulate::run(recording(), &config, &[]);
    let mut opened: Vec<&str> = all.openings.iter().map(|it| &*it.feature).collect();
    opened.sort_unstable();
    opened.dedup();
    assert_eq!((opened, all.capped.len()), (vec!["_all", "a", "b", "c"], 0));
    let other = simulate::run(recording(), &config, &[Class::CostSpike]);
    assert_eq!((other.openings.len(), other.interceptions.len()), (0, 0));
}

/// Proves that by default every transition is a shadow's.
#[test]
fn the_default_is_shadow() {
    let result = backtest::run(&recording(), Arc::new(config::load(&Source::Default, &|_| None).unwrap().0));
    assert!(!result.breakers.is_empty());
    assert!(result.breakers.iter().all(|(_, _, mode, _)| *mode == Mode::Shadow));
}

struct Sim {
    engine: Engine,
    now: UnixNanos,
}

impl Sim {
    /// Every feature failing since minutes.
    fn failing(config: Config) -> Self {
        let registry = Arc::new(Registry::new(config.features.max));
        let mut sim = Self { engine: Engine::new(Arc::new(config), registry, 0, NOW), now: NOW };
        (0..390).for_each(|n| {
            requests(n).into_iter().for_each(|request| sim.engine.request(request, NOW.plus(GAP * n)));
            sim.advance(NOW.plus(GAP * n));
        });
        sim
    }

    fn advance(&mut self, to: UnixNanos) {
        self.now = to;
        self.engine.tick(to);
        loop {
            let effects = self.engine.take_effects();
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                let Effect::Freeze(frame) = effect else { continue };
                let frame_id = frame.id.clone();
                let receipt = Receipt {
                    frame_id: frame_id.clone(),
                    seq: 0,
                    frame_sha256: String::new(),
                    checkpoint: String::new(),
                };
                self.engine.acknowledge(Acknowledgement { frame_id, result: Ok(receipt) }, to);
            }
        }
    }

    /// Features with an open breaker, and those that wait for room.
    fn open_and_capped(&self) -> (Vec<String>, Vec<String>) {
        let view = self.engine.view(self.now);
        let names = |wanted: &dyn Fn(&freezeframe::engine::view::Breaker) -> bool| {
            let breakers = view.breakers.iter().filter(|it| it.class == CLASS && wanted(it));
            breakers.map(|it| it.feature.to_string()).collect::<Vec<_>>()
        };
        (names(&|it| it.state().is_open()), names(&|it| it.machine.capped))
    }
}

/// Proves that a reload that lowers the cap closes what is too much, that one that acts at last is held to it, and that
/// what waits opens as soon as there is room.
#[test]
fn a_reload_keeps_to_the_cap() {
    let mut sim = Sim::failing(config(Cap::Share(1.0), Mode::Enforce));
    let everything = ["_all", "a", "b", "c"].map(str::to_owned).to_vec();
    assert_eq!(sim.open_and_capped(), (everything.clone(), vec![]));
    sim.engine.reconfigure(Arc::new(config(Cap::Features(2), Mode::Enforce)), sim.now);
    let (open, capped) = sim.open_and_capped();
    assert_eq!((open, capped), (vec!["a".to_owned(), "b".into()], vec!["_all".to_owned(), "c".into()]));
    sim.engine.reconfigure(Arc::new(config(Cap::Share(1.0), Mode::Shadow)), sim.now);
    sim.advance(sim.now.plus(Duration::from_secs(10)));
    assert_eq!(sim.open_and_capped(), (everything, vec![]), "a shadow may be as wrong as it likes");
    sim.engine.reconfigure(Arc::new(config(Cap::Features(1), Mode::Enforce)), sim.now);
    assert_eq!(sim.open_and_capped().0, ["a"]);
    let last = sim.engine.view(sim.now).breakers.into_iter().find(|it| &*it.feature == "b" && it.class == CLASS);
    assert_eq!(last.and_then(|it| it.last).map(|it| it.reason), Some(Reason::Capped));
}

/// The plans as the documentation shows them.
fn plans() -> String {
    let mut text =
        String::from("| class | tripped by | action | what the application does instead |\n|---|---|---|---|\n");
    for preset in &PLANS {
        let (class, plan) = (preset.class, &preset.plan);
        let rules = rules::built_in().into_iter().filter(|rule| plan.is_tripped_by(class, rule));
        let trigger: Vec<String> = rules.map(|rule| format!("`{}`", rule.name)).collect();
        let action = plan.action.as_str();
        text += &format!("| `{}` | {} | `{action}` | {} |\n", class.as_str(), trigger.join(", "), plan.instructions);
    }
    text += "\n| class | what users notice | the way back |\n|---|---|---|\n";
    for preset in &PLANS {
        text += &format!("| `{}` | {} | {} |\n", preset.class.as_str(), preset.plan.user_impact, preset.plan.rollback);
    }
    text += "\n| class | mode | open_for | open_for_max | settle_for | probe_share | probes | probe_quota | probe_for |\n|---|---|---|---|---|---|---|---|---|\n";
    for preset in &PLANS {
        let policy = preset.policy;
        let [open, max, settle, probe] = [policy.open_for, policy.open_for_max, policy.settle_for, policy.probe_for]
            .map(|it| format!("{} s", it.as_secs()));
        text += &format!(
            "| `{}` | {} | {open} | {max} | {settle} | {} | {} | {} | {probe} |\n",
            preset.class.as_str(),
            policy.mode.as_str(),
            policy.probe_share,
            policy.probes,
            policy.probe_quota,
        );
    }
    text += "\n| action | asks the application to |\n|---|---|\n";
    Action::ALL.iter().for_each(|it| text += &format!("| `{}` | {} |\n", it.as_str(), it.meaning()));
    text
}

/// Proves that docs/breakers.md shows the plans there are.
#[test]
#[expect(clippy::disallowed_methods, reason = "UPDATE=1 rewrites the page")]
fn the_documented_plans_are_those_of_the_code() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/breakers.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once("rewrites what follows -->\n").expect("the start is marked");
    let (_, after) = rest.split_once("<!-- /plans -->").expect("the end is marked");
    let fresh = format!("{before}rewrites what follows -->\n\n{}\n<!-- /plans -->{after}", plans());
    if std::env::var("UPDATE").is_ok() {
        std::fs::write(&path, &fresh).unwrap();
    }
    assert!(std::fs::read_to_string(&path).unwrap() == fresh, "stale: UPDATE=1 cargo test --test it breakers::");
}

/// Proves which requests are probes: not those that took the plan's way, by route, model or index; and that what is
/// said of a request later is one for the signals it speaks of.
#[test]
fn a_request_that_took_the_way_around_is_no_probe() {
    let plan = Preset::of(CLASS).plan;
    let usual = request();
    assert!(!plan.is_followed_by(&usual), "a plan without parameters leads nowhere");
    for (plan, followed) in [
        (Plan { model: Some("gpt-5".into()), ..plan.clone() }, true),
        (Plan { index: Some("docs".into()), ..plan.clone() }, true),
        (Plan { model: Some("other".into()), route: Some("fallback".into()), ..plan }, false),
    ] {
        assert_eq!(plan.is_followed_by(&usual), followed, "{plan:?}");
    }
    let judged = |passed| vec![Evaluation { passed: Some(passed), ..usual.evaluations[0].clone() }];
    for passed in [true, false] {
        let late = Facts::of_late(&judged(passed), None);
        assert_eq!(late.fails(Signal::EvaluationPassRatio, 0.9), Some(!passed));
        assert_eq!(late.fails(Signal::LatencyP95, 1.0), None);
    }
}

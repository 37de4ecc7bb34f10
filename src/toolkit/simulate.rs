//! What breakers would have done to recorded traffic: the recording through the real engine with breakers that act, then
//! every request held against the breakers of its feature as they stood when it began.
//!
//! The recorded requests all went the usual way, so each is a fair probe. What their users would have got instead is
//! the plan's action; what that would have done to the rest of the recording nobody can tell.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::backtest::{self, Backtest};
use super::input::Recording;
use super::requests::Requests;
use crate::config::{self, Config};
use crate::core::breaker::{Mode, Reason, State, Transition, lot};
use crate::core::incident::Class;
use crate::core::request::TraceId;
use crate::core::time::UnixNanos;
use crate::engine::registry::Registry;

/// The outcome.
#[derive(Debug, Default)]
pub struct Simulation {
    /// Requests in the recording.
    pub requests: u64,
    /// Time of its first and last item.
    pub period: Option<(UnixNanos, UnixNanos)>,
    /// Every time a breaker was not closed, in order of time.
    pub openings: Vec<Opening>,
    /// Every request held back, in order of its start.
    pub interceptions: Vec<Interception>,
    /// Openings the cap refused: feature, class, when.
    pub capped: Vec<(Arc<str>, Class, UnixNanos)>,
}

/// From closed to closed.
#[derive(Debug)]
pub struct Opening {
    /// Feature.
    pub feature: Arc<str>,
    /// Class.
    pub class: Class,
    /// When it opened.
    pub from: UnixNanos,
    /// When it closed; `None` when the recording ended before.
    pub to: Option<UnixNanos>,
    /// Why it closed.
    pub reason: Option<Reason>,
    /// How often it opened again in between.
    pub reopened: u32,
    /// Requests it held back.
    pub intercepted: u64,
}

/// One request held back.
#[derive(Debug)]
pub struct Interception {
    /// When it began.
    pub at: UnixNanos,
    /// Its trace.
    pub trace_id: TraceId,
    /// Its feature.
    pub feature: Arc<str>,
    /// Class of the breaker that held it back.
    pub class: Class,
    /// The breaker's state.
    pub state: State,
}

/// Feeds a recording to the engine as if the breakers of `classes` (all of them when empty) acted. While a breaker is
/// half-open every request draws its own lot, by its trace id.
#[must_use]
pub fn run(recording: Recording, config: &Config, classes: &[Class]) -> Simulation {
    let acts = |class: &Class| classes.is_empty() || classes.contains(class);
    let mut acting = config.clone();
    for breaker in &mut acting.breakers {
        breaker.policy.mode = if acts(&breaker.class) { Mode::Enforce } else { Mode::Shadow };
    }
    let acting = Arc::new(acting);
    let Backtest { mut breakers, period, requests, .. } = backtest::run(&recording, acting.clone());
    breakers.retain(|(_, class, _, _)| acts(class));
    let mut simulation = Simulation {
        requests,
        period,
        openings: openings(&breakers),
        capped: capped(&breakers),
        ..Simulation::default()
    };
    let mut timelines: BTreeMap<(Arc<str>, Class), Vec<Transition>> = BTreeMap::new();
    for (feature, class, _, transition) in breakers {
        timelines.entry((feature, class)).or_default().push(transition);
    }
    let registry = Registry::new(config.features.max);
    let exports = recording.exports.into_iter().map(|export| Ok((UnixNanos(0), export)));
    // Reading cannot fail: everything is in memory.
    for request in Requests::new(exports, config).flatten() {
        let feature = registry.resolve(&request.feature);
        let held = acting.breakers.iter().find_map(|breaker| {
            let transitions = timelines.get(&(feature.clone(), breaker.class))?;
            let state = state_at(transitions, request.started_at);
            blocks(breaker, &feature, state, request.trace_id).then_some((breaker.class, state))
        });
        let Some((class, state)) = held else { continue };
        let at = request.started_at;
        let is_in = |it: &&mut Opening| {
            it.feature == feature && it.class == class && it.from <= at && it.to.is_none_or(|to| at < to)
        };
        if let Some(opening) = simulation.openings.iter_mut().find(is_in) {
            opening.intercepted += 1;
        }
        simulation.interceptions.push(Interception { at, trace_id: request.trace_id, feature, class, state });
    }
    simulation.interceptions.sort_by_key(|it| (it.at, it.trace_id));
    simulation
}

/// Where a breaker stood at `at`.
fn state_at(transitions: &[Transition], at: UnixNanos) -> State {
    transitions.iter().rev().find(|it| it.at <= at).map_or(State::Closed, |it| it.to)
}

fn blocks(breaker: &config::Breaker, feature: &str, state: State, trace_id: TraceId) -> bool {
    let draw = match state {
        State::HalfOpen { since, .. } => lot(feature, since, &trace_id.0),
        State::Closed | State::Open { .. } | State::ForcedOpen { .. } | State::Disabled { .. } => 0.0,
    };
    !state.allow(&breaker.policy, draw)
}

type Moved = (Arc<str>, Class, Mode, Transition);

fn openings(moved: &[Moved]) -> Vec<Opening> {
    let mut openings: Vec<Opening> = Vec::new();
    for (feature, class, _, transition) in moved {
        let same = |it: &&mut Opening| it.feature == *feature && it.class == *class && it.to.is_none();
        let current = openings.iter_mut().rev().find(same);
        match (transition.from, transition.to, current) {
            (State::Closed, State::Open { .. }, _) => openings.push(Opening {
                feature: feature.clone(),
                class: *class,
                from: transition.at,
                to: None,
                reason: None,
                reopened: 0,
                intercepted: 0,
            }),
            (_, State::Closed, Some(opening)) => {
                (opening.to, opening.reason) = (Some(transition.at), Some(transition.reason));
            }
            (_, State::Open { .. }, Some(opening)) => opening.reopened += 1,
            _ => {}
        }
    }
    openings
}

fn capped(moved: &[Moved]) -> Vec<(Arc<str>, Class, UnixNanos)> {
    let capped = moved.iter().filter(|(_, _, _, it)| it.reason == Reason::Capped);
    capped.map(|(feature, class, _, it)| (feature.clone(), *class, it.at)).collect()
}

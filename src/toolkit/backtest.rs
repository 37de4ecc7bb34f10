//! Recordings through the real engine at the recorded time: no sockets, no wall clock, the same result every time.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::input::{Export, Item, Recording};
use crate::config::Config;
use crate::core::breaker;
use crate::core::canonical;
use crate::core::carried::Carried;
use crate::core::incident::Class;
use crate::core::time::UnixNanos;
use crate::engine::registry::Registry;
use crate::engine::view::{Alert, Notice};
use crate::engine::{Acknowledgement, Effect, Engine, FrameBytes, Receipt, Store, StoreError};

/// What a recording made the engine do, in order of time.
#[derive(Debug, Default)]
pub struct Backtest {
    /// Every change of an alert's state.
    pub alerts: Vec<(UnixNanos, Arc<Alert>)>,
    /// Every breaker transition: feature, class, mode, transition.
    pub breakers: Vec<(Arc<str>, Class, breaker::Mode, breaker::Transition)>,
    /// Every frame, as it would have been committed.
    pub frames: Vec<Map<String, Json>>,
    /// Frames that the store did not take, by id, and why.
    pub lost: Vec<(String, String)>,
    /// Spans fed.
    pub spans: u64,
    /// Requests they made.
    pub requests: u64,
    /// Time of the first and the last item; `None` for an empty recording.
    pub period: Option<(UnixNanos, UnixNanos)>,
}

/// Feeds everything in order of time, each span at its end, and lets the engine settle afterwards.
#[must_use]
pub fn run(recording: &Recording, config: Arc<Config>) -> Backtest {
    run_into(recording, config, None).0
}

/// The same with frames committed to `store`, where there is one; and what alerts and breakers stand at in the end.
#[must_use]
pub fn run_into(recording: &Recording, config: Arc<Config>, store: Option<&dyn Store>) -> (Backtest, Option<Carried>) {
    let items = timeline(recording);
    let mut result = Backtest::default();
    let (Some((from, _)), Some((to, _))) = (items.first(), items.last()) else { return (result, None) };
    let (from, to) = (*from, *to);
    result.period = Some((from, to));
    let registry = Arc::new(Registry::new(config.features.max));
    let mut engine = Engine::new(config.clone(), registry.clone(), 0, from);
    for (at, item) in items {
        advance(&mut engine, at, store, &mut result);
        match item {
            Item::Span(resource, scope, span) => {
                result.spans += 1;
                engine.span(&resource, &scope, &span, at);
            }
            Item::Log(resource, scope, record) => drop(engine.record(&resource, &scope, &record, at)),
            Item::Request(request) => engine.request(request.clone(), at),
        }
    }
    let settled = to.plus(config.assembly.idle_timeout).plus(config.windows.slot);
    advance(&mut engine, settled, store, &mut result);
    result.requests = registry.requests();
    (result, Some(engine.carried(settled)))
}

/// Lets time pass slot by slot, carrying out effects at once.
fn advance(engine: &mut Engine, at: UnixNanos, store: Option<&dyn Store>, result: &mut Backtest) {
    while engine.next_tick() <= at {
        let due = engine.next_tick();
        engine.tick(due);
        carry_out(engine, due, store, result);
    }
    engine.tick(at);
    carry_out(engine, at, store, result);
}

fn carry_out(engine: &mut Engine, at: UnixNanos, store: Option<&dyn Store>, result: &mut Backtest) {
    loop {
        let effects = engine.take_effects();
        if effects.is_empty() {
            return;
        }
        for effect in effects {
            match effect {
                Effect::Freeze(frame) => {
                    let (body, acknowledgement) = match store {
                        Some(store) => committed(&frame, store),
                        None => commit(&frame, result.frames.len()),
                    };
                    result.frames.extend(body);
                    if let Err(error) = &acknowledgement.result {
                        result.lost.push((acknowledgement.frame_id.clone(), error.to_string()));
                    }
                    engine.acknowledge(acknowledgement, at);
                }
                Effect::Notice(Notice::Alert { alert, at }) => result.alerts.push((at, alert)),
                Effect::Notice(Notice::Breaker { feature, class, mode, transition }) => {
                    result.breakers.push((feature, class, mode, transition));
                }
                Effect::Record(_) | Effect::Notice(Notice::Frame { .. } | Notice::Refined { .. }) => {}
            }
        }
    }
}

/// Stands in for the log: completes the frame under the origin `backtest` and keeps it in memory.
fn commit(frame: &FrameBytes, frames: usize) -> (Option<Map<String, Json>>, Acknowledgement) {
    let mut body = frame.body.clone();
    body.insert("origin".into(), "backtest".into());
    body.insert("seq".into(), frames.into());
    let bytes = canonical::encode(&Json::Object(body.clone())).map_err(|error| StoreError::Refused(error.to_string()));
    let result = bytes.map(|bytes| Receipt {
        frame_id: frame.id.clone(),
        seq: frames as u64,
        frame_sha256: canonical::sha256_hex(&bytes),
        checkpoint: String::new(),
    });
    (Some(body), Acknowledgement { frame_id: frame.id.clone(), result })
}

/// Commits the frame to a log and reads it back.
fn committed(frame: &FrameBytes, store: &dyn Store) -> (Option<Map<String, Json>>, Acknowledgement) {
    let result = store.append(frame);
    let bytes = store.frame(&frame.id).ok().flatten();
    let body = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    (body, Acknowledgement { frame_id: frame.id.clone(), result })
}

/// Everything in the recording in order of time; ties keep the recorded order.
fn timeline(recording: &Recording) -> Vec<(UnixNanos, Item<'_>)> {
    let mut items: Vec<_> = recording.exports.iter().flat_map(Export::items).collect();
    items.sort_by_key(|(at, _)| *at);
    // Times that were not set would put the start at the epoch; they happen when their successor does.
    let first = items.iter().map(|(at, _)| *at).find(|at| at.0 > 0).unwrap_or_default();
    items.iter_mut().for_each(|(at, _)| *at = (*at).max(first));
    items
}

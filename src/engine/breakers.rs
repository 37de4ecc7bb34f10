//! Breakers: what trips, releases and orders them, and the cap over all features.

use std::sync::Arc;

use super::effect::Effect;
use super::engine::Engine;
use super::feature::{Breaker, Cause, Feature, Instance};
use super::handle::{BreakerAction, BreakerOrder, NoSuchBreaker};
use super::registry::{ALL, DRILL};
use super::view::Notice;
use crate::core::breaker::{self, Holder, Input, State};
use crate::core::incident::Class;
use crate::core::manifest::Leaf;
use crate::core::time::UnixNanos;
use crate::metrics::Metric;

impl Engine {
    /// An operator's hand on a breaker.
    ///
    /// # Errors
    /// When there is no such feature or breaker.
    pub fn order(&mut self, order: &BreakerOrder, now: UnixNanos) -> Result<(), NoSuchBreaker> {
        let feature = self.features.get_mut(order.feature.as_str()).ok_or(NoSuchBreaker)?;
        let breaker = feature.breakers.iter_mut().find(|it| it.class == order.class).ok_or(NoSuchBreaker)?;
        let by_hand = matches!(breaker.machine.state, State::ForcedOpen { .. } | State::Disabled { .. });
        if order.action != BreakerAction::Reset || by_hand {
            // What comes now is somebody's decision, no incident's.
            breaker.cause = None;
        }
        let input = match order.action {
            BreakerAction::Open => Input::Open,
            BreakerAction::Close => Input::Close,
            BreakerAction::Reset => Input::Reset,
        };
        let name = feature.name.clone();
        self.step_breaker(&name, order.class, input, now);
        self.effects.push(Effect::Record(Leaf::Override {
            at: now.to_string(),
            feature: order.feature.clone(),
            class: order.class.as_str().to_owned(),
            order: order.action.as_str().to_owned(),
            comment: order.comment.clone(),
        }));
        Ok(())
    }

    /// An alert of `name` is out: the breaker that it trips hears of it, unless it is over already.
    pub(super) fn trip_breaker(&mut self, name: &Arc<str>, alert: usize, cause: Cause, at: UnixNanos) {
        let Some((feature, alert)) = self.features.get(name).and_then(|it| Some((it, it.alerts.get(alert)?))) else {
            return;
        };
        let class = alert.rule.class;
        let Some(breaker) = feature.breakers.iter().find(|it| it.class == class) else { return };
        if alert.is_firing() && breaker.plan.is_tripped_by(class, &alert.rule) {
            let room = self.has_room(feature, breaker);
            if let Some(breaker) = self.breaker_mut(name, class) {
                breaker.cause = Some(cause);
            }
            self.step_breaker(name, class, Input::AlertFiring { room }, at);
        }
    }

    /// An alert of `class` is over: the breaker hears of it if no other one holds it.
    pub(super) fn release_breaker(&mut self, name: &Arc<str>, class: Class, at: UnixNanos) {
        let Some(feature) = self.features.get(name).filter(|it| !it.is_tripped(class)) else { return };
        if feature.breakers.iter().any(|it| it.class == class && it.machine.alerting) {
            self.step_breaker(name, class, Input::AlertResolved, at);
        }
    }

    /// Lets time pass for the breakers of one feature.
    pub(super) fn tick_breakers(&mut self, name: &Arc<str>, at: UnixNanos) {
        let Some(feature) = self.features.get(name) else { return };
        let classes: Vec<_> = feature.breakers.iter().map(|it| it.class).collect();
        for class in classes {
            self.remember_cause(name, class);
            let room = self.features.get(name).and_then(|feature| {
                let breaker = feature.breakers.iter().find(|it| it.class == class)?;
                // Only one whose alert fires opens, so only then is it worth counting.
                Some(breaker.machine.alerting && self.has_room(feature, breaker))
            });
            self.step_breaker(name, class, Input::Tick { room: room.unwrap_or_default() }, at);
        }
    }

    /// A breaker that a hand gave back while its alert fires may open again: its probes are judged by that alert.
    fn remember_cause(&mut self, name: &Arc<str>, class: Class) {
        let Some(feature) = self.features.get_mut(name) else { return };
        let Some(breaker) = feature.breakers.iter_mut().find(|it| it.class == class) else { return };
        if breaker.machine.alerting && breaker.cause.is_none() && breaker.machine.state == State::Closed {
            let trips = |it: &&Instance| it.is_firing() && breaker.plan.is_tripped_by(class, &it.rule);
            breaker.cause = feature.alerts.iter().filter(trips).find_map(|alert| {
                let breach = alert.breach();
                Some(Cause { incident: alert.incident.clone()?, signal: breach.signal?, limit: breach.limit? })
            });
        }
    }

    /// After a change of the configuration: what no alert holds any more is released, and where more features are
    /// open than the cap now allows, the last by name close.
    pub(super) fn settle_breakers(&mut self, at: UnixNanos) {
        let mut names: Vec<Arc<str>> = self.features.keys().cloned().collect();
        names.sort_unstable();
        for name in &names {
            Class::ALL.into_iter().for_each(|class| self.release_breaker(name, class, at));
        }
        let cap = self.config.breakers_open_max;
        for name in names.iter().rev() {
            let crowded = match &**name {
                ALL => self.real_features() > cap.places(self.real_features()),
                DRILL => false,
                _ => cap.is_exceeded(self.real_features(), self.holders()),
            };
            for class in Class::ALL.into_iter().filter(|_| crowded) {
                let acts = |it: &Breaker| it.policy.mode.in_state(it.machine.state) == breaker::Mode::Enforce;
                if self.breaker_mut(name, class).is_some_and(|it| acts(it)) {
                    self.step_breaker(name, class, Input::Crowded, at);
                }
            }
        }
    }

    /// Steps one breaker and tells of it.
    fn step_breaker(&mut self, name: &Arc<str>, class: Class, input: Input, at: UnixNanos) {
        if let Some(transition) = self.breaker_mut(name, class).and_then(|breaker| breaker.step(input, at)) {
            self.breaker_moved(name, class, transition);
        }
    }

    fn breaker_mut(&mut self, name: &Arc<str>, class: Class) -> Option<&mut Breaker> {
        self.features.get_mut(name)?.breakers.iter_mut().find(|it| it.class == class)
    }

    fn has_room(&self, feature: &Feature, breaker: &Breaker) -> bool {
        let name = Some(&*feature.name).filter(|name| *name != ALL);
        // A drill's breaker keeps nobody away: it takes no place and needs none.
        name == Some(DRILL)
            || self.config.breakers_open_max.has_room(name, breaker.policy.mode, self.real_features(), self.holders())
    }

    /// Features there are; the whole service is none, nor is a drill.
    pub(super) fn real_features(&self) -> usize {
        self.features.keys().filter(|name| ![ALL, DRILL].contains(&&***name)).count()
    }

    fn holders(&self) -> impl Iterator<Item = Holder<'_>> {
        self.features.values().filter(|feature| *feature.name != *DRILL).flat_map(|feature| {
            let name = Some(&*feature.name).filter(|name| *name != ALL);
            let holder = move |it: &Breaker| Holder { feature: name, state: it.machine.state, mode: it.policy.mode };
            feature.breakers.iter().map(holder)
        })
    }

    pub(super) fn breaker_moved(&mut self, feature: &Arc<str>, class: Class, transition: breaker::Transition) {
        let Some(breaker) = self.features.get(feature).and_then(|it| it.breakers.iter().find(|it| it.class == class))
        else {
            return;
        };
        // Rules page by this metric: what is no incident stays out of it.
        if **feature != *DRILL || self.config.alerting.drills {
            Metric::BreakerTransitions.add(
                &[
                    ("feature", feature),
                    ("class", class.as_str()),
                    ("from", transition.from.as_str()),
                    ("to", transition.to.as_str()),
                    ("reason", transition.reason.as_str()),
                ],
                1,
            );
        }
        let mode = breaker.policy.mode;
        if let Some(cause) = breaker.cause.clone()
            && let Some(incident) = self.incidents.iter_mut().find(|it| it.id == cause.incident)
        {
            Arc::make_mut(incident).breaker_actions.push((feature.clone(), class, transition));
        }
        self.effects.push(Effect::Notice(Notice::Breaker { feature: feature.clone(), class, mode, transition }));
    }
}

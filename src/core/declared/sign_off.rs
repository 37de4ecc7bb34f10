//! Which judge signed off which release, and how it was configured then.

use serde_json::{Value as Json, json};

use super::{Declaration, Declared, Subject, Thing};
use crate::core::time::UnixNanos;
use crate::core::variable;

impl Declared {
    /// The newest sign-off by `at` of each metric, those of the feature before those of every feature, in order of metric.
    #[must_use]
    pub fn signed_off(&self, feature: &str, at: UnixNanos) -> Json {
        let scope = self.scope(feature, at);
        let by_then = |thing: &Thing| thing.states.iter().rev().find(|it| it.at <= at).cloned();
        let of = |things: &[Thing]| -> Vec<(Box<str>, Declaration)> {
            let things = things.iter().filter(|it| it.subject == Subject::SignOff);
            things.filter_map(|it| Some((it.name.clone(), by_then(it)?))).collect()
        };
        let (mut found, all) = (of(scope.own), of(scope.all));
        found.extend(all.into_iter().filter(|(metric, _)| !scope.own.iter().any(|it| it.is(Subject::SignOff, metric))));
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found.into_iter().map(|(metric, declaration)| shown(&metric, &declaration)).collect()
    }
}

fn shown(metric: &str, Declaration { at, source, state }: &Declaration) -> Json {
    let mut shown = variable::judge(metric, &state.judge);
    shown["release"] = json!(state.version);
    shown["signed_off_at"] = at.to_string().into();
    shown["reported_by"] = json!(source);
    shown
}

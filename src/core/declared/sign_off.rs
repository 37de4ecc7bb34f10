//! Which judge signed off which release, and how it was configured then.

use serde_json::{Value as Json, json};

use super::{Declaration, Declared, SHOWN_MAX, Subject, Thing};
use crate::core::time::UnixNanos;
use crate::core::variable;

impl Declared {
    /// The newest sign-off by `at` of each metric, those of the feature before those of every feature, in order of metric; of
    /// the whole service those of every one. At most [`SHOWN_MAX`].
    #[must_use]
    pub fn signed_off(&self, feature: &str, at: UnixNanos) -> Json {
        let by_then = |thing: &Thing| thing.states.iter().rev().find(|it| it.at <= at).cloned();
        let mut found: Vec<(Box<str>, Declaration)> = Vec::new();
        for scope in self.scopes(feature, at) {
            let is_own = |metric: &str| scope.own.iter().any(|it| it.is(Subject::SignOff, metric));
            let of_all = scope.all.iter().filter(|it| !is_own(&it.name));
            let things = scope.own.iter().chain(of_all).filter(|it| it.subject == Subject::SignOff);
            found.extend(things.filter_map(|it| Some((it.name.clone(), by_then(it)?))));
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found.truncate(SHOWN_MAX);
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

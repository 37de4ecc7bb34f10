//! Flag keys, and a decision as the answer to one.

use serde_json::{Map, Value, json};

use super::decision::Decision;
use crate::api::dto::since;
use crate::core::time::UnixNanos;
use crate::engine::view::{self, FrameState, View};

/// What a flag tells of a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Allow,
    Route,
    State,
}

/// `breaker.<feature>.<kind>`. Features may hold dots and slashes, so the key is read from both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flag<'a> {
    pub(super) feature: &'a str,
    pub(super) kind: Kind,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Allow, Self::Route, Self::State];

    fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Route => "route",
            Self::State => "state",
        }
    }
}

/// A feature's name in a key that every client can put in a path: `a-z`, `0-9`, `.`, `_` and `-`, which stands for
/// everything else.
pub(super) fn plain(feature: &str) -> impl Iterator<Item = char> {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "._-".contains(it);
    feature.chars().map(move |it| if is_plain(it) { it.to_ascii_lowercase() } else { '-' })
}

impl<'a> Flag<'a> {
    pub(super) fn parse(key: &'a str) -> Option<Self> {
        let (feature, kind) = key.strip_prefix("breaker.")?.rsplit_once('.')?;
        let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind)?;
        (!feature.is_empty()).then_some(Self { feature, kind })
    }

    /// A successful evaluation. Without `value` the application's own default holds; without `now` nothing in it
    /// changes while the breakers stand still.
    pub(super) fn answer(&self, view: &View, decision: &Decision<'_>, now: Option<UnixNanos>) -> Value {
        let value = match self.kind {
            Kind::Allow => Some(decision.allow.into()),
            Kind::Route => decision.route().map(Value::from),
            Kind::State => Some(state(decision)),
        };
        let mut answer = json!({
            "key": format!("breaker.{}.{}", self.feature, self.kind.as_str()),
            "reason": decision.reason(),
            "variant": decision.variant(),
            "metadata": metadata(view, decision.decisive, now),
        });
        if let Some(value) = value {
            answer["value"] = value;
        }
        answer
    }
}

fn state(decision: &Decision<'_>) -> Value {
    let breakers = decision.breakers.iter().map(|breaker| {
        let of = json!({
            "state": breaker.shown_state(),
            "would_be": breaker.state().as_str(),
            "since": since(breaker.state()).map(|at| at.to_string()),
            "incident_id": breaker.incident_id,
            "capped": breaker.machine.capped,
            "action": breaker.plan.action.as_str(),
            "parameters": breaker.plan.parameters().map(|(name, value)| (name.to_owned(), value.into())).collect::<Map<_, _>>(),
        });
        (breaker.class.as_str().to_owned(), of)
    });
    json!({
        "state": decision.variant(),
        "allow": decision.allow,
        "route": decision.route(),
        "breakers": breakers.collect::<Map<_, _>>(),
    })
}

/// Strings, booleans and numbers only, as the protocol wants it.
fn metadata(view: &View, breaker: &view::Breaker, now: Option<UnixNanos>) -> Map<String, Value> {
    let mut metadata = Map::new();
    metadata.insert("class".into(), breaker.class.as_str().into());
    metadata.insert("would_be".into(), breaker.state().as_str().into());
    metadata.insert("action".into(), breaker.plan.action.as_str().into());
    for (name, value) in breaker.plan.parameters() {
        metadata.insert(name.into(), value.into());
    }
    if let Some(since) = since(breaker.state()) {
        metadata.insert("since".into(), since.to_string().into());
    }
    if breaker.machine.capped {
        metadata.insert("capped".into(), true.into());
    }
    if let Some(signal) = breaker.signal {
        metadata.insert("signal".into(), signal.as_str().into());
    }
    if let Some(until) = breaker.machine.open_until(&breaker.policy) {
        metadata.insert("open_until".into(), until.to_string().into());
        if let Some(left) = now.map(|now| until.since(now)) {
            metadata.insert("retry_after_ms".into(), u64::try_from(left.as_millis()).unwrap_or(u64::MAX).into());
        }
    }
    if let Some(id) = &breaker.incident_id {
        metadata.insert("incident_id".into(), id.as_str().into());
        let incident = view.incidents.iter().find(|incident| incident.id == *id);
        if let Some(FrameState::Committed(receipt)) = incident.map(|incident| &incident.frame) {
            metadata.insert("frame_sha256".into(), receipt.frame_sha256.as_str().into());
        }
    }
    metadata
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that every name has a key of the characters that all clients can send.
    #[test]
    fn plain_keys_are_plain() {
        for (feature, expected) in [("support", "support"), ("/Chat v1.2?#", "-chat-v1.2--"), ("Größe_1", "gr--e_1")]
        {
            assert_eq!(plain(feature).collect::<String>(), expected);
        }
    }

    /// Proves that a feature's own dots and slashes survive, and that nothing else is taken for a flag.
    #[test]
    fn keys_are_read_from_both_ends() {
        let table = [
            ("breaker.support.allow", Some(("support", Kind::Allow))),
            ("breaker.chat/v1.2.route", Some(("chat/v1.2", Kind::Route))),
            ("breaker.allow.state", Some(("allow", Kind::State))),
            ("breaker..allow", None),
            ("breaker.allow", None),
            ("breaker.support.other", None),
            ("support.allow", None),
            ("", None),
        ];
        for (key, expected) in table {
            assert_eq!(Flag::parse(key).map(|flag| (flag.feature, flag.kind)), expected, "{key}");
        }
    }
}

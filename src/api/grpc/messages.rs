//! The messages of `proto/freezeframe/breaker/v1/breaker.proto`, written out so that building needs no protoc. A test
//! holds them against that file.

use std::collections::HashMap;

use prost::{Enumeration, Message};

use crate::api::dto;
use crate::core::breaker::{self, Mode};
use crate::core::time::UnixNanos;
use crate::engine::view;

/// What `Get` and `Watch` ask for.
#[derive(Clone, PartialEq, Message)]
pub struct Request {
    /// Only this feature's; every feature's when empty.
    #[prost(string, tag = "1")]
    pub feature: String,
}

/// What `Get` answers, and what `Watch` sends.
#[derive(Clone, PartialEq, Message)]
pub struct Response {
    /// All, or those that changed.
    #[prost(message, repeated, tag = "1")]
    pub breakers: Vec<Breaker>,
}

/// The breaker of one feature and incident class.
#[derive(Clone, PartialEq, Message)]
pub struct Breaker {
    /// Feature.
    #[prost(string, tag = "1")]
    pub feature: String,
    /// Incident class.
    #[prost(string, tag = "2")]
    pub incident_class: String,
    /// As the outside sees it.
    #[prost(enumeration = "State", tag = "3")]
    pub state: i32,
    /// What it would be if it acted.
    #[prost(enumeration = "State", tag = "4")]
    pub would_be: i32,
    /// Share of requests that may go the usual way, 0 to 1.
    #[prost(double, tag = "5")]
    pub allow_share: f64,
    /// Since when it is in its state.
    #[prost(message, optional, tag = "6")]
    pub since: Option<Timestamp>,
    /// Until when it stays open at most.
    #[prost(message, optional, tag = "7")]
    pub open_until: Option<Timestamp>,
    /// What the application does instead.
    #[prost(string, tag = "8")]
    pub action: String,
    /// Parameters of the action.
    #[prost(map = "string, string", tag = "9")]
    pub parameters: HashMap<String, String>,
    /// The incident that opened it, or would have.
    #[prost(string, tag = "10")]
    pub incident_id: String,
    /// Why it changed last.
    #[prost(string, tag = "11")]
    pub reason: String,
    /// Closed only for want of room.
    #[prost(bool, tag = "12")]
    pub capped: bool,
}

/// `google.protobuf.Timestamp`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Timestamp {
    /// Since 1970.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Of the second.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// A breaker's state as the outside sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub enum State {
    /// Never sent.
    Unspecified = 0,
    /// Requests pass.
    Closed = 1,
    /// Requests do not pass.
    Open = 2,
    /// A share passes.
    HalfOpen = 3,
    /// Opened by hand.
    ForcedOpen = 4,
    /// Closed by hand.
    Disabled = 5,
    /// It observes only.
    Shadow = 6,
}

impl Breaker {
    pub(super) fn new(breaker: &view::Breaker) -> Self {
        let parameters = breaker.plan.parameters();
        Self {
            feature: breaker.feature.to_string(),
            incident_class: breaker.class.as_str().to_owned(),
            state: match breaker.mode() {
                Mode::Shadow => State::Shadow,
                Mode::Enforce => State::of(breaker.state()),
            }
            .into(),
            would_be: State::of(breaker.state()).into(),
            allow_share: match (breaker.mode(), breaker.state()) {
                (Mode::Shadow, _) | (_, breaker::State::Closed | breaker::State::Disabled { .. }) => 1.0,
                (_, breaker::State::HalfOpen { .. }) => breaker.policy.probe_share,
                (_, breaker::State::Open { .. } | breaker::State::ForcedOpen { .. }) => 0.0,
            },
            since: dto::since(breaker.state()).map(Timestamp::of),
            open_until: breaker.machine.open_until(&breaker.policy).map(Timestamp::of),
            action: breaker.plan.action.as_str().to_owned(),
            parameters: parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            incident_id: breaker.incident_id.clone().unwrap_or_default(),
            reason: breaker.last.map_or("", |last| last.reason.as_str()).to_owned(),
            capped: breaker.machine.capped,
        }
    }
}

impl State {
    fn of(state: breaker::State) -> Self {
        match state {
            breaker::State::Closed => Self::Closed,
            breaker::State::Open { .. } => Self::Open,
            breaker::State::HalfOpen { .. } => Self::HalfOpen,
            breaker::State::ForcedOpen { .. } => Self::ForcedOpen,
            breaker::State::Disabled { .. } => Self::Disabled,
        }
    }
}

impl Timestamp {
    fn of(at: UnixNanos) -> Self {
        let (seconds, nanos) = (at.0 / 1_000_000_000, at.0 % 1_000_000_000);
        Self { seconds: i64::try_from(seconds).unwrap_or(i64::MAX), nanos: i32::try_from(nanos).unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROTO: &str = include_str!("../../../proto/freezeframe/breaker/v1/breaker.proto");

    /// The numbers of the fields of a message or enum in the file.
    fn numbers(declaration: &str) -> Vec<u32> {
        let body = PROTO.split(&format!("{declaration} {{\n")).nth(1).expect("it is declared");
        let body = body.split("\n}").next().expect("it ends");
        let fields = body.lines().map(str::trim).filter(|line| !line.starts_with("//"));
        fields.filter_map(|line| line.strip_suffix(';')?.rsplit_once(" = ")?.1.parse().ok()).collect()
    }

    /// The numbers of the fields on the wire, each once.
    fn encoded(message: &impl Message) -> Vec<u32> {
        let bytes = message.encode_to_vec();
        let (mut rest, mut found) = (&bytes[..], Vec::new());
        while !rest.is_empty() {
            let (tag, wire) = prost::encoding::decode_key(&mut rest).expect("a key");
            prost::encoding::skip_field(wire, tag, &mut rest, prost::encoding::DecodeContext::default())
                .expect("a field");
            found.push(tag);
        }
        found.dedup();
        found
    }

    /// Proves that every message has exactly the fields of the published file, and the states its values.
    #[test]
    fn messages_are_those_of_the_proto_file() {
        let at = Some(Timestamp { seconds: 1, nanos: 1 });
        let one = || "x".to_owned();
        let breaker = Breaker {
            feature: one(),
            incident_class: one(),
            state: 1,
            would_be: 1,
            allow_share: 1.0,
            since: at,
            open_until: at,
            action: one(),
            parameters: [(one(), one())].into(),
            incident_id: one(),
            reason: one(),
            capped: true,
        };
        assert_eq!(encoded(&breaker), numbers("message Breaker"));
        for response in ["message GetResponse", "message WatchResponse"] {
            assert_eq!(encoded(&Response { breakers: vec![breaker.clone()] }), numbers(response));
        }
        for request in ["message GetRequest", "message WatchRequest"] {
            assert_eq!(encoded(&Request { feature: one() }), numbers(request));
        }
        let states = numbers("enum State");
        assert_eq!(states, [0, 1, 2, 3, 4, 5, 6]);
        for number in 0..7 {
            let name = format!("{:?}", State::try_from(number).expect("a state"));
            let words = name.replace("Open", "_OPEN").to_uppercase();
            assert!(PROTO.contains(&format!("  STATE_{} = {number};", words.trim_start_matches('_'))), "{name}");
        }
    }
}

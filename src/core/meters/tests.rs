use super::*;
use crate::core::request::tests::{evaluation, request};
use crate::core::request::{Failure, ModelCall, Retrieval, ToolCall};
use std::time::Duration;

fn failure() -> Failure {
    Failure { kind: "timeout".into(), message: "".into(), timeout: true, status_code: None }
}

fn tool(name: &str, ok: bool) -> ToolCall {
    ToolCall { name: name.into(), ran: true, error: (!ok).then(failure), ..ToolCall::default() }
}

/// Proves that labels beyond the cap share one entry, that those below keep theirs, and that nothing is lost.
#[test]
fn labels_beyond_the_cap_fall_under_other() {
    let meters = Meters::default();
    for at in 0..2 * TOOLS_MAX {
        let tools = vec![tool(&format!("tool{at}"), true), tool("tool0", false)];
        meters.record(&Request { tools, ..request() }, false);
    }
    let tools = meters.tools();
    assert_eq!(tools.len(), TOOLS_MAX + 1);
    assert_eq!(tools[0], ("tool0".into(), 1, 2 * TOOLS_MAX as u64));
    assert_eq!(tools[TOOLS_MAX], (OTHER.into(), TOOLS_MAX as u64, 0));
    assert_eq!(meters.count(Count::ToolOk), 2 * TOOLS_MAX as u64);
}

/// Proves that threads that see a label for the first time at once agree on one entry.
#[test]
fn threads_agree_on_new_labels() {
    let meters = Meters::default();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let meters = &meters;
            scope.spawn(move || {
                for at in 0..200 {
                    let name = format!("tool{}", (at + thread * 31) % 50);
                    meters.record(&Request { tools: vec![tool(&name, true)], ..request() }, false);
                }
            });
        }
    });
    let tools = meters.tools();
    assert_eq!((tools.len(), tools.iter().map(|(_, ok, _)| ok).sum::<u64>()), (50, 800));
    assert_eq!(meters.count(Count::Ok), 800);
}

/// Proves that model calls are told apart by every label of the semantic conventions, and bucketed as they say.
#[test]
fn model_calls_have_the_labels_and_buckets_of_the_conventions() {
    let call = |served: &str, error| ModelCall {
        provider: Some("openai".into()),
        model_requested: Some("gpt-4o".into()),
        model_served: Some(served.into()),
        duration: Duration::from_millis(20),
        input_tokens: Some(5),
        cost_nano_usd: Some(1_500),
        error,
        ..ModelCall::default()
    };
    let meters = Meters::default();
    let calls =
        vec![call("gpt-4o-1", None), call("gpt-4o-1", None), call("gpt-4o-2", None), call("gpt-4o-1", Some(failure()))];
    meters.record(&Request { operation: Some("chat".into()), calls, ..request() }, false);
    let mut seen = Vec::new();
    meters.calls(|labels, call| {
        let (durations, _, _) = call.duration.cumulative();
        let (_, tokens, _) = call.input_tokens.cumulative();
        let (_, _, first_tokens) = call.time_to_first_token.cumulative();
        seen.push((
            labels.model_served.to_string(),
            labels.error_type.to_string(),
            durations[..2].to_vec(),
            tokens,
            first_tokens,
        ));
    });
    let row = |served: &str, error: &str, n: u64| (served.to_owned(), error.to_owned(), vec![0, n], 5 * n, 0);
    assert_eq!(seen, [row("gpt-4o-1", "", 2), row("gpt-4o-2", "", 1), row("gpt-4o-1", "timeout", 1)]);
    assert_eq!(meters.cost_nano_usd(), 6_000);
}

/// Proves that late evaluations count by metric and once, and that the lag of an index is its last one.
#[test]
fn late_evaluations_and_freshness_are_recorded() {
    let meters = Meters::default();
    let lag = |secs| Retrieval {
        index: Some("kb".into()),
        freshness_lag: Some(Duration::from_secs(secs)),
        ..Retrieval::default()
    };
    let served = Request { retrievals: vec![lag(30), lag(90)], ..request() };
    meters.record(&served, false);
    meters.record_late(Some(&served), &[evaluation("relevance", false), evaluation("tone", true)], None);
    assert_eq!(meters.freshness(), [("kb".into(), 90.0)]);
    assert_eq!(meters.evaluations(), [("relevance".into(), 0, 1), ("tone".into(), 1, 0)]);
    assert_eq!([Count::Good, Count::TurnedBad, Count::EvaluationFail].map(|count| meters.count(count)), [1, 1, 1]);
}

/// Pins the memory bound of one feature's meters with labels of 128 bytes: 0.4 MiB.
#[test]
fn memory_is_bounded() {
    assert_eq!(Meters::bytes_max(128) >> 10, 557);
}

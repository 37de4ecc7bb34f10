use super::*;
use crate::core::dialect::Settings;
use crate::core::request::{FinishReason, Outcome};
use crate::core::wire::{Any, Log, Span as Sent, logs, traces};
use crate::otlp::{Logs, Traces};

use Any::{Bool, Double, Int, Text};

const SECOND: u64 = 1_000_000_000;

const LIMITS: Limits = Limits {
    root_grace: Duration::from_secs(2),
    idle_timeout: Duration::from_secs(30),
    traces_max: 10,
    spans_per_trace_max: 8,
    bytes_max: 1 << 20,
    content_bytes_max: 100,
};

fn assembly(limits: Limits) -> Assembly {
    Assembly::new(limits, Normaliser::new(&Settings::default()))
}

fn at(seconds: u64) -> UnixNanos {
    UnixNanos(seconds * SECOND)
}

fn send(assembly: &mut Assembly, now: UnixNanos, spans: &[Sent]) -> Vec<Added> {
    let traces = Traces::parse(traces(&[("service.name", Text("shop"))], spans)).expect("what we wrote");
    traces.spans().map(|(resource, scope, span)| assembly.span(now, &resource, scope, &span)).collect()
}

fn tell(assembly: &mut Assembly, now: UnixNanos, records: &[Log]) -> Vec<Added> {
    let logs = Logs::parse(logs(&[("service.name", Text("judge"))], records)).expect("what we wrote");
    logs.records().map(|(resource, scope, record)| assembly.log(now, &resource, scope, &record)).collect()
}

/// A model call from `start` to `end` milliseconds.
fn call(trace: u8, id: u8, parent: u8, start: u64, end: u64, more: &[(&'static str, Any)]) -> Sent {
    let own = [("gen_ai.operation.name", Text("chat")), ("gen_ai.request.model", Text("m"))];
    let attributes = [more, &own[..]].concat();
    Sent {
        trace,
        id,
        parent,
        start: SECOND + start * 1_000_000,
        end: SECOND + end * 1_000_000,
        attributes,
        ..Sent::default()
    }
}

fn plain(trace: u8, id: u8, parent: u8, start: u64, end: u64) -> Sent {
    Sent { attributes: Vec::new(), name: "POST /ask", ..call(trace, id, parent, start, end, &[]) }
}

fn evaluation(trace: u8, span: u8, more: &[(&'static str, Any)]) -> Log {
    let own = [("gen_ai.evaluation.name", Text("relevance")), ("gen_ai.evaluation.score.value", Double(0.8))];
    Log { trace, span, at: 5 * SECOND, event: "gen_ai.evaluation.result", attributes: [&own[..], more].concat() }
}

/// The one request of these spans.
fn request(spans: &[Sent]) -> Request {
    let mut assembly = assembly(LIMITS);
    send(&mut assembly, at(1), spans);
    let mut closed = assembly.close_all(at(1));
    match (closed.pop(), closed.is_empty()) {
        (Some(Closed::Request(request)), true) => *request,
        other => panic!("{other:?}"),
    }
}

/// Proves when a trace closes: its grace after the root, else its timeout after the last sign of life.
#[test]
fn traces_close_by_root_or_by_silence() {
    let mut assembly = assembly(LIMITS);
    send(&mut assembly, at(0), &[call(1, 2, 1, 0, 10, &[]), call(2, 2, 1, 0, 10, &[]), call(3, 1, 0, 0, 10, &[])]);
    send(&mut assembly, at(1), &[plain(1, 1, 0, 0, 20)]);
    send(&mut assembly, at(20), &[]);
    let mut when = Vec::new();
    for second in 0..60 {
        if second == 20 {
            send(&mut assembly, at(20), &[call(2, 3, 1, 20, 30, &[])]);
        }
        for closed in assembly.close_due(at(second)) {
            let Closed::Request(request) = closed else { panic!("no verdicts here") };
            when.push((second, request.trace_id.0[0], request.calls.len()));
        }
    }
    assert_eq!(when, [(2, 3, 1), (3, 1, 1), (50, 2, 2)]);
    assert_eq!((assembly.open_traces(), assembly.bytes()), (0, 0));
}

/// Proves that a root with its parent in another process does not end a trace in which somebody still waits for
/// another parent, and that one without does.
#[test]
fn a_remote_parent_is_a_root_of_its_own_process_only() {
    for (dangling, closes_at) in [(true, 30), (false, 2)] {
        let mut assembly = assembly(LIMITS);
        let parent = if dangling { 7 } else { 1 };
        send(
            &mut assembly,
            at(0),
            &[call(1, 2, parent, 0, 10, &[]), Sent { parent: 9, flags: 0x300, ..plain(1, 1, 0, 0, 20) }],
        );
        let closed = (0..60).find(|second| !assembly.close_due(at(*second)).is_empty());
        assert_eq!(closed, Some(closes_at), "{dangling}");
    }
}

/// Proves that limits hold, that each says what it cost, and that what is evicted still becomes a request.
#[test]
fn limits_hold_and_count() {
    let mut many = assembly(LIMITS);
    for trace in 1..=15 {
        send(&mut many, at(trace.into()), &[call(trace, 1, 9, 0, 10, &[])]);
        assert!(many.open_traces() <= LIMITS.traces_max);
    }
    assert_eq!((many.evicted(Evicted::Traces), many.close_due(at(16)).len()), (5, 5));

    let mut heavy = assembly(Limits { bytes_max: 2048, ..LIMITS });
    for trace in 1..=9 {
        send(&mut heavy, at(1), &[call(trace, 1, 9, 0, 10, &[("gen_ai.response.id", Text("some id"))])]);
        assert!(heavy.bytes() <= 2048);
    }
    assert!(heavy.evicted(Evicted::Bytes) > 0);
    assert_eq!(heavy.close_all(at(2)).len(), 9);

    let mut long = assembly(LIMITS);
    let spans: Vec<Sent> =
        (1..=12).map(|id| call(1, id, 99, u64::from(id) * 10, u64::from(id) * 10 + 5, &[])).collect();
    send(&mut long, at(1), &spans);
    send(&mut long, at(1), &spans[..2]);
    assert_eq!(long.evicted(Evicted::Spans), 4, "duplicates are no loss");
    let records: Vec<Log> = (0..100).map(|n| Log { at: n, ..evaluation(1, 1, &[]) }).collect();
    tell(&mut long, at(1), &records);
    assert_eq!(long.evicted(Evicted::Spans), 4 + 100 - 4 * 8);
}

/// Proves that an LLM span after its request closed is counted and makes no second request, and that a trace that
/// closed by silence goes on as another part.
#[test]
fn late_spans_make_no_second_request() {
    let mut assembly = assembly(LIMITS);
    send(&mut assembly, at(0), &[plain(1, 1, 0, 0, 20), call(1, 2, 1, 0, 10, &[]), call(2, 2, 1, 0, 10, &[])]);
    assert_eq!(assembly.close_due(at(40)).len(), 2);
    send(&mut assembly, at(41), &[call(1, 3, 1, 0, 10, &[]), call(2, 3, 1, 0, 10, &[])]);
    assert_eq!((assembly.evicted(Evicted::Late), assembly.close_all(at(41)).len()), (1, 1));
}

/// Proves that a verdict finds its request before, during and after its life, by trace and by response id, and is
/// not lost when there is none.
#[test]
fn verdicts_find_their_request() {
    let answer = || [plain(1, 1, 0, 0, 20), call(1, 2, 1, 0, 10, &[("gen_ai.response.id", Text("r1"))])];
    let by_response = evaluation(0, 0, &[("gen_ai.response.id", Text("r1"))]);
    for verdict in [evaluation(1, 1, &[]), evaluation(1, 77, &[]), by_response.clone()] {
        for before in [true, false] {
            let mut assembly = assembly(LIMITS);
            if before {
                tell(&mut assembly, at(0), std::slice::from_ref(&verdict));
            }
            send(&mut assembly, at(0), &answer());
            if !before {
                tell(&mut assembly, at(0), std::slice::from_ref(&verdict));
            }
            let closed = assembly.close_due(at(5));
            let [Closed::Request(request)] = closed.as_slice() else { panic!("{closed:?}") };
            assert_eq!(request.evaluations.len(), 1, "{verdict:?} {before}");
        }
        let mut assembly = assembly(LIMITS);
        send(&mut assembly, at(0), &answer());
        assembly.close_due(at(5));
        tell(&mut assembly, at(6), &[verdict]);
        let closed = assembly.close_due(at(6));
        let [Closed::Late { trace_id, feature, evaluations, .. }] = closed.as_slice() else { panic!("{closed:?}") };
        assert_eq!((trace_id.0[0], &**feature, evaluations.len()), (1, "POST /ask", 1));
    }
    let mut assembly = assembly(LIMITS);
    tell(&mut assembly, at(0), &[by_response, evaluation(5, 5, &[("app.feature", Text("f"))])]);
    let mut orphans: Vec<_> = assembly.close_due(at(31)).iter().map(|it| format!("{it:?}")).collect();
    orphans.sort();
    assert!(orphans[0].contains("000000") && orphans[0].contains("\"judge\""), "{orphans:?}");
    assert!(orphans[1].contains("050505") && orphans[1].contains("\"f\""), "{orphans:?}");
}

/// Proves that feedback is told apart from judgement.
#[test]
fn feedback_is_not_an_evaluation() {
    let mut assembly = assembly(LIMITS);
    send(&mut assembly, at(0), &[call(1, 1, 0, 0, 10, &[])]);
    let human = ("gen_ai.evaluation.evaluator.type", Text("human"));
    tell(&mut assembly, at(0), &[evaluation(1, 1, &[human, ("gen_ai.evaluation.score.label", Text("thumbs_down"))])]);
    let closed = assembly.close_due(at(5));
    let [Closed::Request(request)] = closed.as_slice() else { panic!("{closed:?}") };
    assert_eq!(request.evaluations, []);
    assert_eq!(request.feedback.as_ref().and_then(|it| it.positive), Some(false));
}

/// Proves that one call is counted once: nested, side by side, or by response id; and that different calls are not.
#[test]
fn one_call_is_counted_once() {
    let id = |id| ("gen_ai.response.id", Text(id));
    let tokens = ("gen_ai.usage.input_tokens", Int(7));
    let root = plain(1, 1, 0, 0, 100);
    let nested = [
        root.clone(),
        call(1, 2, 1, 0, 50, &[("gen_ai.request.temperature", Int(0))]),
        call(1, 3, 2, 5, 45, &[tokens]),
    ];
    let request_of_nested = request(&nested);
    assert_eq!(request_of_nested.calls.len(), 1);
    assert_eq!((request_of_nested.calls[0].temperature, request_of_nested.calls[0].input_tokens), (Some(0.0), Some(7)));
    assert_eq!(request_of_nested.calls[0].duration, Duration::from_millis(40));
    let count = |spans: &[Sent]| request(spans).calls.len();
    assert_eq!(count(&[root.clone(), call(1, 2, 1, 0, 50, &[id("a")]), call(1, 3, 1, 40, 70, &[id("a")])]), 1);
    let answers_again = [root.clone(), call(1, 2, 1, 0, 50, &[id("a")]), call(1, 3, 1, 60, 70, &[id("a")])];
    assert_eq!(count(&answers_again), 2, "a cache answers with an old id");
    assert_eq!(count(&[root.clone(), call(1, 2, 1, 0, 50, &[id("a")]), call(1, 3, 2, 5, 45, &[id("b")])]), 2);
    assert_eq!(count(&[root.clone(), call(1, 2, 1, 0, 50, &[]), call(1, 3, 1, 5, 45, &[])]), 2, "parallel calls");
    let model = |name| ("gen_ai.request.model", Text(name));
    for (outer, inner, calls) in [
        ("openai/gpt-4o-mini", "gpt-4o-mini", 1),
        ("claude-3-5-sonnet-20241022", "us.anthropic.claude-3-5-sonnet-20241022-v2:0", 1),
        ("gpt-4o", "gpt-4o-2024-08-06", 1),
        ("gpt-4o", "gpt-4o-mini", 2),
    ] {
        let spans = [root.clone(), call(1, 2, 1, 0, 50, &[model(outer)]), call(1, 3, 2, 5, 45, &[model(inner)])];
        assert_eq!(count(&spans), calls, "{outer} around {inner}");
    }
    let tool = Sent { attributes: vec![("gen_ai.operation.name", Text("execute_tool"))], ..plain(1, 3, 2, 5, 45) };
    let own = [root.clone(), call(1, 2, 1, 0, 50, &[]), tool, call(1, 4, 3, 6, 40, &[])];
    assert_eq!(count(&own), 2, "a tool calls a model on its own account");
    let wrapper = [root, call(1, 2, 1, 0, 90, &[]), call(1, 3, 2, 5, 40, &[]), call(1, 4, 2, 45, 80, &[])];
    assert_eq!(count(&wrapper), 2, "a span around several calls is none");
    assert_eq!(
        count(&[call(1, 2, 0, 0, 50, &[]), call(1, 3, 0, 60, 70, &[])]),
        2,
        "calls without a parent are one request"
    );
}

/// Proves what is a retry: attempts that failed in passing before one that worked, side by side or inside one span.
#[test]
fn failed_attempts_before_a_success_are_retries() {
    let failed = |id, parent, start, end, error| Sent { error: Some(error), ..call(1, id, parent, start, end, &[]) };
    let root = plain(1, 1, 0, 0, 100);
    let retried = request(&[
        root.clone(),
        failed(2, 1, 0, 10, "Error code: 429"),
        failed(3, 1, 12, 20, "timed out"),
        call(1, 4, 1, 25, 40, &[]),
    ]);
    assert_eq!((retried.outcome, retried.calls.len(), retried.calls[0].retries), (Outcome::Ok, 1, Some(2)));
    assert_eq!(retried.calls[0].duration, Duration::from_millis(40), "the user waited for all attempts");
    let inside = request(&[
        root.clone(),
        call(1, 2, 1, 0, 50, &[]),
        failed(3, 2, 1, 10, "Error code: 500"),
        call(1, 4, 2, 12, 48, &[]),
    ]);
    assert_eq!((inside.outcome, inside.calls.len(), inside.calls[0].retries), (Outcome::Ok, 1, Some(1)));
    let in_vain =
        request(&[root.clone(), failed(2, 1, 0, 10, "Error code: 429"), failed(3, 1, 12, 20, "Error code: 429")]);
    assert_eq!((in_vain.outcome, in_vain.calls.len()), (Outcome::Error, 2));
    let wrong = request(&[root.clone(), failed(2, 1, 0, 10, "Error code: 400"), call(1, 3, 1, 12, 20, &[])]);
    assert_eq!((wrong.outcome, wrong.calls.len()), (Outcome::Ok, 2), "asking wrongly is no retry");
    let told = request(&[root, call(1, 2, 1, 0, 10, &[("http.request.resend_count", Int(3))])]);
    assert_eq!(told.calls[0].retries, Some(3));
}

/// Proves how a call's end decides the outcome.
#[test]
fn the_outcome_follows_from_the_last_call() {
    let finish = |reason| ("gen_ai.response.finish_reasons", Text(reason));
    let silence = ("gen_ai.output.messages", Text(r#"[{"role":"assistant","parts":[]}]"#));
    for (more, outcome) in [
        (vec![finish("stop")], Outcome::Ok),
        (vec![finish("length")], Outcome::Ok),
        (vec![finish("[\"refusal\"]")], Outcome::Refused),
        (vec![finish("content-filter")], Outcome::Blocked),
        (vec![finish("error")], Outcome::Error),
        (vec![("gen_ai.response.refusal", Bool(true))], Outcome::Refused),
        (vec![("gen_ai.response.block.category", Text("violence"))], Outcome::Blocked),
        (vec![("error.type", Text("timeout"))], Outcome::Error),
        (vec![finish("stop"), silence, ("gen_ai.usage.output_tokens", Int(1))], Outcome::Refused),
        (vec![finish("stop"), silence, ("gen_ai.usage.output_tokens", Int(50))], Outcome::Ok),
        (vec![finish("tool_calls"), silence], Outcome::Ok),
    ] {
        assert_eq!(request(&[plain(1, 1, 0, 0, 20), call(1, 2, 1, 0, 10, &more)]).outcome, outcome, "{more:?}");
    }
    let blocked = Sent { error: Some("400: content_filter"), ..call(1, 1, 0, 0, 10, &[]) };
    assert_eq!(request(&[blocked]).outcome, Outcome::Blocked);
    let root = Sent { error: Some("boom"), ..plain(1, 1, 0, 0, 20) };
    assert_eq!(request(&[root, call(1, 2, 1, 0, 10, &[finish("stop")])]).outcome, Outcome::Error);
    let tool = [("gen_ai.operation.name", Text("execute_tool")), ("gen_ai.tool.name", Text("t"))];
    let tool = Sent { error: Some("boom"), attributes: tool.to_vec(), ..call(1, 3, 1, 4, 6, &[]) };
    let handled = request(&[plain(1, 1, 0, 0, 20), tool, call(1, 2, 1, 7, 10, &[finish("stop")])]);
    assert_eq!(
        (handled.outcome, handled.tools[0].error.is_some()),
        (Outcome::Ok, true),
        "a tool's error is the tool's"
    );
    assert_eq!(handled.finish_reason, Some(FinishReason::Stop));
}

/// Proves that bad times and ids cost no span more than they must.
#[test]
fn bad_times_are_tolerated_and_bad_ids_rejected() {
    let backwards = request(&[call(1, 1, 0, 20, 10, &[])]);
    assert_eq!((backwards.latency, backwards.calls[0].duration), (Duration::ZERO, Duration::ZERO));
    let unset = request(&[plain(1, 1, 0, 0, 20), Sent { start: 0, end: 0, ..call(1, 2, 1, 0, 0, &[]) }]);
    assert_eq!(unset.started_at, UnixNanos(SECOND));
    let circle = request(&[call(1, 1, 2, 0, 10, &[]), call(1, 2, 1, 20, 30, &[])]);
    assert_eq!(circle.calls.len(), 2);
    let mut assembly = assembly(LIMITS);
    assert_eq!(send(&mut assembly, at(0), &[call(0, 1, 0, 0, 1, &[])]), [Added::Rejected("invalid trace_id")]);
    assert_eq!(send(&mut assembly, at(0), &[call(1, 0, 0, 0, 1, &[])]), [Added::Rejected("invalid span_id")]);
    let cut =
        call(1, 1, 0, 0, 1, &[("gen_ai.input.messages", Text(r#"[{"role":"user","parts":[{"type":"text","cont"#))]);
    assert_eq!(request(&[cut]).user_query, None);
}

/// Proves what a retrieval takes from the span, from the root and from the resource, and where its age comes from.
#[test]
fn a_retrieval_knows_its_index() {
    let attributes = vec![
        ("gen_ai.operation.name", Text("retrieval")),
        ("gen_ai.data_source.id", Text("kb")),
        ("gen_ai.retrieval.documents", Text(r#"[{"id":"a","score":1}]"#)),
    ];
    let search = Sent { attributes, ..call(1, 2, 1, 0, 10, &[]) };
    let root = |more: &[(&'static str, Any)]| Sent { attributes: more.to_vec(), ..plain(1, 1, 0, 0, 20) };
    let version = ("gen_ai.data_source.version", Text("v12"));
    let found = request(&[root(&[version, ("gen_ai.retrieval.freshness.lag", Text("90"))]), search.clone()]);
    let retrieval = &found.retrievals[0];
    assert_eq!((retrieval.index.as_deref(), retrieval.index_version.as_deref()), (Some("kb"), Some("v12")));
    assert_eq!(retrieval.freshness_lag, Some(Duration::from_secs(90)));
    assert_eq!(retrieval.documents.as_ref().map(Vec::len), Some(1));
    assert_eq!(request(&[root(&[]), search]).retrievals[0].freshness_lag, None);
}

/// Proves the feature's precedence: the key's rank before the place, the root before the others, a name at last.
#[test]
fn the_feature_follows_its_precedence() {
    let (agent, workflow) = (("gen_ai.agent.name", Text("agent")), ("gen_ai.workflow.name", Text("workflow")));
    let root = |more: &[(&'static str, Any)]| Sent { attributes: more.to_vec(), ..plain(1, 1, 0, 0, 20) };
    for (spans, feature) in [
        (vec![root(&[agent]), call(1, 2, 1, 0, 9, &[workflow])], "workflow"),
        (vec![root(&[agent]), call(1, 2, 1, 0, 9, &[("gen_ai.agent.name", Text("inner"))])], "agent"),
        (vec![root(&[]), call(1, 2, 1, 0, 9, &[])], "POST /ask"),
        (vec![call(1, 2, 0, 0, 9, &[])], "shop"),
        (vec![root(&[]), call(1, 2, 1, 0, 9, &[]), call(1, 3, 1, 0, 9, &[("app.feature", Text("own"))])], "own"),
    ] {
        assert_eq!(&*request(&spans).feature, feature);
    }
}

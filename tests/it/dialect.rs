//! Recorded telemetry of real SDKs through dialects and assembly: the requests they make, whatever order and
//! grouping they arrive in.

#![expect(clippy::unwrap_used, reason = "a fixture that can't be read fails its test")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use freezeframe::core::assembly::{Added, Assembly, Closed, Limits};
use freezeframe::core::dialect::{Normaliser, Settings};
use freezeframe::core::request::{Feedback, FinishReason, ModelCall, Outcome, Prompt, Request};
use freezeframe::core::time::UnixNanos;
use freezeframe::otlp::{Logs, Scope, Traces};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const LIMITS: Limits = Limits {
    root_grace: Duration::from_secs(2),
    idle_timeout: Duration::from_secs(30),
    traces_max: 1000,
    spans_per_trace_max: 1000,
    bytes_max: 64 << 20,
    content_bytes_max: 4096,
};

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/captures")
}

/// The payloads of one scenario in order of arrival.
fn payloads(dialect: &str, scenario: &str) -> Vec<(bool, Bytes)> {
    let mut found: Vec<(u32, bool, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(captures().join(dialect)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(rest) = name.strip_prefix(scenario).and_then(|rest| rest.strip_prefix('-')) else { continue };
        let Some((number, signal)) = rest.split_once('.') else { continue };
        let Ok(number) = number.parse() else { continue };
        if !["traces.pb", "logs.pb"].contains(&signal) {
            continue;
        }
        found.push((number, signal == "traces.pb", path));
    }
    found.sort();
    found.into_iter().map(|(_, traces, path)| (traces, Bytes::from(std::fs::read(path).unwrap()))).collect()
}

/// One span or record, to be fed by itself: the number of its payload and its place in there.
fn items(payloads: &[(bool, Bytes)]) -> Vec<(usize, usize)> {
    let count = |(traces, bytes): &(bool, Bytes)| match traces {
        true => Traces::parse(bytes.clone()).unwrap().len(),
        false => Logs::parse(bytes.clone()).unwrap().len(),
    };
    payloads.iter().enumerate().flat_map(|(n, payload)| (0..count(payload)).map(move |at| (n, at))).collect()
}

fn feed(assembly: &mut Assembly, payloads: &[(bool, Bytes)], order: &[(usize, usize)], scoped: bool) {
    for (n, at) in order {
        let (is_traces, bytes) = &payloads[*n];
        let added = if *is_traces {
            let traces = Traces::parse(bytes.clone()).unwrap();
            let (resource, scope, span) = traces.spans().nth(*at).unwrap();
            let scope = if scoped { scope } else { Scope { name: b"" } };
            assembly.span(UnixNanos(1), &resource, scope, &span)
        } else {
            let logs = Logs::parse(bytes.clone()).unwrap();
            let (resource, scope, record) = logs.records().nth(*at).unwrap();
            assembly.log(UnixNanos(1), &resource, scope, &record)
        };
        assert!(!matches!(added, Added::Rejected(_)), "{added:?}");
    }
}

fn closed(payloads: &[(bool, Bytes)], order: &[(usize, usize)]) -> Vec<Closed> {
    closed_scoped(payloads, order, true)
}

fn closed_scoped(payloads: &[(bool, Bytes)], order: &[(usize, usize)], scoped: bool) -> Vec<Closed> {
    let mut assembly = Assembly::new(LIMITS, Normaliser::new(&Settings::default()));
    feed(&mut assembly, payloads, order, scoped);
    let mut closed = assembly.close_all(UnixNanos(2));
    closed.sort_by_key(|it| match it {
        Closed::Request(request) => (request.started_at, request.trace_id),
        Closed::Late { trace_id, .. } => (UnixNanos(u64::MAX), *trace_id),
    });
    closed
}

fn requests(dialect: &str, scenario: &str) -> Vec<Request> {
    let payloads = payloads(dialect, scenario);
    assert!(!payloads.is_empty(), "{dialect}/{scenario}");
    let order = items(&payloads);
    closed(&payloads, &order)
        .into_iter()
        .filter_map(|it| match it {
            Closed::Request(request) => Some(*request),
            Closed::Late { .. } => None,
        })
        .collect()
}

/// Every scenario among the fixtures.
fn scenarios() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for dialect in std::fs::read_dir(captures()).unwrap() {
        let dialect = dialect.unwrap();
        for entry in std::fs::read_dir(dialect.path()).unwrap() {
            let name = entry.unwrap().file_name().to_str().unwrap().to_owned();
            let scenario = name.split('.').next().unwrap().rsplit_once('-').unwrap().0.to_owned();
            found.push((dialect.file_name().to_str().unwrap().to_owned(), scenario));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// What a scenario must come to.
struct Truth {
    dialect: &'static str,
    scenario: &'static str,
    feature: &'static str,
    outcome: Outcome,
    finish: Option<FinishReason>,
    /// Input and output tokens of every call.
    tokens: &'static [(Option<u64>, Option<u64>)],
    path: Option<&'static str>,
}

const CHAT: &[(Option<u64>, Option<u64>)] = &[(Some(36), Some(8))];
const TOOLS: &[(Option<u64>, Option<u64>)] = &[(Some(41), Some(75)), (Some(158), Some(41)), (Some(176), Some(20))];
const PATH: Option<&str> = Some("get_order|search_kb>convert_currency");

const fn answered(
    dialect: &'static str,
    scenario: &'static str,
    feature: &'static str,
    tokens: &'static [(Option<u64>, Option<u64>)],
    path: Option<&'static str>,
) -> Truth {
    Truth { dialect, scenario, feature, outcome: Outcome::Ok, finish: Some(FinishReason::Stop), tokens, path }
}

/// Scenarios that are one request.
const TRUTHS: &[Truth] = &[
    answered("official-legacy", "chat", "/ask", CHAT, None),
    answered("official-legacy", "stream", "/ask", CHAT, None),
    answered("official-legacy", "rag", "/rag", &[(Some(68), Some(13))], None),
    answered("official-legacy", "tools", "/agent", TOOLS, PATH),
    answered("official-latest", "chat", "/ask", CHAT, None),
    answered("official-latest", "chat-noroot", "support-api", CHAT, None),
    answered("official-latest", "stream", "/ask", CHAT, None),
    answered("official-latest", "stream-nousage", "/ask", &[(None, None)], None),
    answered("official-latest", "rag", "/rag", &[(Some(68), Some(13))], None),
    answered("official-latest", "eval", "/ask", CHAT, None),
    answered("official-latest", "retry", "/ask", &[(Some(35), Some(8))], None),
    answered("official-latest", "tools", "/agent", TOOLS, PATH),
    answered("official-nocontent", "chat", "/ask", CHAT, None),
    answered("official-nocontent", "stream", "/ask", CHAT, None),
    answered("official-nocontent", "tools", "support_agent", TOOLS, PATH),
    answered("official-js", "chat", "support-web", CHAT, None),
    answered("openinference", "chat", "order-help", CHAT, None),
    answered("openinference", "stream", "order-help", CHAT, None),
    answered("openinference", "rag", "order-help", &[(Some(68), Some(13))], None),
    answered("openinference", "eval", "order-help", CHAT, None),
    answered("openinference", "tools", "order-help", TOOLS, PATH),
    answered("openinference-dual", "chat", "order-help", CHAT, None),
    answered("openinference-langchain", "rag", "order-help", &[(Some(64), Some(13))], None),
    answered("openllmetry", "chat", "order-help", CHAT, None),
    answered("openllmetry", "stream", "order-help", CHAT, None),
    answered("openllmetry", "prompt", "order-help", CHAT, None),
    answered("openllmetry", "rag", "order-help", &[(Some(68), Some(13))], None),
    answered("openllmetry", "tools", "order-help", TOOLS, PATH),
    answered("openllmetry-old", "chat", "order-help", CHAT, None),
    answered("vercel-ai7", "chat", "ask", CHAT, None),
    answered("pydantic-ai", "chat", "ask", CHAT, None),
    answered(
        "pydantic-ai",
        "tools",
        "support_agent",
        &[(Some(41), Some(75)), (Some(152), Some(41)), (Some(172), Some(20))],
        PATH,
    ),
    answered("openlit", "chat", "ask", CHAT, None),
    answered("litellm", "chat", "llm-gateway", CHAT, None),
    answered("logfire", "chat", "ask", CHAT, None),
    answered("anthropic-native", "chat", "ask", &[(Some(29), Some(7))], None),
    answered(
        "anthropic-native",
        "tools",
        "ask",
        &[(Some(28), Some(75)), (Some(149), Some(41)), (Some(163), Some(20))],
        PATH,
    ),
    Truth {
        dialect: "openllmetry",
        scenario: "anthropic",
        feature: "order-help",
        outcome: Outcome::Refused,
        finish: Some(FinishReason::Refusal),
        tokens: &[(Some(29), Some(7)), (Some(28), Some(75)), (Some(26), Some(1))],
        path: Some("get_order|search_kb"),
    },
    Truth {
        dialect: "official-latest",
        scenario: "refusals",
        feature: "/ask",
        outcome: Outcome::Refused,
        finish: Some(FinishReason::Length),
        tokens: &[(Some(31), Some(1)), (Some(31), Some(1)), (Some(31), Some(4))],
        path: None,
    },
    Truth {
        dialect: "official-latest",
        scenario: "cut",
        feature: "/ask",
        outcome: Outcome::Error,
        finish: Some(FinishReason::Error),
        tokens: &[(None, None), (None, None)],
        path: None,
    },
];

/// Proves the exact count of calls, tokens, tools and outcome of every scenario: nothing twice, nothing made up.
#[test]
fn every_scenario_comes_to_its_truth() {
    for truth in TRUTHS {
        let at = format!("{}/{}", truth.dialect, truth.scenario);
        let found = requests(truth.dialect, truth.scenario);
        let [request] = found.as_slice() else { panic!("{at}: {} requests", found.len()) };
        let tokens: Vec<_> = request.calls.iter().map(|call| (call.input_tokens, call.output_tokens)).collect();
        assert_eq!(&*request.feature, truth.feature, "{at}");
        assert_eq!((request.outcome, request.finish_reason), (truth.outcome, truth.finish), "{at}");
        assert_eq!(tokens, truth.tokens, "{at}");
        assert_eq!(request.tool_path.as_deref(), truth.path, "{at}");
        assert!(request.calls.iter().all(|call| call.model_served.is_some()), "{at}");
        let in_time = |call: &ModelCall| call.time_to_first_token.is_none_or(|it| it <= call.duration);
        assert!(request.calls.iter().all(in_time), "{at}");
    }
}

/// Proves that a request does not depend on the order of its parts, on how they were grouped in exports, on
/// parts that are sent twice, or on the names of instrumentation scopes.
#[test]
fn any_order_and_grouping_gives_the_same_request() {
    for (dialect, scenario) in scenarios() {
        let payloads = payloads(&dialect, &scenario);
        let order = items(&payloads);
        let expected = closed(&payloads, &order);
        let reversed: Vec<_> = order.iter().rev().copied().collect();
        assert_eq!(closed(&payloads, &reversed), expected, "{dialect}/{scenario} reversed");
        assert_eq!(closed_scoped(&payloads, &order, false), expected, "{dialect}/{scenario} without scopes");
        let twice = [order.clone(), reversed].concat();
        assert_eq!(closed(&payloads, &twice), expected, "{dialect}/{scenario} twice");
        let shuffled = Just(order).prop_shuffle();
        let mut runner = TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
        runner
            .run(&shuffled, |order| {
                prop_assert_eq!(closed(&payloads, &order), expected.clone(), "{}/{}", dialect, scenario);
                Ok(())
            })
            .unwrap();
    }
}

/// Proves that one tool has one contract digest in every dialect, whatever form its SDK writes, and that a
/// contract that really differs has another.
#[test]
fn tool_contracts_agree_over_dialects() {
    let offered = |dialect: &str, scenario: &str| requests(dialect, scenario)[0].tools_offered.clone();
    let expected = offered("openinference", "tools");
    assert_eq!(expected.iter().map(|it| &*it.name).collect::<Vec<_>>(), ["convert_currency", "get_order", "search_kb"]);
    for (dialect, scenario) in [("openllmetry", "tools"), ("openllmetry", "anthropic"), ("openlit", "tools")] {
        assert_eq!(offered(dialect, scenario), expected, "{dialect}/{scenario}");
    }
    let other = offered("pydantic-ai", "tools");
    assert_eq!(other[2], expected[2], "the same contract");
    assert_ne!(other[1].sha256, expected[1].sha256, "a parameter without a description");
}

/// Proves that the prompt has one identity in every dialect that captures content, wherever its SDK puts it.
#[test]
fn the_prompt_has_one_identity() {
    let mut found: Vec<_> = TRUTHS
        .iter()
        .filter(|truth| !truth.dialect.contains("nocontent") && truth.dialect != "official-js")
        .filter(|truth| (truth.dialect, truth.scenario) != ("anthropic-native", "tools"))
        .map(|truth| requests(truth.dialect, truth.scenario)[0].prompt.sha256.expect(truth.dialect))
        .collect();
    found.dedup();
    assert_eq!(found.len(), 1);
    for (dialect, scenario) in [("official-nocontent", "chat"), ("official-js", "chat")] {
        let request = &requests(dialect, scenario)[0];
        assert_eq!(
            (request.prompt.clone(), request.user_query.clone(), request.response.clone()),
            (Prompt::default(), None, None)
        );
    }
    assert_eq!(requests("openllmetry", "prompt")[0].prompt.version.as_deref(), Some("7"));
    assert_eq!(requests("openinference", "rag")[0].prompt.version.as_deref(), Some("v7"));
}

/// Proves that the tool path needs no tool spans: the messages tell the same.
#[test]
fn messages_alone_give_the_same_tool_path() {
    for dialect in ["official-latest", "official-legacy", "openinference", "openllmetry", "pydantic-ai"] {
        let payloads = payloads(dialect, "tools");
        let without: Vec<_> = items(&payloads).into_iter().filter(|at| !is_tool_span(&payloads, *at)).collect();
        let closed = closed(&payloads, &without);
        let [Closed::Request(request)] = closed.as_slice() else { panic!("{dialect}") };
        assert_eq!(request.tool_path.as_deref(), PATH, "{dialect}");
        assert_eq!(request.tools.len(), 3, "{dialect}");
        assert!(request.tools.iter().all(|tool| tool.duration.is_none()), "{dialect}");
        assert_eq!(
            requests(dialect, "tools")[0].tools.iter().filter(|tool| tool.error.is_some()).count(),
            1,
            "{dialect}"
        );
    }
}

fn is_tool_span(payloads: &[(bool, Bytes)], (n, at): (usize, usize)) -> bool {
    let (is_traces, bytes) = &payloads[n];
    if !is_traces {
        return false;
    }
    let traces = Traces::parse(bytes.clone()).unwrap();
    let (_, _, span) = traces.spans().nth(at).unwrap();
    let is = |key: &str, kind: &str| span.attributes().get(key).is_some_and(|it| it.as_str() == Some(kind));
    is("gen_ai.operation.name", "execute_tool")
        || is("openinference.span.kind", "TOOL")
        || is("traceloop.span.kind", "tool")
}

/// Proves that verdicts reach the request, with their judge, and that the judge's own call is not the feature's.
#[test]
fn verdicts_reach_the_request_with_their_judge() {
    for dialect in ["official-latest", "openinference"] {
        let request = &requests(dialect, "eval")[0];
        let [evaluation] = request.evaluations.as_slice() else { panic!("{dialect}: {:?}", request.evaluations) };
        assert_eq!((&*evaluation.metric, evaluation.score), ("relevance", Some(0.8)), "{dialect}");
        assert_eq!(evaluation.judge.model.as_deref(), Some("gpt-4o"), "{dialect}");
        assert_eq!(evaluation.judge.prompt.as_ref().map(|it| it.len()), Some(64), "{dialect}");
        assert!(request.calls.iter().all(|call| call.model_requested.as_deref() == Some("gpt-4o-mini")), "{dialect}");
    }
    let request = &requests("openinference", "eval")[0];
    assert_eq!(request.evaluations[0].judge.rubric_version.as_deref(), Some("3"));
    assert_eq!(request.feedback, Some(Feedback { positive: Some(true), score: Some(1.0), comment: None }));
}

/// Proves that documents keep what they have, and that freshness comes from their dates.
#[test]
fn documents_keep_what_they_have() {
    for (dialect, index, scored) in [
        ("openinference", None, true),
        ("openllmetry", Some("kb-acme-v12"), true),
        ("openinference-langchain", None, false),
    ] {
        let request = &requests(dialect, "rag")[0];
        let [retrieval] = request.retrievals.as_slice() else { panic!("{dialect}: {:?}", request.retrievals) };
        let mut documents = retrieval.documents.clone().expect(dialect);
        documents.sort_by(|a, b| a.id.cmp(&b.id));
        let ids: Vec<_> = documents.iter().map(|it| it.id.as_deref().expect(dialect)).collect();
        assert_eq!((retrieval.index.as_deref(), ids), (index, vec!["doc-1", "doc-2"]), "{dialect}");
        assert_eq!(documents[0].score, scored.then_some(0.91), "{dialect}");
        assert_eq!(retrieval.freshness_lag.map(|lag| lag.as_secs() / 86_400), Some(52), "{dialect}");
    }
    let request = &requests("official-latest", "rag")[0];
    assert_eq!(request.retrievals[0].index.as_deref(), Some("kb-acme-v12"));
    assert_eq!(request.retrievals[0].embedding_model.as_deref(), Some("text-embedding-3-small"));
    assert_eq!(request.retrievals[0].documents, None, "not captured is not empty");
}

/// Proves that every failure keeps its kind: five failed calls, whether of one request or of five.
#[test]
fn failures_keep_their_kind() {
    for dialect in ["official-latest", "official-legacy", "openinference"] {
        let requests = requests(dialect, "errors");
        let errors: Vec<_> =
            requests.iter().flat_map(|it| &it.calls).map(|it| it.error.clone().expect(dialect)).collect();
        let codes: Vec<_> = errors.iter().map(|it| it.status_code).collect();
        assert_eq!(codes, [Some(429), Some(500), Some(400), Some(400), None], "{dialect}");
        assert!(errors[4].timeout && errors[..4].iter().all(|it| !it.timeout), "{dialect}");
        assert!(errors[0].kind.ends_with("RateLimitError"), "{dialect}");
    }
    let outcomes: Vec<_> = requests("openinference", "errors").iter().map(|it| it.outcome).collect();
    assert_eq!(outcomes, [Outcome::Error, Outcome::Error, Outcome::Error, Outcome::Blocked, Outcome::Error]);
}

/// Proves that a stream's first token is known where the SDK tells, and missing, not zero, where it does not.
#[test]
fn first_tokens_are_told_or_missing() {
    for (dialect, told) in
        [("official-nocontent", true), ("openinference", true), ("openllmetry", true), ("official-latest", false)]
    {
        let found = requests(dialect, "stream")[0].calls[0].time_to_first_token;
        assert_eq!(found.is_some_and(|it| it >= Duration::from_millis(150)), told, "{dialect}");
        assert_eq!(found.is_some(), told, "{dialect}");
    }
    assert_eq!(requests("openlit", "chat")[0].calls[0].time_to_first_token, None, "set without a stream");
}

/// Proves that calls without a parent are requests of their own, and a trace without any LLM span is none.
#[test]
fn rootless_calls_are_requests_and_plain_traces_are_not() {
    assert_eq!(requests("openlit", "tools").len(), 3);
    let payloads = payloads("official-latest", "responses");
    assert_eq!(closed(&payloads, &items(&payloads)), []);
}

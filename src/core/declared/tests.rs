use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::core::dialect::Settings;
use crate::core::request::tests::request;
use crate::core::request::{Evaluation, Judge, ModelCall, Request, Retrieval, ToolCall};
use crate::core::wire::{Any, Log, logs};
use crate::otlp::Logs;

use Any::{Bool, Double, Int, Text};

const SECOND: u64 = 1_000_000_000;
const JUDGE: &str = "gen_ai.evaluation.evaluator.state";
const INDEX: &str = "gen_ai.data_source.state";
const PROMPT: &str = "gen_ai.prompt.state";
const TOOL: &str = "gen_ai.tool.state";

fn declared() -> Declared {
    Declared::new(Normaliser::new(&Settings::default()))
}

/// Declares at `at` seconds, heard at `now` seconds.
fn hear_at(declared: &mut Declared, now: u64, at: u64, event: &'static str, said: &[(&'static str, Any)]) -> Added {
    let log = Log { at: at * SECOND, event, attributes: said.to_vec(), ..Log::default() };
    let logs = Logs::parse(logs(&[("service.name", Text("ci"))], &[log])).expect("what we wrote");
    let (resource, _, record) = logs.records().next().expect("one record");
    declared.hear(UnixNanos(now * SECOND), &resource, &record).expect("a declaration")
}

fn hear(declared: &mut Declared, at: u64, event: &'static str, said: &[(&'static str, Any)]) {
    assert_eq!(hear_at(declared, 1_000, at, event, said), Added::Llm);
}

/// A request of the feature `support` that began at `at` seconds, called a model, a tool, searched, and was judged.
fn told(at: u64) -> Request {
    let judged = Evaluation {
        metric: "relevance".into(),
        score: Some(0.6),
        label: None,
        passed: None,
        judge: Judge::default(),
        error: None,
        sampled_by: None,
    };
    let tool = ToolCall { name: "get_order".into(), ran: true, ..ToolCall::default() };
    Request {
        started_at: UnixNanos(at * SECOND),
        calls: vec![ModelCall::default()],
        retrievals: vec![Retrieval::default()],
        evaluations: vec![judged],
        tools: vec![tool],
        ..request()
    }
}

fn completed(declared: &Declared, mut request: Request) -> Request {
    declared.complete(&mut request);
    request
}

/// Proves that everything a declaration can say reaches the request that lacks it.
#[test]
fn a_request_is_completed() {
    let mut declared = declared();
    let judge = [
        ("gen_ai.evaluation.name", Text("relevance")),
        ("gen_ai.evaluation.evaluator.name", Text("grader")),
        ("gen_ai.evaluation.evaluator.version", Text("3")),
        ("gen_ai.evaluation.evaluator.model", Text("gpt-4o")),
        ("gen_ai.evaluation.evaluator.config.hash", Text("sha256:ab")),
        ("gen_ai.evaluation.rubric.version", Text("r7")),
        ("gen_ai.evaluation.threshold", Double(0.5)),
        ("gen_ai.evaluation.evaluator.calibrated_at", Text("2026-11-01T00:00:00Z")),
    ];
    let index = [
        ("gen_ai.data_source.id", Text("kb")),
        ("gen_ai.data_source.version", Text("v12")),
        ("gen_ai.data_source.updated_at", Text("1970-01-01T00:01:40Z")),
        ("gen_ai.data_source.reindexing", Bool(true)),
        ("gen_ai.retrieval.embedding.model", Text("embed-3")),
    ];
    let prompt = [
        ("gen_ai.prompt.name", Text("answer")),
        ("gen_ai.prompt.version", Int(41)),
        ("gen_ai.prompt.components", Text(r#"[{"name":"style","version":"v2"},{"name":"policy","hash":"9f"}]"#)),
    ];
    let tool = [
        ("gen_ai.tool.name", Text("get_order")),
        ("gen_ai.tool.version", Text("5")),
        ("gen_ai.tool.definitions", Text(r#"{"name":"get_order","parameters":{"type":"object"}}"#)),
    ];
    let all: [(&'static str, &[_]); 4] = [(JUDGE, &judge), (INDEX, &index), (PROMPT, &prompt), (TOOL, &tool)];
    all.iter().for_each(|(event, said)| hear(&mut declared, 150, event, said));

    let request = completed(&declared, told(200));
    let retrieval = &request.retrievals[0];
    assert_eq!((retrieval.index.as_deref(), retrieval.index_version.as_deref()), (Some("kb"), Some("v12")));
    assert_eq!(retrieval.freshness_lag, Some(Duration::from_secs(100)), "as of when the request began");
    assert_eq!((retrieval.reindexing, retrieval.embedding_model.as_deref()), (Some(true), Some("embed-3")));
    let evaluation = &request.evaluations[0];
    assert_eq!(evaluation.passed, Some(true), "0.6 is above the declared threshold");
    assert_eq!(evaluation.judge.name.as_deref(), Some("grader"));
    assert_eq!(evaluation.judge.prompt.as_deref(), Some("sha256:ab"));
    assert_eq!(evaluation.judge.calibrated_at, UnixNanos::parse("2026-11-01T00:00:00Z"));
    assert_eq!((request.prompt.name.as_deref(), request.prompt.version.as_deref()), (Some("answer"), Some("41")));
    assert_eq!(request.prompt.components, [("policy".into(), "9f".into()), ("style".into(), "v2".into())]);
    assert_eq!(request.tools[0].version.as_deref(), Some("5"));
    assert_eq!(&*request.tools_offered[0].name, "get_order");
    let sources: Vec<_> = declared.iter().map(|(.., it)| (it.source.as_deref(), it.at)).collect();
    assert_eq!(sources, [(Some("ci"), UnixNanos(150 * SECOND)); 4], "who said it, and when, is kept");
}

/// Proves that what a drill declares holds for nobody.
#[test]
fn drills_declare_nothing() {
    let mut declared = declared();
    let kb = ("gen_ai.data_source.id", Text("kb"));
    let refused = hear_at(&mut declared, 10, 10, INDEX, &[kb, ("freezeframe.drill", Text("quality"))]);
    assert_eq!((refused, declared.iter().count()), (Added::Rejected("a drill declares nothing"), 0));
    hear(&mut declared, 10, INDEX, &[kb, ("freezeframe.drill", Text("false"))]);
    assert_eq!(declared.iter().count(), 1);
}

/// Proves that a frame learns what an index has not taken over, until it is told anew, and of the whole service what is
/// declared for any feature.
#[test]
fn pending_changes_hold_until_the_index_moves() {
    let mut declared = declared();
    let kb = ("gen_ai.data_source.id", Text("kb"));
    let pending = |said| ("gen_ai.data_source.pending_changes", said);
    let lag = ("gen_ai.retrieval.freshness.lag", Int(60));
    let of_feature = ("freezeframe.feature", Text("support"));
    hear(&mut declared, 10, INDEX, &[kb, of_feature, pending(Text(r#"["doc-1","doc-2",3]"#))]);
    hear(&mut declared, 20, INDEX, &[kb, of_feature, ("gen_ai.data_source.reindexing", Bool(true))]);
    hear(&mut declared, 30, INDEX, &[kb, of_feature, lag]);
    hear(&mut declared, 40, INDEX, &[("gen_ai.data_source.id", Text("faq")), pending(Int(214))]);
    let shown = |feature: &str, at: u64| {
        let indexes = declared.indexes(feature, UnixNanos(at * SECOND));
        let indexes = indexes.as_array().unwrap().iter();
        let told = |it: &serde_json::Value| (it["index"].clone(), it["pending_changes"].as_u64());
        indexes.map(told).map(|(name, changes)| (name.as_str().unwrap().to_owned(), changes)).collect::<Vec<_>>()
    };
    let faq = || ("faq".to_owned(), Some(214));
    assert_eq!(shown("support", 25), [faq(), ("kb".into(), Some(3))]);
    assert_eq!(shown("support", 35), [faq(), ("kb".into(), None)], "the index was taken over since");
    assert_eq!(shown("other", 45), [faq()]);
    assert_eq!(shown("_all", 25), [faq(), ("kb".into(), Some(3))]);
    let documents = &declared.indexes("support", UnixNanos(25 * SECOND))[1]["pending_documents"];
    assert_eq!(*documents, serde_json::json!(["doc-1", "doc-2", "3"]));
}

/// Proves that what a request says stands, and that a declaration of something else is not about it.
#[test]
fn what_a_request_says_stands() {
    let mut declared = declared();
    hear(
        &mut declared,
        1,
        INDEX,
        &[
            ("gen_ai.data_source.id", Text("kb")),
            ("gen_ai.data_source.version", Text("v12")),
            ("gen_ai.retrieval.embedding.model", Text("embed-3")),
        ],
    );
    hear(&mut declared, 1, PROMPT, &[("gen_ai.prompt.name", Text("a")), ("gen_ai.prompt.version", Text("2"))]);
    hear(
        &mut declared,
        1,
        JUDGE,
        &[
            ("gen_ai.evaluation.name", Text("relevance")),
            ("gen_ai.evaluation.evaluator.name", Text("grader")),
            ("gen_ai.evaluation.evaluator.model", Text("gpt-4o")),
            ("gen_ai.evaluation.threshold", Double(0.5)),
        ],
    );
    let mut own = told(2);
    own.retrievals[0].index = Some("kb".into());
    own.retrievals[0].index_version = Some("v11".into());
    own.prompt.version = Some("1".into());
    own.evaluations[0].judge.name = Some("another".into());
    assert_eq!(completed(&declared, own.clone()), own);
    own.retrievals[0].index = Some("another".into());
    own.prompt.name = Some("b".into());
    own.evaluations[0].metric = "toxicity".into();
    assert_eq!(completed(&declared, own.clone()), own);

    hear(&mut declared, 1, INDEX, &[("gen_ai.data_source.id", Text("kb2")), ("gen_ai.data_source.version", Text("1"))]);
    hear(&mut declared, 1, PROMPT, &[("gen_ai.prompt.name", Text("b")), ("gen_ai.prompt.version", Text("1"))]);
    let unnamed = Request { evaluations: Vec::new(), ..told(2) };
    assert_eq!(completed(&declared, unnamed.clone()), unnamed, "which of the two is not known");
}

/// Proves that a request gets what held when it began, its feature's own before every feature's, part by part, and the
/// oldest where nothing is known of that time.
#[test]
fn a_request_gets_what_held_when_it_began() {
    let mut declared = declared();
    let version = |version| [("gen_ai.data_source.id", Text("kb")), ("gen_ai.data_source.version", Text(version))];
    hear(&mut declared, 10, INDEX, &version("v1"));
    hear(&mut declared, 20, INDEX, &version("v2"));
    hear(
        &mut declared,
        30,
        INDEX,
        &[
            ("gen_ai.data_source.id", Text("kb")),
            ("gen_ai.retrieval.freshness.lag", Int(5)),
            ("freezeframe.feature", Text("support")),
        ],
    );
    let at = |at| {
        let retrieval = completed(&declared, told(at)).retrievals.remove(0);
        (retrieval.index_version.unwrap().to_string(), retrieval.freshness_lag.map(|it| it.as_secs()))
    };
    assert_eq!(at(15), ("v1".into(), Some(0)));
    assert_eq!(at(25).0, "v2");
    assert_eq!(at(40), ("v2".into(), Some(15)), "a lag of 5 s at 30 s is one of 15 s at 40 s");
    assert_eq!(at(5).0, "v1");
    let elsewhere = completed(&declared, Request { feature: "other".into(), ..told(40) });
    assert_eq!(elsewhere.retrievals[0].freshness_lag, None);
}

/// Proves that the judges at work are known without a verdict, and that a paused one is not at work.
#[test]
fn judges_are_known_without_a_verdict() {
    let mut declared = declared();
    for metric in ["toxicity", "relevance"] {
        hear(&mut declared, 1, JUDGE, &[("gen_ai.evaluation.name", Text(metric))]);
    }
    let metrics = |declared: &Declared| {
        let judges = declared.judges("support", UnixNanos(10 * SECOND));
        judges.into_iter().map(|it| it.metric.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(metrics(&declared), ["relevance", "toxicity"]);
    hear(
        &mut declared,
        5,
        JUDGE,
        &[("gen_ai.evaluation.name", Text("toxicity")), ("gen_ai.evaluation.state", Text("Paused"))],
    );
    assert_eq!(metrics(&declared), ["relevance"]);
}

/// Proves that the judge that signed off a release is remembered as it was then, whatever judges now.
#[test]
fn sign_offs_outlast_what_is_at_work() {
    let mut declared = declared();
    let judge = |version, more: &[(&'static str, Any)]| {
        let own =
            [("gen_ai.evaluation.name", Text("relevance")), ("gen_ai.evaluation.evaluator.version", Text(version))];
        own.into_iter().chain(more.iter().cloned()).collect::<Vec<_>>()
    };
    hear(&mut declared, 1, JUDGE, &judge("3", &[("freezeframe.release", Text("v1.4.2"))]));
    hear(&mut declared, 5, JUDGE, &judge("4", &[]));
    let at = |at| declared.signed_off("support", UnixNanos(at * SECOND));
    let found = at(10);
    assert_eq!((&found[0]["release"], &found[0]["version"]), (&"v1.4.2".into(), &"3".into()), "{found}");
    assert_eq!(declared.judges("support", UnixNanos(10 * SECOND))[0].judge.version.as_deref(), Some("4"));
    assert_eq!(at(0), serde_json::json!([]));

    let own = judge("5", &[("freezeframe.release", Text("v1.5")), ("freezeframe.feature", Text("support"))]);
    hear(&mut declared, 6, JUDGE, &own);
    let release = |feature| declared.signed_off(feature, UnixNanos(10 * SECOND))[0]["release"].clone();
    assert_eq!((release("support"), release("search")), ("v1.5".into(), "v1.4.2".into()));
}

/// Proves that tools declared for every feature are offered only where one of them ran, a feature's own always.
#[test]
fn shared_tools_are_offered_where_one_ran() {
    let mut declared = declared();
    let both = r#"[{"type":"function","function":{"name":"get_order"}},{"name":"search_kb"}]"#;
    hear(&mut declared, 1, TOOL, &[("gen_ai.tool.definitions", Text(both))]);
    let offered = |declared: &Declared, tools: bool| {
        let mut request = told(2);
        request.tools.truncate(usize::from(tools));
        completed(declared, request).tools_offered.len()
    };
    assert_eq!((offered(&declared, true), offered(&declared, false)), (2, 0));
    hear(
        &mut declared,
        1,
        TOOL,
        &[("gen_ai.tool.definitions", Text(r#"{"name":"refund"}"#)), ("freezeframe.feature", Text("support"))],
    );
    assert_eq!((offered(&declared, true), offered(&declared, false)), (3, 1));
}

/// Proves that a nameless declaration is refused, a future one counts from now, and other records are left alone.
#[test]
fn declarations_are_checked() {
    let mut declared = declared();
    for event in [JUDGE, INDEX, PROMPT, TOOL] {
        let added = hear_at(&mut declared, 1, 1, event, &[("gen_ai.prompt.version", Text("1"))]);
        assert_eq!(added, Added::Rejected("a declaration without a name"));
    }
    hear_at(&mut declared, 10, 99, PROMPT, &[("gen_ai.prompt.name", Text("a"))]);
    assert_eq!(declared.iter().map(|(.., it)| it.at).collect::<Vec<_>>(), [UnixNanos(10 * SECOND)]);
    let other = Log { event: "gen_ai.evaluation.result", ..Log::default() };
    let attribute = Log { attributes: vec![("event.name", Text(PROMPT))], ..Log::default() };
    let logs = Logs::parse(logs(&[], &[other, attribute])).expect("what we wrote");
    let found: Vec<_> = logs.records().map(|(_, _, record)| Subject::of(&record)).collect();
    assert_eq!(found, [None, Some(Subject::Prompt)]);
}

/// Proves the bound: whatever is declared, the newest stay and what is forgotten is counted.
#[test]
fn declarations_are_bounded() {
    let mut declared = declared();
    let word = |n: u64| -> &'static str { format!("{n:0>250}").leak() };
    let schema: &'static str = format!(r#"{{"name":"t","description":"{}"}}"#, "x".repeat(20_000)).leak();
    for n in 0..400 {
        let attributes = [("gen_ai.tool.definitions", Text(schema)), ("freezeframe.feature", Text(word(n)))];
        hear(&mut declared, n, TOOL, &attributes);
        assert!(declared.bytes() <= BYTES_MAX);
    }
    let left: Vec<_> = declared.iter().map(|(.., it)| it.at.0 / SECOND).collect();
    assert_eq!(declared.evicted(), 400 - left.len() as u64);
    assert!(left.len() > 200 && left.contains(&399) && !left.contains(&0), "{}", left.len());

    let (before, kept) = (declared.evicted(), declared.iter().count());
    for n in 0..THINGS_MAX as u64 + 10 {
        hear(&mut declared, 500 + n, PROMPT, &[("gen_ai.prompt.name", Text(word(n)))]);
    }
    let everywhere = declared.iter().filter(|(feature, ..)| feature.is_empty()).count();
    assert_eq!(
        (everywhere, declared.evicted() - before),
        (THINGS_MAX, 10 + (kept + THINGS_MAX - declared.iter().count()) as u64)
    );
}

proptest! {
    /// Proves that the order of arrival does not matter, for as many changes as are kept.
    #[test]
    fn order_of_arrival_does_not_matter(order in Just((1..=STATES_MAX as u64).collect::<Vec<_>>()).prop_shuffle()) {
        let (mut sorted, mut shuffled) = (declared(), declared());
        let say = |declared: &mut Declared, at: u64| {
            let version: &'static str = format!("v{}", at / 2).leak();
            hear(declared, at, INDEX, &[
                ("gen_ai.data_source.id", Text("kb")),
                if at.is_multiple_of(2) { ("gen_ai.data_source.version", Text(version)) } else { ("gen_ai.data_source.reindexing", Bool(at == 1)) },
            ]);
        };
        (1..=STATES_MAX as u64).for_each(|at| say(&mut sorted, at));
        order.iter().for_each(|at| say(&mut shuffled, *at));
        for at in 0..6 {
            prop_assert_eq!(completed(&sorted, told(at)), completed(&shuffled, told(at)));
        }
    }
}

/// Proves that a request rendered from another version than the one in service is told the one in service, by the prompt's
/// name or as the feature's only one, and no other request is.
#[test]
fn another_version_in_service_is_told() {
    let mut declared = declared();
    let say =
        |declared: &mut Declared, at, feature: Option<&'static str>, name: &'static str, version: &'static str| {
            let feature = feature.map(|it| ("freezeframe.feature", Text(it)));
            let said = [("gen_ai.prompt.name", Text(name)), ("gen_ai.prompt.version", Text(version))];
            hear(declared, at, PROMPT, &feature.into_iter().chain(said).collect::<Vec<_>>());
        };
    let expected = |declared: &Declared, at, name: Option<&str>, version: Option<&str>| {
        let mut request = told(at);
        (request.prompt.name, request.prompt.version) = (name.map(Into::into), version.map(Into::into));
        completed(declared, request).prompt.expected
    };
    say(&mut declared, 10, None, "shared", "s2");
    assert_eq!(expected(&declared, 20, None, Some("s1")), None, "every feature's prompt may be another one");
    assert_eq!(expected(&declared, 20, Some("shared"), Some("s1")).as_deref(), Some("s2"));
    say(&mut declared, 10, Some("support"), "answer", "v1");
    say(&mut declared, 30, Some("support"), "answer", "v2");
    assert_eq!(expected(&declared, 20, Some("answer"), Some("v1")), None);
    assert_eq!(expected(&declared, 40, Some("answer"), Some("v1")).as_deref(), Some("v2"));
    assert_eq!(expected(&declared, 40, None, Some("v1")).as_deref(), Some("v2"), "the feature's only one");
    assert_eq!(expected(&declared, 40, None, None), None, "it is completed, not contradicted");
    assert_eq!(expected(&declared, 40, Some("another"), Some("v1")), None);
    say(&mut declared, 30, Some("support"), "summary", "v7");
    assert_eq!(expected(&declared, 40, None, Some("v1")), None, "one of two");
}

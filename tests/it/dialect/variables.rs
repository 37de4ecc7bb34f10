//! The six variables' raw material: prompt identity, tool contracts, composition, documents.

use super::truths::{PATH, TRUTHS};
use super::*;
use freezeframe::core::dialect::Field;
use freezeframe::core::request::Prompt;

/// Proves that one tool has one contract digest in every dialect, whatever form its SDK writes, and that a
/// contract that really differs has another.
#[test]
fn tool_contracts_agree_over_dialects() {
    let offered = |dialect: &str, scenario: &str| requests(dialect, scenario)[0].tools_offered.clone();
    let expected = offered("openinference", "tools");
    assert_eq!(expected.iter().map(|it| &*it.name).collect::<Vec<_>>(), ["convert_currency", "get_order", "search_kb"]);
    for dialect in [
        "langfuse",
        "langsmith",
        "litellm",
        "logfire-openai",
        "mlflow",
        "official-genai",
        "openlit",
        "openllmetry",
        "openllmetry-old",
    ] {
        assert_eq!(offered(dialect, "tools"), expected, "{dialect}");
    }
    assert_eq!(offered("openllmetry", "anthropic"), expected);
    // These frameworks derive the schema from a function, which has no descriptions of parameters.
    let derived = [
        ("langfuse", "lc-agent"),
        ("langfuse-callback", "lc-agent"),
        ("langsmith", "lc-agent"),
        ("logfire", "tools"),
        ("openinference-langchain", "lc-agent"),
        ("pydantic-ai", "tools"),
        ("vercel-ai5", "tools"),
    ];
    let other = offered("pydantic-ai", "tools");
    assert_ne!(other[1].sha256, expected[1].sha256, "a parameter without a description");
    for (dialect, scenario) in derived {
        let found = offered(dialect, scenario);
        assert_eq!(found[2], expected[2], "{dialect}: the same contract");
        assert_eq!(found[1], other[1], "{dialect}: a parameter without a description");
    }
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
    let silent =
        ["anthropic-native-nocontent", "google-adk", "official-js", "official-nocontent", "openinference-hidden"];
    for (dialect, _) in scenarios().into_iter().filter(|(_, scenario)| scenario == "chat") {
        let prompt = &requests(&dialect, "chat")[0].prompt;
        let expected = (!silent.contains(&dialect.as_str())).then_some(found[0]);
        assert_eq!(prompt.sha256, expected, "{dialect}");
    }
    for (dialect, scenario) in [("official-nocontent", "chat"), ("official-js", "chat")] {
        let request = &requests(dialect, scenario)[0];
        assert_eq!(
            (request.prompt.clone(), request.user_query.clone(), request.response.clone()),
            (Prompt::default(), None, None)
        );
    }
    assert_eq!(requests("openllmetry", "prompt")[0].prompt.version.as_deref(), Some("7"));
    assert_eq!(requests("openinference", "rag")[0].prompt.version.as_deref(), Some("v7"));
    let prompt = &requests("langfuse", "prompt")[0].prompt;
    assert_eq!((prompt.name.as_deref(), prompt.version.as_deref()), (Some("support-answer"), Some("7")));
}

/// Proves that the tool path needs no tool spans: the messages tell the same.
#[test]
fn messages_alone_give_the_same_tool_path() {
    for dialect in [
        "langfuse",
        "langsmith",
        "logfire",
        "mlflow",
        "official-genai",
        "official-latest",
        "official-legacy",
        "openinference",
        "openllmetry",
        "openllmetry-old",
        "pydantic-ai",
        "vercel-ai5",
        "vercel-ai7",
    ] {
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
        || is("langfuse.observation.type", "tool")
        || is("langsmith.span.kind", "tool")
        || is("mlflow.spanType", "\"TOOL\"")
        || is("ai.operationId", "ai.toolCall")
}

/// Proves that documents keep what they have, and that freshness comes from their dates.
#[test]
fn documents_keep_what_they_have() {
    for (dialect, index, scored) in [
        ("openinference", None, true),
        ("openllmetry", Some("kb-acme-v12"), true),
        ("openinference-langchain", None, false),
        ("langfuse", None, true),
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
    // Each SDK shapes documents in its own way, and some leave things out.
    for (dialect, scenario) in [("langsmith", "rag"), ("langfuse-callback", "lc-rag"), ("openllmetry", "lc-rag")] {
        let requests = requests(dialect, scenario);
        let found: Vec<_> = requests.iter().flat_map(|it| &it.retrievals).collect();
        let [retrieval] = found.as_slice() else { panic!("{dialect}: {found:?}") };
        let documents = retrieval.documents.as_ref().expect(dialect);
        assert!(documents.len() == 2 && documents.iter().all(|it| it.content.is_some()), "{dialect}: {documents:?}");
        assert_eq!(retrieval.freshness_lag.map(|lag| lag.as_secs() / 86_400), Some(52), "{dialect}");
    }
}

/// Proves that the session is the application's, not a project or what a scrubber left, and that the user's own names
/// reach into whatever an SDK keeps of the application's metadata.
#[test]
fn metadata_is_within_reach() {
    for dialect in ["langfuse", "langsmith", "openinference", "openllmetry", "vercel-ai5"] {
        let request = &requests(dialect, "chat")[0];
        assert_eq!(request.session_id.as_deref(), Some("sess-9"), "{dialect}");
        assert_eq!((request.user_id.as_deref(), &*request.feature), (Some("user-42"), "order-help"), "{dialect}");
    }
    for request in scenarios().into_iter().flat_map(|(dialect, scenario)| requests(&dialect, &scenario)) {
        assert!(request.session_id.is_none_or(|it| !it.starts_with("[Scrubbed")), "{}", request.feature);
    }
    let settings = Settings { fields: vec![(Field::Tier, "metadata.experiment".to_owned())], ..Settings::default() };
    for dialect in ["langfuse", "langsmith", "openinference", "openllmetry"] {
        let payloads = payloads(dialect, "chat");
        let mut assembly = Assembly::new(LIMITS, Normaliser::new(&settings));
        feed(&mut assembly, &payloads, &items(&payloads), true);
        let closed = assembly.close_all(UnixNanos(2));
        let [Closed::Request(request)] = closed.as_slice() else { panic!("{dialect}") };
        assert_eq!(request.traffic.tier.as_deref(), Some("B"), "{dialect}");
    }
}

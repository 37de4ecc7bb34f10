use super::table::split_index;
use super::*;
use crate::core::wire::{Any, Span as Sent, traces};
use crate::otlp::Traces;

use Any::{Bool, Double, Int, Text};

/// Normalises one span and hands it to `check`.
fn normalised(settings: &Settings, sent: Sent, check: impl FnOnce(LlmSpan<'_>)) {
    let traces = Traces::parse(traces(&[], &[Sent { trace: 1, id: 1, ..sent }])).expect("what we wrote");
    let (_, scope, span) = traces.spans().next().expect("one span");
    check(Normaliser::new(settings).span(scope, &span).expect("ids"));
}

fn check(attributes: Vec<(&'static str, Any)>, name: &'static str, kind: Kind, names: &[&str]) {
    normalised(&Settings::default(), Sent { name, attributes: attributes.clone(), ..Sent::default() }, |span| {
        assert_eq!((span.kind, Normaliser::names(span.dialects).as_slice()), (kind, names), "{attributes:?}");
    });
}

/// Proves what every discriminating attribute stands for, that unknown values are kept as something else, and that
/// what is no LLM span stays none.
#[test]
fn spans_are_recognised_by_their_attributes() {
    let gen_ai = |operation| vec![("gen_ai.operation.name", Text(operation))];
    for (operation, kind) in [
        ("chat", Kind::Llm),
        ("generate_content", Kind::Llm),
        ("text_completion", Kind::Llm),
        ("embeddings", Kind::Embedding),
        ("retrieval", Kind::Retrieval),
        ("vector_db_retrieve", Kind::Retrieval),
        ("rerank", Kind::Reranker),
        ("execute_tool", Kind::Tool),
        ("invoke_agent", Kind::Agent),
        ("create_agent", Kind::Agent),
        ("invoke_workflow", Kind::Chain),
        ("agent_step", Kind::Chain),
        ("execute_task", Kind::Chain),
        ("fetch_response", Kind::Other),
        ("search_memory", Kind::Other),
        ("what_comes_next_year", Kind::Other),
    ] {
        check(gen_ai(operation), "", kind, &["gen_ai"]);
    }
    for operation in ["acompletion", "aresponses"] {
        check(gen_ai(operation), "", Kind::Llm, &["gen_ai"]);
    }
    let next_year =
        [gen_ai("converse"), vec![("gen_ai.request.model", Text("m")), ("gen_ai.usage.output_tokens", Int(1))]];
    check(next_year.concat(), "", Kind::Llm, &["gen_ai"]);
    check(vec![("evaluator_name", Text("alice"))], "POST /review", Kind::Other, &["pydantic_ai"]);
    let open_inference = |kind| vec![("openinference.span.kind", Text(kind))];
    for (name, kind) in [
        ("LLM", Kind::Llm),
        ("EMBEDDING", Kind::Embedding),
        ("RETRIEVER", Kind::Retrieval),
        ("RERANKER", Kind::Reranker),
        ("TOOL", Kind::Tool),
        ("AGENT", Kind::Agent),
        ("CHAIN", Kind::Chain),
        ("PROMPT", Kind::Chain),
        ("EVALUATOR", Kind::Evaluator),
        ("GUARDRAIL", Kind::Guardrail),
        ("DECISION", Kind::Other),
    ] {
        check(open_inference(name), "", kind, &["openinference"]);
    }
    for (name, kind) in [("workflow", Kind::Chain), ("task", Kind::Chain), ("agent", Kind::Agent), ("tool", Kind::Tool)]
    {
        check(vec![("traceloop.span.kind", Text(name))], "", kind, &["openllmetry"]);
    }
    for (name, kind) in [("chat", Kind::Llm), ("embedding", Kind::Embedding), ("rerank", Kind::Reranker)] {
        check(vec![("llm.request.type", Text(name))], "", kind, &["openllmetry"]);
    }
    check([gen_ai("chat"), open_inference("EMBEDDING")].concat(), "", Kind::Embedding, &["openinference", "gen_ai"]);
    check([gen_ai("chat"), open_inference("NEW")].concat(), "", Kind::Llm, &["openinference", "gen_ai"]);
    let model = ("gen_ai.request.model", Text("m"));
    check(vec![model, ("gen_ai.usage.input_tokens", Int(1))], "", Kind::Llm, &["gen_ai"]);
    check(vec![model], "", Kind::Other, &[]);
    check(vec![("gen_ai.output.messages", Text("plain"))], "", Kind::Other, &[]);
    check(vec![("gen_ai.tool.name", Text("t"))], "", Kind::Other, &[]);
    check([gen_ai("chat"), vec![("logfire.span_type", Text("pending_span"))]].concat(), "", Kind::Other, &[]);
    check(
        vec![("db.system", Text("Qdrant")), ("db.vector.query.top_k", Int(2))],
        "qdrant.query_points",
        Kind::Retrieval,
        &["openllmetry"],
    );
    check(vec![("db.system", Text("Qdrant"))], "qdrant.upsert", Kind::Other, &[]);
    check(vec![("db.system", Text("postgresql"))], "db.query", Kind::Other, &[]);
    check(vec![("http.route", Text("/ask"))], "POST /ask", Kind::Other, &[]);
    check(vec![], "evaluate relevance", Kind::Evaluator, &["gen_ai"]);
    check(vec![("app.feature", Text("f"))], "evaluate relevance", Kind::Other, &[]);
    check(vec![], "evaluate the loan application", Kind::Other, &[]);
}

/// Proves that a field takes its best key, whatever the order on the wire, and that silent values do not count.
#[test]
fn fields_take_their_best_key() {
    let check = |attributes: Vec<(&'static str, Any)>, field: Field, expected: Option<Scalar<'static>>| {
        let text = format!("{attributes:?}");
        normalised(&Settings::default(), Sent { attributes, ..Sent::default() }, |span| {
            assert_eq!(span.get(field), expected, "{text}");
        });
    };
    let (new, old) = (("gen_ai.provider.name", Text("new")), ("gen_ai.system", Text("old")));
    check(vec![new, old], Field::Provider, Some(Scalar::Text("new")));
    check(vec![old, new], Field::Provider, Some(Scalar::Text("new")));
    check(vec![("gen_ai.provider.name", Text("")), old], Field::Provider, Some(Scalar::Text("old")));
    check(vec![("session.id", Text("[Scrubbed due to 'session']"))], Field::SessionId, None);
    check(vec![("gen_ai.request.temperature", Int(0))], Field::Temperature, Some(Scalar::Int(0)));
    check(vec![("gen_ai.usage.cost", Double(0.5))], Field::Cost, Some(Scalar::Double(0.5)));
    check(vec![("llm.is_streaming", Bool(true))], Field::Streaming, Some(Scalar::Bool(true)));
    // Where both dialects are on a span, the model under `gen_ai.request.model` is the one that answered.
    let dual = vec![
        ("openinference.span.kind", Text("LLM")),
        ("gen_ai.request.model", Text("served")),
        ("llm.invocation_parameters", Text(r#"{"model": "asked", "temperature": 0.5}"#)),
    ];
    check(dual.clone(), Field::ModelRequested, Some(Scalar::Text("asked")));
    check(dual, Field::Temperature, Some(Scalar::Double(0.5)));
}

/// Proves that a user's own names go first, and reach into the metadata JSON.
#[test]
fn the_users_own_names_go_first() {
    let settings = Settings {
        fields: vec![(Field::IndexVersion, "metadata.index".to_owned()), (Field::Tier, "acme.plan".to_owned())],
        ..Settings::default()
    };
    let attributes = vec![
        ("metadata", Text(r#"{"feature": "order-help", "index": "v12", "other": {"deep": 1}}"#)),
        ("app.tier", Text("theirs")),
        ("acme.plan", Text("ours")),
        ("gen_ai.agent.name", Text("agent")),
    ];
    normalised(&settings, Sent { attributes, ..Sent::default() }, |span| {
        assert_eq!(span.text(Field::IndexVersion), Some("v12"));
        assert_eq!(span.text(Field::Tier), Some("ours"));
        assert_eq!(span.feature.map(|(_, name)| name), Some("order-help"));
    });
    for (kind, expected) in [(2, Some("/ask")), (3, None)] {
        let sent = Sent { attributes: vec![("http.route", Text("/ask"))], kind, ..Sent::default() };
        normalised(&settings, sent, |span| assert_eq!(span.feature.map(|(_, name)| name), expected));
    }
}

/// Proves that MLflow's GenAI export, which names the model that answered twice, still tells which one was asked for.
#[test]
fn mlflow_tells_the_model_asked_for() {
    let attributes = vec![
        ("gen_ai.operation.name", Text("chat")),
        ("gen_ai.request.model", Text("m-2026")),
        ("gen_ai.response.model", Text("m-2026")),
        ("model", Text("\"m\"")),
    ];
    let traces = Traces::parse(traces(&[], &[Sent { trace: 1, id: 1, attributes, ..Sent::default() }])).expect("ours");
    let (_, scope, span) = traces.spans().next().expect("one span");
    let normaliser = Normaliser::new(&Settings::default());
    for (scope, asked) in [(Scope { name: b"mlflow.tracing.provider" }, "m"), (scope, "m-2026")] {
        let found = normaliser.span(scope, &span).expect("ids");
        assert_eq!((found.kind, found.text(Field::ModelRequested)), (Kind::Llm, Some(asked)));
    }
}

/// Proves that indexed keys are split where their index is, and that nothing else is taken for one.
#[test]
fn indexed_keys_are_split() {
    let split = |key: &'static str| {
        split_index(key.as_bytes()).map(|(prefix, index, path)| (prefix.to_vec(), index, path.to_vec()))
    };
    let expected = Some((b"llm.input_messages".to_vec(), 12, b"message.tool_calls.3.id".to_vec()));
    assert_eq!(split("llm.input_messages.12.message.tool_calls.3.id"), expected);
    for key in ["", "a", "a.1", "a.b", ".1.", "a.99999999999.b", "1.a"] {
        assert!(split(key).is_none_or(|(_, _, path)| path.is_empty()), "{key}");
    }
}

/// Proves that bad ids reject a span and a remote parent is seen as one.
#[test]
fn ids_are_checked() {
    assert_eq!(trace_id(&[0; 16]), None);
    assert_eq!(trace_id(&[1; 15]), None);
    assert_eq!(span_id(&[]), None);
    for (flags, remote) in [(0, false), (0x100, false), (0x300, true), (0x301, true)] {
        normalised(&Settings::default(), Sent { parent: 9, flags, ..Sent::default() }, |span| {
            assert_eq!((span.parent, span.parent_is_remote), (Some(SpanId([9; 8])), remote));
        });
    }
}

/// Proves that every field has a name of its own that finds it.
#[test]
fn field_names_are_distinct() {
    for field in Field::ALL {
        assert_eq!(Field::from_name(field.as_str()), Some(*field));
    }
}

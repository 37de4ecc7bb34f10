use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::core::request::tests::request;
use crate::core::request::{Document, ModelCall, Request, Retrieval, ToolCall, ToolSchema};

fn recorded() -> Request {
    let document =
        |id: &str, text: &str| Document { id: Some(id.into()), content: Some(text.into()), ..Document::default() };
    let mut request = request();
    request.user_query = Some("May damaged goods be returned?".into());
    request.response = Some("Keep everything.".into());
    request.prompt.version = Some("v1.0".into());
    request.prompt.system = Some("Old prompt.".into());
    request.calls = vec![ModelCall {
        model_requested: Some("gpt-4o".into()),
        temperature: Some(0.2),
        input_tokens: Some(90),
        ..ModelCall::default()
    }];
    request.retrievals = vec![Retrieval {
        documents: Some(vec![
            document("doc-1", "We are open on Mondays."),
            document("doc-2", "Damaged goods may be returned within 30 days. Refunds take a week."),
        ]),
        ..Retrieval::default()
    }];
    let json = r#"{"name":"get_order","parameters":{"type":"object"}}"#.into();
    request.tools_offered = vec![ToolSchema { name: "get_order".into(), sha256: [0; 32], json }];
    request.tools = vec![ToolCall {
        name: "get_order".into(),
        ran: true,
        arguments: Some("{}".into()),
        result: Some("late".into()),
        ..ToolCall::default()
    }];
    request
}

/// Proves what a model is asked: the prompt that is wanted, documents before the question, tools as they were and what
/// they gave, the parameters of then where nothing else is said.
#[test]
fn a_plan_is_the_recorded_call_with_what_is_overridden() {
    let prompt = Some(Prompted { version: "v2.0".into(), text: Some("New prompt.".into()) });
    let overrides = Overrides { prompt, model: Some("gpt-4o-mini".into()), ..Overrides::default() };
    let plan = Plan::of(&recorded(), &overrides, true).unwrap();
    let messages = &plan.body["messages"];
    assert_eq!(messages[0], json!({ "role": "system", "content": "New prompt." }));
    let question = messages[1]["content"].as_str().unwrap();
    assert!(
        question.starts_with("Context:\n[doc-1] We are")
            && question.ends_with("Question: May damaged goods be returned?"),
        "{question}"
    );
    assert_eq!(messages[2]["tool_calls"][0]["function"], json!({ "name": "get_order", "arguments": "{}" }));
    assert_eq!(messages[3], json!({ "role": "tool", "tool_call_id": "call_0", "content": "late" }));
    assert_eq!(plan.body["tools"][0]["function"]["name"], "get_order");
    assert_eq!(
        (&plan.body["model"], &plan.body["temperature"], &plan.body["stream"]),
        (&json!("gpt-4o-mini"), &json!(0.2), &json!(true))
    );
    assert_eq!(plan.notes, Vec::<String>::new());
}

/// Proves that what is missing is said, and what can't be done without is refused.
#[test]
fn what_a_recording_lacks_is_said() {
    let plan = |change: fn(&mut Request)| {
        let mut request = recorded();
        change(&mut request);
        Plan::of(&request, &Overrides::default(), false).map(|it| it.notes.join("; "))
    };
    assert_eq!(plan(|it| it.user_query = None), Err(Lacking::Query));
    assert_eq!(plan(|it| it.calls.clear()), Err(Lacking::Model));
    for (change, note) in [
        ((|it| it.prompt.system = None) as fn(&mut Request), "no system prompt"),
        (|it| it.tools[0].result = None, "what 1 of 1 tools gave"),
        (|it| it.retrievals[0].documents.as_mut().unwrap()[0].content = None, "the text of 1 of 2 documents"),
        (|it| it.user_query = Some("Mail <EMAIL_ADDRESS:0123> please".into()), "redacted"),
    ] {
        let notes = plan(change).unwrap();
        assert!(notes.contains(note), "{note}: {notes}");
    }
}

const CHUNKS: &str = "data: {\"id\":\"1\",\"model\":\"m\",\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n\
    : a comment\r\n\
    data: {\"choices\":[{\"delta\":{\"content\":\"H\u{e9}l\"}}]}\r\n\r\n\
    data:{\"choices\":[{\"delta\":{\"content\":\"lo\",\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"get\",\"arguments\":\"{\\\"a\\\":\"}}]}}]}\n\n\
    data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"1}\"}}]},\"finish_reason\":\"tool_calls\"}]}\n\n\
    data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2},\"system_fingerprint\":\"fp\"}\n\ndata: [DONE]\n\n";

fn streamed(pieces: &[&[u8]]) -> Result<Reply, Malformed> {
    let mut stream = Stream::default();
    pieces.iter().try_for_each(|piece| stream.push(piece))?;
    stream.end()
}

proptest! {
    /// Proves that however the network cuts a stream, it reads the same.
    #[test]
    fn a_stream_reads_the_same_in_any_pieces(mut cuts in prop::collection::vec(0..CHUNKS.len(), 0..12)) {
        cuts.extend([0, CHUNKS.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|it| &CHUNKS.as_bytes()[it[0]..it[1]]).collect();
        let reply = streamed(&pieces).unwrap();
        prop_assert_eq!((&*reply.text, reply.input_tokens, reply.output_tokens), ("H\u{e9}llo", Some(9), Some(2)));
        prop_assert_eq!((reply.fingerprint.as_deref(), reply.finish.as_deref()), (Some("fp"), Some("tool_calls")));
        prop_assert_eq!(&reply.tools, &[Asked { id: "c".into(), name: "get".into(), arguments: "{\"a\":1}".into() }]);
    }

    /// Proves that no bytes whatever are more than malformed.
    #[test]
    fn any_reply_comes_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        drop(Reply::parse(&bytes));
        drop(streamed(&[b"data: ", &bytes]));
    }
}

/// Proves that a stream that stops, breaks or says nothing is no answer.
#[test]
fn a_stream_that_is_cut_is_no_answer() {
    let first = CHUNKS.split("data:{").next().unwrap();
    assert_eq!(streamed(&[first.as_bytes()]), Err(Malformed::Cut));
    assert_eq!(streamed(&[b""]), Err(Malformed::Cut));
    assert_eq!(streamed(&[b"data: [DONE]\n"]), Err(Malformed::Choices));
    assert!(
        matches!(streamed(&[b"data: {\"error\":{\"message\":\"overloaded\"}}\n"]), Err(Malformed::Json(why)) if why.contains("overloaded"))
    );
    assert!(matches!(Reply::parse(b"{}"), Err(Malformed::Choices)));
}

/// Proves that a budget is never passed by what is under way, and that what can't be priced is refused under one.
#[test]
fn a_budget_is_kept() {
    let mut budget = Budget::new(Some(1e-6));
    assert_eq!((budget.reserve(Some(600)), budget.reserve(Some(600)).is_err()), (Ok(600), true));
    budget.settle(600, Some(100));
    assert!(budget.reserve(Some(900)).is_ok() && budget.reserve(Some(1)).is_err() && budget.reserve(None).is_err());
    assert_eq!(Budget::new(None).reserve(None), Ok(0));
}

/// Proves each evaluator on an answer that passes and one that does not, and that other texts are refused.
#[test]
fn evaluators_say_pass_or_fail() {
    let dir = tempfile::tempdir().unwrap();
    let schema = dir.path().join("schema.json");
    std::fs::write(&schema, r#"{"type":"object","required":["answer"]}"#).unwrap();
    let json_schema = format!("json-schema:{}", schema.display());
    for (spec, good, bad) in [
        ("exact:Yes.", " Yes. ", "yes"),
        ("contains:30 DAYS", "within 30 days", "never"),
        ("not-contains:as an AI", "Yes.", "As an AI assistant"),
        ("overlap:0.8", "Damaged goods may be returned within 30 days", "Keep everything forever, dear customer"),
        (&json_schema, r#"{"answer":1}"#, "answer"),
    ] {
        let evaluator = Evaluator::parse(spec).unwrap();
        for (answer, passes) in [(good, true), (bad, false)] {
            let request = Request { response: Some(answer.into()), ..recorded() };
            assert_eq!(evaluator.evaluate(&request).unwrap().passed, Some(passes), "{spec} {answer}");
        }
    }
    for spec in ["exact", "exact:", "overlap:2", "overlap:x", "other:x", "", "json-schema:/nowhere"] {
        assert!(Evaluator::parse(spec).is_err(), "{spec}");
    }
}

/// Proves where prompts are looked up, how places in them are filled, and what is said of a version nobody has.
#[test]
fn prompts_are_found_by_version() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("support")).unwrap();
    std::fs::write(dir.path().join("v2.0.txt"), "For {{ who }}.\n").unwrap();
    std::fs::write(dir.path().join("support/v3.md"), "Three.").unwrap();
    let mut prompts = Prompts::read(dir.path()).unwrap();
    prompts.learn(&recorded());
    assert_eq!(prompts.text("v2.0", &[("who".into(), "you".into())]).unwrap(), "For you.");
    assert_eq!(
        (prompts.text("v3", &[]).unwrap(), prompts.text("v1.0", &[]).unwrap()),
        ("Three.".into(), "Old prompt.".into())
    );
    assert!(prompts.text("v2.0", &[]).unwrap_err().to_string().contains("--var who="));
    assert!(prompts.text("v9", &[]).unwrap_err().to_string().contains("known: v1.0, v2.0, v3"));

    let export = dir.path().join("langfuse.json");
    let chat = json!([{ "role": "system", "content": "Be kind." }, { "role": "user", "content": "{{q}}" }]);
    std::fs::write(
        &export,
        json!({ "data": [{ "name": "a", "version": 4, "labels": ["production"], "prompt": chat }] }).to_string(),
    )
    .unwrap();
    let prompts = Prompts::read(&export).unwrap();
    assert_eq!(
        (prompts.text("4", &[]).unwrap(), prompts.text("production", &[]).unwrap()),
        ("Be kind.".into(), "Be kind.".into())
    );
    std::fs::write(&export, "[]").unwrap();
    assert!(Prompts::read(&export).is_err());
}

/// Proves that no prompt is cut, and none left out, because there is much.
#[test]
fn too_much_of_prompts_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let long = dir.path().join("long.txt");
    std::fs::write(&long, "x".repeat((4 << 20) + 1)).unwrap();
    let error = Prompts::read(dir.path()).unwrap_err().to_string();
    assert!(error.contains("long.txt: more than 4194304 bytes"), "{error}");

    let export = dir.path().join("many.json");
    for (versions, is_read) in [(1_024, true), (1_025, false)] {
        let many: Vec<_> = (0..versions).map(|version| json!({ "version": version, "prompt": "p" })).collect();
        std::fs::write(&export, json!(many).to_string()).unwrap();
        assert_eq!(Prompts::read(&export).is_ok(), is_read, "{versions}");
    }
}

/// Proves that a simulation without a change repeats the answer, and with one quotes the document that fits the question.
#[test]
fn a_simulation_quotes() {
    let (reply, _) = simulated(&recorded(), &Overrides::default());
    assert_eq!(reply.text, "Keep everything.");
    let overrides = Overrides { model: Some("gpt-4o-mini".into()), ..Overrides::default() };
    let (reply, small) = simulated(&recorded(), &overrides);
    assert_eq!(reply.text, "Damaged goods may be returned within 30 days. [doc-2]");
    let mut slow = recorded();
    slow.calls[0].duration = std::time::Duration::from_secs(8);
    let took = |overrides: &Overrides| simulated(&slow, overrides).1.whole.as_secs();
    assert_eq!((took(&Overrides::default()), took(&overrides), small.whole.as_secs()), (8, 4, 0));
}

/// Proves the rule of what is better, over all pairs of passing and failing, and of quality.
#[test]
fn better_is_by_rule() {
    let record = |passed: bool, score: f64| json!({ "error": null, "evaluations": [{ "metric": "m", "passed": passed, "score": score }] });
    for (before, now, expected) in [
        (record(false, 0.0), record(true, 1.0), Change::Improved),
        (record(true, 1.0), record(false, 0.0), Change::Degraded),
        (record(true, 0.8), record(true, 0.82), Change::Same),
        (record(true, 0.8), record(true, 0.95), Change::Improved),
        (record(false, 0.4), record(false, 0.2), Change::Degraded),
        (
            json!({ "diagnosis": { "mode": "tool_timeout" } }),
            json!({ "diagnosis": { "mode": "healthy" } }),
            Change::Improved,
        ),
    ] {
        assert_eq!(Comparison { records: [&before, &now] }.change(), expected, "{before} {now}");
    }
    let unread = json!({ "error": null, "evaluations": [{ "metric": "m", "passed": null }] });
    assert_eq!(Comparison { records: [&unread, &unread] }.passes(), [false, false]);
}

//! Evaluations and feedback, in every form they are sent.

use super::*;
use freezeframe::core::request::{Evaluation, Feedback};
use serde_json::{Value, json};

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

const TRACE: &str = "5b8efff798038103d269b633813fc60c";

fn attributes(of: &Value) -> Value {
    let value = |value: &Value| match value {
        Value::String(text) => json!({ "stringValue": text }),
        Value::Bool(flag) => json!({ "boolValue": flag }),
        Value::Number(number) if number.is_f64() => json!({ "doubleValue": number }),
        other => json!({ "intValue": other.to_string() }),
    };
    of.as_object().unwrap().iter().map(|(key, it)| json!({ "key": key, "value": value(it) })).collect()
}

/// An answer under trace [`TRACE`], with `more` on its span, and `others` beside it.
fn answered(more: &Value, events: &Value, others: &[Value]) -> Vec<(bool, Bytes)> {
    let mut own = json!({ "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini" });
    own.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = json!({ "traceId": TRACE, "spanId": "eee19b7ec3c1b174", "name": "chat", "startTimeUnixNano": "1000",
        "endTimeUnixNano": "2000", "attributes": attributes(&own), "events": events });
    let spans: Vec<&Value> = std::iter::once(&answer).chain(others).collect();
    let body = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }] });
    vec![(true, otlp::json::traces(body.to_string().as_bytes()).unwrap())]
}

fn evaluations(payloads: &[(bool, Bytes)]) -> Vec<Evaluation> {
    let closed = closed(payloads, &items(payloads));
    let of = |it: Closed| if let Closed::Request(request) = it { request.evaluations } else { Vec::new() };
    closed.into_iter().flat_map(of).collect()
}

/// Proves that a verdict is heard on the span itself, as an event, in OpenInference's three scopes, from a carrier that
/// links to it, with a value of any type; log records, response ids and REST have tests of their own.
#[test]
fn every_form_of_a_verdict_is_heard() {
    let none = json!([]);
    let verdict = json!({ "gen_ai.evaluation.name": "relevance", "gen_ai.evaluation.score.value": 0.8 });
    let event =
        json!([{ "name": "gen_ai.evaluation.result", "timeUnixNano": "1500", "attributes": attributes(&verdict) }]);
    let annotated = |prefix: &str| json!({ format!("{prefix}.0.evaluation.name"): "relevance", format!("{prefix}.0.evaluation.score"): 0.8 });
    let mut carried = annotated("evaluations");
    carried["openinference.span.kind"] = "EVALUATOR".into();
    let carrier = json!({ "traceId": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "spanId": "bbbbbbbbbbbbbbbb", "name": "evaluate",
        "startTimeUnixNano": "3000", "endTimeUnixNano": "4000", "attributes": attributes(&carried),
        "links": [{ "traceId": TRACE, "spanId": "eee19b7ec3c1b174" }] });
    for (name, payloads) in [
        ("attributes", answered(&verdict, &none, &[])),
        ("event", answered(&json!({}), &event, &[])),
        ("inline", answered(&annotated("evaluations"), &none, &[])),
        ("trace scope", answered(&annotated("trace.evaluations"), &none, &[])),
        ("session scope", answered(&annotated("session.evaluations"), &none, &[])),
        ("linked", answered(&json!({}), &none, &[carrier])),
    ] {
        let found = evaluations(&payloads);
        let [found] = found.as_slice() else { panic!("{name}: {found:?}") };
        assert_eq!((&*found.metric, found.score), ("relevance", Some(0.8)), "{name}");
    }
    for (value, score, passed) in
        [(json!(1), Some(1.0), None), (json!(0.5), Some(0.5), None), (json!(false), Some(0.0), Some(false))]
    {
        let verdict = json!({ "gen_ai.evaluation.name": "m", "gen_ai.evaluation.score.value": value });
        let found = evaluations(&answered(&verdict, &none, &[]));
        assert_eq!((found[0].score, found[0].passed), (score, passed), "{value}");
    }
}

/// Proves that verdicts of pydantic-evals are heard, on the cases of an experiment and online, that an evaluator that
/// failed is one that failed and not a verdict, and that its judge's calls are not the feature's.
#[test]
fn pydantic_evals_are_heard() {
    for (scenario, judge_failed) in
        [("evals", false), ("evals-judgefails", true), ("online-evals", false), ("online-evals-judgefails", true)]
    {
        let request = &requests("logfire", scenario)[0];
        let of = |metric: &str| {
            let found: Vec<_> = request.evaluations.iter().filter(|it| &*it.metric == metric).collect();
            assert_eq!(found.len(), 1, "{scenario}: {metric} {:?}", request.evaluations);
            found[0]
        };
        assert_eq!(of("relevance").score, Some(0.8), "{scenario}");
        assert_eq!(of("grounded").passed, Some(true), "{scenario}");
        assert_eq!(of("tone").label.as_deref(), Some("neutral"), "{scenario}");
        assert_eq!(of("LLMJudge").error.is_some(), judge_failed, "{scenario}");
        assert_eq!(of("LLMJudge").passed, (!judge_failed).then_some(true), "{scenario}");
        let model = of("LLMJudge").judge.model.clone();
        assert!(model.is_some_and(|it| it.contains("gpt-4o")), "{scenario}");
        assert!(request.calls.iter().all(|it| it.model_requested.as_deref() == Some("gpt-4o-mini")), "{scenario}");
    }
}

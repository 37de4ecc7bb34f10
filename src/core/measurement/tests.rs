use super::*;
use crate::core::request::tests::request;
use crate::core::request::{Document, Failure, Judge, ToolCall};

fn evaluation(passed: Option<bool>) -> Evaluation {
    Evaluation {
        metric: "relevance".into(),
        score: Some(0.9),
        label: None,
        passed,
        judge: Judge::default(),
        error: None,
        sampled_by: None,
    }
}

fn feedback(positive: bool) -> Feedback {
    Feedback { positive: Some(positive), score: None, comment: None }
}

fn failure() -> Failure {
    Failure { kind: "timeout".into(), message: "".into(), timeout: true, status_code: None }
}

fn searched(scores: &[f64]) -> Retrieval {
    let documents = scores.iter().map(|score| Document { score: Some(*score), ..Document::default() }).collect();
    Retrieval { documents: Some(documents), ..Retrieval::default() }
}

fn counts(request: &Request, leak: bool) -> Vec<Count> {
    let mut counts = Vec::new();
    of_request(request, leak, |measurement| match measurement {
        Counted(count) => counts.push(count),
        Value(..) => {}
    });
    counts
}

fn values(request: &Request) -> Vec<(Measure, u64)> {
    let mut values = Vec::new();
    of_request(request, false, |measurement| match measurement {
        Counted(_) => {}
        Value(measure, value) => values.push((measure, value)),
    });
    values
}

/// Proves the quality verdict, case by case: who decides, and what counts as bad when nobody does.
#[test]
fn quality_is_decided_by_judges_then_by_the_answer() {
    let plain = request();
    let with = |change: &dyn Fn(&mut Request)| {
        let mut request = plain.clone();
        change(&mut request);
        quality(&request)
    };
    assert_eq!(quality(&plain), Some(true));
    for finish in [FinishReason::Length, FinishReason::ContentFilter, FinishReason::Refusal, FinishReason::Error] {
        assert_eq!(with(&|request| request.finish_reason = Some(finish)), Some(false), "{finish:?}");
    }
    for finish in [FinishReason::Stop, FinishReason::ToolCalls, FinishReason::Other] {
        assert_eq!(with(&|request| request.finish_reason = Some(finish)), Some(true), "{finish:?}");
    }
    assert_eq!(with(&|request| request.outcome = Outcome::Refused), Some(false));
    assert_eq!(with(&|request| request.outcome = Outcome::Blocked), Some(false));
    assert_eq!(with(&|request| request.outcome = Outcome::Error), None);
    assert_eq!(with(&|request| request.retrievals = vec![searched(&[])]), Some(false));
    assert_eq!(with(&|request| request.retrievals = vec![searched(&[]), searched(&[0.4])]), Some(true));
    assert_eq!(with(&|request| request.retrievals = vec![Retrieval::default()]), Some(true));
    assert_eq!(with(&|request| request.evaluations = vec![evaluation(Some(false))]), Some(false));
    assert_eq!(with(&|request| request.feedback = Some(feedback(false))), Some(false));
    let refused_yet_right = with(&|request| {
        request.outcome = Outcome::Refused;
        request.evaluations = vec![evaluation(None), evaluation(Some(true))];
    });
    assert_eq!(refused_yet_right, Some(true), "an evaluation outweighs the outcome");
    let torn = with(&|request| {
        request.evaluations = vec![evaluation(Some(true))];
        request.feedback = Some(feedback(false));
    });
    assert_eq!(torn, Some(false), "one bad word outweighs good ones");
    let broken = with(&|request| {
        request.evaluations = vec![Evaluation { error: Some(failure()), ..evaluation(Some(false)) }];
    });
    assert_eq!(broken, Some(true), "an evaluator that failed says nothing");
}

/// Proves what counts as an empty retrieval: no documents, or only documents that score exactly zero.
#[test]
fn retrievals_are_hits_empty_failed_or_untold() {
    assert_eq!(retrieval(&searched(&[0.7, 0.0])), Some(Count::RetrievalHit));
    assert_eq!(retrieval(&searched(&[-3.2])), Some(Count::RetrievalHit), "some rerankers score with logits");
    assert_eq!(retrieval(&searched(&[0.0, 0.0])), Some(Count::RetrievalEmpty));
    assert_eq!(retrieval(&searched(&[])), Some(Count::RetrievalEmpty));
    assert_eq!(retrieval(&Retrieval::default()), None);
    let failed = Retrieval { error: Some(failure()), ..searched(&[0.7]) };
    assert_eq!(retrieval(&failed), Some(Count::RetrievalError));
}

/// Proves units and sums over the calls of a request, and that what no call tells is not recorded as zero.
#[test]
fn values_are_sums_of_what_was_told() {
    assert_eq!(values(&request()), [(Measure::Latency, 1_000_000)]);
    let first = ModelCall { input_tokens: Some(100), cost_nano_usd: Some(1_400), ..ModelCall::default() };
    let second = ModelCall {
        input_tokens: Some(50),
        output_tokens: Some(7),
        cost_nano_usd: Some(100),
        retries: Some(2),
        time_to_first_token: Some(Duration::from_millis(300)),
        ..ModelCall::default()
    };
    let mut request = Request { calls: vec![first, second], ..request() };
    request.retrievals = vec![searched(&[0.25, 0.8125])];
    request.evaluations = vec![Evaluation { score: Some(-1.0), ..evaluation(None) }];
    let expected = [
        (Measure::Latency, 1_000_000),
        (Measure::TimeToFirstToken, 300_000),
        (Measure::InputTokens, 150),
        (Measure::OutputTokens, 7),
        (Measure::Cost, 2),
        (Measure::Retries, 2),
        (Measure::RetrievalScore, 813),
        (Measure::EvaluationScore, 0),
    ];
    assert_eq!(values(&request), expected);
}

/// Proves that a request counts under exactly one outcome, and everything else once per thing.
#[test]
fn counts_are_one_per_thing() {
    let tool = |error| ToolCall { name: "sql".into(), ran: true, error, ..ToolCall::default() };
    let mut request = request();
    request.tools = vec![tool(None), tool(Some(failure()))];
    request.evaluations = vec![evaluation(Some(true)), evaluation(Some(false)), evaluation(None)];
    request.feedback = Some(feedback(true));
    let expected = [
        Count::Ok,
        Count::Bad,
        Count::Leak,
        Count::ToolOk,
        Count::ToolError,
        Count::EvaluationPass,
        Count::EvaluationFail,
        Count::FeedbackGood,
    ];
    assert_eq!(counts(&request, true), expected);
}

/// Proves that a late verdict turns quality exactly when it changes it, once, and never for an unknown request.
#[test]
fn late_verdicts_turn_quality_once() {
    let turned = |request: Option<&Request>, evaluations: &[Evaluation], said: Option<&Feedback>| {
        let mut turned = Vec::new();
        of_late(request, evaluations, said, |measurement| {
            if let Counted(count @ (Count::TurnedBad | Count::TurnedGood)) = measurement {
                turned.push(count);
            }
        });
        turned
    };
    let good = request();
    let bad = Request { outcome: Outcome::Refused, ..request() };
    let failed = Request { outcome: Outcome::Error, ..request() };
    let already = Request { evaluations: vec![evaluation(Some(false))], ..request() };
    assert_eq!(turned(Some(&good), &[evaluation(Some(false))], None), [Count::TurnedBad]);
    assert_eq!(turned(Some(&good), &[evaluation(Some(true))], None), []);
    assert_eq!(turned(Some(&good), &[evaluation(None)], None), []);
    assert_eq!(turned(Some(&good), &[], Some(&feedback(false))), [Count::TurnedBad]);
    assert_eq!(turned(Some(&bad), &[evaluation(Some(true))], None), [Count::TurnedGood]);
    assert_eq!(turned(Some(&already), &[evaluation(Some(false))], None), []);
    assert_eq!(turned(Some(&already), &[evaluation(Some(true))], None), []);
    assert_eq!(turned(Some(&failed), &[evaluation(Some(false))], None), []);
    assert_eq!(turned(None, &[evaluation(Some(false))], None), []);
}

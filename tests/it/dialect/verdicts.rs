//! Evaluations and feedback, in every form they are sent.

use super::*;
use freezeframe::core::request::Feedback;

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

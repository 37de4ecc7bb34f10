//! Truthful fields: failures, first tokens, refusals, tokens.

use super::*;
use freezeframe::core::request::Outcome;

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

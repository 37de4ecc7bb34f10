//! What is measured of a request, with unit and direction. The one list that histograms, counters, rules,
//! metrics and frames share.

/// A distribution kept per feature. Values are integers in the unit given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Measure {
    /// Latency of a request, microseconds.
    Latency,
    /// Time to first token of a request, microseconds.
    TimeToFirstToken,
    /// Input tokens of a request, all calls.
    InputTokens,
    /// Output tokens of a request, all calls.
    OutputTokens,
    /// Cost of a request, millionths of a US dollar.
    Cost,
    /// Best score of a retrieval, thousandths.
    RetrievalScore,
    /// Score of an evaluation, thousandths.
    EvaluationScore,
    /// Retries of a request.
    Retries,
}

/// A count kept per feature. Requests fall under exactly one of the first four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Count {
    /// Requests answered.
    Ok,
    /// Requests failed.
    Error,
    /// Requests refused by the model.
    Refused,
    /// Requests blocked by a policy.
    Blocked,
    /// Requests whose answer counts as good: see [`Signal::Quality`].
    Good,
    /// Requests whose answer counts as bad.
    Bad,
    /// Retrievals that found something.
    RetrievalHit,
    /// Retrievals that found nothing.
    RetrievalEmpty,
    /// Retrievals that failed.
    RetrievalError,
    /// Tool executions that worked.
    ToolOk,
    /// Tool executions that failed.
    ToolError,
    /// Evaluations passed.
    EvaluationPass,
    /// Evaluations failed.
    EvaluationFail,
    /// Positive feedback.
    FeedbackGood,
    /// Negative feedback.
    FeedbackBad,
    /// Requests in whose telemetry personal data or a secret was found.
    Leak,
}

/// What a rule watches: a ratio of counts, a quantile or a mean of a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signal {
    /// Share of answered requests whose answer is good. An evaluation or feedback decides; without either, an
    /// answer is bad when it was refused, blocked, cut off, or made on an empty retrieval.
    Quality,
    /// Share of requests that failed.
    ErrorRatio,
    /// Share of requests refused.
    RefusalRatio,
    /// Share of requests blocked.
    BlockRatio,
    /// Share of retrievals that found nothing or failed.
    EmptyRetrievalRatio,
    /// Share of tool executions that worked.
    ToolSuccessRatio,
    /// Share of evaluations passed.
    EvaluationPassRatio,
    /// Share of feedback that is negative.
    BadFeedbackRatio,
    /// Share of requests with personal data or a secret in their telemetry.
    LeakRatio,
    /// 95th percentile of latency, seconds.
    LatencyP95,
    /// 95th percentile of time to first token, seconds.
    TimeToFirstTokenP95,
    /// Mean input plus output tokens a request.
    TokensPerRequest,
    /// Mean cost a request, US dollars.
    CostPerRequest,
    /// Mean retries a request.
    RetriesPerRequest,
    /// Median of the best retrieval score.
    RetrievalScoreP50,
    /// Mean evaluation score.
    EvaluationScore,
}

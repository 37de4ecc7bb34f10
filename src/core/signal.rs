//! What is measured of a request, with unit and direction. The one list that histograms, counters, rules,
//! metrics and frames share.

use super::detect::Direction;

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
    /// Time in model calls of a request, microseconds.
    ModelTime,
    /// Time in retrievals of a request, microseconds.
    RetrievalTime,
    /// Time in tool executions of a request, microseconds.
    ToolTime,
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
    /// Requests whose answer gave away a secret or personal data.
    Leak,
    /// Requests counted as good whose late evaluation or feedback says bad.
    TurnedBad,
    /// Requests counted as bad whose late evaluation or feedback says good.
    TurnedGood,
}

/// What a rule watches: a ratio of counts, a quantile or a mean of a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signal {
    /// Share of answered requests whose answer is good: see [`super::measurement::quality`].
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
    /// Share of requests whose answer gave away a secret or personal data.
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
    /// Mean seconds in model calls a request.
    ModelTime,
    /// Mean seconds in retrievals a request.
    RetrievalTime,
    /// Mean seconds in tool executions a request.
    ToolTime,
}

/// How a signal is computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// One count over a sum of counts.
    Ratio,
    /// A quantile (0 to 1) of a measure.
    Quantile(Measure, f64),
    /// The mean of a sum of measures.
    Mean(&'static [Measure]),
}

impl Measure {
    /// All measures, in order of [`Measure::index`].
    pub const ALL: [Self; 11] = [
        Self::Latency,
        Self::TimeToFirstToken,
        Self::InputTokens,
        Self::OutputTokens,
        Self::Cost,
        Self::RetrievalScore,
        Self::EvaluationScore,
        Self::Retries,
        Self::ModelTime,
        Self::RetrievalTime,
        Self::ToolTime,
    ];

    /// How many there are.
    pub const N: usize = Self::ALL.len();

    /// Its place in an array of [`Measure::N`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::TimeToFirstToken => "time_to_first_token",
            Self::InputTokens => "input_tokens",
            Self::OutputTokens => "output_tokens",
            Self::Cost => "cost",
            Self::RetrievalScore => "retrieval_score",
            Self::EvaluationScore => "evaluation_score",
            Self::Retries => "retries",
            Self::ModelTime => "model_time",
            Self::RetrievalTime => "retrieval_time",
            Self::ToolTime => "tool_time",
        }
    }

    /// How many of its units make one unit of the signals: seconds, tokens, US dollars, scores, retries.
    #[must_use]
    pub const fn per_unit(self) -> f64 {
        match self {
            Self::Latency
            | Self::TimeToFirstToken
            | Self::Cost
            | Self::ModelTime
            | Self::RetrievalTime
            | Self::ToolTime => 1e6,
            Self::RetrievalScore | Self::EvaluationScore => 1e3,
            Self::InputTokens | Self::OutputTokens | Self::Retries => 1.0,
        }
    }
}

impl Count {
    /// All counts, in order of [`Count::index`].
    pub const ALL: [Self; 18] = [
        Self::Ok,
        Self::Error,
        Self::Refused,
        Self::Blocked,
        Self::Good,
        Self::Bad,
        Self::RetrievalHit,
        Self::RetrievalEmpty,
        Self::RetrievalError,
        Self::ToolOk,
        Self::ToolError,
        Self::EvaluationPass,
        Self::EvaluationFail,
        Self::FeedbackGood,
        Self::FeedbackBad,
        Self::Leak,
        Self::TurnedBad,
        Self::TurnedGood,
    ];

    /// The four of which every request falls under exactly one.
    pub const OUTCOMES: [Self; 4] = [Self::Ok, Self::Error, Self::Refused, Self::Blocked];

    /// How many there are.
    pub const N: usize = Self::ALL.len();

    /// Its place in an array of [`Count::N`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Refused => "refused",
            Self::Blocked => "blocked",
            Self::Good => "good",
            Self::Bad => "bad",
            Self::RetrievalHit => "retrieval_hit",
            Self::RetrievalEmpty => "retrieval_empty",
            Self::RetrievalError => "retrieval_error",
            Self::ToolOk => "tool_ok",
            Self::ToolError => "tool_error",
            Self::EvaluationPass => "evaluation_pass",
            Self::EvaluationFail => "evaluation_fail",
            Self::FeedbackGood => "feedback_good",
            Self::FeedbackBad => "feedback_bad",
            Self::Leak => "leak",
            Self::TurnedBad => "turned_bad",
            Self::TurnedGood => "turned_good",
        }
    }
}

impl Signal {
    /// All signals, in order of [`Signal::index`].
    pub const ALL: [Self; 19] = [
        Self::Quality,
        Self::ErrorRatio,
        Self::RefusalRatio,
        Self::BlockRatio,
        Self::EmptyRetrievalRatio,
        Self::ToolSuccessRatio,
        Self::EvaluationPassRatio,
        Self::BadFeedbackRatio,
        Self::LeakRatio,
        Self::LatencyP95,
        Self::TimeToFirstTokenP95,
        Self::TokensPerRequest,
        Self::CostPerRequest,
        Self::RetriesPerRequest,
        Self::RetrievalScoreP50,
        Self::EvaluationScore,
        Self::ModelTime,
        Self::RetrievalTime,
        Self::ToolTime,
    ];

    /// How many there are.
    pub const N: usize = Self::ALL.len();

    /// Its place in an array of [`Signal::N`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name in configuration, frames and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quality => "quality",
            Self::ErrorRatio => "error_ratio",
            Self::RefusalRatio => "refusal_ratio",
            Self::BlockRatio => "block_ratio",
            Self::EmptyRetrievalRatio => "empty_retrieval_ratio",
            Self::ToolSuccessRatio => "tool_success_ratio",
            Self::EvaluationPassRatio => "evaluation_pass_ratio",
            Self::BadFeedbackRatio => "bad_feedback_ratio",
            Self::LeakRatio => "leak_ratio",
            Self::LatencyP95 => "latency_p95",
            Self::TimeToFirstTokenP95 => "time_to_first_token_p95",
            Self::TokensPerRequest => "tokens_per_request",
            Self::CostPerRequest => "cost_per_request",
            Self::RetriesPerRequest => "retries_per_request",
            Self::RetrievalScoreP50 => "retrieval_score_p50",
            Self::EvaluationScore => "evaluation_score",
            Self::ModelTime => "model_seconds_per_request",
            Self::RetrievalTime => "retrieval_seconds_per_request",
            Self::ToolTime => "tool_seconds_per_request",
        }
    }

    /// The signal of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|signal| signal.as_str() == name)
    }

    /// The unit for people: empty for a share or a score.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::LatencyP95 | Self::TimeToFirstTokenP95 | Self::ModelTime | Self::RetrievalTime | Self::ToolTime => {
                "s"
            }
            Self::TokensPerRequest => "tokens",
            Self::CostPerRequest => "USD",
            Self::RetriesPerRequest => "retries",
            Self::Quality
            | Self::ErrorRatio
            | Self::RefusalRatio
            | Self::BlockRatio
            | Self::EmptyRetrievalRatio
            | Self::ToolSuccessRatio
            | Self::EvaluationPassRatio
            | Self::BadFeedbackRatio
            | Self::LeakRatio
            | Self::RetrievalScoreP50
            | Self::EvaluationScore => "",
        }
    }

    /// How it is computed.
    #[must_use]
    pub const fn shape(self) -> Shape {
        match self {
            Self::Quality
            | Self::ErrorRatio
            | Self::RefusalRatio
            | Self::BlockRatio
            | Self::EmptyRetrievalRatio
            | Self::ToolSuccessRatio
            | Self::EvaluationPassRatio
            | Self::BadFeedbackRatio
            | Self::LeakRatio => Shape::Ratio,
            Self::LatencyP95 => Shape::Quantile(Measure::Latency, 0.95),
            Self::TimeToFirstTokenP95 => Shape::Quantile(Measure::TimeToFirstToken, 0.95),
            Self::RetrievalScoreP50 => Shape::Quantile(Measure::RetrievalScore, 0.5),
            Self::TokensPerRequest => Shape::Mean(&[Measure::InputTokens, Measure::OutputTokens]),
            Self::CostPerRequest => Shape::Mean(&[Measure::Cost]),
            Self::RetriesPerRequest => Shape::Mean(&[Measure::Retries]),
            Self::EvaluationScore => Shape::Mean(&[Measure::EvaluationScore]),
            Self::ModelTime => Shape::Mean(&[Measure::ModelTime]),
            Self::RetrievalTime => Shape::Mean(&[Measure::RetrievalTime]),
            Self::ToolTime => Shape::Mean(&[Measure::ToolTime]),
        }
    }

    /// Which side is the worse one.
    #[must_use]
    pub const fn worse(self) -> Direction {
        match self {
            Self::Quality
            | Self::ToolSuccessRatio
            | Self::EvaluationPassRatio
            | Self::RetrievalScoreP50
            | Self::EvaluationScore => Direction::Below,
            Self::ErrorRatio
            | Self::RefusalRatio
            | Self::BlockRatio
            | Self::EmptyRetrievalRatio
            | Self::BadFeedbackRatio
            | Self::LeakRatio
            | Self::LatencyP95
            | Self::TimeToFirstTokenP95
            | Self::TokensPerRequest
            | Self::CostPerRequest
            | Self::RetriesPerRequest
            | Self::ModelTime
            | Self::RetrievalTime
            | Self::ToolTime => Direction::Above,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that arrays indexed by these enums have a place for every value, and that names are read back.
    #[test]
    fn indices_and_names_are_bijective() {
        assert!(Measure::ALL.into_iter().enumerate().all(|(at, measure)| measure.index() == at));
        assert!(Count::ALL.into_iter().enumerate().all(|(at, count)| count.index() == at));
        for (at, signal) in Signal::ALL.into_iter().enumerate() {
            assert_eq!((signal.index(), Signal::parse(signal.as_str())), (at, Some(signal)));
        }
        assert_eq!(Signal::parse("Quality"), None);
    }
}

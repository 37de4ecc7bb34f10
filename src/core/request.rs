//! One request of an LLM feature, as assembled from the spans and log records of its trace.
//!
//! Every field that telemetry may leave out is an `Option`: missing is not zero, and nothing here is a default.

mod evaluation;

pub use evaluation::{Evaluation, Judge, Sampled};

use std::time::Duration;

use super::price::{CachedTokens, CostSource};
use super::time::UnixNanos;

/// 16 bytes of trace id, shown as 32 lowercase hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(pub [u8; 16]);

/// One request: the unit that windows count, alerts judge and frames sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The trace that carried it.
    pub trace_id: TraceId,
    /// The feature it belongs to, before the cardinality cap.
    pub feature: Box<str>,
    /// `gen_ai.conversation.id`, `session.id`, ...
    pub session_id: Option<Box<str>>,
    /// `user.id`, `enduser.id`, ...
    pub user_id: Option<Box<str>>,
    /// The application's request id, else the response id of the last model call.
    pub request_id: Option<Box<str>>,
    /// Start of the earliest span.
    pub started_at: UnixNanos,
    /// End of the latest span.
    pub ended_at: UnixNanos,
    /// How long the user waited: the root's duration, else `ended_at - started_at`.
    pub latency: Duration,
    /// The operation of the first model call: `chat`, `text_completion`, ...
    pub operation: Option<Box<str>>,
    /// What became of it.
    pub outcome: Outcome,
    /// Of the last model call.
    pub finish_reason: Option<FinishReason>,
    /// The failure that decided the outcome.
    pub error: Option<Failure>,
    /// The prompt that was rendered.
    pub prompt: Prompt,
    /// The last user message of the first model call.
    pub user_query: Option<Box<str>>,
    /// The text of the last model call's answer.
    pub response: Option<Box<str>>,
    /// Model calls of the feature itself, in order of start; judge calls are not among them.
    pub calls: Vec<ModelCall>,
    /// Retrievals, in order of start.
    pub retrievals: Vec<Retrieval>,
    /// Tool executions, in order of start.
    pub tools: Vec<ToolCall>,
    /// Schemas of the tools offered to the model, by name.
    pub tools_offered: Vec<ToolSchema>,
    /// Tools in the order they ran or were asked for, `a>b>c`; parallel ones joined by `|` in order of name. It begins
    /// where the user's question does, which may be in an earlier trace. `None` without tools.
    pub tool_path: Option<Box<str>>,
    /// Version of the tools that were offered, as the application names it.
    pub tools_version: Option<Box<str>>,
    /// Evaluations of this request.
    pub evaluations: Vec<Evaluation>,
    /// What the user said of it.
    pub feedback: Option<Feedback>,
    /// The slice of traffic it belongs to.
    pub traffic: Traffic,
    /// The drill that made it, when everything that tells of it says so.
    pub drill: Option<Box<str>>,
    /// Names of the dialects its telemetry was written in.
    pub dialects: Vec<&'static str>,
    /// Spans and log records it was assembled from.
    pub spans: u32,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// An answer was given.
    Ok,
    /// It failed: provider, transport, timeout or a cut stream.
    Error,
    /// The model refused.
    Refused,
    /// A policy or guardrail blocked it.
    Blocked,
}

/// Why a model stopped, normalised over all dialects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FinishReason {
    /// A natural end.
    Stop,
    /// The token limit was reached.
    Length,
    /// The model asked for tools.
    ToolCalls,
    /// The provider's filter cut it.
    ContentFilter,
    /// The model refused.
    Refusal,
    /// The stream was cut.
    Error,
    /// Anything else.
    Other,
}

/// An error as the telemetry told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// `error.type` or the exception's class.
    pub kind: Box<str>,
    /// Status message or exception message; may be empty.
    pub message: Box<str>,
    /// Whether it was a timeout.
    pub timeout: bool,
    /// HTTP status of the provider's answer, where it is known.
    pub status_code: Option<u16>,
}

/// The rendered prompt and the versions of what composed it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// Template name.
    pub name: Option<Box<str>>,
    /// Template version, as the application names it.
    pub version: Option<Box<str>>,
    /// Version that was in service when the request began, where another one is declared than `version`.
    pub expected: Option<Box<str>>,
    /// `(component, version)`, in order of component.
    pub components: Vec<(Box<str>, Box<str>)>,
    /// The system part as rendered, when content is captured.
    pub system: Option<Box<str>>,
    /// SHA-256 of the normalised system part.
    pub sha256: Option<[u8; 32]>,
}

/// One call of a model, its retries folded in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelCall {
    /// Provider, lowercase: `openai`, `anthropic`, ...
    pub provider: Option<Box<str>>,
    /// Model asked for.
    pub model_requested: Option<Box<str>>,
    /// Model that answered.
    pub model_served: Option<Box<str>>,
    /// `system_fingerprint` or the like.
    pub fingerprint: Option<Box<str>>,
    /// Routing slice or deployment.
    pub route: Option<Box<str>>,
    /// Why the router chose it.
    pub route_reason: Option<Box<str>>,
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    pub top_p: Option<f64>,
    /// Output token limit.
    pub max_tokens: Option<u64>,
    /// Start of the call.
    pub started_at: UnixNanos,
    /// End minus start.
    pub duration: Duration,
    /// Time to first token.
    pub time_to_first_token: Option<Duration>,
    /// Whether it streamed.
    pub streaming: Option<bool>,
    /// Input tokens as the provider counts them.
    pub input_tokens: Option<u64>,
    /// Output tokens.
    pub output_tokens: Option<u64>,
    /// Input tokens read from the provider's cache.
    pub cached_input_tokens: Option<u64>,
    /// Input tokens written to the provider's cache.
    pub cache_write_tokens: Option<u64>,
    /// How the cached tokens relate to `input_tokens`, when the telemetry's dialect settles it; else the provider does
    /// ([`CachedTokens::of_provider`]).
    pub cached_tokens: Option<CachedTokens>,
    /// Output tokens the model thought with; counted in `output_tokens`, too.
    pub reasoning_tokens: Option<u64>,
    /// Cost in billionths of a US dollar: as reported by the telemetry, else by a price table.
    pub cost_nano_usd: Option<u64>,
    /// Where the cost is from; `None` until somebody asked.
    pub cost_source: Option<CostSource>,
    /// Why it stopped.
    pub finish_reason: Option<FinishReason>,
    /// Attempts beyond the first.
    pub retries: Option<u32>,
    /// Provider's response id.
    pub response_id: Option<Box<str>>,
    /// Set when the call failed.
    pub error: Option<Failure>,
}

/// One search of an index.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Retrieval {
    /// Index, collection or data source.
    pub index: Option<Box<str>>,
    /// Its version or snapshot id.
    pub index_version: Option<Box<str>>,
    /// Embedding model.
    pub embedding_model: Option<Box<str>>,
    /// Age of the served data against its source.
    pub freshness_lag: Option<Duration>,
    /// Whether a reindex was running.
    pub reindexing: Option<bool>,
    /// Documents in rank order; `None` when the telemetry does not say, empty when nothing was found.
    pub documents: Option<Vec<Document>>,
    /// Start of the search.
    pub started_at: UnixNanos,
    /// End minus start.
    pub duration: Duration,
    /// Set when the search failed.
    pub error: Option<Failure>,
}

/// One retrieved document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// Document id.
    pub id: Option<Box<str>>,
    /// Relevance as the store reports it.
    pub score: Option<f64>,
    /// Text, when content is captured.
    pub content: Option<Box<str>>,
    /// When the source last changed.
    pub updated_at: Option<UnixNanos>,
}

/// One execution of a tool.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToolCall {
    /// Tool name.
    pub name: Box<str>,
    /// Tool version.
    pub version: Option<Box<str>>,
    /// Start.
    pub started_at: UnixNanos,
    /// End minus start; `None` when only messages tell of the call.
    pub duration: Option<Duration>,
    /// Whether the telemetry shows that it ran; otherwise the model only asked for it.
    pub ran: bool,
    /// Arguments as JSON text, when content is captured.
    pub arguments: Option<Box<str>>,
    /// Result as text, when content is captured.
    pub result: Option<Box<str>>,
    /// Set when the tool failed.
    pub error: Option<Failure>,
}

/// The contract of one tool as offered to the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolSchema {
    /// Tool name.
    pub name: Box<str>,
    /// SHA-256 of the canonical schema (RFC 8785; framework noise removed).
    pub sha256: [u8; 32],
    /// The canonical schema: `{"name","description","parameters"}`.
    pub json: Box<str>,
}

/// What a user said of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Feedback {
    /// Thumb up or down, when it can be told.
    pub positive: Option<bool>,
    /// Score as reported.
    pub score: Option<f64>,
    /// Free text, when content is captured.
    pub comment: Option<Box<str>>,
}

/// The slice of traffic a request belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Request class: `gen_ai.request.class`, else derived.
    pub class: Option<Box<str>>,
    /// Region.
    pub region: Option<Box<str>>,
    /// Customer tier.
    pub tier: Option<Box<str>>,
    /// Language.
    pub language: Option<Box<str>>,
}

impl std::fmt::Display for TraceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for TraceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Outcome {
    /// The name in metrics and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Refused => "refused",
            Self::Blocked => "blocked",
        }
    }
}

impl FinishReason {
    /// The name in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Refusal => "refusal",
            Self::Error => "error",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What nobody in particular says of a request.
    pub(crate) fn evaluation(metric: &str, passed: bool) -> Evaluation {
        Evaluation {
            metric: metric.into(),
            score: None,
            label: None,
            passed: Some(passed),
            judge: Judge::default(),
            error: None,
            sampled_by: None,
        }
    }

    /// A request with nothing but what every request has.
    pub(crate) fn request() -> Request {
        Request {
            trace_id: TraceId([7; 16]),
            feature: "support".into(),
            session_id: None,
            user_id: None,
            request_id: None,
            started_at: UnixNanos(1_000_000_000),
            ended_at: UnixNanos(2_000_000_000),
            latency: Duration::from_secs(1),
            operation: None,
            outcome: Outcome::Ok,
            finish_reason: None,
            error: None,
            prompt: Prompt::default(),
            user_query: None,
            response: None,
            calls: Vec::new(),
            retrievals: Vec::new(),
            tools: Vec::new(),
            tools_offered: Vec::new(),
            tool_path: None,
            tools_version: None,
            evaluations: Vec::new(),
            feedback: None,
            traffic: Traffic::default(),
            drill: None,
            dialects: Vec::new(),
            spans: 1,
        }
    }
}

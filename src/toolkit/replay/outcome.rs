//! A reply as a request of its own, so that whatever reads recordings reads it.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::plan::Overrides;
use super::reply::Reply;
use crate::core::request::{Failure, FinishReason, ModelCall, Outcome, Request};
use crate::core::statistics::wilson;
use crate::core::time::UnixNanos;

/// The request as it went this time: what was found and what tools gave is as it was then, what the model did is new.
/// Verdicts of then are not verdicts on this answer. The time outside of the model is taken as it was.
#[must_use]
pub fn replayed(
    original: &Request,
    overrides: &Overrides,
    reply: Result<&Reply, &Failure>,
    took: Took,
    at: UnixNanos,
) -> Request {
    let outside = original.latency.saturating_sub(original.calls.iter().map(|it| it.duration).sum());
    let latency = outside + took.whole;
    let mut request = Request {
        started_at: at,
        ended_at: at.plus(latency),
        latency,
        evaluations: Vec::new(),
        feedback: None,
        ..original.clone()
    };
    if let Some(prompt) = &overrides.prompt {
        request.prompt.version = Some(prompt.version.as_str().into());
        request.prompt.sha256 = None;
        if let Some(text) = &prompt.text {
            request.prompt.system = Some(text.as_str().into());
        }
    }
    let last = original.calls.last().cloned().unwrap_or_default();
    let call = ModelCall {
        provider: last.provider,
        model_requested: overrides.model.as_deref().map(Into::into).or(last.model_requested).or(last.model_served),
        temperature: overrides.temperature.or(last.temperature),
        top_p: overrides.top_p.or(last.top_p),
        max_tokens: overrides.max_tokens.or(last.max_tokens),
        started_at: at,
        duration: took.whole,
        time_to_first_token: took.first_token,
        retries: Some(took.retries),
        ..ModelCall::default()
    };
    (request.outcome, request.error, request.response) = match reply {
        Ok(reply) => (
            outcome(reply),
            None,
            Some(reply.refusal.as_ref().filter(|_| reply.text.is_empty()).unwrap_or(&reply.text).as_str().into()),
        ),
        Err(failure) => (Outcome::Error, Some(failure.clone()), None),
    };
    request.finish_reason = reply.ok().and_then(|it| it.finish.as_deref()).map(finish);
    request.calls = vec![answered(call, reply)];
    request
}

/// How long an answer took, and how often it was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Took {
    /// From the first byte sent to the last received, of the attempt that answered; of all rounds together.
    pub whole: Duration,
    /// To the first of an answer; only a stream tells.
    pub first_token: Option<Duration>,
    /// Attempts beyond the first.
    pub retries: u32,
}

fn answered(call: ModelCall, reply: Result<&Reply, &Failure>) -> ModelCall {
    match reply {
        Err(failure) => ModelCall { error: Some(failure.clone()), ..call },
        Ok(reply) => ModelCall {
            model_served: reply.model.as_deref().map(Into::into),
            fingerprint: reply.fingerprint.as_deref().map(Into::into),
            response_id: reply.id.as_deref().map(Into::into),
            input_tokens: reply.input_tokens,
            output_tokens: reply.output_tokens,
            cached_input_tokens: reply.cached_tokens,
            finish_reason: reply.finish.as_deref().map(finish),
            ..call
        },
    }
}

fn outcome(reply: &Reply) -> Outcome {
    match (reply.refusal.is_some(), reply.finish.as_deref()) {
        (true, _) => Outcome::Refused,
        (false, Some("content_filter")) => Outcome::Blocked,
        (false, _) => Outcome::Ok,
    }
}

fn finish(reason: &str) -> FinishReason {
    match reason {
        "stop" => FinishReason::Stop,
        "length" => FinishReason::Length,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        "content_filter" => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    }
}

/// How often a repeated request passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repeated {
    /// Answers that passed.
    pub passed: u32,
    /// Answers that did not, or were none.
    pub failed: u32,
}

impl Repeated {
    /// Rate and its 95 % interval (Wilson), with the counts.
    #[must_use]
    pub fn to_json(self) -> Json {
        let all = self.passed + self.failed;
        let (low, high) = wilson(self.passed, all);
        let rate = (all > 0).then(|| f64::from(self.passed) / f64::from(all));
        json!({ "answers": all, "passed": self.passed, "rate": rate, "ci_low": low, "ci_high": high })
    }
}

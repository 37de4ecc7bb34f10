//! Attempt, pause, attempt: one request until its fate is known.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::failure::{Failure, Remedy};
use super::retry;
use crate::config::Retry;
use crate::otlp::{PartialSuccess, Signal};

/// How requests are delivered. Clones share what is known of the next hop's health.
#[derive(Clone)]
pub(super) struct Delivery {
    retry: Retry,
    timeout: Duration,
    healthy: Arc<AtomicBool>,
}

impl Delivery {
    /// Attempts are bounded by `timeout` each, pauses by `retry`.
    pub(super) fn new(retry: Retry, timeout: Duration) -> Self {
        Self { retry, timeout, healthy: Arc::new(AtomicBool::new(true)) }
    }

    /// Repeats `attempt` until it succeeds, fails for good or is out of time. Answers with `result` and `reason`.
    pub(super) async fn run<F>(&self, signal: Signal, attempt: impl Fn() -> F) -> (&'static str, &'static str)
    where
        F: Future<Output = Result<Option<PartialSuccess>, Failure>>,
    {
        let started = Instant::now();
        for retries in 0.. {
            let outcome = tokio::time::timeout(self.timeout, attempt()).await;
            let failure = match outcome.unwrap_or_else(|_| Err(Failure::timeout())) {
                Ok(partial) => return self.sent(signal, partial),
                Err(failure) => failure,
            };
            self.failed(signal, &failure);
            let Remedy::Retry(hint) = failure.remedy else { return ("failed", failure.reason) };
            let pause = retry::pause(&self.retry, retries, started.elapsed(), hint, rand::random());
            let Some(pause) = pause else { break };
            tokio::time::sleep(pause).await;
        }
        ("dropped", "max_elapsed_time")
    }

    fn sent(&self, signal: Signal, partial: Option<PartialSuccess>) -> (&'static str, &'static str) {
        if !self.healthy.swap(true, Ordering::Relaxed) {
            tracing::info!("the next hop accepts requests again");
        }
        let Some(partial) = partial else { return ("sent", "") };
        let (signal, rejected, message) = (signal.name(), partial.rejected, partial.error_message);
        tracing::debug!(signal, rejected, message, "the next hop accepted a part");
        ("sent", "partial_success")
    }

    /// Only the change is worth a warning; the rest is counted.
    fn failed(&self, signal: Signal, failure: &Failure) {
        let (signal, reason, detail) = (signal.name(), failure.reason, failure.detail.as_str());
        if self.healthy.swap(false, Ordering::Relaxed) {
            tracing::warn!(signal, reason, detail, "the next hop does not accept requests");
        } else {
            tracing::debug!(signal, reason, detail, "attempt failed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::VecDeque;

    use tonic::Code;

    use super::*;

    type Script = VecDeque<Result<Option<PartialSuccess>, Failure>>;

    fn unavailable(hint: Option<u64>) -> Result<Option<PartialSuccess>, Failure> {
        Err(Failure::grpc(Code::Unavailable, String::new(), hint.map(Duration::from_secs)))
    }

    /// Runs the script with a ceiling of 1 s a pause and 60 s in all: the outcome, the seconds it took, what is left.
    async fn run(script: Script) -> ((&'static str, &'static str), f64, usize) {
        let second = Duration::from_secs(1);
        let retry = Retry { initial_interval: second, max_interval: second, max_elapsed_time: 60 * second };
        let script = RefCell::new(script);
        let started = Instant::now();
        let outcome = Delivery::new(retry, 10 * second)
            .run(Signal::Logs, || async {
                let step = script.borrow_mut().pop_front();
                match step {
                    Some(answer) => answer,
                    None => std::future::pending().await,
                }
            })
            .await;
        (outcome, started.elapsed().as_secs_f64(), script.into_inner().len())
    }

    /// The pause the next hop asks for is waited for in full, plus at most the jitter.
    #[tokio::test(start_paused = true)]
    async fn retry_hint_is_honoured() {
        let (outcome, seconds, left) = run([unavailable(Some(7)), Ok(None)].into()).await;
        assert_eq!((outcome, left), (("sent", ""), 0));
        assert!((7.0..=8.001).contains(&seconds), "{seconds}");
    }

    /// A hint that reaches past `max_elapsed_time` ends the request at once.
    #[tokio::test(start_paused = true)]
    async fn hint_beyond_the_limit_drops() {
        let (outcome, seconds, left) = run([unavailable(Some(3_600)), Ok(None)].into()).await;
        assert_eq!((outcome, left), (("dropped", "max_elapsed_time"), 1));
        assert!(seconds < 0.01, "{seconds}");
    }

    /// What is refused for good is not tried again.
    #[tokio::test(start_paused = true)]
    async fn permanent_failures_are_not_retried() {
        let refused = Failure::grpc(Code::InvalidArgument, String::new(), None);
        let (outcome, _, left) = run([Err(refused), Ok(None)].into()).await;
        assert_eq!((outcome, left), (("failed", "invalid_argument"), 1));
    }

    /// Attempts that hang are cut off and tried again until `max_elapsed_time`.
    #[tokio::test(start_paused = true)]
    async fn hanging_attempts_time_out() {
        let (outcome, seconds, _) = run(Script::new()).await;
        assert_eq!(outcome, ("dropped", "max_elapsed_time"));
        assert!((50.0..=70.001).contains(&seconds), "{seconds}");
    }

    /// A partial success is a success, and is told apart.
    #[tokio::test(start_paused = true)]
    async fn partial_success_is_sent() {
        let partial = PartialSuccess { rejected: 2, error_message: "no ids".to_owned() };
        let (outcome, ..) = run([Ok(Some(partial))].into()).await;
        assert_eq!(outcome, ("sent", "partial_success"));
    }
}

//! The endpoint: an API like OpenAI's, asked with retries that wait as long as it wants.

use std::time::Duration;

use anyhow::{Context as _, bail};
use rand::Rng as _;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use serde_json::Value as Json;
use tokio::time::Instant;

use crate::cli::client;
use crate::config;
use crate::core::request::Failure;
use crate::engine::clock;
use crate::toolkit::replay::{Reply, Stream, Took};

/// Attempts at one call, the first included.
const ATTEMPTS_MAX: u32 = 4;
/// First wait between two, doubled each time; and the longest, also where the endpoint wants longer.
const WAIT: Duration = Duration::from_millis(500);
const WAIT_MAX: Duration = Duration::from_secs(30);
/// Bytes of a reply that is not streamed, and of what is told of an error.
const REPLY_BYTES_MAX: usize = 16 << 20;
const DETAIL_CHARS_MAX: usize = 300;

/// Where the model is asked.
#[derive(Debug)]
pub(super) struct Endpoint {
    client: reqwest::Client,
    url: reqwest::Url,
    headers: HeaderMap,
    is_streamed: bool,
}

/// One attempt that failed.
struct Refused {
    failure: Failure,
    /// How long to wait before the next; `None` where there must be none.
    wait: Option<Duration>,
}

impl Endpoint {
    /// An endpoint at its base URL or that of its chat completions, with the key in the environment variable `key`.
    pub(super) fn new(
        url: &str,
        key: &str,
        headers: &[(String, String)],
        timeout: Duration,
        insecure: bool,
        is_streamed: bool,
    ) -> anyhow::Result<Self> {
        let base = url.trim_end_matches('/');
        let full =
            if base.ends_with("/chat/completions") { base.to_owned() } else { format!("{base}/chat/completions") };
        let url = reqwest::Url::parse(&full).with_context(|| format!("--endpoint {url}"))?;
        let mut headers = client::headers(headers)?;
        if let Some(key) = config::env::process(key).filter(|key| !key.is_empty()) {
            let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
            let is_near = host == "localhost" || host.parse().is_ok_and(|it: std::net::IpAddr| it.is_loopback());
            if url.scheme() != "https" && !is_near && !insecure {
                bail!("the key would go over plain http to {host}: use https, or --insecure");
            }
            let mut value = HeaderValue::try_from(format!("Bearer {key}")).context("the key is no header value")?;
            value.set_sensitive(true);
            headers.entry(AUTHORIZATION).or_insert(value);
        }
        Ok(Self { client: client::with_timeout(timeout)?, url, headers, is_streamed })
    }

    /// Host and port, for the record.
    pub(super) fn host(&self) -> String {
        let port = self.url.port().map_or_else(String::new, |port| format!(":{port}"));
        format!("{}{port}", self.url.host_str().unwrap_or_default())
    }

    pub(super) fn is_streamed(&self) -> bool {
        self.is_streamed
    }

    /// Asks until there is an answer, a refusal that no repetition changes, or too many attempts were made.
    pub(super) async fn ask(&self, body: &Json, is_streamed: bool) -> Result<(Reply, Took), Failure> {
        let mut retries = 0;
        loop {
            match self.attempt(body, is_streamed).await {
                Ok((reply, took)) => return Ok((reply, Took { retries, ..took })),
                Err(Refused { failure, wait }) => match wait {
                    Some(wait) if retries + 1 < ATTEMPTS_MAX => tokio::time::sleep(backed_off(retries, wait)).await,
                    _ => return Err(failure),
                },
            }
            retries += 1;
        }
    }

    async fn attempt(&self, body: &Json, is_streamed: bool) -> Result<(Reply, Took), Refused> {
        let begun = Instant::now();
        let sent = self
            .client
            .post(self.url.clone())
            .headers(self.headers.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string())
            .send()
            .await;
        let response = sent.map_err(|error| broken(&error))?;
        let status = response.status();
        if !status.is_success() {
            let wait = wanted(&response);
            let detail = whole(response).await.unwrap_or_default();
            return Err(refused(status, wait, &detail));
        }
        let malformed = |error: &dyn std::fmt::Display| Refused {
            failure: failure("malformed_reply", error.to_string(), Some(status)),
            wait: None,
        };
        if !is_streamed {
            let body = whole(response).await?;
            let reply = Reply::parse(&body).map_err(|error| malformed(&error))?;
            return Ok((reply, Took { whole: begun.elapsed(), ..Took::default() }));
        }
        let (mut stream, mut response, mut first_token) = (Stream::default(), response, None);
        while let Some(piece) = response.chunk().await.map_err(|error| broken(&error))? {
            stream.push(&piece).map_err(|error| malformed(&error))?;
            if first_token.is_none() && stream.has_begun() {
                first_token = Some(begun.elapsed());
            }
        }
        let reply = stream.end().map_err(|error| malformed(&error))?;
        Ok((reply, Took { whole: begun.elapsed(), first_token, retries: 0 }))
    }
}

/// Exponential, with full jitter above what is wanted.
fn backed_off(retries: u32, wanted: Duration) -> Duration {
    let most = WAIT.saturating_mul(1 << retries.min(8)).min(WAIT_MAX);
    (wanted + most.mul_f64(rand::rng().random_range(0.5..1.0))).min(WAIT_MAX)
}

/// What `Retry-After` says (RFC 9110, section 10.2.3): seconds, or a date.
fn wanted(response: &reqwest::Response) -> Duration {
    let value = response.headers().get(RETRY_AFTER).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let seconds = value.parse().ok().map(Duration::from_secs);
    let until = || {
        let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp().as_nanosecond();
        u64::try_from(at).ok().map(|at| crate::core::time::UnixNanos(at).since(clock::now()))
    };
    seconds.or_else(until).unwrap_or_default().min(WAIT_MAX)
}

fn refused(status: StatusCode, wait: Duration, body: &[u8]) -> Refused {
    let document: Json = serde_json::from_slice(body).unwrap_or_default();
    let text = String::from_utf8_lossy(body);
    let detail: String =
        document["error"]["message"].as_str().unwrap_or(&text).chars().take(DETAIL_CHARS_MAX).collect();
    let is_passing = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
    // Money that is gone does not come back by waiting.
    let is_passing = is_passing && document["error"]["code"] != "insufficient_quota";
    Refused { failure: failure(status.as_str(), detail, Some(status)), wait: is_passing.then_some(wait) }
}

fn broken(error: &reqwest::Error) -> Refused {
    let kind = if error.is_timeout() { "timeout" } else { "connection_error" };
    let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    Refused {
        failure: Failure { timeout: error.is_timeout(), ..failure(kind, cause, None) },
        wait: Some(Duration::ZERO),
    }
}

fn failure(kind: &str, message: String, status: Option<StatusCode>) -> Failure {
    Failure { kind: kind.into(), message: message.into(), timeout: false, status_code: status.map(|it| it.as_u16()) }
}

async fn whole(mut response: reqwest::Response) -> Result<Vec<u8>, Refused> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| broken(&error))? {
        body.extend_from_slice(&piece);
        if body.len() > REPLY_BYTES_MAX {
            let message = format!("the reply has more than {REPLY_BYTES_MAX} bytes");
            return Err(Refused { failure: failure("malformed_reply", message, None), wait: None });
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that waits grow, keep to what is wanted, and end.
    #[test]
    fn waits_are_bounded() {
        for retries in 0..40 {
            let wait = backed_off(retries, Duration::from_secs(2));
            assert!(wait >= Duration::from_secs(2) && wait <= WAIT_MAX, "{wait:?}");
        }
        assert_eq!(backed_off(0, Duration::from_secs(3600)), WAIT_MAX);
    }
}

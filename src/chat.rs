//! An API like OpenAI's, asked with retries that wait as long as it wants. Replays and judges share it.

use std::time::Duration;

use rand::Rng as _;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use serde_json::Value as Json;
use thiserror::Error;
use tokio::time::Instant;

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

/// Why an endpoint can't be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum EndpointError {
    /// No URL.
    #[error("endpoint {0}: {1}")]
    Url(String, String),
    /// A key that anybody on the way could read.
    #[error("the key would go over plain http to {0}: use https, or say that it may be insecure")]
    Plain(String),
    /// A key that no header takes.
    #[error("the key is no header value")]
    Key,
}

/// Where the model is asked.
#[derive(Clone, Debug)]
pub struct Endpoint {
    client: reqwest::Client,
    url: reqwest::Url,
    headers: HeaderMap,
    is_streamed: bool,
    timeout: Option<Duration>,
}

/// One attempt that failed.
struct Refused {
    failure: Failure,
    /// How long to wait before the next; `None` where there must be none.
    wait: Option<Duration>,
}

impl Endpoint {
    /// An endpoint at its base URL or that of its chat completions. `headers` go along, and the key as a bearer token unless
    /// they say who asks.
    ///
    /// # Errors
    /// A URL that is none, and a key that would go over plain http to another machine unless that is allowed.
    pub fn new(
        client: reqwest::Client,
        url: &str,
        key: Option<&str>,
        mut headers: HeaderMap,
        is_insecure: bool,
    ) -> Result<Self, EndpointError> {
        let base = url.trim_end_matches('/');
        let full =
            if base.ends_with("/chat/completions") { base.to_owned() } else { format!("{base}/chat/completions") };
        let url = reqwest::Url::parse(&full).map_err(|error| EndpointError::Url(url.to_owned(), error.to_string()))?;
        if let Some(key) = key.filter(|key| !key.is_empty()) {
            let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
            let is_near = host == "localhost" || host.parse().is_ok_and(|it: std::net::IpAddr| it.is_loopback());
            if url.scheme() != "https" && !is_near && !is_insecure {
                return Err(EndpointError::Plain(host.to_owned()));
            }
            let mut value = HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| EndpointError::Key)?;
            value.set_sensitive(true);
            headers.entry(AUTHORIZATION).or_insert(value);
        }
        Ok(Self { client, url, headers, is_streamed: false, timeout: None })
    }

    /// The same, with a bound of each attempt of its own.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// The same, whose answers are streamed if it says so.
    #[must_use]
    pub fn streamed(self, is_streamed: bool) -> Self {
        Self { is_streamed, ..self }
    }

    /// Host and port, for the record.
    #[must_use]
    pub fn host(&self) -> String {
        let port = self.url.port().map_or_else(String::new, |port| format!(":{port}"));
        format!("{}{port}", self.url.host_str().unwrap_or_default())
    }

    /// Whether its answers are streamed.
    #[must_use]
    pub fn is_streamed(&self) -> bool {
        self.is_streamed
    }

    /// Asks until there is an answer, a refusal that no repetition changes, or too many attempts were made.
    ///
    /// # Errors
    /// What the last attempt failed with.
    pub async fn ask(&self, body: &Json, is_streamed: bool) -> Result<(Reply, Took), Failure> {
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
        let request = self.client.post(self.url.clone()).headers(self.headers.clone());
        let request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        let request = self.timeout.into_iter().fold(request, reqwest::RequestBuilder::timeout);
        let response = request.send().await.map_err(|error| broken(&error))?;
        let status = response.status();
        if !status.is_success() {
            let wait = wanted(&response);
            let detail = whole(response).await.unwrap_or_default();
            return Err(refused(status, wait, &self.without_key(&detail)));
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

impl Endpoint {
    /// What an endpoint said, without the key that some repeat.
    fn without_key(&self, said: &[u8]) -> Vec<u8> {
        let secrets = self.headers.values().filter(|it| it.is_sensitive()).filter_map(|it| it.to_str().ok());
        let keys = secrets.filter_map(|it| it.split_whitespace().last());
        keys.fold(String::from_utf8_lossy(said).into_owned(), |said, key| said.replace(key, "***")).into_bytes()
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

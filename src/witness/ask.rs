//! One request to a witness over HTTP, and its answer within bounds.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;

use crate::config::Witness;
use crate::core::witness::Answer;

/// From the first byte of a request to the last of its answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer; a longer one is none.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Longest pause a witness can ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// What came back.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// `None` without a whole answer.
    pub(super) answer: Option<Answer>,
    /// The pause the witness asked for.
    pub(super) retry_after: Option<Duration>,
}

/// Follows no redirects: the address is configured, and what is shown there is meant for it.
pub(super) fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder().redirect(Policy::none()).timeout(REQUEST_TIMEOUT).build()
}

/// Posts `body` to `add-checkpoint`; `text` is that of the note in it.
pub(super) async fn ask(http: &reqwest::Client, witness: &Witness, body: String, text: &str) -> Asked {
    let request = http.post(format!("{}/add-checkpoint", witness.url));
    let response = match request.header(CONTENT_TYPE, "text/plain; charset=utf-8").body(body).send().await {
        Ok(response) => response,
        Err(error) => {
            let error = anyhow::Error::new(error.without_url());
            tracing::warn!(witness = witness.key.name(), error = format!("{error:#}"), "the witness does not answer");
            return Asked::default();
        }
    };
    let status = response.status().as_u16();
    let header = |name| response.headers().get(name)?.to_str().ok().map(str::to_owned);
    let (content_type, pause) = (header(CONTENT_TYPE), header(RETRY_AFTER));
    let seconds = pause.and_then(|pause| pause.parse().ok()).map(Duration::from_secs);
    let answer =
        bounded(response).await.map(|bytes| Answer::read(status, content_type.as_deref(), &bytes, &witness.key, text));
    if answer.as_ref().is_none_or(|answer| *answer == Answer::Refused) {
        tracing::warn!(witness = witness.key.name(), status, "the witness did not cosign");
    }
    Asked { answer, retry_after: seconds.map(|pause| pause.min(RETRY_AFTER_MAX)) }
}

/// What the witness cosigned last of the log whose origin has this SHA-256, if it serves that beside `add-checkpoint`.
pub(super) async fn remembered(http: &reqwest::Client, witness: &Witness, origin_sha256: &str) -> Option<String> {
    let response = http.get(format!("{}/{origin_sha256}/checkpoint", witness.url)).send().await.ok()?;
    let bytes = bounded(response.error_for_status().ok()?).await?;
    String::from_utf8(bytes).ok()
}

async fn bounded(mut response: reqwest::Response) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return None;
        }
        bytes.extend_from_slice(&chunk);
    }
    Some(bytes)
}

/// The answer as counted.
pub(super) fn label(answer: &Answer) -> &'static str {
    match answer {
        Answer::Cosigned { .. } => "cosigned",
        Answer::Conflict(_) => "conflict",
        Answer::Inconsistent => "inconsistent",
        Answer::Refused => "refused",
    }
}

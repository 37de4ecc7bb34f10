//! Talking to a running sidecar: one request, without retries.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use rustls::{ClientConfig, RootCertStore};

/// Bound of the whole exchange.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes read of a reply that says what became of a request.
const REPLY_BYTES_MAX: usize = 64 << 10;
/// Bytes read of what was asked for.
const ANSWER_BYTES_MAX: usize = 128 << 20;

/// `NAME=VALUE`
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    if name.is_empty() { Err("expected NAME=VALUE".into()) } else { Ok((name.to_owned(), value.to_owned())) }
}

/// The headers of `--header`, whose values are secrets.
pub(super) fn headers(pairs: &[(String, String)]) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::try_from(name).with_context(|| format!("--header {name}"))?;
        let mut value = HeaderValue::try_from(value).with_context(|| format!("--header {name}"))?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

/// A client for one request.
pub(super) fn new() -> anyhow::Result<reqwest::Client> {
    with_timeout(TIMEOUT)
}

/// A client whose exchanges take no longer than `timeout`, each. It follows no redirect and uses no proxy.
pub(super) fn with_timeout(timeout: Duration) -> anyhow::Result<reqwest::Client> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let tls = tls.with_root_certificates(roots).with_no_client_auth();
    let builder = reqwest::Client::builder().tls_backend_preconfigured(tls).timeout(timeout).no_proxy();
    Ok(builder.redirect(reqwest::redirect::Policy::none()).build()?)
}

/// The body of a reply, as far as it may be long.
pub(super) async fn body(response: reqwest::Response) -> reqwest::Result<Vec<u8>> {
    body_of(response, REPLY_BYTES_MAX).await
}

/// What was asked for, as far as it may be long.
pub(super) async fn answer(response: reqwest::Response) -> reqwest::Result<Vec<u8>> {
    body_of(response, ANSWER_BYTES_MAX).await
}

async fn body_of(mut response: reqwest::Response, bytes_max: usize) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while body.len() < bytes_max
        && let Some(chunk) = response.chunk().await?
    {
        body.extend_from_slice(&chunk[..chunk.len().min(bytes_max - body.len())]);
    }
    Ok(body)
}

/// Fetches what is at `url`.
///
/// # Errors
/// When it does not answer, or not with success; then with what it says.
pub(super) fn get(url: &str, pairs: &[(String, String)]) -> anyhow::Result<Vec<u8>> {
    ask(url, |client| client.get(url), pairs)
}

/// Sends `body` to `url` and fetches the answer.
///
/// # Errors
/// As [`get`].
pub(super) fn post(url: &str, pairs: &[(String, String)], body: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    ask(url, |client| client.post(url).body(body), pairs)
}

fn ask(
    url: &str,
    request: impl FnOnce(reqwest::Client) -> reqwest::RequestBuilder,
    pairs: &[(String, String)],
) -> anyhow::Result<Vec<u8>> {
    let headers = headers(pairs)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let response = request(new()?).headers(headers).send().await.context("the sidecar does not answer")?;
        let status = response.status();
        let body = body_of(response, ANSWER_BYTES_MAX).await.context("the sidecar's answer broke off")?;
        let detail = || serde_json::from_slice::<serde_json::Value>(&body).unwrap_or_default()["detail"].clone();
        match status.is_success() {
            true => Ok(body),
            false => anyhow::bail!("{url} answered {status} {}", detail().as_str().unwrap_or_default()),
        }
    })
}

//! One OTLP/HTTP export of log records, without retries: CI and cron have their own.

use std::time::Duration;

use anyhow::{Context as _, bail};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message;
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use rustls::{ClientConfig, RootCertStore};

use crate::otlp::{ExportReply, RpcStatus, Signal};

/// Bound of the whole exchange.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes read of a reply.
const REPLY_BYTES_MAX: usize = 64 << 10;

/// Where log records go under an endpoint.
pub(super) fn url(endpoint: &str) -> anyhow::Result<Url> {
    let base = endpoint.trim_end_matches('/');
    let path = Signal::Logs.http_path();
    let url = if base.ends_with(path) { base.to_owned() } else { format!("{base}{path}") };
    let url = Url::parse(&url).with_context(|| format!("--endpoint {endpoint}"))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        _ => bail!("--endpoint {endpoint}: expected http://host:port or https://host:port"),
    }
}

/// Sends `request`.
///
/// # Errors
/// When it did not arrive, or was not taken in whole.
pub(super) async fn logs(
    url: &Url,
    headers: &[(String, String)],
    request: &ExportLogsServiceRequest,
) -> anyhow::Result<()> {
    let mut own = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::try_from(name).with_context(|| format!("--header {name}"))?;
        let mut value = HeaderValue::try_from(value).with_context(|| format!("--header {name}"))?;
        value.set_sensitive(true);
        own.append(name, value);
    }
    own.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    let sent = client()?.post(url.clone()).headers(own).body(request.encode_to_vec()).send().await;
    let response = sent.context("the sidecar does not answer")?;
    let status = response.status();
    let body = body(response).await.context("the sidecar's answer broke off")?;
    if !status.is_success() {
        let said = RpcStatus::decode(body.as_slice()).map(|it| it.message).unwrap_or_default();
        bail!("{url} answered {status} {said}");
    }
    let partial = ExportReply::decode(body.as_slice()).ok().and_then(|it| it.partial_success);
    match partial.filter(|it| it.rejected > 0) {
        Some(partial) => bail!("{} records were rejected: {}", partial.rejected, partial.error_message),
        None => Ok(()),
    }
}

fn client() -> anyhow::Result<reqwest::Client> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let tls = tls.with_root_certificates(roots).with_no_client_auth();
    let builder = reqwest::Client::builder().tls_backend_preconfigured(tls).timeout(TIMEOUT).no_proxy();
    Ok(builder.redirect(reqwest::redirect::Policy::none()).build()?)
}

async fn body(mut response: reqwest::Response) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while body.len() < REPLY_BYTES_MAX
        && let Some(chunk) = response.chunk().await?
    {
        body.extend_from_slice(&chunk[..chunk.len().min(REPLY_BYTES_MAX - body.len())]);
    }
    Ok(body)
}

//! One OTLP/HTTP export of log records, without retries: CI and cron have their own.

use anyhow::{Context as _, bail};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message;
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderValue};

use super::super::client;
use crate::otlp::{ExportReply, RpcStatus, Signal};

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
    let mut own = client::headers(headers)?;
    own.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    let sent = client::new()?.post(url.clone()).headers(own).body(request.encode_to_vec()).send().await;
    let response = sent.context("the sidecar does not answer")?;
    let status = response.status();
    let body = client::body(response).await.context("the sidecar's answer broke off")?;
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

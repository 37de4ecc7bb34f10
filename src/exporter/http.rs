//! OTLP/HTTP with protobuf bodies, over reqwest.

use std::time::Duration;

use ::http::header::{CONTENT_ENCODING, CONTENT_TYPE, DATE, RETRY_AFTER};
use ::http::{HeaderMap, HeaderValue};
use bytes::{Bytes, BytesMut};
use prost::Message;
use reqwest::{Response, Url, redirect};

use super::failure::Failure;
use super::tls::Pem;
use super::{ExporterError, REPLY_BYTES_MAX, USER_AGENT, chain, endpoint, gzip, headers};
use crate::config;
use crate::otlp::{ExportReply, PartialSuccess, RpcStatus, Signal};

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");

/// The client of one next hop; connections are pooled and made on demand.
pub(super) struct Client {
    client: reqwest::Client,
    /// One for each signal, in the order of [`Signal::ALL`].
    urls: [Url; 3],
    headers: HeaderMap,
    gzip: bool,
}

impl Client {
    pub(super) fn new(config: &config::Exporter) -> Result<Self, ExporterError> {
        let base = endpoint(config)?.to_string();
        let url = |signal: Signal| {
            Url::parse(&format!("{}{}", base.trim_end_matches('/'), signal.http_path()))
                .map_err(|error| ExporterError::Endpoint(config.endpoint.clone(), error.to_string()))
        };
        let urls = [url(Signal::Traces)?, url(Signal::Logs)?, url(Signal::Metrics)?];
        let mut tls = Pem::read(&config.tls)?.rustls()?;
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .http2_keep_alive_interval(config.timeout / 2)
            .http2_keep_alive_timeout(config.timeout / 2)
            .user_agent(USER_AGENT)
            .build()
            .map_err(|error| ExporterError::Tls(chain(&error)))?;
        Ok(Self { client, urls, headers: headers(config)?, gzip: config.gzip })
    }

    /// One attempt.
    pub(super) async fn send(&self, signal: Signal, message: Bytes) -> Result<Option<PartialSuccess>, Failure> {
        let mut request = self
            .client
            .post(self.urls[signal as usize].clone())
            .headers(self.headers.clone())
            .header(CONTENT_TYPE, PROTOBUF);
        request = match self.gzip {
            true => request.header(CONTENT_ENCODING, "gzip").body(gzip(&message)),
            false => request.body(message),
        };
        let response = request.send().await.map_err(|error| Failure::connection(chain(&error)))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = body(response).await;
        if !status.is_success() {
            let detail = RpcStatus::decode(body.unwrap_or_default()).map(|status| status.message).unwrap_or_default();
            return Err(Failure::http(status, detail, retry_after(&headers)));
        }
        let reply = ExportReply::decode(body?).unwrap_or_default();
        Ok(reply.partial_success.filter(|partial| partial.rejected != 0))
    }
}

/// The start of the reply's body; what is beyond the limit is no reply of an OTLP server.
async fn body(mut response: Response) -> Result<Bytes, Failure> {
    let mut body = BytesMut::new();
    while body.len() < REPLY_BYTES_MAX {
        match response.chunk().await.map_err(|error| Failure::connection(chain(&error)))? {
            Some(chunk) => body.extend_from_slice(&chunk[..chunk.len().min(REPLY_BYTES_MAX - body.len())]),
            None => break,
        }
    }
    Ok(body.freeze())
}

/// `Retry-After` in seconds, or as a date relative to the reply's own `Date` (RFC 9110 10.2.3): no clock is asked.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| jiff::fmt::rfc2822::parse(text).ok();
    let (at, now) = (date(text)?, date(headers.get(DATE)?.to_str().ok()?)?);
    Some(Duration::try_from(at.duration_since(&now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both forms of `Retry-After` are understood, and nonsense is no hint.
    #[test]
    fn retry_after_forms() {
        let table = [
            ("120", None, Some(120)),
            (" 0 ", None, Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some("Sun, 06 Nov 1994 08:49:07 GMT"), Some(30)),
            ("Sun, 06 Nov 1994 08:49:07 GMT", Some("Sun, 06 Nov 1994 08:49:37 GMT"), Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", None, None),
            ("soon", Some("Sun, 06 Nov 1994 08:49:07 GMT"), None),
            ("-1", None, None),
        ];
        for (text, date, seconds) in table {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            if let Some(date) = date {
                headers.insert(DATE, date.parse().unwrap());
            }
            assert_eq!(retry_after(&headers), seconds.map(Duration::from_secs), "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}

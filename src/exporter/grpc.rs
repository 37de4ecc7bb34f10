//! OTLP/gRPC over tonic's channel.
//!
//! The one message is framed here rather than by `tonic::client::Grpc`: that copies it, and panics on a
//! `grpc-status-details-bin` that is not base64, which the next hop is free to send.

use ::http::header::{CONTENT_TYPE, TE};
use ::http::uri::Scheme;
use ::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt, Limited, StreamBody};
use prost::Message;
use tonic::Code;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tower::ServiceExt;

use super::failure::Failure;
use super::tls::Pem;
use super::{ExporterError, REPLY_BYTES_MAX, USER_AGENT, chain, endpoint, gzip, headers};
use crate::config;
use crate::otlp::{ExportReply, PartialSuccess, RpcStatus, Signal};

/// Length-Prefixed-Message (grpc/doc/PROTOCOL-HTTP2.md): a flag and a big-endian length.
const PREFIX_BYTES: usize = 5;

/// Senders of `-bin` headers may pad and need not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The client of one next hop; the channel connects on demand, and again after a loss.
pub(super) struct Client {
    channel: Channel,
    headers: HeaderMap,
    gzip: bool,
}

impl Client {
    pub(super) fn new(config: &config::Exporter) -> Result<Self, ExporterError> {
        let uri = endpoint(config)?;
        let secure = uri.scheme() == Some(&Scheme::HTTPS);
        // A ping goes out when an attempt hears nothing for half its time: a peer that vanished is found, and the next
        // attempt connects anew. Servers that count pings never see one from an idle channel.
        let patience = config.timeout / 2;
        let mut endpoint = Endpoint::from(uri)
            .connect_timeout(config.timeout)
            .http2_keep_alive_interval(patience)
            .keep_alive_timeout(patience);
        if secure {
            let tls = Pem::read(&config.tls)?.tonic()?;
            endpoint = endpoint.tls_config(tls).map_err(|error| ExporterError::Tls(chain(&error)))?;
        }
        let endpoint = endpoint.user_agent(USER_AGENT).expect("a version is a valid header value");
        let mut headers = headers(config)?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        if config.gzip {
            headers.insert("grpc-encoding", HeaderValue::from_static("gzip"));
        }
        Ok(Self { channel: endpoint.connect_lazy(), headers, gzip: config.gzip })
    }

    /// One attempt.
    pub(super) async fn send(&self, signal: Signal, message: Bytes) -> Result<Option<PartialSuccess>, Failure> {
        let message = if self.gzip { gzip(&message) } else { message };
        let mut request = Request::new(framed(message, self.gzip)?);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = signal.grpc_path().parse().expect("the paths of OTLP are valid");
        *request.headers_mut() = self.headers.clone();
        let response = self.channel.clone().oneshot(request).await.map_err(|error| lost(&error))?;
        read(response).await
    }
}

/// The message behind its prefix, by reference.
fn framed(message: Bytes, compressed: bool) -> Result<Body, Failure> {
    let length = u32::try_from(message.len())
        .map_err(|_| Failure::grpc(Code::InvalidArgument, "longer than a gRPC message can be".to_owned(), None))?;
    let mut prefix = [u8::from(compressed), 0, 0, 0, 0];
    prefix[1..].copy_from_slice(&length.to_be_bytes());
    let frames = [Bytes::copy_from_slice(&prefix), message].map(|part| Ok::<_, tonic::Status>(Frame::data(part)));
    Ok(Body::new(StreamBody::new(tokio_stream::iter(frames))))
}

/// What the next hop answered. The status is in the trailers, or in the headers when there is nothing else.
async fn read(response: Response<Body>) -> Result<Option<PartialSuccess>, Failure> {
    let (head, body) = response.into_parts();
    if head.headers.contains_key("grpc-status") {
        return outcome(&head.headers, head.status, &[]);
    }
    let body = Limited::new(body, REPLY_BYTES_MAX).collect().await.map_err(|error| lost(error.as_ref()))?;
    let trailers = body.trailers().cloned().unwrap_or_default();
    outcome(&trailers, head.status, &body.to_bytes())
}

fn outcome(status: &HeaderMap, http: StatusCode, body: &[u8]) -> Result<Option<PartialSuccess>, Failure> {
    let text = |name: &str| status.get(name).map_or(&b""[..], HeaderValue::as_bytes);
    let code = match status.get("grpc-status") {
        Some(code) => Code::from_bytes(code.as_bytes()),
        None => code_of(http),
    };
    if code != Code::Ok {
        let details = BASE64.decode(text("grpc-status-details-bin")).unwrap_or_default();
        let retry_after = RpcStatus::decode(details.as_slice()).ok().and_then(|status| status.retry_after());
        let message = String::from_utf8_lossy(text("grpc-message"));
        return Err(Failure::grpc(code, format!("gRPC {code:?}: {message}"), retry_after));
    }
    let reply = ExportReply::decode(body.get(PREFIX_BYTES..).unwrap_or_default()).unwrap_or_default();
    Ok(reply.partial_success.filter(|partial| partial.rejected != 0))
}

/// An answer without a gRPC status, from a proxy in between (grpc/doc/http-grpc-status-mapping.md).
fn code_of(http: StatusCode) -> Code {
    match http.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

/// The connection failed, before or while the next hop answered.
fn lost(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::connection(chain(error))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The outcome of a reply with these trailers, under this HTTP status.
    fn answer(http: u16, trailers: &[(&'static str, &str)]) -> Result<Option<PartialSuccess>, Failure> {
        let trailers = trailers.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap()));
        outcome(&trailers.collect(), StatusCode::from_u16(http).unwrap(), &[])
    }

    /// A `RetryInfo` is found with and without padding; what is not one is no hint, and no panic.
    #[test]
    fn retry_info_is_read_from_the_details() {
        let pause = Duration::from_millis(1_250);
        let details = BASE64.encode(RpcStatus::new(8, "later".to_owned(), Some(pause)).encode_to_vec());
        let table = [
            (details.as_str(), Some(pause)),
            (details.trim_end_matches('='), Some(pause)),
            ("not base64 !", None),
            ("AAAA", None),
            ("", None),
        ];
        for (details, hint) in table {
            let failure = answer(200, &[("grpc-status", "8"), ("grpc-status-details-bin", details)]).unwrap_err();
            assert_eq!(failure, Failure::grpc(Code::ResourceExhausted, failure.detail.clone(), hint), "{details}");
        }
    }

    /// A proxy's answer without a gRPC status is read by its HTTP status.
    #[test]
    fn http_statuses_stand_in() {
        for (http, reason) in [(503, "unavailable"), (401, "unauthenticated"), (404, "unimplemented"), (200, "unknown")]
        {
            assert_eq!(answer(http, &[]).unwrap_err().reason, reason);
        }
        assert_eq!(answer(200, &[("grpc-status", "0")]), Ok(None));
        assert_eq!(answer(200, &[("grpc-status", "nonsense")]).unwrap_err().reason, "unknown");
    }
}

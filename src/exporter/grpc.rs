//! OTLP/gRPC over tonic's channel.
//!
//! The one message is framed here rather than by `tonic::client::Grpc`: that copies it, and panics on a
//! `grpc-status-details-bin` that is not base64, which the next hop is free to send.

use ::http::header::{CONTENT_TYPE, TE};
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
use super::{ExporterError, REPLY_BYTES_MAX, USER_AGENT, chain, gzip, headers};
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
        let unusable = |reason: String| ExporterError::Endpoint(config.endpoint.clone(), reason);
        let endpoint = Endpoint::from_shared(config.endpoint.clone()).map_err(|error| unusable(error.to_string()))?;
        let endpoint = match endpoint.uri().scheme_str() {
            Some("http") => endpoint,
            Some("https") => endpoint
                .tls_config(Pem::read(&config.tls)?.tonic()?)
                .map_err(|error| ExporterError::Tls(error.to_string()))?,
            other => return Err(unusable(format!("scheme {other:?}"))),
        };
        let endpoint = endpoint
            .connect_timeout(config.timeout)
            .user_agent(USER_AGENT)
            .map_err(|error| unusable(error.to_string()))?;
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

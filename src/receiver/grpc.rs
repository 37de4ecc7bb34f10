//! OTLP/gRPC: the `Export` method of the trace, logs and metrics services (opentelemetry-specification,
//! protocol/otlp: OTLP/gRPC), written by hand over [`Raw`] because the messages are never decoded.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response};
use prost::Message;
use tonic::body::Body;
use tonic::codec::{CompressionEncoding, Streaming};
use tonic::server::{ClientStreamingService, Grpc};
use tonic::{Code, Status};

use super::codec::Raw;
use super::intake::{Intake, Transport, reply};
use super::limits::BODY_READ_TIMEOUT;
use super::rejection::Rejection;
use crate::engine::Ingested;
use crate::otlp::Signal;

/// Answers one call. Gzip is accepted; replies are never compressed.
pub(super) async fn export(intake: Arc<Intake>, request: Request<Incoming>) -> Response<Body> {
    match signal(&request) {
        Ok(signal) => {
            let mut grpc = Grpc::new(Raw)
                .accept_compressed(CompressionEncoding::Gzip)
                .max_decoding_message_size(intake.request_bytes_max);
            grpc.client_streaming(Export { intake, signal }, request).await
        }
        Err(rejection) => {
            let answer = refusal(&rejection);
            intake.count(Transport::Grpc, None, &Err(rejection));
            answer
        }
    }
}

/// The signal this call exports, if its head is a gRPC call of one of ours (grpc/doc/PROTOCOL-HTTP2.md).
fn signal(request: &Request<Incoming>) -> Result<Signal, Rejection> {
    if request.method() != Method::POST {
        return Err(Rejection::Method);
    }
    let content_type = request.headers().get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if !content_type.starts_with(b"application/grpc") {
        return Err(Rejection::ContentType(String::from_utf8_lossy(content_type).into_owned()));
    }
    match request.headers().get("grpc-encoding").map(HeaderValue::as_bytes) {
        None | Some(b"identity" | b"gzip") => {}
        Some(other) => return Err(Rejection::Encoding(String::from_utf8_lossy(other).into_owned())),
    }
    Signal::ALL.into_iter().find(|signal| signal.grpc_path() == request.uri().path()).ok_or(Rejection::Path)
}

/// A refusal before any message is read. What is not gRPC at all is answered in HTTP.
fn refusal(rejection: &Rejection) -> Response<Body> {
    match rejection {
        Rejection::Method | Rejection::ContentType(_) => {
            let mut response = Response::new(Body::default());
            *response.status_mut() = rejection.http_status();
            response
        }
        _ => {
            let mut response: Response<Body> = status(rejection).into_http();
            if let Rejection::Encoding(_) = rejection {
                response.headers_mut().insert("grpc-accept-encoding", HeaderValue::from_static("identity,gzip"));
            }
            response
        }
    }
}

/// The status, with the same in `grpc-status-details-bin` when it carries a retry hint.
fn status(rejection: &Rejection) -> Status {
    let status = rejection.status();
    match rejection.retry_after() {
        Some(_) => Status::with_details(rejection.code(), rejection.to_string(), status.encode_to_vec().into()),
        None => Status::new(rejection.code(), status.message),
    }
}

/// One `Export` call. Unary on the wire; taken as a stream so that admission comes before the body.
struct Export {
    intake: Arc<Intake>,
    signal: Signal,
}

impl ClientStreamingService<Bytes> for Export {
    type Response = Bytes;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Bytes>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Streaming<Bytes>>) -> Self::Future {
        let (intake, signal) = (self.intake.clone(), self.signal);
        Box::pin(async move {
            let result = answer(&intake, signal, request.into_inner()).await;
            intake.count(Transport::Grpc, Some(signal), &result);
            match result {
                Ok(ingested) => Ok(tonic::Response::new(reply(ingested).encode_to_vec().into())),
                Err(rejection) => Err(status(&rejection)),
            }
        })
    }
}

async fn answer(intake: &Arc<Intake>, signal: Signal, stream: Streaming<Bytes>) -> Result<Ingested, Rejection> {
    let admitted = intake.admit()?;
    let message = tokio::time::timeout(BODY_READ_TIMEOUT, only_message(stream))
        .await
        .map_err(|_| Rejection::Slow)?
        .map_err(|status| unreadable(&status, intake.request_bytes_max))?;
    intake.receive(admitted, signal, message).await
}

/// The one message of a unary call, read to the end of the stream so that the client is not reset while it sends.
async fn only_message(mut stream: Streaming<Bytes>) -> Result<Bytes, Status> {
    let message = stream.message().await?.ok_or_else(|| Status::internal("no message"))?;
    match stream.message().await? {
        None => Ok(message),
        Some(_) => Err(Status::internal("more than one message")),
    }
}

/// What tonic's decoder says, in our words: it answers `OUT_OF_RANGE` to a large message and `RESOURCE_EXHAUSTED`
/// to one that inflates to a large one.
fn unreadable(status: &Status, bytes_max: usize) -> Rejection {
    match status.code() {
        Code::OutOfRange | Code::ResourceExhausted => Rejection::TooLarge(bytes_max),
        Code::Internal => Rejection::Framing(status.message().to_owned()),
        _ => Rejection::Gone,
    }
}

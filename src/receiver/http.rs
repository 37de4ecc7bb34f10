//! OTLP/HTTP (opentelemetry-specification, protocol/otlp: OTLP/HTTP): protobuf and JSON over HTTP/1.1 and HTTP/2.
//!
//! Any prefix before `/v1/<signal>` is accepted, so that an endpoint configured with a path works. A reply has the
//! request's content type; what has none that we know is answered in JSON, for the person behind curl.

use std::sync::Arc;
use std::time::Duration;

use ::http::request::Parts;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::header::{ACCEPT_ENCODING, ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};

use hyper::{HeaderMap, Method, Request, Response, StatusCode, Version};
use prost::Message;
use serde_json::json;

use super::intake::{Intake, Transport, reply};
use super::limits::{self, Encoding};
use super::rejection::{Rejection, retry_seconds};
use super::scores::{Api, Received};
use crate::engine::Ingested;
use crate::otlp::{ExportReply, RpcStatus, Signal, json};

/// How long the rest of a refused HTTP/1 body is read and thrown away.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(5);
/// How much of it, bytes.
const DISCARD_BYTES_MAX: usize = 64 << 20;

/// Answers one request.
pub(super) async fn export(intake: Arc<Intake>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, mut body) = request.into_parts();
    if let Some(api) = Api::of(head.uri.path()) {
        return scores(&intake, api, &head, body).await;
    }
    let format = Format::of(&head.headers);
    let (signal, result) = match signal(&head) {
        Ok(signal) => (Some(signal), answer(&intake, signal, &head.headers, &mut body).await),
        Err(rejection) => (None, Err(rejection)),
    };
    if result.is_err() {
        read_on(&head, body);
    }
    intake.count(Transport::Http, signal, &result);
    let format = format.unwrap_or(Format::Json);
    match result {
        Ok(ingested) => respond(StatusCode::OK, format, format.reply(signal, &reply(ingested))),
        Err(rejection) => refuse(&rejection, format),
    }
}

/// Answers a request with scores as the server it was meant for would, and one that is refused as OTLP is.
async fn scores(intake: &Intake, api: Api, head: &Parts, mut body: Incoming) -> Response<Full<Bytes>> {
    match take_scores(intake, api, head, &mut body).await {
        Ok(Received { left_out, status, answer, .. }) => {
            intake.count_scores(Ok(left_out));
            respond(status, Format::Json, answer.to_string().into())
        }
        Err(rejection) => {
            intake.count_scores(Err(&rejection));
            read_on(head, body);
            refuse(&rejection, Format::Json)
        }
    }
}

async fn take_scores(intake: &Intake, api: Api, head: &Parts, body: &mut Incoming) -> Result<Received, Rejection> {
    if !api.is_on(intake.scores) {
        return Err(Rejection::Off(api.setting()));
    }
    if head.method != Method::POST {
        return Err(Rejection::Method);
    }
    if !matches!(Format::of(&head.headers), Ok(Format::Json)) {
        let found = head.headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        return Err(Rejection::NotJson(String::from_utf8_lossy(found).into_owned()));
    }
    let encoding = Encoding::of(&head.headers)?;
    let admitted = intake.admit()?;
    let text = limits::read(body, encoding, intake.request_bytes_max).await?;
    let received = api.read(&text).map_err(Rejection::Score)?;
    intake.tell(admitted, received.export.clone()).await?;
    Ok(received)
}

fn signal(head: &Parts) -> Result<Signal, Rejection> {
    let named = Signal::ALL.into_iter().find(|signal| head.uri.path().ends_with(signal.http_path()));
    let signal = named.ok_or(Rejection::Path)?;
    if head.method == Method::POST { Ok(signal) } else { Err(Rejection::Method) }
}

async fn answer(
    intake: &Arc<Intake>,
    signal: Signal,
    headers: &HeaderMap,
    body: &mut Incoming,
) -> Result<Ingested, Rejection> {
    let format = Format::of(headers)?;
    let encoding = Encoding::of(headers)?;
    let admitted = intake.admit()?;
    let bytes = limits::read(body, encoding, intake.request_bytes_max).await?;
    let message = match format {
        Format::Protobuf => bytes,
        Format::Json => transcode(signal, &bytes)?,
    };
    intake.receive(admitted, signal, message).await
}

fn transcode(signal: Signal, text: &[u8]) -> Result<Bytes, Rejection> {
    let message = match signal {
        Signal::Traces => json::traces(text),
        Signal::Logs => json::logs(text),
        Signal::Metrics => json::metrics(text),
    };
    message.map_err(|error| Rejection::Json(error.to_string()))
}

/// Lets the rest of a refused HTTP/1 body arrive.
fn read_on(head: &Parts, body: Incoming) {
    if head.version < Version::HTTP_2 && !body.is_end_stream() {
        tokio::spawn(discard(body));
    }
}

/// Reads on after an HTTP/1 refusal: closing a socket that has unread bytes resets it, and
/// the reset can overtake the reply on its way to the client. (HTTP/2 resets the stream alone.)
async fn discard(mut body: Incoming) {
    let mut left = DISCARD_BYTES_MAX;
    let read = async {
        while let Some(Ok(frame)) = body.frame().await {
            match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    if tokio::time::timeout(DISCARD_TIMEOUT, read).await.is_err() {
        tracing::debug!("gave up on the rest of a refused body");
    }
}

/// How the messages of a request and its reply are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Protobuf,
    Json,
}

impl Format {
    /// By `Content-Type`, whose parameters (`charset=utf-8`) don't matter.
    fn of(headers: &HeaderMap) -> Result<Self, Rejection> {
        let value = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        let media_type = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        if media_type.eq_ignore_ascii_case(b"application/x-protobuf") {
            Ok(Self::Protobuf)
        } else if media_type.eq_ignore_ascii_case(b"application/json") {
            Ok(Self::Json)
        } else {
            Err(Rejection::ContentType(String::from_utf8_lossy(value).into_owned()))
        }
    }

    fn content_type(self) -> HeaderValue {
        match self {
            Self::Protobuf => HeaderValue::from_static("application/x-protobuf"),
            Self::Json => HeaderValue::from_static("application/json"),
        }
    }

    /// An `Export*ServiceResponse`; 64-bit integers are strings in JSON.
    fn reply(self, signal: Option<Signal>, reply: &ExportReply) -> Bytes {
        match (self, &reply.partial_success, signal) {
            (Self::Protobuf, ..) => reply.encode_to_vec().into(),
            (Self::Json, Some(partial), Some(signal)) => json!({ "partialSuccess": {
                signal.rejected_key(): partial.rejected.to_string(),
                "errorMessage": partial.error_message,
            }})
            .to_string()
            .into(),
            (Self::Json, ..) => Bytes::from_static(b"{}"),
        }
    }

    /// A `google.rpc.Status`. The retry hint of HTTP is a header, so the JSON form leaves `details` out.
    fn status(self, status: &RpcStatus) -> Bytes {
        match self {
            Self::Protobuf => status.encode_to_vec().into(),
            Self::Json => json!({ "code": status.code, "message": status.message }).to_string().into(),
        }
    }
}

fn refuse(rejection: &Rejection, format: Format) -> Response<Full<Bytes>> {
    let mut response = respond(rejection.http_status(), format, format.status(&rejection.status()));
    let headers = response.headers_mut();
    if let Some(pause) = rejection.retry_after() {
        headers.insert(RETRY_AFTER, retry_seconds(pause).into());
    }
    let hint = match rejection {
        Rejection::Method => Some((ALLOW, "POST")),
        Rejection::Encoding(_) => Some((ACCEPT_ENCODING, "gzip, zstd, deflate")),
        _ => None,
    };
    if let Some((name, value)) = hint {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn respond(status: StatusCode, format: Format, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, format.content_type());
    response
}

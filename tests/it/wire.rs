//! OTLP below any SDK, so that it can be wrong: payloads, raw requests, and each answer in one line.

use std::io::Write;

use flate2::Compression;
use freezeframe::otlp::RpcStatus;
use prost::Message;

use crate::stub::Running;

pub(crate) const TRACES: &[u8] = include_bytes!("../fixtures/otlp/chat-01.traces.pb");
pub(crate) const LOGS: &[u8] = include_bytes!("../fixtures/otlp/chat-02.logs.pb");
pub(crate) const METRICS: &[u8] = include_bytes!("../fixtures/otlp/chat-03.metrics.pb");

pub(crate) const JSON_TRACE: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c",
    "spanId":"b7ad6b7169203331","name":"chat","startTimeUnixNano":"1","endTimeUnixNano":"2"}]}]}]}"#;
pub(crate) const JSON_LOG: &str =
    r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"hi"}}]}]}]}"#;

pub(crate) fn post(
    receiver: &Running,
    path: &str,
    content_type: &'static str,
    body: Vec<u8>,
) -> impl Future<Output = reqwest::Response> + use<> {
    let request = http1().post(format!("http://{}{path}", receiver.http)).header("content-type", content_type);
    async move { request.body(body).send().await.unwrap() }
}

/// A call below any gRPC library, so that it can be wrong. Content type and `te` are set unless given.
pub(crate) fn grpc(
    receiver: &Running,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> impl Future<Output = reqwest::Response> + use<> {
    let mut request = http2().post(format!("http://{}{path}", receiver.grpc)).header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/grpc");
    }
    async move { request.body(body).send().await.unwrap() }
}

pub(crate) fn http1() -> reqwest::Client {
    provide_crypto();
    reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
}

pub(crate) fn http2() -> reqwest::Client {
    provide_crypto();
    reqwest::Client::builder().no_proxy().tls_certs_only([]).http2_prior_knowledge().build().unwrap()
}

/// reqwest wants a provider even where it speaks no TLS; a second installation is refused, and that is fine.
pub(crate) fn provide_crypto() {
    rustls::crypto::ring::default_provider().install_default().ok();
}

/// Status, content type, the headers that matter and the `google.rpc.Status`, in one line.
pub(crate) async fn http_answer(reply: reqwest::Response) -> String {
    let header = |name: &str| reply.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let mut answer = format!("{} {}", reply.status().as_u16(), header("content-type"));
    for name in ["retry-after", "allow", "accept-encoding"] {
        if !header(name).is_empty() {
            answer += &format!(" {name}={}", header(name));
        }
    }
    let (ok, json) = (reply.status().is_success(), header("content-type") == "application/json");
    let body = reply.bytes().await.unwrap();
    if !ok && json {
        let status: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let message = status["message"].as_str().unwrap();
        let words = message.split_inclusive("OTLP/JSON").next().unwrap();
        answer += &format!(" {} {words}", status["code"]);
    } else if !ok {
        let status = RpcStatus::decode(body).unwrap();
        answer += &format!(" {} {}", status.code, status.message);
    }
    answer
}

/// The status of a gRPC reply that has nothing else.
pub(crate) fn grpc_answer(reply: &reqwest::Response) -> String {
    let header = |name: &str| reply.headers().get(name).map_or("", |value| value.to_str().unwrap());
    let mut answer =
        format!("{} grpc-status={} {}", reply.status().as_u16(), header("grpc-status"), header("grpc-message"));
    for (escaped, plain) in [("%20", " "), ("%22", "\""), ("%60", "`"), ("%3C", "<")] {
        answer = answer.replace(escaped, plain);
    }
    if !header("grpc-status-details-bin").is_empty() {
        use base64::Engine;
        let engine = base64::engine::general_purpose::STANDARD_NO_PAD;
        let details = engine.decode(header("grpc-status-details-bin").trim_end_matches('=')).unwrap();
        answer += &format!(" RetryInfo={:?}", RpcStatus::decode(details.as_slice()).unwrap().retry_after().unwrap());
    }
    answer
}

/// A trace request of one span with these attributes.
pub(crate) fn span_with(attributes: impl Iterator<Item = (String, Vec<u8>)>) -> Vec<u8> {
    let span = attributes.fold(Vec::new(), |mut span, (key, value)| {
        span.extend(field(9, &[field(1, key.as_bytes()), field(2, &value)].concat()));
        span
    });
    field(1, &field(2, &field(2, &span)))
}

pub(crate) fn with_value(value: Vec<u8>) -> Vec<u8> {
    span_with(std::iter::once(("key".to_owned(), value)))
}

pub(crate) fn string(bytes: usize) -> Vec<u8> {
    field(1, &vec![b'a'; bytes])
}

/// An `AnyValue` holding an array holding an array ...
pub(crate) fn depth_bomb(depth: usize) -> Vec<u8> {
    (0..depth).fold(Vec::new(), |inner, _| field(5, &field(1, &inner)))
}

pub(crate) fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    prost::encoding::encode_varint(bytes.len() as u64, &mut field);
    field.extend_from_slice(bytes);
    field
}

pub(crate) fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[flag], &length[..], message].concat()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn half(bytes: &[u8]) -> Vec<u8> {
    bytes[..bytes.len() / 2].to_vec()
}

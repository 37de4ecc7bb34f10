//! OTLP in: real SDK exporters, every encoding, every refusal, over real sockets.

use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use expect_test::expect;
use flate2::Compression;
use freezeframe::config;
use freezeframe::otlp::{ExportReply, Logs, RpcStatus, Signal, Traces};
use opentelemetry::logs::{LogRecord as _, Logger as _, LoggerProvider as _};
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{LogExporter, Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::logs::{LogBatch, LogExporter as _, SdkLoggerProvider};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stub::{self, Running};

const TRACES: &[u8] = include_bytes!("../fixtures/otlp/chat-01.traces.pb");
const LOGS: &[u8] = include_bytes!("../fixtures/otlp/chat-02.logs.pb");
const METRICS: &[u8] = include_bytes!("../fixtures/otlp/chat-03.metrics.pb");

fn span() -> SpanData {
    SpanData {
        span_context: SpanContext::new(
            TraceId::from(7u128),
            SpanId::from(9u64),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        ),
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Client,
        name: "chat gpt-5".into(),
        start_time: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000),
        end_time: SystemTime::UNIX_EPOCH + Duration::from_secs(1_001),
        attributes: vec![KeyValue::new("gen_ai.usage.input_tokens", 42)],
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder("test").build(),
    }
}

fn assert_is_our_span(tapped: Vec<(Signal, Bytes)>) {
    let [(Signal::Traces, bytes)] = tapped.as_slice() else { panic!("{tapped:?}") };
    let traces = Traces::parse(bytes.clone()).unwrap();
    let spans: Vec<_> = traces.spans().collect();
    let [(_, scope, span)] = spans.as_slice() else { panic!("{} spans", spans.len()) };
    assert_eq!((scope.name, span.name), (&b"test"[..], &b"chat gpt-5"[..]));
    assert_eq!((span.trace_id, span.start_unix_nano), (&7u128.to_be_bytes()[..], 1_000_000_000_000));
}

/// The Rust SDK's exporters get spans and log records through over gRPC, HTTP/protobuf and HTTP/JSON.
#[tokio::test]
async fn sdk_exporters_are_understood() {
    provide_crypto();
    let receiver = stub::receiver(&stub::config(), stub::accepting(0)).await;
    let grpc = format!("http://{}", receiver.grpc);
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(&grpc).build().unwrap();
    exporter.export(vec![span()]).await.unwrap();
    assert_is_our_span(receiver.tapped.take());
    for protocol in [Protocol::HttpBinary, Protocol::HttpJson] {
        let endpoint = format!("http://{}/v1/traces", receiver.http);
        let exporter =
            SpanExporter::builder().with_http().with_protocol(protocol).with_endpoint(endpoint).build().unwrap();
        exporter.export(vec![span()]).await.unwrap();
        assert_is_our_span(receiver.tapped.take());
    }

    let provider = SdkLoggerProvider::builder().build();
    let mut record = provider.logger("test").create_log_record();
    record.set_event_name("gen_ai.evaluation.result");
    let scope = InstrumentationScope::builder("test").build();
    let exporter = LogExporter::builder().with_tonic().with_endpoint(&grpc).build().unwrap();
    exporter.export(LogBatch::new(&[(&record, &scope)])).await.unwrap();
    let tapped = receiver.tapped.take();
    let [(Signal::Logs, bytes)] = tapped.as_slice() else { panic!("{tapped:?}") };
    let logs = Logs::parse(bytes.clone()).unwrap();
    assert_eq!(logs.records().next().unwrap().2.event_name, b"gen_ai.evaluation.result");
}

/// Every content encoding and any path prefix leads to the same bytes, over HTTP/1.1 and HTTP/2.
#[tokio::test]
async fn encodings_and_prefixes_lead_to_the_same_bytes() {
    let receiver = stub::receiver(&stub::config(), stub::accepting(0)).await;
    let bodies = [
        ("identity", TRACES.to_vec()),
        ("gzip", gzip(TRACES)),
        ("GZIP", [gzip(&TRACES[..100]), gzip(&TRACES[100..])].concat()),
        ("deflate", deflate(TRACES)),
        ("zstd", zstd::encode_all(TRACES, 19).unwrap()),
    ];
    for (encoding, body) in bodies {
        for path in ["/v1/traces", "/api/public/otel/v1/traces"] {
            for client in [http1(), http2()] {
                let url = format!("http://{}{path}", receiver.http);
                let request = client.post(url).header("content-type", "application/x-protobuf; v=1");
                let reply = request.header("content-encoding", encoding).body(body.clone()).send().await.unwrap();
                assert_eq!(reply.status(), 200, "{encoding} {path}");
                assert_eq!(reply.headers()["content-type"], "application/x-protobuf");
                assert_eq!(reply.bytes().await.unwrap(), "", "an empty reply says everything was accepted");
                assert_eq!(receiver.tapped.take(), [(Signal::Traces, Bytes::from_static(TRACES))]);
            }
        }
    }
}

/// What the engine rejects is said in `partial_success`, in the words of each transport and signal.
#[tokio::test]
async fn partial_success_is_reported() {
    let receiver = stub::receiver(&stub::config(), stub::accepting(1)).await;
    let mut answers = String::new();
    for (path, body) in [("/v1/traces", TRACES), ("/v1/logs", LOGS), ("/v1/metrics", METRICS)] {
        let protobuf = post(&receiver, path, "application/x-protobuf", body.to_vec()).await;
        let reply = ExportReply::decode(protobuf.bytes().await.unwrap()).unwrap();
        answers += &format!("{path} {:?}\n", reply.partial_success.map(|it| (it.rejected, it.error_message)));
    }
    for (path, body) in [("/v1/traces", JSON_TRACE), ("/v1/logs", JSON_LOG), ("/v1/metrics", "{}")] {
        let json = post(&receiver, path, "application/json; charset=utf-8", body.into()).await;
        assert_eq!(json.headers()["content-type"], "application/json");
        answers += &format!("{path} {}\n", json.text().await.unwrap());
    }
    let reply = grpc(&receiver, Signal::Logs.grpc_path(), &[], framed(0, LOGS)).await;
    let reply = ExportReply::decode(&reply.bytes().await.unwrap()[5..]).unwrap();
    answers += &format!("gRPC {:?}\n", reply.partial_success.map(|it| (it.rejected, it.error_message)));
    expect![[r#""#]].assert_eq(&answers);
}

const JSON_TRACE: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c",
    "spanId":"b7ad6b7169203331","name":"chat","startTimeUnixNano":"1","endTimeUnixNano":"2"}]}]}]}"#;
const JSON_LOG: &str = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"hi"}}]}]}]}"#;

/// When the engine is busy the client is told when to come back, and the next hop has seen nothing.
#[tokio::test]
async fn a_refusal_by_the_engine_reaches_nobody() {
    let (engine, inbox) = stub::engine(1);
    let filler = engine.clone();
    tokio::spawn(async move { filler.logs(Logs::parse(Bytes::new()).unwrap()).await });
    while inbox.is_empty() {
        tokio::task::yield_now().await;
    }
    let receiver = stub::receiver(&stub::config(), engine).await;
    let mut answers = refusals(&receiver).await;
    drop(inbox);
    answers += &refusals(&receiver).await;
    expect![[r#""#]].assert_eq(&answers);
    assert_eq!(receiver.tapped.take(), []);
}

/// Beyond `in_flight_max` requests are refused at once on both transports, and let in again after.
#[tokio::test]
async fn requests_in_flight_are_bounded() {
    let (engine, mut inbox) = stub::engine(8);
    let receiver = stub::receiver(&config::Receiver { in_flight_max: 1, ..stub::config() }, engine).await;
    let first = tokio::spawn(post(&receiver, "/v1/traces", "application/x-protobuf", TRACES.to_vec()));
    let command = inbox.recv().await.unwrap();
    expect![[r#""#]].assert_eq(&refusals(&receiver).await);
    stub::answer(command, 0);
    assert_eq!(first.await.unwrap().status(), 200);
    let second = post(&receiver, "/v1/metrics", "application/x-protobuf", METRICS.to_vec()).await;
    assert_eq!(second.status(), 200);
    assert_eq!(receiver.tapped.take().len(), 2);
}

/// Shutdown closes the ports, answers what is in flight, and then ends.
#[tokio::test]
async fn shutdown_finishes_exports_in_flight() {
    let (engine, mut inbox) = stub::engine(8);
    let receiver = stub::receiver(&stub::config(), engine).await;
    let http = tokio::spawn(post(&receiver, "/v1/traces", "application/x-protobuf", TRACES.to_vec()));
    let first = inbox.recv().await.unwrap();
    let grpc = tokio::spawn(grpc(&receiver, Signal::Traces.grpc_path(), &[], framed(0, TRACES)));
    let second = inbox.recv().await.unwrap();
    receiver.stop.cancel();
    for addr in [receiver.grpc, receiver.http] {
        while TcpStream::connect(addr).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }
    assert!(!receiver.served.is_finished());
    stub::answer(first, 0);
    stub::answer(second, 0);
    assert_eq!(http.await.unwrap().status(), 200);
    assert_eq!(grpc.await.unwrap().bytes().await.unwrap(), framed(0, b""));
    receiver.served.await.unwrap();
    assert_eq!(receiver.tapped.take().len(), 2);
}

/// Every bad input has its exact answer, and after each the receiver still takes a good request on both ports.
#[tokio::test]
async fn bad_input_has_its_answer() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let _installed = metrics::set_default_local_recorder(&recorder);
    let receiver = stub::receiver(&stub::config(), stub::accepting(0)).await;
    let mut answers = String::new();
    for (name, case) in bad_input() {
        let answer = match case {
            Case::Garbage(Port::Grpc) => hang_up(receiver.grpc).await,
            Case::Garbage(Port::Http) => hang_up(receiver.http).await,
            Case::Http(method, path, headers, body) => {
                let mut request = http1().request(method.parse().unwrap(), format!("http://{}{path}", receiver.http));
                for (name, value) in headers {
                    request = request.header(*name, *value);
                }
                http_answer(request.body(body).send().await.unwrap()).await
            }
            Case::Grpc(path, headers, body) => grpc_answer(&grpc(&receiver, path, headers, body).await),
        };
        answers += &format!("{name}: {answer}\n");
        receiver.tapped.take();
        let good = post(&receiver, "/v1/traces", "application/x-protobuf", TRACES.to_vec()).await;
        assert_eq!(good.status(), 200, "HTTP after {name}");
        let good = grpc(&receiver, Signal::Traces.grpc_path(), &[], framed(0, TRACES)).await;
        assert_eq!(good.bytes().await.unwrap(), framed(0, b""), "gRPC after {name}");
        let traces = Bytes::from_static(TRACES);
        assert_eq!(receiver.tapped.take(), [(Signal::Traces, traces.clone()), (Signal::Traces, traces)], "{name}");
    }
    expect![[r#""#]].assert_eq(&answers);
    let mut counters: Vec<_> = recorder.handle().render().lines().map(str::to_owned).collect();
    counters.retain(|line| line.starts_with("freezeframe_receiver") && !line.ends_with(" 0"));
    counters.sort();
    expect![[r#""#]].assert_eq(&counters.join("\n"));
}

enum Port {
    Grpc,
    Http,
}

enum Case {
    Garbage(Port),
    Http(&'static str, &'static str, &'static [(&'static str, &'static str)], Vec<u8>),
    Grpc(&'static str, &'static [(&'static str, &'static str)], Vec<u8>),
}

const PB: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");

fn bad_input() -> Vec<(&'static str, Case)> {
    use Case::{Garbage, Grpc, Http};
    const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    const LOGS_EXPORT: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
    let traces = |body: Vec<u8>| Http("POST", "/v1/traces", &[PB], body);
    let cut = || TRACES[..TRACES.len() - 7].to_vec();
    let bomb = vec![0; 64 << 20];
    vec![
        ("garbage on the gRPC port", Garbage(Port::Grpc)),
        ("garbage on the HTTP port", Garbage(Port::Http)),
        ("truncated protobuf", traces(cut())),
        ("truncated protobuf, gRPC", Grpc(EXPORT, &[], framed(0, &cut()))),
        ("truncated protobuf, metrics", Http("POST", "/v1/metrics", &[PB], METRICS[..METRICS.len() - 1].to_vec())),
        ("text as protobuf", traces(b"hello".to_vec())),
        ("truncated JSON", Http("POST", "/v1/traces", &[JSON], JSON_TRACE[..40].into())),
        ("wrong JSON", Http("POST", "/v1/logs", &[JSON], b"[1]".to_vec())),
        ("depth bomb", traces(with_value(depth_bomb(10_000)))),
        ("depth bomb, gRPC", Grpc(EXPORT, &[], framed(0, &with_value(depth_bomb(10_000))))),
        ("depth bomb, JSON", Http("POST", "/v1/traces", &[JSON], "[".repeat(100_000).into_bytes())),
        ("attribute of 512 KiB", traces(with_value(string(512 << 10)))),
        ("attribute of 5 MB", traces(with_value(string(5_000_000)))),
        ("attribute of 5 MB, gRPC", Grpc(EXPORT, &[], framed(0, &with_value(string(5_000_000))))),
        ("2,000 attributes", traces(span_with((0..2_000).map(|n| (format!("key.{n}"), string(8)))))),
        ("invalid UTF-8", traces(with_value(field(1, b"\xff\xfe\xfd")))),
        ("no content type", Http("POST", "/v1/traces", &[], TRACES.to_vec())),
        ("wrong content type", Http("POST", "/v1/traces", &[("content-type", "text/plain")], TRACES.to_vec())),
        ("wrong content type, gRPC", Grpc(EXPORT, &[PB], framed(0, TRACES))),
        ("unknown encoding", Http("POST", "/v1/traces", &[PB, ("content-encoding", "br")], TRACES.to_vec())),
        ("unknown encoding, gRPC", Grpc(EXPORT, &[("grpc-encoding", "snappy")], framed(1, TRACES))),
        ("not gzip", Http("POST", "/v1/traces", &[PB, ("content-encoding", "gzip")], TRACES.to_vec())),
        ("not gzip, gRPC", Grpc(EXPORT, &[("grpc-encoding", "gzip")], framed(1, TRACES))),
        ("truncated gzip", Http("POST", "/v1/traces", &[PB, ("content-encoding", "gzip")], gzip(TRACES)[..900].into())),
        ("truncated zstd", Http("POST", "/v1/traces", &[PB, ("content-encoding", "zstd")], half(&zstd::encode_all(TRACES, 3).unwrap()))),
        ("gzip bomb", Http("POST", "/v1/traces", &[PB, ("content-encoding", "gzip")], gzip(&bomb))),
        ("gzip bomb, gRPC", Grpc(EXPORT, &[("grpc-encoding", "gzip")], framed(1, &gzip(&bomb)))),
        ("zstd bomb", Http("POST", "/v1/logs", &[PB, ("content-encoding", "zstd")], zstd::encode_all(&bomb[..], 3).unwrap())),
        ("deflate bomb", Http("POST", "/v1/logs", &[PB, ("content-encoding", "deflate")], deflate(&bomb))),
        ("unknown path", Http("POST", "/v1/profiles", &[PB], TRACES.to_vec())),
        ("unknown path, JSON", Http("POST", "/", &[JSON], b"{}".to_vec())),
        ("unknown service, gRPC", Grpc("/opentelemetry.proto.collector.profiles.v1.ProfilesService/Export", &[], framed(0, b""))),
        ("unknown method, gRPC", Grpc("/opentelemetry.proto.collector.trace.v1.TraceService/Import", &[], framed(0, b""))),
        ("wrong method", Http("GET", "/v1/traces", &[], Vec::new())),
        ("wrong method, PUT", Http("PUT", "/v1/traces", &[PB], TRACES.to_vec())),
        ("body of 20 MB", traces(vec![0; 20_000_000])),
        ("message announced as 4 GiB, gRPC", Grpc(LOGS_EXPORT, &[], b"\0\xff\xff\xff\xffrest".to_vec())),
        ("no message, gRPC", Grpc(EXPORT, &[], Vec::new())),
        ("two messages, gRPC", Grpc(EXPORT, &[], [framed(0, TRACES), framed(0, TRACES)].concat())),
        ("message shorter than announced, gRPC", Grpc(EXPORT, &[], framed(0, TRACES)[..100].to_vec())),
        ("unknown compression flag, gRPC", Grpc(EXPORT, &[], framed(7, TRACES))),
        ("compressed without an encoding, gRPC", Grpc(EXPORT, &[], framed(1, TRACES))),
    ]
}

/// A trace request of one span with these attributes.
fn span_with(attributes: impl Iterator<Item = (String, Vec<u8>)>) -> Vec<u8> {
    let span = attributes.fold(Vec::new(), |mut span, (key, value)| {
        span.extend(field(9, &[field(1, key.as_bytes()), field(2, &value)].concat()));
        span
    });
    field(1, &field(2, &field(2, &span)))
}

fn with_value(value: Vec<u8>) -> Vec<u8> {
    span_with(std::iter::once(("key".to_owned(), value)))
}

fn string(bytes: usize) -> Vec<u8> {
    field(1, &vec![b'a'; bytes])
}

/// An `AnyValue` holding an array holding an array ...
fn depth_bomb(depth: usize) -> Vec<u8> {
    (0..depth).fold(Vec::new(), |inner, _| field(5, &field(1, &inner)))
}

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    prost::encoding::encode_varint(bytes.len() as u64, &mut field);
    field.extend_from_slice(bytes);
    field
}

fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[flag], &length[..], message].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn half(bytes: &[u8]) -> Vec<u8> {
    bytes[..bytes.len() / 2].to_vec()
}

/// Sends nonsense and waits for the server to hang up.
async fn hang_up(addr: SocketAddr) -> String {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    socket.write_all(b"\x16\x03\x01 this is neither HTTP nor anything else\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let closed = socket.read_to_end(&mut answer).await;
    let text = String::from_utf8_lossy(&answer);
    let line = text.lines().next().filter(|line| line.starts_with("HTTP/")).unwrap_or_default();
    format!("closed {line:?}{}", if closed.is_ok() { "" } else { " by reset" })
}

fn post(
    receiver: &Running,
    path: &str,
    content_type: &'static str,
    body: Vec<u8>,
) -> impl Future<Output = reqwest::Response> + use<> {
    let request = http1().post(format!("http://{}{path}", receiver.http)).header("content-type", content_type);
    async move { request.body(body).send().await.unwrap() }
}

/// A call below any gRPC library, so that it can be wrong. Content type and `te` are set unless given.
fn grpc(
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

fn http1() -> reqwest::Client {
    provide_crypto();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn http2() -> reqwest::Client {
    provide_crypto();
    reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap()
}

/// reqwest wants a provider even where it speaks no TLS; a second installation is refused, and that is fine.
pub(crate) fn provide_crypto() {
    rustls::crypto::ring::default_provider().install_default().ok();
}

/// Status, content type, the headers that matter and the `google.rpc.Status`, in one line.
async fn http_answer(reply: reqwest::Response) -> String {
    let header = |name: &str| reply.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let mut answer = format!("{} {}", reply.status().as_u16(), header("content-type"));
    for name in ["retry-after", "allow"] {
        if !header(name).is_empty() {
            answer += &format!(" {name}={}", header(name));
        }
    }
    let (ok, json) = (reply.status().is_success(), header("content-type") == "application/json");
    let body = reply.bytes().await.unwrap();
    if !ok && json {
        let status: serde_json::Value = serde_json::from_slice(&body).unwrap();
        answer += &format!(" {} {}", status["code"], status["message"].as_str().unwrap());
    } else if !ok {
        let status = RpcStatus::decode(body).unwrap();
        answer += &format!(" {} {}", status.code, status.message);
    }
    answer
}

/// The status of a gRPC reply that has nothing else.
fn grpc_answer(reply: &reqwest::Response) -> String {
    let header = |name: &str| reply.headers().get(name).map_or("", |value| value.to_str().unwrap());
    let mut answer = format!("{} grpc-status={} {}", reply.status().as_u16(), header("grpc-status"), header("grpc-message"));
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

/// What each transport says to a request that can't be taken now.
async fn refusals(receiver: &Running) -> String {
    let protobuf = post(receiver, "/v1/traces", "application/x-protobuf", TRACES.to_vec()).await;
    let json = post(receiver, "/v1/logs", "application/json", JSON_LOG.into()).await;
    let grpc = grpc(receiver, Signal::Traces.grpc_path(), &[], framed(0, TRACES)).await;
    format!("{}\n{}\n{}\n", http_answer(protobuf).await, http_answer(json).await, grpc_answer(&grpc))
}

//! OTLP in: real SDK exporters, every encoding, every refusal, over real sockets.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use expect_test::expect;
use freezeframe::config;
use freezeframe::otlp::{ExportReply, Logs, Signal, Traces};
use opentelemetry::logs::{LogRecord as _, Logger as _, LoggerProvider as _};
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{LogExporter, Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::logs::{LogBatch, LogExporter as _, SdkLoggerProvider};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};
use prost::Message;
use tokio::net::TcpStream;

use crate::stub::{self, Running};
use crate::wire::{
    JSON_LOG, JSON_TRACE, LOGS, METRICS, TRACES, deflate, framed, grpc, grpc_answer, gzip, http_answer, http1, http2,
    post, provide_crypto, string, with_value,
};

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
    record.set_observed_timestamp(SystemTime::UNIX_EPOCH);
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
    expect![[r#"
        /v1/traces Some((1, "trace id missing"))
        /v1/logs Some((1, "trace id missing"))
        /v1/metrics None
        /v1/traces {"partialSuccess":{"errorMessage":"trace id missing","rejectedSpans":"1"}}
        /v1/logs {"partialSuccess":{"errorMessage":"trace id missing","rejectedLogRecords":"1"}}
        /v1/metrics {}
        gRPC Some((1, "trace id missing"))
    "#]]
    .assert_eq(&answers);
}

/// A message of 5 MB passes where the limit allows it, compressed or not.
#[tokio::test]
async fn large_messages_pass_below_the_limit() {
    let roomy = config::Receiver { request_bytes_max: 16 << 20, ..stub::config() };
    let receiver = stub::receiver(&roomy, stub::accepting(0)).await;
    let large = with_value(string(5_000_000));
    let plain = post(&receiver, "/v1/traces", "application/x-protobuf", large.clone()).await;
    assert_eq!(plain.status(), 200);
    for (headers, body) in [(&[][..], framed(0, &large)), (&[("grpc-encoding", "gzip")], framed(1, &gzip(&large)))] {
        let reply = grpc(&receiver, Signal::Traces.grpc_path(), headers, body).await;
        assert_eq!(reply.bytes().await.unwrap(), framed(0, b""));
    }
    assert_eq!(receiver.tapped.take(), vec![(Signal::Traces, Bytes::from(large)); 3]);
}

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
    expect![[r#"
        503 application/x-protobuf retry-after=3 14 too many requests in flight, try again in 3 s
        503 application/json retry-after=3 14 too many requests in flight, try again in 3 s
        200 grpc-status=14 too many requests in flight, try again in 3 s RetryInfo=2.5s
        503 application/x-protobuf retry-after=3 14 shutting down, try again in 3 s
        503 application/json retry-after=3 14 shutting down, try again in 3 s
        200 grpc-status=14 shutting down, try again in 3 s RetryInfo=2.5s
    "#]]
    .assert_eq(&answers);
    assert_eq!(receiver.tapped.take(), []);
}

/// Beyond `in_flight_max` requests are refused at once on both transports, and let in again after.
#[tokio::test]
async fn requests_in_flight_are_bounded() {
    let (engine, mut inbox) = stub::engine(8);
    let receiver = stub::receiver(&config::Receiver { in_flight_max: 1, ..stub::config() }, engine).await;
    let first = tokio::spawn(post(&receiver, "/v1/traces", "application/x-protobuf", TRACES.to_vec()));
    let command = inbox.recv().await.unwrap();
    expect![[r#"
        503 application/x-protobuf retry-after=3 14 too many requests in flight, try again in 3 s
        503 application/json retry-after=3 14 too many requests in flight, try again in 3 s
        200 grpc-status=14 too many requests in flight, try again in 3 s RetryInfo=2.5s
    "#]]
    .assert_eq(&refusals(&receiver).await);
    stub::answer(command, 0);
    assert_eq!(first.await.unwrap().status(), 200);
    let second = post(&receiver, "/v1/metrics", "application/x-protobuf", METRICS.to_vec()).await;
    assert_eq!(second.status(), 200);
    assert_eq!(receiver.tapped.take().len(), 2);
}

/// What the engine takes reaches the tap even when the client has hung up meanwhile.
#[tokio::test]
async fn a_client_that_hangs_up_loses_nothing() {
    let (engine, mut inbox) = stub::engine(8);
    let receiver = stub::receiver(&stub::config(), engine).await;
    let calls = [
        tokio::spawn(post(&receiver, "/v1/traces", "application/x-protobuf", TRACES.to_vec())),
        tokio::spawn(grpc(&receiver, Signal::Traces.grpc_path(), &[], framed(0, TRACES))),
    ];
    let taken = [inbox.recv().await.unwrap(), inbox.recv().await.unwrap()];
    for call in &calls {
        call.abort();
    }
    receiver.stop.cancel();
    receiver.served.await.unwrap();
    for command in taken {
        stub::answer(command, 0);
    }
    assert_eq!(receiver.tapped.wait(2).await.len(), 2);
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

/// What each transport says to a request that can't be taken now.
async fn refusals(receiver: &Running) -> String {
    let protobuf = post(receiver, "/v1/traces", "application/x-protobuf", TRACES.to_vec()).await;
    let json = post(receiver, "/v1/logs", "application/json", JSON_LOG.into()).await;
    let grpc = grpc(receiver, Signal::Traces.grpc_path(), &[], framed(0, TRACES)).await;
    format!("{}\n{}\n{}\n", http_answer(protobuf).await, http_answer(json).await, grpc_answer(&grpc))
}

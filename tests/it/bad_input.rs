//! Everything a receiver can be sent that it should not be, and what it answers.

use std::net::SocketAddr;

use bytes::Bytes;
use expect_test::expect;
use freezeframe::otlp::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stub;
use crate::wire::{
    JSON_TRACE, METRICS, TRACES, deflate, depth_bomb, field, framed, grpc, grpc_answer, gzip, half, http_answer, http1,
    post, span_with, string, with_value,
};

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
    expect![[r#"
        garbage on the gRPC port: closed ""
        garbage on the HTTP port: closed "HTTP/1.1 400 Bad Request"
        truncated protobuf: 400 application/x-protobuf 3 not an OTLP message: truncated: the message ends inside a field
        truncated protobuf, gRPC: 200 grpc-status=3 not an OTLP message: truncated: the message ends inside a field
        truncated protobuf, metrics: 400 application/x-protobuf 3 not an OTLP message: truncated: the message ends inside a field
        text as protobuf: 400 application/x-protobuf 3 not an OTLP message: a group ends that was not begun
        truncated JSON: 400 application/json 3 not OTLP/JSON
        wrong JSON: 400 application/json 3 not OTLP/JSON
        depth bomb: 400 application/x-protobuf 3 not an OTLP message: nested deeper than 100 levels
        depth bomb, gRPC: 200 grpc-status=3 not an OTLP message: nested deeper than 100 levels
        depth bomb, JSON: 400 application/json 3 not OTLP/JSON
        attribute of 512 KiB: 200 application/x-protobuf
        attribute of 5 MB: 413 application/x-protobuf 8 larger than 1048576 bytes after decompression
        attribute of 5 MB, gRPC: 200 grpc-status=8 larger than 1048576 bytes after decompression
        2,000 attributes: 200 application/x-protobuf
        invalid UTF-8: 200 application/x-protobuf
        no content type: 415 application/json 12 content type "" is not supported; send application/x-protobuf or application/json
        wrong content type: 415 application/json 12 content type "text/plain" is not supported; send application/x-protobuf or application/json
        wrong content type, gRPC: 415 grpc-status= 
        unknown encoding: 415 application/x-protobuf accept-encoding=gzip, zstd, deflate 12 content encoding "br" is not supported
        unknown encoding, gRPC: 200 grpc-status=12 content encoding "snappy" is not supported
        not gzip: 400 application/x-protobuf 3 cannot be decompressed: invalid gzip header
        not gzip, gRPC: 200 grpc-status=13 not a gRPC message: Error decompressing: invalid gzip header, while sending request
        truncated gzip: 400 application/x-protobuf 3 cannot be decompressed: incomplete deflate stream
        truncated zstd: 400 application/x-protobuf 3 cannot be decompressed: incomplete frame
        gzip bomb: 413 application/x-protobuf 8 larger than 1048576 bytes after decompression
        gzip bomb, gRPC: 200 grpc-status=8 larger than 1048576 bytes after decompression
        zstd bomb: 413 application/x-protobuf 8 larger than 1048576 bytes after decompression
        deflate bomb: 413 application/x-protobuf 8 larger than 1048576 bytes after decompression
        unknown path: 404 application/x-protobuf 12 no such path; POST to /v1/traces, /v1/logs or /v1/metrics, or call Export of the same services by gRPC
        unknown path, JSON: 404 application/json 12 no such path; POST to /v1/traces, /v1/logs or /v1/metrics, or call Export of the same services by gRPC
        unknown service, gRPC: 200 grpc-status=12 no such path; POST to /v1/traces, /v1/logs or /v1/metrics, or call Export of the same services by gRPC
        unknown method, gRPC: 200 grpc-status=12 no such path; POST to /v1/traces, /v1/logs or /v1/metrics, or call Export of the same services by gRPC
        wrong method: 405 application/json allow=POST 12 method not allowed; POST
        wrong method, PUT: 405 application/x-protobuf allow=POST 12 method not allowed; POST
        body of 20 MB: 413 application/x-protobuf 8 larger than 1048576 bytes after decompression
        message announced as 4 GiB, gRPC: 200 grpc-status=8 larger than 1048576 bytes after decompression
        no message, gRPC: 200 grpc-status=13 not a gRPC message: no message
        two messages, gRPC: 200 grpc-status=13 not a gRPC message: more than one message
        message shorter than announced, gRPC: 200 grpc-status=13 not a gRPC message: Unexpected EOF decoding stream.
        unknown compression flag, gRPC: 200 grpc-status=13 not a gRPC message: protocol error: received message with invalid compression flag: 7 (valid flags are 0 and 1), while sending request
        compressed without an encoding, gRPC: 200 grpc-status=13 not a gRPC message: protocol error: received message with compressed-flag but no grpc-encoding was specified
    "#]].assert_eq(&answers);
    let mut counters: Vec<_> = recorder.handle().render().lines().map(str::to_owned).collect();
    counters.retain(|line| line.starts_with("freezeframe_receiver") && !line.ends_with(" 0"));
    counters.sort();
    expect![[r#"
        freezeframe_receiver_requests_total{transport="grpc",signal="logs",result="too_large"} 1
        freezeframe_receiver_requests_total{transport="grpc",signal="traces",result="accepted"} 42
        freezeframe_receiver_requests_total{transport="grpc",signal="traces",result="malformed"} 8
        freezeframe_receiver_requests_total{transport="grpc",signal="traces",result="too_large"} 2
        freezeframe_receiver_requests_total{transport="grpc",signal="unknown",result="not_found"} 2
        freezeframe_receiver_requests_total{transport="grpc",signal="unknown",result="unsupported"} 2
        freezeframe_receiver_requests_total{transport="http",signal="logs",result="malformed"} 1
        freezeframe_receiver_requests_total{transport="http",signal="logs",result="too_large"} 2
        freezeframe_receiver_requests_total{transport="http",signal="metrics",result="malformed"} 1
        freezeframe_receiver_requests_total{transport="http",signal="traces",result="accepted"} 45
        freezeframe_receiver_requests_total{transport="http",signal="traces",result="malformed"} 8
        freezeframe_receiver_requests_total{transport="http",signal="traces",result="too_large"} 3
        freezeframe_receiver_requests_total{transport="http",signal="traces",result="unsupported"} 3
        freezeframe_receiver_requests_total{transport="http",signal="unknown",result="not_found"} 4"#]]
    .assert_eq(&counters.join("\n"));
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
    let bomb = vec![0; 16 << 20];
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
        (
            "truncated zstd",
            Http(
                "POST",
                "/v1/traces",
                &[PB, ("content-encoding", "zstd")],
                half(&zstd::encode_all(TRACES, 3).unwrap()),
            ),
        ),
        ("gzip bomb", Http("POST", "/v1/traces", &[PB, ("content-encoding", "gzip")], gzip(&bomb))),
        ("gzip bomb, gRPC", Grpc(EXPORT, &[("grpc-encoding", "gzip")], framed(1, &gzip(&bomb)))),
        (
            "zstd bomb",
            Http("POST", "/v1/logs", &[PB, ("content-encoding", "zstd")], zstd::encode_all(&bomb[..], 3).unwrap()),
        ),
        ("deflate bomb", Http("POST", "/v1/logs", &[PB, ("content-encoding", "deflate")], deflate(&bomb))),
        ("unknown path", Http("POST", "/v1/profiles", &[PB], TRACES.to_vec())),
        ("unknown path, JSON", Http("POST", "/", &[JSON], b"{}".to_vec())),
        (
            "unknown service, gRPC",
            Grpc("/opentelemetry.proto.collector.profiles.v1.ProfilesService/Export", &[], framed(0, b"")),
        ),
        (
            "unknown method, gRPC",
            Grpc("/opentelemetry.proto.collector.trace.v1.TraceService/Import", &[], framed(0, b"")),
        ),
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

/// Sends nonsense and waits for the server to hang up.
async fn hang_up(addr: SocketAddr) -> String {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    socket.write_all(b"\x16\x03\x01 this is neither HTTP nor anything else\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.ok();
    let text = String::from_utf8_lossy(&answer);
    let line = text.lines().next().filter(|line| line.starts_with("HTTP/")).unwrap_or_default();
    format!("closed {line:?}")
}

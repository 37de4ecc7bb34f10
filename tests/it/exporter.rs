//! OTLP out: through a receiver and an exporter to a second receiver, over real sockets.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderMap;
use bytes::Bytes;
use expect_test::expect;
use freezeframe::config::{self, Protocol, Retry, Secret, Tls};
use freezeframe::exporter::{self, Exporter, ExporterError, Held};
use freezeframe::otlp::Signal;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};

use crate::stub::{self, Running, Tapped};
use crate::wire::{LOGS, METRICS, TRACES, framed, grpc, post};

/// Quick retries, small bounds.
fn config(protocol: Protocol, endpoint: String) -> config::Exporter {
    config::Exporter {
        endpoint,
        protocol,
        headers: vec![],
        tls: Tls::default(),
        gzip: false,
        timeout: Duration::from_secs(10),
        queue_requests_max: 100,
        queue_bytes_max: 1 << 20,
        concurrency: 2,
        retry: Retry {
            initial_interval: Duration::from_millis(10),
            max_interval: Duration::from_millis(50),
            max_elapsed_time: Duration::from_secs(60),
        },
    }
}

fn endpoint(protocol: Protocol, receiver: &Running) -> String {
    match protocol {
        Protocol::Grpc => format!("http://{}", receiver.grpc),
        Protocol::Http => format!("http://{}", receiver.http),
    }
}

const PAYLOADS: [(Signal, &[u8]); 3] = [(Signal::Traces, TRACES), (Signal::Logs, LOGS), (Signal::Metrics, METRICS)];

fn in_a_minute() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// What went in by either transport comes out of the next hop by either transport, byte for byte.
#[tokio::test]
async fn bytes_pass_through_untouched() {
    let next = stub::receiver(&stub::config(), stub::accepting(0)).await;
    for protocol in [Protocol::Grpc, Protocol::Http] {
        for gzip in [false, true] {
            let exporter = config::Exporter { gzip, ..config(protocol, endpoint(protocol, &next)) };
            let exporter = Arc::new(exporter::start(&exporter).unwrap());
            let offered = exporter.clone();
            let tap = Arc::new(move |signal, bytes| offered.offer(signal, bytes));
            let first = stub::receiver_with(&stub::config(), stub::accepting(0), Tapped::default(), tap).await;
            for (signal, bytes) in PAYLOADS {
                post(&first, signal.http_path(), "application/x-protobuf", bytes.to_vec()).await;
                grpc(&first, signal.grpc_path(), &[], framed(0, bytes)).await;
                let expected = (signal, Bytes::from_static(bytes));
                assert_eq!(next.tapped.wait(2).await, [expected.clone(), expected], "{protocol:?} gzip {gzip}");
            }
            assert_eq!(exporter.drain(in_a_minute()).await, Held::default());
        }
    }
}

/// With the next hop down everything waits; once it is up everything arrives; and again after it was restarted.
#[tokio::test]
async fn nothing_is_lost_while_the_next_hop_is_down() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let mut listen = stub::config();
        let first = stub::receiver(&listen, stub::accepting(0)).await;
        (listen.grpc, listen.http) = (first.grpc.to_string(), first.http.to_string());
        let exporter = exporter::start(&config(protocol, endpoint(protocol, &first))).unwrap();
        stop(first).await;
        for round in 0..2u8 {
            let mut offered: Vec<Bytes> = (0..10).map(|n| Bytes::from(vec![0x7a, 2, round, n])).collect();
            for bytes in &offered {
                exporter.offer(Signal::Traces, bytes.clone());
            }
            assert_eq!(exporter.held(), Held { requests: 10, bytes: 40 });
            let next = stub::receiver(&listen, stub::accepting(0)).await;
            let mut arrived: Vec<Bytes> = next.tapped.wait(10).await.into_iter().map(|(_, bytes)| bytes).collect();
            arrived.sort();
            offered.sort();
            assert_eq!(arrived, offered, "{protocol:?} round {round}");
            while exporter.held() != Held::default() {
                tokio::task::yield_now().await;
            }
            stop(next).await;
        }
    }
}

async fn stop(receiver: Running) {
    receiver.stop.cancel();
    receiver.served.await.unwrap();
}

/// Beyond either bound the newest is dropped and counted, the drain's deadline holds, and what is left is counted too.
#[tokio::test]
async fn a_full_queue_drops_the_newest() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _installed = metrics::set_default_local_recorder(&recorder);
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let bounded =
        config::Exporter { queue_requests_max: 4, queue_bytes_max: 3_000, ..config(Protocol::Grpc, endpoint) };
    let exporter = exporter::start(&bounded).unwrap();
    for bytes in [2_000, 2_000, 10, 10, 10, 10, 10] {
        exporter.offer(Signal::Logs, Bytes::from(vec![0; bytes]));
    }
    let left = Held { requests: 4, bytes: 2_030 };
    assert_eq!(exporter.held(), left);
    expect![[r#"
        freezeframe_exporter_queue_bytes 2030
        freezeframe_exporter_requests_total{signal="logs",result="dropped",reason="queue_full"} 3"#]]
    .assert_eq(&counters(&recorder));
    assert_eq!(exporter.drain(Instant::now()).await, left);
    exporter.offer(Signal::Logs, Bytes::new());
    expect![[r#"
        freezeframe_exporter_queue_bytes 0
        freezeframe_exporter_requests_total{signal="logs",result="dropped",reason="queue_full"} 4
        freezeframe_exporter_requests_total{signal="logs",result="dropped",reason="shutdown"} 4"#]]
    .assert_eq(&counters(&recorder));
}

/// What the next hop refuses for good is dropped at once, a part it refuses is counted, by the reason it gives.
#[tokio::test]
async fn answers_of_the_next_hop_are_counted() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _installed = metrics::set_default_local_recorder(&recorder);
    let next = stub::receiver(&stub::config(), stub::accepting(1)).await;
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let exporter = exporter::start(&config(protocol, endpoint(protocol, &next))).unwrap();
        exporter.offer(Signal::Traces, Bytes::from_static(b"not a trace"));
        exporter.offer(Signal::Logs, Bytes::from_static(LOGS));
        exporter.offer(Signal::Metrics, Bytes::from_static(METRICS));
        assert_eq!(exporter.drain(in_a_minute()).await, Held::default());
    }
    expect![[r#"
        freezeframe_exporter_queue_bytes 0
        freezeframe_exporter_requests_total{signal="logs",result="sent",reason="partial_success"} 2
        freezeframe_exporter_requests_total{signal="metrics",result="sent",reason=""} 2
        freezeframe_exporter_requests_total{signal="traces",result="failed",reason="bad_request"} 1
        freezeframe_exporter_requests_total{signal="traces",result="failed",reason="invalid_argument"} 1"#]]
    .assert_eq(&counters(&recorder));
}

/// A next hop that is busy is asked again until it is not, and sees the request once.
#[tokio::test]
async fn refusals_are_retried() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _installed = metrics::set_default_local_recorder(&recorder);
    let (engine, mut inbox) = stub::engine(8);
    let busy = config::Receiver { in_flight_max: 1, retry_after: Duration::from_millis(20), ..stub::config() };
    let next = stub::receiver(&busy, engine).await;
    let first = tokio::spawn(post(&next, "/v1/traces", "application/x-protobuf", TRACES.to_vec()));
    let stalled = inbox.recv().await.unwrap();
    let exporter = exporter::start(&config(Protocol::Grpc, endpoint(Protocol::Grpc, &next))).unwrap();
    exporter.offer(Signal::Metrics, Bytes::from_static(METRICS));
    while !recorder.handle().render().contains("refused") {
        tokio::task::yield_now().await;
    }
    assert_eq!(exporter.held(), Held { requests: 1, bytes: METRICS.len() });
    stub::answer(stalled, 0);
    assert_eq!(first.await.unwrap().status(), 200);
    assert_eq!(exporter.drain(in_a_minute()).await, Held::default());
    assert_eq!(
        next.tapped.take().into_iter().map(|(signal, _)| signal).collect::<Vec<_>>(),
        [Signal::Traces, Signal::Metrics]
    );
}

fn counters(recorder: &PrometheusRecorder) -> String {
    let text = recorder.handle().render();
    let mut lines: Vec<_> = text.lines().filter(|line| line.starts_with("freezeframe_exporter")).collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// Made once with openssl: P-256, valid for a hundred years, the CA's key thrown away. The server is `collector.test`.
fn fixture(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls")).join(name)
}

/// A server for `collector.test` that asks for a client certificate and tells what headers it was sent.
async fn tls_server() -> (String, mpsc::Receiver<HeaderMap>) {
    let read = |name: &str| std::fs::read(fixture(name)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("https://{}", listener.local_addr().unwrap());
    let (seen, headers) = mpsc::channel(16);
    let router = Router::new().fallback(move |headers: HeaderMap, _body: Bytes| async move {
        seen.send(headers).await.unwrap();
        [("grpc-status", "0"), ("content-type", "application/grpc")]
    });
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(read("server.pem"), read("server.key")))
        .client_ca_root(Certificate::from_pem(read("ca.pem")));
    let server = Server::builder().tls_config(tls).unwrap().add_routes(router.into());
    tokio::spawn(server.serve_with_incoming(tonic::transport::server::TcpIncoming::from(listener)));
    (endpoint, headers)
}

fn mutual_tls() -> Tls {
    Tls {
        ca_file: Some(fixture("ca.pem")),
        cert_file: Some(fixture("client.pem")),
        key_file: Some(fixture("client.key")),
        server_name: Some("collector.test".to_owned()),
    }
}

/// Own CA, client certificate, another server name and headers work on both transports.
#[tokio::test]
async fn mutual_tls_and_headers() {
    let (endpoint, mut seen) = tls_server().await;
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let headers = vec![("X-Api-Key".to_owned(), Secret("s3cret".to_owned()))];
        let secure = config::Exporter { headers, tls: mutual_tls(), ..config(protocol, endpoint.clone()) };
        let exporter = exporter::start(&secure).unwrap();
        exporter.offer(Signal::Traces, Bytes::from_static(TRACES));
        assert_eq!(exporter.drain(in_a_minute()).await, Held::default(), "{protocol:?}");
        let headers = seen.recv().await.unwrap();
        assert_eq!(headers["x-api-key"], "s3cret");
        assert!(headers["user-agent"].to_str().unwrap().starts_with("freezeframe/"), "{headers:?}");
    }
}

/// A server that is not who it should be is never sent a byte, and its requests end as dropped.
#[tokio::test]
async fn wrong_certificates_are_refused() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _installed = metrics::set_default_local_recorder(&recorder);
    let (endpoint, mut seen) = tls_server().await;
    let wrong = [
        Tls { server_name: Some("other.test".to_owned()), ..mutual_tls() },
        Tls { server_name: None, ..mutual_tls() },
        Tls { ca_file: None, ..mutual_tls() },
        Tls { cert_file: None, key_file: None, ..mutual_tls() },
    ];
    for tls in wrong {
        for protocol in [Protocol::Grpc, Protocol::Http] {
            let mut wary = config::Exporter { tls: tls.clone(), ..config(protocol, endpoint.clone()) };
            wary.retry.max_elapsed_time = Duration::ZERO;
            let exporter = exporter::start(&wary).unwrap();
            exporter.offer(Signal::Traces, Bytes::from_static(TRACES));
            assert_eq!(exporter.drain(in_a_minute()).await, Held::default(), "{protocol:?} {tls:?}");
        }
    }
    assert!(seen.try_recv().is_err());
    expect![[r#"
        freezeframe_exporter_queue_bytes 0
        freezeframe_exporter_requests_total{signal="traces",result="dropped",reason="max_elapsed_time"} 8"#]]
    .assert_eq(&counters(&recorder));
}

/// What can't work is said at start, by name and without the secret.
#[tokio::test]
async fn unusable_settings_fail_at_start() {
    let good = |protocol| config(protocol, "https://127.0.0.1:4317".to_owned());
    let mut answers = String::new();
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let mut check = |config: config::Exporter| {
            let error = match exporter::start(&config) {
                Ok(Exporter { .. }) => panic!("{config:?} was accepted"),
                Err(error @ ExporterError::File(..)) => format!("File {}", error.to_string().contains("absent.pem")),
                Err(error) => error.to_string(),
            };
            answers += &format!("{protocol:?}: {error}\n");
        };
        for endpoint in ["collector:4317", "ftp://collector", "", "http://"] {
            check(config::Exporter { endpoint: endpoint.to_owned(), ..good(protocol) });
        }
        let header = |name: &str, value: &str| vec![(name.to_owned(), Secret(value.to_owned()))];
        check(config::Exporter { headers: header("a b", "x"), ..good(protocol) });
        check(config::Exporter { headers: header("authorization", "Bearer\n"), ..good(protocol) });
        let tls = Tls { ca_file: Some(fixture("absent.pem")), ..Tls::default() };
        check(config::Exporter { tls, ..good(protocol) });
        let tls = Tls { ca_file: Some(fixture("client.key")), ..Tls::default() };
        check(config::Exporter { tls, ..good(protocol) });
        check(config::Exporter { tls: Tls { key_file: None, ..mutual_tls() }, ..good(protocol) });
        let tls = Tls { key_file: Some(fixture("server.key")), ..mutual_tls() };
        check(config::Exporter { tls, ..good(protocol) });
        let tls = Tls { server_name: Some("not a name".to_owned()), ..mutual_tls() };
        check(config::Exporter { tls, ..good(protocol) });
    }
    expect![[r#"
        Grpc: endpoint "collector:4317" is not an http:// or https:// URL: it has no scheme
        Grpc: endpoint "ftp://collector" is not an http:// or https:// URL: its scheme is ftp
        Grpc: endpoint "" is not an http:// or https:// URL: empty string
        Grpc: endpoint "http://" is not an http:// or https:// URL: empty string
        Grpc: header "a b" has a name or a value that is not valid in HTTP
        Grpc: header "authorization" has a name or a value that is not valid in HTTP
        Grpc: File true
        Grpc: TLS settings can't be used: no certificate in the PEM file
        Grpc: TLS settings can't be used: a client certificate needs both cert_file and key_file
        Grpc: TLS settings can't be used: keys may not be consistent: KeyMismatch
        Grpc: TLS settings can't be used: invalid dns name
        Http: endpoint "collector:4317" is not an http:// or https:// URL: it has no scheme
        Http: endpoint "ftp://collector" is not an http:// or https:// URL: its scheme is ftp
        Http: endpoint "" is not an http:// or https:// URL: empty string
        Http: endpoint "http://" is not an http:// or https:// URL: empty string
        Http: header "a b" has a name or a value that is not valid in HTTP
        Http: header "authorization" has a name or a value that is not valid in HTTP
        Http: File true
        Http: TLS settings can't be used: no certificate in the PEM file
        Http: TLS settings can't be used: a client certificate needs both cert_file and key_file
        Http: TLS settings can't be used: keys may not be consistent: KeyMismatch
        Http: TLS settings can't be used: invalid dns name
    "#]]
    .assert_eq(&answers);
}

//! The next OTLP hop, by hand and not through a library that might forgive: keeps the bytes of every message it is
//! sent, over gRPC (HTTP/2 prior knowledge) and over HTTP, on one port.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Response, Uri};
use http_body_util::StreamBody;
use hyper::body::Frame;
use sha2::{Digest, Sha256};

/// Bytes of a gRPC message before its content: a flag and the length.
const GRPC_PREFIX_BYTES: usize = 5;

/// How often each message came, by signal and SHA-256 of its bytes.
pub(crate) type Messages = BTreeMap<(String, String), usize>;

/// A running hop.
#[derive(Clone, Debug)]
pub(crate) struct Hop {
    /// Base URL.
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<(String, Bytes)>>>,
}

impl Hop {
    /// Serves until the runtime ends.
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let hop = Self { url, seen: Arc::default() };
        let router = axum::Router::new().fallback(receive).with_state(hop.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        hop
    }

    /// What came so far.
    pub(crate) fn messages(&self) -> Messages {
        let mut messages = Messages::new();
        for (signal, message) in self.bodies() {
            *messages.entry((signal, sha256(&message))).or_default() += 1;
        }
        messages
    }

    /// The same, signal and bytes, in order of arrival.
    pub(crate) fn bodies(&self) -> Vec<(String, Bytes)> {
        self.seen.lock().expect("no panic while it is held").clone()
    }

    fn keep(&self, signal: &str, message: Bytes) {
        self.seen.lock().expect("no panic while it is held").push((signal.to_owned(), message));
    }
}

/// Lowercase hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn receive(State(hop): State<Hop>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let signals = [("trace", "traces"), ("logs", "logs"), ("metrics", "metrics")];
    let path = uri.path();
    let (_, signal) = signals.into_iter().find(|(word, _)| path.contains(word)).expect("a path of OTLP");
    assert!(!headers.contains_key("content-encoding"), "compression is off in these tests");
    if !path.ends_with("/Export") {
        hop.keep(signal, body);
        return Response::new(Body::empty());
    }
    assert_eq!(body[0], 0, "compression is off in these tests");
    hop.keep(signal, body.slice(GRPC_PREFIX_BYTES..));
    grpc_ok()
}

/// An empty message and status 0.
fn grpc_ok() -> Response<Body> {
    let trailers = HeaderMap::from_iter([("grpc-status".parse().expect("a name"), HeaderValue::from_static("0"))]);
    let frames = [Frame::data(Bytes::from_static(&[0; GRPC_PREFIX_BYTES])), Frame::trailers(trailers)];
    let stream = tokio_stream::iter(frames.map(Ok::<_, std::convert::Infallible>));
    let mut response = Response::new(Body::new(StreamBody::new(stream)));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

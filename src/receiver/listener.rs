//! The accept loop of both transports: connections are counted, timed and drained here, and nowhere else.
//!
//! A connection that says nothing costs a file descriptor, so there are at most [`CONNECTIONS_MAX`] a listener and
//! each has [`FIRST_REQUEST_TIMEOUT`] to come up with a request; after that HTTP/1 has its header timeout and HTTP/2
//! its pings.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Connections a listener has open at once; more wait in the kernel's backlog.
const CONNECTIONS_MAX: usize = 1024;
/// How long a new connection may go without a request, handshake included.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// How long HTTP/1 headers may take, and an idle HTTP/1 connection is kept.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(30);
/// HTTP/2 pings find peers that are gone.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Pause after an accept that failed, typically for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Large frames and windows halve the cost of HTTP/2 for clients that honour them (tonic does).
const FRAME_BYTES_MAX: u32 = 1 << 20;
const STREAM_WINDOW_BYTES: u32 = 4 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;

type Builder = auto::Builder<TokioExecutor>;

/// HTTP/2 with prior knowledge, as gRPC speaks it.
pub(super) fn http2_only() -> Builder {
    http1_or_2().http2_only()
}

/// HTTP/1.1, or HTTP/2 with prior knowledge.
pub(super) fn http1_or_2() -> Builder {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_READ_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_frame_size(FRAME_BYTES_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES);
    builder
}

/// Accepts until `stop`, then closes the listener, lets every connection finish what it is answering, and returns
/// when the last is gone.
pub(super) async fn serve<S, F, B>(listener: TcpListener, builder: Builder, service: S, stop: CancellationToken)
where
    S: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_ended) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((stream, _peer)) => {
                    connections.spawn(connection(stream, builder.clone(), service.clone(), stop.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection<S, F, B>(stream: TcpStream, builder: Builder, service: S, stop: CancellationToken)
where
    S: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let spoke = Arc::new(AtomicBool::new(false));
    let heard = spoke.clone();
    let service = service_fn(move |request| {
        heard.store(true, Ordering::Relaxed);
        let answer = service(request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut silence = pin!(tokio::time::sleep(FIRST_REQUEST_TIMEOUT));
    let mut stopped = pin!(stop.cancelled());
    let (mut listening, mut draining) = (true, false);
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(error, "connection failed");
                }
                return;
            }
            () = &mut silence, if listening => {
                if !spoke.load(Ordering::Relaxed) {
                    return;
                }
                listening = false;
            }
            () = &mut stopped, if !draining => {
                connection.as_mut().graceful_shutdown();
                draining = true;
            }
        }
    }
}

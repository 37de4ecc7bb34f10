//! The accept loop: connections are counted, timed and drained here, and nowhere else.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Connections a listener has open at once; more wait in the kernel's backlog.
const CONNECTIONS_MAX: usize = 256;
/// How long a request's headers may take, and an idle HTTP/1 connection is kept.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(60);
/// HTTP/2 pings find peers that are gone.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// How long a peer may take to answer a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Streams of one HTTP/2 connection at once.
const STREAMS_MAX: u32 = 64;
/// Pause after an accept that failed, typically for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts until `stop`, then closes the listener, lets every connection finish what it is answering, and returns
/// when the last is gone.
pub(super) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let builder = builder();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_ended) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((stream, _peer)) => {
                    connections.spawn(connection(stream, builder.clone(), router.clone(), stop.clone()));
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

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_READ_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_concurrent_streams(STREAMS_MAX);
    builder
}

async fn connection(stream: TcpStream, builder: Builder<TokioExecutor>, router: Router, stop: CancellationToken) {
    // Nagle's algorithm and delayed acknowledgements together cost a flag evaluation 40 ms.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, "connection failed");
    }
}

//! OTLP in: gRPC and HTTP, protobuf and JSON, over one `intake` and one accept loop; and, where it is wanted, the
//! scores of servers that do not take them by OTLP ([`scores`]).
//!
//! A request's bytes are received once into one contiguous buffer, checked, handed to the engine, and, once the
//! engine has taken them, lent to the [`Tap`] by reference. Nothing is decoded into owned messages here.
//!
//! Memory: `in_flight_max` requests are worked on at once, over both transports; each holds at most
//! `request_bytes_max` bytes of message: the bound is `in_flight_max * request_bytes_max`. Up to as much again is held
//! for a moment where a message has two forms: by gzip over gRPC (the compressed one), by JSON (the text), and by zstd
//! (its window, which may be 8 MiB even where requests are smaller).
//! Requests beyond are refused at once, before their body is read, with a hint when to come back.
//!
//! Delivery is at least once: a client that gives up before the reply sends again what may have been taken.
//! Deliberately absent: TLS and authentication (a sidecar listens on loopback), CORS, compression of replies (they
//! are a few bytes).

mod codec;
mod grpc;
mod http;
mod intake;
mod limits;
mod listener;
mod rejection;
mod scores;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::engine::Handle;
use crate::otlp::Signal;
use intake::Intake;

/// Where the bytes of every accepted request go next. Called on the receiver's task: must not block.
pub type Tap = Arc<dyn Fn(Signal, Bytes) + Send + Sync>;

/// Both listeners, bound and not yet accepting.
#[derive(Debug)]
pub struct Bound {
    grpc: TcpListener,
    http: TcpListener,
    config: config::Receiver,
}

/// Binds both listeners; port 0 takes a free one.
///
/// # Errors
/// When an address does not resolve or is taken; the message names it.
pub async fn bind(config: &config::Receiver) -> io::Result<Bound> {
    Ok(Bound { grpc: listen(&config.grpc).await?, http: listen(&config.http).await?, config: config.clone() })
}

async fn listen(address: &str) -> io::Result<TcpListener> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"));
    TcpListener::bind(address).await.map_err(named)
}

impl Bound {
    /// The bound address of OTLP/gRPC.
    ///
    /// # Errors
    /// When the socket is gone.
    pub fn grpc_addr(&self) -> io::Result<SocketAddr> {
        self.grpc.local_addr()
    }

    /// The bound address of OTLP/HTTP.
    ///
    /// # Errors
    /// When the socket is gone.
    pub fn http_addr(&self) -> io::Result<SocketAddr> {
        self.http.local_addr()
    }

    /// Serves both transports until `shutdown`, then closes the listeners and returns once every export in flight
    /// is answered. Dropping the future closes all connections at once.
    pub async fn serve(self, engine: Handle, tap: Tap, shutdown: impl Future<Output = ()>) {
        let intake = Arc::new(Intake::new(engine, tap, &self.config));
        let stop = CancellationToken::new();
        let grpc = {
            let intake = intake.clone();
            move |request| grpc::export(intake.clone(), request)
        };
        let http = move |request| http::export(intake.clone(), request);
        let listeners = async {
            tokio::join!(
                listener::serve(self.grpc, listener::http2_only(), grpc, stop.clone()),
                listener::serve(self.http, listener::http1_or_2(), http, stop.clone()),
            )
        };
        tokio::pin!(listeners);
        tokio::select! {
            _ = &mut listeners => {}
            () = shutdown => {
                stop.cancel();
                listeners.await;
            }
        }
    }
}

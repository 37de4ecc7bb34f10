//! The admin listener: metrics, state as JSON, breakers as feature flags, the transparency log. And the probes.
//!
//! Everything is read from the published [`crate::engine::View`], the registry and the store; only a breaker
//! order, a foreign alert and a reload ask anybody anything. Wire types live in `dto`, each route group in its
//! own file, and `proto/openapi.json` describes them all. Deliberately absent: TLS (put a proxy in front),
//! sessions, pagination (every list here is bounded by configuration).

mod auth;
mod body;
mod breakers;
mod changes;
mod dto;
mod etag;
mod events;
mod explanation;
mod grpc;
mod health;
mod incidents;
mod listener;
mod log;
mod metrics;
mod ofrep;
mod postmortem;
mod problem;
mod readings;
mod router;
mod webhook;
mod witness;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use self::auth::{TokenRequired, admit};
pub use self::grpc::messages as breaker_v1;
pub use self::health::{Phase, Readiness};
pub use self::metrics::{install_recorder, postmortem_textfile};
use self::problem::Problem;
use crate::config;
use crate::core::time::UnixNanos;
use crate::core::window;
use crate::engine::registry::Registry;
use crate::engine::witness::Witness;
use crate::engine::{Handle, Store};

/// What `POST /-/reload` calls: the fields that differ and need a restart; the error is shown to the caller.
pub type Reload =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Vec<&'static str>, String>> + Send>> + Send + Sync>;

/// Where the answers come from.
#[derive(Clone)]
pub struct Sources {
    /// The engine.
    pub engine: Handle,
    /// The evidence log.
    pub store: Arc<dyn Store>,
    /// What this sidecar remembers as a witness of other logs, when it is one.
    pub witness: Option<Arc<dyn Witness>>,
    /// Lifetime meters of every feature.
    pub registry: Arc<Registry>,
    /// The process's own metrics, from [`install_recorder`].
    pub process_metrics: PrometheusHandle,
    /// Whether traffic should come here.
    pub readiness: Readiness,
    /// Whether drills are among the features of the metrics.
    pub drills: bool,
    /// Lengths of the windows that signals are reported for.
    pub windows: window::Policy,
    /// The wall clock.
    pub now: fn() -> UnixNanos,
    /// Reads the configuration again.
    pub reload: Reload,
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

/// Why the listeners could not be opened.
#[derive(Debug, Error)]
pub enum BindError {
    /// The address does not resolve, is taken, or may not be used.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// As configured.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// Open to the network without a token.
    #[error(transparent)]
    TokenRequired(#[from] TokenRequired),
}

/// Both listeners, bound and not yet accepting.
#[derive(Debug)]
pub struct Bound {
    admin: TcpListener,
    health: TcpListener,
    admin_addr: SocketAddr,
    health_addr: SocketAddr,
    config: config::Admin,
}

/// Binds the admin listener and the one for probes; port 0 takes a free one.
///
/// # Errors
/// See [`BindError`].
pub async fn bind(admin: &config::Admin, health: &str) -> Result<Bound, BindError> {
    let (admin_listener, admin_addr) = listen(&admin.endpoint).await?;
    admit(admin_addr, admin.token.as_ref())?;
    let (health_listener, health_addr) = listen(health).await?;
    Ok(Bound { admin: admin_listener, health: health_listener, admin_addr, health_addr, config: admin.clone() })
}

async fn listen(address: &str) -> Result<(TcpListener, SocketAddr), BindError> {
    let named = |source| BindError::Listen { address: address.to_owned(), source };
    let listener = TcpListener::bind(address).await.map_err(named)?;
    let bound = listener.local_addr().map_err(named)?;
    Ok((listener, bound))
}

impl Bound {
    /// The bound address of the admin listener.
    #[must_use]
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin_addr
    }

    /// The bound address of the probes.
    #[must_use]
    pub fn health_addr(&self) -> SocketAddr {
        self.health_addr
    }

    /// The URL others reach the admin listener by, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> String {
        match &self.config.external_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("http://{}", self.admin_addr),
        }
    }

    /// Serves both listeners until `shutdown`, then closes them, ends event streams and returns once every request
    /// in flight is answered. Dropping the future closes all connections at once.
    pub async fn serve(self, sources: Sources, shutdown: impl Future<Output = ()>) {
        let stop = CancellationToken::new();
        let api = Api(Arc::new(Shared {
            base_url: self.base_url(),
            admin: self.config,
            redirects: ofrep::Redirects::default(),
            subscribers: Arc::new(Semaphore::new(events::SUBSCRIBERS_MAX)),
            explanations: Semaphore::new(explanation::AT_A_TIME),
            stop: stop.clone(),
            sources,
        }));
        let probes = health::router().with_state(api.clone());
        let listeners = async {
            tokio::join!(
                listener::serve(self.admin, router::router(api), stop.clone()),
                listener::serve(self.health, probes, stop.clone()),
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

/// What every handler gets.
#[derive(Clone, Debug)]
struct Api(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    sources: Sources,
    admin: config::Admin,
    base_url: String,
    redirects: ofrep::Redirects,
    subscribers: Arc<Semaphore>,
    explanations: Semaphore,
    /// Cancelled at shutdown; event streams end with it.
    stop: CancellationToken,
}

impl std::ops::Deref for Api {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Runs `read` where it may block on the disk.
async fn blocking<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(read).await.map_err(|_| Problem::unavailable("shutting down"))
}

//! The whole, with nothing of ours on the other side: real SDKs send, real Prometheus scrapes and alerts, real
//! Alertmanager routes, a stranger pulls the evidence, the real OpenFeature provider reads the breaker. And the same
//! sidecar killed without warning. `tests/setup` installs the real parts; without them these tests fail and say so.

pub(crate) mod http;
pub(crate) mod process;
pub(crate) mod real;

mod application;
mod causes;
mod classes;
mod crash;
mod dialects;
pub(crate) mod hop;
mod inhibition;
mod lifecycle;
mod orders;
mod own_traces;
mod shipped;
mod sidecar;

use std::time::Duration;

/// Between two looks at a condition.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Looks until `check` succeeds and returns what it found; at the deadline, fails with what was missing last.
pub(crate) async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Result<T, String>) -> T {
    let mut missing = String::from("never looked");
    let looking = async {
        loop {
            match check().await {
                Ok(found) => return found,
                Err(why) => missing = why,
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    let found = tokio::time::timeout(process::PATIENCE, looking).await;
    found.unwrap_or_else(|_| panic!("not in {:?}: {what}; {missing}", process::PATIENCE))
}

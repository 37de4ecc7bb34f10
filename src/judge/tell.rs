//! Telling the engine, and the next hop, what a judge said: as an export of log records that anybody could have sent.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;

use crate::engine::{Handle, Refused};
use crate::otlp::{Logs, Signal};
use crate::toolkit::report::Report;

/// How often a busy engine is told, and the pause in between.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(200);

/// Where accepted requests go next.
pub type Tap = Arc<dyn Fn(Signal, Bytes) + Send + Sync>;

/// Tells.
#[derive(Clone)]
pub struct Teller {
    engine: Handle,
    tap: Tap,
}

impl fmt::Debug for Teller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Teller").finish_non_exhaustive()
    }
}

impl Teller {
    /// Tells the engine first, and what it took `tap`, as the receiver does.
    #[must_use]
    pub fn new(engine: Handle, tap: Tap) -> Self {
        Self { engine, tap }
    }

    /// Whether the report was taken.
    pub async fn tell(&self, report: &Report) -> bool {
        let bytes = Bytes::from(report.export().encode_to_vec());
        for _ in 0..ATTEMPTS {
            let logs = match Logs::parse(bytes.clone()) {
                Ok(logs) => logs,
                Err(error) => {
                    tracing::error!(%error, "an export of our own can't be read");
                    return false;
                }
            };
            match self.engine.logs(logs).await {
                Ok(_) => {
                    (self.tap)(Signal::Logs, bytes);
                    return true;
                }
                Err(Refused::Busy) => tokio::time::sleep(PAUSE).await,
                Err(Refused::Stopping) => return false,
            }
        }
        tracing::warn!(event_name = report.event_name, "not told: the engine is busy");
        false
    }
}

//! Alerts and breakers on disk: `alerts.json` in the data directory.

use std::path::Path;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, interval_at};

use super::Kept;
use crate::core::carried::{Carried, Ended};
use crate::core::time::UnixNanos;
use crate::engine::{Engine, Handle, Notice};

/// How often the file is written when nothing changes, so that it tells how long an outage was.
const SAVE_EVERY: Duration = Duration::from_secs(60);

/// A thousand features with everything firing are smaller.
const BYTES_MAX: u64 = 16 << 20;

/// How often a busy engine is asked, and the pause in between.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(100);

/// The file.
#[derive(Clone, Debug)]
pub(crate) struct AlertFile(Kept);

impl AlertFile {
    /// The file of a data directory.
    pub(crate) fn in_dir(data_dir: &Path) -> Self {
        Self(Kept::in_dir(data_dir, "alerts.json", BYTES_MAX))
    }

    /// Incidents that are over, as far as the file tells; none where it can't be read.
    pub(crate) fn ended(&self) -> Vec<Ended> {
        let carried = self.0.read().ok().and_then(|bytes| Carried::parse(&bytes).ok());
        carried.map(|it| it.ended).unwrap_or_default()
    }

    /// Writes the file at once.
    ///
    /// # Errors
    /// When the directory can't be written to.
    pub(crate) fn write(&self, carried: &Carried) -> std::io::Result<()> {
        self.0.write(&carried.to_bytes())
    }

    /// Has the engine go on where the last run ended, if that can be known.
    pub(crate) fn restore(&self, engine: &mut Engine, now: UnixNanos) {
        if let Some(carried) = self.0.restore(Carried::parse) {
            let (alerts, outage) = (engine.carry_on(&carried, now), now.since(carried.at));
            tracing::info!(alerts, breakers = carried.breakers.len(), ?outage, "alerts and breakers go on");
        }
    }

    /// Writes what the engine stands at whenever that changes, until `stop`.
    pub(crate) async fn keep(self, engine: Handle, stop: impl Future<Output = ()>) {
        let mut notices = engine.notices();
        let mut due = interval_at(Instant::now() + SAVE_EVERY, SAVE_EVERY);
        tokio::pin!(stop);
        loop {
            tokio::select! {
                _ = due.tick() => self.save(&engine).await,
                notice = notices.recv() => match notice {
                    Ok(Notice::Alert { .. } | Notice::Breaker { .. }) | Err(RecvError::Lagged(_)) => {
                        // Changes that came together are written together.
                        while notices.try_recv().is_ok() {}
                        self.save(&engine).await;
                    }
                    Ok(Notice::Frame { .. } | Notice::Refined { .. }) => {}
                    Err(RecvError::Closed) => return,
                },
                () = &mut stop => return,
            }
        }
    }

    /// Writes what the engine stands at now.
    pub(crate) async fn save(&self, engine: &Handle) {
        for _ in 0..ATTEMPTS {
            if let Ok(carried) = engine.carried().await {
                return self.0.save(move || carried.to_bytes()).await;
            }
            tokio::time::sleep(PAUSE).await;
        }
        tracing::warn!("alerts and breakers were not written: the engine is busy");
    }
}

//! The only place that reads a clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::core::time::UnixNanos;

/// Wall time derived from one anchor: monotonic, so a wall clock that steps back never reaches the engine.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: UnixNanos,
    started: Instant,
}

impl Clock {
    /// Anchors the clock to the system's time now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { wall: UnixNanos(0).plus(wall), started: Instant::now() }
    }

    /// The time now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn now(&self) -> UnixNanos {
        self.wall.plus(Instant::now().saturating_duration_since(self.started))
    }
}

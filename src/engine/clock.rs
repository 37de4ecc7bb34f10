//! The only place that reads a clock.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::core::time::UnixNanos;

/// One wall time and the monotonic instant it was read at.
static ANCHOR: LazyLock<(UnixNanos, Instant)> = LazyLock::new(anchor);

/// The time now: wall time as of the first call, moved on by the monotonic clock, so that a wall clock that is set
/// back never reaches the engine.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> UnixNanos {
    let (wall, started) = *ANCHOR;
    wall.plus(Instant::now().saturating_duration_since(started))
}

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
fn anchor() -> (UnixNanos, Instant) {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    (UnixNanos(0).plus(wall), Instant::now())
}

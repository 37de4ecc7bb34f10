//! The only place that reads a clock.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::core::time::UnixNanos;

static STARTED: LazyLock<Instant> = LazyLock::new(started);
/// Wall time at the start, nanoseconds, as the furthest wall clock read so far has it.
static OFFSET: AtomicU64 = AtomicU64::new(0);

/// The time now: the monotonic clock, moved forward wherever the wall clock is ahead of it (a machine that slept, a clock
/// that was set at last). A wall clock that is set back never reaches the engine.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> UnixNanos {
    let passed = Instant::now().saturating_duration_since(*STARTED);
    let wall = UnixNanos(0).plus(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO));
    let offset = wall.minus(passed).0;
    UnixNanos(OFFSET.fetch_max(offset, Relaxed).max(offset)).plus(passed)
}

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
fn started() -> Instant {
    Instant::now()
}

//! Points in time as OTLP has them.

use std::fmt;
use std::time::Duration;

/// Nanoseconds since the Unix epoch, UTC (OTLP `fixed64 time_unix_nano`). Zero means "not set".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixNanos(pub u64);

impl UnixNanos {
    /// The point an RFC 3339 text names; `None` for other texts and for times before the epoch.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let at: jiff::Timestamp = text.parse().ok()?;
        u64::try_from(at.as_nanosecond()).ok().map(Self)
    }

    /// Whether both points lie in the same millisecond, which is what RFC 3339 keeps of them here.
    #[must_use]
    pub fn same_millisecond(self, other: Self) -> bool {
        self.0 / 1_000_000 == other.0 / 1_000_000
    }

    /// This point plus `by`, stopping at the end of the range (the year 2554).
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(nanos(by)))
    }

    /// This point minus `by`, stopping at the epoch.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(by)))
    }

    /// Time from `earlier` to this point; zero when `earlier` is later (clocks step back).
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The start of the slot of length `slot` that holds this point.
    #[must_use]
    pub fn floor(self, slot: Duration) -> Self {
        let slot = nanos(slot).max(1);
        Self(self.0 - self.0 % slot)
    }
}

/// RFC 3339, UTC, milliseconds: `2026-11-22T02:19:00.000Z`.
impl fmt::Display for UnixNanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = jiff::Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or(jiff::Timestamp::MAX);
        write!(f, "{at:.3}")
    }
}

impl serde::Serialize for UnixNanos {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for UnixNanos {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("expected a time of RFC 3339"))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves the wire format of times: UTC, exactly milliseconds, for any value the type can hold.
    #[test]
    fn displays_as_rfc3339_with_milliseconds() {
        assert_eq!(UnixNanos(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(UnixNanos(1_795_313_940_123_456_789).to_string(), "2026-11-22T02:19:00.123Z");
        assert_eq!(UnixNanos(u64::MAX).to_string(), "2554-07-21T23:34:33.709Z");
    }

    /// Proves that what is displayed is read back, to the millisecond.
    #[test]
    fn reads_what_it_displays() {
        let at = UnixNanos(1_795_313_940_123_456_789);
        assert!(UnixNanos::parse(&at.to_string()).is_some_and(|it| it.same_millisecond(at)));
        assert_eq!(UnixNanos::parse("2026-11-22T03:19:00.123456789+01:00"), Some(at));
        for junk in ["", "now", "2026-11-22", "1969-12-31T23:59:59Z", "1795313940"] {
            assert_eq!(UnixNanos::parse(junk), None, "{junk}");
        }
    }

    /// Proves that slots tile the axis: a point lies in its slot and the slot start is its own floor.
    #[test]
    fn floor_tiles_the_axis() {
        let slot = Duration::from_secs(10);
        for at in [0, 1, 9_999_999_999, 10_000_000_000, 10_000_000_001] {
            let start = UnixNanos(at).floor(slot);
            assert!(start.0 <= at && at < start.plus(slot).0);
            assert_eq!(start.floor(slot), start);
        }
    }
}

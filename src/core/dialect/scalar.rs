//! A single value with the tolerance that telemetry needs: integers sent as doubles or text, flags sent as
//! `"False"`, times as RFC 3339 or as epoch numbers, durations in the unit the key says.
//!
//! Deliberately no error type: a value that can't be read is missing, never zero and never the loss of a span.

use std::borrow::Cow;
use std::time::Duration;

use crate::core::time::UnixNanos;
use crate::otlp::Value;

/// Counts are below this: 2^53, above which a double, hence canonical JSON (RFC 8785), holds not every integer.
const COUNT_MAX: u64 = 1 << 53;

/// One value, borrowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    /// Text, not empty.
    Text(&'a str),
    /// A signed integer.
    Int(i64),
    /// A double.
    Double(f64),
    /// A flag.
    Bool(bool),
}

impl<'a> Scalar<'a> {
    /// The scalar in an OTLP value: the first item of an array; `None` for maps, bytes and anything masked.
    pub(crate) fn of(value: Value<'a>) -> Option<Self> {
        match value {
            Value::Str(bytes) => text(bytes).map(Self::Text),
            Value::Bool(flag) => Some(Self::Bool(flag)),
            Value::Int(int) => Some(Self::Int(int)),
            Value::Double(double) => Some(Self::Double(double)),
            Value::Array(mut items) => items.find_map(Self::of),
            Value::Empty | Value::Bytes(_) | Value::KvList(_) => None,
        }
    }

    /// As text.
    pub(crate) fn text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Int(int) => Cow::Owned(int.to_string()),
            Self::Double(double) => Cow::Owned(double.to_string()),
            Self::Bool(flag) => Cow::Owned(flag.to_string()),
        }
    }

    /// As a number.
    #[expect(clippy::cast_precision_loss, reason = "a count beyond 2^53 is not told apart by anyone")]
    pub(crate) fn f64(self) -> Option<f64> {
        match self {
            Self::Text(text) => text.trim().parse().ok(),
            Self::Int(int) => Some(int as f64),
            Self::Double(double) => Some(double),
            Self::Bool(flag) => Some(f64::from(u8::from(flag))),
        }
        .filter(|number: &f64| number.is_finite())
    }

    /// As a count; fractions are cut. What is negative, or so large that canonical JSON can't hold it (`Long.MAX` for
    /// "no limit"), is missing.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "bounded by the filter"
    )]
    pub(crate) fn u64(self) -> Option<u64> {
        match self {
            Self::Int(int) => u64::try_from(int).ok().filter(|count| *count < COUNT_MAX),
            Self::Bool(_) => None,
            Self::Text(_) | Self::Double(_) => {
                self.f64().filter(|number| (0.0..COUNT_MAX as f64).contains(number)).map(|number| number as u64)
            }
        }
    }

    /// As a flag.
    pub(crate) fn bool(self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(flag),
            Self::Int(int) => Some(int != 0),
            Self::Double(double) => Some(double != 0.0),
            Self::Text(text) if ["true", "1", "yes"].iter().any(|it| text.eq_ignore_ascii_case(it)) => Some(true),
            Self::Text(text) if ["false", "0", "no"].iter().any(|it| text.eq_ignore_ascii_case(it)) => Some(false),
            Self::Text(_) => None,
        }
    }

    /// As a point in time: RFC 3339, a date, or an epoch number in seconds, milli-, micro- or nanoseconds.
    pub(crate) fn time(self) -> Option<UnixNanos> {
        if let Self::Text(text) = self
            && let Some(at) = parse_time(text.trim().trim_matches('"'))
        {
            return Some(at);
        }
        epoch(self.f64()?)
    }

    /// As a duration in seconds, or in milliseconds with `unit` 0.001.
    pub(crate) fn duration(self, unit: f64) -> Option<Duration> {
        Duration::try_from_secs_f64(self.f64()? * unit).ok()
    }
}

impl<'a> From<Scalar<'a>> for Value<'a> {
    fn from(scalar: Scalar<'a>) -> Self {
        match scalar {
            Scalar::Text(text) => Self::Str(text.as_bytes()),
            Scalar::Int(int) => Self::Int(int),
            Scalar::Double(double) => Self::Double(double),
            Scalar::Bool(flag) => Self::Bool(flag),
        }
    }
}

/// Text that says something: valid UTF-8, not empty, and not what a scrubber put there (logfire writes
/// `[Scrubbed due to ...]`, OpenInference `__REDACTED__`, Codex `[REDACTED]`). Langfuse and MLflow send plain words as
/// JSON texts: `"\"order-help\""` is `order-help`.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    if is_silent(bytes) {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let word = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match word.filter(|word| !word.contains(['"', '\\'])) {
        Some(word) => Some(word).filter(|word| !word.is_empty()),
        None => Some(text),
    }
}

/// Whether these bytes say nothing.
#[inline]
pub(crate) fn is_silent(bytes: &[u8]) -> bool {
    match bytes.first() {
        None => true,
        Some(b'[') => bytes == b"[REDACTED]" || bytes.starts_with(b"[Scrubbed due to"),
        Some(b'_') => bytes == b"__REDACTED__",
        Some(b'<') => bytes == b"<REDACTED>",
        Some(_) => false,
    }
}

fn parse_time(text: &str) -> Option<UnixNanos> {
    let at = match text.parse::<jiff::Timestamp>() {
        Ok(at) => at,
        Err(_) => text.parse::<jiff::civil::DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp(),
    };
    u64::try_from(at.as_nanosecond()).ok().map(UnixNanos)
}

/// An epoch number by its magnitude: the four units do not overlap between 1973 and 5138.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by the guards")]
fn epoch(number: f64) -> Option<UnixNanos> {
    let unit = match number {
        n if n < 1.0e8 => return None,
        n if n < 1.0e11 => 1.0e9,
        n if n < 1.0e14 => 1.0e6,
        n if n < 1.0e17 => 1.0e3,
        n if n < 1.8e19 => 1.0,
        _ => return None,
    };
    Some(UnixNanos((number * unit) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves the tolerance of numbers and flags: every way a real SDK sends them gives the same value.
    #[test]
    #[expect(clippy::cast_precision_loss, reason = "as any reader of the number")]
    fn reads_numbers_and_flags_in_any_dress() {
        type Row = (Scalar<'static>, Option<u64>, Option<f64>, Option<bool>);
        let table: &[Row] = &[
            (Scalar::Int(36), Some(36), Some(36.0), Some(true)),
            (Scalar::Double(36.0), Some(36), Some(36.0), Some(true)),
            (Scalar::Text("36"), Some(36), Some(36.0), None),
            (Scalar::Text(" 36.5 "), Some(36), Some(36.5), None),
            (Scalar::Int(0), Some(0), Some(0.0), Some(false)),
            (Scalar::Int(-1), None, Some(-1.0), Some(true)),
            (Scalar::Int(i64::MAX), None, Some(i64::MAX as f64), Some(true)),
            (Scalar::Int((1 << 53) - 1), Some((1 << 53) - 1), Some(9_007_199_254_740_991.0), Some(true)),
            (Scalar::Double(f64::NAN), None, None, Some(true)),
            (Scalar::Double(1.0e300), None, Some(1.0e300), Some(true)),
            (Scalar::Text("Infinity"), None, None, None),
            (Scalar::Text("False"), None, None, Some(false)),
            (Scalar::Text("TRUE"), None, None, Some(true)),
            (Scalar::Bool(true), None, Some(1.0), Some(true)),
            (Scalar::Text("{'audio': 0}"), None, None, None),
        ];
        for (scalar, count, number, flag) in table {
            assert_eq!((scalar.u64(), scalar.f64(), scalar.bool()), (*count, *number, *flag), "{scalar:?}");
        }
    }

    /// Proves that times are read in every form seen, and that small numbers are not taken for times.
    #[test]
    fn reads_times_in_any_dress() {
        let noon = Some(UnixNanos(1_790_762_400_000_000_000));
        for scalar in [
            Scalar::Text("2026-09-30T10:00:00Z"),
            Scalar::Text("2026-09-30T12:00:00+02:00"),
            Scalar::Text("2026-09-30T10:00:00"),
            Scalar::Text("\"2026-09-30T10:00:00.000Z\""),
            Scalar::Text("1790762400"),
            Scalar::Int(1_790_762_400),
            Scalar::Int(1_790_762_400_000),
            Scalar::Int(1_790_762_400_000_000),
            Scalar::Int(1_790_762_400_000_000_000),
        ] {
            assert_eq!(scalar.time(), noon, "{scalar:?}");
        }
        assert_eq!(Scalar::Text("2026-09-30").time(), Some(UnixNanos(1_790_726_400_000_000_000)));
        for scalar in [Scalar::Int(7), Scalar::Text("v7"), Scalar::Double(-1.0), Scalar::Bool(true)] {
            assert_eq!(scalar.time(), None, "{scalar:?}");
        }
    }

    /// Proves that masked and empty text is missing.
    #[test]
    fn masked_text_is_missing() {
        for masked in [&b""[..], b"__REDACTED__", b"[Scrubbed due to 'session']", b"\xff"] {
            assert_eq!(text(masked), None);
        }
        assert_eq!(text(b"[1]"), Some("[1]"));
    }
}

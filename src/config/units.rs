//! Durations and sizes as people write them: `30s`, `1h30m`, `4MiB`. Reading and showing are inverse.

use std::time::Duration;

const TIME_UNITS: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

const SIZE_UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

/// Reads `30s`, `1h30m`, `250ms`, or `0`: whole numbers with units, each unit at most once, largest first.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut units = TIME_UNITS.iter();
    let mut nanos: u64 = 0;
    while !rest.is_empty() {
        let (number, after) = leading_number(rest)?;
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let (_, scale) = units.by_ref().find(|(name, _)| *name == unit)?;
        nanos = nanos.checked_add(number.checked_mul(*scale)?)?;
        rest = after;
    }
    (!text.is_empty()).then(|| Duration::from_nanos(nanos))
}

/// Shows a duration so that [`parse_duration`] reads it back.
pub(super) fn show_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, scale) in TIME_UNITS.into_iter().filter(|(unit, _)| *unit != "d") {
        if rest >= scale {
            text += &format!("{}{unit}", rest / scale);
            rest %= scale;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Reads `4MiB`, `512 KiB`, `10MB` or a plain number of bytes.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = leading_number(text)?;
    match unit.trim_start() {
        "" => Some(number),
        unit => SIZE_UNITS.iter().find(|(name, _)| *name == unit).and_then(|(_, scale)| number.checked_mul(*scale)),
    }
}

/// Shows a size so that [`parse_size`] reads it back.
pub(super) fn show_size(bytes: u64) -> String {
    let binary = SIZE_UNITS[..3].iter().find(|(_, scale)| bytes >= *scale && bytes.is_multiple_of(*scale));
    binary.map_or_else(|| format!("{bytes}B"), |(unit, scale)| format!("{}{unit}", bytes / scale))
}

fn leading_number(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    Some((number.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Proves what is read as a duration and what is not.
    #[test]
    fn durations() {
        for (text, seconds) in [
            ("30s", 30.0),
            ("1h30m", 5400.0),
            ("250ms", 0.25),
            ("0", 0.0),
            ("0s", 0.0),
            ("1d", 86_400.0),
            ("1m5s", 65.0),
        ] {
            assert_eq!(parse_duration(text), Some(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["", "30", "s", "-1s", "1.5s", "30 s", "30sec", "1m1h", "1s1s", "99999999999h", "1h\n"] {
            assert_eq!(parse_duration(text), None, "{text:?}");
        }
    }

    /// Proves what is read as a size and what is not.
    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("4MiB", 4 << 20),
            ("512 KiB", 512 << 10),
            ("10MB", 10_000_000),
            ("0", 0),
            ("17", 17),
            ("3B", 3),
            ("2GiB", 2 << 30),
        ] {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for text in ["", "MiB", "-1", "4 Mi", "4mib", "1.5MiB", "99999999999GiB"] {
            assert_eq!(parse_size(text), None, "{text:?}");
        }
    }

    proptest! {
        /// Proves that what is shown is read back, for every value.
        #[test]
        fn shown_is_read_back(nanos: u64, bytes: u64) {
            let duration = Duration::from_nanos(nanos);
            prop_assert_eq!(parse_duration(&show_duration(duration)), Some(duration));
            prop_assert_eq!(parse_size(&show_size(bytes)), Some(bytes));
        }
    }
}

//! Figures of a frame in words.

use std::time::Duration;

use serde_json::Value as Json;

use crate::core::frame::grouped;
use crate::core::signal::{Shape, Signal};
use crate::core::time::UnixNanos;

/// A signal's value with its unit: `24 %`, `4.2 s`; `unknown` without one.
pub(super) fn of_signal(signal: &str, value: &Json) -> String {
    let Some(value) = value.as_f64() else { return "unknown".into() };
    match Signal::parse(signal) {
        Some(signal) if signal.shape() == Shape::Ratio => percent(value),
        Some(signal) => [&number(value), signal.unit()].join(" ").trim_end().to_owned(),
        None => number(value),
    }
}

/// A share: `24 %`, and below one percent with as many places as tell it from nothing.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 1.0 { format!("{percent:.2} %") } else { format!("{percent:.0} %") }
}

/// Four significant places are enough for people, and evidence has the rest.
pub(super) fn number(value: f64) -> String {
    let is_whole = value.abs() >= 1000.0 || value.fract() == 0.0;
    if is_whole {
        format!("{value:.0}")
    } else if value.abs() < 0.01 {
        format!("{value:.6}")
    } else {
        format!("{value:.3}")
    }
}

/// Time between two RFC 3339 texts; `None` where either is none, or they are the wrong way round.
pub(super) fn between(from: &Json, to: &Json) -> Option<Duration> {
    let at = |it: &Json| it.as_str().and_then(UnixNanos::parse);
    let (from, to) = (at(from)?, at(to)?);
    (to >= from).then(|| to.since(from))
}

/// `1 h 15 min`, `6 min 20 s`, `45 s`.
pub(crate) fn duration(of: Duration) -> String {
    let seconds = of.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, 0, _) => format!("{hours} h"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// A time of RFC 3339 to the second, as people read it: `2025-03-10 10:15:02 UTC`. Anything else as it is.
pub(crate) fn second(at: &str) -> String {
    match (UnixNanos::parse(at), at.get(..10), at.get(11..19)) {
        (Some(_), Some(day), Some(time)) if at.ends_with('Z') => format!("{day} {time} UTC"),
        _ => at.to_owned(),
    }
}

/// A signal on both sides: `quality 64 % (91 % before)`; `None` where it was not seen.
pub(super) fn pair(frame: &Json, signal: Signal) -> Option<String> {
    let sides = &frame["signals"][signal.as_str()];
    let value = |side: &str| &sides[side]["value"];
    value("incident").as_f64()?;
    let before = match value("baseline") {
        Json::Null => "not known before".to_owned(),
        value => format!("{} before", of_signal(signal.as_str(), value)),
    };
    Some(format!("{} {} ({before})", signal.as_str(), of_signal(signal.as_str(), value("incident"))))
}

/// A ratio on both sides with the numbers it is of, where they are few: `bad_feedback_ratio 75 % of 12 (none before)`.
pub(super) fn counted(frame: &Json, signal: Signal) -> Option<String> {
    let sides = &frame["signals"][signal.as_str()];
    let of = |side: &str| {
        let share = percent(sides[side]["value"].as_f64()?);
        let n = sides[side]["count"].as_u64().and_then(|it| usize::try_from(it).ok());
        Some(n.map_or_else(|| share.clone(), |n| format!("{share} of {}", grouped(n))))
    };
    let before = of("baseline").unwrap_or_else(|| "none".to_owned());
    Some(format!("{} {} ({before} before)", signal.as_str(), of("incident")?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Proves units, places and what is said of nothing.
    #[test]
    fn figures_read_as_people_write_them() {
        assert_eq!(of_signal("quality", &json!(0.64)), "64 %");
        assert_eq!(of_signal("error_ratio", &json!(0.004)), "0.40 %");
        assert_eq!(of_signal("latency_p95", &json!(4.2)), "4.200 s");
        assert_eq!(of_signal("latency_p95", &Json::Null), "unknown");
        assert_eq!(of_signal("somebody's", &json!(1234.5)), "1234");
        assert_eq!(duration(Duration::from_secs(4_500)), "1 h 15 min");
        assert_eq!(duration(Duration::from_secs(380)), "6 min 20 s");
        let (early, late) = (json!("2026-11-22T09:15:00.000Z"), json!("2026-11-22T09:16:00.000Z"));
        assert_eq!(between(&early, &late), Some(Duration::from_secs(60)));
        assert_eq!(between(&late, &early), None);
        assert_eq!(second("2026-11-22T09:15:00.120Z"), "2026-11-22 09:15:00 UTC");
        assert_eq!(second("yesterday"), "yesterday");
        let frame = json!({ "signals": { "bad_feedback_ratio": { "incident": { "value": 0.75, "count": 1200 } } } });
        let said = counted(&frame, Signal::BadFeedbackRatio);
        assert_eq!(said.as_deref(), Some("bad_feedback_ratio 75 % of 1,200 (none before)"));
    }
}

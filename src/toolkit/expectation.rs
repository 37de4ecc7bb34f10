//! What a team knows of a recording: when trouble began and ended. Held against what fired: found or missed, how late,
//! and what fired for nothing.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::config::parse_duration;
use crate::core::incident::Class;
use crate::core::time::UnixNanos;

/// The document, YAML or JSON.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Expectations {
    /// Labelled trouble.
    pub incidents: Vec<Expected>,
    /// Alerts outside of all of it that are still fine.
    #[serde(default)]
    pub false_alarms_max: usize,
}

/// One stretch of trouble.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Onset.
    pub from: UnixNanos,
    /// End.
    pub to: UnixNanos,
    /// The feature in trouble; any without.
    pub feature: Option<String>,
    /// The class that must fire; any without.
    #[serde(default, deserialize_with = "class")]
    pub class: Option<Class>,
    /// The alert that must fire; any without.
    pub alertname: Option<String>,
    /// How long it may take; until its end without.
    #[serde(default, deserialize_with = "duration")]
    pub within: Option<Duration>,
}

/// An alert that fired.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fired<'a> {
    /// When.
    pub at: UnixNanos,
    /// Its name.
    pub alertname: &'a str,
    /// Its feature, `_all` for the whole service.
    pub feature: &'a str,
    /// Its class.
    pub class: Class,
}

/// What became of an expectation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding<'a> {
    /// The first alert that is about it.
    pub by: Option<Fired<'a>>,
    /// From onset to that alert.
    pub delay: Option<Duration>,
    /// Whether it was found in time.
    pub is_met: bool,
}

/// The comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison<'a> {
    /// One for every expectation, in their order.
    pub findings: Vec<Finding<'a>>,
    /// Alerts that fired outside of all trouble.
    pub false_alarms: Vec<Fired<'a>>,
    /// Whether everything was found in time and no more than allowed fired for nothing.
    pub is_met: bool,
}

fn class<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Class>, D::Error> {
    let Some(name) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let names = || Class::ALL.map(Class::as_str).join(", ");
    let unknown = || serde::de::Error::custom(format!("no class {name}; there are {}", names()));
    Class::parse(&name).ok_or_else(unknown).map(Some)
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let wrong = || serde::de::Error::custom(format!("{text} is no duration, such as 2m or 30s"));
    parse_duration(&text).ok_or_else(wrong).map(Some)
}

impl Expectations {
    /// Reads the document.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parsed: Self = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        match parsed.incidents.iter().position(|it| it.to <= it.from) {
            Some(at) => Err(format!("incident {} ends before it begins", at + 1)),
            None => Ok(parsed),
        }
    }

    /// Holds what fired, in order of time, against what is expected.
    #[must_use]
    pub fn compare<'a>(&self, fired: &[Fired<'a>]) -> Comparison<'a> {
        let findings: Vec<Finding<'a>> = self.incidents.iter().map(|expected| expected.find(fired)).collect();
        let is_false = |it: &&Fired<'a>| !self.incidents.iter().any(|expected| expected.covers(it));
        let false_alarms: Vec<Fired<'a>> = fired.iter().filter(is_false).copied().collect();
        let is_met = findings.iter().all(|it| it.is_met) && false_alarms.len() <= self.false_alarms_max;
        Comparison { findings, false_alarms, is_met }
    }
}

impl Expected {
    fn find<'a>(&self, fired: &[Fired<'a>]) -> Finding<'a> {
        let by = fired.iter().find(|it| self.covers(it) && self.is_about(it)).copied();
        let delay = by.map(|it| it.at.since(self.from));
        let is_met = delay.is_some_and(|delay| self.within.is_none_or(|within| delay <= within));
        Finding { by, delay, is_met }
    }

    /// Whether an alert fired in this trouble, about it or about what it led to. The whole service's is about every feature.
    fn covers(&self, fired: &Fired<'_>) -> bool {
        let feature = self.feature.as_deref().is_none_or(|feature| fired.feature == feature || fired.feature == "_all");
        let end = self.to.max(self.from.plus(self.within.unwrap_or_default()));
        feature && (self.from..=end).contains(&fired.at)
    }

    fn is_about(&self, fired: &Fired<'_>) -> bool {
        self.class.is_none_or(|class| fired.class == class)
            && self.alertname.as_deref().is_none_or(|name| fired.alertname == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "
incidents:
  - {from: 2026-11-22T02:00:00Z, to: 2026-11-22T02:30:00Z, feature: support, class: QUALITY_DEGRADATION, within: 2m}
  - {from: 2026-11-22T04:00:00Z, to: 2026-11-22T04:10:00Z}
";

    fn at(text: &str) -> UnixNanos {
        UnixNanos::parse(&format!("2026-11-22T{text}Z")).unwrap()
    }

    fn fired(time: &str, feature: &'static str, class: Class) -> Fired<'static> {
        Fired { at: at(time), alertname: "A", feature, class }
    }

    /// Proves found, late and missed trouble, consequences that are no false alarms, and alerts that are.
    #[test]
    fn alerts_are_held_against_what_is_known() {
        let expectations = Expectations::parse(DOCUMENT).unwrap();
        let quality = |time, feature| fired(time, feature, Class::QualityDegradation);
        let cost = |time| fired(time, "support", Class::CostSpike);
        let delays = |fired: &[Fired<'static>]| {
            let compared = expectations.compare(fired);
            let delay = |it: &Finding<'_>| (it.delay.map(|delay| delay.as_secs()), it.is_met);
            (compared.findings.iter().map(delay).collect::<Vec<_>>(), compared.false_alarms.len(), compared.is_met)
        };
        let second = fired("04:00:30", "search", Class::DataIncident);
        for (alerts, expected) in [
            (vec![quality("02:01:00", "support"), second], (vec![(Some(60), true), (Some(30), true)], 0, true)),
            (
                vec![cost("02:00:10"), quality("02:01:00", "_all"), second],
                (vec![(Some(60), true), (Some(30), true)], 0, true),
            ),
            (vec![quality("02:05:00", "support"), second], (vec![(Some(300), false), (Some(30), true)], 0, false)),
            (vec![cost("02:05:00"), second], (vec![(None, false), (Some(30), true)], 0, false)),
            (vec![quality("02:01:00", "search"), second], (vec![(None, false), (Some(30), true)], 1, false)),
            (
                vec![quality("02:01:00", "support"), second, cost("05:00:00")],
                (vec![(Some(60), true), (Some(30), true)], 1, false),
            ),
        ] {
            assert_eq!(delays(&alerts), expected, "{alerts:?}");
        }
        let lenient = Expectations { false_alarms_max: 1, incidents: Vec::new() };
        assert!(lenient.compare(&[cost("05:00:00")]).is_met && !lenient.compare(&[cost("05:00:00"), second]).is_met);
    }

    /// Proves that a document with a mistake is refused with a reason.
    #[test]
    fn mistakes_are_named() {
        for (text, reason) in [
            ("incidents: [{from: 2026-11-22T02:00:00Z, to: 2026-11-22T01:00:00Z}]", "incident 1 ends before it begins"),
            ("incidents: [{from: yesterday, to: 2026-11-22T01:00:00Z}]", "expected a time of RFC 3339"),
            ("incidents: []\nalarms: 1", "alarms"),
            ("{}", "incidents"),
            ("incidents: [{from: 2026-11-22T02:00:00Z, to: 2026-11-22T03:00:00Z, class: OUTAGE}]", "no class OUTAGE"),
        ] {
            let error = Expectations::parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}

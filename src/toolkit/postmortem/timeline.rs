//! What is known of the course of things, in order of time.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::answers::TOLD;
use super::figures::duration;
use crate::engine::registry::ALL;
use crate::engine::view::Incident;
use crate::toolkit::frames::{fired_at, incident_id};

/// One line of the timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// RFC 3339.
    pub at: String,
    /// What happened.
    pub line: String,
}

/// How the end is told.
const RESOLVES: &str = "The alert resolves";

impl Entry {
    /// The end, at a time of RFC 3339.
    #[must_use]
    pub fn resolves(at: String) -> Self {
        Self { at, line: RESOLVES.to_owned() }
    }

    /// Whether it tells of the end, as it was measured.
    #[must_use]
    pub fn is_end(&self) -> bool {
        self.line.starts_with(RESOLVES) && self.is_measured()
    }

    /// Whether the evidence tells it, and not people.
    pub(super) fn is_measured(&self) -> bool {
        !self.line.ends_with(TOLD)
    }
}

/// What frame and incident know of the course of things, and `others` besides, in order of time. Without the incident,
/// which leaves memory before its frame leaves the log, the frame's part ends with the capture.
#[must_use]
pub fn timeline(frame: &Json, incident: Option<&Incident>, others: Vec<Entry>) -> Vec<Entry> {
    let windows = &frame["windows"];
    let (fired, again) = match frame["refines"].as_str() {
        None => (format!("The alert fires and the frame is frozen as leaf {}", frame["seq"]), None),
        Some(_) => {
            let again = format!("A second frame, of more requests, is frozen as leaf {}", frame["seq"]);
            ("The alert fires and the first frame is frozen".to_owned(), Some(again))
        }
    };
    let mut entries: Vec<Entry> = [
        (&windows["baseline"]["from"], "The last-good baseline begins".to_owned()),
        (&windows["incident"]["from"], "Trouble begins, by the signal's own history".to_owned()),
        (&frame["alert"]["starts_at"], "The alert's condition begins to hold".to_owned()),
        (fired_at(frame), fired),
    ]
    .into_iter()
    .chain(again.map(|line| (&frame["captured_at"], line)))
    .filter_map(|(at, line)| entry(at, line))
    .collect();
    entries.extend(samples(frame));
    for (feature, class, transition) in incident.into_iter().flat_map(|it| &it.breaker_actions) {
        let (from, to, reason) = (transition.from.as_str(), transition.to.as_str(), transition.reason.as_str());
        let line = format!("Breaker {} of {feature}: {from} to {to} ({reason})", class.as_str());
        entries.push(Entry { at: transition.at.to_string(), line });
    }
    entries.extend(frame["changes"].as_array().into_iter().flatten().filter_map(change));
    entries.extend(others);
    let resolved = incident.and_then(|it| it.resolved_at).map(|at| at.to_string());
    entries.extend(resolved.map(Entry::resolves));
    // RFC 3339 in UTC and at one precision sorts as text.
    entries.sort_by(|a, b| (&a.at, &a.line).cmp(&(&b.at, &b.line)));
    entries.dedup();
    let is_over = entries.iter().any(Entry::is_end);
    if let Some(last) = entries.last_mut().filter(|_| !is_over && incident.is_none_or(|it| it.recalled)) {
        last.line.push_str(" (what followed is not known here: the sidecar restarted, or the incident is too old)");
    }
    entries
}

/// An alert beside that of `frame`.
#[derive(Clone, Copy, Debug)]
pub struct Fired<'a> {
    /// Id of its incident.
    pub id: &'a str,
    /// Its feature.
    pub feature: &'a str,
    /// Its name.
    pub alert: &'a str,
    /// When it fired, RFC 3339.
    pub at: &'a str,
}

impl<'a> Fired<'a> {
    /// What a frame says of it.
    #[must_use]
    pub fn of(frame: &'a Json) -> Option<Self> {
        let (id, feature) = (incident_id(frame).as_str()?, frame["feature"].as_str()?);
        Some(Self { id, feature, alert: frame["alert"]["name"].as_str()?, at: fired_at(frame).as_str()? })
    }

    /// The entry it is in the timeline of `frame`; `None` for one of another feature, or of another trouble.
    #[must_use]
    pub fn beside(self, frame: &Json) -> Option<Entry> {
        let Self { id, feature, alert, at } = self;
        let is_ours = frame["feature"] == feature || feature == ALL;
        let (from, until) = (frame["windows"]["incident"]["from"].as_str()?, frame["captured_at"].as_str()?);
        let is_of_it = is_ours && incident_id(frame) != id && at >= from && at <= until;
        let on = if feature == ALL { "the whole service" } else { feature };
        is_of_it.then(|| Entry { at: at.to_owned(), line: format!("{alert} fires on {on} (incident {id})") })
    }
}

fn entry(at: &Json, line: String) -> Option<Entry> {
    at.as_str().map(|at| Entry { at: at.to_owned(), line })
}

/// The first and the last of the failing samples, and the last one that was well.
fn samples(frame: &Json) -> Vec<Entry> {
    let times = |kind: &str| {
        let samples = frame["samples"][kind].as_array().into_iter().flatten();
        let mut times: Vec<(String, String)> = samples
            .filter_map(|it| Some((it["started_at"].as_str()?.to_owned(), it["trace_id"].as_str()?.to_owned())))
            .collect();
        times.sort();
        times
    };
    let (failing, healthy) = (times("failing"), times("healthy"));
    let told = |it: Option<&(String, String)>, what: &str| {
        it.map(|(at, trace)| Entry { at: at.clone(), line: format!("{what}: trace {trace}") })
    };
    let first = told(failing.first(), "The first failing request of those kept begins");
    let last = told(failing.last().filter(|_| failing.len() > 1), "The last failing request of those kept begins");
    let well = told(healthy.last(), "The last healthy request of those kept begins");
    [first, last, well].into_iter().flatten().collect()
}

/// A line of the journal: `prompt_revision prompt@v41 first seen, 0 to 100 % of requests in 4 min`.
fn change(change: &Json) -> Option<Entry> {
    let text = |name: &str| change[name].as_str();
    let percent = |name: &str| change[name].as_f64().map(|share| format!("{:.0}", share * 100.0));
    let what = if text("change")? == "first_seen" { "first seen" } else { "last seen" };
    let took = change["took_s"].as_f64().and_then(|it| Duration::try_from_secs_f64(it).ok());
    let took = took.map_or_else(String::new, |took| format!(" in {}", duration(took)));
    let shares = format!("{} to {} % of requests", percent("share_before")?, percent("share_after")?);
    let by = text("reported_by")
        .filter(|by| *by != "telemetry")
        .map_or_else(String::new, |by| format!(" (reported by {by})"));
    let line = format!("{} {} {what}, {shares}{took}{by}", text("variable")?, text("value")?);
    Some(Entry { at: text("at")?.to_owned(), line })
}

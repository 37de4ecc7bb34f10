//! The retrospective: what repeats over the incidents of a quarter. Read from committed frames alone, so that two people
//! who run it over the same logs get the same page.

mod actions;
mod chart;
mod page;
mod postmortems;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

pub use actions::{Action, ActionsError};
pub use chart::svg;
pub use page::markdown;

use crate::core::time::UnixNanos;
use crate::engine::registry::DRILL;
use crate::toolkit::frames::{fired_at, incident_id, refined};
use crate::toolkit::postmortem::Checked;

/// Incidents that make something a theme.
const REPEATS_MIN: usize = 2;
/// Share of requests below which a field of the telemetry is a gap.
const GAP_SHARE_MAX: f64 = 0.5;
/// Weeks told at most: the newest.
const WEEKS_MAX: u64 = 104;
/// A day and a week, nanoseconds. Weeks begin on Monday; the epoch was a Thursday.
const DAY: u64 = 86_400 * 1_000_000_000;
const WEEK: u64 = 7 * DAY;
const SINCE_MONDAY: u64 = 3 * DAY;

/// What is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Period {
    /// From here on.
    pub since: UnixNanos,
    /// The time now. A frame of a clock that is ahead counts all the same.
    pub until: UnixNanos,
}

/// What is known beside the frames.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// Frames that could not be read.
    pub unread: usize,
    /// Action items of postmortems; `None` where nobody named them.
    pub actions: Option<Vec<Action>>,
    /// When incidents ended, as far as it is known.
    pub ended: BTreeMap<String, UnixNanos>,
    /// The postmortems; `None` where nobody named them.
    pub pages: Option<Vec<Checked>>,
}

/// The themes of the frames captured within the period: counts, what repeats, how late incidents were found, which telemetry
/// was missing, postmortems that are due, and action items that are overdue.
#[must_use]
pub fn retro(frames: &[Json], period: Period, beside: &Beside) -> Json {
    let actions = beside.actions.as_deref().unwrap_or_default();
    let refined = refined(frames);
    let is_newest = |frame: &Json| frame["id"].as_str().is_none_or(|id| !refined.contains(id));
    // What was rehearsed among real traffic is no incident.
    let is_counted = |frame: &Json| is_newest(frame) && frame["feature"] != DRILL;
    let within = |frame: &&Json| is_counted(frame) && at(frame).is_some_and(|at| at >= period.since);
    let mut frames: Vec<&Json> = frames.iter().filter(within).collect();
    frames.sort_by_key(|frame| (at(frame), frame["id"].as_str()));
    frames.dedup_by_key(|frame| frame["id"].as_str());
    let of = |get: &dyn Fn(&Json) -> Vec<String>| counted(&frames, get);
    let text = |value: &Json| value.as_str().map(str::to_owned);
    json!({
        "since": period.since.to_string(),
        "until": period.until.to_string(),
        "incidents": frames.len(),
        "unread": beside.unread,
        "classes": of(&|it| text(&it["alert"]["class"]).into_iter().collect()),
        "severities": of(&|it| text(&it["alert"]["severity"]).into_iter().collect()),
        "features": of(&|it| text(&it["feature"]).into_iter().collect()),
        "patterns": of(&|it| it["alert"]["patterns"].as_array().into_iter().flatten().filter_map(text).collect()),
        "answers": of(&|it| text(&it["verdict"]["answer"]).into_iter().collect()),
        "variables": of(&|it| it["verdict"]["variables"].as_array().into_iter().flatten().filter_map(text).collect()),
        "themes": themes(&frames),
        "detection": detection(&frames),
        "gaps": gaps(&frames),
        "weeks": weeks(&frames, period.until),
        "postmortems_due": postmortems::due(&frames, beside, period.until),
        "postmortems_read": beside.pages.as_ref().map(Vec::len),
        "actions_read": beside.actions.as_ref().map(Vec::len),
        "actions_overdue": actions.iter().filter(|it| it.is_overdue(period.until)).map(Action::to_json).collect::<Vec<_>>(),
        "actions_open": actions.iter().filter(|it| !it.done).count(),
    })
}

fn at(frame: &Json) -> Option<UnixNanos> {
    fired_at(frame).as_str().and_then(UnixNanos::parse)
}

fn id(frame: &Json) -> String {
    incident_id(frame).as_str().unwrap_or("-").to_owned()
}

/// How often each name occurs, most often first.
fn counted(frames: &[&Json], get: &dyn Fn(&Json) -> Vec<String>) -> Json {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for name in frames.iter().flat_map(|frame| get(frame)) {
        *counts.entry(name).or_default() += 1;
    }
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    counts.into_iter().map(|(name, incidents)| json!({ "name": name, "incidents": incidents })).collect()
}

/// What two incidents or more have in common: class and feature, a variable of a feature, a value, a pattern of a feature.
fn themes(frames: &[&Json]) -> Json {
    let mut themes: BTreeMap<(&str, String), BTreeSet<String>> = BTreeMap::new();
    for frame in frames {
        let feature = frame["feature"].as_str().unwrap_or("-");
        let mut add = |kind, what: String| {
            themes.entry((kind, what)).or_default().insert(id(frame));
        };
        add("class", format!("{} on {feature}", frame["alert"]["class"].as_str().unwrap_or("-")));
        for pattern in frame["alert"]["patterns"].as_array().into_iter().flatten().filter_map(Json::as_str) {
            add("pattern", format!("{pattern} on {feature}"));
        }
        for variable in frame["verdict"]["variables"].as_array().into_iter().flatten().filter_map(Json::as_str) {
            add("variable", format!("{variable} of {feature}"));
        }
        if let (Some(variable), Some(value)) =
            (frame["verdict"]["variables"][0].as_str(), frame["verdict"]["value"].as_str())
        {
            add("value", format!("{variable} {value}"));
        }
    }
    let mut themes: Vec<_> = themes.into_iter().filter(|(_, ids)| ids.len() >= REPEATS_MIN).collect();
    themes.sort_by_key(|(what, ids)| (std::cmp::Reverse(ids.len()), what.clone()));
    themes.into_iter().map(|((kind, what), ids)| json!({ "kind": kind, "what": what, "incidents": ids })).collect()
}

/// From onset to alert, by class: median and 90th percentile, seconds.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ranks of a list"
)]
fn detection(frames: &[&Json]) -> Json {
    let mut lags: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for frame in frames {
        let onset = frame["windows"]["incident"]["from"].as_str().and_then(UnixNanos::parse);
        if let (Some(onset), Some(at)) = (onset, at(frame)) {
            lags.entry(frame["alert"]["class"].as_str().unwrap_or("-"))
                .or_default()
                .push(at.since(onset).as_secs_f64());
        }
    }
    let row = |(class, mut lags): (&str, Vec<f64>)| {
        lags.sort_by(f64::total_cmp);
        let quantile = |q: f64| lags[((lags.len() as f64 * q).ceil() as usize).clamp(1, lags.len()) - 1];
        json!({ "class": class, "incidents": lags.len(), "p50_s": quantile(0.5), "p90_s": quantile(0.9) })
    };
    lags.into_iter().map(row).collect()
}

/// Telemetry that was missing in incidents, where it mattered most (no cause could be named) first, with what closes the
/// gap.
fn gaps(frames: &[&Json]) -> Json {
    #[derive(Default)]
    struct Gap {
        remedy: String,
        incidents: BTreeSet<String>,
        untold: usize,
    }
    let mut gaps: BTreeMap<String, Gap> = BTreeMap::new();
    for frame in frames {
        let is_untold = frame["verdict"]["answer"] == "cannot_tell";
        let variables = frame["variables"].as_object().into_iter().flatten();
        let missing = variables
            .filter(|(_, it)| it["state"] == "missing" || it["state"] == "partial")
            .map(|(name, it)| (name.as_str(), &it["reason"]));
        let fields = frame["completeness_gaps"].as_array().into_iter().flatten();
        let fields = fields.filter(|it| it["share"].as_f64().is_some_and(|share| share <= GAP_SHARE_MAX));
        let fields = fields.filter_map(|it| Some((it["field"].as_str()?, &it["remedy"])));
        for (name, remedy) in missing.chain(fields) {
            let gap = gaps.entry(name.to_owned()).or_default();
            gap.remedy = remedy.as_str().unwrap_or_default().to_owned();
            gap.untold += usize::from(gap.incidents.insert(id(frame)) && is_untold);
        }
    }
    let mut gaps: Vec<(String, Gap)> = gaps.into_iter().collect();
    gaps.sort_by(|(a, x), (b, y)| (y.untold, y.incidents.len()).cmp(&(x.untold, x.incidents.len())).then(a.cmp(b)));
    let row = |(name, gap): (String, Gap)| json!({ "missing": name, "incidents": gap.incidents.len(), "without_a_cause": gap.untold, "remedy": gap.remedy });
    gaps.into_iter().map(row).collect()
}

/// Incidents of each class by week, weeks without any among them; the newest [`WEEKS_MAX`].
fn weeks(frames: &[&Json], until: UnixNanos) -> Json {
    // A frame of a clock that is ahead happened by now.
    let week = |frame: &Json| at(frame).map(|at| at.min(until).0.saturating_add(SINCE_MONDAY) / WEEK);
    let (Some(first), Some(last)) = (frames.first().and_then(|it| week(it)), frames.last().and_then(|it| week(it)))
    else {
        return json!([]);
    };
    let of = |number: u64| {
        let frames: Vec<&Json> = frames.iter().filter(|it| week(it) == Some(number)).copied().collect();
        let classes = counted(&frames, &|it| it["alert"]["class"].as_str().map(str::to_owned).into_iter().collect());
        json!({ "from": UnixNanos((number * WEEK).saturating_sub(SINCE_MONDAY)).to_string(), "incidents": frames.len(), "classes": classes })
    };
    (first.max(last.saturating_sub(WEEKS_MAX))..=last).map(of).collect()
}

#[cfg(test)]
mod tests;

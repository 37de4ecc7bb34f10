//! Postmortems that are due or overdue: what the frames say, held against the pages that are known.

use serde_json::{Value as Json, json};

use super::{Beside, at, id};
use crate::core::incident::Severity;
use crate::core::time::UnixNanos;
use crate::toolkit::postmortem::Deadlines;

/// Those of incidents without a finished page, the next deadline first.
pub(super) fn due(frames: &[&Json], beside: &Beside, now: UnixNanos) -> Vec<Json> {
    let pages = beside.pages.as_deref().unwrap_or_default();
    let mut due: Vec<(UnixNanos, Json)> = Vec::new();
    for frame in frames {
        let incident = id(frame);
        let page = pages.iter().find(|it| it.incidents.contains(&incident));
        if page.is_some_and(|it| it.findings.is_empty()) {
            continue;
        }
        let alert = &frame["alert"];
        let severity = alert["severity"].as_str().and_then(Severity::parse);
        let deadlines = Deadlines::of(severity, at(frame), beside.ended.get(&incident).copied());
        let Some(first) = deadlines.each().map(|(_, at)| at).min() else { continue };
        let row = json!({
            "incident": incident,
            "alert": alert["name"],
            "feature": frame["feature"],
            "severity": alert["severity"],
            "draft_due": deadlines.draft.map(|at| at.to_string()),
            "review_due": deadlines.review.map(|at| at.to_string()),
            "state": if deadlines.each().any(|(_, at)| at < now) { "overdue" } else { "due" },
            "findings": page.map(|it| it.findings.len()),
        });
        due.push((first, row));
    }
    due.sort_by_key(|(first, row)| (*first, row["incident"].as_str().map(str::to_owned)));
    due.into_iter().map(|(_, row)| row).collect()
}

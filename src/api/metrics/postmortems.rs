//! When postmortems are due, for whoever alerts on it: of the incidents that a sidecar knows, and of pages that were
//! checked, as a file for the node exporter's textfile collector.

use std::collections::BTreeSet;
use std::time::Duration;

use super::writer::{Family, Format, Kind, Writer};
use crate::core::time::UnixNanos;
use crate::engine::view::{FrameState, Incident, View};
use crate::toolkit::postmortem::{Checked, Deadlines, Due, RULES};

const DUE: &str = "freezeframe_postmortem_due_timestamp_seconds";
const DUE_HELP: &str = "When the postmortem of an incident is due, Unix time, by deadline (draft, review).";
const FINDINGS: &str = "freezeframe_postmortem_findings";
const FINDINGS_HELP: &str =
    "What a reviewer objects to in the postmortem of an incident, by rule; 0 on a page that is done.";

/// For how long a deadline is told after it has passed: by then it is a matter for the retrospective.
const TOLD: Duration = Duration::from_secs(30 * 86_400);

/// The deadlines of the incidents in the view, which has a limit.
pub(super) fn write(writer: &mut Writer, view: &View) {
    let mut family = writer.family(DUE, Kind::Gauge, DUE_HELP);
    let is_told = |incident: &&Incident| incident.frame != FrameState::Committing;
    for incident in view.incidents.iter().map(|it| &**it).filter(is_told) {
        let deadlines = Deadlines::of(Some(incident.severity), Some(incident.fired_at), incident.resolved_at);
        for (deadline, at) in deadlines.each().filter(|(_, at)| view.at < at.plus(TOLD)) {
            due(&mut family, &incident.id, &incident.feature, deadline, at);
        }
    }
}

/// The deadlines in the headers of pages, and what there is to object to in them for every incident that they stand for.
/// Text format 0.0.4. An incident counts for the first page that stands for it.
#[must_use]
pub fn postmortem_textfile(pages: &[Checked]) -> String {
    let mut writer = Writer::new(Format::Text);
    let mut family = writer.family(DUE, Kind::Gauge, DUE_HELP);
    let mut told = BTreeSet::new();
    for page in pages {
        for Due { name, at, .. } in &page.header.due {
            if told.insert((&page.header.incident, name)) {
                due(&mut family, &page.header.incident, &page.header.feature, name, *at);
            }
        }
    }
    let mut family = writer.family(FINDINGS, Kind::Gauge, FINDINGS_HELP);
    let mut told = BTreeSet::new();
    for page in pages {
        for incident in page.incidents.iter().filter(|it| told.insert(*it)) {
            for rule in RULES {
                let found = page.findings.iter().filter(|it| it.rule == rule).count();
                let found = u32::try_from(found).map_or(f64::INFINITY, f64::from);
                family.sample(&[("incident", incident), ("rule", rule)], found);
            }
        }
    }
    String::from_utf8(writer.finish()).unwrap_or_default()
}

fn due(family: &mut Family<'_>, incident: &str, feature: &str, deadline: &str, at: UnixNanos) {
    family.sample(
        &[("incident", incident), ("feature", feature), ("deadline", deadline)],
        Duration::from_nanos(at.0).as_secs_f64(),
    );
}

//! When the postmortem of an incident is due.

use std::time::Duration;

use crate::core::incident::Severity;
use crate::core::time::UnixNanos;

/// A draft of a SEV-1 or SEV-2 is due this long after the alert, a reviewed page of any incident this long after its end.
const DRAFT: Duration = Duration::from_secs(48 * 3_600);
const REVIEW: Duration = Duration::from_secs(72 * 3_600);

/// The deadlines of one incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Of the draft; `None` for a SEV-3, or where the severity is not known.
    pub draft: Option<UnixNanos>,
    /// Of the reviewed page; `None` until the incident is known to be over.
    pub review: Option<UnixNanos>,
}

impl Deadlines {
    /// Those of an incident whose alert fired and ended at these times.
    #[must_use]
    pub fn of(severity: Option<Severity>, fired: Option<UnixNanos>, ended: Option<UnixNanos>) -> Self {
        let is_drafted = matches!(severity, Some(Severity::Sev1 | Severity::Sev2));
        Self { draft: fired.filter(|_| is_drafted).map(|at| at.plus(DRAFT)), review: ended.map(|at| at.plus(REVIEW)) }
    }

    /// Each by the name it has in labels and headers, the draft first.
    pub fn each(self) -> impl Iterator<Item = (&'static str, UnixNanos)> {
        let named = [("draft", self.draft), ("review", self.review)];
        named.into_iter().filter_map(|(name, at)| Some((name, at?)))
    }
}

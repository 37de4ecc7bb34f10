//! The refined answer. An alert's first frame is taken as early as can be, when evidence is scarcest; while the alert goes
//! on firing, a second one is taken at twice the requests. It is a frame of its own in the log and says which it refines;
//! the first one stays what it was.

use std::sync::Arc;

use super::engine::Engine;
use super::feature::Refinement;
use super::freeze::{Trigger, suspect};
use super::view::{FrameState, Incident, Refined};
use crate::core::time::UnixNanos;

/// How many times as many requests the second frame compares.
const GROWTH: usize = 2;

impl Refinement {
    /// After a frame whose incident window starts at `from` and of which `compared` requests were compared.
    pub(super) fn after(from: UnixNanos, compared: usize) -> Self {
        Self { from, requests: GROWTH * compared }
    }
}

impl Engine {
    /// Takes the second frame of every firing alert of a feature that has the requests for it by now.
    pub(super) fn refine(&mut self, name: &Arc<str>, at: UnixNanos) {
        let alerts = self.features.get(name).map_or(0, |feature| feature.alerts.len());
        for index in 0..alerts {
            let Some((incident, from)) = self.refinable(name, index) else { continue };
            let id = self.frame_id(at);
            let Some(feature) = self.features.get_mut(name) else { return };
            feature.alerts[index].refinement = None;
            let trigger =
                Trigger::of(&feature.alerts[index], incident.breach, [incident.starts_at, incident.fired_at], from);
            let mut frame = self.finished(id.clone(), name, &trigger, at);
            let Some(frame) = frame.as_mut() else { return };
            frame.refines = Some(incident.id.clone());
            let refined = Refined { id, at, frame: FrameState::Committing, suspect: suspect(frame) };
            if let Some(known) = self.incidents.iter_mut().find(|it| it.id == incident.id) {
                Arc::make_mut(known).refined = Some(refined);
            }
            self.hand_over(frame);
        }
    }

    /// The incident of a firing alert whose first frame is settled, and the start of its window, where there are enough
    /// requests for a second frame.
    fn refinable(&self, name: &Arc<str>, index: usize) -> Option<(Arc<Incident>, UnixNanos)> {
        let feature = self.features.get(name)?;
        let alert = feature.alerts.get(index).filter(|it| it.is_firing())?;
        let due = alert.refinement?;
        let id = alert.incident.as_deref().filter(|id| !self.committing.contains_key(*id))?;
        let incident = self.incidents.iter().find(|it| it.id == id)?;
        let (signal, limit) = incident.breach.signal.zip(incident.breach.limit)?;
        let told = feature.recorder.since(due.from).filter(|row| row.facts.fails(signal, limit).is_some());
        (told.take(due.requests).count() == due.requests).then(|| (incident.clone(), due.from))
    }
}

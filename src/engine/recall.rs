//! What survives a restart: incidents read back from the log, so that the list of incidents does not forget what was
//! frozen, and baselines.
//!
//! Only what a frame says comes back. How an incident ended, and what breakers did about it, is not in its frame.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::engine::{Engine, INCIDENTS_MAX};
use super::store::{Receipt, Store, StoreError};
use super::view::{Breach, FrameState, Incident, Refined};
use crate::core::baseline::{Baselines, RestoreError};
use crate::core::detect::Estimate;
use crate::core::incident::{Class, Pattern, Severity};
use crate::core::signal::Signal;
use crate::core::time::UnixNanos;

impl Engine {
    /// Takes up the newest incidents of the log.
    ///
    /// # Errors
    /// When the log can't be read. A frame that this version can't read is left out and counted in the result.
    pub fn recall(&mut self, store: &dyn Store) -> Result<usize, StoreError> {
        let mut unread = 0;
        let mut second = Vec::new();
        for (receipt, bytes) in store.newest(INCIDENTS_MAX)? {
            match serde_json::from_slice::<Said>(&bytes).ok().and_then(|said| said.told(receipt)) {
                Some((None, incident)) => self.open_incident(incident),
                Some((Some(first), incident)) => second.push((first, incident)),
                None => unread += 1,
            }
        }
        second.into_iter().for_each(|(first, incident)| self.recall_second(&first, incident));
        Ok(unread)
    }

    /// Adds a second frame to its incident. One whose first frame is not there, pruned or never committed, is all there is
    /// of its incident.
    fn recall_second(&mut self, first: &str, second: Incident) {
        let Some(incident) = self.incidents.iter_mut().find(|it| it.id == first) else {
            return self.open_incident(second);
        };
        let Incident { id, fired_at, frame, suspect, .. } = second;
        let incident = Arc::make_mut(incident);
        incident.suspect.clone_from(&suspect);
        incident.refined = Some(Refined { id, at: fired_at, frame, suspect });
    }

    /// What every feature is used to: copies, to be written elsewhere. Those not seen since the start fill the places left.
    #[must_use]
    pub fn baselines(&self) -> BTreeMap<String, Baselines> {
        let seen = self.features.iter().map(|(name, feature)| (name.to_string(), feature.baselines.clone()));
        seen.chain(self.restored.clone()).take(self.features_max()).collect()
    }

    /// Takes up a [`Baselines::snapshot`]. Returns of how many features.
    ///
    /// # Errors
    /// When the bytes are damaged or of another version; then nothing of them is taken.
    pub fn restore_baselines(&mut self, bytes: &[u8]) -> Result<usize, RestoreError> {
        let mut restored = Baselines::restore(bytes, self.features_max())?;
        let features = restored.len();
        for (name, feature) in &mut self.features {
            if let Some(baselines) = restored.remove(&**name) {
                feature.baselines = baselines;
            }
        }
        self.restored = restored;
        Ok(features)
    }

    fn features_max(&self) -> usize {
        self.config.features.max.saturating_add(OWN_FEATURES)
    }
}

/// `_all` and `_other`.
const OWN_FEATURES: usize = 2;

/// The part of a frame that its incident is made of.
#[derive(Deserialize)]
struct Said {
    feature: String,
    captured_at: String,
    refines: Option<String>,
    alert: Alert,
    verdict: Verdict,
}

#[derive(Deserialize)]
struct Alert {
    name: String,
    fingerprint: String,
    class: String,
    severity: String,
    patterns: Vec<String>,
    starts_at: String,
    signal: Option<String>,
    threshold: Option<f64>,
    value: Option<f64>,
    samples: Option<u64>,
    ci_low: Option<f64>,
    ci_high: Option<f64>,
}

#[derive(Deserialize)]
struct Verdict {
    variables: Vec<String>,
    value: Option<String>,
}

impl Said {
    /// The frame that it refines, if it does, and the incident as it tells of it.
    fn told(mut self, receipt: Receipt) -> Option<(Option<String>, Incident)> {
        Some((self.refines.take(), self.incident(receipt)?))
    }

    fn suspect(&self) -> Option<String> {
        let (variable, value) = self.verdict.variables.first().zip(self.verdict.value.as_ref())?;
        Some(format!("{variable}={value}"))
    }

    fn incident(self, receipt: Receipt) -> Option<Incident> {
        let suspect = self.suspect();
        Some(Incident {
            id: receipt.frame_id.clone(),
            feature: self.feature.into(),
            class: Class::parse(&self.alert.class)?,
            severity: Severity::parse(&self.alert.severity)?,
            patterns: self.alert.patterns.iter().filter_map(|name| Pattern::parse(name)).collect(),
            starts_at: UnixNanos::parse(&self.alert.starts_at)?,
            fired_at: UnixNanos::parse(&self.captured_at)?,
            resolved_at: None,
            recalled: true,
            breach: self.alert.breach(),
            alertname: self.alert.name,
            fingerprint: self.alert.fingerprint,
            frame: FrameState::Committed(receipt),
            suspect,
            refined: None,
            breaker_actions: Vec::new(),
        })
    }
}

impl Alert {
    fn breach(&self) -> Breach {
        let estimate = || {
            Some(Estimate { value: self.value?, samples: self.samples?, ci_low: self.ci_low?, ci_high: self.ci_high? })
        };
        Breach {
            signal: self.signal.as_deref().and_then(Signal::parse),
            estimate: estimate(),
            limit: self.threshold,
            source: None,
        }
    }
}

//! A rehearsal: the whole life of an incident, scored against what a sidecar must find. Healthy traffic, an injected
//! failure with an innocent change beside it, alert, triage, frame, breaker, recovery, postmortem. The traffic is
//! synthetic and says so; everything that judges it is what runs in production.
//!
//! Here it runs on the real engine and a real log in virtual time; against a running sidecar `cli::drill::live` drives
//! it, with the same scenarios, scorecard and report.

mod expectation;
mod outcome;
pub mod report;
mod rig;
mod scenario;
mod score;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

pub use expectation::{Expectation, Overrides};
pub use outcome::{Fired, Outcome, Reading, Record, SAMPLES_MAX, Sample, Stage, redirection};
pub use scenario::{SCENARIOS, Scenario};
pub use score::Check;

use crate::config::Config;
use crate::core::time::UnixNanos;
use crate::engine::view::{AlertState, FrameState, Incident};
use crate::evidence;
use crate::toolkit::postmortem::{self, Edition};
use crate::toolkit::traffic::Exchange;
use rig::Rig;

/// Requests in one batch; a batch goes out every minute.
const BATCH: u64 = 10;
/// Of so many requests in a row the failure hits [`FAILING`].
pub const CYCLE: u64 = 10;
/// See [`CYCLE`].
pub const FAILING: u64 = 6;
/// Healthy batches before the failure.
const HEALTHY_BATCHES: u64 = 20;
/// Batches in which the alert must fire.
const ALERT_BATCHES_MAX: u64 = 30;
/// Batches in which everything must have recovered: the breaker of a data incident stays open for a quarter of an hour
/// and then wants a hundred good requests.
const RECOVERY_BATCHES_MAX: u64 = 60;

/// What happens, to whoever watches.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A stage was reached.
    Stage(&'a Stage),
    /// A minute passed.
    Sample(&'a Sample),
}

/// One drill to run.
#[derive(Debug)]
pub struct Plan {
    /// What to rehearse.
    pub scenario: &'static Scenario,
    /// What must be found.
    pub expectation: Expectation,
    /// Rules, breakers and windows; the embedded defaults with breakers that act without.
    pub config: Option<Config>,
    /// Where store and postmortem are left.
    pub dir: PathBuf,
}

/// The request as it is in a drill that is under way: the failure hits [`FAILING`] of [`CYCLE`], the innocent change
/// every second of those and of the others alike.
#[must_use]
pub fn injected(scenario: &Scenario, exchange: Exchange) -> Exchange {
    let exchange = changed(scenario, exchange);
    if exchange.number % CYCLE < FAILING { (scenario.inject)(exchange) } else { exchange }
}

/// The request after the failure: the innocent change stays.
#[must_use]
pub fn changed(scenario: &Scenario, exchange: Exchange) -> Exchange {
    if exchange.number.is_multiple_of(2) { (scenario.innocent)(exchange) } else { exchange }
}

/// Runs a drill from `now` on, and tells `watch` of it as it happens.
///
/// # Errors
/// Whatever the log and the disk report. A stage that did not go as it must is a line of the scorecard.
pub fn run(plan: Plan, now: UnixNanos, watch: impl FnMut(Event<'_>)) -> anyhow::Result<Outcome> {
    let Plan { scenario, expectation, config, dir } = plan;
    let id = format!("{}-{}", scenario.name, now.0 / 1_000_000_000);
    let rig = Rig::start(&dir, config, scenario, &id, now)?;
    let mut drill = Drill { rig, expectation, record: Record { id, ..Record::default() }, watch };
    let alert = drill.until_alert()?;
    if let Some(incident) = &alert {
        drill.look_at(incident)?;
    }
    drill.mitigate()?;
    drill.recover()?;
    let postmortem = alert.map(|incident| drill.write_postmortem(&incident, &dir)).transpose()?;
    let Drill { rig, expectation, mut record, .. } = drill;
    record.frames = rig.frames.iter().filter_map(|frame| frame["id"].as_str().map(str::to_owned)).collect();
    record.timeline.clone_from(&rig.timeline);
    let (store, vkey) = (Some(rig.store()), Some(rig.vkey()));
    Ok(Outcome { store, vkey, postmortem, ..Outcome::new(scenario, expectation, record) })
}

/// A drill under way.
struct Drill<W> {
    rig: Rig,
    expectation: Expectation,
    record: Record,
    watch: W,
}

impl<W: FnMut(Event<'_>)> Drill<W> {
    fn say(&mut self, name: &'static str, line: String) {
        let stage = Stage { name, at: self.rig.now(), line };
        (self.watch)(Event::Stage(&stage));
        self.record.stages.push(stage);
    }

    fn batch(&mut self, shape: impl FnMut(Exchange) -> Exchange) -> anyhow::Result<()> {
        self.rig.batch(BATCH, shape)?;
        let sample = self.rig.sample();
        (self.watch)(Event::Sample(&sample));
        self.record.sample(sample);
        Ok(())
    }

    /// Healthy traffic, then the failure until the expected alert is out. Returns its incident, else any.
    fn until_alert(&mut self) -> anyhow::Result<Option<Incident>> {
        let scenario = self.rig.scenario;
        let minutes = HEALTHY_BATCHES.max(self.rig.minutes_to_learn());
        for _ in 0..minutes {
            self.batch(scenario.usual)?;
        }
        self.record.noise = self.rig.firing().iter().map(|it| it.rule.name.to_string()).collect();
        let signals = self.rig.signals();
        self.say("baseline", format!("{BATCH} healthy traces a minute for {minutes} minutes: {signals}"));
        let status =
            if self.record.noise.is_empty() { "System status: HEALTHY \u{2713}" } else { "System status: ALERTING" };
        self.say("baseline", status.to_owned());
        self.record.injected_at = self.rig.now();
        self.record.limits = self.rig.limits();
        self.say("injection", format!("Injected: {} in {FAILING} of {CYCLE} traces", scenario.injects));
        self.say("injection", format!("Beside it: {}", scenario.beside));
        for _ in 0..ALERT_BATCHES_MAX {
            self.batch(|exchange| injected(scenario, (scenario.usual)(exchange)))?;
            if let Some(incident) = self.rig.incident(Some(self.expectation.class)) {
                return Ok(Some(incident));
            }
        }
        let other = self.rig.incident(None);
        if other.is_none() {
            self.say("alert", format!("MISSED: {ALERT_BATCHES_MAX} minutes of failures raised no alert"));
        }
        Ok(other)
    }

    /// Alert, triage, frame and diagnosis of an incident.
    fn look_at(&mut self, incident: &Incident) -> anyhow::Result<()> {
        self.record.alert = Some(Fired {
            at: incident.fired_at,
            alertname: incident.alertname.clone(),
            class: incident.class,
            severity: incident.severity,
            signal: incident.breach.signal,
            limit: incident.breach.limit,
            incident: incident.id.clone(),
        });
        let line = alert_line(&self.rig, incident);
        self.say("alert", line);
        let (class, severity) = (incident.class, incident.severity);
        let response = severity.response_time();
        self.say(
            "triage",
            format!("Incident class {}, {}, respond within {response}", class.as_str(), severity.as_str()),
        );
        let proof = prove(&self.rig, incident);
        let line = match &proof {
            Ok(proof) => format!("Frame {} committed as {proof}", incident.id),
            Err(reason) => format!("MISSED: {reason}"),
        };
        self.record.proof = Some(proof);
        self.say("freeze", line);
        self.record.frame = self.rig.frame(&incident.id).ok().cloned();
        if let Some(frame) = &self.record.frame {
            let line = diagnosis_line(frame);
            self.say("diagnosis", line);
        }
        Ok(())
    }

    /// One more batch whose application asks the breaker first.
    fn mitigate(&mut self) -> anyhow::Result<()> {
        let scenario = self.rig.scenario;
        let class = self.expectation.breaker.or(self.record.alert.as_ref().map(|it| it.class));
        let mut opened = None;
        for _ in 0..ALERT_BATCHES_MAX {
            opened = class.and_then(|class| Some((self.rig.opened(class)?, class)));
            // An alert of low severity comes first at times, and opens none.
            if opened.is_some() || self.expectation.breaker.is_none() || self.record.alert.is_none() {
                break;
            }
            self.batch(|exchange| injected(scenario, (scenario.usual)(exchange)))?;
        }
        let allowed = match class {
            Some(class) => self.rig.allowed(class, BATCH),
            None => vec![true; usize::try_from(BATCH)?],
        };
        let mut redirected = 0;
        let mut asked = allowed.into_iter();
        self.batch(|exchange| {
            let exchange = (scenario.usual)(exchange);
            if asked.next().unwrap_or(true) {
                return injected(scenario, exchange);
            }
            redirected += 1;
            Exchange { model: "fallback", ..exchange }
        })?;
        (self.record.opened, self.record.redirected) = (opened, redirected);
        let line = match opened {
            Some(_) => redirection(redirected),
            None => "Circuit breaker stayed closed".to_owned(),
        };
        self.say("mitigation", line);
        Ok(())
    }

    /// Healthy batches until no alert fires and every breaker is closed.
    fn recover(&mut self) -> anyhow::Result<()> {
        let scenario = self.rig.scenario;
        self.record.removed_at = Some(self.rig.now());
        self.say("recovery", "Failure removed".to_owned());
        for _ in 0..RECOVERY_BATCHES_MAX {
            self.batch(|exchange| changed(scenario, (scenario.usual)(exchange)))?;
            if self.rig.is_quiet() {
                self.record.recovered_at = Some(self.rig.now());
                break;
            }
        }
        let signals = self.rig.signals();
        self.say("recovery", signals);
        let line = match self.record.recovered_at {
            Some(_) => "System status: RECOVERED \u{2713}".to_owned(),
            None => format!("MISSED: {RECOVERY_BATCHES_MAX} minutes of healthy traffic did not end the incident"),
        };
        self.say("recovery", line);
        Ok(())
    }

    fn write_postmortem(&mut self, incident: &Incident, dir: &Path) -> anyhow::Result<PathBuf> {
        let path = dir.join("postmortem.md");
        let frame = self.rig.frame(&incident.id)?;
        let after = self.rig.view().incidents.iter().find(|it| it.id == incident.id).map(Arc::clone);
        let timeline = postmortem::timeline(frame, after.as_deref(), self.rig.timeline.clone());
        std::fs::write(&path, postmortem::render(frame, &timeline, Edition::Internal))
            .context("writing the postmortem")?;
        self.say("postmortem", path.display().to_string());
        Ok(path)
    }
}

fn alert_line(rig: &Rig, incident: &Incident) -> String {
    let signal = incident.breach.signal.map_or("unknown", |it| it.as_str());
    let value = incident.breach.estimate.map_or(f64::NAN, |it| it.value);
    let limit = incident.breach.limit.unwrap_or(f64::NAN);
    let others = rig.view().alerts.iter().filter(|it| it.state == AlertState::Firing).count().saturating_sub(1);
    format!(
        "ALERT: {signal} breached {} \u{2014} current value: {value:.3}, limit {limit:.3} ({} on {}, {others} more firing)",
        incident.severity.as_str(),
        incident.alertname,
        incident.feature,
    )
}

/// What proves an incident's frame, or why nothing does.
fn prove(rig: &Rig, incident: &Incident) -> Result<String, String> {
    let FrameState::Committed(receipt) = &incident.frame else { return Err("the frame was not committed".to_owned()) };
    let verification = evidence::verify(&rig.store(), &rig.vkey(), None);
    match verification.outcome {
        evidence::Outcome::Verified => {
            Ok(format!("leaf {}, sha256 {}, store verified", receipt.seq, receipt.frame_sha256))
        }
        _ => Err(format!("the store does not verify: {verification}")),
    }
}

/// What a frame blames, in words.
#[must_use]
pub fn diagnosis_line(frame: &serde_json::Value) -> String {
    let verdict = &frame["verdict"];
    let evidence = verdict["evidence"].as_str().unwrap_or_default();
    match verdict["answer"].as_str() {
        Some("one") => format!("Root cause identified: {evidence}"),
        answer => format!("Root cause: {} ({evidence})", answer.unwrap_or("unknown")),
    }
}

//! A rehearsal: the whole life of an incident on the real engine and a real log, in virtual time. Healthy traffic, an
//! injected failure, alert, triage, frame, breaker, recovery, postmortem. The traffic is synthetic and says so;
//! everything that judges it is what runs in production.

mod rig;
mod scenario;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

pub use scenario::Scenario;

use crate::core::time::UnixNanos;
use crate::engine::view::{AlertState, FrameState, Incident};
use crate::evidence;
use crate::toolkit::postmortem::{self, Edition};
use crate::toolkit::traffic::Exchange;
use rig::Rig;

/// Requests in one batch; a batch goes out every minute.
const BATCH: u64 = 10;
/// Requests of a batch that the injected failure hits.
const FAILING: u64 = 6;
/// Healthy batches before the failure.
const HEALTHY_BATCHES: u64 = 20;
/// Batches in which the alert must fire, and in which everything must have recovered.
const BATCHES_MAX: u64 = 30;

/// What a drill leaves behind.
#[derive(Debug)]
pub struct Report {
    /// Which failure was rehearsed.
    pub scenario: Scenario,
    /// The stages in order.
    pub stages: Vec<Stage>,
    /// The store directory.
    pub store: PathBuf,
    /// The log's verifier key.
    pub vkey: String,
    /// Ids of the frames committed.
    pub frames: Vec<String>,
    /// The postmortem.
    pub postmortem: PathBuf,
}

/// One stage.
#[derive(Debug)]
pub struct Stage {
    /// Its name.
    pub name: &'static str,
    /// Virtual time.
    pub at: UnixNanos,
    /// What happened, one line.
    pub line: String,
}

/// Runs `scenario` in `dir`, starting at `now`. `report` gets each stage as it happens.
///
/// # Errors
/// A stage that did not go as it must, named; and whatever the log reports.
pub fn run(scenario: Scenario, dir: &Path, now: UnixNanos, mut report: impl FnMut(&Stage)) -> anyhow::Result<Report> {
    let mut rig = Rig::start(dir, now)?;
    let mut stages = Vec::new();
    let mut say = |name, at, line| {
        let stage = Stage { name, at, line };
        report(&stage);
        stages.push(stage);
    };

    for _ in 0..HEALTHY_BATCHES {
        rig.batch(BATCH, |exchange, _| exchange)?;
    }
    ensure!(rig.is_quiet(), "healthy traffic raised an alert");
    say(
        "baseline",
        rig.now(),
        format!("{BATCH} healthy traces a minute for {HEALTHY_BATCHES} minutes: {}", rig.signals(scenario)),
    );
    say("baseline", rig.now(), "System status: HEALTHY \u{2713}".to_owned());

    say("injection", rig.now(), format!("Injected: {} in {FAILING} of {BATCH} traces", scenario.describe()));
    let incident = fire(&mut rig, scenario)?;
    say("alert", rig.now(), alert_line(&rig, &incident));
    say("triage", rig.now(), triage_line(&incident));
    say("freeze", rig.now(), freeze_line(&rig, &incident)?);
    say("diagnosis", rig.now(), diagnosis_line(&rig, &incident)?);

    let redirected = redirect(&mut rig, scenario, &incident)?;
    say(
        "mitigation",
        rig.now(),
        format!("Circuit breaker activated \u{2014} {redirected} requests redirected to fallback"),
    );

    recover(&mut rig)?;
    say("recovery", rig.now(), format!("Failure removed: {}", rig.signals(scenario)));
    say("recovery", rig.now(), "System status: RECOVERED \u{2713}".to_owned());

    let postmortem = dir.join("postmortem.md");
    let frame = rig.frame(&incident.id)?;
    let incident = rig.view().incidents.iter().find(|it| it.id == incident.id).cloned();
    let timeline = postmortem::timeline(frame, incident.as_deref(), rig.timeline.clone());
    std::fs::write(&postmortem, postmortem::render(frame, &timeline, Edition::Internal))
        .context("writing the postmortem")?;
    say("postmortem", rig.now(), postmortem.display().to_string());
    let frames = rig.frames.iter().filter_map(|frame| frame["id"].as_str().map(str::to_owned)).collect();
    Ok(Report { scenario, stages, store: rig.store(), vkey: rig.vkey(), frames, postmortem })
}

/// Sends failing batches until an alert fires.
fn fire(rig: &mut Rig, scenario: Scenario) -> anyhow::Result<Incident> {
    for _ in 0..BATCHES_MAX {
        rig.batch(BATCH, |exchange, n| if n < FAILING { scenario.inject(exchange) } else { exchange })?;
        if let Some(incident) = rig.incident(scenario.class()) {
            return Ok(incident);
        }
    }
    anyhow::bail!("{BATCHES_MAX} minutes of failures raised no {} alert", scenario.class().as_str())
}

/// Sends one more batch whose application asks the breaker first. Returns how many went to the fallback.
fn redirect(rig: &mut Rig, scenario: Scenario, incident: &Incident) -> anyhow::Result<u64> {
    ensure!(rig.breaker_is_open(incident.class), "the breaker did not open");
    let mut redirected = 0;
    let allowed = rig.allowed(incident.class, BATCH);
    rig.batch(BATCH, |exchange, n| {
        if allowed[usize::try_from(n).unwrap_or_default()] {
            return scenario.inject(exchange);
        }
        redirected += 1;
        Exchange { model: "fallback", ..exchange }
    })?;
    Ok(redirected)
}

/// Sends healthy batches until no alert fires and every breaker is closed.
fn recover(rig: &mut Rig) -> anyhow::Result<()> {
    for _ in 0..BATCHES_MAX {
        rig.batch(BATCH, |exchange, _| exchange)?;
        if rig.is_quiet() {
            return Ok(());
        }
    }
    anyhow::bail!("{BATCHES_MAX} minutes of healthy traffic did not end the incident")
}

fn alert_line(rig: &Rig, incident: &Incident) -> String {
    let signal = incident.breach.signal.map_or("unknown", |it| it.as_str());
    let value = incident.breach.estimate.map_or(f64::NAN, |it| it.value);
    let limit = incident.breach.limit.unwrap_or(f64::NAN);
    let others = rig.view().alerts.iter().filter(|it| it.state == AlertState::Firing).count() - 1;
    format!(
        "ALERT: {signal} breached {} \u{2014} current value: {value:.3}, limit {limit:.3} ({} on {}, {others} more firing)",
        incident.severity.as_str(),
        incident.alertname,
        incident.feature,
    )
}

fn triage_line(incident: &Incident) -> String {
    let (class, severity) = (incident.class, incident.severity);
    format!("Incident class {}, {}, respond within {}", class.as_str(), severity.as_str(), severity.response_time())
}

fn freeze_line(rig: &Rig, incident: &Incident) -> anyhow::Result<String> {
    let FrameState::Committed(receipt) = &incident.frame else { anyhow::bail!("the frame was not committed") };
    let verification = evidence::verify(&rig.store(), &rig.vkey(), None);
    ensure!(verification.outcome == evidence::Outcome::Verified, "the store does not verify: {verification}");
    Ok(format!(
        "Frame {} committed as leaf {}, sha256 {}, store verified",
        incident.id, receipt.seq, receipt.frame_sha256
    ))
}

fn diagnosis_line(rig: &Rig, incident: &Incident) -> anyhow::Result<String> {
    let frame = rig.frame(&incident.id)?;
    let verdict = &frame["verdict"];
    Ok(match verdict["answer"].as_str() {
        Some("one") => format!("Root cause identified: {}", verdict["evidence"].as_str().unwrap_or_default()),
        _ => format!("Root cause: {} ({})", verdict["answer"], verdict["evidence"].as_str().unwrap_or_default()),
    })
}

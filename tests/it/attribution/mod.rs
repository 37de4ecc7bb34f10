//! Attribution on simulated incidents, through OTLP and the same comparison that `freezeframe explain` makes. The full table
//! is `cargo bench --bench attribution`; here is what must hold of it, in short.

mod asked;
mod incident;
mod otlp;
mod world;

use freezeframe::core::variable::Variable;

use asked::Asked;
use incident::{Cause, Mode, incident};

/// Proves that causes of every family are named from telemetry alone, nearly all with their value, and that nobody is blamed
/// where nothing happened, or nothing that is recorded.
#[test]
fn causes_are_named_from_telemetry() {
    let (mut missed, mut wrong) = (Vec::new(), Vec::new());
    for cause in Cause::ALL {
        let mode = if cause.variable().is_some() { Mode::Hard } else { Mode::Easy };
        let incident = incident(3, cause, mode, 2_500..=2_500);
        let asked = Asked::of(&incident);
        let named = asked.named();
        if named.is_some() && named != cause.variable() {
            wrong.push((cause, incident.coincident, asked.verdict.clone()));
        }
        let is_first = asked.first() == cause.variable() && asked.names_value(&incident);
        if cause.variable().is_some() && !is_first {
            missed.push((cause, asked.verdict));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(missed.len() <= 3, "{missed:#?}");
}

/// Proves that what an alert freezes blames hardly anybody who is innocent, though it has only what came before the alert.
#[test]
fn an_alert_blames_hardly_anybody_falsely() {
    let (mut alerts, mut wrong) = (0, Vec::new());
    for cause in Cause::ALL {
        let incident = incident(4, cause, Mode::Hard, 4_000..=4_000);
        let Some((asked, _)) = Asked::at_alert(&incident) else { continue };
        alerts += 1;
        let named = asked.named();
        if named.is_some() && named != cause.variable() {
            wrong.push((cause, asked.verdict));
        }
    }
    assert!(alerts >= 8 && wrong.len() <= 1, "{alerts} alerts: {wrong:#?}");
}

/// Proves that two variables that changed on the same requests are both suspected, and neither alone.
#[test]
fn twins_are_not_told_apart() {
    let incident = incident(3, Cause::Prompt, Mode::Twins, 1_500..=1_500);
    let asked = Asked::of(&incident);
    assert_eq!(asked.answer(), "ambiguous", "{}", asked.verdict);
    let twins: Vec<&str> = incident.twins.iter().flatten().map(|it| Variable::as_str(*it)).collect();
    let named = asked.variables();
    assert!(twins.iter().all(|twin| named.contains(twin)), "{named:?} {twins:?}");
}

//! What the evidence says went well, and what did not. Luck is for people to tell.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::figures::{between, duration, percent};
use crate::core::signal::Signal;
use crate::toolkit::frames::fired_at;

/// Detection within this long is good; beyond the second, it is not.
const SOON: Duration = Duration::from_secs(300);
const LATE: Duration = Duration::from_secs(900);
/// An error ratio that any monitoring of HTTP statuses sees.
pub(super) const LOUD: f64 = 0.05;

/// `{"well": [..], "poorly": [..]}`
pub(super) fn lessons(frame: &Json) -> Json {
    let (mut well, mut poorly) = (Vec::new(), Vec::new());
    let detection = between(&frame["windows"]["incident"]["from"], fired_at(frame));
    match detection {
        Some(took) if took <= SOON => well.push(format!("The alert fired {} after the trouble began.", duration(took))),
        Some(took) if took >= LATE => {
            poorly.push(format!("It took {} from the beginning of the trouble to the alert.", duration(took)));
        }
        _ => {}
    }
    let missing: Vec<&String> = frame["variables"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, it)| it["state"].as_str().is_some_and(|state| state != "captured"))
        .map(|(name, _)| name)
        .collect();
    match &missing[..] {
        [] => well.push("All six variables were captured, on both sides of the incident.".to_owned()),
        missing => {
            let names: Vec<&str> = missing.iter().map(|it| it.as_str()).collect();
            poorly.push(format!("The telemetry told {} only in part or not at all.", names.join(", ")));
        }
    }
    match frame["verdict"]["answer"].as_str() {
        Some("one") => well.push("The evidence names one variable, so nobody had to guess what moved.".to_owned()),
        Some("ambiguous") => poorly.push("Changes that were made at the same time can't be told apart.".to_owned()),
        Some("cannot_tell") => poorly.push("What caused this is not among what was recorded.".to_owned()),
        _ => {}
    }
    let error = |side: &str| frame["signals"][Signal::ErrorRatio.as_str()][side]["value"].as_f64();
    if let Some(now) = error("incident").filter(|now| *now < LOUD) {
        poorly.push(format!(
            "Requests succeeded ({} failed), so monitoring of HTTP statuses had nothing to see.",
            percent(now)
        ));
    }
    let share = frame["suspects"][0]["incident_share"].as_f64();
    let limited = share.filter(|share| frame["verdict"]["answer"] == "one" && *share < 0.9);
    well.extend(
        limited.map(|share| {
            format!("What moved had reached {} of the requests compared, not all of them.", percent(share))
        }),
    );
    json!({ "well": well, "poorly": poorly })
}

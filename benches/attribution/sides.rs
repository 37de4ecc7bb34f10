//! A simulated incident as the two windows that are compared.

use freezeframe::core::attribution::dimension::Dimension;
use freezeframe::core::attribution::{PARTS, Side};

use crate::incident::{Incident, Simulated};

/// The incident as the anchors read it.
pub(crate) fn sides(incident: &Incident) -> (Side, Side) {
    let (mut before, mut now) = (Side::default(), Side::default());
    for (part, requests) in (0..PARTS as u8).zip(&incident.before) {
        requests.iter().for_each(|it| before.push(&codes(it), it.fails, part));
    }
    incident.now.iter().for_each(|it| now.push(&codes(it), it.fails, 0));
    (before, now)
}

fn codes(request: &Simulated) -> [u8; Dimension::COUNT] {
    request.values.map(|value| value.map_or(0, |value| value + 1))
}

//! A simulated incident as the two windows that are compared.

use freezeframe::core::attribution::dimension::Dimension;
use freezeframe::core::attribution::{Mark, PARTS, Side};

use crate::incident::{Incident, Simulated};

/// The incident as the anchors read it; all marks are told and none shifts, which is what costs most.
pub(crate) fn sides(incident: &Incident) -> (Side, Side) {
    let (mut before, mut now) = (Side::default(), Side::default());
    for (part, requests) in (0..PARTS as u8).zip(&incident.before) {
        requests.iter().for_each(|it| push(&mut before, it, part));
    }
    incident.now.iter().for_each(|it| push(&mut now, it, 0));
    (before, now)
}

fn push(side: &mut Side, request: &Simulated, part: u8) {
    let marks = std::array::from_fn::<_, { Mark::COUNT }, _>(|mark| Some(side.len() >> mark & 1 == 1));
    side.push_marked(&codes(request), request.fails, part, marks);
}

fn codes(request: &Simulated) -> [u8; Dimension::COUNT] {
    request.values.map(|value| value.map_or(0, |value| value + 1))
}

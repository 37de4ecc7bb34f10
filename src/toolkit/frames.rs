//! What the frames of one incident are to each other: the first, taken when the alert fired, and the one that refines it.

use std::collections::BTreeSet;

use serde_json::Value as Json;

/// When the alert behind a frame fired, RFC 3339.
#[must_use]
pub fn fired_at(frame: &Json) -> &Json {
    let at = &frame["alert"]["fired_at"];
    if at.is_null() { &frame["captured_at"] } else { at }
}

/// The incident of a frame: the id of its first one.
#[must_use]
pub fn incident_id(frame: &Json) -> &Json {
    let first = &frame["refines"];
    if first.is_null() { &frame["id"] } else { first }
}

/// Ids of the frames that others among these refine: with those left out, each incident is told once, by most requests.
#[must_use]
pub fn refined<'f>(frames: impl IntoIterator<Item = &'f Json>) -> BTreeSet<&'f str> {
    frames.into_iter().filter_map(|frame| frame["refines"].as_str()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Proves that an incident counts once, by the answer of more requests, and is known by its first frame.
    #[test]
    fn a_refined_frame_stands_for_its_incident() {
        let first = json!({ "id": "a", "refines": null, "captured_at": "1", "alert": { "fired_at": "1" } });
        let other = json!({ "id": "b", "captured_at": "2", "alert": {} });
        let refined = json!({ "id": "c", "refines": "a", "captured_at": "3", "alert": { "fired_at": "1" } });
        assert_eq!(super::refined([&first, &other, &refined]), ["a"].into());
        assert_eq!((incident_id(&refined), incident_id(&first)), (&json!("a"), &json!("a")));
        assert_eq!((fired_at(&refined), fired_at(&other)), (&json!("1"), &json!("2")));
    }
}

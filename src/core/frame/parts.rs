//! The parts of a frame that are committed, and can be erased, one by one: the six variables, the samples, and the
//! rest. [`split`] and [`join`] are each other's inverse.

use serde_json::{Map, Value as Json, json};

use crate::core::variable::Variable;

/// The part with everything that is neither a variable nor a sample.
pub const REST: &str = "frame";
/// The part with the requests that were kept.
pub const SAMPLES: &str = "samples";

const VARIABLES: &str = "variables";

/// Why a part is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    /// Leaf that says so.
    pub seq: u64,
    /// When, RFC 3339.
    pub at: String,
    /// What was given as the reason.
    pub reason: String,
}

/// Takes a frame apart, in order of the parts' names. A variable that is not one of the six stays with the rest.
#[must_use]
pub fn split(mut frame: Map<String, Json>) -> Vec<(&'static str, Json)> {
    let mut parts = Vec::new();
    if let Some(Json::Object(variables)) = frame.get_mut(VARIABLES) {
        let taken = Variable::ALL.into_iter().filter_map(|it| Some((it.as_str(), variables.remove(it.as_str())?)));
        parts.extend(taken);
        if variables.is_empty() && !parts.is_empty() {
            frame.remove(VARIABLES);
        }
    }
    parts.extend(frame.remove(SAMPLES).map(|samples| (SAMPLES, samples)));
    parts.push((REST, Json::Object(frame)));
    parts.sort_by_key(|(name, _)| *name);
    parts
}

/// Puts a frame together again; a part that was erased leaves a note of it in its place. `None` when the parts are
/// not those of a frame, whose [`REST`] is never erased: it says which frame this is.
#[must_use]
pub fn join(parts: impl IntoIterator<Item = (String, Result<Json, Erased>)>) -> Option<Map<String, Json>> {
    let (mut frame, mut variables) = (None, Map::new());
    let mut samples = None;
    for (name, part) in parts {
        match (name.as_str(), part) {
            (REST, Ok(Json::Object(rest))) => frame = Some(rest),
            (SAMPLES, part) => samples = Some(part.unwrap_or_else(|erased| erased_samples(&erased))),
            (name, part) if is_variable(name) => {
                drop(variables.insert(name.to_owned(), part.unwrap_or_else(|erased| erased_variable(&erased))));
            }
            _ => return None,
        }
    }
    let mut frame = frame?;
    if !variables.is_empty() {
        let Json::Object(all) = frame.entry(VARIABLES).or_insert_with(|| json!({})) else { return None };
        all.append(&mut variables);
    }
    frame.extend(samples.map(|samples| (SAMPLES.to_owned(), samples)));
    Some(frame)
}

/// Whether a part is one of the six variables.
#[must_use]
pub fn is_variable(name: &str) -> bool {
    Variable::ALL.iter().any(|variable| variable.as_str() == name)
}

fn note(erased: &Erased) -> Json {
    json!({ "leaf": erased.seq, "at": erased.at, "reason": erased.reason })
}

fn erased_samples(erased: &Erased) -> Json {
    json!({ "failing": [], "healthy": [], "erased": note(erased) })
}

fn erased_variable(erased: &Erased) -> Json {
    json!({
        "state": "missing",
        "reason": format!("erased by leaf {} at {}: {}", erased.seq, erased.at, erased.reason),
        "moved": null,
        "distance": null,
        "p_value": null,
        "incident": [],
        "baseline": [],
        "detail": {},
        "erased": note(erased),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Map<String, Json> {
        let frame = json!({
            "id": "1",
            "variables": {"judge": {"state": "captured"}, "model_route": {"state": "missing"}},
            "samples": {"failing": [1], "healthy": []},
        });
        frame.as_object().unwrap().clone()
    }

    /// Proves that taking apart and putting together is the identity, also for documents without the usual parts.
    #[test]
    fn parts_make_the_whole() {
        let documents = [
            json!({}),
            json!({"a": 1, "variables": {}}),
            json!({"variables": {"judge": 1, "unknown": 2}}),
            json!({"variables": 1, "samples": null}),
            Json::Object(frame()),
        ];
        for document in documents {
            let whole = document.as_object().unwrap().clone();
            let parts = split(whole.clone());
            assert!(parts.is_sorted_by_key(|(name, _)| *name));
            let parts = parts.into_iter().map(|(name, part)| (name.to_owned(), Ok(part)));
            assert_eq!(join(parts), Some(whole));
        }
    }

    /// Proves that what was erased is told in its place and the rest is as it was.
    #[test]
    fn erased_parts_leave_a_note() {
        let erased = Erased { seq: 7, at: "2026-11-22T00:00:00Z".into(), reason: "request 12".into() };
        let parts = split(frame()).into_iter().map(|(name, part)| {
            let gone = ["judge", SAMPLES].contains(&name);
            (name.to_owned(), if gone { Err(erased.clone()) } else { Ok(part) })
        });
        let left = Json::Object(join(parts).unwrap());
        assert_eq!(left["variables"]["judge"]["state"], "missing");
        assert_eq!(left["variables"]["judge"]["erased"]["leaf"], 7);
        assert_eq!(left["variables"]["model_route"], json!({"state": "missing"}));
        assert_eq!(left["samples"]["failing"], json!([]));
        assert_eq!(join([("other".to_owned(), Ok(json!(1)))]), None);
    }
}

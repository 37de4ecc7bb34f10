//! Two frames, or the two sides of one, variable by variable.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use similar::TextDiff;

use crate::core::ledger::OTHER;
use crate::core::variable::Variable;

/// Shares that differ by less are the same.
const SHARE_MIN: f64 = 0.01;
/// Lines of context in a diff.
const CONTEXT: usize = 3;

/// One side: a frame, and which of its windows.
#[derive(Clone, Copy, Debug)]
pub struct Side<'f> {
    /// The frame.
    pub frame: &'f Json,
    /// `incident` or `baseline`.
    pub window: &'static str,
}

/// What differs: for each variable whether anything does, the share of every value on both sides, and a unified diff of
/// what stands behind the most frequent ones.
#[must_use]
pub fn of<'a>(a: Side<'a>, b: Side<'a>) -> Json {
    // Two frames are told apart by their ids, the sides of one by their windows; what was never committed is now.
    let is_one = std::ptr::eq(a.frame, b.frame);
    let name = |side: Side<'a>| match (is_one, side.frame["origin"].as_str()) {
        (true, _) => side.window,
        (false, Some("explain")) => "now",
        (false, _) => side.frame["id"].as_str().unwrap_or("-"),
    };
    let names = [a, b].map(name);
    let variables: Map<String, Json> =
        Variable::ALL.into_iter().map(|it| (it.as_str().to_owned(), variable(it.as_str(), a, b, names))).collect();
    json!({ "a": told(a, names[0]), "b": told(b, names[1]), "variables": variables })
}

fn told(side: Side<'_>, name: &str) -> Json {
    let window = &side.frame["windows"][side.window];
    json!({ "name": name, "id": side.frame["id"], "window": side.window, "from": window["from"], "to": window["to"], "requests": window["requests"] })
}

fn variable(name: &str, a: Side<'_>, b: Side<'_>, names: [&str; 2]) -> Json {
    let mut shares: BTreeMap<&str, [Option<f64>; 2]> = BTreeMap::new();
    for (at, side) in [a, b].into_iter().enumerate() {
        for value in side.frame["variables"][name][side.window].as_array().into_iter().flatten() {
            if let (Some(text), Some(share)) = (value["value"].as_str(), value["share"].as_f64()) {
                shares.entry(text).or_default()[at] = Some(share);
            }
        }
    }
    let [of_a, of_b] = [0, 1].map(|at| shares.values().any(|shares| shares[at].is_some()));
    // What is not among the values shown may be in the rest that is folded together.
    let folded = shares.get(OTHER).copied().unwrap_or_default();
    for shares in shares.values_mut() {
        for (share, folded) in shares.iter_mut().zip(folded) {
            *share = share.or(if folded.is_some() { None } else { Some(0.0) });
        }
    }
    let differs = |shares: &[Option<f64>; 2]| match shares {
        [Some(a), Some(b)] => (a - b).abs() >= SHARE_MIN,
        _ => false,
    };
    let values = shares.iter().map(|(value, [a, b])| json!({ "value": value, "a": a, "b": b }));
    json!({
        "differs": if of_a && of_b { shares.values().any(differs).into() } else { Json::Null },
        "values": values.collect::<Vec<_>>(),
        "diff": detail(name, a, b, names),
    })
}

/// A unified diff of the details of the most frequent values, as indented JSON.
fn detail(name: &str, a: Side<'_>, b: Side<'_>, names: [&str; 2]) -> Json {
    let text = |side: Side<'_>| {
        let detail = &side.frame["variables"][name]["detail"][side.window];
        (!detail.is_null()).then(|| serde_json::to_string_pretty(detail).unwrap_or_default())
    };
    let (Some(a), Some(b)) = (text(a), text(b)) else { return Json::Null };
    if a == b {
        return Json::Null;
    }
    let diff = TextDiff::from_lines(&a, &b);
    diff.unified_diff()
        .context_radius(CONTEXT)
        .missing_newline_hint(false)
        .header(names[0], names[1])
        .to_string()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(version: &str) -> Json {
        let side = json!([{ "value": format!("prompt@{version}"), "share": 1.0 }]);
        let before = json!([{ "value": "prompt@v40", "share": 1.0 }]);
        json!({
            "id": version,
            "variables": { "prompt_revision": {
                "incident": side, "baseline": before,
                "detail": { "incident": { "version": version }, "baseline": { "version": "v40" } },
            } },
        })
    }

    /// Proves that both frames and the two sides of one are compared, and that what is not there is not said to be equal.
    #[test]
    fn tells_what_differs() {
        let (old, new) = (frame("v40"), frame("v41"));
        let side = |frame, window| Side { frame, window };
        for b in [side(&old, "incident"), side(&new, "baseline")] {
            let found = of(side(&new, "incident"), b);
            let prompt = &found["variables"]["prompt_revision"];
            assert_eq!(prompt["differs"], true);
            assert!(prompt["diff"].as_str().unwrap().contains("-  \"version\": \"v41\""), "{prompt}");
            assert_eq!(found["variables"]["judge"]["differs"], Json::Null);
        }
        let same = of(side(&new, "incident"), side(&new, "incident"));
        assert_eq!(same["variables"]["prompt_revision"]["differs"], false);
        assert_eq!(same["variables"]["prompt_revision"]["diff"], Json::Null);
    }
}

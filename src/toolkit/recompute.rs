//! The figures of a frame, computed again from the frame alone: rates and shares from the counts beside them, what a variable
//! explains and the confidence by the same model from the requests that the frame holds.

use serde_json::Value as Json;

use crate::core::frame::{Rows, RowsError};
use crate::core::ledger::OTHER;

/// Figures that differ by less are the same. A model's steps may end in other last digits on another machine.
const TOLERANCE: f64 = 1e-6;
/// What the verdict says by the model.
const VERDICT: [&str; 8] =
    ["answer", "variables", "value", "dimension", "explained", "confidence", "z", "natural_wander"];
/// And of each suspect.
const SUSPECT: [&str; 5] = ["variable", "value", "verdict", "explained", "confidence"];

/// One figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Where it stands: `suspects[0].rate_with`.
    pub name: String,
    /// What the frame says; null for nothing.
    pub said: Json,
    /// What follows from the rest of it; `None` where that does not tell.
    pub recomputed: Option<Json>,
}

impl Figure {
    fn of_counts(name: String, said: &Json, recomputed: Option<f64>) -> Self {
        Self { name, said: said.clone(), recomputed: recomputed.map(Json::from) }
    }

    /// Whether both are the same. A figure that nothing in the frame tells of is not held against it.
    #[must_use]
    pub fn agrees(&self) -> bool {
        let Some(recomputed) = &self.recomputed else { return true };
        match (self.said.as_f64(), recomputed.as_f64()) {
            (Some(said), Some(recomputed)) => (said - recomputed).abs() <= TOLERANCE,
            _ => self.said == *recomputed,
        }
    }
}

/// Every figure of the verdict, the suspects and the six variables.
#[must_use]
pub fn figures(frame: &Json) -> Vec<Figure> {
    let suspects = frame["suspects"].as_array().into_iter().flatten().enumerate();
    let mut figures: Vec<Figure> = suspects.flat_map(|(at, it)| suspect(frame, at, it)).collect();
    figures.extend(verdict(frame));
    figures.extend(modelled(frame));
    for (name, variable) in frame["variables"].as_object().into_iter().flatten() {
        figures.extend(["incident", "baseline"].into_iter().flat_map(|side| shares(name, side, &variable[side])));
    }
    figures
}

/// Requests and failing ones on both sides.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    incident: [f64; 2],
    baseline: [f64; 2],
}

impl Counts {
    fn of(part: &Json) -> Self {
        let counts = |side: &Json| ["requests", "failing"].map(|key| side[key].as_f64().unwrap_or_default());
        Self { incident: counts(&part["incident"]), baseline: counts(&part["baseline"]) }
    }

    fn sum<'j>(parts: impl IntoIterator<Item = &'j Json>) -> Self {
        parts.into_iter().map(Self::of).fold(Self::default(), |sum, it| Self {
            incident: [sum.incident[0] + it.incident[0], sum.incident[1] + it.incident[1]],
            baseline: [sum.baseline[0] + it.baseline[0], sum.baseline[1] + it.baseline[1]],
        })
    }
}

fn suspect(frame: &Json, at: usize, suspect: &Json) -> Vec<Figure> {
    let [variable, dimension] = ["variable", "dimension"].map(|key| suspect[key].as_str().unwrap_or_default());
    let parts = frame["variables"][variable]["detail"]["dimensions"][dimension].as_array();
    let parts = parts.map_or(&[][..], Vec::as_slice);
    let all = Counts::sum(parts);
    let mut same = parts.iter().filter(|part| part["value"] == suspect["value"] && part["value"] != OTHER);
    // Two values that look the same, once redacted, can't be told apart.
    let own = same.next().filter(|_| same.next().is_none()).map(Counts::of);
    let of = |of: fn(Counts, Counts) -> Option<f64>| own.and_then(|own| of(own, all));
    let figure = |key: &str, recomputed| Figure::of_counts(format!("suspects[{at}].{key}"), &suspect[key], recomputed);
    vec![
        figure("rate_with", of(|own, _| ratio(own.incident[1], own.incident[0]))),
        figure(
            "rate_without",
            of(|own, all| ratio(all.incident[1] - own.incident[1], all.incident[0] - own.incident[0])),
        ),
        figure("incident_share", of(|own, all| ratio(own.incident[0], all.incident[0]))),
        figure("baseline_share", of(|own, all| ratio(own.baseline[0], all.baseline[0]))),
        figure("requests_with", of(|own, _| Some(own.incident[0]))),
        figure("failing_with", of(|own, _| Some(own.incident[1]))),
        figure("requests_without", of(|own, all| Some(all.incident[0] - own.incident[0]))),
        figure("failing_without", of(|own, all| Some(all.incident[1] - own.incident[1]))),
    ]
}

/// Every dimension has every request; the first one told will do.
fn verdict(frame: &Json) -> Vec<Figure> {
    let verdict = &frame["verdict"];
    let variables = frame["variables"].as_object().into_iter().flatten();
    let mut dimensions = variables.flat_map(|(_, it)| it["detail"]["dimensions"].as_object()).flatten();
    let all = dimensions.find_map(|(_, parts)| parts.as_array()).map(Counts::sum);
    let figure = |name: &str, said: &Json, recomputed| Figure::of_counts(format!("verdict.{name}"), said, recomputed);
    let mut figures = vec![
        figure("requests.incident", &verdict["requests"]["incident"], all.map(|it| it.incident[0])),
        figure("requests.baseline", &verdict["requests"]["baseline"], all.map(|it| it.baseline[0])),
    ];
    if verdict["failing_share"].is_object() {
        let share = |counts: [f64; 2]| ratio(counts[1], counts[0]);
        let said = &verdict["failing_share"];
        figures.push(figure("failing_share.incident", &said["incident"], all.and_then(|it| share(it.incident))));
        figures.push(figure("failing_share.baseline", &said["baseline"], all.and_then(|it| share(it.baseline))));
    }
    figures
}

/// What the model said, of the requests in the frame; nothing where no model was asked.
fn modelled(frame: &Json) -> Vec<Figure> {
    let again = match Rows::read(frame) {
        Ok(rows) => Some(rows.verdict()),
        Err(RowsError::Absent) if frame["verdict"]["z"].is_null() => return Vec::new(),
        Err(RowsError::Absent | RowsError::Erased(_)) => None,
        Err(damaged @ RowsError::Damaged(_)) => {
            let recomputed = Some(Json::from(damaged.to_string()));
            return vec![Figure { name: "verdict.rows".into(), said: "requests".into(), recomputed }];
        }
    };
    let mut figures = Vec::new();
    let mut add = |name: String, said: &Json, recomputed: Option<&Json>| {
        figures.push(Figure { name, said: said.clone(), recomputed: recomputed.cloned() });
    };
    let verdict = &frame["verdict"];
    for key in VERDICT {
        add(format!("verdict.{key}"), &verdict[key], again.as_ref().map(|(it, _)| &it[key]));
    }
    for (name, share) in verdict["shares"].as_object().into_iter().flatten() {
        add(format!("verdict.shares.{name}"), share, again.as_ref().map(|(it, _)| &it["shares"][name]));
    }
    let suspects = frame["suspects"].as_array().map_or(&[][..], Vec::as_slice);
    let count = again.as_ref().map(|(_, suspects)| Json::from(suspects.len()));
    add("suspects".into(), &suspects.len().into(), count.as_ref());
    for (at, suspect) in suspects.iter().enumerate() {
        for key in SUSPECT {
            let own = again.as_ref().map(|(_, suspects)| suspects.get(at).map_or(&Json::Null, |it| &it[key]));
            add(format!("suspects[{at}].{key}"), &suspect[key], own);
        }
    }
    figures
}

fn shares(name: &str, side: &str, values: &Json) -> Vec<Figure> {
    let values = values.as_array().map_or(&[][..], Vec::as_slice);
    let requests = |value: &Json| value["requests"].as_f64();
    let all: f64 = values.iter().filter_map(requests).sum();
    let figure = |(at, value): (usize, &Json)| {
        let recomputed = requests(value).and_then(|it| ratio(it, all));
        Figure::of_counts(format!("variables.{name}.{side}[{at}].share"), &value["share"], recomputed)
    };
    values.iter().enumerate().map(figure).collect()
}

fn ratio(part: f64, of: f64) -> Option<f64> {
    (of > 0.0).then(|| part / of)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Proves that a figure that does not follow from the counts is found, and one whose counts are missing is not blamed.
    #[test]
    fn figures_must_follow_from_counts() {
        let counts = |requests, failing| json!({ "requests": requests, "failing": failing });
        let part =
            |value: &str, incident, baseline| json!({ "value": value, "incident": incident, "baseline": baseline });
        let mut frame = json!({
            "suspects": [{
                "variable": "prompt_revision", "dimension": "prompt_version", "value": "v8",
                "rate_with": 0.5, "rate_without": 0.1, "incident_share": 0.5, "baseline_share": 0.0,
                "requests_with": 40, "failing_with": 20, "requests_without": 40, "failing_without": 4,
            }],
            "verdict": {
                "requests": { "incident": 80, "baseline": 100 },
                "failing_share": { "incident": 0.3, "baseline": 0.05 },
            },
            "variables": { "prompt_revision": {
                "incident": [{ "value": "v8", "requests": 3, "share": 0.75 }, { "value": "v7", "requests": 1, "share": 0.25 }],
                "baseline": [],
                "detail": { "dimensions": { "prompt_version": [
                    part("v8", counts(40, 20), counts(0, 0)),
                    part("v7", counts(40, 4), counts(100, 5)),
                ] } },
            } },
        });
        let wrong = |frame: &Json| -> Vec<String> {
            figures(frame).into_iter().filter(|it| !it.agrees()).map(|it| it.name).collect()
        };
        assert_eq!((wrong(&frame), figures(&frame).len()), (vec![], 14));

        for (place, name) in [
            ("/suspects/0/rate_without", "suspects[0].rate_without"),
            ("/verdict/failing_share/baseline", "verdict.failing_share.baseline"),
            ("/variables/prompt_revision/incident/1/share", "variables.prompt_revision.incident[1].share"),
        ] {
            let mut forged = frame.clone();
            *forged.pointer_mut(place).unwrap() = json!(0.2);
            assert_eq!(wrong(&forged), [name]);
        }

        frame["variables"]["prompt_revision"]["detail"] = json!({});
        assert_eq!(wrong(&frame), Vec::<String>::new());
    }
}

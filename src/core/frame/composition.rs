//! The composition graph: which tools ran in which order, and how often that failed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use crate::core::attribution::{Breakdown, Part};
use crate::core::ledger::OTHER;

/// What a path too long to be shown stands as.
const DIGEST: &str = "sha256:";
const WRITES: &str = "writing to a String cannot fail";

/// Requests, and those of them that fail.
type Counts = (usize, usize);
/// From a tool, or from the model that chose the first one, to a tool.
type Edge<'p> = (Option<&'p str>, &'p str);

/// Paths with counts, the edges between tools (`from` is null where a path begins), and the same drawn in Mermaid, of both
/// sides. A request counts once on an edge, however often it went there. Of paths that are folded or too long to be shown
/// only their requests are told, as `unshown`.
pub(super) fn composition(paths: &Breakdown) -> Json {
    json!({
        "incident": side(&paths.values, |part| part.incident),
        "baseline": side(&paths.values, |part| part.baseline),
    })
}

fn side(values: &[Part], of: impl Fn(&Part) -> Counts) -> Json {
    let told = values.iter().filter_map(|part| Some((part.value.as_deref()?, of(part))));
    let (shown, unshown): (Vec<_>, Vec<_>) = told
        .filter(|(_, (requests, _))| *requests > 0)
        .partition(|(path, _)| *path != OTHER && !path.starts_with(DIGEST));
    let paths = shown.iter().map(|(path, counts)| with(json!({ "path": path.replace('>', " -> ") }), *counts));
    let mut edges: BTreeMap<Edge<'_>, Counts> = BTreeMap::new();
    for (path, counts) in &shown {
        let tools = || path.split('>');
        let distinct: BTreeSet<Edge<'_>> = std::iter::once(None).chain(tools().map(Some)).zip(tools()).collect();
        for edge in distinct {
            let sum = edges.entry(edge).or_default();
            *sum = added(*sum, counts);
        }
    }
    let drawn = mermaid(&edges);
    let edges = edges.into_iter().map(|((from, to), counts)| with(json!({ "from": from, "to": to }), counts));
    json!({
        "paths": paths.collect::<Vec<_>>(),
        "unshown": with(json!({}), unshown.iter().fold((0, 0), |sum, (_, counts)| added(sum, counts))),
        "edges": edges.collect::<Vec<_>>(),
        "mermaid": drawn,
    })
}

fn added(sum: Counts, (requests, failing): &Counts) -> Counts {
    (sum.0 + requests, sum.1 + failing)
}

fn with(mut it: Json, (requests, failing): Counts) -> Json {
    it["requests"] = requests.into();
    it["failing"] = failing.into();
    it["failing_share"] = share((requests, failing)).into();
    it
}

fn share((requests, failing): Counts) -> f64 {
    failing as f64 / requests.max(1) as f64
}

fn mermaid(edges: &BTreeMap<Edge<'_>, Counts>) -> String {
    let names: BTreeSet<Option<&str>> = edges.keys().flat_map(|(from, to)| [*from, Some(*to)]).collect();
    let number: BTreeMap<Option<&str>, usize> = names.into_iter().zip(0..).collect();
    let mut drawn = "flowchart LR\n".to_owned();
    for (name, n) in &number {
        match name {
            None => writeln!(drawn, "  n{n}([\"model\"])"),
            Some(tool) => writeln!(drawn, "  n{n}[\"{}\"]", label(tool)),
        }
        .expect(WRITES);
    }
    for ((from, to), counts) in edges {
        let percent = share(*counts) * 100.0;
        let [from, to] = [from, &Some(*to)].map(|it| number[it]);
        writeln!(drawn, "  n{from} -->|\"{}, {percent:.0} % fail\"| n{to}", counts.0).expect(WRITES);
    }
    drawn
}

/// A name as text of a label: what could end it or be read as markup is written as Mermaid's entity codes.
fn label(name: &str) -> String {
    let special = |it: char| !(it.is_alphanumeric() || " _-.:/|".contains(it));
    name.chars().fold(String::new(), |mut label, it| {
        match it {
            // Controls and marks that are not seen but turn or hide what is.
            it if special(it) && (it.is_control() || !it.is_ascii()) => label.push('\u{fffd}'),
            it if special(it) => write!(label, "#{};", u32::from(it)).expect(WRITES),
            it => label.push(it),
        }
        label
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::attribution::dimension::Dimension;

    /// Proves paths, edges that paths share, and a drawing that no name can break.
    #[test]
    fn paths_become_a_graph() {
        let part = |value: Option<&str>, incident| Part { value: value.map(Into::into), incident, baseline: (0, 0) };
        let values = vec![
            part(Some("search>get_order"), (80, 40)),
            part(Some("search>\"]; click n0"), (20, 0)),
            part(Some("search>model>search>model"), (10, 0)),
            part(Some(OTHER), (3, 1)),
            part(Some("sha256:0123"), (2, 1)),
            part(None, (5, 5)),
        ];
        let found = composition(&Breakdown { dimension: Dimension::ToolPath, values });
        let incident = &found["incident"];
        assert_eq!(
            incident["paths"][0],
            json!({ "path": "search -> get_order", "requests": 80, "failing": 40, "failing_share": 0.5 })
        );
        let edges: Vec<_> =
            incident["edges"].as_array().unwrap().iter().map(|it| (&it["from"], &it["requests"])).collect();
        assert_eq!(
            edges,
            [
                (&json!(null), &json!(110)),
                (&json!("model"), &json!(10)),
                (&json!("search"), &json!(20)),
                (&json!("search"), &json!(80)),
                (&json!("search"), &json!(10)),
            ]
        );
        assert_eq!((&incident["unshown"]["requests"], &incident["unshown"]["failing"]), (&json!(5), &json!(2)));
        let drawn = incident["mermaid"].as_str().unwrap();
        assert!(
            drawn.contains("n1[\"#34;#93;#59; click n0\"]") && drawn.contains("n0 -->|\"110, 36 % fail\"| n4"),
            "{drawn}"
        );
        assert_eq!(found["baseline"]["paths"], json!([]));
    }
}

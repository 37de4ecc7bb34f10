//! The composition graph: which tools ran in which order, and how often that failed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use crate::core::attribution::{Breakdown, Part};

/// Where every path begins.
const START: &str = "model";
const WRITES: &str = "writing to a String cannot fail";

/// Requests, and those of them that fail.
type Counts = (usize, usize);

/// Paths with counts, the edges between tools, and the same drawn in Mermaid, of both sides.
pub(super) fn composition(paths: &Breakdown) -> Json {
    json!({
        "incident": side(&paths.values, |part| part.incident),
        "baseline": side(&paths.values, |part| part.baseline),
    })
}

fn side(values: &[Part], of: impl Fn(&Part) -> Counts) -> Json {
    let told = || {
        let told = values.iter().filter_map(|part| Some((part.value.as_deref()?, of(part))));
        told.filter(|(_, counts)| counts.0 > 0)
    };
    let paths = told().map(|(path, counts)| with(json!({ "path": path.replace('>', " -> ") }), counts));
    let mut edges: BTreeMap<(&str, &str), Counts> = BTreeMap::new();
    for (path, (requests, failing)) in told() {
        let tools = || path.split('>');
        for edge in std::iter::once(START).chain(tools()).zip(tools()) {
            let sum = edges.entry(edge).or_default();
            *sum = (sum.0 + requests, sum.1 + failing);
        }
    }
    let drawn = mermaid(&edges);
    let edges = edges.into_iter().map(|((from, to), counts)| with(json!({ "from": from, "to": to }), counts));
    json!({ "paths": paths.collect::<Vec<_>>(), "edges": edges.collect::<Vec<_>>(), "mermaid": drawn })
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

fn mermaid(edges: &BTreeMap<(&str, &str), Counts>) -> String {
    let mut names: Vec<&str> = edges.keys().flat_map(|(from, to)| [*from, *to]).collect();
    names.sort_unstable();
    names.dedup();
    let node = |name: &str| names.iter().position(|it| *it == name).unwrap_or_default();
    let mut drawn = "flowchart LR\n".to_owned();
    for (number, name) in names.iter().enumerate() {
        writeln!(drawn, "  n{number}[\"{}\"]", label(name)).expect(WRITES);
    }
    for ((from, to), counts) in edges {
        let percent = share(*counts) * 100.0;
        writeln!(drawn, "  n{} -->|\"{}, {percent:.0} % fail\"| n{}", node(from), counts.0, node(to)).expect(WRITES);
    }
    drawn
}

/// A name as text of a label: what could end it or be read as markup is written as Mermaid's entity codes.
fn label(name: &str) -> String {
    let special = |it: char| !(it.is_alphanumeric() || " _-.:/|".contains(it));
    name.chars().fold(String::new(), |mut label, it| {
        if special(it) { write!(label, "#{};", u32::from(it)) } else { write!(label, "{it}") }.expect(WRITES);
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
            [(&json!("model"), &json!(100)), (&json!("search"), &json!(20)), (&json!("search"), &json!(80))]
        );
        let drawn = incident["mermaid"].as_str().unwrap();
        assert!(
            drawn.contains("n0[\"#34;#93;#59; click n0\"]") && drawn.contains("-->|\"100, 40 % fail\"|"),
            "{drawn}"
        );
        assert_eq!(found["baseline"]["paths"], json!([]));
    }
}

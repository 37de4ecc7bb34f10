//! The decision tree drawn: as a Mermaid flowchart, and as SVG without any script or font of its own.

use std::fmt::Write as _;

use super::tree::{Node, Question, TREE};

/// Size of a box and the room around it, pixels.
const BOX: (usize, usize) = (250, 62);
const STEP: (usize, usize) = (300, 84);
/// Characters on a line of a box.
const LINE_CHARS: usize = 38;

/// The tree as a Mermaid flowchart; the places of `path` are marked.
#[must_use]
pub fn mermaid(path: &[(&Question, bool)]) -> String {
    let mut out = String::from("flowchart TD\n    classDef taken stroke-width:3px\n");
    for place in places(path) {
        let mark = if place.is_taken { ":::taken" } else { "" };
        let (open, close) = if place.is_end { ("([\"", "\"])") } else { ("[\"", "\"]") };
        writeln!(out, "    n{}{open}{}{close}{mark}", place.id, place.text).expect(INFALLIBLE);
        if let Some((parent, label)) = place.parent {
            writeln!(out, "    n{parent} -- {label} --> n{}", place.id).expect(INFALLIBLE);
        }
    }
    out
}

/// The tree as an SVG image, growing to the right; the places of `path` are marked.
#[must_use]
pub fn svg(path: &[(&Question, bool)]) -> String {
    let places = places(path);
    let depth = places.iter().map(|place| place.depth).max().unwrap_or(0) + 1;
    let rows = places.iter().filter(|place| place.is_end).count();
    let (width, height) = (depth * STEP.0, rows * STEP.1 + 20);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n"
    );
    let corner = |place: &Place| (place.depth * STEP.0 + 10, place.row * STEP.1 + 10);
    for place in &places {
        let (x, y) = corner(place);
        let wide = if place.is_taken { 3 } else { 1 };
        if let Some((parent, label)) = place.parent {
            let (from_x, from_y) = corner(&places[parent]);
            let (from_x, from_y, to_y) = (from_x + BOX.0, from_y + BOX.1 / 2, y + BOX.1 / 2);
            let middle = from_x + (x - from_x) / 2;
            writeln!(
                out,
                "<path d=\"M{from_x} {from_y}H{middle}V{to_y}H{x}\" fill=\"none\" stroke=\"#555\" \
                 stroke-width=\"{wide}\"/><text x=\"{}\" y=\"{}\">{label}</text>",
                middle + 3,
                to_y - 4
            )
            .expect(INFALLIBLE);
        }
        let (round, fill) = if place.is_end { (30, "#eef") } else { (4, "#fff") };
        writeln!(
            out,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"{round}\" fill=\"{fill}\" stroke=\"#333\" \
             stroke-width=\"{wide}\"/>",
            BOX.0, BOX.1
        )
        .expect(INFALLIBLE);
        for (n, line) in wrapped(&place.text).iter().enumerate() {
            writeln!(out, "<text x=\"{}\" y=\"{}\">{line}</text>", x + 10, y + 18 + n * 15).expect(INFALLIBLE);
        }
    }
    out.push_str("</svg>\n");
    out
}

const INFALLIBLE: &str = "writing to a String cannot fail";

/// A node where it is drawn.
struct Place {
    id: usize,
    /// Parent's id, and the answer that leads here.
    parent: Option<(usize, &'static str)>,
    text: String,
    is_end: bool,
    is_taken: bool,
    depth: usize,
    /// Row of its first end.
    row: usize,
}

fn places(path: &[(&Question, bool)]) -> Vec<Place> {
    let mut places = Vec::new();
    place(&TREE, None, Some(path).filter(|path| !path.is_empty()), 0, &mut 0, &mut places);
    places
}

fn place(
    node: &Node,
    parent: Option<(usize, &'static str)>,
    path: Option<&[(&Question, bool)]>,
    depth: usize,
    row: &mut usize,
    places: &mut Vec<Place>,
) {
    let (id, is_taken) = (places.len(), path.is_some());
    let (text, is_end) = match node {
        Node::Ask { question, .. } => (question.text.to_owned(), false),
        Node::End(end) => (end.title(), true),
    };
    places.push(Place { id, parent, text, is_end, is_taken, depth, row: *row });
    match node {
        Node::End(_) => *row += 1,
        Node::Ask { yes, no, .. } => {
            for (label, child, is_yes) in [("yes", yes, true), ("no", no, false)] {
                let rest = path.and_then(<[_]>::split_first).filter(|((_, taken), _)| *taken == is_yes);
                place(child, Some((id, label)), rest.map(|(_, rest)| rest), depth + 1, row, places);
            }
        }
    }
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        if lines.last().is_some_and(|line| !line.is_empty() && line.len() + word.len() >= LINE_CHARS) {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::triage::{questions, walk};

    /// Proves that both drawings have every question and end once, and mark the path alone.
    #[test]
    fn drawings_mark_the_path() {
        let walked = walk(|question| Some(question.name == "leak"));
        let drawn = mermaid(&walked.path);
        assert_eq!(drawn.matches(":::taken").count(), 2);
        assert_eq!(drawn.matches("-->").count(), 2 * questions().len());
        assert_eq!(mermaid(&[]).matches(":::taken").count(), 0);
        let drawn = svg(&walked.path);
        assert_eq!(drawn.matches("<rect").count(), 2 * questions().len() + 1);
        assert_eq!(drawn.matches("stroke-width=\"3\"").count(), 3, "two boxes and the line between them");
        assert!(places(&[]).iter().all(|place| wrapped(&place.text).len() <= 3), "it fits its box");
    }
}

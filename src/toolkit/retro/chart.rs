//! Incidents a week by class, as SVG. What is drawn are counts, days and the names of classes: nothing that telemetry
//! said.

use std::fmt::Write as _;

use serde_json::Value as Json;

use crate::core::incident::Class;

const INFALLIBLE: &str = "writing to a String cannot fail";
/// Width of a week, of its bar, height of the plot, pixels.
const STEP: usize = 44;
const BAR: usize = 30;
const PLOT: usize = 200;
/// Margins: left and top, and what is below for days and legend.
const LEFT: usize = 40;
const TOP: usize = 30;
const BELOW: usize = 90;
/// Weeks drawn: the newest.
const WEEKS_MAX: usize = 53;
/// Colours that people who see few of them tell apart (Okabe and Ito 2008).
const COLOURS: [&str; 5] = ["#d55e00", "#0072b2", "#009e73", "#e69f00", "#cc79a7"];

/// The chart of a retrospective.
#[must_use]
pub fn svg(retro: &Json) -> String {
    let weeks = retro["weeks"].as_array().map_or(&[][..], Vec::as_slice);
    let weeks = &weeks[weeks.len().saturating_sub(WEEKS_MAX)..];
    let count = |week: &Json, class: Class| {
        let classes = week["classes"].as_array().into_iter().flatten();
        let own = classes.filter(|it| it["name"] == class.as_str()).filter_map(|it| it["incidents"].as_u64());
        usize::try_from(own.sum::<u64>()).unwrap_or_default()
    };
    let most = weeks
        .iter()
        .map(|week| Class::ALL.into_iter().map(|it| count(week, it)).sum::<usize>())
        .max()
        .unwrap_or(0)
        .max(1);
    let width = (LEFT + weeks.len() * STEP + 20).max(640);
    let height = TOP + PLOT + BELOW;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n<text x=\"{LEFT}\" y=\"18\" font-size=\"14\">Incidents a week, by class</text>\n"
    );
    let mut lines = vec![0, most.div_ceil(2), most];
    lines.dedup();
    for value in lines {
        let y = TOP + PLOT - value * PLOT / most;
        writeln!(
            out,
            "<path d=\"M{LEFT} {y}H{}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{value}</text>",
            width - 20,
            LEFT - 6,
            y + 4
        )
        .expect(INFALLIBLE);
    }
    for (at, week) in weeks.iter().enumerate() {
        let x = LEFT + at * STEP + (STEP - BAR) / 2;
        let mut y = TOP + PLOT;
        for (class, colour) in Class::ALL.into_iter().zip(COLOURS) {
            let incidents = count(week, class);
            let tall = incidents * PLOT / most;
            if incidents > 0 {
                y -= tall;
                writeln!(out, "<rect x=\"{x}\" y=\"{y}\" width=\"{BAR}\" height=\"{tall}\" fill=\"{colour}\"><title>{}: {incidents}</title></rect>", class.as_str()).expect(INFALLIBLE);
            }
        }
        let day = week["from"].as_str().and_then(|it| it.get(5..10)).unwrap_or_default();
        writeln!(out, "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{day}</text>", x + BAR / 2, TOP + PLOT + 16)
            .expect(INFALLIBLE);
    }
    writeln!(out, "<text x=\"{LEFT}\" y=\"{}\" fill=\"#555\">week from Monday (UTC)</text>", TOP + PLOT + 32)
        .expect(INFALLIBLE);
    for (at, (class, colour)) in Class::ALL.into_iter().zip(COLOURS).enumerate() {
        let (x, y) = (LEFT + at % 3 * 180, TOP + PLOT + 46 + at / 3 * 18);
        writeln!(
            out,
            "<rect x=\"{x}\" y=\"{y}\" width=\"10\" height=\"10\" fill=\"{colour}\"/><text x=\"{}\" y=\"{}\">{}</text>",
            x + 16,
            y + 9,
            class.as_str()
        )
        .expect(INFALLIBLE);
    }
    out.push_str("</svg>\n");
    out
}

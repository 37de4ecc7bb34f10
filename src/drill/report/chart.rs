//! One chart a signal: its value over time, the limits it is held against, and what happened when. Numbers and our own
//! words alone, and what is text is escaped; colours come from the page's style, and every mark has words beside it.

use std::fmt::Write as _;

use serde_json::Value as Json;

use crate::core::signal::{Shape, Signal};
use crate::core::time::UnixNanos;
use crate::toolkit::text::html;

const INFALLIBLE: &str = "writing to a String cannot fail";
/// Size of the plot and its margins, in units of the viewBox.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 150.0;
const LEFT: f64 = 62.0;
const TOP: f64 = 78.0;
const BELOW: f64 = 28.0;
const RIGHT: f64 = 26.0;
/// Lines and times on an axis at most.
const TICKS_MAX: u32 = 20;
/// Signals drawn at most.
const SIGNALS_MAX: usize = 8;
/// Limits further away than this many times the highest value are named, not drawn.
const FAR: f64 = 3.0;

/// A moment that every chart marks.
struct Mark {
    at: f64,
    word: &'static str,
}

/// What a chart spans: from and to in seconds, from nothing to `top` in the signal's unit, a line every `step`.
struct Plot {
    from: f64,
    to: f64,
    top: f64,
    step: f64,
    /// A ratio is told in percent.
    is_ratio: bool,
}

/// One SVG image for each signal of the drill's samples.
pub(super) fn charts(drill: &Json) -> Vec<String> {
    let samples = drill["samples"].as_array().map_or(&[][..], Vec::as_slice);
    let (Some(first), Some(last)) = (samples.first().and_then(at), samples.last().and_then(at)) else {
        return Vec::new();
    };
    let moment = |value: &Json| value.as_str().and_then(UnixNanos::parse).map(seconds);
    let marks: Vec<Mark> = [
        ("injection", &drill["injected_at"]),
        ("alert", &drill["alert"]["at"]),
        ("breaker", &drill["breaker_opened_at"]),
        ("removed", &drill["removed_at"]),
        ("recovery", &drill["recovered_at"]),
    ]
    .into_iter()
    .filter_map(|(word, value)| Some(Mark { at: moment(value)?, word }))
    .collect();
    let mut names: Vec<&str> = Vec::new();
    for name in samples.iter().filter_map(|it| it["signals"].as_object()).flat_map(|it| it.keys()) {
        if !names.contains(&name.as_str()) && names.len() < SIGNALS_MAX {
            names.push(name);
        }
    }
    names.iter().map(|name| chart(name, drill, samples, (first, last.max(first + 1.0)), &marks)).collect()
}

fn at(sample: &Json) -> Option<f64> {
    sample["at"].as_str().and_then(UnixNanos::parse).map(seconds)
}

#[expect(clippy::cast_precision_loss, reason = "a chart shows no nanoseconds")]
fn seconds(at: UnixNanos) -> f64 {
    at.0 as f64 / 1e9
}

fn chart(name: &str, drill: &Json, samples: &[Json], (from, to): (f64, f64), marks: &[Mark]) -> String {
    let point = |it: &Json| {
        let reading = &it["signals"][name];
        Some((at(it)?, reading["value"].as_f64()?, reading["breached"] == true))
    };
    let points: Vec<(f64, f64, bool)> = samples.iter().filter_map(point).collect();
    let highest = points.iter().map(|(_, value, _)| *value).fold(0.0, f64::max);
    let limits = drill["limits"].as_array().into_iter().flatten().filter(|it| it["signal"] == name);
    let limits: Vec<f64> = limits.filter_map(|it| it["limit"].as_f64()).collect();
    let near: Vec<f64> = limits.iter().copied().filter(|it| *it <= highest * FAR || *it <= 1.0).collect();
    let signal = Signal::parse(name);
    let is_ratio = signal.is_some_and(|it| it.shape() == Shape::Ratio);
    let plot = Plot::new((from, to), near.iter().copied().fold(highest, f64::max), is_ratio);
    let told = described(name, &points, &limits, marks, from);
    let unit = signal.map(Signal::unit).filter(|it| !it.is_empty() && !is_ratio);
    let title = html(&format!("{}{}", name.replace('_', " "), unit.map_or_else(String::new, |it| format!(", {it}"))));
    let (width, height) = (LEFT + WIDTH + RIGHT, TOP + HEIGHT + BELOW);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"{title}\"><title>{title}</title><desc>{}</desc>\n\
         <text class=\"name\" x=\"{LEFT}\" y=\"16\">{title}</text>\n",
        html(&told)
    );
    plot.axes(&mut out);
    plot.limits(&mut out, &near);
    let line: Vec<String> =
        points.iter().map(|(at, value, _)| format!("{:.1},{:.1}", plot.x(*at), plot.y(*value))).collect();
    writeln!(out, "<polyline class=\"line\" points=\"{}\"/>", line.join(" ")).expect(INFALLIBLE);
    for (at, value, _) in points.iter().filter(|(_, _, is_breached)| *is_breached) {
        let (x, y) = (plot.x(*at) - 3.0, plot.y(*value) - 3.0);
        writeln!(out, "<path class=\"breached\" d=\"M{x:.1} {y:.1}l6 6m0 -6l-6 6\"/>").expect(INFALLIBLE);
    }
    plot.marks(&mut out, marks);
    out.push_str("</svg>\n");
    out
}

impl Plot {
    fn new((from, to): (f64, f64), highest: f64, is_ratio: bool) -> Self {
        let highest = if highest > 0.0 { highest } else { 1.0 };
        let step = round_step(highest, 3.0);
        let top = (highest * 1.02 / step).ceil() * step;
        Self { from, to, top: if is_ratio && highest <= 1.0 { top.min(1.0) } else { top }, step, is_ratio }
    }

    fn x(&self, at: f64) -> f64 {
        LEFT + (at - self.from) / (self.to - self.from) * WIDTH
    }

    fn y(&self, value: f64) -> f64 {
        TOP + HEIGHT - value / self.top * HEIGHT
    }

    fn axes(&self, out: &mut String) {
        for value in (0..=TICKS_MAX).map(|n| f64::from(n) * self.step).take_while(|it| *it <= self.top * 1.001) {
            let y = self.y(value);
            writeln!(out, "<path class=\"grid\" d=\"M{LEFT} {y:.1}h{WIDTH}\"/>").expect(INFALLIBLE);
            tick(out, (LEFT - 6.0, y + 4.0), "end", &self.shown(value));
        }
        let minutes = (self.to - self.from) / 60.0;
        let step = round_step(minutes, 6.0);
        for minute in (0..=TICKS_MAX).map(|n| f64::from(n) * step).take_while(|it| *it <= minutes) {
            let at = self.from + minute * 60.0;
            tick(out, (self.x(at), TOP + HEIGHT + 18.0), "middle", &format!("{} min", round(minute)));
        }
    }

    fn shown(&self, value: f64) -> String {
        if self.is_ratio { format!("{} %", round(value * 100.0)) } else { round(value).to_string() }
    }

    /// Neighbours are named at different ends.
    fn limits(&self, out: &mut String, limits: &[f64]) {
        for (n, limit) in limits.iter().enumerate() {
            let y = self.y(*limit);
            writeln!(out, "<path class=\"limit\" d=\"M{LEFT} {y:.1}h{WIDTH}\"/>").expect(INFALLIBLE);
            let (x, anchor) = if n % 2 == 0 { (LEFT + WIDTH - 3.0, "end") } else { (LEFT + 3.0, "start") };
            tick(out, (x, y - 3.0), anchor, &format!("limit {}", self.shown(*limit)));
        }
    }

    /// Each word on a line of its own: moments may be close.
    fn marks(&self, out: &mut String, marks: &[Mark]) {
        for (n, mark) in (0_u8..).zip(marks) {
            let (x, y) = (self.x(mark.at), 30.0 + f64::from(n) * 10.0);
            writeln!(out, "<path class=\"mark\" d=\"M{x:.1} {y:.1}V{:.1}\"/>", TOP + HEIGHT).expect(INFALLIBLE);
            let (x, anchor) = if x > LEFT + WIDTH * 0.9 { (x - 3.0, "end") } else { (x + 3.0, "start") };
            tick(out, (x, y + 3.0), anchor, mark.word);
        }
    }
}

fn tick(out: &mut String, (x, y): (f64, f64), anchor: &str, words: &str) {
    writeln!(out, "<text class=\"tick\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>")
        .expect(INFALLIBLE);
}

/// The chart in words, for who does not see it.
fn described(name: &str, points: &[(f64, f64, bool)], limits: &[f64], marks: &[Mark], from: f64) -> String {
    let value = |point: Option<&(f64, f64, bool)>| point.map_or_else(|| "-".to_owned(), |(_, value, _)| figure(*value));
    let lowest = points.iter().min_by(|a, b| a.1.total_cmp(&b.1));
    let highest = points.iter().max_by(|a, b| a.1.total_cmp(&b.1));
    let limits: Vec<String> = limits.iter().map(|it| figure(*it)).collect();
    let marks: Vec<String> = marks.iter().map(|it| format!("{} after {:.0} s", it.word, it.at - from)).collect();
    format!(
        "{name} from {} to {}, at least {}, at most {}; limits {}; {}",
        value(points.first()),
        value(points.last()),
        value(lowest),
        value(highest),
        if limits.is_empty() { "none".to_owned() } else { limits.join(", ") },
        marks.join(", ")
    )
}

/// The step of 1, 2 or 5 times a power of ten at which an axis of `length` has about `lines` of them.
fn round_step(length: f64, lines: f64) -> f64 {
    let least = length / lines;
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|it| it * power).into_iter().find(|it| *it >= least * 0.999).unwrap_or(power)
}

/// Three significant digits, without zeros that say nothing.
fn round(value: f64) -> f64 {
    if value == 0.0 {
        return 0.0;
    }
    let places = 10_f64.powf(2.0 - value.abs().log10().floor());
    (value * places).round() / places
}

/// Three significant digits or so.
fn figure(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        it if it >= 100.0 => format!("{value:.0}"),
        it if it >= 1.0 => format!("{value:.2}"),
        it if it >= 0.01 => format!("{value:.3}"),
        _ => format!("{value:.6}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that axes have round numbers, and that no axis of a ratio goes beyond the whole.
    #[test]
    fn axes_are_round() {
        let steps = [(28.0, 6.0), (0.5, 3.0), (1.0, 3.0), (12.0, 3.0), (900.0, 6.0)];
        let steps = steps.map(|(length, lines)| round(round_step(length, lines)).to_string());
        assert_eq!(steps, ["5", "0.2", "0.5", "5", "200"]);
        let top = |highest, is_ratio| round(Plot::new((0.0, 60.0), highest, is_ratio).top).to_string();
        assert_eq!([top(1.0, true), top(0.24, true), top(12.0, false), top(0.0, false)], ["1", "0.3", "15", "1.5"]);
        let quality = Plot::new((0.0, 60.0), 1.0, true);
        assert_eq!([quality.shown(0.8), quality.shown(0.0751)], ["80 %", "7.51 %"]);
    }
}

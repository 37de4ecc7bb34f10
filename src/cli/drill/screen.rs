//! What a drill shows while it runs: its stages as lines, and on a terminal below them the signals, green, red and green
//! again, drawn in place.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _, stdout};
use std::time::Duration;

use super::super::output::{Format, say};
use crate::config::env;
use crate::core::signal::Signal;
use crate::drill::{Event, Reading, Sample};
use crate::toolkit::text;

/// Values of a sparkline.
const SPARKS: usize = 40;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const GREEN: &str = "\u{1b}[32m";
const RED: &str = "\u{1b}[1;31m";
const PLAIN: &str = "\u{1b}[0m";

/// Where a drill is told.
#[derive(Debug)]
pub(super) struct Screen {
    is_told: bool,
    is_live: bool,
    pace: Duration,
    history: Vec<(Signal, Vec<f64>)>,
    /// Lines of the signals on the terminal.
    drawn: usize,
}

impl Screen {
    /// `pace` is how long a minute of virtual time is shown.
    pub(super) fn new(format: Format, pace: Option<Duration>, default_pace: Duration) -> Self {
        let is_told = format == Format::Table;
        let is_live = is_told && stdout().is_terminal() && env::process("NO_COLOR").is_none_or(|it| it.is_empty());
        let pace = pace.unwrap_or(if is_live { default_pace } else { Duration::ZERO });
        Self { is_told, is_live, pace, history: Vec::new(), drawn: 0 }
    }

    /// Shows what happened. A rehearsal goes on without its audience.
    pub(super) fn show(&mut self, event: Event<'_>) {
        match event {
            Event::Stage(stage) => {
                self.clear();
                if self.is_told {
                    drop(say(format_args!("{:<11} {}", stage.name, stage.line)));
                }
            }
            Event::Sample(sample) => {
                if self.is_live {
                    self.draw(sample);
                }
                #[expect(clippy::disallowed_methods, reason = "people watch; nothing else happens meanwhile")]
                std::thread::sleep(self.pace);
            }
        }
    }

    /// Takes the signals off the terminal.
    pub(super) fn clear(&mut self) {
        if self.drawn > 0 {
            write(&format!("\u{1b}[{}A\u{1b}[J", std::mem::take(&mut self.drawn)));
        }
    }

    fn draw(&mut self, sample: &Sample) {
        let mut block = String::new();
        for reading in &sample.readings {
            let history = match self.history.iter_mut().find(|(signal, _)| *signal == reading.signal) {
                Some((_, history)) => history,
                None => {
                    self.history.push((reading.signal, Vec::new()));
                    let Some((_, history)) = self.history.last_mut() else { continue };
                    history
                }
            };
            history.push(reading.value);
            history.drain(..history.len().saturating_sub(SPARKS));
            writeln!(block, "{}", line(reading, history)).expect("writing to a String cannot fail");
        }
        self.clear();
        write(&block);
        self.drawn = sample.readings.len();
    }
}

fn line(reading: &Reading, history: &[f64]) -> String {
    let (colour, word) = if reading.is_breached { (RED, "BREACHED") } else { (GREEN, "OK") };
    let name = text::line(reading.signal.as_str());
    format!("  {name:<24} {colour}{:<SPARKS$} {:>12.4} {word}{PLAIN}", sparkline(history), reading.value)
}

/// One bar a value, from nothing to the highest.
fn sparkline(values: &[f64]) -> String {
    let highest = values.iter().copied().fold(0.0, f64::max);
    let bar = |value: f64| {
        let share = if highest > 0.0 { (value / highest).clamp(0.0, 1.0) } else { 0.0 };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 7")]
        let index = (share * 7.0).round() as usize;
        BARS[index.min(BARS.len() - 1)]
    };
    values.iter().copied().map(bar).collect()
}

/// A picture is no reason to fail.
fn write(picture: &str) {
    let mut out = stdout().lock();
    drop(out.write_all(picture.as_bytes()).and_then(|()| out.flush()));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that a state is told in words beside its colour, and that a sparkline has a bar for every value.
    #[test]
    fn a_signal_is_told_in_words() {
        let reading = |is_breached| Reading { signal: Signal::Quality, value: 0.4, is_breached };
        assert!(line(&reading(true), &[1.0, 0.4]).contains("BREACHED"));
        assert!(line(&reading(false), &[1.0]).contains("OK"));
        assert_eq!(sparkline(&[0.0, 0.5, 1.0, f64::NAN]).chars().count(), 4);
        assert_eq!(sparkline(&[0.0, 1.0]), "▁█");
        assert_eq!(sparkline(&[0.0, 0.0]), "▁▁");
    }
}

//! A bar on standard error while a large input is read, when somebody is there to see it.

use std::io::{IsTerminal as _, Write as _, stderr, stdout};

/// Below this nobody waits long enough to look.
const SHOWN_FROM_BYTES: u64 = 64 << 20;
const BAR_CHARS: usize = 30;

/// How far something is. Draws when a whole percent is done, or, of an unknown total, every 16 MiB.
#[derive(Debug)]
pub(super) struct Progress {
    what: &'static str,
    total: u64,
    done: u64,
    drawn: Option<u64>,
    is_shown: bool,
}

impl Progress {
    /// Bytes of the input; a total of zero is not known.
    pub(super) fn of_bytes(what: &'static str, total: u64, is_wanted: bool) -> Self {
        let is_large = total == 0 || total >= SHOWN_FROM_BYTES;
        Self { what, total, done: 0, drawn: None, is_shown: is_wanted && is_large && stderr().is_terminal() }
    }

    /// Requests, each of which takes a while.
    pub(super) fn of_requests(what: &'static str, total: usize, is_wanted: bool) -> Self {
        let is_shown = is_wanted && total > 1 && stderr().is_terminal();
        Self { what, total: (total as u64).max(1), done: 0, drawn: None, is_shown }
    }

    /// The second pass over what a first one took long enough for: not drawn between rows on the same terminal.
    pub(super) fn of_documents(what: &'static str, total: usize, first: &Self) -> Self {
        let is_shown = first.is_shown && first.done >= SHOWN_FROM_BYTES && !stdout().is_terminal();
        Self { what, total: (total as u64).max(1), done: 0, drawn: None, is_shown }
    }

    pub(super) fn add(&mut self, done: u64) {
        self.done = self.done.saturating_add(done);
        if self.is_shown {
            self.draw();
        }
    }

    /// Leaves the line as it was.
    pub(super) fn clear(&mut self) {
        if self.drawn.take().is_some() {
            self.write("\r\u{1b}[K");
        }
    }

    fn draw(&mut self) {
        if self.total == 0 {
            let mib = self.done >> 20;
            if self.done >= SHOWN_FROM_BYTES && self.drawn != Some(mib / 16) {
                self.drawn = Some(mib / 16);
                self.write(&format!("\r{} {mib} MiB", self.what));
            }
            return;
        }
        let percent = (self.done.saturating_mul(100) / self.total).min(100);
        if self.drawn != Some(percent) {
            self.drawn = Some(percent);
            self.write(&bar(self.what, percent));
        }
    }

    /// A bar is no reason to fail.
    fn write(&self, line: &str) {
        let mut out = stderr().lock();
        drop(out.write_all(line.as_bytes()).and_then(|()| out.flush()));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn bar(what: &str, percent: u64) -> String {
    let full = usize::try_from(percent).map_or(BAR_CHARS, |percent| percent * BAR_CHARS / 100);
    format!("\r{what} [{}{}] {percent:>3} %", "#".repeat(full), ".".repeat(BAR_CHARS - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that the bar fits its line from the first to the last percent.
    #[test]
    fn a_bar_has_one_length() {
        assert_eq!(bar("reading", 0), format!("\rreading [{}]   0 %", ".".repeat(30)));
        assert_eq!(bar("reading", 50), format!("\rreading [{}{}]  50 %", "#".repeat(15), ".".repeat(15)));
        assert!((0..=100).all(|percent| bar("reading", percent).len() == bar("reading", 0).len()));
    }
}

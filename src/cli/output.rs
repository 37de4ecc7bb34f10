//! How commands print: tables for people, JSON for programs, Markdown for documents. Whatever they print passes through
//! [`text`], which makes it harmless.

use std::io::{self, BufWriter, StdoutLock, Write};

use clap::ValueEnum;
use serde::Serializer as _;
use serde::ser::SerializeSeq as _;
use serde_json::Value as Json;
use unicode_width::UnicodeWidthStr as _;

use crate::toolkit::text;

/// Characters of one cell at most; the rest is counted, not shown.
const CELL_CHARS_MAX: usize = 60;
/// The same of a last cell, where there is only one thing to look at, and of all cells of a document.
const LONG_CHARS_MAX: usize = 600;
/// How wide a column is padded. What is longer stands out, instead of adding spaces to every other row.
const WIDTH_MAX: usize = 120;
/// Rows that are laid out together. Columns never get narrower from one such batch to the next.
const BATCH_ROWS: usize = 500;

/// `--format`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns
    #[default]
    Table,
    /// One JSON document
    Json,
    /// A Markdown table
    Markdown,
}

/// Standard output, buffered and locked: nothing else may print until it is dropped.
pub(super) fn stdout() -> BufWriter<StdoutLock<'static>> {
    BufWriter::with_capacity(64 << 10, io::stdout().lock())
}

/// Rows under a header, written as they come: the memory of a batch, whatever their number.
pub(super) struct Rows<W: Write> {
    out: W,
    is_markdown: bool,
    columns: usize,
    chars_max: [usize; 2],
    widths: Vec<usize>,
    batch: Vec<Vec<String>>,
    is_headed: bool,
}

impl<W: Write> Rows<W> {
    pub(super) fn new(out: W, format: Format, header: &[&str]) -> Self {
        let is_markdown = format == Format::Markdown;
        let chars_max = [if is_markdown { LONG_CHARS_MAX } else { CELL_CHARS_MAX }; 2];
        let (columns, widths) = (header.len(), Vec::new());
        let batch = vec![header.iter().map(|it| (*it).to_owned()).collect()];
        Self { out, is_markdown, columns, chars_max, widths, batch, is_headed: false }
    }

    /// Rows whose last cell may be long.
    pub(super) fn wide(out: W, format: Format, header: &[&str]) -> Self {
        let rows = Self::new(out, format, header);
        Self { chars_max: [rows.chars_max[0], LONG_CHARS_MAX], ..rows }
    }

    pub(super) fn push(&mut self, row: impl IntoIterator<Item = impl AsRef<str>>) -> io::Result<()> {
        let last = self.columns.saturating_sub(1);
        let cells = row.into_iter().enumerate().map(|(column, cell)| self.cell(cell.as_ref(), column == last));
        self.batch.push(cells.collect());
        if self.batch.len() > BATCH_ROWS { self.lay_out() } else { Ok(()) }
    }

    /// Writes what is left. Without a row, the header alone; in a document, that there is none.
    pub(super) fn end(mut self) -> io::Result<()> {
        if self.is_markdown && !self.is_headed && self.batch.len() == 1 {
            writeln!(self.out, "none")?;
        } else {
            self.lay_out()?;
        }
        self.out.flush()
    }

    fn cell(&self, cell: &str, is_last: bool) -> String {
        let cell = text::cut(cell, self.chars_max[usize::from(is_last)]);
        if self.is_markdown { text::markdown(&cell) } else { text::cell(&cell).into_owned() }
    }

    fn lay_out(&mut self) -> io::Result<()> {
        self.widths.resize(self.batch.iter().map(Vec::len).max().unwrap_or(0).max(self.widths.len()), 0);
        for row in &self.batch {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width().min(WIDTH_MAX));
            }
        }
        for row in std::mem::take(&mut self.batch) {
            let padded = self.widths.iter().zip(&row).map(|(width, cell)| {
                let padding = width.saturating_sub(cell.width());
                format!("{cell}{:padding$}", "")
            });
            let padded: Vec<String> = padded.collect();
            if self.is_markdown {
                writeln!(self.out, "| {} |", padded.join(" | "))?;
            } else {
                writeln!(self.out, "{}", padded.join("  ").trim_end())?;
            }
            if self.is_markdown && !std::mem::replace(&mut self.is_headed, true) {
                let rule = row.iter().zip(&self.widths).map(|(_, width)| "-".repeat(width + 2));
                writeln!(self.out, "|{}|", rule.collect::<Vec<_>>().join("|"))?;
            }
        }
        Ok(())
    }
}

/// Prints rows under a header as a table or as Markdown.
pub(super) fn print_table(
    format: Format,
    header: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> io::Result<()> {
    let mut table = Rows::new(stdout(), format, header);
    rows.into_iter().try_for_each(|row| table.push(row))?;
    table.end()
}

/// The same, where the last cell may be long.
pub(super) fn print_wide_table(
    format: Format,
    header: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> io::Result<()> {
    let mut table = Rows::wide(stdout(), format, header);
    rows.into_iter().try_for_each(|row| table.push(row))?;
    table.end()
}

/// Prints what stands over a table.
pub(super) fn heading(format: Format, title: &str) -> io::Result<()> {
    match format {
        Format::Markdown => say(format_args!("\n## {title}\n")),
        Format::Table | Format::Json => say(format_args!("\n{title}")),
    }
}

/// Prints a sentence in which telemetry may have a word; in Markdown, a paragraph of its own.
pub(super) fn sentence(format: Format, text: &str) -> io::Result<()> {
    match format {
        Format::Markdown => say(format_args!("{}\n", text::markdown(text))),
        Format::Table | Format::Json => say(text),
    }
}

/// Prints a line, or several. Whoever reads it may have gone away (`| head`).
pub(super) fn say(line: impl std::fmt::Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{}", text::lines(&line.to_string()))
}

/// Tells on standard error what went wrong, or was left out.
pub(super) fn complain(line: impl std::fmt::Display) {
    eprintln!("freezeframe: {}", text::lines(&line.to_string()));
}

/// Prints one document.
pub(super) fn print_json(document: &Json) -> io::Result<()> {
    let mut out = stdout();
    text::write_json(&mut out, document)?;
    writeln!(out)?;
    out.flush()
}

/// Prints one document that is a list, each item as it comes.
pub(super) fn print_json_list(items: impl Iterator<Item = anyhow::Result<Json>>) -> anyhow::Result<()> {
    let mut out = stdout();
    let mut json = serde_json::Serializer::with_formatter(&mut out, text::Json::default());
    let mut list = json.serialize_seq(None).map_err(io::Error::from)?;
    for item in items {
        list.serialize_element(&item?).map_err(io::Error::from)?;
    }
    list.end().map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(format: Format, header: &[&str], rows: &[Vec<String>]) -> String {
        let mut out = Vec::new();
        let mut table = Rows::new(&mut out, format, header);
        rows.iter().for_each(|row| table.push(row).unwrap());
        table.end().unwrap();
        String::from_utf8(out).unwrap()
    }

    proptest! {
        /// Proves that whatever the cells hold, a row is one line, and in Markdown has the header's columns.
        #[test]
        fn a_row_is_a_line(rows in prop::collection::vec(prop::collection::vec(any::<String>(), 2), 0..4)) {
            let table = written(Format::Table, &["a", "b"], &rows);
            prop_assert_eq!(table.lines().count(), 1 + rows.len());
            let markdown = written(Format::Markdown, &["a", "b"], &rows);
            prop_assert_eq!(markdown.lines().count(), if rows.is_empty() { 1 } else { 2 + rows.len() });
            for line in table.lines().chain(markdown.lines()) {
                prop_assert!(!line.chars().any(char::is_control), "{line:?}");
            }
        }
    }

    /// Proves the layout, over more rows than one batch.
    #[test]
    fn columns_line_up() {
        let rows = [["id", "漢字"], ["longer", "x"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(written(Format::Table, &["a", "b"], &rows), "a       b\nid      漢字\nlonger  x\n");
        assert_eq!(
            written(Format::Markdown, &["a", "b"], &rows),
            "| a      | b    |\n|--------|------|\n| id     | 漢字 |\n| longer | x    |\n"
        );
        let many = vec![vec!["x".repeat(100), "y".to_owned()]; BATCH_ROWS * 2 + 7];
        let table = written(Format::Table, &["a", "b"], &many);
        assert_eq!(table.lines().count(), many.len() + 1);
        assert!(table.lines().skip(1).all(|line| line.ends_with("x\u{2026} (+40)  y")), "{table}");
    }
}

//! How commands print: tables for people, JSON for programs, Markdown for documents.

use std::io::Write as _;

use clap::ValueEnum;
use comfy_table::{Table, presets};
use serde_json::Value as Json;

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

/// Prints rows under a header as a table or as Markdown.
pub(super) fn print_table(
    format: Format,
    header: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> std::io::Result<()> {
    let mut table = Table::new();
    let style = if format == Format::Markdown { presets::ASCII_MARKDOWN } else { presets::NOTHING };
    table.load_style(style).set_header(header);
    table.add_rows(rows.into_iter().map(|row| row.iter().map(|cell| printable(cell)).collect::<Vec<_>>()));
    say(table.trim_fmt())
}

/// Prints a line. Whoever reads it may have gone away (`| head`).
pub(super) fn say(line: impl std::fmt::Display) -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "{line}")
}

/// Prints one document.
pub(super) fn print_json(document: &Json) -> std::io::Result<()> {
    say(format_args!("{document:#}"))
}

/// Text from telemetry without what a terminal would obey: control characters become spaces.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect()
}

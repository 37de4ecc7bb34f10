//! Text from telemetry made harmless for each format it is shown in. Prompts, answers and names are written by anybody:
//! here is the one place that decides what of them reaches a terminal, a Markdown page or a JSON document.
//!
//! | format | what is done |
//! |---|---|
//! | all | control, bidirectional and invisible characters are shown as signs (JSON: as escapes, so nothing is lost) |
//! | table | line ends become spaces, a cell that a spreadsheet would take for a formula begins with `'` |
//! | HTML, SVG | as table, and `&`, `<`, `>` and quotes become entities |
//! | Markdown | as table, and what would be markup, a link, HTML or a column is escaped |
//!
//! Deliberately left: joiners and variation selectors, which scripts and emoji need.

use std::borrow::Cow;
use std::io::{self, Write};

use serde_json::ser::{Formatter, PrettyFormatter};

/// One line for a terminal.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    replaced(text, |it| sign(it).unwrap_or(it))
}

/// Several lines for a terminal, or for a block of code.
#[must_use]
pub fn lines(text: &str) -> Cow<'_, str> {
    replaced(text, |it| if it == '\n' { it } else { sign(it).unwrap_or(it) })
}

/// A cell of a table: one line that no spreadsheet calculates.
#[must_use]
pub fn cell(text: &str) -> Cow<'_, str> {
    match line(text) {
        text if is_formula(&text) => Cow::Owned(format!("'{}", text.trim_start())),
        text => text,
    }
}

/// A cell of a Markdown table, or words in a Markdown sentence: shown as they are, never obeyed (GFM 0.29, sections 2.4,
/// 4.10 and 6).
#[must_use]
pub fn markdown(text: &str) -> String {
    let text = cell(text);
    let mut escaped = String::with_capacity(text.len());
    let mut before = ' ';
    for (at, it) in text.char_indices() {
        let after = text[at + it.len_utf8()..].chars().next().unwrap_or(' ');
        let is_markup = match it {
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '&' | '|' | '~' | '$' => true,
            // Inside of a word it is only a name.
            '_' => !(before.is_alphanumeric() && after.is_alphanumeric()),
            '#' => before == ' ',
            // Addresses become links by themselves.
            ':' => after == '/' || escaped.ends_with("mailto"),
            '.' => text[..at].to_ascii_lowercase().ends_with("www"),
            _ => false,
        };
        if is_markup {
            escaped.push('\\');
        }
        escaped.push(it);
        before = it;
    }
    escaped
}

/// A block of code in Markdown, its fence longer than any run of backticks in `text`.
#[must_use]
pub fn fenced(language: &str, text: &str) -> String {
    let longest = text.split(|it| it != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}\n", lines(text.trim_end()))
}

/// Text of an HTML or SVG element, or of a quoted attribute.
#[must_use]
pub fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for it in line(text).chars() {
        match it {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // XML has no such characters, not even escaped.
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            it => escaped.push(it),
        }
    }
    escaped
}

/// The first `chars_max` characters, and how many more there are.
#[must_use]
pub fn cut(text: &str, chars_max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(chars_max) {
        None => Cow::Borrowed(text),
        Some((at, _)) => Cow::Owned(format!("{}\u{2026} (+{})", &text[..at], text[at..].chars().count())),
    }
}

/// Writes a JSON document, indented; see [`Json`].
///
/// # Errors
/// When writing fails.
pub fn write_json(out: impl Write, document: &impl serde::Serialize) -> io::Result<()> {
    document.serialize(&mut serde_json::Serializer::with_formatter(out, Json::default())).map_err(io::Error::from)
}

/// A JSON document on one line, every character that [`line()`] would replace as a `\u` escape.
#[must_use]
pub fn json_line(document: &serde_json::Value) -> String {
    let mut line = String::new();
    // Outside of strings JSON has none of them.
    for it in document.to_string().chars() {
        if sign(it).is_some() {
            line.extend(it.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            line.push(it);
        }
    }
    line
}

/// How JSON is written: indented by two, and every character that [`line()`] would replace as a `\u` escape.
#[derive(Debug, Default)]
pub struct Json(PrettyFormatter<'static>);

impl Formatter for Json {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, found)) = rest.char_indices().find(|(_, it)| sign(*it).is_some()) {
            out.write_all(&rest.as_bytes()[..at])?;
            found.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}"))?;
            rest = &rest[at + found.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }
}

/// What is shown instead of a character that a terminal obeys, that turns the direction of what follows, or that nobody
/// sees; `None` for all others.
fn sign(it: char) -> Option<char> {
    match it {
        '\t' | '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some(' '),
        // The signs of Unicode's block Control Pictures.
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(it)),
        '\u{7f}' => Some('\u{2421}'),
        '\u{80}'..='\u{9f}'
        // Bidirectional marks, embeddings, overrides and isolates (UAX 9, section 2).
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        // Invisible, and used to hide words from people that models read.
        | '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}' => Some('\u{fffd}'),
        _ => None,
    }
}

fn replaced(text: &str, shown: impl Fn(char) -> char) -> Cow<'_, str> {
    match text.chars().any(|it| shown(it) != it) {
        true => Cow::Owned(text.chars().map(shown).collect()),
        false => Cow::Borrowed(text),
    }
}

/// Whether a spreadsheet would calculate a cell with this text (OWASP, CSV Injection). A number is one anyway, also with a
/// unit.
fn is_formula(text: &str) -> bool {
    let text = text.trim();
    let starts = text.starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let is_number = number.parse::<f64>().is_ok() && (unit == "%" || unit.chars().all(char::is_alphabetic));
    starts && text != "-" && !is_number
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether nothing is left that a terminal obeys or that hides.
    fn is_harmless(text: &str) -> bool {
        text.chars().all(|it| sign(it).is_none())
    }

    /// Pipes that a Markdown parser takes for columns.
    fn columns(row: &str) -> usize {
        let mut is_escaped = false;
        row.chars()
            .filter(|it| {
                let is_column = *it == '|' && !is_escaped;
                is_escaped = *it == '\\' && !is_escaped;
                is_column
            })
            .count()
    }

    fn hostile() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "\x1b[2J",
            "\x1b]0;x\x07",
            "\u{9b}31m",
            "\u{202e}",
            "\u{e0041}",
            "\r\n",
            "\\",
            "|",
            "`",
            "<img src=x>",
            "](http://x)",
            "=1+1",
            "www.",
            "&lt;",
            "\u{2028}",
            "\u{7f}",
            "é",
            "漢",
            "\t",
            "\"",
            "_",
            "#",
        ]);
        prop::collection::vec(prop_oneof![pieces.prop_map(str::to_owned), any::<String>()], 0..8)
            .prop_map(|pieces| pieces.concat())
    }

    proptest! {
        /// Proves that whatever the text, a line is one harmless line, and lines have no more than their line feeds.
        #[test]
        fn text_is_harmless(text in hostile()) {
            prop_assert!(is_harmless(&line(&text)));
            prop_assert!(is_harmless(&lines(&text).replace('\n', "")));
            prop_assert!(is_harmless(&cell(&text)) && !is_formula(&cell(&text)));
        }

        /// Proves that whatever the text, it adds no column, no tag and no link to a Markdown table.
        #[test]
        fn markdown_is_only_text(text in hostile()) {
            let escaped = markdown(&text);
            prop_assert!(is_harmless(&escaped), "{escaped:?}");
            prop_assert_eq!(columns(&format!("| {escaped} | {escaped} |")), 3, "{}", escaped);
            let mut is_escaped = false;
            for it in escaped.chars() {
                prop_assert!(is_escaped || !"<>[]`|".contains(it), "{escaped:?}");
                is_escaped = it == '\\' && !is_escaped;
            }
            let active = escaped.replace("\\:", "-").replace("\\.", "-").to_lowercase();
            prop_assert!(!active.contains("://") && !active.contains("www."), "{escaped:?}");
        }

        /// Proves that whatever the text, its JSON is one harmless line that reads back as the same text.
        #[test]
        fn json_is_harmless_and_loses_nothing(text in hostile()) {
            let mut written = Vec::new();
            write_json(&mut written, &text).unwrap();
            let written = String::from_utf8(written).unwrap();
            prop_assert!(is_harmless(&written), "{written:?}");
            prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
        }
    }

    /// Proves what people see of the usual tricks.
    #[test]
    fn tricks_are_shown() {
        assert_eq!(line("\x1b[31mred\x1b[0m\r\nnext"), "\u{241b}[31mred\u{241b}[0m  next");
        assert_eq!(line("abc\u{202e}cba"), "abc\u{fffd}cba");
        assert_eq!(cell("=HYPERLINK(\"x\")"), "'=HYPERLINK(\"x\")");
        assert_eq!(cell("\t@SUM(A1)"), "'@SUM(A1)");
        assert_eq!(cell("-1 +cmd"), "'-1 +cmd");
        assert_eq!(fenced("diff", "+ ```\n-\x1b[2J"), "````diff\n+ ```\n-\u{241b}[2J\n````\n");
        for plain in ["-", "-0.5", "+7", "-24.1 %", "-3 ms", "gpt-4o", "a=b", ""] {
            assert_eq!(cell(plain), plain);
        }
        assert_eq!(markdown("get_order _x_"), "get_order \\_x\\_");
        assert_eq!(markdown("[a](https://x) \\| <b>"), "\\[a\\](https\\://x) \\\\\\| \\<b\\>");
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut(&"é".repeat(5_000_000), 3), "ééé\u{2026} (+4999997)");
    }
}

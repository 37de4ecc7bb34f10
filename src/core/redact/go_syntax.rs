//! From Go's regular expressions (RE2, what gitleaks compiles) to those of the regex crate.
//!
//! | Go | here |
//! |---|---|
//! | `\w \d \s \b` are ASCII | spelled out, so the automata stay small |
//! | `{` that starts no repetition is a brace | `\{` |
//! | `[` inside a class is a bracket; `&&`, `~~` and `--` are nothing special | escaped |
//! | `\<` and `\>` are characters | `<`, `>` |
//! | `\Q...\E` is literal | escaped |
//!
//! Everything else the two write alike. What neither knows (look-around, back-references) stays an error of the crate.

use std::iter::Peekable;
use std::str::Chars;

/// The pattern as the regex crate reads it.
pub(super) fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + pattern.len() / 4);
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => escape(&mut rest, &mut out, false),
            '[' => class(&mut rest, &mut out),
            '{' if !is_repetition(&rest) => out.push_str(r"\{"),
            _ => out.push(c),
        }
    }
    out
}

/// What follows a backslash, inside a class or out of one.
fn escape(rest: &mut Peekable<Chars<'_>>, out: &mut String, in_class: bool) {
    let Some(c) = rest.next() else { return out.push('\\') };
    let ascii = match c {
        'w' => Some("0-9A-Za-z_"),
        'd' => Some("0-9"),
        's' => Some(r"\t\n\f\r "),
        _ => None,
    };
    let negated = match c {
        'W' => Some("[^0-9A-Za-z_]"),
        'D' => Some("[^0-9]"),
        'S' => Some(r"[^\t\n\f\r ]"),
        _ => None,
    };
    match (ascii, negated, c) {
        (Some(set), ..) if in_class => out.push_str(set),
        (Some(set), ..) => out.extend(["[", set, "]"]),
        (_, Some(set), _) => out.push_str(set),
        (_, _, 'b') if !in_class => out.push_str(r"(?-u:\b)"),
        (_, _, '<' | '>') => out.push(c),
        (_, _, 'Q') if !in_class => out.push_str(&regex::escape(&quoted(rest))),
        _ => out.extend(['\\', c]),
    }
}

/// The text up to `\E`.
fn quoted(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut text = String::new();
    while let Some(c) = rest.next() {
        if c == '\\' && rest.next_if_eq(&'E').is_some() {
            break;
        }
        text.push(c);
    }
    text
}

/// A class, its opening bracket read already.
fn class(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.push('[');
    if rest.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    if rest.next_if_eq(&']').is_some() {
        out.push_str(r"\]");
    }
    let mut last = '\0';
    while let Some(c) = rest.next() {
        match c {
            ']' => return out.push(']'),
            '\\' => escape(rest, out, true),
            '[' if rest.peek() == Some(&':') => named(rest, out),
            '[' | '&' | '~' => out.extend(['\\', c]),
            '-' if last == '-' => out.push_str(r"\-"),
            _ => out.push(c),
        }
        last = c;
    }
}

/// `[:alpha:]`, its opening bracket read already.
fn named(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.push('[');
    for c in rest.by_ref() {
        out.push(c);
        if c == ']' {
            return;
        }
    }
}

/// Whether `{` starts `{n}`, `{n,}` or `{n,m}`.
fn is_repetition(rest: &Peekable<Chars<'_>>) -> bool {
    let inside: String = rest.clone().take_while(|c| *c != '}').take(12).collect();
    let closed = rest.clone().any(|c| c == '}');
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (least, most) = inside.split_once(',').unwrap_or((&inside, ""));
    closed && !least.is_empty() && number(least) && number(most)
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    /// Proves each row of the table on what a pattern matches and what it does not.
    #[test]
    fn goes_meaning_is_kept() {
        for (pattern, matches, others) in [
            (r"^\w+$", &["a_1"][..], &["\u{e9}", "a b"][..]),
            (r"^[\w.-]{2,}$", &["a-.", "9_"], &["\u{661}\u{661}", "a"]),
            (r"^\d{2}$", &["42"], &["\u{661}\u{661}"]),
            (r"^[^\s]+$", &["a\u{a0}b"], &["a b"]),
            (r"^[\W]$", &["-", "\u{e9}"], &["a"]),
            (r"^\D\S\W$", &["ab-"], &["1b-", "a -", "abc"]),
            (r"\bkey\b", &["a key.", "\u{e9}key"], &["keys"]),
            (r"^\${(?:[A-Z_]+)}$", &["${HOME}"], &["HOME"]),
            (r"^\$(?:\d+|{\d+})$", &["$1", "${1}"], &["$x"]),
            (r"^\{\{[ \t]*[\w ().|]+[ \t]*}}$", &["{{ a.b }}"], &["{ a }"]),
            (r"^a{2}b{1,}c{0,1}{x$", &["aabbc{x"], &["abc{x"]),
            (r"^[[a]+$", &["[a"], &["b"]),
            (r"^[a&&b]+$", &["a&b"], &["c"]),
            (r"^[]x]+$", &["]x"], &["y"]),
            (r"^[^]x]$", &["y"], &["]"]),
            (r"^[+--]+$", &["+,-"], &["."]),
            (r"^[[:digit:]a]+$", &["1a"], &["b"]),
            (r#"^\<b\>\"\'\/\-$"#, &["<b>\"'/-"], &["b"]),
            (r"^\Qa.b[\E+$", &["a.b[[", "a.b["], &["axb["]),
            (r"(?i)^(?P<name>K)$", &["k"], &["l"]),
        ] {
            let regex = Regex::new(&translate(pattern)).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            matches.iter().for_each(|text| assert!(regex.is_match(text), "{pattern} on {text}"));
            others.iter().for_each(|text| assert!(!regex.is_match(text), "{pattern} on {text}"));
        }
        assert!(Regex::new(&translate("(?=x)")).is_err() && Regex::new(&translate("(open")).is_err());
        assert_eq!(translate("a\\"), "a\\");
    }
}

//! Personal data, under the names of Microsoft Presidio's entities. Conservative: a pattern, a look at what stands
//! before and after, and a checksum where there is one, so that ids, versions and times stay readable.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::check::luhn;
use super::iban;

/// One kind of personal data.
pub(super) struct Kind {
    /// Presidio's name.
    pub(super) entity: &'static str,
    /// Where in a text to look for candidates.
    pub(super) reach: Reach,
    /// Whether such a part can hold one at all; cheaper than the pattern.
    pub(super) fits: fn(&str) -> bool,
    /// Candidates.
    pub(super) pattern: &'static str,
    /// The part of a candidate to take out, if it is one: the whole text and where the candidate stands.
    pub(super) check: fn(&str, Range<usize>) -> Option<Range<usize>>,
}

/// The parts of a text that can hold a kind. Most text has none of them, which is what makes clean text cheap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Everything, when there is an `@`.
    At,
    /// Runs of digits and what people write between them.
    Numbers,
    /// Runs of capitals, digits and spaces.
    Capitals,
    /// Runs of hex digits and colons.
    Colons,
}

impl Reach {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [Self::At, Self::Numbers, Self::Capitals, Self::Colons];

    /// The parts of `text` to look at.
    pub(super) fn parts(self, text: &str, shape: &Shape) -> Vec<Range<usize>> {
        match self {
            Self::At if shape.ats > 0 && shape.dots > 0 => [Range { start: 0, end: text.len() }].into(),
            Self::Numbers if shape.digits >= 4 => {
                let class = |byte: u8| byte.is_ascii_digit() || matches!(byte, b' ' | b'.' | b'-' | b'(' | b')' | b'+');
                runs(text, 7, class, |run| digits(run) >= 4)
            }
            Self::Capitals if shape.digits >= 8 => {
                let class = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_uppercase() || byte == b' ';
                runs(text, 15, class, |run| digits(run) >= 8)
            }
            Self::Colons if shape.colons >= 2 && shape.digits > 0 => {
                let class = |byte: u8| byte.is_ascii_hexdigit() || byte == b':';
                runs(text, 7, class, |run| count(run, b':') >= 2 && digits(run) >= 1)
            }
            _ => Vec::new(),
        }
    }
}

/// The runs of at least `shortest` bytes of a class (of ASCII) that `keep` wants. Looks at every `shortest`th byte
/// only: a run that long can't pass between two of them.
fn runs(text: &str, shortest: usize, class: impl Fn(u8) -> bool, keep: impl Fn(&str) -> bool) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut kept = Vec::new();
    let mut at = 0;
    while let Some(probe) = bytes.get(at + shortest - 1) {
        let probed = at + shortest;
        if !class(*probe) {
            at = probed;
            continue;
        }
        let before = bytes[at..probed].iter().rev().take_while(|byte| class(**byte)).count();
        let after = bytes[probed..].iter().take_while(|byte| class(**byte)).count();
        let run = probed - before..probed + after;
        at = run.end;
        if run.len() >= shortest && keep(&text[run.clone()]) {
            kept.push(run);
        }
    }
    kept
}

fn digits(text: &str) -> usize {
    tally(text, |byte| byte.is_ascii_digit())
}

fn count(text: &str, wanted: u8) -> usize {
    tally(text, |byte| byte == wanted)
}

/// Counts in bytes, chunk by chunk, which the compiler turns into vector code.
fn tally(text: &str, is: impl Fn(u8) -> bool) -> usize {
    let chunks = text.as_bytes().chunks(usize::from(u8::MAX));
    chunks.map(|chunk| usize::from(chunk.iter().fold(0_u8, |count, byte| count + u8::from(is(*byte))))).sum()
}

/// What one cheap pass over a text tells.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape {
    pub(super) digits: usize,
    pub(super) ats: usize,
    pub(super) dots: usize,
    pub(super) colons: usize,
    pub(super) backslashes: usize,
}

impl Shape {
    pub(super) fn of(text: &str) -> Self {
        Self {
            digits: digits(text),
            ats: count(text, b'@'),
            dots: count(text, b'.'),
            colons: count(text, b':'),
            backslashes: count(text, b'\\'),
        }
    }
}

/// Every kind. Where two catch the same text, the earlier row names it.
pub(super) const KINDS: &[Kind] = &[
    Kind {
        entity: "EMAIL_ADDRESS",
        reach: Reach::At,
        fits: |_| true,
        pattern: r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,5}\.[A-Za-z]{2,24}\b",
        check: email,
    },
    Kind {
        entity: "IBAN_CODE",
        reach: Reach::Capitals,
        fits: |_| true,
        pattern: r"\b[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4}",
        check: iban::find,
    },
    Kind {
        entity: "CREDIT_CARD",
        reach: Reach::Numbers,
        fits: |part| digits(part) >= 14,
        pattern: r"[2-6][0-9]{3}(?:[0-9]{10,12}|[0-9]{15}|([ -])[0-9]{4}[ -][0-9]{4}[ -][0-9]{4}|[ -][0-9]{6}[ -][0-9]{4,5})",
        check: card,
    },
    Kind {
        entity: "US_SSN",
        reach: Reach::Numbers,
        fits: |part| count(part, b'-') >= 2 && digits(part) >= 9,
        pattern: r"[0-8][0-9]{2}-[0-9]{2}-[0-9]{4}",
        check: ssn,
    },
    Kind {
        entity: "US_ITIN",
        reach: Reach::Numbers,
        fits: |part| count(part, b'-') >= 2 && digits(part) >= 9,
        pattern: r"9[0-9]{2}-(?:5[0-9]|6[0-5]|7[0-9]|8[0-8]|9[0-24-9])-[0-9]{4}",
        check: alone,
    },
    Kind {
        entity: "PHONE_NUMBER",
        reach: Reach::Numbers,
        fits: |part| {
            part.contains(['+', '(']) && digits(part) >= 8
                || count(part, b'-').max(count(part, b'.')) >= 2 && digits(part) >= 10
        },
        pattern: r"\+[1-9](?:[ .-]?\(?[0-9]{1,4}\)?){2,7}|\([2-9][0-9]{2}\) ?[2-9][0-9]{2}[ -][0-9]{4}|[2-9][0-9]{2}([.-])[2-9][0-9]{2}[.-][0-9]{4}",
        check: phone,
    },
    Kind {
        entity: "IP_ADDRESS",
        reach: Reach::Numbers,
        fits: |part| count(part, b'.') >= 3,
        pattern: r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}",
        check: ipv4,
    },
    Kind {
        entity: "MAC_ADDRESS",
        reach: Reach::Colons,
        fits: |part| count(part, b':') >= 5,
        pattern: r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}",
        check: mac,
    },
    Kind {
        entity: "IP_ADDRESS",
        reach: Reach::Colons,
        fits: |_| true,
        pattern: r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}",
        check: ipv6,
    },
];

fn email(text: &str, at: Range<usize>) -> Option<Range<usize>> {
    let (local, domain) = text[at.clone()].split_once('@')?;
    let versioned = domain.split('.').next().is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    // `package@1.0.0-beta.x` and `git@host:path` are no people.
    (!versioned && local != "git" && !local.ends_with('.')).then_some(at)
}

fn card(text: &str, at: Range<usize>) -> Option<Range<usize>> {
    let found = &text[at.clone()];
    let digits: String = found.chars().filter(char::is_ascii_digit).collect();
    let issuer = matches!(
        (digits.get(..2)?.parse::<u32>().ok()?, digits.len()),
        (40..=49, 16 | 19) | (51..=55 | 22..=27 | 60 | 64 | 65 | 35, 16) | (34 | 37, 15) | (30 | 36 | 38, 14)
    );
    let alone = !joined_before(text, at.start) && !joined_after(text, at.end);
    (issuer && alone && luhn(&digits)).then_some(at)
}

fn ssn(text: &str, at: Range<usize>) -> Option<Range<usize>> {
    let found = &text[at.clone()];
    let possible = !matches!(&found[..3], "000" | "666") && &found[4..6] != "00" && &found[7..] != "0000";
    (possible && !joined_before(text, at.start) && !joined_after(text, at.end)).then_some(at)
}

fn alone(text: &str, at: Range<usize>) -> Option<Range<usize>> {
    (!joined_before(text, at.start) && !joined_after(text, at.end)).then_some(at)
}

/// Six bytes and no more: digests and fingerprints are written the same way and are longer.
fn mac(text: &str, at: Range<usize>) -> Option<Range<usize>> {
    let longer = text[..at.start].ends_with(':') || text[at.end..].starts_with(':');
    let anybodys = matches!(&text[at.clone()], "00:00:00:00:00:00" | "ff:ff:ff:ff:ff:ff" | "FF:FF:FF:FF:FF:FF");
    alone(text, at).filter(|_| !longer && !anybodys)
}

fn phone(text: &str, at: Range<usize>) -> Option<Range<usize>> {
    let found = &text[at.clone()];
    let digits = digits(found);
    let balanced = found.matches('(').count() == found.matches(')').count();
    let fits = if found.starts_with('+') { (8..=15).contains(&digits) && balanced } else { digits == 10 };
    (fits && !joined_before(text, at.start) && !joined_after(text, at.end)).then_some(at)
}

fn ipv4(text: &str, at: Range<usize>) -> Option<Range<usize>> {
    let address: Ipv4Addr = text[at.clone()].parse().ok()?;
    let before = text[..at.start].trim_end_matches([' ', ':', '=', '"']);
    let version = ["v", "version", "ver", "release", "build"].iter().any(|word| ends_with_word(before, word));
    let alone = !joined_before(text, at.start) && !joined_after(text, at.end);
    // Addresses that every machine has say nothing about anybody.
    (alone && !version && !address.is_loopback() && !address.is_unspecified()).then_some(at)
}

fn ipv6(text: &str, at: Range<usize>) -> Option<Range<usize>> {
    let found = &text[at.clone()];
    let address: Ipv6Addr = found.parse().ok()?;
    let hex = found.bytes().filter(u8::is_ascii_hexdigit).count();
    let digit = found.bytes().any(|byte| byte.is_ascii_digit());
    let alone = !joined_before(text, at.start) && !joined_after(text, at.end) && !text[at.end..].starts_with(':');
    // `a::b` is a path in many languages; an address has a digit and more than four hex digits.
    (alone && digit && hex > 4 && !address.is_loopback() && !text[..at.start].ends_with(':')).then_some(at)
}

fn ends_with_word(text: &str, word: &str) -> bool {
    let Some(start) = text.len().checked_sub(word.len()) else { return false };
    text.get(start..).is_some_and(|end| end.eq_ignore_ascii_case(word))
        && !text[..start].ends_with(|c: char| c.is_alphanumeric())
}

/// Whether what ends at `at` goes on into it: a letter, a digit, or a joiner as in `1.2` and `a-1`.
fn joined_before(text: &str, at: usize) -> bool {
    text[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '#' | '$' | '+'))
}

/// Whether what starts at `at` goes on from before it. A dot or dash counts only with a letter or digit behind it.
fn joined_after(text: &str, at: usize) -> bool {
    let mut rest = text[at..].chars();
    match rest.next() {
        Some('.' | '-') => rest.next().is_some_and(char::is_alphanumeric),
        _ => word_after(text, at),
    }
}

pub(super) fn word_after(text: &str, at: usize) -> bool {
    text[at..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Proves that looking at every nth byte finds the same runs as looking at all of them.
        #[test]
        fn strides_miss_no_run(text in "[a1.]{0,60}", shortest in 1_usize..9) {
            let mut plain = Vec::new();
            let mut start = 0;
            for piece in text.split('a') {
                if piece.len() >= shortest {
                    plain.push(start..start + piece.len());
                }
                start += piece.len() + 1;
            }
            prop_assert_eq!(runs(&text, shortest, |byte| byte != b'a', |_| true), plain);
        }
    }
}

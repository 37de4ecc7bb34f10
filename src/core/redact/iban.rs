//! International bank account numbers (ISO 13616), with or without spaces after every fourth character.

use std::ops::Range;

use super::check::mod97;
use super::personal::word_after;

/// Lengths of IBANs by country (SWIFT IBAN registry).
const IBAN_LENGTHS: &[(&str, usize)] = &[
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BR", 29),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MT", 31),
    ("MU", 30),
    ("NL", 18),
    ("NO", 15),
    ("PK", 24),
    ("PL", 28),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("SA", 24),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VG", 24),
    ("XK", 20),
];

/// The IBAN that starts where the candidate does, if there is one: known country, its length, right check digits.
pub(super) fn find(text: &str, at: Range<usize>) -> Option<Range<usize>> {
    let country = text.get(at.start..at.start + 2)?;
    let (_, length) = IBAN_LENGTHS.iter().find(|(code, _)| *code == country)?;
    let mut plain = String::with_capacity(*length);
    let mut end = at.start;
    for (index, c) in text[at.start..].char_indices() {
        match c {
            'A'..='Z' | '0'..='9' => plain.push(c),
            ' ' if !plain.len().is_multiple_of(4) || text[at.start + index..].starts_with("  ") => return None,
            ' ' => continue,
            _ => return None,
        }
        if plain.len() == *length {
            end = at.start + index + 1;
            break;
        }
    }
    (plain.len() == *length && !word_after(text, end) && mod97(&plain)).then_some(at.start..end)
}

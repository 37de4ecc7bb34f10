//! What is found in one text and where.

use std::borrow::Cow;
use std::ops::Range;

use super::gitleaks::Caught;
use super::keys::Under;
use super::personal::{self, Reach, Shape};
use super::secret::Secret;
use super::{BLOCKED_KEY, BLOCKED_VALUE, Redactor};

/// A key and its value in JSON that is cut off or inside other text.
pub(super) const LOOSE_PAIR: &str = r#""\s?([0-9A-Za-z_.-]{1,64})\s?"\s{0,3}:\s{0,3}"\s?([^"]*[^"\s])|'([0-9A-Za-z_.-]{1,64})'\s{0,3}:\s{0,3}'([^']*[^'\s])"#;

/// An entity and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding<'r> {
    pub(super) entity: &'r str,
    pub(super) range: Range<usize>,
    /// Found by a pattern of the user's, which may reach over what stands there as a placeholder already.
    pub(super) is_users: bool,
}

impl<'r> Finding<'r> {
    fn ours(entity: &'r str, range: Range<usize>) -> Self {
        Self { entity, range, is_users: false }
    }
}

impl Redactor {
    /// What is found, the user's own rules first; findings may overlap.
    pub(super) fn findings(&self, text: &str) -> Vec<Finding<'_>> {
        let shape = Shape::of(text);
        let plain = plain(text, &shape);
        let mut found = self.secrets_in(&plain, |_| true);
        for reach in Reach::ALL {
            self.personal_in(&plain, &shape, reach, &mut found);
        }
        if shape.colons > 0 {
            found.extend(self.loose_pairs_in(&plain));
        }
        self.blocked_values_in(&plain, &mut found);
        found
    }

    pub(super) fn blocked_values_in<'r>(&'r self, text: &str, found: &mut Vec<Finding<'r>>) {
        for pattern in &self.blocked_values {
            let all = pattern.find_iter(text);
            found.extend(all.map(|one| Finding { entity: BLOCKED_VALUE, range: one.range(), is_users: true }));
        }
    }

    pub(super) fn secrets_in(&self, text: &str, wants: fn(&Secret) -> bool) -> Vec<Finding<'_>> {
        let mut has_keyword = vec![false; self.secrets.len()];
        for hit in self.keywords.find_overlapping_iter(text) {
            has_keyword[self.keyword_secrets[hit.pattern().as_usize()]] = true;
        }
        let mut found = Vec::new();
        for (secret, has_keyword) in self.secrets.iter().zip(has_keyword) {
            if !(has_keyword || secret.keywords.is_empty()) || !wants(secret) {
                continue;
            }
            for groups in secret.pattern.get().captures_iter(text) {
                let Some((caught, whole)) = secret.group(&groups).zip(groups.get(0)) else { continue };
                if secret.is_one(&Caught { secret: caught.as_str(), whole, text }) {
                    let (entity, is_users) = (&*secret.entity, secret.is_users);
                    found.push(Finding { entity, range: caught.range(), is_users });
                }
            }
        }
        found
    }

    pub(super) fn personal_in<'r>(&'r self, text: &str, shape: &Shape, reach: Reach, found: &mut Vec<Finding<'r>>) {
        for part in reach.parts(text, shape) {
            let inside = &text[part.clone()];
            let kinds = personal::KINDS.iter().zip(&self.personal);
            for (kind, pattern) in kinds.filter(|(kind, _)| kind.reach == reach && (kind.fits)(inside)) {
                let candidates = pattern.get().find_iter(inside);
                let candidates = candidates.map(|one| part.start + one.start()..part.start + one.end());
                let real = candidates.filter_map(|range| (kind.check)(text, range));
                found.extend(real.map(|range| Finding::ours(kind.entity, range)));
            }
        }
    }

    fn loose_pairs_in(&self, text: &str) -> Vec<Finding<'_>> {
        let pairs = self
            .loose_pair
            .get()
            .captures_iter(text)
            .filter_map(|groups| Some((groups.get(1).or(groups.get(3))?, groups.get(2).or(groups.get(4))?)));
        pairs
            .filter(|(key, _)| self.keys.of(key.as_str()) == Under::Blocked)
            .map(|(_, value)| Finding::ours(BLOCKED_KEY, value.range()))
            .collect()
    }
}

/// The text with `\u0040` and the like as the characters they stand for, however many backslashes nesting left before
/// them. For JSON that is cut off: what is whole is decoded string by string.
pub(super) fn unescaped(text: &str) -> Cow<'_, str> {
    const ESCAPE: &str = "\\u00";
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(ESCAPE) {
        let hex = rest.get(at + 4..at + 6).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match hex.filter(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')) {
            Some(byte) => {
                out.push_str(rest[..at].trim_end_matches('\\'));
                out.push(char::from(byte));
                rest = &rest[at + 6..];
            }
            None => {
                out.push_str(&rest[..at + 4]);
                rest = &rest[at + 4..];
            }
        }
    }
    if out.is_empty() { text.into() } else { (out + rest).into() }
}

/// The text as it is searched.
pub(super) fn plain<'a>(text: &'a str, shape: &Shape) -> Cow<'a, str> {
    if shape.backslashes > 0 { Cow::Owned(without_escapes(text)) } else { Cow::Borrowed(text) }
}

/// The text with backslash escapes blanked, byte for byte as long, so that `\nAKIA...` starts a word.
fn without_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match (c, rest.peek()) {
            ('\\', Some('n' | 'r' | 't' | 'b' | 'f' | '/' | '\\')) => {
                rest.next();
                out.push_str("  ");
            }
            ('\\', _) => out.push(' '),
            (c, _) => out.push(c),
        }
    }
    out
}

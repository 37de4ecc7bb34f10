//! The walk over JSON: every string of every depth, JSON inside strings too, so that tool arguments and results of
//! every role are covered. Edits in place: what is not taken out keeps its bytes, its order and its spacing.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::keys::Under;
use super::{BLOCKED_KEY, Counts, Redactor};

/// JSON in a string in JSON is followed this deep; deeper text is redacted as text.
pub(super) const NESTING_MAX: usize = 8;

/// Whether `text` is one JSON object, array or string.
pub(super) fn is_document(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[', '"']) && serde_json::from_str::<&RawValue>(text).is_ok()
}

/// Redacts a valid JSON document. `None` when nothing was found.
pub(super) fn redact(redactor: &Redactor, text: &str, depth: usize, counts: &mut Counts) -> Option<String> {
    Walk {
        redactor,
        text,
        depth,
        counts,
        out: String::new(),
        copied: 0,
        under: vec![Under::Plain],
        pending: Under::Plain,
    }
    .run()
}

struct Walk<'a> {
    redactor: &'a Redactor,
    text: &'a str,
    depth: usize,
    counts: &'a mut Counts,
    out: String,
    /// Bytes of `text` that are in `out` already.
    copied: usize,
    /// What the keys say of each open container.
    under: Vec<Under>,
    /// What they say of the next value.
    pending: Under,
}

impl Walk<'_> {
    fn run(mut self) -> Option<String> {
        let bytes = self.text.as_bytes();
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'"' => {
                    let end = string_end(bytes, at);
                    self.string(at, end);
                    at = end;
                    continue;
                }
                b'{' | b'[' => self.under.push(self.pending),
                b'}' | b']' => {
                    self.under.pop();
                    self.pending = self.inherited();
                }
                b',' => self.pending = self.inherited(),
                b'0'..=b'9' | b'-' => {
                    let length = bytes[at..].iter().take_while(|byte| is_number(**byte)).count();
                    self.number(at, at + length);
                    at += length;
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
        (self.copied > 0).then(|| self.out + &self.text[self.copied..])
    }

    fn inherited(&self) -> Under {
        self.under.last().copied().unwrap_or(Under::Plain)
    }

    fn string(&mut self, start: usize, end: usize) {
        let Some(value) = decode(&self.text[start..end]) else { return };
        if self.text[end..].trim_start().starts_with(':') {
            return self.key(start, end, &value);
        }
        match self.pending {
            Under::Ignored => {}
            Under::Plain => self.clean(start, end, &value),
            Under::Blocked => self.block(start, end, &value),
        }
    }

    /// What a container's own key said counts for all that is inside.
    fn key(&mut self, start: usize, end: usize, key: &str) {
        let inherited = self.inherited();
        if inherited == Under::Plain {
            self.pending = self.redactor.keys.of(key);
        }
        if inherited != Under::Ignored {
            self.clean(start, end, key);
        }
    }

    fn clean(&mut self, start: usize, end: usize, value: &str) {
        if let Some(text) = self.redactor.redact_at(value, self.depth + 1, self.counts) {
            self.put(start, end, &text);
        }
    }

    /// Numbers hold cards and phone numbers too; short ones can't, and only the user's own patterns know them.
    fn number(&mut self, start: usize, end: usize) {
        let text = self.text;
        let number = &text[start..end];
        let can_hold_any = number.len() >= 12 || !self.redactor.blocked_values.is_empty();
        match self.pending {
            Under::Blocked => self.block(start, end, number),
            Under::Plain if can_hold_any && self.redactor.redact_all_types => {
                if let Some(redacted) = self.redactor.redact_at(number, NESTING_MAX, self.counts) {
                    self.put(start, end, &redacted);
                }
            }
            Under::Plain | Under::Ignored => {}
        }
    }

    fn block(&mut self, start: usize, end: usize, value: &str) {
        if !value.is_empty() && !self.redactor.is_done(value) && !self.redactor.is_allowed(value) {
            self.counts.add(BLOCKED_KEY);
            self.put(start, end, &self.redactor.placeholder(BLOCKED_KEY, value));
        }
    }

    fn put(&mut self, start: usize, end: usize, text: &str) {
        self.out.push_str(&self.text[self.copied..start]);
        self.out.push_str(&serde_json::Value::from(text).to_string());
        self.copied = end;
    }
}

/// The text of a JSON string in its quotes, borrowed where it has no escapes.
fn decode(quoted: &str) -> Option<Cow<'_, str>> {
    if quoted.contains('\\') {
        return serde_json::from_str(quoted).ok().map(Cow::Owned);
    }
    quoted.strip_prefix('"')?.strip_suffix('"').map(Cow::Borrowed)
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn is_number(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E')
}

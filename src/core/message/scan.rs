//! Where JSON values end: the structure of a text without its content.
//!
//! Strings are jumped over from quote to quote, brackets are counted, so that a level of a long text costs little more
//! than finding its quotes. Deliberately no validation of what is skipped: a value that is looked into is scanned
//! again, and what is wrong with it is its own.

use memchr::memchr2;

/// A place in a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Behind the first byte of a text, which opened a container.
    pub(super) fn inside(text: &'a str) -> Self {
        Self { text, at: 1 }
    }

    /// The next byte that is not white space (RFC 8259, section 2), which stays.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        self.at += rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.text.as_bytes().get(self.at).copied()
    }

    /// Passes `wanted`, if that is next.
    pub(super) fn pass(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    /// The text of the next value, passed; `None` when there is none that ends.
    pub(super) fn value(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        let end = match self.peek()? {
            b'"' => string_end(bytes, self.at),
            b'{' | b'[' => container_end(bytes, self.at),
            _ => word_end(bytes, self.at),
        }?;
        let value = self.text.get(self.at..end)?;
        self.at = end;
        Some(value)
    }
}

/// Whether containers lie in each other deeper than `max`. Whoever looks into one value after the other recurses as
/// deep as the text goes.
pub(super) fn is_deeper_than(text: &str, max: usize) -> bool {
    let (bytes, mut at, mut depth) = (text.as_bytes(), 0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => match string_end(bytes, at) {
                Some(end) => {
                    at = end;
                    continue;
                }
                None => return false,
            },
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > max {
            return true;
        }
        at += 1;
    }
    false
}

/// Behind the closing quote of the string that opens at `at`.
fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut from = at + 1;
    loop {
        let found = from + memchr2(b'"', b'\\', bytes.get(from..)?)?;
        if bytes[found] == b'"' {
            return Some(found + 1);
        }
        from = found + 2;
    }
}

/// Behind the bracket that closes the one at `at`.
fn container_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        match bytes.get(at)? {
            b'"' => {
                at = string_end(bytes, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

/// Behind a number or a literal.
fn word_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)).count();
    let word = &rest[..length];
    let is_number = word.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-');
    (is_number || matches!(word, b"true" | b"false" | b"null")).then_some(at + length)
}

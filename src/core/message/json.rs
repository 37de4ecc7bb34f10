//! JSON looked into lazily: one level at a time, the rest skipped over as raw text.
//!
//! Content attributes are long and little of them is needed, and SDKs cut them in the middle
//! (`OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT`): what stands before the first malformed place is still read.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, Visitor};

use super::scan::{self, Cursor};
use crate::core::dialect::Scalar;
use crate::otlp::Value;

/// One JSON text, not parsed yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json<'a>(&'a str);

/// A level with more entries than this is not one of messages, parts or documents.
const ENTRIES_MAX: usize = 4096;
/// Containers in each other.
const DEPTH_MAX: usize = 64;

impl<'a> Json<'a> {
    /// A text that came from outside. One that is nested deeper than [`DEPTH_MAX`] says nothing.
    pub(crate) fn new(text: &'a str) -> Self {
        let text = text.trim_ascii_start();
        let nested = text.starts_with(['[', '{']);
        Self(if nested && scan::is_deeper_than(text, DEPTH_MAX) { "" } else { text })
    }

    /// The text itself.
    pub(crate) fn raw(self) -> &'a str {
        self.0
    }

    pub(crate) fn is_array(self) -> bool {
        self.0.starts_with('[')
    }

    pub(crate) fn is_object(self) -> bool {
        self.0.starts_with('{')
    }

    /// Whether this is no JSON at all but what somebody said, which may begin with a bracket: `[1] says ...`.
    pub(crate) fn is_prose(self) -> bool {
        let mut rest = self.0.chars().filter(|it| !it.is_ascii_whitespace());
        match (rest.next(), rest.next()) {
            (None, _) => false,
            (Some('['), Some('{' | '[' | '"' | ']') | None) | (Some('{'), Some('"' | '}') | None) => false,
            (Some('[' | '{'), _) => self.all_items().is_none() && self.all_entries().is_none(),
            (Some('"'), _) => self.text().is_none(),
            _ => !self.is_null(),
        }
    }

    /// The items of an array, up to the first malformed one; none when it is no array.
    pub(crate) fn items(self) -> Vec<Self> {
        self.read_items().0
    }

    /// The entries of an object, up to the first malformed one; none when it is no object.
    pub(crate) fn entries(self) -> Vec<(Cow<'a, str>, Self)> {
        self.read_entries().0
    }

    /// The items of an array that is there to its end.
    pub(crate) fn all_items(self) -> Option<Vec<Self>> {
        let (items, whole) = self.read_items();
        whole.then_some(items)
    }

    /// The entries of an object that is there to its end.
    pub(crate) fn all_entries(self) -> Option<Vec<(Cow<'a, str>, Self)>> {
        let (entries, whole) = self.read_entries();
        whole.then_some(entries)
    }

    fn read_items(self) -> (Vec<Self>, bool) {
        let mut items = Vec::new();
        let whole = self.is_array()
            && walk(self.0, b']', |cursor| {
                items.push(Json(cursor.value().filter(|_| items.len() < ENTRIES_MAX)?));
                Some(())
            });
        (items, whole)
    }

    fn read_entries(self) -> (Vec<(Cow<'a, str>, Self)>, bool) {
        let mut entries = Vec::new();
        let whole = self.is_object()
            && walk(self.0, b'}', |cursor| {
                entries.push(entry(cursor).filter(|_| entries.len() < ENTRIES_MAX)?);
                Some(())
            });
        (entries, whole)
    }

    /// The value of the first entry, if it has this key; costs nothing more.
    pub(crate) fn first(self, key: &str) -> Option<Self> {
        let mut cursor = Cursor::inside(Some(self.0).filter(|_| self.is_object())?);
        entry(&mut cursor).filter(|(found, _)| found == key).map(|(_, value)| value)
    }

    /// The value under `key` that is not null.
    pub(crate) fn get(self, key: &str) -> Option<Self> {
        self.entries().into_iter().find(|(found, value)| found == key && !value.is_null()).map(|(_, value)| value)
    }

    pub(crate) fn is_null(self) -> bool {
        self.0.is_empty() || self.0 == "null"
    }

    /// The text of a string.
    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        let inside = self.0.strip_prefix('"')?;
        match memchr::memchr2(b'"', b'\\', inside.as_bytes()).map(|at| (at, inside.as_bytes()[at])) {
            Some((end, b'"')) if inside[end + 1..].trim_ascii_end().is_empty() => Some(Cow::Borrowed(&inside[..end])),
            Some((_, b'\\')) => unescaped(self.0).map(Cow::Owned),
            _ => None,
        }
    }

    /// The text of a string, else the JSON text as it stands.
    pub(crate) fn text_or_raw(self) -> Cow<'a, str> {
        self.text().unwrap_or(Cow::Borrowed(self.0))
    }

    /// A scalar; strings with escapes are not, since it borrows.
    pub(crate) fn scalar(self) -> Option<Scalar<'a>> {
        match self.0.as_bytes().first()? {
            b'"' => match self.text()? {
                Cow::Borrowed(text) if !text.is_empty() => Some(Scalar::Text(text)),
                _ => None,
            },
            b't' => Some(Scalar::Bool(true)),
            b'f' => Some(Scalar::Bool(false)),
            b'-' | b'0'..=b'9' => match self.0.parse() {
                Ok(int) => Some(Scalar::Int(int)),
                Err(_) => self.0.parse().ok().map(Scalar::Double),
            },
            _ => None,
        }
    }
}

/// A string with escapes. Half a surrogate pair, which is what is left of an emoji that was cut in two, is replaced.
fn unescaped(json: &str) -> Option<String> {
    if let Ok(text) = serde_json::from_str(json) {
        return Some(text);
    }
    /// Bytes, not text: serde_json then lets half a pair through.
    struct Lossy;
    impl Visitor<'_> for Lossy {
        type Value = String;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }
        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<String, E> {
            Ok(String::from_utf8_lossy(bytes).into_owned())
        }
    }
    serde_json::Deserializer::from_str(json).deserialize_bytes(Lossy).ok()
}

/// Reads what stands between the brackets of a container, comma by comma. Whether it came to the closing one.
fn walk<'a>(text: &'a str, close: u8, mut read: impl FnMut(&mut Cursor<'a>) -> Option<()>) -> bool {
    let mut cursor = Cursor::inside(text);
    if cursor.pass(close) {
        return cursor.peek().is_none();
    }
    while read(&mut cursor).is_some() {
        if cursor.pass(close) {
            return cursor.peek().is_none();
        }
        if !cursor.pass(b',') {
            return false;
        }
    }
    false
}

fn entry<'a>(cursor: &mut Cursor<'a>) -> Option<(Cow<'a, str>, Json<'a>)> {
    let key = Json(cursor.value()?).text()?;
    let value = cursor.pass(b':').then(|| cursor.value()).flatten()?;
    Some((key, Json(value)))
}

/// The JSON text in an OTLP value: strings are taken as JSON, structured values are written as JSON.
pub(crate) fn of_value(value: Value<'_>) -> Option<Cow<'_, str>> {
    match value {
        Value::Str(bytes) if crate::core::dialect::is_silent(bytes) => None,
        // The lossy conversion is slow even where nothing is lost.
        Value::Str(bytes) => Some(match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(bytes),
        }),
        Value::Empty | Value::Bytes(_) => None,
        _ => Some(Cow::Owned(tree(value).to_string())),
    }
}

/// Depth is bounded by the wire format's check.
fn tree(value: Value<'_>) -> serde_json::Value {
    match value {
        Value::Empty | Value::Bytes(_) => serde_json::Value::Null,
        Value::Str(bytes) => String::from_utf8_lossy(bytes).into(),
        Value::Bool(flag) => flag.into(),
        Value::Int(int) => int.into(),
        Value::Double(double) => double.into(),
        Value::Array(items) => items.map(tree).collect(),
        Value::KvList(entries) => entries
            .map(|(key, value)| (String::from_utf8_lossy(key).into_owned(), tree(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that one level is read and that what follows a cut is all that is lost.
    #[test]
    fn reads_a_level_up_to_the_cut() {
        let whole = r#"[{"role":"user","parts":[1,2]},{"role":"a\"b"}]"#;
        let items = Json::new(whole).items();
        assert_eq!(items.len(), 2);
        let first = items[0].raw().len();
        assert_eq!(items[0].get("role").and_then(Json::text).as_deref(), Some("user"));
        assert_eq!(items[0].get("parts").map(Json::items).map(|it| it.len()), Some(2));
        assert_eq!(items[1].get("role").and_then(Json::text).as_deref(), Some("a\"b"));
        for cut in 0..whole.len() {
            let read = usize::from(cut > first) + usize::from(cut == whole.len() - 1);
            assert_eq!(Json::new(&whole[..cut]).items().len(), read, "{cut}");
        }
    }

    /// Proves that nothing but the level asked for is taken for one, and that nesting costs no stack.
    #[test]
    fn other_shapes_have_no_level() {
        for text in ["", "null", "7", "\"[1]\"", "{'a': 1}", "nonsense"] {
            assert!(Json::new(text).items().is_empty() && Json::new(text).entries().is_empty(), "{text}");
        }
        let bomb = "[".repeat(200_000);
        assert!(Json::new(&bomb).items().is_empty());
    }

    /// Proves that scalars keep their type.
    #[test]
    fn scalars_keep_their_type() {
        assert_eq!(Json::new("1").scalar(), Some(Scalar::Int(1)));
        assert_eq!(Json::new("0.5").scalar(), Some(Scalar::Double(0.5)));
        assert_eq!(Json::new("\"x\"").scalar(), Some(Scalar::Text("x")));
        assert_eq!(Json::new("true").scalar(), Some(Scalar::Bool(true)));
        assert_eq!(Json::new("null").scalar(), None);
    }
}

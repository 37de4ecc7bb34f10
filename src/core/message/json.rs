//! JSON looked into lazily: one level at a time, the rest skipped over as raw text.
//!
//! Content attributes are long and little of them is needed, and SDKs cut them in the middle
//! (`OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT`): what stands before the first malformed place is still read.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::core::dialect::Scalar;
use crate::otlp::Value;

/// One JSON text, not parsed yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json<'a>(&'a str);

/// A level with more entries than this is not one of messages, parts or documents.
const ENTRIES_MAX: usize = 4096;

impl<'a> Json<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self(text.trim_ascii_start())
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

    /// The items of an array, up to the first malformed one; none when it is no array.
    pub(crate) fn items(self) -> Vec<Self> {
        let mut items = Vec::new();
        if self.is_array() {
            self.walk(Level::Items(&mut items));
        }
        items
    }

    /// The entries of an object, up to the first malformed one; none when it is no object.
    pub(crate) fn entries(self) -> Vec<(Cow<'a, str>, Self)> {
        let mut entries = Vec::new();
        if self.is_object() {
            self.walk(Level::Entries(&mut entries));
        }
        entries
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
        if !self.0.starts_with('"') {
            return None;
        }
        serde_json::from_str::<Text<'a>>(self.0).ok().map(|text| text.0)
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

    fn walk(self, level: Level<'_, 'a>) {
        let mut parser = serde_json::Deserializer::from_str(self.0);
        // What was read before an error stays; the error itself says nothing more.
        drop(level.deserialize(&mut parser));
    }
}

/// Where the children of one level go.
enum Level<'v, 'a> {
    Items(&'v mut Vec<Json<'a>>),
    Entries(&'v mut Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> DeserializeSeed<'a> for Level<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, parser: D) -> Result<(), D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Level<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array or an object")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self::Items(items) = self else { return Ok(()) };
        while let Some(raw) = seq.next_element::<&'a RawValue>()? {
            if items.len() < ENTRIES_MAX {
                items.push(Json(raw.get()));
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Self::Entries(entries) = self else { return map.next_entry::<IgnoredAny, IgnoredAny>().map(|_| ()) };
        while let Some(key) = map.next_key::<Text<'a>>()? {
            let raw = map.next_value::<&'a RawValue>()?;
            if entries.len() < ENTRIES_MAX {
                entries.push((key.0, Json(raw.get())));
            }
        }
        Ok(())
    }
}

/// A string, borrowed where it has no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'a> Deserialize<'a> for Text<'a> {
    fn deserialize<D: Deserializer<'a>>(parser: D) -> Result<Self, D::Error> {
        struct Borrow;
        impl<'a> Visitor<'a> for Borrow {
            type Value = Text<'a>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Text<'a>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'a>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        parser.deserialize_str(Borrow)
    }
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

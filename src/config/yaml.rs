//! YAML as a tree that knows its places, so that every later complaint can name line and column.
//!
//! Deliberately untyped: what a scalar means is decided by the field that takes it (`fields.rs`), after
//! `${env:...}` was expanded. Anchors, merge keys and the size budgets are serde-saphyr's.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A line and column of the source, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line.
    pub line: u64,
    /// Column, in characters.
    pub column: u64,
}

/// A value of the document and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) at: Place,
    pub(super) value: Value,
}

/// What YAML can say.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Flag(bool),
    /// Kept as text: a number means something only to the field that takes it.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a map and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Key {
    pub(super) at: Place,
    pub(super) name: String,
}

/// Text that is not YAML.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub(super) at: Option<Place>,
    pub(super) message: String,
}

/// Reads one document. An empty one is [`Value::Null`].
///
/// # Errors
/// The first syntax error or repeated key; the parser can't go on after it.
pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    match serde_saphyr::from_str::<Spanned<Value>>(text) {
        Ok(spanned) => Ok(node(spanned)),
        Err(error) => {
            let at = error.location().map(place);
            let message = error.without_snippet().to_string();
            let message = message.lines().next().unwrap_or("not YAML").to_owned();
            Err(SyntaxError { at, message })
        }
    }
}

impl Value {
    /// What a message calls this value. Never more than 60 characters of it.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Flag(flag) => flag.to_string(),
            Self::Number(number) => number.clone(),
            Self::Text(text) if text.is_empty() => "an empty string".to_owned(),
            Self::Text(text) if text.chars().count() > 60 => {
                format!("{:?}...", text.chars().take(57).collect::<String>())
            }
            Self::Text(text) => format!("{text:?}"),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a section".to_owned(),
        }
    }
}

fn node(spanned: Spanned<Value>) -> Node {
    Node { at: place(spanned.referenced), value: spanned.value }
}

fn place(location: serde_saphyr::Location) -> Place {
    Place { line: location.line(), column: location.column() }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scalar, a list or a section")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.to_string()))
    }

    fn visit_i128<E>(self, number: i128) -> Result<Value, E> {
        Ok(Value::Number(number.to_string()))
    }

    fn visit_u128<E>(self, number: u128) -> Result<Value, E> {
        Ok(Value::Number(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Number(number.to_string()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(node(item));
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some((key, value)) = entries.next_entry::<Spanned<Value>, _>()? {
            let at = place(key.referenced);
            let name = match key.value {
                Value::Text(name) | Value::Number(name) => name,
                Value::Flag(flag) => flag.to_string(),
                other => return Err(A::Error::custom(format!("{} can't be a key", other.describe()))),
            };
            map.push((Key { at, name }, node(value)));
        }
        Ok(Value::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that keys, scalars and list items come with the line and column where they stand.
    #[test]
    fn places_are_those_of_the_text() {
        let root = parse("a:\n  b: 5\n  c: [x, 1.5]\n").unwrap();
        let Value::Map(entries) = &root.value else { panic!("{root:?}") };
        let (key, section) = &entries[0];
        assert_eq!((key.name.as_str(), key.at), ("a", Place { line: 1, column: 1 }));
        let Value::Map(entries) = &section.value else { panic!("{section:?}") };
        assert_eq!(entries[0].0.at, Place { line: 2, column: 3 });
        assert_eq!(entries[0].1, Node { at: Place { line: 2, column: 6 }, value: Value::Number("5".into()) });
        let Value::List(items) = &entries[1].1.value else { panic!("{entries:?}") };
        assert_eq!(items[1], Node { at: Place { line: 3, column: 10 }, value: Value::Number("1.5".into()) });
    }

    /// Proves that nothing, a comment and `{}` are all acceptable documents.
    #[test]
    fn emptiness_is_a_document() {
        for text in ["", "# nothing\n", "---\n"] {
            assert_eq!(parse(text).unwrap().value, Value::Null, "{text:?}");
        }
        assert_eq!(parse("{}").unwrap().value, Value::Map(Vec::new()));
    }

    /// Proves that broken YAML, repeated keys and alias bombs are refused with a place.
    #[test]
    fn syntax_errors_have_a_place() {
        for text in ["a: [1\nb: 2\n", "a: 1\na: 2\n", "a: b: c\n", "a: .nan\n"] {
            let error = parse(text).unwrap_err();
            assert!(error.at.is_some(), "{text:?}: {error:?}");
            assert!(!error.message.is_empty());
        }
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let items = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb += &format!("a{level}: &a{level} [{items}]\n");
        }
        assert!(parse(&bomb).is_err());
    }
}

//! `KeyValue` lists and `AnyValue` (opentelemetry/proto/common/v1).

use super::wire::{DEPTH_MAX, Field, Fields, Malformed};

/// An `AnyValue`, borrowed.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// No value was set.
    Empty,
    /// `string_value`, not checked for UTF-8.
    Str(&'a [u8]),
    /// `bool_value`
    Bool(bool),
    /// `int_value`
    Int(i64),
    /// `double_value`
    Double(f64),
    /// `bytes_value`
    Bytes(&'a [u8]),
    /// `array_value`
    Array(Values<'a>),
    /// `kvlist_value`
    KvList(Attributes<'a>),
}

impl<'a> Value<'a> {
    /// The text of a string value, if it is valid UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&'a str> {
        match self {
            Self::Str(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    pub(super) fn decode(message: &'a [u8]) -> Self {
        let mut value = Self::Empty;
        for field in Fields::new(message) {
            value = match field {
                (1, Field::Bytes(text)) => Self::Str(text),
                (2, Field::Varint(flag)) => Self::Bool(flag != 0),
                (3, Field::Varint(int)) => Self::Int(int.cast_signed()),
                (4, Field::Fixed64(bits)) => Self::Double(f64::from_bits(bits)),
                (5, Field::Bytes(array)) => Self::Array(Values { fields: Fields::new(array) }),
                (6, Field::Bytes(list)) => Self::KvList(Attributes::new(list, 1)),
                (7, Field::Bytes(bytes)) => Self::Bytes(bytes),
                _ => value,
            };
        }
        value
    }

    pub(super) fn check(message: &'a [u8], depth: u32) -> Result<(), Malformed> {
        if depth == 0 {
            return Err(Malformed::Depth);
        }
        let mut fields = Fields::new(message);
        while let Some((number, field)) = fields.next()? {
            match (number, field) {
                (1 | 7, Field::Bytes(_)) | (2 | 3, Field::Varint(_)) | (4, Field::Fixed64(_)) => {}
                (5, Field::Bytes(array)) => {
                    let mut items = Fields::new(array);
                    while let Some(item) = items.next()? {
                        match item {
                            (1, Field::Bytes(value)) => Self::check(value, depth - 1)?,
                            (1, _) => return Err(Malformed::WireType(1)),
                            _ => {}
                        }
                    }
                }
                (6, Field::Bytes(list)) => {
                    let mut items = Fields::new(list);
                    while let Some(item) = items.next()? {
                        match item {
                            (1, Field::Bytes(entry)) => check_key_value(entry, depth - 1)?,
                            (1, _) => return Err(Malformed::WireType(1)),
                            _ => {}
                        }
                    }
                }
                (1..=7, _) => return Err(Malformed::WireType(number)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The values of an `ArrayValue`.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    fields: Fields<'a>,
}

impl<'a> Iterator for Values<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        self.fields.find_map(|field| match field {
            (1, Field::Bytes(value)) => Some(Value::decode(value)),
            _ => None,
        })
    }
}

/// The `KeyValue`s of one message, in wire order: key (not checked for UTF-8) and value.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    fields: Fields<'a>,
    number: u32,
}

impl<'a> Attributes<'a> {
    /// The `KeyValue`s held in field `number` of `message`.
    pub(super) fn new(message: &'a [u8], number: u32) -> Self {
        Self { fields: Fields::new(message), number }
    }

    /// No attributes.
    #[must_use]
    pub fn none() -> Self {
        Self::new(&[], 1)
    }

    /// The bytes of the message that holds them, to tell whether they were seen before.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.fields.rest()
    }

    /// The first value under `key`.
    #[must_use]
    pub fn get(mut self, key: &str) -> Option<Value<'a>> {
        self.find_map(|(found, value)| (found == key.as_bytes()).then_some(value))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a [u8], Value<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let number = self.number;
        self.fields.find_map(|field| match field {
            (found, Field::Bytes(entry)) if found == number => Some(key_value(entry)),
            _ => None,
        })
    }
}

#[inline]
fn key_value(entry: &[u8]) -> (&[u8], Value<'_>) {
    let (mut key, mut value) = (&[][..], Value::Empty);
    for field in Fields::new(entry) {
        match field {
            (1, Field::Bytes(text)) => key = text,
            (2, Field::Bytes(message)) => value = Value::decode(message),
            _ => {}
        }
    }
    (key, value)
}

pub(super) fn check_key_value(entry: &[u8], depth: u32) -> Result<(), Malformed> {
    let mut fields = Fields::new(entry);
    while let Some(field) = fields.next()? {
        match field {
            (1, Field::Bytes(_)) => {}
            (2, Field::Bytes(value)) => Value::check(value, depth.min(DEPTH_MAX))?,
            (number @ (1 | 2), _) => return Err(Malformed::WireType(number)),
            _ => {}
        }
    }
    Ok(())
}

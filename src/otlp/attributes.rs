//! `KeyValue` lists and `AnyValue` (opentelemetry/proto/common/v1).

use super::wire::{Field, Fields};

/// An `AnyValue`, borrowed.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// No value was set, or one that only profiles have (`string_value_strindex`).
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
                (8, Field::Varint(_)) => Self::Empty,
                _ => value,
            };
        }
        value
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
    number: u8,
}

impl<'a> Attributes<'a> {
    /// The `KeyValue`s held in field `number`, 15 at most, of `message`.
    #[inline]
    pub(super) fn new(message: &'a [u8], number: u8) -> Self {
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

    /// The next entry, when other fields stand before it.
    fn later_entry(&mut self) -> Option<&'a [u8]> {
        let number = u32::from(self.number);
        self.fields.find_map(|field| match field {
            (found, Field::Bytes(entry)) if found == number => Some(entry),
            _ => None,
        })
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a [u8], Value<'a>);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.fields.short(self.number << 3 | 2).or_else(|| self.later_entry())?;
        Some(straight(entry).unwrap_or_else(|| winding(entry)))
    }
}

/// A `KeyValue` as every SDK writes it: the key, then the value, one scalar in it, lengths under 16 KiB. Whatever
/// it says yes to is well-formed.
#[inline(always)]
pub(super) fn straight(entry: &[u8]) -> Option<(&[u8], Value<'_>)> {
    let mut entry = Fields::new(entry);
    let key = entry.short(0x0a)?;
    let mut value = Fields::new(entry.short(0x12).filter(|_| entry.rest().is_empty())?);
    let value = match *value.rest() {
        [0x0a, ..] => Value::Str(value.short(0x0a).filter(|_| value.rest().is_empty())?),
        [0x10, flag @ 0..0x80] => Value::Bool(flag != 0),
        [0x18, ref rest @ ..] => {
            let mut rest = Fields::new(rest);
            let int = rest.varint().ok()?;
            rest.rest().is_empty().then_some(Value::Int(int.cast_signed()))?
        }
        [0x21, ref bits @ ..] => Value::Double(f64::from_le_bytes(bits.try_into().ok()?)),
        _ => return None,
    };
    Some((key, value))
}

/// Any other `KeyValue`.
#[cold]
fn winding(entry: &[u8]) -> (&[u8], Value<'_>) {
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

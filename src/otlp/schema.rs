//! How a protobuf message is described: what the [check](super::check), the [merge](super::merge) and the
//! [JSON mapping](super::json) know of the [messages](super::messages) of OTLP.

use super::wire::Field as Wire;

/// One message.
#[derive(Debug)]
pub(super) struct Message {
    /// By ascending number.
    pub(super) fields: &'static [Field],
    /// Whether the message is what its signal is counted in: a span, a log record, a data point.
    pub(super) item: bool,
}

/// One field of a message.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) number: u32,
    /// In lowerCamelCase, as OTLP/JSON has it.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) label: Label,
}

/// The protobuf type of a field.
#[derive(Debug)]
pub(super) enum Kind {
    Message(&'static Message),
    String,
    Bytes,
    /// `bytes` that OTLP/JSON writes in hex: so many of them, or none.
    Id(usize),
    Bool,
    Int32,
    Uint32,
    Int64,
    Uint64,
    Sint32,
    Fixed32,
    Fixed64,
    Sfixed64,
    Double,
    /// An enum, by the names of its numbers from 0.
    Enum(&'static [&'static str]),
}

/// How often a field stands in a message.
#[derive(Clone, Copy, Debug)]
pub(super) enum Label {
    One,
    Many,
    /// It displaces the others of the message's one `oneof`.
    Oneof,
}

impl Message {
    /// The field `number`. Most tables have no gaps, so it is mostly where its number says.
    #[inline]
    pub(super) fn field(&self, number: u32) -> Option<&'static Field> {
        let fields = self.fields;
        match fields.get(number.wrapping_sub(1) as usize) {
            Some(field) if field.number == number => Some(field),
            _ => fields.iter().find(|field| field.number == number),
        }
    }

    /// The field by its JSON name or by its name in the `.proto`: protobuf JSON parsers accept both.
    pub(super) fn named(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name || is_snake_case_of(name, field.name))
    }
}

fn is_snake_case_of(snake: &str, camel: &str) -> bool {
    let mut snake = snake.bytes();
    camel.bytes().all(|letter| match letter {
        b'A'..=b'Z' => snake.next() == Some(b'_') && snake.next() == Some(letter.to_ascii_lowercase()),
        _ => snake.next() == Some(letter),
    }) && snake.next().is_none()
}

impl Kind {
    /// The wire type of one such value.
    #[inline]
    pub(super) fn wire(&self) -> u32 {
        match self {
            Self::Message(_) | Self::String | Self::Bytes | Self::Id(_) => Wire::BYTES,
            Self::Fixed32 => Wire::FIXED32,
            Self::Fixed64 | Self::Sfixed64 | Self::Double => Wire::FIXED64,
            _ => Wire::VARINT,
        }
    }
}

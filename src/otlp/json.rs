//! OTLP/JSON (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding") to the protobuf of the same request.
//!
//! One streaming pass driven by the [schema](super::schema), no tree in between. The `serde` types of
//! opentelemetry-proto would read most of it, but not `null`, snake_case names, enum names, `"NaN"`, or 32-bit
//! integers in strings, all of which the protobuf JSON mapping accepts, and they take ids of any length.

use std::fmt;

use bytes::Bytes;
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use thiserror::Error;

use self::scalar::{base64_of, id_of, number_of};
use super::messages;
use super::schema::{Field, Kind, Label, Message};
use super::wire::Field as Value;
use super::write::Writer;

mod scalar;
#[cfg(test)]
mod tests;

/// JSON that is not the request it should be. The caller answers 400.
#[derive(Debug, Error)]
#[error("{at}: {reason}")]
pub struct JsonError {
    /// Where, for example `resourceSpans[0].scopeSpans[0].spans[3].traceId`; `request` for the whole.
    at: String,
    /// What, and at which line and column.
    reason: serde_json::Error,
}

/// An `ExportTraceServiceRequest` in JSON as protobuf.
///
/// # Errors
/// Text that is not JSON, nested deeper than 128 levels, or a value its field cannot hold. Unknown fields are
/// ignored and `null` is an absent field, as the specification demands; a lone surrogate becomes U+FFFD.
pub fn traces(json: &[u8]) -> Result<Bytes, JsonError> {
    transcode(&messages::TRACES, json)
}

/// An `ExportLogsServiceRequest` in JSON as protobuf.
///
/// # Errors
/// As [`traces`].
pub fn logs(json: &[u8]) -> Result<Bytes, JsonError> {
    transcode(&messages::LOGS, json)
}

/// An `ExportMetricsServiceRequest` in JSON as protobuf.
///
/// # Errors
/// As [`traces`].
pub fn metrics(json: &[u8]) -> Result<Bytes, JsonError> {
    transcode(&messages::METRICS, json)
}

fn transcode(request: &'static Message, json: &[u8]) -> Result<Bytes, JsonError> {
    let (mut out, mut path) = (Writer::with_capacity(json.len() / 2), Path::default());
    let mut input = serde_json::Deserializer::from_slice(json);
    let object = Object { message: request, out: &mut out, path: &mut path };
    match object.deserialize(&mut input).and_then(|()| input.end()) {
        Ok(()) => Ok(out.into_bytes()),
        Err(reason) => Err(JsonError { at: path.to_string(), reason }),
    }
}

/// Where the pass is. A step is taken back only when it went well, so after an error the path leads there.
#[derive(Default)]
struct Path(Vec<Step>);

enum Step {
    Field(&'static str),
    Index(usize),
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if n == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        if self.0.is_empty() { f.write_str("request") } else { Ok(()) }
    }
}

/// A message: a JSON object.
struct Object<'w> {
    message: &'static Message,
    out: &'w mut Writer,
    path: &'w mut Path,
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key_seed(Name(self.message))? {
            let Some(field) = field else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            self.path.0.push(Step::Field(field.name));
            map.next_value_seed(Slot { field, out: self.out, path: self.path })?;
            self.path.0.pop();
        }
        Ok(())
    }
}

/// A field's name.
struct Name(&'static Message);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<&'static Field>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<&'static Field>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.named(name))
    }
}

/// What stands in a field: `null`, one value or a list of them.
struct Slot<'w> {
    field: &'static Field,
    out: &'w mut Writer,
    path: &'w mut Path,
}

impl<'de> DeserializeSeed<'de> for Slot<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Slot<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        match self.field.label {
            Label::Many => input.deserialize_seq(self),
            _ => Item { field: self.field, packed: false, out: self.out, path: self.path }.deserialize(input),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { field, out, path } = self;
        let packed = field.kind.wire() != Value::BYTES;
        let mut items = |out: &mut Writer| {
            for index in 0.. {
                path.0.push(Step::Index(index));
                let item = list.next_element_seed(Item { field, packed, out, path })?;
                path.0.pop();
                if item.is_none() {
                    break;
                }
            }
            Ok(())
        };
        if packed { out.nested(field.number, items) } else { items(out) }
    }
}

/// One value of a field.
struct Item<'w> {
    field: &'static Field,
    packed: bool,
    out: &'w mut Writer,
    path: &'w mut Path,
}

impl<'de> DeserializeSeed<'de> for Item<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        let Field { number, kind, .. } = self.field;
        match kind {
            Kind::Message(message) => {
                let path = self.path;
                self.out.nested(*number, |out| Object { message, out, path }.deserialize(input))
            }
            Kind::String | Kind::Bytes | Kind::Id(_) => input.deserialize_bytes(self),
            _ => {
                let value = number_of(kind, <&RawValue>::deserialize(input)?.get()).map_err(de::Error::custom)?;
                if self.packed {
                    self.out.value(value);
                } else {
                    self.out.field(*number, value);
                }
                Ok(())
            }
        }
    }
}

impl Visitor<'_> for Item<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    /// Bytes, not text: serde_json then lets a lone surrogate through, which JavaScript writes when it cuts a string.
    fn visit_bytes<E: de::Error>(self, text: &[u8]) -> Result<(), E> {
        let number = self.field.number;
        match self.field.kind {
            Kind::Bytes => self.out.field(number, Value::Bytes(&base64_of(text).map_err(E::custom)?)),
            Kind::Id(len) => self.out.field(number, Value::Bytes(&id_of(len, text).map_err(E::custom)?)),
            _ => self.out.field(number, Value::Bytes(String::from_utf8_lossy(text).as_bytes())),
        }
        Ok(())
    }
}

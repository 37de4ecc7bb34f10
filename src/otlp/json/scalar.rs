//! Scalars as the protobuf JSON mapping writes them (protobuf.dev/programming-guides/json), and ids as OTLP does.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::super::schema::Kind;
use super::super::wire::Field as Value;

/// A number, boolean or enum from its JSON text. 64-bit integers may stand in quotes, and so may all other numbers.
pub(super) fn number_of(kind: &Kind, json: &str) -> Result<Value<'static>, String> {
    let quoted = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let text = quoted.unwrap_or(json);
    let value = match kind {
        Kind::Bool => json.parse().ok().map(|flag: bool| Value::Varint(flag.into())),
        Kind::Double => double_of(text, quoted.is_some()).map(|it| Value::Fixed64(it.to_bits())),
        Kind::Enum(names) => (names.iter().position(|name| quoted == Some(name)).and_then(|it| i32::try_from(it).ok()))
            .or_else(|| integer_of(text))
            .map(|it: i32| Value::Varint(i64::from(it).cast_unsigned())),
        Kind::Int32 => integer_of::<i32>(text).map(|it| Value::Varint(i64::from(it).cast_unsigned())),
        Kind::Uint32 => integer_of::<u32>(text).map(|it| Value::Varint(it.into())),
        Kind::Int64 => integer_of::<i64>(text).map(|it| Value::Varint(it.cast_unsigned())),
        Kind::Uint64 => integer_of::<u64>(text).map(Value::Varint),
        Kind::Sint32 => {
            integer_of::<i32>(text).map(|it| Value::Varint(((it << 1) ^ (it >> 31)).cast_unsigned().into()))
        }
        Kind::Fixed32 => integer_of::<u32>(text).map(Value::Fixed32),
        Kind::Fixed64 => integer_of::<u64>(text).map(Value::Fixed64),
        Kind::Sfixed64 => integer_of::<i64>(text).map(|it| Value::Fixed64(it.cast_unsigned())),
        Kind::Message(_) | Kind::String | Kind::Bytes | Kind::Id(_) => None,
    };
    let wanted = match kind {
        Kind::Bool => "true or false",
        Kind::Double => "a number, \"NaN\", \"Infinity\" or \"-Infinity\"",
        Kind::Enum(_) => "a number or name of the enum",
        Kind::Uint32 | Kind::Fixed32 => "an unsigned 32-bit integer",
        Kind::Uint64 | Kind::Fixed64 => "an unsigned 64-bit integer",
        Kind::Int64 | Kind::Sfixed64 => "a 64-bit integer",
        _ => "a 32-bit integer",
    };
    value.ok_or_else(|| format!("expected {wanted}, found {}", excerpt(json)))
}

/// `1e3` and `5.0` are integers to protobuf.
fn integer_of<T: TryFrom<i128>>(text: &str) -> Option<T> {
    let integral = |it: &f64| it.fract() == 0.0 && it.abs() < 1e20;
    let value = text.parse::<i128>().ok().or_else(|| text.parse().ok().filter(integral).map(|it| it as i128))?;
    T::try_from(value).ok()
}

fn double_of(text: &str, quoted: bool) -> Option<f64> {
    match text {
        "NaN" if quoted => Some(f64::NAN),
        "Infinity" if quoted => Some(f64::INFINITY),
        "-Infinity" if quoted => Some(f64::NEG_INFINITY),
        _ => text.parse().ok().filter(|it: &f64| it.is_finite()),
    }
}

/// Standard or URL-safe, padded or not: the protobuf JSON mapping accepts all four.
pub(super) fn base64_of(text: &[u8]) -> Result<Vec<u8>, String> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let url_safe = text.iter().any(|letter| matches!(letter, b'-' | b'_'));
    let engine = GeneralPurpose::new(if url_safe { &URL_SAFE } else { &STANDARD }, config);
    engine.decode(text).map_err(|error| format!("not base64: {error}"))
}

/// Hex in either case; empty for an absent id, as a root's parent is often sent.
pub(super) fn id_of(len: usize, text: &[u8]) -> Result<Vec<u8>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let digits = || text.iter().map(|digit| char::from(*digit).to_digit(16).and_then(|it| u8::try_from(it).ok()));
    let pairs = digits().step_by(2).zip(digits().skip(1).step_by(2));
    let bytes: Option<Vec<u8>> = pairs.map(|(high, low)| Some(high? << 4 | low?)).collect();
    bytes
        .filter(|_| text.len() == 2 * len)
        .ok_or_else(|| format!("expected {} hex digits, found {:?}", 2 * len, excerpt(&String::from_utf8_lossy(text))))
}

/// Enough of a wrong value to find it by.
fn excerpt(text: &str) -> &str {
    text.char_indices().nth(48).map_or(text, |(end, _)| &text[..end])
}

//! Wire forms that no encoder in use writes but protobuf allows, made from the schema, against prost.

use proptest::prelude::*;

use super::messages::{LOGS, METRICS, TRACES};
use super::schema::{Kind, Label, Message};
use super::wire::Field;
use super::write::Writer;
use super::{Logs, Malformed, Traces};
use crate::otlp;

#[path = "../../tests/it/otlp/equal.rs"]
mod equal;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    /// Pieces of messages, repeated scalars, displaced oneofs, unknown fields and groups add up as in prost.
    #[test]
    fn winding_requests_equal_prost(seed in prop::collection::vec(any::<u8>(), 0..600)) {
        let traces = request(&TRACES, &seed);
        prop_assert!(Traces::parse(traces.clone().into()).is_ok());
        equal::traces(&traces);
        let logs = request(&LOGS, &seed);
        prop_assert!(Logs::parse(logs.clone().into()).is_ok());
        equal::logs(&logs);
        equal::metrics(&request(&METRICS, &seed));
    }

    /// The same with a byte changed.
    #[test]
    fn damaged_winding_requests_equal_prost(
        seed in prop::collection::vec(any::<u8>(), 0..300),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        for (message, check) in [(&TRACES, equal::traces as fn(&[u8])), (&LOGS, equal::logs), (&METRICS, equal::metrics)] {
            let mut bytes = request(message, &seed);
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            check(&bytes);
        }
    }
}

/// Each malformed encoding is refused for its own reason.
#[test]
fn malformed_encodings() {
    let cases: &[(&[u8], Malformed)] = &[
        (&[0x0a], Malformed::Truncated),
        (&[0x0a, 5, 1], Malformed::Truncated),
        (&[0x80], Malformed::Truncated),
        (&[0x11, 1, 2, 3], Malformed::Truncated),
        (&[0x15, 1, 2], Malformed::Truncated),
        (&[0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], Malformed::Varint),
        (&[0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], Malformed::Varint),
        (&[0x00, 0x00], Malformed::Tag),
        (&[0x16], Malformed::Tag),
        (&[0x17], Malformed::Tag),
        (&[0x80, 0x80, 0x80, 0x80, 0x10, 0x00], Malformed::Tag),
        (&[0x08, 0x00], Malformed::WireType(1)),
        (&[0x0b, 0x0c], Malformed::WireType(1)),
        (&[0x0c], Malformed::Group),
        (&[0x13, 0x1c], Malformed::Group),
        (&[0x13, 0x08, 0x01], Malformed::Truncated),
        (&[0x0a, 2, 0x12, 5], Malformed::Truncated),
    ];
    for (bytes, reason) in cases {
        assert_eq!(Traces::parse(bytes.to_vec().into()).unwrap_err(), *reason, "{bytes:x?}");
        equal::traces(bytes);
        equal::logs(bytes);
        equal::metrics(bytes);
    }
}

/// A tag of a field under 2^29 and a varint of 64 bits are well-formed, as are over-long varints.
#[test]
fn limits_of_the_encoding() {
    let cases: &[&[u8]] = &[
        &[0xf8, 0xff, 0xff, 0xff, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        &[0x90, 0x80, 0x80, 0x80, 0x00, 0x81, 0x80, 0x80, 0x00],
        &[0x8a, 0x00, 0x80, 0x00],
    ];
    for bytes in cases {
        assert!(Traces::parse(bytes.to_vec().into()).is_ok(), "{bytes:x?}");
        equal::traces(bytes);
    }
}

/// Values, lists and groups may be nested as deep as prost lets them, and no deeper.
#[test]
fn depth_is_prosts() {
    let array = |inner: Vec<u8>| wrapped(&[0x2a], wrapped(&[0x0a], inner));
    let list = |inner: Vec<u8>| wrapped(&[0x32], wrapped(&[0x0a], wrapped(&[0x12], inner)));
    let group = |inner: Vec<u8>| [&[0xf3, 0x07], &inner[..], &[0xf4, 0x07]].concat();
    let wraps: [&dyn Fn(Vec<u8>) -> Vec<u8>; 4] =
        [&array, &list, &group, &|inner| array([list(inner), vec![0xf8, 0x07, 1]].concat())];
    let leaves: [&[u8]; 4] = [&[], &[0xf8, 0x07, 1], &[0x0a, 0], &[0xf3, 0x07, 0xf4, 0x07]];
    for (wrap, leaf) in wraps.iter().flat_map(|wrap| leaves.map(|leaf| (wrap, leaf))) {
        let mut value = leaf.to_vec();
        let mut verdicts = Vec::new();
        for _ in 0..110 {
            let attribute = wrapped(&[0x4a], wrapped(&[0x12], value.clone()));
            let [span, record] = [attribute, wrapped(&[0x2a], value.clone())]
                .map(|item| wrapped(&[0x0a], wrapped(&[0x12], wrapped(&[0x12], item))));
            equal::traces(&span);
            equal::logs(&record);
            verdicts.push(Traces::parse(span.into()).is_ok());
            value = wrap(value);
        }
        assert!(verdicts[0] && !verdicts[109]);
    }
}

fn wrapped(tag: &[u8], inner: Vec<u8>) -> Vec<u8> {
    let mut out = Writer::default();
    out.field(1, Field::Bytes(&inner));
    [tag, &out.into_bytes()[1..]].concat()
}

/// A request in some wire form, chosen by `seed`.
fn request(message: &'static Message, seed: &[u8]) -> Vec<u8> {
    let (mut out, mut seed) = (Writer::default(), seed.iter());
    while seed.len() > 0 {
        write(message, 0, &mut seed, &mut out);
    }
    out.into_bytes().into()
}

type Seed<'s> = std::slice::Iter<'s, u8>;

fn write(message: &'static Message, depth: u32, seed: &mut Seed<'_>, out: &mut Writer) {
    for _ in 0..pick(seed) % 6 {
        // Every ninth field is one that nobody knows.
        if pick(seed).is_multiple_of(9) {
            unknown(seed, out);
            continue;
        }
        let field = &message.fields[usize::from(pick(seed)) % message.fields.len()];
        match &field.kind {
            Kind::Message(_) if depth == 20 => {}
            Kind::Message(inner) => out.nested(field.number, |out| write(inner, depth + 1, seed, out)),
            Kind::String => {
                let text = ["", "key", "na\u{ef}ve", "\u{1f9ca}"][usize::from(pick(seed)) % 4];
                out.field(field.number, Field::Bytes(text.as_bytes()));
            }
            Kind::Bytes | Kind::Id(_) => {
                out.field(field.number, Field::Bytes(&[7; 16][..usize::from(pick(seed)) % 17]))
            }
            kind if matches!(field.label, Label::Many) && pick(seed).is_multiple_of(2) => {
                out.nested(field.number, |out| (0..pick(seed) % 4).for_each(|_| out.value(number(kind, seed))));
            }
            kind => out.field(field.number, number(kind, seed)),
        }
    }
}

fn number(kind: &Kind, seed: &mut Seed<'_>) -> Field<'static> {
    let small = u64::from(pick(seed));
    // Beyond 32 bits, beyond 63, a few around zero.
    let value = [small % 4, small, small << 25, u64::from(!pick(seed)) | 1 << 32 | small << 50, u64::MAX - small]
        [small as usize % 5];
    match kind.wire() {
        Field::FIXED64 => Field::Fixed64(value),
        Field::FIXED32 => Field::Fixed32(value as u32),
        _ => Field::Varint(value),
    }
}

fn unknown(seed: &mut Seed<'_>, out: &mut Writer) {
    let number = 100 + u32::from(pick(seed));
    match pick(seed) % 5 {
        0 => out.field(number, Field::Varint(u64::MAX)),
        1 => out.field(number, Field::Fixed64(1)),
        2 => out.field(number, Field::Bytes(&[0xff, 0x00])),
        3 => out.field(number, Field::Fixed32(1)),
        _ => out.group(number, |out| (0..pick(seed) % 3).for_each(|_| unknown(seed, out))),
    }
}

fn pick(seed: &mut Seed<'_>) -> u8 {
    seed.next().copied().unwrap_or(0)
}

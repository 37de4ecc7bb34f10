//! Rewrites a checked request so that it can be read straight.
//!
//! Protobuf lets an encoder send a message that is not repeated in several pieces, which the reader must merge
//! (protobuf.dev/programming-guides/encoding, "Last One Wins"), and interleave groups that nobody knows. Encoders
//! in use do neither, so the views do not know of it: such a request is rewritten once, here, with its pieces
//! joined, its groups and unknown fields left out. The result is never longer than what came.

use bytes::Bytes;

use super::schema::{self, Kind, Label, Message};
use super::wire::{DEPTH_MAX, Field, Fields};
use super::write::Writer;

/// The checked `bytes` of a `request` with every message in one piece.
pub(super) fn merged(request: &'static Message, bytes: &[u8]) -> Bytes {
    let mut out = Writer::with_capacity(bytes.len());
    write(request, &[bytes], &mut out);
    out.into_bytes()
}

/// Appends the message that `pieces` add up to. Recursion is bounded: `bytes` were checked for depth.
fn write(message: &'static Message, pieces: &[&[u8]], out: &mut Writer) {
    let mut singular: Vec<(&'static schema::Field, Vec<&[u8]>)> = Vec::new();
    for (number, value) in pieces.iter().flat_map(|piece| known_fields(piece)) {
        let Some(field) = message.field(number) else { continue };
        if let Label::Oneof = field.label {
            singular.retain(|(other, _)| other.number == number || !matches!(other.label, Label::Oneof));
        }
        match (&field.kind, value) {
            (Kind::Message(inner), Field::Bytes(bytes)) if matches!(field.label, Label::Many) => {
                out.nested(number, |out| write(inner, &[bytes], out));
            }
            (Kind::Message(_), Field::Bytes(bytes)) => match singular.iter_mut().find(|(it, _)| it.number == number) {
                Some((_, pieces)) => pieces.push(bytes),
                None => singular.push((field, vec![bytes])),
            },
            (_, value) => out.field(number, value),
        }
    }
    for (field, pieces) in &singular {
        if let Kind::Message(inner) = &field.kind {
            out.nested(field.number, |out| write(inner, pieces, out));
        }
    }
}

/// The fields of a checked message, but for its groups.
fn known_fields(message: &[u8]) -> impl Iterator<Item = (u32, Field<'_>)> {
    let mut fields = Fields::new(message);
    std::iter::from_fn(move || {
        loop {
            match fields.next().ok()?? {
                (number, Field::Group) => fields.skip_group(number, DEPTH_MAX).ok()?,
                field => return Some(field),
            }
        }
    })
}

//! Checks a whole export request against the [schema](super::schema), once, so that the views over it need not.
//!
//! Strings are not checked for UTF-8: of a request's bytes only a few are ever shown, and whoever keeps one checks it.
//! In everything else the verdict is prost's.

use super::attributes;
use super::messages::KEY_VALUE;
use super::schema::{Kind, Label, Message};
use super::wire::{DEPTH_MAX, Field, Fields, Malformed};

/// What a check found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checked {
    /// Spans, log records or data points, as they stand on the wire.
    pub(super) items: usize,
    /// Whether the bytes can be read as they are: no groups, and no message that stands in several pieces. Every
    /// known encoder writes so; the rest must go through [`merge`](super::merge) first.
    pub(super) plain: bool,
}

/// Checks `bytes` to be one `request`.
///
/// # Errors
/// The first malformed place.
pub(super) fn request(request: &'static Message, bytes: &[u8]) -> Result<Checked, Malformed> {
    let mut checked = Checked { items: 0, plain: true };
    checked.message(request, bytes, DEPTH_MAX)?;
    Ok(checked)
}

impl Checked {
    /// `depth` is how many levels may still be entered below this message.
    fn message(&mut self, message: &'static Message, bytes: &[u8], depth: u32) -> Result<(), Malformed> {
        self.items += usize::from(message.item);
        let mut seen = 0u64;
        let mut fields = Fields::new(bytes);
        while let Some((number, value)) = fields.next()? {
            let Some(field) = message.field(number) else {
                self.unknown(&mut fields, number, value, depth)?;
                continue;
            };
            match (&field.kind, value) {
                (Kind::Message(inner), Field::Bytes(bytes)) => {
                    if depth > 1 && std::ptr::eq(*inner, &KEY_VALUE) && attributes::straight(bytes).is_some() {
                        straight_run(&mut fields, number);
                        continue;
                    }
                    if !matches!(field.label, Label::Many) {
                        self.plain &= seen & 1 << number == 0;
                        seen |= 1 << number;
                    }
                    let depth = depth.checked_sub(1).ok_or(Malformed::Depth)?;
                    self.message(inner, bytes, depth)?;
                }
                (kind, Field::Bytes(bytes)) if matches!(field.label, Label::Many) && kind.wire() != Field::BYTES => {
                    packed(kind.wire(), bytes)?;
                }
                (kind, value) if kind.wire() == value.wire() => {}
                _ => return Err(Malformed::WireType(number)),
            }
        }
        Ok(())
    }

    #[cold]
    fn unknown(&mut self, fields: &mut Fields<'_>, number: u32, value: Field<'_>, depth: u32) -> Result<(), Malformed> {
        if depth == 0 {
            return Err(Malformed::Depth);
        }
        if let Field::Group = value {
            self.plain = false;
            fields.skip_group(number, depth)?;
        }
        Ok(())
    }
}

/// Reads on as long as the field `number` comes again and is as straight as the last one: nine fields of ten.
#[inline]
fn straight_run(fields: &mut Fields<'_>, number: u32) {
    let Ok(tag @ 0..0x80) = u8::try_from(number << 3 | Field::BYTES) else { return };
    let mut next = *fields;
    while next.short(tag).is_some_and(|entry| attributes::straight(entry).is_some()) {
        *fields = next;
    }
}

/// A packed list of numbers must end where its last number does.
fn packed(wire: u32, bytes: &[u8]) -> Result<(), Malformed> {
    let mut numbers = Fields::new(bytes);
    while !numbers.rest().is_empty() {
        match wire {
            Field::FIXED64 => numbers.chunk::<8>().map(drop)?,
            Field::FIXED32 => numbers.chunk::<4>().map(drop)?,
            _ => numbers.varint().map(drop)?,
        }
    }
    Ok(())
}

//! The fields of one span, owned: all text in one buffer, so that keeping a span costs two allocations.

use crate::core::dialect::{Field, Scalar};
use crate::core::message::cut;
use crate::core::span::Fields;
use crate::otlp::Value;

/// Bytes kept of one field's text. Content is kept elsewhere, under its own limit.
const TEXT_BYTES_MAX: usize = 8 * 1024;

/// Scalars by field.
#[derive(Clone, Debug, Default)]
pub(super) struct Bag {
    /// One bit for each field that is there; a field's entry is at the number of bits below its own.
    fields: u128,
    entries: Vec<Stored>,
    text: String,
}

const _: () = assert!(Field::COUNT <= 128, "every field has a bit");

#[derive(Clone, Copy, Debug)]
enum Stored {
    /// A range of the buffer.
    Text(u32, u32),
    Int(i64),
    Double(f64),
    Bool(bool),
}

impl Bag {
    /// Copies every field that is not content.
    pub(super) fn of(fields: &Fields<'_>) -> Self {
        let kept = || fields.iter().filter(|(field, _)| !field.is_content());
        let length = |value| if let Value::Str(text) = value { text.len().min(TEXT_BYTES_MAX) } else { 0 };
        let text = String::with_capacity(kept().map(|(_, value)| length(value)).sum());
        let mut bag = Self { fields: 0, entries: Vec::with_capacity(kept().count()), text };
        for (field, value) in kept() {
            if let Some(scalar) = Scalar::of(value) {
                bag.put(field, scalar);
            }
        }
        bag
    }

    /// The scalar of a field.
    pub(super) fn get(&self, field: Field) -> Option<Scalar<'_>> {
        let (bit, place) = self.place(field);
        if self.fields & bit == 0 { None } else { self.scalar(*self.entries.get(place)?) }
    }

    fn place(&self, field: Field) -> (u128, usize) {
        let bit = 1 << field as u8;
        (bit, (self.fields & (bit - 1)).count_ones() as usize)
    }

    /// Its text.
    pub(super) fn text(&self, field: Field) -> Option<Box<str>> {
        self.get(field).map(|scalar| scalar.text().into())
    }

    /// Takes over what `other` has and this one lacks.
    pub(super) fn fill(&mut self, other: &Self) {
        for field in Field::ALL {
            if self.get(*field).is_none()
                && let Some(scalar) = other.get(*field)
            {
                self.put(*field, scalar);
            }
        }
    }

    /// Bytes it holds.
    pub(super) fn bytes(&self) -> usize {
        self.text.len() + self.entries.len() * size_of::<Stored>()
    }

    /// Adds a field that is not there yet.
    fn put(&mut self, field: Field, scalar: Scalar<'_>) {
        let stored = match scalar {
            Scalar::Text(text) => {
                let text = cut(text, TEXT_BYTES_MAX);
                let (Ok(start), Ok(len)) = (u32::try_from(self.text.len()), u32::try_from(text.len())) else { return };
                self.text.push_str(text);
                Stored::Text(start, len)
            }
            Scalar::Int(int) => Stored::Int(int),
            Scalar::Double(double) => Stored::Double(double),
            Scalar::Bool(flag) => Stored::Bool(flag),
        };
        let (bit, place) = self.place(field);
        self.entries.insert(place, stored);
        self.fields |= bit;
    }

    fn scalar(&self, stored: Stored) -> Option<Scalar<'_>> {
        Some(match stored {
            Stored::Text(start, len) => Scalar::Text(self.text.get(start as usize..start as usize + len as usize)?),
            Stored::Int(int) => Scalar::Int(int),
            Stored::Double(double) => Scalar::Double(double),
            Stored::Bool(flag) => Scalar::Bool(flag),
        })
    }
}

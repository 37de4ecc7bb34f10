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
    entries: Vec<(Field, Stored)>,
    text: String,
}

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
        let (mut count, mut bytes) = (0, 0);
        for (field, value) in fields.iter() {
            if let Value::Str(text) = value
                && !field.is_content()
            {
                bytes += text.len().min(TEXT_BYTES_MAX);
            }
            count += usize::from(!field.is_content());
        }
        let mut bag = Self { entries: Vec::with_capacity(count), text: String::with_capacity(bytes) };
        for (field, value) in fields.iter() {
            if !field.is_content()
                && let Some(scalar) = Scalar::of(value)
            {
                bag.push(field, scalar);
            }
        }
        bag
    }

    /// The scalar of a field.
    pub(super) fn get(&self, field: Field) -> Option<Scalar<'_>> {
        self.entries.iter().find(|(found, _)| *found == field).and_then(|(_, stored)| self.scalar(*stored))
    }

    /// Its text.
    pub(super) fn text(&self, field: Field) -> Option<Box<str>> {
        self.get(field).map(|scalar| scalar.text().into())
    }

    /// Takes over what `other` has and this one lacks.
    pub(super) fn fill(&mut self, other: &Self) {
        for (field, stored) in &other.entries {
            if self.get(*field).is_none()
                && let Some(scalar) = other.scalar(*stored)
            {
                self.push(*field, scalar);
            }
        }
    }

    /// Bytes it holds.
    pub(super) fn bytes(&self) -> usize {
        self.text.len() + self.entries.len() * size_of::<(Field, Stored)>()
    }

    fn push(&mut self, field: Field, scalar: Scalar<'_>) {
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
        self.entries.push((field, stored));
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

//! Writes protobuf: what the wire reader reads.

use super::wire::Field;

/// A protobuf message under construction.
#[derive(Debug, Default)]
pub(super) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes) }
    }

    pub(super) fn into_bytes(self) -> bytes::Bytes {
        self.out.into()
    }

    pub(super) fn field(&mut self, number: u32, value: Field<'_>) {
        self.tag(number, value.wire());
        self.value(value);
    }

    /// A value without its tag, as in a packed list.
    pub(super) fn value(&mut self, value: Field<'_>) {
        match value {
            Field::Varint(value) => self.varint(value),
            Field::Fixed64(value) => self.out.extend_from_slice(&value.to_le_bytes()),
            Field::Fixed32(value) => self.out.extend_from_slice(&value.to_le_bytes()),
            Field::Bytes(value) => {
                self.varint(value.len() as u64);
                self.out.extend_from_slice(value);
            }
            Field::Group => {}
        }
    }

    /// A length-delimited field whose content `write` appends. The length is known only afterwards, so content
    /// of 128 bytes and more moves up by the bytes its length takes: one move for each level of nesting.
    pub(super) fn nested<T>(&mut self, number: u32, write: impl FnOnce(&mut Self) -> T) -> T {
        self.tag(number, Field::BYTES);
        let at = self.out.len();
        self.out.push(0);
        let result = write(self);
        let mut len = Self::default();
        len.varint((self.out.len() - at - 1) as u64);
        self.out.splice(at..=at, len.out);
        result
    }

    #[cfg(test)]
    pub(super) fn group(&mut self, number: u32, write: impl FnOnce(&mut Self)) {
        self.tag(number, 3);
        write(self);
        self.tag(number, 4);
    }

    fn tag(&mut self, number: u32, wire: u32) {
        self.varint(u64::from(number << 3 | wire));
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }
}

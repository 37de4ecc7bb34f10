//! The protobuf wire format (protobuf.dev/programming-guides/encoding): tags, varints, fixed and
//! length-delimited fields, and unknown groups, which are only ever skipped. Limits and refusals are those of
//! prost 0.14, so that what is accepted here is accepted by whoever the same bytes are forwarded to.

use thiserror::Error;

/// Nesting of messages, of the values in them and of unknown groups: protobuf's default limit.
pub(super) const DEPTH_MAX: u32 = 100;

/// Bytes that are not the protobuf message they should be. The caller answers 400 or `INVALID_ARGUMENT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// The message ends inside a field.
    #[error("truncated: the message ends inside a field")]
    Truncated,
    /// A varint is longer than ten bytes or overflows 64 bits.
    #[error("a varint is longer than 64 bits")]
    Varint,
    /// A tag has field number 0, one over 2^29 - 1, or a wire type that does not exist.
    #[error("a field tag is not valid")]
    Tag,
    /// A known field has a wire type other than the schema's.
    #[error("field {0} has the wrong wire type")]
    WireType(u32),
    /// A group ends that was not begun, or under another field number.
    #[error("a group ends that was not begun")]
    Group,
    /// Values or groups are nested deeper than 100 levels.
    #[error("nested deeper than {DEPTH_MAX} levels")]
    Depth,
}

/// One field's value as it stands on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    /// A group begins; [`Fields::skip_group`] reads it to its end.
    Group,
    Fixed32(u32),
}

impl Field<'_> {
    pub(super) const VARINT: u32 = 0;
    pub(super) const FIXED64: u32 = 1;
    pub(super) const BYTES: u32 = 2;
    pub(super) const FIXED32: u32 = 5;

    /// The wire type.
    #[inline]
    pub(super) fn wire(&self) -> u32 {
        match self {
            Self::Varint(_) => Self::VARINT,
            Self::Fixed64(_) => Self::FIXED64,
            Self::Bytes(_) => Self::BYTES,
            Self::Group => 3,
            Self::Fixed32(_) => Self::FIXED32,
        }
    }
}

/// Reads the fields of one message in turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    #[inline]
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    /// The next field's number and value, or `None` at the end of the message.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Result<Option<(u32, Field<'a>)>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = u32::try_from(self.varint()?).map_err(|_| Malformed::Tag)?;
        let number = tag >> 3;
        if number == 0 {
            return Err(Malformed::Tag);
        }
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.chunk()?)),
            2 => Field::Bytes(self.bytes()?),
            3 => Field::Group,
            4 => return Err(Malformed::Group),
            5 => Field::Fixed32(u32::from_le_bytes(self.chunk()?)),
            _ => return Err(Malformed::Tag),
        };
        Ok(Some((number, field)))
    }

    /// The next field's content if its tag is this one byte and its length takes one byte or two: the straight path
    /// for what repeats. Nothing is read otherwise.
    #[inline(always)]
    pub(super) fn short(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (content, rest) = match *self.rest {
            [first, len, ref rest @ ..] if first == tag && len < 0x80 => rest.split_at_checked(usize::from(len))?,
            [first, low, high, ref rest @ ..] if first == tag && high < 0x80 => {
                rest.split_at_checked(usize::from(low & 0x7f) | usize::from(high) << 7)?
            }
            _ => return None,
        };
        self.rest = rest;
        Some(content)
    }

    /// Reads to the end of the group `number`, whose beginning was read last.
    pub(super) fn skip_group(&mut self, number: u32, depth: u32) -> Result<(), Malformed> {
        let depth = depth.checked_sub(1).ok_or(Malformed::Depth)?;
        loop {
            let before = *self;
            match self.next() {
                Ok(Some((inner, Field::Group))) => self.skip_group(inner, depth)?,
                Ok(Some(_)) if depth == 0 => return Err(Malformed::Depth),
                Ok(Some(_)) => {}
                Ok(None) => return Err(Malformed::Truncated),
                Err(Malformed::Group) => {
                    *self = before;
                    let ended = self.varint()? >> 3 == u64::from(number);
                    return ended.then_some(()).ok_or(Malformed::Group);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// A base-128 varint of at most 64 bits. One byte holds most tags and lengths, two nearly all the rest.
    #[inline(always)]
    pub(super) fn varint(&mut self) -> Result<u64, Malformed> {
        match *self.rest {
            [a, ref rest @ ..] if a < 0x80 => {
                self.rest = rest;
                Ok(u64::from(a))
            }
            [a, b, ref rest @ ..] if b < 0x80 => {
                self.rest = rest;
                Ok(u64::from(a & 0x7f) | u64::from(b) << 7)
            }
            _ => self.long_varint(),
        }
    }

    #[cold]
    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for (n, byte) in self.rest.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * n);
            if *byte < 0x80 {
                // The tenth byte has room for one bit.
                if n == 9 && *byte > 1 {
                    return Err(Malformed::Varint);
                }
                self.rest = self.rest.get(n + 1..).ok_or(Malformed::Truncated)?;
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 { Malformed::Truncated } else { Malformed::Varint })
    }

    #[inline(always)]
    pub(super) fn chunk<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    #[inline(always)]
    fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let len = usize::try_from(self.varint()?).map_err(|_| Malformed::Truncated)?;
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// What is yet to be read.
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

/// Fields of bytes that were checked before: nothing malformed is left, and no groups.
impl<'a> Iterator for Fields<'a> {
    type Item = (u32, Field<'a>);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        Fields::next(self).ok().flatten()
    }
}

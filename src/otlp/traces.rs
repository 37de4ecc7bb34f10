//! `ExportTraceServiceRequest` and what it holds (opentelemetry/proto/trace/v1).

use bytes::Bytes;

use super::attributes::{Attributes, check_key_value};
use super::wire::{DEPTH_MAX, Field, Fields, Malformed};

/// The bytes of one `ExportTraceServiceRequest`, checked.
#[derive(Clone, Debug)]
pub struct Traces {
    bytes: Bytes,
    spans: usize,
}

impl Traces {
    /// Checks `bytes` whole: every tag, length, wire type and depth.
    ///
    /// # Errors
    /// The first malformed place, as a [`Malformed`].
    pub fn parse(bytes: Bytes) -> Result<Self, Malformed> {
        let spans = check_request(&bytes)?;
        Ok(Self { bytes, spans })
    }

    /// The request's bytes, as they came.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// How many spans the request holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans
    }

    /// Whether the request holds no span.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans == 0
    }

    /// Every span with the resource and scope it was sent under.
    pub fn spans(&self) -> impl Iterator<Item = (Resource<'_>, Scope<'_>, Span<'_>)> {
        messages(&self.bytes, 1).flat_map(|resource_spans| {
            let resource = Resource::of(resource_spans);
            messages(resource_spans, 2).flat_map(move |scope_spans| {
                let scope = Scope::of(scope_spans);
                messages(scope_spans, 2).map(move |span| (resource, scope, Span::decode(span)))
            })
        })
    }
}

/// What produced the telemetry (`Resource`).
#[derive(Clone, Copy, Debug)]
pub struct Resource<'a> {
    /// `service.name` and the like.
    pub attributes: Attributes<'a>,
}

impl<'a> Resource<'a> {
    /// The resource of a `ResourceSpans` or `ResourceLogs`: field 1 in both.
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self { attributes: messages(message, 1).last().map_or(Attributes::none(), |it| Attributes::new(it, 1)) }
    }
}

/// The instrumentation scope.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// For example `openinference.instrumentation.openai`; empty when absent.
    pub name: &'a [u8],
}

impl<'a> Scope<'a> {
    /// The scope of a `ScopeSpans` or `ScopeLogs`: field 1 in both.
    pub(super) fn of(message: &'a [u8]) -> Self {
        let name = messages(message, 1).last().and_then(|scope| messages(scope, 1).last());
        Self { name: name.unwrap_or_default() }
    }
}

/// `Status.code`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SpanStatus {
    /// Not set.
    #[default]
    Unset,
    /// Set to OK by the application.
    Ok,
    /// The operation failed.
    Error,
}

/// One span, its scalar fields decoded.
#[derive(Clone, Copy, Debug)]
pub struct Span<'a> {
    message: &'a [u8],
    /// 16 bytes, or whatever was sent.
    pub trace_id: &'a [u8],
    /// 8 bytes, or whatever was sent.
    pub span_id: &'a [u8],
    /// 8 bytes; empty for a root.
    pub parent_span_id: &'a [u8],
    /// Not checked for UTF-8.
    pub name: &'a [u8],
    /// `SpanKind` as its enum number.
    pub kind: u64,
    /// Unix nanoseconds; 0 when absent.
    pub start_unix_nano: u64,
    /// Unix nanoseconds; 0 when absent.
    pub end_unix_nano: u64,
    /// `status.code`
    pub status: SpanStatus,
    /// `status.message`, not checked for UTF-8.
    pub status_message: &'a [u8],
    /// W3C trace flags, with bit 8 "the parent's place is known" and bit 9 "the parent is remote".
    pub flags: u32,
}

impl<'a> Span<'a> {
    /// The span's attributes, in wire order.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.message, 9)
    }

    /// The span's events.
    pub fn events(&self) -> impl Iterator<Item = Event<'a>> + use<'a> {
        messages(self.message, 11).map(Event::decode)
    }

    /// The span's links.
    pub fn links(&self) -> impl Iterator<Item = Link<'a>> + use<'a> {
        messages(self.message, 13).map(Link::decode)
    }

    fn decode(message: &'a [u8]) -> Self {
        let mut span = Self {
            message,
            trace_id: &[],
            span_id: &[],
            parent_span_id: &[],
            name: &[],
            kind: 0,
            start_unix_nano: 0,
            end_unix_nano: 0,
            status: SpanStatus::Unset,
            status_message: &[],
            flags: 0,
        };
        for field in Fields::new(message) {
            match field {
                (1, Field::Bytes(id)) => span.trace_id = id,
                (2, Field::Bytes(id)) => span.span_id = id,
                (4, Field::Bytes(id)) => span.parent_span_id = id,
                (5, Field::Bytes(name)) => span.name = name,
                (6, Field::Varint(kind)) => span.kind = kind,
                (7, Field::Fixed64(at)) => span.start_unix_nano = at,
                (8, Field::Fixed64(at)) => span.end_unix_nano = at,
                (15, Field::Bytes(status)) => (span.status, span.status_message) = decode_status(status),
                (16, Field::Fixed32(flags)) => span.flags = flags,
                _ => {}
            }
        }
        span
    }
}

fn decode_status(message: &[u8]) -> (SpanStatus, &[u8]) {
    let (mut code, mut text) = (SpanStatus::Unset, &[][..]);
    for field in Fields::new(message) {
        match field {
            (2, Field::Bytes(message)) => text = message,
            (3, Field::Varint(1)) => code = SpanStatus::Ok,
            (3, Field::Varint(2)) => code = SpanStatus::Error,
            (3, Field::Varint(_)) => code = SpanStatus::Unset,
            _ => {}
        }
    }
    (code, text)
}

/// One event of a span.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    message: &'a [u8],
    /// Unix nanoseconds; 0 when absent.
    pub time_unix_nano: u64,
    /// For example `exception` or `gen_ai.content.prompt`.
    pub name: &'a [u8],
}

impl<'a> Event<'a> {
    /// The event's attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.message, 3)
    }

    fn decode(message: &'a [u8]) -> Self {
        let mut event = Self { message, time_unix_nano: 0, name: &[] };
        for field in Fields::new(message) {
            match field {
                (1, Field::Fixed64(at)) => event.time_unix_nano = at,
                (2, Field::Bytes(name)) => event.name = name,
                _ => {}
            }
        }
        event
    }
}

/// One link of a span.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    message: &'a [u8],
    /// 16 bytes, or whatever was sent.
    pub trace_id: &'a [u8],
    /// 8 bytes, or whatever was sent.
    pub span_id: &'a [u8],
}

impl<'a> Link<'a> {
    /// The link's attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.message, 4)
    }

    fn decode(message: &'a [u8]) -> Self {
        let mut link = Self { message, trace_id: &[], span_id: &[] };
        for field in Fields::new(message) {
            match field {
                (1, Field::Bytes(id)) => link.trace_id = id,
                (2, Field::Bytes(id)) => link.span_id = id,
                _ => {}
            }
        }
        link
    }
}

/// The length-delimited fields `number` of a checked message.
pub(super) fn messages(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    Fields::new(message).filter_map(move |field| match field {
        (found, Field::Bytes(bytes)) if found == number => Some(bytes),
        _ => None,
    })
}

/// Calls `check` with every field `number` of `message`, which must be length-delimited.
pub(super) fn check_each<'a>(
    message: &'a [u8],
    number: u32,
    mut check: impl FnMut(&'a [u8]) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        match field {
            (found, Field::Bytes(bytes)) if found == number => check(bytes)?,
            (found, _) if found == number => return Err(Malformed::WireType(number)),
            _ => {}
        }
    }
    Ok(())
}

fn check_request(bytes: &[u8]) -> Result<usize, Malformed> {
    let mut spans = 0;
    check_each(bytes, 1, |resource_spans| {
        check_each(resource_spans, 1, |resource| check_each(resource, 1, |kv| check_key_value(kv, DEPTH_MAX)))?;
        check_each(resource_spans, 2, |scope_spans| {
            check_each(scope_spans, 1, |scope| check_each(scope, 3, |kv| check_key_value(kv, DEPTH_MAX)))?;
            check_each(scope_spans, 2, |span| {
                spans += 1;
                check_span(span)
            })
        })
    })?;
    Ok(spans)
}

fn check_span(message: &[u8]) -> Result<(), Malformed> {
    let mut fields = Fields::new(message);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1 | 2 | 3 | 4 | 5, Field::Bytes(_))
            | (7 | 8, Field::Fixed64(_))
            | (6 | 10 | 12 | 14, Field::Varint(_)) => {}
            (9, Field::Bytes(kv)) => check_key_value(kv, DEPTH_MAX)?,
            (11, Field::Bytes(event)) => check_each(event, 3, |kv| check_key_value(kv, DEPTH_MAX))?,
            (13, Field::Bytes(link)) => check_each(link, 4, |kv| check_key_value(kv, DEPTH_MAX))?,
            (15, Field::Bytes(status)) => check_each(status, 2, |_| Ok(()))?,
            (16, Field::Fixed32(_)) => {}
            (1..=16, _) => return Err(Malformed::WireType(number)),
            _ => {}
        }
    }
    Ok(())
}

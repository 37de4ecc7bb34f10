//! `ExportTraceServiceRequest` and what it holds (opentelemetry/proto/trace/v1).

use bytes::Bytes;

use super::attributes::Attributes;
use super::wire::{Field, Fields, Malformed};
use super::{check, merge, messages};

/// The bytes of one `ExportTraceServiceRequest`, checked.
#[derive(Clone, Debug)]
pub struct Traces {
    bytes: Bytes,
    /// The same bytes, unless they had to be [merged](merge).
    plain: Bytes,
    spans: usize,
}

impl Traces {
    /// Checks `bytes` whole: every tag, length, wire type and depth, but not whether strings are UTF-8. Only bytes
    /// that hold a message in pieces, as no encoder in use writes them, are copied.
    ///
    /// # Errors
    /// The first malformed place, as a [`Malformed`].
    pub fn parse(bytes: Bytes) -> Result<Self, Malformed> {
        let checked = check::request(&messages::TRACES, &bytes)?;
        let plain = if checked.plain { bytes.clone() } else { merge::merged(&messages::TRACES, &bytes) };
        Ok(Self { bytes, plain, spans: checked.items })
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
        repeated(&self.plain, 1).flat_map(|resource_spans| {
            let resource = Resource::of(resource_spans);
            repeated(resource_spans, 2).flat_map(move |scope_spans| {
                let scope = Scope::of(scope_spans);
                repeated(scope_spans, 2).map(move |span| (resource, scope, Span::decode(span)))
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
        Self { attributes: repeated(message, 1).next().map_or(Attributes::none(), |it| Attributes::new(it, 1)) }
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
        let name = repeated(message, 1).next().and_then(|scope| repeated(scope, 1).last());
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
    /// The message from its first attribute on, first event, first link: what comes before is not read again.
    attributes: &'a [u8],
    events: &'a [u8],
    links: &'a [u8],
    /// 16 bytes, or whatever was sent.
    pub trace_id: &'a [u8],
    /// 8 bytes, or whatever was sent.
    pub span_id: &'a [u8],
    /// 8 bytes; empty for a root.
    pub parent_span_id: &'a [u8],
    /// Not checked for UTF-8.
    pub name: &'a [u8],
    /// `SpanKind` as its enum number.
    pub kind: i32,
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
        Attributes::new(self.attributes, 9)
    }

    /// The span's events.
    pub fn events(&self) -> impl Iterator<Item = Event<'a>> + use<'a> {
        repeated(self.events, 11).map(Event::decode)
    }

    /// The span's links.
    pub fn links(&self) -> impl Iterator<Item = Link<'a>> + use<'a> {
        repeated(self.links, 13).map(Link::decode)
    }

    fn decode(message: &'a [u8]) -> Self {
        let mut span = Self {
            attributes: &[],
            events: &[],
            links: &[],
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
        let mut fields = Fields::new(message);
        loop {
            let here = fields.rest();
            let Some(field) = Iterator::next(&mut fields) else { return span };
            match field {
                (1, Field::Bytes(id)) => span.trace_id = id,
                (2, Field::Bytes(id)) => span.span_id = id,
                (4, Field::Bytes(id)) => span.parent_span_id = id,
                (5, Field::Bytes(name)) => span.name = name,
                (6, Field::Varint(kind)) => span.kind = enumeration(kind),
                (7, Field::Fixed64(at)) => span.start_unix_nano = at,
                (8, Field::Fixed64(at)) => span.end_unix_nano = at,
                (9, _) => {
                    if span.attributes.is_empty() {
                        span.attributes = here;
                    }
                    while fields.short(9 << 3 | 2).is_some() {}
                }
                (11, _) if span.events.is_empty() => span.events = here,
                (13, _) if span.links.is_empty() => span.links = here,
                (15, Field::Bytes(status)) => (span.status, span.status_message) = decode_status(status),
                (16, Field::Fixed32(flags)) => span.flags = flags,
                _ => {}
            }
        }
    }
}

fn decode_status(message: &[u8]) -> (SpanStatus, &[u8]) {
    let (mut code, mut text) = (SpanStatus::Unset, &[][..]);
    for field in Fields::new(message) {
        match field {
            (2, Field::Bytes(message)) => text = message,
            (3, Field::Varint(number)) => {
                code = match enumeration(number) {
                    1 => SpanStatus::Ok,
                    2 => SpanStatus::Error,
                    _ => SpanStatus::Unset,
                }
            }
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

/// Protobuf enums are 32 bits wide; what a varint says above them is dropped.
fn enumeration(varint: u64) -> i32 {
    varint as i32
}

/// The length-delimited fields `number` of a checked message.
pub(super) fn repeated(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    Fields::new(message).filter_map(move |field| match field {
        (found, Field::Bytes(bytes)) if found == number => Some(bytes),
        _ => None,
    })
}

//! Writes OTLP for tests: just enough protobuf to say what a test is about.

use bytes::Bytes;

/// One attribute's value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Any {
    Text(&'static str),
    Int(i64),
    Double(f64),
    Bool(bool),
}

/// One span.
#[derive(Clone, Debug, Default)]
pub(crate) struct Span {
    pub(crate) trace: u8,
    pub(crate) id: u8,
    /// 0 for none.
    pub(crate) parent: u8,
    pub(crate) name: &'static str,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) attributes: Vec<(&'static str, Any)>,
    /// Message of status ERROR.
    pub(crate) error: Option<&'static str>,
    pub(crate) kind: u64,
    pub(crate) flags: u32,
}

/// One log record: event name and attributes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub(crate) trace: u8,
    pub(crate) span: u8,
    pub(crate) at: u64,
    pub(crate) event: &'static str,
    pub(crate) attributes: Vec<(&'static str, Any)>,
}

/// An `ExportTraceServiceRequest` of these spans.
pub(crate) fn traces(resource: &[(&'static str, Any)], spans: &[Span]) -> Bytes {
    request(resource, &spans.iter().map(span).collect::<Vec<_>>())
}

/// An `ExportLogsServiceRequest` of these records.
pub(crate) fn logs(resource: &[(&'static str, Any)], records: &[Log]) -> Bytes {
    request(resource, &records.iter().map(log).collect::<Vec<_>>())
}

fn request(resource: &[(&'static str, Any)], items: &[Vec<u8>]) -> Bytes {
    let resource: Vec<u8> = resource.iter().flat_map(|(key, value)| bytes(1, &attribute(key, *value))).collect();
    let items: Vec<u8> = items.iter().flat_map(|item| bytes(2, item)).collect();
    bytes(1, &[bytes(1, &resource), bytes(2, &items)].concat()).into()
}

fn span(span: &Span) -> Vec<u8> {
    let mut out = [bytes(1, &[span.trace; 16]), bytes(2, &[span.id; 8])].concat();
    if span.parent != 0 {
        out.extend(bytes(4, &[span.parent; 8]));
    }
    out.extend(bytes(5, span.name.as_bytes()));
    out.extend(varint(6, span.kind));
    out.extend(fixed64(7, span.start));
    out.extend(fixed64(8, span.end));
    out.extend(span.attributes.iter().flat_map(|(key, value)| bytes(9, &attribute(key, *value))));
    if let Some(message) = span.error {
        out.extend(bytes(15, &[bytes(2, message.as_bytes()), varint(3, 2)].concat()));
    }
    out.extend([&[0x85, 0x01][..], &span.flags.to_le_bytes()].concat());
    out
}

fn log(log: &Log) -> Vec<u8> {
    let attributes = log.attributes.iter().flat_map(|(key, value)| bytes(6, &attribute(key, *value)));
    let mut out: Vec<u8> = fixed64(11, log.at).into_iter().chain(attributes).collect();
    if log.trace != 0 {
        out.extend([bytes(9, &[log.trace; 16]), bytes(10, &[log.span; 8])].concat());
    }
    out.extend(bytes(12, log.event.as_bytes()));
    out
}

fn attribute(key: &str, value: Any) -> Vec<u8> {
    let value = match value {
        Any::Text(text) => bytes(1, text.as_bytes()),
        Any::Bool(flag) => varint(2, flag.into()),
        Any::Int(int) => varint(3, int.cast_unsigned()),
        Any::Double(double) => fixed64(4, double.to_bits()),
    };
    [bytes(1, key.as_bytes()), bytes(2, &value)].concat()
}

fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
    [vec![number << 3 | 2], raw_varint(content.len() as u64), content.to_vec()].concat()
}

fn varint(number: u8, value: u64) -> Vec<u8> {
    [vec![number << 3], raw_varint(value)].concat()
}

fn fixed64(number: u8, value: u64) -> Vec<u8> {
    [vec![number << 3 | 1], value.to_le_bytes().to_vec()].concat()
}

fn raw_varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
    out
}

//! A stream cut into documents: by brackets in JSON, by lengths in framed protobuf, not at all otherwise. Reads ahead by
//! one buffer and holds one document.

use std::io::{BufRead, BufReader, Chain, Cursor, ErrorKind, Read};

use bytes::Bytes;

use super::DOCUMENT_BYTES_MAX;
use crate::otlp::{Logs, Metrics, Traces};

/// Bytes read at once, and looked at to tell what they are.
const BUFFER_BYTES: usize = 64 << 10;

/// What begins a document when a line begins with it: no document has this further in.
const BEGINNINGS: [&[u8]; 3] = [b"{\"resourceSpans\"", b"{\"resourceLogs\"", b"{\"resourceMetrics\""];

/// What some editors and shells begin a text in UTF-8 with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The documents of one stream.
pub(super) struct Documents<R> {
    input: BufReader<Chain<Cursor<Vec<u8>>, Rest<R>>>,
    /// Where the next byte is.
    offset: u64,
    form: Form,
}

/// A document and where it starts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) offset: u64,
    pub(super) bytes: Bytes,
}

/// What is wrong.
#[derive(Debug)]
pub(super) enum Fault {
    /// The stream can't be read on.
    Io(std::io::Error),
    /// The stream can't be cut any further.
    Fatal(String),
    /// A document is lost, what follows is not.
    Damaged(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json { in_list: bool },
    Frames,
    Whole,
    Empty,
}

impl<R: Read> Documents<R> {
    /// Looks at the first bytes.
    pub(super) fn new(mut from: R) -> std::io::Result<Self> {
        let mut head = Vec::new();
        let error = from.by_ref().take(BUFFER_BYTES as u64).read_to_end(&mut head).err();
        if head.is_empty()
            && let Some(error) = error
        {
            return Err(error);
        }
        let form = form(&head);
        let rest = Rest { from, error };
        let mut input = BufReader::with_capacity(BUFFER_BYTES, Cursor::new(head).chain(rest));
        let marked = if input.fill_buf()?.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        input.consume(marked);
        Ok(Self { input, offset: marked as u64, form })
    }

    /// The next document; `None` at the end. After [`Fault::Damaged`], ask again.
    pub(super) fn next(&mut self) -> Result<Option<Document>, Fault> {
        match self.form {
            Form::Json { in_list } => self.json(in_list),
            Form::Frames => self.frame(),
            Form::Whole => {
                self.form = Form::Empty;
                self.take(None).map(Some)
            }
            Form::Empty => Ok(None),
        }
    }

    fn frame(&mut self) -> Result<Option<Document>, Fault> {
        loop {
            let mut prefix = Vec::new();
            let read = self.input.by_ref().take(4).read_to_end(&mut prefix).map_err(Fault::Io)?;
            self.offset += read as u64;
            let Ok(prefix) = <[u8; 4]>::try_from(prefix) else {
                self.form = Form::Empty;
                return if read == 0 { Ok(None) } else { Err(self.cut_off()) };
            };
            match u32::from_be_bytes(prefix) {
                0 => {}
                len if len as usize <= DOCUMENT_BYTES_MAX => return self.take(Some(len)).map(Some),
                _ => return Err(self.too_large()),
            }
        }
    }

    /// So many bytes as one document, or all that are left.
    fn take(&mut self, len: Option<u32>) -> Result<Document, Fault> {
        let (offset, mut bytes) = (self.offset, Vec::new());
        let most = len.map_or(DOCUMENT_BYTES_MAX as u64 + 1, u64::from);
        let read = self.input.by_ref().take(most).read_to_end(&mut bytes).map_err(Fault::Io)?;
        self.offset += read as u64;
        match len {
            Some(_) if (read as u64) < most => Err(self.cut_off()),
            None if read > DOCUMENT_BYTES_MAX => Err(self.too_large()),
            _ => Ok(Document { offset, bytes: bytes.into() }),
        }
    }

    fn json(&mut self, mut in_list: bool) -> Result<Option<Document>, Fault> {
        loop {
            let Some(byte) = self.peek()? else { return Ok(None) };
            match byte {
                b'{' => return self.object().map(Some),
                b'[' if !in_list => in_list = true,
                b']' if in_list => in_list = false,
                b',' if in_list => {}
                _ if byte.is_ascii_whitespace() => {}
                _ => {
                    let at = self.offset;
                    self.skip_line()?;
                    return Err(Fault::Damaged(format!("not JSON at byte {at}")));
                }
            }
            self.form = Form::Json { in_list };
            self.consume(1);
        }
    }

    /// The object that starts here.
    fn object(&mut self) -> Result<Document, Fault> {
        let (offset, mut bytes, mut brackets) = (self.offset, Vec::new(), Brackets::default());
        loop {
            let chunk = self.input.fill_buf().map_err(Fault::Io)?;
            if chunk.is_empty() {
                return Err(self.cut_off());
            }
            let (used, step) = brackets.follow(chunk);
            bytes.extend_from_slice(&chunk[..used]);
            self.consume(used);
            if bytes.len() > DOCUMENT_BYTES_MAX {
                return Err(self.too_large());
            }
            match step {
                Step::On => {}
                Step::End => return Ok(Document { offset, bytes: bytes.into() }),
                Step::LineEnd if !self.at_beginning()? => {}
                Step::LineEnd | Step::Broken => {
                    return Err(Fault::Damaged(format!("the document at byte {offset} is cut off")));
                }
            }
        }
    }

    fn at_beginning(&mut self) -> Result<bool, Fault> {
        let next = self.input.fill_buf().map_err(Fault::Io)?;
        Ok(BEGINNINGS.iter().any(|it| next.starts_with(it)))
    }

    fn skip_line(&mut self) -> Result<(), Fault> {
        loop {
            let chunk = self.input.fill_buf().map_err(Fault::Io)?;
            let end = memchr::memchr(b'\n', chunk).map(|at| at + 1);
            let used = end.unwrap_or(chunk.len());
            self.consume(used);
            if end.is_some() || used == 0 {
                return Ok(());
            }
        }
    }

    fn peek(&mut self) -> Result<Option<u8>, Fault> {
        self.input.fill_buf().map(|chunk| chunk.first().copied()).map_err(Fault::Io)
    }

    fn consume(&mut self, bytes: usize) {
        self.input.consume(bytes);
        self.offset += bytes as u64;
    }

    fn cut_off(&mut self) -> Fault {
        self.form = Form::Empty;
        Fault::Damaged("its end is cut off".into())
    }

    fn too_large(&mut self) -> Fault {
        self.form = Form::Empty;
        let (at, most) = (self.offset, DOCUMENT_BYTES_MAX >> 20);
        Fault::Fatal(format!(
            "one document is larger than {most} MiB (before byte {at}); write one export request a line"
        ))
    }
}

/// What comes after the first bytes: an error, when there was one.
struct Rest<R> {
    from: R,
    error: Option<std::io::Error>,
}

impl<R: Read> Read for Rest<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.error.take().map_or_else(|| self.from.read(buffer), Err)
    }
}

impl From<Fault> for String {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Io(error) if error.kind() == ErrorKind::UnexpectedEof => "its end is cut off".into(),
            Fault::Io(error) => error.to_string(),
            Fault::Fatal(reason) | Fault::Damaged(reason) => reason,
        }
    }
}

/// What a stream that begins like this holds.
fn form(head: &[u8]) -> Form {
    if is_message(head) {
        return Form::Whole;
    }
    let text = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
    match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => Form::Empty,
        Some(b'{' | b'[') => Form::Json { in_list: false },
        Some(_) => match head.first_chunk() {
            Some(prefix) if u32::from_be_bytes(*prefix) as usize <= DOCUMENT_BYTES_MAX => Form::Frames,
            _ => Form::Whole,
        },
    }
}

/// Whether a request's own bytes begin here: its field 1. The tag alone would not tell, being a line feed, nor would a
/// length that is a bracket.
fn is_message(head: &[u8]) -> bool {
    match head {
        [0x0a, 0x80..=0xff, ..] => true,
        [0x0a, len, ..] => head.get(..2 + usize::from(*len)).is_some_and(|field| {
            let field = Bytes::copy_from_slice(field);
            Traces::parse(field.clone()).is_ok() || Logs::parse(field.clone()).is_ok() || Metrics::parse(field).is_ok()
        }),
        _ => false,
    }
}

/// Follows an object to its end.
#[derive(Default)]
struct Brackets {
    depth: usize,
    in_string: bool,
    is_escaped: bool,
}

enum Step {
    /// The object goes on.
    On,
    /// It ended.
    End,
    /// A line ended between its tokens.
    LineEnd,
    /// A line ended inside a string, which JSON forbids.
    Broken,
}

impl Brackets {
    /// How many bytes of `chunk` were followed, and to what.
    fn follow(&mut self, chunk: &[u8]) -> (usize, Step) {
        let mut at = 0;
        while at < chunk.len() {
            if self.in_string {
                if std::mem::take(&mut self.is_escaped) {
                    at += 1;
                    continue;
                }
                let Some(found) = memchr::memchr3(b'"', b'\\', b'\n', &chunk[at..]) else { break };
                at += found + 1;
                match chunk[at - 1] {
                    b'"' => self.in_string = false,
                    b'\\' => self.is_escaped = true,
                    _ => return (at, Step::Broken),
                }
                continue;
            }
            at += 1;
            match chunk[at - 1] {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth <= 1 => return (at, Step::End),
                b'}' | b']' => self.depth -= 1,
                b'\n' => return (at, Step::LineEnd),
                _ => {}
            }
        }
        (chunk.len(), Step::On)
    }
}

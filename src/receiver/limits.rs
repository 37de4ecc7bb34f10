//! Reading a request body whole, under every limit there is: bytes after decompression, and time.
//!
//! Compressed bodies are inflated frame by frame as they arrive, into a buffer that stops at the limit: neither the
//! compressed body nor one byte beyond the limit is ever held, however well the bomb is packed.

use std::io::{self, Write};
use std::time::Duration;

use bytes::Bytes;
use flate2::write::{MultiGzDecoder, ZlibDecoder};
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::Body;
use hyper::header::CONTENT_ENCODING;

use super::rejection::Rejection;

/// A body that takes longer to arrive is given up, so that a slow client can't keep a place in flight.
pub(super) const BODY_READ_TIMEOUT: Duration = Duration::from_secs(30);

/// A content encoding that is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    /// RFC 9110 8.4.1.2: zlib, not the bare deflate that some old clients send.
    Deflate,
    Zstd,
}

impl Encoding {
    /// The encoding of a request with these headers. Two encodings on top of each other are not supported.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Rejection> {
        let Some(value) = headers.get(CONTENT_ENCODING) else { return Ok(Self::Identity) };
        match value.as_bytes().trim_ascii().to_ascii_lowercase().as_slice() {
            b"" | b"identity" => Ok(Self::Identity),
            b"gzip" | b"x-gzip" => Ok(Self::Gzip),
            b"deflate" => Ok(Self::Deflate),
            b"zstd" => Ok(Self::Zstd),
            other => Err(Rejection::Encoding(String::from_utf8_lossy(other).into_owned())),
        }
    }
}

/// Reads `body` to its end: at most `bytes_max` bytes after decompression, within [`BODY_READ_TIMEOUT`].
pub(super) async fn read<B>(body: &mut B, encoding: Encoding, bytes_max: usize) -> Result<Bytes, Rejection>
where
    B: Body<Data = Bytes> + Unpin,
{
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > bytes_max {
        return Err(Rejection::TooLarge(bytes_max));
    }
    tokio::time::timeout(BODY_READ_TIMEOUT, collect(body, Inflate::new(encoding, announced, bytes_max)?))
        .await
        .unwrap_or(Err(Rejection::Slow))
}

async fn collect<B>(body: &mut B, mut inflate: Inflate) -> Result<Bytes, Rejection>
where
    B: Body<Data = Bytes> + Unpin,
{
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Rejection::Gone)?;
        if let Some(data) = frame.data_ref() {
            inflate.write(data)?;
        }
    }
    inflate.finish()
}

/// One body being decompressed.
struct Inflate {
    decoder: Decoder,
    bytes_max: usize,
}

enum Decoder {
    Identity(Bounded),
    Gzip(MultiGzDecoder<Bounded>),
    Deflate(ZlibDecoder<Bounded>),
    Zstd(zstd::stream::write::Decoder<'static, Bounded>),
}

impl Inflate {
    fn new(encoding: Encoding, announced: usize, bytes_max: usize) -> Result<Self, Rejection> {
        let into = Bounded { bytes: Vec::with_capacity(announced), bytes_max };
        let decoder = match encoding {
            Encoding::Identity => Decoder::Identity(into),
            Encoding::Gzip => Decoder::Gzip(MultiGzDecoder::new(into)),
            Encoding::Deflate => Decoder::Deflate(ZlibDecoder::new(into)),
            Encoding::Zstd => {
                let mut raw = zstd::stream::raw::Decoder::new().map_err(corrupt)?;
                let window = zstd::stream::raw::DParameter::WindowLogMax(window_log_max(bytes_max));
                raw.set_parameter(window).map_err(corrupt)?;
                Decoder::Zstd(zstd::stream::write::Decoder::with_decoder(into, raw))
            }
        };
        Ok(Self { decoder, bytes_max })
    }

    fn write(&mut self, compressed: &[u8]) -> Result<(), Rejection> {
        let written = match &mut self.decoder {
            Decoder::Identity(into) => into.write_all(compressed),
            Decoder::Gzip(decoder) => decoder.write_all(compressed),
            Decoder::Deflate(decoder) => decoder.write_all(compressed),
            Decoder::Zstd(decoder) => decoder.write_all(compressed),
        };
        written.map_err(|error| self.rejection(error))
    }

    fn finish(self) -> Result<Bytes, Rejection> {
        let bytes_max = self.bytes_max;
        let finished = match self.decoder {
            Decoder::Identity(into) => Ok(into),
            Decoder::Gzip(decoder) => decoder.finish(),
            Decoder::Deflate(decoder) => decoder.finish(),
            Decoder::Zstd(decoder) => decoder.finish(),
        };
        match finished {
            Ok(into) => Ok(into.bytes.into()),
            Err(error) if is_too_large(&error) => Err(Rejection::TooLarge(bytes_max)),
            Err(error) => Err(corrupt(error)),
        }
    }

    fn rejection(&self, error: io::Error) -> Rejection {
        if is_too_large(&error) { Rejection::TooLarge(self.bytes_max) } else { corrupt(error) }
    }
}

fn corrupt(error: io::Error) -> Rejection {
    Rejection::Corrupt(error.to_string())
}

fn is_too_large(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::FileTooLarge
}

/// The decoder's window may not be larger than what it can decode to; RFC 8878 3.1.1.1.2 allows far more.
fn window_log_max(bytes_max: usize) -> u32 {
    bytes_max.checked_next_power_of_two().map_or(usize::BITS - 1, usize::ilog2).clamp(10, 27)
}

/// A buffer that refuses the byte after the last one allowed, and whose capacity stops there too.
struct Bounded {
    bytes: Vec<u8>,
    bytes_max: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.bytes.len();
        if bytes.len() > self.bytes_max - len {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if bytes.len() > self.bytes.capacity() - len {
            let capacity = (2 * self.bytes.capacity()).max(len + bytes.len()).min(self.bytes_max);
            self.bytes.reserve_exact(capacity - len);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

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

/// log2 of the zstd window, which the decoder allocates when the frame asks for it: 8 MiB, as RFC 8878 3.1.1.1.2 wants
/// supported and level 19 uses, or what the largest body can use.
fn window_log_max(bytes_max: usize) -> u32 {
    bytes_max.checked_next_power_of_two().map_or(27, usize::ilog2).clamp(23, 27)
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use proptest::prelude::*;

    use super::*;

    fn compress(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
        let mut compressed = Vec::new();
        match encoding {
            Encoding::Identity => compressed.extend_from_slice(bytes),
            Encoding::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(&mut compressed, flate2::Compression::fast());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap();
            }
            Encoding::Deflate => {
                let mut encoder = flate2::write::ZlibEncoder::new(&mut compressed, flate2::Compression::fast());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap();
            }
            Encoding::Zstd => compressed = zstd::encode_all(bytes, 1).unwrap(),
        }
        compressed
    }

    fn inflate(encoding: Encoding, compressed: &[u8], chunk: usize, bytes_max: usize) -> Result<Bytes, Rejection> {
        let mut inflate = Inflate::new(encoding, 0, bytes_max)?;
        compressed.chunks(chunk).try_for_each(|chunk| inflate.write(chunk))?;
        inflate.finish()
    }

    fn encoding() -> impl Strategy<Value = Encoding> {
        proptest::sample::select(vec![Encoding::Identity, Encoding::Gzip, Encoding::Deflate, Encoding::Zstd])
    }

    proptest! {
        /// However it is cut into frames, a body comes out as it went in exactly when it is within the limit.
        #[test]
        fn bodies_survive_and_the_limit_is_exact(
            encoding in encoding(),
            bytes in proptest::collection::vec(0..4u8, 1..5_000),
            chunk in 1..600usize,
            margin in 0..2usize,
        ) {
            let compressed = compress(encoding, &bytes);
            let bytes_max = bytes.len() - 1 + margin;
            match inflate(encoding, &compressed, chunk, bytes_max) {
                Ok(inflated) => prop_assert!(margin == 1 && inflated == bytes),
                Err(Rejection::TooLarge(max)) => prop_assert!(margin == 0 && max == bytes_max),
                Err(other) => prop_assert!(false, "{other}"),
            }
        }

        /// A compressed body that was cut short is never taken for a whole one.
        #[test]
        fn truncation_is_noticed(
            encoding in encoding().prop_filter("plain bytes have no end of their own", |it| *it != Encoding::Identity),
            bytes in proptest::collection::vec(any::<u8>(), 0..5_000),
            cut in any::<proptest::sample::Index>(),
        ) {
            let compressed = compress(encoding, &bytes);
            let compressed = &compressed[..cut.index(compressed.len())];
            prop_assert!(matches!(inflate(encoding, compressed, 512, 1 << 20), Err(Rejection::Corrupt(_))));
        }
    }

    /// The buffer never has room for more than the limit.
    #[test]
    fn capacity_stops_at_the_limit() {
        let mut bounded = Bounded { bytes: Vec::new(), bytes_max: 1_000 };
        while bounded.write_all(&[0; 33]).is_ok() {
            assert!(bounded.bytes.capacity() <= 1_000);
        }
        assert_eq!(bounded.bytes.len(), 990);
    }

    /// A body that never ends is given up after [`BODY_READ_TIMEOUT`].
    #[tokio::test(start_paused = true)]
    async fn slow_bodies_are_given_up() {
        let drip = tokio_stream::StreamExt::throttle(
            tokio_stream::iter(std::iter::repeat_with(|| Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x"))))),
            Duration::from_secs(1),
        );
        let mut body = Box::pin(StreamBody::new(drip));
        let started = tokio::time::Instant::now();
        let read = read(&mut body, Encoding::Identity, 1 << 20).await;
        assert!(matches!(read, Err(Rejection::Slow)), "{read:?}");
        assert_eq!(started.elapsed().as_secs(), BODY_READ_TIMEOUT.as_secs());
    }
}

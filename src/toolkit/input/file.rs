//! Files, pipes and standard input as streams of decompressed bytes.

use std::fs::File;
use std::io::{Cursor, Read, Write};
use std::path::Path;

/// First bytes of a gzip stream (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// First bytes of a zstd frame (RFC 8878, section 3.1.1).
pub(super) const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// What a path leads to.
pub(super) struct Stream<'p> {
    /// Its bytes, decompressed.
    pub(super) bytes: Box<dyn Read + 'p>,
    /// Whether the same bytes can be read from the path again, at any place.
    pub(super) is_plain: bool,
}

/// Opens a path, `-` for standard input. `progress` hears of bytes as they are read, before decompression.
pub(super) fn open<'p>(path: &Path, progress: &'p mut dyn FnMut(u64)) -> std::io::Result<Stream<'p>> {
    let (from, is_file): (Box<dyn Read>, bool) = if path == Path::new("-") {
        (Box::new(std::io::stdin().lock()), false)
    } else {
        let file = File::open(path)?;
        let is_file = file.metadata()?.is_file();
        (Box::new(file), is_file)
    };
    let mut from = Counted { from, progress };
    let mut head = Vec::new();
    from.by_ref().take(ZSTD.len() as u64).read_to_end(&mut head)?;
    let (is_gzip, is_zstd) = (head.starts_with(&GZIP), head.starts_with(&ZSTD));
    let whole = Cursor::new(head).chain(from);
    Ok(match (is_gzip, is_zstd) {
        (true, _) => Stream { bytes: Box::new(flate2::read::MultiGzDecoder::new(whole)), is_plain: false },
        (_, true) => Stream { bytes: Box::new(zstd::stream::read::Decoder::new(whole)?), is_plain: false },
        _ => Stream { bytes: Box::new(whole), is_plain: is_file },
    })
}

/// A reader that says how much it read.
struct Counted<'p, R> {
    from: R,
    progress: &'p mut dyn FnMut(u64),
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.from.read(buffer)?;
        (self.progress)(read as u64);
        Ok(read)
    }
}

/// A reader that writes what it reads to a file, to be read again.
pub(super) struct Tee<'s, R> {
    pub(super) from: R,
    pub(super) to: Option<&'s File>,
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.from.read(buffer)?;
        if let Some(to) = &mut self.to {
            let failed = |error| std::io::Error::other(format!("{}: {error}", std::env::temp_dir().display()));
            to.write_all(&buffer[..read]).map_err(failed)?;
        }
        Ok(read)
    }
}

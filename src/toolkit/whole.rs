//! Files that are read whole, up to a limit: what is longer is an error, never a part of it.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result, stdin};
use std::path::Path;

/// The text of a file, or of standard input for `-`.
///
/// # Errors
/// What can't be read, is no UTF-8, or has more than `bytes_max` bytes, with the path.
pub fn text(path: &Path, bytes_max: u64) -> Result<String> {
    let read = match path == Path::new("-") {
        true => bounded(stdin().lock(), bytes_max),
        false => File::open(path).and_then(|file| bounded(file, bytes_max)),
    };
    read.map_err(|error| Error::new(error.kind(), format!("{}: {error}", path.display())))
}

fn bounded(from: impl Read, bytes_max: u64) -> Result<String> {
    let mut text = String::new();
    let mut from = from.take(bytes_max.saturating_add(1));
    // A limit inside a character is no complaint about the text.
    let read = from.read_to_string(&mut text);
    match from.limit() {
        0 => Err(Error::new(ErrorKind::FileTooLarge, format!("more than {bytes_max} bytes"))),
        _ => read.map(|_| text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that a text is whole or an error, wherever the limit falls.
    #[test]
    fn nothing_is_cut() {
        let text = "ab é";
        for bytes_max in 0..8 {
            let read = bounded(text.as_bytes(), bytes_max);
            match bytes_max < text.len() as u64 {
                true => assert_eq!(read.unwrap_err().kind(), ErrorKind::FileTooLarge, "{bytes_max}"),
                false => assert_eq!(read.unwrap(), text, "{bytes_max}"),
            }
        }
        assert_eq!(bounded(&[0xff][..], 9).unwrap_err().kind(), ErrorKind::InvalidData);
        let missing = super::text(Path::new("/no/such"), 1).unwrap_err();
        assert!(missing.kind() == ErrorKind::NotFound && missing.to_string().starts_with("/no/such: "), "{missing}");
    }
}

//! Bundles as lists of files, and tar in more ways than a bundle is ever written.

use std::io::Read as _;

use sha2::{Digest as _, Sha256};

/// Names and contents, in order.
pub(crate) type Files = Vec<(String, Vec<u8>)>;

/// How a tar differs from one that was written as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trick {
    None,
    /// A pax header before the file at this place says another name.
    Pax(usize),
    /// A GNU long name before the file at this place.
    LongName(usize),
    /// The type flag of the file at this place.
    Type(usize, u8),
    /// The directory of the name at this place stands in the prefix field.
    Prefix(usize),
    /// Mode, owner, times or magic of the file at this place, by the byte of the header.
    Header(usize, usize),
    /// Bytes after the end.
    Trailing(u8),
    /// Blocks of zeroes at the end: another number than two.
    End(usize),
    /// Bytes in the padding of the file at this place.
    Padding(usize),
}

pub(crate) fn read(bytes: &[u8]) -> Files {
    let mut archive = tar::Archive::new(bytes);
    let entries = archive.entries().expect("a tar");
    let file = |entry: std::io::Result<tar::Entry<'_, _>>| {
        let mut entry = entry.expect("a whole tar");
        let name = entry.path().expect("a name").to_string_lossy().into_owned();
        let mut contents = Vec::new();
        entry.read_to_end(&mut contents).expect("memory");
        (name, contents)
    };
    entries.map(file).collect()
}

pub(crate) fn text(files: &Files, name: &str) -> String {
    let file = files.iter().find(|(its, _)| its == name);
    file.map_or_else(String::new, |(_, contents)| String::from_utf8_lossy(contents).into_owned())
}

/// Makes SHA256SUMS right.
pub(crate) fn sum(files: &mut Files) {
    let hex = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let summed = files.iter().filter(|(name, _)| name != "SHA256SUMS");
    let sums: String = summed.map(|(name, contents)| format!("{}  {name}\n", hex(contents))).collect();
    match files.iter_mut().find(|(name, _)| name == "SHA256SUMS") {
        Some((_, contents)) => *contents = sums.into_bytes(),
        None => files.push(("SHA256SUMS".to_owned(), sums.into_bytes())),
    }
}

fn header(name: &str, bytes: usize, kind: u8) -> [u8; 512] {
    let mut header = tar::Header::new_ustar();
    let field = &mut header.as_old_mut().name;
    let length = name.len().min(field.len());
    field[..length].copy_from_slice(&name.as_bytes()[..length]);
    header.set_size(bytes as u64);
    header.set_mode(if name == "verify.sh" { 0o755 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_cksum();
    *header.as_bytes()
}

fn put(out: &mut Vec<u8>, header: [u8; 512], contents: &[u8]) {
    out.extend_from_slice(&header);
    out.extend_from_slice(contents);
    out.resize(out.len().next_multiple_of(512), 0);
}

/// The archive; without a trick that of a bundle, byte for byte.
pub(crate) fn write(files: &Files, trick: Trick) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, (name, contents)) in files.iter().enumerate() {
        let mut head = header(name, contents.len(), b'0');
        match trick {
            Trick::Pax(place) if place == at => {
                let line = format!("path={name}\n");
                let record = format!("{} {line}", line.len() + 3);
                put(&mut out, header("PaxHeader", record.len(), b'x'), record.as_bytes());
                head = header("other", contents.len(), b'0');
            }
            Trick::LongName(place) if place == at => {
                put(&mut out, header("././@LongLink", name.len() + 1, b'L'), format!("{name}\0").as_bytes());
            }
            Trick::Type(place, kind) if place == at => head = header(name, contents.len(), kind),
            Trick::Prefix(place) if place == at => {
                let (directory, file) = name.rsplit_once('/').unwrap_or((".", name));
                head = header(file, contents.len(), b'0');
                head[345..345 + directory.len()].copy_from_slice(directory.as_bytes());
                checksum(&mut head);
            }
            Trick::Header(place, byte) if place == at => {
                head[byte] ^= 1;
                checksum(&mut head);
            }
            _ => {}
        }
        put(&mut out, head, contents);
        if trick == Trick::Padding(at) && !contents.len().is_multiple_of(512) {
            out.pop();
            out.push(b'x');
        }
    }
    let end = if let Trick::End(blocks) = trick { blocks } else { 2 };
    out.resize(out.len() + end * 512, 0);
    if let Trick::Trailing(byte) = trick {
        out.resize(out.len() + 512, byte);
    }
    out
}

/// Makes the checksum of a header right.
fn checksum(head: &mut [u8; 512]) {
    head[148..156].fill(b' ');
    let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
    head[148..156].copy_from_slice(format!("{sum:07o}\0").as_bytes());
}

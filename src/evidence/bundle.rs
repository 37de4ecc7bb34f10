//! The auditor's bundle: a tar of a frame, its proof, and how to check them without us. The same frame always gives
//! the same bytes, so a verifier makes the archive again and compares: no header, padding or text goes unchecked.

use std::io::{self, Read};

/// Instructions for people. A later version that changes them keeps this one for old bundles.
const README: &str = include_str!("bundle/README.txt");
/// The same checks with bash, openssl and coreutils. Kept like [`README`].
const VERIFY_SH: &str = include_str!("bundle/verify.sh");

/// The evidence in a bundle.
#[derive(Debug)]
pub(super) struct Bundle {
    pub(super) frame: Vec<u8>,
    pub(super) manifest: Vec<u8>,
    pub(super) proof: String,
    pub(super) checkpoint: String,
}

/// Writes a bundle.
pub(super) fn write(frame: &[u8], manifest: &[u8], proof: &str, checkpoint: &str) -> io::Result<Vec<u8>> {
    let files = [
        ("frame.json", frame, 0o644),
        ("manifest.json", manifest, 0o644),
        ("frame.tlog-proof", proof.as_bytes(), 0o644),
        ("checkpoint", checkpoint.as_bytes(), 0o644),
        ("README.txt", README.as_bytes(), 0o644),
        ("verify.sh", VERIFY_SH.as_bytes(), 0o755),
    ];
    let mut archive = tar::Builder::new(Vec::new());
    for (name, contents, mode) in files {
        let mut header = tar::Header::new_ustar();
        header.set_path(name)?;
        header.set_size(contents.len() as u64);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        archive.append(&header, contents)?;
    }
    archive.into_inner()
}

/// Reads a bundle; an error says what is not as [`write()`] writes it.
pub(super) fn read(bytes: &[u8]) -> Result<Bundle, String> {
    let mut archive = tar::Archive::new(bytes);
    let mut entries = archive.entries().map_err(|error| error.to_string())?;
    let mut next = |name: &str| {
        let mut entry = entries.next().ok_or("files are missing")?.map_err(|error| format!("not a tar: {error}"))?;
        let named = entry.path().is_ok_and(|path| path.to_str() == Some(name));
        if !named {
            return Err(format!("{name} is not where it belongs"));
        }
        // The archive is a slice in memory, so an entry can't be larger than what was given.
        let mut contents = Vec::new();
        entry.read_to_end(&mut contents).map_err(|error| format!("{name}: {error}"))?;
        Ok(contents)
    };
    let (frame, manifest) = (next("frame.json")?, next("manifest.json")?);
    let mut text = |name| String::from_utf8(next(name)?).map_err(|_| format!("{name} is not text"));
    let (proof, checkpoint) = (text("frame.tlog-proof")?, text("checkpoint")?);
    let again = write(&frame, &manifest, &proof, &checkpoint).map_err(|error| error.to_string())?;
    if again != bytes {
        return Err(
            "the archive is not as it was written: README.txt, verify.sh, a header or trailing bytes".to_owned()
        );
    }
    Ok(Bundle { frame, manifest, proof, checkpoint })
}

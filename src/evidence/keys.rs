//! The log's key: where its seed comes from, and where a verifier must not take the public half from.

use std::io;
use std::path::Path;

use super::durable::Disk;
use super::read_at_most;
use crate::core::manifest::{Leaf, Manifest};
use crate::core::note::NOTE_BYTES_MAX;

/// A source of random bytes, [`os_entropy`] outside tests.
pub type Entropy = Box<dyn FnMut(&mut [u8]) -> io::Result<()> + Send>;

/// The operating system's random source.
#[must_use]
pub fn os_entropy() -> Entropy {
    Box::new(|bytes| getrandom::fill(bytes).map_err(io::Error::other))
}

/// The 32-byte seed: from the configured file, or from `keys/log.key`, which is made when `fresh` bytes are given and
/// it is not there yet.
pub(super) fn seed(disk: &Disk, dir: &Path, key_file: Option<&Path>, fresh: Option<[u8; 32]>) -> io::Result<[u8; 32]> {
    if let Some(path) = key_file {
        return read_seed(path);
    }
    seed_at(disk, dir, "log.key", fresh)
}

/// The 32-byte seed in `keys/<name>`, which is made when `fresh` bytes are given and it is not there yet.
pub(super) fn seed_at(disk: &Disk, dir: &Path, name: &str, fresh: Option<[u8; 32]>) -> io::Result<[u8; 32]> {
    let path = dir.join("keys").join(name);
    match (read_seed(&path), fresh) {
        (Err(error), Some(seed)) if error.kind() == io::ErrorKind::NotFound => {
            disk.create_directory(&dir.join("keys"))?;
            restrict(&dir.join("keys"))?;
            disk.publish(&path, 0o600, [&seed[..]])?;
            Ok(seed)
        }
        (read, _) => read,
    }
}

fn restrict(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700))
}

fn read_seed(path: &Path) -> io::Result<[u8; 32]> {
    let named = |kind, what: &str| io::Error::new(kind, format!("{}: {what}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| named(error.kind(), &error.to_string()))?;
    bytes.try_into().map_err(|_| named(io::ErrorKind::InvalidData, "a key is exactly 32 bytes (the Ed25519 seed)"))
}

/// The verifier key that the log in `dir` names as its own: for publishing it, never for verifying with it.
///
/// # Errors
/// When there is no log, or its identity can't be read.
pub fn own_vkey(dir: &Path) -> io::Result<String> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "id.json is not the identity of a log");
    let genesis = Manifest::parse(&std::fs::read(dir.join("id.json"))?).map_err(|_| invalid())?;
    match genesis.leaf {
        Leaf::Genesis { vkey, .. } => Ok(vkey),
        Leaf::Frame { .. } => Err(invalid()),
    }
}

/// Reads a vkey for [`super::verify()`] from a file, which must lie outside the evidence: a key that comes with what
/// it proves, proves nothing.
///
/// # Errors
/// A sentence for the user.
pub fn read_vkey(file: &Path, evidence: &Path) -> Result<String, String> {
    let failed = |error: io::Error| format!("{}: {error}", file.display());
    let (file_at, evidence_at) = (file.canonicalize().map_err(failed)?, evidence.canonicalize());
    if evidence_at.is_ok_and(|evidence| file_at.starts_with(evidence)) {
        return Err(format!(
            "{} lies inside the evidence; take the verifier key from where the log's owner published it",
            file.display()
        ));
    }
    let bytes = read_at_most(&file_at, NOTE_BYTES_MAX as u64).map_err(failed)?;
    String::from_utf8(bytes).map_err(|_| format!("{}: not a verifier key", file.display()))
}

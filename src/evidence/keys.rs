//! The log's keys: where their seeds come from, and where a verifier must not take the public half from.
//!
//! There is one key, or two while one replaces the other: then every checkpoint carries both signatures, until the
//! previous key is taken away. Rotation is nothing but that: when the key in charge is found as the previous one, the
//! log appends the leaf that hands over. Keys made here are `keys/log.key` and `keys/previous.key`; `keys/next.key` is
//! one that [`make_next`] made and [`Seeds::load`] puts in place.

use std::io;
use std::path::{Path, PathBuf};

use super::durable::Disk;
use super::read_at_most;
use super::reader::Reader;
use super::recovery::Chain;
use crate::config::Evidence;
use crate::core::merkle::Hash;
use crate::core::note::{Checkpoint, NOTE_BYTES_MAX, Signer};
use crate::core::policy::POLICY_BYTES_MAX;

/// A source of random bytes, [`os_entropy`] outside tests.
pub type Entropy = Box<dyn FnMut(&mut [u8]) -> io::Result<()> + Send>;

/// Bytes of a seed.
const SEED_BYTES: usize = 32;

/// The operating system's random source.
#[must_use]
pub fn os_entropy() -> Entropy {
    Box::new(|bytes| getrandom::fill(bytes).map_err(io::Error::other))
}

/// Ed25519 seeds.
pub(super) struct Seeds {
    current: [u8; SEED_BYTES],
    previous: Option<[u8; SEED_BYTES]>,
}

impl Seeds {
    /// From the configured files, or from `keys/`.
    pub(super) fn load(disk: &Disk, dir: &Path, config: &Evidence) -> io::Result<Self> {
        if let Some(path) = &config.key_file {
            let previous = config.previous_key_file.as_deref().map(read_seed).transpose()?;
            return Ok(Self { current: read_seed(path)?, previous });
        }
        put_next_in_place(disk, dir)?;
        disk.wipe(&key_path(dir, "retired"))?;
        let previous = match read_seed(&key_path(dir, "previous")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            seed => Some(seed?),
        };
        Ok(Self { current: read_seed(&key_path(dir, "log"))?, previous })
    }

    /// The same, with a new key when there is none yet.
    pub(super) fn load_or_make(disk: &Disk, dir: &Path, config: &Evidence, entropy: &mut Entropy) -> io::Result<Self> {
        match Self::load(disk, dir, config) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && config.key_file.is_none() => {
                let current = make(disk, dir, "log", entropy)?;
                Ok(Self { current, previous: None })
            }
            loaded => loaded,
        }
    }

    /// Signers for the log of this name; `None` when no key can have the name.
    pub(super) fn signers(&self, origin: &str) -> Option<Signers> {
        let current = Signer::from_seed(origin, &self.current)?;
        let previous = match self.previous {
            Some(seed) if seed != self.current => Some(Signer::from_seed(origin, &seed)?),
            _ => None,
        };
        Some(Signers { current, previous })
    }
}

/// What signs checkpoints.
#[derive(Debug)]
pub(super) struct Signers {
    pub(super) current: Signer,
    previous: Option<Signer>,
}

/// How the keys at hand fit those the log signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// The key is the one in charge.
    InCharge,
    /// The key in charge is the previous one: it has to hand over.
    ToRotate,
    /// The key in charge is not at hand.
    None,
}

impl Signers {
    /// Compares the keys with those of the log.
    pub(super) fn fit(&self, chain: &Chain) -> Fit {
        let in_charge = |signer: &Signer| signer.verifier() == chain.current();
        match &self.previous {
            _ if in_charge(&self.current) => Fit::InCharge,
            Some(previous) if in_charge(previous) => Fit::ToRotate,
            _ => Fit::None,
        }
    }

    /// Signs a checkpoint with every key at hand.
    pub(super) fn sign_checkpoint(&self, size: u64, root: Hash) -> String {
        let text = Checkpoint { origin: self.origin().to_owned(), size, root }.to_string();
        let previous = self.previous.as_ref().map(|previous| previous.sign(&text)).unwrap_or_default();
        format!("{text}\n{}{previous}", self.current.sign(&text))
    }

    /// Whether one of the keys signed a checkpoint.
    pub(super) fn opens(&self, note: &str) -> bool {
        let all = [Some(&self.current), self.previous.as_ref()];
        all.into_iter().flatten().any(|signer| signer.verifier().open_checkpoint(note).is_ok())
    }

    /// The log's name.
    pub(super) fn origin(&self) -> &str {
        self.current.verifier().name()
    }
}

/// Makes the key that the next opening puts in place of the current one.
pub(super) fn make_next(disk: &Disk, dir: &Path, entropy: &mut Entropy) -> io::Result<()> {
    make(disk, dir, "next", entropy).map(drop)
}

/// Ends the time in which two keys sign.
pub(super) fn forget_previous(disk: &Disk, dir: &Path) -> io::Result<bool> {
    let [previous, retired] = ["previous", "retired"].map(|name| key_path(dir, name));
    if previous.try_exists()? {
        // Half overwritten it would be another key.
        disk.rename(&previous, &retired)?;
    }
    // Asked again after a failure, it is there though the previous key is not.
    let is_there = retired.exists();
    disk.wipe(&retired)?;
    Ok(is_there)
}

/// The seed in `keys/<name>`, which is made when `fresh` bytes are given and it is not there yet.
pub(super) fn seed_at(
    disk: &Disk,
    dir: &Path,
    name: &str,
    fresh: Option<[u8; SEED_BYTES]>,
) -> io::Result<[u8; SEED_BYTES]> {
    match (read_seed(&key_path(dir, name)), fresh) {
        (Err(error), Some(seed)) if error.kind() == io::ErrorKind::NotFound => {
            let mut given: Entropy = Box::new(move |bytes| {
                bytes.copy_from_slice(&seed);
                Ok(())
            });
            make(disk, dir, name, &mut given)
        }
        (read, _) => read,
    }
}

fn put_next_in_place(disk: &Disk, dir: &Path) -> io::Result<()> {
    let [next, current, previous] = ["next", "log", "previous"].map(|name| key_path(dir, name));
    if !next.try_exists()? {
        return Ok(());
    }
    // Cut short between the two, the next opening does the second.
    if current.try_exists()? {
        disk.rename(&current, &previous)?;
    }
    disk.rename(&next, &current)
}

fn make(disk: &Disk, dir: &Path, name: &str, entropy: &mut Entropy) -> io::Result<[u8; SEED_BYTES]> {
    let mut seed = [0; SEED_BYTES];
    entropy(&mut seed)?;
    disk.create_directory(&dir.join("keys"))?;
    restrict(&dir.join("keys"))?;
    disk.publish(&key_path(dir, name), 0o600, [&seed[..]])?;
    Ok(seed)
}

fn key_path(dir: &Path, name: &str) -> PathBuf {
    dir.join("keys").join(format!("{name}.key"))
}

fn restrict(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700))
}

fn read_seed(path: &Path) -> io::Result<[u8; SEED_BYTES]> {
    let named = |kind, what: &str| io::Error::new(kind, format!("{}: {what}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| named(error.kind(), &error.to_string()))?;
    bytes.try_into().map_err(|_| named(io::ErrorKind::InvalidData, "a key is exactly 32 bytes (the Ed25519 seed)"))
}

/// The verifier key in charge of the log in `dir`, as the log itself names it: for publishing it, never for verifying
/// with it.
///
/// # Errors
/// When there is no log, or it can't be read.
pub fn own_vkey(dir: &Path) -> io::Result<String> {
    Reader::open(dir).map(|reader| reader.vkey())
}

/// Reads a vkey for [`super::verify()`] from a file, which must lie outside the evidence: a key that comes with what
/// it proves, proves nothing.
///
/// # Errors
/// A sentence for the user.
pub fn read_vkey(file: &Path, evidence: &Path) -> Result<String, String> {
    let bytes = read_outside(file, evidence, "the verifier key", NOTE_BYTES_MAX)?;
    String::from_utf8(bytes).map_err(|_| format!("{}: not a verifier key", file.display()))
}

/// Reads a policy for [`super::verify_with_policy`], likewise.
///
/// # Errors
/// A sentence for the user.
pub fn read_policy(file: &Path, evidence: &Path) -> Result<Vec<u8>, String> {
    read_outside(file, evidence, "the policy", POLICY_BYTES_MAX)
}

fn read_outside(file: &Path, evidence: &Path, what: &str, bytes_max: usize) -> Result<Vec<u8>, String> {
    let failed = |error: io::Error| format!("{}: {error}", file.display());
    let (file_at, evidence_at) = (file.canonicalize().map_err(failed)?, evidence.canonicalize());
    if evidence_at.is_ok_and(|evidence| file_at.starts_with(evidence)) {
        let shown = file.display();
        return Err(format!("{shown} lies inside the evidence; take {what} from where its owner published it"));
    }
    read_at_most(&file_at, bytes_max as u64).map_err(failed)
}

//! Signed notes and checkpoints, C2SP `signed-note` v1.0.0 and `tlog-checkpoint` v1.0.0, with Ed25519 (type 0x01).
//!
//! A checkpoint here is exactly three lines, `origin`, `size`, `root`: no extension lines and no time, so the same
//! tree always gives the same bytes. Stricter than the specification in five ways: base64 must be canonical
//! (decoders that ignore the spare bits of the last character accept notes that were altered), the key's name must be
//! the origin, a key that signs twice is refused, names hold no control character, and neither key nor signature may
//! hold a point of small order. Signatures of unknown keys are ignored, as specified.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::merkle::Hash;

/// What a signature line begins with.
const EM_DASH: char = '\u{2014}';
/// Signature type of Ed25519 in key ids and verifier keys.
const ED25519: u8 = 0x01;
/// Largest note looked at, bytes.
pub const NOTE_BYTES_MAX: usize = 64 * 1024;
/// Most signature lines looked at: a log and every witness of a large policy. (The specification asks for at least 16.)
pub const SIGNATURES_MAX: usize = 80;

/// Why a note, a key or a checkpoint is not believed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoteError {
    /// Not of the specified form.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// No signature by the key.
    #[error("not signed by the given key {0}")]
    UnknownKey(String),
    /// A signature by the key is wrong.
    #[error("the signature of {0} does not match")]
    BadSignature(String),
    /// Signed by the key, but for another log.
    #[error("checkpoint of {found}, not of {expected}")]
    Origin {
        /// Origin of the checkpoint.
        found: String,
        /// Name of the key.
        expected: String,
    },
}

/// Base64 as the specifications write it: standard alphabet, padded, canonical.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The one way back: `None` for anything [`base64()`] would not have written, spare bits included.
#[must_use]
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok().filter(|bytes| STANDARD.encode(bytes) == text)
}

/// A 32-byte hash in base64.
#[must_use]
pub fn hash_from_base64(text: &str) -> Option<Hash> {
    from_base64(text)?.try_into().ok()
}

/// A decimal number without leading zeroes.
pub(super) fn decimal(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

/// Whether a key may have this name: not empty, no Unicode space, no control character, no plus.
#[must_use]
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// The id of a key: the first bytes of a hash over name, signature type and key.
fn key_id(name: &str, kind: u8, key: &VerifyingKey) -> [u8; 4] {
    let hash = Sha256::new().chain_update(name).chain_update([b'\n', kind]).chain_update(key.as_bytes()).finalize();
    [hash[0], hash[1], hash[2], hash[3]]
}

/// A named Ed25519 key of one signature type: `name+keyid+base64(type || key)`, the vkey of signed-note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedKey {
    kind: u8,
    pub(super) name: String,
    pub(super) id: [u8; 4],
    pub(super) key: VerifyingKey,
}

impl NamedKey {
    pub(super) fn new(name: &str, kind: u8, key: VerifyingKey) -> Self {
        Self { kind, name: name.to_owned(), id: key_id(name, kind, &key), key }
    }

    pub(super) fn parse(text: &str, kind: u8) -> Result<Self, NoteError> {
        let malformed = NoteError::Malformed("verifier key");
        let mut parts = text.strip_suffix('\n').unwrap_or(text).splitn(3, '+');
        let (Some(name), Some(id), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(malformed);
        };
        let bytes = from_base64(encoded).ok_or_else(|| malformed.clone())?;
        let Some((found, key)) = bytes.split_first() else { return Err(malformed) };
        let key: [u8; 32] = key.try_into().map_err(|_| malformed.clone())?;
        let key = VerifyingKey::from_bytes(&key).map_err(|_| malformed.clone())?;
        let parsed = Self::new(name, kind, key);
        let fits = *found == kind && is_key_name(name) && !key.is_weak() && hex(&parsed.id) == id;
        fits.then_some(parsed).ok_or(malformed)
    }

    /// The one signature of this key among those of a note.
    ///
    /// # Errors
    /// When there are two.
    pub(super) fn find<'a>(&self, signatures: &'a [SignatureLine<'_>]) -> Result<Option<&'a [u8]>, NoteError> {
        let mut own = signatures.iter().filter(|(name, id, _)| *name == self.name && *id == self.id);
        match (own.next(), own.next()) {
            (_, Some(_)) => Err(NoteError::Malformed("note: two signatures of one key")),
            (found, None) => Ok(found.map(|(_, _, signature)| &signature[..])),
        }
    }

    /// The line under a note that carries `signature`, newline included.
    pub(super) fn line(&self, signature: &[u8]) -> String {
        format!("{EM_DASH} {} {}\n", self.name, base64(&[&self.id[..], signature].concat()))
    }
}

impl fmt::Display for NamedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[self.kind][..], self.key.as_bytes()].concat();
        write!(f, "{}+{}+{}", self.name, hex(&self.id), base64(&key))
    }
}

/// The public half of a log's key, signature type 0x01.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey(NamedKey);

impl VerifierKey {
    /// Reads a vkey line; one trailing newline is allowed.
    ///
    /// # Errors
    /// [`NoteError::Malformed`], also for keys that are no good points of the curve and for wrong key ids.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        NamedKey::parse(text, ED25519).map(Self)
    }

    /// The key's name, which is the log's origin.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The 32 bytes of the key, by which keys of different names are known to be one.
    #[must_use]
    pub fn key_bytes(&self) -> &[u8; 32] {
        self.0.key.as_bytes()
    }

    /// Checks a note and returns its text, final newline included.
    ///
    /// # Errors
    /// See [`NoteError`]; a note with one wrong signature of this key is refused whole.
    pub fn open<'a>(&self, note: &'a str) -> Result<&'a str, NoteError> {
        self.verified(note).map(|(text, _)| text)
    }

    /// Checks a note and returns the line of this key under it, newline included.
    ///
    /// # Errors
    /// As [`VerifierKey::open`].
    pub fn line_under(&self, note: &str) -> Result<String, NoteError> {
        self.verified(note).map(|(_, signature)| self.0.line(&signature))
    }

    fn verified<'a>(&self, note: &'a str) -> Result<(&'a str, Vec<u8>), NoteError> {
        let (text, signatures) = split_note(note)?;
        let signature = self.0.find(&signatures)?.ok_or_else(|| NoteError::UnknownKey(self.name().to_owned()))?;
        let good = Signature::from_slice(signature)
            .is_ok_and(|signature| self.0.key.verify_strict(text.as_bytes(), &signature).is_ok());
        good.then(|| (text, signature.to_vec())).ok_or_else(|| NoteError::BadSignature(self.name().to_owned()))
    }

    /// Checks a signed checkpoint of the log that has this key.
    ///
    /// # Errors
    /// See [`NoteError`].
    pub fn open_checkpoint(&self, note: &str) -> Result<Checkpoint, NoteError> {
        let checkpoint = Checkpoint::parse(self.open(note)?)?;
        if checkpoint.origin != self.name() {
            return Err(NoteError::Origin { found: checkpoint.origin, expected: self.name().to_owned() });
        }
        Ok(checkpoint)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The private half. Ed25519 is deterministic: the same text always gives the same note.
pub struct Signer {
    public: VerifierKey,
    key: SigningKey,
}

impl Signer {
    /// A signer from its 32-byte seed; `None` when the name is none (see [`is_key_name`]).
    #[must_use]
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Option<Self> {
        let key = SigningKey::from_bytes(seed);
        let public = VerifierKey(NamedKey::new(name, ED25519, key.verifying_key()));
        is_key_name(name).then_some(Self { public, key })
    }

    /// The public half.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        &self.public
    }

    /// Signs a checkpoint of this log; the origin is the key's name.
    #[must_use]
    pub fn sign_checkpoint(&self, size: u64, root: Hash) -> String {
        let text = Checkpoint { origin: self.public.name().to_owned(), size, root }.to_string();
        format!("{text}\n{}", self.sign(&text))
    }

    /// The signature line for a text.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        self.public.0.line(&self.key.sign(text.as_bytes()).to_bytes())
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.public)
    }
}

/// What a log says about itself: "these `size` leaves, with this root".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log.
    pub origin: String,
    /// Leaves.
    pub size: u64,
    /// RFC 6962 root of that many leaves.
    pub root: Hash,
}

impl Checkpoint {
    /// Reads the three lines.
    ///
    /// # Errors
    /// [`NoteError::Malformed`], also for extension lines.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let malformed = || NoteError::Malformed("checkpoint");
        let lines: Vec<&str> = text.strip_suffix('\n').ok_or_else(malformed)?.split('\n').collect();
        let [origin, size, root] = lines[..] else { return Err(malformed()) };
        let (size, root) = decimal(size).zip(hash_from_base64(root)).ok_or_else(malformed)?;
        is_key_name(origin).then(|| Self { origin: origin.to_owned(), size, root }).ok_or_else(malformed)
    }

    /// The checkpoint a note says it is. Nothing is verified.
    ///
    /// # Errors
    /// [`NoteError::Malformed`], as for the note and for its text.
    pub fn of_note(note: &str) -> Result<Self, NoteError> {
        Self::parse(split_note(note)?.0)
    }

    /// The short form for alerts, `origin size root` on one line.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {} {}", self.origin, self.size, base64(&self.root))
    }
}

/// The note text: three lines.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, base64(&self.root))
    }
}

/// Name, key id and signature of one line.
pub type SignatureLine<'a> = (&'a str, [u8; 4], Vec<u8>);

/// Text, final newline included, and signature lines of a note. Nothing is verified.
///
/// # Errors
/// [`NoteError::Malformed`]
pub fn split_note(note: &str) -> Result<(&str, Vec<SignatureLine<'_>>), NoteError> {
    let malformed = NoteError::Malformed("note");
    if note.len() > NOTE_BYTES_MAX || note.chars().any(|c| c < ' ' && c != '\n') {
        return Err(malformed);
    }
    let middle = note.rfind("\n\n").ok_or_else(|| malformed.clone())?;
    let (text, lines) = (&note[..=middle], &note[middle + 2..]);
    let lines: Vec<&str> = lines.strip_suffix('\n').ok_or_else(|| malformed.clone())?.split('\n').collect();
    if lines.len() > SIGNATURES_MAX {
        return Err(malformed);
    }
    let signatures: Option<Vec<_>> = lines.into_iter().map(signature_line).collect();
    Ok((text, signatures.ok_or(malformed)?))
}

/// `note` with a signature line (newline included) under it, in place of one of the same key; `None` when either is
/// malformed or there are too many. Nothing is verified.
#[must_use]
pub fn with_signature(note: &str, line: &str) -> Option<String> {
    let (text, _) = split_note(note).ok()?;
    let (name, id, _) = signature_line(line.strip_suffix('\n')?)?;
    let same = |line: &&str| signature_line(line).is_some_and(|(its_name, its_id, _)| (its_name, its_id) == (name, id));
    let others = note[text.len() + 1..].lines().filter(|line| !same(line)).map(|line| format!("{line}\n"));
    let signed = format!("{text}\n{}{line}", others.collect::<String>());
    split_note(&signed).is_ok().then_some(signed)
}

fn signature_line(line: &str) -> Option<SignatureLine<'_>> {
    let (name, encoded) = line.strip_prefix(EM_DASH)?.strip_prefix(' ')?.split_once(' ')?;
    let bytes = from_base64(encoded)?;
    let (id, signature) = bytes.split_first_chunk::<4>()?;
    (is_key_name(name) && !signature.is_empty()).then(|| (name, *id, signature.to_vec()))
}

/// Lowercase hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use signed_note::{Note, StandardVerifier, VerifierList};

    fn signer() -> Signer {
        Signer::from_seed("example.com/log", &[7; 32]).unwrap()
    }

    /// Proves that an independent implementation reads our keys, notes and checkpoints.
    #[test]
    fn the_oracle_accepts_our_notes() {
        let note = signer().sign_checkpoint(17, [3; 32]);
        let vkey = signer().verifier().to_string();
        let known = VerifierList::new(vec![Box::new(StandardVerifier::new(&vkey).unwrap())]);
        let opened = Note::from_bytes(note.as_bytes()).unwrap();
        assert_eq!(opened.verify(&known).unwrap().0.len(), 1);
        let checkpoint = tlog_tiles::checkpoint::Checkpoint::from_bytes(opened.text()).unwrap();
        assert_eq!((checkpoint.origin(), checkpoint.size(), checkpoint.hash().0), ("example.com/log", 17, [3; 32]));
    }

    /// Proves that what one side writes the other reads, and that vkeys round-trip.
    #[test]
    fn notes_and_keys_round_trip() {
        let note = signer().sign_checkpoint(17, [3; 32]);
        let key = VerifierKey::parse(&signer().verifier().to_string()).unwrap();
        assert_eq!(&key, signer().verifier());
        let checkpoint = key.open_checkpoint(&note).unwrap();
        assert_eq!(checkpoint, Checkpoint { origin: "example.com/log".into(), size: 17, root: [3; 32] });
        assert_eq!(note, signer().sign_checkpoint(17, [3; 32]), "signing is deterministic");
        assert!(!format!("{:?}", signer()).contains("7, 7"), "the seed is not shown");
    }

    /// Proves that no single bit of a note matters to nobody, the spare bits of base64 included, and that no cut
    /// note is accepted.
    #[test]
    fn every_bit_flip_and_every_cut_is_rejected() {
        let key = signer().verifier().clone();
        let note = signer().sign_checkpoint(1, [0xa5; 32]).into_bytes();
        let accepted = |bytes: &[u8]| std::str::from_utf8(bytes).is_ok_and(|note| key.open_checkpoint(note).is_ok());
        assert!(accepted(&note));
        for bit in 0..note.len() * 8 {
            let mut flipped = note.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!accepted(&flipped), "bit {bit}");
        }
        for length in 0..note.len() {
            assert!(!accepted(&note[..length]), "cut at {length}");
        }
    }

    /// Proves that a vkey with any bit flipped is refused or is a key that opens nothing.
    #[test]
    fn every_bit_flip_of_a_vkey_is_useless() {
        let note = signer().sign_checkpoint(1, [0xa5; 32]);
        let vkey = signer().verifier().to_string().into_bytes();
        for bit in 0..vkey.len() * 8 {
            let mut flipped = vkey.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let parsed = std::str::from_utf8(&flipped).ok().and_then(|text| VerifierKey::parse(text).ok());
            assert!(parsed.is_none_or(|key| key.open_checkpoint(&note).is_err()), "bit {bit}");
        }
    }

    /// Proves what is refused by form alone, and that unknown signatures are ignored but known ones not doubled.
    #[test]
    fn malformed_and_ambiguous_notes_are_rejected() {
        let key = signer().verifier().clone();
        let note = signer().sign_checkpoint(5, [1; 32]);
        let (text, line) = note.split_once("\n\n").unwrap();
        let other = Signer::from_seed("example.com/log", &[8; 32]).unwrap().sign_checkpoint(5, [1; 32]);
        let other_line = other.split_once("\n\n").unwrap().1;
        assert!(key.open_checkpoint(&format!("{note}{other_line}")).is_ok());
        assert_eq!(key.open_checkpoint(&other), Err(NoteError::UnknownKey("example.com/log".into())));
        let refused = [
            format!("{note}{line}"),
            format!("{note}\n"),
            note.replace('\n', "\r\n"),
            format!("{text}\n{line}"),
            format!("{text}\n\n{line} "),
            format!("{note}{}", other_line.repeat(SIGNATURES_MAX)),
        ];
        for note in refused {
            assert!(key.open_checkpoint(&note).is_err(), "{note:?}");
        }
        for text in ["o\n05\n", "o\n5\nAA==\n", "\n5\n", "o\n+5\n"] {
            assert!(Checkpoint::parse(&format!("{text}{}\n", base64(&[1; 32]))).is_err());
        }
        let extended = format!("o\n5\n{}\nextension\n", base64(&[1; 32]));
        assert_eq!(Checkpoint::parse(&extended), Err(NoteError::Malformed("checkpoint")));
        assert!(Signer::from_seed("with space", &[7; 32]).is_none());
    }

    /// Proves that a signature is added once, replaces one of its key alone, and that what is none is not.
    #[test]
    fn signatures_are_added_and_replaced() {
        let note = signer().sign_checkpoint(5, [1; 32]);
        let line = |seed: u8, size| {
            let other = Signer::from_seed("example.com/other", &[seed; 32]).unwrap().sign_checkpoint(size, [1; 32]);
            other.split_once("\n\n").unwrap().1.to_owned()
        };
        let (first, second, newer) = (line(1, 5), line(2, 5), line(1, 6));
        let signed = with_signature(&note, &first).and_then(|note| with_signature(&note, &second)).unwrap();
        assert_eq!(signed, format!("{note}{first}{second}"));
        assert_eq!(with_signature(&signed, &newer).unwrap(), format!("{note}{second}{newer}"));
        assert!(signer().verifier().open(&signed).is_ok());
        for line in ["", "\n", first.trim_end(), &format!("{first}{second}"), "\u{2014} example.com/x AA==\n"] {
            assert_eq!(with_signature(&note, line), None, "{line:?}");
        }
        assert_eq!(with_signature(note.trim_end(), &first), None);
    }

    /// Proves which names a key may have.
    #[test]
    fn names_of_keys_are_one_word() {
        for (name, is_name) in [
            ("example.com/log", true),
            ("", false),
            ("a b", false),
            ("a\u{a0}b", false),
            ("a\u{7}b", false),
            ("a+b", false),
        ] {
            assert_eq!(is_key_name(name), is_name, "{name:?}");
        }
    }

    /// Proves the base64 rule on the trap itself: `QQ==` is the only spelling of `A`.
    #[test]
    fn base64_has_one_spelling() {
        assert_eq!(from_base64("QQ=="), Some(b"A".to_vec()));
        for spelling in ["QR==", "QQ=", "QQ", "QQ==\n", " QQ==", "QQ==QQ==", "Q_=="] {
            assert_eq!(from_base64(spelling), None, "{spelling:?}");
        }
    }
}

//! A witness's statement about a checkpoint, C2SP `tlog-cosignature` v1.0.1 with Ed25519 (type 0x04): "as of this second,
//! this is the largest consistent tree I have seen of this log".
//!
//! It is a signature line under the log's note, made over the note's text and a time. Absent on purpose: ML-DSA-44
//! (type 0x06), whose keys are refused by name, and any opinion on whether a time is plausible: the caller has the clock.

use std::fmt;

use ed25519_dalek::{Signature, Signer as _, SigningKey};

use super::note::{NamedKey, NoteError, is_key_name, split_note};

/// Signature type of timestamped Ed25519 cosignatures in key ids and verifier keys.
const COSIGNATURE: u8 = 0x04;
/// Latest time a cosignature may bear, seconds.
const SECONDS_MAX: u64 = i64::MAX as u64;

/// What is signed: two lines before the whole text of the note.
fn message(note_text: &str, seconds: u64) -> String {
    format!("cosignature/v1\ntime {seconds}\n{note_text}")
}

/// The public half of a witness's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessKey(NamedKey);

impl WitnessKey {
    /// Reads a vkey line; one trailing newline is allowed.
    ///
    /// # Errors
    /// [`NoteError::Malformed`], also for keys of other signature types.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        NamedKey::parse(text, COSIGNATURE).map(Self)
    }

    /// The witness's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The 32 bytes of the key, by which keys of different names are known to be one.
    #[must_use]
    pub fn key_bytes(&self) -> &[u8; 32] {
        self.0.key.as_bytes()
    }

    /// Checks `signature`, what follows the key id in a signature line: 8 bytes of time, big-endian, and 64 of Ed25519.
    /// The time it was made, Unix seconds; never zero, which would be no statement about the largest tree.
    #[must_use]
    pub fn verify(&self, note_text: &str, signature: &[u8]) -> Option<u64> {
        let (time, signature) = signature.split_first_chunk::<8>()?;
        let seconds = u64::from_be_bytes(*time);
        let signature = Signature::from_slice(signature).ok()?;
        let signed = message(note_text, seconds);
        let good = self.0.key.verify_strict(signed.as_bytes(), &signature).is_ok();
        (good && (1..=SECONDS_MAX).contains(&seconds)).then_some(seconds)
    }

    /// The time of this witness's cosignature under `note`; `None` when it has none.
    ///
    /// # Errors
    /// See [`NoteError`]; a note with a wrong cosignature of this witness, or with two, is refused whole.
    pub fn open(&self, note: &str) -> Result<Option<u64>, NoteError> {
        let (text, signatures) = split_note(note)?;
        let Some(signature) = self.0.find(&signatures)? else { return Ok(None) };
        let seconds = self.verify(text, signature);
        seconds.map(Some).ok_or_else(|| NoteError::BadSignature(self.name().to_owned()))
    }

    /// The one line of this witness among `lines`, what a witness answers, spelled out again; `None` without one that
    /// verifies over `note_text`. Lines of other keys are ignored.
    #[must_use]
    pub fn line_over(&self, note_text: &str, lines: &str) -> Option<(String, u64)> {
        let answered = format!("{note_text}\n{lines}");
        let (text, signatures) = split_note(&answered).ok()?;
        let signature = self.0.find(&signatures).ok()??;
        let seconds = self.verify(note_text, signature).filter(|_| text == note_text)?;
        Some((self.0.line(signature), seconds))
    }
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The private half.
pub struct Cosigner {
    public: WitnessKey,
    key: SigningKey,
}

impl Cosigner {
    /// A cosigner from its 32-byte seed; `None` when the name is none (see [`is_key_name`]).
    #[must_use]
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Option<Self> {
        let key = SigningKey::from_bytes(seed);
        let public = WitnessKey(NamedKey::new(name, COSIGNATURE, key.verifying_key()));
        is_key_name(name).then_some(Self { public, key })
    }

    /// The public half.
    #[must_use]
    pub fn verifier(&self) -> &WitnessKey {
        &self.public
    }

    /// The signature line, newline included, over the text of a checkpoint; `seconds` since the epoch. Whether the
    /// checkpoint deserves it is decided elsewhere ([`super::witness`]).
    #[must_use]
    pub fn cosign(&self, checkpoint_text: &str, seconds: u64) -> String {
        let seconds = seconds.clamp(1, SECONDS_MAX);
        let signature = self.key.sign(message(checkpoint_text, seconds).as_bytes()).to_bytes();
        self.public.0.line(&[&seconds.to_be_bytes()[..], &signature].concat())
    }
}

impl fmt::Debug for Cosigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cosigner({})", self.public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::note::Signer;
    use signed_note::{Note, StandardVerifier, VerifierList};

    const NAME: &str = "witness.example/w1";
    const SECONDS: u64 = 1_795_313_940;

    fn cosigner() -> Cosigner {
        Cosigner::from_seed(NAME, &[9; 32]).unwrap()
    }

    fn note() -> String {
        Signer::from_seed("example.com/log", &[7; 32]).unwrap().sign_checkpoint(17, [3; 32])
    }

    fn text() -> String {
        split_note(&note()).unwrap().0.to_owned()
    }

    /// Proves that an independent implementation reads a note with our cosignature under it, and still finds the log's
    /// signature there; and that the message is the specification's, by an independent Ed25519 over its literal bytes.
    #[test]
    fn the_oracle_accepts_a_cosigned_note() {
        let line = cosigner().cosign(&text(), SECONDS);
        let cosigned = format!("{}{line}", note());
        let log = Signer::from_seed("example.com/log", &[7; 32]).unwrap().verifier().to_string();
        let known = VerifierList::new(vec![Box::new(StandardVerifier::new(&log).unwrap())]);
        let opened = Note::from_bytes(cosigned.as_bytes()).unwrap();
        let (verified, unknown) = opened.verify(&known).unwrap();
        assert_eq!((verified.len(), unknown.len()), (1, 1));

        let theirs = format!("cosignature/v1\ntime 1795313940\n{}", text());
        let (_, signatures) = split_note(&cosigned).unwrap();
        let signature = Signature::from_slice(&signatures[1].2[8..]).unwrap();
        let key = SigningKey::from_bytes(&[9; 32]).verifying_key();
        assert!(key.verify_strict(theirs.as_bytes(), &signature).is_ok());
        assert_eq!(signatures[1].2[..8], SECONDS.to_be_bytes());
    }

    /// Proves that what one side writes the other reads, over the same text alone, and that vkeys round-trip and have
    /// a type of their own.
    #[test]
    fn cosignatures_and_keys_round_trip() {
        let key = WitnessKey::parse(&cosigner().verifier().to_string()).unwrap();
        assert_eq!(&key, cosigner().verifier());
        let line = cosigner().cosign(&text(), SECONDS);
        assert_eq!(key.open(&format!("{}{line}", note())), Ok(Some(SECONDS)));
        assert_eq!(key.open(&note()), Ok(None));
        assert_eq!(key.line_over(&text(), &line), Some((line.clone(), SECONDS)));
        assert_eq!(key.line_over(&text().replace("17", "18"), &line), None);
        let other = Cosigner::from_seed(NAME, &[8; 32]).unwrap();
        let among = format!("{}{line}", other.cosign(&text(), SECONDS));
        assert_eq!(key.line_over(&text(), &among), Some((line.clone(), SECONDS)), "others are ignored");
        assert_eq!(key.line_over(&text(), &format!("{line}{line}")), None, "two of one key say nothing");
        assert!(key.open(&format!("{}{line}{line}", note())).is_err());

        let log = Signer::from_seed(NAME, &[9; 32]).unwrap().verifier().to_string();
        assert!(WitnessKey::parse(&log).is_err() && crate::core::note::VerifierKey::parse(&key.to_string()).is_err());
        assert!(!format!("{:?}", cosigner()).contains("9, 9"), "the seed is not shown");
        assert!(Cosigner::from_seed("with space", &[7; 32]).is_none());
    }

    /// Proves that every bit of a cosigned note counts and that none of its cuts passes for it.
    #[test]
    fn every_bit_flip_and_every_cut_is_rejected() {
        let key = cosigner().verifier().clone();
        let line = cosigner().cosign(&text(), SECONDS);
        let cosigned = format!("{}\n{line}", text()).into_bytes();
        let accepted =
            |bytes: &[u8]| std::str::from_utf8(bytes).is_ok_and(|note| matches!(key.open(note), Ok(Some(_))));
        assert!(accepted(&cosigned));
        for bit in 0..cosigned.len() * 8 {
            let mut flipped = cosigned.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!accepted(&flipped), "bit {bit}");
        }
        for length in 0..cosigned.len() {
            assert!(!accepted(&cosigned[..length]), "cut at {length}");
        }
    }

    /// Proves the bounds of the time: zero and what does not fit 63 bits are no cosignature, however well signed.
    #[test]
    fn times_are_bounded() {
        let sign = |seconds: u64| {
            let signature = SigningKey::from_bytes(&[9; 32]).sign(message(&text(), seconds).as_bytes()).to_bytes();
            [&seconds.to_be_bytes()[..], &signature].concat()
        };
        for (seconds, read) in [(0, None), (1, Some(1)), (SECONDS_MAX, Some(SECONDS_MAX)), (SECONDS_MAX + 1, None)] {
            assert_eq!(cosigner().verifier().verify(&text(), &sign(seconds)), read, "{seconds}");
        }
        assert_eq!(cosigner().verifier().verify(&text(), &sign(SECONDS)[..71]), None);
        assert_eq!(cosigner().verifier().verify(&text(), &[sign(SECONDS), vec![0]].concat()), None);
    }
}

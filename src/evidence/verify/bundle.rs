//! Verifying a bundle: one frame, its leaf, its parts, its proof, and the leaves that bear on it.

use super::super::bundle::{self, Bundle};
use super::super::recovery::{self, Leaves};
use super::super::wal::{Location, Slot};
use super::{Level, Outcome, Trust, Verification};
use crate::core::disclosure::commitment;
use crate::core::frame::parts::Erased;
use crate::core::manifest::{Leaf, Manifest};
use crate::core::merkle::{Hash, leaf_hash, node_hash, verify_consistency, verify_inclusion};
use crate::core::note::{Checkpoint, NoteError, VerifierKey, hash_from_base64};
use crate::core::proof::TlogProof;

/// A tar is whole blocks of this size, bytes.
const TAR_BLOCK: usize = 512;

impl Verification {
    /// Verifies the bytes of a bundle.
    pub(super) fn bundle(&mut self, bytes: &[u8], trust: &Trust) {
        match check_bundle(bytes) {
            Ok(bundle) => {
                self.level = Some(Level::L0);
                self.check("frame, parts, manifest, proofs and archive fit together, byte for byte");
                self.signed_bundle(&bundle, trust);
            }
            Err(what) if bytes.is_empty() || !bytes.len().is_multiple_of(TAR_BLOCK) => {
                self.find(Outcome::Incomplete, format!("the archive is cut off: {what}"));
            }
            Err(what) => self.find(Outcome::Altered, what),
        }
        self.note("leaves before and after those in the bundle: that takes the log's directory");
    }

    fn signed_bundle(&mut self, bundle: &CheckedBundle, trust: &Trust) {
        let key = &trust.key;
        let trusted = match trusted(bundle, key) {
            Ok(trusted) => trusted,
            Err(what) => return self.find(Outcome::Altered, what),
        };
        // Whoever signed the newest checkpoint signed the receipt's with it: it extends it. The other way around nothing
        // would vouch for the leaves that were proven to the newest one.
        let signed = signed_by(&trusted, &bundle.then.1).and_then(|_| signed_by(&trusted, &bundle.now.1));
        match signed {
            Ok(true) => {}
            Ok(false) => {
                let what = "the newest checkpoint is not signed by the key you gave, nor by one it handed over to";
                return self.find(Outcome::Altered, what);
            }
            Err(error) => return self.find(Outcome::Altered, error.to_string()),
        }
        let size = bundle.then.0.size;
        self.level = Some(Level::L1);
        self.frames = 1;
        self.checkpoint = Some(bundle.now.0.line());
        self.check(format!("leaf {} is signed by {}", size - 1, key.name()));
        for (part, erased) in &bundle.erased {
            let Erased { seq, at, reason } = erased;
            let what = format!("{part}: ERASED by leaf {seq} at {at} ({reason}); committed as {}", bundle.sd(part));
            self.check(what.clone());
            self.note(what);
        }
        let known =
            [(size - 1, bundle.previous_root), (size, bundle.then.0.root), (bundle.now.0.size, bundle.now.0.root)];
        self.remembered(&trust.remembered, |size| known.iter().find(|known| known.0 == size).map(|known| known.1));
        self.witnessed(trust.policy.as_ref(), Some(&bundle.now.1));
    }
}

/// The key that was given, and those that it handed over to, one to the next. Every handing over is signed by the key
/// that was put in charge before it and by the one it names, and the key given is one of these.
fn trusted(bundle: &CheckedBundle, given: &VerifierKey) -> Result<Vec<VerifierKey>, String> {
    let signed = |keys: &[VerifierKey], note: &str| signed_by(keys, note).map_err(|error| error.to_string());
    let (mut trusted, mut before, mut is_linked) = (vec![given.clone()], None, false);
    for Rotation { seq, key, note } in &bundle.rotations {
        for key in [Some(key), before].into_iter().flatten() {
            if !signed(std::slice::from_ref(key), note)? {
                return Err(format!("leaf {seq} is not signed by the keys it hands over between"));
            }
        }
        is_linked |= key == given || (before.is_none() && signed(std::slice::from_ref(given), note)?);
        if signed(&trusted, note)? {
            trusted.push(key.clone());
        }
        before = Some(key);
    }
    let is_ours = is_linked || bundle.rotations.is_empty();
    is_ours
        .then_some(trusted)
        .ok_or_else(|| "the keys that took over from one another are not those of the key you gave".to_owned())
}

/// Whether one of the keys signed; an error when a signature with the name and id of one of them is wrong.
fn signed_by(keys: &[VerifierKey], note: &str) -> Result<bool, NoteError> {
    keys.iter().try_fold(false, |signed, key| match key.open_checkpoint(note) {
        Ok(_) => Ok(true),
        Err(NoteError::UnknownKey(_)) => Ok(signed),
        Err(error) => Err(error),
    })
}

/// A bundle whose parts fit together.
struct CheckedBundle {
    manifest: Manifest,
    /// The tree whose last leaf is the frame's, with its note.
    then: (Checkpoint, String),
    /// The same tree or a later one.
    now: (Checkpoint, String),
    previous_root: Hash,
    erased: Vec<(String, Erased)>,
    rotations: Vec<Rotation>,
}

struct Rotation {
    seq: u64,
    key: VerifierKey,
    note: String,
}

impl CheckedBundle {
    fn sd(&self, name: &str) -> &str {
        self.manifest.leaf.parts().iter().find(|part| part.name == name).map_or("", |part| &part.sd)
    }
}

fn check_bundle(bytes: &[u8]) -> Result<CheckedBundle, String> {
    let bundle = bundle::read(bytes)?;
    let manifest = Manifest::parse(&bundle.manifest).map_err(|error| format!("manifest.json: {error}"))?;
    let Leaf::Frame(_) = &manifest.leaf else { return Err("the leaf is no frame".to_owned()) };
    let size = manifest.seq.checked_add(1).ok_or("the leaf's number is too large")?;
    let (proof, then) = included(&manifest, &bundle.manifest, &bundle.proof)?;
    if then.size != size {
        return Err("the proof is not the leaf's receipt".to_owned());
    }
    // The siblings of the last leaf are the roots of the complete subtrees of the tree before it.
    let before = proof.path.iter().copied().reduce(|right, left| node_hash(&left, &right));
    let previous_root = before.filter(|before| manifest.previous_root == Some(*before));
    let previous_root = previous_root.ok_or("the manifest follows another tree")?;
    let now = Checkpoint::of_note(&bundle.checkpoint).map_err(|error| format!("checkpoint: {error}"))?;
    let consistency: Option<Vec<Hash>> = bundle.consistency.lines().map(hash_from_base64).collect();
    let consistency = consistency.filter(|path| path.len() <= 64).ok_or("consistency: malformed")?;
    if now.origin != then.origin || !verify_consistency(size, &then.root, now.size, &now.root, &consistency) {
        return Err("the checkpoint does not extend the receipt's".to_owned());
    }
    let (leaves, rotations) = others(&bundle, &manifest, &now)?;
    let erased = parts(&bundle, &manifest, &leaves)?;
    let (then, now) = ((then, proof.checkpoint), (now, bundle.checkpoint));
    Ok(CheckedBundle { manifest, then, now, previous_root, erased, rotations })
}

/// Checks that a leaf is included in the tree of its proof's checkpoint.
fn included(manifest: &Manifest, bytes: &[u8], proof: &str) -> Result<(TlogProof, Checkpoint), String> {
    let proof = TlogProof::parse(proof).map_err(|error| error.to_string())?;
    let checkpoint = Checkpoint::of_note(&proof.checkpoint).map_err(|error| error.to_string())?;
    if (proof.index, &checkpoint.origin) != (manifest.seq, &manifest.origin) {
        return Err("proof and manifest are of different leaves".to_owned());
    }
    if !verify_inclusion(&leaf_hash(bytes), proof.index, checkpoint.size, &proof.path, &checkpoint.root) {
        return Err("the audit path does not lead to the checkpoint's root".to_owned());
    }
    Ok((proof, checkpoint))
}

/// Checks the leaves that bear on the frame: what they erased, and which keys they put in charge.
fn others(bundle: &Bundle, frame: &Manifest, now: &Checkpoint) -> Result<(Leaves, Vec<Rotation>), String> {
    let (mut leaves, mut rotations) = (Leaves::default(), Vec::new());
    if !bundle.leaves.is_sorted_by(|one, next| one.seq < next.seq) {
        return Err("leaves are twice there or out of order".to_owned());
    }
    for other in &bundle.leaves {
        let name = format!("leaves/{}", other.seq);
        let manifest = Manifest::parse(&other.manifest).map_err(|error| format!("{name}: {error}"))?;
        if (manifest.seq, &manifest.origin) != (other.seq, &frame.origin) {
            return Err(format!("{name} is another leaf"));
        }
        let (proof, checkpoint) = included(&manifest, &other.manifest, &other.proof)?;
        if other.seq >= now.size {
            return Err(format!("{name} is newer than the newest checkpoint"));
        }
        match &manifest.leaf {
            Leaf::KeyRotate { vkey, .. } if checkpoint.size == other.seq + 1 => {
                let key = VerifierKey::parse(vkey).map_err(|error| format!("{name}: {error}"))?;
                rotations.push(Rotation { seq: other.seq, key, note: proof.checkpoint });
            }
            Leaf::Erasure(erasure) if erasure.frame == frame.seq && proof.checkpoint == bundle.checkpoint => {
                leaves.push(Location { segment: 0, offset: 0, length: 0 }, &manifest);
            }
            _ => return Err(format!("{name} does not bear on the frame")),
        }
    }
    Ok((leaves, rotations))
}

/// Checks the parts against their commitments and the frame against its parts; returns what was erased.
fn parts(bundle: &Bundle, manifest: &Manifest, leaves: &Leaves) -> Result<Vec<(String, Erased)>, String> {
    let mut disclosures = bundle.disclosures.iter().peekable();
    let (mut slots, mut gone) = (Vec::new(), Vec::new());
    for part in manifest.leaf.parts() {
        match disclosures.next_if(|(name, _)| *name == part.name) {
            Some((name, text)) if commitment(text.as_bytes()) == part.sd && text.len() as u64 == part.bytes => {
                slots.push(Slot::Open(text));
                if leaves.erased(manifest.seq, name).is_some() {
                    return Err(format!("{name} was erased, and is here"));
                }
            }
            Some((name, _)) => return Err(format!("{name} is not what was committed (SHA-256 differs)")),
            None => {
                slots.push(Slot::Blank);
                let erased = leaves.erased(manifest.seq, &part.name);
                gone.push((part.name.clone(), erased.ok_or_else(|| format!("{} is missing", part.name))?));
            }
        }
    }
    if let Some((name, _)) = disclosures.next() {
        return Err(format!("{name} is not a part of the frame"));
    }
    let frame = recovery::frame_bytes(manifest, &slots, |part| leaves.erased(manifest.seq, part))?;
    if frame == bundle.frame { Ok(gone) } else { Err("frame.json is not what its parts make".to_owned()) }
}

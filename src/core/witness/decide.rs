//! The witness: what it answers to a request, from the keys it knows and the checkpoint it remembers. The checks come in
//! the specification's order, and a request that passes them all is the only one that is cosigned.

use super::Request;
use crate::core::merkle::{empty_root, verify_consistency};
use crate::core::note::{Checkpoint, NoteError, VerifierKey, split_note};

/// Why a request is not even looked up. None of them says anything about the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not of the specified form, or an old size above the checkpoint's: 400.
    Malformed(&'static str),
    /// No log of this origin is known: 404.
    UnknownLog,
    /// No signature by a key of the log, or a wrong one: 403.
    BadSignature,
}

impl Refusal {
    /// The HTTP status.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::UnknownLog => 404,
            Self::BadSignature => 403,
        }
    }
}

/// A request with a checkpoint that a known log did sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The request.
    pub request: Request,
    /// The checkpoint in it.
    pub checkpoint: Checkpoint,
    /// The note with the text and the verified signature lines alone; strangers' lines are not repeated.
    pub note: String,
}

/// What a witness does with a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// All checks pass: remember the checkpoint, then cosign it, 200.
    Cosign,
    /// The old size is not that of the remembered checkpoint: 409 with the size remembered, zero for none.
    Conflict(u64),
    /// The proof does not hold: 422. The log may have forked, or somebody passed on its note with a wrong proof.
    Inconsistent,
    /// The log signed another root at the size of the remembered checkpoint: 422. Both notes together prove a fork.
    Forked,
}

/// Reads a request and checks its signature against the keys of `logs`, several of which may be of one origin.
///
/// # Errors
/// See [`Refusal`].
pub fn admit(logs: &[VerifierKey], body: &[u8]) -> Result<Submission, Refusal> {
    let request = Request::parse(body).ok_or(Refusal::Malformed("request"))?;
    let (text, _) = split_note(&request.note).map_err(|_| Refusal::Malformed("note"))?;
    let checkpoint = Checkpoint::parse(text).map_err(|_| Refusal::Malformed("checkpoint"))?;
    let mut known = logs.iter().filter(|key| key.name() == checkpoint.origin).peekable();
    if known.peek().is_none() {
        return Err(Refusal::UnknownLog);
    }
    let mut note = format!("{text}\n");
    let mut is_signed = false;
    for key in known {
        match key.line_under(&request.note) {
            Ok(line) => {
                note += &line;
                is_signed = true;
            }
            Err(NoteError::UnknownKey(_)) => {}
            Err(_) => return Err(Refusal::BadSignature),
        }
    }
    if !is_signed {
        return Err(Refusal::BadSignature);
    }
    if request.old_size > checkpoint.size {
        return Err(Refusal::Malformed("old size: larger than the checkpoint's"));
    }
    Ok(Submission { note, checkpoint, request })
}

impl Submission {
    /// Decides by the checkpoint this witness cosigned last for the origin; `None` when it never cosigned one.
    #[must_use]
    pub fn decide(&self, remembered: Option<&Checkpoint>) -> Decision {
        let Self { request: Request { old_size, proof, .. }, checkpoint: new, .. } = self;
        let (known_size, known_root) = remembered.map_or((0, empty_root()), |known| (known.size, known.root));
        if *old_size != known_size {
            Decision::Conflict(known_size)
        } else if new.size == 0 && new.root != empty_root() {
            Decision::Inconsistent
        } else if new.size == known_size && new.root != known_root {
            Decision::Forked
        } else if verify_consistency(known_size, &known_root, new.size, &new.root, proof) {
            Decision::Cosign
        } else {
            Decision::Inconsistent
        }
    }
}

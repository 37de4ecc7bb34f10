//! The log's side: what to ask one witness next, and what its answers mean.
//!
//! Two answers say that this log is not the one it was: the witness knows a larger tree than we have (rolled back), or a
//! tree that ours does not extend (forked). Whoever acts on them stops signing, so neither is ever concluded from
//! anything but the specified answer, given to a request whose premise the witness itself had stated, and given
//! [`CONFIRMATIONS`] times in a row. No answer, any other status, and a conflict that time explains (a size our log has
//! reached) conclude nothing.

use super::Request;
use crate::core::cosignature::WitnessKey;
use crate::core::merkle::Hash;
use crate::core::note::{VerifierKey, decimal};

/// Times in a row that a contradiction must be told before it is believed.
const CONFIRMATIONS: u32 = 2;
/// Answers in a row without progress, after which a witness is left alone for a while.
pub const CONFLICTS_MAX: u32 = 4;
/// What a 409 with a size is labelled.
const SIZE_TYPE: &str = "text/x.tlog.size";

/// What one witness is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Old size of the request.
    pub old_size: u64,
    /// Size of the checkpoint in it.
    pub size: u64,
}

impl Ask {
    /// The body of the request; `note` is the checkpoint of [`Ask::size`], `proof` the consistency proof between the sizes,
    /// empty from zero.
    #[must_use]
    pub fn body(&self, proof: Vec<Hash>, note: &str) -> String {
        Request { old_size: self.old_size, proof, note: note.to_owned() }.to_string()
    }
}

/// What a witness answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200 with a cosignature line over our own text.
    Cosigned {
        /// The line, newline included.
        line: String,
        /// When it was made, Unix seconds.
        seconds: u64,
    },
    /// 409: the size of the checkpoint that the witness cosigned last.
    Conflict(u64),
    /// 422: the proof, or the root of the same size, does not hold for the witness.
    Inconsistent,
    /// Anything else; says nothing about the log.
    Refused,
}

impl Answer {
    /// Reads an HTTP answer to a checkpoint with the note text `text`, asked of the witness that has `key`.
    #[must_use]
    pub fn read(status: u16, content_type: Option<&str>, body: &[u8], key: &WitnessKey, text: &str) -> Self {
        let body = std::str::from_utf8(body).unwrap_or_default();
        let size = || decimal(body.strip_suffix('\n')?).filter(|_| content_type == Some(SIZE_TYPE));
        match status {
            200 => key.line_over(text, body).map_or(Self::Refused, |(line, seconds)| Self::Cosigned { line, seconds }),
            409 => size().map_or(Self::Refused, Self::Conflict),
            422 => Self::Inconsistent,
            _ => Self::Refused,
        }
    }
}

/// A witness's memory against ours. Either way, to sign on would make a second history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// The witness cosigned a checkpoint of this log that is larger than the log: leaves were lost.
    RolledBack {
        /// Size of that checkpoint.
        size: u64,
    },
    /// The witness cosigned a checkpoint of this log that the log does not extend: there are two histories.
    Forked {
        /// Size of that checkpoint.
        size: u64,
    },
}

/// What follows from an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Here is the cosignature line; nothing to ask before the log grows.
    Cosigned(String),
    /// Ask again at once, with what was learned.
    Again,
    /// Ask again after a pause.
    Later,
    /// The log is not what the witness remembers. Not said again while the witness goes on telling the same; it is asked
    /// again after a pause.
    Contradicted(Contradiction),
}

/// What is known of one witness.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Size it told us, or cosigned for us.
    told: u64,
    /// Size of the checkpoint it cosigned for this process.
    cosigned: Option<u64>,
    /// A contradiction and how often in a row it was told.
    doubt: Option<(Contradiction, u32)>,
    /// Answers in a row that brought nothing new.
    conflicts: u32,
}

impl Client {
    /// What to ask when the log has `size` leaves; `None` when the witness cosigned that.
    #[must_use]
    pub fn ask(&self, size: u64) -> Option<Ask> {
        // A witness that knows more than we have is asked from zero: only its own answer can say so again.
        let old_size = if self.told <= size { self.told } else { 0 };
        (self.cosigned != Some(size)).then_some(Ask { old_size, size })
    }

    /// Size of the checkpoint that the witness cosigned last for this process.
    #[must_use]
    pub fn cosigned(&self) -> Option<u64> {
        self.cosigned
    }

    /// Takes an answer to `ask`; `size` is that of the log now, after the answer.
    pub fn heard(&mut self, ask: Ask, answer: Answer, size: u64) -> Next {
        match answer {
            Answer::Cosigned { line, .. } => {
                *self = Self { told: ask.size, cosigned: Some(ask.size), ..Self::default() };
                Next::Cosigned(line)
            }
            Answer::Conflict(told) if told > size => self.doubted(Contradiction::RolledBack { size: told }, told),
            // v1.0.0 answers another root of the same size so.
            Answer::Conflict(told) if told == ask.old_size && told == ask.size => {
                self.doubted(Contradiction::Forked { size: told }, told)
            }
            Answer::Conflict(told) if told != ask.old_size => {
                (self.told, self.doubt) = (told, None);
                self.again()
            }
            // From zero every tree is consistent, so this can't be about our history.
            Answer::Inconsistent if ask.old_size > 0 => {
                self.doubted(Contradiction::Forked { size: ask.old_size }, ask.old_size)
            }
            Answer::Conflict(_) | Answer::Inconsistent | Answer::Refused => self.failed(),
        }
    }

    /// Takes the absence of an answer.
    pub fn failed(&mut self) -> Next {
        (self.doubt, self.conflicts) = (None, 0);
        Next::Later
    }

    fn again(&mut self) -> Next {
        self.conflicts += 1;
        if self.conflicts < CONFLICTS_MAX { Next::Again } else { self.failed() }
    }

    fn doubted(&mut self, found: Contradiction, told: u64) -> Next {
        let times = match self.doubt {
            Some((before, times)) if before == found => times.saturating_add(1),
            _ => 1,
        };
        (self.told, self.doubt, self.cosigned) = (told, Some((found, times)), None);
        match times {
            CONFIRMATIONS => Next::Contradicted(found),
            _ if times < CONFIRMATIONS => self.again(),
            _ => Next::Later,
        }
    }
}

/// Whether `note` proves a contradiction without belief in the witness that gave it: the log's own key signed it, and it
/// is larger than the log, which has `size` leaves, or has another root than the log had (`root_at`) at its size.
#[must_use]
pub fn proves(note: &str, log: &VerifierKey, size: u64, root_at: impl FnOnce(u64) -> Option<Hash>) -> bool {
    let Ok(checkpoint) = log.open_checkpoint(note) else { return false };
    checkpoint.size > size || root_at(checkpoint.size).is_some_and(|root| root != checkpoint.root)
}

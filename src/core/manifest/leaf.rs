//! The types of leaves, and the one JSON form of each.

use serde_json::{Map, Value, json};

use super::{Fields, ManifestError};
use crate::core::disclosure::is_commitment;
use crate::core::note::{Checkpoint, base64};

/// Most parts of a frame.
pub const PARTS_MAX: usize = 16;

/// What a leaf says. All times are RFC 3339 of the log's own clock; the order of leaves does not depend on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// Leaf 0: the log began, on this volume, with this key.
    Genesis {
        /// Volume id, a UUID made at first start.
        volume: String,
        /// The log's verifier key.
        vkey: String,
        /// When.
        created_at: String,
    },
    /// A freeze frame.
    Frame(FrameLeaf),
    /// The log was alive and nothing happened: what is absent before it was not left out.
    Heartbeat {
        /// When.
        at: String,
        /// Frames in the log.
        frames: u64,
        /// Frames that were lost before they reached the log, since the process started.
        lost: u64,
    },
    /// From the next leaf on the log signs with another key.
    KeyRotate {
        /// When.
        at: String,
        /// The new verifier key.
        vkey: String,
    },
    /// Parts of a frame were destroyed; their commitments stay.
    Erasure(Erasure),
    /// Frames below a leaf are no longer kept.
    Prune {
        /// When.
        at: String,
        /// The first leaf whose frame is kept.
        below: u64,
        /// Why: the limit that was reached, or what was given as the reason.
        reason: String,
    },
    /// The log before this one could not be continued.
    Incident {
        /// When it was found.
        at: String,
        /// What happened to the old log.
        kind: IncidentKind,
        /// Where and what, in words.
        what: String,
        /// Newest checkpoint of the old log that is known.
        continues: Checkpoint,
    },
    /// Somebody ordered a breaker by hand.
    Override {
        /// When.
        at: String,
        /// Feature.
        feature: String,
        /// Class of the breaker.
        class: String,
        /// `open`, `close` or `reset`.
        order: String,
        /// Why, as given; may be empty.
        comment: String,
    },
}

/// A freeze frame, by its commitments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameLeaf {
    /// Frame id.
    pub frame_id: String,
    /// Feature of the alert.
    pub feature: String,
    /// Fingerprint of the alert.
    pub fingerprint: String,
    /// Capture time.
    pub captured_at: String,
    /// The frame's parts, in order of their names.
    pub parts: Vec<Part>,
}

/// A part of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Length of its disclosure, bytes.
    pub bytes: u64,
    /// Commitment to its disclosure (RFC 9901's `_sd`).
    pub sd: String,
    /// `captured`, `partial` or `missing`; of variables only.
    pub state: Option<String>,
}

/// What was erased, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// When.
    pub at: String,
    /// Leaf of the frame.
    pub frame: u64,
    /// Names of the parts, in order.
    pub parts: Vec<String>,
    /// Why, as given.
    pub reason: String,
}

/// What happened to a log that could not be continued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncidentKind {
    /// Committed leaves are altered or unreadable.
    Damage,
    /// It is older than a checkpoint it signed.
    Rollback,
    /// Somebody remembers another history, signed with its key.
    Fork,
}

impl IncidentKind {
    /// The name in leaves, metrics and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Damage => "damage",
            Self::Rollback => "rollback",
            Self::Fork => "fork",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Damage, Self::Rollback, Self::Fork].into_iter().find(|kind| kind.as_str() == name)
    }
}

impl Leaf {
    /// The name of the type in leaves.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Genesis { .. } => "genesis",
            Self::Frame(_) => "frame",
            Self::Heartbeat { .. } => "heartbeat",
            Self::KeyRotate { .. } => "key-rotate",
            Self::Erasure(_) => "erasure",
            Self::Prune { .. } => "prune",
            Self::Incident { .. } => "incident",
            Self::Override { .. } => "override",
        }
    }

    /// The parts of a frame; of other leaves none.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        match self {
            Self::Frame(frame) => &frame.parts,
            _ => &[],
        }
    }

    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Genesis { volume, vkey, created_at } => {
                json!({"volume": volume, "vkey": vkey, "created_at": created_at})
            }
            Self::Frame(frame) => json!({
                "frame_id": frame.frame_id,
                "feature": frame.feature,
                "fingerprint": frame.fingerprint,
                "captured_at": frame.captured_at,
                "parts": frame.parts.iter().map(Part::to_json).collect::<Map<_, _>>(),
            }),
            Self::Heartbeat { at, frames, lost } => json!({"at": at, "frames": frames, "lost": lost}),
            Self::KeyRotate { at, vkey } => json!({"at": at, "vkey": vkey}),
            Self::Erasure(Erasure { at, frame, parts, reason }) => {
                json!({"at": at, "frame": frame, "parts": parts, "reason": reason})
            }
            Self::Prune { at, below, reason } => json!({"at": at, "below": below, "reason": reason}),
            Self::Incident { at, kind, what, continues } => json!({
                "at": at,
                "kind": kind.as_str(),
                "what": what,
                "continues": {
                    "origin": continues.origin, "size": continues.size, "root": base64(&continues.root),
                },
            }),
            Self::Override { at, feature, class, order, comment } => {
                json!({"at": at, "feature": feature, "class": class, "order": order, "comment": comment})
            }
        }
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, ManifestError> {
        Ok(match fields.text("type")?.as_str() {
            "genesis" => Self::Genesis {
                volume: fields.text("volume")?,
                vkey: fields.text("vkey")?,
                created_at: fields.text("created_at")?,
            },
            "frame" => Self::Frame(FrameLeaf {
                frame_id: fields.text("frame_id")?,
                feature: fields.text("feature")?,
                fingerprint: fields.text("fingerprint")?,
                captured_at: fields.text("captured_at")?,
                parts: parts(fields)?,
            }),
            "heartbeat" => Self::Heartbeat {
                at: fields.text("at")?,
                frames: fields.number("frames")?,
                lost: fields.number("lost")?,
            },
            "key-rotate" => Self::KeyRotate { at: fields.text("at")?, vkey: fields.text("vkey")? },
            "erasure" => Self::Erasure(Erasure {
                at: fields.text("at")?,
                frame: fields.number("frame")?,
                parts: fields.texts("parts")?,
                reason: fields.text("reason")?,
            }),
            "prune" => {
                Self::Prune { at: fields.text("at")?, below: fields.number("below")?, reason: fields.text("reason")? }
            }
            "incident" => Self::Incident {
                at: fields.text("at")?,
                kind: IncidentKind::parse(&fields.text("kind")?).ok_or(ManifestError::Unknown("kind"))?,
                what: fields.text("what")?,
                continues: continued(fields)?,
            },
            "override" => Self::Override {
                at: fields.text("at")?,
                feature: fields.text("feature")?,
                class: fields.text("class")?,
                order: fields.text("order")?,
                comment: fields.text("comment")?,
            },
            _ => return Err(ManifestError::Unknown("leaf type")),
        })
    }
}

impl Part {
    fn to_json(&self) -> (String, Value) {
        let mut fields = json!({"bytes": self.bytes, "sd": self.sd});
        if let Some(state) = &self.state {
            fields["state"] = state.as_str().into();
        }
        (self.name.clone(), fields)
    }
}

fn parts(fields: &Fields<'_>) -> Result<Vec<Part>, ManifestError> {
    let unknown = || ManifestError::Unknown("parts");
    let parts = fields.0.get("parts").and_then(Value::as_object).filter(|parts| parts.len() <= PARTS_MAX);
    let part = |(name, fields): (&String, &Value)| {
        let fields = Fields::of(fields)?;
        let state = fields.0.contains_key("state").then(|| fields.text("state")).transpose()?;
        let sd = fields.text("sd").ok().filter(|sd| is_commitment(sd)).ok_or_else(unknown)?;
        Ok::<_, ManifestError>(Part { name: name.clone(), bytes: fields.number("bytes")?, sd, state })
    };
    let mut parts = parts.ok_or_else(unknown)?.iter().map(part).collect::<Result<Vec<_>, _>>()?;
    parts.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(parts)
}

fn continued(fields: &Fields<'_>) -> Result<Checkpoint, ManifestError> {
    let continues = Fields::of(fields.0.get("continues").unwrap_or(&Value::Null))?;
    let (origin, size) = (continues.text("origin")?, continues.number("size")?);
    Ok(Checkpoint { origin, size, root: continues.root("root")? })
}

//! Triage: which class of incident this is, how bad, and where to look first.
//!
//! Everything here is data and pure functions on it. [`TREE`] is the decision tree, [`walk`] goes through it with the
//! answers somebody gives; [`Findings`] reads the answers from a freeze frame or an alert. [`PLAYBOOK`] says for every
//! class and pattern what it looks like and what to ask; [`hypotheses`] compares the two windows of a frame, [`patterns`]
//! recognises patterns in them. The pages
//! `docs/triage.md` and `deploy/runbooks/classes` are written from these tables.

mod drawing;
mod findings;
mod hypothesis;
mod pattern;
mod playbook;
mod tree;

pub use drawing::{mermaid, svg};
pub use findings::{Answered, Findings};
pub use hypothesis::{Hypothesis, Standing, hypotheses};
pub(in crate::core) use pattern::{ATTACK_METRICS, is_attack_text};
pub use pattern::{Recognised, patterns};
pub use playbook::{PLAYBOOK, Play, Subject};
pub use tree::{End, Node, Question, TREE, Walk, questions, walk};

//! What span events and log records stand for. Their names are in the tables of the dialects, the same for both.

use crate::core::message::Role;

/// What an event tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// An exception, semconv `exception.*`.
    Exception,
    /// The first token of a stream arrived; only the first of them counts.
    FirstToken,
    /// One message of the input.
    Input(Role),
    /// One message of the output.
    Output,
    /// The whole call again, as attributes.
    Details,
    /// A verdict on an answer.
    Evaluation,
    /// One retrieved document.
    Document,
    /// A log-only agent: what the user asked.
    Prompt,
    /// A log-only agent: a call that ended, one way or the other.
    Call,
    /// A log-only agent: an attempt, which is a call of its own only if it failed.
    Attempt,
    /// A log-only agent: a moment of a stream, which is a call only if it is the end.
    Streamed,
    /// A log-only agent: a tool that ran.
    Tool,
}

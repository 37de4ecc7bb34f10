//! What span events and log records stand for, by name. The same names are used for both.

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
}

impl Event {
    /// The meaning of a name; `None` for names of no interest.
    pub(crate) fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"exception" | b"gen_ai.client.operation.exception" => Self::Exception,
            b"First Token Stream Event"
            | b"gen_ai.content.completion.chunk"
            | b"llm.content.completion.chunk"
            | b"ai.stream.firstChunk" => Self::FirstToken,
            b"gen_ai.system.message" => Self::Input(Role::System),
            b"gen_ai.user.message" | b"gen_ai.content.prompt" => Self::Input(Role::User),
            b"gen_ai.assistant.message" => Self::Input(Role::Assistant),
            b"gen_ai.tool.message" => Self::Input(Role::Tool),
            b"gen_ai.choice" | b"gen_ai.content.completion" => Self::Output,
            b"gen_ai.client.inference.operation.details" => Self::Details,
            b"gen_ai.evaluation.result" => Self::Evaluation,
            b"db.query.result" | b"db.search.result" => Self::Document,
            _ => return None,
        })
    }
}

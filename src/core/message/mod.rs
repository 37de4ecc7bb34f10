//! Messages: what went into a model and what came out, in one form for all dialects.
//!
//! A model call repeats the whole conversation, so an input is read selectively: the system parts, the last
//! user message, and what follows it. The rest is skipped over, not parsed.

mod exchange;
mod indexed;
mod json;
mod parse;
mod scan;

use std::borrow::Cow;

pub(crate) use exchange::Exchange;
pub(crate) use indexed::{documents as indexed_documents, grouped, messages as indexed_messages};
pub(crate) use json::{Json, of_value};
pub(crate) use parse::{answer, definitions, documents, input, instructions, message as one, output};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// `system`, `developer`
    System,
    /// `user`, `human`
    User,
    /// `assistant`, `ai`, `model`
    Assistant,
    /// `tool`, `function`
    Tool,
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message<'a> {
    pub(crate) role: Role,
    /// Its text parts, joined by newlines; `None` without a text part.
    pub(crate) text: Option<Cow<'a, str>>,
    /// It is, or holds, a refusal.
    pub(crate) refusal: bool,
    /// Why the model stopped here.
    pub(crate) finish: Option<Cow<'a, str>>,
    /// Tools it asks for.
    pub(crate) calls: Vec<ToolRequest<'a>>,
    /// Tool results it carries.
    pub(crate) results: Vec<ToolResponse<'a>>,
}

/// A model's request to run a tool.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ToolRequest<'a> {
    pub(crate) id: Cow<'a, str>,
    pub(crate) name: Cow<'a, str>,
    /// JSON text.
    pub(crate) arguments: Option<Cow<'a, str>>,
}

/// What a tool gave back.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ToolResponse<'a> {
    pub(crate) id: Cow<'a, str>,
    pub(crate) text: Cow<'a, str>,
    /// The result says itself that the tool failed.
    pub(crate) failed: bool,
}

/// The first `max` bytes of `text`, less what would split a character.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

impl Role {
    /// The role of this name in any dialect; unknown ones speak as the user.
    pub(crate) fn of(name: &str) -> Self {
        match name {
            "system" | "developer" | "SystemMessage" => Self::System,
            "assistant" | "ai" | "AIMessage" | "model" => Self::Assistant,
            "tool" | "function" | "ToolMessage" => Self::Tool,
            _ => Self::User,
        }
    }
}

impl Message<'_> {
    pub(crate) fn new(role: Role) -> Self {
        Self { role, text: None, refusal: false, finish: None, calls: Vec::new(), results: Vec::new() }
    }
}

impl<'a> Message<'a> {
    pub(crate) fn push_text(&mut self, text: Cow<'a, str>) {
        match &mut self.text {
            None => self.text = Some(text),
            Some(before) => before.to_mut().extend(["\n", &text]),
        }
    }

    /// Whether the user says something here. Some dialects send tool results in the role of the user.
    pub(crate) fn is_question(&self) -> bool {
        self.role == Role::User && self.text.as_ref().is_some_and(|text| !text.trim().is_empty())
    }

    /// The same, owning its text.
    pub(crate) fn into_owned(self) -> Message<'static> {
        let own = |text: Cow<'a, str>| Cow::Owned(text.into_owned());
        Message {
            role: self.role,
            text: self.text.map(own),
            refusal: self.refusal,
            finish: self.finish.map(own),
            calls: self.calls.into_iter().map(ToolRequest::into_owned).collect(),
            results: self.results.into_iter().map(ToolResponse::into_owned).collect(),
        }
    }

    /// Cuts every text at `max` bytes.
    pub(crate) fn cut(&mut self, max: usize) {
        let texts = self.text.iter_mut().chain(self.results.iter_mut().map(|it| &mut it.text));
        for text in texts.chain(self.calls.iter_mut().filter_map(|it| it.arguments.as_mut())) {
            if text.len() > max {
                *text = Cow::Owned(cut(text, max).to_owned());
            }
        }
    }

    /// Bytes of text it holds.
    pub(crate) fn bytes(&self) -> usize {
        let text = self.text.as_ref().map_or(0, |text| text.len());
        let calls =
            self.calls.iter().map(|it| it.id.len() + it.name.len() + it.arguments.as_ref().map_or(0, |a| a.len()));
        text + calls.sum::<usize>() + self.results.iter().map(|it| it.id.len() + it.text.len()).sum::<usize>()
    }
}

impl ToolRequest<'_> {
    pub(crate) fn into_owned(self) -> ToolRequest<'static> {
        ToolRequest {
            id: Cow::Owned(self.id.into_owned()),
            name: Cow::Owned(self.name.into_owned()),
            arguments: self.arguments.map(|it| Cow::Owned(it.into_owned())),
        }
    }
}

impl<'a> ToolResponse<'a> {
    /// A result; `{"error": ..}` and `{"is_error": true}` say that the tool failed.
    pub(crate) fn new(id: Cow<'a, str>, text: Cow<'a, str>) -> Self {
        let failed = Json::new(&text).entries().iter().any(|(key, value)| match key.as_ref() {
            "error" => !value.is_null() && value.raw() != "false" && value.raw() != "\"\"",
            "is_error" | "isError" => value.raw() == "true",
            _ => false,
        });
        Self { id, text, failed }
    }

    pub(crate) fn into_owned(self) -> ToolResponse<'static> {
        ToolResponse {
            id: Cow::Owned(self.id.into_owned()),
            text: Cow::Owned(self.text.into_owned()),
            failed: self.failed,
        }
    }
}

//! The postmortem of an incident, as far as evidence can write it: Markdown made of the committed frame and the
//! transitions around it. What only people know stands as a question to them, never as invented text.
//!
//! [`facts()`] reads everything that a page says out of the frame, as one document; a page is a template over it
//! ([`Edition`], or one of the team's own). [`check`] reads a page as its reviewer would.

mod actions;
mod answers;
mod comparison;
mod deadlines;
mod facts;
mod figures;
mod header;
mod lessons;
mod lint;
mod page;
mod questions;
mod timeline;

use serde_json::Value as Json;

pub use answers::{Answers, AnswersError};
pub use deadlines::Deadlines;
pub use facts::facts;
pub(crate) use figures::{duration, second};
pub use header::{Checked, Due, Header};
pub use lint::{Finding, RULES, check};
pub use page::{Edition, TemplateError, questions_in, render_with};
pub use timeline::{Entry, Fired, timeline};

/// Renders the built-in page of the incident behind `frame`. `timeline` must be in order of time.
#[must_use]
pub fn render(frame: &Json, timeline: &[Entry], edition: Edition) -> String {
    // The built-in templates are tested with frames that lack anything a frame can lack.
    render_with(edition.template(), &facts(frame, timeline), &Answers::default())
        .unwrap_or_else(|error| format!("{error}\n"))
}

#[cfg(test)]
mod tests;

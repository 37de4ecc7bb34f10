//! Pages: templates (minijinja, the syntax of Jinja2) over the facts. Whatever a template prints is escaped for Markdown,
//! unless it says `safe`.

use std::sync::{Arc, Mutex, PoisonError};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, Error, Output, State, UndefinedBehavior};
use serde_json::Value as Json;

use super::answers::{Answers, TOLD};
use super::figures::second;
use crate::core::frame::grouped;
use crate::core::time::UnixNanos;
use crate::toolkit::text::{fenced, line, markdown};

/// A built-in page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edition {
    /// Everything, for the team.
    Internal,
    /// Abridged, for customers: what happened, who was affected, what was done, what follows.
    External,
    /// What the frame says, without questions.
    Frame,
}

impl Edition {
    /// Its template.
    #[must_use]
    pub const fn template(self) -> &'static str {
        match self {
            Self::Internal => include_str!("internal.md.j2"),
            Self::External => include_str!("external.md.j2"),
            Self::Frame => include_str!("frame.md.j2"),
        }
    }
}

/// A template that can't be rendered: what is wrong, and where.
#[derive(Debug, thiserror::Error)]
#[error("the template: {0:#}")]
pub struct TemplateError(#[from] Error);

/// Renders a template over the [`facts`](super::facts()), its questions answered as far as they are.
///
/// # Errors
/// What the template asks for and the facts don't have, or what is not Jinja.
pub fn render_with(template: &str, facts: &Json, answers: &Answers) -> Result<String, TemplateError> {
    let answers = answers.clone();
    page(template, facts, move |question| match answers.to(question) {
        Some(answer) => format!("{} *{TOLD}*", markdown(answer)),
        None => format!("**Question:** {}", markdown(question)),
    })
}

/// What the page of a template asks people, in order.
///
/// # Errors
/// As [`render_with`].
pub fn questions_in(template: &str, facts: &Json) -> Result<Vec<String>, TemplateError> {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = asked.clone();
    page(template, facts, move |question| {
        let mut asked = heard.lock().unwrap_or_else(PoisonError::into_inner);
        if !asked.iter().any(|it| it == question) {
            asked.push(question.to_owned());
        }
        String::new()
    })?;
    let asked = std::mem::take(&mut *asked.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(asked)
}

fn page(
    template: &str,
    facts: &Json,
    ask: impl Fn(&str) -> String + Send + Sync + 'static,
) -> Result<String, TemplateError> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment
        .set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?);
    environment.set_auto_escape_callback(|_| AutoEscape::Custom("markdown".into()));
    environment.set_formatter(escaped);
    environment.add_filter("code", |value: &Value| safe(&code(value)));
    environment.add_filter("minute", minute);
    environment.add_filter("second", |at: Value| at.as_str().map(second).map_or(at.clone(), Value::from));
    environment.add_filter("count", |n: Value| usize::try_from(n.clone()).map_or(n, |it| Value::from(grouped(it))));
    environment.add_filter("fenced", |value: &str, language: &str| safe(&fenced(language, value)));
    environment.add_function("ask", move |question: &str| safe(&ask(question)));
    Ok(environment.render_str(template, Value::from(Serde(facts)))?)
}

fn escaped(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    use std::fmt::Write as _;
    if value.is_none() {
        return Ok(out.write_char('-')?);
    }
    let text = value.to_string();
    Ok(out.write_str(&if value.is_safe() { text } else { markdown(&text) })?)
}

/// A time of RFC 3339 as people say it: `2025-03-10 10:15 UTC`. Anything else as it is.
fn minute(at: Value) -> Value {
    let text = at.as_str().unwrap_or_default();
    match (UnixNanos::parse(text), text.get(..10), text.get(11..16)) {
        (Some(_), Some(day), Some(minute)) if text.ends_with('Z') => format!("{day} {minute} UTC").into(),
        _ => at,
    }
}

fn safe(text: &str) -> Value {
    Value::from_safe_string(text.to_owned())
}

/// Between backticks, where nothing can be escaped.
fn code(value: &Value) -> String {
    let text = if value.is_none() { "-".to_owned() } else { value.to_string() };
    format!("`{}`", line(&text).replace(['`', '|', '\\'], "'"))
}

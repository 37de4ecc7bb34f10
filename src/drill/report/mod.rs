//! The report of a drill as a page: one HTML file that needs nothing else, or Markdown. Both are templates over the
//! document of `--format json`; whatever they print is escaped for their format.

mod chart;
mod reflection;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, Error, Output, State};
use serde_json::{Value as Json, json};

use crate::toolkit::text;

/// A report that can't be rendered: what is wrong, and where.
#[derive(Debug, thiserror::Error)]
#[error("the report: {0:#}")]
pub struct ReportError(#[from] Error);

/// The report as a page of HTML, with charts.
///
/// # Errors
/// When the document is not one of [`Outcome::document`](super::Outcome::document).
pub fn html(drill: &Json) -> Result<String, ReportError> {
    render(include_str!("page.html.j2"), "html", text::html, &facts(drill))
}

/// The report as Markdown.
///
/// # Errors
/// As [`html`].
pub fn markdown(drill: &Json) -> Result<String, ReportError> {
    render(include_str!("page.md.j2"), "markdown", text::markdown, &facts(drill))
}

/// What a page shows: the drill, its charts and its questions.
fn facts(drill: &Json) -> Json {
    let passed = |it: &&Json| it["result"] == "passed";
    let lines = drill["scorecard"].as_array().map_or(&[][..], Vec::as_slice);
    json!({
        "drill": drill,
        "passed": lines.iter().filter(passed).count(),
        "checks": lines.len(),
        "charts": chart::charts(drill),
        "reflection": reflection::questions(drill),
    })
}

fn render(
    template: &str,
    format: &'static str,
    escape: fn(&str) -> String,
    facts: &Json,
) -> Result<String, ReportError> {
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.set_auto_escape_callback(move |_| AutoEscape::Custom(format.into()));
    environment.set_formatter(move |out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value| {
        let shown = if value.is_none() { "-".to_owned() } else { value.to_string() };
        Ok(out.write_str(&if value.is_safe() { shown } else { escape(&shown) })?)
    });
    environment.add_filter("svg", |value: String| Value::from_safe_string(value));
    Ok(environment.render_str(template, Value::from(Serde(facts)))?)
}

#[cfg(test)]
mod tests;

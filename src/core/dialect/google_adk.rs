//! Google's Agent Development Kit: the GenAI conventions, and whole requests and responses of the Gemini API as JSON
//! (`{}` when content is off).

use super::{BLANK, Dialect, Field, Field::*, payload};
use crate::core::span::{Kind, LlmSpan};

pub(super) static DIALECT: Dialect = Dialect {
    name: "google_adk",
    marks: &["gcp.vertex.agent.invocation_id", "gcp.vertex.agent.event_id", "gcp.vertex.agent.session_id"],
    fields: FIELDS,
    kind,
    complete,
    ..BLANK
};

const FIELDS: &[(&str, Field)] = &[
    ("gcp.vertex.agent.llm_request", Input),
    ("gcp.vertex.agent.llm_response", Output),
    ("gcp.vertex.agent.tool_call_args", ToolArguments),
    ("gcp.vertex.agent.tool_response", ToolResult),
    ("gcp.vertex.agent.session_id", SessionId),
];

/// `call_llm` names no operation in some versions.
fn kind(span: &LlmSpan<'_>) -> Option<Kind> {
    let calls = span.fields.has(Input) && span.fields.has(Output) && !span.fields.has(Operation);
    (calls && span.name == "call_llm").then_some(Kind::Llm)
}

/// Tools that ran side by side get a span of their own on top, which is no tool.
fn complete(span: &mut LlmSpan<'_>) {
    if span.text(ToolName) == Some("(merged tools)") {
        span.kind = Kind::Other;
    }
    if span.kind == Kind::Llm {
        if let Some(json) = span.text(Input) {
            payload::request(span, json);
        }
        if let Some(json) = span.text(Output) {
            payload::response(span, json);
        }
    }
}

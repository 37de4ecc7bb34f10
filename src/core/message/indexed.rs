//! Messages and documents from indexed attribute keys (`llm.input_messages.0.message.role`,
//! `gen_ai.prompt.0.tool_calls.1.name`, `retrieval.documents.0.document.id`). Keys may come in any order, with gaps.

use std::borrow::Cow;

use super::json::{Json, of_value};
use super::parse::updated_at;
use super::{Message, Role, ToolRequest, ToolResponse};
use crate::core::dialect::Scalar;
use crate::core::request::Document;
use crate::core::span::{List, Listed};
use crate::otlp::Value;

/// The items of one list in order of index, each as its paths and values.
pub(crate) fn grouped<'a>(listed: &[Listed<'a>], list: List) -> Vec<Vec<(&'a str, Value<'a>)>> {
    let mut found: Vec<&Listed<'a>> = listed.iter().filter(|it| it.list == list).collect();
    found.sort_by_key(|it| it.index);
    found.chunk_by(|a, b| a.index == b.index).map(|item| item.iter().map(|it| (it.path, it.value)).collect()).collect()
}

/// The messages of one list.
pub(crate) fn messages<'a>(listed: &[Listed<'a>], list: List) -> Vec<Message<'a>> {
    let default = if list == List::Output { Role::Assistant } else { Role::User };
    grouped(listed, list).into_iter().map(|item| message(&item, default)).collect()
}

fn message<'a>(item: &[(&'a str, Value<'a>)], default: Role) -> Message<'a> {
    let mut message = Message::new(default);
    let (mut id, mut calls, mut parts) = (Cow::Borrowed(""), Vec::new(), Vec::new());
    for (path, value) in item {
        let path = path.strip_prefix("message.").unwrap_or(path);
        if let Some((index, rest)) = indexed(path, "tool_calls.") {
            calls.push((index, rest.strip_prefix("tool_call.").unwrap_or(rest), *value));
        } else if let Some((index, rest)) = indexed(path, "contents.") {
            parts.push((index, rest.strip_prefix("message_content.").unwrap_or(rest), *value));
        } else {
            field(path, *value, &mut message, &mut id);
        }
    }
    parts.sort_by_key(|(index, ..)| *index);
    for (_, path, value) in parts {
        if path == "text"
            && let Some(text) = text(value)
        {
            message.push_text(text);
        }
    }
    message.calls.extend(requests(calls));
    if message.role == Role::Tool {
        let text = message.text.take().unwrap_or_default();
        message.results.push(ToolResponse::new(id, text));
    }
    message
}

fn field<'a>(path: &str, value: Value<'a>, message: &mut Message<'a>, id: &mut Cow<'a, str>) {
    let Some(found) = text(value) else { return };
    match path {
        "role" => message.role = Role::of(&found),
        "content" if matches!(found.as_bytes().first(), Some(b'[')) => content(found, message),
        "content" | "prompt.text" | "completion.text" | "text" => message.push_text(found),
        "finish_reason" => message.finish = Some(found),
        "tool_call_id" => *id = found,
        "refusal" => {
            message.refusal = true;
            message.text.get_or_insert(found);
        }
        "function_call.name" | "function_call_name" => {
            message.calls.push(ToolRequest { name: found, ..ToolRequest::default() });
        }
        _ => {}
    }
}

/// Text that may be a JSON list of parts (the old OpenLLMetry writes multi-part content so).
fn content<'a>(found: Cow<'a, str>, message: &mut Message<'a>) {
    let parts = match &found {
        Cow::Borrowed(text) => Json::new(text).items(),
        Cow::Owned(_) => Vec::new(),
    };
    let texts: Vec<_> = parts.iter().filter_map(|part| part.get("text")?.text()).collect();
    if texts.is_empty() {
        message.push_text(found);
    }
    texts.into_iter().for_each(|text| message.push_text(text));
}

fn requests<'a>(mut parts: Vec<(u32, &'a str, Value<'a>)>) -> Vec<ToolRequest<'a>> {
    parts.sort_by_key(|(index, ..)| *index);
    let mut requests = Vec::new();
    for call in parts.chunk_by(|a, b| a.0 == b.0) {
        let mut request = ToolRequest::default();
        for (_, path, value) in call {
            let Some(found) = text(*value) else { continue };
            match *path {
                "id" => request.id = found,
                "name" | "function.name" => request.name = found,
                "arguments" | "function.arguments" => request.arguments = Some(found),
                _ => {}
            }
        }
        requests.push(request);
    }
    requests
}

/// The documents of the list.
pub(crate) fn documents(listed: &[Listed<'_>]) -> Option<Vec<Document>> {
    let items = grouped(listed, List::Documents);
    if items.is_empty() { None } else { Some(items.iter().map(|item| document(item)).collect()) }
}

fn document(item: &[(&str, Value<'_>)]) -> Document {
    let mut document = Document::default();
    for (path, value) in item {
        match path.strip_prefix("document.").unwrap_or(path) {
            "id" => document.id = text(*value).map(Into::into),
            "score" => document.score = Scalar::of(*value).and_then(Scalar::f64),
            "content" => document.content = text(*value).map(Into::into),
            "metadata" => document.updated_at = of_value(*value).and_then(|json| updated_at(Json::new(&json))),
            _ => {}
        }
    }
    document
}

/// Splits `tool_calls.12.name` after `prefix` into 12 and `name`.
fn indexed<'p>(path: &'p str, prefix: &str) -> Option<(u32, &'p str)> {
    let (index, rest) = path.strip_prefix(prefix)?.split_once('.')?;
    Some((index.parse().ok()?, rest))
}

fn text(value: Value<'_>) -> Option<Cow<'_, str>> {
    Scalar::of(value).map(Scalar::text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(list: List, rows: &[(u32, &'static str, &'static str)]) -> Vec<Listed<'static>> {
        rows.iter()
            .map(|(index, path, text)| Listed { list, index: *index, path, value: Value::Str(text.as_bytes()) })
            .collect()
    }

    /// Proves that indices order messages numerically, whatever order and gaps the keys have.
    #[test]
    fn indices_sort_numerically_over_gaps() {
        let rows = listed(
            List::Input,
            &[(10, "content", "c"), (2, "content", "b"), (0, "role", "system"), (0, "content", "a")],
        );
        let texts: Vec<_> = messages(&rows, List::Input).into_iter().filter_map(|it| it.text).collect();
        assert_eq!(texts, ["a", "b", "c"]);
    }

    /// Proves that both flattened dialects give the same tool call.
    #[test]
    fn tool_calls_read_the_same_in_both_dialects() {
        let old = listed(
            List::Output,
            &[(0, "tool_calls.0.id", "1"), (0, "tool_calls.0.name", "get"), (0, "tool_calls.0.arguments", "{}")],
        );
        let oi = listed(
            List::Output,
            &[
                (0, "message.tool_calls.0.tool_call.function.arguments", "{}"),
                (0, "message.tool_calls.0.tool_call.id", "1"),
                (0, "message.tool_calls.0.tool_call.function.name", "get"),
            ],
        );
        assert_eq!(messages(&old, List::Output), messages(&oi, List::Output));
        assert_eq!(messages(&oi, List::Output)[0].calls[0].name, "get");
    }
}

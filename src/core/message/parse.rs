//! Messages and documents from JSON in every form seen: OTel parts, OpenAI content and tool calls, Anthropic
//! content blocks, Vercel parts, LangChain constructors, log bodies and choices.

use std::borrow::Cow;

use super::json::Json;
use super::{Message, Role, ToolRequest, ToolResponse};
use crate::core::request::Document;

/// Keys under which documents carry the time their source last changed, best first.
const UPDATED_KEYS: [&str; 10] = [
    "updated_at",
    "updatedAt",
    "last_modified",
    "lastModified",
    "last_updated",
    "modified_at",
    "date",
    "timestamp",
    "indexed_at",
    "ingested_at",
];

/// What is needed of an input: its system messages, the last question, and what follows that.
pub(crate) fn input(json: Json<'_>) -> Vec<Message<'_>> {
    if let Some(text) = json.text() {
        return vec![spoken(Role::User, text)];
    }
    if json.is_prose() {
        return vec![spoken(Role::User, json.raw().into())];
    }
    if json.is_object() {
        return input_of_object(json);
    }
    let items = json.items();
    if let Some(inner) = items.first().filter(|first| first.is_array()) {
        return input(*inner);
    }
    let mut tail = Vec::new();
    let mut at = items.len();
    while at > 0 && defined(items[at - 1]).is_some() {
        at -= 1;
    }
    while at > 0 {
        at -= 1;
        let message = message(items[at], Role::User);
        let found = message.is_question();
        tail.push(message);
        if found {
            break;
        }
    }
    let mut messages: Vec<_> = items[..at]
        .iter()
        .filter(|item| role(**item) == Role::System)
        .map(|item| message(*item, Role::System))
        .collect();
    messages.extend(tail.into_iter().rev());
    messages
}

fn input_of_object(json: Json<'_>) -> Vec<Message<'_>> {
    let entries = json.entries();
    let get = |key: &str| entries.iter().find(|(found, value)| found == key && !value.is_null()).map(|(_, it)| *it);
    if get("role").is_some() {
        return vec![message(json, Role::User)];
    }
    let gemini = get("config").and_then(|config| config.get("system_instruction"));
    let systems = ["system", "instructions"].iter().filter_map(|key| get(key)).chain(gemini);
    let mut messages: Vec<_> = systems.filter_map(instructions).map(|text| spoken(Role::System, text)).collect();
    let inner = ["messages", "input", "prompt", "query", "question", "contents"].iter().find_map(|key| get(key));
    if let Some(inner) = inner {
        messages.extend(input(inner));
    }
    messages
}

/// The messages of an output: a list of messages or choices, a whole response, one message, or bare text.
pub(crate) fn output(json: Json<'_>) -> Vec<Message<'_>> {
    if json.is_prose() {
        return vec![spoken(Role::Assistant, json.raw().into())];
    }
    if json.is_array() {
        let items = json.items();
        // LangChain: one list of generations a prompt.
        return match items.first().filter(|first| first.is_array()) {
            Some(first) => output(*first),
            None => items.into_iter().map(|item| message(item, Role::Assistant)).collect(),
        };
    }
    if json.is_object() {
        let inner = ["choices", "output", "generations", "candidates"].iter().find_map(|key| json.get(key));
        return match inner {
            Some(inner) if inner.is_array() => output(inner),
            _ if is_message(json) => vec![message(json, Role::Assistant)],
            // A structured answer.
            _ => vec![spoken(Role::Assistant, json.raw().into())],
        };
    }
    json.text().filter(|text| !text.is_empty()).map(|text| spoken(Role::Assistant, text)).into_iter().collect()
}

/// The answer that a dialect sends as a text and a list of the tools it asks for.
pub(crate) fn answer<'a>(text: Option<&'a str>, calls: Option<&'a str>) -> Message<'a> {
    let mut message = Message::new(Role::Assistant);
    message.text = text.map(Cow::Borrowed);
    message.calls = calls.map(|json| Json::new(json).items().into_iter().map(request).collect()).unwrap_or_default();
    message
}

/// The tools defined in a whole request: under `tools`, under Gemini's `config`, or, as Langfuse's callback for
/// LangChain sends them, among the messages.
pub(crate) fn definitions(json: Json<'_>) -> Vec<Json<'_>> {
    if json.is_object() {
        let nested = || json.get("config").and_then(|config| config.get("tools"));
        let tools = json.get("tools").or_else(nested);
        return match tools {
            Some(tools) => vec![tools],
            None => json.get("messages").map(definitions).unwrap_or_default(),
        };
    }
    json.items().into_iter().filter_map(defined).collect()
}

/// The definition that stands where a tool's message would.
fn defined(json: Json<'_>) -> Option<Json<'_>> {
    let is_tool = json.first("role").is_some_and(|role| role.raw() == "\"tool\"");
    json.get("content").filter(|content| is_tool && content.is_object() && content.get("function").is_some())
}

/// Whether an object is a message or a response in any form, and not what a model was asked to fill in.
fn is_message(json: Json<'_>) -> bool {
    const KEYS: [&str; 14] = [
        "role",
        "content",
        "parts",
        "message",
        "kwargs",
        "tool_calls",
        "toolCalls",
        "function_call",
        "refusal",
        "finish_reason",
        "finishReason",
        "stop_reason",
        "type",
        "text",
    ];
    let entries = json.entries();
    entries.is_empty() || entries.iter().any(|(key, _)| KEYS.contains(&&**key))
}

/// The text of a system part sent apart from the messages: a string or a list of parts.
pub(crate) fn instructions(json: Json<'_>) -> Option<Cow<'_, str>> {
    let mut message = Message::new(Role::System);
    content(json, &mut message);
    match message.text {
        None if !json.is_array() && !json.is_object() && !json.is_null() => Some(json.text_or_raw()),
        text => text,
    }
}

/// The documents in a list, or in an object that holds one; `None` when there is no such list.
pub(crate) fn documents(json: Json<'_>) -> Option<Vec<Document>> {
    if json.is_object() {
        let list = ["documents", "results", "matches", "hits", "points", "output", "docs"]
            .iter()
            .find_map(|key| json.get(key))?;
        return documents(list);
    }
    if !json.is_array() {
        return None;
    }
    Some(json.items().into_iter().filter(|item| item.is_object()).map(document).collect())
}

fn document(json: Json<'_>) -> Document {
    let mut document = Document::default();
    let mut updated = (UPDATED_KEYS.len(), None);
    read_document(json, &mut document, &mut updated);
    document.updated_at = updated.1;
    document
}

fn read_document(json: Json<'_>, document: &mut Document, updated: &mut (usize, Option<crate::core::time::UnixNanos>)) {
    for (key, value) in json.entries() {
        match key.as_ref() {
            _ if value.is_null() => {}
            "id" | "document_id" | "doc_id" | "_id" => {
                document.id.get_or_insert_with(|| value.text_or_raw().into());
            }
            "score" | "similarity" | "relevance_score" | "similarity_score" => {
                document.score = document.score.or_else(|| value.scalar()?.f64());
            }
            "content" | "page_content" | "pageContent" | "text" => {
                if let Some(text) = value.text() {
                    document.content.get_or_insert_with(|| text.into());
                }
            }
            "document" | "metadata" | "payload" | "node" | "kwargs" if value.is_object() => {
                read_document(value, document, updated)
            }
            "document" => {
                document.content = document.content.take().or_else(|| value.text().map(Into::into));
            }
            key => {
                if let Some(rank) = UPDATED_KEYS.iter().position(|it| *it == key)
                    && rank < updated.0
                    && let Some(at) = value.scalar().and_then(|it| it.time())
                {
                    *updated = (rank, Some(at));
                }
            }
        }
    }
}

/// The time a document's metadata gives for its source.
pub(crate) fn updated_at(metadata: Json<'_>) -> Option<crate::core::time::UnixNanos> {
    document(metadata).updated_at
}

fn spoken(role: Role, text: Cow<'_, str>) -> Message<'_> {
    Message { text: Some(text), ..Message::new(role) }
}

/// Who speaks; LangChain's constructors name a class, and a type inside their arguments.
fn role(json: Json<'_>) -> Role {
    if let Some(name) = json.first("role").or_else(|| json.get("role")).and_then(Json::text) {
        return Role::of(&name);
    }
    let class = json.get("id").and_then(|id| id.items().last()?.text());
    let class = class.or_else(|| json.get("kwargs")?.get("type")?.text());
    class.map_or(Role::User, |name| Role::of(&name))
}

/// One message, choice or content block list.
pub(crate) fn message(json: Json<'_>, default: Role) -> Message<'_> {
    let mut message = Message::new(default);
    if let Some(text) = json.text() {
        message.text = Some(text);
        return message;
    }
    // A generation of LangChain repeats its message's text.
    let inner = json.get("message").filter(|inner| inner.is_object() && json.get("text").is_some());
    if let Some(inner) = inner {
        let mut message = self::message(inner, default);
        let info = json.get("generation_info").and_then(|info| info.get("finish_reason"));
        message.finish = message.finish.or_else(|| info?.text());
        return message;
    }
    let mut id = Cow::Borrowed("");
    read_message(json, &mut message, &mut id);
    if message.role == Role::Tool && message.results.is_empty() {
        let text = message.text.take().unwrap_or_default();
        message.results.push(ToolResponse::new(id, text));
    }
    message
}

fn read_message<'a>(json: Json<'a>, message: &mut Message<'a>, id: &mut Cow<'a, str>) {
    for (key, value) in json.entries() {
        match key.as_ref() {
            _ if value.is_null() => {}
            "role" => message.role = value.text().map_or(message.role, |name| Role::of(&name)),
            "type" => match value.text().as_deref() {
                Some("human") => message.role = Role::User,
                Some(name @ ("system" | "ai" | "tool")) => message.role = Role::of(name),
                Some("function_call" | "function_call_output") => part(json, message),
                _ => {}
            },
            "content" | "parts" => content(value, message),
            "tool_calls" | "toolCalls" => message.calls.extend(value.items().into_iter().map(request)),
            "function_call" => message.calls.push(request(value)),
            "refusal" => refused(value, message),
            "finish_reason" | "finishReason" | "stop_reason" => message.finish = value.text().or(message.finish.take()),
            "tool_call_id" | "toolCallId" => *id = value.text().unwrap_or_default(),
            "id" if id.is_empty() && value.text().is_some() => *id = value.text().unwrap_or_default(),
            "message" | "kwargs" | "generation_info" | "response_metadata" if value.is_object() => {
                read_message(value, message, id)
            }
            "additional_kwargs" => value.get("refusal").into_iter().for_each(|it| refused(it, message)),
            "text" if message.text.is_none() => message.text = value.text(),
            _ => {}
        }
    }
}

/// String content, or a list of parts.
fn content<'a>(json: Json<'a>, message: &mut Message<'a>) {
    if let Some(text) = json.text() {
        message.push_text(text);
    } else if json.is_array() {
        for item in json.items() {
            match item.text() {
                Some(text) => message.push_text(text),
                None => part(item, message),
            }
        }
    } else if json.is_object() {
        part(json, message);
    }
}

fn part<'a>(json: Json<'a>, message: &mut Message<'a>) {
    let entries = json.entries();
    let get =
        |keys: &[&str]| keys.iter().find_map(|key| entries.iter().find(|(found, it)| found == key && !it.is_null()));
    let text = |keys: &[&str]| get(keys).and_then(|(_, value)| value.text());
    match text(&["type"]).as_deref() {
        None | Some("text" | "input_text" | "output_text" | "message") => {
            if let Some((_, value)) = get(&["content", "text", "parts"]) {
                content(*value, message);
            }
            // Gemini's parts have no type.
            if let Some((_, call)) = get(&["function_call", "functionCall"]) {
                message.calls.push(request(*call));
            }
            if let Some((_, result)) = get(&["function_response", "functionResponse"]) {
                let field = |key: &str| result.get(key).map(Json::text_or_raw).unwrap_or_default();
                let id = field("id");
                let id = if id.is_empty() { field("name") } else { id };
                message.results.push(ToolResponse::new(id, field("response")));
            }
        }
        Some("refusal") => get(&["refusal", "content", "text"]).into_iter().for_each(|(_, it)| refused(*it, message)),
        Some("tool_call" | "tool-call" | "tool_use" | "function_call") => message.calls.push(request(json)),
        Some("tool_call_response" | "tool-result" | "tool_result" | "function_call_output") => {
            let id = text(&["id", "toolCallId", "tool_use_id", "call_id", "tool_call_id"]).unwrap_or_default();
            let result = get(&["response", "result", "output", "content"]);
            let failed = get(&["is_error", "isError"]).is_some_and(|(_, it)| it.raw() == "true");
            let mut response = ToolResponse::new(id, result.map_or(Cow::Borrowed(""), |(_, it)| it.text_or_raw()));
            response.failed |= failed;
            message.results.push(response);
        }
        // Reasoning, images, files: not part of what was said.
        Some(_) => {}
    }
}

fn refused<'a>(json: Json<'a>, message: &mut Message<'a>) {
    if let Some(text) = json.text().filter(|text| !text.is_empty()) {
        message.refusal = true;
        message.text.get_or_insert(text);
    }
}

fn request(json: Json<'_>) -> ToolRequest<'_> {
    let mut request = ToolRequest::default();
    for (key, value) in json.entries() {
        match key.as_ref() {
            _ if value.is_null() => {}
            "id" | "toolCallId" | "call_id" | "tool_call_id" => request.id = value.text().unwrap_or_default(),
            "name" | "toolName" => request.name = value.text().unwrap_or_default(),
            "arguments" | "args" | "input" => request.arguments = Some(value.text_or_raw()),
            "function" if value.is_object() => {
                let inner = self::request(value);
                (request.name, request.arguments) = (inner.name, inner.arguments);
            }
            _ => {}
        }
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(messages: &[Message<'_>]) -> String {
        let line = |it: &Message<'_>| {
            let calls: Vec<_> = it.calls.iter().map(|call| format!("{}:{}", call.id, call.name)).collect();
            let results: Vec<_> = it.results.iter().map(|result| format!("{}={}", result.id, result.text)).collect();
            let refusal = if it.refusal { "!" } else { "" };
            let text = it.text.as_deref().unwrap_or("-");
            format!("{:?}{refusal} {text} [{}] [{}]", it.role, calls.join(","), results.join(","))
        };
        messages.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Proves that one conversation reads the same in every form an SDK writes it in.
    #[test]
    fn every_form_of_input_reads_the_same() {
        let expected = "System S [] []\nUser Q [] []\nAssistant - [c1:get] []\nTool - [] [c1=R]";
        let forms = [
            r#"[{"role":"system","parts":[{"type":"text","content":"S"}]},{"role":"user","parts":[{"type":"text","content":"old"}]},
                {"role":"user","parts":[{"type":"text","content":"Q"}]},
                {"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"get","arguments":{"a":1}}]},
                {"role":"tool","parts":[{"type":"tool_call_response","id":"c1","response":"R"}]}]"#,
            r#"[{"role":"system","content":"S"},{"role":"user","content":[{"type":"text","text":"Q"}]},
                {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"get","arguments":"{}"}}]},
                {"role":"tool","tool_call_id":"c1","content":"R"}]"#,
            r#"{"messages":[{"role":"developer","content":"S"},{"role":"user","content":"Q"},
                {"role":"assistant","content":[{"type":"tool-call","toolCallId":"c1","toolName":"get","input":{}}]},
                {"role":"tool","content":[{"type":"tool-result","toolCallId":"c1","output":"R"}]}]}"#,
            r#"{"system":"S","messages":[{"role":"user","content":"Q"},
                {"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"get","input":{}}]},
                {"role":"tool","content":[{"type":"tool_result","tool_use_id":"c1","content":"R"}]}]}"#,
            r#"{"messages":[[{"type":"constructor","id":["SystemMessage"],"kwargs":{"content":"S","type":"system"},"role":"system"},
                {"kwargs":{"content":"Q","type":"human"}},
                {"kwargs":{"content":"","type":"ai","tool_calls":[{"id":"c1","name":"get","args":{}}]}, "content":null},
                {"kwargs":{"content":"R","type":"tool","tool_call_id":"c1"}}]]}"#,
        ];
        for form in forms {
            let got = digest(&input(Json::new(form))).replace("Assistant  [", "Assistant - [");
            assert_eq!(got, expected, "{form}");
        }
    }

    /// Proves that answers, refusals and finish reasons are found in every form of output.
    #[test]
    fn every_form_of_output_reads_the_same() {
        for (form, expected, finish) in [
            (
                r#"[{"role":"assistant","parts":[{"type":"text","content":"A"}],"finish_reason":"stop"}]"#,
                "Assistant A [] []",
                Some("stop"),
            ),
            (
                r#"{"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"A","refusal":null}}]}"#,
                "Assistant A [] []",
                Some("stop"),
            ),
            (r#"{"index":0,"finish_reason":"stop","message":{"content":"A"}}"#, "Assistant A [] []", Some("stop")),
            (r#"{"role":"assistant","content":"A"}"#, "Assistant A [] []", None),
            ("\"A\"", "Assistant A [] []", None),
            ("A", "Assistant A [] []", None),
            (r#"{"choices":[{"message":{"content":null,"refusal":"No."}}]}"#, "Assistant! No. [] []", None),
            (r#"[{"role":"assistant","parts":[{"type":"refusal","content":"No."}]}]"#, "Assistant! No. [] []", None),
            (r#"[{"role":"assistant","parts":[]}]"#, "Assistant - [] []", None),
        ] {
            let messages = output(Json::new(form));
            assert_eq!(digest(&messages), expected, "{form}");
            assert_eq!(messages[0].finish.as_deref(), finish, "{form}");
        }
    }

    /// Proves that what people and models say without any JSON around it is heard, brackets or not, and a structured
    /// answer is one, too.
    #[test]
    fn plain_text_is_said() {
        for text in ["my IBAN is DE89", "[1] says so", "{x} is open", "42", "true", "\"Hello\", she said"] {
            assert_eq!(digest(&input(Json::new(text))), format!("User {text} [] []"));
            assert_eq!(digest(&output(Json::new(text))), format!("Assistant {text} [] []"));
        }
        assert_eq!(digest(&output(Json::new(r#"{"total":42}"#))), r#"Assistant {"total":42} [] []"#);
        for nothing in ["", "null", "[]", "{}", r#"[{"role":"user","conte"#] {
            assert!(input(Json::new(nothing)).iter().all(|it| it.text.is_none()), "{nothing}");
        }
        let cut_in_an_emoji = r#"[{"role":"user","content":"hi \ud83d"}]"#;
        assert_eq!(digest(&input(Json::new(cut_in_an_emoji))), "User hi \u{fffd}\u{fffd}\u{fffd} [] []");
    }

    /// Proves that no nesting that text can hold exhausts the stack: end users write such text.
    #[test]
    fn deep_text_says_nothing() {
        for (open, close) in [("[", "]"), (r#"{"messages":"#, "}"), (r#"{"message":"#, "}"), (r#"[{"content":"#, "}]")]
        {
            let bomb = open.repeat(200_000) + "1" + &close.repeat(200_000);
            assert!(input(Json::new(&bomb)).is_empty(), "{open}");
            assert!(output(Json::new(&bomb)).is_empty(), "{open}");
            assert!(documents(Json::new(&bomb)).is_none_or(|it| it.is_empty()), "{open}");
        }
    }

    /// Proves that a tool that reports its own failure in its result is seen as failed.
    #[test]
    fn results_tell_of_failure() {
        for (text, failed) in [
            (r#"{"error": "rate service unavailable"}"#, true),
            (r#"{"is_error": true, "content": "x"}"#, true),
            (r#"{"error": null, "rate": 1.1}"#, false),
            (r#"{"rate": 1.1}"#, false),
            ("error", false),
        ] {
            assert_eq!(ToolResponse::new("".into(), text.into()).failed, failed, "{text}");
        }
    }

    /// Proves that documents are read with what they have, and dates from their metadata.
    #[test]
    fn documents_tolerate_what_is_missing() {
        let read = |text| documents(Json::new(text));
        let both = read(
            r#"[{"id":"a","score":0.9,"content":"x","metadata":{"updated_at":"2026-09-30T10:00:00Z"}},{"page_content":"y"}]"#,
        );
        let both = both.expect("a list");
        assert_eq!(
            (both[0].id.as_deref(), both[0].score, both[0].content.as_deref()),
            (Some("a"), Some(0.9), Some("x"))
        );
        assert!(both[0].updated_at.is_some());
        assert_eq!((both[1].id.as_deref(), both[1].score, both[1].content.as_deref()), (None, None, Some("y")));
        assert_eq!(read("[]"), Some(Vec::new()));
        assert_eq!(read(r#"{"documents":[{"id":7}]}"#).map(|it| it[0].id.clone()), Some(Some("7".into())));
        assert_eq!(read("\"text\""), None);
    }
}

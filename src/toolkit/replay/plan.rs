//! What a model is asked in a replay: the messages of the OpenAI Chat Completions API, made of what was recorded.

use std::fmt;

use serde_json::{Value as Json, json};

use crate::core::request::{Request, ToolCall};

/// A prompt of another version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompted {
    /// Its version.
    pub version: String,
    /// Its text; `None` where only the name of the version is known, which is enough to simulate.
    pub text: Option<String>,
}

/// What is to be different from what was recorded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// Another prompt.
    pub prompt: Option<Prompted>,
    /// Another model.
    pub model: Option<String>,
    /// Another sampling temperature.
    pub temperature: Option<f64>,
    /// Another nucleus.
    pub top_p: Option<f64>,
    /// Another limit of output tokens.
    pub max_tokens: Option<u64>,
}

impl Overrides {
    /// What is different, by name; empty for a plain repetition.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let all = [
            ("prompt_version", self.prompt.as_ref().map(|it| json!(it.version))),
            ("model", self.model.as_ref().map(|it| json!(it))),
            ("temperature", self.temperature.map(|it| json!(it))),
            ("top_p", self.top_p.map(|it| json!(it))),
            ("max_tokens", self.max_tokens.map(|it| json!(it))),
        ];
        Json::Object(all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
    }
}

/// Why a request can't be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacking {
    /// What the user asked was not captured.
    Query,
    /// No model was named, neither then nor now.
    Model,
}

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Query => "what the user asked was not recorded: switch the capture of message content on",
            Self::Model => "no model was recorded: name one with --model",
        })
    }
}

/// What is sent, and what tools gave then.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The body of the first request.
    pub body: Json,
    /// `(tool, what it gave)` in the order of the recording.
    pub results: Vec<(String, String)>,
    /// What is not as it was, a sentence each.
    pub notes: Vec<String>,
}

impl Plan {
    /// The plan of one request.
    ///
    /// # Errors
    /// What the recording lacks.
    pub fn of(request: &Request, overrides: &Overrides, is_streamed: bool) -> Result<Self, Lacking> {
        let query = request.user_query.as_deref().ok_or(Lacking::Query)?;
        let last = request.calls.last();
        let recorded = last.and_then(|call| call.model_requested.as_deref().or(call.model_served.as_deref()));
        let model = overrides.model.as_deref().or(recorded).ok_or(Lacking::Model)?;
        let mut notes = Vec::new();
        let mut messages = Vec::new();
        match (overrides.prompt.as_ref().map(|it| it.text.as_deref()), request.prompt.system.as_deref()) {
            (Some(Some(text)), _) | (None, Some(text)) => messages.push(json!({ "role": "system", "content": text })),
            (Some(None), _) => {
                notes.push("the text of that prompt version is not known: only its name is set".to_owned())
            }
            (None, None) => notes.push("no system prompt was recorded: the model is asked without one".to_owned()),
        }
        messages.push(json!({ "role": "user", "content": question(request, query, &mut notes) }));
        let results = tools(request, &mut messages, &mut notes);
        let mut body = json!({ "model": model, "messages": messages });
        let parameters = [
            ("temperature", overrides.temperature.or(last.and_then(|it| it.temperature)).map(|it| json!(it))),
            ("top_p", overrides.top_p.or(last.and_then(|it| it.top_p)).map(|it| json!(it))),
            ("max_tokens", overrides.max_tokens.or(last.and_then(|it| it.max_tokens)).map(|it| json!(it))),
        ];
        for (name, value) in parameters {
            if let Some(value) = value {
                body[name] = value;
            }
        }
        let offered: Vec<Json> = request.tools_offered.iter().filter_map(|it| offered(&it.json)).collect();
        if !offered.is_empty() {
            body["tools"] = offered.into();
        }
        if is_streamed {
            body["stream"] = true.into();
            body["stream_options"] = json!({ "include_usage": true });
        }
        if is_redacted(&body) {
            notes.push("parts of the recording are redacted: the model sees placeholders".to_owned());
        }
        Ok(Self { body, results, notes })
    }
}

/// The question, after the documents that were found then.
fn question(request: &Request, query: &str, notes: &mut Vec<String>) -> String {
    let documents: Vec<_> = request.retrievals.iter().flat_map(|it| it.documents.iter().flatten()).collect();
    let known: Vec<String> = documents
        .iter()
        .filter_map(|it| Some(format!("[{}] {}", it.id.as_deref().unwrap_or("document"), it.content.as_deref()?)))
        .collect();
    if known.len() < documents.len() {
        let lost = documents.len() - known.len();
        notes.push(format!(
            "the text of {lost} of {} documents was not recorded: the model answers without",
            documents.len()
        ));
    }
    // An application that puts its documents into the question has them in the recorded question already.
    let is_in_query = known.iter().any(|it| it.split_once("] ").is_some_and(|(_, text)| query.contains(text)));
    if known.is_empty() || is_in_query {
        query.to_owned()
    } else {
        format!("Context:\n{}\n\nQuestion: {query}", known.join("\n"))
    }
}

/// The tools that ran then, as if the model had asked for them, with what they gave.
fn tools(request: &Request, messages: &mut Vec<Json>, notes: &mut Vec<String>) -> Vec<(String, String)> {
    let ran: Vec<&ToolCall> = request.tools.iter().filter(|it| it.ran).collect();
    let results: Vec<(String, String)> = ran.iter().filter_map(|it| Some((it.name.to_string(), result(it)?))).collect();
    if results.len() < ran.len() {
        let lost = ran.len() - results.len();
        notes.push(format!("what {lost} of {} tools gave was not recorded: the model answers without", ran.len()));
    }
    let known: Vec<&ToolCall> = ran.into_iter().filter(|it| result(it).is_some()).collect();
    if known.is_empty() {
        return results;
    }
    let id = |n: usize| format!("call_{n}");
    let calls: Vec<Json> = known
        .iter()
        .enumerate()
        .map(|(n, it)| {
            let arguments = it.arguments.as_deref().unwrap_or("{}");
            json!({ "id": id(n), "type": "function", "function": { "name": &*it.name, "arguments": arguments } })
        })
        .collect();
    messages.push(json!({ "role": "assistant", "content": null, "tool_calls": calls }));
    messages.extend(
        results
            .iter()
            .enumerate()
            .map(|(n, (_, text))| json!({ "role": "tool", "tool_call_id": id(n), "content": text })),
    );
    results
}

/// What a tool gave: its result, or how it failed.
fn result(tool: &ToolCall) -> Option<String> {
    match (&tool.result, &tool.error) {
        (Some(result), _) => Some(result.to_string()),
        (None, Some(error)) => Some(json!({ "error": &*error.kind, "message": &*error.message }).to_string()),
        (None, None) => None,
    }
}

/// A canonical contract in the API's form.
fn offered(contract: &str) -> Option<Json> {
    let function: Json = serde_json::from_str(contract).ok()?;
    Some(json!({ "type": "function", "function": function }))
}

/// Redaction leaves `<ENTITY>` or `<ENTITY:digest>` behind.
fn is_redacted(body: &Json) -> bool {
    let text = body["messages"].to_string();
    text.split('<').skip(1).any(|after| {
        let entity = after.split(['>', ':']).next().unwrap_or_default();
        entity.len() >= 3 && entity.chars().all(|it| it.is_ascii_uppercase() || it == '_')
    })
}

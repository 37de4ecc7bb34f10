//! A reply of the OpenAI Chat Completions API, whole or streamed.

use serde_json::Value as Json;
use thiserror::Error;

/// What is wrong with a reply.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Malformed {
    /// Not JSON.
    #[error("the reply is no JSON: {0}")]
    Json(String),
    /// JSON of another kind.
    #[error("the reply has no choices[0].message")]
    Choices,
    /// A stream that stopped before it was over.
    #[error("the stream ended before [DONE]")]
    Cut,
    /// A stream of events longer than anybody's answer.
    #[error("the stream has more than {0} bytes")]
    Long(usize),
}

/// A tool that the model asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Id of the call.
    pub id: String,
    /// Tool.
    pub name: String,
    /// JSON text.
    pub arguments: String,
}

/// What a model answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// Id of the response.
    pub id: Option<String>,
    /// Model that answered.
    pub model: Option<String>,
    /// `system_fingerprint`
    pub fingerprint: Option<String>,
    /// `service_tier`
    pub service_tier: Option<String>,
    /// The text.
    pub text: String,
    /// A refusal, in words.
    pub refusal: Option<String>,
    /// Tools it asks for.
    pub tools: Vec<Asked>,
    /// `finish_reason`
    pub finish: Option<String>,
    /// Tokens read.
    pub input_tokens: Option<u64>,
    /// Tokens written.
    pub output_tokens: Option<u64>,
    /// Of those read, from the provider's cache.
    pub cached_tokens: Option<u64>,
}

impl Reply {
    /// Reads a whole reply.
    ///
    /// # Errors
    /// What it is not.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let document: Json = serde_json::from_slice(body).map_err(|error| Malformed::Json(error.to_string()))?;
        let choice = &document["choices"][0];
        if !choice["message"].is_object() {
            return Err(Malformed::Choices);
        }
        let mut reply = Self::default();
        reply.head(&document);
        reply.add(&choice["message"]);
        reply.finish = text(&choice["finish_reason"]);
        Ok(reply)
    }

    /// What every chunk of a stream, and a whole reply, says of itself. A later one that says nothing changes nothing.
    pub(super) fn head(&mut self, document: &Json) {
        let keep = |mine: &mut Option<String>, value: &Json| *mine = text(value).or(mine.take());
        keep(&mut self.id, &document["id"]);
        keep(&mut self.model, &document["model"]);
        keep(&mut self.fingerprint, &document["system_fingerprint"]);
        keep(&mut self.service_tier, &document["service_tier"]);
        let usage = &document["usage"];
        self.input_tokens = usage["prompt_tokens"].as_u64().or(self.input_tokens);
        self.output_tokens = usage["completion_tokens"].as_u64().or(self.output_tokens);
        self.cached_tokens = usage["prompt_tokens_details"]["cached_tokens"].as_u64().or(self.cached_tokens);
    }

    /// Adds a message, or a part of one: texts grow, calls of tools by their index.
    pub(super) fn add(&mut self, message: &Json) {
        self.text.push_str(message["content"].as_str().unwrap_or_default());
        if let Some(refusal) = message["refusal"].as_str() {
            self.refusal.get_or_insert_default().push_str(refusal);
        }
        for (n, call) in message["tool_calls"].as_array().into_iter().flatten().enumerate() {
            let at = call["index"].as_u64().and_then(|at| usize::try_from(at).ok()).unwrap_or(n).min(self.tools.len());
            if at == self.tools.len() {
                self.tools.push(Asked::default());
            }
            let tool = &mut self.tools[at];
            tool.id.push_str(call["id"].as_str().unwrap_or_default());
            tool.name.push_str(call["function"]["name"].as_str().unwrap_or_default());
            tool.arguments.push_str(call["function"]["arguments"].as_str().unwrap_or_default());
        }
    }
}

pub(super) fn text(value: &Json) -> Option<String> {
    value.as_str().map(str::to_owned)
}

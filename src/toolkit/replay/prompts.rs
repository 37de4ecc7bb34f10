//! Prompts by version: from a directory, from a registry's export, or from the recording itself.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;
use thiserror::Error;

use crate::core::request::Request;
use crate::toolkit::whole;

/// Versions known at most, and bytes of one file.
const VERSIONS_MAX: usize = 1_024;
const BYTES_MAX: u64 = 4 << 20;

/// Why there is no such prompt.
#[derive(Debug, Error)]
pub enum PromptsError {
    /// A file or a directory that can't be read.
    #[error("{path}: {error}")]
    Io {
        /// Which.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// A text that can't be read, or a larger one.
    #[error(transparent)]
    Text(std::io::Error),
    /// More prompts than are kept.
    #[error("more than {VERSIONS_MAX} versions of prompts")]
    TooMany,
    /// A registry that is none.
    #[error("{0}: expected a prompt {{name, version, prompt}} or a list of them, as JSON")]
    Registry(String),
    /// No such version.
    #[error(
        "no prompt of version {wanted}; known: {known} (--prompts names a directory of VERSION.txt or a registry's export)"
    )]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: String,
    },
    /// A place for something that nobody gave.
    #[error("the prompt of version {version} wants {name}: give --var {name}=...")]
    Variable {
        /// Of which version.
        version: String,
        /// What is wanted.
        name: String,
    },
}

/// Texts by version.
#[derive(Debug, Default)]
pub struct Prompts {
    texts: BTreeMap<String, String>,
}

impl Prompts {
    /// Reads a directory (`VERSION.txt`, `VERSION.md`, also in directories of one prompt each) or a registry's export
    /// (JSON of Langfuse's prompts: `version`, `labels`, and as `prompt` a text or a list of messages).
    ///
    /// # Errors
    /// What can't be read.
    pub fn read(path: &Path) -> Result<Self, PromptsError> {
        let mut prompts = Self::default();
        if path.is_dir() {
            prompts.directory(path, 1)?;
        } else {
            let document =
                serde_json::from_str(&text(path)?).map_err(|_| PromptsError::Registry(path.display().to_string()))?;
            prompts.registry(&document, path)?;
        }
        Ok(prompts)
    }

    /// Learns the prompt of a recorded request, where its text and version were captured. What is known already stays.
    pub fn learn(&mut self, request: &Request) {
        if let (Some(version), Some(text)) = (&request.prompt.version, &request.prompt.system)
            && self.texts.len() < VERSIONS_MAX
        {
            self.texts.entry(version.to_string()).or_insert_with(|| text.to_string());
        }
    }

    /// The text of a version, its `{{places}}` filled with `variables`.
    ///
    /// # Errors
    /// No such version, or a place that nobody fills.
    pub fn text(&self, version: &str, variables: &[(String, String)]) -> Result<String, PromptsError> {
        let known = || {
            let known: Vec<&str> = self.texts.keys().map(String::as_str).collect();
            if known.is_empty() { "none".to_owned() } else { known.join(", ") }
        };
        let template = self
            .texts
            .get(version)
            .ok_or_else(|| PromptsError::Unknown { wanted: version.to_owned(), known: known() })?;
        let mut text = String::new();
        let mut rest = template.as_str();
        while let Some((before, (name, after))) =
            rest.split_once("{{").and_then(|(before, after)| Some((before, after.split_once("}}")?)))
        {
            let name = name.trim();
            let value = variables.iter().find(|(known, _)| known == name).map(|(_, value)| value);
            let value =
                value.ok_or_else(|| PromptsError::Variable { version: version.to_owned(), name: name.to_owned() })?;
            text.extend([before, value]);
            rest = after;
        }
        text.push_str(rest);
        Ok(text)
    }

    fn directory(&mut self, path: &Path, depth: u8) -> Result<(), PromptsError> {
        let io = |error| PromptsError::Io { path: path.display().to_string(), error };
        for entry in std::fs::read_dir(path).map_err(io)? {
            let path = entry.map_err(io)?.path();
            let is_text = path.extension().is_some_and(|it| it == "txt" || it == "md");
            match path.file_stem().and_then(|it| it.to_str()) {
                Some(version) if is_text => self.insert(version.to_owned(), text(&path)?.trim_end().to_owned())?,
                _ if path.is_dir() && depth > 0 => self.directory(&path, depth - 1)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn insert(&mut self, version: String, text: String) -> Result<(), PromptsError> {
        self.texts.insert(version, text);
        if self.texts.len() > VERSIONS_MAX { Err(PromptsError::TooMany) } else { Ok(()) }
    }

    fn registry(&mut self, document: &Json, path: &Path) -> Result<(), PromptsError> {
        let none = || PromptsError::Registry(path.display().to_string());
        let list =
            document.as_array().or(document["data"].as_array()).map_or(std::slice::from_ref(document), Vec::as_slice);
        for entry in list {
            let version =
                entry["version"].as_str().map(str::to_owned).or(entry["version"].as_i64().map(|it| it.to_string()));
            let text = match &entry["prompt"] {
                Json::String(text) => text.clone(),
                Json::Array(messages) => {
                    let system =
                        messages.iter().filter(|it| it["role"] == "system").filter_map(|it| it["content"].as_str());
                    system.collect::<Vec<_>>().join("\n")
                }
                _ => return Err(none()),
            };
            let labels = entry["labels"].as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned);
            for name in version.into_iter().chain(labels) {
                self.insert(name, text.clone())?;
            }
        }
        if self.texts.is_empty() { Err(none()) } else { Ok(()) }
    }
}

fn text(path: &Path) -> Result<String, PromptsError> {
    whole::text(path, BYTES_MAX).map_err(PromptsError::Text)
}

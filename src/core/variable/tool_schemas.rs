//! The contracts of the tools that were offered to the model.

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::{distinct, hex, short_hex};
use crate::core::request::{Request, ToolCall};

/// `3 tools sha256:1f0e3dad9990`: the digest of names and schema digests, in order of name. Where no contract is known,
/// their version, or the versions of the tools that ran, `get_order@3+search_kb@1`.
pub(super) fn value(request: &Request) -> Option<String> {
    if request.tools_offered.is_empty() {
        if let Some(version) = &request.tools_version {
            return Some(version.to_string());
        }
        let version = |tool: &ToolCall| Some(format!("{}@{}", tool.name, tool.version.as_ref()?));
        return distinct(request.tools.iter().filter_map(version));
    }
    let mut tools: Vec<_> = request.tools_offered.iter().map(|tool| (&tool.name, &tool.sha256)).collect();
    tools.sort_unstable();
    let mut digest = Sha256::new();
    for (name, schema) in &tools {
        digest.update((name.len() as u64).to_be_bytes());
        digest.update(name.as_bytes());
        digest.update(schema);
    }
    Some(format!("{} tools sha256:{}", tools.len(), short_hex(&digest.finalize().into(), 12)))
}

pub(super) fn detail(request: &Request) -> Json {
    let tools: Vec<Json> = request
        .tools_offered
        .iter()
        .map(|tool| {
            let schema: Json = serde_json::from_str(&tool.json).unwrap_or_else(|_| Json::String(tool.json.to_string()));
            json!({ "tool": tool.name, "schema_sha256": hex(&tool.sha256), "schema": schema })
        })
        .collect();
    let versions: serde_json::Map<String, Json> =
        request.tools.iter().filter_map(|tool| Some((tool.name.to_string(), json!(tool.version.as_ref()?)))).collect();
    json!({ "tools": tools, "versions": versions })
}

pub(super) fn instrument() -> &'static str {
    "no tool definition was reported: set gen_ai.tool.definitions on the model span (the official instrumentations do \
     when content capture is on), or declare them with freezeframe record tool --definitions"
}

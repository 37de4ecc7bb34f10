//! The prompt that was rendered: template name and version, component versions, and the system part by digest.

use serde_json::{Value as Json, json};

use super::{hex, short_hex};
use crate::core::request::Request;

/// `support-answer@v41`, with component versions behind it; without a version the digest of the system part stands in.
pub(super) fn value(request: &Request) -> Option<String> {
    let prompt = &request.prompt;
    let name = prompt.name.as_deref().unwrap_or("prompt");
    let mut value = match (&prompt.version, &prompt.sha256) {
        (Some(version), _) => format!("{name}@{version}"),
        (None, Some(digest)) => format!("{name}@sha256:{}", short_hex(digest, 12)),
        (None, None) => prompt.name.as_deref()?.to_owned(),
    };
    if !prompt.components.is_empty() {
        let parts: Vec<String> = prompt.components.iter().map(|(name, version)| format!("{name}:{version}")).collect();
        value.push_str(&format!(" ({})", parts.join(", ")));
    }
    Some(value)
}

pub(super) fn detail(request: &Request) -> Json {
    let prompt = &request.prompt;
    let components: serde_json::Map<String, Json> =
        prompt.components.iter().map(|(name, version)| (name.to_string(), json!(version))).collect();
    json!({
        "name": prompt.name,
        "version": prompt.version,
        "components": components,
        "rendered": prompt.system,
        "sha256": prompt.sha256.map(|digest| hex(&digest)),
    })
}

pub(super) fn instrument() -> &'static str {
    "set gen_ai.prompt.name and gen_ai.prompt.version on the model span (or declare \
     them with freezeframe record prompt), or turn content capture on \
     (OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=span_only) so that the system part can be hashed"
}

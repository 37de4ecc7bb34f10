//! The canonical form of a tool's contract, so that one tool offered through any SDK has one digest.
//!
//! Canonical: RFC 8785 JSON of `{"description","name","parameters"}` without what frameworks add on their own:
//! `$schema`, `strict`, `additionalProperties`.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::request::ToolSchema;

/// Nesting of a schema beyond which it is cut; `serde_json` itself stops at 128.
const DEPTH_MAX: u32 = 64;

/// The schemas in a definition, a list of definitions, or a list of JSON texts of definitions. Unreadable ones
/// are left out.
pub(crate) fn schemas(json: &str) -> Vec<ToolSchema> {
    let mut found = Vec::new();
    if let Ok(value) = serde_json::from_str(json) {
        collect(value, &mut found, DEPTH_MAX);
    }
    found
}

fn collect(value: Value, found: &mut Vec<ToolSchema>, depth: u32) {
    match value {
        _ if depth == 0 => {}
        Value::Array(items) => items.into_iter().for_each(|item| collect(item, found, depth - 1)),
        Value::String(text) => {
            if let Ok(inner @ Value::Object(_)) = serde_json::from_str(&text) {
                collect(inner, found, depth - 1);
            }
        }
        Value::Object(mut definition) => {
            let inner = ["function", "functionDeclarations", "function_declarations", "toolSpec"];
            if let Some(inner) = inner.iter().find_map(|key| definition.remove(*key)) {
                collect(inner, found, depth - 1);
            } else if let Some(schema) = canonical(definition) {
                found.push(schema);
            }
        }
        _ => {}
    }
}

fn canonical(mut definition: Map<String, Value>) -> Option<ToolSchema> {
    let Some(Value::String(name)) = definition.remove("name") else { return None };
    let mut canonical = Map::new();
    if let Some(Value::String(text)) = definition.remove("description")
        && !text.is_empty()
    {
        canonical.insert("description".to_owned(), text.into());
    }
    let keys = ["parameters", "input_schema", "inputSchema", "parameters_json_schema", "parametersJsonSchema"];
    if let Some(parameters) = keys.iter().find_map(|key| definition.remove(*key)).and_then(unwrapped) {
        canonical.insert("parameters".to_owned(), without_noise(parameters, DEPTH_MAX));
    }
    canonical.insert("name".to_owned(), name.as_str().into());
    let json = serde_json_canonicalizer::to_string(&canonical).ok()?;
    Some(ToolSchema { name: name.into(), sha256: Sha256::digest(json.as_bytes()).into(), json: json.into() })
}

/// Parameters sent as JSON text, or wrapped as `{"json": ..}` or `{"jsonSchema": ..}`.
fn unwrapped(parameters: Value) -> Option<Value> {
    match parameters {
        Value::Null => None,
        Value::String(text) => serde_json::from_str(&text).ok(),
        Value::Object(mut object) if object.len() == 1 => {
            Some(object.remove("json").or_else(|| object.remove("jsonSchema")).unwrap_or(Value::Object(object)))
        }
        other => Some(other),
    }
}

fn without_noise(schema: Value, depth: u32) -> Value {
    match schema {
        _ if depth == 0 => Value::Null,
        Value::Object(object) => Value::Object(
            object
                .into_iter()
                .filter(|(key, _)| !matches!(key.as_str(), "$schema" | "strict" | "additionalProperties"))
                .map(|(key, value)| match value {
                    // The keys below are names that the tool's author chose.
                    Value::Object(names) if matches!(key.as_str(), "properties" | "$defs" | "definitions") => {
                        let named = names.into_iter().map(|(name, value)| (name, without_noise(value, depth - 1)));
                        (key, Value::Object(named.collect()))
                    }
                    value => (key, without_noise(value, depth - 1)),
                })
                .collect(),
        ),
        Value::Array(items) => items.into_iter().map(|item| without_noise(item, depth - 1)).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that every SDK's form of one tool has one digest, and that the digest is of the JSON shown.
    #[test]
    fn all_forms_of_a_tool_have_one_digest() {
        let schema =
            r#"{"type":"object","properties":{"strict":{"type":"string","description":"d"}},"required":["strict"]}"#;
        let noisy = r#"{"$schema":"http://json-schema.org/draft-07/schema#","additionalProperties":false,"required":["strict"],
            "properties":{"strict":{"description":"d","type":"string"}},"type":"object"}"#;
        let text = serde_json::to_string(noisy).expect("a string");
        let flat = format!(r#"{{"type":"function","name":"get","description":"D","parameters":{schema}}}"#);
        let forms = [
            format!("[{flat}]"),
            format!(
                r#"[{{"type":"function","function":{{"name":"get","description":"D","parameters":{noisy},"strict":true}}}}]"#
            ),
            format!(r#"{{"name":"get","description":"D","input_schema":{noisy}}}"#),
            format!(r#"[{{"name":"get","description":"D","inputSchema":{{"jsonSchema":{noisy}}}}}]"#),
            format!(
                r#"{{"name":"get","description":"D","parameters_json_schema":{noisy},"outer_typed_dict_key":null}}"#
            ),
            format!(r#"{{"name":"get","description":"D","parameters":{text}}}"#),
            format!(r#"[{{"functionDeclarations":[{flat}]}}]"#),
            serde_json::to_string(&[flat]).expect("a list"),
        ];
        for form in &forms {
            let found = schemas(form);
            let json = r#"{"description":"D","name":"get","parameters":{"properties":{"strict":{"description":"d","type":"string"}},"required":["strict"],"type":"object"}}"#;
            assert_eq!(found.len(), 1, "{form}");
            assert_eq!(&*found[0].json, json, "{form}");
            assert_eq!(found[0].sha256, <[u8; 32]>::from(Sha256::digest(json)), "{form}");
        }
    }

    /// Proves that a change of contract changes the digest, and that junk is left out.
    #[test]
    fn a_change_changes_the_digest_and_junk_is_left_out() {
        let one = schemas(r#"[{"name":"get","parameters":{"required":["a"]}}]"#);
        let two = schemas(r#"[{"name":"get","parameters":{"required":["b"]}}]"#);
        assert_ne!(one[0].sha256, two[0].sha256);
        for junk in ["", "[", "null", "[1]", r#"[{"parameters":{}}]"#, r#"["x"]"#] {
            assert!(schemas(junk).is_empty(), "{junk}");
        }
    }
}

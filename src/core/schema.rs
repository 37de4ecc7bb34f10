//! The canonical form of a tool's contract, so that one tool offered through any SDK has one digest.
//!
//! Canonical: RFC 8785 JSON of `{"description","name","parameters"}` without what frameworks add on their own:
//! `$schema`, `strict`, `additionalProperties`.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::canonical;
use super::message::Json;
use super::request::ToolSchema;

/// Nesting of a schema beyond which it is not read.
const DEPTH_MAX: u32 = 64;

/// The entries of an object, each key once.
type Entries<'a> = Vec<(Cow<'a, str>, Json<'a>)>;

/// The schemas in a definition, a list of definitions, or a list of JSON texts of definitions. Unreadable ones
/// are left out.
pub(crate) fn schemas(json: &str) -> Vec<ToolSchema> {
    let mut found = Vec::new();
    collect(Json::new(json), &mut found, DEPTH_MAX);
    found
}

fn collect(json: Json<'_>, found: &mut Vec<ToolSchema>, depth: u32) {
    let Some(depth) = depth.checked_sub(1) else { return };
    if json.is_array() {
        json.all_items().into_iter().flatten().for_each(|item| collect(item, found, depth));
    } else if let Some(text) = json.text() {
        let inner = Json::new(&text);
        if inner.is_object() {
            collect(inner, found, depth);
        }
    } else if let Some(definition) = json.all_entries() {
        let inner = ["function", "functionDeclarations", "function_declarations", "toolSpec"];
        match inner.iter().find_map(|key| get(&definition, key)) {
            Some(inner) => collect(inner, found, depth),
            None => found.extend(contract(&definition)),
        }
    }
}

fn get<'a>(entries: &Entries<'a>, key: &str) -> Option<Json<'a>> {
    entries.iter().rev().find(|(found, _)| found == key).map(|(_, value)| *value)
}

/// `{"description","name","parameters"}`, whose keys are in order already.
fn contract(definition: &Entries<'_>) -> Option<ToolSchema> {
    let name = get(definition, "name")?.text()?;
    let mut json = String::from("{");
    if let Some(text) = get(definition, "description").and_then(Json::text).filter(|text| !text.is_empty()) {
        json.push_str("\"description\":");
        canonical::write_text(&text, &mut json);
        json.push(',');
    }
    json.push_str("\"name\":");
    canonical::write_text(&name, &mut json);
    let keys = ["parameters", "input_schema", "inputSchema", "parameters_json_schema", "parametersJsonSchema"];
    if let Some(parameters) = keys.iter().find_map(|key| get(definition, key)).filter(|it| !it.is_null()) {
        json.push_str(",\"parameters\":");
        match parameters.text() {
            Some(text) => write(unwrapped(Json::new(&text)), true, DEPTH_MAX, &mut json)?,
            None => write(unwrapped(parameters), true, DEPTH_MAX, &mut json)?,
        }
    }
    json.push('}');
    Some(ToolSchema { name: name.into(), sha256: Sha256::digest(&json).into(), json: json.into() })
}

/// Parameters wrapped as `{"json": ..}` or `{"jsonSchema": ..}`.
fn unwrapped(parameters: Json<'_>) -> Json<'_> {
    match parameters.entries().as_slice() {
        [(key, inner)] if key == "json" || key == "jsonSchema" => *inner,
        _ => parameters,
    }
}

/// Writes the canonical form without noise. `is_schema` says whether the keys here are those of JSON Schema, not
/// names that the tool's author chose. `None` for what is not JSON or nested too deep.
fn write(json: Json<'_>, is_schema: bool, depth: u32, out: &mut String) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    if json.is_object() {
        out.push('{');
        for (n, (key, value)) in ordered(json.all_entries()?, is_schema).into_iter().enumerate() {
            out.push_str(if n > 0 { "," } else { "" });
            canonical::write_text(&key, out);
            out.push(':');
            let names = is_schema && matches!(&*key, "properties" | "$defs" | "definitions");
            write(value, !names, depth, out)?;
        }
        out.push('}');
    } else if json.is_array() {
        out.push('[');
        for (n, item) in json.all_items()?.into_iter().enumerate() {
            out.push_str(if n > 0 { "," } else { "" });
            write(item, is_schema, depth, out)?;
        }
        out.push(']');
    } else if let Some(text) = json.text() {
        canonical::write_text(&text, out);
    } else {
        canonical::write_word(json.raw(), out)?;
    }
    Some(())
}

/// Entries without noise in canonical order; of one key twice, the last counts.
fn ordered(mut entries: Entries<'_>, is_schema: bool) -> Entries<'_> {
    entries.retain(|(key, _)| !is_schema || !matches!(&**key, "$schema" | "strict" | "additionalProperties"));
    entries.reverse();
    entries.sort_by(|(a, _), (b, _)| canonical::order(a, b));
    entries.dedup_by(|a, b| a.0 == b.0);
    entries
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

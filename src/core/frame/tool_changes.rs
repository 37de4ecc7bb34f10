//! How the contracts of tools differ between baseline and incident: what was added, removed, tightened or loosened, and
//! whether a call that was right before may now be wrong.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

/// Changes at most, and how deep a schema is compared.
const CHANGES_MAX: usize = 64;
const DEPTH_MAX: usize = 16;

/// Limits that a higher value tightens, and those that a lower one does.
const LOWER_LIMITS: [&str; 5] = ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"];
const UPPER_LIMITS: [&str; 5] = ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"];
/// What says how a text must look.
const FORMS: [&str; 4] = ["pattern", "format", "const", "multipleOf"];
/// What binds nobody.
const WORDS: [&str; 5] = ["description", "title", "default", "examples", "$comment"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Added,
    Removed,
    Tightened,
    Loosened,
    Changed,
    Reworded,
}

/// The changes between two details of the variable, `{"tools": [{"tool", "schema"}]}`.
pub(super) fn between(before: &Json, now: &Json) -> Json {
    let (before, now) = (tools(before), tools(now));
    let mut found = Changes::default();
    for name in before.keys().chain(now.keys()).collect::<BTreeSet<_>>() {
        name.clone_into(&mut found.tool);
        match (before.get(name), now.get(name)) {
            (Some(before), Some(now)) => found.definition(before, now),
            (Some(_), None) => found.push("", Kind::Removed, true, (Json::Null, Json::Null)),
            (None, _) => found.push("", Kind::Added, false, (Json::Null, Json::Null)),
        }
    }
    found.all.into()
}

fn tools(detail: &Json) -> BTreeMap<String, &Json> {
    let tools = detail["tools"].as_array().into_iter().flatten();
    tools.filter_map(|it| Some((it["tool"].as_str()?.to_owned(), &it["schema"]))).collect()
}

/// The schema of a tool's arguments, in the forms of OpenAI, of the semantic conventions, of Anthropic and of MCP.
fn parameters(definition: &Json) -> &Json {
    let own = definition.get("function").unwrap_or(definition);
    let named = ["parameters", "input_schema", "inputSchema"].into_iter().find_map(|name| own.get(name));
    named.unwrap_or(own)
}

#[derive(Default)]
struct Changes {
    tool: String,
    all: Vec<Json>,
}

impl Changes {
    fn push(&mut self, at: &str, kind: Kind, breaking: bool, (before, now): (Json, Json)) {
        if self.all.len() == CHANGES_MAX {
            return;
        }
        let kind = match kind {
            Kind::Added => "added",
            Kind::Removed => "removed",
            Kind::Tightened => "tightened",
            Kind::Loosened => "loosened",
            Kind::Changed => "changed",
            Kind::Reworded => "reworded",
        };
        self.all.push(json!({
            "tool": self.tool, "change": kind, "at": at, "baseline": before, "incident": now, "breaking": breaking,
        }));
    }

    fn definition(&mut self, before: &Json, now: &Json) {
        let known = self.all.len();
        self.schema("", parameters(before), parameters(now), 0);
        if self.all.len() == known && before != now {
            self.push("", Kind::Reworded, false, (Json::Null, Json::Null));
        }
    }

    fn schema(&mut self, at: &str, before: &Json, now: &Json, depth: usize) {
        if before == now || depth == DEPTH_MAX {
            return;
        }
        let known = self.all.len();
        self.properties(at, before, now, depth);
        self.values(at, before, now);
        for (names, is_tighter) in [(LOWER_LIMITS, f64::gt as fn(&f64, &f64) -> bool), (UPPER_LIMITS, f64::lt)] {
            for name in names {
                let limits = (before[name].as_f64(), now[name].as_f64());
                let kind = match limits {
                    (before, now) if before == now => continue,
                    (Some(before), Some(now)) if !is_tighter(&now, &before) => Kind::Loosened,
                    (_, None) => Kind::Loosened,
                    (_, Some(_)) => Kind::Tightened,
                };
                self.keyword(at, name, kind, before, now);
            }
        }
        for name in FORMS.into_iter().filter(|name| before[*name] != now[*name]) {
            let kind = if now[name].is_null() { Kind::Loosened } else { Kind::Tightened };
            self.keyword(at, name, kind, before, now);
        }
        let is_closed = |schema: &Json| schema["additionalProperties"] == false;
        if is_closed(before) != is_closed(now) {
            let kind = if is_closed(now) { Kind::Tightened } else { Kind::Loosened };
            self.keyword(at, "additionalProperties", kind, before, now);
        }
        self.schema(&format!("{at}[]"), &before["items"], &now["items"], depth + 1);
        if self.all.len() == known && bare(before) != bare(now) {
            self.push(at, Kind::Changed, true, (before.clone(), now.clone()));
        }
    }

    fn properties(&mut self, at: &str, before: &Json, now: &Json, depth: usize) {
        let empty = serde_json::Map::new();
        let [had, has] = [before, now].map(|it| it["properties"].as_object().unwrap_or(&empty));
        let [needed, needs] = [before, now].map(|it| set(&it["required"]));
        let below = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
        for name in had.keys().chain(has.keys()).collect::<BTreeSet<_>>() {
            let place = below(name);
            let is = needs.contains(&Json::from(name.as_str()));
            let was = needed.contains(&Json::from(name.as_str()));
            match (had.get(name), has.get(name)) {
                (Some(before), Some(now)) => {
                    self.schema(&place, before, now, depth + 1);
                    if is != was {
                        let kind = if is { Kind::Tightened } else { Kind::Loosened };
                        let required = |is| if is { "required" } else { "optional" };
                        self.push(&place, kind, is, (required(was).into(), required(is).into()));
                    }
                }
                (Some(before), None) => self.push(&place, Kind::Removed, true, (before.clone(), Json::Null)),
                (None, now) => self.push(&place, Kind::Added, is, (Json::Null, now.cloned().unwrap_or_default())),
            }
        }
    }

    /// Types and enumerations: sets of what is allowed; none means everything.
    fn values(&mut self, at: &str, before: &Json, now: &Json) {
        for name in ["type", "enum"] {
            let kind = match (set(&before[name]), set(&now[name])) {
                (before, now) if before == now => continue,
                (_, now) if now.is_empty() => Kind::Loosened,
                (before, now) if !before.is_empty() && before.iter().all(|it| now.contains(it)) => Kind::Loosened,
                (before, now) if before.is_empty() || now.iter().all(|it| before.contains(it)) => Kind::Tightened,
                _ => Kind::Changed,
            };
            self.keyword(at, name, kind, before, now);
        }
    }

    fn keyword(&mut self, at: &str, name: &str, kind: Kind, before: &Json, now: &Json) {
        let place = if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
        self.push(&place, kind, kind != Kind::Loosened, (before[name].clone(), now[name].clone()));
    }
}

/// What a keyword allows: one value, or several.
fn set(allowed: &Json) -> Vec<Json> {
    match allowed {
        Json::Null => Vec::new(),
        Json::Array(allowed) => allowed.clone(),
        one => vec![one.clone()],
    }
}

/// A schema without what binds nobody and what is compared by itself.
fn bare(schema: &Json) -> Json {
    let mut bare = schema.clone();
    if let Json::Object(keywords) = &mut bare {
        keywords.retain(|name, _| !WORDS.contains(&name.as_str()) && !["properties", "items"].contains(&name.as_str()));
        // Their order says nothing.
        for name in ["required", "enum", "type"] {
            if let Some(Json::Array(values)) = keywords.get_mut(name) {
                values.sort_by_key(Json::to_string);
            }
        }
    }
    bare
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(schema: Json) -> Json {
        json!({ "tools": [{ "tool": "refund", "schema": { "function": { "name": "refund", "parameters": schema } } }] })
    }

    /// Proves kind, place and whether it breaks, for each kind of change.
    #[test]
    fn changes_are_told_apart() {
        let text = || json!({ "type": "string" });
        let object = |properties: Json| json!({ "type": "object", "properties": properties });
        let needed = |properties: Json| json!({ "type": "object", "properties": properties, "required": ["id"] });
        let table = [
            (object(json!({})), object(json!({ "id": text() })), ("added", "id", false)),
            (object(json!({})), needed(json!({ "id": text() })), ("added", "id", true)),
            (object(json!({ "id": text() })), object(json!({})), ("removed", "id", true)),
            (object(json!({ "id": text() })), needed(json!({ "id": text() })), ("tightened", "id", true)),
            (needed(json!({ "id": text() })), object(json!({ "id": text() })), ("loosened", "id", false)),
            (
                object(json!({ "id": text() })),
                object(json!({ "id": { "type": "integer" } })),
                ("changed", "id.type", true),
            ),
            (
                object(json!({ "id": text() })),
                object(json!({ "id": { "type": "string", "pattern": "^[0-9]+$" } })),
                ("tightened", "id.pattern", true),
            ),
            (
                object(json!({ "n": { "maximum": 100 } })),
                object(json!({ "n": { "maximum": 50 } })),
                ("tightened", "n.maximum", true),
            ),
            (
                object(json!({ "n": { "minimum": 1 } })),
                object(json!({ "n": { "minimum": 0 } })),
                ("loosened", "n.minimum", false),
            ),
            (
                object(json!({ "to": { "items": { "enum": ["a", "b"] } } })),
                object(json!({ "to": { "items": { "enum": ["b"] } } })),
                ("tightened", "to[].enum", true),
            ),
            (
                object(json!({ "id": { "type": "string" } })),
                object(json!({ "id": { "type": ["string", "null"] } })),
                ("loosened", "id.type", false),
            ),
            (
                object(json!({ "id": text() })),
                object(json!({ "id": { "type": "string", "description": "The order." } })),
                ("reworded", "", false),
            ),
            (
                object(json!({ "id": { "anyOf": [text()] } })),
                object(json!({ "id": { "anyOf": [] } })),
                ("changed", "id", true),
            ),
        ];
        for (before, now, expected) in table {
            let found = between(&of(before.clone()), &of(now.clone()));
            let [change] = &found.as_array().unwrap()[..] else { panic!("{before} to {now}: {found}") };
            let told = (change["change"].as_str().unwrap(), change["at"].as_str().unwrap(), change["breaking"] == true);
            assert_eq!(told, expected, "{before} to {now}");
            assert_eq!(change["tool"], "refund");
        }
    }

    /// Proves that tools that came and went are told, and that equal contracts in another order of keys are equal.
    #[test]
    fn tools_come_and_go() {
        let tool = |name: &str| json!({ "tool": name, "schema": { "name": name, "input_schema": {} } });
        let (before, now) = (json!({ "tools": [tool("a"), tool("b")] }), json!({ "tools": [tool("b"), tool("c")] }));
        let found = between(&before, &now);
        let told: Vec<_> =
            found.as_array().unwrap().iter().map(|it| (&it["tool"], &it["change"], &it["breaking"])).collect();
        assert_eq!(
            told,
            [(&json!("a"), &json!("removed"), &json!(true)), (&json!("c"), &json!("added"), &json!(false))]
        );
        assert_eq!(between(&before, &before), json!([]));
    }
}

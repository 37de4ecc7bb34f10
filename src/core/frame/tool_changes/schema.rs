//! Two JSON Schemas of a tool's arguments, keyword by keyword (JSON Schema 2020-12, Validation, section 6). A keyword that
//! is not understood is `changed` and taken as breaking: better a look too many.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::{Change, Kind};

/// How deep schemas are compared; below, they differ or they don't.
const DEPTH_MAX: usize = 16;

/// Limits that a higher value tightens, and those that a lower one does.
const LOWER_LIMITS: [&str; 5] = ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"];
const UPPER_LIMITS: [&str; 5] = ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"];
/// What a value must be: without, there is less to obey.
const FORMS: [&str; 5] = ["pattern", "format", "const", "multipleOf", "uniqueItems"];
/// What binds nobody.
const WORDS: [&str; 5] = ["description", "title", "default", "examples", "$comment"];

/// What differs between the schemas of all arguments. Nothing at all stands for an object without any.
pub(super) fn changes(before: &Json, now: &Json) -> Vec<Change> {
    let object = |schema: &Json| {
        let mut schema = schema.clone();
        if schema.is_null() {
            schema = Json::Object(Map::new());
        }
        if schema["type"].is_null() && schema.is_object() {
            schema["type"] = "object".into();
        }
        schema
    };
    let mut found = Found::default();
    found.schema("", &object(before), &object(now), 0);
    found.0
}

#[derive(Default)]
struct Found(Vec<Change>);

impl Found {
    fn push(&mut self, at: String, kind: Kind, is_breaking: bool, [before, now]: [&Json; 2]) {
        self.0.push(Change { at, kind, breaking: Some(is_breaking), values: [before.clone(), now.clone()] });
    }

    fn schema(&mut self, at: &str, before: &Json, now: &Json, depth: usize) {
        if before == now {
            return;
        }
        let empty = Map::new();
        let keywords = |schema| match schema {
            Json::Object(keywords) => Some(keywords.clone()),
            // A missing schema and `true` allow everything.
            Json::Null | Json::Bool(true) => Some(empty.clone()),
            _ => None,
        };
        let (Some(had), Some(has)) = (keywords(before.clone()), keywords(now.clone())) else {
            let kind = if *before == false { Kind::Loosened } else { Kind::Changed };
            return self.push(at.to_owned(), kind, kind == Kind::Changed, [before, now]);
        };
        if depth == DEPTH_MAX {
            return self.push(at.to_owned(), Kind::Changed, true, [before, now]);
        }
        self.properties(at, [before, now], depth);
        for name in had.keys().chain(has.keys()).collect::<BTreeSet<_>>() {
            let sides = [&had, &has].map(|it| it.get(name).unwrap_or(&Json::Null));
            match name.as_str() {
                "properties" | "required" => {}
                "items" => self.schema(&format!("{at}[]"), sides[0], sides[1], depth + 1),
                word if WORDS.contains(&word) || sides[0] == sides[1] => {}
                keyword => self.keyword(&below(at, keyword), keyword, sides),
            }
        }
    }

    fn keyword(&mut self, at: &str, keyword: &str, [before, now]: [&Json; 2]) {
        let kind = match keyword {
            "type" | "enum" => match values([before, now]) {
                Some(kind) => kind,
                None => return,
            },
            limit if LOWER_LIMITS.contains(&limit) => limits([before, now], f64::gt),
            limit if UPPER_LIMITS.contains(&limit) => limits([before, now], f64::lt),
            form if FORMS.contains(&form) && before.is_null() => Kind::Tightened,
            form if FORMS.contains(&form) && now.is_null() => Kind::Loosened,
            "uniqueItems" => {
                if *now == true {
                    Kind::Tightened
                } else {
                    Kind::Loosened
                }
            }
            _ => Kind::Changed,
        };
        self.push(at.to_owned(), kind, kind != Kind::Loosened, [before, now]);
    }

    fn properties(&mut self, at: &str, [before, now]: [&Json; 2], depth: usize) {
        let empty = Map::new();
        let [had, has] = [before, now].map(|it| it["properties"].as_object().unwrap_or(&empty));
        let [needed, needs] = [before, now].map(|it| needed(&it["required"]));
        let required = |is: bool| Json::from(if is { "required" } else { "optional" });
        let names = had.keys().chain(has.keys()).map(String::as_str).chain(needed.union(&needs).copied());
        for name in names.collect::<BTreeSet<_>>() {
            let place = below(at, name);
            let [was, is] = [&needed, &needs].map(|it| it.contains(name));
            match (had.get(name), has.get(name)) {
                (Some(before), None) => self.push(place, Kind::Removed, true, [before, &Json::Null]),
                (None, Some(now)) => self.push(place, Kind::Added, is, [&Json::Null, now]),
                (before, now) => {
                    self.schema(&place, before.unwrap_or(&Json::Null), now.unwrap_or(&Json::Null), depth + 1);
                    if is != was {
                        let kind = if is { Kind::Tightened } else { Kind::Loosened };
                        self.push(place, kind, is, [&required(was), &required(is)]);
                    }
                }
            }
        }
    }
}

fn below(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

/// Types and enumerations: sets of what is allowed, in any order; none means everything. A number may be an integer.
fn values(sides: [&Json; 2]) -> Option<Kind> {
    let [before, now] = sides.map(set);
    let covers = |wide: &BTreeSet<String>, one: &String| {
        wide.contains(one) || (one == r#""integer""# && wide.contains(r#""number""#))
    };
    let is_within = |narrow: &BTreeSet<String>, wide: &BTreeSet<String>| {
        wide.is_empty() || (!narrow.is_empty() && narrow.iter().all(|one| covers(wide, one)))
    };
    match (is_within(&before, &now), is_within(&now, &before)) {
        (true, true) => None,
        (true, false) => Some(Kind::Loosened),
        (false, true) => Some(Kind::Tightened),
        (false, false) => Some(Kind::Changed),
    }
}

fn limits([before, now]: [&Json; 2], is_tighter: fn(&f64, &f64) -> bool) -> Kind {
    match (before.as_f64(), now.as_f64()) {
        (_, None) => Kind::Loosened,
        (Some(before), Some(now)) if !is_tighter(&now, &before) => Kind::Loosened,
        _ => Kind::Tightened,
    }
}

/// What a keyword allows, as JSON texts: one value, or several.
fn set(allowed: &Json) -> BTreeSet<String> {
    match allowed {
        Json::Null => BTreeSet::new(),
        Json::Array(allowed) => allowed.iter().map(Json::to_string).collect(),
        one => BTreeSet::from([one.to_string()]),
    }
}

fn needed(required: &Json) -> BTreeSet<&str> {
    required.as_array().into_iter().flatten().filter_map(Json::as_str).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(before: &Json, now: &Json) -> Vec<(Kind, String, bool)> {
        changes(before, now).into_iter().map(|it| (it.kind, it.at, it.breaking == Some(true))).collect()
    }

    /// Proves kind, place and whether it breaks, for each kind of change.
    #[test]
    fn changes_are_told_apart() {
        use Kind::{Added, Changed, Loosened, Removed, Tightened};
        let object = |properties: Json| json!({ "type": "object", "properties": properties });
        let field = |schema: Json| object(json!({ "id": schema }));
        let needed = |properties: Json| json!({ "type": "object", "properties": properties, "required": ["id"] });
        let text = || json!({ "type": "string" });
        let table = [
            (object(json!({})), field(text()), (Added, "id", false)),
            (object(json!({})), needed(json!({ "id": text() })), (Added, "id", true)),
            (json!(null), needed(json!({ "id": text() })), (Added, "id", true)),
            (field(text()), object(json!({})), (Removed, "id", true)),
            (field(text()), needed(json!({ "id": text() })), (Tightened, "id", true)),
            (needed(json!({ "id": text() })), field(text()), (Loosened, "id", false)),
            (field(text()), field(json!({ "type": "integer" })), (Changed, "id.type", true)),
            (field(text()), field(json!({})), (Loosened, "id.type", false)),
            (field(text()), field(json!({ "type": ["string", "null"] })), (Loosened, "id.type", false)),
            (field(json!({ "type": "integer" })), field(json!({ "type": "number" })), (Loosened, "id.type", false)),
            (field(json!({ "type": "number" })), field(json!({ "type": "integer" })), (Tightened, "id.type", true)),
            (field(text()), field(json!({ "type": "string", "pattern": "^a" })), (Tightened, "id.pattern", true)),
            (field(json!({ "pattern": "^a" })), field(json!({ "pattern": "^b" })), (Changed, "id.pattern", true)),
            (field(json!({ "pattern": "^a" })), field(json!({})), (Loosened, "id.pattern", false)),
            (field(json!({ "maximum": 100 })), field(json!({ "maximum": 50 })), (Tightened, "id.maximum", true)),
            (field(json!({ "minimum": 1 })), field(json!({ "minimum": 0 })), (Loosened, "id.minimum", false)),
            (field(json!({ "uniqueItems": true })), field(json!({})), (Loosened, "id.uniqueItems", false)),
            (
                field(json!({ "items": { "enum": ["a", "b"] } })),
                field(json!({ "items": { "enum": ["b"] } })),
                (Tightened, "id[].enum", true),
            ),
            (field(json!({ "items": text() })), field(json!({})), (Loosened, "id[].type", false)),
            (field(json!({ "items": text() })), field(json!({ "items": false })), (Changed, "id[]", true)),
            (field(json!({ "anyOf": [text()] })), field(json!({ "anyOf": [] })), (Changed, "id.anyOf", true)),
            (json!({ "required": [] }), json!({ "required": ["b"] }), (Tightened, "b", true)),
        ];
        for (before, now, (kind, at, is_breaking)) in table {
            assert_eq!(told(&before, &now), [(kind, at.to_owned(), is_breaking)], "{before} to {now}");
        }
    }

    /// Proves that what says the same in other words or another order is no change.
    #[test]
    fn the_same_is_no_change() {
        let table = [
            (json!({ "enum": ["a", "b"] }), json!({ "enum": ["b", "a"] })),
            (json!({ "type": ["string"] }), json!({ "type": "string" })),
            (json!({ "description": "old" }), json!({ "description": "new", "examples": [1] })),
            (json!({ "items": {} }), json!({ "items": true })),
            (json!(null), json!({ "type": "object", "properties": {} })),
        ];
        for (before, now) in table {
            assert_eq!(told(&before, &now), [], "{before} to {now}");
        }
    }

    /// Proves that no change hides another beside it, nor the depth one below it.
    #[test]
    fn nothing_hides_a_change() {
        let schema = |any: Json, limit: u32| json!({ "properties": { "a": { "anyOf": any, "maxLength": limit } } });
        assert_eq!(
            told(&schema(json!([{ "type": "null" }]), 5), &schema(json!([]), 9)),
            [(Kind::Changed, "a.anyOf".into(), true), (Kind::Loosened, "a.maxLength".into(), false)]
        );
        let deep = |limit: u32| (0..40).fold(json!({ "maximum": limit }), |inner, _| json!({ "items": inner }));
        let found = told(&deep(1), &deep(2));
        assert!(
            matches!(&found[..], [(Kind::Changed, at, true)] if at.matches("[]").count() == DEPTH_MAX),
            "{found:?}"
        );
    }
}

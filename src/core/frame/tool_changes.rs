//! How the contracts of tools differ between baseline and incident: what was added, removed, tightened or loosened, and
//! whether a call that was right before may now be wrong.

mod schema;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

/// Changes told at most, breaking ones first.
const CHANGES_MAX: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Added,
    Removed,
    Tightened,
    Loosened,
    /// Neither: what was right may be wrong, and the other way round.
    Changed,
    /// Only words that bind nobody.
    Reworded,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Tightened => "tightened",
            Self::Loosened => "loosened",
            Self::Changed => "changed",
            Self::Reworded => "reworded",
        }
    }
}

/// One change at a place of a schema, `to[].enum`; empty for the tool itself.
#[derive(Clone, Debug)]
struct Change {
    at: String,
    kind: Kind,
    /// Whether a call that was right may now be wrong; `None` where that can't be read.
    breaking: Option<bool>,
    /// What stood and stands there.
    values: [Json; 2],
}

/// The changes between two details of the variable, `{"tools": [{"tool", "schema"}]}`: the first [`CHANGES_MAX`],
/// breaking ones first, and how many more there are.
pub(super) fn between(before: &Json, now: &Json) -> (Json, usize) {
    let (before, now) = (tools(before), tools(now));
    let names: BTreeSet<_> = before.keys().chain(now.keys()).collect();
    let of = |name| of_tool(before.get(name).copied(), now.get(name).copied()).into_iter().map(move |it| (name, it));
    let mut changes: Vec<(&(String, usize), Change)> = names.into_iter().flat_map(of).collect();
    changes.sort_by_key(|(_, change)| match change.breaking {
        Some(true) => 0,
        None => 1,
        Some(false) => 2,
    });
    let more = changes.len().saturating_sub(CHANGES_MAX);
    let told = changes.into_iter().take(CHANGES_MAX).map(|((tool, _), Change { at, kind, breaking, values })| {
        let [before, now] = values;
        let change = kind.as_str();
        json!({ "tool": tool, "change": change, "at": at, "baseline": before, "incident": now, "breaking": breaking })
    });
    (told.collect(), more)
}

/// Definitions by name; of those with one name, each by its place among them.
fn tools(detail: &Json) -> BTreeMap<(String, usize), &Json> {
    let mut found = BTreeMap::new();
    for tool in detail["tools"].as_array().into_iter().flatten() {
        let Some(name) = tool["tool"].as_str() else { continue };
        let nth = (0..).find(|nth| !found.contains_key(&(name.to_owned(), *nth))).unwrap_or_default();
        found.insert((name.to_owned(), nth), &tool["schema"]);
    }
    found
}

fn of_tool(before: Option<&Json>, now: Option<&Json>) -> Vec<Change> {
    let whole = |kind, breaking| vec![Change { at: String::new(), kind, breaking, values: [Json::Null, Json::Null] }];
    match (before, now) {
        (Some(before), Some(now)) if before == now => Vec::new(),
        (Some(Json::Object(before)), Some(Json::Object(now))) => {
            let none = Json::Null;
            let [had, has] = [before, now].map(|it| it.get("parameters").unwrap_or(&none));
            let changes = schema::changes(had, has);
            if changes.is_empty() { whole(Kind::Reworded, Some(false)) } else { changes }
        }
        // A definition that was cut, or is no JSON.
        (Some(_), Some(_)) => whole(Kind::Changed, None),
        (Some(_), None) => whole(Kind::Removed, Some(true)),
        (None, _) => whole(Kind::Added, Some(false)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(tools: &[(&str, Json)]) -> Json {
        let tool = |(name, parameters): &(&str, Json)| json!({ "tool": name, "schema": { "name": name, "parameters": parameters } });
        json!({ "tools": tools.iter().map(tool).collect::<Vec<_>>() })
    }

    fn told(before: &[(&str, Json)], now: &[(&str, Json)]) -> Vec<(String, String, Json)> {
        let (found, _) = between(&detail(before), &detail(now));
        let text = |it: &Json| it.as_str().unwrap_or_default().to_owned();
        let found = found.as_array().into_iter().flatten();
        found.map(|it| (text(&it["tool"]), text(&it["change"]), it["breaking"].clone())).collect()
    }

    /// Proves that tools that came and went are told, breaking ones first, and that of two with one name neither is lost.
    #[test]
    fn tools_come_and_go() {
        let same = || json!({ "type": "object" });
        let change = |tool: &str, change: &str, breaking: bool| (tool.to_owned(), change.to_owned(), json!(breaking));
        assert_eq!(
            told(&[("b", same()), ("c", same())], &[("a", same()), ("b", same())]),
            [change("c", "removed", true), change("a", "added", false)]
        );
        let twice = [("a", json!({ "maximum": 1 })), ("a", json!({ "maximum": 2 }))];
        let now = [("a", json!({ "maximum": 0 })), ("a", json!({ "maximum": 2 }))];
        assert_eq!(told(&twice, &now), [change("a", "tightened", true)]);
        assert_eq!(told(&twice, &twice[..1]), [change("a", "removed", true)]);
        assert_eq!(told(&twice, &twice), []);
        // No parameters and an empty object of them are the same to a caller.
        assert_eq!(told(&[("a", Json::Null)], &[("a", same())]), [change("a", "reworded", false)]);
    }

    /// Proves that what can't be read is no verdict, and that what is left out is counted.
    #[test]
    fn what_is_unknown_or_too_much_is_said() {
        let cut = |text: &str| json!({ "tools": [{ "tool": "a", "schema": text }] });
        let (found, more) = between(&cut("{\"na"), &cut("{\"nam"));
        assert_eq!((&found[0]["change"], &found[0]["breaking"], more), (&json!("changed"), &Json::Null, 0));

        let many = |limit: usize| {
            let field = |n: usize| (format!("f{n:03}"), json!({ "maxLength": limit + usize::from(n == 99) * 10 }));
            json!({ "properties": (0..100).map(field).collect::<serde_json::Map<_, _>>() })
        };
        let tight = |mut schema: Json| {
            schema["properties"]["f099"]["maxLength"] = json!(1);
            schema
        };
        let (found, more) = between(&detail(&[("a", many(5))]), &detail(&[("a", tight(many(6)))]));
        assert_eq!((found.as_array().map(Vec::len), more), (Some(CHANGES_MAX), 100 - CHANGES_MAX));
        assert_eq!((&found[0]["at"], &found[0]["breaking"]), (&json!("f099.maxLength"), &json!(true)));
    }
}

//! `${env:VAR}` in scalars, by the Collector's grammar, and the only door to the process environment.
//!
//! | text | becomes |
//! |---|---|
//! | `${env:VAR}` | the value; empty and a warning when unset |
//! | `${env:VAR:-default}` | the value, or `default` when unset or empty |
//! | `$$` | one `$` |
//! | any other `$` | itself |
//!
//! Names are `^[a-zA-Z_][a-zA-Z0-9_]*$`. Expansion happens after the YAML was parsed, scalar by scalar, and is not
//! repeated: a value can't add fields, whatever newlines or braces it holds. Keys are never expanded.

use super::error::Problems;
use super::yaml::{Node, Place, Value};

/// Reads a variable of the process environment; not set and not UTF-8 are the same.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub fn process(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Expands every scalar of the tree in place.
pub(super) fn expand(node: &mut Node, env: &dyn Fn(&str) -> Option<String>, problems: &mut Problems) {
    walk(node, "", env, problems);
}

fn walk(node: &mut Node, path: &str, env: &dyn Fn(&str) -> Option<String>, problems: &mut Problems) {
    match &mut node.value {
        Value::Text(text) if text.contains('$') => *text = expand_text(text, node.at, path, env, problems),
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                walk(item, &format!("{path}[{index}]"), env, problems);
            }
        }
        Value::Map(entries) => {
            for (key, value) in entries {
                let dot = if path.is_empty() { "" } else { "." };
                walk(value, &format!("{path}{dot}{}", key.name), env, problems);
            }
        }
        Value::Null | Value::Flag(_) | Value::Number(_) | Value::Text(_) => {}
    }
}

fn expand_text(
    text: &str,
    at: Place,
    path: &str,
    env: &dyn Fn(&str) -> Option<String>,
    problems: &mut Problems,
) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        if let Some(after) = rest.strip_prefix("$$") {
            out.push('$');
            rest = after;
            continue;
        }
        let Some((inside, after)) = rest.strip_prefix("${").and_then(|inside| inside.split_once('}')) else {
            out.push('$');
            rest = &rest[1..];
            continue;
        };
        out.push_str(&variable(inside, at, path, env, problems));
        rest = after;
    }
    out.push_str(rest);
    out
}

fn variable(
    inside: &str,
    at: Place,
    path: &str,
    env: &dyn Fn(&str) -> Option<String>,
    problems: &mut Problems,
) -> String {
    let reference = inside.strip_prefix("env:");
    let (name, default) = match reference.unwrap_or(inside).split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference.unwrap_or(inside), None),
    };
    if reference.is_none() || !is_name(name) {
        problems.error(Some(at), path, format!("${{{inside}}}"), "${env:NAME} or ${env:NAME:-default}");
        problems.hint(match is_name(name) {
            true => format!("write ${{env:{inside}}}; a literal dollar sign is $$"),
            false => {
                "names are letters, digits and _, not starting with a digit; a literal dollar sign is $$".to_owned()
            }
        });
        return String::new();
    }
    match (env(name).filter(|value| !value.is_empty() || default.is_none()), default) {
        (Some(value), _) => value,
        (None, Some(default)) => default.to_owned(),
        (None, None) => {
            let found = format!("${{env:{name}}}, which is not set");
            problems.warn(Some(at), path, found, format!("a set variable, or a default: ${{env:{name}:-...}}"));
            String::new()
        }
    }
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::super::yaml::parse;
    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("collector".to_owned()),
            "EMPTY" => Some(String::new()),
            "EVIL" => Some("x\nadmin:\n  endpoint: 0.0.0.0:1".to_owned()),
            "LOOP" => Some("${env:LOOP}".to_owned()),
            _ => None,
        }
    }

    fn check(text: &str) -> (String, usize, usize) {
        let mut problems = Problems::default();
        let out = expand_text(text, Place { line: 1, column: 1 }, "field", &env, &mut problems);
        (out, problems.errors.len(), problems.warnings.len())
    }

    /// Proves the grammar: every row of the table above, and what is not a reference stays as it is.
    #[test]
    fn expands_by_the_collectors_grammar() {
        for (text, expanded, errors, warnings) in [
            ("${env:HOST}", "collector", 0, 0),
            ("http://${env:HOST}:4317", "http://collector:4317", 0, 0),
            ("${env:HOST}${env:HOST}", "collectorcollector", 0, 0),
            ("${env:NONE:-fallback}", "fallback", 0, 0),
            ("${env:EMPTY:-fallback}", "fallback", 0, 0),
            ("${env:NONE:-}", "", 0, 0),
            ("${env:NONE:-a:-b}", "a:-b", 0, 0),
            ("${env:EMPTY}", "", 0, 0),
            ("${env:NONE}", "", 0, 1),
            ("$$", "$", 0, 0),
            ("$${env:HOST}", "${env:HOST}", 0, 0),
            ("cost $5, ^x$", "cost $5, ^x$", 0, 0),
            ("${env:HOST", "${env:HOST", 0, 0),
            ("${env:LOOP}", "${env:LOOP}", 0, 0),
            ("${HOST}", "", 1, 0),
            ("${env:1X}", "", 1, 0),
            ("${env:}", "", 1, 0),
            ("${file:/etc/x}", "", 1, 0),
        ] {
            assert_eq!(check(text), (expanded.to_owned(), errors, warnings), "{text}");
        }
    }

    /// Proves that a value with newlines and colons stays one scalar.
    #[test]
    fn a_value_cannot_inject_yaml() {
        let mut root = parse("data_dir: ${env:EVIL}\n").unwrap();
        expand(&mut root, &env, &mut Problems::default());
        let Value::Map(entries) = root.value else { panic!() };
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].1.value, Value::Text(env("EVIL").unwrap()));
    }
}

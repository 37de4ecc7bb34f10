//! A user's `gitleaks.toml`, as gitleaks reads it: names in any case, the older `[allowlist]` beside `[[allowlists]]`,
//! `[extend]` up to two files deep. What gitleaks looks at and a text does not have is left out and said.
//!
//! | gitleaks | here |
//! |---|---|
//! | `[extend] useDefault` | its default rules are our built-in ones, which always count; with it allowlists reach them |
//! | `[extend] path` | relative to the file that names it |
//! | `disabledRules` | of the extended file, and built-in kinds once all of gitleaks' rules behind one are named |
//! | `path`, `paths`, `commits` | a text has none: a rule of nothing but a path is left out, the others lose it |
//! | `skipReport`, `[[rules.required]]` | a rule that reports nothing is left out; what it requires is not asked for |
//!
//! Rules are tables and not serde types, so that every mistake is told, each with its file and rule.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use toml::{Table, Value};

use crate::config::error::Problems;
use crate::config::load::Outside;
use crate::core::redact::{Allowlist, Rule, Rules, Target, entity_of};

const FIELD: &str = "redaction.gitleaks_file";
/// Bytes of one file; gitleaks' own has a tenth.
const FILE_BYTES_MAX: usize = 1 << 20;
/// Rules of all files; gitleaks' own has 222.
const RULES_MAX: usize = 2_000;
/// Files that extend one another, as in gitleaks.
const EXTENDS_MAX: usize = 2;
/// Hex digits of the digest in the version of the rules.
const DIGEST_DIGITS: usize = 8;

/// Reads the rules of a file and of what it extends. What is wrong is reported.
pub(super) fn load(path: &Path, outside: Outside<'_>, problems: &mut Problems) -> Rules {
    let mut reader = Reader { outside, problems, digest: Sha256::new() };
    let mut rules = reader.file(path, 0).rules;
    if rules.rules.len() > RULES_MAX {
        reader.error(path, &format!("{} rules", rules.rules.len()), &format!("at most {RULES_MAX}"));
        rules.rules.clear();
    }
    let digest = reader.digest.finalize();
    rules.digest = digest.iter().take(DIGEST_DIGITS / 2).map(|byte| format!("{byte:02x}")).collect();
    rules
}

struct Reader<'a> {
    outside: Outside<'a>,
    problems: &'a mut Problems,
    digest: Sha256,
}

/// One file with what it extends.
#[derive(Default)]
struct File {
    rules: Rules,
    uses_default: bool,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, depth: usize) -> File {
        let Some(table) = self.table(path) else { return File::default() };
        let extend = get(&table, "extend").and_then(Value::as_table).cloned().unwrap_or_default();
        let mut file = File { uses_default: flag(&extend, "useDefault"), ..File::default() };
        if let Some(base) = text(&extend, "path").filter(|base| !base.is_empty()) {
            if file.uses_default {
                self.error(path, "extend.path and extend.useDefault", "one of them");
            } else if depth < EXTENDS_MAX {
                file = self.file(&beside(path, base), depth + 1);
            } else {
                self.warn(path, &format!("extend.path {base:?}, a third file deep"), "at most two");
            }
        }
        if text(&extend, "url").is_some() {
            self.warn(path, "extend.url", "extend.path: nothing is fetched");
        }
        self.disable(path, &texts(&extend, "disabledRules"), &mut file);
        for rule in tables(&table, "rules") {
            self.rule(path, rule, &mut file);
        }
        self.allowlists(path, &table, &mut file);
        file
    }

    fn table(&mut self, path: &Path) -> Option<Table> {
        let allowed = "a readable gitleaks.toml";
        let source = (self.outside.read)(path).map_err(|error| self.error(path, &error.to_string(), allowed)).ok()?;
        if source.len() > FILE_BYTES_MAX {
            self.error(path, &format!("{} bytes", source.len()), &format!("at most {FILE_BYTES_MAX} bytes"));
            return None;
        }
        self.digest.update(&source);
        let parsed = source.parse::<Table>();
        let refuse = |error: toml::de::Error| {
            let before = error.span().and_then(|span| source.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            self.error(path, &format!("line {line}: {}", error.message()), "TOML");
        };
        parsed.map_err(refuse).ok()
    }

    /// Leaves out rules of the extended file, and built-in kinds of which every rule of gitleaks' own is named.
    fn disable(&mut self, path: &Path, ids: &[String], file: &mut File) {
        for id in ids {
            let before = file.rules.rules.len();
            file.rules.rules.retain(|rule| rule.id != *id);
            match entity_of(id) {
                Some((entity, all)) if id == entity || all.iter().all(|one| ids.iter().any(|id| id == one)) => {
                    file.rules.disabled.push(entity.to_owned());
                }
                Some((entity, all)) => {
                    let allowed = format!("all that the built-in {entity} stands for: {}", all.join(", "));
                    self.warn(path, &format!("disabledRules: {id} alone"), &allowed);
                }
                None if before == file.rules.rules.len() => {
                    self.warn(path, &format!("disabledRules: {id}"), "a rule of the extended file or a built-in one");
                }
                None => {}
            }
        }
    }

    fn rule(&mut self, path: &Path, table: &Table, file: &mut File) {
        let id = text(table, "id").unwrap_or_default().trim().to_owned();
        if id.is_empty() {
            let which = text(table, "description").or(text(table, "regex")).unwrap_or_default();
            return self.error(path, &format!("a rule without an id: {which:?}"), "an id for every rule");
        }
        let known = file.rules.rules.iter().position(|rule| rule.id == id);
        let mut rule = known.map_or_else(Rule::default, |at| file.rules.rules[at].clone());
        let lists = self.lists_of(path, table, &id);
        rule.id.clone_from(&id);
        rule.regex = text(table, "regex").filter(|regex| !regex.is_empty()).unwrap_or(&rule.regex).to_owned();
        rule.secret_group = number(table, "secretGroup").map_or(rule.secret_group, to_count);
        rule.entropy = number(table, "entropy").filter(|bits| *bits > 0.0).unwrap_or(rule.entropy);
        rule.keywords.extend(texts(table, "keywords").into_iter().filter(|word| !word.is_empty()));
        rule.allowlists.extend(lists.into_iter().map(|(list, _)| list));
        if rule.regex.is_empty() {
            return self.without_regex(path, table, rule, file);
        }
        if flag(table, "skipReport") {
            return self.warn(path, &format!("rule {id}: skipReport"), "a rule that reports; it is left out");
        }
        if !tables(table, "required").is_empty() {
            self.warn(path, &format!("rule {id}: required"), "a rule by itself; what it requires is not asked for");
        }
        if let Some(fault) = rule.fault() {
            return self.error(path, &format!("rule {id}: {fault}"), "a rule as gitleaks reads it");
        }
        match known {
            Some(at) => file.rules.rules[at] = rule,
            None => file.rules.rules.push(rule),
        }
    }

    /// A rule of nothing but a path, or one that changes a rule of gitleaks' own.
    fn without_regex(&mut self, path: &Path, table: &Table, rule: Rule, file: &mut File) {
        let id = &rule.id;
        if text(table, "path").is_some() {
            return self.warn(path, &format!("rule {id}: only a path"), "a regex: texts have no path; it is left out");
        }
        match entity_of(id) {
            Some((entity, _)) if file.uses_default => {
                let lists = rule.allowlists.into_iter().map(|list| (entity.to_owned(), list));
                file.rules.built_in_allowlists.extend(lists);
            }
            None if file.uses_default => {
                self.warn(path, &format!("rule {id}: no regex"), "one of the built-in rules, or a regex");
            }
            _ => self.error(path, &format!("rule {id}: no regex and no path"), "a rule as gitleaks reads it"),
        }
    }

    /// Allowlists of the whole file, and those for some rules.
    fn allowlists(&mut self, path: &Path, table: &Table, file: &mut File) {
        for (list, targets) in self.lists_of(path, table, "") {
            if let Some(fault) = list.fault() {
                self.error(path, &fault, "an allowlist as gitleaks reads it");
                continue;
            }
            if targets.is_empty() {
                if file.uses_default {
                    file.rules.default_allowlists.push(list.clone());
                }
                file.rules.allowlists.push(list);
                continue;
            }
            for id in targets {
                match (file.rules.rules.iter_mut().find(|rule| rule.id == id), entity_of(&id)) {
                    (Some(rule), _) => rule.allowlists.push(list.clone()),
                    (None, Some((entity, _))) => file.rules.built_in_allowlists.push((entity.to_owned(), list.clone())),
                    (None, None) if file.uses_default => {
                        self.warn(path, &format!("targetRules: {id}"), "a rule of the file or a built-in one");
                    }
                    (None, None) => self.error(path, &format!("targetRules: {id}"), "a rule of the file"),
                }
            }
        }
    }

    /// The allowlists of a table that can match a text, each with the rules it is for.
    fn lists_of(&mut self, path: &Path, table: &Table, rule: &str) -> Vec<(Allowlist, Vec<String>)> {
        let old = get(table, "allowlist").and_then(Value::as_table);
        let new = tables(table, "allowlists");
        let what = if rule.is_empty() { "allowlists".to_owned() } else { format!("rule {rule}: allowlists") };
        if old.is_some() && !new.is_empty() {
            self.error(path, &format!("{what} in both forms"), "[allowlist] or [[allowlists]]");
        }
        let all = old.into_iter().chain(new);
        all.filter_map(|list| Some((self.list(path, list, &what)?, texts(list, "targetRules")))).collect()
    }

    fn list(&mut self, path: &Path, table: &Table, what: &str) -> Option<Allowlist> {
        let condition = text(table, "condition").unwrap_or_default().to_ascii_uppercase();
        let target = match text(table, "regexTarget").unwrap_or_default() {
            "" | "secret" => Some(Target::Secret),
            "match" => Some(Target::Match),
            "line" => Some(Target::Line),
            other => {
                self.error(path, &format!("{what}: regexTarget {other:?}"), "secret, match or line");
                None
            }
        };
        let all = match &*condition {
            "" | "OR" | "||" => false,
            "AND" | "&&" => true,
            other => {
                self.error(path, &format!("{what}: condition {other:?}"), "AND or OR");
                return None;
            }
        };
        let (regexes, stop_words) = (texts(table, "regexes"), texts(table, "stopwords"));
        let elsewhere = !texts(table, "paths").is_empty() || !texts(table, "commits").is_empty();
        if regexes.is_empty() && stop_words.is_empty() && !elsewhere {
            self.error(path, &format!("{what}: an empty one"), "commits, paths, regexes or stopwords");
        }
        // A text has no path and no commit: where one must match, none ever does.
        if regexes.is_empty() && stop_words.is_empty() || all && elsewhere {
            return None;
        }
        let both = all && !regexes.is_empty() && !stop_words.is_empty();
        Some(Allowlist { regexes, target: target?, stop_words, both })
    }

    fn error(&mut self, path: &Path, found: &str, allowed: &str) {
        let found = format!("{}: {found}", path.display());
        self.problems.error(self.problems.place(FIELD), FIELD, found, allowed);
    }

    fn warn(&mut self, path: &Path, found: &str, allowed: &str) {
        let found = format!("{}: {found}", path.display());
        self.problems.warn(self.problems.place(FIELD), FIELD, found, allowed);
    }
}

fn beside(file: &Path, path: &str) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(path)
}

/// The value of a name in any case.
fn get<'t>(table: &'t Table, name: &str) -> Option<&'t Value> {
    table.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn text<'t>(table: &'t Table, name: &str) -> Option<&'t str> {
    get(table, name)?.as_str()
}

fn flag(table: &Table, name: &str) -> bool {
    get(table, name).and_then(Value::as_bool).unwrap_or_default()
}

/// A list of strings, or one string.
fn texts(table: &Table, name: &str) -> Vec<String> {
    match get(table, name) {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(one)) => vec![one.clone()],
        _ => Vec::new(),
    }
}

fn tables<'t>(table: &'t Table, name: &str) -> Vec<&'t Table> {
    get(table, name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table).collect()
}

#[expect(clippy::cast_precision_loss, reason = "groups and bits of entropy are small")]
fn number(table: &Table, name: &str) -> Option<f64> {
    let value = get(table, name)?;
    value.as_float().or(value.as_integer().map(|number| number as f64))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a group's number; casts saturate")]
fn to_count(number: f64) -> usize {
    number as usize
}

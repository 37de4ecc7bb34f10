//! A page read as its reviewer would: whole, blameless, answered, owned and in time.

use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;

use super::figures::second;
use super::header::{Due, Header};
use crate::core::time::UnixNanos;

/// What every page has, by a word of the heading.
const SECTIONS: [&str; 9] = [
    "summary",
    "impact",
    "timeline",
    "root cause",
    "detection",
    "mitigation",
    "action items",
    "lessons",
    "trace evidence",
];
/// Entries of a timeline below which it tells too little, and action items.
const ENTRIES_MIN: usize = 8;
const ACTIONS_MIN: usize = 5;
/// What a cell says that says nothing.
const NOTHING: [&str; 7] = ["", "-", "?", "tbd", "todo", "n/a", "none"];
/// Words of a role. An owner without any of them is taken for a person.
const ROLES: [&str; 22] = [
    "engineer",
    "manager",
    "lead",
    "team",
    "sre",
    "on-call",
    "oncall",
    "owner",
    "developer",
    "analyst",
    "scientist",
    "support",
    "security",
    "product",
    "platform",
    "officer",
    "operations",
    "commander",
    "architect",
    "legal",
    "data",
    "ml",
];

/// Words that look for a culprit instead of a cause.
static BLAME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\bhuman error\b|\b\w+'s (fault|mistake)\b|\bfault of\b|\bto blame\b|\bcareless|\bnegligen|\bshould have known\b|\b(he|she|they) (forgot|failed|should have)\b|\bforgot to\b|\bincompeten").ok()
});
/// An address, a handle, or two names and what their bearer did.
static PERSON: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"[\w.+-]+@[\w-]+\.\w+|(^|\s)@\w+|\b[A-Z][a-z]+ [A-Z][a-z]+ (deployed|pushed|merged|approved|changed|forgot|broke|missed|caused|rolled|noticed|fixed|wrote|edited|released)\b").ok()
});

/// The rules there are.
pub const RULES: [&str; 11] = [
    "section_missing",
    "question_open",
    "blame",
    "person_named",
    "owner_missing",
    "priority_missing",
    "due_missing",
    "eval_case_missing",
    "actions_few",
    "timeline_short",
    "overdue",
];

/// What a reviewer would object to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Line of the page, from 1; `None` for what is missing.
    pub line: Option<usize>,
    /// One of [`RULES`].
    pub rule: &'static str,
    /// What is wrong, in words.
    pub text: String,
}

/// Everything there is to object to, by line; what is missing comes last. `now` is held against the deadlines in the
/// header of a page that is not done.
#[must_use]
pub fn check(page: &str, now: UnixNanos) -> Vec<Finding> {
    let mut findings = words(page);
    let (entries, actions) = (table(page, "timeline"), table(page, "action items"));
    findings.extend(actions.iter().flat_map(|row| owned(row)));
    findings.sort_by_key(|it| it.line);
    let missing = |rule, text: String| Finding { line: None, rule, text };
    let headings: Vec<String> = page.lines().filter(|it| it.starts_with('#')).map(str::to_lowercase).collect();
    let lacks = |section: &&&str| !headings.iter().any(|it| it.contains(**section));
    findings.extend(SECTIONS.iter().filter(lacks).map(|it| missing("section_missing", format!("no section on {it}"))));
    if entries.len() < ENTRIES_MIN {
        findings.push(missing(
            "timeline_short",
            format!("{} entries in the timeline, {ENTRIES_MIN} tell a course of things", entries.len()),
        ));
    }
    if actions.len() < ACTIONS_MIN {
        findings.push(missing("actions_few", format!("{} action items, {ACTIONS_MIN} are usual", actions.len())));
    }
    let is_eval = |row: &Row<'_>| {
        row.cell("action").is_some_and(|it| {
            ["regression", "evaluation case", "eval case", "golden set"]
                .iter()
                .any(|word| it.to_lowercase().contains(word))
        })
    };
    if !actions.iter().any(is_eval) {
        findings.push(missing("eval_case_missing", "no action item adds an evaluation case".into()));
    }
    if !findings.is_empty() {
        findings.extend(overdue(page, now));
    }
    findings
}

fn words(page: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut is_code = false;
    for (at, line) in page.lines().enumerate() {
        if line.starts_with("```") {
            is_code = !is_code;
        }
        let mut find = |rule, text: String| findings.push(Finding { line: Some(at + 1), rule, text });
        if let Some((_, question)) = line.split_once("**Question:**") {
            find("question_open", question.trim().trim_end_matches('|').trim().to_owned());
        }
        if is_code {
            continue;
        }
        let blame = BLAME.as_ref().and_then(|it| it.find(line));
        let person = PERSON.as_ref().and_then(|it| it.find_iter(line).find(|it| !names_role(it.as_str())));
        for (rule, found) in [("blame", blame), ("person_named", person)] {
            if let Some(found) = found {
                find(rule, found.as_str().trim().to_owned());
            }
        }
    }
    findings
}

/// Whether a text has a word of a role: `Platform Engineer`, `leads`.
fn names_role(text: &str) -> bool {
    let text = text.to_lowercase();
    let mut words = text.split(|it: char| !it.is_alphanumeric() && it != '-');
    words.any(|word| ROLES.contains(&word.trim_end_matches('s')))
}

/// A row of a table, with the table's header.
struct Row<'p> {
    line: usize,
    header: Vec<String>,
    cells: Vec<&'p str>,
}

impl Row<'_> {
    fn cell(&self, column: &str) -> Option<&str> {
        let at = self.header.iter().position(|it| it.starts_with(column))?;
        self.cells.get(at).copied()
    }
}

/// The rows of the first table below a heading.
fn table<'p>(page: &'p str, section: &str) -> Vec<Row<'p>> {
    let lines =
        page.lines().enumerate().skip_while(|(_, it)| !(it.starts_with("## ") && it.to_lowercase().contains(section)));
    let table: Vec<(usize, &str)> = lines
        .skip(1)
        .take_while(|(_, it)| !it.starts_with("## "))
        .skip_while(|(_, it)| !it.starts_with('|'))
        .take_while(|(_, it)| it.starts_with('|'))
        .collect();
    let Some((_, header)) = table.first() else { return Vec::new() };
    let header: Vec<String> = cells(header).iter().map(|it| it.to_lowercase()).collect();
    table.iter().skip(2).map(|(at, row)| Row { line: at + 1, header: header.clone(), cells: cells(row) }).collect()
}

/// The cells of a row; an escaped bar is no border.
pub(super) fn cells(row: &str) -> Vec<&str> {
    let row = row.trim().trim_start_matches('|');
    let (mut cells, mut start, mut before) = (Vec::new(), 0, ' ');
    for (at, it) in row.char_indices() {
        if it == '|' && before != '\\' {
            cells.push(row[start..at].trim());
            start = at + 1;
        }
        before = it;
    }
    cells
}

fn owned(row: &Row<'_>) -> Vec<Finding> {
    let find = |rule, text: String| Finding { line: Some(row.line), rule, text };
    let action = row.cell("action").unwrap_or_default();
    let lacks = |column: &str| {
        row.cell(column).is_none_or(|it| NOTHING.contains(&&*it.to_lowercase()) || it.contains("**Question:**"))
    };
    let columns = [("owner", "owner_missing"), ("priority", "priority_missing"), ("due", "due_missing")];
    let mut findings: Vec<Finding> = columns
        .into_iter()
        .filter(|(column, _)| lacks(column))
        .map(|(column, rule)| find(rule, format!("no {column}: {action}")))
        .collect();
    if !lacks("owner") && !names_role(row.cell("owner").unwrap_or_default()) {
        findings.push(find("person_named", format!("{} is no role", row.cell("owner").unwrap_or_default())));
    }
    findings
}

/// Deadlines in the header that have passed.
fn overdue(page: &str, now: UnixNanos) -> Vec<Finding> {
    let passed = Header::of(page).due.into_iter().filter(|it| now > it.at);
    let finding = |Due { line, name, at }: Due| {
        let text = format!("the {name} was due {}, and this page is not done", second(&at.to_string()));
        Finding { line: Some(line), rule: "overdue", text }
    };
    passed.map(finding).collect()
}

//! What a page says of itself before its first section: whose it is, and when it is due.

use super::lint::{Finding, cells, check};
use crate::core::time::UnixNanos;

/// Incidents that one page can stand for.
const INCIDENTS_MAX: usize = 64;
/// How the timeline names the incident of another alert of the same trouble.
const NAMED: &str = "(incident ";

/// A deadline in a page's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Line of the page, from 1.
    pub line: usize,
    /// `draft`, `review`, or what else stands before "due", in lower case.
    pub name: String,
    /// The time.
    pub at: UnixNanos,
}

/// The rows of the header that programs read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Id of the incident; empty where the header names none.
    pub incident: String,
    /// Its feature; empty where the header names none.
    pub feature: String,
    /// Deadlines.
    pub due: Vec<Due>,
}

impl Header {
    /// Reads a page.
    #[must_use]
    pub fn of(page: &str) -> Self {
        let mut header = Self::default();
        let lines = page.lines().enumerate().take_while(|(_, it)| !it.starts_with("## "));
        for (at, line) in lines.filter(|(_, it)| it.starts_with('|')) {
            let [name, value] = cells(line)[..] else { continue };
            let name = name.to_lowercase();
            let text = value.trim_matches('`');
            match (&*name, name.strip_suffix(" due"), time(text)) {
                ("incident", ..) => text.clone_into(&mut header.incident),
                ("feature", ..) => text.clone_into(&mut header.feature),
                (_, Some(name), Some(time)) => {
                    header.due.push(Due { line: at + 1, name: name.to_owned(), at: time });
                }
                _ => {}
            }
        }
        header
    }
}

/// A page as its reviewer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What it says of itself.
    pub header: Header,
    /// The incidents it stands for: its own, and those of the other alerts in its timeline.
    pub incidents: Vec<String>,
    /// What there is to object to; nothing on a page that is done.
    pub findings: Vec<Finding>,
}

impl Checked {
    /// Reads a page at a time that its deadlines are held against.
    #[must_use]
    pub fn of(page: &str, now: UnixNanos) -> Self {
        let header = Header::of(page);
        let named = page.lines().filter(|it| it.starts_with('|')).filter_map(|it| it.split_once(NAMED));
        let named = named.filter_map(|(_, rest)| rest.split_once(')')).map(|(id, _)| id.to_owned());
        let mut incidents: Vec<String> = Vec::new();
        for id in [header.incident.clone()].into_iter().chain(named).filter(|it| !it.is_empty()).take(INCIDENTS_MAX) {
            if !incidents.contains(&id) {
                incidents.push(id);
            }
        }
        Self { findings: check(page, now), header, incidents }
    }
}

/// As pages write times (`2025-03-12 10:22:40 UTC`), or in RFC 3339.
fn time(text: &str) -> Option<UnixNanos> {
    let written = || UnixNanos::parse(&format!("{}Z", text.strip_suffix(" UTC")?.replacen(' ', "T", 1)));
    UnixNanos::parse(text).or_else(written)
}
